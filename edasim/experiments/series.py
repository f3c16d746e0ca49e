"""The waits inside a run, in order: its warm-up, what is left without it, and batch means for one long run.

Follows: MSER-5 for the warm-up (SO-03), batch means (SO-02), both in `theory`. Where the warm-up ends is found on the
mean of several pilot runs and then cut off every run. MSER-5 on each run by itself keeps a stretch that happens to be
calm, and makes it worse: of runs of 5,000 messages at load 0.8 (M/M/1, true mean 4.00 s) the whole run says 3.88 s, a
cut of its own 3.72 s, a common cut 3.90 s. The results carry the data of their pictures (`points()`). Left out:
intervals from single waits, which resemble their neighbours, and a start from the stationary state.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import checks
from ..errors import ConfigurationError
from ..kernel import Run
from ..theory import BatchInterval, WarmUp, batch_means_interval, mser5
from ..theory.warm_up import BATCH
from .progress import Progress
from .tasks import seed_of

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


@checks.configuration
class Steady:
    """A metric: the mean of a run's waits at `of` (or their `p`-quantile) without the first `cut` of them.

    `quantity` is "wait" or "response". `WarmUpStudy.mean` and `.quantile(p)` make one.
    """

    needs_rows: ClassVar[bool] = True

    of: str = checks.text()
    cut: int = checks.at_least(0)
    quantity: Quantity = checks.word(Quantity, default=Quantity.WAIT)
    p: float | None = checks.optional(checks.check_ratio, default=None)

    def __call__(self, run: Run) -> float:
        """The number of seconds in a run; `ConfigurationError` if the run has no more values than the cut."""
        _, values_s = of_run(run, self.of, self.quantity)
        if len(values_s) <= self.cut:
            problem = f"the run has {len(values_s)} {self.quantity.value}s at {self.of!r}, and {self.cut} are cut"
            raise ConfigurationError(problem, field="Steady.cut", value=self.cut, remedy="run longer, or cut less")
        kept_s = values_s[self.cut :]
        return float(kept_s.mean() if self.p is None else np.quantile(kept_s, self.p))

    def __str__(self) -> str:
        statistic = "mean" if self.p is None else f"p{100 * self.p:g}"
        return f"{self.of}.{statistic}_{self.quantity.value}_s after {self.cut}"


@dataclass(frozen=True)
class WarmUpStudy:
    """Where the warm-up ends by MSER-5: the verdict `found`, and the data for its picture.

    `times_s` and `values_s` are equally long: when the k-th message arrived and what it waited, in seconds; over
    several `runs` the means of both.
    """

    of: str
    quantity: Quantity
    runs: int
    times_s: Floats
    values_s: Floats
    found: WarmUp

    @property
    def cut(self) -> int:
        """How many messages belong to the warm-up."""
        return self.found.cut

    @property
    def cut_s(self) -> float:
        """The simulated time at which what is kept begins."""
        return float(self.times_s[self.cut])

    @property
    def kept_s(self) -> Floats:
        """The values after the warm-up, in seconds."""
        return self.values_s[self.cut :]

    @property
    def mean(self) -> Steady:
        """A metric: the mean without this warm-up."""
        return Steady(of=self.of, cut=self.cut, quantity=self.quantity)

    def quantile(self, p: float) -> Steady:
        """A metric: the p-quantile without this warm-up."""
        return Steady(of=self.of, cut=self.cut, quantity=self.quantity, p=p)

    def points(self) -> pandas.DataFrame:
        """A row per five messages: `first` (its number), `time_s`, `mean_s`, `error_s` if cut there, `kept`.

        `error_s` is NaN past half of the run, where no cut is allowed; `kept` is False in the warm-up.
        """
        import pandas as pd

        count = len(self.values_s) // BATCH
        errors_s = np.full(count, np.nan)
        errors_s[: len(self.found.curve)] = self.found.curve[:count]
        first = BATCH * np.arange(count)
        return pd.DataFrame(
            {
                "first": first,
                "time_s": self.times_s[first],
                "mean_s": self.values_s[: count * BATCH].reshape(count, BATCH).mean(axis=1),
                "error_s": errors_s,
                "kept": first >= self.cut,
            }
        )

    def __str__(self) -> str:
        source = "one run" if self.runs == 1 else f"the mean of {self.runs} runs"
        return f"{self.quantity.value}s at {self.of}, {source}: {self.found}"


def warm_up(run: Run, of: str, quantity: str | Quantity = Quantity.WAIT) -> WarmUpStudy:
    """The warm-up of one long run at subscription or service `of`, by MSER-5 (SO-03).

    Raises:
        ConfigurationError: fewer than 50 deliveries.
        StateError: the run kept no rows.
    """
    times_s, values_s = of_run(run, of, quantity)
    return WarmUpStudy(of, Quantity(quantity), 1, times_s, values_s, mser5(values_s))


def warm_up_over_runs(
    scenario: Any,
    of: str,
    n: int = 20,
    quantity: str | Quantity = Quantity.WAIT,
    *,
    seed: int = 0,
    until_s: float | None = None,
) -> WarmUpStudy:
    """The warm-up of a scenario at `of`, by MSER-5 on the mean of `n` pilot runs (SO-03).

    The pilots' seeds are none of those that `replicate` and its like use. Of runs of different length the first
    messages count, as many as the shortest run has.
    """
    pilots = []
    with Progress("pilot runs", checks.check_whole(2)("n", n)) as progress:
        for pilot in range(1, n + 1):
            run = scenario.run(seed=seed_of(seed, -pilot), until_s=until_s, log="full")
            pilots.append(of_run(run, of, quantity))
            progress.done()
    shortest = min(len(values_s) for _, values_s in pilots)
    times_s = np.mean([times_s[:shortest] for times_s, _ in pilots], axis=0)
    values_s = np.mean([values_s[:shortest] for _, values_s in pilots], axis=0)
    return WarmUpStudy(of, Quantity(quantity), n, times_s, values_s, mser5(values_s))


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
        times_s = self.study.times_s[first]
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
    interval = batch_means_interval(study.kept_s, batches=batches, level=level)
    whole = study.kept_s[len(study.kept_s) - batches * interval.batch_size :]
    return BatchMeans(study, interval, whole.reshape(batches, -1).mean(axis=1))
