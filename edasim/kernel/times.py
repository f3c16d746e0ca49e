"""Distributions of times: how long a service takes, how long a link delays, how long a user thinks.

Each is a frozen description with a mean in seconds and a squared coefficient of variation `scv` (variance over
squared mean: 0 is constant, 1 is as random as memoryless, above 1 is bursty), and draws in blocks. Definitions
follow Harchol-Balter, Performance Modeling and Design of Computer Systems. Public as `eda.times`; it stands on
the lowest floor because links, services and faults all draw from it.

Left out: dependence between successive draws (use `Trace` for recorded, correlated values), truncated distributions.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .. import checks
from ..errors import ConfigurationError, StateError
from .streams import Draw, Numbers, in_blocks, split

FINITE_VARIANCE_SHAPE = 2.0
"""A Pareto variable has a variance above this shape."""

LEAST, MOST = 1e-12, 1e12
"""What a mean in seconds, a rate per second or a variability may be: beyond, floating point numbers overflow, or no
simulated time would ever pass."""

SHORT_S = 1e-6
"""Times of a mean below this may vanish beside that of the clock: it rounds to 2e-10 s after two weeks."""

SHOWN_VALUES = 6
"""A recording prints its values up to this many."""


@runtime_checkable
class Times(Protocol):
    """What every distribution of times can do; your own frozen class with the same members is as good."""

    @property
    def mean_s(self) -> float:
        """The mean in seconds."""

    @property
    def scv(self) -> float:
        """The squared coefficient of variation, infinite where the variance is."""

    def draws(self, rng: np.random.Generator) -> Draw:
        """A callable that gives the next time in seconds, a Python float; it owns `rng` from now on."""

    def describe(self) -> str:
        """The distribution in plain words."""


def check_times(field: str, value: Any) -> Times:
    """A distribution of times; for `checks.checked`."""
    if isinstance(value, type) or not isinstance(value, Times):
        raise checks.refuse(field, value, "give a distribution of eda.times, such as times.Exponential(mean_s=0.02)")
    return value


def check_moderate(field: str, value: Any) -> float:
    """A positive number from `LEAST` to `MOST`; for `checks.checked`."""
    what = f"a positive, finite number from {LEAST:g} to {MOST:g}"
    return checks.number(field, value, low=LEAST, open_low=False, high=MOST, what=what)


def check_above_one(field: str, value: Any) -> float:
    """A number above 1 and up to `MOST`; for `checks.checked`."""
    return checks.number(
        field, value, low=1.0, open_low=True, high=MOST, what=f"a finite number above 1, up to {MOST:g}"
    )


def check_one_or_more(field: str, value: Any) -> float:
    """A number from 1 to `MOST`; for `checks.checked`."""
    what = f"a finite number of at least 1, up to {MOST:g}"
    return checks.number(field, value, low=1.0, open_low=False, high=MOST, what=what)


def check_recording(field: str, values: Any) -> tuple[float, ...]:
    """At least one finite number of at least 0, from any sequence or array, kept as a tuple; for `checks.checked`."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise checks.refuse(field, values, "give a list or array of seconds")
    try:
        array = np.asarray(values if hasattr(values, "__array__") else list(values))
    except ValueError:  # rows of different lengths
        raise refuse_shape(field, "ragged") from None
    if array.ndim != 1 or array.size == 0:
        raise refuse_shape(field, array.shape)
    if array.dtype.kind not in "iuf":  # booleans, texts, None: the first that is no number is named
        array = np.array([checks.check_non_negative(f"{field}[{i}]", value) for i, value in enumerate(array.tolist())])
    array = array.astype(np.float64)
    bad = np.flatnonzero(~(np.isfinite(array) & (array >= 0.0)))
    if bad.size:
        raise checks.refuse(f"{field}[{bad[0]}]", float(array[bad[0]]), "give finite numbers of at least 0")
    return tuple(array.tolist())


def refuse_shape(field: str, shape: object) -> ConfigurationError:
    """The error for a recording that is no row of numbers; raise what this returns."""
    remedy = "give one row of at least one number"
    return ConfigurationError(f"{field} has shape {shape}", field=field, value=shape, remedy=remedy)


def show_recording(values: tuple[float, ...]) -> str:
    """The values of a recording for its `repr`, shortened when there are many."""
    if len(values) <= SHOWN_VALUES:
        return repr(values)
    first = ", ".join(map(repr, values[: SHOWN_VALUES - 1]))
    return f"({first}, … {len(values)} values)"


