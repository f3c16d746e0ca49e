"""Comparisons: is A better than B, and by how much, with the same luck for both.

Follows: common random numbers and the interval of paired differences (SO-04). It pays where the two sides correlate;
the correlation and what it saved are reported. Left out: more than two systems at once; use a sweep, and Bonferroni.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks
from ..theory import PairedInterval, bonferroni_level, student_t
from .gather import gather, plan_of, tasks_of
from .metrics import Metrics
from .results import Failure, Provenance, Replications, account, fingerprint_of, results_of

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Comparison:
    """Two scenarios, replicated with the same seeds."""

    a: Replications
    b: Replications

    @property
    def provenance(self) -> Provenance:
        """How both came about."""
        return self.a.provenance

    @property
    def is_partial(self) -> bool:
        """Whether the comparison was stopped early."""
        return self.provenance.is_partial

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The runs that failed, of both."""
        return self.a.failures + self.b.failures

    def difference(self, metric: str | None = None, level: float = 0.95) -> PairedInterval:
        """The interval for the mean of a - b over the pairs, with the correlation of the two sides."""
        a, b = self._paired()
        return a.minus(b, metric, level)

    def independent_half_width(self, metric: str | None = None, level: float = 0.95) -> float:
        """The half-width for a - b if the two had had luck of their own: t·√((s²a + s²b)/n), Welch's degrees."""
        a, b = self._paired()
        return independent_half_width(a.of(metric), b.of(metric), level)

    def half_width_factor(self, metric: str | None = None, level: float = 0.95) -> float:
        """How many times wider the interval would be with independent luck; infinite if the pairs never differ."""
        paired = self.difference(metric, level).half_width
        return self.independent_half_width(metric, level) / paired if paired else math.inf

    def table(self, level: float = 0.95, *, joint_level: float | None = None) -> pandas.DataFrame:
        """A row per metric: means `a` and `b`, `difference`, `half_width`, `low`, `high`, `n`, `correlation`, `factor`.

        With `joint_level` the rows hold together with that level (Bonferroni); without, each with `level`.
        """
        import pandas as pd

        each = level if joint_level is None else bonferroni_level(len(self.a.values), joint_level)
        a, b = self._paired()
        rows = {}
        for name in a.values:
            found = self.difference(name, each)
            rows[name] = {
                "a": float(np.mean(a.of(name))),
                "b": float(np.mean(b.of(name))),
                "difference": found.mean,
                "half_width": found.half_width,
                "low": found.low,
                "high": found.high,
                "n": found.n,
                "correlation": found.correlation,
                "factor": self.half_width_factor(name, each),
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    def points(self, metric: str | None = None) -> pandas.DataFrame:
        """A row per pair: `seed`, `a`, `b` and `difference`."""
        import pandas as pd

        a, b = self._paired()
        left, right = np.asarray(a.of(metric)), np.asarray(b.of(metric))
        return pd.DataFrame({"seed": a.seeds, "a": left, "b": right, "difference": left - right})

    def fingerprint(self) -> str:
        """16 hexadecimal digits that stand for all runs; the same on every backend."""
        return fingerprint_of([self.a, self.b])

    def save(self, path: str | Path) -> Path:
        """Writes a file that `experiments.load` reads: .parquet, .csv or .csv.gz, with all that made the result."""
        from .storage import save

        return save(path, "comparison", [self.a, self.b], self.provenance)

    def __str__(self) -> str:
        lines = []
        for name in self.a.values:
            found = self.difference(name)
            verdict = (
                "chance alone could explain it" if 0.0 in found else f"a is {'lower' if found.mean < 0 else 'higher'}"
            )
            factor = self.half_width_factor(name)
            lines.append(f"{name}: a - b = {found}, {factor:.2g} times narrower than with independent luck; {verdict}")
        return "\n".join([*lines, *account(self.provenance, self.failures)])

    def _paired(self) -> tuple[Replications, Replications]:
        """Both sides without the runs whose twin failed."""
        both = set(self.a.seeds) & set(self.b.seeds)
        return _only(self.a, both), _only(self.b, both)


def independent_half_width(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> float:
    """The half-width for the mean of a - b if these values were not pairs: t·√((s²a + s²b)/n), Welch's degrees.

    >>> round(independent_half_width([4.1, 9.8, 6.6], [3.9, 9.4, 6.3]), 1)
    7.3
    """
    n = len(a)
    parts = np.array([np.var(a, ddof=1), np.var(b, ddof=1)]) / n
    if not parts.any():
        return 0.0
    degrees = int(parts.sum() ** 2 * (n - 1) / np.square(parts).sum())
    return student_t(level, degrees) * math.sqrt(float(parts.sum()))


def compare(
    a: Any,
    b: Any,
    n: int = 10,
    metrics: Metrics = (),
    *,
    seed: int = 0,
    until_s: float | None = None,
    log: str = "metrics",
    workers: int | None = None,
    journal: str | Path | None = None,
) -> Comparison:
    """Replicates scenarios `a` and `b` with the same `n` seeds, for paired intervals of their differences.

    The other parameters are those of `replicate`.

    >>> from edasim.scenarios import SingleQueue
    >>> pair = compare(SingleQueue(messages=500), SingleQueue(messages=500, handover_s=0.001), 5, "mail.mean_wait_s")
    >>> pair.difference().high < 0.0
    True
    """
    plan = plan_of(metrics, until_s, log)
    tasks = tasks_of([a, b], range(checks.check_whole(2)("n", n)), seed)
    gathered = gather(tasks, plan, workers=workers, journal=journal)
    provenance = Provenance.of(gathered, plan, seed)
    sides = results_of([a, b], tasks, gathered, plan, provenance, [{"system": "a"}, {"system": "b"}])
    return Comparison(*sides)


def _only(side: Replications, seeds: set[int]) -> Replications:
    at = [i for i, seed in enumerate(side.seeds) if seed in seeds]
    values = {name: tuple(column[i] for i in at) for name, column in side.values.items()}
    return Replications(side.scenario, tuple(side.seeds[i] for i in at), values)
