"""The stretches of a member (see `brokers.stretch`): it polls, works, and polls again, and nobody looks.

A stretch begins between two polls, in a group whose polls have nothing to see to but to fetch, and ends at the latest
when the next one has: when it has to commit, or to join again. Meanwhile the inbox fills.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ...kernel.runlog import DONE, Brief, pack_row
from ..stretch import Pace, Stretch, Unwatched, pace_of

if TYPE_CHECKING:
    from ..base import Message, Taker
    from .claims import Claim
    from .member import Member


class MemberStretch(Stretch):
    """The stretches of a member with one taker.

    `polled_s` is when it last polled; that poll may have returned `room` records more than it has begun since.
    """

    __slots__ = ("member", "polled_s", "room")

    def __init__(self, member: Member, taker: Unwatched, pace: Pace) -> None:
        super().__init__(member.group.sim, taker, pace)
        self.member = member
        self.polled_s = 0.0
        self.room = 0

    @classmethod
    def of(cls, member: Member) -> MemberStretch | None:
        """The stretches of a member with these takers, if it may have any."""
        if len(member.takers) != 1:
            return None
        (taker,) = member.takers
        pace = pace_of(taker)
        return None if pace is None else cls(member, cast("Unwatched", taker), pace)

    @property
    def backlog(self) -> int:
        """How many records can be read."""
        return len(self.member.inbox)

    def begin(self, now_s: float) -> bool:
        """The member polls, and from now on nobody looks."""
        group = self.member.group
        if group.is_watched or not all(claim.plain and claim.next >= claim.fresh_from for claim in self.member.claims):
            return False
        self.polled_s = now_s
        self.room = group.max_poll_records
        return super().begin(now_s)

    def _count(self, now_s: float, brief: Brief) -> None:
        inbox, times_s, max_poll_records = self.member.inbox, self.pace.times_s, self.member.group.max_poll_records
        worked_s, polled_s, room = self.worked_s, self.polled_s, self.room
        add_wait, add_service, first = brief.waits_s.append, brief.services_s.append, inbox.popleft
        while inbox:
            claim = first()
            record: Message = claim.records[claim.next - claim.base]  # type: ignore[assignment]
            claim.next += 1
            came_s = record[3]
            if came_s > worked_s:
                worked_s = polled_s = came_s
                room = 0
            elif room and came_s <= polled_s:
                room -= 1
            else:
                polled_s = worked_s
                room = max_poll_records - 1
            ends_s = worked_s + next(times_s)
            if ends_s >= now_s:
                self.worked_s, self.polled_s, self.room = worked_s, polled_s, room
                return self._go_on(claim, record, ends_s)
            if came_s == record[2] and record[4] == 1:
                add_wait(worked_s - came_s)
                add_service(ends_s - worked_s)
            else:
                number, root, published_s, _, attempt, _ = record
                endpoint, append = self.pace.endpoint, self.sim.log.append
                append(pack_row(number, root, published_s, came_s, polled_s, worked_s, ends_s, endpoint, attempt, DONE))
            worked_s = ends_s
        self.polled_s = polled_s
        return self._wait()

    def _write(self, now_s: float) -> None:
        inbox, times_s, max_poll_records = self.member.inbox, self.pace.times_s, self.member.group.max_poll_records
        worked_s, polled_s, room = self.worked_s, self.polled_s, self.room
        append, endpoint, first = self.sim.log.append, self.pace.endpoint, inbox.popleft
        while inbox:
            claim = first()
            record: Message = claim.records[claim.next - claim.base]  # type: ignore[assignment]
            claim.next += 1
            number, root, published_s, came_s, attempt, _ = record
            if came_s > worked_s:
                worked_s = polled_s = came_s
                room = 0
            elif room and came_s <= polled_s:
                room -= 1
            else:
                polled_s = worked_s
                room = max_poll_records - 1
            ends_s = worked_s + next(times_s)
            if ends_s >= now_s:
                self.worked_s, self.polled_s, self.room = worked_s, polled_s, room
                return self._go_on(claim, record, ends_s)
            append(pack_row(number, root, published_s, came_s, polled_s, worked_s, ends_s, endpoint, attempt, DONE))
            worked_s = ends_s
        self.polled_s = polled_s
        return self._wait()

    def _wait(self) -> None:
        self.member.polled_s = self.polled_s
        self.member.free.append(self.taker)
        self.member.parked = True

    def _go_on(self, claim: Claim, record: Message, ends_s: float) -> None:
        member, group = self.member, self.member.group
        claim.active = True
        group.holding[self.taker] = claim
        member.left = self._left()
        member.polled_s = group.polled_s = self.polled_s
        delivered_s = self.worked_s if group.delivered_s is None else self.polled_s
        self.taker.go_on(record, delivered_s, self.worked_s, ends_s)

    def _left(self) -> int:
        """How many records of the inbox the last poll returned."""
        left, begun = 0, dict[int, int]()
        for claim in self.member.inbox:
            nth = begun[id(claim)] = begun.get(id(claim), -1) + 1
            record = claim.records[claim.next + nth - claim.base]
            if record is None or left == self.room or record[3] > self.polled_s:
                break
            left += 1
        return left


def rests(member: Member, taker: Taker, now_s: float) -> bool:
    """Between two polls: whether a taker gets nothing now, because a stretch begins or because it waits in poll."""
    if member.stretch is not None and member.stretch.begin(now_s):
        return True
    if member.inbox:
        return False
    member.free.append(taker)
    member.parked = True
    return True
