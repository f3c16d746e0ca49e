"""Deliveries of a run as pictures need them: chosen, with no gaps in their instants, and counted.

A projection of `run.deliveries` (numpy columns), nothing is measured twice. A delivery waits from `arrived_s` to
`taken_s`, is in service from `taken_s` to `ended_s`; what a run never reached is infinite here. Left out: partitions
inside a lane and pauses between taking and starting (a message counts as waiting until its service starts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from ..kernel.runlog import OUTCOMES, PUBLISHER_BITS, Fact, Lane

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

COLUMNS = (
    "number",
    "origin",
    "lane",
    "consumer",
    "attempt",
    "outcome",
    "published_s",
    "arrived_s",
    "taken_s",
    "ended_s",
)
"""The equal-length columns of `Traffic`."""

NODE_DOWN, NODE_UP = "node_crashed", "node_restarted"


class Replayable(Protocol):
    """What pictures need of a run; `edasim.kernel.Run` has it."""

    @property
    def deliveries(self) -> Any:
        """The delivery table as numpy columns."""
        ...

    @property
    def origins(self) -> Sequence[str]:
        """Names of publishers."""
        ...

    @property
    def lanes(self) -> Sequence[Lane]:
        """Subscriptions."""
        ...

    @property
    def consumers(self) -> Sequence[str]:
        """Names of consumers."""
        ...

    @property
    def fact_list(self) -> Sequence[Fact]:
        """Changes of state, in order of time."""
        ...

    @property
    def ended_s(self) -> float:
        """The simulated time reached, in seconds."""
        ...

    @property
    def has_all_rows(self) -> bool:
        """Whether the log kept all deliveries."""
        ...

    def require_rows(self, what: str) -> None:
        """Raises `StateError` if the log kept no deliveries."""
        ...


@dataclass(frozen=True)
class Traffic:
    """Deliveries between two instants: equal-length columns, names for their indices, and how many were left out.

    `services[lane]` names who receives from a lane; `complete` is False if the run's log kept a sample only.
    """

    number: Whole
    origin: Whole
    lane: Whole
    consumer: Whole
    attempt: Whole
    outcome: Whole
    published_s: Floats
    arrived_s: Floats
    taken_s: Floats
    ended_s: Floats
    origins: tuple[str, ...]
    lanes: tuple[Lane, ...]
    consumers: tuple[str, ...]
    services: tuple[str, ...]
    from_s: float
    until_s: float
    left_out: int
    complete: bool

    def __len__(self) -> int:
        return len(self.number)

    @property
    def span_s(self) -> float:
        """Simulated seconds from the first instant shown to the last."""
        return self.until_s - self.from_s

    @property
    def waits_s(self) -> Floats:
        """How long each delivery waited up to the window's end, in seconds; NaN if it joined no queue by then."""
        came = self.arrived_s <= self.until_s
        waits = np.minimum(self.taken_s, self.until_s) - np.where(came, self.arrived_s, 0.0)
        return np.where(came, waits, np.nan)

    @property
    def window(self) -> str:
        """The window in words, such as `0 s to 9.5 s`, with enough digits to tell its ends apart."""
        digits = int(np.clip(np.ceil(2 - np.log10(self.span_s)), 0, 12))
        ends = [f"{value:.{digits}f}" for value in (self.from_s, self.until_s)]
        first, last = (end.rstrip("0").rstrip(".") if "." in end else end for end in ends)
        return f"{first} s to {last} s"

    def waiting_at(self, at_s: float) -> NDArray[np.bool_]:
        """Which deliveries wait in a queue at this instant."""
        return (self.arrived_s <= at_s) & (self.taken_s > at_s)

    def serving_at(self, at_s: float) -> NDArray[np.bool_]:
        """Which deliveries are in service at this instant."""
        return (self.taken_s <= at_s) & (self.ended_s > at_s) & (self.consumer >= 0)

    def rows(self, chosen: NDArray[Any]) -> Traffic:
        """The deliveries that a mask or an index array chooses."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in COLUMNS})

    def who(self, row: int) -> str:
        """A delivery's message in words, such as `message 17 of registrations`."""
        running = int(self.number[row]) & ((1 << PUBLISHER_BITS) - 1)
        again = "" if self.attempt[row] <= 1 else f" (attempt {self.attempt[row]})"
        return f"message {running} of {self.origins[self.origin[row]]}{again}"

    def outcome_counts(self) -> dict[str, int]:
        """How many deliveries had each outcome by the end of the window; only outcomes that occur.

        What was not over by then counts as `in_flight` or `queued`.
        """
        running = np.where(self.taken_s <= self.until_s, OUTCOMES.index("in_flight"), OUTCOMES.index("queued"))
        by_then = np.where(self.ended_s <= self.until_s, self.outcome, running)
        counts = np.bincount(by_then, minlength=len(OUTCOMES)).tolist()
        return {name: count for name, count in zip(OUTCOMES, counts, strict=True) if count}


