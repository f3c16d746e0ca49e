"""Clients: what asks a server, under protections, until there is an answer or no hope of one.

The order of things in an attempt: rate limiter, circuit breaker, concurrency limit, balancing, then the call itself. A
limiter that can make wait does so, and a bulkhead has its line. A refusal by one of the client's own protections is a
failed attempt like any other, and `Retry.retry_on` says whether it is tried again. The circuit breaker hears of
answers, errors and timeouts, not of the client's own refusals (GV-12); a retry budget neither of these nor of what
cannot be retried (A6).

The way of an attempt is in `way.py`, a shorter one for clients without much protection in `short.py`. Left out: the
cost of connections; a network between client and server.
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
from ...governance.retry import RETRYABLE
from ...kernel.plane import Record
from ...kernel.runlog import DONE, EXPIRED, FAILED, IN_FLIGHT, NEVER
from ...kernel.streams import numbers_of
from .attempts import Attempt, Request, Settle, Single
from .copies import Copies
from .discovery import Directory
from .fallbacks import Fallbacks
from .line import Line
from .protections import UNPROTECTED, Protections
from .rows import Callee, Refusals, Requests, Rows
from .server import Server
from .short import ShortWay, is_short
from .way import UNREACHABLE, Begin, Fail, Reply, Send, beginning, failing, hearing, sending


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
    Balancing by `ConsistentHash` goes by the key of a request: `call(key=…)`, or its event's extension `partitionkey`,
    or its event's subject. A server's own calls have the key of the request that they are made for.
    """

    __slots__ = (
        *("_counts", "_deadline_s", "_number", "_records", "_short", "answers", "attempt", "balancer"),
        *("breaker", "budget", "concurrency", "copies", "directory", "failed", "fallbacks", "limiter", "line", "name"),
        *("needs_key", "opened", "priority", "protections", "reply", "route", "rows", "send", "server", "sim", "told"),
    )
    attempt: Begin
    """The next attempt of a request begins; as all parts of its way (`way.py`) it tells the record that follows."""
    send: Send
    reply: Reply
    failed: Fail

    def __init__(self, name: str, *, of: Server, protections: Protections = UNPROTECTED, priority: int = 0) -> None:
        self.name = checks.check_text("Client.name", name)
        self.server = checks.check_kind(Server, "a Server")("Client.of", of)
        self.protections = checks.check_kind(Protections, "Protections(…)")("Client.protections", protections)
        self.priority = checks.check_whole(0)("Client.priority", priority)
        self.sim = sim = of.sim
        self._records = sim.env.records
        self.told: list[Callable[[float, Message], None]] = []
        self.opened: dict[Request | Single, None] = {}
        self.rows = Rows(self)
        self._number = sim.log.publisher(name, self._event)
        draws = numbers_of(sim.streams.uniform(f"client/{name}/retry"))
        self._protect(float(sim.env.now))
        retries = None if self.protections.retry is None else self.protections.retry.start(draws)
        self.failed = failing(self, retries)
        self.send = sending(self)
        self.attempt = beginning(self, self.failed)
        self.reply = hearing(self, self.failed)
        self.rows.lead_back(self.reply)
        self._short = ShortWay(self, retries) if is_short(self) else None
        self.route: Callable[[float, Message], None] = self.begin if self._short is None else self._short.ask
        sim.on_end(self._open_rows)

    def _protect(self, now_s: float) -> None:
        """Starts the protections that there are; the others are None."""
        protects = self.protections
        self._deadline_s = math.inf if protects.deadline_s is None else protects.deadline_s
        self.limiter = None if protects.limiter is None else protects.limiter.start(now_s)
        self.breaker = None if protects.breaker is None else protects.breaker.start(now_s, self._tell)
        self.concurrency = None if protects.concurrency is None else protects.concurrency.start(now_s)
        self.budget = None if protects.budget is None else protects.budget.start()
        self._counts = RETRYABLE if protects.hedge is None else protects.hedge.non_fatal
        if protects.retry is not None:
            self._counts = protects.retry.retry_on
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
        by_key = self.balancer is not None and self.balancer.goes_by_key
        self.needs_key = by_key or any(behind.needs_key for behind in self.server.calls)
        if protects.discovery is not None:
            self.directory = Directory(self, protects.discovery)

    def on_settled(self, told: Callable[[float, Message], None]) -> None:
        """Calls `told(now_s, message)` when a request that was published to the client is answered or given up."""
        self.told.append(told)
        if self._short is None:
            self.route = self._route

    def _route(self, now_s: float, message: Message) -> None:
        """A request is published to the client, and somebody is to be told of its end."""
        self.begin(now_s, message, self._tell_settled)

    def _tell_settled(self, now_s: float, request: Request) -> None:
        self.tell_settled(now_s, request.message)

    def tell_settled(self, now_s: float, message: Message) -> None:
        """A request that was published to the client is answered or given up."""
        for told in self.told:
            told(now_s, message)

    def call(self, *, key: str | None = None) -> Any:
        """Asks now; a SimPy event that comes with the `Answer`. `key` is for balancing by consistent hashing."""
        key = checks.check_optional(checks.check_text)("key", key)
        event, now_s = self.sim.env.event(), float(self.sim.env.now)
        number = self._number()

        def settled(at_s: float, request: Request) -> None:
            quality = 0.0 if not request.ok else 1.0 if request.fallback is None else request.fallback.quality_ratio
            answer = Answer(
                bool(request.ok), request.attempts, at_s - request.asked_s, request.fallback is not None, quality
            )
            self.sim.env.wake(event, answer)

        self.begin(now_s, (number, number, now_s, now_s, 1, None), settled, key=key)
        return event

    def begin(
        self,
        now_s: float,
        message: Message,
        settle: Settle | None = None,
        until_s: float = math.inf,
        key: str | None = None,
    ) -> None:
        """A request begins; `settle` hears of its end. `until_s` and `key` are what a caller hands on."""
        request = Request(message, now_s, now_s + self._deadline_s, settle, key)
        self.opened[request] = None
        if until_s < request.deadline_s:
            request.deadline_s = until_s
            if until_s <= now_s:  # handed on too late: nothing begins any more
                self.settle(now_s, request, self.rows.given_up, FAILED)
                return
        if self.budget is not None:
            self.budget.request(now_s)
        record = self.attempt(now_s, request)
        if record is not None:
            heappush(self._records, record)

    def picked(self, request: Request) -> Callee | None:
        """The instance that balancing picks, with one call more under way; None if there is nobody."""
        assert self.balancer is not None
        name = self.balancer.pick(self.key_of(request) if self.balancer.goes_by_key else None)
        if name is None:
            return None
        self.balancer.begin(name)
        return self.rows.callees[name]

    def key_of(self, request: Request) -> str | None:
        """The key of a request: the one that its caller gave it, or that of its event."""
        number, _, published_s, _, _, event = request.message
        if request.key is not None:
            return request.key
        if event is None:
            event = self.sim.log.event_of(number, published_s)
        key = None if event is None else event.extensions.get("partitionkey") or event.subject
        return None if key is None else str(key)

    def unsendable(self, now_s: float, request: Request, nth: int) -> Record | None:
        """Nobody is left of those who were there when the attempt joined the line: its permissions go back."""
        if self.concurrency is not None:
            self.concurrency.done(now_s, False, 0.0)
        if self.breaker is not None:
            self.breaker.release(now_s)
        return self.failed(now_s, request, UNREACHABLE, self.rows.nobody, nth)

    def expired(self, now_s: float, request: Request, nth: int, by: Refusals) -> None:
        """An attempt waited for one of the client's own protections for longer than its request took."""
        by.add(now_s, request, nth, EXPIRED)
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

    def account(self, now_s: float, attempt: Attempt, failure: Failure | None) -> None:
        """The budget hears of an attempt's end, unless its failure is one that is not tried again (A6)."""
        assert self.budget is not None
        if failure is None or failure in self._counts:
            self.budget.done(now_s, failure is None, attempt.nth > 1)
        else:
            self.budget.release(now_s, attempt.nth > 1)

    def give_up(self, now_s: float, request: Request, failure: Failure) -> None:
        """A request failed for good: a fallback answers, or nobody."""
        if self.fallbacks is None or not self.fallbacks.take_over(now_s, request, failure):
            self.settle(now_s, request, self.rows.given_up, FAILED)

    def settle(self, now_s: float, request: Request, rows: Requests, outcome: int) -> None:
        """A request ends, in the way that `rows` collects."""
        request.ok = outcome == DONE
        del self.opened[request]
        if self.copies is not None:
            self.copies.cancel(now_s, request)
        if self.fallbacks is not None and rows is self.rows.answered:
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
        self.rows.unsettled.register()
        return [self.rows.unsettled.row(NEVER, request, IN_FLIGHT) for request in self.opened]
