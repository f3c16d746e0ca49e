"""Metrics: one number per run, by name or by a function of the run.

"mail.mean_wait_s" is a field of the summary's line for the subscription or service "mail". "mail.steady_mean_wait_s"
is the mean of its waits without the warm-up that MSER-5 finds in that run (SO-03); `steady_p95_wait_s` and
`steady_mean_response_s` and the like go the same way. Anything else is a function of a run under a name of yours.
Left out: metrics over several runs at once; those are the business of the results.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from ..kernel import Run
from . import series

Metric = Callable[[Run], float]
Measure = str | Metric
Metrics = Iterable[Measure] | Mapping[str, Measure]
"""Names, functions of a run (under the function's name), or either of them under a name of yours."""

STEADY = re.compile(r"steady_(?P<statistic>mean|p(?P<digits>\d{2,3}))_(?P<quantity>wait|response)_s")
RESERVED = frozenset({"point", "replication", "seed", "fingerprint", "metric", "system"})
"""Columns of the tables; a metric of that name would hide one."""


def named(metrics: Metrics) -> dict[str, Measure]:
    """The metrics by name; at least one, and none under the name of a column of the tables."""
    if isinstance(metrics, str):
        metrics = (metrics,)
    if isinstance(metrics, Mapping):
        found = dict(metrics)
    elif isinstance(metrics, Iterable):
        found = {_name_of(what): what for what in metrics}
    else:
        found = {_name_of(metrics): metrics}
    if not found:
        raise checks.refuse("metrics", metrics, 'name at least one, such as "mail.mean_wait_s"')
    for name, what in found.items():
        if not isinstance(name, str) or name in RESERVED:
            raise checks.refuse("metrics", name, "give the metric another name; the tables use this one")
        if not (isinstance(what, str) or callable(what)):
            raise checks.refuse(f"metrics[{name!r}]", what, 'give a name such as "mail.mean_wait_s", or a function of a run')
    return found


def need_rows(measures: Mapping[str, Measure]) -> bool:
    """Whether any of them reads single deliveries, so that the run must keep its rows."""
    return any(isinstance(what, str) and STEADY.fullmatch(what.rpartition(".")[2]) for what in measures.values())


def measure(run: Run, what: Measure) -> float:
    """The number of a metric in a run; `UnknownNameError` for a subscription or field that does not exist."""
    if not isinstance(what, str):
        return float(what(run))
    of, _, field = what.rpartition(".")
    if not of:
        raise checks.refuse("metric", what, 'give subscription and field, such as "mail.mean_wait_s"')
    steady = STEADY.fullmatch(field)
    if steady is not None:
        digits = steady["digits"]
        p = None if digits is None else int(digits) / 10 ** len(digits)
        return series.steady(run, of, series.Quantity(steady["quantity"]), p)
    line = run.summary()[of]
    if not hasattr(line, field):
        raise UnknownNameError("field of the summary", field, vars(line))
    value = getattr(line, field)
    if isinstance(value, str):
        raise checks.refuse("metric", what, "name a field that holds a number")
    if value is None:
        remedy = 'say log="full", so that each run keeps its rows'
        raise ConfigurationError(f"{what} is not known without rows", field="metric", value=what, remedy=remedy)
    return float(value)


def _name_of(what: object) -> str:
    return what if isinstance(what, str) else str(getattr(what, "__name__", type(what).__name__))
