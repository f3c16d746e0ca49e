"""Several stations: tandem, Jackson networks, fork and join, closed networks, the power of choices.

Follows: Burke (QT-09), Jackson (QT-10), Nelson and Tantawi (1988) (QT-11), Mitzenmacher (2001) (QT-16), Reiser and
Lavenberg's mean value analysis (QT-26). Left out: finite rooms and blocking between stations, services that a message
takes with it from station to station, several classes of messages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from .. import checks
from .markovian import MMC, mmc
from .station import check_below_one, require_stable


@checks.configuration
class OpenNetwork:
    """Stations in a long-run balance, each as if alone. Made by `tandem`, `jackson` and `feedback`."""

    outside_per_s: float = checks.positive()
    stations: tuple[MMC, ...] = checks.kind(tuple, "a tuple of stations")

    @property
    def loads(self) -> tuple[float, ...]:
        """The load of each station; the largest belongs to the bottleneck."""
        return tuple(station.load for station in self.stations)

    @property
    def mean_visits(self) -> tuple[float, ...]:
        """How often a message visits each station, on average over all messages."""
        return tuple(station.arrival_per_s / self.outside_per_s for station in self.stations)

    @property
    def mean_number(self) -> float:
        """Messages in the network, averaged over time."""
        return math.fsum(station.mean_number for station in self.stations)

    @property
    def mean_response_s(self) -> float:
        """Seconds from entering to leaving the network, all visits together, by Little's law."""
        return self.mean_number / self.outside_per_s


def tandem(arrival_per_s: float, services_per_s: Sequence[float], servers: Sequence[int] | None = None) -> OpenNetwork:
    """Stations one after another (QT-09): what leaves one is Poisson again (Burke), so the responses add.

    Args:
        arrival_per_s: Poisson arrivals at the first station.
        services_per_s: the rate of one server of each station, in order; exponential services.
        servers: how many servers each station has; one each if not given.

    Raises:
        ConfigurationError: a value is out of range, or a station's load is 1 or more.

    >>> round(tandem(4.0, [5.0, 8.0, 10.0]).mean_response_s, 4)
    1.4167
    """
    count = len(services_per_s)
    outside_per_s = [arrival_per_s] + [0.0] * (count - 1)
    return jackson(outside_per_s, np.eye(count, k=1).tolist(), services_per_s, servers)


def feedback(arrival_per_s: float, service_per_s: float, return_ratio: float) -> OpenNetwork:
    """One server from which a share of the messages comes back for another service (QT-10).

    Raises:
        ConfigurationError: a value is out of range, or the load with the returns is 1 or more.

    >>> round(feedback(0.4, 1.0, return_ratio=0.25).mean_response_s, 4)
    2.8571
    """
    return jackson([arrival_per_s], [[check_below_one("return_ratio", return_ratio)]], [service_per_s])


def jackson(
    outside_per_s: Sequence[float],
    routing: Sequence[Sequence[float]],
    services_per_s: Sequence[float],
    servers: Sequence[int] | None = None,
) -> OpenNetwork:
    """An open network of exponential stations; a message's next station does not depend on its past (QT-10).

    Args:
        outside_per_s: Poisson arrivals from outside at each station, 0 or more.
        routing: routing[i][j] is the share of messages that go from station i to j; what a row lacks to 1 leaves.
        services_per_s: the rate of one server of each station.
        servers: how many servers each station has; one each if not given.

    Raises:
        ConfigurationError: shapes do not fit, a value is out of range, messages are trapped, a station gets no message,
            or a station's load is 1 or more.
    """
    count = len(services_per_s)
    servers = [1] * count if servers is None else servers
    if not count or len(outside_per_s) != count or len(servers) != count or len(routing) != count:
        raise checks.refuse("stations", count, "give one entry per station in each argument, and at least one station")
    outside = np.array([checks.check_non_negative(f"outside_per_s[{i}]", rate) for i, rate in enumerate(outside_per_s)])
    arrivals_per_s = np.linalg.solve(np.eye(count) - _checked_routing(routing).T, outside)
    stations = []
    for i, (arrival_per_s, service_per_s, number) in enumerate(
        zip(arrivals_per_s.tolist(), services_per_s, servers, strict=True)
    ):
        if arrival_per_s <= 0.0:
            raise checks.refuse(f"stations[{i}].arrival_per_s", arrival_per_s, "leave out a station without messages")
        capacity_per_s = checks.check_whole(1)(f"servers[{i}]", number) * checks.check_positive(
            f"services_per_s[{i}]", service_per_s
        )
        require_stable(f"stations[{i}].load", arrival_per_s, capacity_per_s)
        stations.append(mmc(arrival_per_s, service_per_s, number))
    return OpenNetwork(outside_per_s=float(outside.sum()), stations=tuple(stations))


