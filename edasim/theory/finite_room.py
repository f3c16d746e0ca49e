"""A room with a last place: M/M/c/K, where who finds it full is lost.

Follows: Kleinrock, Queueing Systems I, section 3.6 and after (QT-03): the birth-death chain gives the shares of time,
and Poisson arrivals see time averages. First come, first served. Left out: messages that come back after a loss.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cached_property

from .. import checks
from .birth_death import distribution, relaxation_of_finite_chain_s
from .station import ExponentialStation, quantile_s


@checks.configuration
class MMCK(ExponentialStation):
    """M/M/c/K: room for `places` messages, those in service included; who finds it full is lost (QT-03).

    Made by `mmck`. Any load is allowed. Waits, responses and their quantiles are those of the messages let in.
    """

    arrival_per_s: float = checks.positive()
    service_per_s: float = checks.positive()
    servers: int = checks.at_least(1)
    places: int = checks.at_least(1)

    def check(self) -> None:
        """Refuses a room with fewer places than servers."""
        if self.places < self.servers:
            raise checks.refuse(
                "MMCK.places", self.places, f"places count those in service: give at least the {self.servers} servers"
            )

    @cached_property
    def number_probabilities(self) -> tuple[float, ...]:
        """The shares of time with 0, 1, … `places` messages in the station."""
        return tuple(distribution(self.arrival_per_s, self.service_per_s, self.servers, self.places))

    @property
    def offered_load(self) -> float:
        """λ/(cμ), lost messages included; may be 1 or more."""
        return self.arrival_per_s / self._capacity_per_s

    @property
    def load(self) -> float:
        """The share of time in which a server is busy."""
        return self.throughput_per_s / self._capacity_per_s

    @property
    def probability_of_loss(self) -> float:
        """The share of messages that find the room full: P(K), as Poisson arrivals see time averages."""
        return self.number_probabilities[-1]

    @property
    def probability_of_wait(self) -> float:
        """The share of the messages let in that find all servers busy."""
        return math.fsum(self._departures_awaited[1:])

    @property
    def throughput_per_s(self) -> float:
        """λ(1-P(K)): messages that are let in, and leave, per second."""
        return self.arrival_per_s * math.fsum(self.number_probabilities[:-1])

    @property
    def mean_wait_s(self) -> float:
        """The mean number of departures that a message let in waits for, each after 1/(cμ)."""
        return math.fsum(n * share for n, share in enumerate(self._departures_awaited)) / self._capacity_per_s

    @property
    def relaxation_time_s(self) -> float:
        """The time constant in which the station forgets how it started: one over the chain's spectral gap."""
        return relaxation_of_finite_chain_s(self.arrival_per_s, self.service_per_s, self.servers, self.places)

    def number_probability(self, number: int) -> float:
        """The share of time with exactly that many messages in the station; 0 beyond its places."""
        number = checks.check_whole(0)("number", number)
        return self.number_probabilities[number] if number <= self.places else 0.0

    def wait_quantile_s(self, p: float) -> float:
        """The wait that a share `p` of the messages let in does not exceed; waits are a mixture of Erlang times."""
        return quantile_s(lambda t: self._after(t, self._still_waiting), p, self.mean_service_s)

    def response_quantile_s(self, p: float) -> float:
        """The response that a share `p` of the messages let in does not exceed."""
        return quantile_s(self._response_beyond, p, self.mean_response_s)

    @property
    def _capacity_per_s(self) -> float:
        return self.servers * self.service_per_s

    @cached_property
    def _departures_awaited(self) -> list[float]:
        """How many departures a message let in waits for: the shares of 0, 1, … places - servers."""
        found = self.number_probabilities[:-1]
        let_in = math.fsum(found)
        return [math.fsum(found[: self.servers]) / let_in, *(share / let_in for share in found[self.servers :])]

    @cached_property
    def _still_waiting(self) -> list[float]:
        """The share of messages let in that wait still after 0, 1, … departures."""
        sums = list(itertools.accumulate(reversed(self._departures_awaited)))
        return [*reversed(sums[:-1]), 0.0]

    def _after(self, time_s: float, shares: list[float]) -> float:
        """Σ Poisson(j; cμt)·shares[j]: what holds after j ticks of a clock of rate cμ, seen at time t.

        While all servers are busy departures are such ticks; with fewer busy, some ticks are no departure.
        """
        ticks = self._capacity_per_s * time_s
        if ticks == 0.0:
            return shares[0]
        log_ticks = math.log(ticks)
        return math.fsum(
            share * math.exp(j * log_ticks - ticks - math.lgamma(j + 1)) for j, share in enumerate(shares) if share
        )

    def _response_beyond(self, time_s: float) -> float:
        """P(response > t): waiting still, or in a service that has survived each tick with probability 1 - 1/c."""
        ticks = self._capacity_per_s * time_s
        horizon = int(ticks + 12.0 * math.sqrt(ticks) + 40.0)
        survive = 1.0 - 1.0 / self.servers
        present, in_service = [], 0.0
        for starting, waiting in itertools.islice(self._starts_and_waits(), horizon):
            in_service = survive * in_service + starting
            present.append(in_service + waiting)
        return self._after(time_s, present)

    def _starts_and_waits(self) -> Iterator[tuple[float, float]]:
        """Tick by tick: the share of messages whose service starts, and the share that waits still."""
        yield from zip(self._departures_awaited, self._still_waiting, strict=True)
        yield from itertools.repeat((0.0, 0.0))


def mmck(arrival_per_s: float, service_per_s: float, servers: int, places: int) -> MMCK:
    """`servers` servers and room for `places` messages, those in service included (QT-03).

    Raises:
        ConfigurationError: a rate is not positive, there is no server, or there are fewer places than servers.

    >>> round(mmck(8.0, 1.0, servers=8, places=20).probability_of_loss, 6)
    0.061557
    """
    return MMCK(arrival_per_s=arrival_per_s, service_per_s=service_per_s, servers=servers, places=places)
