"""What experiments give back: numbers per run, intervals per metric, and how they came about.

Follows: mean ± t(n-1)·s/√n over independent runs (SO-01), paired differences (SO-04), quantiles over runs (SO-05),
Bonferroni for joint statements (SO-07). Results are frozen; they save themselves (`storage`) and carry the data of
their pictures. Left out: pictures themselves, which live in `viz`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks
from ..errors import UnknownNameError
from ..theory import Interval, PairedInterval, bonferroni_level, mean_interval, paired_interval, quantile_interval
from ..theory import runs_needed as theory_runs_needed
from .gather import Gathered
from .identity import house_version
from .stopping import Precision, precision
from .tasks import Plan, Task

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Failure:
    """A run that raised: repeat it with `scenario.run(seed=failure.seed)`."""

    seed: int
    replication: int
    parameters: Mapping[str, Any]
    error: str

    def __str__(self) -> str:
        where = "".join(f", {name}={value}" for name, value in self.parameters.items())
        return f"seed {self.seed}{where}: {self.error}"


@dataclass(frozen=True)
class Provenance:
    """How a result came about: version of the library, base seed, end and log of the runs, and what was done for it."""

    version: str = field(default_factory=house_version)
    seed: int = 0
    until_s: float | None = None
    log: str = "metrics"
    asked: int = 0
    computed: int = 0
    reused: int = 0
    notices: tuple[str, ...] = ()

    @classmethod
    def of(cls, gathered: Gathered, plan: Plan, seed: int) -> Provenance:
        """The provenance of what was gathered."""
        return cls(
            seed=seed,
            until_s=plan.until_s,
            log=plan.log,
            asked=gathered.asked,
            computed=gathered.computed,
            reused=gathered.reused,
            notices=tuple(gathered.notices),
        )

    @property
    def is_partial(self) -> bool:
        """Whether it was stopped before all runs were made."""
        return self.computed + self.reused < self.asked

    def __str__(self) -> str:
        runs = f"{self.computed + self.reused} of {self.asked} runs: {self.computed} computed, {self.reused} reused"
        return "\n".join([runs + (" (PARTIAL)" if self.is_partial else ""), *self.notices])


@dataclass(frozen=True)
class Replications:
    """The metrics of independent runs of one scenario: `values[metric]` has one number per seed.

    Runs that failed are in `failures`, and have no place in `seeds` and `values`.
    """

    scenario: Any
    seeds: tuple[int, ...]
    values: Mapping[str, tuple[float, ...]]
    fingerprints: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    provenance: Provenance = Provenance()

    @property
    def n(self) -> int:
        """The number of runs that succeeded."""
        return len(self.seeds)

    @property
    def is_partial(self) -> bool:
        """Whether the experiment was stopped early."""
        return self.provenance.is_partial

    def interval(self, metric: str | None = None, level: float = 0.95) -> Interval:
        """The interval for the mean of a metric (the only one, if there is one)."""
        return mean_interval(self.of(metric), level=level)

    def intervals(self, joint_level: float = 0.95) -> dict[str, Interval]:
        """The intervals of all metrics, wide enough to hold together with `joint_level` (Bonferroni, SO-07)."""
        level = bonferroni_level(len(self.values), joint_level)
        return {name: self.interval(name, level) for name in self.values}

    def quantile(self, p: float, metric: str | None = None, level: float = 0.95) -> Interval:
        """The interval for the p-quantile of a metric over runs, between two of its values (SO-05)."""
        return quantile_interval(self.of(metric), p, level=level)

    def minus(self, other: Replications, metric: str | None = None, level: float = 0.95) -> PairedInterval:
        """The paired interval for the mean difference to another scenario that was run with the same seeds."""
        mine, theirs = self.of(metric), other.of(metric)
        if self.asked_seeds != other.asked_seeds:
            raise checks.refuse("seeds", other.seeds, "replicate both with the same n and seed")
        at = {seed: i for i, seed in enumerate(other.seeds)}
        pairs = [(mine[i], theirs[at[seed]]) for i, seed in enumerate(self.seeds) if seed in at]
        return paired_interval([a for a, _ in pairs], [b for _, b in pairs], level=level)

    @property
    def asked_seeds(self) -> frozenset[int]:
        """The seeds of all runs, failed ones as well."""
        return frozenset(self.seeds) | {failure.seed for failure in self.failures}

    def of(self, metric: str | None = None) -> tuple[float, ...]:
        """The numbers of a metric, one per seed."""
        if metric is None and len(self.values) == 1:
            return next(iter(self.values.values()))
        if metric is None or metric not in self.values:
            raise UnknownNameError("metric", metric, self.values)
        return self.values[metric]

    def table(self, level: float = 0.95, *, joint_level: float | None = None) -> pandas.DataFrame:
        """A row per metric: mean, half width, low, high, n; NaN where nothing can be said (a single run).

        With `joint_level` the rows hold together with that level (Bonferroni); without, each with `level`.
        """
        import pandas as pd

        each = level if joint_level is None else bonferroni_level(len(self.values), joint_level)
        return pd.DataFrame.from_dict({name: row_of(self.of(name), each) for name in self.values}, orient="index")

    def runs(self) -> pandas.DataFrame:
        """A row per run: seed, metrics and fingerprint."""
        import pandas as pd

        columns = {name: np.array(values, dtype=np.float64) for name, values in self.values.items()}
        fingerprints = list(self.fingerprints) or [""] * self.n
        return pd.DataFrame({"seed": np.array(self.seeds, dtype=np.int64), **columns, "fingerprint": fingerprints})

    def points(self, metric: str | None = None, level: float = 0.95) -> pandas.DataFrame:
        """How the interval narrows: a row for the first 2, 3, … runs with `n`, `mean`, `half_width`, `low`, `high`."""
        import pandas as pd

        values = self.of(metric)
        return pd.DataFrame([row_of(values[:count], level) for count in range(2, len(values) + 1)])

    def runs_needed(self, relative_half_width: float, metric: str | None = None, level: float = 0.95) -> int:
        """How many runs would give a half-width of that share of the mean, judged from these (at least 10; SO-06)."""
        return theory_runs_needed(self.of(metric), relative_half_width, level=level)

    def precision(self, relative_half_width: float, metric: str | None = None, level: float = 0.95) -> Precision:
        """How the interval narrowed towards a half-width of that share of the mean, for `viz.run_count_svg`."""
        return precision(self.of(metric), relative_half_width, level)

    def fingerprint(self) -> str:
        """16 hexadecimal digits that stand for seeds, values and the runs' fingerprints; the same on every backend."""
        return fingerprint_of([self])

    def save(self, path: str | Path) -> Path:
        """Writes a file that `experiments.load` reads: .parquet, .csv or .csv.gz, with all that made the result."""
        from .storage import save

        return save(path, "replications", [self], self.provenance)

    def __str__(self) -> str:
        lines = [f"{name}: {_said(values)}" for name, values in self.values.items()]
        return "\n".join([*lines, *account(self.provenance, self.failures)])


