"""The tables of an event store, and the opening of its file.

A **commit** is what one append wrote: to which stream, when, by whom and why, with a hash that chains it to the
commit before. Its events are rows of `facts` at consecutive positions. `kinds` and `sources` spare the repetition of
names. Whoever asks in SQL reads the views `events` (a row per event, all in plain words) and `audit` (who, when, why,
and the cause).

Follows: SQLite's write-ahead log (sqlite.org/wal.html: one writer, many readers, each reader sees the store as of its
start) with `synchronous=FULL`, so that what was acknowledged survives a power cut
(sqlite.org/pragma.html#pragma_synchronous). `application_id` and `user_version` of the file say that it is an event
store, and of which format.
"""

from __future__ import annotations

import enum
import sqlite3
from pathlib import Path

from .errors import StoreError, told_plainly

APPLICATION_ID = 0x45444153
FORMAT = 1
"""The format that this version writes; a file of a higher number is refused."""

_MAGIC = b"SQLite format 3\0"

_TABLES = """
create table sources (source integer primary key, uri text not null unique) strict;
create table kinds (
    kind integer primary key, source integer not null references sources, type text not null,
    sealed text not null, unique (type, source, sealed)
) strict;
create table commits (
    commit_no integer primary key, stream text not null, first_version integer not null,
    first_position integer not null, last_position integer not null,
    recorded_s real not null, actor text, reason text, hash blob not null
) strict;
create unique index commits_by_stream on commits (stream, first_position);
create index commits_by_time on commits (recorded_s);
create table facts (
    position integer primary key, commit_no integer not null, kind integer not null, source integer not null,
    id text not null, subject text, time text, data any, cause_id text, correlation_id text, more text
) strict;
create unique index facts_by_identity on facts (id, source);
create index facts_by_correlation on facts (correlation_id) where correlation_id is not null;

create view events as
select f.position, c.stream, c.first_version + f.position - c.first_position as version, f.id, s.uri as source, k.type,
    f.subject, f.time, c.recorded_s, f.data, f.cause_id, coalesce(f.correlation_id, f.id) as trace_id, c.actor,
    c.reason, f.more
from facts f join commits c using (commit_no) join kinds k using (kind) join sources s on s.source = k.source;
create view audit as
select e.position, e.recorded_s, e.actor, e.reason, e.type, e.stream, e.subject, e.cause_id, cause.type as cause_type
from events e left join (select f.id, k.type from facts f join kinds k using (kind)) cause on cause.id = e.cause_id;

create table checkpoints (name text primary key, position integer not null) strict, without rowid;
create table subjects (subject text primary key, key blob not null) strict, without rowid;
create table snapshots (
    fold text, version integer, stream text, position integer, recorded_s real not null, state text not null,
    primary key (fold, version, stream, position)
) strict, without rowid;
create table generations (
    projection text, generation integer, version integer not null, position integer not null, live integer not null,
    primary key (projection, generation)
) strict, without rowid;
create table states (
    projection text, generation integer, key text, state text not null, primary key (projection, generation, key)
) strict, without rowid;
create table parked (
    projection text, generation integer, position integer, key text not null, error text not null,
    primary key (projection, generation, position)
) strict, without rowid;
"""

_GUARDS = "".join(
    f"create trigger {table}_cannot_be_{done} before {action} on {table}"
    f" begin select raise(abort, 'facts are never {done}'); end;"
    for table in ("facts", "commits", "kinds", "sources")
    for action, done in (("update", "edited"), ("delete", "deleted"))
)


class Access(enum.Enum):
    """What a store is opened for."""

    WRITE = "write"
    READ = "read"


def open_file(path: Path | None, access: Access) -> sqlite3.Connection:
    """A connection to the store in a file (made if there is none), or in memory.

    Raises `StoreError` for a file that is no event store, is cut short, or has a newer format.
    """
    if path is not None and path.exists():
        _check_header(path)
    elif access is Access.READ:
        raise _refuse(path, "does not exist", "open it for writing first")
    with told_plainly(path):
        connection = _connect(path, access)
        try:
            _prepare(connection, path, access)
        except BaseException:
            connection.close()
            raise
    return connection


def _connect(path: Path | None, access: Access) -> sqlite3.Connection:
    mode = "?mode=ro" if access is Access.READ else ""
    name = ":memory:" if path is None else path.absolute().as_uri() + mode
    return sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False, timeout=30.0)


def _prepare(connection: sqlite3.Connection, path: Path | None, access: Access) -> None:
    connection.execute("pragma cache_size=-65536")
    connection.execute("pragma secure_delete=on")
    application = connection.execute("pragma application_id").fetchone()[0]
    if application == 0 and not connection.execute("select count(*) from sqlite_master").fetchone()[0]:
        if path is not None:
            connection.execute("pragma journal_mode=wal")
        _create(connection)
    elif application != APPLICATION_ID:
        raise _refuse(path, "is an SQLite file, but no event store", "give another file")
    written = connection.execute("pragma user_version").fetchone()[0]
    if written > FORMAT:
        raise _refuse(
            path, f"has format {written}, and this version reads up to {FORMAT}", "use a newer version of edasim"
        )
    connection.execute("pragma synchronous=full")
    connection.execute(f"pragma query_only={'on' if access is Access.READ else 'off'}")


def _create(connection: sqlite3.Connection) -> None:
    """Makes the tables in one transaction; a second process that comes at the same time finds them made."""
    connection.execute("begin immediate")
    if not connection.execute("select count(*) from sqlite_master").fetchone()[0]:
        _run_all(connection, _TABLES + _GUARDS)
        connection.execute(f"pragma application_id={APPLICATION_ID}")
        connection.execute(f"pragma user_version={FORMAT}")
    connection.execute("commit")


def _run_all(connection: sqlite3.Connection, script: str) -> None:
    """Runs statement by statement within the transaction; `executescript` would commit it first."""
    rest = ""
    for piece in script.split(";"):
        rest += piece + ";"
        if sqlite3.complete_statement(rest):
            connection.execute(rest)
            rest = ""


def _check_header(path: Path) -> None:
    """Refuses what is no SQLite file, and one that is shorter than its first page says."""
    if not path.is_file():
        raise _refuse(path, "is no file", "name a file")
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(100)
    if not head:
        return
    if not head.startswith(_MAGIC):
        raise _refuse(path, "is no SQLite file", "give the file of an event store")
    page_bytes = int.from_bytes(head[16:18]) if len(head) == 100 else 0
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    pages = int.from_bytes(head[28:32])
    log = path.with_name(path.name + "-wal")
    has_log = log.exists() and log.stat().st_size > 0
    if len(head) < 100 or (size < pages * page_bytes and not has_log):
        raise _refuse(path, f"is cut short: {size} of {pages * page_bytes} bytes", "restore it from a copy")


def _refuse(path: Path | None, problem: str, remedy: str) -> StoreError:
    return StoreError(f"the file {str(path)!r} {problem}", field="path", value=str(path), remedy=remedy)
