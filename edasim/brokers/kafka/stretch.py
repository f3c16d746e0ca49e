"""A stretch: what a member works through while nobody looks, done in one go when somebody does.

A member with one taker, and a taker that only takes its time, need no record on the plane for each delivery. What they
do follows from the records that came and from the service times that are drawn for this taker alone: it starts a record
when the last one is done, or when it comes. So between two polls a stretch may begin, if the next thing that a poll has
to see to lies ahead. Meanwhile the inbox fills. Whoever wants to see the member, to act on it, or to read the log calls
`catch_up` first, and that ends the stretch: rows are written, and taker, claims and group are left as they would be.

Every draw, time and order is that of a member which is looked at all the time (`tests/brokers/kafka/test_stretch.py`
holds them to each other). This rests on service times of which no two are the same: nothing ends just when it is
looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ...kernel.runlog import DONE, pack_row

if TYPE_CHECKING:
    from ..base import Message, Pace, Taker, Unwatched
    from .claims import Claim
    from .member import Member

ROOM_FOR_ROWS = 1_000_000
"""A log that is nearly full keeps exactly the rows that ended first, so there nobody writes rows late."""


class Stretch:
    """One member's stretches, one after another; `taker` is the only one that it has."""

    __slots__ = ("lasts", "member", "pace", "polled_s", "room", "taker", "worked_s")

    def __init__(self, member: Member, taker: Unwatched, pace: Pace) -> None:
        self.member = member
        self.taker = taker
        self.pace = pace
        self.lasts = False
        self.polled_s = self.worked_s = 0.0
        self.room = 0
        """How many records more the last poll may have returned."""

    @classmethod
    def of(cls, member: Member) -> Stretch | None:
        """The stretches of a member with these takers, if it may have any."""
        if len(member.takers) != 1:
            return None
        (taker,) = member.takers
        pace = getattr(taker, "pace", None)
        return None if pace is None else cls(member, cast("Unwatched", taker), pace)

    def begin(self, now_s: float) -> bool:
        """The member polls, and from now on nobody looks; False if that cannot be, and nothing has happened."""
        member, pace = self.member, self.taker.pace
        group = member.group
        if pace is None or group.is_watched or not group.sim.env.running:
            return False
        log = group.sim.log
        if pace.brief is None and log.kept_rows > log.max_rows - ROOM_FOR_ROWS:
            return False
        for claim in member.claims:
            if not claim.plain or claim.next < claim.fresh_from:
                return False
        self.pace = pace
        self.polled_s = self.worked_s = now_s
        self.room = group.max_poll_records
        self.lasts = True
        self.taker.behind = self.end
        group.sim.env.behind[self.end] = None
        return True

    def end(self) -> None:
        """Catches up with the clock: the member is where it would be now."""
        member, taker = self.member, self.taker
        group = member.group
        self.lasts = False
        taker.behind = None
        del group.sim.env.behind[self.end]
        work = self._counted if self.pace.brief is not None else self._written
        in_work = work(float(group.sim.env.now))
        member.polled_s = self.polled_s
        if in_work is None:
            member.free.append(taker)
            member.parked = True
            return
        claim, record, ends_s = in_work
        claim.active = True
        group.holding[taker] = claim
        member.left = self._left()
        group.polled_s = self.polled_s
        taker.go_on(record, self.worked_s if group.delivered_s is None else self.polled_s, self.worked_s, ends_s)

    def _counted(self, now_s: float) -> tuple[Claim, Message, float] | None:
        """Works through all that is done before now, for a log that only counts; the record in work, and its end."""
        assert self.pace.brief is not None
        inbox, times_s, max_poll_records = self.member.inbox, self.pace.times_s, self.member.group.max_poll_records
        worked_s, polled_s, room = self.worked_s, self.polled_s, self.room
        add_wait, add_service = self.pace.brief.waits_s.append, self.pace.brief.services_s.append
        first, in_work = inbox.popleft, None
        while inbox:
            claim = inbox[0]
            record: Message = claim.records[claim.next - claim.base]  # type: ignore[assignment]
            came_s = record[3]
            if came_s > worked_s:
                worked_s = polled_s = came_s
                room = 0
            elif room and came_s <= polled_s:
                room -= 1
            else:
                polled_s = worked_s
                room = max_poll_records - 1
            first()
            claim.next += 1
            ends_s = worked_s + next(times_s)
            if ends_s >= now_s:
                in_work = claim, record, ends_s
                break
            if came_s == record[2] and record[4] == 1:
                add_wait(worked_s - came_s)
                add_service(ends_s - worked_s)
            else:
                number, root, published_s, _, attempt, _ = record
                row = pack_row(
                    number, root, published_s, came_s, worked_s, worked_s, ends_s, self.pace.endpoint, attempt, DONE
                )
                self.member.group.sim.log.append(row)
            worked_s = ends_s
        self.worked_s, self.polled_s, self.room = worked_s, polled_s, room
        return in_work

    def _written(self, now_s: float) -> tuple[Claim, Message, float] | None:
        """As `_counted`, for a log with rows."""
        inbox, times_s, max_poll_records = self.member.inbox, self.pace.times_s, self.member.group.max_poll_records
        worked_s, polled_s, room = self.worked_s, self.polled_s, self.room
        log, endpoint = self.member.group.sim.log, self.pace.endpoint
        append, first, in_work = log.append, inbox.popleft, None
        while inbox:
            claim = inbox[0]
            record: Message = claim.records[claim.next - claim.base]  # type: ignore[assignment]
            number, root, published_s, came_s, attempt, _ = record
            if came_s > worked_s:
                worked_s = polled_s = came_s
                room = 0
            elif room and came_s <= polled_s:
                room -= 1
            else:
                polled_s = worked_s
                room = max_poll_records - 1
            first()
            claim.next += 1
            ends_s = worked_s + next(times_s)
            if ends_s >= now_s:
                in_work = claim, record, ends_s
                break
            append(pack_row(number, root, published_s, came_s, polled_s, worked_s, ends_s, endpoint, attempt, DONE))
            worked_s = ends_s
        log.disordered = True
        self.worked_s, self.polled_s, self.room = worked_s, polled_s, room
        return in_work

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
