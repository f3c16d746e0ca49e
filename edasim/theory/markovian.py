"""Endless rooms with Poisson arrivals and exponential services: M/M/1 and M/M/c.

Follows: Kleinrock, Queueing Systems I, chapter 3 (QT-01, QT-02); Daley (1968) for the variance of a mean of
successive M/M/1 waits (QT-25). First come, first served. Left out: impatience, batches, arrivals or services that
depend on the state. A wait excludes the service, a response includes it.
"""

from __future__ import annotations

import math
from functools import cached_property

from .. import checks
from .birth_death import distribution, relaxation_of_endless_chain_s
from .erlang import erlang_c
from .station import ExponentialStation, check_below_one, quantile_s, require_stable


@checks.configuration
class MM1(ExponentialStation):
    """M/M/1: one server, Poisson arrivals, exponential services, endless room (QT-01). Made by `mm1`."""

    arrival_per_s: float = checks.positive()
    service_per_s: float = checks.positive()

    def check(self) -> None:
        """Refuses a load of 1 or more."""
        require_stable("MM1.load", self.arrival_per_s, self.service_per_s)

    @property
    def load(self) -> float:
        """ρ = λ/μ, the share of time in which the server is busy."""
        return self.arrival_per_s / self.service_per_s

    @property
    def mean_wait_s(self) -> float:
        """ρ/(μ-λ)."""
        return self.load / (self.service_per_s - self.arrival_per_s)

    @property
    def probability_of_wait(self) -> float:
        """ρ: Poisson arrivals find the server busy as often as it is busy."""
        return self.load

    @property
    def relaxation_time_s(self) -> float:
        """1/(√μ-√λ)²: the time constant in which the station forgets how it started."""
        return (math.sqrt(self.service_per_s) - math.sqrt(self.arrival_per_s)) ** -2

    def number_probability(self, number: int) -> float:
        """(1-ρ)ρ^number: the share of time with exactly that many messages in the station."""
        present: int = checks.check_whole(0)("number", number)
        return (1.0 - self.load) * self.load**present

    def wait_quantile_s(self, p: float) -> float:
        """The wait that a share `p` of the messages does not exceed, from P(wait > t) = ρe^(-(μ-λ)t)."""
        return _wait_quantile_s(self.load, self.service_per_s - self.arrival_per_s, p)

    def response_quantile_s(self, p: float) -> float:
        """The response that a share `p` does not exceed: responses are exponential with rate μ-λ."""
        return -math.log1p(-check_below_one("p", p)) / (self.service_per_s - self.arrival_per_s)

    def standard_error_of_mean_wait_s(self, messages: int) -> float:
        """The standard error of the mean wait of that many successive messages of the stationary station (QT-25).

        √(ρ(2+5ρ-4ρ²+ρ³)/(μ²(1-ρ)⁴·messages)), the limit for many messages. Waits of neighbours resemble each other, so
        this is far more than the standard deviation of one wait over √messages.
        """
        load = self.load
        variance_s2 = load * (2 + 5 * load - 4 * load**2 + load**3) / (self.service_per_s**2 * (1 - load) ** 4)
        return math.sqrt(variance_s2 / checks.check_whole(1)("messages", messages))


@checks.configuration
class MMC(ExponentialStation):
    """M/M/c: `servers` equal servers that share one endless queue (QT-02). Made by `mmc`."""

    arrival_per_s: float = checks.positive()
    service_per_s: float = checks.positive()
    servers: int = checks.at_least(1)

    def check(self) -> None:
        """Refuses a load of 1 or more."""
        require_stable("MMC.load", self.arrival_per_s, self.servers * self.service_per_s)

    @property
    def load(self) -> float:
        """ρ = λ/(cμ), the share of time in which a server is busy."""
        return self.arrival_per_s / (self.servers * self.service_per_s)

    @cached_property
    def probability_of_wait(self) -> float:
        """C(c, λ/μ), by Erlang's second formula."""
        return erlang_c(self.servers, self.arrival_per_s / self.service_per_s)

    @property
    def mean_wait_s(self) -> float:
        """C/(cμ-λ)."""
        return self.probability_of_wait / self._spare_per_s

    @property
    def relaxation_time_s(self) -> float:
        """The time constant in which the station forgets how it started: one over the chain's spectral gap.

        1/(√(cμ)-√λ)² at high load; longer than that, and near 1/μ, at low load.
        """
        return relaxation_of_endless_chain_s(self.arrival_per_s, self.service_per_s, self.servers)

    def number_probability(self, number: int) -> float:
        """The share of time with exactly that many messages in the station."""
        present: int = checks.check_whole(0)("number", number)
        shares = distribution(self.arrival_per_s, self.service_per_s, self.servers, self.servers)
        all_shares = 1.0 + shares[-1] * self.load / (1.0 - self.load)
        if present <= self.servers:
            return shares[present] / all_shares
        return shares[-1] * self.load ** (present - self.servers) / all_shares

    def wait_quantile_s(self, p: float) -> float:
        """The wait that a share `p` of the messages does not exceed, from P(wait > t) = Ce^(-(cμ-λ)t)."""
        return _wait_quantile_s(self.probability_of_wait, self._spare_per_s, p)

    def response_quantile_s(self, p: float) -> float:
        """The response that a share `p` of the messages does not exceed."""
        return quantile_s(self._response_beyond, p, self.mean_response_s)

    @property
    def _spare_per_s(self) -> float:
        return self.servers * self.service_per_s - self.arrival_per_s

    def _response_beyond(self, time_s: float) -> float:
        """P(response > t): a service alone, or with probability C an exponential wait and a service."""
        slow, fast = sorted((self._spare_per_s, self.service_per_s))
        apart = (fast - slow) * time_s
        waited = math.exp(-slow * time_s) * (1.0 + slow * time_s * (-math.expm1(-apart) / apart if apart else 1.0))
        at_once = math.exp(-self.service_per_s * time_s)
        return (1.0 - self.probability_of_wait) * at_once + self.probability_of_wait * waited


def _wait_quantile_s(waiting: float, spare_per_s: float, p: float) -> float:
    """The p-quantile of a wait that is 0, or with probability `waiting` exponential with the spare rate."""
    beyond = 1.0 - check_below_one("p", p)
    return math.log(waiting / beyond) / spare_per_s if waiting > beyond else 0.0


def mm1(arrival_per_s: float, service_per_s: float) -> MM1:
    """One server, Poisson arrivals, exponential services, first come first served (QT-01).

    Raises:
        ConfigurationError: a rate is not positive, or the load is 1 or more.

    >>> mm1(40.0, 50.0).mean_wait_s
    0.08
    """
    return MM1(arrival_per_s=arrival_per_s, service_per_s=service_per_s)


def mmc(arrival_per_s: float, service_per_s: float, servers: int) -> MMC:
    """`servers` servers that share one queue; `service_per_s` is the rate of one of them (QT-02).

    Raises:
        ConfigurationError: a rate is not positive, there is no server, or the load is 1 or more.

    >>> round(mmc(3.6, 1.0, servers=4).mean_wait_s, 4)
    1.9694
    """
    return MMC(arrival_per_s=arrival_per_s, service_per_s=service_per_s, servers=servers)
