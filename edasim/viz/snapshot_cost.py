"""The price of snapshots: what writing them costs, what questions cost without them, and the sum, over their distance.

The curves come from the caller; nothing is computed here. Both scales are logarithmic, so the lowest point of the sum
is where the two other lines cross. Left out: the room that snapshots take.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import checks
from . import palette
from .chart import HALO, Axis, Scale, axis_across, axis_up, curve_line
from .picture import Picture
from .svg import document, label, line, say, short

WIDTH, HEIGHT, LEFT, RIGHT, TOP, GROUND = 780.0, 350.0, 70.0, 760.0, 54.0, 296.0


def snapshot_cost_svg(
    intervals: Sequence[float],
    writing_s: Sequence[float],
    asking_s: Sequence[float],
    point: tuple[float, float],
    *,
    title: str,
    pinned: tuple[float, float] | None = None,
) -> Picture:
    """Seconds for `writing_s` and `asking_s` at each of `intervals` (events between snapshots), and their sum.

    `point` is the learner's interval with what it was measured to cost, `pinned` another one to compare with. Raises
    `ConfigurationError` for values that are not positive or of different lengths.
    """
    k, writing, asking = (np.asarray(each, dtype=np.float64) for each in (intervals, writing_s, asking_s))
    if not (len(k) == len(writing) == len(asking) > 1) or min(k.min(), writing.min(), asking.min()) <= 0:
        raise checks.refuse("intervals", len(k), "give as many positive costs as intervals, at least two")
    total = writing + asking
    best = int(total.argmin())
    low = 10 ** np.floor(np.log10(max(total.min() / 20, min(writing.min(), asking.min()))))
    high = 10 ** np.ceil(np.log10(max(total.max(), point[1], 0.0 if pinned is None else pinned[1])))
    across = Axis(float(k.min()), float(k.max()), LEFT, RIGHT, "events between two snapshots", "", Scale.LOG)
    up = Axis(float(low), float(high), GROUND, TOP, "seconds per day", "s", Scale.LOG)
    busy, waiting = palette.role("message").colour, palette.role("failed").colour
    parts = [
        label(12, 22, title, size=14, more=' font-weight="600"'),
        axis_across(across, GROUND, grid_to=TOP),
        axis_up(up, LEFT, grid_to=RIGHT),
        curve_line(k[writing >= low], writing[writing >= low], across, up, colour=busy, dash="6 3"),
        curve_line(k[asking >= low], asking[asking >= low], across, up, colour=waiting, dash="2 3"),
        curve_line(k, total, across, up),
    ]
    x, y = float(across.px([k[best]])[0]), float(up.px([total[best]])[0])
    parts.append(line(f"M{short(x)},{short(GROUND)}V{short(y)}", dash="4 3"))
    parts += _names(k, writing, asking, across, up)
    parts.append(label(x + 5, GROUND - 8, f"cheapest: {say(float(k[best]))}", size=12, more=HALO))
    if pinned is not None:
        parts += _dot(pinned, across, up, "pinned", palette.GROUND, left_of=float(k[best]))
    parts += _dot(point, across, up, "now", busy, left_of=float(k[best]))
    alt = f"{title}: a snapshot every {say(point[0])} events costs {say(point[1])} s per day"
    text = f"{alt}; the cheapest distance is about {say(float(k[best]))} events, {say(float(total[best]))} s per day."
    for name, costs in (("Writing snapshots", writing), ("Answering questions", asking)):
        text += f"\n{name}: {say(float(costs[0]))} s at {say(float(k[0]))} events, {say(float(costs[-1]))} s at"
        text += f" {say(float(k[-1]))}."
    if pinned is not None:
        text += f"\nPinned: every {say(pinned[0])} events, {say(pinned[1])} s per day."
    return Picture(svg=document(WIDTH, HEIGHT, parts, alt), alt=alt, text=text)


def _names(
    k: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    writing: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    asking: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    across: Axis,
    up: Axis,
) -> list[str]:
    """The curves' names, below the valley, so that the dots and their words have the room above it."""
    parts = []
    for costs, place, words in (
        (writing, -len(k) // 4, "writing snapshots (dashed)"),
        (asking, len(k) // 6, "answering questions (dotted)"),
    ):
        x, y = float(across.px([k[place]])[0]), float(up.px([costs[place]])[0])
        anchor, shift = ("end", -10.0) if costs is writing else ("start", 14.0)
        parts.append(label(x + shift, min(y + 14, GROUND - 24), words, size=12, anchor=anchor, more=HALO))
    return parts


def _dot(point: tuple[float, float], across: Axis, up: Axis, words: str, fill: str, *, left_of: float) -> list[str]:
    """A ringed dot with its words above the valley: right of a dot on the falling arm, else left of it."""
    x, y = float(across.px([point[0]])[0]), float(up.px([point[1]])[0])
    anchor, shift = ("start", 12.0) if point[0] < left_of else ("end", -12.0)
    dash = "" if words == "now" else ' stroke-dasharray="3 2"'
    return [
        f'<circle cx="{short(x)}" cy="{short(y)}" r="7" fill="{fill}" stroke="{palette.INK}" stroke-width="2"{dash}/>',
        label(x + shift, y - 16, f"{words}: every {say(point[0])}, {say(point[1])} s", anchor=anchor, more=HALO),
    ]
