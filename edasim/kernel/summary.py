"""The summary of a run: one line per subscription, from the running statistics of the log, at every level.

Rates and utilisation divide by the whole simulated time, so a run that starts empty is counted as it was; warm-up is
the business of experiments. The mean queue is the time waited by all, in vain or not, divided by the time simulated
(Little's law, QT-24). A wait ends when a message is started, so it includes the hand-over.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigurationError, UnknownNameError
from .metrics import KINDS, Spread, redelivered
from .runlog import (
    CRASHED,
    DEAD_LETTERED,
    DONE,
    DROPPED,
    EXPIRED,
    FAILED,
    FILTERED,
    IN_FLIGHT,
    QUEUED,
    REQUEUED,
    LogLevel,
)

if TYPE_CHECKING:
    from .run import Run


@dataclass(frozen=True)
class Line:
    """What happened at one subscription; times in seconds, NaN where nothing was started.

    Waits are those of attempts that have ended, `mean_response_s` runs from publishing to done. `failed` counts
    attempts that were refused, `redelivered` attempts after the first, `duplicates` how often a message was done once
    more (None if the log did not keep all rows), `lost` messages that nobody will do, `waiting` those queued or in
    flight at the end.
    """

    group: str
    destination: str
    service: str
    slots: int
    done: int
    rate_per_s: float
    utilisation: float
    mean_queue: float
    mean_wait_s: float
    p50_wait_s: float
    p95_wait_s: float
    p99_wait_s: float
    mean_response_s: float
    failed: int
    crashed: int
    redelivered: int
    duplicates: int | None
    lost: int
    waiting: int


@dataclass(frozen=True)
class Summary:
    """One line per subscription, and how much of the run the log kept."""

    lines: tuple[Line, ...]
    seed: int
    ended_s: float
    log: str

    @classmethod
    def of(cls, run: Run) -> Summary:
        """The summary of a run."""
        duplicates = run.deliveries.duplicates() if run.has_all_rows else None
        lines = [_line(run, lane, duplicates) for lane in range(len(run.lanes))]
        return cls(tuple(line for line in lines if line is not None), run.seed, run.ended_s, _kept(run))

    def __getitem__(self, group: str) -> Line:
        """The line of a subscription or a service, or of "destination/subscription" where the name alone is not unique.

        Raises `UnknownNameError` if there is none, `ConfigurationError` if there are several.
        """
        found = [line for line in self.lines if group in (line.group, line.service, f"{line.destination}/{line.group}")]
        if not found:
            raise UnknownNameError("subscription in the summary", group, [line.group for line in self.lines])
        if len(found) > 1:
            raise ConfigurationError(
                f"the summary has {len(found)} lines for {group!r}",
                field="group",
                value=group,
                remedy=f"ask for one of {', '.join(f'{line.destination}/{line.group}' for line in found)}",
            )
        return found[0]

    def __str__(self) -> str:
        title = f"one run: seed {self.seed}, {self.ended_s:g} s simulated; log: {self.log}"
        table = [_HEAD, *(_cells(line) for line in self.lines)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join([title, *(_aligned(row, widths) for row in table)])


_HEAD = [
    "subscription", "slots", "done", "per s", "busy", "queue", "wait mean", "p50", "p95", "p99",
    "failed", "crashed", "again", "twice", "lost", "waiting",
]  # fmt: skip


def _cells(line: Line) -> list[str]:
    waits_s = (line.mean_wait_s, line.p50_wait_s, line.p95_wait_s, line.p99_wait_s)
    twice = "?" if line.duplicates is None else line.duplicates
    counts = (line.failed, line.crashed, line.redelivered, twice, line.lost, line.waiting)
    return [
        line.group or line.destination,
        str(line.slots),
        str(line.done),
        f"{line.rate_per_s:.2f}",
        _share(line.utilisation),
        _plain(line.mean_queue),
        *map(_seconds, waits_s),
        *map(str, counts),
    ]


def _aligned(cells: list[str], widths: list[int]) -> str:
    first, *others = (
        cell.rjust(width) if place else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *others])


@dataclass
class _Totals:
    """What all consumers of a lane did together, what is still open included."""

    outcomes: np.ndarray[Any, Any]
    waits: Spread
    responses: Spread
    busy_s: float = 0.0
    waited_s: float = 0.0
    redelivered: int = 0

    @classmethod
    def of(cls, run: Run, lane: int) -> _Totals:
        made = cls(np.zeros(KINDS, dtype=np.int64), Spread(), Spread())
        mine = [endpoint for endpoint, (at, _) in enumerate(run.endpoints) if at == lane]
        for counted in (run.metrics.by_endpoint[i] for i in mine if i in run.metrics.by_endpoint):
            made.outcomes += counted.outcomes
            made.waits.merge(counted.waits)
            made.responses.merge(counted.responses)
            made.busy_s += counted.busy_s
            made.waited_s += counted.waits.total_s + counted.vain_waits_s
            made.redelivered += counted.redelivered
        made.add_open(run.open_rows[np.isin(run.open_rows["endpoint"], mine)], run.ended_s)
        return made

    def add_open(self, rows: np.ndarray[Any, Any], ended_s: float) -> None:
        """Counts what is queued or in flight, up to the end of the run."""
        self.outcomes += np.bincount(rows["outcome"], minlength=KINDS)
        self.redelivered += redelivered(rows)
        left_queue_s = np.where(np.isnan(rows["started_s"]), ended_s, rows["started_s"])
        self.waited_s += float((left_queue_s - rows["enqueued_s"]).sum())
        self.busy_s += float((ended_s - left_queue_s).sum())

    def count(self, *outcomes: int) -> int:
        """How many attempts and messages came to one of these outcomes."""
        return int(self.outcomes[list(outcomes)].sum())


def _line(run: Run, lane: int, duplicates: dict[int, int] | None) -> Line | None:
    """The line of a lane, or None if nothing happened there and nobody works there."""
    totals, ended_s = _Totals.of(run, lane), run.ended_s
    if not totals.outcomes.sum() and lane not in run.slots:
        return None
    service, slots = run.slots.get(lane, ("", 0))
    done = totals.count(DONE)
    return Line(
        group=run.lanes[lane].group,
        destination=run.lanes[lane].destination,
        service=service,
        slots=slots,
        done=done,
        rate_per_s=done / ended_s if ended_s else math.nan,
        utilisation=totals.busy_s / (slots * ended_s) if slots and ended_s else math.nan,
        mean_queue=totals.waited_s / ended_s if ended_s else math.nan,
        mean_wait_s=totals.waits.mean_s,
        p50_wait_s=totals.waits.quantile_s(0.50),
        p95_wait_s=totals.waits.quantile_s(0.95),
        p99_wait_s=totals.waits.quantile_s(0.99),
        mean_response_s=totals.responses.mean_s,
        failed=totals.count(FAILED, REQUEUED, DEAD_LETTERED),
        crashed=totals.count(CRASHED),
        redelivered=totals.redelivered,
        duplicates=None if duplicates is None else duplicates.get(lane, 0),
        lost=totals.count(DROPPED, EXPIRED, DEAD_LETTERED, FILTERED),
        waiting=totals.count(QUEUED, IN_FLIGHT),
    )


def _kept(run: Run) -> str:
    rows = run.metrics.rows + len(run.open_rows)
    if run.log.level is LogLevel.METRICS:
        return f"metrics only ({rows} rows counted, none kept)"
    kept = f"{run.kept_rows} of {rows} rows kept"
    if run.log.level is LogLevel.SAMPLED:
        return f"sampled, one causal tree in {run.log.one_in} ({kept})"
    return f"full ({kept})" + ("" if run.has_all_rows else f", max_rows={run.log.max_rows} reached")


def _seconds(seconds: float) -> str:
    if math.isnan(seconds):
        return "-"
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _share(ratio: float) -> str:
    return "-" if math.isnan(ratio) else f"{100 * ratio:.1f} %"


def _plain(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"
