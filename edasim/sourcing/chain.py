"""The hash chain: proof that no stored fact was altered, removed or put in later.

Each commit carries the SHA-256 of the hash before it, of its own columns, and of every column of its events, in a
form that no other content shares: the parts are separated by two control characters that no part can contain.
`verify` computes the chain anew. It finds any change but one: the removal of the newest commits, and the rewriting of
everything after a place with new hashes. Against these, keep a `Seal` outside the file and give it to `verify`.

Left out: signatures, which would say who sealed.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

GENESIS = bytes(32)
"""The hash before the first commit."""

PART, LINE = "\x1f", "\x1e"

_COMMITS = (
    "select commit_no, stream, first_version, first_position, last_position, recorded_s, actor, reason, hash"
    " from commits order by commit_no"
)
_FACTS = (
    "select f.position, f.commit_no, s.uri, k.type, k.sealed, f.id, f.subject, f.time, f.data,"
    " f.cause_id, f.correlation_id, f.more, f.source, k.source"
    " from facts f left join kinds k using (kind) left join sources s on s.source = k.source"
    " order by f.position"
)


class Seal(NamedTuple):
    """The newest commit at some time, to be kept elsewhere: its number, its last position and its hash in hexadecimal
    digits.
    """

    commit_no: int
    position: int
    hash: str


class Alteration(NamedTuple):
    """Where the chain breaks: the commit, the positions of its events, and what does not fit."""

    commit_no: int
    first_position: int
    last_position: int
    problem: str


def line(parts: tuple[Any, ...]) -> str:
    """One event as a part of what a commit's hash covers.

    `parts` are position, source, type and sealed fields, then the columns of `facts` from `id` on.
    """
    position, source, type_, sealed, id_, subject, time, data, cause_id, correlation_id, more = parts
    told = data if data.__class__ is str else ("" if data is None else f"b{data.hex()}")
    return (
        f"{position}\x1f{source}\x1f{type_}\x1f{sealed}\x1f{id_}\x1f{subject or ''}\x1f{time or ''}\x1f{told}"
        f"\x1f{cause_id or ''}\x1f{correlation_id or ''}\x1f{more or ''}"
    )


def commit_hash(before: bytes, columns: Sequence[Any], lines: Sequence[str]) -> bytes:
    """The hash of a commit: `columns` are those of `commits` but for the hash."""
    header = PART.join("" if value is None else repr(value) for value in columns)
    return hashlib.sha256(before + LINE.join([header, *lines]).encode()).digest()


def verify(connection: sqlite3.Connection, seal: Seal | None = None) -> Alteration | None:
    """The first commit that does not fit, or None if the whole chain holds and leads over the seal."""
    facts = connection.execute(_FACTS)
    before, number, position, is_sealed = GENESIS, 0, 0, seal is None
    for *columns, stored in connection.execute(_COMMITS):
        number += 1
        first, last = columns[3], columns[4]
        if columns[0] != number or first != position + 1 or last < first:
            return Alteration(number, position + 1, last, "a commit is missing, or its positions do not follow")
        rows = facts.fetchmany(last - first + 1)
        problem = _problem_of(rows, number, first)
        if problem is not None:
            return Alteration(number, first, last, problem)
        before = commit_hash(before, columns, [line((row[0], *row[2:12])) for row in rows])
        if before != stored:
            return Alteration(number, first, last, "the hash does not fit the content")
        position = last
        is_sealed = is_sealed or seal == Seal(number, position, before.hex())
    if facts.fetchone() is not None:
        return Alteration(number + 1, position + 1, position + 1, "there are events without a commit")
    if not is_sealed:
        return Alteration(number, position, position, "the history does not lead over the seal")
    return None


def _problem_of(rows: list[Any], number: int, first: int) -> str | None:
    for expected, row in enumerate(rows, first):
        if row[0] != expected or row[1] != number:
            return "an event is missing, or is not where it was written"
        if row[2] is None or row[12] != row[13]:
            return "an event's kind or source is not the one it was written with"
    return None
