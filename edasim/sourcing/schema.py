"""The tables of an event store, and the opening of its file.

A **batch** is what one append wrote (a long append writes several): its stream, when, by whom and why, a hash that
chains it to the batch before, and the events themselves as one JSON text, column by column; a column whose values are
all the same is written once. Kafka keeps its log in record batches for the same reason: it is several times faster
than a row per event. `identities` says which source and id is stored where. Whoever asks in SQL reads the views
`events` (a row per event, in plain words) and `audit` (who, when, why, and the cause).

Follows: SQLite's write-ahead log (sqlite.org/wal.html: one writer, many readers, each reader sees the store as of its
start) with `synchronous=FULL`, so that what was acknowledged survives a power cut (sqlite.org/pragma.html,
`synchronous`). `application_id` and `user_version` of the file say that it is an event store, and of which format.
"""

from __future__ import annotations

import enum
import sqlite3
import uuid
from pathlib import Path

from .errors import StoreError, told_plainly

APPLICATION_ID = 0x45444153
FORMAT = 1
"""The format that this version writes; a file of a higher number is refused."""

_MAGIC = b"SQLite format 3\0"


def _cell(name: str, body: str, place: str) -> str:
    """SQL for what a column of a batch's body holds at a place: one value of a list, or the value of all."""
    return (
        f"case json_type({body}, '$.{name}') when 'array' then json_extract({body}, '$.{name}[' || {place} || ']')"
        f" else json_extract({body}, '$.{name}') end"
    )


def _cells(*names: str) -> str:
    return ", ".join(f"{_cell(name, 'b.body', 'd.key')} as {name}" for name in names)


_DATA = """case when exists (select 1 from json_each(b.body, '$.without_data') where value = d.key) then null
    when d.type in ('true', 'false') then d.type when d.type in ('object', 'array') then d.value
    else json_quote(d.value) end"""

_TABLES = f"""
create table batches (
    first_position integer primary key, last_position integer not null, stream text not null,
    first_version integer not null, recorded_s real not null, actor text, reason text,
    body text not null, hash blob not null
) strict;
create unique index batches_by_stream on batches (stream, first_position);
create index batches_by_time on batches (recorded_s);
create table identities (
    id text, source text, position integer not null, primary key (id, source)
) strict, without rowid;

create view events as
select b.first_position + d.key as position, b.stream, b.first_version + d.key as version,
    {_cells("id", "source", "type", "subject", "time")}, b.recorded_s, {_DATA} as data, {_cells("cause_id")},
    coalesce({_cell("trace_id", "b.body", "d.key")}, {_cell("id", "b.body", "d.key")}) as trace_id,
    b.actor, b.reason, {_cells("datacontenttype", "dataschema", "extensions")}
from batches b, json_each(b.body, '$.data') d;
create view audit as
select e.position, e.recorded_s, e.actor, e.reason, e.type, e.stream, e.subject, e.cause_id, (
    select {_cell("type", "b.body", "i.position - b.first_position")} from identities i join batches b
    on b.first_position = (select max(first_position) from batches where first_position <= i.position)
    where i.id = e.cause_id limit 1
) as cause_type from events e;

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
"""  # noqa: S608 - made of constants

_GUARDS = "".join(
    f"create trigger {table}_cannot_be_{done} before {action} on {table}"
    f" begin select raise(abort, 'facts are never {done}'); end;"
    for table in ("batches", "identities")
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
        if path is None:
            return _opened(":memory:", path, access)
        if not path.exists():
            _make_whole(path)
        name = path.absolute().as_uri()
        if access is Access.WRITE:
            return _opened(name, path, access)
        try:
            return _opened(f"{name}?mode=ro", path, access)
        except sqlite3.OperationalError as error:
            has_no_room = error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
            if not has_no_room or _log_bytes(path):
                raise
            # A read-only folder has no room for the index of a log; without a log none is needed.
            return _opened(f"{name}?mode=ro&immutable=1", path, access)


def _make_whole(path: Path) -> None:
    """Makes an empty store beside its place and links it in, so that nobody ever sees half of one.

    Where several come first at the same time, one link holds and the others find the file there.
    """
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.new")
    try:
        _opened(draft.absolute().as_uri(), path, Access.WRITE).close()
        _link(draft, path)
    finally:
        for rest in ("", "-wal", "-shm", "-journal"):
            draft.with_name(draft.name + rest).unlink(missing_ok=True)


def _link(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        draft.rename(path)


def _opened(name: str, path: Path | None, access: Access) -> sqlite3.Connection:
    connection = _connect(name)
    try:
        _prepare(connection, path, access)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(name: str) -> sqlite3.Connection:
    return sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False, timeout=30.0)


def _prepare(connection: sqlite3.Connection, path: Path | None, access: Access) -> None:
    connection.execute("pragma cache_size=-65536")
    connection.execute("pragma secure_delete=on")
    application, tables = _what_it_is(connection)
    if application == 0 and not tables:
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
    connection.execute("pragma wal_autocheckpoint=4000")
    connection.execute(f"pragma query_only={'on' if access is Access.READ else 'off'}")


def _what_it_is(connection: sqlite3.Connection) -> tuple[int, int]:
    """The file's application id and its number of tables, both of one instant."""
    connection.execute("begin")
    tables = connection.execute("select count(*) from sqlite_master").fetchone()[0]
    application = connection.execute("pragma application_id").fetchone()[0]
    connection.execute("commit")
    return application, tables


def image_into(connection: sqlite3.Connection, image: bytes) -> None:
    """Makes an empty database in memory what the image of a file says.

    Bytes 18 and 19 of the header say by 2 that there is a write-ahead log, which memory does not have
    (sqlite.org/fileformat2.html, 1.3.3).
    """
    connection.deserialize(image[:18] + b"\1\1" + image[20:])
    connection.execute("pragma secure_delete=on")  # a setting of the file that was there before


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
    # In this order: where the log is gone by now, whoever wrote that head has written all its pages.
    with path.open("rb") as file:
        head = file.read(100)
    has_log = _log_bytes(path) > 0
    size = path.stat().st_size
    if not head and not has_log:
        return  # a new file
    if not head:
        raise _refuse(path, "is cut short: it is empty, and has a log", "restore it from a copy")
    if not head.startswith(_MAGIC):
        raise _refuse(path, "is no SQLite file", "give the file of an event store")
    page_bytes = int.from_bytes(head[16:18]) if len(head) == 100 else 0
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    pages = int.from_bytes(head[28:32])
    if len(head) < 100 or (size < pages * page_bytes and not has_log):
        raise _refuse(path, f"is cut short: {size} of {pages * page_bytes} bytes", "restore it from a copy")


def _log_bytes(path: Path) -> int:
    """How long the write-ahead log beside the file is; 0 if there is none."""
    log = path.with_name(f"{path.name}-wal")
    return log.stat().st_size if log.exists() else 0


def _refuse(path: Path | None, problem: str, remedy: str) -> StoreError:
    return StoreError(f"the file {str(path)!r} {problem}", field="path", value=str(path), remedy=remedy)
