"""The event store: streams of events in one order, in a file or in memory.

Rules: an append states the version of the stream that it expects, and exactly one of two appends with the same
expectation wins (ES-01); positions are 1, 2, 3… over all streams without gaps, since there is one writer at a time
(ES-03); an append that is repeated is acknowledged and changes nothing, told by source and id of its events. Follows:
EventStoreDB, "Optimistic concurrency and idempotence" (`appending` says where and how it differs).

Left out: deleting streams, several nodes, access rights.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .. import checks
from ..errors import UnknownNameError
from ..events import Event
from ..events.attributes import check_string
from . import chain, privacy
from .appending import Appended, Appender
from .codec import Codec, parsed
from .errors import told_plainly
from .query import PAGE, Batch, Query, Recorded
from .schema import Access, image_into, open_file
from .upcasting import Upcaster, Upcasters

if TYPE_CHECKING:
    import pandas

S = TypeVar("S")

ERASURES = "erasures"
"""The stream that tells which subjects were erased."""


class EventStore:
    """Streams of events; `path` is a file, made if there is none, or None for a store in memory.

    `access` is "write" or "read". `clock` gives the time of recording in seconds: the wall clock's since 1970, or a
    simulation's (`clock=lambda: sim.env.now`); recorded times never go back. `upcasters` lift old events at reading.
    `personal` maps event types to the names of fields that are sealed by subject.

    >>> store = EventStore()
    >>> store.append("account-1", [Event(type="account.opened", data={"cents": 500})], expected=0).version
    1
    >>> [recorded.event.type for recorded in store.read(stream="account-1")]
    ['account.opened']

    Raises `StoreError` for a file that cannot be used.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        access: str | Access = Access.WRITE,
        clock: Callable[[], float] = time.time,
        upcasters: Iterable[Upcaster] = (),
        personal: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self.path = None if path is None else Path(path)
        self._connection = open_file(self.path, checks.check_word(Access)("EventStore.access", access))
        self._lock = threading.RLock()
        self._vault = privacy.Vault(self._connection, privacy.check_personal("EventStore.personal", personal or {}))
        self._codec = Codec(self._vault, Upcasters(upcasters))
        self._appender = Appender(self._connection, self._codec, clock)
        weakref.finalize(self, self._connection.close)

    # ------------------------------------------------------------ writing

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is written inside is kept together, or nothing is; within another transaction it becomes a part of
        it.
        """
        with self._lock, told_plainly(self.path):
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("begin immediate")
            self._appender.forget_head()
            try:
                yield self._connection
                self._connection.execute("commit")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                self._appender.forget_head()
                raise

    def append(
        self,
        stream: str,
        events: Iterable[Event],
        *,
        expected: int | None = None,
        actor: str | None = None,
        reason: str | None = None,
    ) -> Appended:
        """Appends events to a stream, all or none; returns once they are on disk.

        `expected` is the version of the stream that the writer saw: the number of its events, 0 if there is none,
        None for whatever it is. `actor` and `reason` go into the audit trail. An event without id or source gets them
        from its place in the stream; then a repetition cannot be told from a new event.

        Raises `ConflictError` if the stream is at another version, `DuplicateEventError` if an event is stored
        already and the append is no repetition, `EventError` for what has no JSON form, `StoreError` if the file
        cannot be written.
        """
        given = list(events)
        for name, value in (("stream", stream), ("actor", actor), ("reason", reason)):
            if value is not None or name == "stream":
                check_string(name, value)
        for event in given:
            if not isinstance(event, Event):
                raise checks.refuse("events", event, "give a list of Events")
        if not given:
            raise checks.refuse("events", given, "give at least one event")
        if expected is not None:
            expected = checks.check_whole(0)("expected", expected)
        with self.transaction():
            return self._appender.append(stream, given, expected, actor, reason)

    # ------------------------------------------------------------ reading

    @property
    def position(self) -> int:
        """The position of the newest event; 0 for an empty store."""
        return self._appender.head().position

    def version(self, stream: str) -> int:
        """How many events a stream has; 0 if there is no such stream."""
        return self._appender.version(stream)

    def streams(self) -> dict[str, int]:
        """All streams with their versions, in order of their names."""
        return dict(
            self.query(
                "select stream, max(first_version + last_position - first_position) from batches group by stream"
            )
        )

    def at(self, position: int) -> Recorded:
        """The event at a position; `UnknownNameError` if there is none."""
        for recorded in self.read(after=position - 1, up_to=position):
            return recorded
        raise UnknownNameError("position", position, [f"1 to {self.position}"])

    def read(self, **wanted: Any) -> Iterator[Recorded]:
        """The events that a `Query` with these fields wants, oldest first, in pages: nothing is locked meanwhile."""
        return (recorded for batch in self.batches(Query(**wanted)) for recorded in batch.recorded())

    def read_backward(self, **wanted: Any) -> Iterator[Recorded]:
        """As `read`, newest first."""
        return (recorded for batch in self.batches(Query(**wanted), "desc") for recorded in reversed(batch.recorded()))

    def fold(self, apply: Callable[[S, Event], S], state: S, **wanted: Any) -> S:
        """`apply(state, event)` over all events that a `Query` with these fields wants, oldest first."""
        for batch in self.batches(Query(**wanted)):
            for event in batch.events:
                state = apply(state, event)
        return state

    def batches(self, query: Query, backward: str = "") -> Iterator[Batch]:
        """The events of a query batch by batch, the fastest way to read; `backward` is "desc" for newest first."""
        types = self._codec.upcasters.ancestors(query.types)
        limit = 16
        with self._lock, told_plainly(self.path):
            after, up_to = query.bounds(self._connection)
        while after < up_to:
            with self._lock, told_plainly(self.path):
                sql, values = query.page(after, up_to, types, backward, limit)
                rows = self._connection.execute(sql, values).fetchall()
            for row, told in zip(rows, parsed([row[-1] for row in rows]), strict=True):
                first, last = row[0], row[1]
                positions = range(max(first, after + 1), min(last, up_to) + 1)
                batch = query.chosen(row, positions, self._codec.events(row[-1], told, first, last, positions))
                if batch.events:
                    yield batch
            if len(rows) < limit:
                return
            after, up_to = (after, rows[-1][0] - 1) if backward else (rows[-1][1], up_to)
            limit = max(1, min(PAGE, PAGE * limit // sum(row[1] - row[0] + 1 for row in rows)))

    def position_at(self, recorded_s: float) -> int:
        """The position of the newest event that was recorded at this time of the store's clock, or before."""
        return Query(until_s=recorded_s).bounds(self._connection)[1]

    # ------------------------------------------------------------ asking in SQL

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """As `query`, for the room's own questions: faster, since nothing keeps the SQL from writing."""
        with self._lock, told_plainly(self.path):
            return self._connection.execute(sql, values).fetchall()

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of an SQL query on the tables and views of `schema`; it cannot write."""
        return self._ask(sql, values)[1]

    def table(self, sql: str = "select * from events order by position", *values: Any) -> pandas.DataFrame:
        """As `query`, as a table with the columns' names."""
        import pandas as pd

        names, rows = self._ask(sql, values)
        return pd.DataFrame(rows, columns=names)

    def _ask(self, sql: str, values: tuple[Any, ...]) -> tuple[list[str], list[tuple[Any, ...]]]:
        with self._lock, told_plainly(self.path):
            before = self._connection.execute("pragma query_only").fetchone()[0]
            self._connection.execute("pragma query_only=on")
            try:
                cursor = self._connection.execute(sql, values)
                return [column[0] for column in cursor.description or ()], cursor.fetchall()
            finally:
                self._connection.execute(f"pragma query_only={before}")

    def audit(self, **wanted: Any) -> list[AuditEntry]:
        """Who did what, when, why and because of what, for the events that a `Query` with these fields wants."""
        return [
            AuditEntry(
                position=recorded.position,
                recorded_s=recorded.recorded_s,
                actor=recorded.actor,
                reason=recorded.reason,
                type=recorded.event.type,
                stream=recorded.stream,
                subject=recorded.event.subject,
                cause_id=recorded.event.cause_id,
                cause_type=self._type_of(recorded.event.cause_id),
            )
            for recorded in self.read(**wanted)
        ]

    def _type_of(self, event_id: str | None) -> str | None:
        found = self.rows("select position from identities where id = ? limit 1", event_id)
        return self.at(found[0][0]).event.type if found else None

    # ------------------------------------------------------------ keeping

    def seal(self) -> chain.Seal:
        """What to keep elsewhere, to prove later that the history up to now is still the same."""
        head = self._appender.head()
        return chain.Seal(head.position, head.hash.hex())

    def verify(self, seal: chain.Seal | None = None) -> chain.Alteration | None:
        """The first place where the stored history was altered, or None if it holds (and leads over the seal)."""
        with self._lock, told_plainly(self.path):
            self._connection.text_factory = lambda raw: raw.decode(errors="replace")  # damaged texts are to be found
            try:
                return chain.verify(self._connection, self._codec.as_written, seal)
            finally:
                self._connection.text_factory = str

    def erase(self, subject: str, *, actor: str | None = None, reason: str | None = None) -> bool:
        """Destroys the key of a subject: its personal data is gone from the file; False if it had no key (any more).

        The events stay, with `ERASED` in place of the personal values. What was computed from them is dropped: views
        fold anew when they next catch up, snapshots are taken anew by `History.prepare`. The erasure itself becomes an
        event of the stream `erasures`. Raises `StoreError` if a reader keeps the file from being cleaned; call again
        when it has ended.
        """
        check_string("subject", subject)
        with self.transaction() as connection:
            was_there = self._vault.destroy(subject)
            if was_there:
                for computed in ("snapshots", "states", "parked"):
                    connection.execute(f"delete from {computed}")  # noqa: S608
                connection.execute("update generations set position = 0")
                self.append(ERASURES, [Event(type="subject.erased", subject=subject)], actor=actor, reason=reason)
        with self._lock, told_plainly(self.path):
            privacy.erase_from_file(self._connection)
        return was_there

    def checkpoint(self, name: str) -> int:
        """The position that a named reader has noted; 0 at first."""
        row = self._connection.execute("select position from checkpoints where name = ?", (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def note_checkpoint(self, name: str, position: int) -> None:
        """Notes how far a named reader has come."""
        with self.transaction() as connection:
            connection.execute("insert or replace into checkpoints values (?, ?)", (name, position))

    def saved(self) -> dict[str, Any]:
        """The whole store as plain values: the image of its file, and which fields are personal."""
        with self._lock, told_plainly(self.path):
            return {"image": self._connection.serialize(), "personal": self._vault.personal}

    @classmethod
    def restored(cls, told: Mapping[str, Any]) -> EventStore:
        """A store in memory of what `saved` told; it records at the time of its newest event, and has no upcasters."""
        made = cls(clock=lambda: 0.0, personal=told["personal"])
        image_into(made._connection, told["image"])
        return made

    def close(self) -> None:
        """Closes the file; a store in memory is gone."""
        self._connection.close()

    def __enter__(self) -> EventStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AuditEntry(NamedTuple):
    """Who did what, when (`recorded_s`), why, to what, and which event caused it."""

    position: int
    recorded_s: float
    actor: str | None
    reason: str | None
    type: str
    stream: str
    subject: str | None
    cause_id: str | None
    cause_type: str | None
