"""The waits inside one run, in order: its warm-up, its steady part, and batch means for one long run.

Follows: MSER-5 for the warm-up (SO-03), batch means (SO-02), both in `theory`. The results carry the data of their
pictures (`points()`). Left out: intervals from single waits, which resemble their neighbours, and a start from the
stationary state.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks
from ..kernel import Run
from ..theory import BatchInterval, WarmUp, batch_means_interval, mser5
from ..theory.warm_up import BATCH

if TYPE_CHECKING:
    import pandas

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Quantity(enum.Enum):
    """What is measured of each delivery."""

    WAIT = "wait"
    RESPONSE = "response"


def of_run(run: Run, of: str, quantity: str | Quantity = Quantity.WAIT) -> tuple[Floats, Floats]:
    """The deliveries of subscription or service `of` that were started, in order of their arrival there.

    Returns:
        When each was enqueued and how long it waited for its start (`quantity="wait"`), or, of those that were
        finished, how long it took from publishing to the end ("response"); two arrays of seconds of the same length.

    Raises:
        StateError: the run kept no rows.
    """
    quantity = checks.check_word(Quantity)("quantity", quantity)
    line = run.summary()[of]
    run.require_rows(f"the series of {of!r}")
    rows = run.deliveries
    lanes = [i for i, lane in enumerate(run.lanes) if (lane.group, lane.destination) == (line.group, line.destination)]
    reached_s = rows.started_s if quantity is Quantity.WAIT else rows.finished_s
    mine = np.flatnonzero(np.isin(rows.lane, lanes) & ~np.isnan(reached_s))
    order = mine[np.argsort(rows.enqueued_s[mine], kind="stable")]
    since_s = rows.enqueued_s if quantity is Quantity.WAIT else rows.published_s
    return rows.enqueued_s[order], reached_s[order] - since_s[order]


@dataclass(frozen=True)
class WarmUpStudy:
    """Where the warm-up of one run ends by MSER-5: the verdict `found`, and the data for its picture.

    `enqueued_s` and `values_s` are equally long: the series that was judged, in order of arrival.
    """

    of: str
    quantity: Quantity
    enqueued_s: Floats
    values_s: Floats
    found: WarmUp

    @property
    def cut_s(self) -> float:
        """The simulated time at which what is kept begins."""
        return float(self.enqueued_s[self.found.cut])

    @property
    def kept_s(self) -> Floats:
        """The values after the warm-up, in seconds."""
        return self.values_s[self.found.cut :]

    def points(self) -> pandas.DataFrame:
        """A row per five values: `first` (index), `time_s`, `mean_s`, `error_s` if cut there (NaN past half), `kept`."""
        import pandas as pd

        count = len(self.values_s) // BATCH
        errors_s = np.full(count, np.nan)
        errors_s[: len(self.found.curve)] = self.found.curve[:count]
        first = BATCH * np.arange(count)
        return pd.DataFrame(
            {
                "first": first,
                "time_s": self.enqueued_s[first],
                "mean_s": self.values_s[: count * BATCH].reshape(count, BATCH).mean(axis=1),
                "error_s": errors_s,
                "kept": first >= self.found.cut,
            }
        )

    def __str__(self) -> str:
        return f"{self.quantity.value}s at {self.of}: {self.found}"


def warm_up(run: Run, of: str, quantity: str | Quantity = Quantity.WAIT) -> WarmUpStudy:
    """Where the warm-up of `run` ends at subscription or service `of`, by MSER-5 (SO-03).

    Raises:
        ConfigurationError: fewer than 50 deliveries.
        StateError: the run kept no rows.
    """
    enqueued_s, values_s = of_run(run, of, quantity)
    return WarmUpStudy(of, Quantity(quantity), enqueued_s, values_s, mser5(values_s))


def steady(run: Run, of: str, quantity: Quantity, p: float | None) -> float:
    """The mean (`p` None) or the p-quantile of the series in seconds, without its warm-up."""
    kept_s = warm_up(run, of, quantity).kept_s
    return float(kept_s.mean() if p is None else np.quantile(kept_s, p))


@dataclass(frozen=True)
class BatchMeans:
    """The interval for the mean of one long run, from its batches; `means_s` has one mean per batch, in seconds."""

    study: WarmUpStudy
    interval: BatchInterval
    means_s: Floats

    def points(self) -> pandas.DataFrame:
        """A row per batch: `batch`, `time_s` (its first arrival) and `mean_s`."""
        import pandas as pd

        count, size = len(self.means_s), self.interval.batch_size
        first = len(self.study.values_s) - count * size + size * np.arange(count)
        times_s = self.study.enqueued_s[first]
        return pd.DataFrame({"batch": np.arange(count), "time_s": times_s, "mean_s": self.means_s})

    def __str__(self) -> str:
        neighbours = f"neighbouring batches correlate by {self.interval.correlation:.2f}"
        return f"{self.interval} from batches of {self.interval.batch_size}; {neighbours}; {self.study.found}"


def batch_means(
    run: Run, of: str, quantity: str | Quantity = Quantity.WAIT, *, batches: int = 20, level: float = 0.95
) -> BatchMeans:
    """The interval for the mean of one long run at `of`, from `batches` equal batches after the warm-up (SO-02).

    Use it where one long run is all there is. Batches must be many relaxation times long; if neighbouring ones
    correlate clearly above 0 they are not, and the interval is too narrow.
    """
    study = warm_up(run, of, quantity)
    kept_s = study.kept_s
    interval = batch_means_interval(kept_s, batches=batches, level=level)
    whole = kept_s[len(kept_s) - batches * interval.batch_size :]
    return BatchMeans(study, interval, whole.reshape(batches, -1).mean(axis=1))
