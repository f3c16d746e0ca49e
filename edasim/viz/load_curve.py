"""Wait against load: theory's curve, and the learner's own point on it or beside it.

The curve comes from the caller (`edasim.theory` has the formulas); nothing is computed here. A point at a load of 1 or
more stands right of a dashed line, since no steady state exists there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import checks
from ..errors import ConfigurationError
from . import palette
from .chart import HALO, Axis, Floats, Scale, axis_across, axis_up, curve_line, nice
from .picture import Picture
from .svg import area, document, label, line, say, short

WIDTH, HEIGHT, LEFT, RIGHT, TOP, GROUND = 480.0, 364.0, 58.0, 18.0, 34.0, 310.0

Point = tuple[float, float]
"""A load (0 to 1) and a mean wait in seconds."""


def wait_against_load_svg(
    curve: Sequence[Point],
    point: Point,
    pinned: Point | None = None,
    *,
    interval_s: tuple[float, float] | None = None,
    scale: Scale | str = Scale.LINEAR,
) -> Picture:
    """Theory's `curve` of (load, wait in seconds), the present `point`, and a `pinned` one to compare with.

    `interval_s` is the confidence interval of the point's wait. On a logarithmic scale waits of zero are drawn at the
    bottom. Raises `ConfigurationError` for a curve of fewer than two points or values that are not finite.
    """
    loads, waits = _columns(curve)
    now, kept = _point("point", point), None if pinned is None else _point("pinned", pinned)
    chosen: Scale = checks.check_word(Scale)("scale", scale)
    marked = [p for p in (now, kept) if p is not None]
    across = Axis(0.0, max(1.0, *(p[0] for p in marked)), LEFT, WIDTH - RIGHT, "load", "share of time busy")
    expected = [float(np.interp(now[0], loads, waits))] if loads[0] <= now[0] <= loads[-1] else []
    up = _wait_axis(waits, [p[1] for p in marked] + list(interval_s or ()) + expected, chosen)
    inside = waits <= up.high * 1.3
    parts = [
        axis_across(across, GROUND, grid_to=TOP),
        axis_up(up, LEFT, grid_to=across.end),
        curve_line(loads[inside], waits[inside], across, up),
        label(LEFT + 12, TOP + 14, "line: theory; ◇: theory at this load", more=HALO, fill=palette.QUIET),
    ]
    if across.high > 1.0:
        full = float(across.px([1.0])[0])
        parts.append(line(f"M{short(full)},{short(GROUND)}V{short(TOP)}", dash="4 3"))
        parts.append(label(full + 5, GROUND - 8, "no steady wait from here on", size=11, more=HALO))
    if kept is not None:
        parts += _mark(kept, across, up, "pinned", palette.SLATE)
    if interval_s is not None:
        x, (low, high) = float(across.px([now[0]])[0]), up.px(interval_s).tolist()
        a, b, left = short(low), short(high), short(x - 6)
        parts.append(line(f"M{left},{a}h12M{short(x)},{a}V{b}M{left},{b}h12", width=2))
    parts += _mark(now, across, up, "now", palette.role("message").colour)
    for wait_s in expected:
        x, y = float(across.px([now[0]])[0]), float(up.px([wait_s])[0])
        diamond = f"M{short(x)},{short(y - 6)}l6,6l-6,6l-6-6Z"
        parts.append(area(diamond, fill=palette.GROUND, stroke=palette.INK, more=' stroke-width="2"'))
    alt = f"Wait against load: load {say(now[0])}, wait {say(now[1])} s"
    text = _sentence(loads, waits, now, kept, interval_s)
    return Picture(svg=document(WIDTH, HEIGHT, parts, alt), alt=alt, text=text)


def _columns(curve: Sequence[Point]) -> tuple[Floats, Floats]:
    points = np.asarray(curve, dtype=np.float64)
    if points.ndim != 2 or points.shape[0] < 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ConfigurationError(
            "curve is no list of points",
            field="curve",
            value=curve,
            remedy="give at least two (load, wait in s), finite",
        )
    points = points[np.argsort(points[:, 0], kind="stable")]
    return points[:, 0], points[:, 1]


def _point(field: str, point: Point) -> Point:
    load, wait_s = point
    return checks.check_non_negative(f"{field} load", load), checks.check_non_negative(f"{field} wait_s", wait_s)


def _wait_axis(waits: Floats, marked: list[float], scale: Scale) -> Axis:
    most = max(1.25 * max(marked), float(np.quantile(waits, 0.8)), 1e-9)
    if scale is Scale.LOG:
        positive = waits[waits > 0]
        least = min([float(positive.min()) if len(positive) else most / 100] + [m for m in marked if m > 0])
        low, high = 10 ** np.floor(np.log10(least)), 10 ** np.ceil(np.log10(max(most, float(waits.max()))))
        return Axis(float(max(low, high / 1e6)), float(high), GROUND, TOP, "mean wait", "s", Scale.LOG)
    return Axis(0.0, nice(most / 4) * 4, GROUND, TOP, "mean wait", "s")


def _mark(point: Point, across: Axis, up: Axis, words: str, colour: str) -> list[str]:
    """A ringed dot with its name and wait; the pinned one is hollow."""
    x, y = float(across.px([point[0]])[0]), float(up.px([point[1]])[0])
    fill = colour if words == "now" else palette.GROUND
    side, shift = ("end", -12.0) if x > (LEFT + WIDTH) / 2 else ("start", 12.0)
    return [
        f'<circle cx="{short(x)}" cy="{short(y)}" r="7" fill="{fill}" stroke="{palette.INK}" stroke-width="2"'
        + ("" if words == "now" else ' stroke-dasharray="3 2"')
        + "/>",
        label(x + shift, y - 6, f"{words}: {say(point[1])} s at load {say(point[0])}", anchor=side, more=HALO),
    ]


def _sentence(
    loads: Floats,
    waits: Floats,
    now: Point,
    kept: Point | None,
    interval_s: tuple[float, float] | None,
) -> str:
    said = f"At load {say(now[0])} the mean wait is {say(now[1])} s"
    if interval_s is not None:
        said += f" (interval {say(interval_s[0])} to {say(interval_s[1])} s)"
    if loads[0] <= now[0] <= loads[-1]:
        said += f"; theory says {say(float(np.interp(now[0], loads, waits)))} s"
    if kept is not None:
        said += f"; pinned: {say(kept[1])} s at load {say(kept[0])}"
    return said + "."
