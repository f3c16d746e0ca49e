"""Faults of what is no node: brokers, stores, and servers that others depend on.

`BrokerCrash` and `BrokerCutOff` use what each broker can: a node of a Kafka cluster by its number, the one server of
the others; what is lost and what survives is the broker's own rule. `StoreFull` lets every write to a store fail;
`ServerErrors` lets a server answer with errors. For a slow server use `Slow` on it. Left out: a broker that is slow or
paused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from .. import checks
from ..errors import CapabilityError, ConfigurationError
from ..kernel import Simulation
from .plan import Plan, nodes_called, part_called, spell_of, tell, told_spell


@checks.configuration
class BrokerCrash:
    """The broker (`number`: that node of its cluster) fails at `at_s` and is back `down_s` later.

    `broker` is the broker's name; left out, it is the only broker that there is.
    """

    at_s: float = checks.non_negative()
    down_s: float = checks.positive()
    broker: str | None = checks.optional(checks.check_text, default=None)
    number: int | None = checks.optional(checks.check_whole(0), default=None)

    def install(self, sim: Simulation) -> None:
        """Schedules crash and restart."""
        name, running = broker_called(sim, self.broker)
        down, up = _switches(name, running, self.number, ("crash_broker", "restart_broker"), DOWN, UP)
        _schedule(sim, self, name, self.number, down, up, self.down_s)

    def plans(self, sim: Simulation) -> Iterable[Plan]:
        """Down, from when to when."""
        target = _target(broker_called(sim, self.broker)[0], self.number)
        return [Plan(target, "broker down", self.at_s, self.at_s + self.down_s, self.describe())]

    def describe(self) -> str:
        """In plain words."""
        return f"{_target(self.broker or 'the broker', self.number)} crashes {told_spell(self.at_s, self.down_s)}"


@checks.configuration
class BrokerCutOff:
    """Node `number` of a cluster stays up from `at_s` on, but hears nothing from its leaders for `for_s` seconds."""

    number: int = checks.at_least(0)
    at_s: float = checks.non_negative()
    for_s: float = checks.positive()
    broker: str | None = checks.optional(checks.check_text, default=None)

    def install(self, sim: Simulation) -> None:
        """Schedules begin and end."""
        name, running = broker_called(sim, self.broker)
        cut, heal = _switches(name, running, self.number, ("cut_off_broker", "reconnect_broker"), (), ())
        _schedule(sim, self, name, self.number, cut, heal, self.for_s)

    def plans(self, sim: Simulation) -> Iterable[Plan]:
        """Cut off, from when to when."""
        target = _target(broker_called(sim, self.broker)[0], self.number)
        return [Plan(target, "cut off", self.at_s, self.at_s + self.for_s, self.describe())]

    def describe(self) -> str:
        """In plain words."""
        return f"{_target(self.broker or 'the broker', self.number)} is cut off {told_spell(self.at_s, self.for_s)}"


@checks.configuration
class StoreFull:
    """Every write to `store` fails from `at_s` on, for `for_s` seconds (None: to the end): its disk is full."""

    store: str = checks.text()
    at_s: float = checks.non_negative()
    for_s: float | None = checks.optional(checks.check_positive, default=None)

    def install(self, sim: Simulation) -> None:
        """Schedules begin and end."""
        store = part_called(sim, "store", self.store)
        if not hasattr(store, "full"):
            raise _unfit(self, "store", self.store, "a store, such as 'mail folder'")

        def fill(full: bool) -> None:
            store.full = full

        _between(sim, self, self.store, lambda: fill(True), lambda: fill(False), self.for_s)

    def plans(self, sim: Simulation) -> Iterable[Plan]:
        """Full, from when to when."""
        return [Plan(self.store, "full", self.at_s, spell_of(self.at_s, self.for_s), self.describe())]

    def describe(self) -> str:
        """In plain words."""
        return f"{self.store} is full {told_spell(self.at_s, self.for_s)}"


@checks.configuration
class ServerErrors:
    """A share of `error_ratio` of what `server` answers is errors, from `at_s` on for `for_s` s (None: to the end)."""

    server: str = checks.text()
    error_ratio: float = checks.ratio(default=1.0)
    at_s: float = checks.non_negative(default=0.0)
    for_s: float | None = checks.optional(checks.check_positive, default=None)

    def install(self, sim: Simulation) -> None:
        """Schedules begin and end."""
        server = nodes_called(sim, self.server)[0].service
        if not hasattr(server, "error_ratio"):
            raise _unfit(self, "server", self.server, "a server that answers calls")
        before = server.error_ratio

        def answer(error_ratio: float) -> None:
            server.error_ratio = error_ratio

        _between(sim, self, self.server, lambda: answer(self.error_ratio), lambda: answer(before), self.for_s)

    def plans(self, sim: Simulation) -> Iterable[Plan]:
        """Failing, from when to when."""
        return [Plan(self.server, "errors", self.at_s, spell_of(self.at_s, self.for_s), self.describe())]

    def describe(self) -> str:
        """In plain words."""
        when = told_spell(self.at_s, self.for_s)
        return f"{self.error_ratio:.0%} of the answers of {self.server} are errors {when}"


DOWN, UP = ("crash", "kill"), ("restart", "start_again")
"""By which names brokers of one node call it."""


def broker_called(sim: Simulation, name: str | None) -> tuple[str, Any]:
    """The broker of that name, or the only one; with its name."""
    if name is not None:
        return name, part_called(sim, "broker", name)
    running = [(each, part) for each, part in sim.parts.items() if hasattr(part, "capabilities")]
    if len(running) != 1:
        raise ConfigurationError(
            f"there are {len(running)} brokers",
            field="broker",
            value=None,
            remedy=f"name one of: {', '.join(each for each, _ in running) or 'none is running'}",
        )
    return running[0]


def _switches(
    name: str, running: Any, number: int | None, of_cluster: tuple[str, str], down: tuple[str, ...], up: tuple[str, ...]
) -> tuple[Callable[[], None], Callable[[], None]]:
    """How to break a broker and how to mend it; `CapabilityError` if it cannot."""
    begin, end = (getattr(running, each, None) for each in of_cluster)
    if begin is not None and end is not None:
        node = 0 if number is None else checks.check_whole(0, running.configuration.brokers - 1)("number", number)
        return lambda: begin(node), lambda: end(node)
    begins = [getattr(running, each) for each in down if hasattr(running, each)]
    ends = [getattr(running, each) for each in up if hasattr(running, each)]
    if not begins or not ends or number is not None:
        node_word = "" if number is None else f"node {number} of "
        raise CapabilityError(
            f"{node_word}{name} cannot break in this way",
            field="broker",
            value=name,
            remedy="choose a broker that is modelled with it",
        )
    return begins[0], ends[0]


def _target(broker: str, number: int | None) -> str:
    return broker if number is None else f"node {number} of {broker}"


def _schedule(
    sim: Simulation,
    fault: Any,
    name: str,
    number: int | None,
    begin: Callable[[], None],
    end: Callable[[], None],
    for_s: float,
) -> None:
    touches = [name] if number is None else [name, f"broker {number}"]

    def begins() -> None:
        tell(sim, fault, name, touches, fault.at_s + for_s)
        begin()

    sim.at(fault.at_s, begins)
    sim.at(fault.at_s + for_s, end)


def _between(
    sim: Simulation, fault: Any, target: str, begin: Callable[[], None], end: Callable[[], None], for_s: float | None
) -> None:
    until_s = spell_of(fault.at_s, for_s)

    def begins() -> None:
        tell(sim, fault, target, [target], until_s)
        begin()

    sim.at(fault.at_s, begins)
    if math.isfinite(until_s):
        sim.at(until_s, end)


def _unfit(fault: Any, field: str, value: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{type(fault).__name__} does not fit {value!r}", field=field, value=value, remedy=f"name {what}"
    )
