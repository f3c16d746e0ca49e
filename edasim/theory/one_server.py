"""One server with a twist: priorities, breakdowns, arrivals in batches.

Follows: Cobham (1954) for priorities (QT-08), White and Christie (1958) for breakdowns (QT-15), and bulk arrivals as in
Kleinrock, Queueing Systems I, section 4.5 (QT-27). Left out: preemption by urgent messages, failures that depend on
the load, batches of random size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import checks
from .station import ExponentialStation, require_stable


@checks.configuration
class PriorityClass:
    """The messages of one priority: their Poisson rate, and the mean and variability of their services."""

    arrival_per_s: float = checks.positive()
    mean_service_s: float = checks.positive()
    service_scv: float = checks.non_negative(default=1.0)

    @property
    def load(self) -> float:
        """The share of time in which the server works for this class."""
        return self.arrival_per_s * self.mean_service_s


def _check_classes(field: str, value: Any) -> tuple[PriorityClass, ...]:
    classes = tuple(value) if isinstance(value, Sequence) else ()
    if not classes or not all(isinstance(one, PriorityClass) for one in classes):
        raise checks.refuse(field, value, "give a sequence of PriorityClass, the most urgent first")
    return classes


@checks.configuration
class NonPreemptivePriorities:
    """One server that takes the most urgent waiting message and finishes what it began (QT-08).

    Made by `non_preemptive_priorities`. Results come in the order of the classes, the most urgent first.
    """

    classes: Sequence[PriorityClass] = checks.checked(_check_classes)

    def check(self) -> None:
        """Refuses a total load of 1 or more."""
        require_stable("NonPreemptivePriorities.load", self.load, 1.0)

    @property
    def load(self) -> float:
        """ρ, the share of time in which the server is busy."""
        return math.fsum(one.load for one in self.classes)

    @property
    def mean_remaining_service_s(self) -> float:
        """W0 = Σ λi E[Si²]/2: what the message in service still needs, on average over all arrivals."""
        return math.fsum(0.5 * one.load * one.mean_service_s * (1.0 + one.service_scv) for one in self.classes)

    @property
    def mean_waits_s(self) -> tuple[float, ...]:
        """W0/((1-σ')(1-σ)) per class; σ is the load of this class and the more urgent, σ' of the more urgent alone."""
        waits_s, urgent = [], 0.0
        for one in self.classes:
            up_to_here = urgent + one.load
            waits_s.append(self.mean_remaining_service_s / ((1.0 - urgent) * (1.0 - up_to_here)))
            urgent = up_to_here
        return tuple(waits_s)

    @property
    def mean_responses_s(self) -> tuple[float, ...]:
        """Seconds from arrival to departure per class."""
        return tuple(wait + one.mean_service_s for wait, one in zip(self.mean_waits_s, self.classes, strict=True))

    @property
    def mean_wait_s(self) -> float:
        """The mean wait over the messages of all classes."""
        rate_per_s = math.fsum(one.arrival_per_s for one in self.classes)
        queued = math.fsum(one.arrival_per_s * w for one, w in zip(self.classes, self.mean_waits_s, strict=True))
        return queued / rate_per_s

    @property
    def load_weighted_wait_s(self) -> float:
        """Σ ρi·Wi: the same for every order of the classes, so a gain of one class is a loss of another."""
        return math.fsum(one.load * wait for one, wait in zip(self.classes, self.mean_waits_s, strict=True))


@checks.configuration
class MM1Breakdowns(ExponentialStation):
    """M/M/1 whose server breaks down, also while idle, and resumes where it stopped (QT-15). Made by `mm1_breakdowns`.

    Up and down times are exponential. A wait is all time without service, breakdowns during a service included.
    """

    arrival_per_s: float = checks.positive()
    service_per_s: float = checks.positive()
    mean_up_s: float = checks.positive()
    mean_down_s: float = checks.positive()

    def check(self) -> None:
        """Refuses arrivals at or above the service rate times the availability."""
        require_stable("MM1Breakdowns.load", self.arrival_per_s, self.service_per_s * self.availability)

    @property
    def availability(self) -> float:
        """The share of time in which the server is up."""
        return self.mean_up_s / (self.mean_up_s + self.mean_down_s)

    @property
    def load(self) -> float:
        """λ/(μ·availability), the share of its up time in which the server is busy."""
        return self.arrival_per_s / (self.service_per_s * self.availability)

    @property
    def mean_response_s(self) -> float:
        """(1+μf/(f+r)²)/(μA-λ) with f one over the up time, r one over the down time, A the availability."""
        fail_per_s, repair_per_s = 1.0 / self.mean_up_s, 1.0 / self.mean_down_s
        pauses = self.service_per_s * fail_per_s / (fail_per_s + repair_per_s) ** 2
        return (1.0 + pauses) / (self.service_per_s * self.availability - self.arrival_per_s)

    @property
    def mean_wait_s(self) -> float:
        """The response without the service itself."""
        return self.mean_response_s - self.mean_service_s


@checks.configuration
class BatchArrivals(ExponentialStation):
    """M[b]/M/1: batches of a fixed size arrive together (QT-27). Made by `batch_arrivals`."""

    batches_per_s: float = checks.positive()
    batch_size: int = checks.at_least(1)
    service_per_s: float = checks.positive()

    def check(self) -> None:
        """Refuses a load of 1 or more."""
        require_stable("BatchArrivals.load", self.arrival_per_s, self.service_per_s)

    @property
    def load(self) -> float:
        """ρ, the share of time in which the server is busy."""
        return self.arrival_per_s / self.service_per_s

    @property
    def arrival_per_s(self) -> float:
        """Messages, not batches, that arrive per second."""
        return self.batches_per_s * self.batch_size

    @property
    def mean_response_s(self) -> float:
        """(1+b)/(2μ(1-ρ)), over all messages of a batch."""
        return (1.0 + self.batch_size) / (2.0 * self.service_per_s * (1.0 - self.load))

    @property
    def mean_wait_s(self) -> float:
        """The response without the service, over all messages of a batch."""
        return self.mean_response_s - self.mean_service_s


def non_preemptive_priorities(classes: Sequence[PriorityClass]) -> NonPreemptivePriorities:
    """One server and Poisson classes of messages, the most urgent first (QT-08).

    Raises:
        ConfigurationError: there is no class, or the total load is 1 or more.

    >>> urgent, other = (PriorityClass(arrival_per_s=rate, mean_service_s=1.0) for rate in (0.3, 0.5))
    >>> [round(wait, 3) for wait in non_preemptive_priorities([urgent, other]).mean_waits_s]
    [1.143, 5.714]
    """
    return NonPreemptivePriorities(classes=classes)


def mm1_breakdowns(
    arrival_per_s: float, service_per_s: float, *, mean_up_s: float, mean_down_s: float
) -> MM1Breakdowns:
    """One exponential server that fails and is repaired, and resumes the interrupted service (QT-15).

    Raises:
        ConfigurationError: a value is not positive, or arrivals reach the service rate times the availability.

    >>> round(mm1_breakdowns(0.8, 1.0, mean_up_s=60.0, mean_down_s=5.0).mean_number, 4)
    8.8077
    """
    return MM1Breakdowns(
        arrival_per_s=arrival_per_s, service_per_s=service_per_s, mean_up_s=mean_up_s, mean_down_s=mean_down_s
    )


def batch_arrivals(batches_per_s: float, batch_size: int, service_per_s: float) -> BatchArrivals:
    """Poisson batches of a fixed size before one exponential server (QT-27).

    Raises:
        ConfigurationError: a value is out of range, or the load is 1 or more.

    >>> round(batch_arrivals(0.1, 5, 1.0).mean_number, 9)
    3.0
    """
    return BatchArrivals(batches_per_s=batches_per_s, batch_size=batch_size, service_per_s=service_per_s)
