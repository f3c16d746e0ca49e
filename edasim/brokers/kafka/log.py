"""The log of one partition: records by offset, what of it readers may see, and what is thrown away.

An offset counts records and control markers of transactions, grows by one and is never used again (KAF-05). Readers see
records below the high watermark, the offset that all in-sync replicas have (KAF-32); those that read committed records
only stop at the first record of the oldest open transaction and pass over aborted ones (KAF-29). Old segments are
deleted or compacted by `retention` (KAF-35, KAF-36). Follows apache/kafka `UnifiedLog.scala`, `LogCleaner.scala`.
Left out: bytes, indexes, the log of each follower (a follower is known by how far it has come).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..base import Message

if TYPE_CHECKING:
    from .claims import Claim


class PartitionLog:
    """Records from offset `base` on; a record that is no longer there, or was never one for readers, is None."""

    __slots__ = (
        *("aborted", "base", "gone", "high", "lagging", "number", "open_from", "readers", "records", "told_high"),
        *("told_stable", "topic", "transactional"),
    )

    def __init__(self, topic: str, number: int) -> None:
        self.topic = topic
        self.number = number
        self.records: list[Message | None] = []
        self.base = 0
        self.readers: list[Claim] = []
        self.lagging = False
        self.high = 0
        self.open_from: dict[str, int] = {}
        self.aborted: set[int] = set()
        self.transactional: dict[str, list[int]] = {}
        self.told_high = self.told_stable = 0
        self.gone = array("q")

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

    def all_is_told(self) -> None:
        """Readers know of everything up to here."""
        self.high = self.told_high = self.told_stable = self.end

    def announce(self, now_s: float) -> None:
        """Tells readers how many more records they may see."""
        high, stable = self.visible(committed_only=False), self.last_stable
        more, more_stable = high - self.told_high, stable - self.told_stable
        self.told_high, self.told_stable = high, stable
        for reader in tuple(self.readers):
            records = more_stable if reader.committed_only else more
            if records > 0:
                reader.more(now_s, records)

    def offset_at(self, at_s: float) -> int:
        """The offset of the first record that was appended at `at_s` or later; the end if there is none."""
        for offset, record in self.numbered():
            if record[3] >= at_s:
                return offset
        return self.end

    def numbered(self, from_offset: int = 0) -> Iterator[tuple[int, Message]]:
        """All records that are there from an offset on, with their offsets."""
        first = max(from_offset, self.base)
        for offset, record in enumerate(self.records[first - self.base :], first):
            if record is not None:
                yield offset, record

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
        return deleted

    def clear(self, offset: int) -> Message | None:
        """Takes away one record, as compaction does; its offset stays used."""
        record = self.records[offset - self.base]
        if record is not None:
            self.gone.append(record[0])
            self.records[offset - self.base] = None
        return record

    def truncate(self, offset: int) -> list[Message]:
        """Cuts the log off at an offset, as a new leader that never had the rest; returns what is lost."""
        lost = [record for at, record in self.numbered() if at >= offset]
        self.gone.extend(record[0] for record in lost)
        del self.records[max(0, offset - self.base) :]
        self.high = min(self.high, offset)
        self.aborted = {each for each in self.aborted if each < offset}
        self.open_from = {name: first for name, first in self.open_from.items() if first < offset}
        self.told_high, self.told_stable = min(self.told_high, offset), min(self.told_stable, offset)
        self.transactional = {
            name: [each for each in offsets if each < offset] for name, offsets in self.transactional.items()
        }
        return lost
