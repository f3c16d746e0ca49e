"""Copies: what a client that hedges does about a request, from the second copy on (GV-24).

A copy is an attempt like any other and passes the same protections; each but the first asks the budget. The first
answer wins, and the other copies are cancelled: the servers work on them, but nobody waits any more.
"""

from __future__ import annotations

from heapq import heappush
from typing import TYPE_CHECKING

from ...governance.failures import Failure
from ...governance.hedging import Hedge
from ...kernel.plane import NORMAL, Record

if TYPE_CHECKING:
    from .attempts import Attempt, Request
    from .client import Client


class Copies:
    """The copies of the requests of `client`, sent as `hedge` says."""

    def __init__(self, client: Client, hedge: Hedge) -> None:
        self.client, self.hedge, self._env = client, hedge, client.sim.env

    def sent(self, now_s: float, request: Request, attempt: Attempt) -> None:
        """A copy is on its way; the next follows if there is no answer until then."""
        request.on_its_way += 1
        if request.copies is None:
            request.copies = []
        request.copies.append(attempt)
        wait_s = self.hedge.next_wait_s(request.attempts)
        if wait_s is not None and now_s + wait_s < request.deadline_s:
            pending = (request, request.attempts)
            heappush(self._env.records, (now_s + wait_s, NORMAL, self._env.next_id(), self._due, pending))

    def _due(self, now_s: float, pending: tuple[Request, int]) -> Record | None:
        """No answer for a while: another copy, unless there was one meanwhile or the budget has nothing left."""
        request, attempts = pending
        if request.ok is None and request.attempts == attempts and self._affordable(now_s):
            return self.client.attempt(now_s, request)
        return None

    def failed(self, now_s: float, request: Request, failure: Failure) -> Record | None:
        """A copy failed: another at once, or the end of the request if it was fatal or the last one."""
        hedge, client = self.hedge, self.client
        if hedge.fatal(failure) and failure is not Failure.NOT_PERMITTED:
            client.give_up(now_s, request, failure)
            return None
        more = hedge.after(failure, request.attempts) is not None and now_s < request.deadline_s
        if more and self._affordable(now_s):
            return client.attempt(now_s, request)
        if not request.on_its_way:
            client.give_up(now_s, request, failure)
        return None

    def cancel(self, now_s: float, request: Request) -> None:
        """Nobody waits for the other copies any more; they say nothing about the callee."""
        for attempt in request.copies or ():
            if attempt.waited_for:
                self.client.forget(now_s, attempt)

    def _affordable(self, now_s: float) -> bool:
        budget = self.client.budget
        return budget is None or budget.allow(now_s)
