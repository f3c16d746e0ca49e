"""The what-if lab: change one event of an account's week, and compare the two worlds.

One account, 60 events. A payment or a withdrawal is left out, halved or doubled; then the bank either decides again on
each later wish, at the balance of the other world, or keeps the decisions on record. Deciding again tells what would
have been; keeping them shows what the record says without that event. A seed is another week. Left out: customers, who
would have asked for something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..events import Event, seconds_since_epoch
from ..scenarios.sourced import ACCOUNT, ASKED, PAID_IN, PAID_OUT, REFUSED, account_handler, said_at, week
from ..sourcing import Worlds, what_if
from ..viz import Picture, worlds_svg
from .controls import Choice, Slider
from .lab import Lab, Values
from .spread import Metric

EVENTS, VISITS = 60, 30
FACTORS = {"leave it out": 0.0, "halve it": 0.5, "double it": 2.0}
AGAIN, ON_RECORD = "decide again", "keep what was decided"


@dataclass(frozen=True)
class Model:
    """The values, the event that is changed, and both worlds."""

    values: Mapping[str, Any]
    event: Event
    worlds: Worlds


@lru_cache(maxsize=16)
def history(seed: int) -> tuple[Event, ...]:
    """The week of one account."""
    return tuple(week(EVENTS, accounts=1, seed=seed))


def simulate(values: Values, seed: int) -> Model:
    """The week, and what it would have been."""
    events = history(seed)
    by_customers = [event for event in events if event.type in (PAID_IN, ASKED)]
    event = by_customers[int(values["visit"]) - 1]
    factor = FACTORS[str(values["change"])]
    instead = event.replace(data={**event.data, "eur": round(event.data["eur"] * factor)}) if factor else None
    handlers = account_handler(int(values["overdraft_eur"])) if values["answers"] == AGAIN else None
    return Model(dict(values), event, what_if(events, ACCOUNT, {str(event.id): instead}, handlers))


def in_words(event: Event) -> str:
    """Such as "Tue 10:05, paid in 40 EUR"."""
    what = "paid in" if event.type == PAID_IN else "asked for"
    return f"{said_at(seconds_since_epoch(str(event.time)))}, {what} {event.data['eur']} EUR"


def picture(model: Model, pinned: Model | None) -> Picture:
    """The balance in both worlds; a pinned one is told in words."""
    title = f"{model.values['change'].capitalize()}: {in_words(model.event)}"
    drawn = worlds_svg(model.worlds, ACCOUNT, lambda state: float(state["eur"]), title=title, unit="EUR")
    said = f"{drawn.text}\nDecisions that change: {changed_decisions(model)}."
    if pinned is not None:
        eur = pinned.worlds.imagined_state["eur"]
        said += f"\nPinned: {pinned.values['change']}, {in_words(pinned.event)}: ends at {eur} EUR."
    return Picture(svg=drawn.svg, alt=drawn.alt, text=said)


def changed_decisions(model: Model) -> int:
    """How many withdrawals end differently in the other world."""
    decided = {event.cause_id: event.type for event in model.worlds.actual if event.type in (PAID_OUT, REFUSED)}
    other = {event.cause_id: event.type for event in model.worlds.imagined if event.type in (PAID_OUT, REFUSED)}
    return sum(decided[cause] != other[cause] for cause in decided if cause in other)


LAB = Lab(
    title="What if that had not happened?",
    controls=(
        Slider(
            name="visit", low=1, high=VISITS, step=1, default=1, unit="", label="change visit",
            question="Which early visit changes most of what follows, and which changes nothing?",
        ),
        Choice(
            name="change", options=tuple(FACTORS), default="leave it out",
            question="Is the world with half of it halfway between the two others?",
        ),
        Choice(
            name="answers", options=(AGAIN, ON_RECORD), default=AGAIN, label="withdrawals",
            question="Why does the balance go below zero if the decisions on record are kept?",
        ),
        Slider(
            name="overdraft_eur", low=0, high=500, step=20, default=0, unit="EUR", label="overdraft",
            question="With a kinder rule, how many of the refusals on record would be payments?",
        ),
    ),
    simulate=simulate,
    picture=picture,
    metrics=(
        Metric(
            label="change of the last balance", unit="EUR",
            measure=lambda model: float(model.worlds.imagined_state["eur"] - model.worlds.actual_state["eur"]),
        ),
        Metric(label="decisions that change", unit="", measure=lambda model: float(changed_decisions(model))),
    ),
)  # fmt: skip
