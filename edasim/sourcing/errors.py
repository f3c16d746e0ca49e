"""What can go wrong with an event store; every error says what would be right, and leaves the store as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import EdasimError, StateError


class StoreError(EdasimError):
    """The file of a store cannot be used: damaged, of a newer format, read-only, full, or no event store at all."""


class ConflictError(StateError):
    """The stream is at another version than the writer expected: read it again, decide again (ES-01)."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        self.stream = stream
        self.expected = expected
        self.actual = actual
        super().__init__(
            f"the stream {stream!r} is at version {actual}, not {expected}",
            field="expected",
            value=expected,
            remedy="read the stream again, decide again, and append with the version that you read",
        )
        self.args = (stream, expected, actual)


class DuplicateEventError(StateError):
    """An event of this source and id is stored already, and this append is no repetition of that one."""


class UpcastError(StateError):
    """An event cannot be lifted to the version that the reader knows."""


class ProjectionError(StateError):
    """A projection broke its promise: it raised, is not a function of its events, or its state is no JSON."""


_REMEDIES = {
    "SQLITE_FULL": ("the disk is full", "make room and append again; nothing of this append was stored"),
    "SQLITE_READONLY": ("the file is read-only", "make it writable, or open it with access='read'"),
    "SQLITE_CANTOPEN": ("the file cannot be opened", "check that its folder exists and is writable"),
    "SQLITE_NOTADB": ("the file is no SQLite file", "give the file of an event store"),
    "SQLITE_CORRUPT": ("the file is damaged", "restore it from a copy"),
    "SQLITE_BUSY": ("another writer keeps the file locked", "try again; keep transactions short"),
    "SQLITE_IOERR": ("the file cannot be read or written", "check the disk"),
}


@contextmanager
def told_plainly(path: Path | None) -> Iterator[None]:
    """Turns errors of SQLite about the file into a `StoreError`; others pass."""
    try:
        yield
    except sqlite3.Error as error:
        is_no_text = str(error).startswith("Could not decode")
        name = "SQLITE_CORRUPT" if is_no_text else str(getattr(error, "sqlite_errorname", ""))
        for prefix, (problem, remedy) in _REMEDIES.items():
            if name.startswith(prefix):
                where = "memory" if path is None else str(path)
                raise StoreError(
                    f"the event store {where!r}: {problem}", field="path", value=where, remedy=remedy
                ) from error
        raise
