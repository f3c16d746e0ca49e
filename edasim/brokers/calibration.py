"""Calibration: what a table of measured deliveries says about a broker's hand-over and a consumer's service times.

A table has a row per delivery, as `data/measured/README.md` describes it: when the message was published, started
and finished, and by which consumer. Three things follow from it. The *hand-over* lies between the end of one message
and the start of the next one that was waiting by then: acknowledgement, dispatch, wake-up. The *pick-up* lies between
publishing and the start at an idle consumer. The *service times* are given as recorded and as a fitted distribution.

Left out: consumers that work on several messages at once, and a hand-over that depends on the load. What was delivered
again counts for the service times only: nobody knows since when it had been waiting.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from ..kernel import times
from ..theory import Interval, mean_interval

Floats = np.ndarray[Any, np.dtype[np.float64]]

TIMES = ("published_s", "started_s", "finished_s")
"""The columns that a table must have, in the order in which they happen."""

AGAIN = {"redelivered": 0, "attempt": 1}
"""Columns that tell a repeated delivery, with the largest value of a first one."""

STEADY_SCV = 1e-9
"""Below this squared coefficient of variation, service times are constant but for rounding."""


@checks.configuration
class Calibration:
    """What `calibrate` found; `recorded` and `fitted` are settings for a `Service` or a `SingleQueue`.

    `handover` is the mean hand-over in seconds with its 95 % interval, `pickup_s` the mean seconds from publishing to
    the start at an idle consumer (None if none was idle), `service_time` the recorded service times in order of their
    start. The interval takes hand-overs for independent; those of one batch are not, and then it is too narrow.
    """

    handover: Interval
    pickup_s: float | None
    service_time: times.Trace

    @property
    def handover_s(self) -> float:
        """The mean hand-over in seconds."""
        return self.handover.mean

    @property
    def mean_service_s(self) -> float:
        """The mean service time in seconds."""
        return self.service_time.mean_s

    @property
    def service_cv(self) -> float:
        """The coefficient of variation of the service times: standard deviation over mean."""
        return float(np.sqrt(self.service_time.scv))

    @property
    def fitted_service_time(self) -> times.Times:
        """The distribution with the mean and the variation of the recording (`times.with_scv`)."""
        mean_s, scv = self.service_time.mean_s, self.service_time.scv
        return times.Constant(value_s=mean_s) if scv < STEADY_SCV else times.with_scv(mean_s, scv)

    @property
    def recorded(self) -> dict[str, Any]:
        """`handover_s` and `service_time`, the recorded values one by one."""
        return {"handover_s": self.handover_s, "service_time": self.service_time}

    @property
    def fitted(self) -> dict[str, Any]:
        """`handover_s` and `service_time`, a distribution for any number of messages."""
        return {"handover_s": self.handover_s, "service_time": self.fitted_service_time}

    def __str__(self) -> str:
        half_ms = 1000 * self.handover.half_width
        idle = "" if self.pickup_s is None else f", pick-up {1000 * self.pickup_s:.2f} ms at an idle consumer"
        return (
            f"hand-over {1000 * self.handover_s:.3f} ± {half_ms:.3f} ms ({self.handover.n:,} waiting messages){idle}, "
            f"service {1000 * self.mean_service_s:.1f} ms with coefficient of variation {self.service_cv:.2f}"
        )


def calibrate(table: Any, *, least_waiting: int = 30) -> Calibration:
    """The hand-over and the service times that `table` shows.

    Args:
        table: a DataFrame, a mapping of columns, or the path of a CSV file (it may be compressed). Columns:
            `published_s`, `started_s` and `finished_s` in seconds on one clock; `consumer` if there were several;
            `redelivered` or `attempt` if some were delivered again. A consumer's rows stand in order of their start.
        least_waiting: fewer messages that found their consumer busy are refused (at least 2).

    Raises:
        UnknownNameError: a column is missing.
        ConfigurationError: a value is no finite number or comes before what precedes it, a consumer's rows are unsorted
            or overlap, or too few messages waited; the error names column, row (the first is 0) and value.

    >>> rows = {"published_s": [0.0, 0.1, 0.2], "started_s": [0.5, 1.5, 2.5], "finished_s": [1.0, 2.0, 3.0]}
    >>> calibrate(rows, least_waiting=2).recorded
    {'handover_s': 0.5, 'service_time': Trace(values_s=(0.5, 0.5, 0.5), at_end='fail')}
    """
    checks.check_whole(2)("least_waiting", least_waiting)
    columns = _columns(table)
    published_s, started_s, finished_s = (_numbers(name, columns[name]) for name in TIMES)
    _refuse_backward("started_s", started_s, "published_s", published_s)
    _refuse_backward("finished_s", finished_s, "started_s", started_s)
    first_time = _first_times(columns)
    handovers_s, pickups_s = [np.empty(0)], [np.empty(0)]
    for rows in _by_consumer(columns.get("consumer"), len(started_s)):
        _refuse_disorder(rows, started_s, finished_s)
        ended_s, next_s, sent_s = finished_s[rows[:-1]], started_s[rows[1:]], published_s[rows[1:]]
        told, waited = first_time[rows[1:]], sent_s < ended_s
        handovers_s.append((next_s - ended_s)[told & waited])
        pickups_s.append((next_s - sent_s)[told & ~waited])
    gaps_s, idle_s = np.concatenate(handovers_s), np.concatenate(pickups_s)
    if len(gaps_s) < least_waiting:
        raise ConfigurationError(
            f"{len(gaps_s)} of {len(started_s)} messages of the table were waiting when their consumer became free",
            field="table",
            value=len(gaps_s),
            remedy=f"measure longer or at a higher load (0.8), until at least {least_waiting} of them wait",
        )
    service_s = (finished_s - started_s)[np.argsort(started_s, kind="stable")]
    return Calibration(
        handover=mean_interval(gaps_s),
        pickup_s=float(idle_s.mean()) if len(idle_s) else None,
        service_time=times.Trace(values_s=tuple(service_s.tolist())),
    )


def _columns(table: Any) -> dict[str, Any]:
    """The columns that matter, by name and of one length."""
    if isinstance(table, str | Path):
        import pandas as pd

        table = pd.read_csv(table)
    if not isinstance(table, Mapping) and not hasattr(table, "columns"):
        raise checks.refuse("table", table, "give a DataFrame, a mapping of columns or the path of a CSV file")
    known = [str(name) for name in getattr(table, "columns", table)]
    for name in TIMES:
        if name not in known:
            raise UnknownNameError("column of the measured table", name, known)
    kept = {name: _array(table[name]) for name in (*TIMES, "consumer", *AGAIN) if name in known}
    for name, column in kept.items():
        if column.shape != (len(kept["started_s"]),):
            remedy = f"give each column the {len(kept['started_s'])} rows of started_s"
            raise checks.refuse(f"table.{name}", f"an array of shape {column.shape}", remedy)
    return kept


def _array(column: Any) -> np.ndarray[Any, np.dtype[Any]]:
    """A column as an array; what stands in a list keeps its kind."""
    return np.asarray(column) if hasattr(column, "__array__") else np.array(column, dtype=object)


def _numbers(name: str, column: Any) -> Floats:
    """A column as finite floats, or an error that names the first row that is none."""
    for row, value in enumerate(column.tolist() if column.dtype.kind not in "iuf" else ()):
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise _refuse_value(name, row, value, "give a number of seconds")
    seconds: Floats = column.astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(seconds))
    if len(wrong):
        remedy = "leave out the deliveries that were not finished; all times are finite seconds"
        raise _refuse_value(name, int(wrong[0]), float(seconds[wrong[0]]), remedy)
    return seconds


def _first_times(columns: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows are the first delivery of their message."""
    first = np.ones(len(columns["started_s"]), dtype=bool)
    for name, largest in AGAIN.items():
        if name in columns:
            first &= _numbers(name, columns[name]) <= largest
    return first