@checks.configuration
class Constant:
    """Always the same time, `value_s` seconds (0 allowed).

    >>> Constant(value_s=0.5).draws(np.random.default_rng(1))()
    0.5
    """

    value_s: float = checks.non_negative()

    @property
    def mean_s(self) -> float:
        """The value itself."""
        return self.value_s

    @property
    def scv(self) -> float:
        """0."""
        return 0.0

    def draws(self, rng: np.random.Generator) -> Draw:
        """Gives `value_s` at every call and leaves `rng` untouched."""
        return itertools.repeat(self.value_s).__next__

    def describe(self) -> str:
        """In plain words."""
        return f"always {self.value_s:g} s"


@checks.configuration
class Exponential:
    """Memoryless times with mean `mean_s` > 0: what has passed says nothing about what remains."""

    mean_s: float = checks.checked(check_moderate)

    @property
    def scv(self) -> float:
        """1."""
        return 1.0

    def draws(self, rng: np.random.Generator) -> Draw:
        """Independent exponential times."""
        mean_s = self.mean_s
        return in_blocks(lambda size: rng.exponential(mean_s, size)).__next__

    def describe(self) -> str:
        """In plain words."""
        return f"exponential with mean {self.mean_s:g} s"


@checks.configuration
class Erlang:
    """The sum of `stages` equal exponential stages, `mean_s` > 0 altogether: steadier than exponential."""

    mean_s: float = checks.checked(check_moderate)
    stages: int = checks.at_least(1)

    @property
    def scv(self) -> float:
        """1 / stages."""
        return 1.0 / self.stages

    def draws(self, rng: np.random.Generator) -> Draw:
        """Independent Erlang times."""
        shape, scale_s = float(self.stages), self.mean_s / self.stages
        return in_blocks(lambda size: rng.gamma(shape, scale_s, size)).__next__

    def describe(self) -> str:
        """In plain words."""
        return f"Erlang of {self.stages} stages with mean {self.mean_s:g} s"


@checks.configuration
class Gamma:
    """Gamma times with mean `mean_s` > 0 and any `scv` > 0; with scv = 1/n it is the Erlang of n stages."""

    mean_s: float = checks.checked(check_moderate)
    scv: float = checks.checked(check_moderate)

    def draws(self, rng: np.random.Generator) -> Draw:
        """Independent gamma times."""
        shape, scale_s = 1.0 / self.scv, self.mean_s * self.scv
        return in_blocks(lambda size: rng.gamma(shape, scale_s, size)).__next__

    def describe(self) -> str:
        """In plain words."""
        return f"gamma with mean {self.mean_s:g} s and squared coefficient of variation {self.scv:g}"


@checks.configuration
class HyperExponential:
    """Mostly short and now and then long: one of two exponentials, with mean `mean_s` > 0 and `scv` >= 1.

    Balanced means: both kinds bring the same share of the total time, which fixes the two means.

    >>> [round(mean_s, 3) for mean_s in HyperExponential(mean_s=1.0, scv=4.0).phase_means_s]
    [0.564, 4.436]
    """

    mean_s: float = checks.checked(check_moderate)
    scv: float = checks.checked(check_one_or_more)

    @property
    def short_ratio(self) -> float:
        """The share of draws that come from the shorter exponential, from 0.5 up to 1."""
        return 0.5 * (1.0 + math.sqrt((self.scv - 1.0) / (self.scv + 1.0)))

    @property
    def phase_means_s(self) -> tuple[float, float]:
        """The means of the shorter and of the longer exponential, in seconds."""
        long_ratio = 1.0 / ((self.scv + 1.0) * 2.0 * self.short_ratio)  # 1 - short_ratio, without cancellation
        return self.mean_s / (2.0 * self.short_ratio), self.mean_s / (2.0 * long_ratio)

    def draws(self, rng: np.random.Generator) -> Draw:
        """Independent times; the choice of phase and the time have generators of their own."""
        phase, time = split(rng, 2)
        short_ratio, (short_s, long_s) = self.short_ratio, self.phase_means_s

        def fill(size: int) -> Numbers:
            return np.where(phase.random(size) < short_ratio, short_s, long_s) * time.standard_exponential(size)

        return in_blocks(fill).__next__

    def describe(self) -> str:
        """In plain words."""
        short_s, long_s = self.phase_means_s
        return (
            f"mean {self.mean_s:g} s: {self.short_ratio:.1%} exponential with mean {short_s:g} s,"
            f" the rest with mean {long_s:g} s (squared coefficient of variation {self.scv:g})"
        )


@checks.configuration
class LogNormal:
    """The exponential of a normal variable, with mean `mean_s` > 0 and `scv` > 0: skewed, never 0."""

    mean_s: float = checks.checked(check_moderate)
    scv: float = checks.checked(check_moderate)

    def draws(self, rng: np.random.Generator) -> Draw:
        """Independent lognormal times."""
        variance = math.log1p(self.scv)
        location, spread = math.log(self.mean_s) - variance / 2.0, math.sqrt(variance)
        return in_blocks(lambda size: rng.lognormal(location, spread, size)).__next__

    def describe(self) -> str:
        """In plain words."""
        return f"lognormal with mean {self.mean_s:g} s and squared coefficient of variation {self.scv:g}"


