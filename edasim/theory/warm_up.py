"""Where the warm-up of a run ends: the rule MSER-5.

Follows: White (1997) and White, Cobb and Spratt (2000), as in Law, Simulation Modeling and Analysis (SO-03). Values are
averaged in fives; the cut is where the rest has the smallest standard error if taken as independent. Never more than
half of the run is cut. Left out: several replications at once, and a start from the stationary state, which needs no
cut.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import checks
from .intervals import sample

BATCH = 5
FEWEST_BATCHES = 10
ROUNDING = 1e-12
"""A spread this small, relative to the sum of squares, is rounding: the values left are constant."""


@checks.configuration
class WarmUp:
    """What MSER-5 decided: `cut` values from the start are warm-up; `str` says so and why.

    `curve[d]` is the standard error of the mean of the fives if the first d fives are cut; `mean` is that of all values
    from the cut on, `uncut_mean` that of all values.
    """

    cut: int
    values: int
    mean: float
    uncut_mean: float
    curve: tuple[float, ...]

    @property
    def long_enough(self) -> bool:
        """False if the best cut is the last that is allowed: then the run shows no end of its warm-up."""
        return self.cut < BATCH * (len(self.curve) - 1)

    @property
    def reason(self) -> str:
        """Why the cut lies where it does, in a sentence."""
        best, uncut = self.curve[self.cut // BATCH], self.curve[0]
        if not self.long_enough:
            return "the error still falls at half of the run, the most that is ever cut: run longer"
        if self.cut == 0:
            return f"no cut makes the error of the mean smaller than it is without ({uncut:.3g})"
        return f"from there the error of the mean is smallest ({best:.3g}; {uncut:.3g} without a cut)"

    def __str__(self) -> str:
        return f"cut {self.cut} of {self.values} values: {self.reason}"


def mser5(values: npt.ArrayLike) -> WarmUp:
    """The warm-up of one run by MSER-5 (SO-03).

    Args:
        values: waits, queue lengths or the like in the order of time, at least 50. The last values that do not fill a
            five take no part in the choice.

    Returns:
        The cut, always a multiple of 5 and at most half of the values; the first of equally good cuts.

    Raises:
        ConfigurationError: fewer than 50 values, or a value that is not finite.

    >>> print(mser5([9.0] * 20 + [1.0, 2.0] * 40))
    cut 20 of 100 values: from there the error of the mean is smallest (0.025; 0.671 without a cut)
    """
    series = sample("values", values)
    count = series.size // BATCH
    if count < FEWEST_BATCHES:
        raise checks.refuse("values", f"{series.size} values", f"give at least {BATCH * FEWEST_BATCHES}")
    curve = _errors_by_cut(series[: count * BATCH].reshape(count, BATCH).mean(axis=1))
    cut = BATCH * int(np.argmin(curve))
    return WarmUp(
        cut=cut,
        values=int(series.size),
        mean=float(series[cut:].mean()),
        uncut_mean=float(series.mean()),
        curve=tuple(curve.tolist()),
    )


def _errors_by_cut(fives: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """√(Σ(y-ȳ)²)/(m-d) for each cut d up to half: standard deviation over root of count, of what is left."""
    centred = fives - fives[fives.size // 2 :].mean()
    left = np.arange(fives.size, 0, -1)
    sums = np.cumsum(centred[::-1])[::-1]
    squares = np.cumsum(np.square(centred[::-1]))[::-1]
    around_mean = squares - np.square(sums) / left
    around_mean[around_mean < ROUNDING * squares] = 0.0
    errors: npt.NDArray[np.float64] = np.sqrt(around_mean) / left
    return errors[: fives.size // 2 + 1]
