"""How an append is written, and how a repeated one is told from a conflict.

Follows: EventStoreDB, "Optimistic concurrency and idempotence" (EventStore/documentation,
docs/clients/dotnet/21.2/appending), with two differences: identity is CloudEvents' source and id in the whole store
instead of an id in a stream, and a repetition is recognised without an expected version as well.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from ..events import Event
from . import chain
from .codec import Codec, Kind, Row, data_cell, more_cell, refuse_unwritable, with_names
from .errors import ConflictError, DuplicateEventError

_HEAD = "select commit_no, last_position, recorded_s, hash from commits order by commit_no desc limit 1"
_VERSION = (
    "select first_version + last_position - first_position from commits where stream = ?"
    " order by first_position desc limit 1"
)
_FIND = (
    "select f.position, c.stream, c.first_version + f.position - c.first_position,"
    " k.type, k.sealed, f.subject, f.data, f.more"
    " from facts f join commits c using (commit_no) join kinds k using (kind)"
    " where f.id = ? and f.source = (select source from sources where uri = ?)"
)
_INSERT_COMMIT = "insert into commits values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_FACT = "insert into facts values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

Place = tuple[int, str, int]
"""Position, stream, version."""


class Appended(NamedTuple):
    """What an append did: the stream's version after it, the positions of its events, and whether they were new.

    `is_new` is False for a repetition, which wrote nothing.
    """

    stream: str
    version: int
    first_position: int
    position: int
    is_new: bool


class Head(NamedTuple):
    """The newest commit."""

    commit_no: int
    position: int
    recorded_s: float
    hash: bytes


class Appender:
    """Writes commits through one connection, within a transaction that somebody else began."""

    def __init__(self, connection: sqlite3.Connection, codec: Codec, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._codec = codec
        self._clock = clock
        self._known_head: Head | None = None

    def forget_head(self) -> None:
        """At the begin of a transaction and after a rollback: another writer may have been there."""
        self._known_head = None

    def head(self) -> Head:
        """The newest commit in the file."""
        row = self._connection.execute(_HEAD).fetchone()
        return Head(0, 0, float("-inf"), chain.GENESIS) if row is None else Head(*row)

    def version(self, stream: str) -> int:
        """How many events a stream has."""
        row = self._connection.execute(_VERSION, (stream,)).fetchone()
        return 0 if row is None else int(row[0])

    def append(
        self, stream: str, events: list[Event], expected: int | None, actor: str | None, reason: str | None
    ) -> Appended:
        """Appends, or recognises a repetition, or raises `ConflictError` or `DuplicateEventError`."""
        execute = self._connection.execute
        version = self.version(stream)
        if expected is not None and expected != version:
            return self._repetition(stream, events, expected, version)
        execute("savepoint append")
        try:
            return self._write(stream, version, events, actor, reason)
        except UnicodeEncodeError:
            for event in events:
                refuse_unwritable(event)
            raise
        except sqlite3.IntegrityError:
            execute("rollback to append")
            self.forget_head()
            return self._repetition(stream, events, expected, version)
        finally:
            if self._connection.in_transaction:  # a full disk has rolled back everything already
                execute("release append")

    def _write(self, stream: str, version: int, events: list[Event], actor: str | None, reason: str | None) -> Appended:
        head = self._known_head or self.head()
        recorded_s = max(float(self._clock()), head.recorded_s)
        commit_no, position = head.commit_no + 1, head.position
        rows: list[Row] = []
        lines: list[str] = []
        kinds: dict[tuple[str | None, str], Kind] = {}
        for event in events:
            position += 1
            if event.id is None or event.source is None:
                event = with_names(event, stream, version + position - head.position)
            kind = kinds.get((event.source, event.type))
            if kind is None:
                kind = kinds[event.source, event.type] = self._codec.kind(str(event.source), event.type)
            cell = self._codec.sealed_cell(event, kind) if kind.sealed else data_cell(event)
            told = (event.id, event.subject, event.time, cell, event.cause_id, event.correlation_id, more_cell(event))
            rows.append((position, commit_no, kind.number, kind.source_number, *told))
            lines.append(chain.line((position, kind.source, kind.type, kind.sealed_text, *told)))
        columns = (commit_no, stream, version + 1, head.position + 1, position, recorded_s, actor, reason)
        digest = chain.commit_hash(head.hash, columns, lines)
        self._connection.execute(_INSERT_COMMIT, (*columns, digest))
        self._connection.executemany(_INSERT_FACT, rows)
        self._known_head = Head(commit_no, position, recorded_s, digest)
        return Appended(stream, version + len(events), head.position + 1, position, is_new=True)

    def _repetition(self, stream: str, events: list[Event], expected: int | None, version: int) -> Appended:
        """What a repeated append is told; raises if the append is no repetition."""
        known = [self._find(event) for event in events]
        found = [place for place in known if place is not None]
        if not found:
            if expected is None or expected == version:
                raise _duplicate(events[0], "an event occurs twice in one append")
            raise ConflictError(stream, expected, version)
        position, _, first_version = found[0]
        for index, (event, place) in enumerate(zip(events, known, strict=True)):
            if place != (position + index, stream, first_version + index):
                raise _duplicate(event, "some events of the append are stored already, but not as this append")
        if expected is not None and first_version != expected + 1:
            raise ConflictError(stream, expected, version)
        return Appended(stream, found[-1][2], position, found[-1][0], is_new=False)

    def _find(self, event: Event) -> Place | None:
        """Where an event is stored; raises if another one has its source and id."""
        if event.id is None or event.source is None:
            return None
        row = self._connection.execute(_FIND, (event.id, event.source)).fetchone()
        if row is None:
            return None
        type_, sealed, subject, cell, more = row[3:]
        is_same = (type_, subject, more) == (event.type, event.subject, more_cell(event))
        if not is_same or (sealed == "[]" and cell != data_cell(event)):
            raise _duplicate(event, "another event with this source and id is stored already")
        return row[0], row[1], row[2]


def _duplicate(event: Event, problem: str) -> DuplicateEventError:
    return DuplicateEventError(
        f"{problem}: source {event.source!r}, id {event.id!r}",
        field="id",
        value=event.id,
        remedy="repeat an append with the same events in the same order, or give new events new ids",
    )
