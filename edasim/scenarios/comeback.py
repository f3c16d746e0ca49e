"""What a consumer left behind that died: lost, done twice, handed out again, and after how long.

Counted from the log of a run that went on until nothing was left to happen. A message is lost if nobody has done it by
then. It is handed out again when the broker sends it to another consumer's client (its `delivered_s`), which may be
before that consumer begins with it. Left out: runs with several crashes; the first one counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from ..errors import StateError
from ..kernel import Run
from ..kernel.runlog import DONE

LATE_S = 10.0


@dataclass(frozen=True)
class Comeback:
    """The books of one crash.

    Messages `lost`, done `twice` (counted once more for each further time), done `late` (more than `LATE_S` after they
    were published), handed out `again`; `first_s` and `last_s` are seconds from the crash to the first and last of
    these (NaN: never). `takers` got them; `in_order` tells whether they were handed out in the order of publishing.
    """

    crash_s: float
    lost: int
    twice: int
    late: int
    again: int
    first_s: float
    last_s: float
    takers: tuple[str, ...]
    in_order: bool

    def __str__(self) -> str:
        if not self.again:
            return f"lost {self.lost}, done twice {self.twice}; nothing was handed out again"
        order = "in the order of publishing" if self.in_order else "in another order than published"
        return (
            f"lost {self.lost}, done twice {self.twice}; {self.again} handed out again, {order}, from "
            f"{self.first_s:.3f} s to {self.last_s:.3f} s after the crash, to {', '.join(self.takers)}"
        )


@lru_cache(maxsize=1)  # several measures of one run are taken in turn
def comeback(run: Run) -> Comeback:
    """What the first crash of a run left behind; `StateError` for a run without one, or without all rows."""
    crash_s = crash_of(run)
    rows = run.deliveries
    done = rows.number[rows.outcome == DONE]
    redone = np.unique(done)
    again = rows.rows((rows.attempt > 1) & np.isfinite(rows.delivered_s))
    order = np.argsort(again.delivered_s, kind="stable")
    delays_s = again.delivered_s[order] - crash_s
    return Comeback(
        crash_s=crash_s,
        lost=len(np.unique(rows.number)) - len(redone),
        twice=len(done) - len(redone),
        late=len(np.unique(rows.number[(rows.outcome == DONE) & (rows.finished_s - rows.published_s > LATE_S)])),
        again=len(again),
        first_s=float(delays_s[0]) if len(delays_s) else math.nan,
        last_s=float(delays_s[-1]) if len(delays_s) else math.nan,
        takers=tuple(sorted({rows.consumers[place] for place in again.consumer.tolist()})),
        in_order=bool((np.diff(again.number[order]) > 0).all()),
    )


def crash_of(run: Run) -> float:
    """The simulated second of a run's first crash of a node."""
    if not run.has_all_rows:
        raise StateError("the run kept only some rows", field="log", value=run.log.level.value, remedy="log='full'")
    for fact in run.fact_list:
        if fact.kind == "node_crashed":
            return fact.time_s
    raise StateError("no node has crashed in this run", field="crash_s", remedy="give OneBroker a crash_s")


def _lost(run: Run) -> float:
    return comeback(run).lost


def _twice(run: Run) -> float:
    return comeback(run).twice


def _late(run: Run) -> float:
    return comeback(run).late


def _again(run: Run) -> float:
    return comeback(run).again


def _first_s(run: Run) -> float:
    return comeback(run).first_s


MEASURES: Mapping[str, Callable[[Run], float]] = MappingProxyType(
    {"lost": _lost, "twice": _twice, "late": _late, "again": _again, "first_s": _first_s}
)
"""The numbers of a `Comeback` as metrics of `experiments.replicate`, which needs `log="full"` for them."""
