"""Nodes that work, but not well: paused, slow, with a wrong clock, or with little memory.

A pause is what a long garbage collection or a stopped virtual machine does: nothing happens, nothing is lost, and the
node does not know that time went by. A slow node is a gray failure (RP-04): it answers its probe and keeps its callers
waiting. A wrong clock matters only to code that asks it. Left out: heartbeats that stop by themselves in a pause; say
after how long a broker gives the node up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from .. import checks
from ..errors import ConfigurationError
from ..kernel import Simulation
from .plan import Plan, nodes_called, spell_of, tell, told_spell


def _any_number(field: str, value: Any) -> float:
    return checks.number(field, value, low=-math.inf, open_low=True, what="a finite number")


@checks.configuration
class Pause:
    """`node` (or all nodes of a service) stands still from `at_s` on for `for_s` seconds, and then goes on.

    A broker that hears nothing of it for `given_up_after_s` (None: that never happens) takes back what it held and
    gives it to others. When it goes on, a generator handler finishes what it had begun, as if nobody else had (a
    zombie).
    """

    node: str = checks.text()
    at_s: float = checks.non_negative()
    for_s: float = checks.positive()
    given_up_after_s: float | None = checks.optional(checks.check_positive, default=None)

    def install(self, sim: Simulation) -> None:
        """Schedules begin and end."""

        def go_on(node: Any) -> None:
            node.resume()
            node.reconnect()

        schedule(sim, self, lambda node: node.pause(), go_on, needs="pause")
        if self.given_up_after_s is not None and self.given_up_after_s < self.for_s:
            for node in nodes_called(sim, self.node):
                sim.at(self.at_s + self.given_up_after_s, node.cut_off)

    def plans(self, sim: Simulation) -> Iterable[Plan]:
        """Paused, from when to when."""
        return plans_of(sim, self, "paused")

    def describe(self) -> str:
        """In plain words."""
        return f"{self.node} stands still {told_spell(self.at_s, self.for_s)}"


@checks.configuration
class Slow:
    """What `node` does takes `factor` times as long from `at_s` on, for `for_s` seconds (None: to the end)."""

    node: str = checks.text()
    factor: float = checks.positive()
    at_s: float = checks.non_negative(default=0.0)
    for_s: float | None = checks.optional(checks.check_positive, default=None)

    def install(self, sim: Simulation) -> None:
        """Schedules begin and end."""
        schedule(sim, self, lambda node: node.slow(self.factor), lambda node: node.slow(1.0), needs="slow")

    def plans(self, sim: Simulation) -> Iterable[Plan]:
        """Slow, from when to when."""
        return plans_of(sim, self, "slow")

    def describe(self) -> str:
        """In plain words."""
        return f"{self.node} takes {self.factor:g} times as long {told_spell(self.at_s, self.for_s)}"


@checks.configuration
class WrongClock:
    """The clock of `node` is `offset_s` ahead (negative: behind) from `at_s` on, and gains `drift_ratio` s per second.

    After `for_s` seconds (None: never) it is set right.
    """

    node: str = checks.text()
    offset_s: float = checks.checked(_any_number, default=0.0)
    drift_ratio: float = checks.checked(_any_number, default=0.0)
    at_s: float = checks.non_negative(default=0.0)
    for_s: float | None = checks.optional(checks.check_positive, default=None)

    def install(self, sim: Simulation) -> None:
        """Schedules begin and end."""
        schedule(
            sim,
            self,
            lambda node: node.set_clock(self.offset_s, self.drift_ratio),
            lambda node: node.set_clock(0.0),
            needs="set_clock",
        )

    def plans(self, sim: Simulation) -> Iterable[Plan]:
        """A wrong clock, from when to when."""
        return plans_of(sim, self, "wrong clock")

    def describe(self) -> str:
        """In plain words."""
        drift = f" and gains {self.drift_ratio:g} s per second" if self.drift_ratio else ""
        return f"the clock of {self.node} is {self.offset_s:+g} s off{drift} {told_spell(self.at_s, self.for_s)}"


@checks.configuration
class MemoryLimit:
    """`node` is killed when its handlers remember (`context.remember`) more than `limit_bytes`, from `at_s` on.

    It is back `down_s` later with empty memory. After `for_s` seconds (None: never) there is no limit any more.
    """

    node: str = checks.text()
    limit_bytes: int = checks.at_least(1)
    down_s: float = checks.positive()
    at_s: float = checks.non_negative(default=0.0)
    for_s: float | None = checks.optional(checks.check_positive, default=None)

    def install(self, sim: Simulation) -> None:
        """Schedules begin and end."""

        def begin(node: Any) -> None:
            node.limit_bytes, node.back_after_s = self.limit_bytes, self.down_s
            node.hold(0)

        def end(node: Any) -> None:
            node.limit_bytes = None

        schedule(sim, self, begin, end, needs="hold")

    def plans(self, sim: Simulation) -> Iterable[Plan]:
        """A limit, from when to when."""
        return plans_of(sim, self, "memory limit")

    def describe(self) -> str:
        """In plain words."""
        when = told_spell(self.at_s, self.for_s)
        return f"{self.node} is killed at more than {self.limit_bytes:,} bytes {when}, and back {self.down_s:g} s later"


def plans_of(sim: Simulation, fault: Any, what: str) -> list[Plan]:
    """A plan per node of a fault that has `node`, `at_s` and `for_s`."""
    until_s = spell_of(fault.at_s, fault.for_s)
    return [Plan(node.name, what, fault.at_s, until_s, fault.describe()) for node in nodes_called(sim, fault.node)]


def schedule(
    sim: Simulation, fault: Any, begin: Callable[[Any], None], end: Callable[[Any], None], *, needs: str
) -> None:
    """Begins and ends a fault that has `node`, `at_s` and `for_s`, on each of its nodes."""
    nodes = nodes_called(sim, fault.node)
    unable = [node.name for node in nodes if not hasattr(node, needs)]
    if unable:
        raise ConfigurationError(
            f"{type(fault).__name__} does not fit {unable[0]}, an instance of a server",
            field="node",
            value=fault.node,
            remedy="name a node of a service",
        )
    until_s = spell_of(fault.at_s, fault.for_s)

    def begins() -> None:
        tell(sim, fault, fault.node, [node.name for node in nodes], until_s)
        for node in nodes:
            begin(node)

    def ends() -> None:
        for node in nodes:
            end(node)

    sim.at(fault.at_s, begins)
    if math.isfinite(until_s):
        sim.at(until_s, ends)
