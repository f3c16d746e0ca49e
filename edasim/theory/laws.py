"""Laws of one line: Little, scalability, token bucket, cold starts, drain, retries, fan-out, inversion.

Follows: Little (QT-24), Gunther and Amdahl (QT-17), the definition of a token bucket (QT-18), and elementary
probability (QT-19 to QT-23). Each function says when it holds. Left out: everything that needs a queue; that is in the
other modules of this room.
"""

from __future__ import annotations

import math

from .. import checks
from .station import check_below_one


def little_number(throughput_per_s: float, mean_time_s: float) -> float:
    """L = λW: how many are inside on average, of anything that passes through anything (QT-24).

    Holds in the long run for every stable system and every part of one, and exactly over a period that starts and ends
    empty. The time may be a wait, a response, a lease; the number is then of those who wait, are present, hold one.

    >>> little_number(100.0, 1.5)
    150.0
    """
    rate_per_s = checks.check_non_negative("throughput_per_s", throughput_per_s)
    return rate_per_s * checks.check_non_negative("mean_time_s", mean_time_s)


def little_time_s(mean_number: float, throughput_per_s: float) -> float:
    """W = L/λ, in seconds (QT-24)."""
    return checks.check_non_negative("mean_number", mean_number) / checks.check_positive(
        "throughput_per_s", throughput_per_s
    )


def little_rate_per_s(mean_number: float, mean_time_s: float) -> float:
    """λ = L/W, per second: the most that a fixed number of threads can pass through (QT-24).

    >>> round(little_rate_per_s(mean_number=200, mean_time_s=1.5), 1)
    133.3
    """
    return checks.check_non_negative("mean_number", mean_number) / checks.check_positive("mean_time_s", mean_time_s)


@checks.configuration
class Scalability:
    """The universal scalability law: throughput of n workers that contend and agree (QT-17).

    Made by `usl` and `amdahl`. It is a curve to fit to measurements, not a model of a mechanism.
    """

    one_worker_per_s: float = checks.positive()
    contention: float = checks.ratio()
    coherency: float = checks.non_negative()

    def throughput_per_s(self, workers: float) -> float:
        """γn/(1+α(n-1)+βn(n-1)), for 1 or more workers."""
        n = checks.number("workers", workers, low=1.0, open_low=False, what="a number of at least 1")
        return self.one_worker_per_s * n / (1.0 + self.contention * (n - 1.0) + self.coherency * n * (n - 1.0))

    def speed_up(self, workers: float) -> float:
        """How many times the throughput of one worker."""
        return self.throughput_per_s(workers) / self.one_worker_per_s

    @property
    def best_workers(self) -> float:
        """√((1-α)/β): beyond this, more workers do less; infinite without coherency cost, at least 1."""
        return math.inf if self.coherency == 0.0 else max(1.0, math.sqrt((1.0 - self.contention) / self.coherency))


def usl(one_worker_per_s: float, contention: float, coherency: float) -> Scalability:
    """The universal scalability law (QT-17).

    Args:
        one_worker_per_s: γ, the throughput of one worker.
        contention: α, the share of work that only one can do at a time.
        coherency: β, the cost of every pair that must agree, relative to the work.

    >>> round(usl(100.0, contention=0.05, coherency=0.001).throughput_per_s(16), 2)
    804.02
    """
    return Scalability(one_worker_per_s=one_worker_per_s, contention=contention, coherency=coherency)


def amdahl(one_worker_per_s: float, serial_ratio: float) -> Scalability:
    """Amdahl's law: a share of the work cannot be divided, so the speed-up stays below 1/share (QT-17, β = 0).

    >>> round(amdahl(1.0, serial_ratio=0.05).speed_up(1e9), 3)
    20.0
    """
    return usl(one_worker_per_s, contention=serial_ratio, coherency=0.0)


def token_bucket_most(rate_per_s: float, burst: float, interval_s: float) -> float:
    """Burst + rate·t: the most messages that a token bucket lets through in any interval of t seconds (QT-18).

    Holds for any arrivals. A full bucket met by a crowd reaches it.

    >>> token_bucket_most(20.0, burst=50, interval_s=10.0)
    250.0
    """
    refilled = checks.check_non_negative("rate_per_s", rate_per_s) * checks.check_non_negative("interval_s", interval_s)
    return checks.check_non_negative("burst", burst) + refilled


def cold_start_ratio(arrival_per_s: float, idle_timeout_s: float) -> float:
    """e^(-rate·timeout): the share of requests that find the instance gone (QT-19).

    Holds for Poisson requests that are served one at a time, each far shorter than the gaps.

    >>> round(cold_start_ratio(1 / 60, idle_timeout_s=300.0), 4)
    0.0067
    """
    rate_per_s = checks.check_non_negative("arrival_per_s", arrival_per_s)
    return math.exp(-rate_per_s * checks.check_non_negative("idle_timeout_s", idle_timeout_s))


def drain_time_s(outage_s: float, load: float) -> float:
    """T·u/(1-u): seconds after an outage of T until the backlog is gone, at a load of u (QT-20).

    Holds for steady flow, all messages kept, and full speed at once after the outage.

    >>> round(drain_time_s(600.0, load=0.8), 6)
    2400.0
    """
    load = check_below_one("load", load)
    return checks.check_non_negative("outage_s", outage_s) * load / (1.0 - load)


def retry_attempts(tries: int, layers: int) -> int:
    """tries^layers: attempts at the last layer for one request, when all attempts fail (QT-21).

    >>> retry_attempts(tries=3, layers=4)
    81
    """
    return int(checks.check_whole(1)("tries", tries) ** checks.check_whole(0)("layers", layers))


def fan_out_ratio(services: int, quantile: float) -> float:
    """1-q^n: the share of requests that meet at least one call slower than its own q-quantile (QT-22).

    Holds when the n calls are independent.

    >>> round(fan_out_ratio(services=100, quantile=0.99), 3)
    0.634
    """
    calls: int = checks.check_whole(0)("services", services)
    return 1.0 - checks.check_ratio("quantile", quantile) ** calls


def inversion_ratio(gap_s: float, mean_service_s: float) -> float:
    """e^(-gap/m)/2: how often the second of two events is finished first by two parallel servers (QT-23).

    Holds for exponential services of mean m and servers that are idle when the events come.

    >>> round(inversion_ratio(gap_s=0.01, mean_service_s=0.05), 3)
    0.409
    """
    gap_s = checks.check_non_negative("gap_s", gap_s)
    return 0.5 * math.exp(-gap_s / checks.check_positive("mean_service_s", mean_service_s))
