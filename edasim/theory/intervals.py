"""Intervals of confidence: how far chance alone may have moved what was measured.

Follows: Law, Simulation Modeling and Analysis (SO-01, SO-02, SO-04, SO-05, SO-07); Wilson (1927) for proportions.
Every interval assumes that the values handed in are independent: one value per replication, not the waits inside a
run. Left out: ratios and rare events (give one value per replication, or compute), sequential looks at growing data.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks

Sample = npt.NDArray[np.float64]

FEWEST_PILOT_RUNS = 10
"""Fewer runs estimate their own spread so badly that a rule built on it stops too early (SO-06)."""


@checks.configuration
class Interval:
    """An estimate from `n` values, and the limits that hold the truth in a share `level` of all repetitions.

    `mean` is the estimate itself (a mean, a quantile, a share). `str` shows mean ± half-width, or both limits where
    they do not lie evenly around it.

    >>> print(Interval(mean=19.31, low=18.12, high=20.50, n=20, level=0.95))
    19.3 ± 1.2 (95 %, n = 20)
    """

    mean: float
    low: float
    high: float
    n: int
    level: float

    @property
    def half_width(self) -> float:
        """Half of the distance between the limits."""
        return 0.5 * (self.high - self.low)

    @property
    def relative_half_width(self) -> float:
        """The half-width as a share of the estimate's size; infinite for an estimate of 0."""
        return self.half_width / abs(self.mean) if self.mean else math.inf

    def __contains__(self, truth: float) -> bool:
        return self.low <= truth <= self.high

    def __str__(self) -> str:
        decimals = _decimals(self.half_width)
        even = abs(0.5 * (self.low + self.high) - self.mean) <= 0.05 * self.half_width
        limits = (
            f" ± {self.half_width:.{decimals}f}"
            if even
            else f", between {self.low:.{decimals}f} and {self.high:.{decimals}f}"
        )
        return f"{self.mean:.{decimals}f}{limits} ({100 * self.level:.6g} %, n = {self.n})"


@checks.configuration
class PairedInterval(Interval):
    """The interval of the mean of paired differences, with the correlation of the two sides.

    A correlation near 1 says that pairing paid; near 0 or below, that it did not. It is NaN if a side never varies.
    """

    correlation: float

    def __str__(self) -> str:
        return f"{super().__str__()}, correlation {self.correlation:.2f}"


@checks.configuration
class BatchInterval(Interval):
    """The interval of a mean from batches of one long run; `n` counts the batches.

    `correlation` is that of neighbouring batches: clearly above 0, the batches are too short, the interval too narrow.
    """

    batch_size: int
    correlation: float