def results_of(
    scenarios: Sequence[Any],
    tasks: Sequence[Task],
    gathered: Gathered,
    plan: Plan,
    provenance: Provenance,
    parameters: Sequence[Mapping[str, Any]] | None = None,
) -> tuple[Replications, ...]:
    """The outcomes of all tasks, as one `Replications` per scenario, in the order of the replications."""
    seeds = {task.place: task.seed for task in tasks}
    by_point: dict[int, list[tuple[int, int]]] = {point: [] for point in range(len(scenarios))}
    for place in sorted(gathered.outcomes):
        by_point[place[0]].append(place)
    found = []
    for point, places in by_point.items():
        outcomes = [(place, gathered.outcomes[place]) for place in places]
        good = [(place, outcome) for place, outcome in outcomes if outcome.error is None]
        found.append(
            Replications(
                scenario=scenarios[point],
                seeds=tuple(seeds[place] for place, _ in good),
                values={name: tuple(outcome.values[i] for _, outcome in good) for i, name in enumerate(plan.measures)},
                fingerprints=tuple(outcome.fingerprint for _, outcome in good),
                failures=tuple(
                    Failure(seeds[place], place[1], parameters[point] if parameters else {}, str(outcome.error))
                    for place, outcome in outcomes
                    if outcome.error is not None
                ),
                provenance=provenance,
            )
        )
    return tuple(found)


def row_of(values: Sequence[float], level: float) -> dict[str, float]:
    """Mean, half width, low, high and n of values for a table; NaN where they justify no interval."""
    row = {"mean": math.nan, "half_width": math.nan, "low": math.nan, "high": math.nan, "n": len(values)}
    if len(values) and np.isfinite(values).all():
        row["mean"] = float(np.mean(values))
        if len(values) > 1:
            found = mean_interval(values, level=level)
            row |= {"mean": found.mean, "half_width": found.half_width, "low": found.low, "high": found.high}
    return row


def fingerprint_of(results: Sequence[Replications]) -> str:
    """16 hexadecimal digits for the seeds, values and runs' fingerprints of several results, in order."""
    parts = hashlib.sha256()
    for result in results:
        parts.update(np.asarray(result.seeds, dtype="<i8").tobytes())
        for name, values in result.values.items():
            parts.update(name.encode())
            column = np.asarray(values, dtype="<f8")
            parts.update(np.where(np.isnan(column), np.nan, column).tobytes())  # one NaN is like another
        parts.update(",".join(result.fingerprints).encode())
    return parts.hexdigest()[:16]


def account(provenance: Provenance, failures: Sequence[Failure]) -> Iterator[str]:
    """Lines for what a reader of a result must know: that it is partial, what was reused, lost or failed."""
    if provenance.is_partial or provenance.reused or provenance.notices:
        yield str(provenance)
    for failure in failures:
        yield f"failed: {failure}"


def with_provenance(result: Replications, provenance: Provenance) -> Replications:
    """The same numbers under another provenance."""
    return dataclasses.replace(result, provenance=provenance)


def _said(values: Sequence[float]) -> str:
    if len(values) > 1 and np.isfinite(values).all():
        return str(mean_interval(values))
    return (
        f"{values[0]:g} (one run, which justifies no interval)"
        if len(values) == 1
        else f"no mean of {len(values)} runs"
    )
