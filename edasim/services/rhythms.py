"""Loads whose rate changes: at random between two values (`Bursty`), over the day (`Diurnal`), or by plan (`Steps`).

`Bursty` is the two-state Markov-modulated Poisson process; its dispersion formula is that of Heffes and Lucantoni
(1986). `Diurnal` is a Poisson process with a rate that follows a cosine, made exact by thinning (Lewis and Shedler,
1979). Left out: more than two states, other shapes of the day, weeks; record those as a `load.Trace`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks
from ..errors import ConfigurationError
from ..kernel import streams, times
from ..kernel.streams import Numbers
from .arrivals import Endless

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

DAY_S = 86_400.0
FEWEST_PER_CYCLE = 1e-3
"""Arrivals per cycle of a `Bursty` load: with fewer it would switch thousands of times for every arrival."""
MOST_PER_PERIOD = 1e11
"""Arrivals per period of a `Diurnal` load: with more, nobody would live to see the rate rise from its lowest."""
LEAST_SWING = 1e-3


def check_rate_or_none(field: str, value: Any) -> float:
    """0, or a rate from `times.LEAST` to `times.MOST`; for `checks.checked`."""
    return checks.check_non_negative(field, value) and times.check_moderate(field, value)


@checks.configuration
class Bursty(Endless):
    """Poisson arrivals whose rate switches between two values at random (two-state MMPP).

    `rate_low_per_s` >= 0 holds for exponential times of mean `mean_low_s` > 0, then `rate_high_per_s` > 0 (not below
    the low rate) for exponential times of mean `mean_high_s` > 0. The first state is drawn in proportion to the
    means, so that the process is stationary from 0 on.
    """

    rate_low_per_s: float = checks.checked(check_rate_or_none)
    rate_high_per_s: float = checks.checked(times.check_moderate)
    mean_low_s: float = checks.checked(times.check_moderate)
    mean_high_s: float = checks.checked(times.check_moderate)

    def check(self) -> None:
        """The high rate is not below the low one, and some cycles of both have an arrival."""
        if self.rate_high_per_s < self.rate_low_per_s:
            remedy = f"give at least the low rate, {self.rate_low_per_s:g}"
            raise checks.refuse("Bursty.rate_high_per_s", self.rate_high_per_s, remedy)
        per_cycle = self.rate_low_per_s * self.mean_low_s + self.rate_high_per_s * self.mean_high_s
        if per_cycle < FEWEST_PER_CYCLE:
            problem = f"Bursty has {per_cycle:.2g} arrivals per cycle of a low and a high rate"
            remedy = f"give longer stays; switching this fast is load.Poisson(rate_per_s={self.mean_per_s:g})"
            raise ConfigurationError(problem, field="Bursty.mean_high_s", value=self.mean_high_s, remedy=remedy)

    @classmethod
    def with_dispersion(cls, mean_per_s: float, dispersion: float, swing_ratio: float = 0.8) -> Bursty:
        """The load with this mean rate > 0 and this index of dispersion > 1 of counts over long windows.

        The rates are the mean times 1 ± `swing_ratio` (0.001 to 1), each held for equally long on average.

        >>> Bursty.with_dispersion(10.0, dispersion=5.0, swing_ratio=1.0)
        Bursty(rate_low_per_s=0.0, rate_high_per_s=20.0, mean_low_s=0.4, mean_high_s=0.4)
        """
        mean = times.check_moderate("mean_per_s", mean_per_s)
        excess = times.check_above_one("dispersion", dispersion) - 1.0
        swing = checks.number(
            "swing_ratio", swing_ratio, low=LEAST_SWING, open_low=False, high=1.0, what="a share from 0.001 to 1"
        )
        stay_s = excess / (mean * swing**2)
        low, high = mean * (1.0 - swing), mean * (1.0 + swing)
        return cls(rate_low_per_s=low, rate_high_per_s=high, mean_low_s=stay_s, mean_high_s=stay_s)

    @property
    def high_ratio(self) -> float:
        """The share of time at the high rate."""
        return self.mean_high_s / (self.mean_low_s + self.mean_high_s)

    @property
    def mean_per_s(self) -> float:
        """The two rates weighted by their shares of time."""
        return self.rate_low_per_s + self.high_ratio * (self.rate_high_per_s - self.rate_low_per_s)

    def dispersion(self, window_s: float = math.inf) -> float:
        """The variance over the mean of counts in windows of `window_s` > 0 seconds; 1 would be Poisson."""
        window_s = window_s if window_s == math.inf else checks.check_positive("window_s", window_s)
        switching_per_s = 1.0 / self.mean_low_s + 1.0 / self.mean_high_s
        variance = self.high_ratio * (1.0 - self.high_ratio) * (self.rate_high_per_s - self.rate_low_per_s) ** 2
        relaxed = switching_per_s * window_s
        settled = 1.0 if math.isinf(relaxed) else 1.0 + math.expm1(-relaxed) / relaxed
        return 1.0 + 2.0 * variance / (self.mean_per_s * switching_per_s) * settled

    def arrivals_s(self, rng: np.random.Generator) -> Iterator[float]:
        """Arrivals of a unit-rate Poisson process, each at the instant where the expected arrivals reach it."""
        arrivals, stays = streams.split(rng, 2)
        unit_rate = streams.blocks_of_instants(arrivals.standard_exponential)
        return itertools.chain.from_iterable(block.tolist() for block in moved(unit_rate, self._stays(stays)))

    def _stays(self, rng: np.random.Generator) -> Iterator[tuple[Numbers, Numbers]]:
        """Blocks of stays: the ends of the stays in seconds, and the expected arrivals up to each end."""
        rates_per_s = np.array([self.rate_low_per_s, self.rate_high_per_s])
        means_s = np.array([self.mean_low_s, self.mean_high_s])
        if rng.random() < self.high_ratio:
            rates_per_s, means_s = rates_per_s[::-1], means_s[::-1]
        end_s = expected = 0.0
        for size in streams.block_sizes():  # sizes are even, so each block starts with the same state
            stays_s = rng.standard_exponential(size) * np.tile(means_s, size // 2)
            arrivals = stays_s * np.tile(rates_per_s, size // 2)
            stays_s[0] += end_s
            arrivals[0] += expected
            ends_s, sums = np.cumsum(stays_s), np.cumsum(arrivals)
            end_s, expected = float(ends_s[-1]), float(sums[-1])
            yield ends_s, sums

    def describe(self) -> str:
        """In plain words."""
        return (
            f"bursty arrivals, {self.mean_per_s:g} per s: {self.rate_low_per_s:g} per s for {self.mean_low_s:g} s,"
            f" then {self.rate_high_per_s:g} per s for {self.mean_high_s:g} s, on average"
        )


def moved(arrivals: Iterator[Numbers], stays: Iterator[tuple[Numbers, Numbers]]) -> Iterator[Numbers]:
    """Blocks of unit-rate arrivals, moved to the instants in seconds at which that many arrivals are expected.

    `stays` gives blocks of (ends in seconds, expected arrivals up to each end), both rising; the rate is constant
    between ends.
    """
    ends_s, expected = np.zeros(1), np.zeros(1)
    latest_s = 0.0
    for block in arrivals:
        pieces = [(ends_s, expected)]
        while pieces[-1][1][-1] < block[-1]:
            pieces.append(next(stays))
        ends_s, expected = np.concatenate([s for s, _ in pieces]), np.concatenate([n for _, n in pieces])
        instants_s = np.interp(block, expected, ends_s)
        instants_s[0] = max(instants_s[0], latest_s)
        instants_s = np.maximum.accumulate(instants_s)  # rounding at the end of a stay must not turn time back
        latest_s = float(instants_s[-1])
        yield instants_s
        past = np.searchsorted(expected, block[-1], side="right") - 1
        ends_s, expected = ends_s[past:], expected[past:]


def check_rates(field: str, value: Any) -> tuple[float, ...]:
    """Rates per second of at least 0, the last one above 0, so that arrivals go on; for `checks.checked`."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise checks.refuse(field, value, "give a list of rates per second")
    rates_per_s = tuple(check_rate_or_none(f"{field}[{place}]", rate) for place, rate in enumerate(value))
    if not rates_per_s or rates_per_s[-1] == 0.0:
        raise checks.refuse(field, value, "give at least one rate, and a last one above 0")
    return rates_per_s


