"""What to measure of the bank: stale looks and their theory, waits of live events, the length of a rebuild.

A view that asks every T seconds is, for a look d after the write, behind with probability 1 - d/T, and the wait until
it is not is (T - d)²/(2T) seconds on average (the phase of a random write is uniform in T; d < T). Both are exact for
Poisson arrivals and a view that needs no time for an event.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import checks
from .bank import ASK_AGAIN_S, REPLAY, STATEMENTS, Bank

if TYPE_CHECKING:
    from ...kernel import Run


def bank_of(run: Run) -> Bank:
    """The scenario of a run; `ConfigurationError` if it is no `Bank`."""
    if not isinstance(run.scenario, Bank):
        raise checks.refuse("run", run.scenario, "give a run of a Bank")
    return run.scenario


def stale_ratio(run: Run) -> float:
    """The share of looks that did not see the customer's own booking."""
    reads = run.kept["reads"]
    return float(reads.stale / max(1, reads.count))


def waited_ms(run: Run) -> float:
    """Milliseconds that a look waited on average for the own booking."""
    reads = run.kept["reads"]
    return float(1000.0 * sum(reads.waits_s) / max(1, reads.count))


def stale_ratio_truth(view_every_s: float, looks_after_s: float) -> float:
    """The share of stale looks in the long run.

    >>> stale_ratio_truth(0.5, 0.1)
    0.8
    """
    return max(0.0, 1.0 - looks_after_s / view_every_s)


def waited_ms_truth(view_every_s: float, looks_after_s: float) -> float:
    """Milliseconds that a look waits on average for the view, and then half the time until it asks again."""
    behind_s = max(0.0, view_every_s - looks_after_s)
    return 1000.0 * (behind_s**2 / (2 * view_every_s) + behind_s / view_every_s * ASK_AGAIN_S / 2)


def live_wait_ms(run: Run) -> float:
    """Milliseconds that live events waited for the statement service on average; replayed ones do not count.

    Those that still wait at the end count as long as they have waited.
    """
    rows, mine = run.deliveries, _of_statements(run)
    chosen = mine & (rows.origin != _origin(run))
    started_s = np.where(np.isnan(rows.started_s[chosen]), run.ended_s, rows.started_s[chosen])
    return float(1000.0 * (started_s - rows.enqueued_s[chosen]).mean())


def rebuild_s(run: Run) -> float:
    """Seconds from the start of the replay until its last event was taken; infinite if the run ends before."""
    rows = run.deliveries
    chosen = _of_statements(run) & (rows.origin == _origin(run))
    finished_s, wanted = rows.finished_s[chosen], bank_of(run).replayed
    if not wanted or len(finished_s) < wanted or np.isnan(finished_s).any():
        return math.inf
    return float(finished_s.max() - bank_of(run).replay_from_s)


def _of_statements(run: Run) -> Any:
    lane = next(index for index, lane in enumerate(run.lanes) if lane.group == STATEMENTS)
    return run.deliveries.lane == lane


def _origin(run: Run) -> int:
    """The index of the replay among the publishers, -1 if there is none."""
    return list(run.origins).index(REPLAY) if REPLAY in run.origins else -1
