"""The history lab: go to any of 10,000 events of a bank's week; the state and what changed follow.

The store is real (`sourcing.EventStore`, in memory), its snapshots too: the state at an event is folded from the
nearest snapshot before it. Events stand in the order in which the bank heard of them, and one of them came two days
late. The week is the same for every seed; the seed chooses the random questions of which "ten
seeds" counts the events that are folded, (k - 1)/2 on average for a snapshot every k events (ES-04). Left out: the time
that a question takes, which belongs to your machine.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ..events import Event
from ..scenarios.sourced import DAY_S, PAID_IN, PAID_OUT, REFUSED, keep, said_at, week
from ..sourcing import Difference, EventStore, EveryEvents, Fold, History, Recorded, differences
from ..viz import Picture, Place, event_stream
from .controls import Choice, Slider, Stops
from .lab import Lab, Values
from .spread import Metric

EVENTS, ACCOUNTS, AROUND, QUESTIONS = 10_000, 200, 4, 20
TUESDAY_TEN = 2_013
"""The newest event at Tuesday, 10:00."""
LATE_S = {"e-1157": 2 * DAY_S}
"""A payment of 45 euros to a-7 on Monday evening, of which the bank heard on Wednesday (event 4,102)."""


def booked(books: dict[str, int], event: Event) -> dict[str, int]:
    """The bank's books after one more event: totals, and a balance per account."""
    eur, account = event.data["eur"], str(event.subject)
    if event.type == PAID_IN:
        books["paid_in"] += eur
    elif event.type == PAID_OUT:
        books["paid_out"] += eur
    elif event.type == REFUSED:
        books["refused"] += 1
    change = {PAID_IN: eur, PAID_OUT: -eur}.get(event.type, 0)
    books["in_the_bank"] += change
    books[account] = books.get(account, 0) + change
    return books


TOTALS = ("in_the_bank", "paid_in", "paid_out", "refused")
BOOKS = Fold(name="books", initial=dict.fromkeys(TOTALS, 0), apply=booked)


@dataclass(frozen=True)
class Model:
    """The state at a place, what its event changed, the events around it, and the history to ask on."""

    place: Place
    account: str
    state: Mapping[str, int]
    changes: tuple[Difference, ...]
    events: tuple[Recorded, ...]
    history: History
    seed: int

    @property
    def shown(self) -> dict[str, int]:
        """The totals, the chosen account, and the account of the last event."""
        touched = [each.path for each in self.changes if each.path not in TOTALS]
        return {name: self.state.get(name, 0) for name in dict.fromkeys([*TOTALS, self.account, *touched])}


@lru_cache(maxsize=1)
def store() -> EventStore:
    """The bank's week, made once."""
    return keep(week(EVENTS, ACCOUNTS), LATE_S)


@lru_cache(maxsize=8)
def history(snapshot_every: int) -> History:
    """The books at any event, with their snapshots; each distance has its own, by the name of its fold."""
    fold = Fold(name=f"books every {snapshot_every}", initial=BOOKS.initial, apply=booked)
    found = History(store(), fold, snapshots=EveryEvents(events=snapshot_every))
    found.prepare()
    return found


def simulate(values: Values, seed: int) -> Model:
    """The state after one event, from the nearest snapshot."""
    position, every = int(values["event"]), int(values["snapshot_every"])
    asked = history(every)
    before = asked.at(position - 1)
    folded = asked.replayed + 1
    around = tuple(store().read(after=max(0, position - AROUND - 1), up_to=min(EVENTS, position + AROUND)))
    here = next(each for each in around if each.position == position)
    state = asked.fold.over([here.event], copy.copy(before))
    snapshot = position - 1 - (folded - 1)
    if position % every == 0:  # a snapshot was taken right here
        snapshot, folded = position, 0
    place = Place(
        position=position,
        positions=EVENTS,
        when=said_at(here.recorded_s),
        snapshots=range(every, EVENTS + 1, every),
        snapshot=snapshot,
        replayed=folded,
    )
    return Model(place, str(values["account"]), state, tuple(_changes(before, state)), around, asked, seed)


def _changes(before: Mapping[str, int], after: Mapping[str, int]) -> list[Difference]:
    return [
        Difference(each.path, 0, each.after) if isinstance(each.before, str) else each
        for each in differences(before, after)
    ]


def picture(model: Model, pinned: Model | None) -> Picture:
    """The stream with its cursor, and the state beside it; a pinned place in grey."""
    behind = None if pinned is None else (pinned.place, pinned.state)
    return event_stream("A week of a bank", model.place, model.events, model.shown, model.changes, behind)


def folded_per_question(model: Model) -> float:
    """Events folded per question, on average of 20 questions at random places."""
    rng = random.Random(f"questions/{model.seed}")
    folded = 0
    for _ in range(QUESTIONS):
        model.history.at(rng.randint(1, EVENTS))
        folded += model.history.replayed
    return folded / QUESTIONS


LAB = Lab(
    title="Can you go back to last Tuesday?",
    controls=(
        Slider(
            name="event", low=1, high=EVENTS, step=1, default=TUESDAY_TEN, unit="", label="after event",
            question="What does the state forget that the stream still knows?",
        ),
        Choice(
            name="account", options=("a-7", "a-42", "a-100", "a-150"), default="a-7",
            question="When did the bank hear of the 45 euros that a-7 paid in on Monday evening?",
        ),
        Stops(
            name="snapshot_every", stops=(10, 100, 1_000, 10_000), default=100, unit="events", label="snapshot every",
            question="Does the state change with it, or only the hatched stretch?",
        ),
    ),
    simulate=simulate,
    picture=picture,
    metrics=(
        Metric(
            label="events folded per question", unit="", measure=folded_per_question,
            truth=lambda values: EveryEvents(events=int(values["snapshot_every"])).mean_replayed,
        ),
    ),
)  # fmt: skip
