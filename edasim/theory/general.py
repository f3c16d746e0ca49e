"""Stations with any service times, known by two moments: M/G/1, G/G/1, G/G/c.

Follows: Pollaczek and Khinchine (QT-05), Kingman (QT-06), Allen and Cunneen (QT-07), as in Harchol-Balter, Performance
Modeling and Design of Computer Systems. A squared coefficient of variation (`_scv`) is the variance over the squared
mean: 0 for constants, 1 for exponential times. First come, first served. Left out: quantiles, which need more of a
distribution than two moments; gaps or services that depend on each other.
"""

from __future__ import annotations

from .. import checks
from .markovian import mmc
from .station import Station, require_stable


@checks.configuration
class MG1(Station):
    """M/G/1: one server, Poisson arrivals, services of any distribution (QT-05). Made by `mg1`."""

    arrival_per_s: float = checks.positive()
    mean_service_s: float = checks.positive()
    service_scv: float = checks.non_negative()

    def check(self) -> None:
        """Refuses a load of 1 or more."""
        require_stable("MG1.load", self.arrival_per_s, 1.0 / self.mean_service_s)

    @property
    def load(self) -> float:
        """ρ = λm, the share of time in which the server is busy."""
        return self.arrival_per_s * self.mean_service_s

    @property
    def probability_of_wait(self) -> float:
        """ρ: Poisson arrivals find the server busy as often as it is busy."""
        return self.load

    @property
    def mean_wait_s(self) -> float:
        """ρm(1+cs²)/(2(1-ρ)), exact."""
        return self.load * self.mean_service_s * (1.0 + self.service_scv) / (2.0 * (1.0 - self.load))


@checks.configuration
class GG1(Station):
    """G/G/1 by Kingman's approximation: independent gaps, independent services (QT-06). Made by `gg1`."""

    arrival_per_s: float = checks.positive()
    mean_service_s: float = checks.positive()
    arrival_scv: float = checks.non_negative()
    service_scv: float = checks.non_negative()

    def check(self) -> None:
        """Refuses a load of 1 or more."""
        require_stable("GG1.load", self.arrival_per_s, 1.0 / self.mean_service_s)

    @property
    def load(self) -> float:
        """ρ = λm, the share of time in which the server is busy."""
        return self.arrival_per_s * self.mean_service_s

    @property
    def mean_wait_s(self) -> float:
        """ρ/(1-ρ) · (ca²+cs²)/2 · m: an approximation, best near full load; exact for M/G/1."""
        variability = 0.5 * (self.arrival_scv + self.service_scv)
        return self.load / (1.0 - self.load) * variability * self.mean_service_s

    @property
    def mean_wait_bound_s(self) -> float:
        """λ(σa²+σs²)/(2(1-ρ)), which the mean wait never exceeds."""
        variances = self.arrival_scv / self.load + self.service_scv * self.load
        return variances * self.mean_service_s / (2.0 * (1.0 - self.load))


@checks.configuration
class GGC(Station):
    """G/G/c by Allen and Cunneen's approximation (QT-07). Made by `ggc`."""

    arrival_per_s: float = checks.positive()
    mean_service_s: float = checks.positive()
    servers: int = checks.at_least(1)
    arrival_scv: float = checks.non_negative()
    service_scv: float = checks.non_negative()

    def check(self) -> None:
        """Refuses a load of 1 or more."""
        require_stable("GGC.load", self.arrival_per_s, self.servers / self.mean_service_s)

    @property
    def load(self) -> float:
        """ρ = λm/c, the share of time in which a server is busy."""
        return self.arrival_per_s * self.mean_service_s / self.servers

    @property
    def mean_wait_s(self) -> float:
        """The wait of M/M/c times (ca²+cs²)/2; exact for M/M/c and M/G/1 only."""
        exponential = mmc(self.arrival_per_s, 1.0 / self.mean_service_s, self.servers)
        return exponential.mean_wait_s * 0.5 * (self.arrival_scv + self.service_scv)


def mg1(arrival_per_s: float, mean_service_s: float, service_scv: float) -> MG1:
    """One server, Poisson arrivals, any service times, first come first served (QT-05).

    Raises:
        ConfigurationError: a value is out of range, or the load is 1 or more.

    >>> round(mg1(0.8, 1.0, service_scv=0.0).mean_wait_s, 9)  # half the wait of M/M/1
    2.0
    """
    return MG1(arrival_per_s=arrival_per_s, mean_service_s=mean_service_s, service_scv=service_scv)


def gg1(arrival_per_s: float, mean_service_s: float, *, arrival_scv: float, service_scv: float) -> GG1:
    """One server, any gaps between arrivals, any service times: Kingman's approximation (QT-06).

    Raises:
        ConfigurationError: a value is out of range, or the load is 1 or more.

    >>> round(gg1(0.9, 1.0, arrival_scv=4.0, service_scv=1.0).mean_wait_s, 9)
    22.5
    """
    return GG1(
        arrival_per_s=arrival_per_s, mean_service_s=mean_service_s, arrival_scv=arrival_scv, service_scv=service_scv
    )


def ggc(arrival_per_s: float, mean_service_s: float, servers: int, *, arrival_scv: float, service_scv: float) -> GGC:
    """`servers` servers, any gaps between arrivals, any service times: Allen and Cunneen's approximation (QT-07).

    Raises:
        ConfigurationError: a value is out of range, or the load is 1 or more.

    >>> round(ggc(7.2, 1.0, 8, arrival_scv=1.0, service_scv=2.0).mean_wait_s, 4)
    1.3154
    """
    return GGC(
        arrival_per_s=arrival_per_s,
        mean_service_s=mean_service_s,
        servers=servers,
        arrival_scv=arrival_scv,
        service_scv=service_scv,
    )