@checks.configuration
class Steps(Endless):
    """Poisson arrivals at the first of `rates_per_s` >= 0 for `each_s` > 0 seconds, then at the next; the last stays.

    >>> import numpy as np
    >>> climbing = Steps(rates_per_s=[10.0, 0.0, 30.0], each_s=100.0)
    >>> instants_s = np.fromiter(climbing.until(300.0).arrivals_s(np.random.default_rng(1)), float)
    >>> np.histogram(instants_s, bins=[0, 100, 200, 300])[0].tolist()
    [991, 0, 3047]
    """

    rates_per_s: tuple[float, ...] = checks.checked(check_rates)
    each_s: float = checks.checked(times.check_moderate)

    @property
    def mean_per_s(self) -> float:
        """The last rate, which stays."""
        return self.rates_per_s[-1]

    def arrivals_s(self, rng: np.random.Generator) -> Iterator[float]:
        """Arrivals of a unit-rate Poisson process, each at the instant where the expected arrivals reach it."""
        unit_rate = streams.blocks_of_instants(rng.standard_exponential)
        return itertools.chain.from_iterable(block.tolist() for block in moved(unit_rate, self._stays()))

    def _stays(self) -> Iterator[tuple[Numbers, Numbers]]:
        """The ends of the steps with the arrivals expected up to each, then the last step for ever longer."""
        ends_s = self.each_s * np.arange(1.0, len(self.rates_per_s) + 1.0)
        expected = np.cumsum(self.each_s * np.array(self.rates_per_s))
        yield ends_s, expected
        end_s, sum_of_all, longer_s = float(ends_s[-1]), float(expected[-1]), self.each_s
        while True:
            longer_s *= 2.0
            end_s, sum_of_all = end_s + longer_s, sum_of_all + longer_s * self.rates_per_s[-1]
            yield np.array([end_s]), np.array([sum_of_all])

    def describe(self) -> str:
        """In plain words."""
        rates = ", ".join(f"{rate:g}" for rate in self.rates_per_s)
        return f"Poisson arrivals at {rates} per s, each for {self.each_s:g} s; the last stays"


