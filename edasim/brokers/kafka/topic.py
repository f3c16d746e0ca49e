"""A topic: a destination of partitions, each with a log of its own.

While the cluster is well and a producer neither lingers nor waits (the default times of 0), a record is appended and
can be read at the instant of its publishing. Otherwise it goes the way of `producer` and `replication`. Records that no
group reads are told at the end of a run as filtered. Left out: topic ids, the deletion of topics.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import ConfigurationError
from ...events import Event
from ...kernel.runlog import DROPPED, EXPIRED, FILTERED, NEVER, PUBLISHER_BITS, pack_row
from ..base import Message, event_of
from ..by_hand import publish
from .configuration import Cleanup, Kafka
from .errors import UnknownTopicOrPartitionError
from .group import Group
from .keys import Keys, Partitioner
from .log import PartitionLog
from .partitioner import InvalidPartitionsError, check_partitions
from .producer import Producer
from .replication import Replicas
from .retention import Segment, new_start, segments_of, superseded

if TYPE_CHECKING:
    from .broker import RunningKafka

LEGAL_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class InvalidTopicError(ConfigurationError):
    """A name that no topic can have (Kafka: InvalidTopicException)."""


def check_topic(field: str, value: Any) -> str:
    """A legal name of a topic: up to 249 letters, digits, dots, underscores and hyphens, and not only dots."""
    if not isinstance(value, str) or not LEGAL_NAME.fullmatch(value) or value in (".", ".."):
        remedy = "give up to 249 of the letters a to z and A to Z, digits, '.', '_' and '-', and not '.' or '..'"
        raise InvalidTopicError(f"{field} is {value!r}", field=field, value=value, remedy=remedy)
    return value


class Topic:
    """A destination of a running Kafka."""

    def __init__(
        self, kafka: RunningKafka, name: str, settings: Kafka, *, partitioner: Partitioner | None, cleanup: Cleanup
    ) -> None:
        self.kafka = kafka
        self.sim = kafka.sim
        self.name = name
        self.settings = settings
        self.cleanup = cleanup
        self.logs = [PartitionLog(name, number) for number in range(settings.partitions)]
        self.keys = Keys(kafka.sim, name, settings, settings.partitions, partitioner)
        self.settled: list[Callable[[float, Message], None]] = []
        self.groups: dict[str, Group] = {}
        self._nobody = self.sim.log.endpoint(self.sim.log.lane(kafka.name, name, ""), "")
        self.replicas = [self._replicas(log) for log in self.logs]
        self._producers: dict[int, Producer] = {}
        self._direct = self._short_way()
        waits = settings.linger_s or settings.request_s or settings.replication_s
        self.careful = bool(waits) or not kafka.cluster.well
        """Whether records go the long way."""
        self.route: Callable[[float, Message], None] = self._carefully if self.careful else self._direct
        self._check_retention_later()
        self.sim.on_end(self._open_rows)

    def _replicas(self, log: PartitionLog) -> Replicas:
        return Replicas(self.sim, self.settings, self.kafka.cluster, log, self.lost)

    def be_careful(self) -> None:
        """From now on every record goes the long way: by a producer, its batches, and the replicas."""
        if not self.careful:
            self.careful = True
            self.route = self._carefully
            for group in self.groups.values():
                group.watch_each()
            for log, replicas in zip(self.logs, self.replicas, strict=True):
                log.all_is_told()
                replicas.catch_up_silently()

    def _carefully(self, now_s: float, message: Message) -> None:
        publisher = message[0] >> PUBLISHER_BITS
        producer = self._producers.get(publisher)
        if producer is None:
            name = self.sim.log.publishers[publisher]
            producer = self._producers[publisher] = Producer(self.kafka, name, self.settings)
        producer.take(now_s, self, message)

    @property
    def partitions(self) -> int:
        """How many partitions it has."""
        return len(self.logs)

    def _short_way(self) -> Callable[[float, Message], None]:
        """`route` as a closure, for a cluster that is well and producers that do not wait."""
        ways = self._ways = [(log.records.append, log.readers) for log in self.logs]
        partition_of = self.keys.partition if self.keys.own is None else self.keys.own
        checked = self.keys.checked

        def route(now_s: float, message: Message) -> None:
            partition = partition_of(message)
            if partition.__class__ is not int or not 0 <= partition < len(ways):
                partition = checked(partition)
            append, claims = ways[partition]
            append(message)
            for claim in claims:
                member = claim.member
                if member.parked:
                    member.wake(now_s, claim)
                else:
                    member.inbox.append(claim)

        return route

    def publish(self, event: Event, *, publisher: str = "by-hand") -> Event:
        """Publishes an event now, from your own process; returns it with id and source filled in."""
        return publish(self, event, publisher)

    def group(self, name: str, *, skip_after: int | None = None, **settings: Any) -> Group:
        """The consumer group of that name that reads this topic; `settings` are fields of `Kafka`, for it alone.

        `skip_after` is the attempt after which the application skips a record that its handler refuses (None: never).
        """
        return self.kafka.group(name, [self], skip_after=skip_after, **settings)

    def add_partitions(self, total: int) -> None:
        """Grows to `total` partitions; keys may go elsewhere from now on, and groups see it with their metadata."""
        if check_partitions("total", total) <= self.partitions:
            remedy = f"{self.name!r} has {self.partitions} partitions, and can only grow"
            raise InvalidPartitionsError(f"total is {total!r}", field="total", value=total, remedy=remedy)
        first = self.partitions
        for number in range(first, total):
            self.logs.append(PartitionLog(self.name, number))
            self.replicas.append(self._replicas(self.logs[-1]))
            self._ways.append((self.logs[-1].records.append, self.logs[-1].readers))
        self.keys.grow(total)
        self.sim.log.fact(float(self.sim.env.now), "partitions_added", self.name, partitions=total)
        for group in self.groups.values():
            group.partitions_added(self, first)

    def read_by(self, group: Group) -> None:
        """A group subscribes."""
        self.groups[group.name] = group
        for log in self.logs:
            group.places.add(log, self.settled)

    def read(self, partition: int, *, from_offset: int = 0) -> list[tuple[int, Message]]:
        """All records of a partition from an offset on, with their offsets; reading changes nothing (KAF-37)."""
        if not 0 <= partition < self.partitions:
            known = map(str, range(self.partitions))
            raise UnknownTopicOrPartitionError(f"partition of topic {self.name!r}", partition, known)
        return list(self.logs[partition].numbered(from_offset))

    def on_settled(self, tell: Callable[[float, Message], None]) -> None:
        """Calls `tell(now_s, message)` when a group has processed a message."""
        self.settled.append(tell)
        for group in self.groups.values():
            group.somebody_listens()

    def lost(self, now_s: float, records: list[Message], outcome: int = DROPPED) -> None:
        """Records are gone before any group could read them."""
        for number, root, published_s, enqueued_s, _, _ in records:
            self.sim.log.add(
                pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, self._nobody, 1, outcome)
            )

    # ---------------------------------------------------------------- retention

    def _check_retention_later(self) -> None:
        settings = self.settings
        if self.cleanup is Cleanup.COMPACT or settings.retention_s is not None or settings.retention_bytes is not None:
            now_s = float(self.sim.env.now)
            self.sim.env.watch(now_s + settings.retention_check_s, self._check_retention)

    def _check_retention(self, now_s: float, _: object) -> None:
        for group in self.groups.values():
            group.catch_up()
        for log in self.logs:
            segments = self._segments(log)
            if segments and self.cleanup is Cleanup.COMPACT:
                self._compact(now_s, log, segments[-1].first)
            elif segments:
                self._delete_old(now_s, log, segments)
        self._check_retention_later()

    def _segments(self, log: PartitionLog) -> list[Segment]:
        settings = self.settings
        return segments_of(
            ((offset, record[3]) for offset, record in log.numbered()),
            record_bytes=settings.record_bytes,
            segment_s=settings.segment_s,
            segment_bytes=settings.segment_bytes,
        )

    def _delete_old(self, now_s: float, log: PartitionLog, segments: list[Segment]) -> None:
        settings = self.settings
        start = new_start(
            segments,
            log.end,
            now_s,
            record_bytes=settings.record_bytes,
            retention_s=settings.retention_s,
            retention_bytes=settings.retention_bytes,
        )
        if start is None or start > log.visible(committed_only=False):
            return
        deleted = log.delete_before(start)
        self.sim.log.fact(
            now_s, "segments_deleted", f"{self.name}-{log.number}", from_offset=start, records=len(deleted)
        )
        self._tell_deleted(now_s, log, deleted)

    def _compact(self, now_s: float, log: PartitionLog, in_use_from: int) -> None:
        keyed = []
        for offset, record in log.numbered():
            key, event = self.keys.key(record), event_of(self.sim, record)
            if key is not None:
                keyed.append((offset, record[3], key, not event.has_data or event.data is None))
        offsets = superseded(keyed, in_use_from, now_s, delete_retention_s=self.settings.delete_retention_s)
        cleared = [(offset, gone) for offset in offsets if (gone := log.clear(offset)) is not None]
        if cleared:
            self.sim.log.fact(now_s, "compacted", f"{self.name}-{log.number}", records=len(cleared))
            self._tell_deleted(now_s, log, cleared)

    def _tell_deleted(self, now_s: float, log: PartitionLog, deleted: list[tuple[int, Message]]) -> None:
        """Records that a group had not started are expired for it; without groups, for everybody."""
        for group in self.groups.values():
            group.places.deleted(now_s, (self.name, log.number), deleted)
        if not self.groups:
            self.lost(now_s, [record for _, record in deleted], EXPIRED)

    def _open_rows(self, _now_s: float) -> list[bytes]:
        if self.groups:
            return []
        return [
            pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, NEVER, self._nobody, 1, FILTERED)
            for log in self.logs
            for _, (number, root, published_s, enqueued_s, _, _) in log.numbered()
        ]


def with_wishes(settings: Kafka, wishes: dict[str, Any]) -> Kafka:
    """The settings with some fields changed; their checks run again."""
    return replace(settings, **wishes) if wishes else settings
