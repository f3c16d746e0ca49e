"""The crash-point matrix: every node crashes once at every step of one story, and the oracle says what came of it.

The steps are noted in a run without a crash; then the run is repeated once per step, with the same seed and a crash
right after that step. Pairs of crashes are tried on request. Follows the idea of systematic fault injection (every step
once, not steps by chance) as in FoundationDB's simulation and crash-consistency checkers. The judge is `check` with the
scenario's promises, so a matrix is as good as the promises are.

Runs are independent: `apply` may be any function like `map`, such as a pool's. Left out: crashes in the middle of
another node's recovery, beyond pairs.
"""

from __future__ import annotations

import enum
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from ..kernel import Simulation
from .findings import Findings
from .oracle import check, require_checkable
from .promises import Promise, check_promises
from .steps import CrashPoint, crash_at, note_steps, of_broker

if TYPE_CHECKING:
    import pandas

Apply = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""Calls a function with each of several arguments and gives the results in that order, as `map` does."""


class Outcome(enum.Enum):
    """What became of the story; of several verdicts the first of these."""

    LOST = "lost"
    STUCK = "stuck"
    INVENTED = "invented"
    DUPLICATED = "duplicated"
    OUT_OF_ORDER = "out of order"
    VIOLATED = "violated"
    LATE = "late"
    SURVIVED = "survived"

    @classmethod
    def of(cls, found: Findings) -> Outcome:
        """The gravest of the findings."""
        seen = {finding.verdict.value for finding in found}
        return next((outcome for outcome in cls if outcome.value in seen), cls.SURVIVED)


@dataclass(frozen=True)
class Cell:
    """One crash (or a pair) in one variant: the outcome and what the oracle found."""

    points: tuple[CrashPoint, ...]
    variant: str
    outcome: Outcome
    findings: Findings

    @property
    def name(self) -> str:
        """Who crashes when."""
        return ", then ".join(map(str, self.points))

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome.value}"


@dataclass(frozen=True)
class CrashPoints:
    """The matrix: a row per crash point in order of time, a column per variant; prints as a table of outcomes."""

    cells: tuple[Cell, ...]
    variants: tuple[str, ...]
    down_s: float

    @property
    def rows(self) -> tuple[str, ...]:
        """Who crashes when, in order of time, whatever the variant."""
        by_time = sorted(self.cells, key=lambda cell: [point.at_s for point in cell.points])
        return tuple(dict.fromkeys(cell.name for cell in by_time))

    def cell(self, row: str, variant: str) -> Cell | None:
        """What came of one crash in one variant; None if that variant does not take that step."""
        if variant not in self.variants:
            raise UnknownNameError("variant", variant, self.variants)
        return self._by_place.get((row, variant))

    @property
    def _by_place(self) -> dict[tuple[str, str], Cell]:
        return {(cell.name, cell.variant): cell for cell in self.cells}

    def of(self, variant: str) -> tuple[Cell, ...]:
        """The cells of one variant, in order of time."""
        if variant not in self.variants:
            raise UnknownNameError("variant", variant, self.variants)
        return tuple(cell for cell in self.cells if cell.variant == variant)

    def counts(self, variant: str | None = None) -> dict[str, int]:
        """How many crashes had which outcome; in one variant, or in all."""
        cells = self.cells if variant is None else self.of(variant)
        counted = Counter(cell.outcome for cell in cells)
        return {outcome.value: counted[outcome] for outcome in Outcome if counted[outcome]}

    def count(self, outcome: Any, variant: str | None = None) -> int:
        """How many crashes had one outcome, given as an `Outcome` or its word."""
        wanted: Outcome = checks.check_word(Outcome)("outcome", outcome)
        return self.counts(variant).get(wanted.value, 0)

    def table(self) -> pandas.DataFrame:
        """A row per crash point, a column per variant with its outcome (None: that variant does not take this step)."""
        import pandas as pd

        found = self._by_place
        rows = [
            {
                "crashes": row,
                **{
                    variant: None if (cell := found.get((row, variant))) is None else cell.outcome.value
                    for variant in self.variants
                },
            }
            for row in self.rows
        ]
        return pd.DataFrame(rows, columns=["crashes", *self.variants])

    def __str__(self) -> str:
        found = self._by_place
        head = ["crash", *self.variants]
        lines = [head]
        for row in self.rows:
            cells = [found.get((row, variant)) for variant in self.variants]
            lines.append([row, *("-" if cell is None else cell.outcome.value for cell in cells)])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )


@dataclass(frozen=True)
class _Task:
    """One run: a scenario, a seed, where it crashes, and which promises it is held to."""

    scenario: Any
    variant: str
    points: tuple[CrashPoint, ...]
    down_s: float
    seed: int
    until_s: float | None
    promises: tuple[Promise, ...] | None


def crash_points(
    scenario: Any,
    *,
    promises: Sequence[Promise] | None = None,
    nodes: Sequence[str] | str | None = None,
    down_s: float = 1.0,
    seed: int = 0,
    until_s: float | None = None,
    pairs: int = 0,
    apply: Apply = map,
) -> CrashPoints:
    """What a crash at every step of a story does; one column, or one per variant if `scenario` is a dictionary of them.

    `scenario` is one without faults whose story is short: a few messages. `promises` are the scenario's own, if left
    out. `nodes` are names of nodes or services, or one name (all nodes, if left out), `down_s` how long each stays
    down. With `pairs` that many pairs of crashes are tried as well, spread evenly over all. `apply` is `map`, or
    something like it that uses several processes.

    Raises `ConfigurationError` if there is no promise or no step, `UnknownNameError` for nodes that do not exist.

    >>> from edasim.scenarios.registration import clockwork
    >>> matrix = crash_points(clockwork(sender="idempotent"), nodes=["mail"])
    >>> matrix.counts()
    {'survived': 11}
    """
    variants = dict(scenario) if isinstance(scenario, Mapping) else {"outcome": scenario}
    if not variants:
        raise checks.refuse("scenario", scenario, "give a scenario, or a dictionary of at least one")
    down_s = checks.check_positive("down_s", down_s)
    pairs = checks.check_whole(0)("pairs", pairs)
    stated = None if promises is None else check_promises("promises", promises)
    tasks: list[_Task] = []
    nodes = (nodes,) if isinstance(nodes, str) else nodes
    for name, each in variants.items():
        points = steps_of(each, nodes=nodes, seed=seed, until_s=until_s)
        chosen = [(point,) for point in points] + _some_pairs(points, pairs)
        tasks += [_Task(each, name, each_points, down_s, seed, until_s, stated) for each_points in chosen]
    cells: tuple[Cell, ...] = tuple(apply(judge, tasks))
    return CrashPoints(cells, tuple(variants), down_s)


def steps_of(
    scenario: Any, *, nodes: Sequence[str] | None = None, seed: int = 0, until_s: float | None = None
) -> list[CrashPoint]:
    """The crash points of a story, read off a run of it without a crash."""
    if isinstance(scenario, type) or not hasattr(scenario, "build"):
        raise checks.refuse("scenario", scenario, "give a scenario, such as OrderShop(), or a dictionary of them")
    if getattr(scenario, "faults", ()):
        raise ConfigurationError(
            "the scenario has faults of its own",
            field="faults",
            value=scenario.faults,
            remedy="give it without: scenario.but(faults=[])",
        )
    sim = Simulation(seed=seed)
    kept = scenario.build(sim)
    known = {name for node in sim.nodes.values() for name in (node.name, node.service.name)}
    brokers = [name for name, part in sim.parts.items() if hasattr(part, "capabilities")]
    for name in nodes or ():
        if name not in known and name not in brokers:
            raise UnknownNameError("node, service or broker", name, [*sorted(known), *brokers])
    every = note_steps(sim)
    sim.run(until_s=until_s, scenario=scenario, kept=kept)
    points = [
        point for point in every if nodes is None or point.node in nodes or sim.nodes[point.node].service.name in nodes
    ]
    for name in brokers:
        points += of_broker(name, every) if name in (nodes or ()) else []
    if not points:
        raise ConfigurationError(
            "no step was taken, so there is nowhere to crash",
            field="nodes",
            value=nodes,
            remedy="name services that have a handler, in a story in which they receive something",
        )
    return points


def judge(task: _Task) -> Cell:
    """One run with its crashes, and what the oracle says."""
    sim = Simulation(seed=task.seed)
    kept = task.scenario.build(sim)
    promises = task.scenario.promises if task.promises is None else task.promises
    require_checkable(sim, promises, task.until_s, getattr(task.scenario, "topology", None))
    crash_at(sim, task.points, task.down_s)
    run = sim.run(until_s=task.until_s, scenario=task.scenario, kept=kept)
    found = check(run, promises)
    return Cell(task.points, task.variant, Outcome.of(found), found)


def _some_pairs(points: Sequence[CrashPoint], wanted: int) -> list[tuple[CrashPoint, ...]]:
    """So many pairs of different points, evenly spread over all pairs in order of time."""
    if not wanted:
        return []
    every = [pair for pair in itertools.combinations(points, 2) if pair[0] != pair[1]]
    step = max(1.0, len(every) / wanted)
    return [every[int(place * step)] for place in range(min(wanted, len(every)))]


__all__ = ["Apply", "Cell", "CrashPoints", "Outcome", "crash_points", "judge", "steps_of"]
