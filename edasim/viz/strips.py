"""Strips: several levels over one time axis, one under the other, with outages and a cursor across all of them.

A level is a step function, such as how many messages a queue holds. Each strip has its own scale, from 0 to its peak,
so that a level of one is seen beside a level of a hundred; the peak stands at its left. Left out: negative levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from . import palette
from .chart import HALO, Axis, Floats, axis_across, step_columns, step_line
from .svg import STAMP, area, fit, label, line, polyline, rect, say, short

TOP, HEIGHT, GAP, FOOT = 50.0, 44.0, 16.0, 42.0


@dataclass(frozen=True)
class Strip:
    """A level over time: `levels[i]` from `times_s[i]` (ascending seconds) on, 0 before; `role` of the palette fills
    it.

    `note` stands at the right end above the strip. `pinned` is a level to compare with, drawn as a grey area behind.
    """

    name: str
    times_s: Floats
    levels: Floats
    role: str = "waiting"
    note: str = ""
    pinned: tuple[Floats, Floats] | None = None

    def at(self, at_s: float) -> float:
        """The level at an instant."""
        place = int(np.searchsorted(self.times_s, at_s, side="right"))
        return float(self.levels[place - 1]) if place else 0.0

    def peak(self, from_s: float, until_s: float) -> float:
        """The highest level between two instants."""
        inside = (self.times_s > from_s) & (self.times_s <= until_s)
        return max(self.at(from_s), float(self.levels[inside].max(initial=0.0)))

    def mean(self, from_s: float, until_s: float) -> float:
        """The mean level over time between two instants."""
        inside = (self.times_s > from_s) & (self.times_s < until_s)
        edges = np.concatenate([[from_s], self.times_s[inside], [until_s]])
        levels = np.concatenate([[self.at(from_s)], self.levels[inside]])
        return float(np.sum(levels * np.diff(edges)) / (until_s - from_s))


def height_of(strips: Sequence[Strip]) -> float:
    """Pixels that the strips need, with their axis."""
    return TOP + len(strips) * (HEIGHT + GAP) + FOOT


def draw(
    strips: Sequence[Strip], across: Axis, outages: Mapping[str, Sequence[tuple[float, float]]], state: str = "down"
) -> list[str]:
    """SVG of the strips from the top of the picture on; their names stand left of the axis.

    `outages` are spans in seconds by the name of who was down, or in another `state`.
    """
    bottom = TOP + len(strips) * (HEIGHT + GAP) - GAP
    parts = [f"<defs>{palette.pattern('down', STAMP + 'down')}</defs>"]
    for number, strip in enumerate(strips):
        parts += _strip(strip, across, TOP + number * (HEIGHT + GAP))
    parts += _bands(outages, across, bottom, state)
    return [*parts, axis_across(across, bottom)]


def cursor(across: Axis, at_s: float, strips: Sequence[Strip]) -> list[str]:
    """A line at an instant, with the level of each strip beside it."""
    x = float(across.px([at_s])[0])
    bottom = TOP + len(strips) * (HEIGHT + GAP) - GAP
    parts = [
        line(f"M{short(x)},{short(TOP - 24)}V{short(bottom)}", width=2),
        area(f"M{short(x - 5)},{short(TOP - 29)}h10l-5,7Z", fill=palette.INK),
        label(x, TOP - 34, f"{at_s:.3f} s", size=11.5, anchor="middle", more=HALO),
    ]
    for number, strip in enumerate(strips):
        y = TOP + number * (HEIGHT + GAP) + HEIGHT / 2 + 4
        parts.append(label(x + 6, y, say(strip.at(at_s)), size=13, more=f' font-weight="600"{HALO}'))
    return parts


def _strip(strip: Strip, across: Axis, top: float) -> list[str]:
    ground = top + HEIGHT
    peak = strip.peak(across.low, across.high)
    if strip.pinned is not None:
        peak = max(peak, Strip(strip.name, *strip.pinned).peak(across.low, across.high))
    up = Axis(0.0, max(1.0, peak), ground, top, strip.name)
    inside = strip.times_s <= across.high
    times_s, levels = strip.times_s[inside], strip.levels[inside]
    begun = times_s >= across.low
    before = strip.at(across.low)
    parts = [
        rect(across.start, top, across.end - across.start, HEIGHT, fill=palette.PANEL),
        label(12, top + 18, fit(strip.name, across.start - 46, size=12.5), size=12.5, more=' font-weight="600"'),
        label(across.start - 6, top + 9, say(max(1.0, peak)), size=10.5, anchor="end", fill=palette.QUIET),
        label(across.start - 6, ground, "0", size=10.5, anchor="end", fill=palette.QUIET),
        "" if strip.pinned is None else _grey(strip.pinned, across, up),
        step_line(times_s[begun], levels[begun], across, up, role=strip.role, before=before),
        line(f"M{short(across.start)},{short(ground)}H{short(across.end)}", stroke=palette.SLATE),
    ]
    if strip.note:
        parts.append(label(across.end, top - 4, strip.note, size=11, anchor="end", fill=palette.QUIET, more=HALO))
    return parts


def _grey(pinned: tuple[Floats, Floats], across: Axis, up: Axis) -> str:
    """A level to compare with, as a grey area behind the other."""
    times_s, levels = pinned
    inside = times_s <= across.high
    x, y = step_columns(times_s[inside], levels[inside], across)
    ground = short(float(up.px(0.0)))
    return area(
        f"{polyline(x, up.px(y))}V{ground}H{short(across.start)}Z", fill=palette.SLATE, more=' fill-opacity=".45"'
    )


def _bands(outages: Mapping[str, Sequence[tuple[float, float]]], across: Axis, bottom: float, state: str) -> list[str]:
    parts = []
    spans: dict[tuple[float, float], list[str]] = {}
    for name, times_s in outages.items():
        for span in times_s:
            spans.setdefault(span, []).append(name)
    for (from_s, until_s), names in sorted(spans.items()):
        start, end = across.px([from_s, until_s]).tolist()
        words = f"{' and '.join(names)} {state}"
        parts += [
            rect(
                start,
                TOP - 3,
                max(2.0, end - start),
                bottom - TOP + 3,
                fill=f"url(#{STAMP}down)",
                more=' opacity=".18"',
            ),
            label(start, TOP - 8, words, size=11.5, more=HALO),
        ]
    return parts