def traffic(
    run: Replayable,
    *,
    around: str | None = None,
    from_s: float = 0.0,
    until_s: float | None = None,
    at_most: int | None = None,
) -> Traffic:
    """The deliveries that are under way between `from_s` and `until_s` (simulated seconds; the run's end if None).

    `around` keeps only what a service, group, destination or publisher of this name receives or publishes. If more than
    `at_most` deliveries remain, the window ends earlier, so that what is shown is complete up to there.
    """
    run.require_rows("a picture")
    begin_s = checks.check_non_negative("from_s", from_s)
    end_s = float(run.ended_s) if until_s is None else checks.check_positive("until_s", until_s)
    end_s = min(end_s, float(run.ended_s))
    if end_s <= begin_s:
        raise checks.refuse("from_s", from_s, f"give an instant before {end_s:g} s, where the picture ends")
    whole = _columns(run, begin_s, end_s)
    if around is not None:
        whole = whole.rows(_around(whole, around))
    shown = whole.rows((whole.published_s < end_s) & ~(whole.ended_s <= begin_s))
    if at_most is not None and len(shown) > at_most:
        return _shortened(shown, checks.check_whole(1)("at_most", at_most))
    return shown


def _columns(run: Replayable, begin_s: float, end_s: float) -> Traffic:
    """All deliveries of a run, with infinite instants for what was never reached, without filtered ones."""
    log = run.deliveries
    outcome = np.asarray(log.outcome, dtype=np.int64)
    started, finished = np.asarray(log.started_s, float), np.asarray(log.finished_s, float)
    ended = np.where(np.isnan(finished), np.inf, finished)
    taken = np.where(np.isnan(started), ended, started)
    arrived = np.where(np.isnan(log.enqueued_s), np.inf, log.enqueued_s)
    refused = ~np.isfinite(arrived) & (outcome == OUTCOMES.index("dropped"))
    published = np.asarray(log.published_s, float)
    whole = Traffic(
        number=np.asarray(log.number, np.int64),
        origin=np.asarray(log.origin, np.int64),
        lane=np.asarray(log.lane, np.int64),
        consumer=np.where(np.isnan(started), -1, np.asarray(log.consumer, np.int64)),
        attempt=np.asarray(log.attempt, np.int64),
        outcome=outcome,
        published_s=published,
        arrived_s=_after_attempts_before(log, arrived, ended),
        taken_s=taken,
        ended_s=np.where(refused, np.where(np.isinf(ended), published, ended), ended),
        origins=tuple(run.origins),
        lanes=tuple(run.lanes),
        consumers=tuple(run.consumers),
        services=_services(run),
        from_s=begin_s,
        until_s=end_s,
        left_out=0,
        complete=run.has_all_rows,
    )
    return whole.rows(outcome != OUTCOMES.index("filtered"))


def _services(run: Replayable) -> tuple[str, ...]:
    """Who receives from each lane: the service that all its consumers belong to, or else the subscription's name."""
    names: list[set[str]] = [set() for _ in run.lanes]
    pairs = np.unique(
        np.asarray(run.deliveries.lane) * (len(run.consumers) + 1) + np.asarray(run.deliveries.consumer) + 1
    )
    for pair in pairs.tolist():
        lane, consumer = divmod(pair, len(run.consumers) + 1)
        if consumer > 0:
            names[lane].add(run.consumers[consumer - 1].rpartition("/")[0] or run.consumers[consumer - 1])
    return tuple(
        next(iter(found)) if len(found) == 1 else lane.group or f"nobody at {lane.destination}"
        for found, lane in zip(names, run.lanes, strict=True)
    )


def _after_attempts_before(log: Any, arrived: Floats, ended: Floats) -> Floats:
    """When each attempt joins its queue: not before the attempt before it, in the same lane, has ended."""
    if len(arrived) < 2 or int(np.max(log.attempt)) <= 1:
        return arrived
    order = np.lexsort((log.attempt, log.lane, log.number))
    now, before = order[1:], order[:-1]
    again = (log.number[now] == log.number[before]) & (log.lane[now] == log.lane[before]) & np.isfinite(ended[before])
    joined = arrived.copy()
    joined[now[again]] = np.maximum(arrived[now[again]], ended[before[again]])
    return joined


