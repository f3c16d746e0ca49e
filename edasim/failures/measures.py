"""What a failure does to a run in numbers: availability, drain time, goodput, and how far it reaches.

Each is a function of a run, so that an experiment can replicate it. Follows the words of queueing and dependability:
goodput counts answers in time, throughput counts answers (RP-09); a backlog drains in T·u/(1-u) on average (AS-08); a
service is available while enough of its nodes are up (RP-02). Left out: availability as a user sees it; promise it with
`at_least_once(within_s=…)` and count.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import checks
from ..errors import UnknownNameError
from ..kernel import Run
from .books import Books
from .findings import Findings

UP_AND_DOWN = {"node_crashed": -1, "node_restarted": 1}


def availability(run: Run, service: str, *, nodes: int, needed: int = 1) -> float:
    """The share of the run in which at least `needed` of the `nodes` nodes of a service were up.

    It is read off the facts of crashes and restarts; all nodes are up at 0 s. Raises `ConfigurationError` unless
    1 <= needed <= nodes.
    """
    nodes = checks.check_whole(1)("nodes", nodes)
    needed = checks.check_whole(1, nodes)("needed", needed)
    changes = [
        (fact.time_s, UP_AND_DOWN[fact.kind])
        for fact in run.fact_list
        if fact.kind in UP_AND_DOWN and fact.detail.get("service") == service
    ]
    at_s = np.array([0.0, *(time_s for time_s, _ in changes), run.ended_s])
    up = nodes + np.cumsum([0, *(change for _, change in changes)])
    enough_s = float(np.sum(np.diff(at_s)[up >= needed]))
    return enough_s / run.ended_s if run.ended_s else 1.0


def drain_s(run: Run, service: str, *, from_s: float) -> float:
    """Seconds from `from_s` until the service had nothing waiting and nothing in work; inf if it never came to that.

    Needs all rows of the log.
    """
    found = Books(run).addressed(service, None)
    from_s = checks.check_non_negative("from_s", from_s)
    ends_s = np.sort(np.where(found.open, math.inf, found.settled_s))
    arrivals_s = np.sort(found.published_s)
    level = np.searchsorted(arrivals_s, from_s, side="right") - np.searchsorted(ends_s, from_s, side="right")
    if level <= 0:
        return 0.0
    later = ends_s[np.searchsorted(ends_s, from_s, side="right") :]
    arrived = np.searchsorted(arrivals_s, later, side="right")
    gone = np.searchsorted(ends_s, later, side="right")
    empty = np.flatnonzero((arrived - gone <= 0) & np.isfinite(later))
    return float(later[empty[0]] - from_s) if len(empty) else math.inf


def throughput_per_s(run: Run, service: str, *, from_s: float = 0.0, until_s: float | None = None) -> float:
    """Messages that a service did per second, between two instants (None: to the end); each message counts once."""
    return _rate(run, service, math.inf, from_s, until_s)


def goodput_per_s(
    run: Run, service: str, *, within_s: float, from_s: float = 0.0, until_s: float | None = None
) -> float:
    """As `throughput_per_s`, but of what was done within `within_s` seconds after publishing."""
    return _rate(run, service, checks.check_positive("within_s", within_s), from_s, until_s)


def _rate(run: Run, service: str, within_s: float, from_s: float, until_s: float | None) -> float:
    from_s = checks.check_non_negative("from_s", from_s)
    end_s = run.ended_s if until_s is None else checks.check_positive("until_s", until_s)
    if end_s <= from_s:
        raise checks.refuse("until_s", end_s, f"give more than from_s, {from_s:g}")
    found = Books(run).addressed(service, None)
    inside = (found.done_s >= from_s) & (found.done_s < end_s)
    return int(np.sum(inside & (found.done_s - found.published_s <= within_s))) / (end_s - from_s)


def blast_radius(run: Run, found: Findings) -> float:
    """The share of subjects (users, orders) that published something and are hit by a finding.

    Raises `UnknownNameError` if no event has a subject.
    """
    books = Books(run)
    subjects: dict[str, Any] = {str(e.id): e.subject for e in run.events() if e is not None and e.subject}
    everybody = set(subjects.values())
    if not everybody:
        raise UnknownNameError("subject of an event", "any", books.services)
    return len({subjects[each] for finding in found for each in finding.event_ids if each in subjects}) / len(everybody)


__all__ = ["availability", "blast_radius", "drain_s", "goodput_per_s", "throughput_per_s"]
