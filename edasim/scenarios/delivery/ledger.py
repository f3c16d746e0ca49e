"""What a consumer leaves behind: effects that the world sees, and notes of what it has done, in SQLite.

A transaction is SQLite's own: who dies inside it leaves nothing of it behind, neither note nor effect. An effect with a
key is stored once, however often it is asked for; that is an idempotent effect. Left out: a disk that fails.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

_SCHEMA = """
create table effects (message integer not null, at_s real not null) strict;
create table notes (message integer primary key) strict;
"""
_BY_KEY = "create unique index once on effects (message);"


class Ledger:
    """Effects and notes of one consumer; survives its crashes. `by_key` makes effects idempotent.

    >>> ledger = Ledger(by_key=True)
    >>> ledger.effect(7, 0.5), ledger.effect(7, 0.6)
    (True, False)
    """

    def __init__(self, *, by_key: bool = False) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._connection.close)
        self._connection.executescript(_SCHEMA + (_BY_KEY if by_key else ""))

    def effect(self, message: int, at_s: float) -> bool:
        """The world sees the effect of a message; False if its key was there already."""
        told = self._connection.execute("insert or ignore into effects values (?, ?)", (message, at_s))
        return told.rowcount == 1

    def note(self, message: int) -> None:
        """Notes a message as done."""
        self._connection.execute("insert or ignore into notes values (?)", (message,))

    def is_noted(self, message: int) -> bool:
        """Whether a message is noted as done."""
        found = self._connection.execute("select 1 from notes where message = ?", (message,))
        return found.fetchone() is not None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside becomes visible at its end, or, whatever ends it early, never."""
        self._connection.execute("begin")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def effects(self) -> list[tuple[int, float]]:
        """All effects in order: the message, and the second at which the world saw it."""
        return self._connection.execute("select message, at_s from effects order by rowid").fetchall()
