"""The metastable map: load against the size of a trigger, and whether the system is back some time after it.

Each cell is a storm that is run with several seeds. A run has recovered if, long after the fault, at least 90 % of what
is asked is answered in time. A cell recovers if the whole interval of the chance to recover lies above one half, stays
down if it lies below, and is undecided otherwise: then chance, or patience, decides. Where the storm has a recurrence
without chance (`Storm.recurrence`), each cell says what that expects.

Follows: Bronson, Aghayev, Charapko, Zhu, Metastable Failures in Distributed Systems, HotOS 2021 (stable, vulnerable,
metastable); Huang et al., Metastable Failures in the Wild, OSDI 2022 (a trigger is a loss of capacity or a load, and
its size decides). Wilson's interval for the chance. Left out: triggers of load; whether what is down at the end would
be back later, for which a larger `until_s` asks.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import checks
from ..errors import UnknownNameError
from ..scenarios import AnsweredShare, Storm
from ..theory import Interval, proportion_interval
from ..theory.retry_storm import BACK_RATIO
from .results import Failure, Provenance, Replications
from .sweep import Sweep, sweep

if TYPE_CHECKING:
    import pandas

ANSWERED = "answered share"
SEVERITY = {"fault_s": True, "fault_capacity_per_s": False}
"""What can be a trigger: fields of a storm, and whether larger is worse."""
FEWEST_ASKED = 20.0
"""With fewer requests in the window, the share that was answered says nothing."""


class Aftermath(enum.Enum):
    """What is left of a system some time after a trigger."""

    RECOVERS = "recovers"
    STAYS_DOWN = "stays down"
    UNDECIDED = "undecided"

    @classmethod
    def of(cls, recovered: Interval) -> Aftermath:
        """What the interval of the chance to recover says."""
        if recovered.low > 0.5:
            return cls.RECOVERS
        return cls.STAYS_DOWN if recovered.high < 0.5 else cls.UNDECIDED


@dataclass(frozen=True)
class MapCell:
    """One load with one trigger: the share of requests `answered` in time at the end of each run, and the verdict.

    `recovered` is the interval of the chance to recover; `expected` is what the recurrence without chance says, None
    where it does not apply.
    """

    load_per_s: float
    trigger: float
    answered: tuple[float, ...]
    recovered: Interval
    expected: Aftermath | None

    @property
    def verdict(self) -> Aftermath:
        """Whether it recovers, stays down, or cannot be told."""
        return Aftermath.of(self.recovered)

    @property
    def runs_back(self) -> int:
        """How many of the runs have recovered."""
        return sum(share >= BACK_RATIO for share in self.answered)


@dataclass(frozen=True)
class MetastableMap:
    """A cell for each load and trigger; prints as a table of verdicts, a row per trigger, the worst on top.

    `triggers` are in order of how bad they are: longer faults later, smaller capacities later. From
    `vulnerable_from_per_s` on a load can be kept down by feedback alone, by the recurrence (None: it does not apply).
    """

    cells: tuple[MapCell, ...]
    loads_per_s: tuple[float, ...]
    triggers: tuple[float, ...]
    trigger: str
    until_s: float
    window_s: float
    level: float
    vulnerable_from_per_s: float | None
    provenance: Provenance
    failures: tuple[Failure, ...]

    def cell(self, load_per_s: float, trigger: float) -> MapCell:
        """The cell of a load and a trigger; `UnknownNameError` for one that is not on the map."""
        for cell in self.cells:
            if math.isclose(cell.load_per_s, load_per_s) and math.isclose(cell.trigger, trigger):
                return cell
        known = [f"({one.load_per_s:g}, {one.trigger:g})" for one in self.cells]
        raise UnknownNameError("cell of load and trigger", f"({load_per_s:g}, {trigger:g})", known)

    def counts(self) -> dict[str, int]:
        """How many cells have which verdict."""
        counted = Counter(cell.verdict for cell in self.cells)
        return {verdict.value: counted[verdict] for verdict in Aftermath if counted[verdict]}

    def count(self, verdict: Any) -> int:
        """How many cells have one verdict, given as an `Aftermath` or its word."""
        wanted: Aftermath = checks.check_word(Aftermath)("verdict", verdict)
        return self.counts().get(wanted.value, 0)

    def tipping(self, load_per_s: float) -> float | None:
        """The mildest trigger on the map that keeps this load down; None if none does."""
        verdicts = {trigger: self.cell(load_per_s, trigger).verdict for trigger in self.triggers}
        return next((trigger for trigger, verdict in verdicts.items() if verdict is Aftermath.STAYS_DOWN), None)

    @property
    def vulnerable(self) -> tuple[float, ...]:
        """The loads that some trigger on the map keeps down, and another one does not."""
        found = []
        for load_per_s in self.loads_per_s:
            verdicts = {self.cell(load_per_s, trigger).verdict for trigger in self.triggers}
            if verdicts >= {Aftermath.RECOVERS, Aftermath.STAYS_DOWN}:
                found.append(load_per_s)
        return tuple(found)

    def table(self) -> pandas.DataFrame:
        """A row per cell: load, trigger, verdict, runs that recovered with their interval, and what was expected."""
        import pandas as pd

        rows = [
            {
                "load_per_s": cell.load_per_s,
                self.trigger: cell.trigger,
                "verdict": cell.verdict.value,
                "runs": len(cell.answered),
                "recovered": cell.runs_back,
                "low": cell.recovered.low,
                "high": cell.recovered.high,
                "mean answered": sum(cell.answered) / len(cell.answered) if cell.answered else math.nan,
                "expected": None if cell.expected is None else cell.expected.value,
            }
            for cell in self.cells
        ]
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        rows = [[f"{self.trigger} \\ load per s", *(f"{load_per_s:g}" for load_per_s in self.loads_per_s)]]
        for trigger in reversed(self.triggers):
            cells = [self.cell(load_per_s, trigger) for load_per_s in self.loads_per_s]
            rows.append([f"{trigger:g}", *(cell.verdict.value for cell in cells)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *self.provenance.notices])


def metastable_map(
    scenario: Storm,
    *,
    loads_per_s: Iterable[float],
    triggers: Iterable[float],
    until_s: float,
    trigger: str = "fault_s",
    window_s: float = 10.0,
    runs: int = 4,
    level: float = 0.95,
    seed: int = 0,
    workers: int | None = None,
) -> MetastableMap:
    """Runs a storm at each of `loads_per_s` with each trigger, and tells where it is back and where it stays down.

    Args:
        scenario: a storm; its `requests_per_s` is replaced by the loads.
        loads_per_s: requests per second, above 0.
        triggers: sizes of the trigger, values of the storm's field `trigger`.
        trigger: "fault_s", in seconds, or "fault_capacity_per_s", in calls per second.
        until_s: the end of each run in simulated seconds. The last fault should be over long before.
        window_s: the last seconds (up to a time-out before the end) whose requests say whether a run has recovered.
        runs: seeds per cell, the same in every cell; four are the fewest that can decide at a level of 95 %.
        level: the level of each cell's interval.
        seed: the base seed, as for `replicate`.
        workers: as for `replicate`.

    Raises:
        EdasimError: too few runs to decide anything, a window that begins before the last fault ends, or what `sweep`
            raises.
    """
    checks.check_kind(Storm, "a scenarios.Storm(…)")("scenario", scenario)
    runs = _enough(runs, level)
    ends_s = checks.check_positive("until_s", until_s) - (scenario.protections.timeout_s or 0.0)
    begins_s = ends_s - checks.check_positive("window_s", window_s)
    loads, sizes = sorted(loads_per_s), _by_severity(trigger, triggers)
    _require_aftermath(scenario, loads, trigger, sizes, window_s, until_s)
    swept = sweep(
        scenario,
        {"requests_per_s": loads, trigger: sizes},
        runs,
        {ANSWERED: AnsweredShare(from_s=begins_s, until_s=ends_s)},
        seed=seed,
        until_s=until_s,
        workers=workers,
    )
    return _map_of(swept, trigger, (begins_s, ends_s), until_s, level)


def _map_of(swept: Sweep, trigger: str, window: tuple[float, float], until_s: float, level: float) -> MetastableMap:
    """The map that a sweep over loads and triggers gives."""
    recurrence = swept.scenario.recurrence()
    cells = tuple(_cell(result, trigger, level, *window) for result in swept.results)
    return MetastableMap(
        cells=cells,
        loads_per_s=tuple(dict.fromkeys(cell.load_per_s for cell in cells)),
        triggers=tuple(dict.fromkeys(cell.trigger for cell in cells)),
        trigger=trigger,
        until_s=until_s,
        window_s=window[1] - window[0],
        level=level,
        vulnerable_from_per_s=None if recurrence is None else recurrence.vulnerable_from_per_s,
        provenance=swept.provenance,
        failures=swept.failures,
    )


def _enough(runs: int, level: float) -> int:
    """So many runs, if they can decide anything."""
    runs = checks.check_whole(2)("runs", runs)
    if Aftermath.of(proportion_interval(runs, runs, level)) is Aftermath.UNDECIDED:
        raise checks.refuse("runs", runs, f"give more: if all of {runs} recover, level {level:g} decides nothing")
    return runs


def _by_severity(trigger: str, sizes: Iterable[float]) -> list[float]:
    """The sizes of a trigger, the mildest first."""
    if trigger not in SEVERITY:
        raise UnknownNameError("trigger of a storm", trigger, SEVERITY)
    return sorted(sizes, reverse=not SEVERITY[trigger])


def _require_aftermath(
    scenario: Storm, loads: Sequence[float], trigger: str, sizes: Sequence[float], window_s: float, until_s: float
) -> None:
    """The load can be set, every fault is over when the window begins, and something is asked in it."""
    if scenario.arrivals is not None:
        raise checks.refuse("scenario.arrivals", scenario.arrivals, "give a storm without: the map sets the load")
    if sizes:
        worst = scenario.but(**{trigger: sizes[-1]})
        needed_s = worst.fault_at_s + worst.fault_s + window_s + (scenario.protections.timeout_s or 0.0)
        if until_s < needed_s:
            raise checks.refuse("until_s", until_s, f"give at least {needed_s:g}, so that the fault is over by then")
    if loads and loads[0] * window_s < FEWEST_ASKED:
        raise checks.refuse("window_s", window_s, f"give more: at {loads[0]:g} per s hardly anything is asked in it")


def _cell(result: Replications, trigger: str, level: float, begins_s: float, ends_s: float) -> MapCell:
    answered = result.values.get(ANSWERED, ())
    back = sum(share >= BACK_RATIO for share in answered)
    nothing_known = Interval(mean=0.5, low=0.0, high=1.0, n=0, level=level)
    return MapCell(
        load_per_s=float(result.scenario.requests_per_s),
        trigger=float(getattr(result.scenario, trigger)),
        answered=answered,
        recovered=proportion_interval(back, len(answered), level) if answered else nothing_known,
        expected=_expected(result.scenario, begins_s, ends_s),
    )


def _expected(scenario: Storm, begins_s: float, ends_s: float) -> Aftermath | None:
    """What the recurrence without chance says of the same window."""
    recurrence = scenario.recurrence()
    if recurrence is None:
        return None
    course = recurrence.course(ends_s + recurrence.step_s)
    answered = course.mean("goodput_per_s", begins_s, ends_s) / course.mean("asked_per_s", begins_s, ends_s)
    return Aftermath.RECOVERS if answered >= BACK_RATIO else Aftermath.STAYS_DOWN


__all__ = ["Aftermath", "MapCell", "MetastableMap", "metastable_map"]
