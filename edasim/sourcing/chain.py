"""The hash chain: proof that no stored event was altered, removed or put in later.

Each batch carries the SHA-256 of the hash before it and of all its columns, in a form that no other content shares:
the parts are separated by control characters that no part can contain. `verify` computes the chain anew. It finds any
change but one: the removal of the newest batches, and the rewriting of everything after a place with new hashes.
Against these, keep a `Seal` outside the file and give it to `verify`.

Left out: signatures, which would say who sealed.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..events import Event

GENESIS = bytes(32)
"""The hash before the first batch."""

PART, BODY = "\x1f", "\x1e"

_BATCHES = (
    "select first_position, last_position, stream, first_version, recorded_s, actor, reason, body, hash"
    " from batches order by first_position"
)

ReadBody = Callable[[str, int], list[Event]]


class Seal(NamedTuple):
    """The newest batch at some time, to be kept elsewhere: its last position and its hash in hexadecimal digits."""

    position: int
    hash: str


class Alteration(NamedTuple):
    """Where the chain breaks: the positions of the events that are concerned, and what does not fit."""

    first_position: int
    last_position: int
    problem: str


def batch_hash(before: bytes, columns: Sequence[Any], body: str) -> bytes:
    """The hash of a batch: `columns` are those of the table up to the body."""
    header = PART.join(["" if value is None else repr(value) for value in columns])
    return hashlib.sha256(before + f"{header}{BODY}{body}".encode()).digest()


def verify(connection: sqlite3.Connection, read: ReadBody, seal: Seal | None = None) -> Alteration | None:
    """The first batch that does not fit, or None if the whole chain holds and leads over the seal.

    Indices are checked by SQLite's own integrity check, so that each way of reading gives what the chain covers.
    `read` makes the events of a body, whose names must be those in `identities`.
    """
    structure = connection.execute("pragma integrity_check(1)").fetchone()[0]
    if structure != "ok":
        return Alteration(0, 0, f"the structure of the file is damaged: {structure}")
    before, position, is_sealed = GENESIS, 0, seal is None
    for *columns, body, stored in connection.execute(_BATCHES):
        first, last = columns[0], columns[1]
        if first != position + 1:
            return Alteration(position + 1, first, "events are missing")
        if not isinstance(body, str) or batch_hash(before, columns, body) != stored:
            return Alteration(first, last, "the hash does not fit the content")
        named = [(event.identity, place) for place, event in enumerate(read(body, last - first + 1), first)]
        if any(_place_of(connection, identity) != place for identity, place in named):
            return Alteration(first, last, "the identities do not fit the content")
        before, position = stored, last
        is_sealed = is_sealed or seal == Seal(position, before.hex())
    if connection.execute("select count(*) from identities").fetchone()[0] != position:
        return Alteration(position + 1, position + 1, "there are identities without an event")
    if not is_sealed:
        return Alteration(position, position, "the history does not lead over the seal")
    return None


def _place_of(connection: sqlite3.Connection, identity: tuple[str, str]) -> int | None:
    row = connection.execute("select position from identities where source = ? and id = ?", identity).fetchone()
    return None if row is None else row[0]
