"""What to read from a store: a frozen `Query`, turned into SQL page by page."""

from __future__ import annotations

import math
import sqlite3
from typing import Any, NamedTuple

from .. import checks
from ..events import Event

PAGE = 2000
"""How many events are read at once."""


_FIRST_SINCE = "select first_position from commits where recorded_s >= ? order by recorded_s, commit_no limit 1"
_LAST_UNTIL = "select last_position from commits where recorded_s <= ? order by recorded_s desc, commit_no desc limit 1"

# A stream is read through the index of streams. The commit that holds the first wanted position may begin before it.
_OF_STREAM = "commits c cross join facts f on f.position between c.first_position and c.last_position"
_FROM_COMMIT = (
    "c.first_position >="
    " coalesce((select max(first_position) from commits where stream = ? and first_position <= ?), 0)"
)


class Recorded(NamedTuple):
    """A stored event and where it stands: its global position, its stream and version in it, and when, by whom and
    why.
    """

    position: int
    stream: str
    version: int
    recorded_s: float
    actor: str | None
    reason: str | None
    event: Event


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

        after, up_to = self.after, ask("select max(last_position) from commits") or 0
        if self.up_to is not None:
            up_to = min(up_to, self.up_to)
        if self.since_s is not None:
            first = ask(_FIRST_SINCE, self.since_s)
            after = max(after, up_to if first is None else first - 1)
        if self.until_s is not None:
            up_to = min(up_to, ask(_LAST_UNTIL, self.until_s) or 0)
        return after, up_to

    def page(
        self, columns: str, bounds: tuple[int, int], kinds: list[int], backward: str, size: int
    ) -> tuple[str, list[Any]]:
        """The SQL of the next page and its values."""
        tables, order = "facts f", f"f.position {backward}"
        where, values = ["f.position > ?", "f.position <= ?"], list[Any](bounds)
        if self.stream is not None:
            tables, order = _OF_STREAM, f"c.first_position {backward}, {order}"
            where += ["c.stream = ?", _FROM_COMMIT, "c.first_position <= ?"]
            values += [self.stream, self.stream, bounds[0] + 1, bounds[1]]
        elif "c." in columns:
            tables = "facts f join commits c using (commit_no)"
        if kinds:
            where.append(f"f.kind in ({','.join(map(str, kinds))})")
        if self.trace_id is not None:
            where.append("(f.correlation_id = ? or f.id = ?)")
            values += [self.trace_id, self.trace_id]
        conditions = " and ".join(where)
        return f"select {columns} from {tables} where {conditions} order by {order} limit {size}", values  # noqa: S608
