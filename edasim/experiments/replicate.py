"""Replications: the same scenario with independent luck, and the interval that they justify (SO-01).

Replication i of every scenario has the same seed, so two scenarios meet the same luck: common random numbers (SO-04).
Left out so far: sweeps, stopping rules, storage and clusters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks
from ..errors import UnknownNameError
from ..kernel import Run
from ..theory import Interval, mean_interval, paired_interval
from .progress import Progress

if TYPE_CHECKING:
    import pandas

Metric = Callable[[Run], float]
Metrics = Iterable[str] | Mapping[str, "str | Metric"]
"""Names such as "mail.mean_wait_s" (a subscription and a field of its summary), or functions of a run under a name."""


@dataclass(frozen=True)
class Replications:
    """The metrics of n independent runs: `values[metric]` has one number per seed."""

    scenario: Any
    seeds: tuple[int, ...]
    values: Mapping[str, tuple[float, ...]]

    def interval(self, metric: str | None = None, level: float = 0.95) -> Interval:
        """The interval for the mean of a metric (the only one, if there is one)."""
        return mean_interval(self.of(metric), level=level)

    def minus(self, other: Replications, metric: str | None = None, level: float = 0.95) -> Interval:
        """The paired interval for the mean difference to another scenario that was run with the same seeds."""
        if self.seeds != other.seeds:
            raise checks.refuse("seeds", other.seeds, "replicate both with the same n and seed")
        return paired_interval(self.of(metric), other.of(metric), level=level)

    def of(self, metric: str | None = None) -> tuple[float, ...]:
        """The numbers of a metric, one per seed."""
        name = next(iter(self.values)) if metric is None and len(self.values) == 1 else metric
        if name not in self.values:
            raise UnknownNameError("metric", name, self.values)
        return self.values[name]

    def table(self) -> pandas.DataFrame:
        """A row per metric: mean, half width at 95 %, low, high, n."""
        import pandas as pd

        rows = {name: self.interval(name) for name in self.values}
        return pd.DataFrame(
            {
                "mean": {name: row.mean for name, row in rows.items()},
                "half_width": {name: row.half_width for name, row in rows.items()},
                "low": {name: row.low for name, row in rows.items()},
                "high": {name: row.high for name, row in rows.items()},
                "n": {name: row.n for name, row in rows.items()},
            }
        )

    def runs(self) -> pandas.DataFrame:
        """A row per run: seed and metrics."""
        import pandas as pd

        return pd.DataFrame({"seed": self.seeds, **self.values})

    def __str__(self) -> str:
        return "\n".join(f"{name}: {self.interval(name)}" for name in self.values)


def replicate(
    scenario: Any,
    n: int = 10,
    metrics: Metrics = (),
    *,
    seed: int = 0,
    until_s: float | None = None,
    log: str = "metrics",
    workers: int = 1,
) -> Replications:
    """Runs `scenario` with `n` (at least 2) independent seeds derived from `seed`, and measures each run.

    `metrics` are names ("mail.mean_wait_s") or functions of a run. With `log="metrics"` runs need bounded memory; functions that read
    rows need `log="full"`. `workers` above 1 share the runs among processes (joblib); the numbers stay the same.
    """
    n = checks.check_whole(2)("n", n)
    measures = _measures(metrics)
    seeds = tuple(seed_of(seed, i) for i in range(n))
    if checks.check_whole(1)("workers", workers) == 1:
        rows = []
        with Progress("runs", n) as progress:
            for one in seeds:
                rows.append(_measured(scenario, one, until_s, log, measures))
                progress.done(len(rows))
    else:
        from joblib import Parallel, delayed

        rows = Parallel(n_jobs=workers)(delayed(_measured)(scenario, one, until_s, log, measures) for one in seeds)
    columns = np.array(rows).T.tolist()
    return Replications(scenario, seeds, {name: tuple(column) for name, column in zip(measures, columns, strict=True)})


def seed_of(seed: int, replication: int) -> int:
    """The seed of a replication: the first 48 bits of the SHA-256 of both, so that neighbouring seeds share none."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{replication}".encode()).digest()[:6], "big")


def _measured(
    scenario: Any, seed: int, until_s: float | None, log: str, measures: Mapping[str, str | Metric]
) -> list[float]:
    run = scenario.run(seed=seed, until_s=until_s, log=log)
    return [_measure(run, what) for what in measures.values()]


def _measure(run: Run, what: str | Metric) -> float:
    if callable(what):
        return float(what(run))
    group, _, field = what.rpartition(".")
    line = run.summary()[group]
    if not hasattr(line, field):
        raise UnknownNameError("field of the summary", field, vars(line))
    return float(getattr(line, field))


def _measures(metrics: Metrics) -> dict[str, str | Metric]:
    if isinstance(metrics, str):
        metrics = (metrics,)
    named = dict(metrics) if isinstance(metrics, Mapping) else {name: name for name in metrics}
    if not named:
        raise checks.refuse("metrics", metrics, 'name at least one, such as "mail.mean_wait_s"')
    return named
