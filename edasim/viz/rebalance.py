"""A rebalance of a Kafka group over time: which member has which partition, and when nobody reads it.

A projection of the facts and rows of a run. A bar begins when the coordinator gives a partition to a member, and ends
when the member gives it up (`partitions_revoked`), is gone or dies; ticks are records that were begun. Where no bar is,
the partition stands still: in an eager rebalance (KAF-12) that is all of them, in a cooperative one (KAF-10) those that
move. Left out: heartbeats, and the time between an assignment and the member's next poll.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .. import checks
from ..errors import UnknownNameError
from ..kernel import Run
from ..kernel.runlog import Fact
from . import palette
from .chart import HALO, Axis, axis_across
from .picture import Picture
from .svg import STAMP, document, fit, label, line, rect, say, short

WIDTH, LEFT, TOP, ROW = 720.0, 84.0, 64.0, 19.0
COLOURS = (palette.SKY, palette.ORANGE, palette.GREEN, palette.PURPLE, palette.YELLOW, palette.BLUE, palette.VERMILLION)


@dataclass(frozen=True)
class Span:
    """A member has a partition from `from_s` to `until_s` (seconds); `ended` says how it lost it."""

    partition: str
    member: str
    from_s: float
    until_s: float
    ended: str


@dataclass(frozen=True)
class Rebalance:
    """A rebalance of the group: seconds, and why it began."""

    from_s: float
    until_s: float
    reason: str


class _Book:
    """Who has what, fact by fact."""

    def __init__(self) -> None:
        self.open: dict[str, tuple[str, float]] = {}
        self.spans: list[Span] = []
        self.given: dict[str, list[str]] = {}
        self.rebalances: list[Rebalance] = []
        self.begun: tuple[float, str] | None = None

    def note(self, fact: Fact) -> None:
        now_s, detail = fact.time_s, fact.detail
        match fact.kind:
            case "node_crashed":
                self.gone(now_s, fact.subject, "died")
            case "rebalance_started":
                self.begun = (now_s, str(detail["reason"]))
            case "rebalance_completed":
                self.end_rebalance(now_s)
                self.give(now_s, detail["assignment"])
            case "partitions_revoked":
                for partition in detail["partitions"]:
                    self.take(now_s, partition, "revoked", detail["member"])
            case "member_left" | "member_expired":
                self.gone(now_s, detail["member"].split("#")[0], fact.kind.replace("_", " "))
            case "member_came_back":
                partitions = self.given.pop(detail["was"], [])
                self.give(now_s, {**self.given, detail["member"]: partitions})

    def end_rebalance(self, now_s: float) -> None:
        if self.begun is not None:
            self.rebalances.append(Rebalance(self.begun[0], now_s, self.begun[1]))
        self.begun = None

    def close(self, now_s: float) -> None:
        for partition in list(self.open):
            self.take(now_s, partition, "still")
        self.end_rebalance(now_s)

    def give(self, now_s: float, assignment: Mapping[str, list[str]]) -> None:
        self.given = {member: list(partitions) for member, partitions in assignment.items()}
        for member, partitions in assignment.items():
            for partition in partitions:
                if self.open.get(partition, ("", 0.0))[0] != member:
                    self.take(now_s, partition, "moved")
                    self.open[partition] = (member, now_s)

    def take(self, now_s: float, partition: str, how: str, member: str | None = None) -> None:
        owner, from_s = self.open.get(partition, (None, 0.0))
        if owner is not None and member in (None, owner):
            del self.open[partition]
            self.spans.append(Span(partition, owner, from_s, now_s, how))

    def gone(self, now_s: float, member: str, how: str) -> None:
        for partition in [each for each, (owner, _) in self.open.items() if owner.split("#")[0] == member]:
            self.take(now_s, partition, how)


def ownership(run: Run, group: str) -> tuple[tuple[Span, ...], tuple[Rebalance, ...]]:
    """The spans of a group, by partition and time, and its rebalances; `UnknownNameError` for an unknown group."""
    groups = dict.fromkeys(fact.subject for fact in run.fact_list if fact.kind == "rebalance_started")
    if group not in groups:
        raise UnknownNameError("group with a rebalance", group, groups)
    book = _Book()
    for fact in run.fact_list:
        if fact.subject == group or fact.kind == "node_crashed":
            book.note(fact)
    book.close(run.ended_s)
    spans = sorted(book.spans, key=lambda span: (_sortable(span.partition), span.from_s))
    return tuple(spans), tuple(book.rebalances)


def _sortable(partition: str) -> tuple[str, int]:
    topic, _, number = partition.rpartition("-")
    return topic, int(number)


def standing_still(run: Run, group: str, from_s: float, until_s: float) -> dict[str, float]:
    """Seconds between two instants in which nobody had a partition, by partition."""
    checks.check_positive("until_s", until_s - checks.check_non_negative("from_s", from_s))
    spans, _ = ownership(run, group)
    found = {}
    for partition in dict.fromkeys(span.partition for span in spans):
        owned = sum(
            max(0.0, min(span.until_s, until_s) - max(span.from_s, from_s))
            for span in spans
            if span.partition == partition
        )
        found[partition] = until_s - from_s - owned
    return found


def rebalance_svg(run: Run, group: str, from_s: float = 0.0, until_s: float | None = None) -> Picture:
    """Partitions over time between two instants, each with its members, gaps and begun records; grey: a rebalance.

    Raises `UnknownNameError` for a group that never rebalanced, `ConfigurationError` for an empty window.
    """
    end_s = run.ended_s if until_s is None else until_s
    still = standing_still(run, group, from_s, end_s)
    spans, rebalances = ownership(run, group)
    spans = tuple(span for span in spans if span.until_s > from_s and span.from_s < end_s)
    rebalances = tuple(each for each in rebalances if each.until_s > from_s and each.from_s < end_s)
    rows = {partition: place for place, partition in enumerate(still)}
    members = sorted({span.member for span in spans})
    ground = TOP + ROW * len(rows)
    across = Axis(from_s, end_s, LEFT, WIDTH - 14, "simulated time", "s")
    parts = [f"<defs>{palette.pattern('down', STAMP + 'n')}</defs>"]
    parts.append(label(12, 20, f"who reads which partition of group {group}", more=' font-weight="600"'))
    parts += _bands(rebalances, across, ground)
    for partition, place in rows.items():
        y = TOP + ROW * place
        parts.append(label(LEFT - 6, y + 13, _short(partition, tuple(rows)), size=11.5, anchor="end"))
        gap = f"url(#{STAMP}n)"
        parts.append(rect(across.start, y + 2, across.end - across.start, ROW - 4, fill=gap, more=' opacity=".22"'))
    parts += [_bar(span, TOP + ROW * rows[span.partition], across, members) for span in spans]
    parts += _ticks(run, group, across, rows)
    parts.append(axis_across(across, ground + 2))
    parts.append(rect(WIDTH - 250, 10, 16, 12, fill=f"url(#{STAMP}n)", more=' opacity=".4"'))
    parts.append(label(WIDTH - 228, 20, "nobody reads · tick: a record is begun", size=11.5))
    worst = max(still.values())
    times = "1 rebalance" if len(rebalances) == 1 else f"{len(rebalances)} rebalances"
    alt = f"Group {group} from {say(from_s)} s to {say(end_s)} s: {times}, {len(members)} members with partitions"
    text = [f"{alt}; a partition stood still for up to {say(worst)} s.", *_sentences(spans, rebalances, still)]
    return Picture(svg=document(WIDTH, ground + 42, parts, alt), alt=alt, text="\n".join(text))


def _short(partition: str, all_of_them: tuple[str, ...]) -> str:
    """A partition's number; with its topic, cut, where there are several."""
    topic, _, number = partition.rpartition("-")
    if all(each.rpartition("-")[0] == topic for each in all_of_them):
        return f"partition {number}"
    return f"{fit(topic, LEFT - 34, size=11.5)} {number}"


