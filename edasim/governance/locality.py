"""Locality: calls stay in the caller's zone while enough of it is healthy, and spill over to the others by degrees.

Follows: Envoy, priority levels, overprovisioning factor and panic threshold (GV-06, GV-05), with the caller's zone as
level 0 and all others as level 1. A level's health is the healthy share times `overprovisioning`, at most 100 %;
level 0 takes its health's percentage of the calls, level 1 the rest. Only if both together are below 100 % does the
panic threshold count.

Left out: more than two levels, degraded endpoints, and shares by the callers' numbers in each zone (zone-aware
routing).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from .. import checks
from .balancing import Balancer, Balancing, Draw, PowerOfChoices, Random, RoundRobin
from .endpoints import Endpoint, check_endpoints, in_panic


def level_percents(health: tuple[int, int]) -> tuple[int, int]:
    """The whole percentages of the calls that go to level 0 and level 1, from the levels' health in percent.

    >>> level_percents((70, 100)), level_percents((35, 35)), level_percents((0, 0))
    ((70, 30), (50, 50), (100, 0))
    """
    total = min(100, sum(health))
    if total == 0:
        return 100, 0
    first = min(100, health[0] * 100 // total)
    return first, 100 - first


def check_inside(field: str, value: Any) -> Any:
    """A policy for the endpoints of one level; for `checks.checked`."""
    if not isinstance(value, Random | RoundRobin | PowerOfChoices):
        raise checks.refuse(field, value, "give a Random(), RoundRobin() or PowerOfChoices()")
    return value


@checks.configuration
class ByLocality(Balancing):
    """`zone` first; `inside` says how the endpoints of a level share its calls.

    >>> near = [Endpoint(name="a", zone="here"), Endpoint(name="b", zone="here", healthy=False)]
    >>> balancer = ByLocality(zone="here").start([*near, Endpoint(name="c", zone="there")], lambda: 0.69)
    >>> balancer.percents, balancer.pick()
    ((70, 30), 'a')
    """

    zone: str = checks.text()
    overprovisioning: float = checks.positive(default=1.4)
    inside: Random | RoundRobin | PowerOfChoices = checks.checked(check_inside, default=RoundRobin())

    def check(self) -> None:
        """A factor below 1 would send calls away from a healthy zone."""
        if self.overprovisioning < 1.0:
            raise checks.refuse("ByLocality.overprovisioning", self.overprovisioning, "give at least 1")

    def start(self, endpoints: Iterable[Endpoint | str], draw: Draw) -> Levels:
        """Over these endpoints, with numbers from `draw`."""
        return Levels(self, endpoints, draw)


class Levels(Balancer):
    """Two balancers, and the percentages of the calls that go to each."""

    percents: tuple[int, int]

    def __init__(self, configuration: ByLocality, endpoints: Iterable[Endpoint | str], draw: Draw) -> None:
        self.configuration = configuration
        inside = dataclasses.replace(configuration.inside, panic_ratio=0.0)
        self.levels = (inside.start((), draw), inside.start((), draw))
        super().__init__(endpoints, configuration.panic_ratio, draw)

    def update(self, endpoints: Iterable[Endpoint | str]) -> None:
        """Takes a new list of endpoints, and computes which level takes how much."""
        found = check_endpoints("endpoints", endpoints)
        settings = self.configuration
        sides = (
            [endpoint for endpoint in found if endpoint.zone == settings.zone],
            [endpoint for endpoint in found if endpoint.zone != settings.zone],
        )
        health = (self._health(sides[0]), self._health(sides[1]))
        self.percents = level_percents(health) if all(sides) else (100, 0) if sides[0] else (0, 100)
        for level, side in zip(self.levels, sides, strict=True):
            panic = sum(health) < 100 and in_panic(side, self.panic_ratio)
            level.update([Endpoint(name=e.name, weight=e.weight, zone=e.zone) for e in side if panic or e.healthy])
        super().update(found)

    def _health(self, side: list[Endpoint]) -> int:
        healthy = sum(endpoint.healthy for endpoint in side)
        return min(100, round(self.configuration.overprovisioning * 100) * healthy // len(side)) if side else 0

    def pick(self, key: str | None = None) -> str | None:
        """An endpoint of the level that is drawn by the percentages."""
        return self.levels[0 if int(self.draw() * 100) < self.percents[0] else 1].pick(key)

    def begin(self, name: str) -> None:
        """A call to `name` begins."""
        super().begin(name)
        for level in self.levels:
            level.begin(name)

    def end(self, name: str) -> None:
        """A call to `name` ended."""
        super().end(name)
        for level in self.levels:
            level.end(name)