def check_peak_ratio(field: str, value: Any) -> float:
    """A peak of a cosine that never falls below 0; for `checks.checked`."""
    return checks.number(field, value, low=1.0, open_low=False, high=2.0, what="peak over mean, from 1 to 2")


@checks.configuration
class Diurnal(Endless):
    """Poisson arrivals whose rate follows a cosine around `mean_per_s` > 0.

    At the peak the rate is `peak_ratio` (from 1 to 2) times the mean, half a period later as far below it. A period
    lasts `period_s` > 0, a day by default; the first peak is at `peak_at_s` >= 0.
    """

    mean_per_s: float = checks.checked(times.check_moderate)
    peak_ratio: float = checks.checked(check_peak_ratio)
    period_s: float = checks.checked(times.check_moderate, default=DAY_S)
    peak_at_s: float = checks.non_negative(default=0.0)

    def check(self) -> None:
        """A period has a number of arrivals that somebody could simulate, and begins somewhere near the start."""
        if self.peak_at_s > times.MOST:
            raise checks.refuse("Diurnal.peak_at_s", self.peak_at_s, f"give at most {times.MOST:g}")
        if self.mean_per_s * self.period_s > MOST_PER_PERIOD:
            problem = f"Diurnal has {self.mean_per_s * self.period_s:.2g} arrivals per period"
            remedy = f"give at most {MOST_PER_PERIOD:g}: fewer per second, or a shorter period"
            raise ConfigurationError(problem, field="Diurnal.period_s", value=self.period_s, remedy=remedy)

    def rates_per_s(self, at_s: ArrayLike) -> Numbers:
        """The rate at one or many instants, as an array of the same shape."""
        turns = (np.asarray(at_s, dtype=np.float64) - self.peak_at_s) / self.period_s
        return np.asarray(self.mean_per_s * (1.0 + (self.peak_ratio - 1.0) * np.cos(2.0 * math.pi * turns)))

    def arrivals_s(self, rng: np.random.Generator) -> Iterator[float]:
        """Poisson arrivals at the peak rate, each kept with the chance that its instant's rate has of the peak's."""
        candidates, chance = streams.split(rng, 2)
        peak_per_s = self.mean_per_s * self.peak_ratio
        at_peak_rate = streams.blocks_of_instants(lambda size: candidates.exponential(1.0 / peak_per_s, size))
        return itertools.chain.from_iterable(
            block[chance.random(block.size) * peak_per_s < self.rates_per_s(block)].tolist() for block in at_peak_rate
        )

    def describe(self) -> str:
        """In plain words."""
        return (
            f"Poisson arrivals, {self.mean_per_s:g} per s on average, {self.peak_ratio:g} times as many at the peak;"
            f" the rate rises and falls once in {self.period_s:g} s"
        )
