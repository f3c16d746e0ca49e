"""A group's place in a partition, and the claim that the member has on it who reads it at present.

A place belongs to the group and outlives its members: the committed offset (the next one to read, KAF-19), and how
far records were ever started, by which the run log counts attempts. Kafka itself counts none. A claim belongs to one
member in one generation: what it has polled, what it works on, and whether the group still grants it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..base import Message
from .log import PartitionLog

if TYPE_CHECKING:
    from .member import Member


class Place:
    """Where a group is in one partition."""

    __slots__ = ("again", "claim", "committed", "lost_s", "log", "settled", "started")

    def __init__(self, log: PartitionLog, settled: list[Callable[[float, Message], None]]) -> None:
        self.log = log
        self.settled = settled
        self.committed: int | None = None
        self.started = 0
        self.again: dict[int, int] = {}
        self.lost_s: float | None = None
        self.claim: Claim | None = None

    @property
    def key(self) -> tuple[str, int]:
        """Topic and number of the partition."""
        return self.log.topic, self.log.number

    @property
    def lag(self) -> int:
        """The end of the log minus the committed offset; everything that is there if nothing was committed (KAF-24)."""
        return self.log.end - (self.log.base if self.committed is None else max(self.committed, self.log.base))

    def start(self, offset: int, now_s: float, record: Message) -> Message:
        """The record as the delivery of this moment: a later attempt is a message of its own."""
        if offset >= self.started:
            self.started = offset + 1
            return record
        attempt = self.again[offset] = self.again.get(offset, 1) + 1
        number, root, published_s, _, _, event = record
        return number, root, published_s, now_s if self.lost_s is None else self.lost_s, attempt, event


class Claim:
    """What one member reads of one partition: `next` is what it starts next, `fetched` the end of what it polled."""

    __slots__ = (
        *("active", "fetched", "granted", "in_batch", "log", "member", "next", "place", "polled_s", "revoked"),
        *("smooth", "working_at"),
    )

    def __init__(self, place: Place, member: Member, position: int) -> None:
        self.place = place
        self.log = place.log
        self.member = member
        self.next = position
        self.fetched = position
        self.working_at = position
        self.active = False
        self.in_batch = False
        self.granted = True
        self.revoked = False
        self.smooth = False
        self.polled_s = 0.0

    @property
    def finished(self) -> int:
        """The offset up to which everything is processed."""
        return self.working_at if self.active else self.next

    def appended(self, now_s: float) -> None:
        """There is more to read: a member that waits in poll gets it."""
        if self.member.parked:
            self.member.wake(now_s, self)

    def begin(self, now_s: float, *, committed_only: bool) -> Message | None:
        """The next record of what was polled, or None if nothing of it is left."""
        log = self.log
        while self.next < self.fetched:
            offset = self.next
            self.next = offset + 1
            record = log.at(offset, committed_only=committed_only)
            if record is not None:
                self.working_at = offset
                return self.place.start(offset, now_s, record)
        return None

    def back_to(self, offset: int) -> None:
        """Reads again from an offset."""
        self.next = offset
        self.fetched = max(self.fetched, offset) if self.in_batch else offset

    def describe(self) -> dict[str, Any]:
        """For facts and pictures."""
        return {"topic": self.log.topic, "partition": self.log.number, "position": self.next}
