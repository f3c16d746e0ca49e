"""Two settings under the same luck: the difference of each pair of runs, and the interval of their mean.

Made for a lab's pinned setting beside the present one. Zero is a dashed line: an interval that holds it justifies no
verdict. Left out: computing the interval, and whether more is better.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import checks
from . import palette
from .chart import HALO, Axis, axis_across, post, whisker
from .dots import RADIUS, stacked
from .picture import Picture
from .svg import document, say, short
from .svg import label as words_at

WIDTH, LEFT, RIGHT, PITCH = 480.0, 28.0, 28.0, 2 * RADIUS + 2


def compared_svg(
    differences: Sequence[float],
    interval: tuple[float, float],
    label: str,
    unit: str = "",
    names: tuple[str, str] = ("now", "pinned"),
    *,
    more: str = "",
) -> Picture:
    """One dot for each difference of a pair (first name minus second, in `unit`), zero, and the `interval` below.

    `more` is a sentence for the end of the text. Raises `ConfigurationError` for differences that are not finite.
    """
    kept = np.asarray(differences, dtype=np.float64)
    if kept.ndim != 1 or not len(kept) or not np.isfinite(kept).all():
        raise checks.refuse("differences", differences, "give at least one finite number")
    drawn = [*kept.tolist(), *interval, 0.0]
    room = 0.08 * (max(drawn) - min(drawn)) or 1.0
    across = Axis(min(drawn) - room, max(drawn) + room, LEFT, WIDTH - RIGHT, f"{label}, {' minus '.join(names)}", unit)
    heights = stacked(across.px(kept))
    ground = 58 + max(heights) * PITCH
    x = float(across.px([0.0])[0])
    parts = [
        axis_across(across, ground + 42),
        post(x, 22, ground + 42, "no difference", anchor="start" if x < WIDTH / 2 else "end"),
    ]
    dot = palette.role("message").colour
    for at, height in zip(across.px(kept).tolist(), heights, strict=True):
        where = f'cx="{short(at)}" cy="{short(ground - height * PITCH)}" r="{RADIUS:g}"'
        parts.append(f'<circle {where} fill="{dot}" fill-opacity=".75" stroke="{palette.INK}"/>')
    parts.append(whisker(*interval, across, ground + 24))
    parts.append(palette.mark("waiting", 6, x=float(across.px([kept.mean()])[0]), y=ground + 24))
    verdict = verdict_of(interval, names)
    parts.append(words_at(LEFT, 16, f"{len(kept)} pairs: {verdict}", more=HALO))
    alt = f"{label}, {names[0]} minus {names[1]}, {len(kept)} pairs: {verdict}"
    said = f"{label[:1].upper()}{label[1:]}, {names[0]} minus {names[1]}, {len(kept)} pairs with the same seeds: mean "
    said += f"{say(float(kept.mean()))} {unit}".rstrip() + f", interval {say(interval[0])} to {say(interval[1])}: "
    return Picture(svg=document(WIDTH, ground + 84, parts, alt), alt=alt, text=f"{said}{verdict}. {more}".rstrip())


def verdict_of(interval: tuple[float, float], names: tuple[str, str]) -> str:
    """What the interval justifies: no verdict if zero is inside."""
    low, high = interval
    if low == high == 0.0:
        return "no pair differs"
    if low <= 0.0 <= high:
        return "zero is inside, no verdict"
    return f"zero is outside, {names[0]} is {'higher' if low > 0 else 'lower'}"
