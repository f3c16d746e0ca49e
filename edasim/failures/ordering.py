"""Whether the work for messages of one key was done in the order in which they came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..errors import ConfigurationError
from ..kernel.runlog import Fact
from .books import Addressed, Books, Floats, Ints, key_of
from .findings import Finding, Verdict
from .promises import System, check_names, require_service


@dataclass(frozen=True)
class _Works:
    """Pieces of work in order of time, one entry each: the message's place, when, and the fact if it is one."""

    message: Ints
    at_s: Floats
    facts: list[Fact] | None


@checks.configuration
class Ordered:
    """Work of one key is done in order of publishing, or of the numbers in `sequence`."""

    key: str = checks.text()
    at: str = checks.text()
    types: tuple[str, ...] | None = checks.checked(check_names, default=None)
    effect: str | None = checks.optional(checks.check_text, default=None)
    sequence: str | None = checks.optional(checks.check_text, default=None)

    def describe(self) -> str:
        """In plain words."""
        by = "as published" if self.sequence is None else f"by {self.sequence}"
        of = "" if self.types is None else f", {' and '.join(self.types)}"
        effect = "" if self.effect is None else f": {self.effect}"
        return f"order per {self.key} at {self.at}{of}{effect}, {by}"

    def require_checkable(self, system: System) -> None:
        """The service exists and receives these types."""
        require_service("at", self.at, self.types, system)

    def broken(self, books: Books) -> Iterator[Finding]:
        """Each piece of work that was done after one of a later message of its key."""
        messages = books.addressed(self.at, self.types)
        if not len(messages):
            return
        key, names = self._keys(books, messages)
        rank = self._ranks(books, messages)
        works = self._works(books, messages)
        unit = key[works.message]
        works_in_key = np.flatnonzero(unit >= 0)
        order = works_in_key[np.lexsort((works.at_s[works_in_key], unit[works_in_key]))]
        ranks, units, at_s = rank[works.message[order]], unit[order], works.at_s[order]
        for late, over in _overtaken(ranks, units, at_s):
            yield self._finding(books, messages, works, names, key, int(order[late]), int(order[over]))

    def _keys(self, books: Books, messages: Addressed) -> tuple[Ints, list[Any]]:
        events = books.run.numbered_events
        values = [key_of(events[number], self.key) for number in messages.number.tolist()]
        if all(value is None for value in values):
            raise ConfigurationError(
                f"no message to {self.at} has a field {self.key!r}, so their order can never be checked",
                field="key",
                value=self.key,
                remedy="name a field of the data of these events, or 'subject'",
            )
        place: dict[Any, int] = {}
        unit = np.array([-1 if v is None else place.setdefault(v, len(place)) for v in values], dtype=np.int64)
        return unit, list(place)

    def _ranks(self, books: Books, messages: Addressed) -> Floats:
        """What decides the order: the time of publishing (messages are in that order), or the numbers of `sequence`."""
        if self.sequence is None:
            return np.arange(len(messages), dtype=np.float64)
        events = books.run.numbered_events
        values = [key_of(events[number], self.sequence) for number in messages.number.tolist()]
        if not all(isinstance(value, int | float) for value in values):
            raise ConfigurationError(
                f"not every message to {self.at} has a number in {self.sequence!r}",
                field="sequence",
                value=self.sequence,
                remedy="name a field that holds a number in each, or leave it out for the order of publishing",
            )
        return np.array(values, dtype=np.float64)

    def _works(self, books: Books, messages: Addressed) -> _Works:
        if self.effect is None:
            done = np.flatnonzero(np.isfinite(messages.done_s))
            return _Works(done, messages.done_s[done], None)
        place = {str(books.event(number).id): index for index, number in enumerate(messages.number.tolist())}
        facts = [fact for fact in books.facts_of([self.effect]) if fact.detail.get("event_id") in place]
        at = np.array([place[fact.detail["event_id"]] for fact in facts], dtype=np.int64)
        return _Works(at, np.array([fact.time_s for fact in facts], dtype=np.float64), facts)

    def _finding(
        self, books: Books, messages: Addressed, works: _Works, names: list[Any], key: Ints, late: int, over: int
    ) -> Finding:
        places = [int(works.message[each]) for each in (late, over)]
        numbers = [int(messages.number[place]) for place in places]
        first, second = (books.event(number) for number in numbers)
        name, at_s = names[int(key[places[0]])], float(works.at_s[late])
        facts = [] if works.facts is None else [works.facts[each] for each in (over, late)]
        return Finding(
            Verdict.OUT_OF_ORDER,
            self.describe(),
            f"{self.key} {name} at {self.at}: {first.type} {first.id} was done after {second.id}",
            key=name,
            at_s=at_s,
            event_ids=(str(first.id), str(second.id)),
            explain=books.explain(list(dict.fromkeys(numbers)), self.at, facts, at_s),
        )


def _overtaken(rank: Floats, unit: Ints, at_s: Floats) -> Iterator[tuple[int, int]]:
    """Pairs of places: work that was done after work of a higher rank of its unit, and the highest such work.

    The columns are sorted by unit and time. A running maximum within each unit finds all in one pass: ranks are lifted
    by the unit, so that a new unit starts above all of the old one. What was done at the same instant is in order.
    """
    if not len(rank):
        return
    _, place = np.unique(rank, return_inverse=True)
    lifted = place + unit * (int(place.max()) + 1)
    highest = np.maximum.accumulate(lifted)
    behind = np.flatnonzero(lifted < highest)
    if not len(behind):
        return
    new_high = np.append(True, highest[1:] > highest[:-1])
    which = np.maximum.accumulate(np.where(new_high, np.arange(len(rank)), 0))
    for late in behind.tolist():
        over = int(which[late])
        if at_s[over] < at_s[late]:
            yield late, over