@checks.configuration
class Pareto:
    """The classical Pareto (type I) with mean `mean_s` > 0: P(time > t) = (least_s / t)^shape for t >= least_s.

    `shape` > 1, or there is no mean; up to 2 the variance is infinite, and means over a run settle very slowly.
    """

    mean_s: float = checks.checked(check_moderate)
    shape: float = checks.checked(check_above_one)

    @property
    def least_s(self) -> float:
        """The shortest possible time in seconds."""
        return self.mean_s * (self.shape - 1.0) / self.shape

    @property
    def scv(self) -> float:
        """1 / (shape (shape - 2)) for shapes above 2, else infinite."""
        return 1.0 / (self.shape * (self.shape - 2.0)) if self.shape > FINITE_VARIANCE_SHAPE else math.inf

    def draws(self, rng: np.random.Generator) -> Draw:
        """Independent Pareto times."""
        least_s, shape = self.least_s, self.shape
        return in_blocks(lambda size: least_s + least_s * rng.pareto(shape, size)).__next__

    def describe(self) -> str:
        """In plain words."""
        return f"Pareto with mean {self.mean_s:g} s and shape {self.shape:g}, never below {self.least_s:g} s"


class AtEnd(enum.Enum):
    """What a recording does after its last value."""

    FAIL = "fail"
    REPEAT = "repeat"


@checks.configuration
class Trace:
    """Recorded values in seconds, given out in their order; `mean_s` and `scv` are those of the recording.

    `values_s` is any list or array of finite numbers of at least 0. After the last value a draw is a `StateError`,
    or starts over with `at_end="repeat"`.

    >>> draw = Trace(values_s=[0.1, 0.3], at_end="repeat").draws(np.random.default_rng(1))
    >>> [draw(), draw(), draw()]
    [0.1, 0.3, 0.1]
    """

    values_s: tuple[float, ...] = checks.checked(check_recording)
    at_end: AtEnd = checks.word(AtEnd, default=AtEnd.FAIL)

    def __repr__(self) -> str:
        return f"Trace(values_s={show_recording(self.values_s)}, at_end={self.at_end.value!r})"

    @property
    def mean_s(self) -> float:
        """The mean of the recorded values."""
        return math.fsum(self.values_s) / len(self.values_s)

    @property
    def scv(self) -> float:
        """The variance of the recorded values over their squared mean (0 if all are 0)."""
        mean_s = self.mean_s  # divided by it first, since squares of tiny or huge values would be 0 or infinite
        return float(np.var(np.array(self.values_s) / mean_s)) if mean_s > 0.0 else 0.0

    def draws(self, rng: np.random.Generator) -> Draw:
        """The recorded values one by one; leaves `rng` untouched."""
        if self.at_end is AtEnd.REPEAT:
            return itertools.cycle(self.values_s).__next__
        return itertools.chain(self.values_s, iter(self._used_up, None)).__next__

    def _used_up(self) -> float:
        count = len(self.values_s)
        raise StateError(
            f"the recorded times are used up after {count} values",
            field="Trace.values_s",
            value=count,
            remedy="record more values, draw fewer, or start over with at_end='repeat'",
        )

    def describe(self) -> str:
        """In plain words."""
        again = ", over and over" if self.at_end is AtEnd.REPEAT else ""
        return f"{len(self.values_s)} recorded values with mean {self.mean_s:g} s{again}"


def with_scv(mean_s: float, scv: float) -> Times:
    """A distribution with this mean (> 0 s) and this squared coefficient of variation (>= 0), for a slider.

    Constant at 0, gamma below 1, exponential at 1, hyper-exponential above 1.

    >>> with_scv(1.0, 0.0), with_scv(1.0, 1.0)
    (Constant(value_s=1.0), Exponential(mean_s=1.0))
    """
    checks.check_non_negative("scv", scv)
    check_moderate("mean_s", mean_s)
    if scv == 0.0:
        return Constant(value_s=mean_s)
    if scv < 1.0:
        return Gamma(mean_s=mean_s, scv=scv)
    return Exponential(mean_s=mean_s) if scv == 1.0 else HyperExponential(mean_s=mean_s, scv=scv)


def is_continuous(described: object) -> bool:
    """Whether two draws are never the same, so that nothing ever ends at the very instant of something else.

    Floating point numbers are: those that hardly vary or are very short, and those of a gamma above scv 1, of which
    many are next to nothing.
    """
    if not isinstance(described, Exponential | Erlang | Gamma | HyperExponential | LogNormal | Pareto):
        return False
    next_to_nothing = described.mean_s < SHORT_S or (isinstance(described, Gamma) and described.scv > 1.0)
    return described.scv >= LEAST and not next_to_nothing
