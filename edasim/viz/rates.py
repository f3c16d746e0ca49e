"""Arrivals over time: how many came in each of many equal windows, over their mean, for several recordings.

Each recording has a row of its own, from its first to its last arrival, all on one scale. Where `load` is given, a
dashed line shows what a server with that mean load can do in a window; what is above, in red, piles up. Left out:
dates, and what chance alone does to counts (a Poisson process has a row like any other).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .. import checks
from ..errors import ConfigurationError
from . import palette
from .chart import HALO, Axis, Floats, axis_across, bars
from .picture import Picture
from .svg import document, label, line, say, short

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

WIDTH, LEFT, RIGHT, TOP, ROW, GAP, FOOT = 640.0, 52.0, 16.0, 30.0, 64.0, 28.0, 44.0
WINDOWS, HIGHEST = 168, 3.0
SPANS = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"))


def rates_svg(recorded: Mapping[str, ArrayLike], load: float | None = None) -> Picture:
    """Arrivals in 168 equal windows over their mean, a row per recording; `recorded` has its instants in seconds.

    `load` is the mean load of the server that is to serve them. Raises `ConfigurationError` for recordings of fewer
    than two instants or of no length.
    """
    capacity = (
        None if load is None else 1.0 / checks.number("load", load, low=0.0, open_low=True, what="a load above 0")
    )
    rows = {name: _relative(name, instants) for name, instants in recorded.items()}
    if not rows:
        raise checks.refuse("recorded", recorded, "give at least one recording")
    across = Axis(0.0, 100.0, LEFT, WIDTH - RIGHT, "from the first to the last arrival", "% of the time")
    parts: list[str] = []
    for number, (name, (counts, length_s)) in enumerate(rows.items()):
        bottom = TOP + number * (ROW + GAP) + ROW
        up = Axis(0.0, HIGHEST, bottom, bottom - ROW, "")
        parts += _row(f"{name}, {_length(length_s)}", counts, across, up, capacity)
    bottom = TOP + len(rows) * (ROW + GAP) - GAP
    parts.append(axis_across(across, bottom))
    alt = f"Arrivals over time, in windows over their mean: {', '.join(rows)}"
    text = "\n".join(_sentence(name, counts, length_s, capacity) for name, (counts, length_s) in rows.items())
    return Picture(svg=document(WIDTH, bottom + FOOT, parts, alt), alt=alt, text=text)


def _relative(name: str, instants: ArrayLike) -> tuple[Floats, float]:
    """Counts over their mean, and the length in seconds."""
    times_s = np.asarray(instants, dtype=np.float64)
    if times_s.ndim != 1 or len(times_s) <= 1 or not np.isfinite(times_s).all() or np.ptp(times_s) <= 0.0:
        problem = f"the recording {name!r} has shape {times_s.shape} and no length"
        raise ConfigurationError(problem, field=f"recorded[{name!r}]", remedy="give two or more finite instants")
    counts, _ = np.histogram(times_s, bins=WINDOWS)
    return counts / counts.mean(), float(np.ptp(times_s))


def _row(title: str, counts: Floats, across: Axis, up: Axis, capacity: float | None) -> list[str]:
    edges = np.linspace(across.low, across.high, WINDOWS + 1)
    served = counts if capacity is None else np.minimum(counts, capacity)
    parts = [
        bars(edges, counts, across, up, fill=palette.VERMILLION),
        bars(edges, served, across, up, fill=palette.role("message").colour),
        label(LEFT, up.end - 8, title, more=HALO),
        line(f"M{short(LEFT)},{short(up.start)}H{short(across.end)}", stroke=palette.SLATE),
    ]
    for times in (1.0, up.high):
        level = float(up.px([times])[0])
        parts.append(label(LEFT - 6, level + 4, f"{times:g} ×", size=11, anchor="end", fill=palette.QUIET))
    if capacity is not None:
        height = float(up.px([capacity])[0])
        parts.append(line(f"M{short(LEFT)},{short(height)}H{short(across.end)}", dash="6 4", width=1.5))
        parts.append(label(across.end, height - 6, "can be served", size=11, anchor="end", more=HALO))
    peak = int(counts.argmax())
    if counts[peak] > up.high:
        at = float(across.px([edges[peak]])[0])
        side, shift = ("end", -6.0) if at > WIDTH / 2 else ("start", 10.0)
        parts.append(label(at + shift, up.end + 10, f"{counts[peak]:.1f} ×", anchor=side, more=HALO))
    return parts


def _length(length_s: float) -> str:
    for seconds, name in SPANS:
        if length_s >= 2 * seconds:
            return f"{say(length_s / seconds)} {name}"
    return f"{say(length_s)} s"


def _sentence(name: str, counts: Floats, length_s: float, capacity: float | None) -> str:
    said = (
        f"{name}, {_length(length_s)}: of {WINDOWS} windows the calmest has {say(float(counts.min()))} times the mean, "
    )
    said += f"the busiest {say(float(counts.max()))} times"
    if capacity is not None:
        said += f"; {100 * float((counts > capacity).mean()):.0f} % bring more than can be served"
    return said + "."
