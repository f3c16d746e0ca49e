"""Small charts in SVG: axes with ticks and units, step lines, bars, dots and intervals.

Made for live pictures: coordinates are mapped with numpy and long step lines are reduced to what a pixel column can
show (its first, lowest, highest and last value), so a chart of any number of messages has the same size. Ticks at 1, 2
and 5 times powers of ten. Left out: dates, legends that place themselves, more than two scales.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import palette
from .svg import area, label, line, polyline, say, short

Floats = NDArray[np.float64]
DENSE_RATIO = 0.15
"""The share of its panel that an outline of one pixel would blacken, from which on it counts as dense."""


class Scale(enum.Enum):
    """How values become pixels."""

    LINEAR = "linear"
    LOG = "log"


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` laid on pixels from `start` to `end`, with a title and a unit."""

    low: float
    high: float
    start: float
    end: float
    title: str
    unit: str = ""
    scale: Scale = Scale.LINEAR

    def px(self, values: ArrayLike) -> Floats:
        """Pixels of values; values outside the axis are drawn at its ends."""
        inside = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        if self.scale is Scale.LOG:
            share = np.log(inside / self.low) / math.log(self.high / self.low)
        else:
            share = (inside - self.low) / (self.high - self.low)
        pixels: Floats = self.start + share * (self.end - self.start)
        return pixels

    def ticks(self, about: int = 5) -> list[float]:
        """Round values inside the axis, about so many."""
        if self.scale is Scale.LOG:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            return [10.0**p for p in powers if self.low <= 10.0**p * (1 + 1e-9) and 10.0**p <= self.high * (1 + 1e-9)]
        step = nice((self.high - self.low) / about)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(k * step, 12) for k in range(first, last + 1)]

    def words(self, ticks: Sequence[float]) -> list[str]:
        """Ticks as numbers for people, with as many decimals as tell them apart."""
        if self.scale is Scale.LOG or len(ticks) < 2:
            return [say(tick) for tick in ticks]
        decimals = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
        return [f"{tick:,.{decimals}f}" for tick in ticks]

    @property
    def name(self) -> str:
        """Title and unit, such as `wait (s)`."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


def nice(step: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `step`.

    >>> nice(0.3), nice(7.0), nice(20.0)
    (0.5, 10.0, 20.0)
    """
    power = 10.0 ** math.floor(math.log10(step))
    return next((round(k * power, 12) for k in (1.0, 2.0, 5.0) if k * power >= step * (1 - 1e-9)), 10.0 * power)


def axis_across(axis: Axis, y: float, *, grid_to: float | None = None, about: int = 6) -> str:
    """A horizontal axis at height `y` with ticks, numbers and name below, and grid lines up to `grid_to`."""
    parts = [line(f"M{short(axis.start)},{short(y)}H{short(axis.end)}", stroke=palette.SLATE)]
    ticks = axis.ticks(about)
    for words, x in zip(axis.words(ticks), axis.px(ticks).tolist(), strict=True):
        if grid_to is not None:
            parts.append(line(f"M{short(x)},{short(y)}V{short(grid_to)}", stroke=palette.PALE))
        parts.append(line(f"M{short(x)},{short(y)}v4", stroke=palette.SLATE))
        parts.append(label(x, y + 16, words, size=11, anchor="middle", fill=palette.QUIET))
    middle = (axis.start + axis.end) / 2
    return "".join(parts) + label(middle, y + 32, axis.name, size=12, anchor="middle")


def axis_up(axis: Axis, x: float, *, grid_to: float | None = None, about: int = 4) -> str:
    """A vertical axis at `x` with ticks and numbers left of it, its name above it, and grid lines to `grid_to`."""
    parts = []
    ticks = axis.ticks(about)
    for words, y in zip(axis.words(ticks), axis.px(ticks).tolist(), strict=True):
        if grid_to is not None:
            parts.append(line(f"M{short(x)},{short(y)}H{short(grid_to)}", stroke=palette.PALE))
        parts.append(label(x - 6, y + 4, words, size=11, anchor="end", fill=palette.QUIET))
    parts.append(label(x - 30, axis.end - 9, axis.name, size=12))
    return "".join(parts)


