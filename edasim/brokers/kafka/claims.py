"""A group's place in a partition, and the claim that the member has on it who reads it at present.

A place belongs to the group and outlives its members: the committed offset (the next one to read, KAF-19), and how
far records were ever started, by which the run log counts attempts. Kafka itself counts none. A claim belongs to one
member in one generation: what it has polled, what it works on, and whether the group still grants it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..base import Message
from .log import PartitionLog

if TYPE_CHECKING:
    from .member import Member


class Place:
    """Where a group is in one partition."""

    __slots__ = ("again", "claim", "committed", "log", "lost_s", "settled", "started")

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
    """What one member reads of one partition, from `next` on; while it is `active`, the record before that is in work.

    `waiting` records were polled and wait until the one in work is done. From `fresh_from` on nobody has ever started
    a record. `plain` claims need nothing but the next record; the others take the longer way.
    """

    __slots__ = (
        *(
            "active",
            "base",
            "committed_only",
            "fresh_from",
            "granted",
            "log",
            "member",
            "next",
            "place",
            "plain",
            "records",
            "revoked",
        ),
        "waiting",
    )

    def __init__(self, place: Place, member: Member, position: int, *, plain: bool) -> None:
        self.place = place
        self.log = place.log
        self.records = place.log.records
        self.base = place.log.base
        self.member = member
        self.committed_only = member.group.committed_only
        self.next = position
        self.fresh_from = place.started
        self.waiting = 0
        self.active = False
        self.granted = True
        self.revoked = False
        self.plain = plain

    @property
    def finished(self) -> int:
        """The offset up to which everything is processed."""
        return self.next - 1 if self.active else self.next

    def more(self, now_s: float, records: int) -> None:
        """So many more records can be read: a member that waits in poll gets them."""
        self.member.there_is_more(now_s, self, records)

    def log_begins_at(self, offset: int) -> None:
        """Records before an offset were deleted; who has not read them yet is out of range."""
        self.base = offset
        if self.next < offset:
            self.plain = False

    def note_started(self) -> None:
        """Tells the place how far records were started."""
        self.member.catch_up()
        self.place.started = max(self.place.started, self.next)

    def begin(self, now_s: float, *, committed_only: bool) -> Message | None:
        """The next record that can be read, or None."""
        log = self.log
        end = log.visible(committed_only=committed_only)
        while self.next < end:
            offset = self.next
            self.next = offset + 1
            record = log.at(offset, committed_only=committed_only)
            if record is not None:
                started = self.place.start(offset, now_s, record)
                self._tell_owner(offset)
                return started
        return None

    def _tell_owner(self, offset: int) -> None:
        """Who was put out of the group may start records that their present owner has still before it."""
        owner = self.place.claim
        if owner is not None and owner is not self:
            owner.member.catch_up()
            owner.fresh_from = max(owner.fresh_from, offset + 1)