def _bands(rebalances: tuple[Rebalance, ...], across: Axis, ground: float) -> Iterator[str]:
    for place, each in enumerate(rebalances):
        start, end = across.px([each.from_s, each.until_s]).tolist()
        yield rect(start, TOP - 6, max(1.5, end - start), ground - TOP + 8, fill=palette.PALE, stroke=palette.LINE)
        words = fit(f"rebalance: {each.reason}", across.end - start, size=11)
        yield label(start, TOP - 10 - 13 * (place % 2), words, size=11, more=HALO)


def _bar(span: Span, y: float, across: Axis, members: list[str]) -> str:
    start, end = across.px([span.from_s, span.until_s]).tolist()
    colour = COLOURS[members.index(span.member) % len(COLOURS)]
    bar = rect(start, y + 2, max(1.0, end - start), ROW - 4, fill=colour, stroke=palette.INK)
    ink = max((palette.BLACK, palette.GROUND), key=lambda each: palette.contrast(each, colour))
    if end - start > 14:
        words = fit(span.member, end - start - 6, size=10.5) if end - start > 40 else span.member[-2:].lstrip("/")
        bar += label(start + 4, y + 13, words, size=10.5, fill=ink)
    if span.ended == "died":
        bar += palette.mark("crashed", 5, x=end, y=y + ROW / 2)
    return bar


def _ticks(run: Run, group: str, across: Axis, rows: Mapping[str, int]) -> Iterator[str]:
    """A tick for each pixel in which a record of a partition was begun."""
    lanes = [place for place, lane in enumerate(run.lanes) if lane.group == group]
    for lane in lanes:
        where = run.log.placements[lane]() if lane in run.log.placements else {}
        mine = run.deliveries.rows((run.deliveries.lane == lane) & np.isfinite(run.deliveries.started_s))
        columns: dict[str, set[float]] = {}
        for number, x in zip(mine.number.tolist(), across.px(mine.started_s).tolist(), strict=True):
            topic, place = where.get(number, ("", -1))
            if across.start < x < across.end:
                columns.setdefault(f"{topic}-{place}", set()).add(round(x, 0))
        for partition, pixels in columns.items():
            if partition in rows:
                bottom = short(TOP + ROW * rows[partition] + ROW - 2)
                yield line("".join(f"M{short(x)},{bottom}v-4" for x in sorted(pixels)), width=0.8)


def _sentences(spans: tuple[Span, ...], rebalances: tuple[Rebalance, ...], still: Mapping[str, float]) -> Iterator[str]:
    for each in rebalances:
        took_s = say(each.until_s - each.from_s)
        yield f"Rebalance from {each.from_s:.3f} s to {each.until_s:.3f} s ({took_s} s): {each.reason}."
    for partition, gap_s in still.items():
        had = [
            f"{span.member} {span.from_s:.3f} to {span.until_s:.3f} s ({span.ended})"
            for span in spans
            if span.partition == partition
        ]
        yield f"{partition}: {'; '.join(had) or 'nobody'}; stood still for {say(gap_s)} s."
