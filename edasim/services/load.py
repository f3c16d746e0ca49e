"""Load: when messages, requests or users arrive. Public as `eda.load`.

Each load is a frozen description. `arrivals_s(rng)` gives its instants as an iterator over blocks, in seconds from 0,
never decreasing; `first(count)` and `until(until_s)` end it early. Definitions follow Law, Simulation Modeling and
Analysis; `Bursty` and `Diurnal` name their sources in `rhythms.py`.

Left out: self-exciting arrivals; batches in one instant other than recorded ones (a `Trace` may repeat an instant).
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import checks
from ..kernel import streams, times
from .arrivals import Arrivals, Endless, First, Stoppable, Until, check_arrivals
from .recordings import check_rising, read_times_s
from .rhythms import Bursty, Diurnal, Steps

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "Arrivals", "Bursty", "Closed", "Constant", "Diurnal", "First", "Load", "Poisson", "Renewal", "Steps", "Trace",
    "Until", "check_load",
]  # fmt: skip


@checks.configuration
class Poisson(Endless):
    """Arrivals of many independent users: `rate_per_s` > 0, with exponential gaps."""

    rate_per_s: float = checks.checked(times.check_moderate)

    @property
    def mean_per_s(self) -> float:
        """The rate."""
        return self.rate_per_s

    def arrivals_s(self, rng: np.random.Generator) -> Iterator[float]:
        """A Poisson process that starts at 0."""
        gap_s = 1.0 / self.rate_per_s
        return streams.instants_in_blocks(lambda size: rng.exponential(gap_s, size))

    def describe(self) -> str:
        """In plain words."""
        return f"Poisson arrivals, {self.rate_per_s:g} per s"


@checks.configuration
class Constant(Endless):
    """Arrivals like clockwork, `rate_per_s` > 0: the k-th (from 1) at exactly k / rate_per_s, so none at 0."""

    rate_per_s: float = checks.checked(times.check_moderate)

    @property
    def mean_per_s(self) -> float:
        """The rate."""
        return self.rate_per_s

    def arrivals_s(self, rng: np.random.Generator) -> Iterator[float]:
        """The instants k / rate_per_s for k = 1, 2, 3 …; leaves `rng` untouched."""
        return map(operator.truediv, itertools.count(1), itertools.repeat(self.rate_per_s))

    def describe(self) -> str:
        """In plain words."""
        return f"an arrival every {1.0 / self.rate_per_s:g} s"


@checks.configuration
class Renewal(Endless):
    """Arrivals with independent gaps of any distribution of `eda.times`; the first comes after one gap.

    With `times.with_scv` a slider goes from clockwork over Poisson to bursts; gaps may be recorded ones as well
    (`times.Trace(values_s=…, at_end="repeat")`).
    """

    gap: times.Times = checks.checked(times.check_times)

    def check(self) -> None:
        """Gaps that are all 0 would never let time pass."""
        if self.gap.mean_s <= 0.0:
            raise checks.refuse("Renewal.gap", self.gap, "give gaps with a mean above 0")
        times.check_moderate("Renewal.gap.mean_s", self.gap.mean_s)

    @property
    def mean_per_s(self) -> float:
        """One over the mean gap."""
        return 1.0 / self.gap.mean_s

    def arrivals_s(self, rng: np.random.Generator) -> Iterator[float]:
        """The running sums of the gaps."""
        return itertools.accumulate(iter(self.gap.draws(rng), None))

    def describe(self) -> str:
        """In plain words."""
        return f"independent gaps between arrivals, {self.mean_per_s:g} per s: {self.gap.describe()}"


def check_instants(field: str, value: Any) -> tuple[float, ...]:
    """Recorded instants of at least 0 that never decrease; for `checks.checked`."""
    instants_s = times.check_recording(field, value)
    check_rising(field, instants_s, instants_s, "sort the instants")
    return instants_s


@checks.configuration
class Trace(Stoppable):
    """Recorded arrivals: `times_s` is any list or array of finite seconds of at least 0 that never decrease.

    >>> Trace(times_s=[0.0, 0.4, 0.4, 2.0]).mean_per_s
    2.0
    """

    times_s: tuple[float, ...] = checks.checked(check_instants)

    @classmethod
    def from_csv(cls, path: str | PathLike[str], column: str, *, rate_ratio: float = 1.0) -> Trace:
        """The arrivals in one column of a CSV file (plain or compressed, such as .csv.gz), shifted to start at 0.

        The column holds seconds or ISO 8601 timestamps (those without an offset are read as UTC), and never
        decreases. `rate_ratio` > 0 replays faster (2 doubles the rate) or slower. A `ConfigurationError` names the
        file, the row and the value that cannot be used; an `UnknownNameError` the columns that exist.
        """
        faster = checks.check_positive("rate_ratio", rate_ratio)
        return cls(times_s=tuple((read_times_s(path, column) / faster).tolist()))

    def __repr__(self) -> str:
        return f"Trace(times_s={times.show_recording(self.times_s)})"

    @property
    def mean_per_s(self) -> float:
        """Arrivals over the seconds up to the last one; infinite if all are at 0."""
        return len(self.times_s) / self.times_s[-1] if self.times_s[-1] > 0.0 else math.inf

    @property
    def endless(self) -> bool:
        """False."""
        return False

    def arrivals_s(self, rng: np.random.Generator) -> Iterator[float]:
        """The recorded instants; leaves `rng` untouched."""
        return iter(self.times_s)

    def describe(self) -> str:
        """In plain words."""
        return f"{len(self.times_s)} recorded arrivals up to {self.times_s[-1]:g} s, {self.mean_per_s:g} per s"


@checks.configuration
class Closed:
    """A closed loop: each of `users` >= 1 thinks for a `think_time`, asks, waits for the answer, and thinks again.

    It has no instants of its own, since an answer that is late delays the next request.
    """

    users: int = checks.at_least(1)
    think_time: times.Times = checks.checked(times.check_times)

    def describe(self) -> str:
        """In plain words."""
        return f"{self.users} users who wait for each answer and then think ({self.think_time.describe()})"


Load: TypeAlias = Arrivals | Closed
"""Arrivals that do not wait for answers, or a closed loop of users."""


def check_load(field: str, value: Any) -> Load:
    """Arrivals or a closed loop of users; for `checks.checked`."""
    return value if isinstance(value, Closed) else check_arrivals(field, value)
