"""Stations that nobody has seen, for functions that choose a number of servers (chapter 02).

Follows: M/M/c with one queue (QT-02), by `edasim.theory`; two typical wrong answers beside the right one. Left out:
service times other than exponential.
"""

from __future__ import annotations

import math
import random

from ..theory import mmc


def servers_for(arrival_per_s: float, mean_service_s: float, p95_wait_s: float) -> int:
    """The fewest servers with one queue whose 95th percentile of waits is at most `p95_wait_s`."""
    servers = fewest_stable(arrival_per_s, mean_service_s, p95_wait_s)
    while mmc(arrival_per_s, 1 / mean_service_s, servers).wait_quantile_s(0.95) > p95_wait_s:
        servers += 1
    return servers


def fewest_stable(arrival_per_s: float, mean_service_s: float, _p95_wait_s: float) -> int:
    """A typical wrong answer: as many servers as keep up with the work."""
    return math.floor(arrival_per_s * mean_service_s) + 1


def by_the_mean(arrival_per_s: float, mean_service_s: float, p95_wait_s: float) -> int:
    """A typical wrong answer: the mean wait is held under the limit instead of the 95th percentile."""
    servers = fewest_stable(arrival_per_s, mean_service_s, p95_wait_s)
    while mmc(arrival_per_s, 1 / mean_service_s, servers).mean_wait_s > p95_wait_s:
        servers += 1
    return servers


def a_station(rng: random.Random) -> tuple[float, float, float]:
    """Arrivals per second, mean service in seconds and the limit in seconds of a station that nobody has seen."""
    return float(rng.randrange(60, 400)), rng.randrange(10, 50) / 1000, rng.choice((0.005, 0.01, 0.02, 0.05))
