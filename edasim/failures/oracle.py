"""The oracle: holds a run to its promises and tells where it broke them.

It reads the log and nothing else, so it can judge any run, whoever built it; and it takes time that grows with the log
only. Follows the idea of Jepsen's checkers: a history in, a verdict out. Left out: repair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import checks
from ..errors import ConfigurationError
from ..kernel import LogLevel, Run, Simulation
from .books import Books
from .findings import Findings
from .promises import Promise, System, check_promises


def check(run: Run, promises: Sequence[Promise] | None = None) -> Findings:
    """Where a run broke its promises; those of its scenario, if none are given.

    Raises `ConfigurationError` if there are none or this is no run, `UnknownNameError` for a service that did not take
    part, `StateError` if the log kept only a part of its rows.

    >>> from edasim import scenarios
    >>> from edasim.failures import at_least_once, order_by
    >>> calm = scenarios.Registration(users=3, spam_ratio=0.0).run(seed=1)
    >>> print(check(calm, [at_least_once(to="mail"), order_by("user_id", at="mail")]))
    every promise was kept
    """
    if not isinstance(run, Run):
        raise checks.refuse("run", run, "give a run, such as scenario.run(seed=1)")
    stated = check_promises("promises", getattr(run.scenario, "promises", ()) if promises is None else promises)
    if not stated:
        raise ConfigurationError(
            "there is no promise to hold the run to",
            field="promises",
            value=promises,
            remedy="give promises, such as [at_least_once(to='mail')], or let the scenario state them",
        )
    books = Books(run)
    system = System(books.services, _receives(getattr(run.scenario, "topology", None)), run.until_s)
    for promise in stated:
        promise.require_checkable(system)
    return Findings(finding for promise in stated for finding in promise.broken(books))


def require_checkable(
    sim: Simulation, promises: Iterable[Promise], until_s: float | None = None, topology: Any = None
) -> None:
    """Raises before a run if a promise could never be checked in it: an error that names what is wrong."""
    stated = check_promises("promises", tuple(promises))
    if stated and sim.log.level is not LogLevel.FULL:
        return
    groups = [lane.group for lane in sim.log.lanes if lane.group]
    services = tuple(dict.fromkeys([*(name for name, _ in sim.log.slots.values()), *groups]))
    system = System(services, _receives(topology), until_s)
    for promise in stated:
        promise.require_checkable(system)


def _receives(topology: Any) -> dict[str, tuple[str, ...]] | None:
    consumes = getattr(topology, "consumes", None)
    return None if consumes is None else dict(consumes)
