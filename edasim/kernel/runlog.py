"""The run log: facts are appended to columns and never edited; every table, picture and verdict is derived from it.

A delivery attempt becomes one packed row of 65 bytes when it ends. Its fields are those of `ROW`: the message's number
and its root's number (the message at the start of the causal tree), five instants, the endpoint (a consumer at a
lane), the attempt and the outcome. A message's number holds its publisher in the upper bits and a running number
of that publisher in the lower ones, so that one more publisher does not renumber the others' messages.

Three levels: `full` keeps every row up to a stated number, `sampled` keeps all rows of one causal tree in so many, and
`metrics` keeps none. Running statistics (`metrics.py`) cover every row at each level.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from .metrics import Metrics, reordered

ROW = np.dtype(
    [
        ("number", "<i8"),
        ("root", "<i8"),
        ("published_s", "<f8"),
        ("enqueued_s", "<f8"),
        ("delivered_s", "<f8"),
        ("started_s", "<f8"),
        ("finished_s", "<f8"),
        ("endpoint", "<u4"),
        ("attempt", "<u4"),
        ("outcome", "u1"),
    ]
)
"""The fields of a row; times are simulated seconds, NaN where not reached."""

pack_row: Callable[..., bytes] = struct.Struct("<qqdddddIIB").pack
"""Packs the fields of `ROW`, in order."""

OUTCOMES = (
    "done",
    "failed",
    "requeued",
    "expired",
    "dropped",
    "dead_lettered",
    "crashed",
    "in_flight",
    "queued",
    "filtered",
)
"""The outcome of a delivery attempt, or of a message that was never delivered; a row holds the index."""

DONE, FAILED, REQUEUED, EXPIRED, DROPPED, DEAD_LETTERED, CRASHED, IN_FLIGHT, QUEUED, FILTERED = range(len(OUTCOMES))
NEVER = float("nan")
PUBLISHER_BITS = 40
LONG_BUFFER = 4096
LONG_BRIEF = 2048
"""NumPy counts so many times at once in little more time than a few."""
MOST_DIGITS = 13
"""So many digits has the largest running number."""


def running_number(number: int) -> int:
    """The running number, from 0, of a message among those of its publisher."""
    return number & ((1 << PUBLISHER_BITS) - 1)


def as_array(times_s: list[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The times as an array, for reading only; packed by `struct`, which takes a third of NumPy's own time."""
    return np.frombuffer(struct.pack(f"{len(times_s)}d", *times_s))


class LogLevel(enum.Enum):
    """How much of a run is kept."""

    FULL = "full"
    SAMPLED = "sampled"
    METRICS = "metrics"


@dataclass(frozen=True)
class Lane:
    """A subscription of a broker: where deliveries of one group come from."""

    broker: str
    destination: str
    group: str


@dataclass(frozen=True)
class Fact:
    """A change of state at an instant: what kind, of whom, and its particulars."""

    time_s: float
    kind: str
    subject: str
    detail: dict[str, Any]


