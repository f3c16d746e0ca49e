"""A species: one bug that people really write, as a system that has it beside the same system without it.

`mutant` and `twin` are one scenario with one field different, so the bug is that field. A species lives among
`dangers`, examples of faults whose instants and lengths a seed draws: a crash that is harmless to the twin is what the
mutant does not survive. The oracle knows nothing of species; it finds them by the promises that both scenarios state.

Follows mutation testing (DeMillo, Lipton and Sayward, Hints on Test Data Selection, 1978). Left out: bugs in
combination.
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from ... import checks
from ...errors import StateError
from ...failures import Fault, Finding, Findings, Shrunk, Verdict, check, check_faults, shrink
from ...kernel import Run, Simulation
from ..base import Scenario

MOST_DRAWS = 20
"""So many draws per fault, of which some contradict the others, before a schedule is said to be full."""

LONGEST = 3.0
"""A drawn length is exponential, but at most so many times its mean."""

MANY = 50
"""The faults of a schedule that is to be shrunk."""


def check_scenario(field: str, value: Any) -> Scenario:
    """A scenario that takes faults; for `checks.checked`."""
    if not isinstance(value, Scenario) or not hasattr(value, "faults"):
        raise checks.refuse(field, value, "give a scenario with a field faults")
    return value


@dataclass(frozen=True)
class Hunt:
    """Where a mutant was found: after `tries` seeds, at `seed`, in which `run`, and the `finding`."""

    tries: int
    seed: int
    run: Run
    finding: Finding


@checks.configuration
class Species:
    """A bug: what it gets `what` wrong, in which rule's terms, and how to see it.

    `rule` is an id of docs/rules. Runs end at `until_s` simulated seconds (None: when nothing is left to happen);
    `faults` faults, drawn from `dangers`, begin before `lasts_s`. The oracle finds the mutant within `seeds` seeds, by
    a finding of `verdict` on the promise `breaks`; if it `needs_fault`, no run without faults shows it.
    """

    name: str = checks.text()
    what: str = checks.text()
    rule: str = checks.text()
    mutant: Scenario = checks.checked(check_scenario)
    twin: Scenario = checks.checked(check_scenario)
    breaks: str = checks.text()
    verdict: Verdict = checks.word(Verdict)
    dangers: tuple[Fault, ...] = checks.checked(check_faults)
    needs_fault: bool = checks.kind(bool, "True or False", default=True)
    faults: int = checks.at_least(1, default=3)
    lasts_s: float = checks.positive(default=6.0)
    until_s: float | None = checks.optional(checks.check_positive, default=None)
    seeds: int = checks.at_least(1, default=10)

    def check(self) -> None:
        """Mutant and twin differ in one field, and state the promise that is broken."""
        if type(self.mutant) is not type(self.twin) or len(_differing(self.mutant, self.twin)) != 1:
            raise checks.refuse("Species.twin", self.twin, "give the mutant's scenario with one field different")
        stated = [promise.describe() for promise in self.mutant.promises]
        if self.breaks not in stated:
            raise checks.refuse("Species.breaks", self.breaks, f"give one of: {'; '.join(stated)}")
        if not self.dangers:
            raise checks.refuse("Species.dangers", self.dangers, "give at least one fault that may come")

    @property
    def field(self) -> str:
        """The name of the field in which the bug is."""
        return _differing(self.mutant, self.twin)[0]

    @property
    def difference(self) -> str:
        """The bug and its repair, in the words of the scenario."""
        return _told_difference(self.field, *(getattr(each, self.field) for each in (self.mutant, self.twin)))

    @property
    def promises(self) -> tuple[str, ...]:
        """What both systems promise, in words."""
        return tuple(promise.describe() for promise in self.mutant.promises)

    def schedule(self, seed: int, faults: int | None = None) -> tuple[Fault, ...]:
        """So many faults (None: the species' own number), drawn by a seed: which, when, and for how long.

        Kinds are drawn with equal chances, instants uniform before `lasts_s`, lengths exponential about those of the
        examples, cut at three times the mean. What contradicts an earlier one is drawn again. Raises `StateError` if
        there is no room for so many.
        """
        wanted = self.faults if faults is None else checks.check_whole(0)("faults", faults)
        rng = np.random.default_rng([checks.check_whole(0)("seed", seed), wanted, crc32(self.name.encode())])
        sim = Simulation(seed=0)
        self.twin.build(sim)
        drawn: list[Any] = []
        planned: list[Any] = []
        for _ in range(MOST_DRAWS * wanted):
            if len(drawn) == wanted:
                break
            fault = self._one(rng)
            plans = list(fault.plans(sim))
            if not any(plan.contradicts(other) for plan in plans for other in planned):
                drawn.append(fault)
                planned += plans
        if len(drawn) < wanted:
            raise StateError(
                f"{self.name}: {len(drawn)} faults leave no room for another one",
                field="faults",
                value=wanted,
                remedy="draw fewer",
            )
        return tuple(sorted(drawn, key=lambda fault: float(fault.at_s)))

    def _one(self, rng: np.random.Generator) -> Any:
        """One of the dangers, at a drawn instant, for a drawn time."""
        example: Any = self.dangers[int(rng.integers(len(self.dangers)))]
        length = "down_s" if hasattr(example, "down_s") else "for_s"
        mean_s = getattr(example, length)
        drawn_s = {"at_s": float(rng.uniform(0.0, self.lasts_s))}
        drawn_s[length] = float(np.clip(rng.exponential(mean_s), 1e-3, LONGEST * mean_s))
        return dataclasses.replace(example, **drawn_s)

    def broken(self, run: Run) -> Findings:
        """What the oracle finds of this bug in a run: findings of its verdict on its promise."""
        return Findings(each for each in check(run).of(self.verdict) if each.promise == self.breaks)

    def run(self, seed: int, faults: int | None = None) -> Run:
        """The mutant among drawn faults."""
        return self._run(self.mutant, seed, faults)

    def run_of_twin(self, seed: int, faults: int | None = None) -> Run:
        """The twin among the same faults."""
        return self._run(self.twin, seed, faults)

    def _run(self, scenario: Scenario, seed: int, faults: int | None) -> Run:
        return scenario.but(faults=self.schedule(seed, faults)).run(seed=seed, until_s=self.until_s)

    def hunt(self, seed: int = 0, seeds: int | None = None) -> Hunt | None:
        """Seed after seed from `seed` on until the oracle finds the mutant; None if it does not within `seeds`.

        >>> from edasim.scenarios import zoo
        >>> hunt = zoo.species("acknowledges first").hunt()
        >>> hunt.tries, hunt.finding.verdict.value
        (1, 'lost')
        """
        most = self.seeds if seeds is None else checks.check_whole(1)("seeds", seeds)
        for tries in range(1, most + 1):
            run = self.run(seed + tries - 1)
            found = self.broken(run)
            if found:
                return Hunt(tries, seed + tries - 1, run, found[0])
        return None

    def shrunk(self, seed: int = 0, faults: int = MANY) -> Shrunk:
        """What is left of a schedule of so many faults under which the mutant is found; see `failures.shrink`.

        Raises `ConfigurationError` if it is not found under them.
        """
        schedule = self.schedule(seed, faults)
        kept = [promise for promise in self.mutant.promises if promise.describe() == self.breaks]
        return shrink(self.mutant, schedule, promises=kept, verdict=self.verdict, seed=seed, until_s=self.until_s)


def _differing(one: Any, other: Any) -> list[str]:
    fields = dataclasses.fields(one)
    return [field.name for field in fields if getattr(one, field.name) != getattr(other, field.name)]


def _told_difference(name: str, bug: Any, repair: Any) -> str:
    """Two values of a field; of two configurations of one kind only what differs."""
    if type(bug) is type(repair) and dataclasses.is_dataclass(bug):
        return "; ".join(
            _told_difference(f"{name}.{field}", getattr(bug, field), getattr(repair, field))
            for field in _differing(bug, repair)
        )
    return f"{name}: {_told(bug)} instead of {_told(repair)}"


def _told(value: Any) -> str:
    """A word of an enumeration, the name of a configuration, or the value."""
    if isinstance(value, enum.Enum):
        return repr(value.value)
    return type(value).__name__ if dataclasses.is_dataclass(value) else repr(value)
