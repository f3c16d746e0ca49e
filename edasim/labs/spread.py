"""Ten seeds: what a number does when only the luck changes, and what differs from a pinned setting under the same luck.

Follows: one value per replication, the interval of their mean by Student's t (SO-01), and of paired differences
(SO-04), by the theory room. Left out: warm-up, for which there is the room of experiments.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import checks
from ..errors import ConfigurationError
from ..experiments import independent_half_width
from ..theory import Interval, PairedInterval, mean_interval, paired_interval
from ..viz import Picture, compared_svg, dots_svg

SEEDS = 10


def check_function(field: str, value: Any) -> Callable[..., Any]:
    """Something that can be called."""
    if not callable(value):
        raise checks.refuse(field, value, "give a function")
    return value  # type: ignore[no-any-return]


@checks.configuration
class Metric:
    """A number that a lab's model has: `measure(model)` in `unit`, and the `truth(values)` where theory knows it."""

    label: str = checks.text()
    unit: str = checks.kind(str, "the unit as a text, empty for none")
    measure: Callable[[Any], float] = checks.checked(check_function)
    truth: Callable[[Mapping[str, Any]], float | None] | None = checks.optional(check_function, default=None)


@checks.configuration
class Spread:
    """One number per seed: `values[i]` belongs to `seeds[i]`; the truth, where theory knows it."""

    label: str = checks.text()
    unit: str = checks.kind(str, "the unit as a text, empty for none")
    seeds: tuple[int, ...] = checks.kind(tuple, "seeds")
    values: tuple[float, ...] = checks.kind(tuple, "a value for each seed")
    truth: float | None = None

    def check(self) -> None:
        """Every run has its number."""
        for seed, value in zip(self.seeds, self.values, strict=True):
            if not math.isfinite(value):
                raise ConfigurationError(
                    f"{self.label} is {value} with seed {seed}",
                    field=self.label,
                    value=value,
                    remedy="run longer, so that every run has one",
                )

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the mean over seeds."""
        return mean_interval(self.values)

    @property
    def text(self) -> str:
        """The spread in a sentence: lowest, highest, mean with its interval and n, and the truth."""
        low, high, unit = min(self.values), max(self.values), f" {self.unit}" if self.unit else ""
        seeds = f"seeds {self.seeds[0]} to {self.seeds[-1]}"
        said = f"{self.label}, {len(self.values)} runs with {seeds}: single runs from {low:.3g} to {high:.3g}{unit}"
        said += f"; mean {self.interval}{unit}"
        if self.truth is None:
            return f"{said}."
        where = "inside" if self.truth in self.interval else "outside"
        return f"{said}; theory says {self.truth:.3g}{unit}, {where} the interval."

    def to_picture(self) -> Picture:
        """Each run as a dot, the interval of their mean, and the truth; its text is `text`."""
        interval = self.interval
        drawn = dots_svg(self.values, (interval.low, interval.high), self.truth, self.label, self.unit)
        return dataclasses.replace(drawn, text=self.text)


@checks.configuration
class Compared:
    """Two spreads of one metric over the same seeds, the present setting's and the pinned one's, as pairs."""

    now: Spread = checks.kind(Spread, "a Spread")
    pinned: Spread = checks.kind(Spread, "a Spread")

    def check(self) -> None:
        """Pairs share their seed, which is their luck."""
        if self.now.seeds != self.pinned.seeds:
            raise checks.refuse("Compared.pinned", self.pinned.seeds, f"give the seeds {self.now.seeds}")

    @property
    def interval(self) -> PairedInterval:
        """The 95 % interval of the mean difference, now minus pinned, pair by pair."""
        return paired_interval(self.now.values, self.pinned.values)

    def to_picture(self) -> Picture:
        """Each difference as a dot, zero, and the interval; the text says what pairing saved."""
        now, pinned, found = self.now.values, self.pinned.values, self.interval
        differences = [a - b for a, b in zip(now, pinned, strict=True)]
        apart = independent_half_width(now, pinned)
        more = ""
        if math.isfinite(found.correlation):
            more = f"With the same luck for both ± {found.half_width:.3g}, correlation {found.correlation:.2f}; "
            more += f"with luck of its own for each it would be ± {apart:.3g}."
        return compared_svg(differences, (found.low, found.high), self.now.label, self.now.unit, more=more)


def one_by_one(spreads: tuple[Spread, ...]) -> Picture:
    """The pictures of the spreads, one under the other."""
    return under_each_other([spread.to_picture() for spread in spreads])


def under_each_other(every: Sequence[Picture]) -> Picture:
    """One or more pictures as one, from top to bottom."""
    first, *others = every
    if not others:
        return first
    return Picture(
        html="".join(picture.svg or picture.html for picture in every),
        alt="; ".join(picture.alt for picture in every),
        text="\n".join(picture.text for picture in every),
    )
