"""What is thrown away of a log: whole old segments (delete), or all but the last record of each key (compact).

Pure functions of a log's records. Follows apache/kafka 3.9: `UnifiedLog.scala` (a segment is closed when it is full or
old enough; it is deleted when its youngest record is older than `retention.ms`, or when the rest alone is still as
large as `retention.bytes`, whether anybody has read it or not; the segment in use goes only when all of it is too old,
KAF-35) and `LogCleaner.scala` (the segment in use is never cleaned; a tombstone stays for `delete.retention.ms`,
KAF-36). Left out: `min.cleanable.dirty.ratio` and `min.compaction.lag.ms`: every check cleans.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Numbered = tuple[int, float]
"""A record's offset and when it was appended, in seconds."""


@dataclass(frozen=True)
class Segment:
    """A run of offsets: the first one, when its first and last record came, and how many records it holds."""

    first: int
    opened_s: float
    youngest_s: float
    records: int


def segments_of(
    records: Iterable[Numbered], *, record_bytes: int, segment_s: float, segment_bytes: int
) -> list[Segment]:
    """The segments of a log; the last one is in use.

    >>> records = [(0, 0.0), (1, 5.0), (2, 12.0)]
    >>> [each.first for each in segments_of(records, record_bytes=1, segment_s=10.0, segment_bytes=9)]
    [0, 2]
    """
    found: list[Segment] = []
    first = opened_s = youngest_s = None
    held = 0
    for offset, at_s in records:
        full = (held + 1) * record_bytes > segment_bytes
        if first is None or opened_s is None or full or at_s - opened_s > segment_s:
            if first is not None and opened_s is not None and youngest_s is not None:
                found.append(Segment(first, opened_s, youngest_s, held))
            first, opened_s, held = offset, at_s, 0
        youngest_s = at_s
        held += 1
    if first is not None and opened_s is not None and youngest_s is not None:
        found.append(Segment(first, opened_s, youngest_s, held))
    return found


def new_start(
    segments: Sequence[Segment],
    end: int,
    now_s: float,
    *,
    record_bytes: int,
    retention_s: float | None,
    retention_bytes: int | None,
) -> int | None:
    """The offset with which the log begins after old segments were deleted; None if none of them goes."""
    gone = 0
    if retention_s is not None:
        while gone < len(segments) and now_s - segments[gone].youngest_s > retention_s:
            gone += 1
    if retention_bytes is not None:
        size = sum(segment.records for segment in segments[gone:]) * record_bytes
        while gone < len(segments) - 1 and size - segments[gone].records * record_bytes >= retention_bytes:
            size -= segments[gone].records * record_bytes
            gone += 1
    if gone == 0:
        return None
    return segments[gone].first if gone < len(segments) else end


def superseded(
    keyed: Sequence[tuple[int, float, bytes, bool]], in_use_from: int, now_s: float, *, delete_retention_s: float
) -> list[int]:
    """The offsets that compaction takes away; `keyed` is offset, time, key, and whether it is a tombstone.

    Those before the segment in use with a later record of their key, and tombstones that have stayed for long enough.

    >>> keyed = [(0, 0.0, b"a", False), (1, 1.0, b"b", False), (2, 2.0, b"a", False)]
    >>> superseded(keyed, in_use_from=2, now_s=3.0, delete_retention_s=9.0)
    [0]
    """
    last = {key: offset for offset, _, key, _ in keyed}
    return [
        offset
        for offset, at_s, key, tombstone in keyed
        if offset < in_use_from and (last[key] != offset or (tombstone and now_s - at_s > delete_retention_s))
    ]
