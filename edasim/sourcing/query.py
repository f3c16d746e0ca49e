"""What to read from a store: a frozen `Query`, turned into SQL page by page."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import checks
from ..events import Event
from .jsontext import encoded

PAGE = 2000
"""About how many events are read at once."""

_FIRST_SINCE = "select first_position from batches where recorded_s >= ? order by recorded_s, first_position limit 1"
_LAST_UNTIL = (
    "select last_position from batches where recorded_s <= ? order by recorded_s desc, first_position desc limit 1"
)
# The batch that holds the first wanted position may begin before it.
_FROM_BATCH = "first_position >= coalesce((select max(first_position) from batches where {}first_position <= ?), 0)"


class Recorded(NamedTuple):
    """A stored event and where it stands: its position, its stream and version in it, and when, by whom and why."""

    position: int
    stream: str
    version: int
    recorded_s: float
    actor: str | None
    reason: str | None
    event: Event


class Batch(NamedTuple):
    """The events of one stored batch that a query wants, with their positions."""

    first_position: int
    stream: str
    first_version: int
    recorded_s: float
    actor: str | None
    reason: str | None
    positions: Sequence[int]
    events: list[Event]

    def recorded(self) -> list[Recorded]:
        """Each event with its place."""
        shift = self.first_version - self.first_position
        stream, recorded_s, actor, reason = self.stream, self.recorded_s, self.actor, self.reason
        return [
            Recorded(position, stream, position + shift, recorded_s, actor, reason, event)
            for position, event in zip(self.positions, self.events, strict=True)
        ]


BATCH_COLUMNS = "first_position, last_position, stream, first_version, recorded_s, actor, reason, body"


def check_seconds(field: str, value: Any) -> float:
    """A finite number of seconds, also below zero."""
    return checks.number(field, value, low=-math.inf, open_low=False, what="a finite number of seconds")


def check_types(field: str, value: Any) -> tuple[str, ...]:
    """Event types: one as a text, or several; none means all."""
    return (value,) if isinstance(value, str) else tuple(checks.check_text(field, each) for each in value)


@checks.configuration
class Query:
    """Which events: of a stream, of types, of a story (`trace_id`), at positions, in a time of recording.

    Positions lie above `after` and up to `up_to`; times of recording (the store's clock, seconds) are at least
    `since_s` and at most `until_s`. What is left out does not restrict.
    """

    stream: str | None = checks.optional(checks.check_text, default=None)
    types: tuple[str, ...] = checks.checked(check_types, default=())
    trace_id: str | None = checks.optional(checks.check_text, default=None)
    after: int = checks.at_least(0, default=0)
    up_to: int | None = checks.optional(checks.check_whole(0), default=None)
    since_s: float | None = checks.optional(check_seconds, default=None)
    until_s: float | None = checks.optional(check_seconds, default=None)

    def bounds(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """The positions to read: above the first, up to the second, as of now."""

        def ask(sql: str, *values: float) -> int | None:
            row = connection.execute(sql, values).fetchone()
            return None if row is None or row[0] is None else int(row[0])

        after = self.after
        up_to = ask("select last_position from batches order by first_position desc limit 1") or 0
        if self.up_to is not None:
            up_to = min(up_to, self.up_to)
        if self.since_s is not None:
            first = ask(_FIRST_SINCE, self.since_s)
            after = max(after, up_to if first is None else first - 1)
        if self.until_s is not None:
            up_to = min(up_to, ask(_LAST_UNTIL, self.until_s) or 0)
        return after, up_to

    def page(self, after: int, up_to: int, types: Sequence[str], backward: str, limit: int) -> tuple[str, list[Any]]:
        """The SQL for the next batches, and its values; `types` are those that can become the wanted ones.

        Types and stories narrow the search to batches whose text contains them; `chosen` looks closer.
        """
        where: list[str] = []
        values: list[Any] = []
        if self.stream is None:
            where.append(_FROM_BATCH.format(""))
        else:
            where += ["stream = ?", _FROM_BATCH.format("stream = ? and ")]
            values += [self.stream, self.stream]
        where.append("first_position <= ?")
        values += [after + 1, up_to]
        for words in (types, [] if self.trace_id is None else [self.trace_id]):
            if words:
                where.append("(" + " or ".join(["instr(body, ?)"] * len(words)) + ")")
                values += [encoded(word) for word in words]
        order = f"order by first_position {backward} limit {limit}"
        return f"select {BATCH_COLUMNS} from batches where {' and '.join(where)} {order}", values  # noqa: S608

    def chosen(self, row: Sequence[Any], positions: range, events: list[Event]) -> Batch:
        """What the query wants of the events of a batch's row at these positions."""
        first_position, _, stream, first_version, recorded_s, actor, reason, _ = row
        places: Sequence[int] = positions
        if self.types or self.trace_id is not None:
            wanted = [
                (position, event)
                for position, event in zip(positions, events, strict=True)
                if (not self.types or event.type in self.types) and self.trace_id in {None, event.trace_id}
            ]
            places, events = [position for position, _ in wanted], [event for _, event in wanted]
        return Batch(first_position, stream, first_version, recorded_s, actor, reason, places, events)
