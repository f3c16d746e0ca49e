"""The way of an attempt, out and back: closures over local names, because they run for each; a client's hot path.

`beginning` makes what asks the protections in their order, `sending` what sends, `hearing` what tells the protections
of the end of an attempt, and `failing` what becomes of a request that failed. Each returns the record of the plane that
follows (an end of work, a retry), or None: it is handed up to the record that runs, whose place in the heap it can
take. What a client does not have is None; the closures ask for that and for nothing else that never changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappush
from typing import TYPE_CHECKING, Protocol

from ...governance.failures import Failure
from ...governance.limiter import LeakyQueue, Permits
from ...governance.retry import Retries
from ...kernel.plane import NORMAL, Record
from ...kernel.runlog import DONE, FAILED
from .attempts import Attempt, Request
from .rows import Refusals

if TYPE_CHECKING:
    from .client import Client

Begin = Callable[[float, Request], "Record | None"]
Send = Callable[[float, Request, int], "Record | None"]
Reply = Callable[[float, Attempt, "Failure | None"], "Record | None"]

ENDLESS_S = math.inf
NOT_PERMITTED, TIMEOUT, UNREACHABLE = Failure.NOT_PERMITTED, Failure.TIMEOUT, Failure.UNREACHABLE


class Fail(Protocol):
    """Takes note of a failure; if the `nth` attempt was never sent, `by` says which protection refused it."""

    def __call__(
        self, now_s: float, request: Request, failure: Failure, by: Refusals | None = None, nth: int = 0, /
    ) -> Record | None:
        """The record that follows."""


def failing(client: Client, retries: Retries | None) -> Fail:
    """What becomes of a request that failed: it is tried again later, or given up. What was refused costs no budget."""
    copies, budget, ids = client.copies, client.budget, client.sim.env.ids
    next_wait_s = None if retries is None else retries.wait_s

    def failed(
        now_s: float, request: Request, failure: Failure, by: Refusals | None = None, nth: int = 0
    ) -> Record | None:
        if by is not None:
            by.add(now_s, request, nth, FAILED)
            if budget is not None:
                budget.release(now_s, nth > 1)
            if request.ok is not None:
                return None
        if copies is not None:
            return copies.failed(now_s, request, failure)
        if next_wait_s is not None:
            wait_s = next_wait_s(request.attempts, failure, request.waited_s, request.deadline_s - now_s)
            if wait_s is not None and (budget is None or budget.allow(now_s)):
                request.waited_s = wait_s
                return (now_s + wait_s, NORMAL, next(ids), client.attempt, request)
        client.give_up(now_s, request, failure)
        return None

    return failed


def beginning(client: Client, failed: Fail) -> Begin:
    """How the next attempt of a request begins: it asks the protections in their order, and is sent if all say yes."""
    rows, balancer, directory, line = client.rows, client.balancer, client.directory, client.line
    limiter, breaker, concurrency, send = client.limiter, client.breaker, client.concurrency, client.send
    within_rate = None if limiter is None else limiter.allow
    is_closed = None if breaker is None else breaker.allow

    def attempt(now_s: float, request: Request, nth: int = 0) -> Record | None:
        if not nth:  # otherwise its turn has come, for which the limiter made it wait
            nth = request.attempts = request.attempts + 1
            if within_rate is not None and not within_rate(now_s):
                return failed(now_s, request, NOT_PERMITTED, rows.limited, nth)
        if directory is not None and balancer is not None and not balancer.eligible:
            return failed(now_s, request, UNREACHABLE, rows.nobody, nth)
        if is_closed is not None and not is_closed(now_s):
            return failed(now_s, request, NOT_PERMITTED, rows.broken, nth)
        if concurrency is not None and not concurrency.allow(now_s):
            if line is not None:
                line.join(now_s, request, nth)
                return None
            if breaker is not None:
                breaker.release(now_s)
            return failed(now_s, request, NOT_PERMITTED, rows.full, nth)
        return send(now_s, request, nth)

    return _pacing(client, limiter, failed, attempt) if isinstance(limiter, LeakyQueue | Permits) else attempt


def _pacing(
    client: Client,
    limiter: LeakyQueue | Permits,
    failed: Fail,
    go_on: Callable[[float, Request, int], Record | None],
) -> Begin:
    """The same with a limiter that makes wait; `go_on` is what follows when an attempt's turn has come."""
    limited, ids = client.rows.limited, client.sim.env.ids

    def attempt(now_s: float, request: Request) -> Record | None:
        nth = request.attempts = request.attempts + 1
        wait_s = limiter.wait_s(now_s)
        if wait_s is None or now_s + wait_s >= request.deadline_s:
            return failed(now_s, request, NOT_PERMITTED, limited, nth)
        if wait_s <= 0.0:
            return go_on(now_s, request, nth)
        request.on_its_way += 1
        return (now_s + wait_s, NORMAL, next(ids), its_turn, (request, nth))

    def its_turn(now_s: float, waiting: tuple[Request, int]) -> Record | None:
        request, nth = waiting
        request.on_its_way -= 1
        if request.ok is None:
            return go_on(now_s, request, nth)
        client.expired(now_s, request, nth, limited)
        return None

    return attempt


def sending(client: Client) -> Send:
    """An attempt goes to the instance that balancing picks, and is given up after a while."""
    records, ids, copies, balancer = client.sim.env.records, client.sim.env.ids, client.copies, client.balancer
    timeout_s = client.protections.timeout_s or ENDLESS_S
    has_timeout, endless_s = timeout_s < ENDLESS_S, ENDLESS_S
    only = None if balancer is not None else next(iter(client.rows.callees.values()))

    def send(now_s: float, request: Request, nth: int) -> Record | None:
        callee = only or client.picked(request)
        if callee is None:
            return client.unsendable(now_s, request, nth)
        attempt = Attempt(callee, request, nth, now_s)
        if copies is not None:
            copies.sent(now_s, request, attempt)
        if has_timeout or request.deadline_s < endless_s:
            gives_up_s = min(now_s + timeout_s, request.deadline_s)
            heappush(records, (gives_up_s, NORMAL, next(ids), timed_out, attempt))
        return callee.instance.receive(now_s, attempt)

    def timed_out(now_s: float, attempt: Attempt) -> Record | None:
        return client.reply(now_s, attempt, TIMEOUT) if attempt.waited_for else None

    return send


def hearing(client: Client, failed: Fail) -> Reply:
    """The end of an attempt, well (None) or with a failure; one that nobody waits for any more changes nothing."""
    balancer, directory, line, spends = client.balancer, client.directory, client.line, client.budget is not None
    concurrency, breaker, settle, answered = client.concurrency, client.breaker, client.settle, client.rows.answered
    record_call, hedges = None if breaker is None else breaker.record, client.copies is not None

    def reply(now_s: float, attempt: Attempt, failure: Failure | None) -> Record | None:
        if not attempt.waited_for:
            return None
        attempt.waited_for = False
        request, ok, follower = attempt.request, failure is None, None
        if hedges:
            request.on_its_way -= 1
        if balancer is not None:
            balancer.end(attempt.callee.name)
        if concurrency is not None:
            concurrency.done(now_s, ok, now_s - attempt.sent_s)
        if record_call is not None:
            record_call(now_s, ok, now_s - attempt.sent_s)
        if directory is not None:
            directory.record(attempt.callee.name, now_s, failure)
        if spends:
            client.account(now_s, attempt, failure)
        if request.ok is None:
            if failure is None:
                settle(now_s, request, answered, DONE)
            else:
                follower = failed(now_s, request, failure)
        if line is not None:
            line.move(now_s)
        return follower

    return reply
