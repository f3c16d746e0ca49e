"""The places of a group: committed offsets, where a new owner starts, lag, and what becomes of records nobody read.

The offsets belong to the group and the partition, never to a member (KAF-19). Without a valid one `auto.offset.reset`
decides (KAF-21). Those of a group that stays empty for `offsets.retention.minutes` are forgotten (KAF-22). Follows
apache/kafka 3.9, `OffsetFetcher.java`, `SubscriptionState.java`, `GroupMetadataManager.scala`. Left out: metadata with
a commit, leader epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from ... import checks
from ...errors import StateError
from ...kernel import Simulation
from ...kernel.runlog import DROPPED, EXPIRED, FILTERED, NEVER, QUEUED, pack_row
from ..base import Message
from .assignors import TopicPartition
from .claims import Claim, Place
from .configuration import Commit, Isolation, Kafka, OffsetReset
from .errors import InvalidOffsetError, OffsetOutOfRangeError, UnknownTopicOrPartitionError
from .log import PartitionLog

if TYPE_CHECKING:
    from .coordinator import Coordinator
    from .member import Member


class NoOffsetForPartitionError(InvalidOffsetError):
    """A group without a valid committed offset may not choose one (Kafka: NoOffsetForPartitionException)."""


class Places:
    """All places of one group, by topic and partition."""

    def __init__(self, sim: Simulation, group: str, lane: int, settings: Kafka, coordinator: Coordinator) -> None:
        self.sim = sim
        self.group = group
        self.settings = settings
        self.committed_only = settings.isolation is Isolation.READ_COMMITTED
        self.coordinator = coordinator
        self._places: dict[TopicPartition, Place] = {}
        self._nobody = sim.log.endpoint(lane, "")
        coordinator.emptied = self._emptied

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places.values())

    def add(self, log: PartitionLog, settled: list[Callable[[float, Message], None]]) -> None:
        """A partition that the group may read from now on."""
        place = Place(log, settled)
        self._places[place.key] = place

    def __getitem__(self, key: TopicPartition) -> Place:
        if key not in self._places:
            known = [f"{topic}-{number}" for topic, number in self._places]
            raise UnknownTopicOrPartitionError("partition", f"{key[0]}-{key[1]}", known, float(self.sim.env.now))
        return self._places[key]

    def grant(self, now_s: float, member: Member, key: TopicPartition) -> Claim:
        """Gives a partition to a member, who reads on from the committed offset; who had it before has it no more."""
        place = self[key]
        if place.claim is not None:
            self.give_up(place.claim)
        position = self._starting_position(now_s, place)
        claim = place.claim = Claim(place, member, position, plain=member.group.lean)
        place.log.readers.append(claim)
        return claim

    def give_up(self, claim: Claim) -> None:
        """The member does not read the partition any more; what it works on it may end."""
        if claim.granted:
            claim.member.catch_up()
            claim.granted = claim.plain = False
            claim.note_started()
            claim.log.readers.remove(claim)
            if claim.place.claim is claim:
                claim.place.claim = None

    def _starting_position(self, now_s: float, place: Place) -> int:
        committed, log = place.committed, place.log
        if committed is not None and log.base <= committed <= log.end:
            return committed
        return self._reset(now_s, place, "nothing was committed" if committed is None else "out of range")

    def out_of_range(self, now_s: float, claim: Claim) -> None:
        """The position of a claim does not exist (any more): `auto.offset.reset` gives another one (KAF-21)."""
        claim.next = self._reset(now_s, claim.place, "out of range")

    def _reset(self, now_s: float, place: Place, why: str) -> int:
        reset, log = self.settings.auto_offset_reset, place.log
        if reset is OffsetReset.NONE:
            error = NoOffsetForPartitionError if place.committed is None else OffsetOutOfRangeError
            raise error(
                f"group {self.group!r} has no valid offset for {log.topic}-{log.number}: {why}",
                field="auto_offset_reset",
                value=reset.value,
                remedy="commit an offset first, or say earliest or latest",
                at_s=now_s,
            )
        position = log.base if reset is OffsetReset.EARLIEST else log.visible(committed_only=self.committed_only)
        self._fact(
            now_s, "offset_reset", topic=log.topic, partition=log.number, to=reset.value, offset=position, because=why
        )
        for offset, record in log.numbered():
            if place.started <= offset < position:
                self._row(record, now_s, FILTERED)
                place.again[offset] = 0
        place.started = max(place.started, position if reset is OffsetReset.LATEST else 0)
        return position

    def commit_offsets(self, now_s: float, member: Member, positions: Iterable[tuple[Place, int]]) -> bool:
        """Commits positions for a member; False, and a fact, if it is not in the present generation (KAF-18)."""
        positions = list(positions)
        if not positions:
            return True
        if not self.coordinator.is_member(member, member.generation):
            self._fact(
                now_s, "commit_refused", member=member.id, generation=member.generation, offsets=_told(positions)
            )
            return False
        changed = [(place, offset) for place, offset in positions if place.committed != offset]
        for place, offset in changed:
            if place.claim is not None and place.claim.member is member:
                place.committed = offset
        if changed and self.settings.commit is Commit.AUTO:
            self._fact(now_s, "offsets_committed", member=member.id, offsets=_told(changed))
        return True

    def lag(self) -> dict[TopicPartition, int]:
        """For each partition the end of the log minus the committed offset (KAF-24)."""
        return {key: place.lag for key, place in self._places.items()}

    def committed(self) -> dict[TopicPartition, int | None]:
        """The committed offset of each partition; None where nothing was committed."""
        return {key: place.committed for key, place in self._places.items()}

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """The reader of a partition reads on from `offset`, which may lie before what was read already (KAF-37)."""
        place = self[topic, partition]
        claim = place.claim
        if claim is not None:
            claim.member.catch_up()
        if claim is None or claim.active:
            raise StateError(
                f"nobody who is free reads {topic}-{partition}",
                field="seek",
                value=offset,
                remedy="seek when the partition is assigned and none of its records is in work",
                at_s=float(self.sim.env.now),
            )
        self._check_offset(place, offset)
        now_s = place.lost_s = float(self.sim.env.now)
        claim.member.unread(claim)
        claim.note_started()
        claim.next = offset
        claim.fresh_from = place.started
        claim.more(now_s, place.log.visible(committed_only=self.committed_only) - offset)

    def reset_offsets(self, offset_of: Callable[[Place], int]) -> None:
        """Commits `offset_of(place)` for each partition, as `kafka-consumer-groups --reset-offsets`.

        Only while the group has no members; otherwise a `StateError`.
        """
        if self.coordinator.members:
            raise StateError(
                f"group {self.group!r} has members: {', '.join(self.coordinator.members)}",
                field="reset_offsets",
                value=self.group,
                remedy="stop them first; offsets can be reset in an empty group only",
                at_s=float(self.sim.env.now),
            )
        for place in self._places.values():
            place.committed = self._check_offset(place, offset_of(place))
            place.lost_s = float(self.sim.env.now)

    def _check_offset(self, place: Place, offset: int) -> int:
        log = place.log
        remedy = f"give an offset from {log.base} to {log.end}"
        if not log.base <= checks.check_whole(0)("offset", offset) <= log.end:
            at_s = float(self.sim.env.now)
            raise OffsetOutOfRangeError(f"offset is {offset!r}", field="offset", value=offset, remedy=remedy, at_s=at_s)
        return offset

    def _emptied(self, now_s: float) -> None:
        self.sim.env.watch(now_s + self.settings.offsets_retention_s, self._forget, now_s)

    def _forget(self, now_s: float, empty_since_s: float) -> None:
        """The group has been empty for `offsets.retention.minutes`: it does not know where it was."""
        if self.coordinator.members or self.coordinator.empty_since_s != empty_since_s:
            return
        for place in self:
            place.committed = None
        self._fact(now_s, "offsets_forgotten", empty_since_s=empty_since_s)

    # ---------------------------------------------------------------- the run log

    def deleted(self, now_s: float, key: TopicPartition, records: Iterable[tuple[int, Message]]) -> None:
        """Records are gone from the log; those that nobody of the group had started are told as expired."""
        place = self[key]
        if place.claim is not None:
            place.claim.note_started()
        for offset, record in records:
            if offset >= place.started:
                self._row(record, now_s, EXPIRED)
                place.started = offset + 1

    def abandoned(self, now_s: float, claim: Claim) -> None:
        """A reader is gone: what it had polled and committed, and never begun, is lost to the group."""
        place = claim.place
        place.lost_s = now_s
        if place.claim is claim and place.committed is not None:
            for offset, record in place.log.numbered(claim.next):
                if max(place.started, claim.next) <= offset < place.committed:
                    self._row(record, now_s, DROPPED)
            place.started = max(place.started, place.committed)
        self.give_up(claim)

    def open_rows(self, _now_s: float) -> list[bytes]:
        """The rows of what the group has still to read, again or for the first time."""
        rows = []
        for place in self:
            position = place.claim.next if place.claim is not None else place.committed
            for offset, record in place.log.numbered(position or 0):
                attempt = 1 if offset >= place.started else place.again.get(offset, 1) + 1
                number, root, published_s, enqueued_s, _, _ = record
                rows.append(
                    pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, NEVER, self._nobody, attempt, QUEUED)
                )
        return rows

    def _row(self, record: Message, now_s: float, outcome: int) -> None:
        number, root, published_s, enqueued_s, _, _ = record
        self.sim.log.add(pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, self._nobody, 1, outcome))

    def _fact(self, now_s: float, kind: str, **detail: object) -> None:
        self.sim.log.fact(now_s, kind, self.group, **detail)


def _told(positions: Iterable[tuple[Place, int]]) -> dict[str, int]:
    return {f"{place.log.topic}-{place.log.number}": offset for place, offset in positions}
