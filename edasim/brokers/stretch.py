"""A stretch: what a taker works through while nobody looks, done in one go when somebody does.

A taker that only takes its time, and whose messages nobody else can take, needs no record on the plane for each of
them. What it does follows from the messages that came and from the service times that it alone draws: it starts one
when the last one is done, or when it comes. So a stretch may begin when a message is done. Meanwhile messages wait
where they came. Whoever wants to see the taker or its queue, to act on them, or to read the log lets it catch up first,
and that ends the stretch: rows are written, and all is left as it would be if somebody had looked all the time.

Every draw, time and order is that of a taker which is always looked at (`tests/services/test_stretch.py` and
`tests/brokers/kafka/test_stretch.py` hold them to each other). This rests on service times of which no two are the
same: nothing ends just when it is looked at.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ..kernel import Simulation
from ..kernel.runlog import Brief
from .base import Message, Taker

ROOM_FOR_ROWS = 1_000_000
"""A log that is nearly full keeps events and facts up to an exact row (`RunLog.keeps`), and does not see rows that are
still owed. So there nobody writes rows late; beside the backlog, less than this is owed between two chores."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a taker works that only takes its time.

    `times_s` are the service times that it draws, and nobody else does; `brief` is where the log counts at the level
    `metrics`, `endpoint` whose rows it has at the others.
    """

    times_s: Iterator[float]
    endpoint: int
    brief: Brief | None


class Unwatched(Taker, Protocol):
    """A taker that may work through a stretch while it has a `pace`; `behind` lets it catch up if it does."""

    pace: Pace | None
    behind: Callable[[], None] | None

    def go_on(self, message: Message, delivered_s: float, starts_s: float, ends_s: float) -> None:
        """It has caught up, and is at work on this message."""


def pace_of(taker: Taker) -> Pace | None:
    """How a taker works, if it only takes its time."""
    pace: Pace | None = getattr(taker, "pace", None)
    return pace


class Stretch(ABC):
    """The stretches of one taker, one after another; `worked_s` is when its work at hand began, or its last ended."""

    __slots__ = ("lasts", "pace", "sim", "taker", "worked_s")

    def __init__(self, sim: Simulation, taker: Unwatched, pace: Pace) -> None:
        self.sim = sim
        self.taker = taker
        self.pace = pace
        self.lasts = False
        self.worked_s = 0.0

    @property
    @abstractmethod
    def backlog(self) -> int:
        """How many messages wait for the taker."""

    def begin(self, now_s: float) -> bool:
        """From now on nobody looks; False if that cannot be, and nothing has happened."""
        pace, log = self.taker.pace, self.sim.log
        if pace is None or not self.sim.env.unwatched:
            return False
        if pace.brief is None and log.kept_rows + self.backlog > log.max_rows - ROOM_FOR_ROWS:
            return False
        self.pace = pace
        self.worked_s = now_s
        self.lasts = True
        self.taker.behind = self.end
        self.sim.env.behind[self.end] = None
        return True

    def end(self) -> None:
        """Catches up with the clock: everything is where it would be now."""
        self.lasts = False
        self.taker.behind = None
        del self.sim.env.behind[self.end]
        now_s = float(self.sim.env.now)
        if self.pace.brief is not None:
            self._count(now_s, self.pace.brief)
        else:
            self.sim.log.disordered = True
            self._write(now_s)

    @abstractmethod
    def _count(self, now_s: float, brief: Brief) -> None:
        """Works through all that is done before now, for a log that only counts, and goes on with what is in work."""

    @abstractmethod
    def _write(self, now_s: float) -> None:
        """As `_count`, for a log with rows."""
