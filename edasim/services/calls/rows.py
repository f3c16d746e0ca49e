"""The rows that calls leave in the run log: of refused attempts, of attempts at an instance, of requests.

At the level `metrics` nobody will read a row, so what is usual is counted without one (`runlog.Brief`): refusals, and
what was done at its first attempt. Left out: when which row is due; clients and instances know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...governance.failures import Failure
from ...kernel.plane import Record
from ...kernel.runlog import DONE, FAILED, NEVER, Brief, RunLog, pack_row

if TYPE_CHECKING:
    from .attempts import Attempt, Request, Single
    from .client import Client
    from .instance import Instance

Refuse = Callable[[float, "Request | Single", int, int], None]
Settle = Callable[[float, "Request | Single", int], None]
End = Callable[[float, "Attempt", int], None]


class Consumer:
    """What rows of one lane are about; the log hears of its name with the first of them, or by `register`.

    Each kind has an `add`, on the hot path: a closure over local names that `register` puts in its place.
    """

    __slots__ = ("brief", "endpoint", "lane", "log", "name")

    def __init__(self, log: RunLog, lane: int, name: str) -> None:
        self.log, self.lane, self.name = log, lane, name
        self.brief: Brief | None = None
        """Where what is usual is counted without a row; None where rows are kept, and before the first of them."""

    def register(self) -> None:
        """Makes its name known to the log."""
        self.endpoint = self.log.endpoint(self.lane, self.name)
        self.brief = self.log.brief(self.endpoint)


class Refusals(Consumer):
    """A client's attempts that were never sent; `name` is the protection that refused them.

    `add(now_s, request, nth, outcome)`: an attempt ends here and now.
    """

    __slots__ = ("add",)
    add: Refuse

    def __init__(self, log: RunLog, lane: int, name: str) -> None:
        super().__init__(log, lane, name)
        self.add = self._first

    def _first(self, now_s: float, request: Request | Single, nth: int, outcome: int) -> None:
        self.register()
        append, endpoint, brief = self.log.append, self.endpoint, self.brief

        def add(now_s: float, request: Request | Single, nth: int, outcome: int) -> None:
            number, root, published_s, _, _, _ = request.message
            append(pack_row(number, root, published_s, now_s, NEVER, NEVER, now_s, endpoint, nth, outcome))

        def count(now_s: float, request: Request | Single, nth: int, outcome: int) -> None:
            if outcome == FAILED and brief is not None:
                brief.refused += 1
            else:
                add(now_s, request, nth, outcome)

        self.add = add if brief is None else count
        self.add(now_s, request, nth, outcome)


class Requests(Consumer):
    """A client's requests that end in one way, of which `name` is the word.

    `add(now_s, request, outcome)`: a request ends now.
    """

    __slots__ = ("add",)
    add: Settle

    def __init__(self, log: RunLog, lane: int, name: str) -> None:
        super().__init__(log, lane, name)
        self.add = self._first

    def _first(self, now_s: float, request: Request | Single, outcome: int) -> None:
        self.register()
        append, endpoint, brief = self.log.append, self.endpoint, self.brief

        def add(now_s: float, request: Request | Single, outcome: int) -> None:
            number, root, published_s, _, _, _ = request.message
            asked_s, tries = request.asked_s, request.attempts
            append(pack_row(number, root, published_s, asked_s, asked_s, asked_s, now_s, endpoint, tries, outcome))

        def count(now_s: float, request: Request | Single, outcome: int) -> None:
            asked_s = request.asked_s
            at_once = outcome == DONE and request.attempts == 1 and asked_s == request.message[2]
            if at_once and brief is not None:
                brief.waits_s.append(0.0)
                brief.services_s.append(now_s - asked_s)
            else:
                add(now_s, request, outcome)

        self.add = add if brief is None else count
        self.add(now_s, request, outcome)

    def row(self, finished_s: float, request: Request | Single, outcome: int) -> bytes:
        """The row of a request that is open; it waits for nothing, so all that passes is service time."""
        number, root, published_s, _, _, _ = request.message
        asked_s = request.asked_s
        return pack_row(
            number, root, published_s, asked_s, asked_s, asked_s, finished_s, self.endpoint, request.attempts, outcome
        )


class Callee(Consumer):
    """One instance as one client sees it: what the client's attempts there came to.

    `add(now_s, attempt, outcome)`: an attempt ends now, whether it was begun or not.
    """

    __slots__ = ("add", "client", "instance", "reply", "worked")
    add: End
    worked: Callable[[float, Any], Record | None]
    reply: Callable[[float, Any, Any], Record | None]

    def __init__(self, client: Client, instance: Instance, lane: int) -> None:
        super().__init__(client.sim.log, lane, instance.name)
        self.client, self.instance = client, instance
        self.register()
        append, endpoint, brief = self.log.append, self.endpoint, self.brief

        def add(now_s: float, attempt: Attempt, outcome: int) -> None:
            number, root, published_s, _, _, _ = attempt.message
            sent_s, started_s, nth = attempt.sent_s, attempt.started_s, attempt.nth
            append(pack_row(number, root, published_s, sent_s, sent_s, started_s, now_s, endpoint, nth, outcome))

        def count(now_s: float, attempt: Attempt, outcome: int) -> None:
            sent_s, started_s = attempt.sent_s, attempt.started_s
            at_once = outcome == DONE and attempt.nth == 1 and sent_s == attempt.message[2]
            if at_once and brief is not None:
                brief.waits_s.append(started_s - sent_s)
                brief.services_s.append(now_s - started_s)
            else:
                add(now_s, attempt, outcome)

        self.add = add if brief is None else count
        self.worked = instance.worked

    def row(self, finished_s: float, attempt: Attempt, outcome: int) -> bytes:
        """The row of an attempt that is open; it arrives when it is sent."""
        number, root, published_s, _, _, _ = attempt.message
        sent_s = attempt.sent_s
        return pack_row(
            number,
            root,
            published_s,
            sent_s,
            sent_s,
            attempt.started_s,
            finished_s,
            self.endpoint,
            attempt.nth,
            outcome,
        )


class Rows:
    """All that a client writes: on its attempts at each instance, on those that it refuses, on its requests."""

    __slots__ = (
        *("answered", "broken", "callees", "degraded", "full", "given_up", "lane", "limited", "nobody", "unsettled"),
    )

    def __init__(self, client: Client) -> None:
        log, server = client.sim.log, client.server
        self.lane = lane = log.lane("calls", server.name, client.name)
        requests = log.lane("calls", client.name, "requests")
        log.add_slots(lane, server.name, server.workers * len(server.instances))
        self.callees = {name: Callee(client, instance, lane) for name, instance in server.instances.items()}
        self.limited, self.broken = Refusals(log, lane, "rate limiter"), Refusals(log, lane, "circuit breaker")
        self.full, self.nobody = Refusals(log, lane, "concurrency limit"), Refusals(log, lane, "no endpoint")
        self.answered, self.given_up = Requests(log, requests, "answered"), Requests(log, requests, "given up")
        self.degraded, self.unsettled = Requests(log, requests, "degraded"), Requests(log, requests, "")

    def lead_back(self, reply: Callable[[float, Attempt, Failure | None], Record | None]) -> None:
        """Says who hears of the end of an attempt at any instance."""
        for callee in self.callees.values():
            callee.reply = reply