def _checked_routing(routing: Sequence[Sequence[float]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The routing as a matrix, once it is square, holds shares, and lets every message out in the end."""
    count = len(routing)
    for i, row in enumerate(routing):
        if len(row) != count:
            raise checks.refuse(f"routing[{i}]", row, f"give {count} shares, one per station")
        for j, share in enumerate(row):
            checks.check_ratio(f"routing[{i}][{j}]", share)
        if math.fsum(row) > 1.0 + 1e-12:
            raise checks.refuse(f"routing[{i}]", row, "let the shares of a row sum to at most 1")
    matrix = np.array(routing, dtype=np.float64)
    gets_out = matrix.sum(axis=1) < 1.0 - 1e-12
    for _ in range(count):
        gets_out = gets_out | (matrix @ gets_out > 0.0)
    if not gets_out.all():
        trap = int(np.argmin(gets_out))
        raise checks.refuse(f"routing[{trap}]", list(routing[trap]), "let some share of its messages leave in the end")
    return matrix


@checks.configuration
class ForkJoinTwo:
    """Each message is split over two equal servers and done when both halves are (QT-11). Made by `fork_join_two`."""

    arrival_per_s: float = checks.positive()
    service_per_s: float = checks.positive()

    def check(self) -> None:
        """Refuses a load of 1 or more."""
        require_stable("ForkJoinTwo.load", self.arrival_per_s, self.service_per_s)

    @property
    def load(self) -> float:
        """ρ = λ/μ, the share of time in which each server is busy."""
        return self.arrival_per_s / self.service_per_s

    @property
    def mean_response_s(self) -> float:
        """(12-ρ)/8 · 1/(μ-λ), exact: from the arrival until both halves are done."""
        return (12.0 - self.load) / 8.0 / (self.service_per_s - self.arrival_per_s)

    @property
    def mean_number(self) -> float:
        """Messages that are not yet done with both halves, averaged over time, by Little's law."""
        return self.arrival_per_s * self.mean_response_s


def fork_join_two(arrival_per_s: float, service_per_s: float) -> ForkJoinTwo:
    """Poisson arrivals that fork to two exponential servers and join when both are done (QT-11).

    Raises:
        ConfigurationError: a rate is not positive, or the load is 1 or more.

    >>> fork_join_two(0.5, 1.0).mean_response_s
    2.875
    """
    return ForkJoinTwo(arrival_per_s=arrival_per_s, service_per_s=service_per_s)


@checks.configuration
class PowerOfChoices:
    """Very many equal servers; each message looks at a few and joins the shortest queue (QT-16).

    Made by `power_of_choices`. The limit of endlessly many servers; with few servers waits are longer.
    """

    load: float = checks.checked(check_below_one)
    choices: int = checks.at_least(1)

    @property
    def mean_response_services(self) -> float:
        """The mean response in mean service times: Σ ρ^((d^i-d)/(d-1)) over i from 1; 1/(1-ρ) for one choice."""
        if self.choices == 1:
            return 1.0 / (1.0 - self.load)
        total, exponent, term = 0.0, 0.0, 1.0
        while term > 1e-17 * total:
            total += term
            exponent = self.choices * (exponent + 1.0)
            term = self.load**exponent
        return total

    @property
    def mean_wait_services(self) -> float:
        """The mean wait in mean service times."""
        return self.mean_response_services - 1.0


def power_of_choices(load: float, choices: int = 2) -> PowerOfChoices:
    """The shortest of `choices` queues, drawn at random for each message among very many servers (QT-16).

    Args:
        load: of each server, below 1.
        choices: how many queues are looked at; 1 means random balancing.

    >>> round(power_of_choices(0.95).mean_response_services, 2)
    3.38
    """
    return PowerOfChoices(load=load, choices=choices)


def _check_demands(field: str, value: Any) -> tuple[float, ...]:
    demands = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    if not demands:
        raise checks.refuse(field, value, "give a sequence of mean seconds, one per station")
    return tuple(checks.check_positive(f"{field}[{i}]", demand) for i, demand in enumerate(demands))


@checks.configuration
class ClosedNetwork:
    """A fixed number of users who think, ask, wait for the answer and think again (QT-26). Made by `closed_network`."""

    users: int = checks.at_least(1)
    think_s: float = checks.non_negative()
    demands_s: Sequence[float] = checks.checked(_check_demands)

    @property
    def throughput_per_s(self) -> float:
        """Requests that are answered per second: users over think time and response."""
        return self.users / (self.think_s + self.mean_response_s)

    @property
    def mean_response_s(self) -> float:
        """Seconds from a request to its answer."""
        return math.fsum(self._mean_responses_s)

    @property
    def mean_numbers(self) -> tuple[float, ...]:
        """Requests at each station, averaged over time."""
        return tuple(self.throughput_per_s * response_s for response_s in self._mean_responses_s)

    @property
    def loads(self) -> tuple[float, ...]:
        """The share of time in which each station's server is busy."""
        return tuple(self.throughput_per_s * demand_s for demand_s in self.demands_s)

    @property
    def knee_users(self) -> float:
        """The users beyond whom the bottleneck, not the users, sets the pace: (think + demands)/largest demand."""
        return (self.think_s + math.fsum(self.demands_s)) / max(self.demands_s)

    @cached_property
    def _mean_responses_s(self) -> tuple[float, ...]:
        """Mean value analysis: an arrival finds the station as it would be with one user less."""
        found = [0.0] * len(self.demands_s)
        responses_s = list(self.demands_s)
        for users in range(1, self.users + 1):
            responses_s = [demand_s * (1.0 + number) for demand_s, number in zip(self.demands_s, found, strict=True)]
            throughput_per_s = users / (self.think_s + math.fsum(responses_s))
            found = [throughput_per_s * response_s for response_s in responses_s]
        return tuple(responses_s)


def closed_network(users: int, think_s: float, demands_s: Sequence[float]) -> ClosedNetwork:
    """Users who think for `think_s` on average between requests, and one exponential server per station (QT-26).

    Args:
        users: how many, 1 or more.
        think_s: mean think time in seconds, of any distribution; 0 for a load test without pauses.
        demands_s: mean seconds of service that a request needs at each station, all visits together.

    >>> round(closed_network(10, 5.0, [0.5]).throughput_per_s, 4)
    1.5708
    """
    return ClosedNetwork(users=users, think_s=think_s, demands_s=demands_s)
