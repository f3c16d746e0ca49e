"""The birth-death chain behind M/M/c and M/M/c/K: its stationary shares and how fast it forgets.

Follows: Kleinrock, Queueing Systems I, chapter 3 (shares by cut equations); van Doorn (1985) for the decay parameter
of M/M/c. The spectral gap is found by counting eigenvalues with a Sturm sequence, as in any textbook on tridiagonal
matrices. Left out: rates that depend on the state in any other way.
"""

from __future__ import annotations

import math
from collections.abc import Callable

NO_ZERO = 1e-300
"""Stands in for a pivot of exactly 0, which would say that the rate asked for is an eigenvalue of a smaller chain."""


def distribution(arrival_per_s: float, service_per_s: float, servers: int, places: int) -> list[float]:
    """The stationary shares of time with 0, 1, … `places` messages in M/M/c/K; they sum to 1."""
    logs = [0.0]
    for number in range(1, places + 1):
        logs.append(logs[-1] + math.log(arrival_per_s / (min(number, servers) * service_per_s)))
    highest = max(logs)
    weights = [math.exp(log - highest) for log in logs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def relaxation_of_finite_chain_s(arrival_per_s: float, service_per_s: float, servers: int, places: int) -> float:
    """One over the spectral gap of M/M/c/K, in seconds."""

    def eigenvalues_below(rate_per_s: float) -> int:
        pivot, negative = arrival_per_s - rate_per_s, 0
        for number in range(1, places + 1):
            negative += pivot < 0.0
            departures_per_s = min(number, servers) * service_per_s
            arrivals_per_s = arrival_per_s if number < places else 0.0
            pivot = (
                arrivals_per_s + departures_per_s - rate_per_s - arrival_per_s * departures_per_s / (pivot or NO_ZERO)
            )
        return negative + (pivot < 0.0)

    return 1.0 / _gap_per_s(eigenvalues_below, 2.0 * (arrival_per_s + servers * service_per_s))


def relaxation_of_endless_chain_s(arrival_per_s: float, service_per_s: float, servers: int) -> float:
    """One over the spectral gap of M/M/c, in seconds; needs a load below 1.

    The gap is at most (√(cμ)-√λ)², where the continuous spectrum begins. At low load one eigenvalue lies below that.
    """
    capacity_per_s = servers * service_per_s
    edge_per_s = (math.sqrt(capacity_per_s) - math.sqrt(arrival_per_s)) ** 2

    def eigenvalues_below(rate_per_s: float) -> int:
        pivot, negative = arrival_per_s - rate_per_s, 0
        for number in range(1, servers + 1):
            negative += pivot < 0.0
            departures_per_s = number * service_per_s
            pivot = (
                arrival_per_s + departures_per_s - rate_per_s - arrival_per_s * departures_per_s / (pivot or NO_ZERO)
            )
        # Beyond all servers busy the recursion is pivot -> total - product/pivot for ever. It has two fixed points;
        # a start below the lower one turns negative exactly once, any other start never does.
        total, product = arrival_per_s + capacity_per_s - rate_per_s, arrival_per_s * capacity_per_s
        lower = 0.5 * (total - math.sqrt(max(0.0, total**2 - 4.0 * product)))
        return negative + (pivot < lower)

    just_below_edge_per_s = edge_per_s * (1.0 - 1e-9)
    if eigenvalues_below(just_below_edge_per_s) == 1:
        return 1.0 / edge_per_s
    return 1.0 / _gap_per_s(eigenvalues_below, just_below_edge_per_s)


def _gap_per_s(eigenvalues_below: Callable[[float], int], high_per_s: float) -> float:
    """The smallest eigenvalue above 0: up to there, 0 is the only one to count."""
    low_per_s = 0.0
    for _ in range(60):
        middle_per_s = 0.5 * (low_per_s + high_per_s)
        if eigenvalues_below(middle_per_s) <= 1:
            low_per_s = middle_per_s
        else:
            high_per_s = middle_per_s
    return high_per_s
