"""Key-value buckets: a stream with a subject per key and a history per subject.

A put appends; a delete appends a marker; an update succeeds only if the key has not changed since. Follows
nats-io/nats.docs (`key-value-store.md`) and nats-io/nats.py (`js/kv.py`: stream KV_bucket, subjects $KV.bucket.key,
history from 1 to 64). Left out: purge, time to live per key, watching (a consumer "last_per_subject" does it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ... import checks
from ...events import Event
from ..base import event_of
from .settings import check_name
from .subjects import check_publish_subject

if TYPE_CHECKING:
    from .jetstream import RunningJetStream

PUT, DELETED = "kv.put", "kv.deleted"


@dataclass(frozen=True)
class Value:
    """What a key holds: its data, and the revision (the sequence in the stream) at which it was put."""

    key: str
    data: Any
    revision: int


class KeyValue:
    """A bucket; made by `RunningJetStream.key_value`."""

    def __init__(self, server: RunningJetStream, bucket: str, history: int) -> None:
        self.name = check_name("bucket", bucket)
        kept = checks.check_whole(1, 64)("history", history)
        self._server = server
        self.stream = server.stream(f"KV_{bucket}", subjects=f"$KV.{bucket}.>", max_messages_per_subject=kept)

    def put(self, key: str, data: Any, *, publisher: str = "by-hand") -> int:
        """Sets a key, whatever it holds; returns the revision."""
        return self._append(key, Event(type=PUT, data=data), publisher)

    def update(self, key: str, data: Any, *, revision: int, publisher: str = "by-hand") -> int:
        """Sets a key that is still at `revision` (0: not there yet); otherwise a `JetStreamError` 10071."""
        return self._append(key, Event(type=PUT, data=data), publisher, revision)

    def delete(self, key: str, *, publisher: str = "by-hand") -> int:
        """Marks a key as deleted; its history stays."""
        return self._append(key, Event(type=DELETED), publisher)

    def get(self, key: str) -> Value | None:
        """What the key holds now, or None."""
        revision = self.stream.last_of(self._subject(key))
        event = self._event(revision) if revision else None
        return None if event is None or event.type == DELETED else Value(key, event.data, revision)

    def history(self, key: str) -> list[tuple[int, str, Any]]:
        """Revision, kind ("kv.put" or "kv.deleted") and data of all that is kept of a key, oldest first."""
        subject = self._subject(key)
        kept = [revision for revision, of, _ in self.stream.entries() if of == subject]
        events = [(revision, self._event(revision)) for revision in kept]
        return [(revision, event.type, event.data) for revision, event in events]

    def _append(self, key: str, event: Event, publisher: str, expected: int | None = None) -> int:
        subject = self._subject(key)
        return self._server.publish(
            subject, event, publisher=publisher, expected_last_subject_sequence=expected
        ).sequence

    def _event(self, revision: int) -> Event:
        return event_of(self._server.sim, self.stream.message(revision))

    def _subject(self, key: str) -> str:
        return check_publish_subject(f"$KV.{self.name}.{key}")
