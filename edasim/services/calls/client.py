"""Clients: what asks a server, under protections, until there is an answer or no hope of one.

The order of things in an attempt: rate limiter, circuit breaker, concurrency limit, balancing, then the call itself. A
limiter that can make wait does so, and a bulkhead has its line. A refusal by one of the client's own protections is a
failed attempt like any other, and `Retry.retry_on` says whether it is tried again. The circuit breaker hears of
answers, errors and timeouts, not of the client's own refusals (GV-12); a retry budget neither of these nor of what
cannot be retried (A6).

What happens to an attempt may lead to one more record of the plane (an end of work, a retry). It is returned, up to the
record that runs, whose place in the heap it can take. Left out: the cost of connections; a network between client and
server.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappush
from typing import Any

from ... import checks
from ...brokers.base import Message
from ...events import Event, uri_reference
from ...governance.breaker import State
from ...governance.concurrency import Bulkhead
from ...governance.failures import Failure
from ...governance.limiter import LeakyQueue, Permits
from ...governance.retry import RETRYABLE
from ...kernel.plane import NORMAL, Record
from ...kernel.runlog import DONE, EXPIRED, FAILED, IN_FLIGHT, NEVER
from ...kernel.streams import numbers_of
from .attempts import Attempt, Request, Settle
from .copies import Copies
from .discovery import Directory
from .fallbacks import Fallbacks
from .line import Line
from .protections import UNPROTECTED, Protections
from .rows import Callee, Refusals, Requests
from .server import Server

NOT_PERMITTED, TIMEOUT, UNREACHABLE = Failure.NOT_PERMITTED, Failure.TIMEOUT, Failure.UNREACHABLE


@dataclass(frozen=True)
class Answer:
    """How a request ended: `ok`, after so many attempts and seconds, whether the answer is a degraded one, how good."""

    ok: bool
    attempts: int
    took_s: float
    degraded: bool = False
    quality_ratio: float = 1.0


class Client:
    """Asks `of`, a server, under `protections`; each request that is published to it becomes attempts.

    `Source(to=client)` asks by a load. In a SimPy process or a generator handler, `answer = yield client.call()`.
    """

    def __init__(self, name: str, *, of: Server, protections: Protections = UNPROTECTED, priority: int = 0) -> None:
        self.name = checks.check_text("Client.name", name)
        self.server = checks.check_kind(Server, "a Server")("Client.of", of)
        self.protections = checks.check_kind(Protections, "Protections(…)")("Client.protections", protections)
        self.priority = checks.check_whole(0)("Client.priority", priority)
        self.sim = sim = of.sim
        self._records, self._ids = sim.env.records, sim.env.ids
        self._number = sim.log.publisher(name, self._event)
        self._settled: list[Callable[[float, Message], None]] = []
        self._open: dict[Request, None] = {}
        self._draws = numbers_of(sim.streams.uniform(f"client/{name}/retry"))
        self._keep_rows()
        self._protect(float(sim.env.now))
        self._again = self.attempt
        self.route: Callable[[float, Message], None] = self.begin
        sim.on_end(self._open_rows)

    def _keep_rows(self) -> None:
        """Whose rows there are: the instances', the protections' that refuse, the requests'."""
        log, server = self.sim.log, self.server
        lane, requests = log.lane("calls", server.name, self.name), log.lane("calls", self.name, "requests")
        log.add_slots(lane, server.name, server.workers * len(server.instances))
        self._callees = {name: Callee(self, instance, lane) for name, instance in server.instances.items()}
        self._only = next(iter(self._callees.values()))
        self._limited, self._broken = Refusals(log, lane, "rate limiter"), Refusals(log, lane, "circuit breaker")
        self.full, self._nobody = Refusals(log, lane, "concurrency limit"), Refusals(log, lane, "no endpoint")
        self._answered, self._given_up = Requests(log, requests, "answered"), Requests(log, requests, "given up")
        self.degraded, self._unsettled = Requests(log, requests, "degraded"), Requests(log, requests, "")

    def _protect(self, now_s: float) -> None:
        """Starts the protections that there are; the others are None."""
        protects = self.protections
        self._deadline_s = math.inf if protects.deadline_s is None else protects.deadline_s
        self._timeout_s = math.inf if protects.timeout_s is None else protects.timeout_s
        self._retry = protects.retry
        self.limiter = None if protects.limiter is None else protects.limiter.start(now_s)
        self._wait_s = self.limiter.wait_s if isinstance(self.limiter, LeakyQueue | Permits) else None
        self.breaker = None if protects.breaker is None else protects.breaker.start(now_s, self._tell)
        self.concurrency = None if protects.concurrency is None else protects.concurrency.start(now_s)
        self.budget = None if protects.budget is None else protects.budget.start()
        self._counts = RETRYABLE
        if protects.retry is not None:
            self._counts = protects.retry.retry_on
        elif protects.hedge is not None:
            self._counts = protects.hedge.non_fatal
        self.copies = None if protects.hedge is None else Copies(self, protects.hedge)
        self.fallbacks = None if protects.degradation is None else Fallbacks(self, protects.degradation)
        self.answers = None if self.fallbacks is None else self.fallbacks.answers
        self.line = self.balancer = self.directory = None
        if isinstance(protects.concurrency, Bulkhead) and protects.concurrency.longest_wait_s > 0.0:
            self.line = Line(self, protects.concurrency.longest_wait_s)
        if len(self.server.instances) > 1 or protects.discovery is not None:
            self.balancer = protects.balancing.start(
                list(self.server.instances), self.sim.streams.uniform(f"client/{self.name}/balancing")
            )
        if protects.discovery is not None:
            self.directory = Directory(self, protects.discovery)

    def on_settled(self, told: Callable[[float, Message], None]) -> None:
        """Calls `told(now_s, message)` when a request that was published to the client is answered or given up."""
        self._settled.append(told)
        self.route = self._route

    def _route(self, now_s: float, message: Message) -> None:
        """A request is published to the client, and somebody is to be told of its end."""
        self.begin(now_s, message, self._tell_settled)

    def _tell_settled(self, now_s: float, request: Request) -> None:
        for told in self._settled:
            told(now_s, request.message)

    def call(self) -> Any:
        """Asks now; a SimPy event that comes with the `Answer`."""
        event, now_s = self.sim.env.event(), float(self.sim.env.now)
        number = self._number()

        def settled(at_s: float, request: Request) -> None:
            quality = 0.0 if not request.ok else 1.0 if request.fallback is None else request.fallback.quality_ratio
            answer = Answer(
                bool(request.ok), request.attempts, at_s - request.asked_s, request.fallback is not None, quality
            )
            self.sim.env.wake(event, answer)

        self.begin(now_s, (number, number, now_s, now_s, 1, None), settled)
        return event

    def begin(self, now_s: float, message: Message, settle: Settle | None = None, until_s: float = math.inf) -> None:
        """A request begins; `settle` hears of its end. `until_s` is the deadline that a caller hands on."""
        request = Request(message, now_s, now_s + self._deadline_s, settle)
        self._open[request] = None
        if until_s < request.deadline_s:
            request.deadline_s = until_s
            if until_s <= now_s:  # handed on too late: nothing begins any more
                self.settle(now_s, request, self._given_up, FAILED)
                return
        if self.budget is not None:
            self.budget.request(now_s)
        record = self.attempt(now_s, request)
        if record is not None:
            heappush(self._records, record)

    def attempt(self, now_s: float, request: Request) -> Record | None:
        """The next attempt of a request begins: the limiter lets it pass, refuses, or makes it wait."""
        nth = request.attempts = request.attempts + 1
        if self._wait_s is not None:
            wait_s = self._wait_s(now_s)
            if wait_s is None or now_s + wait_s >= request.deadline_s:
                return self.refused(now_s, request, nth, self._limited)
            if wait_s > 0.0:
                request.on_its_way += 1
                return (now_s + wait_s, NORMAL, next(self._ids), self._paced, (request, nth))
        elif self.limiter is not None and not self.limiter.allow(now_s):
            return self.refused(now_s, request, nth, self._limited)
        return self._admitted(now_s, request, nth)

    def _paced(self, now_s: float, waiting: tuple[Request, int]) -> Record | None:
        """The limiter's wait is over."""
        request, nth = waiting
        request.on_its_way -= 1
        if request.ok is None:
            return self._admitted(now_s, request, nth)
        self.unsent(now_s, request, nth, self._limited, EXPIRED)
        return None

    def _admitted(self, now_s: float, request: Request, nth: int) -> Record | None:
        """Asks the other protections in their order, and sends."""
        if self.directory is not None and self.balancer is not None and not self.balancer.eligible:
            return self.refused(now_s, request, nth, self._nobody, UNREACHABLE)
        breaker = self.breaker
        if breaker is not None and not breaker.allow(now_s):
            return self.refused(now_s, request, nth, self._broken)
        if self.concurrency is not None and not self.concurrency.allow(now_s):
            if self.line is not None:
                self.line.join(now_s, request, nth)
                return None
            if breaker is not None:
                breaker.release(now_s)
            return self.refused(now_s, request, nth, self.full)
        return self.send(now_s, request, nth)

    def send(self, now_s: float, request: Request, nth: int) -> Record | None:
        """An attempt that all protections let pass goes to the instance that balancing picks."""
        callee = self._only if self.balancer is None else self._picked(request)
        if callee is None:
            return self._unsendable(now_s, request, nth)
        attempt = Attempt(callee, request, nth, now_s)
        request.on_its_way += 1
        if self.copies is not None:
            self.copies.sent(now_s, request, attempt)
        if self._timeout_s < math.inf or request.deadline_s < math.inf:
            gives_up_s = min(now_s + self._timeout_s, request.deadline_s)
            heappush(self._records, (gives_up_s, NORMAL, next(self._ids), self._timed_out, attempt))
        return callee.instance.receive(now_s, attempt)

    def _picked(self, request: Request) -> Callee | None:
        """The instance that balancing picks, with one call more under way; None if there is nobody."""
        assert self.balancer is not None
        name = self.balancer.pick(None)
        if name is None:
            return None
        self.balancer.begin(name)
        return self._callees[name]

    def _unsendable(self, now_s: float, request: Request, nth: int) -> Record | None:
        """Nobody is left of those who were there when the attempt joined the line: its permissions go back."""
        if self.concurrency is not None:
            self.concurrency.done(now_s, False, 0.0)
        if self.breaker is not None:
            self.breaker.release(now_s)
        return self.refused(now_s, request, nth, self._nobody, UNREACHABLE)

    def _timed_out(self, now_s: float, attempt: Attempt) -> Record | None:
        return self.reply(now_s, attempt, TIMEOUT) if attempt.waited_for else None

    def reply(self, now_s: float, attempt: Attempt, failure: Failure | None) -> Record | None:
        """An attempt ended, well (None) or with a failure; one that nobody waits for any more changes nothing."""
        if not attempt.waited_for:
            return None
        attempt.waited_for = False
        request, ok, duration_s = attempt.request, failure is None, now_s - attempt.sent_s
        request.on_its_way -= 1
        if self.balancer is not None:
            self.balancer.end(attempt.callee.name)
        if self.concurrency is not None:
            self.concurrency.done(now_s, ok, duration_s)
        if self.breaker is not None:
            self.breaker.record(now_s, ok, duration_s)
        if self.directory is not None:
            self.directory.record(attempt.callee.name, now_s, failure)
        if self.budget is not None:
            if failure is None or failure in self._counts:
                self.budget.done(now_s, ok, attempt.nth > 1)
            else:
                self.budget.release(now_s, attempt.nth > 1)
        record = None
        if request.ok is None:
            if failure is None:
                self.settle(now_s, request, self._answered, DONE)
            else:
                record = self._failed(now_s, request, failure)
        if self.line is not None:
            self.line.move(now_s)
        return record

    def refused(
        self, now_s: float, request: Request, nth: int, by: Refusals, why: Failure = NOT_PERMITTED
    ) -> Record | None:
        """One of the client's own protections said no: nothing is sent."""
        self.unsent(now_s, request, nth, by, FAILED)
        return self._failed(now_s, request, why) if request.ok is None else None

    def unsent(self, now_s: float, request: Request, nth: int, by: Refusals, outcome: int) -> None:
        """The row of an attempt that never left, which costs the budget nothing."""
        by.add(now_s, request, nth, outcome)
        if self.budget is not None:
            self.budget.release(now_s, nth > 1)

    def forget(self, now_s: float, attempt: Attempt) -> None:
        """A copy is cancelled: it is no longer under way, and says nothing about its callee."""
        attempt.waited_for = False
        attempt.request.on_its_way -= 1
        if self.balancer is not None:
            self.balancer.end(attempt.callee.name)
        if self.concurrency is not None:
            self.concurrency.done(now_s, True, now_s - attempt.sent_s)
        if self.breaker is not None:
            self.breaker.release(now_s)
        if self.budget is not None:
            self.budget.release(now_s, attempt.nth > 1)

    def _failed(self, now_s: float, request: Request, failure: Failure) -> Record | None:
        """Tries again later, or gives up."""
        if self.copies is not None:
            return self.copies.failed(now_s, request, failure)
        if request.on_its_way:
            return None
        if self._retry is not None:
            left_s = request.deadline_s - now_s
            wait_s = self._retry.wait_s(request.attempts, failure, next(self._draws), request.waited_s, left_s)
            if wait_s is not None and (self.budget is None or self.budget.allow(now_s)):
                request.waited_s = wait_s
                return (now_s + wait_s, NORMAL, next(self._ids), self._again, request)
        self.give_up(now_s, request, failure)
        return None

    def give_up(self, now_s: float, request: Request, failure: Failure) -> None:
        """A request failed for good: a fallback answers, or nobody."""
        if self.fallbacks is None or not self.fallbacks.take_over(now_s, request, failure):
            self.settle(now_s, request, self._given_up, FAILED)

    def settle(self, now_s: float, request: Request, rows: Requests, outcome: int) -> None:
        """A request ends, in the way that `rows` collects."""
        request.ok = outcome == DONE
        del self._open[request]
        if self.copies is not None:
            self.copies.cancel(now_s, request)
        if self.fallbacks is not None and rows is self._answered:
            self.fallbacks.answered(now_s)
        rows.add(now_s, request, outcome)
        if request.settle is not None:
            request.settle(now_s, request)

    def _tell(self, at_s: float, before: State, after: State) -> None:
        """A change of the breaker is a fact of the log."""
        self.sim.log.fact(at_s, "circuit_breaker", self.name, before=before.value, after=after.value)

    def _event(self, running: int, _published_s: float) -> Event:
        """The event that stands for a request which nobody published."""
        return Event(type="request", source=uri_reference(self.name), id=f"{self.name}-{running}")

    def _open_rows(self, now_s: float) -> list[bytes]:
        self._unsettled.register()
        return [self._unsettled.row(NEVER, request, IN_FLIGHT) for request in self._open]
