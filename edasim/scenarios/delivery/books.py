"""The books of a delivery run: effects lost and repeated, crash by crash.

A message is lost if its effect never came although nothing is left to do, and repeated as often as its effect came
again. Left out: runs that are cut off; what is still in the broker would count as lost.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import ConfigurationError
from ...kernel import Run
from ...kernel.runlog import CRASHED, PUBLISHER_BITS

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Dip:
    """A crash at `at_s` while offset `fell_at` was in work; the next life began at `back_s` with offset `went_on_at`.

    `repeated` effects of earlier lives came once more before the next crash, and `lost` ones never came.
    """

    at_s: float
    fell_at: int
    back_s: float
    went_on_at: int
    repeated: int
    lost: int


@dataclass(frozen=True)
class Books:
    """Counts of one run, its crashes, its attempts (offset, begin, end, whether it crashed) and effects in order."""

    messages: int
    lost: int
    repeated: int
    crashes: int
    dips: tuple[Dip, ...]
    offsets: Ints
    started_s: Floats
    finished_s: Floats
    crashed: np.ndarray[Any, np.dtype[np.bool_]]
    effects: tuple[tuple[int, float], ...]

    @property
    def ended_s(self) -> float:
        """When the last message was done with, in simulated seconds."""
        return float(self.finished_s.max(initial=0.0))

    def __str__(self) -> str:
        crashes = "1 crash" if self.crashes == 1 else f"{self.crashes} crashes"
        return f"{self.messages} messages, {crashes}: {self.lost} lost, {self.repeated} done once more"


def books(run: Run) -> Books:
    """The books of a run of `Delivery`; needs a full log."""
    if "ledger" not in run.kept or "published" not in run.kept:
        raise ConfigurationError(
            "this run is not of Delivery", field="run", remedy="give a run of scenarios.delivery.Delivery"
        )
    run.require_rows("the books of a delivery run")
    rows = run.deliveries
    rows = rows.rows(np.flatnonzero(~np.isnan(rows.started_s)))
    rows = rows.rows(np.lexsort((rows.attempt, rows.number, rows.started_s)))
    offsets = rows.number & ((1 << PUBLISHER_BITS) - 1)
    crashed = rows.outcome == CRASHED
    effects = tuple(run.kept["ledger"].effects())
    published = run.kept["published"]
    times = Counter(message for message, _ in effects)
    missing = {offset for offset, message in enumerate(published) if not times[message]}
    return Books(
        messages=len(set(published)),
        lost=len(set(published)) - len(times),
        repeated=len(effects) - len(times),
        crashes=int(crashed.sum()),
        dips=tuple(_dips(offsets, rows.started_s, rows.finished_s, crashed, effects, missing)),
        offsets=offsets,
        started_s=rows.started_s,
        finished_s=rows.finished_s,
        crashed=crashed,
        effects=effects,
    )


def _dips(
    offsets: Ints,
    started_s: Floats,
    finished_s: Floats,
    crashed: np.ndarray[Any, np.dtype[np.bool_]],
    effects: tuple[tuple[int, float], ...],
    missing: set[int],
) -> list[Dip]:
    falls = np.flatnonzero(crashed)
    seen: set[int] = set()
    again_s = []
    for message, at_s in effects:
        if message in seen:
            again_s.append(at_s)
        seen.add(message)
    places = np.searchsorted(finished_s[falls], again_s, side="right") - 1
    repeated = Counter(places.tolist())
    dips = []
    for number, fall in enumerate(falls.tolist()):
        goes_on = fall + 1 < len(offsets)
        until = int(offsets[fall + 1]) if goes_on else int(offsets[fall]) + 1
        dips.append(
            Dip(
                at_s=float(finished_s[fall]),
                fell_at=int(offsets[fall]),
                back_s=float(started_s[fall + 1]) if goes_on else float("nan"),
                went_on_at=until,
                repeated=repeated[number],
                lost=sum(offset in missing for offset in range(int(offsets[fall]), until)),
            )
        )
    return dips
