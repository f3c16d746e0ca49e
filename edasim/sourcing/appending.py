"""How an append is written, and how a repeated one is told from a conflict.

Follows: EventStoreDB, "Optimistic concurrency and idempotence" (EventStore/documentation,
docs/clients/dotnet/21.2/appending), with two differences: identity is CloudEvents' source and id in the whole store
instead of an id in a stream, and a repetition is recognised without an expected version as well.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from ..events import Event, uri_reference
from . import chain
from .codec import Codec
from .errors import ConflictError, DuplicateEventError
from .jsontext import encoded, json_text
from .privacy import ERASED

BATCH_EVENTS = 200
"""How many events a batch holds at most; a longer append writes several, in one transaction."""

_HEAD = "select last_position, recorded_s, hash from batches order by first_position desc limit 1"
_VERSION = (
    "select first_version + last_position - first_position from batches where stream = ?"
    " order by first_position desc limit 1"
)
_FIND = (
    "select i.position, b.first_position, b.last_position, b.stream, b.first_version, b.body"
    " from identities i join batches b"
    " on b.first_position = (select max(first_position) from batches where first_position <= i.position)"
    " where i.id = ? and i.source = ?"
)
_INSERT_BATCH = "insert into batches values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_IDENTITY = "insert into identities values (?, ?, ?)"
_INSERT_IDS = "insert into identities select value, ?, ? + key from json_each(?)"
"""All events of one source by one statement: half the price of one for each."""

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
    """The newest batch."""

    position: int
    recorded_s: float
    hash: bytes


class Appender:
    """Writes batches through one connection, within a transaction that somebody else began."""

    def __init__(self, connection: sqlite3.Connection, codec: Codec, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._codec = codec
        self._clock = clock
        self._known_head: Head | None = None

    def forget_head(self) -> None:
        """At the begin of a transaction and after a rollback: another writer may have been there."""
        self._known_head = None

    def head(self) -> Head:
        """The newest batch in the file."""
        row = self._connection.execute(_HEAD).fetchone()
        return Head(0, float("-inf"), chain.GENESIS) if row is None else Head(*row)

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
        first_version, first_position = version + 1, head.position + 1
        for start in range(0, len(events), BATCH_EVENTS):
            batch = named(events[start : start + BATCH_EVENTS], stream, first_version + start)
            first, last = first_position + start, first_position + start + len(batch) - 1
            columns = (first, last, stream, first_version + start, recorded_s, actor, reason)
            body = self._codec.body(batch)
            head = Head(last, recorded_s, chain.batch_hash(head.hash, columns, body))
            self._connection.execute(_INSERT_BATCH, (*columns, body, head.hash))
            self._note_identities(batch, first)
        self._known_head = head
        return Appended(stream, version + len(events), first_position, head.position, is_new=True)

    def _note_identities(self, batch: list[Event], first: int) -> None:
        sources, ids = {event.source for event in batch}, [event.id for event in batch]
        if len(sources) == 1:
            self._connection.execute(_INSERT_IDS, (*sources, first, encoded(ids)))
        else:
            rows = [(event.id, event.source, place) for place, event in enumerate(batch, first)]
            self._connection.executemany(_INSERT_IDENTITY, rows)

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
        row = self._connection.execute(_FIND, (event.id, event.source)).fetchone()
        if row is None:
            return None
        position, first, last, stream, first_version, body = row
        stored = self._codec.as_written(body, last - first + 1)[position - first]
        if not _is_same(event, stored):
            raise _duplicate(event, "another event with this source and id is stored already")
        return position, stream, first_version + position - first


def named(events: list[Event], stream: str, version: int) -> list[Event]:
    """The events, with ids and sources made from their places in the stream where they have none."""
    if None not in {event.id for event in events} and None not in {event.source for event in events}:
        return events
    source = uri_reference(stream)
    return [event.filled(id=f"{stream}-{place}", source=source) for place, event in enumerate(events, version)]


def _is_same(given: Event, stored: Event) -> bool:
    """Whether an event that comes again is the one that is stored; an erased field says nothing."""
    if (given.type, given.subject, given.has_data) != (stored.type, stored.subject, stored.has_data):
        return False
    if isinstance(given.data, dict) and isinstance(stored.data, dict):
        kept = {name: value for name, value in stored.data.items() if value != ERASED}
        return all(json_text(given.data.get(name)) == json_text(value) for name, value in kept.items())
    if isinstance(given.data, bytes) or isinstance(stored.data, bytes):
        return bool(given.data == stored.data)
    return json_text(given.data) == json_text(stored.data)


def _duplicate(event: Event, problem: str) -> DuplicateEventError:
    return DuplicateEventError(
        f"{problem}: source {event.source!r}, id {event.id!r}",
        field="id",
        value=event.id,
        remedy="repeat an append with the same events in the same order, or give new events new ids",
    )
