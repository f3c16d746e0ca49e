"""Running statistics of deliveries per endpoint, in bounded memory whatever the length of the run.

Means and sums are exact. Quantiles come from a histogram with 64 equal buckets in each doubling, which are read off the
upper bits of the floating-point number, as high dynamic range histograms do it; a reported quantile is the middle of
its bucket, within 0.8 % of the exact one. Times below a nanosecond count as zero, times above 500 years as 500 years.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Times = np.ndarray[Any, np.dtype[np.float64]]

SMALLEST_S = 1e-9
BUCKETS = 64 * 64
KINDS = 16
"""Room for the kinds of outcomes."""
_DONE, _FAILED = 0, 1  # as in runlog.OUTCOMES, which cannot be imported from here
_DROPPED_BITS = 52 - 6
_BEFORE_FIRST = (int(np.array(SMALLEST_S).view(np.int64)) >> _DROPPED_BITS) - 1


@dataclass
class Spread:
    """Count, sum, maximum and histogram of non-negative times in seconds; the first bucket is for those of zero."""

    n: int = 0
    total_s: float = 0.0
    max_s: float = 0.0
    buckets: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(1 + BUCKETS, dtype=np.int64))

    def add(self, times_s: Times) -> None:
        """Counts an array of times, contiguous in memory."""
        if not len(times_s):
            return
        self.n += len(times_s)
        self.total_s += float(times_s.sum())
        self.max_s = max(self.max_s, float(times_s.max()))
        places = times_s.view(np.int64) >> _DROPPED_BITS
        places -= _BEFORE_FIRST
        np.minimum(np.maximum(places, 0, out=places), BUCKETS, out=places)
        self.buckets += np.bincount(places, minlength=1 + BUCKETS)

    def merge(self, other: Spread) -> None:
        """Adds what another one counted."""
        self.n += other.n
        self.total_s += other.total_s
        self.max_s = max(self.max_s, other.max_s)
        self.buckets += other.buckets

    @property
    def mean_s(self) -> float:
        """The mean in seconds; NaN without any."""
        return self.total_s / self.n if self.n else math.nan

    def quantile_s(self, p: float) -> float:
        """The time that a share `p` of all does not exceed, within 0.8 %; NaN without any."""
        if not self.n:
            return math.nan
        place = int(np.searchsorted(np.cumsum(self.buckets), p * self.n))
        if place == 0:
            return 0.0
        edges = (np.array([place, place + 1], dtype=np.int64) + _BEFORE_FIRST) << _DROPPED_BITS
        return min(float(edges.view(np.float64).mean()), self.max_s)


@dataclass
class EndpointMetrics:
    """What one consumer at one lane did: outcomes, redeliveries, waits and service times.

    `waits` are those of attempts that were started, `vain_waits_s` the sum of those of attempts that never were.
    """

    outcomes: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(KINDS, dtype=np.int64))
    redelivered: int = 0
    waits: Spread = field(default_factory=Spread)
    responses: Spread = field(default_factory=Spread)
    busy_s: float = 0.0
    vain_waits_s: float = 0.0


class Metrics:
    """Statistics of every row of a run that has ended, by endpoint."""

    def __init__(self) -> None:
        self.rows = 0
        self.by_endpoint: dict[int, EndpointMetrics] = {}

    def count(self, rows: np.ndarray[Any, Any]) -> None:
        """Counts an array of `runlog.ROW`."""
        self.rows += len(rows)
        endpoints = rows["endpoint"]
        if (endpoints != endpoints[0]).any():
            few = endpoints.max() <= np.iinfo(np.uint16).max  # of so few bits NumPy sorts by radix
            order = np.argsort(endpoints.astype(np.uint16) if few else endpoints, kind="stable")
            rows = reordered(rows, order)
            groups = np.split(rows, np.flatnonzero(np.diff(rows["endpoint"])) + 1)
        else:
            groups = [rows]
        for group in groups:
            self._count_one(self._of(int(group["endpoint"][0])), group)

    def count_done(self, endpoint: int, waits_s: Times, services_s: Times) -> None:
        """Counts messages that were done at once (`runlog.Brief`), given as waits and service times in seconds."""
        metrics = self._of(endpoint)
        self.rows += len(waits_s)
        metrics.outcomes[_DONE] += len(waits_s)
        metrics.waits.add(waits_s)
        metrics.responses.add(waits_s + services_s)
        metrics.busy_s += float(services_s.sum())

    def count_refused(self, endpoint: int, attempts: int) -> None:
        """Counts attempts that failed at once, of which nothing was delivered (`runlog.Brief`)."""
        self.rows += attempts
        self._of(endpoint).outcomes[_FAILED] += attempts

    def _of(self, endpoint: int) -> EndpointMetrics:
        if endpoint not in self.by_endpoint:
            self.by_endpoint[endpoint] = EndpointMetrics()
        return self.by_endpoint[endpoint]

    def _count_one(self, metrics: EndpointMetrics, rows: np.ndarray[Any, Any]) -> None:
        metrics.outcomes += np.bincount(rows["outcome"], minlength=KINDS)
        metrics.redelivered += redelivered(rows)
        published_s, enqueued_s, started_s, finished_s = (
            np.ascontiguousarray(rows[name]) for name in ("published_s", "enqueued_s", "started_s", "finished_s")
        )
        responses_s = finished_s - published_s
        done = rows["outcome"] == _DONE
        metrics.responses.add(responses_s if done.all() else responses_s[done])
        never = np.isnan(started_s)
        if never.any():
            metrics.vain_waits_s += float((finished_s - enqueued_s)[never].sum())
            enqueued_s, started_s, finished_s = enqueued_s[~never], started_s[~never], finished_s[~never]
        metrics.waits.add(started_s - enqueued_s)
        metrics.busy_s += float((finished_s - started_s).sum())


def reordered(rows: np.ndarray[Any, Any], order: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The rows in this order; each is moved as one piece, which takes a fifth of the time of its fields."""
    return rows.view(f"V{rows.itemsize}").take(order).view(rows.dtype)


def redelivered(rows: np.ndarray[Any, Any]) -> int:
    """How many of the rows (of `runlog.ROW`) are deliveries after the first."""
    again = rows["attempt"] > 1
    return int(np.count_nonzero(~np.isnan(rows["delivered_s"][again]))) if again.any() else 0
