"""Faults: planned disturbances of nodes, as frozen descriptions that a simulation carries out.

`Crash` takes a node (or all nodes of a service) down at a stated time and back up later; `RandomCrashes` does so again
and again with exponential times between failures and for repair (facts: QT-12). Where outages overlap, the node is back
when the last of them ends. Left out so far: slow, paused and partitioned nodes, brokers and clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from .. import checks
from ..errors import UnknownNameError
from ..kernel import Simulation, times
from ..services.node import Node, crash_together


class Fault(Protocol):
    """A planned disturbance."""

    def install(self, sim: Simulation) -> None:
        """Schedules it in a simulation whose nodes exist."""

    def describe(self) -> str:
        """In plain words."""


def check_faults(field: str, value: Any) -> tuple[Fault, ...]:
    """Any number of faults, kept as a tuple; for `checks.checked`."""
    if not isinstance(value, list | tuple) or not all(map(_is_fault, value)):
        raise checks.refuse(field, value, "give a list of faults, such as Crash(node='mail', at_s=5.0, down_s=2.0)")
    return tuple(value)


def _is_fault(value: Any) -> bool:
    return hasattr(value, "install") and not isinstance(value, type)


@checks.configuration
class Crash:
    """`node` ("mail/0", or "mail" for all nodes of that service at once) fails at `at_s` and is back `down_s` later."""

    node: str = checks.text()
    at_s: float = checks.non_negative()
    down_s: float = checks.positive()

    def install(self, sim: Simulation) -> None:
        """Schedules the crash and the restart."""
        nodes = nodes_called(sim, self.node)
        back_s = self.at_s + self.down_s
        sim.at(self.at_s, partial(take_down, nodes, back_s))
        for node in nodes:
            sim.at(back_s, partial(bring_back, node))

    def describe(self) -> str:
        """In plain words."""
        return f"{self.node} crashes at {self.at_s:g} s and is back after {self.down_s:g} s"


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
            _next_outage(node, self.outages(sim, node.name))

    def outages(self, sim: Simulation, node_name: str) -> Iterator[tuple[float, float]]:
        """The instants of crash and restart, in seconds, one outage after the other."""
        up_s = times.Exponential(mean_s=self.mtbf_s).draws(sim.streams.generator(f"fault/{node_name}/up"))
        down_s = times.Exponential(mean_s=self.mttr_s).draws(sim.streams.generator(f"fault/{node_name}/down"))
        now_s = up_s()
        while now_s < self.until_s:
            back_s = now_s + down_s()
            yield now_s, back_s
            now_s = back_s + up_s()

    def describe(self) -> str:
        """In plain words."""
        return (
            f"{self.node} crashes every {self.mtbf_s:g} s on average, for {self.mttr_s:g} s, until {self.until_s:g} s"
        )


def take_down(nodes: Sequence[Node], back_s: float) -> None:
    """All these nodes fail now, and no fault brings them back before `back_s` seconds."""
    for node in nodes:
        node.down_until_s = max(node.down_until_s, back_s)
    crash_together(nodes)


def bring_back(node: Node) -> None:
    """The node restarts, unless another fault holds it down for longer."""
    if float(node.sim.env.now) >= node.down_until_s:
        node.restart()


def _next_outage(node: Node, outages: Iterator[tuple[float, float]]) -> None:
    outage = next(outages, None)
    if outage is None:
        return
    crash_s, back_s = outage

    def end() -> None:
        bring_back(node)
        _next_outage(node, outages)

    node.sim.at(crash_s, partial(take_down, [node], back_s))
    node.sim.at(back_s, end)


def nodes_called(sim: Simulation, name: str) -> list[Node]:
    """The node of that name, or all nodes of the service of that name; `UnknownNameError` if there is neither."""
    if name in sim.nodes:
        return [sim.nodes[name]]
    nodes = [node for node in sim.nodes.values() if node.service.name == name]
    if not nodes:
        services = dict.fromkeys(node.service.name for node in sim.nodes.values())
        raise UnknownNameError("node or service", name, [*services, *sim.nodes])
    return nodes
