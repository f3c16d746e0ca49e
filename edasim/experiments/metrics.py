"""Metrics: one number per run, by name or by a function of the run.

"mail.mean_wait_s" is a field of the summary's line for the subscription or service "mail". Anything else is a function
of a run, such as `series.Steady`, which leaves out the warm-up. Left out: metrics over several runs at once; those are
the business of the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from ..kernel import Run
from ..kernel.summary import Summary

Metric = Callable[[Run], float]
Measure = str | Metric
Metrics = Iterable[Measure] | Mapping[str, Measure]
"""Names, functions of a run (under the function's name), or either of them under a name of yours."""

RESERVED = frozenset({"point", "replication", "seed", "fingerprint", "metric", "system"})
"""Columns of the tables; a metric of that name would hide one."""


def named(metrics: Metrics | Measure) -> dict[str, Measure]:
    """The metrics by name; at least one, none twice, and none under the name of a column of the tables."""
    if isinstance(metrics, str) or callable(metrics):
        metrics = (metrics,)
    if not isinstance(metrics, Iterable):
        raise checks.refuse("metrics", metrics, 'give names such as "mail.mean_wait_s", or functions of a run')
    pairs = list(metrics.items()) if isinstance(metrics, Mapping) else [(_name_of(what), what) for what in metrics]
    if not pairs:
        raise checks.refuse("metrics", metrics, 'name at least one, such as "mail.mean_wait_s"')
    found: dict[str, Measure] = {}
    for name, what in pairs:
        if not isinstance(name, str) or name in RESERVED or name in found:
            raise checks.refuse("metrics", name, 'give the metric a name of its own: {"name": metric}')
        if not (isinstance(what, str) or callable(what)):
            raise checks.refuse(f"metrics[{name!r}]", what, 'give a name such as "mail.mean_wait_s", or a function')
        found[name] = what
    return found


def need_rows(measures: Mapping[str, Measure]) -> bool:
    """Whether any of them says that it reads single deliveries, so that the run must keep its rows."""
    return any(getattr(what, "needs_rows", False) for what in measures.values())


def measured(run: Run, measures: Iterable[Measure]) -> tuple[float, ...]:
    """The number of each metric in a run; `UnknownNameError` for a subscription or field that does not exist."""
    summary = run.summary()
    return tuple(_field(summary, what) if isinstance(what, str) else _number(what, what(run)) for what in measures)


def _number(what: Metric, value: Any) -> float:
    """What a function measured, as a float."""
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        raise checks.refuse(f"what the metric {_name_of(what)!r} returned", value, "return a number")
    return float(value)


def _field(summary: Summary, what: str) -> float:
    of, _, field = what.rpartition(".")
    if not of:
        raise checks.refuse("metric", what, 'give subscription and field, such as "mail.mean_wait_s"')
    line = summary[of]
    if field not in vars(line):
        raise UnknownNameError("field of the summary", field, vars(line))
    value = getattr(line, field)
    if isinstance(value, str):
        raise checks.refuse("metric", what, "name a field that holds a number")
    if value is None:
        remedy = 'say log="full", so that each run keeps its rows'
        raise ConfigurationError(f"{what} is not known without rows", field="metric", value=what, remedy=remedy)
    return float(value)


def _name_of(what: object) -> str:
    return what if isinstance(what, str) else str(getattr(what, "__name__", what))
