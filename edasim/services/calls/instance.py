"""Instances: the processes of a server, each with workers and a queue of its own. What can crash, restart and be slow.

An instance that is down refuses connections at once. One that is up takes a call if a worker is free or the queue has
room, and refuses it as overloaded otherwise; shedding refuses more (see `server`). Left out: connections that hang,
preemption.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
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


Receive = Callable[[float, Attempt], "Record | None"]
Begin = Callable[[float, Attempt], Record]
End = Callable[[float, Attempt, bool], "Record | None"]

ERROR, OVERLOADED, UNREACHABLE = Failure.ERROR, Failure.OVERLOADED, Failure.UNREACHABLE


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
        self.times = numbers_of(server.draw)
        self._records = server.sim.env.records
        shedding = server.shedding
        self.shedding = shedding if isinstance(shedding, ByPriority) else None
        self.codel = shedding.start() if isinstance(shedding, CoDel) else None
        self.delays = shedding.start(float(server.sim.env.now)) if isinstance(shedding, ControlledDelay) else None
        self.sheds_early = self.shedding is not None or self.delays is not None
        self.receive, self.begin = self._receiving()
        self.worked, self.end = self._working()
        self.sim.nodes[name] = self

    @property
    def service(self) -> Server:
        """The server that it belongs to, as a node belongs to a service."""
        return self.server

    @property
    def used_ratio(self) -> float:
        """How much of its workers and its queue's room is in use."""
        places = self.server.workers + (self.server.room or 0)
        used: float = (len(self.at_work) + len(self.queue)) / places
        return used

    def answers_probe(self, deep: bool) -> bool:
        """Whether it answers a health check well; a deep one asks for each server behind it, too."""
        return self.up and not (deep and not all(client.server.answers for client in self.server.calls))

    def _receiving(self) -> tuple[Receive, Begin]:
        """How a call is received (begun, left waiting, or refused), and how a worker begins it; the hot path."""
        instance, server, ids, times = self, self.server, self.sim.env.ids, self.times
        at_work, queue = self.at_work, self.queue

        def begin(now_s: float, attempt: Attempt) -> Record:
            attempt.started_s = now_s
            at_work[attempt] = None
            attempt.ends_s = ends_s = now_s + next(times) * instance.slow_factor
            return (ends_s, NORMAL, next(ids), attempt.callee.worked, attempt)

        def receive(now_s: float, attempt: Attempt) -> Record | None:
            if not instance.up:
                return instance.refuse(now_s, attempt, UNREACHABLE)
            if instance.sheds_early and instance.sheds(now_s, attempt):
                return instance.refuse(now_s, attempt, OVERLOADED)
            if len(at_work) < server.workers:  # as in `begin`, without a call
                attempt.started_s = now_s
                at_work[attempt] = None
                attempt.ends_s = ends_s = now_s + next(times) * instance.slow_factor
                return (ends_s, NORMAL, next(ids), attempt.callee.worked, attempt)
            if server.room is not None and len(queue) >= server.room:
                return instance.refuse(now_s, attempt, OVERLOADED)
            queue.append(attempt)
            return None

        return receive, begin

    def _working(self) -> tuple[Receive, End]:
        """What a worker does when its time is over, and how it ends the work and begins the next; the hot path."""
        instance, server, begin, errors = self, self.server, self.begin, numbers_of(self.server.draw_error)
        at_work, queue, records = self.at_work, self.queue, self._records
        takes_oldest = not (server.newest_first or server.sheds_late or server.drops_stale)

        def worked(now_s: float, attempt: Attempt) -> Record | None:
            if attempt not in at_work:
                return None
            ok = server.errors_share == 0.0 or next(errors) >= server.errors_share
            if ok and server.calls and (server.calls_ratio == 1.0 or server.draw_calls() < server.calls_ratio):
                instance.ask(now_s, attempt, 0)
                return None
            return end(now_s, attempt, ok)

        def end(now_s: float, attempt: Attempt, ok: bool) -> Record | None:
            del at_work[attempt]
            following = None
            if queue:
                following = begin(now_s, queue.popleft()) if takes_oldest else instance.take_next(now_s)
            callee = attempt.callee
            if not attempt.waited_for:
                callee.add(now_s, attempt, EXPIRED)
                return following
            callee.add(now_s, attempt, DONE if ok else FAILED)
            follower = callee.reply(now_s, attempt, None if ok else ERROR)
            if following is None:
                return follower
            if follower is not None:
                heappush(records, follower)
            return following

        return worked, end

    def sheds(self, now_s: float, attempt: Attempt) -> bool:
        """Whether a call is turned away on arrival; a controlled delay hears of an empty queue."""
        if self.shedding is not None:
            return not self.shedding.allow(attempt.callee.client.priority, self.used_ratio)
        if self.delays is not None and len(self.at_work) < self.server.workers:
            self.delays.overloaded(now_s, 0)
        return False

    def take_next(self, now_s: float) -> Record | None:
        """Begins the next of those that wait; stale ones are passed over if the server drops them."""
        server, queue = self.server, self.queue
        while queue:
            waiting = queue.pop() if server.newest_first or self._prefers_newest(now_s) else queue.popleft()
            if server.sheds_late and self._too_late(now_s, waiting):
                heappush(self._records, (now_s, NORMAL, self.sim.env.next_id(), self._shed, waiting))
            elif server.drops_stale and not (waiting.waited_for and now_s < waiting.request.deadline_s):
                waiting.callee.add(now_s, waiting, EXPIRED)
            else:
                return self.begin(now_s, waiting)
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
        return self.refuse(now_s, waiting, OVERLOADED)

    def ask(self, now_s: float, attempt: Attempt, place: int) -> None:
        """The worker calls the next server, and waits; after the last it answers."""
        number, request = self.server.next_number(), attempt.request
        message = (number, request.message[1], now_s, now_s, 1, None)

        def settled(at_s: float, asked: Request) -> None:
            if attempt not in self.at_work:
                return
            if asked.ok and place + 1 < len(self.server.calls):
                self.ask(at_s, attempt, place + 1)
            elif (following := self.end(at_s, attempt, bool(asked.ok))) is not None:
                heappush(self._records, following)

        behind = self.server.calls[place]
        key = attempt.callee.client.key_of(request) if behind.needs_key else None
        behind.begin(now_s, message, settled, request.deadline_s, key)

    def refuse(self, now_s: float, attempt: Attempt, why: Failure) -> Record | None:
        """Answers at once that it cannot."""
        attempt.callee.add(now_s, attempt, FAILED)
        return attempt.callee.reply(now_s, attempt, why)

    def crash(self) -> None:
        """Fails now: whoever waits for an answer learns that the connection is gone. An instance that is down stays."""
        if not self.up:
            return
        now_s = float(self.sim.env.now)
        self.up = False
        lost = [*self.at_work, *self.queue]
        self.sim.log.fact(now_s, "node_crashed", self.name, service=self.server.name, in_work=len(self.at_work))
        for attempt in lost:
            attempt.ends_s = NEVER
            attempt.callee.add(now_s, attempt, CRASHED)
        self.at_work.clear()
        self.queue.clear()
        for attempt in lost:
            record = attempt.callee.reply(now_s, attempt, UNREACHABLE)
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