class Brief:
    """Waits and service times (seconds, in pairs) of messages that were done at once; how many were refused at once."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []
        self.services_s: list[float] = []
        self.refused = 0


class RunLog:
    """The log of one simulation: rows, facts, and the names that the rows refer to."""

    def __init__(self, level: LogLevel, max_rows: int, one_in: int) -> None:
        self.level = level
        self.max_rows = max_rows
        self.one_in = one_in
        self.publishers: list[str] = []
        self.lanes: list[Lane] = []
        self.endpoints: list[tuple[int, str]] = []
        self.facts: list[Fact] = []
        self.events: dict[int, Any] = {}
        self.event_makers: list[Callable[[int, float], Any] | None] = []
        self.metrics = Metrics()
        self.kept_rows = 0
        self.slots: dict[int, tuple[str, int]] = {}
        self.placements: dict[int, Callable[[], dict[int, tuple[str, int]]]] = {}
        """By lane, for brokers whose destinations have partitions: destination and partition of messages by number."""
        self._kept: list[np.ndarray[Any, Any]] = []
        self._briefs: dict[int, Brief] = {}
        self._fresh: list[bytes] = []
        self.catch_up: Callable[[], None] = _nothing_to_do
        """Called before rows are put away: who is behind the clock writes those that it still owes."""
        self.disordered = False
        """Whether fresh rows are there that were not written as deliveries ended."""
        self._numbering: dict[str, tuple[int, Callable[[], int]]] = {}
        self._endpoint_of: dict[tuple[int, str], int] = {}
        self.append: Callable[[bytes], None] = self._fresh.append

    def publisher(self, name: str, event_maker: Callable[[int, float], Any] | None = None) -> Callable[[], int]:
        """The function that numbers the messages of a publisher, who is registered at first use.

        One name has one series of numbers, whoever publishes under it. `event_maker(running_number, published_s)` makes
        the event of a message for which none was kept.
        """
        if name not in self._numbering:
            index = len(self.publishers)
            self._numbering[name] = (index, count(index << PUBLISHER_BITS).__next__)
            self.publishers.append(name)
            self.event_makers.append(None)
        index, next_number = self._numbering[name]
        if event_maker is not None:
            self.event_makers[index] = event_maker
        return next_number

    def number_called(self, identity: str | None) -> int | None:
        """The number of the message whose event's id is `identity`, if it was numbered here ("shop-7"), or None."""
        name, _, running = (identity or "").rpartition("-")
        if name not in self._numbering or not (running.isascii() and running.isdecimal()):
            return None
        return self._numbering[name][0] << PUBLISHER_BITS | running_number(int(running[-MOST_DIGITS:]))

    def lane(self, broker: str, destination: str, group: str) -> int:
        """Registers a lane and returns its index."""
        self.lanes.append(Lane(broker, destination, group))
        return len(self.lanes) - 1

    def endpoint(self, lane: int, consumer: str) -> int:
        """The index of a consumer at a lane, registered at first use; an empty name stands for no consumer."""
        key = (lane, consumer)
        index = self._endpoint_of.setdefault(key, len(self.endpoints))
        if index == len(self.endpoints):
            self.endpoints.append(key)
        return index

    def add_slots(self, lane: int, service: str, slots: int) -> None:
        """Notes which service works on a lane, and with how many slots; several go by the name of the first."""
        name, so_far = self.slots.get(lane, (service, 0))
        self.slots[lane] = (name, so_far + slots)

    def brief(self, endpoint: int) -> Brief | None:
        """At the level `metrics`, where to put the times of a message that was done at once; otherwise None.

        At once means: at its first attempt, and queued when it was published. It stands for a whole row, at a third of
        the price. One that was refused at once (never delivered, and in no time) is one more `refused`.
        """
        if self.level is not LogLevel.METRICS:
            return None
        return self._briefs.setdefault(endpoint, Brief())

    def add(self, row: bytes) -> None:
        """Appends a row, and empties the buffer when it is long; `append` leaves that to the plane's chore."""
        self.append(row)
        if len(self._fresh) >= LONG_BUFFER:
            self.flush()

    def fact(self, time_s: float, kind: str, subject: str, /, **detail: Any) -> None:
        """Appends a change of state."""
        self.facts.append(Fact(time_s, kind, subject, detail))

    def keep_event(self, number: int, root: int, event: Any) -> None:
        """Keeps a message's event if the log is to keep rows of its causal tree and has room for them."""
        if self.keeps(root):
            self.events[number] = event

    def keeps(self, root: int) -> bool:
        """Whether rows, events and facts of a causal tree are still to be kept."""
        if self.level is LogLevel.METRICS or not (self.level is LogLevel.FULL or self.is_sampled(root)):
            return False
        if self.kept_rows + len(self._fresh) >= self.max_rows:
            self.flush()  # now `kept_rows` is exact, so that what is kept does not hang on when the buffer was emptied
        return self.kept_rows < self.max_rows

    def event_of(self, number: int, published_s: float) -> Any:
        """The event of a message: the one that was kept, or one made anew by its publisher (None if it makes none)."""
        kept = self.events.get(number)
        if kept is not None:
            return kept
        maker = self.event_makers[number >> PUBLISHER_BITS]
        return None if maker is None else maker(running_number(number), published_s)

    def is_sampled(self, root: Any) -> Any:
        """Whether a causal tree is kept by a sampled log; works for one root number or an array of them."""
        return (root & ((1 << PUBLISHER_BITS) - 1)) % self.one_in == 0

    def flush(self) -> None:
        """Moves fresh rows to where the level keeps them, and counts all of them in the metrics."""
        self.empty_buffers(1)

    def empty_buffers(self, long_enough: int = LONG_BRIEF) -> None:
        """As `flush`, but leaves the times of a consumer where they are until there are enough of them."""
        self.catch_up()
        for endpoint, brief in self._briefs.items():
            if len(brief.waits_s) >= long_enough:
                waits_s, services_s = as_array(brief.waits_s), as_array(brief.services_s)
                self.metrics.count_done(endpoint, waits_s, services_s)
                brief.waits_s.clear()
                brief.services_s.clear()
            if brief.refused:
                self.metrics.count_refused(endpoint, brief.refused)
                brief.refused = 0
        if not self._fresh:
            return
        rows = np.frombuffer(b"".join(self._fresh), dtype=ROW)
        self._fresh.clear()
        if self.disordered:
            self.disordered = False
            rows = reordered(rows, np.argsort(rows["finished_s"], kind="stable"))
        self.metrics.count(rows)
        kept = self.of_level(rows)
        if len(kept):
            self._kept.append(kept)
            self.kept_rows += len(kept)

    def of_level(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Those of the rows that the level keeps and for which there is room."""
        if self.level is LogLevel.METRICS:
            return rows[:0]
        if self.level is LogLevel.SAMPLED:
            rows = rows[self.is_sampled(rows["root"])]
        return rows[: max(0, self.max_rows - self.kept_rows)]

    def kept_blocks(self) -> tuple[np.ndarray[Any, Any], ...]:
        """All rows kept so far, as arrays of `ROW`, in the order in which deliveries ended."""
        self.flush()
        return tuple(self._kept)


def _nothing_to_do() -> None:
    """Nobody is behind the clock."""