def _by_consumer(column: Any, rows: int) -> Iterator[np.ndarray[Any, np.dtype[np.intp]]]:
    """The rows of each consumer; all rows if the table does not tell consumers apart."""
    if column is None:
        yield np.arange(rows)
        return
    names = column.tolist()
    for row, name in enumerate(names):
        if name is None or name != name or name == "":  # noqa: PLR0124 - only NaN differs from itself
            raise _refuse_value("consumer", row, name, "name the consumer of each delivery, or leave the column out")
    _, places = np.unique(np.array([str(name) for name in names]), return_inverse=True)
    for place in range(int(places.max(initial=-1)) + 1):
        yield np.flatnonzero(places == place)


def _refuse_backward(late: str, late_s: Floats, early: str, early_s: Floats) -> None:
    wrong = np.flatnonzero(late_s < early_s)
    if len(wrong):
        row = int(wrong[0])
        remedy = f"give times of one clock; {early} of this row is {float(early_s[row])!r}"
        raise _refuse_value(late, row, float(late_s[row]), remedy)


def _refuse_disorder(rows: np.ndarray[Any, np.dtype[np.intp]], started_s: Floats, finished_s: Floats) -> None:
    """Refuses rows of one consumer that do not stand in order of their start, or that overlap."""
    for wrong, remedy in (
        (started_s[rows[1:]] < started_s[rows[:-1]], "sort the table by started_s"),
        (
            started_s[rows[1:]] < finished_s[rows[:-1]],
            "give what works on several messages at once a consumer's name for each of them",
        ),
    ):
        if wrong.any():
            row = int(rows[1:][wrong][0])
            before = int(rows[:-1][wrong][0])
            told = f"row {before} of the same consumer is from {started_s[before]!s} to {finished_s[before]!s} s; "
            raise _refuse_value("started_s", row, float(started_s[row]), told + remedy)


def _refuse_value(name: str, row: int, value: Any, remedy: str) -> ConfigurationError:
    return checks.refuse(f"table.{name}[{row}]", value, remedy)
