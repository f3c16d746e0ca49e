"""Whether the work for each message was done as often as promised, and in time.

A **unit** is what owes one piece of work: a message or, with a key or an effect, all messages that share it. Messages,
units and effects are columns; only what is broken becomes an object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import checks
from ..errors import ConfigurationError
from ..kernel.runlog import Fact
from .books import Addressed, Books, Flags, Floats, Ints, key_of
from .findings import Finding, Verdict
from .promises import System, check_names, require_service, require_time


@dataclass(frozen=True)
class Units:
    """What was owed and what was done, an entry per unit; `of_message` is the unit of each message (-1: none).

    `done_s` are the ends of the first and `again_s` of the second piece of work (inf: none), `settled_s` the end of the
    last attempt; `strangers` are the places of effects that belong to no unit.
    """

    keys: Sequence[Any]
    of_message: Ints
    published_s: Floats
    count: Ints
    done_s: Floats
    settled_s: Floats
    open: Flags
    aside: Flags
    strangers: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))


@checks.configuration
class Delivered:
    """The work for a message is done at least `least` and at most `most` times (None: no bound)."""

    to: str = checks.text()
    least: int = checks.at_least(0)
    most: int | None = checks.optional(checks.check_whole(1))
    types: tuple[str, ...] | None = checks.checked(check_names, default=None)
    effect: str | None = checks.optional(checks.check_text, default=None)
    by: str | None = checks.optional(checks.check_text, default=None)
    within_s: float | None = checks.optional(checks.check_positive, default=None)

    def describe(self) -> str:
        """In plain words."""
        often = {(1, None): "at least once", (0, 1): "at most once", (1, 1): "exactly once"}[self.least, self.most]
        of = "" if self.types is None else f", {' and '.join(self.types)}"
        effect = "" if self.effect is None else f": {self.effect}"
        by = "" if self.by is None else f" for each {self.by}"
        within = "" if self.within_s is None else f", within {self.within_s:g} s"
        return f"{often} to {self.to}{of}{effect}{by}{within}"

    def require_checkable(self, system: System) -> None:
        """The service exists, receives these types, and the run is long enough."""
        require_service("to", self.to, self.types, system)
        require_time("within_s", self.within_s, system)

    def broken(self, books: Books) -> Iterator[Finding]:
        """Lost, stuck, late, duplicated and invented work."""
        messages = books.addressed(self.to, self.types)
        effects = [] if self.effect is None else books.facts_of([self.effect])
        keys = self._keys(books, messages)
        units = _units(messages, keys) if self.effect is None else self._by_effect(books, messages, keys, effects)
        telling = _Telling(self, books, messages, units, effects)
        end_s = books.run.ended_s
        undone = units.count == 0
        if self.least:
            yield from telling.lost(np.flatnonzero(undone & ~units.open))
            overdue = np.full(len(undone), books.rested)
            if self.within_s is not None:
                overdue |= units.published_s + self.within_s < end_s
            yield from telling.stuck(np.flatnonzero(undone & units.open & overdue))
        if self.within_s is not None:
            yield from telling.late(np.flatnonzero(~undone & (units.done_s - units.published_s > self.within_s)))
        if self.most is not None:
            yield from telling.duplicated(np.flatnonzero(units.count > self.most))
            if self.effect is not None:
                yield from telling.invented()

    def _keys(self, books: Books, messages: Addressed) -> list[Any] | None:
        """The key of each message, or None if every message is a unit of its own."""
        if self.effect is None and self.by is None:
            return None
        events = books.run.numbered_events
        found = [events[number] for number in messages.number.tolist()]
        if self.by is None:
            return [str(event.id) for event in found]
        keys = [key_of(event, self.by) for event in found]
        if keys and all(key is None for key in keys):
            raise ConfigurationError(
                f"no message to {self.to} has a field {self.by!r}, so the promise can never be checked",
                field="by",
                value=self.by,
                remedy="name a field of the data of these events, or 'subject'",
            )
        return keys

    def _by_effect(self, books: Books, messages: Addressed, keys: list[Any] | None, effects: list[Fact]) -> Units:
        """The units, with work counted by facts."""
        plain = _units(messages, keys)
        place = dict(zip(plain.keys, range(len(plain.keys)), strict=True))
        field = "event_id" if self.by is None else self.by
        if field == "subject":
            unit = np.array([place.get(self.effect_key(fact, field), -1) for fact in effects], dtype=np.int64)
        else:
            unit = np.array([place.get(fact.detail.get(field), -1) for fact in effects], dtype=np.int64)
        at_s = np.array([fact.time_s for fact in effects], dtype=np.float64)
        known = unit >= 0
        count = np.bincount(unit[known], minlength=len(plain.keys)).astype(np.int64)
        done_s = np.full(len(plain.keys), np.inf)
        np.minimum.at(done_s, unit[known], at_s[known])
        return Units(**{**vars(plain), "count": count, "done_s": done_s, "strangers": np.flatnonzero(~known)})

    def effect_key(self, fact: Fact, field: str) -> Any:
        """By what a fact joins its messages."""
        return fact.subject if field == "subject" and "subject" not in fact.detail else fact.detail.get(field)


class _Telling:
    """Makes findings of what is broken."""

    def __init__(
        self, promise: Delivered, books: Books, messages: Addressed, units: Units, effects: list[Fact]
    ) -> None:
        self.promise, self.books, self.messages, self.units = promise, books, messages, units
        self.effects = effects
        self.words = promise.describe()
        self.field = "event_id" if promise.by is None else promise.by
        order = np.argsort(units.of_message, kind="stable")
        self._order, self._unit = order, units.of_message[order]
        self._of_key: dict[Any, list[Fact]] | None = None

    def lost(self, broken: Ints) -> Iterator[Finding]:
        """Accepted, settled, never done."""
        for unit in broken.tolist():
            how = "put aside as a dead letter, never done" if self.units.aside[unit] else "nobody has it, nobody did it"
            at_s = float(self.units.settled_s[unit])
            yield self._finding(Verdict.LOST, unit, at_s, "lost", end=self._never(how))

    def stuck(self, broken: Ints) -> Iterator[Finding]:
        """Still open though its time is over, or nothing goes on."""
        for unit in broken.tolist():
            within_s = self.promise.within_s
            at_s = self.books.run.ended_s if within_s is None else float(self.units.published_s[unit]) + within_s
            yield self._finding(Verdict.STUCK, unit, at_s, "stuck", end=self._never("still not done"))

    def late(self, broken: Ints) -> Iterator[Finding]:
        """Done after its time."""
        for unit in broken.tolist():
            took_s = float(self.units.done_s[unit] - self.units.published_s[unit])
            yield self._finding(Verdict.LATE, unit, float(self.units.done_s[unit]), f"done after {took_s:.3f} s")

    def duplicated(self, broken: Ints) -> Iterator[Finding]:
        """Done too often."""
        for unit in broken.tolist():
            times = int(self.units.count[unit])
            yield self._finding(Verdict.DUPLICATED, unit, self._second_s(unit), f"done {times} times")

    def invented(self) -> Iterator[Finding]:
        """Effects that no message asked for; one finding per key."""
        strangers: dict[Any, list[Fact]] = {}
        for place in self.units.strangers.tolist():
            fact = self.effects[place]
            strangers.setdefault(self.promise.effect_key(fact, self.field), []).append(fact)
        for key, facts in strangers.items():
            if self.promise.by is None and key in self.books.number_of:
                continue  # the work for an event of another type
            fact = facts[0]
            what = f"{self.promise.effect} of {key} by {self.promise.to}: nothing asked for it"
            yield Finding(
                Verdict.INVENTED,
                self.words,
                what,
                key=key,
                at_s=fact.time_s,
                event_ids=(),
                explain=self.books.explain(
                    [], self.promise.to, facts[:1], fact.time_s, also=self.books.ways_of(facts[:1])
                ),
            )

    def _never(self, how: str) -> str:
        return how if self.promise.effect is None else f"no {self.promise.effect} ever came: {how}"

    def _facts_of_keys(self) -> dict[Any, list[Fact]]:
        if self._of_key is None:
            self._of_key = {}
            for fact in self.effects:
                self._of_key.setdefault(self.promise.effect_key(fact, self.field), []).append(fact)
        return self._of_key

    def _numbers(self, unit: int) -> list[int]:
        begin, end = np.searchsorted(self._unit, [unit, unit + 1])
        numbers: list[int] = self.messages.number[self._order[begin:end]].tolist()
        return numbers

    def _second_s(self, unit: int) -> float:
        """When the work was done for the second time."""
        if self.promise.effect is not None:
            return self._facts_of_keys()[self.units.keys[unit]][1].time_s
        rows = self.books.rows
        mine = self.books.lanes_of(self.promise.to)
        ends = [
            float(rows.finished_s[row])
            for number in self._numbers(unit)
            for row in self.books.rows_of(number)
            if mine[rows.lane[row]] and rows.outcome[row] == 0
        ]
        return sorted(ends)[1]

    def _finding(self, verdict: Verdict, unit: int, at_s: float, what: str, end: str = "") -> Finding:
        numbers = self._numbers(unit)
        event = self.books.event(numbers[0])
        key = event.id if self.units.keys is _OWN else self.units.keys[unit]
        facts = self._facts_of_keys().get(key, [])[:3] if self.promise.effect is not None else []
        about = f"{event.type} of {event.subject}" if event.subject else f"{event.type} {event.id}"
        return Finding(
            verdict,
            self.words,
            f"{about} to {self.promise.to}: {what}",
            key=key,
            at_s=at_s,
            event_ids=tuple(str(self.books.event(number).id) for number in numbers),
            explain=self.books.explain(numbers, self.promise.to, facts, at_s, end),
        )


_OWN: Sequence[Any] = ()
"""Stands for keys when every message is a unit of its own."""


def _units(messages: Addressed, keys: list[Any] | None) -> Units:
    """The units of messages, with work counted by deliveries."""
    if keys is None:
        return Units(
            _OWN,
            np.arange(len(messages)),
            messages.published_s,
            messages.done,
            messages.done_s,
            messages.settled_s,
            messages.open,
            messages.aside,
        )
    place: dict[Any, int] = {}
    unit = np.array([-1 if key is None else place.setdefault(key, len(place)) for key in keys], dtype=np.int64)
    known = unit >= 0
    of, units = unit[known], len(place)
    published_s, done_s, settled_s = np.full(units, np.inf), np.full(units, np.inf), np.full(units, -np.inf)
    np.minimum.at(published_s, of, messages.published_s[known])
    np.minimum.at(done_s, of, messages.done_s[known])
    np.fmax.at(settled_s, of, messages.settled_s[known])
    return Units(
        tuple(place),
        unit,
        published_s,
        np.bincount(of, weights=messages.done[known], minlength=units).astype(np.int64),
        done_s,
        settled_s,
        np.bincount(of, weights=messages.open[known], minlength=units) > 0,
        np.bincount(of, weights=messages.aside[known], minlength=units) > 0,
    )
