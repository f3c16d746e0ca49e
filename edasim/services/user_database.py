"""The user database: SQLite, in memory or in a file of the run's own.

Every write is one transaction, so a reader never sees half of it, and a user id or an event id is stored once, whatever
is delivered twice (an idempotent write, facts ES-05). A file is made at its first use, so a system that is refused
before it runs leaves none behind. Left out: several writers at a time.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import checks
from ..errors import ConfigurationError, StateError
from .disk import require_room

if TYPE_CHECKING:
    import pandas

_SCHEMA = """
create table users (
    user_id text primary key, name text not null, email text not null, event_id text not null unique,
    written_s real not null
) strict;
create table rejections (
    user_id text primary key, reasons text not null, event_id text not null unique, written_s real not null
) strict;
"""
_TABLES = ("users", "rejections")


class UserDatabase:
    """The users that were accepted and the registrations that were rejected.

    `path` is a file that does not exist yet, or None for a database in memory.

    >>> users = UserDatabase()
    >>> users.add("u-1", "Ada", "ada@example.org", event_id="e-1", at_s=0.5)
    True
    >>> users.add("u-1", "Ada", "ada@example.org", event_id="e-1", at_s=1.0)
    False
    """

    full = False
    """Whether there is room for nothing more; a fault may set it, and then writes raise `DiskFullError`."""

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path)
        if self.path is None:
            return
        if "\0" in str(path) or not os.access(self.path.parent, os.W_OK):
            raise checks.refuse("database", str(path), "name a new file in a folder that exists and can be written to")
        if self.path.exists():
            raise ConfigurationError(
                f"the database {str(self.path)!r} exists already",
                field="database",
                value=str(self.path),
                remedy="name a file that does not exist, or leave it out for a database in memory",
            )

    def add(self, user_id: str, name: str, email: str, *, event_id: str, at_s: float) -> bool:
        """Writes a user; False if the user or the event is there already."""
        return self._write("insert or ignore into users values (?, ?, ?, ?, ?)", (user_id, name, email, event_id, at_s))

    def reject(self, user_id: str, reasons: str, *, event_id: str, at_s: float) -> bool:
        """Notes a rejected registration; False if it is there already."""
        return self._write("insert or ignore into rejections values (?, ?, ?, ?)", (user_id, reasons, event_id, at_s))

    def has(self, user_id: str) -> bool:
        """Whether the user was written."""
        return bool(self.query("select 1 from users where user_id = ?", user_id))

    def count(self) -> int:
        """How many users there are."""
        return int(self.query("select count(*) from users")[0][0])

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows that an SQL query returns; the tables are `users` and `rejections`."""
        with closing(self._execute(sql, parameters)) as cursor:
            return cursor.fetchall()

    def table(self, name: str = "users") -> pandas.DataFrame:
        """The table `users` or `rejections`, in order of writing."""
        import pandas as pd

        if name not in _TABLES:
            raise checks.refuse("table", name, "give 'users' or 'rejections'")
        return pd.read_sql_query(f"select * from {name} order by written_s, user_id", self._connection)  # noqa: S608

    def saved(self) -> dict[str, Any]:
        """All rows as plain values, for a file of the run."""
        return {name: self.query(f"select * from {name} order by rowid") for name in _TABLES}  # noqa: S608

    @classmethod
    def restored(cls, told: dict[str, Any]) -> UserDatabase:
        """A database in memory with the rows that `saved` told."""
        made = cls()
        for name in _TABLES:
            for row in told[name]:
                made._execute(f"insert into {name} values ({', '.join('?' * len(row))})", tuple(row))  # noqa: S608
        return made

    def close(self) -> None:
        """Closes the database; one in memory is gone."""
        self._connection.close()

    def _write(self, sql: str, parameters: tuple[Any, ...]) -> bool:
        require_room("user database", full=self.full)
        return self._execute(sql, parameters).rowcount == 1

    def _execute(self, sql: str, parameters: tuple[Any, ...]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            raise StateError(
                f"the user database failed: {error}",
                field="database",
                value=None if self.path is None else str(self.path),
                remedy="leave the file alone and the database open while the simulation runs",
            ) from error

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            ":memory:" if self.path is None else self.path, isolation_level=None, check_same_thread=False
        )
        weakref.finalize(self, connection.close)
        connection.executescript(f"begin; {_SCHEMA} commit;")
        if self.path is not None:
            connection.execute("pragma journal_mode=wal")
        return connection
