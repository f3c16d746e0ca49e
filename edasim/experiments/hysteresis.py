"""Hysteresis: load is raised in steps and lowered again, and goodput comes back at a lower load than it collapsed at.

Every run is one climb and one descent without any fault. At each step the second half tells which share of the requests
is answered in time. A run collapses at the first load of the climb at which that is less than half, and is back at the
first load of the descent at which it is 90 % again; the distance between the two, over runs, has an interval. A system
whose state follows from its load alone has a distance of 0, up to a step and what it takes to drain a queue.

Follows: Bronson, Aghayev, Charapko, Zhu, Metastable Failures in Distributed Systems, HotOS 2021 (the way out of the
metastable state needs a far lower load than the way in). Left out: loads that change faster than a queue drains.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks
from ..errors import ConfigurationError
from ..scenarios import AnsweredShare, Storm
from ..services import load
from ..theory import Interval, PairedInterval, mean_interval, paired_interval
from ..theory.retry_storm import BACK_RATIO
from .metastable import FEWEST_ASKED
from .replicate import replicate
from .results import Provenance, Replications

if TYPE_CHECKING:
    import pandas

Floats = np.ndarray[Any, np.dtype[np.float64]]

COLLAPSED_RATIO = 0.5
"""Goodput has collapsed where less than this share is answered in time."""


@dataclass(frozen=True)
class Turn:
    """One run: the load at which goodput collapsed on the way up, and at which it was back on the way down.

    Each is None if it never did.
    """

    collapse_per_s: float | None
    return_per_s: float | None

    @property
    def is_complete(self) -> bool:
        """Whether it collapsed and came back."""
        return self.collapse_per_s is not None and self.return_per_s is not None


@dataclass(frozen=True)
class Hysteresis:
    """The share of requests answered in time at each load, on the way up and down, and where each run turned.

    `up[i]` and `down[i]` have one share per run, at `loads_per_s[i]`; the loads rise.
    """

    loads_per_s: tuple[float, ...]
    up: tuple[tuple[float, ...], ...]
    down: tuple[tuple[float, ...], ...]
    turns: tuple[Turn, ...]
    hold_s: float
    level: float
    provenance: Provenance

    @property
    def complete(self) -> tuple[Turn, ...]:
        """The runs that collapsed and came back."""
        return tuple(turn for turn in self.turns if turn.is_complete)

    @property
    def collapse_per_s(self) -> Interval | None:
        """The load at which goodput collapses, over the runs that came back; None if fewer than two did."""
        return mean_interval(self._pairs[:, 0], self.level) if len(self.complete) > 1 else None

    @property
    def return_per_s(self) -> Interval | None:
        """The load at which goodput is back, over the runs that came back; None if fewer than two did."""
        return mean_interval(self._pairs[:, 1], self.level) if len(self.complete) > 1 else None

    @property
    def gap_per_s(self) -> PairedInterval | None:
        """How much lower the load must be for goodput to come back; None if fewer than two runs did."""
        pairs = self._pairs
        return paired_interval(pairs[:, 0], pairs[:, 1], self.level) if len(self.complete) > 1 else None

    @property
    def _pairs(self) -> Floats:
        """A row per complete run: the loads of its collapse and of its return."""
        return np.array([(turn.collapse_per_s, turn.return_per_s) for turn in self.complete], dtype=np.float64)

    def table(self) -> pandas.DataFrame:
        """A row per load: the share answered in time on the way up and down: mean, least and most over runs."""
        import pandas as pd

        rows = [
            {
                "load_per_s": load_per_s,
                **{f"up {name}": value for name, value in _spread(up).items()},
                **{f"down {name}": value for name, value in _spread(down).items()},
            }
            for load_per_s, up, down in zip(self.loads_per_s, self.up, self.down, strict=True)
        ]
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        lines = [f"{self.table().to_string(index=False, float_format='{:.2f}'.format)}"]
        if self.gap_per_s is not None:
            lines.append(f"collapses at a load per s of {self.collapse_per_s}")
            lines.append(f"is back at {self.return_per_s}, lower by {self.gap_per_s}")
        lines.append(f"{len(self.complete)} of {len(self.turns)} runs collapsed and came back")
        return "\n".join([*lines, *self.provenance.notices])


def _spread(shares: Sequence[float]) -> dict[str, float]:
    return {"mean": sum(shares) / len(shares), "least": min(shares), "most": max(shares)}


def hysteresis(
    scenario: Storm,
    *,
    loads_per_s: Iterable[float],
    hold_s: float = 20.0,
    runs: int = 5,
    level: float = 0.95,
    seed: int = 0,
    workers: int | None = None,
) -> Hysteresis:
    """Raises the load of a storm through `loads_per_s` and lowers it again, without a fault.

    Args:
        scenario: a storm; its load and fault are replaced. Give it a `room`: an endless queue takes very long to drain.
        loads_per_s: at least two rising loads, from one that it always bears to one that it does not.
        hold_s: how long it stays at each; the second half is measured.
        runs: how many runs, at least 2.
        level: the level of each interval.
        seed: the base seed, as for `replicate`.
        workers: as for `replicate`.

    Raises:
        EdasimError: fewer than two loads, or what `replicate` raises.
    """
    checks.check_kind(Storm, "a scenarios.Storm(…)")("scenario", scenario)
    hold_s = checks.check_positive("hold_s", hold_s)
    loads = _rising(loads_per_s, hold_s)
    there_and_back = [*loads, *loads[-2::-1]]
    climbing = scenario.but(arrivals=load.Steps(rates_per_s=tuple(there_and_back), each_s=hold_s), fault_s=0.0)
    metrics = {
        str(place): AnsweredShare(from_s=(place + 0.5) * hold_s, until_s=(place + 1.0) * hold_s)
        for place in range(len(there_and_back))
    }
    until_s = len(there_and_back) * hold_s + (scenario.protections.timeout_s or 0.0)
    found = replicate(climbing, runs, metrics, seed=seed, until_s=until_s, workers=workers)
    return _turned(found, loads, hold_s, level)


def _rising(loads_per_s: Iterable[float], hold_s: float) -> list[float]:
    """At least two loads, the lowest first, at which enough is asked to judge by."""
    loads = sorted({checks.check_positive("loads_per_s", each) for each in loads_per_s})
    if len(loads) <= 1:
        raise checks.refuse("loads_per_s", loads, "give at least two")
    if loads[0] * hold_s / 2 < FEWEST_ASKED:
        raise checks.refuse(
            "hold_s", hold_s, f"give more: at {loads[0]:g} per s hardly anything is asked in half of it"
        )
    return loads


def _turned(found: Replications, loads: list[float], hold_s: float, level: float) -> Hysteresis:
    """What the runs say, step by step up and down."""
    if found.n <= 1:
        raise ConfigurationError(
            "fewer than two runs were made", field="runs", value=found.n, remedy="let it run until two are done"
        )
    shares = [found.of(name) for name in found.values]
    up, down = shares[: len(loads)], shares[: len(loads) - 2 : -1]
    turns = [_turn(loads, [step[run] for step in up], [step[run] for step in down]) for run in range(found.n)]
    return Hysteresis(
        loads_per_s=tuple(loads),
        up=tuple(up),
        down=tuple(down),
        turns=tuple(turns),
        hold_s=hold_s,
        level=level,
        provenance=found.provenance,
    )


def _turn(loads: list[float], up: list[float], down: list[float]) -> Turn:
    """Where one run collapsed and came back; both lists are in order of rising load."""
    collapsed = next((load_per_s for load_per_s, share in zip(loads, up, strict=True) if share < COLLAPSED_RATIO), None)
    if collapsed is None:
        return Turn(None, None)
    falling = zip(reversed(loads), reversed(down), strict=True)
    return Turn(collapsed, next((load_per_s for load_per_s, share in falling if share >= BACK_RATIO), None))


__all__ = ["Hysteresis", "Turn", "hysteresis"]
