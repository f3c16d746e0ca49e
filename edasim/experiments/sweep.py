"""Sweeps: one scenario over a grid of values, each point with the same luck and an interval.

Replication i of every point has the same seed (common random numbers, SO-04), so neighbouring points differ by what
was changed and less by chance. Left out: designs other than the full grid.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from ..theory import bonferroni_level
from .fields import cell, replaced, value_at
from .gather import gather, plan_of, tasks_of
from .metrics import RESERVED, Metrics
from .results import Failure, Provenance, Replications, account, fingerprint_of, results_of, row_of

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Sweep:
    """The replications at each point of a grid over `fields`; `results` has one per point, the last field fastest."""

    scenario: Any
    fields: tuple[str, ...]
    results: tuple[Replications, ...]
    provenance: Provenance

    @property
    def is_partial(self) -> bool:
        """Whether the sweep was stopped early; then points have fewer runs than asked."""
        return self.provenance.is_partial

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The runs that failed, of all points."""
        return tuple(failure for result in self.results for failure in result.failures)

    def at(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> Replications:
        """The replications at one point: `at(servers=2)`, `at({"service_time.mean_s": 0.02})`."""
        wanted = {**(values or {}), **more}
        for name in wanted:
            if name not in self.fields:
                raise UnknownNameError("swept field", name, self.fields)
        found = [one for one in self.results if all(value_at(one.scenario, name) == wanted[name] for name in wanted)]
        if len(found) != 1:
            remedy = f"give values of the grid for {', '.join(self.fields)}"
            raise ConfigurationError(f"{len(found)} points have {wanted}", field="at", value=wanted, remedy=remedy)
        return found[0]

    def table(self, level: float = 0.95, *, joint_level: float | None = None) -> pandas.DataFrame:
        """A row per point and metric: fields, `metric`, `mean`, `half_width`, `low`, `high`, `n`, `failed`.

        With `joint_level` all rows hold together with that level (Bonferroni); without, each with `level`.
        """
        import pandas as pd

        rows = [(result, name) for result in self.results for name in result.values]
        each = level if joint_level is None else bonferroni_level(len(rows), joint_level)
        return pd.DataFrame(
            [
                {
                    **self._cells(result),
                    "metric": name,
                    **row_of(result.values[name], each),
                    "failed": len(result.failures),
                }
                for result, name in rows
            ]
        )

    def points(self, metric: str | None = None, level: float = 0.95) -> pandas.DataFrame:
        """A row per point for a picture: fields, `mean`, `half_width`, `low`, `high`, `n`."""
        import pandas as pd

        return pd.DataFrame([{**self._cells(one), **row_of(one.of(metric), level)} for one in self.results])

    def runs(self) -> pandas.DataFrame:
        """A row per run: fields, seed, metrics and fingerprint."""
        import pandas as pd

        frames = []
        for result in self.results:
            frame = result.runs()
            for place, (name, value) in enumerate(self._cells(result).items()):
                frame.insert(place, name, [value] * len(frame))
            frames.append(frame)
        return pd.concat([frame for frame in frames if len(frame)], ignore_index=True)

    def fingerprint(self) -> str:
        """16 hexadecimal digits that stand for all runs; the same on every backend."""
        return fingerprint_of(self.results)

    def save(self, path: str | Path) -> Path:
        """Writes a file that `experiments.load` reads: .parquet, .csv or .csv.gz, with all that made the result."""
        from .storage import save

        return save(path, "sweep", self.results, self.provenance, base=self.scenario, fields=self.fields)

    def __str__(self) -> str:
        lines = [self.table().to_string(index=False), f"{len(self.results)} points"]
        return "\n".join([*lines, *account(self.provenance, self.failures)])

    def _cells(self, result: Replications) -> dict[str, Any]:
        return {name: cell(value_at(result.scenario, name)) for name in self.fields}


def sweep(
    scenario: Any,
    over: Mapping[str, Iterable[Any]],
    n: int = 10,
    metrics: Metrics = (),
    *,
    seed: int = 0,
    until_s: float | None = None,
    log: str = "metrics",
    workers: int | None = None,
    journal: str | Path | None = None,
) -> Sweep:
    """Replicates `scenario` `n` times at each point of the grid `over`, such as `{"servers": [1, 2, 4]}`.

    Fields of nested configurations have dotted names: "service_time.mean_s". Each point is checked before the first
    run. With a `journal` a sweep that was killed continues where it was. The other parameters are those of `replicate`.

    Raises:
        EdasimError: a sweep over nothing, an unknown field, a value that a field refuses, or what `replicate` raises.

    >>> from edasim.scenarios import SingleQueue
    >>> swept = sweep(SingleQueue(), {"messages": [50, 100], "servers": [1, 2]}, 2, "mail.done")
    >>> swept.points()["mean"].tolist()
    [50.0, 50.0, 100.0, 100.0]
    """
    grid = _grid(over)
    plan = plan_of(metrics, until_s, log)
    for name in grid:
        if name in plan.measures or name in RESERVED:
            raise checks.refuse("metrics", name, "give the metric another name; a swept field has this one")
    parameters = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    scenarios = [_at(scenario, point) for point in parameters]
    tasks = tasks_of(scenarios, range(checks.check_whole(2)("n", n)), seed)
    gathered = gather(tasks, plan, workers=workers, journal=journal)
    provenance = Provenance.of(gathered, plan, seed)
    told = [{name: cell(value) for name, value in point.items()} for point in parameters]
    results = results_of(scenarios, tasks, gathered, plan, provenance, told)
    return Sweep(scenario, tuple(grid), results, provenance)


def _grid(over: Mapping[str, Iterable[Any]]) -> dict[str, Sequence[Any]]:
    if not over or not isinstance(over, Mapping):
        raise checks.refuse("over", over, 'give fields and their values, such as {"servers": [1, 2, 4]}')
    grid: dict[str, Sequence[Any]] = {}
    for name, values in over.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise checks.refuse(f"over[{name!r}]", values, "give a list of values")
        grid[name] = list(values)
        if not grid[name]:
            raise checks.refuse(
                f"over[{name!r}]", grid[name], "give at least one value; a sweep over nothing has no points"
            )
        twice = [value for i, value in enumerate(grid[name]) if value in grid[name][:i]]
        if twice:
            raise checks.refuse(f"over[{name!r}]", grid[name], f"give {twice[0]!r} once")
    return grid


def _at(scenario: Any, point: Mapping[str, Any]) -> Any:
    for name, value in point.items():
        scenario = replaced(scenario, name, value)
    return scenario