def mean_interval(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The interval of the mean of independent values: mean ± t(n-1)·s/√n (SO-01).

    Args:
        values: one number per replication, at least 2.
        level: the share of such intervals that hold the true mean; exact for normal values, near it for others.

    Raises:
        ConfigurationError: fewer than 2 values, a value that is not finite, or a level outside 0 to 1.

    >>> print(mean_interval([4.1, 3.8, 4.6, 4.0, 4.5]))
    4.20 ± 0.42 (95 %, n = 5)
    """
    mean, half_width, count = _student("values", sample("values", values), level)
    return Interval(mean=mean, low=mean - half_width, high=mean + half_width, n=count, level=level)


def paired_interval(a: npt.ArrayLike, b: npt.ArrayLike, level: float = 0.95) -> PairedInterval:
    """The interval of the mean of a - b, for pairs that share their luck (SO-04).

    Args:
        a: one number per replication, at least 2.
        b: as many; b[i] comes from the same random streams as a[i].
        level: the share of such intervals that hold the true difference.

    >>> print(paired_interval([4.1, 9.8, 6.6], [3.9, 9.4, 6.3]))
    0.30 ± 0.25 (95 %, n = 3), correlation 1.00
    """
    left, right = sample("a", a), sample("b", b)
    if left.size != right.size:
        raise checks.refuse("b", f"{right.size} values", f"give one value of b for each of the {left.size} of a")
    mean, half_width, count = _student("a", left - right, level)
    return PairedInterval(
        mean=mean,
        low=mean - half_width,
        high=mean + half_width,
        n=count,
        level=level,
        correlation=_correlation(left, right),
    )


def batch_means_interval(values: npt.ArrayLike, batches: int = 20, level: float = 0.95) -> BatchInterval:
    """The interval of the mean of one long stationary run, from the means of equal batches (SO-02).

    Values inside a run resemble their neighbours. Batches must be many relaxation times long, so that their means do
    not; 20 to 30 batches serve well. The first values that do not fill a batch are left out.

    Args:
        values: the run's values in order, without the warm-up; at least 2 per batch.
        batches: how many batches, at least 2.
        level: the share of such intervals that hold the true mean.

    >>> batch_means_interval(range(100), batches=4).n
    4
    """
    series = sample("values", values)
    batches = checks.check_whole(2)("batches", batches)
    batch_size = series.size // batches
    if batch_size <= 1:
        raise checks.refuse("values", f"{series.size} values", f"give at least {2 * batches} for {batches} batches")
    means = series[series.size - batches * batch_size :].reshape(batches, batch_size).mean(axis=1)
    mean, half_width, count = _student("values", means, level)
    return BatchInterval(
        mean=mean,
        low=mean - half_width,
        high=mean + half_width,
        n=count,
        level=level,
        batch_size=batch_size,
        correlation=_correlation(means[:-1], means[1:]),
    )


def quantile_interval(values: npt.ArrayLike, p: float, level: float = 0.95) -> Interval:
    """The interval of the p-quantile of independent values, between two of them (SO-05).

    The number of values below the true quantile is binomial, so the limits are order statistics: no assumption on the
    distribution, and a coverage of at least `level` with at most half of the rest on each side.

    Args:
        values: independent numbers, enough of them that both limits exist.
        p: above 0 and below 1.
        level: the least share of such intervals that hold the true quantile.

    Raises:
        ConfigurationError: too few values; the remedy says how many are needed.

    >>> quantile_interval(range(1, 101), 0.5).low
    40.0
    """
    from scipy.special import bdtr

    p, level = _inside("p", p), _inside("level", level)
    ordered = np.sort(sample("values", values))
    each_side = 0.5 * (1.0 - level)
    needed = math.ceil(max(math.log(each_side) / math.log(p), math.log(each_side) / math.log1p(-p)))
    if ordered.size < needed:
        raise checks.refuse("values", f"{ordered.size} values", f"give at least {needed} for this p and level")
    below = bdtr(np.arange(ordered.size), ordered.size, p)  # P(at most k values lie below the quantile)
    low = int(np.searchsorted(below, each_side, side="right")) - 1
    high = int(np.searchsorted(below, 1.0 - each_side, side="left"))
    return Interval(
        mean=float(np.quantile(ordered, p)),
        low=float(ordered[max(low, 0)]),
        high=float(ordered[min(high, ordered.size - 1)]),
        n=int(ordered.size),
        level=level,
    )


def proportion_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Wilson's interval of a share of independent trials; `mean` is the share that was seen.

    It holds for coin tosses: independent trials of equal chance. Losses of one run come in clusters; for these give
    one share per replication to `mean_interval` (SO-09).

    >>> print(proportion_interval(0, 100))
    0.000, between 0.000 and 0.037 (95 %, n = 100)
    """
    from scipy.special import ndtri

    trials = checks.check_whole(1)("trials", trials)
    share = checks.check_whole(0, trials)("successes", successes) / trials
    z2 = float(ndtri(0.5 + 0.5 * _inside("level", level))) ** 2
    middle = (share + 0.5 * z2 / trials) / (1.0 + z2 / trials)
    half_width = math.sqrt(z2 / trials * (share * (1.0 - share) + 0.25 * z2 / trials)) / (1.0 + z2 / trials)
    low = 0.0 if successes == 0 else middle - half_width
    high = 1.0 if successes == trials else middle + half_width
    return Interval(mean=share, low=low, high=high, n=trials, level=level)


def bonferroni_level(statements: int, joint_level: float = 0.95) -> float:
    """The level for each of several intervals such that all hold together with `joint_level` or more (SO-07).

    >>> round(bonferroni_level(10), 6)
    0.995
    """
    count: int = checks.check_whole(1)("statements", statements)
    return 1.0 - (1.0 - _inside("joint_level", joint_level)) / count


def runs_needed(pilot: npt.ArrayLike, relative_half_width: float, level: float = 0.95) -> int:
    """How many runs give a mean's interval of at most that half-width relative to the mean, judged from a pilot.

    The pilot's own spread is uncertain: plan with it, then report the interval that came out.

    Args:
        pilot: one number per run, at least 10 (SO-06).
        relative_half_width: above 0; 0.1 asks for ±10 %.
        level: the level of the interval.

    Raises:
        ConfigurationError: fewer than 10 values, or a mean of 0, to which nothing is relative.

    >>> runs_needed([3.1, 4.4, 5.2, 2.9, 4.0, 3.6, 6.1, 4.8, 3.3, 4.6], relative_half_width=0.1)
    25
    """
    runs = sample("pilot", pilot)
    if runs.size < FEWEST_PILOT_RUNS:
        raise checks.refuse("pilot", f"{runs.size} values", f"give at least {FEWEST_PILOT_RUNS}")
    allowed = checks.check_positive("relative_half_width", relative_half_width) * abs(float(runs.mean()))
    if allowed == 0.0:
        raise checks.refuse("pilot", "a mean of 0", "give values whose mean is not 0")
    spread = float(runs.std(ddof=1))

    def narrow_enough(count: int) -> bool:
        return student_t(level, count - 1) * spread / math.sqrt(count) <= allowed

    enough, too_few = FEWEST_PILOT_RUNS, FEWEST_PILOT_RUNS - 1
    while not narrow_enough(enough):
        too_few, enough = enough, 2 * enough
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        too_few, enough = (too_few, middle) if narrow_enough(middle) else (middle, enough)
    return enough


def student_t(level: float, degrees: int) -> float:
    """The two-sided quantile of Student's t: |t| stays below it with probability `level`.

    >>> round(student_t(0.95, 19), 3)
    2.093
    """
    from scipy.special import stdtrit

    return float(stdtrit(checks.check_whole(1)("degrees", degrees), 0.5 + 0.5 * _inside("level", level)))


def sample(field: str, values: npt.ArrayLike) -> Sample:
    """`values` as a one-dimensional array of finite floats, or an error that names `field`."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise checks.refuse(field, values, "give a sequence of numbers") from None
    if array.ndim != 1:
        raise checks.refuse(field, f"an array of shape {array.shape}", "give one dimension, a number per replication")
    if not np.isfinite(array).all():
        where = int(np.argmin(np.isfinite(array)))
        raise checks.refuse(
            f"{field}[{where}]", float(array[where]), "give finite numbers; leave out what did not finish"
        )
    return array


def _student(field: str, values: Sample, level: float) -> tuple[float, float, int]:
    """Mean, half-width and count of independent values."""
    if values.size <= 1:
        raise checks.refuse(field, f"{values.size} values", "give at least 2: one value shows no spread")
    spread = float(values.std(ddof=1)) / math.sqrt(values.size)
    return float(values.mean()), student_t(level, values.size - 1) * spread, int(values.size)


def _correlation(left: Sample, right: Sample) -> float:
    centred_left, centred_right = left - left.mean(), right - right.mean()
    spread = math.sqrt(float(centred_left @ centred_left) * float(centred_right @ centred_right))
    return float(centred_left @ centred_right) / spread if spread else math.nan


def _inside(field: str, value: Any) -> float:
    """A share above 0 and below 1, both excluded."""
    kept = checks.check_ratio(field, value)
    if kept in {0.0, 1.0}:
        raise checks.refuse(field, value, "give a number above 0 and below 1")
    return kept


def _decimals(half_width: float) -> int:
    """The decimals that show two digits of a half-width."""
    return max(0, 1 - math.floor(math.log10(half_width))) if half_width > 0.0 else 3
