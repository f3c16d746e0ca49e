"""Faults on a condition: "when the third message is acknowledged", "when a leader is elected".

`When` waits for a step of a handler (receive, write, publish, acknowledge), `WhenFact` for a fact of the run; then the
fault is carried out with its own `at_s` counted from that instant. Left out: conditions on stores; watch them yourself
with a SimPy process.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import Any

from .. import checks
from ..errors import ConfigurationError
from ..kernel import Simulation
from .plan import Fault, check_fault, nodes_called


class StepKind(enum.Enum):
    """What a handler does, step by step."""

    RECEIVE = "receive"
    WRITE = "write"
    """It appends a fact, which it does when it has written something."""
    PUBLISH = "publish"
    ACKNOWLEDGE = "acknowledge"


Listener = Callable[[Any, str, str], bool]
"""Called with the node, the kind and the name of a step; True if it has crashed the node."""


def check_movable(field: str, value: Any) -> Fault:
    """A fault that has an instant; for `checks.checked`."""
    fault = check_fault(field, value)
    if not hasattr(fault, "at_s"):
        raise checks.refuse(field, value, "give a fault that has at_s, such as Crash(node='mail', at_s=0.0)")
    return fault


@checks.configuration
class When:
    """`then` happens when the service `of` does its `nth` step of a kind (of the name `what`, if given).

    The step's name is the type of the event or the kind of the fact. The `at_s` of `then` counts from there.

    >>> from edasim.failures import Crash
    >>> When(step="acknowledge", of="mail", nth=3, then=Crash(node="mail", at_s=0.0, down_s=2.0)).describe()
    'when mail does acknowledge number 3: mail crashes at 0 s and is back after 2 s'
    """

    step: StepKind = checks.word(StepKind)
    of: str = checks.text()
    nth: int = checks.at_least(1, default=1)
    what: str | None = checks.optional(checks.check_text, default=None)
    then: Fault = checks.checked(check_movable)

    def install(self, sim: Simulation) -> None:
        """Listens to the steps of the service, which must have a handler."""
        nodes = nodes_called(sim, self.of)
        if all(getattr(node.service, "handler", None) is None for node in nodes):
            raise ConfigurationError(
                f"{self.of} has no handler, so it does no steps",
                field="of",
                value=self.of,
                remedy="name a service with a handler",
            )
        _try_out(sim, self.then)
        seen = 0

        def listen(node: Any, kind: str, name: str) -> bool:
            nonlocal seen
            if kind == self.step.value and node in nodes and self.what in (None, name):
                seen += 1
                if seen == self.nth:
                    carry_out(sim, self.then)
            return False

        listen_to_steps(sim, listen)

    def describe(self) -> str:
        """In plain words."""
        name = "" if self.what is None else f" ({self.what})"
        return f"when {self.of} does {self.step.value}{name} number {self.nth}: {self.then.describe()}"


@checks.configuration
class WhenFact:
    """`then` happens at the `nth` fact of a `kind` (about `subject`, if given); its `at_s` counts from there."""

    kind: str = checks.text()
    subject: str | None = checks.optional(checks.check_text, default=None)
    nth: int = checks.at_least(1, default=1)
    then: Fault = checks.checked(check_movable)

    def install(self, sim: Simulation) -> None:
        """Listens to the facts of the run."""
        _try_out(sim, self.then)
        append, seen = sim.log.fact, 0

        def fact(time_s: float, kind: str, subject: str, /, **detail: Any) -> None:
            nonlocal seen
            append(time_s, kind, subject, **detail)
            if kind == self.kind and self.subject in (None, subject):
                seen += 1
                if seen == self.nth:
                    carry_out(sim, self.then)

        sim.log.fact = fact  # type: ignore[method-assign]

    def describe(self) -> str:
        """In plain words."""
        about = "" if self.subject is None else f" about {self.subject}"
        return f"at {self.kind}{about} number {self.nth}: {self.then.describe()}"


def carry_out(sim: Simulation, fault: Any) -> None:
    """The fault happens, with its times counted from now."""
    dataclasses.replace(fault, at_s=float(sim.env.now) + fault.at_s).install(sim)


def listen_to_steps(sim: Simulation, listener: Listener) -> None:
    """Tells `listener` all steps of handlers, beside those who listen already."""
    before = sim.on_step

    def both(node: Any, kind: str, what: str) -> bool:
        crashed = before is not None and before(node, kind, what)
        return listener(node, kind, what) or crashed

    sim.on_step = listener if before is None else both


def _try_out(sim: Simulation, fault: Any) -> None:
    """Raises before the run what the fault would raise when it is carried out, as for a node that does not exist."""
    plans = getattr(fault, "plans", None)
    if plans is not None:
        plans(sim)
