"""The chain of calls that one request set going: its attempts, the requests that servers made for it, and theirs.

Read off the rows of a run, which carry the number of the request that began it all. Which attempt made a request of a
server behind is told by the instants: a worker asks one server after the other, and answers when the last of them has
(exact, but for attempts of one server that end in the same instant). Follows the span trees of Dapper (B. Sigelman et
al., 2010). Left out: the instant at which a client stopped waiting for an attempt, which no row holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...errors import UnknownNameError
from ...kernel import Run
from ...kernel.runlog import CRASHED, DONE, EXPIRED, FAILED, IN_FLIGHT
from .measures import PROTECTIONS, REQUESTS

OPEN = "open"
"""How a request ends that has not ended when the run does."""


@dataclass
class Tried:
    """One attempt: whom it went to (an instance, or the protection that refused it), when, and how it ended.

    Times are simulated seconds; `started_s` is NaN if nobody began it, `ended_s` if it had not ended with the run.
    """

    nth: int
    by: str
    sent_s: float
    started_s: float
    ended_s: float
    end: str
    behind: list[Asked] = field(default_factory=list)

    @property
    def in_vain(self) -> bool:
        """Whether it was worked on for nobody."""
        return self.end == IN_VAIN

    @property
    def worked_s(self) -> float:
        """Seconds of a worker's time, up to the end of the run at most; 0 if nobody began it."""
        return 0.0 if math.isnan(self.started_s) or math.isnan(self.ended_s) else self.ended_s - self.started_s


@dataclass
class Asked:
    """A request of a client to a server: "answered", "degraded", "given up" or "open", and its attempts in order."""

    client: str
    server: str
    asked_s: float
    ended_s: float
    end: str
    attempts: list[Tried] = field(default_factory=list)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Asked, Tried | None]]:
        """The request, then each attempt followed by the requests behind it; with the depth, 0 for the first."""
        yield depth, self, None
        for attempt in self.attempts:
            yield depth, self, attempt
            for request in attempt.behind:
                yield from request.walk(depth + 1)


IN_VAIN = "done for nobody"
UNWANTED, REFUSED, ERROR, ANSWER, CRASH, WORKS, WAITS = (
    "not begun, nobody waits", "refused", "error", "answer", "crash", "still at work", "still waits",
)  # fmt: skip


def chain_of(run: Run, request: str) -> list[Asked]:
    """The requests that began with the event `request` ("users-7"), each with all that it set going.

    `UnknownNameError` if the run's log holds no such request, `StateError` if it kept no rows.
    """
    run.require_rows("a chain of calls")
    rows = run.deliveries
    number = run.log.number_called(request)
    calls = [index for index, lane in enumerate(run.lanes) if lane.broker == "calls"]
    mine = [] if number is None else _rows(run, rows.rows((rows.root == number) & _among(rows.lane, calls)))
    asked = [row for row in mine if row["group"] == REQUESTS]
    tops = [row for row in asked if row["number"] == number]
    if not tops:
        known = (str(getattr(event, "id", "")) for event in run.events())
        raise UnknownNameError("request", request, dict.fromkeys(name for name in known if name))
    servers = {lane.group: lane.destination for lane in run.lanes if lane.broker == "calls" and lane.group != REQUESTS}
    requests = {(row["number"], row["destination"]): _asked(row, servers) for row in asked}
    attempts: dict[str, list[Tried]] = {}
    for row in sorted(mine, key=lambda row: (row["enqueued_s"], row["attempt"])):
        if row["group"] != REQUESTS and (row["number"], row["group"]) in requests:
            attempt = _tried(row)
            requests[row["number"], row["group"]].attempts.append(attempt)
            attempts.setdefault(row["destination"], []).append(attempt)
    behind: dict[str, list[Asked]] = {}
    for row in asked:
        if row["number"] != number:
            behind.setdefault(row["origin"], []).append(requests[row["number"], row["destination"]])
    for server, made in behind.items():
        _attribute(made, attempts.get(server, []))
    return [requests[row["number"], row["destination"]] for row in tops]


def _among(lanes: Any, chosen: list[int]) -> Any:
    import numpy as np

    return np.isin(lanes, chosen)


def _rows(run: Run, rows: Any) -> list[dict[str, Any]]:
    """The rows as dictionaries, with names for numbers."""
    columns = {name: column.tolist() for name, column in rows.columns.items()}
    told = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for row in told:
        lane = run.lanes[row["lane"]]
        row |= {"destination": lane.destination, "group": lane.group, "origin": run.publishers[row["origin"]]}
        row["consumer"] = rows.consumers[row["consumer"]] if row["consumer"] >= 0 else ""
    return told


def _asked(row: dict[str, Any], servers: dict[str, str]) -> Asked:
    client = row["destination"]
    return Asked(client, servers[client], row["enqueued_s"], row["finished_s"], row["consumer"] or OPEN)


def _tried(row: dict[str, Any]) -> Tried:
    started = not math.isnan(row["started_s"])
    end = {
        DONE: ANSWER,
        FAILED: ERROR if started else REFUSED,
        EXPIRED: IN_VAIN if started else UNWANTED,
        CRASHED: CRASH,
        IN_FLIGHT: WORKS,
    }.get(row["outcome"], WAITS)
    return Tried(row["attempt"], row["consumer"], row["enqueued_s"], row["started_s"], row["finished_s"], end)


def _attribute(made: list[Asked], attempts: list[Tried]) -> None:
    """Puts each request that a server made under the attempt that it was made for."""
    left = sorted(made, key=lambda request: request.asked_s)
    for attempt in sorted(attempts, key=lambda attempt: (math.isnan(attempt.ended_s), attempt.ended_s)):
        end_s = attempt.ended_s
        while (found := _last(left, attempt.started_s, end_s)) is not None:
            left.remove(found)
            attempt.behind.insert(0, found)
            end_s = found.asked_s
    for request in left:  # made for an attempt that crashed meanwhile, or is still at work
        running = [
            each for each in attempts if each.started_s <= request.asked_s and not each.ended_s < request.asked_s
        ]
        broken_off = [each for each in running if each.end in (CRASH, WORKS)]
        for attempt in (broken_off or running)[:1]:
            attempt.behind.append(request)


def _last(requests: list[Asked], from_s: float, until_s: float) -> Asked | None:
    """The request that was asked after `from_s` and ended exactly at `until_s`."""
    return next((each for each in requests if each.ended_s == until_s and each.asked_s >= from_s), None)


def refused_by_protection(attempt: Tried) -> bool:
    """Whether the client's own protection refused it, so that no server heard of it."""
    return attempt.by in PROTECTIONS
