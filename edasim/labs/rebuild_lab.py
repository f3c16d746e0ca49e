"""The rebuild lab: how far apart snapshots should be.

Seconds of work per day: a snapshot every k of 10,000 events costs time to write; a question at a random place folds the
events since the last one, (k - 1)/2 on average (ES-04). The point is measured on 200 random questions, each of which
folds its position modulo k events, as the tests hold `sourcing.History` to. The sum is least near sqrt(2 E w / (Q f)),
for E events and Q questions a day, w seconds per snapshot and f per folded event. Left out: disk space, and questions
that prefer the present, which snapshots serve better than this.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..sourcing import EveryEvents
from ..viz import Picture, snapshot_cost_svg
from .controls import Slider, Stops
from .lab import Lab, Values
from .spread import Metric

EVENTS_PER_DAY, MEASURED = 10_000, 200
INTERVALS: tuple[float, ...] = tuple(np.unique(np.round(np.geomspace(2, EVENTS_PER_DAY, 60))).tolist())


@dataclass(frozen=True)
class Model:
    """The values, and how many events the measured questions folded on average."""

    values: Mapping[str, Any]
    folded: float

    @property
    def cost_s(self) -> float:
        """Seconds of work per day, as measured."""
        return writing_s(self.values, self.every) + asking_s(self.values, self.folded)

    @property
    def every(self) -> float:
        """Events between two snapshots."""
        return float(self.values["snapshot_every"])


def writing_s(values: Values, every: float) -> float:
    """Seconds per day to write snapshots."""
    return EVENTS_PER_DAY / every * float(values["write_ms"]) / 1000


def asking_s(values: Values, folded: float) -> float:
    """Seconds per day to answer questions that fold so many events each."""
    return float(values["questions"]) * folded * float(values["fold_us"]) / 1e6


def cheapest(values: Values) -> float:
    """The distance at which theory's sum is least.

    >>> round(cheapest({"write_ms": 5.0, "questions": 1000, "fold_us": 20}), 1)
    70.7
    """
    return math.sqrt(2 * EVENTS_PER_DAY * values["write_ms"] / 1000 / (values["questions"] * values["fold_us"] / 1e6))


def simulate(values: Values, seed: int) -> Model:
    """Two hundred questions at random places."""
    positions = np.random.default_rng(seed).integers(1, EVENTS_PER_DAY + 1, MEASURED)
    return Model(dict(values), float((positions % int(values["snapshot_every"])).mean()))


def picture(model: Model, pinned: Model | None) -> Picture:
    """Cost against the distance of snapshots, with the measured point."""
    kept = model.values
    writing = [writing_s(kept, float(every)) for every in INTERVALS]
    asking = [asking_s(kept, EveryEvents(events=int(every)).mean_replayed) for every in INTERVALS]
    behind = None if pinned is None else (pinned.every, pinned.cost_s)
    title = f"{kept['questions']:,} questions a day over {EVENTS_PER_DAY:,} events: {model.folded:,.1f} folded for each"
    return snapshot_cost_svg(INTERVALS, writing, asking, (model.every, model.cost_s), title=title, pinned=behind)


def folded_truth(values: Values) -> float:
    """Events folded per question in the long run."""
    return EveryEvents(events=int(values["snapshot_every"])).mean_replayed


def cost_truth_s(values: Values) -> float:
    """Seconds of work per day in the long run."""
    return writing_s(values, float(values["snapshot_every"])) + asking_s(values, folded_truth(values))


LAB = Lab(
    title="How often should you take a snapshot?",
    controls=(
        Stops(
            name="snapshot_every", stops=(10, 30, 100, 300, 1_000, 3_000, 10_000), default=1_000, unit="events",
            label="snapshot every", question="Where is it cheapest, and how flat is the valley?",
        ),
        Stops(
            name="questions", stops=(10, 100, 1_000, 10_000), default=1_000, unit="per day",
            question="Ten times as many questions: ten times as many snapshots?",
        ),
        Slider(
            name="write_ms", low=0.5, high=50.0, step=0.5, default=5.0, unit="ms", label="writing one",
            question="Which of the two lines does a large state lift?",
        ),
        Slider(
            name="fold_us", low=5, high=200, step=5, default=20, unit="µs", label="folding one event",
            question="How slow must the fold be until a snapshot every 10 events pays?",
        ),
    ),
    simulate=simulate,
    picture=picture,
    metrics=(
        Metric(label="events folded per question", unit="", measure=lambda model: model.folded, truth=folded_truth),
        Metric(label="work", unit="s per day", measure=lambda model: model.cost_s, truth=cost_truth_s),
    ),
)  # fmt: skip
