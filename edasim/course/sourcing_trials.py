"""What chapter 08 does with a learner's code: folds weeks with it, reads old events through it, asks a store with it.

Each trial takes the learner's answer and a seed, makes a week of a bank from the seed, and compares. Follows: facts
ES-02 (pure folds) and ES-06 (upcasting). Left out: the checks of answers in words and numbers, which are in `ch08.py`.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from ..events import Event
from ..scenarios.sourced import ASKED, PAID_IN, PAID_OUT, keep, kept_week, tamper, week
from ..sourcing import EventStore, Fold, ProjectionError, StoreError, Upcaster, UpcastError
from .ideas import WrongIdea
from .rules import Verdict, idea_in_words
from .trials import must_be_callable

EVENTS, ACCOUNTS = 400, 20


# ------------------------------------------------------------ a projection


def paid_per_day(events: Sequence[Event], type_: str = PAID_OUT) -> dict[str, int]:
    """Euros of one type of event by the day of the event."""
    found: dict[str, int] = defaultdict(int)
    for event in events:
        if event.type == type_:
            found[str(event.time)[:10]] += event.data["eur"]
    return dict(found)


def projection_trial(apply: Callable[[Any, Event], Any], seed: int) -> Verdict:
    """Folds a week with a learner's `apply(state, event)`, twice, and compares with the days' sums."""
    must_be_callable(apply)
    events = week(EVENTS, ACCOUNTS, seed)
    fold = Fold(name="paid out per day", initial={}, apply=apply)
    try:
        state = fold.check_pure(events)
    except ProjectionError as error:
        return Verdict(
            False, str(error),
            "It asks a clock, or keeps something outside the state. A replay next month would give another answer.",
        )  # fmt: skip
    return projection_verdict(state, events)


def projection_verdict(state: Any, events: Sequence[Event]) -> Verdict:
    """What the state says about how it was made."""
    right = paid_per_day(events)
    if state == right:
        return Verdict(True, f"It has the right sum for each of {len(right)} days, both times.")
    if not isinstance(state, dict):
        return Verdict(False, f"The state became {state!r}; return a dictionary with a sum for each day.")
    if state == paid_per_day(events, ASKED):
        idea = "It sums what was asked for. A wish is no payment: some were refused. Take money.paid_out."
        return Verdict(False, "The sums are too large.", idea)
    if sum(value for value in state.values() if isinstance(value, int)) == sum(right.values()):
        idea = "The total is right and the days are not: take the day from the event's own time, event.time[:10]."
        return Verdict(False, f"It has {len(state)} days; the week has {len(right)}.", idea)
    strange = [day for day in state if day not in right]
    if strange:
        return Verdict(
            False, f"It has a sum for {strange[0]}, and the week runs from {min(right)} to {max(right)}.",
            "That day is not the event's. Ask no clock, event.time[:10] tells; and let all but money.paid_out pass.",
        )  # fmt: skip
    day = min(right)
    return Verdict(
        False, f"For {day} it says {state.get(day)!r}; right is {right[day]}.",
        "Take each payment once, and let every other event pass: return the state as it is.",
    )  # fmt: skip


# ------------------------------------------------------------ an upcaster


def upcaster_trial(lift: Callable[[dict[str, Any]], dict[str, Any]], seed: int) -> Verdict:
    """Reads a week of version 1 through a learner's `lift(data)` and compares with version 2, field by field."""
    must_be_callable(lift)
    events = week(EVENTS, ACCOUNTS, seed)
    reader = EventStore(upcasters=[Upcaster(type=PAID_IN, lift=lift, replaces=("eur",))])
    reader.append("all", events)
    before = [event.data for event in events if event.type == PAID_IN]
    try:
        after = [recorded.event.data for recorded in reader.read(types=(PAID_IN,))]
    except UpcastError as error:
        return Verdict(False, str(error), "Fields that you do not know are somebody else's: keep them, as **data does.")
    return upcaster_verdict(before, after)


