"""The warm-up of a queue: the wait by message number, averaged over many runs that all started empty.

Drawn in SVG from one averaged value per message. The cut is the caller's, for example by `theory.mser5` (SO-03);
nothing is decided here. Left out: the spread of the runs around their average.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .. import checks
from . import palette
from .chart import HALO, Axis, axis_across, axis_up, curve_line, nice, post
from .picture import Picture
from .svg import document, label, line, rect, say, short

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

WIDTH, HEIGHT, LEFT, RIGHT, TOP, GROUND, POINTS = 640.0, 280.0, 58.0, 18.0, 34.0, 226.0, 120


def warm_up_svg(waits_s: ArrayLike, cut: int, truth_s: float | None = None) -> Picture:
    """The averaged waits (seconds, one per message number), the warm-up that is cut off, and the truth if it is known.

    The line shows means of neighbours, about 120 points whatever the number of messages. Raises `ConfigurationError`
    for fewer than two waits, for waits that are not finite, and for a cut that leaves nothing.
    """
    waits = np.asarray(waits_s, dtype=np.float64)
    if waits.ndim != 1 or len(waits) <= 1 or not np.isfinite(waits).all():
        raise checks.refuse("waits_s", f"an array of shape {waits.shape}", "give two or more finite waits")
    cut = checks.check_whole(0, len(waits) - 1)("cut", cut)
    step = max(1, len(waits) // POINTS)
    means = waits[: len(waits) // step * step].reshape(-1, step).mean(axis=1)
    across = Axis(0.0, float(len(waits)), LEFT, WIDTH - RIGHT, "message number")
    top = max(float(means.max()), truth_s or 0.0, 1e-9)
    step_s = nice(top / 6)
    up = Axis(0.0, math.ceil(top / step_s) * step_s, GROUND, TOP, "wait, averaged over the runs", "s")
    edge = float(across.px([cut])[0])
    parts = [
        rect(LEFT, TOP, edge - LEFT, GROUND - TOP, fill=palette.PALE),
        axis_across(across, GROUND),
        axis_up(up, LEFT, grid_to=across.end),
        curve_line((np.arange(len(means)) + 0.5) * step, means, across, up, colour=palette.BLUE),
        post(edge, GROUND - 26, GROUND, f"warm-up: the first {cut:,}"),
    ]
    after = float(waits[cut:].mean())
    said = (
        f"Waits of {len(waits):,} messages, averaged over runs that started empty: the first {step:,} wait "
        f"{say(float(means[0]))} s on average; after a warm-up of {cut:,} messages the mean is {say(after)} s"
    )
    if truth_s is not None:
        y = float(up.px([truth_s])[0])
        parts.append(line(f"M{short(LEFT)},{short(y)}H{short(across.end)}", width=1.5, dash="6 4"))
        parts.append(label(LEFT + 6, y - 7, f"theory {say(truth_s)} s", more=HALO))
        said += f"; theory says {say(truth_s)} s"
    alt = f"Wait by message number: it starts near {say(float(means[0]))} s and settles near {say(after)} s"
    return Picture(svg=document(WIDTH, HEIGHT, parts, alt), alt=alt, text=said + ".")
