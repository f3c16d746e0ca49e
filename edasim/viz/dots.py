"""Dots of repeats: each repetition as one dot, their interval, and the truth where it is known.

Made for "ten seeds": what one run says beside what all of them say. Left out: computing the interval, which is the
business of `edasim.experiments`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import checks
from . import palette
from .chart import HALO, Axis, Floats, axis_across, post, whisker
from .picture import Picture
from .svg import document, say, short
from .svg import label as text_label

WIDTH, LEFT, RIGHT, RADIUS = 480.0, 28.0, 28.0, 6.0


def dots_svg(
    values: Sequence[float],
    interval: tuple[float, float] | None = None,
    truth: float | None = None,
    label: str = "value",
    unit: str = "",
) -> Picture:
    """One dot per value, the `interval` of their mean as a bar below, and the `truth` as a dashed line.

    Values are in `unit`, named by `label`; the axis shows negative numbers only if there are any.

    Raises `ConfigurationError` for no values or values that are not finite.
    """
    kept = np.asarray(values, dtype=np.float64)
    if kept.ndim != 1 or not len(kept) or not np.isfinite(kept).all():
        raise checks.refuse("values", values, "give at least one finite number")
    drawn = [*kept.tolist(), *(interval or ()), *(() if truth is None else (truth,))]
    low, high = min(drawn), max(drawn)
    room = 0.08 * (high - low) or 0.5 * abs(high) or 1.0
    start = low - room if low < 0 else max(0.0, low - room)
    across = Axis(start, high + room, LEFT, WIDTH - RIGHT, label, unit)
    heights = stacked(across.px(kept))
    tallest = max(heights)
    ground = 58 + tallest * (2 * RADIUS + 2)
    parts = [axis_across(across, ground + 42)]
    if truth is not None:
        x = float(across.px([truth])[0])
        anchor = "start" if x < WIDTH / 2 else "end"
        parts.append(post(x, 22, ground + 42, f"truth {say(truth)}", anchor=anchor))
    dot = palette.role("message").colour
    for x, height in zip(across.px(kept).tolist(), heights, strict=True):
        y = ground - height * (2 * RADIUS + 2)
        where = f'cx="{short(x)}" cy="{short(y)}" r="{RADIUS:g}"'
        parts.append(f'<circle {where} fill="{dot}" fill-opacity=".75" stroke="{palette.INK}"/>')
    mean = float(kept.mean())
    if interval is not None:
        parts.append(whisker(*interval, across, ground + 24))
    parts.append(palette.mark("waiting", 6, x=float(across.px([mean])[0]), y=ground + 24))
    parts.append(text_label(LEFT, 18, f"{_repeats(len(kept))}, mean {say(mean)}", more=HALO))
    alt = f"{_repeats(len(kept))} of {label}: mean {say(mean)} {unit}".rstrip()
    text = _sentence(kept, mean, interval, truth, label, unit)
    return Picture(svg=document(WIDTH, ground + 84, parts, alt), alt=alt, text=text)


def _repeats(count: int) -> str:
    return f"{count} repeat" if count == 1 else f"{count} repeats"


def stacked(x: Floats) -> list[int]:
    """For each dot the lowest level at which it does not cover another."""
    levels = [0] * len(x)
    last: list[float] = []
    for i in np.argsort(x, kind="stable").tolist():
        level = next((k for k, end in enumerate(last) if x[i] - end >= 2 * RADIUS), len(last))
        if level == len(last):
            last.append(0.0)
        last[level] = float(x[i])
        levels[i] = level
    return levels


def _sentence(
    values: Floats,
    mean: float,
    interval: tuple[float, float] | None,
    truth: float | None,
    label: str,
    unit: str,
) -> str:
    named = f"{label} ({unit})" if unit else label
    low, high = say(float(values.min())), say(float(values.max()))
    said = f"{_repeats(len(values))} of {named}: from {low} to {high}, mean {say(mean)}"
    if interval is not None:
        said += f", interval {say(interval[0])} to {say(interval[1])}"
    if truth is not None:
        said += f"; the truth is {say(truth)}"
        if interval is not None:
            said += ", inside the interval" if interval[0] <= truth <= interval[1] else ", outside the interval"
    return said + "."
