"""Plans: what a schedule of faults is going to do, so that it can be refused before the run.

A plan is one spell of one disturbance on one target. Two plans contradict each other if they need the same target in
two states at once (down and paused, slow in two ways). Outages of one node may overlap: it is back when the last ends.
Left out: random faults and faults on a condition; nobody knows their instants before the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from ..kernel import Simulation
from .blame import FAULT


class Fault(Protocol):
    """A planned disturbance."""

    def install(self, sim: Simulation) -> None:
        """Schedules it in a simulation whose nodes exist."""

    def describe(self) -> str:
        """In plain words."""


@dataclass(frozen=True)
class Plan:
    """A disturbance (`what`) of `target` from `from_s` up to `until_s` seconds (inf: for good)."""

    target: str
    what: str
    from_s: float
    until_s: float
    words: str

    def contradicts(self, other: Plan) -> bool:
        """Whether both need the same target at the same time, in different states."""
        if self.target != other.target or self.from_s >= other.until_s or other.from_s >= self.until_s:
            return False
        together = {self.what, other.what}
        return self.what == other.what != "down" or together in ({"down", "paused"}, {"down", "cut off"})


UP = "up"
"""What a restart needs its target not to be."""


def check_faults(field: str, value: Any) -> tuple[Fault, ...]:
    """Any number of faults, kept as a tuple; for `checks.checked`."""
    if not isinstance(value, list | tuple) or not all(map(_is_fault, value)):
        raise checks.refuse(field, value, "give a list of faults, such as Crash(node='mail', at_s=5.0, down_s=2.0)")
    return tuple(value)


def check_fault(field: str, value: Any) -> Fault:
    """One fault; for `checks.checked`."""
    return check_faults(field, [value])[0]


def _is_fault(value: Any) -> bool:
    return hasattr(value, "install") and not isinstance(value, type)


def install(sim: Simulation, faults: Iterable[Fault], until_s: float | None = None) -> None:
    """Schedules faults in a simulation whose brokers, services and links exist.

    Raises before anything is scheduled what `require_possible` raises, if the run's end is given or not.
    """
    checked = check_faults("faults", list(faults))
    require_possible(sim, checked, until_s)
    for fault in checked:
        fault.install(sim)


def require_possible(sim: Simulation, faults: Sequence[Fault], until_s: float | None = None) -> None:
    """Raises a `ConfigurationError` if the schedule contradicts itself or goes beyond the end of the run."""
    plans = [plan for fault in faults for plan in _plans(fault, sim)]
    for plan in plans:
        if until_s is not None and plan.from_s >= until_s:
            raise ConfigurationError(
                f"{plan.words}: that is not before the end of the run, {until_s:g} s",
                field="at_s",
                value=plan.from_s,
                remedy="let it happen earlier, or run for longer",
            )
        if plan.what == UP and not any(_down_at(other, plan, plans) for other in plans):
            raise ConfigurationError(
                f"{plan.words}, but it is not down at that time",
                field="at_s",
                value=plan.from_s,
                remedy="crash it before, or take the restart out",
            )
    _refuse_contradictions(plans)


def _refuse_contradictions(plans: list[Plan]) -> None:
    by_target: dict[str, list[Plan]] = {}
    for plan in plans:
        by_target.setdefault(plan.target, []).append(plan)
    for mine in by_target.values():
        for place, plan in enumerate(mine):
            clash = next((other for other in mine[:place] if plan.contradicts(other)), None)
            if clash is not None:
                raise ConfigurationError(
                    f"two faults contradict each other on {plan.target}: {clash.words}; {plan.words}",
                    field="faults",
                    value=plan.words,
                    remedy="let one end before the other begins",
                )


def _down_at(other: Plan, restart: Plan, plans: Sequence[Plan]) -> bool:
    """Whether `other` keeps the target down until `restart`, and no earlier restart has ended that already."""
    if other.what != "down" or other.target != restart.target or not other.from_s < restart.from_s <= other.until_s:
        return False
    return not any(
        one.what == UP and one.target == restart.target and other.from_s < one.from_s < restart.from_s for one in plans
    )


def _plans(fault: Fault, sim: Simulation) -> Iterable[Plan]:
    plans: Callable[[Simulation], Iterable[Plan]] | None = getattr(fault, "plans", None)
    return () if plans is None else plans(sim)


def spell_of(at_s: float, for_s: float | None) -> float:
    """The end of a spell in seconds; inf if it has none."""
    return math.inf if for_s is None else at_s + for_s


def told_spell(at_s: float, for_s: float | None) -> str:
    """When, in words."""
    return f"at {at_s:g} s" if for_s is None else f"at {at_s:g} s for {for_s:g} s"


def tell(sim: Simulation, fault: Any, target: str, touches: Iterable[str], until_s: float, words: str = "") -> None:
    """Appends the fact that a fault begins now."""
    sim.log.fact(
        float(sim.env.now),
        FAULT,
        target,
        fault=type(fault).__name__,
        words=words or fault.describe(),
        touches=list(touches),
        until_s=None if math.isinf(until_s) else until_s,
    )


def nodes_called(sim: Simulation, name: str) -> list[Any]:
    """The node of that name, or all nodes of the service of that name; `UnknownNameError` if there is neither."""
    if name in sim.nodes:
        return [sim.nodes[name]]
    nodes = [node for node in sim.nodes.values() if node.service.name == name]
    if not nodes:
        services = dict.fromkeys(node.service.name for node in sim.nodes.values())
        raise UnknownNameError("node or service", name, [*services, *sim.nodes])
    return nodes


def part_called(sim: Simulation, kind: str, name: str) -> Any:
    """The broker, store or link of that name; `UnknownNameError` if there is none."""
    if name not in sim.parts:
        raise UnknownNameError(kind, name, sim.parts)
    return sim.parts[name]
