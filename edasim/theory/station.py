"""What every station of queueing theory offers, and what makes one unstable.

Follows: Little's law, L = λW (QT-24), for the whole station and for its queue alone. A result class states its
throughput, mean service and mean wait; the rest of the four averages follows from these. Left out: anything that
changes over time; all results are long-run averages of a stationary system.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from .. import checks


class _Averages(Protocol):
    """The averages from which Little's law gives all others."""

    @property
    def arrival_per_s(self) -> float: ...

    @property
    def throughput_per_s(self) -> float: ...

    @property
    def load(self) -> float: ...

    @property
    def mean_service_s(self) -> float: ...

    @property
    def mean_wait_s(self) -> float: ...

    @property
    def mean_response_s(self) -> float: ...

    @property
    def mean_number(self) -> float: ...


class Station:
    """Response, number and queue of a station by Little's law, from its throughput, mean service and mean wait."""

    @property
    def throughput_per_s(self: _Averages) -> float:
        """Messages that leave per second: as many as arrive, unless some are lost."""
        return self.arrival_per_s

    @property
    def mean_response_s(self: _Averages) -> float:
        """Seconds from arrival to departure, on average: the wait and the service."""
        return self.mean_wait_s + self.mean_service_s

    @property
    def mean_number(self: _Averages) -> float:
        """Messages in the station, waiting or in service, averaged over time: throughput times mean response."""
        return self.throughput_per_s * self.mean_response_s

    @property
    def mean_queue(self: _Averages) -> float:
        """Messages that wait, averaged over time: throughput times mean wait."""
        return self.throughput_per_s * self.mean_wait_s

    def __str__(self: _Averages) -> str:
        return (
            f"{self!r}: load {self.load:.4g}, mean wait {self.mean_wait_s:.4g} s, "
            f"mean response {self.mean_response_s:.4g} s, mean number {self.mean_number:.4g}"
        )


class _ServesAtRate(Protocol):
    """What a service rate belongs to."""

    @property
    def service_per_s(self) -> float: ...


class ExponentialStation(Station):
    """A station with exponential services of a given rate."""

    @property
    def mean_service_s(self: _ServesAtRate) -> float:
        """1/μ, of one message, in seconds."""
        return 1.0 / self.service_per_s


def require_stable(field: str, arrival_per_s: float, capacity_per_s: float) -> None:
    """Refuses a load, arrivals over capacity, of 1 or more: the queue would grow for ever.

    Raises:
        ConfigurationError: names `field` and the load; the remedy names both rates.
    """
    load = arrival_per_s / capacity_per_s
    if load >= 1.0:
        raise checks.refuse(
            field,
            load,
            f"a load of 1 or more has no long-run average: let fewer than {capacity_per_s:.6g} per s arrive, "
            f"or serve more than {arrival_per_s:.6g} per s",
        )


def check_below_one(field: str, value: Any) -> float:
    """A share of at least 0 and below 1, as a float: a load, or the probability of a quantile of an unbounded time."""
    kept = checks.check_ratio(field, value)
    if kept == 1.0:
        raise checks.refuse(field, value, "give a number of at least 0 and below 1")
    return kept


def quantile_s(beyond: Callable[[float], float], p: float, first_guess_s: float) -> float:
    """The smallest time that a random time exceeds with probability 1 - p at most.

    Args:
        beyond: the probability that the random time exceeds t seconds; falls from at most 1 to 0.
        p: a probability of at least 0 and below 1.
        first_guess_s: any positive time of the right magnitude.
    """
    allowed = 1.0 - check_below_one("p", p)
    if beyond(0.0) <= allowed:
        return 0.0
    low_s, high_s = 0.0, first_guess_s
    while beyond(high_s) > allowed:
        low_s, high_s = high_s, 2.0 * high_s
    while True:
        middle_s = 0.5 * (low_s + high_s)
        if not low_s < middle_s < high_s or math.isclose(low_s, high_s, rel_tol=1e-15):
            return high_s
        if beyond(middle_s) > allowed:
            low_s = middle_s
        else:
            high_s = middle_s
