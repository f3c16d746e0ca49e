"""The message plane: one actor with its own heap of instants that runs between SimPy's events, exactly.

A record is a tuple `(time_s, NORMAL, id, action, argument)`. Its first three members are those of an entry in SimPy's
own queue, and the id comes from SimPy's own counter. So records and events have one total order: earlier first; at one
instant SimPy's urgent events first (interrupts, the start of a process, a delivery to a waiting process, the end of the
run), then whatever was scheduled first, record or event. Nothing depends on the order of a dictionary or a set.

`PlaneEnvironment` is a SimPy environment whose `run` runs all records that come before SimPy's next event, and then
that event. It never passes an instant at which SimPy could act, because it looks at SimPy's queue before each record.

Who does nothing but take time, and is seen by nobody, need not have a record for each thing that it does: it may stay
`behind` the clock, and do all of it in one go when somebody looks. Everything is as if it had never been behind.

Follows SimPy 4.1 (`core.py`: `Environment.run`, `step`, `peek`, `schedule`; `rt.py` overrides `step` in the same way).
This is the only module that touches SimPy's private `_now`, `_queue` and `_eid`; `tests/kernel/test_plane.py` holds the
installed version to what is assumed here. Left out: priorities among records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush, heapreplace
from itertools import repeat
from typing import Any

import simpy
from simpy.core import EmptySchedule, Infinity
from simpy.events import NORMAL, URGENT, Event, EventPriority

from ..errors import EdasimError, StateError

__all__ = ["BETWEEN_CHORES", "NORMAL", "URGENT", "Action", "PlaneEnvironment", "Record"]

Action = Callable[[float, Any], "Record | None"]
"""What happens at an instant: called with the time in seconds and the record's argument.

