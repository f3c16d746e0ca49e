"""Consumers over time: a row for each, with every message that it worked on, its crash, and its idle time.

A projection of the run log: a bar from a delivery's start to its end, in one colour for a first delivery and another,
striped, for one that was handed out before. Bars too narrow to be seen are joined, so the picture's size does not grow
with the number of messages. Left out: messages that nobody began.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .. import checks
from ..errors import UnknownNameError
from ..kernel import Run
from ..kernel.deliveries import Deliveries
from . import palette
from .chart import HALO, Axis, Floats, axis_across
from .picture import Picture
from .svg import STAMP, area, document, fit, label, line, rect, say, short

WIDTH, LEFT, TOP, ROW = 720.0, 96.0, 54.0, 22.0


@dataclass(frozen=True)
class Work:
    """What one consumer did in a window: messages begun, of these handed out before, the share of time at work."""

    consumer: str
    begun: int
    again: int
    busy_ratio: float
    crash_s: float | None

    @property
    def words(self) -> str:
        """Such as "workers/1: began 312, of which 7 were handed out before; at work 81 % of the time"."""
        before = f", of which {self.again} were handed out before" if self.again else ""
        died = "" if self.crash_s is None else f"; dies at {self.crash_s:.3f} s"
        return f"{self.consumer}: began {self.begun}{before}; at work {100 * self.busy_ratio:.0f} % of the time{died}"


def work_of(run: Run, from_s: float, until_s: float) -> tuple[Work, ...]:
    """What each consumer of a run did between two instants, by the consumers' names."""
    rows = run.deliveries
    crashes = {fact.subject: fact.time_s for fact in reversed(run.fact_list) if fact.kind == "node_crashed"}
    found = []
    for name in sorted(rows.consumers, key=_natural):
        place = rows.consumers.index(name)
        mine = _begun(rows.rows(rows.consumer == place), from_s, until_s)
        ended = np.minimum(np.nan_to_num(mine.finished_s, nan=until_s), until_s)
        busy_s = float(np.sum(ended - np.maximum(mine.started_s, from_s)))
        again = int((mine.attempt > 1).sum())
        found.append(Work(name, len(mine), again, busy_s / (until_s - from_s), crashes.get(name)))
    return tuple(found)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts "workers/2" before "workers/10"."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _begun(rows: Deliveries, from_s: float, until_s: float) -> Deliveries:
    return rows.rows((rows.started_s < until_s) & ~(rows.finished_s <= from_s))


def consumer_rows_svg(run: Run, from_s: float = 0.0, until_s: float | None = None, *, title: str = "") -> Picture:
    """Each consumer's work between two instants (None: the end of the run), with crashes.

    Raises `ConfigurationError` for an empty window, `UnknownNameError` if nobody consumes in this run.
    """
    end_s = run.ended_s if until_s is None else checks.check_positive("until_s", until_s)
    checks.check_positive("until_s", end_s - checks.check_non_negative("from_s", from_s))
    run.require_rows("the picture of consumers")
    if not run.deliveries.consumers:
        raise UnknownNameError("consumer", "any", ())
    works = work_of(run, from_s, end_s)
    across = Axis(from_s, end_s, LEFT, WIDTH - 16, "simulated time", "s")
    ground = TOP + ROW * len(works)
    again = sum(work.again for work in works)
    parts = [f"<defs>{palette.pattern('duplicated', STAMP + 'd')}{palette.pattern('down', STAMP + 'x')}</defs>"]
    parts += _legend(title, shows_again=bool(again))
    for place, work in enumerate(works):
        parts += _row(run.deliveries, work, across, TOP + ROW * place)
    parts.append(axis_across(across, ground))
    alt = f"{title + ': ' if title else ''}{len(works)} consumers from {say(from_s)} s to {say(end_s)} s"
    told = f"{again} {'message' if again == 1 else 'messages'} begun had been handed out before"
    text = "\n".join([f"{alt}; {told}.", *(f"{work.words}." for work in works)])
    return Picture(svg=document(WIDTH, ground + 40, parts, alt), alt=alt, text=text)


def _legend(title: str, *, shows_again: bool) -> Iterator[str]:
    yield label(12, 20, title or "who works when", more=' font-weight="600"')
    yield rect(12, 28, 16, 11, fill=palette.role("busy").colour, stroke=palette.INK)
    yield label(33, 38, "at work")
    if shows_again:
        yield rect(96, 28, 16, 11, fill=f"url(#{STAMP}d)", stroke=palette.INK)
        yield label(117, 38, "at work on what was handed out before")


def _row(rows: Deliveries, work: Work, across: Axis, y: float) -> Iterator[str]:
    yield rect(across.start, y + 2, across.end - across.start, ROW - 4, fill=palette.PANEL, stroke=palette.LINE)
    yield label(LEFT - 6, y + 15, fit(work.consumer, LEFT - 14, size=11.5), size=11.5, anchor="end")
    mine = _begun(rows.rows(rows.consumer == rows.consumers.index(work.consumer)), across.low, across.high)
    for again, fill in ((False, palette.role("busy").colour), (True, f"url(#{STAMP}d)")):
        chosen = mine.rows((mine.attempt > 1) == again)
        path = _bars(across.px(chosen.started_s), across.px(np.nan_to_num(chosen.finished_s, nan=across.high)), y)
        if path:
            yield area(path, fill=fill, stroke=palette.INK, more=' stroke-width=".35"')
    if work.crash_s is not None and across.low <= work.crash_s <= across.high:
        x = float(across.px([work.crash_s])[0])
        yield rect(x, y + 2, across.end - x, ROW - 4, fill=f"url(#{STAMP}x)", more=' opacity=".25"')
        yield line(f"M{short(x)},{short(y)}v{short(ROW)}", width=2)
        yield palette.mark("crashed", 5.5, x=x, y=y + ROW / 2)
        yield label(x + 10, y + 15, "dead", size=11, more=HALO)


def _bars(starts: Floats, ends: Floats, y: float) -> str:
    """Bars from start to end; those that would lie within half a pixel of the one before are joined with it."""
    path, bars = [], sorted(zip(starts.tolist(), ends.tolist(), strict=True))
    joined: list[list[float]] = []
    for start, end in bars:
        if joined and start <= joined[-1][1] + 0.5 and end - joined[-1][0] < 4.0:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, max(end, start + 0.4)])
    top, tall = short(y + 4), short(ROW - 8)
    for start, end in joined:
        path.append(f"M{short(start)},{top}H{short(end)}v{tall}H{short(start)}Z")
    return "".join(path)
