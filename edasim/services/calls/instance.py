"""Instances: the processes of a server, each with workers and a queue of its own. What can crash, restart and be slow.

An instance that is down refuses connections at once. One that is up takes a call if a worker is free or the queue has
room, and refuses it as overloaded otherwise; shedding refuses more (see `server`). Left out: connections that hang,
preemption.
"""

from __future__ import annotations

from collections import deque
from heapq import heappush
from typing import TYPE_CHECKING

from ... import checks
from ...governance.failures import Failure
from ...governance.shedding import ByPriority, CoDel, ControlledDelay
from ...kernel.plane import NORMAL, Record
from ...kernel.runlog import CRASHED, DONE, EXPIRED, FAILED, IN_FLIGHT, NEVER, QUEUED
from ...kernel.streams import numbers_of
from .attempts import Attempt, Request

if TYPE_CHECKING:
    from .server import Server


class Instance:
    """One process of a server. It is a node of the simulation: it can crash, restart and be slow."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.sim = server.sim
        self.name = name
        self.up = True
        self.slow_factor = 1.0
        self.down_until_s = 0.0
        """Faults do not bring it back before this instant; `restart` does."""
        self.queue: deque[Attempt] = deque()
        self.at_work: dict[Attempt, None] = {}
        self._records, self._ids = server.sim.env.records, server.sim.env.ids
        self._times, self._errors = numbers_of(server.draw), numbers_of(server.draw_error)
        self._takes_oldest = not (server.newest_first or server.sheds_late or server.drops_stale)
        shedding = server.shedding
        self.shedding = shedding if isinstance(shedding, ByPriority) else None
        self.codel = shedding.start() if isinstance(shedding, CoDel) else None
        self.delays = shedding.start(float(server.sim.env.now)) if isinstance(shedding, ControlledDelay) else None
        self.sim.nodes[name] = self

    @property
    def service(self) -> Server:
        """The server that it belongs to, as a node belongs to a service."""
        return self.server

    def receive(self, now_s: float, attempt: Attempt) -> Record | None:
        """A call arrives: it is begun, waits, or is refused. Returns the record that follows, if any."""
        if not self.up:
            return self.refuse(now_s, attempt, Failure.UNREACHABLE)
        if self.shedding is not None and not self.shedding.allow(attempt.callee.client.priority, self.used_ratio):
            return self.refuse(now_s, attempt, Failure.OVERLOADED)
        if len(self.at_work) < self.server.workers:
            if self.delays is not None:
                self.delays.overloaded(now_s, 0)
            return self._begin(now_s, attempt)
        if self.server.room is not None and len(self.queue) >= self.server.room:
            return self.refuse(now_s, attempt, Failure.OVERLOADED)
        self.queue.append(attempt)
        return None

    @property
    def used_ratio(self) -> float:
        """How much of its workers and its queue's room is in use."""
        places = self.server.workers + (self.server.room or 0)
        used: float = (len(self.at_work) + len(self.queue)) / places
        return used

    def answers_probe(self, deep: bool) -> bool:
        """Whether it answers a health check well; a deep one asks for each server behind it, too."""
        return self.up and not (deep and not all(client.server.answers for client in self.server.calls))

    def _begin(self, now_s: float, attempt: Attempt) -> Record:
        """A worker takes it; the record of the end of the work."""
        attempt.started_s = now_s
        self.at_work[attempt] = None
        return (now_s + next(self._times) * self.slow_factor, NORMAL, next(self._ids), self._worked, attempt)

    def _worked(self, now_s: float, attempt: Attempt) -> Record | None:
        if attempt not in self.at_work:
            return None
        server = self.server
        ok = server.error_ratio == 0.0 or next(self._errors) >= server.error_ratio
        if ok and server.calls and (server.calls_ratio == 1.0 or server.draw_calls() < server.calls_ratio):
            self._ask(now_s, attempt, 0)
            return None
        return self._end(now_s, attempt, ok)

    def _end(self, now_s: float, attempt: Attempt, ok: bool) -> Record | None:
        """The worker is free for the next call, and the answer goes back."""
        del self.at_work[attempt]
        following = self._take_next(now_s) if self.queue else None
        if not attempt.waited_for:
            attempt.callee.add(now_s, attempt, EXPIRED)
            return following
        attempt.callee.add(now_s, attempt, DONE if ok else FAILED)
        record = attempt.callee.client.reply(now_s, attempt, None if ok else Failure.ERROR)
        if following is None:
            return record
        if record is not None:
            heappush(self._records, record)
        return following

    def _take_next(self, now_s: float) -> Record | None:
        """Begins the next of those that wait; stale ones are passed over if the server drops them."""
        server, queue = self.server, self.queue
        if self._takes_oldest:
            return self._begin(now_s, queue.popleft())
        while queue:
            waiting = queue.pop() if server.newest_first or self._prefers_newest(now_s) else queue.popleft()
            if server.sheds_late and self._too_late(now_s, waiting):
                heappush(self._records, (now_s, NORMAL, next(self._ids), self._shed, waiting))
            elif server.drops_stale and not (waiting.waited_for and now_s < waiting.request.deadline_s):
                waiting.callee.add(now_s, waiting, EXPIRED)
            else:
                return self._begin(now_s, waiting)
        return None

    def _prefers_newest(self, now_s: float) -> bool:
        return self.delays is not None and self.delays.takes_newest(now_s, len(self.queue))

    def _too_late(self, now_s: float, waiting: Attempt) -> bool:
        """Whether a call that is next waited so long that it is shed."""
        waited_s, behind = now_s - waiting.sent_s, len(self.queue)
        if self.codel is not None:
            return self.codel.drop(now_s, waited_s, behind)
        return self.delays is not None and waited_s > self.delays.longest_wait_s(now_s, behind + 1)

    def _shed(self, now_s: float, waiting: Attempt) -> Record | None:
        """Tells the caller, at the same instant, but after a worker has taken the next call."""
        return self.refuse(now_s, waiting, Failure.OVERLOADED)

    def _ask(self, now_s: float, attempt: Attempt, place: int) -> None:
        """The worker calls the next server, and waits; after the last it answers."""
        number, request = self.server.next_number(), attempt.request
        message = (number, request.message[1], now_s, now_s, 1, None)

        def settled(at_s: float, asked: Request) -> None:
            if attempt not in self.at_work:
                return
            if asked.ok and place + 1 < len(self.server.calls):
                self._ask(at_s, attempt, place + 1)
            elif (following := self._end(at_s, attempt, bool(asked.ok))) is not None:
                heappush(self._records, following)

        self.server.calls[place].begin(now_s, message, settled, request.deadline_s)

    def refuse(self, now_s: float, attempt: Attempt, why: Failure) -> Record | None:
        """Answers at once that it cannot."""
        attempt.callee.add(now_s, attempt, FAILED)
        return attempt.callee.client.reply(now_s, attempt, why)

    def crash(self) -> None:
        """Fails now: whoever waits for an answer learns that the connection is gone. An instance that is down stays."""
        if not self.up:
            return
        now_s = float(self.sim.env.now)
        self.up = False
        lost = [*self.at_work, *self.queue]
        self.sim.log.fact(now_s, "node_crashed", self.name, service=self.server.name, in_work=len(self.at_work))
        for attempt in lost:
            attempt.callee.add(now_s, attempt, CRASHED)
        self.at_work.clear()
        self.queue.clear()
        for attempt in lost:
            record = attempt.callee.client.reply(now_s, attempt, Failure.UNREACHABLE)
            if record is not None:
                heappush(self._records, record)

    def restart(self) -> None:
        """Comes back now, with nothing to do. An instance that is up goes on as it is."""
        if self.up:
            return
        self.up = True
        self.sim.log.fact(float(self.sim.env.now), "node_restarted", self.name, service=self.server.name)

    def slow(self, factor: float) -> None:
        """What is begun from now on takes `factor` (above 0) times as long; 1 is the normal speed."""
        self.slow_factor = checks.check_positive("factor", factor)
        self.sim.log.fact(float(self.sim.env.now), "node_slowed", self.name, factor=self.slow_factor)

    def open_rows(self, now_s: float) -> list[bytes]:
        """The rows of what is at work or waits when the run ends."""
        at_work = [attempt.callee.row(NEVER, attempt, IN_FLIGHT) for attempt in self.at_work]
        return at_work + [attempt.callee.row(NEVER, attempt, QUEUED) for attempt in self.queue]
