"""Rules on the facts of a run: what never is, what comes, what adds up, and what the stores hold in the end."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import namedtuple
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from .. import checks
from ..errors import ConfigurationError, EdasimError, UnknownNameError
from ..kernel.runlog import Fact
from .books import Books, key_of
from .findings import Finding, Verdict
from .promises import System, check_some_names, require_time


def check_condition(field: str, value: Any) -> Callable[[Any], bool]:
    """A function of one argument; for `checks.checked`."""
    if not callable(value):
        raise checks.refuse(field, value, "give a function, such as lambda row: row.stock < 0")
    return value  # type: ignore[no-any-return]


def _asked(words: str, condition: Callable[[Any], bool], of: Any) -> bool:
    """What the condition says; a condition that fails is an error of the promise."""
    try:
        return bool(condition(of))
    except EdasimError:
        raise
    except Exception as failure:
        raise ConfigurationError(
            f"the promise {words!r} can not be checked: {type(failure).__name__}: {failure}",
            field="condition",
            value=condition,
            remedy="let it answer True or False for every row that it is asked about",
        ) from failure


@checks.configuration
class Never:
    """No row fulfils the condition."""

    condition: Callable[[Any], bool] = checks.checked(check_condition)
    words: str = checks.text()
    of: str | None = checks.optional(checks.check_text, default=None)

    def describe(self) -> str:
        """In plain words."""
        return f"never: {self.words}"

    def require_checkable(self, system: System) -> None:
        """Nothing can be said before the run: facts are known only by it."""

    def broken(self, books: Books) -> Iterator[Finding]:
        """The facts, or rows of the delivery table, for which it holds."""
        if self.of is None:
            yield from self._rows(books)
            return
        for fact in books.facts.get(self.of, ()):
            if _asked(self.words, self.condition, as_row(fact)):
                yield about_fact(books, Verdict.VIOLATED, self.describe(), self.words, fact)

    def _rows(self, books: Books) -> Iterator[Finding]:
        table = books.run.messages()
        row_of = namedtuple("Row", table.columns)  # type: ignore[misc]
        columns = [table[name].tolist() for name in table.columns]
        for place, values in enumerate(zip(*columns, strict=True)):
            row = row_of(*values)
            if _asked(self.words, self.condition, row):
                yield self._row(books, place, row)

    def _row(self, books: Books, place: int, row: Any) -> Finding:
        times_s = (row.finished_s, row.started_s, row.delivered_s)
        at_s = next((time_s for time_s in times_s if not math.isnan(time_s)), float(row.published_s))
        service = str(row.group) if row.group in books.services else None
        return Finding(
            Verdict.VIOLATED,
            self.describe(),
            f"{self.words}: {row.type} {row.event_id}",
            key=row.event_id,
            at_s=at_s,
            event_ids=(str(row.event_id),),
            explain=books.explain([int(books.rows.number[place])], service, [], at_s),
        )


@checks.configuration
class Eventually:
    """After every `after` comes `what` in time."""

    what: str = checks.text()
    within_s: float = checks.positive()
    after: str | None = checks.optional(checks.check_text, default=None)
    by: str | None = checks.optional(checks.check_text, default=None)
    words: str | None = checks.optional(checks.check_text, default=None)

    def describe(self) -> str:
        """In plain words."""
        if self.words is not None:
            return self.words
        by = "" if self.by is None else f" for each {self.by}"
        return f"{self.what} {self.within_s:g} s after {self.after or 'the start'} at the latest{by}"

    def require_checkable(self, system: System) -> None:
        """The run is long enough."""
        require_time("within_s", self.within_s, system)

    def broken(self, books: Books) -> Iterator[Finding]:
        """What never came, and what came too late."""
        came = instants(books, self.what, self.by)
        if self.after is None:
            yield from self._once(books, came)
            return
        answers: dict[Any, list[Instant]] = {}
        for instant in came:
            answers.setdefault(instant.key, []).append(instant)
        begun = instants(books, self.after, self.by)
        if begun and self.by is not None and all(begin.key is None for begin in begun):
            raise ConfigurationError(
                f"no {self.after} has a field {self.by!r}, so the promise can never be checked",
                field="by",
                value=self.by,
                remedy="name a field of these facts, or of the data of these events; or leave it out, to join by trace",
            )
        if not begun and not came and self.after not in _names(books):
            raise UnknownNameError("kind of fact or type of event", self.after, sorted(_names(books)))
        for begin in begun:
            mine = answers.get(begin.key, [])
            place = bisect_left(mine, begin.at_s, key=lambda one: one.at_s)
            answer = mine[place] if place < len(mine) else None
            due_s = begin.at_s + self.within_s
            if answer is None:
                if books.rested or due_s < books.run.ended_s:
                    yield self._never_came(books, begin, due_s)
            elif answer.at_s > due_s:
                took_s = answer.at_s - begin.at_s
                yield self._finding(books, Verdict.LATE, begin, answer, answer.at_s, f"only after {took_s:.3f} s")

    def _once(self, books: Books, came: list[Instant]) -> Iterator[Finding]:
        start = Instant(None, 0.0, None, None)
        if not came:
            yield self._never_came(books, start, self.within_s)
        elif came[0].at_s > self.within_s:
            yield self._finding(books, Verdict.LATE, start, came[0], came[0].at_s, f"only at {came[0].at_s:.3f} s")

    def _never_came(self, books: Books, begin: Instant, due_s: float) -> Finding:
        return self._finding(books, Verdict.STUCK, begin, None, min(due_s, books.run.ended_s), "it never came")

    def _finding(
        self, books: Books, verdict: Verdict, begin: Instant, answer: Instant | None, at_s: float, how: str
    ) -> Finding:
        parts = [part for part in (begin, answer) if part is not None]
        facts = [part.fact for part in parts if part.fact is not None]
        numbers = [part.number for part in parts if part.number is not None]
        also = books.ways_of(facts)
        name = "" if begin.key is None else f" of {self.by or 'trace'} {begin.key}"
        end = f"{self.what}{name} never came" if answer is None else ""
        first = next(iter([*numbers, *(number for number, _ in also)]), None)
        return Finding(
            verdict,
            self.describe(),
            f"{self.what}{name}: {how}",
            key=begin.key,
            at_s=at_s,
            event_ids=tuple(str(books.event(number).id) for number in numbers),
            explain=books.explain(numbers, None, facts, at_s, end, also, first if answer is None else None),
        )


@checks.configuration
class Conserved:
    """What is added and what is taken away leaves `total` over."""

    field: str = checks.text()
    plus: tuple[str, ...] = checks.checked(check_some_names)
    minus: tuple[str, ...] = checks.checked(check_some_names)
    by: str | None = checks.optional(checks.check_text, default=None)
    total: float = checks.checked(
        lambda field, value: checks.number(field, value, low=-math.inf, open_low=True, what="a finite number"),
        default=0.0,
    )
    within_s: float | None = checks.optional(checks.check_positive, default=None)

    def check(self) -> None:
        """No kind both adds and takes away."""
        both = set(self.plus) & set(self.minus)
        if both:
            raise checks.refuse("Conserved.minus", self.minus, f"take out {', '.join(sorted(both))}: plus names it too")

    def describe(self) -> str:
        """In plain words."""
        by = "" if self.by is None else f" for each {self.by}"
        return f"{self.field} is conserved{by}: {' + '.join(self.plus)} - {' - '.join(self.minus)} = {self.total:g}"

    def require_checkable(self, system: System) -> None:
        """The run is long enough."""
        require_time("within_s", self.within_s, system)

    def broken(self, books: Books) -> Iterator[Finding]:
        """The keys whose sum is not what it should be."""
        sums: dict[Any, list[float]] = {}
        last: dict[Any, list[Fact]] = {}
        for fact in books.facts_of([*self.plus, *self.minus]):
            key = None if self.by is None else fact.detail.get(self.by)
            sums.setdefault(key, []).append(self._signed(fact))
            last.setdefault(key, []).append(fact)
        if self.by is None and not sums:
            sums, last = {None: []}, {None: []}
        for key, parts in sums.items():
            left = math.fsum(parts)
            facts = last[key]
            ended_s = facts[-1].time_s if facts else books.run.ended_s
            if not math.isclose(left, self.total, abs_tol=1e-9, rel_tol=1e-9) and self._judged(books, ended_s):
                name = "" if key is None else f" of {self.by} {key}"
                what = f"{self.field}{name}: {left:g} instead of {self.total:g}"
                yield self._finding(books, what, key, ended_s, facts)

    def _judged(self, books: Books, ended_s: float) -> bool:
        return self.within_s is None or books.rested or ended_s + self.within_s < books.run.ended_s

    def _signed(self, fact: Fact) -> float:
        value = fact.detail.get(self.field)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ConfigurationError(
                f"{fact.kind} has {value!r} in {self.field!r}, so {self.field} can never be added up",
                field="field",
                value=self.field,
                remedy=f"name a number among: {', '.join(fact.detail)}",
            )
        return float(value) if fact.kind in self.plus else -float(value)

    def _finding(self, books: Books, what: str, key: Any, at_s: float, facts: list[Fact]) -> Finding:
        shown = facts if len(facts) <= 6 else [*facts[:3], *facts[-3:]]
        known = [str(fact.detail["event_id"]) for fact in shown if "event_id" in fact.detail]
        also = () if self.by is None else books.ways_of(shown)
        explain = books.explain([], None, shown, books.run.ended_s, what, also)
        return Finding(
            Verdict.VIOLATED,
            self.describe(),
            what,
            key=key,
            at_s=at_s,
            event_ids=tuple(dict.fromkeys(known)),
            explain=explain,
        )


@checks.configuration
class AtTheEnd:
    """A condition on the run that has ended."""

    condition: Callable[[Any], bool] = checks.checked(check_condition)
    words: str = checks.text()

    def describe(self) -> str:
        """In plain words."""
        return f"in the end {self.words}"

    def require_checkable(self, system: System) -> None:
        """Nothing can be said before the run."""

    def broken(self, books: Books) -> Iterator[Finding]:
        """One finding if it does not hold."""
        if not _asked(self.words, self.condition, books.run):
            at_s = books.run.ended_s
            explain = books.explain([], None, [], at_s, f"not so: {self.words}")
            yield Finding(
                Verdict.VIOLATED,
                self.describe(),
                f"not so in the end: {self.words}",
                key=None,
                at_s=at_s,
                event_ids=(),
                explain=explain,
            )


class Instant:
    """When something was told or published, of which key; `fact` or `number` say what it was."""

    __slots__ = ("at_s", "fact", "key", "number")

    def __init__(self, key: Any, at_s: float, fact: Fact | None, number: int | None) -> None:
        self.key = key
        self.at_s = at_s
        self.fact = fact
        self.number = number


def instants(books: Books, name: str, by: str | None) -> list[Instant]:
    """All facts of that kind, or else all events of that type, in order of time, with their value of `by`."""
    if name in books.facts:
        field = "trace_id" if by is None else by
        return [Instant(fact.detail.get(field), fact.time_s, fact, None) for fact in books.facts[name]]
    rows = books.rows
    published_s = dict(zip(rows.number.tolist(), rows.published_s.tolist(), strict=True))
    return [
        Instant(event.trace_id if by is None else key_of(event, by), published_s[number], None, number)
        for number, event in books.run.numbered_events.items()
        if event is not None and event.type == name
    ]


def as_row(fact: Fact) -> Any:
    """A fact with its particulars as attributes."""
    return SimpleNamespace(**{**fact.detail, "time_s": fact.time_s, "kind": fact.kind, "subject": fact.subject})


def about_fact(books: Books, verdict: Verdict, promise: str, words: str, fact: Fact) -> Finding:
    """A finding about one fact, told with the event in whose handling it was appended."""
    event_id = fact.detail.get("event_id")
    number = None if event_id is None else books.number_of.get(str(event_id))
    numbers = [] if number is None else [number]
    service = fact.subject if fact.subject in books.services else None
    return Finding(
        verdict,
        promise,
        f"{words}: {fact.subject} at {fact.time_s:.3f} s",
        key=event_id,
        at_s=fact.time_s,
        event_ids=() if event_id is None else (str(event_id),),
        explain=books.explain(numbers, service, [fact], fact.time_s),
    )


def _names(books: Books) -> set[str]:
    types = {event.type for event in books.run.numbered_events.values() if event is not None}
    return {*books.facts, *types}
