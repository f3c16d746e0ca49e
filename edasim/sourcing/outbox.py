"""Outbox and inbox: how a state and its messages stay together when a process can crash between any two steps (ES-07).

A service that writes its database and then publishes (**dual write**) loses the message if it crashes in between; if
it publishes first, it tells of what never was written. With an **outbox** the message is written into the same
database, in the same transaction, and a relay publishes it afterwards, at least once. With an **inbox** the receiver
notes the message's source and id in the transaction of its effect, so that the second copy has none: exactly-once
effect from at-least-once delivery.

Both take a connection to the service's own SQLite database, opened with `isolation_level=None`. Left out: removing
old rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import StateError
from ..events import Event, from_json, to_json


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All that is written inside is kept together; an exception takes all of it back."""
    connection.execute("begin immediate")
    try:
        yield connection
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


class Outbox:
    """Messages that wait in a service's database to be published.

    >>> database = sqlite3.connect(":memory:", isolation_level=None)
    >>> outbox = Outbox(database)
    >>> with transaction(database):
    ...     outbox.put(Event(type="order.placed", id="o-1", source="/shop"))
    >>> sent = []
    >>> outbox.relay(sent.append), sent[0].id, outbox.waiting
    (1, 'o-1', 0)
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute(
            "create table if not exists outbox"
            " (number integer primary key, event text not null, is_sent integer not null default 0)"
        )

    def put(self, event: Event) -> None:
        """Writes a message; only within a transaction, which is the point of it."""
        _require_transaction(self._connection, "Outbox.put")
        self._connection.execute("insert into outbox (event) values (?)", (to_json(event),))

    def pending(self, limit: int = 100) -> list[tuple[int, Event]]:
        """The messages that wait, oldest first, each with the number to give to `mark_sent`."""
        waiting = self._connection.execute(
            "select number, event from outbox where not is_sent order by number limit ?", (limit,)
        )
        return [(number, from_json(text)) for number, text in waiting.fetchall()]

    def mark_sent(self, number: int) -> None:
        """Notes that a message was published; until then it will be published again."""
        self._connection.execute("update outbox set is_sent = 1 where number = ?", (number,))

    def relay(self, publish: Callable[[Event], Any], limit: int = 100) -> int:
        """Publishes waiting messages in their order and marks each afterwards; returns how many.

        If `publish` raises, or the process dies between publishing and marking, the message is published again next
        time.
        """
        waiting = self.pending(limit)
        for number, event in waiting:
            publish(event)
            self.mark_sent(number)
        return len(waiting)

    @property
    def waiting(self) -> int:
        """How many messages have not been published yet."""
        return int(self._connection.execute("select count(*) from outbox where not is_sent").fetchone()[0])


class Inbox:
    """The messages that a service has dealt with, by source and id.

    >>> database = sqlite3.connect(":memory:", isolation_level=None)
    >>> inbox, event = Inbox(database), Event(type="paid", id="p-1", source="/bank")
    >>> with transaction(database):
    ...     inbox.is_new(event), inbox.is_new(event)
    (True, False)
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute(
            "create table if not exists inbox (source text, id text, primary key (source, id)) without rowid"
        )

    def is_new(self, event: Event) -> bool:
        """Notes a message, and says whether it comes for the first time; only within the transaction of its effect."""
        _require_transaction(self._connection, "Inbox.is_new")
        return self._connection.execute("insert or ignore into inbox values (?, ?)", event.identity).rowcount == 1


def _require_transaction(connection: sqlite3.Connection, what: str) -> None:
    if not connection.in_transaction:
        raise StateError(
            f"{what} outside a transaction: the message and the effect could part",
            field="connection",
            remedy="write both inside `with transaction(connection):`",
        )
