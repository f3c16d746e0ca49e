"""Clients: what asks a server, under protections, until there is an answer or no hope of one.

The order of things in an attempt: rate limiter, circuit breaker, concurrency limit, balancing, then the call itself. A
limiter that can make wait does so, and a bulkhead has its line. A refusal by one of the client's own protections is a
failed attempt like any other, and `Retry.retry_on` says whether it is tried again. The circuit breaker hears of
answers, errors and timeouts, not of the client's own refusals (GV-12); a retry budget neither of these nor of what
cannot be retried (A6).

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
from ...governance.concurrency import Bulkhead
from ...governance.failures import Failure
from ...governance.fallback import Fallback
from ...governance.limiter import LeakyQueue, Permits
from ...governance.retry import RETRYABLE
from ...kernel.plane import NORMAL, Record
from ...kernel.runlog import DONE, EXPIRED, FAILED, IN_FLIGHT, NEVER, Brief, LogLevel, pack_row
from .attempts import Attempt, Request, Settle
from .discovery import Directory
from .line import Line
from .protections import UNPROTECTED, Protections
from .server import Server

LIMITER, CONCURRENCY, NOBODY = "rate limiter", "concurrency limit", "no endpoint"


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
        self._protect(now_s)
        self._only = next(iter(of.instances.values()))
        self.route: Callable[[float, Message], None] = self._route
        sim.on_end(self._open_rows)

    def _protect(self, now_s: float) -> None:
        """Starts the protections that there are; the others are None."""
        protects = self.protections
        self._deadline_s = math.inf if protects.deadline_s is None else protects.deadline_s
        self._timeout_s = math.inf if protects.timeout_s is None else protects.timeout_s
        self._retry, self._hedge, self._degradation = protects.retry, protects.hedge, protects.degradation
        self._counts = RETRYABLE
        if protects.retry is not None:
            self._counts = protects.retry.retry_on
        elif protects.hedge is not None:
            self._counts = protects.hedge.non_fatal
        self.answers = None if protects.degradation is None else protects.degradation.start()
        self._full_answer_s = -math.inf
        self.limiter = None if protects.limiter is None else protects.limiter.start(now_s)
        self._wait_s = self.limiter.wait_s if isinstance(self.limiter, LeakyQueue | Permits) else None
        self.breaker = None if protects.breaker is None else protects.breaker.start(now_s, self._tell)
        self.concurrency = None if protects.concurrency is None else protects.concurrency.start(now_s)
        self.budget = None if protects.budget is None else protects.budget.start()
        self.line = None
        if isinstance(protects.concurrency, Bulkhead) and protects.concurrency.longest_wait_s > 0.0:
            self.line = Line(self, protects.concurrency.longest_wait_s)
        self.balancer = None
        self.directory = None
        if len(self.server.instances) > 1 or protects.discovery is not None:
            self.balancer = protects.balancing.start(
                list(self.server.instances), self.sim.streams.uniform(f"client/{self.name}/balancing")
            )
        if protects.discovery is not None:
            self.directory = Directory(self, protects.discovery)

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
            quality = 0.0 if not request.ok else 1.0 if request.fallback is None else request.fallback.quality_ratio
            answer = Answer(
                bool(request.ok), request.attempts, at_s - request.asked_s, request.fallback is not None, quality
            )
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
        """The limiter's turn: it lets pass, refuses, or makes wait."""
        request.attempts += 1
        if self._wait_s is not None:
            wait_s = self._wait_s(now_s)
            if wait_s is None or now_s + wait_s >= request.deadline_s:
                self.refused(now_s, request, request.attempts, retried, LIMITER)
                return
            if wait_s > 0.0:
                request.on_its_way += 1
                waiting = (request, request.attempts, retried)
                heappush(self._records, (now_s + wait_s, NORMAL, self._next_id(), self._paced, waiting))
                return
        elif self.limiter is not None and not self.limiter.allow(now_s):
            self.refused(now_s, request, request.attempts, retried, LIMITER)
            return
        self._admitted(now_s, request, request.attempts, retried)

    def _paced(self, now_s: float, waiting: tuple[Request, int, bool]) -> Record | None:
        """The limiter's wait is over."""
        request, nth, retried = waiting
        request.on_its_way -= 1
        if request.ok is None:
            self._admitted(now_s, request, nth, retried)
        else:
            self.unsent(now_s, request, nth, retried, LIMITER, EXPIRED)
        return None

    def _admitted(self, now_s: float, request: Request, nth: int, retried: bool) -> None:
        """Asks the other protections in their order, and sends."""
        if self.directory is not None and self.balancer is not None and not self.balancer.eligible:
            self.refused(now_s, request, nth, retried, NOBODY, Failure.UNREACHABLE)
            return
        breaker = self.breaker
        if breaker is not None and not breaker.allow(now_s):
            self.refused(now_s, request, nth, retried, "circuit breaker")
            return
        if self.concurrency is not None and not self.concurrency.allow(now_s):
            if self.line is not None:
                self.line.join(now_s, request, nth, retried)
                return
            if breaker is not None:
                breaker.release(now_s)
            self.refused(now_s, request, nth, retried, CONCURRENCY)
            return
        self.send(now_s, request, nth, retried)

    def send(self, now_s: float, request: Request, nth: int, retried: bool) -> None:
        """An attempt that all protections let pass goes to the instance that balancing picks."""
        attempt = Attempt(self, request, nth, now_s, retried)
        request.on_its_way += 1
        if self._hedge is not None:
            self._copied(now_s, request, attempt)
        instance = self._only
        if self.balancer is not None:
            name = self.balancer.pick(None)
            if name is None:
                self._row_unsent(now_s, request, nth, NOBODY, FAILED)
                self.reply(now_s, attempt, Failure.UNREACHABLE)
                return
            instance = self.server.instances[name]
            self.balancer.begin(name)
        attempt.instance = instance.name
        attempt.endpoint = self._endpoints[instance.name]
        gives_up_s = min(now_s + self._timeout_s, request.deadline_s)
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
        if self.directory is not None:
            self.directory.record(attempt.instance, now_s, failure)
        if self.budget is not None:
            if failure is None or failure in self._counts:
                self.budget.done(now_s, ok, attempt.retried)
            else:
                self.budget.release(now_s, attempt.retried)
        if request.ok is None:
            if failure is None:
                self._settle(now_s, request, True, "answered")
            else:
                self._failed(now_s, request, failure)
        if self.line is not None:
            self.line.move(now_s)

    def refused(
        self, now_s: float, request: Request, nth: int, retried: bool, by: str, why: Failure = Failure.NOT_PERMITTED
    ) -> None:
        """One of the client's own protections said no: nothing is sent."""
        self.unsent(now_s, request, nth, retried, by, FAILED)
        if request.ok is None:
            self._failed(now_s, request, why)

    def unsent(self, now_s: float, request: Request, nth: int, retried: bool, by: str, outcome: int) -> None:
        """The row of an attempt that never left, which costs the budget nothing."""
        self._row_unsent(now_s, request, nth, by, outcome)
        if self.budget is not None:
            self.budget.release(now_s, retried)

    def _row_unsent(self, now_s: float, request: Request, nth: int, by: str, outcome: int) -> None:
        number, root, published_s, *_ = request.message
        endpoint = self.sim.log.endpoint(self._lane, by)
        self.sim.log.append(
            pack_row(number, root, published_s, now_s, NEVER, NEVER, now_s, endpoint, nth, outcome),
        )

    def _failed(self, now_s: float, request: Request, failure: Failure) -> None:
        """Tries again later, or gives up."""
        request.failed += 1
        if self._hedge is not None:
            if self._hedge.fatal(failure) and failure is not Failure.NOT_PERMITTED:
                self._give_up(now_s, request, failure)
                return
            if self._next_copy(now_s, request, failure):
                return
        if request.on_its_way:
            return
        if self._retry is not None:
            left_s = request.deadline_s - now_s
            wait_s = self._retry.wait_s(request.failed, failure, self._draw(), request.waited_s, left_s)
            if wait_s is not None and (self.budget is None or self.budget.allow(now_s)):
                request.waited_s = wait_s
                heappush(self._records, (now_s + wait_s, NORMAL, self._next_id(), self._again, request))
                return
        self._give_up(now_s, request, failure)

    def _again(self, now_s: float, request: Request) -> Record | None:
        self._attempt(now_s, request, retried=True)
        return None

    def _copied(self, now_s: float, request: Request, attempt: Attempt) -> None:
        """A copy is on its way; the next follows if there is no answer until then."""
        request.copies = [*(request.copies or ()), attempt]
        wait_s = None if self._hedge is None else self._hedge.next_wait_s(request.attempts)
        if wait_s is not None and now_s + wait_s < request.deadline_s:
            pending = (request, request.attempts)
            heappush(self._records, (now_s + wait_s, NORMAL, self._next_id(), self._hedged, pending))

    def _hedged(self, now_s: float, pending: tuple[Request, int]) -> Record | None:
        """No answer for a while: another copy, unless there was one meanwhile or the budget has nothing left."""
        request, attempts = pending
        if request.ok is None and request.attempts == attempts and (self.budget is None or self.budget.allow(now_s)):
            self._attempt(now_s, request, retried=True)
        return None

    def _next_copy(self, now_s: float, request: Request, failure: Failure) -> bool:
        """Another copy at once after one that failed; False if there is none."""
        hedge = self._hedge
        if hedge is None or hedge.after(failure, request.attempts) is None or now_s >= request.deadline_s:
            return False
        if self.budget is None or self.budget.allow(now_s):
            self._attempt(now_s, request, retried=True)
            return True
        return False

    def _cancel(self, now_s: float, copies: list[Attempt]) -> None:
        """Nobody waits for the other copies any more; they say nothing about the callee."""
        for attempt in copies:
            if attempt.waited_for:
                attempt.waited_for = False
                attempt.request.on_its_way -= 1
                if self.balancer is not None:
                    self.balancer.end(attempt.instance)
                if self.concurrency is not None:
                    self.concurrency.done(now_s, True, now_s - attempt.sent_s)
                if self.breaker is not None:
                    self.breaker.release(now_s)
                if self.budget is not None:
                    self.budget.release(now_s, attempt.retried)

    def _give_up(self, now_s: float, request: Request, failure: Failure) -> None:
        """A request failed for good: a fallback answers, or nobody."""
        if self._degradation is not None and self.answers is not None:
            age_s = now_s - self._full_answer_s
            ages_s = {fallback.name: age_s for fallback in self._degradation.fallbacks}
            fallback = self._degradation.choose(failure, ages_s)
            if fallback is not None:
                request.on_its_way += 1  # whatever else fails meanwhile changes nothing
                due_s = now_s + fallback.duration_s
                heappush(self._records, (due_s, NORMAL, self._next_id(), self._fall_back, (request, fallback)))
                return
            self.answers.gave_up()
        self._settle(now_s, request, False, "given up")

    def _fall_back(self, now_s: float, chosen: tuple[Request, Fallback]) -> Record | None:
        """The degraded answer is there."""
        request, fallback = chosen
        if request.ok is None:
            request.fallback = fallback
            if self.answers is not None:
                self.answers.answered(fallback)
            self._settle(now_s, request, True, "degraded")
        return None

    def _settle(self, now_s: float, request: Request, ok: bool, word: str) -> None:
        request.ok = ok
        del self._open[request]
        if request.copies is not None:
            self._cancel(now_s, request.copies)
        if self.answers is not None and ok and request.fallback is None:
            self.answers.answered()
            self._full_answer_s = now_s
        endpoint = self.sim.log.endpoint(self._requests, word)
        self.sim.log.append(self._row(now_s, request, endpoint, DONE if ok else FAILED))
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
