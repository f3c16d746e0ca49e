"""The summary of a run: one line per subscription, from the running statistics of the log, at every level.

Rates and utilisation divide by the whole simulated time, so a run that starts empty is counted as it was; warm-up is the
business of experiments. The mean queue is the time waited, divided by the time simulated (Little's law, QT-24).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UnknownNameError
from .metrics import Metrics, Spread
from .runlog import (
    CRASHED, DEAD_LETTERED, DONE, DROPPED, EXPIRED, FAILED, FILTERED, IN_FLIGHT, QUEUED, REQUEUED, LogLevel, RunLog,
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """What happened at one subscription; times in seconds, NaN where nothing was started."""

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
    def of(
        cls,
        log: RunLog,
        metrics: Metrics,
        open_rows: np.ndarray[Any, Any],
        duplicates: dict[int, int] | None,
        seed: int,
        ended_s: float,
    ) -> Summary:
        """The summary of the metrics of a log and of the rows that are still open."""
        lines = [
            line
            for lane in range(len(log.lanes))
            if (line := _line(log, metrics, lane, open_rows, duplicates, ended_s)) is not None
        ]
        return cls(tuple(lines), seed, ended_s, _kept(log, metrics))

    def __getitem__(self, group: str) -> Line:
        for line in self.lines:
            if group in (line.group, line.service):
                return line
        raise UnknownNameError("subscription in the summary", group, [line.group for line in self.lines])

    def __str__(self) -> str:
        title = f"one run: seed {self.seed}, {self.ended_s:g} s simulated; log: {self.log}"
        head = [
            "subscription", "slots", "done", "per s", "busy", "queue", "wait mean", "p50", "p95", "p99", "failed", "crashed",
            "again", "twice", "lost", "waiting",
        ]  # fmt: skip
        body = [
            [
                line.group or line.destination, str(line.slots), str(line.done), f"{line.rate_per_s:.2f}", _share(line.utilisation),
                _plain(line.mean_queue), *(_seconds(s) for s in (line.mean_wait_s, line.p50_wait_s, line.p95_wait_s, line.p99_wait_s)),
                str(line.failed), str(line.crashed), str(line.redelivered), "?" if line.duplicates is None else str(line.duplicates),
                str(line.lost), str(line.waiting),
            ]
            for line in self.lines
        ]  # fmt: skip
        widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
        rows = [
            "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
            for row in [head, *body]
        ]
        return "\n".join([title, *rows])


def _line(
    log: RunLog,
    metrics: Metrics,
    lane: int,
    open_rows: np.ndarray[Any, Any],
    duplicates: dict[int, int] | None,
    ended_s: float,
) -> Line | None:
    mine = [i for i, (at, _) in enumerate(log.endpoints) if at == lane]
    outcomes = np.zeros(16, dtype=np.int64)
    waits, responses = Spread(), Spread()
    busy_s, redelivered = 0.0, 0
    for counted in (metrics.by_endpoint[i] for i in mine if i in metrics.by_endpoint):
        outcomes += counted.outcomes
        redelivered += counted.redelivered
        busy_s += counted.busy_s
        waits.merge(counted.waits)
        responses.merge(counted.responses)
    still = open_rows[np.isin(open_rows["endpoint"], mine)]
    outcomes += np.bincount(still["outcome"], minlength=16)
    started_s = still["started_s"][~np.isnan(still["started_s"])]
    busy_s += float(np.maximum(ended_s - started_s, 0.0).sum())
    if not outcomes.sum() and lane not in log.slots:
        return None
    not_started = still["enqueued_s"][np.isnan(still["started_s"])]
    waited_s = waits.total_s + float((ended_s - not_started).sum())
    service, slots = log.slots.get(lane, ("", 0))
    lane_name = log.lanes[lane]
    return Line(
        group=lane_name.group,
        destination=lane_name.destination,
        service=service,
        slots=slots,
        done=int(outcomes[DONE]),
        rate_per_s=float(outcomes[DONE]) / ended_s if ended_s else math.nan,
        utilisation=busy_s / (slots * ended_s) if slots and ended_s else math.nan,
        mean_queue=waited_s / ended_s if ended_s else math.nan,
        mean_wait_s=waits.mean_s,
        p50_wait_s=waits.quantile_s(0.50),
        p95_wait_s=waits.quantile_s(0.95),
        p99_wait_s=waits.quantile_s(0.99),
        mean_response_s=responses.mean_s,
        failed=int(outcomes[[FAILED, REQUEUED, DEAD_LETTERED]].sum()),
        crashed=int(outcomes[CRASHED]),
        redelivered=redelivered,
        duplicates=None if duplicates is None else duplicates.get(lane, 0),
        lost=int(outcomes[[DROPPED, EXPIRED, DEAD_LETTERED, FILTERED]].sum()),
        waiting=int(outcomes[[QUEUED, IN_FLIGHT]].sum()),
    )


def _kept(log: RunLog, metrics: Metrics) -> str:
    if log.level is LogLevel.METRICS:
        return f"metrics only ({metrics.rows} deliveries counted, no rows kept)"
    kept = f"{log.kept_rows} of {metrics.rows} rows kept"
    if log.level is LogLevel.SAMPLED:
        return f"sampled, one causal tree in {log.one_in} ({kept})"
    return f"full ({kept})" + (f", max_rows={log.max_rows} reached" if log.kept_rows < metrics.rows else "")


def _seconds(seconds: float) -> str:
    if math.isnan(seconds):
        return "-"
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _share(ratio: float) -> str:
    return "-" if math.isnan(ratio) else f"{100 * ratio:.1f} %"


def _plain(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"