def upcaster_verdict(before: Sequence[Any], after: Sequence[Any]) -> Verdict:
    """What the lifted data says about the upcaster."""
    for old, new in zip(before, after, strict=True):
        rest = {name: value for name, value in old.items() if name != "eur"}
        wanted = {**rest, "cents": 100 * old["eur"], "currency": "EUR"}
        if new == wanted and not isinstance(new["cents"], float):
            continue
        if "eur" in new:
            idea = "The old field is still there. Two fields for one fact will differ one day: take it out, data.pop."
        elif isinstance(new.get("cents"), float):
            idea = "Cents as a float: money is counted, not measured. Multiply by 100, the whole number."
        elif new.get("cents") == old["eur"]:
            idea = "The name changed and the unit did not: a euro has 100 cents."
        else:
            idea = "Version 2 has the fields cents and currency, and all that version 1 had besides eur."
        return Verdict(False, f"{dict(old)} became {dict(new)}; right is {wanted}.", idea)
    return Verdict(True, f"All {len(after)} old payments are read as version 2, and none was rewritten.")


# ------------------------------------------------------------ questions to a store


def goodwill(events: Sequence[Event]) -> list[tuple[str, int]]:
    """Who gave how much goodwill, the most first."""
    found: Counter[str] = Counter()
    for event in events:
        if event.data.get("note") == "goodwill":
            found[str(event.source).strip("/")] += event.data["eur"]
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))


def audit_trial(sql: Any, seed: int) -> Verdict:
    """Asks a store a learner's SQL, and compares with who gave how much goodwill."""
    if not isinstance(sql, str):
        return Verdict(False, f"Your answer is {sql!r}; give the SQL as a text.")
    events = week(4_000, ACCOUNTS, seed)
    try:
        rows = keep(events).query(sql)
    except StoreError:
        return Verdict(False, "Your SQL tries to write.", "An audit asks, and changes nothing: begin with select.")
    except sqlite3.Error as error:
        return Verdict(False, f"SQLite says: {error}", "The view `events` has actor, reason, type, data and more.")
    return audit_verdict(rows, goodwill(events))


def audit_verdict(rows: Sequence[tuple[Any, ...]], right: Sequence[tuple[str, int]]) -> Verdict:
    """What the rows say about the question that was asked."""
    if list(rows) == list(right):
        return Verdict(True, f"It names {len(right)} branches with their sums, the largest first.")
    if sorted(rows, key=str) == sorted(right, key=str):
        return Verdict(False, "The rows are right, their order is not.", "Order by the sum, descending.")
    if [row[::-1] for row in rows] == list(right):
        return Verdict(False, "The rows are right, their columns are not.", "The actor first, then the sum.")
    if [row[:1] for row in rows] and all(len(row) == 2 for row in rows):
        idea = (
            "It may count events instead of euros, or forget the reason: sum(json_extract(data, '$.eur')), where "
            "reason = 'goodwill'."
        )
        return Verdict(False, f"It says {list(rows)[:2]}…; right is {list(right)[:2]}…", idea)
    return Verdict(
        False, f"It gives {len(rows)} rows like {rows[0] if rows else ()}.",
        "One row for each actor, with two columns: the actor and the sum. Group by actor.",
    )  # fmt: skip


def tampered_trial(find: Callable[[EventStore], Any], seed: int) -> Verdict:
    """Gives a learner's `find(store)` a store in which an event was changed, and one in which none was."""
    must_be_callable(find)
    untouched, changed = kept_week(EVENTS, ACCOUNTS, seed), kept_week(EVENTS, ACCOUNTS, seed)
    positions = [each.position for each in changed.read(types=(PAID_IN,))]
    place = positions[seed % len(positions)]
    tamper(changed, place, changed.at(place).event.data["eur"] + 1 + seed % 9)
    said, said_of_none = find(changed), find(untouched)
    if said == place and said_of_none is None:
        return Verdict(True, f"It finds the event at {place}, and nothing in the store that nobody touched.")
    if said == place:
        return Verdict(
            False, f"In a store that nobody touched it finds {said_of_none!r}.",
            "verify() gives None if the chain holds: hand that on as None.",
        )  # fmt: skip
    if hasattr(said, "first_position"):
        return Verdict(
            False, f"The changed event is at {place}; it says {said!r}.",
            "That is all that verify() found. Asked for is the position alone: its .first_position.",
        )  # fmt: skip
    idea = "An amount that looks odd is no proof, and this one looks ordinary. The hashes tell: store.verify()."
    return Verdict(
        False, f"The changed event is at {place}; it says {said!r}.",
        idea_in_words(idea, WrongIdea.SOURCING_IS_A_LOG_BESIDE),
    )  # fmt: skip
