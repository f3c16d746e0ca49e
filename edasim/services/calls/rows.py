"""The rows that calls leave in the run log: of refused attempts, of attempts at an instance, of requests.

At the level `metrics` nobody will read a row, so what is usual is counted without one (`runlog.Brief`): refusals, and
what was done at its first attempt. Left out: when which row is due; clients and instances know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...kernel.runlog import DONE, FAILED, NEVER, Brief, RunLog, pack_row

if TYPE_CHECKING:
    from .attempts import Attempt, Request
    from .client import Client
    from .instance import Instance

UNKNOWN = -1
"""The endpoint of a consumer that the log does not know of yet."""


class Consumer:
    """What rows of one lane are about. The log hears of its name with the first of them, or by `register`."""

    __slots__ = ("_append", "_brief", "_endpoint", "_lane", "_log", "name")

    def __init__(self, log: RunLog, lane: int, name: str) -> None:
        self.name = name
        self._log, self._lane, self._append = log, lane, log.append
        self._endpoint = UNKNOWN
        self._brief: Brief | None = None

    def register(self) -> int:
        """Makes its name known to the log; the index that it has there."""
        self._endpoint = self._log.endpoint(self._lane, self.name)
        self._brief = self._log.brief(self._endpoint)
        return self._endpoint


class Refusals(Consumer):
    """A client's attempts that were never sent; `name` is the protection that refused them."""

    __slots__ = ()

    def add(self, now_s: float, request: Request, nth: int, outcome: int = FAILED) -> None:
        """An attempt ends here and now."""
        endpoint = self._endpoint
        if endpoint == UNKNOWN:
            endpoint = self.register()
        if self._brief is not None and outcome == FAILED:
            self._brief.refused += 1
            return
        number, root, published_s, _, _, _ = request.message
        self._append(pack_row(number, root, published_s, now_s, NEVER, NEVER, now_s, endpoint, nth, outcome))


class Requests(Consumer):
    """A client's requests that end in one way, of which `name` is the word."""

    __slots__ = ()

    def add(self, now_s: float, request: Request, outcome: int) -> None:
        """A request ends now."""
        if self._endpoint == UNKNOWN:
            self.register()
        brief, asked_s = self._brief, request.asked_s
        if brief is not None and outcome == DONE and request.attempts == 1 and asked_s == request.message[2]:
            brief.waits_s.append(0.0)
            brief.services_s.append(now_s - asked_s)
        else:
            self._append(self.row(now_s, request, outcome))

    def row(self, finished_s: float, request: Request, outcome: int) -> bytes:
        """The row of a request; it waits for nothing, so all that passes is service time."""
        number, root, published_s, _, _, _ = request.message
        asked_s, attempts, endpoint = request.asked_s, request.attempts, self._endpoint
        return pack_row(number, root, published_s, asked_s, asked_s, asked_s, finished_s, endpoint, attempts, outcome)


class Callee(Consumer):
    """One instance as one client sees it: what the client's attempts there came to."""

    __slots__ = ("client", "instance")

    def __init__(self, client: Client, instance: Instance, lane: int) -> None:
        super().__init__(client.sim.log, lane, instance.name)
        self.client, self.instance = client, instance
        self.register()

    def add(self, now_s: float, attempt: Attempt, outcome: int) -> None:
        """An attempt ends now, whether it was begun or not."""
        brief, sent_s = self._brief, attempt.sent_s
        if brief is not None and outcome == DONE and attempt.nth == 1 and sent_s == attempt.request.message[2]:
            started_s = attempt.started_s
            brief.waits_s.append(started_s - sent_s)
            brief.services_s.append(now_s - started_s)
        else:
            self._append(self.row(now_s, attempt, outcome))

    def row(self, finished_s: float, attempt: Attempt, outcome: int) -> bytes:
        """The row of an attempt, which arrives when it is sent."""
        number, root, published_s, _, _, _ = attempt.request.message
        sent_s, started_s, endpoint = attempt.sent_s, attempt.started_s, self._endpoint
        return pack_row(
            number, root, published_s, sent_s, sent_s, started_s, finished_s, endpoint, attempt.nth, outcome
        )
