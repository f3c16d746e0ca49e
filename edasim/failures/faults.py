"""Outages: nodes that crash and come back, at stated or random times, one by one or all of a zone together.

`Crash` takes a node (or all nodes of a service) down at a stated time and back up later; `RandomCrashes` does so again
and again with exponential times between failures and for repair (facts: QT-12); `ZoneOutage` takes all nodes of a zone
at once, since correlated failures are what redundancy does not help against (RP-02). Where outages overlap, the node is
back when the last of them ends. Each injection is a fact of the run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from .. import checks
from ..kernel import Simulation, times
from ..services.node import Node, crash_together
from .plan import UP, Plan, nodes_called, spell_of, tell
from .promises import check_some_names


@checks.configuration
class Crash:
    """`node` ("mail/0", or "mail" for all nodes of that service at once) fails at `at_s` and is back `down_s` later.

    Without `down_s` it stays down until a `Restart`.
    """

    node: str = checks.text()
    at_s: float = checks.non_negative()
    down_s: float | None = checks.optional(checks.check_positive, default=None)

    def install(self, sim: Simulation) -> None:
        """Schedules the crash and the restart."""
        schedule_outage(sim, self, self.node, nodes_called(sim, self.node), self.at_s, self.down_s)

    def plans(self, sim: Simulation) -> Iterable[Plan]:
        """Down, from when to when."""
        until_s = spell_of(self.at_s, self.down_s)
        return [Plan(node.name, "down", self.at_s, until_s, self.describe()) for node in nodes_called(sim, self.node)]

    def describe(self) -> str:
        """In plain words."""
        back = "stays down" if self.down_s is None else f"is back after {self.down_s:g} s"
        return f"{self.node} crashes at {self.at_s:g} s and {back}"


@checks.configuration
class Restart:
    """`node` comes back at `at_s`; a crash must have taken it down before."""

    node: str = checks.text()
    at_s: float = checks.non_negative()

    def install(self, sim: Simulation) -> None:
        """Schedules the restart."""
        nodes = nodes_called(sim, self.node)

        def restart() -> None:
            for node in nodes:
                node.down_until_s = float(sim.env.now)
                node.restart()

        sim.at(self.at_s, restart)

    def plans(self, sim: Simulation) -> Iterable[Plan]:
        """Up, at an instant."""
        return [Plan(node.name, UP, self.at_s, self.at_s, self.describe()) for node in nodes_called(sim, self.node)]

    def describe(self) -> str:
        """In plain words."""
        return f"{self.node} restarts at {self.at_s:g} s"


@checks.configuration
class ZoneOutage:
    """All `nodes` of a zone (nodes or services, by name) fail together at `at_s` and are back `down_s` later."""

    zone: str = checks.text()
    nodes: tuple[str, ...] = checks.checked(check_some_names)
    at_s: float = checks.non_negative()
    down_s: float = checks.positive()

    def install(self, sim: Simulation) -> None:
        """Schedules the outage and its end."""
        schedule_outage(sim, self, self.zone, self._nodes(sim), self.at_s, self.down_s)

    def plans(self, sim: Simulation) -> Iterable[Plan]:
        """Down, from when to when, for every node."""
        until_s = self.at_s + self.down_s
        return [Plan(node.name, "down", self.at_s, until_s, self.describe()) for node in self._nodes(sim)]

    def _nodes(self, sim: Simulation) -> list[Any]:
        return list({node.name: node for name in self.nodes for node in nodes_called(sim, name)}.values())

    def describe(self) -> str:
        """In plain words."""
        return f"zone {self.zone} ({', '.join(self.nodes)}) fails at {self.at_s:g} s for {self.down_s:g} s"


@checks.configuration
class RandomCrashes:
    """`node` fails after exponential up times (mean `mtbf_s`), each repair takes an exponential time (mean `mttr_s`).

    After `until_s` there are no further crashes; a repair that has begun is completed. Each node draws from a stream
    of its own, so more nodes do not change the crashes of the others.
    """

    node: str = checks.text()
    mtbf_s: float = checks.positive()
    mttr_s: float = checks.positive()
    until_s: float = checks.positive()

    def install(self, sim: Simulation) -> None:
        """Schedules the first outage of each node, which schedules the next as it ends."""
        for node in nodes_called(sim, self.node):
            self._next_outage(node, self.outages(sim, node.name))

    def outages(self, sim: Simulation, node_name: str) -> Iterator[tuple[float, float]]:
        """The instants of crash and restart, in seconds, one outage after the other."""
        up_s = times.Exponential(mean_s=self.mtbf_s).draws(sim.streams.generator(f"fault/{node_name}/up"))
        down_s = times.Exponential(mean_s=self.mttr_s).draws(sim.streams.generator(f"fault/{node_name}/down"))
        now_s = up_s()
        while now_s < self.until_s:
            back_s = now_s + down_s()
            yield now_s, back_s
            now_s = back_s + up_s()

    def _next_outage(self, node: Any, outages: Iterator[tuple[float, float]]) -> None:
        outage = next(outages, None)
        if outage is None:
            return
        crash_s, back_s = outage

        def begin() -> None:
            words = f"{node.name} crashes at {crash_s:g} s and is back after {back_s - crash_s:g} s"
            tell(node.sim, self, node.name, [node.name], back_s, words)
            take_down([node], back_s)

        def end() -> None:
            bring_back(node)
            self._next_outage(node, outages)

        node.sim.at(crash_s, begin)
        node.sim.at(back_s, end)

    def describe(self) -> str:
        """In plain words."""
        return (
            f"{self.node} crashes every {self.mtbf_s:g} s on average, for {self.mttr_s:g} s, until {self.until_s:g} s"
        )


def schedule_outage(
    sim: Simulation, fault: Any, target: str, nodes: Sequence[Any], at_s: float, down_s: float | None
) -> None:
    """All these nodes fail together at `at_s`, and are back `down_s` later (None: somebody restarts them)."""
    back_s = spell_of(at_s, down_s)

    def begin() -> None:
        tell(sim, fault, target, [node.name for node in nodes], back_s)
        take_down(nodes, back_s)

    sim.at(at_s, begin)
    if math.isfinite(back_s):
        for node in nodes:
            sim.at(back_s, partial(bring_back, node))


def take_down(nodes: Sequence[Any], back_s: float) -> None:
    """All these nodes fail now, and no fault brings them back before `back_s` seconds."""
    for node in nodes:
        node.down_until_s = max(node.down_until_s, back_s)
    crash_together([node for node in nodes if isinstance(node, Node)])
    for node in nodes:
        if not isinstance(node, Node):
            node.crash()


def bring_back(node: Any) -> None:
    """The node restarts, unless another fault holds it down for longer."""
    if float(node.sim.env.now) >= node.down_until_s:
        node.restart()