def step_columns(times: Floats, levels: ArrayLike, axis: Axis, *, before: float = 0.0) -> tuple[Floats, Floats]:
    """A step function reduced to pixel columns of `axis`: x in pixels, y in levels, to be joined by straight lines.

    The level is `before` until the first time and `levels[i]` from `times[i]` on. A column holds the level with
    which it begins, its lowest and highest, and the one with which it ends.
    """
    heights = np.asarray(levels, dtype=np.float64)
    if not len(times):
        return np.array([axis.start, axis.end]), np.array([before, before])
    column = np.floor(axis.px(times)).astype(np.int64)
    first = np.flatnonzero(np.append(True, column[1:] != column[:-1]))
    last = np.append(first[1:], len(times)) - 1
    entered = np.append(before, heights[last[:-1]])
    low = np.minimum(np.minimum.reduceat(heights, first), entered)
    high = np.maximum(np.maximum.reduceat(heights, first), entered)
    x = np.append(axis.start, np.repeat(np.maximum(column[first], axis.start), 4))
    y = np.append(before, np.column_stack([entered, high, low, heights[last]]).ravel())
    keep = np.append(True, (x[1:] != x[:-1]) | (y[1:] != y[:-1]))
    return np.append(x[keep], axis.end), np.append(y[keep], heights[-1])


def step_line(times: Floats, levels: ArrayLike, across: Axis, up: Axis, *, role: str, before: float = 0.0) -> str:
    """A step function as a filled outline in a role's colour; see `step_columns`.

    Where it goes up and down all the time the outline is thin and the filling strong, so that it does not turn black.
    """
    x, y = step_columns(times, levels, across, before=before)
    heights = up.px(y)
    path = polyline(x, heights)
    ground = short(float(up.px(up.low)))
    panel = abs((across.end - across.start) * (up.end - up.start))
    dense = float(np.abs(np.diff(heights)).sum()) > DENSE_RATIO * panel
    opacity, width = (0.6, 0.4) if dense else (0.3, 1.2)
    look = f' fill-opacity="{opacity}" stroke-width="{width}" stroke-linejoin="round"'
    return area(
        f"{path}V{ground}H{short(across.start)}Z", fill=palette.role(role).colour, stroke=palette.INK, more=look
    )


def curve_line(x: ArrayLike, y: ArrayLike, across: Axis, up: Axis, *, colour: str = palette.INK, dash: str = "") -> str:
    """A smooth line through points."""
    return line(polyline(across.px(x), up.px(y)), stroke=colour, width=2, dash=dash, more=' stroke-linejoin="round"')


def bars(edges: ArrayLike, heights: ArrayLike, across: Axis, up: Axis, *, fill: str) -> str:
    """Touching bars between edges, as one path; `fill` is a colour or `url(#pattern)`."""
    left = across.px(edges)
    top = np.repeat(up.px(heights), 2)
    sides = np.column_stack([left[:-1], left[1:]]).ravel()
    ground = float(up.px(up.low))
    x = np.concatenate([left[:1], sides, left[-1:]])
    y = np.concatenate([[ground], top, [ground]])
    return area(f"{polyline(x, y)}Z", fill=fill, stroke=palette.INK, more=' stroke-width=".7"')


def whisker(low: float, high: float, across: Axis, y: float, *, colour: str = palette.INK) -> str:
    """A horizontal interval with end caps at height `y`."""
    a, b = (short(float(value)) for value in across.px([low, high]))
    at = short(y)
    return line(f"M{a},{short(y - 6)}v12M{a},{at}H{b}M{b},{short(y - 6)}v12", stroke=colour, width=2)


def post(x: float, top: float, bottom: float, text: str, *, dash: str = "4 3", anchor: str = "start") -> str:
    """A vertical dashed line at pixel `x` with its text at the top."""
    shift = {"start": 4.0, "end": -4.0}.get(anchor, 0.0)
    words = label(x + shift, top + 9, text, size=11, anchor=anchor, more=HALO)
    return line(f"M{short(x)},{short(bottom)}V{short(top)}", dash=dash) + words


HALO = f' paint-order="stroke" stroke="{palette.GROUND}" stroke-width="3" stroke-linejoin="round"'
"""Attributes that put a white rim around text, so that lines behind it do not spoil it."""
