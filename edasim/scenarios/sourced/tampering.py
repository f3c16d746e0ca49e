"""Somebody with access to the file changes history or reads it past the store: hash chain and sealed fields.

Follows: any program that opens an SQLite file can drop its triggers and update its rows, and any editor shows its
bytes. Left out: an attacker who computes all later hashes anew, against whom only a seal kept elsewhere helps
(`sourcing.Seal`).
"""

from __future__ import annotations

from ...sourcing import EventStore


def tamper(store: EventStore, position: int, eur: int) -> None:
    """Changes the amount of a stored event, past the store's own refusal; the event must be alone in its append."""
    store.at(position)
    with store.transaction() as connection:
        connection.execute("drop trigger if exists batches_cannot_be_edited")
        connection.execute(
            "update batches set body = json_set(body, '$.data[0].eur', ?) where first_position = ?", (eur, position)
        )


def raw_bytes_hold(store: EventStore, *secrets: bytes) -> list[bool]:
    """Whether each of these occurs anywhere in the bytes of the store's file and the logs beside it.

    >>> store = EventStore()
    >>> raw_bytes_hold(store, b"batches", b"Ada")
    [True, False]
    """
    if store.path is None:
        raw = store.saved()["image"]
    else:
        beside = (store.path.with_name(store.path.name + ending) for ending in ("", "-wal", "-shm", "-journal"))
        raw = b"\n".join(path.read_bytes() for path in beside if path.exists())
    return [secret in raw for secret in secrets]
