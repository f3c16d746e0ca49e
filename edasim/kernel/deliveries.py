"""The delivery table as NumPy columns: what pictures and statistics read, without pandas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from .metrics import reordered
from .runlog import DONE, PUBLISHER_BITS

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Deliveries:
    """Equal-length columns, a row per delivery attempt, by `published_s`, message, lane and attempt.

    `number` is the message's number, `root` that of its causal root, `origin` the index of its publisher, `lane` that
    of its subscription, `consumer` that of its consumer in `consumers` (-1: never delivered), `outcome` that in
    `runlog.OUTCOMES`. Times are simulated seconds, NaN where not reached.
    """

    number: Ints
    root: Ints
    origin: Ints
    lane: Ints
    consumer: Ints
    attempt: Ints
    outcome: Ints
    published_s: Floats
    enqueued_s: Floats
    delivered_s: Floats
    started_s: Floats
    finished_s: Floats
    consumers: tuple[str, ...]

    @classmethod
    def of(cls, endpoints: Sequence[tuple[int, str]], blocks: Sequence[np.ndarray[Any, Any]]) -> Deliveries:
        """The columns of blocks of `runlog.ROW`; `endpoints` are the lane and the consumer ("" for none) of each."""
        rows = np.concatenate(blocks)
        consumers = tuple(sorted({consumer for _, consumer in endpoints if consumer}))
        place = {consumer: index for index, consumer in enumerate(consumers)}
        lane_of = np.array([lane for lane, _ in endpoints], dtype=np.int64)
        consumer_of = np.array([place.get(consumer, -1) for _, consumer in endpoints], dtype=np.int64)
        lane = lane_of[rows["endpoint"]]
        order = np.lexsort((rows["attempt"], lane, rows["number"], rows["published_s"]))
        rows = reordered(rows, order)
        return cls(
            number=rows["number"].copy(),
            root=rows["root"].copy(),
            origin=rows["number"] >> PUBLISHER_BITS,
            lane=lane[order],
            consumer=consumer_of[rows["endpoint"]],
            attempt=rows["attempt"].astype(np.int64),
            outcome=rows["outcome"].astype(np.int64),
            published_s=rows["published_s"].copy(),
            enqueued_s=rows["enqueued_s"].copy(),
            delivered_s=rows["delivered_s"].copy(),
            started_s=rows["started_s"].copy(),
            finished_s=rows["finished_s"].copy(),
            consumers=consumers,
        )

    def __len__(self) -> int:
        return len(self.number)

    @property
    def columns(self) -> dict[str, np.ndarray[Any, Any]]:
        """The columns by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "consumers"}

    def rows(self, chosen: np.ndarray[Any, Any]) -> Deliveries:
        """The rows that a mask or an array of indices chooses."""
        places = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        columns: dict[str, Any] = {name: column[places] for name, column in self.columns.items()}
        return replace(self, **columns)

    @property
    def waits_s(self) -> Floats:
        """From enqueued to the start of service; NaN for what was never started."""
        return self.started_s - self.enqueued_s

    def duplicates(self) -> dict[int, int]:
        """By lane, how many times a message was done again."""
        done = self.outcome == DONE
        number, lane = self.number[done], self.lane[done]
        again = (number[1:] == number[:-1]) & (lane[1:] == lane[:-1])  # rows of one message at one lane are neighbours
        lanes, times = np.unique(lane[1:][again], return_counts=True)
        return dict(zip(lanes.tolist(), times.tolist(), strict=True))
