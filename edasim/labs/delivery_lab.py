"""The delivery lab: once, twice or never, by where a crashing consumer acknowledges and what it remembers.

A thousand messages lie ready for one consumer that takes 10 ms for each (12 ms with a note on disk) and dies now and
then, in the midst of work. Shown are one crash from near, the whole run, and the run's numbers beside their exact
means (`scenarios.delivery.expected`). Left out: several consumers, and producers that send twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..scenarios.delivery import Books, Dedup, Delivery, Expected, Place, books
from ..viz import Picture
from ..viz.deliveries import deliveries_svg
from .controls import Choice, Stops
from .lab import Lab, Values
from .spread import Metric


@dataclass(frozen=True)
class Model:
    """One run: its setting, its books and its exact means."""

    values: Mapping[str, Any]
    books: Books
    mean: Expected


def scenario(values: Values) -> Delivery:
    """The delivery case of a lab's values."""
    return Delivery(
        acknowledge=values["acknowledge"],
        batch=int(values["batch"]),
        crash_every=float(values["crash_every"]),
        dedup=values["dedup"],
    )


def simulate(values: Values, seed: int) -> Model:
    """One run until nothing is left to do."""
    case = scenario(values)
    return Model(dict(values), books(case.run(seed=seed)), case.expected())


def picture(model: Model, pinned: Model | None) -> Picture:
    """One crash from near, the whole run, and the numbers; a pinned run in grey."""
    behind = None if pinned is None else (pinned.books, setting(pinned))
    return deliveries_svg(model.books, model.mean, setting(model), behind)


def setting(model: Model) -> str:
    """What the controls say, in a few words."""
    kept = model.values
    return (
        f"acknowledged in batches of {kept['batch']:g} {kept['acknowledge']} processing, "
        f"a crash every {kept['crash_every']:g} messages on average, dedup store: {kept['dedup']}"
    )


METRICS = (
    Metric(label="lost", unit="", measure=lambda model: model.books.lost, truth=lambda v: scenario(v).expected().lost),
    Metric(
        label="done once more",
        unit="",
        measure=lambda model: model.books.repeated,
        truth=lambda values: scenario(values).expected().repeated,
    ),
)

LAB = Lab(
    title="Once, twice, or never?",
    controls=(
        Choice(
            name="acknowledge", options=tuple(place.value for place in Place), default=Place.AFTER.value,
            label="acknowledge", question="Which side loses, and which side repeats?",
        ),
        Stops(
            name="batch", stops=(1, 2, 5, 10, 20, 50, 100), default=20, unit="messages", label="batch",
            question="Five times the batch: five times the damage, or more?",
        ),
        Stops(
            name="crash_every", stops=(50, 100, 200, 500, 1000), default=100, unit="messages",
            label="a crash every", question="Half the crashes: half the damage?",
        ),
        Choice(
            name="dedup", options=tuple(dedup.value for dedup in Dedup), default=Dedup.NONE.value,
            label="dedup store", question="Which of the six would you bet a payment on?",
        ),
    ),
    simulate=simulate,
    picture=picture,
    metrics=METRICS,
)  # fmt: skip
