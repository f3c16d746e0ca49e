"""Clients: what asks a server, under protections, until there is an answer or no hope of one.

The order of things in an attempt: rate limiter, circuit breaker, concurrency limit, balancing, then the call itself. A
refusal by one of the client's own protections is a failed attempt like any other, and `Retry.retry_on` says whether it
is tried again. The circuit breaker hears of answers, errors and timeouts, not of the client's own refusals (GV-12).

Left out: the cost of connections; a network between client and server.
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
from ...governance.failures import Failure
from ...kernel.plane import NORMAL, Record
from ...kernel.runlog import DONE, FAILED, IN_FLIGHT, NEVER, Brief, LogLevel, pack_row
from .attempts import Attempt, Request, Settle
from .protections import UNPROTECTED, Protections
from .server import Server


@dataclass(frozen=True)
class Answer:
    """How a request ended: `ok`, after so many attempts and seconds, and whether the answer is a degraded one."""

    ok: bool
    attempts: int
    took_s: float
    degraded: bool


class Client:
    """Asks `of`, a server, under `protections`; each request that is published to it becomes attempts.

    `Source(to=client)` asks by a load. In a SimPy process or a generator handler, `answer = yield client.call()`.
    """

    def __init__(self, name: str, *, of: Server, protections: Protections = UNPROTECTED) -> None:
        self.name = checks.check_text("Client.name", name)
        self.server = checks.check_kind(Server, "a Server")("Client.of", of)
        self.protections = checks.check_kind(Protections, "Protections(…)")("Client.protections", protections)
        self.sim = sim = of.sim
        now_s = float(sim.env.now)
        self._records, self._next_id = sim.env.records, sim.env.next_id
        self._lane = sim.log.lane("calls", of.name, name)
        self._requests = sim.log.lane("calls", name, "requests")
        sim.log.add_slots(self._lane, of.name, of.workers * len(of.instances))
        self._endpoints = {each: sim.log.endpoint(self._lane, each) for each in of.instances}
        self.briefs: dict[int, Brief] = {}
        if sim.log.level is LogLevel.METRICS:
            self.briefs = {end: brief for end in self._endpoints.values() if (brief := sim.log.brief(end)) is not None}
        self._number = sim.log.publisher(name, self._event)
        self._settled: list[Callable[[float, Message], None]] = []
        self._open: dict[Request, None] = {}
        self._draw = sim.streams.uniform(f"client/{name}/retry")
        protects = self.protections
        self._deadline_s = math.inf if protects.deadline_s is None else protects.deadline_s
        self._timeout_s = math.inf if protects.timeout_s is None else protects.timeout_s
        self._retry = protects.retry
        self.limiter = None if protects.limiter is None else protects.limiter.start(now_s)
        self.breaker = None if protects.breaker is None else protects.breaker.start(now_s, self._tell)
        self.concurrency = None if protects.concurrency is None else protects.concurrency.start(now_s)
        self.budget = None if protects.budget is None else protects.budget.start()
        self.balancer = None
        if len(of.instances) > 1:
            self.balancer = protects.balancing.start(
                list(of.instances), sim.streams.uniform(f"client/{name}/balancing")
            )
        self._only = next(iter(of.instances.values()))
        self.route: Callable[[float, Message], None] = self._route
        sim.on_end(self._open_rows)

    def _route(self, now_s: float, message: Message) -> None:
        """A request is published to the client; it is asked at once."""
        self.begin(now_s, message, self._tell_settled if self._settled else None)

    def on_settled(self, told: Callable[[float, Message], None]) -> None:
        """Calls `told(now_s, message)` when a request that was published to the client is answered or given up."""
        self._settled.append(told)

    def call(self) -> Any:
        """Asks now; a SimPy event that comes with the `Answer`."""
        event, now_s = self.sim.env.event(), float(self.sim.env.now)
        number = self._number()

        def settled(at_s: float, request: Request) -> None:
            answer = Answer(bool(request.ok), request.attempts, at_s - request.asked_s, request.degraded)
            self.sim.env.wake(event, answer)

        self.begin(now_s, (number, number, now_s, now_s, 1, None), settled)
        return event

    def begin(self, now_s: float, message: Message, settle: Settle | None, until_s: float = math.inf) -> None:
        """A request begins; `settle` hears of its end. `until_s` is the deadline that a caller hands on."""
        request = Request(message, now_s, min(until_s, now_s + self._deadline_s), settle)
        self._open[request] = None
        if self.budget is not None:
            self.budget.request(now_s)
        self._attempt(now_s, request, retried=False)

    def _attempt(self, now_s: float, request: Request, retried: bool) -> None:
        """Asks the protections in their order, and sends."""
        request.attempts += 1
        if self.limiter is not None and not self.limiter.allow(now_s):
            self._refused(now_s, request, retried, "rate limiter")
            return
        breaker = self.breaker
        if breaker is not None and not breaker.allow(now_s):
            self._refused(now_s, request, retried, "circuit breaker")
            return
        if self.concurrency is not None and not self.concurrency.allow(now_s):
            if breaker is not None:
                breaker.release(now_s)
            self._refused(now_s, request, retried, "concurrency limit")
            return
        attempt = Attempt(self, request, now_s, retried)
        request.on_its_way += 1
        self._send(now_s, attempt)

    def _send(self, now_s: float, attempt: Attempt) -> None:
        instance = self._only
        if self.balancer is not None:
            name = self.balancer.pick(None)
            if name is None:
                self.reply(now_s, attempt, Failure.UNREACHABLE)
                return
            instance = self.server.instances[name]
            self.balancer.begin(name)
        attempt.instance = instance.name
        attempt.endpoint = self._endpoints[instance.name]
        gives_up_s = min(now_s + self._timeout_s, attempt.request.deadline_s)
        if gives_up_s < math.inf:
            heappush(self._records, (gives_up_s, NORMAL, self._next_id(), self._timed_out, attempt))
        instance.receive(now_s, attempt)

    def _timed_out(self, now_s: float, attempt: Attempt) -> Record | None:
        if attempt.waited_for:
            self.reply(now_s, attempt, Failure.TIMEOUT)
        return None

    def reply(self, now_s: float, attempt: Attempt, failure: Failure | None) -> None:
        """An attempt ended, well (None) or with a failure; one that nobody waits for any more changes nothing."""
        if not attempt.waited_for:
            return
        attempt.waited_for = False
        request, ok, duration_s = attempt.request, failure is None, now_s - attempt.sent_s
        request.on_its_way -= 1
        if self.balancer is not None and attempt.instance:
            self.balancer.end(attempt.instance)
        if self.concurrency is not None:
            self.concurrency.done(now_s, ok, duration_s)
        if self.breaker is not None:
            self.breaker.record(now_s, ok, duration_s)
        if self.budget is not None:
            self.budget.done(now_s, ok, attempt.retried)
        if request.ok is not None:
            return
        if failure is None:
            self._settle(now_s, request, True)
        else:
            self._failed(now_s, request, failure)

    def _refused(self, now_s: float, request: Request, retried: bool, by: str) -> None:
        """One of the client's own protections said no: nothing is sent."""
        number, root, published_s, *_ = request.message
        endpoint = self.sim.log.endpoint(self._lane, by)
        self.sim.log.append(
            pack_row(
                *(number, root, published_s, now_s, NEVER, NEVER, now_s, endpoint, request.attempts, FAILED),
            )
        )
        if self.budget is not None:
            self.budget.done(now_s, False, retried)
        self._failed(now_s, request, Failure.NOT_PERMITTED)

    def _failed(self, now_s: float, request: Request, failure: Failure) -> None:
        """Tries again later, or gives up."""
        request.failed += 1
        if request.on_its_way:
            return
        if self._retry is not None:
            left_s = request.deadline_s - now_s
            wait_s = self._retry.wait_s(request.failed, failure, self._draw(), request.waited_s, left_s)
            if wait_s is not None and (self.budget is None or self.budget.allow(now_s)):
                request.waited_s = wait_s
                heappush(self._records, (now_s + wait_s, NORMAL, self._next_id(), self._again, request))
                return
        self._settle(now_s, request, False)

    def _again(self, now_s: float, request: Request) -> Record | None:
        self._attempt(now_s, request, retried=True)
        return None

    def _settle(self, now_s: float, request: Request, ok: bool) -> None:
        request.ok = ok
        del self._open[request]
        outcome, word = (DONE, "answered") if ok else (FAILED, "given up")
        endpoint = self.sim.log.endpoint(self._requests, word)
        self.sim.log.append(self._row(now_s, request, endpoint, outcome))
        if request.settle is not None:
            request.settle(now_s, request)

    def _row(self, finished_s: float, request: Request, endpoint: int, outcome: int) -> bytes:
        number, root, published_s, *_ = request.message
        asked_s = request.asked_s
        return pack_row(
            number, root, published_s, asked_s, asked_s, asked_s, finished_s, endpoint, request.attempts, outcome
        )

    def _tell_settled(self, now_s: float, request: Request) -> None:
        for told in self._settled:
            told(now_s, request.message)

    def _tell(self, at_s: float, before: State, after: State) -> None:
        """A change of the breaker is a fact of the log."""
        self.sim.log.fact(at_s, "circuit_breaker", self.name, before=before.value, after=after.value)

    def _event(self, running: int, _published_s: float) -> Event:
        """The event that stands for a request which nobody published."""
        return Event(type="request", source=uri_reference(self.name), id=f"{self.name}-{running}")

    def _open_rows(self, now_s: float) -> list[bytes]:
        endpoint = self.sim.log.endpoint(self._requests, "")
        return [self._row(NEVER, request, endpoint, IN_FLIGHT) for request in self._open]
