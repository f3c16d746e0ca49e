"""Watching what is drawn: a distribution or load of the user's own must not turn the clock back.

Those of the house are checked when they are made and keep their promise, so nothing is spent on them; they are on the
hot path. Any other is watched, draw by draw. Left out: whether it has the mean that it says.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import StateError
from ..kernel.streams import Draw
from ..kernel.times import Times
from .arrivals import Arrivals

if TYPE_CHECKING:
    import numpy as np

HOUSE = __name__.partition(".")[0] + "."


def draws(field: str, distribution: Times, rng: np.random.Generator) -> Draw:
    """The draws of a distribution; a `StateError` that names `field` at the first that is no time to wait."""
    draw = distribution.draws(rng)
    if is_of_the_house(distribution):
        return draw

    def watched() -> float:
        try:
            drawn_s: float | None = draw()
        except StopIteration:
            drawn_s = None
        if drawn_s is None or not _is_instant(drawn_s, 0.0):
            raise StateError(
                f"{field} drew {drawn_s!r} s", field=field, value=drawn_s, remedy="draw finite numbers of at least 0"
            )
        return float(drawn_s)

    return watched


def instants(field: str, load: Arrivals, rng: np.random.Generator) -> Iterator[float]:
    """The instants of a load; a `StateError` that names `field` at the first that is earlier than the one before it."""
    arrivals_s = load.arrivals_s(rng)
    return arrivals_s if is_of_the_house(load) else _rising(field, arrivals_s)


def _rising(field: str, arrivals_s: Iterator[float]) -> Iterator[float]:
    before_s = 0.0
    for arrival_s in arrivals_s:
        if not _is_instant(arrival_s, before_s):
            raise StateError(
                f"{field} gave an arrival at {arrival_s!r} s after one at {before_s!r} s",
                field=field,
                value=arrival_s,
                remedy="give finite instants that never decrease, in seconds from 0",
            )
        before_s = arrival_s
        yield arrival_s


def _is_instant(value: object, earliest_s: float) -> bool:
    return isinstance(value, numbers.Real) and earliest_s <= float(value) < math.inf


def is_of_the_house(described: object) -> bool:
    """Whether a distribution or load is the house's own, and those that it is made of as well."""
    if not type(described).__module__.startswith(HOUSE) or not dataclasses.is_dataclass(described):
        return False
    parts = [getattr(described, field.name) for field in dataclasses.fields(described)]
    return all(is_of_the_house(part) for part in parts if isinstance(part, Times | Arrivals))
