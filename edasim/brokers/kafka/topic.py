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

from ... import checks
from ...errors import ConfigurationError, UnknownNameError
from ...events import Event
from ...kernel.runlog import DROPPED, EXPIRED, FILTERED, NEVER, pack_row
from ..base import Message
from ..by_hand import publish
from .configuration import Cleanup, Kafka
from .group import Group
from .keys import Keys, Partitioner
from .log import PartitionLog
from .partitioner import check_partitions

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
        self.route: Callable[[float, Message], None] = self._direct()
        self.sim.on_end(self._open_rows)

    @property
    def partitions(self) -> int:
        """How many partitions it has."""
        return len(self.logs)

    def _direct(self) -> Callable[[float, Message], None]:
        """`route` as a closure, for a cluster that is well and producers that do not wait."""
        logs = self.logs
        partition_of = self.keys.partition

        def route(now_s: float, message: Message) -> None:
            log = logs[partition_of(message)]
            log.records.append(message)
            for claim in log.readers:
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
            raise checks.refuse("total", total, f"{self.name!r} has {self.partitions} partitions, and can only grow")
        first = self.partitions
        for number in range(first, total):
            self.logs.append(PartitionLog(self.name, number))
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
            raise UnknownNameError(f"partition of topic {self.name!r}", partition, map(str, range(self.partitions)))
        return [(offset, record) for offset, record in self.logs[partition].numbered() if offset >= from_offset]

    def on_settled(self, tell: Callable[[float, Message], None]) -> None:
        """Calls `tell(now_s, message)` when a group has processed a message."""
        self.settled.append(tell)
        for group in self.groups.values():
            group.lean = False

    def lost(self, now_s: float, records: list[Message], outcome: int = DROPPED) -> None:
        """Records are gone before any group could read them."""
        for number, root, published_s, enqueued_s, _, _ in records:
            self.sim.log.add(
                pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, self._nobody, 1, outcome)
            )

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


__all__ = ["EXPIRED", "InvalidTopicError", "Topic", "check_topic", "with_wishes"]
