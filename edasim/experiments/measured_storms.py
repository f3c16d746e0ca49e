"""A retry storm that was measured on real sockets, beside the same storm simulated.

`tools/measure/storm.py` ran each of `KINDS` with a server process and a client on one machine, on the real clock, under
the very policies that are simulated here; `data/measured/storm.csv` holds what was counted in each second. The model
knows no hand-over between socket, queue and worker, so its server does a little more. Left out: single requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks
from ..errors import ConfigurationError
from ..governance import Backoff, CircuitBreaker, Jitter, Retry, ShareOfFresh, Window
from ..kernel.deliveries import Floats
from ..scenarios import Storm
from ..scenarios.storm import CLIENT
from ..services.calls import Protections, Stale, traffic
from ..theory import Interval, mean_interval

if TYPE_CHECKING:
    import pandas as pd

RETRY = Retry(attempts=4, backoff=Backoff(first_wait_s=1.0, factor=1.0, jitter=Jitter.NONE))
BUDGET = ShareOfFresh(ratio=0.1, reserve_per_s=0.0)
BREAKER = CircuitBreaker(window=Window.TIME, window_size=5, minimum_calls=20, open_s=2.0)
SMALL: Mapping[str, Any] = {
    "requests_per_s": 12.0, "capacity_per_s": 20.0, "fault_capacity_per_s": 6.0, "fault_at_s": 10.0, "fault_s": 10.0,
}  # fmt: skip
KINDS: Mapping[str, Storm] = {
    "no retries": Storm(protections=Protections(timeout_s=1.0), **SMALL),
    "retries": Storm(protections=Protections(timeout_s=1.0, retry=RETRY), **SMALL),
    "guarded": Storm(
        protections=Protections(timeout_s=1.0, retry=RETRY, budget=BUDGET, breaker=BREAKER),
        stale=Stale.DROPPED,
        **SMALL,
    ),
}
"""None; three retries; three retries with budget and breaker, and a server that drops calls nobody waits for."""
COLUMNS = ("kind", "seed", "second", "asked", "answered", "attempts", "worked")
LATE_S = 20


@dataclass(frozen=True)
class Beside:
    """One kind of storm: what was answered in time and what was worked on, per second; a row for each run."""

    kind: str
    measured_goodput: Floats
    measured_work: Floats
    goodput: Floats
    work: Floats

    def late(self, column: str) -> Interval:
        """The mean of a column over the last 20 s, per second, with its 95 % interval over the runs."""
        rows: Floats = getattr(self, column)
        return mean_interval(rows[:, -LATE_S:].mean(axis=1))

    def __str__(self) -> str:
        told = [
            f"{name} measured {_pm(self.late(measured))}, simulated {_pm(self.late(simulated))}"
            for name, measured, simulated in (
                ("answered", "measured_goodput", "goodput"),
                ("worked", "measured_work", "work"),
            )
        ]
        return f"{self.kind:10}  {'; '.join(told)} per s"


def _pm(interval: Interval) -> str:
    return f"{interval.mean:.1f} ± {interval.half_width:.1f}"


@dataclass(frozen=True)
class MeasuredStorms:
    """All kinds, in order; prints the last 20 s of each."""

    kinds: tuple[Beside, ...]

    def __str__(self) -> str:
        return "\n".join(str(each) for each in self.kinds)


def measured_storms(path: str | Path, *, seed: int = 1) -> MeasuredStorms:
    """Reads the table, and simulates as many runs of each kind as were measured, with seeds from `seed` on.

    Raises `ConfigurationError` for a table that cannot be read, lacks a column or a kind, or whose runs differ in
    length.
    """
    first = checks.check_whole(0)("seed", seed)
    table = _table(path)
    return MeasuredStorms(tuple(_beside(kind, storm, table, path, first) for kind, storm in KINDS.items()))


def _refusal(path: str | Path, what: str) -> ConfigurationError:
    remedy = "give a table that tools/measure/storm.py wrote"
    return ConfigurationError(f"{path} {what}", field="path", value=str(path), remedy=remedy)


def _table(path: str | Path) -> pd.DataFrame:
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise _refusal(path, f"cannot be read: {error}") from None
    lacking = [name for name in COLUMNS if name not in table.columns]
    lacking = lacking or [kind for kind in KINDS if kind not in set(table["kind"])]
    if lacking:
        raise _refusal(path, f"lacks {lacking[0]!r}")
    return table


def _beside(kind: str, storm: Storm, table: pd.DataFrame, path: str | Path, first: int) -> Beside:
    runs = table[table["kind"] == kind].pivot_table(index="seed", columns="second", values=["answered", "worked"])
    answered, worked = (runs[name].to_numpy(dtype=np.float64) for name in ("answered", "worked"))
    seconds = len(runs["answered"].columns)
    if np.isnan(answered).any() or seconds < LATE_S or len(answered) < 2:
        raise _refusal(path, f"has too few runs of {kind!r}, or some that end early")
    until_s = float(seconds)
    seen = [traffic(storm.run(seed=first + number, until_s=until_s), CLIENT) for number in range(len(answered))]
    goodput = np.stack([each.goodput_per_s for each in seen])
    work = np.stack([each.throughput_per_s for each in seen])
    return Beside(kind, answered, worked, goodput, work)
