"""What every load with arrivals of its own can do, and how it stops early.

Left out: users that wait for their answers before they come again; they are `load.Closed`, which has no instants
until a simulation gives the answers.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .. import checks

if TYPE_CHECKING:
    import numpy as np


@runtime_checkable
class Arrivals(Protocol):
    """Arrivals that do not wait for answers; your own frozen class with the same members is as good."""

    @property
    def mean_per_s(self) -> float:
        """Arrivals per second in the long run, or over the recording."""

    @property
    def endless(self) -> bool:
        """Whether arrivals go on for ever."""

    def arrivals_s(self, rng: np.random.Generator) -> Iterator[float]:
        """The instants of arrival in seconds from 0, never decreasing; the iterator owns `rng` from now on."""

    def describe(self) -> str:
        """The load in plain words."""


def check_arrivals(field: str, value: Any) -> Arrivals:
    """Arrivals that do not wait for answers; for `checks.checked`."""
    if isinstance(value, type) or not isinstance(value, Arrivals):
        raise checks.refuse(field, value, "give arrivals of eda.load, such as load.Poisson(rate_per_s=40.0)")
    return value


class Stoppable:
    """What ends a load early; every load of `eda.load` with arrivals has it."""

    def first(self, count: int) -> First:
        """Only the first `count` >= 1 arrivals.

        >>> import numpy as np
        >>> from edasim.services import load
        >>> list(load.Constant(rate_per_s=2.0).first(3).arrivals_s(np.random.default_rng(1)))
        [0.5, 1.0, 1.5]
        """
        return First(load=check_arrivals("load", self), count=count)

    def until(self, until_s: float) -> Until:
        """Only the arrivals before `until_s` > 0 seconds."""
        return Until(load=check_arrivals("load", self), until_s=until_s)


@checks.configuration
class First(Stoppable):
    """The first `count` >= 1 arrivals of another load; `mean_per_s` is that of the other load."""

    load: Arrivals = checks.checked(check_arrivals)
    count: int = checks.at_least(1)

    @property
    def mean_per_s(self) -> float:
        """Arrivals per second while they last."""
        return self.load.mean_per_s

    @property
    def endless(self) -> bool:
        """False."""
        return False

    def arrivals_s(self, rng: np.random.Generator) -> Iterator[float]:
        """At most `count` instants."""
        return itertools.islice(self.load.arrivals_s(rng), min(self.count, sys.maxsize))

    def describe(self) -> str:
        """In plain words."""
        return f"the first {self.count} of: {self.load.describe()}"


@checks.configuration
class Until(Stoppable):
    """The arrivals of another load before `until_s` > 0; `mean_per_s` is that of the other load."""

    load: Arrivals = checks.checked(check_arrivals)
    until_s: float = checks.positive()

    @property
    def mean_per_s(self) -> float:
        """Arrivals per second while they last."""
        return self.load.mean_per_s

    @property
    def endless(self) -> bool:
        """False."""
        return False

    def arrivals_s(self, rng: np.random.Generator) -> Iterator[float]:
        """The instants before `until_s`."""
        return itertools.takewhile(self.until_s.__gt__, self.load.arrivals_s(rng))

    def describe(self) -> str:
        """In plain words."""
        return f"until {self.until_s:g} s: {self.load.describe()}"


class Endless(Stoppable):
    """Loads that never end by themselves."""

    @property
    def endless(self) -> bool:
        """True."""
        return True