def _around(whole: Traffic, around: str) -> NDArray[np.bool_]:
    """Which deliveries a service, group, destination or publisher takes part in."""
    in_lane = [around in (whole.services[i], lane.group, lane.destination) for i, lane in enumerate(whole.lanes)]
    by_origin = [around == name for name in whole.origins]
    if not any(in_lane) and not any(by_origin):
        known = {*whole.services, *whole.origins, *(lane.destination for lane in whole.lanes)}
        raise UnknownNameError("service or destination", around, sorted(known))
    chosen: NDArray[np.bool_] = (
        np.array(in_lane, dtype=bool)[whole.lane] | np.array(by_origin, dtype=bool)[whole.origin]
    )
    return chosen


def _shortened(shown: Traffic, at_most: int) -> Traffic:
    """The first deliveries by publication, with a window that ends where the next one would be published."""
    order = np.argsort(shown.published_s, kind="stable")
    end_s = float(shown.published_s[order[at_most]])
    if end_s <= shown.from_s:
        under_way = int(np.count_nonzero(shown.published_s <= shown.from_s))
        raise ConfigurationError(
            f"{under_way:,} deliveries are under way at {shown.from_s:g} s, and at_most is {at_most}",
            field="at_most",
            value=at_most,
            remedy=f"give at least {under_way + 1}, or an earlier from_s",
        )
    kept = shown.rows(np.sort(order[:at_most]))
    return replace(kept, until_s=end_s, left_out=len(shown) - at_most)


def of_node(consumer: str, node: str) -> bool:
    """Whether a consumer runs in a node: it has the node's name, or that name with a suffix such as `/1` or `-1`."""
    rest = consumer[len(node) :]
    return consumer.startswith(node) and (not rest or not rest[0].isalnum())


def outages(run: Replayable, shown: Traffic) -> dict[str, list[tuple[float, float]]]:
    """For each node that went down inside the window: from when to when (seconds; up to the window's end at most)."""
    down: dict[str, list[tuple[float, float]]] = {}
    since: dict[str, float] = {}
    for fact in run.fact_list:
        node = str(fact.detail.get("node") or fact.subject)
        if fact.kind == NODE_DOWN:
            since.setdefault(node, fact.time_s)
        elif fact.kind == NODE_UP and node in since:
            down.setdefault(node, []).append((since.pop(node), fact.time_s))
    for node, start_s in since.items():
        down.setdefault(node, []).append((start_s, np.inf))
    inside = {
        node: [
            (max(a, shown.from_s), min(b, shown.until_s)) for a, b in spans if a < shown.until_s and b > shown.from_s
        ]
        for node, spans in down.items()
    }
    return {node: spans for node, spans in sorted(inside.items()) if spans}


def most_waiting(shown: Traffic, lane: int) -> tuple[int, float]:
    """The largest number of deliveries that waited at once in a lane, and when that was first so (seconds)."""
    mine = shown.lane == lane
    instants, change = waiting_changes(shown.rows(mine))
    if not len(instants):
        return 0, shown.from_s
    level = np.cumsum(change)
    top = int(np.argmax(level))
    return max(0, int(level[top])), float(instants[top])


def waiting_changes(shown: Traffic) -> tuple[Floats, Whole]:
    """Instants at which the number of waiting deliveries changes, in order, and by how much; one entry per instant."""
    came = np.isfinite(shown.arrived_s)
    return _changes(shown.arrived_s[came], np.maximum(shown.taken_s[came], shown.arrived_s[came]), shown)


def serving_changes(shown: Traffic) -> tuple[Floats, Whole]:
    """The same for the number of deliveries in service."""
    served = (shown.consumer >= 0) & np.isfinite(shown.taken_s)
    return _changes(shown.taken_s[served], shown.ended_s[served], shown)


def _changes(begin: Floats, end: Floats, shown: Traffic) -> tuple[Floats, Whole]:
    begin = np.maximum(begin, shown.from_s)
    inside = begin <= shown.until_s
    begin, end = begin[inside], end[inside]
    leaves = end <= shown.until_s
    instants = np.concatenate([begin, end[leaves]])
    change = np.concatenate([np.ones(len(begin), np.int64), -np.ones(int(leaves.sum()), np.int64)])
    order = np.argsort(instants, kind="stable")
    instants, change = instants[order], change[order]
    if not len(instants):
        return instants, change
    last = np.flatnonzero(np.append(instants[1:] != instants[:-1], True))
    level = np.cumsum(change)[last]
    return instants[last], np.diff(level, prepend=0)
