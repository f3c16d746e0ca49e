"""The partitions of a Kafka topic: offsets, and for each group what is committed, what is read, and the lag.

Drawn from a running topic as it is now, after `sim.run(until_s=…)`: the log from its first to its last offset, and
under it a bar for each group. Lag is the end of the log minus the committed offset (KAF-24); what was read and is not
committed would be read again by a new owner (KAF-19). Left out: the records themselves, replicas, transactions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from . import palette
from .chart import HALO
from .picture import Picture
from .svg import STAMP, document, fit, label, line, rect, say, short

if TYPE_CHECKING:
    from ..brokers.kafka import Topic

WIDTH, LEFT, RIGHT, TOP = 720.0, 96.0, 190.0, 66.0
LOG, BAR, GAP = 12.0, 13.0, 10.0
CELLS = 80
"""Up to this last offset records are drawn one by one."""


@dataclass(frozen=True)
class Reading:
    """Where a group is in one partition: the committed offset, the next one to read, and who reads."""

    group: str
    committed: int | None
    position: int
    lag: int
    reader: str | None

    @property
    def words(self) -> str:
        """Such as "workers: committed 60, read up to 64, lag 23, by workers/1"."""
        committed = "nothing committed" if self.committed is None else f"committed {self.committed}"
        reader = "nobody reads it" if self.reader is None else f"by {self.reader}"
        return f"{self.group}: {committed}, read up to {self.position}, lag {self.lag}, {reader}"


@dataclass(frozen=True)
class Partition:
    """One partition: the offsets that its log holds, and where each group is."""

    name: str
    first: int
    end: int
    readings: tuple[Reading, ...]


def partitions_of(topic: Topic) -> tuple[Partition, ...]:
    """What a running topic's partitions hold now, and where its groups are."""
    return tuple(
        Partition(f"{topic.name}-{log.number}", log.base, log.end, tuple(_readings(topic, log.number)))
        for log in topic.logs
    )


def _readings(topic: Topic, number: int) -> Iterator[Reading]:
    for group in topic.groups.values():
        group.catch_up()
        place = group.places[topic.name, number]
        claim = place.claim
        first = place.log.base if place.committed is None else place.committed
        reader = claim.member.name if claim is not None and claim.member.alive else None
        yield Reading(group.name, place.committed, first if claim is None else claim.next, place.lag, reader)


def partitions_svg(topic: Topic) -> Picture:
    """The log of each partition, and a bar for each group that reads it.

    A bar tells what is committed, what was read and is not committed, and what nobody has read. Raises
    `ConfigurationError` for what is no topic of Kafka.
    """
    if not hasattr(topic, "logs"):
        raise ConfigurationError(
            f"topic is {topic!r}", field="topic", value=topic, remedy="give a topic of a running Kafka"
        )
    partitions = partitions_of(topic)
    groups = max((len(each.readings) for each in partitions), default=0)
    pitch = LOG + 4 + max(1, groups) * BAR + GAP
    end = max(1, *(each.end for each in partitions))
    scale = (WIDTH - LEFT - RIGHT) / end
    parts = [
        "<defs>" + palette.pattern("waiting", STAMP + "w") + palette.pattern("duplicated", STAMP + "d") + "</defs>"
    ]
    parts += [*_legend(), label(12, TOP - 14, f"topic {topic.name}", more=' font-weight="600"')]
    for place, partition in enumerate(partitions):
        parts += _row(partition, TOP + place * pitch, scale, cells=end <= CELLS)
    height = TOP + len(partitions) * pitch + 6
    lag = sum(reading.lag for each in partitions for reading in each.readings)
    records = sum(each.end - each.first for each in partitions)
    alt = f"{_counted(len(partitions), 'partition')} of {topic.name}: {records} records, lag {lag}"
    text = "\n".join([f"{alt}.", *map(_said, partitions)])
    return Picture(svg=document(WIDTH, height, parts, alt), alt=alt, text=text)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _legend() -> list[str]:
    parts, x = [], 14.0
    for fill, words in (
        (palette.role("done").colour, "committed"),
        (f"url(#{STAMP}d)", "read, not committed: a new owner reads it again"),
        (f"url(#{STAMP}w)", "not read"),
    ):
        parts.append(rect(x, 14, 16, 11, fill=fill, stroke=palette.INK))
        parts.append(label(x + 21, 24, words))
        x += 44 + 6.1 * len(words)
    return parts


def _row(partition: Partition, top: float, scale: float, *, cells: bool) -> list[str]:
    """A partition: its log with its ends, and its groups' bars under it."""
    start, end = LEFT + scale * partition.first, LEFT + scale * partition.end
    parts = [
        label(12, top + 10, f"partition {partition.name.rpartition('-')[2]}", more=' font-weight="600"'),
        rect(start, top, max(1.0, end - start), LOG, fill=palette.PALE, stroke=palette.SLATE),
        label(end + 6, top + 10, f"end {partition.end}", size=11, fill=palette.QUIET, more=HALO),
    ]
    if cells:
        edges = "".join(
            f"M{short(LEFT + scale * offset)},{short(top)}v{short(LOG)}"
            for offset in range(partition.first + 1, partition.end)
        )
        parts.append(line(edges or f"M{short(start)},{short(top)}", stroke=palette.SLATE))
    for number, reading in enumerate(partition.readings):
        parts += _bar(partition, reading, top + LOG + 4 + number * BAR, scale)
    return parts


def _bar(partition: Partition, reading: Reading, top: float, scale: float) -> list[str]:
    committed = partition.first if reading.committed is None else max(reading.committed, partition.first)
    position = max(committed, min(reading.position, partition.end))
    parts = []
    for first, last, fill in (
        (partition.first, committed, palette.role("done").colour),
        (committed, position, f"url(#{STAMP}d)"),
        (position, partition.end, f"url(#{STAMP}w)"),
    ):
        if last > first:
            parts.append(
                rect(LEFT + scale * first, top, scale * (last - first), BAR - 3, fill=fill, stroke=palette.INK)
            )
    x = short(LEFT + scale * committed)
    parts.append(line(f"M{x},{short(top - 3)}V{short(top + BAR)}", width=2))
    who = "nobody reads" if reading.reader is None else reading.reader
    words = fit(f"lag {say(reading.lag)} · {who}", RIGHT - 14, size=11.5)
    parts.append(label(WIDTH - RIGHT + 46, top + 9, words, size=11.5, more=HALO))
    return parts


def _said(partition: Partition) -> str:
    read = "; ".join(reading.words for reading in partition.readings) or "no group reads it"
    return f"{partition.name} holds offsets {partition.first} to {partition.end}; {read}."
