"""Personal data that can be erased though events stay: a key per subject, destroyed on demand (ES-08).

`Personal` says which fields of which event types are personal. They are written encrypted (AES-256 in Galois counter
mode, NIST SP 800-38D, a fresh nonce for each field, bound to the event's id and the field's name) under a key that
belongs to the event's subject. Without the key a reader finds `ERASED` in their place; positions, types, times and
the hash chain, which covers the sealed form, stay as they were.

Left out: keys in a service of their own. They are in the table `subjects` of the same file, so a copy of the file
made before the erasure can still be read. Names of streams, ids and subjects are never sealed: let them say nothing
of a person.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import Mapping
from typing import Any

from .. import checks
from ..errors import ConfigurationError
from .errors import StoreError
from .jsontext import json_text

ERASED = "[erased]"
"""What a reader finds in place of a personal value whose key is destroyed."""

NONCE_BYTES = 12


def check_personal(field: str, value: Any) -> Mapping[str, tuple[str, ...]]:
    """A mapping from event types to the names of their personal fields."""
    if not isinstance(value, Mapping):
        raise checks.refuse(field, value, "give a mapping such as {'user.registered': ('name', 'email')}")
    kept = {}
    for type_, names in value.items():
        if isinstance(names, str) or not names or not all(isinstance(name, str) and name for name in names):
            raise checks.refuse(f"{field}[{type_!r}]", names, "give the names of fields, such as ('name', 'email')")
        kept[str(type_)] = tuple(sorted(names))
    return kept


class Vault:
    """The keys of the subjects of one store."""

    def __init__(self, connection: sqlite3.Connection, personal: Mapping[str, tuple[str, ...]]) -> None:
        self._connection = connection
        self._personal = personal
        self.has_personal_types = bool(personal)

    @property
    def personal(self) -> dict[str, tuple[str, ...]]:
        """The personal fields by event type."""
        return dict(self._personal)

    def personal_fields(self, type_: str) -> tuple[str, ...]:
        """The fields of an event of this type that are to be sealed."""
        return self._personal.get(type_, ())

    def key(self, subject: str) -> bytes | None:
        """The key of a subject; None if there is none, or none any more."""
        row = self._connection.execute("select key from subjects where subject = ?", (subject,)).fetchone()
        return None if row is None else bytes(row[0])

    def key_or_new(self, subject: str) -> bytes:
        """The key of a subject, made at first use."""
        known = self.key(subject)
        if known is not None:
            return known
        fresh = os.urandom(32)
        self._connection.execute("insert into subjects values (?, ?)", (subject, fresh))
        return fresh

    def destroy(self, subject: str) -> bool:
        """Destroys a key; False if there was none."""
        return self._connection.execute("delete from subjects where subject = ?", (subject,)).rowcount == 1


def sealed(vault: Vault, subject: str | None, event_id: str, fields: tuple[str, ...], data: Any) -> Any:
    """The data with the values of these fields sealed; fields that are not there are passed over."""
    if not isinstance(data, Mapping):
        raise ConfigurationError(
            "an event with personal fields has data that is no mapping",
            field="data",
            value=data,
            remedy="give named fields",
        )
    if subject is None:
        raise ConfigurationError(
            f"the event {event_id!r} has personal data but no subject",
            field="subject",
            remedy="say whose data it is: subject=…",
        )
    cipher = _cipher(vault.key_or_new(subject))
    hidden = {}
    for name in fields:
        if name in data:
            nonce = os.urandom(NONCE_BYTES)
            secret = cipher.encrypt(nonce, json_text(data[name]).encode(), _bound_to(event_id, name))
            hidden[name] = base64.b64encode(nonce + secret).decode("ascii")
    return {**data, **hidden}


def unsealed(vault: Vault, subject: str | None, event_id: str, fields: tuple[str, ...], data: Any) -> Any:
    """The data with the values of these fields opened, or `ERASED` where the key is gone."""
    from cryptography.exceptions import InvalidTag

    key = None if subject is None else vault.key(subject)
    shown = dict(data)
    for name in fields:
        if name not in shown:
            continue
        if key is None:
            shown[name] = ERASED
            continue
        secret = base64.b64decode(shown[name])
        try:
            opened = _cipher(key).decrypt(secret[:NONCE_BYTES], secret[NONCE_BYTES:], _bound_to(event_id, name))
            shown[name] = json.loads(opened)
        except InvalidTag:  # sealed under an older key of the same subject, which was destroyed
            shown[name] = ERASED
    return shown


def _bound_to(event_id: str, name: str) -> bytes:
    return f"{event_id}\x1f{name}".encode()


def _cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def erase_from_file(connection: sqlite3.Connection) -> None:
    """Writes the file anew and empties its log, so that no page keeps what was deleted.

    `secure_delete` overwrites deleted rows (sqlite.org/pragma.html#pragma_secure_delete), but copies may stay in the
    write-ahead log and in pages that were rearranged. Raises `StoreError` while readers hold an older state of the
    file.
    """
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.execute("vacuum")
    busy, _, _ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
    if busy:
        raise StoreError(
            "the key is destroyed, but a reader holds an older state of the file, and so its log stays",
            field="path",
            remedy="end the readers, then call erase again",
        )
