"""Ten seeds: what a number does when only the luck changes.

Follows: one value per replication, and the interval of their mean by Student's t (SO-01 of the theory room). Left out:
warm-up and stopping rules, for which there is the room of experiments; a lab shows the spread, it does not measure.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from .. import checks
from ..errors import ConfigurationError
from ..theory import Interval, mean_interval
from ..viz import Picture, dots_svg

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


def one_by_one(spreads: tuple[Spread, ...]) -> Picture:
    """The pictures of the spreads, one under the other."""
    first, *others = [spread.to_picture() for spread in spreads]
    if not others:
        return first
    every = (first, *others)
    return Picture(
        html="".join(picture.svg for picture in every),
        alt="; ".join(picture.alt for picture in every),
        text="\n".join(picture.text for picture in every),
    )
