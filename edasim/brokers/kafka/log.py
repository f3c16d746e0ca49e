"""The log of one partition: records by offset, what of it readers may see, and what is thrown away.

An offset counts records and control markers of transactions, grows by one and is never used again (KAF-05). Readers see
records below the high watermark, the offset that all in-sync replicas have (KAF-32); those that read committed records
only stop at the first record of the oldest open transaction and pass over aborted ones (KAF-29). Old segments are
deleted or compacted by `retention` (KAF-35, KAF-36). Follows apache/kafka `UnifiedLog.java`, `LogCleaner.java`.
Left out: bytes, indexes, the log of each follower (a follower is known by how far it has come).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Protocol

from ..base import Message


class Reader(Protocol):
    """A member's claim on a partition: told when there is more to read."""

    def more(self, now_s: float, records: int) -> None:
        """So many more records can be read."""

    def log_begins_at(self, offset: int) -> None:
        """Records before an offset were deleted."""


class PartitionLog:
    """Records from offset `base` on; a record that is no longer there, or was never one for readers, is None."""

    __slots__ = (
        *("aborted", "base", "gone", "high", "keys", "lagging", "number", "open_from", "readers", "records"),
        *("segments", "topic", "transactional"),
    )

    def __init__(self, topic: str, number: int) -> None:
        self.topic = topic
        self.number = number
        self.records: list[Message | None] = []
        self.base = 0
        self.readers: list[Reader] = []
        self.lagging = False
        self.high = 0
        self.open_from: dict[str, int] = {}
        self.aborted: set[int] = set()
        self.transactional: dict[str, list[int]] = {}
        self.segments: list[tuple[int, float]] = [(0, 0.0)]
        self.gone = array("q")
        self.keys: dict[int, bytes | None] = {}

    def __len__(self) -> int:
        return sum(record is not None for record in self.records)

    @property
    def end(self) -> int:
        """The offset that the next record will have."""
        return self.base + len(self.records)

    @property
    def last_stable(self) -> int:
        """The first offset that readers of committed records cannot see yet."""
        visible = self.high if self.lagging else self.base + len(self.records)
        return min(visible, *self.open_from.values()) if self.open_from else visible

    def visible(self, *, committed_only: bool) -> int:
        """The first offset that readers cannot see yet."""
        if committed_only:
            return self.last_stable
        return self.high if self.lagging else self.base + len(self.records)

    def at(self, offset: int, *, committed_only: bool) -> Message | None:
        """The record at an offset that exists, or None if there is nothing for a reader."""
        if offset < self.base or (committed_only and offset in self.aborted):
            return None
        return self.records[offset - self.base]

    def tell_readers(self, now_s: float, records: int) -> None:
        """There is more to see."""
        for reader in tuple(self.readers):
            reader.more(now_s, records)

    def offset_at(self, at_s: float) -> int:
        """The offset of the first record that was appended at `at_s` or later; the end if there is none."""
        for offset, record in self.numbered():
            if record[3] >= at_s:
                return offset
        return self.end

    def numbered(self) -> Iterator[tuple[int, Message]]:
        """All records that are there, with their offsets."""
        for place, record in enumerate(self.records):
            if record is not None:
                yield self.base + place, record

    def numbers(self) -> Iterator[int]:
        """The numbers of all messages that were ever here, those that were deleted included."""
        yield from self.gone
        for _, record in self.numbered():
            yield record[0]

    def delete_before(self, offset: int) -> list[tuple[int, Message]]:
        """Deletes all records before an offset; returns them with their offsets."""
        deleted = [(at, record) for at, record in self.numbered() if at < offset]
        self.gone.extend(record[0] for _, record in deleted)
        del self.records[: offset - self.base]
        self.base = offset
        for reader in self.readers:
            reader.log_begins_at(offset)
        self.aborted = {each for each in self.aborted if each >= offset}
        for at, _ in deleted:
            self.keys.pop(at, None)
        return deleted

    def clear(self, offset: int) -> Message | None:
        """Takes away one record, as compaction does; its offset stays used."""
        record = self.records[offset - self.base]
        if record is not None:
            self.gone.append(record[0])
            self.records[offset - self.base] = None
            self.keys.pop(offset, None)
        return record

    def truncate(self, offset: int) -> list[Message]:
        """Cuts the log off at an offset, as a new leader that never had the rest; returns what is lost."""
        lost = [record for at, record in self.numbered() if at >= offset]
        self.gone.extend(record[0] for record in lost)
        del self.records[max(0, offset - self.base) :]
        self.high = min(self.high, offset)
        self.aborted = {each for each in self.aborted if each < offset}
        self.open_from = {name: first for name, first in self.open_from.items() if first < offset}
        self.segments = [segment for segment in self.segments if segment[0] <= offset] or [(offset, 0.0)]
        return lost
