"""Chapter 10's functions to write: requests that a crash costs, and heartbeats that a lease must span.

Follows: GV-04 (a probe's verdict takes between threshold - 1 and threshold periods) and GV-01 (a lease ends when no
heartbeat came for its length). Left out: probes that hang, heartbeats that are late.
"""

from __future__ import annotations

import math
import random


def failed(requests_per_s: float, instances: int, period_s: float, threshold: int) -> float:
    """Requests that fail on average until probes take a dead instance out: it is noticed half a period late."""
    return requests_per_s / instances * (threshold - 0.5) * period_s


def at_worst(requests_per_s: float, instances: int, period_s: float, threshold: int) -> float:
    """A typical wrong answer: the longest time, as if the instance always died just after a probe."""
    return requests_per_s / instances * threshold * period_s


def at_best(requests_per_s: float, instances: int, period_s: float, threshold: int) -> float:
    """A typical wrong answer: the shortest time, as if it always died just before a probe."""
    return requests_per_s / instances * (threshold - 1) * period_s


def all_requests(requests_per_s: float, _instances: int, period_s: float, threshold: int) -> float:
    """A typical wrong answer: every request fails, not only those of the dead instance."""
    return requests_per_s * (threshold - 0.5) * period_s


def first_probe(requests_per_s: float, instances: int, period_s: float, _threshold: int) -> float:
    """A typical wrong answer: the first failed probe is believed."""
    return requests_per_s / instances * 0.5 * period_s


def a_crash(rng: random.Random) -> tuple[float, int, float, int]:
    """A rate, a number of instances, a period in seconds and a threshold that nobody has seen."""
    return rng.randrange(20, 400, 5) * 1.0, rng.randrange(2, 12), rng.choice((1.0, 2.0, 5.0, 10.0)), rng.randrange(2, 7)


def beats(lost_ratio: float, allowed_ratio: float) -> int:
    """Heartbeats that a lease must span so that all of them are lost with at most this chance."""
    return math.ceil(math.log(allowed_ratio) / math.log(lost_ratio) - 1e-9)


def rounded_down(lost_ratio: float, allowed_ratio: float) -> int:
    """A typical wrong answer: one too few, since the number is rounded down."""
    return int(math.log(allowed_ratio) / math.log(lost_ratio) - 1e-9)


def in_proportion(lost_ratio: float, allowed_ratio: float) -> int:
    """A typical wrong answer: twice the heartbeats halve the chance."""
    return math.ceil(lost_ratio / allowed_ratio)


def a_lossy_network(rng: random.Random) -> tuple[float, float]:
    """A share of lost heartbeats and an allowed chance."""
    return rng.randrange(1, 40) / 100, rng.choice((1e-2, 1e-3, 1e-4, 1e-6))