It may return the record that takes its own place in the heap, which is cheaper than to schedule one. That record must
not be earlier than now."""

Record = tuple[float, int, int, Action, Any]

BETWEEN_CHORES = 16_384
"""So many records run, or SimPy's events between them, until the next chore (emptying the log's buffer)."""

CHORES_AT_AN_INSTANT = 128
"""After so many chores at one instant, about two million records, time is taken to stand still for good."""


class PlaneEnvironment(simpy.Environment):
    """An ordinary `simpy.Environment` that also runs the records of the message plane, in one order with its events.

    `prepare` is called when a run begins, `chore` every `BETWEEN_CHORES` records, SimPy's events
    between them included.
    """

    def __init__(self, initial_time: float = 0.0) -> None:
        super().__init__(initial_time)
        self.records: list[Record] = []
        self.ids: Iterator[int] = self._eid
        self.next_id: Callable[[], int] = self.ids.__next__
        self.prepare: Callable[[], None] = _nothing_to_do
        self.chore: Callable[[], None] = _nothing_to_do
        self.behind: dict[Callable[[], None], None] = {}
        """Who is behind the clock: each is called to catch up, and takes itself off this list."""
        self.unwatched = False
        """Whether anyone may fall behind: while a run is under way, and something else is still to happen."""
        self.running = False
        self._watches = 0
        self._until_chore = repeat(None, BETWEEN_CHORES)

    def at(self, time_s: float, action: Action, argument: Any = None) -> None:
        """Schedules `action(time_s, argument)` on the plane; a `StateError` for a time in the past."""
        if not time_s >= self._now:
            raise _not_now_or_later(time_s, self._now)
        heappush(self.records, (time_s, NORMAL, self.next_id(), action, argument))

    def watch(self, time_s: float, action: Action, argument: Any = None, *, priority: EventPriority = NORMAL) -> None:
        """As `at`, for a deadline that means nothing unless something else happens before it (a timeout, a chore).

        A run without an end does not go on for the sake of watches: it ends when nothing else is left. One of priority
        `URGENT` comes before everything else of its instant.
        """
        if not time_s >= self._now:
            raise _not_now_or_later(time_s, self._now)
        event = Event(self)
        event._ok, event._value = True, None

        def due(_event: Event) -> None:
            self._watches -= 1
            action(time_s, argument)

        event.callbacks = [due]
        self._watches += 1
        heappush(self._queue, (time_s, priority, self.next_id(), event))

    def wake(self, event: Event, value: Any) -> None:
        """Triggers a SimPy event so that who waits for it acts now, before anything else at this instant."""
        event._ok = True
        event._value = value
        self.schedule(event, URGENT)

    def catch_up(self) -> None:
        """All that are behind the clock do what they would have done before now."""
        for behind in tuple(self.behind):
            behind()

    def peek(self) -> float:
        """The time of the next event or record in seconds, or infinity."""
        self.catch_up()
        next_record_s = self.records[0][0] if self.records else Infinity
        return min(super().peek(), next_record_s)

    def run(self, until: float | Event | None = None) -> Any:
        """As SimPy's own `run`, up to but not including `until`; an `EdasimError` that ends it tells the time."""
        if self.running:
            raise StateError(
                "the simulation is running already",
                field="run",
                remedy="wait inside of it by yield, such as `yield env.timeout(1.0)`; run it from outside only",
                at_s=float(self._now),
            )
        self.running = self.unwatched = True
        try:
            self.prepare()
            return super().run(until)
        except EdasimError as error:
            error.happened_at(float(self._now))
            raise
        finally:
            self.unwatched = False
            self.catch_up()
            self.running = False

    def step(self) -> None:
        """Runs the next record or event; inside `run`, all records before SimPy's next event and then that event.

        Raises `simpy.core.EmptySchedule` when neither is left.
        """
        if self.running:
            if self.records:
                before_s, chores = self._now, 0
                while self._run_records(self._until_chore):
                    self._until_chore = repeat(None, BETWEEN_CHORES)
                    self.chore()
                    chores = chores + 1 if self._now == before_s else 0
                    before_s = self._now
                    if chores > CHORES_AT_AN_INSTANT:
                        raise _time_stands_still(before_s)
        elif self.records and not (self._queue and self._queue[0] < self.records[0]):
            self._run_records(repeat(None, 1))
            return None
        if len(self._queue) == self._watches and not self.records:
            if self.behind:
                self.unwatched = False
                return self.catch_up()
            if self._watches:
                raise EmptySchedule
        return _step_of_simpy(self)

    def _run_records(self, turns: Iterator[None]) -> bool:
        """Runs records until SimPy's next event comes first (False), none is left (False), or `turns` are over (True).

        The running record stays at the top of the heap: what its action schedules is later, or as early with a larger
        id. So the record that the action returns can replace it in one step; it must not be earlier, and nobody
        checks that. What an action pushes is checked. A record that fails is taken away, all later ones stay.
        """
        records, queue, now_s = self.records, self._queue, self._now
        record = None
        try:
            for _ in turns:
                record = records[0]
                now_s, _, _, action, argument = record
                if queue and queue[0][0] <= now_s and queue[0] < record:
                    return False
                self._now = now_s
                follower = action(now_s, argument)
                if follower is not None:
                    if heapreplace(records, follower) is not record:
                        raise _not_now_or_later(None, now_s)
                else:
                    if heappop(records) is not record:
                        raise _not_now_or_later(None, now_s)
                    if not records:
                        return False
        except BaseException:
            records[:] = (other for other in records if other is not record and other[0] >= now_s)
            heapify(records)
            raise
        return True


_step_of_simpy = simpy.Environment.step  # `super()` would look it up at every step


def _not_now_or_later(time_s: float | None, now_s: float) -> StateError:
    """The error for what is scheduled in the past; at `time_s`, if that is known."""
    when = "before now" if time_s is None else f"at {time_s} s"
    return StateError(
        f"something is to happen {when}, and it is {now_s} s",
        field="time_s",
        value=time_s,
        remedy="give times from now on; a time to wait must be a number of at least 0",
        at_s=float(now_s),
    )


def _time_stands_still(now_s: float) -> StateError:
    """The error for a run in which things happen over and over at one instant."""
    return StateError(
        f"time stands still: {CHORES_AT_AN_INSTANT * BETWEEN_CHORES:,} records ran at {now_s} s",
        field="now_s",
        value=float(now_s),
        remedy="let something take time: a service, a user's thinking, a pause before the next attempt",
        at_s=float(now_s),
    )


def _nothing_to_do() -> None:
    """The chore of a plane that has none."""
