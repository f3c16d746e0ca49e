"""The delivery table as NumPy columns: what pictures and statistics read, without pandas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .runlog import DONE, PUBLISHER_BITS, RunLog

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Deliveries:
    """Equal-length columns, a row per delivery attempt, by `published_s`, message, lane and attempt.

    `number` is the message's number, `root` that of its causal root, `origin` the index of its publisher, `lane` that of its
    subscription, `consumer` that of its consumer in `consumers` (-1: never delivered), `outcome` that in
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
    def of(cls, log: RunLog, blocks: list[np.ndarray[Any, Any]]) -> Deliveries:
        """The columns of blocks of `runlog.ROW`."""
        both = np.concatenate(blocks)
        lanes = np.array([lane for lane, _ in log.endpoints], dtype=np.int64)
        consumers = tuple(sorted({consumer for _, consumer in log.endpoints if consumer}))
        consumer_of = np.array(
            [consumers.index(consumer) if consumer else -1 for _, consumer in log.endpoints], dtype=np.int64
        )
        endpoint = both["endpoint"].astype(np.int64)
        lane = lanes[endpoint] if len(lanes) else endpoint
        order = np.lexsort((both["attempt"], lane, both["number"], both["published_s"]))
        both, lane, endpoint = both[order], lane[order], endpoint[order]
        return cls(
            number=both["number"].copy(),
            root=both["root"].copy(),
            origin=both["number"] >> PUBLISHER_BITS,
            lane=lane,
            consumer=consumer_of[endpoint] if len(consumer_of) else endpoint,
            attempt=both["attempt"].astype(np.int64),
            outcome=both["outcome"].astype(np.int64),
            published_s=both["published_s"].copy(),
            enqueued_s=both["enqueued_s"].copy(),
            delivered_s=both["delivered_s"].copy(),
            started_s=both["started_s"].copy(),
            finished_s=both["finished_s"].copy(),
            consumers=consumers,
        )

    def __len__(self) -> int:
        return len(self.number)

    @property
    def waits_s(self) -> Floats:
        """From enqueued to the start of service; NaN for what was never started."""
        return self.started_s - self.enqueued_s

    def duplicates(self) -> dict[int, int]:
        """By lane, how many times a message was done again."""
        done = self.outcome == DONE
        pairs, times = np.unique(np.stack([self.lane[done], self.number[done]]), axis=1, return_counts=True)
        again = times - 1
        return {lane: int(again[pairs[0] == lane].sum()) for lane in np.unique(self.lane).tolist()}
