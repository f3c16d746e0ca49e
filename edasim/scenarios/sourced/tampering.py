"""Somebody with access to the file changes history: what the hash chain is for.

Follows: any program that opens an SQLite file can drop its triggers and update its rows. Left out: an attacker who
computes all later hashes anew, against whom only a seal kept elsewhere helps (`sourcing.Seal`).
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
