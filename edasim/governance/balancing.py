"""Load balancing: which endpoint the next call goes to.

Follows: smooth weighted round robin of nginx (`ngx_http_upstream_round_robin`), least connections of nginx, the power
of two choices as in Envoy's least-request balancer (GV-06). `hashing` has consistent hashing, `locality` zones.

A started balancer is told of the endpoints by `update`, of calls by `begin` and `end` (those that count calls under way
need it), and answers `pick`: a name, or None if there is nobody to call. Health decides who takes part, up to the panic
mode (`endpoints.eligible`). Random numbers come from the `draw` that it is started with, uniform in [0, 1).

Left out: slow start of new endpoints, and weights by utilisation that servers report.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import ClassVar, TypeAlias

from .. import checks
from .endpoints import Endpoint, check_endpoints, eligible

Draw: TypeAlias = Callable[[], float]
"""Gives a number that is uniform in [0, 1) at each call."""


def no_draw() -> float:
    """The draw of balancers that leave nothing to chance."""
    return 0.0


class Balancer(ABC):
    """What a started balancer has in common; `active` counts the calls under way for each name."""

    goes_by_key: ClassVar[bool] = False
    """Whether `pick` looks at the key of a call."""

    def __init__(self, endpoints: Iterable[Endpoint | str], panic_ratio: float, draw: Draw) -> None:
        self.panic_ratio = panic_ratio
        self.draw = draw
        self.active: dict[str, int] = {}
        self.endpoints: tuple[Endpoint, ...] = ()
        self.eligible: tuple[Endpoint, ...] = ()
        self.update(endpoints)

    def update(self, endpoints: Iterable[Endpoint | str]) -> None:
        """Takes a new list of endpoints (names or `Endpoint`s, with weights, zones and health) in place of the old."""
        self.endpoints = check_endpoints("endpoints", endpoints)
        self.active = {endpoint.name: self.active.get(endpoint.name, 0) for endpoint in self.endpoints}
        self.eligible = eligible(self.endpoints, self.panic_ratio)
        self.rebuild()

    def rebuild(self) -> None:  # noqa: B027 - some policies depend on nothing else
        """Computes anew what depends on `eligible`."""

    @abstractmethod
    def pick(self, key: str | None = None) -> str | None:
        """The name of the endpoint to call, None if there is none; `key` is what consistent hashing goes by."""

    def begin(self, name: str) -> None:
        """A call to `name` begins."""
        if name in self.active:
            self.active[name] += 1

    def end(self, name: str) -> None:
        """A call to `name` ended; one to an endpoint that has gone since is not counted."""
        if self.active.get(name, 0) > 0:
            self.active[name] -= 1


@checks.configuration
class Balancing:
    """What all policies share: below `panic_ratio` healthy endpoints calls go to all of them (0: never)."""

    panic_ratio: float = checks.ratio(default=0.5)


@checks.configuration
class Random(Balancing):
    """Any endpoint, in proportion to the weights.

    >>> draws = iter([0.0, 0.3, 0.9])
    >>> balancer = Random().start(["a", "b"], lambda: next(draws))
    >>> [balancer.pick() for _ in range(3)]
    ['a', 'a', 'b']
    """

    def start(self, endpoints: Iterable[Endpoint | str], draw: Draw) -> Balancer:
        """Over these endpoints, with numbers from `draw`."""
        return _Random(endpoints, self.panic_ratio, draw)


class _Random(Balancer):
    _names: list[str]
    _sums: list[float]

    def rebuild(self) -> None:
        self._names = [endpoint.name for endpoint in self.eligible]
        self._sums = list(accumulate(endpoint.weight for endpoint in self.eligible))

    def pick(self, key: str | None = None) -> str | None:
        names = self._names
        if not names:
            return None
        at = bisect_right(self._sums, self.draw() * self._sums[-1])
        return names[min(at, len(names) - 1)]


@checks.configuration
class RoundRobin(Balancing):
    """One after the other; with weights as evenly mixed as nginx does it (smooth weighted round robin).

    >>> balancer = RoundRobin().start([Endpoint(name="a", weight=5), Endpoint(name="b"), Endpoint(name="c")])
    >>> "".join(balancer.pick() for _ in range(7))
    'aabacaa'
    """

    def start(self, endpoints: Iterable[Endpoint | str], draw: Draw = no_draw) -> Balancer:
        """Over these endpoints; nothing is left to chance."""
        return _RoundRobin(endpoints, self.panic_ratio, draw)


class _RoundRobin(Balancer):
    _credit: dict[str, float]

    def rebuild(self) -> None:
        before = getattr(self, "_credit", {})
        self._credit = {endpoint.name: before.get(endpoint.name, 0.0) for endpoint in self.eligible}

    def pick(self, key: str | None = None) -> str | None:
        return smooth_pick(self.eligible, self._credit)


def smooth_pick(endpoints: Iterable[Endpoint], credit: dict[str, float]) -> str | None:
    """The next of `endpoints` in smooth weighted round robin; `credit` is what each has saved up, and is changed.

    Each gains its weight, the richest is taken (the first of equals) and pays the sum of all weights.
    """
    total, best = 0.0, None
    for endpoint in endpoints:
        name = endpoint.name
        credit[name] += endpoint.weight
        total += endpoint.weight
        if best is None or credit[name] > credit[best]:
            best = name
    if best is not None:
        credit[best] -= total
    return best


@checks.configuration
class LeastRequests(Balancing):
    """The endpoint with the fewest calls under way for its weight; among equals in smooth weighted round robin.

    >>> balancer = LeastRequests().start(["a", "b", "c"])
    >>> balancer.begin("a"), balancer.begin("b"), balancer.pick()
    (None, None, 'c')
    """

    def start(self, endpoints: Iterable[Endpoint | str], draw: Draw = no_draw) -> Balancer:
        """Over these endpoints; nothing is left to chance."""
        return _LeastRequests(endpoints, self.panic_ratio, draw)


class _LeastRequests(_RoundRobin):
    def pick(self, key: str | None = None) -> str | None:
        if not self.eligible:
            return None
        active = self.active
        fewest = min(active[endpoint.name] / endpoint.weight for endpoint in self.eligible)
        level = [endpoint for endpoint in self.eligible if active[endpoint.name] / endpoint.weight == fewest]
        return level[0].name if len(level) == 1 else smooth_pick(level, self._credit)


@checks.configuration
class PowerOfChoices(Balancing):
    """Of `choices` endpoints drawn at random (the same one may be drawn twice, as in Envoy) the one with fewest calls.

    Among equals the first drawn is taken. Weights do not count: Envoy too goes by other rules where they differ.

    >>> draws = iter([0.0, 0.5])
    >>> balancer = PowerOfChoices().start(["a", "b"], lambda: next(draws))
    >>> balancer.begin("a"), balancer.pick()
    (None, 'b')
    """

    choices: int = checks.at_least(1, default=2)

    def start(self, endpoints: Iterable[Endpoint | str], draw: Draw) -> Balancer:
        """Over these endpoints, with numbers from `draw`."""
        return _PowerOfChoices(endpoints, self.panic_ratio, draw, self.choices)


class _PowerOfChoices(Balancer):
    _names: list[str]

    def __init__(self, endpoints: Iterable[Endpoint | str], panic_ratio: float, draw: Draw, choices: int) -> None:
        self._others = range(choices - 1)
        super().__init__(endpoints, panic_ratio, draw)

    def rebuild(self) -> None:
        self._names = [endpoint.name for endpoint in self.eligible]

    def pick(self, key: str | None = None) -> str | None:
        names, draw, active = self._names, self.draw, self.active
        many = len(names)
        if not many:
            return None
        best = names[int(draw() * many)]
        for _ in self._others:
            other = names[int(draw() * many)]
            if active[other] < active[best]:
                best = other
        return best


def mean_response(load: float, choices: int = 2) -> float:
    """The mean response in service times of many equal servers if each call takes the best of so many drawn at random.

    The limit for infinitely many servers with exponential services and Poisson arrivals at `load` in [0, 1): the sum of
    load ** ((choices ** i - choices) / (choices - 1)) over i from 1 on (M. Mitzenmacher, The Power of Two Choices in
    Randomized Load Balancing, 2001). One choice is M/M/1.

    >>> round(mean_response(0.95, choices=1), 6), round(mean_response(0.95), 3)
    (20.0, 3.383)
    """
    load = checks.number("load", load, low=0.0, open_low=False, high=1.0, what="a load of at least 0 and below 1")
    choices = checks.check_whole(1)("choices", choices)
    if load == 1.0:
        raise checks.refuse("load", load, "give a load below 1")
    if choices == 1:
        return 1.0 / (1.0 - load)
    response, exponent, level = 0.0, 0, 1
    while (term := load**exponent) > 1e-18:
        response += term
        level *= choices
        exponent += level
    return response
