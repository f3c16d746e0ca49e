"""Waits of a real broker beside what models predict for them, message by message and on average.

Above: the messages around the largest error of the first model, so that it can be seen growing; below: the mean over
all messages, as bars. The choice of the window is stated in the picture's text. Left out: more than three models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .. import checks
from ..errors import ConfigurationError
from . import palette
from .chart import HALO, Axis, Floats, axis_across, axis_up, curve_line, nice
from .picture import Picture
from .svg import document, label, line, rect, say, short

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

WIDTH, LEFT, RIGHT, TOP, GROUND, BARS, BAR = 640.0, 58.0, 18.0, 34.0, 224.0, 288.0, 24.0
LOOKS = ((palette.VERMILLION, "7 4"), (palette.BLUE, ""), (palette.GREEN, "2 3"))
"""The colour and the dashes of each model, in order."""


def predicted_waits_svg(measured_s: ArrayLike, predicted_s: Mapping[str, ArrayLike], count: int = 160) -> Picture:
    """Measured waits (seconds, in order) as dots, and one line per model of `predicted_s`, named by its key.

    Shows `count` messages around the largest error of the first model, and the means over all messages. Raises
    `ConfigurationError` for no or more than three models, and for columns of different lengths or with values that are
    not finite.
    """
    measured = _column("measured_s", measured_s)
    models = {name: _column(name, values, len(measured)) for name, values in predicted_s.items()}
    if not 1 <= len(models) <= len(LOOKS):
        raise checks.refuse("predicted_s", list(models), f"give one to {len(LOOKS)} models")
    count = min(checks.check_whole(2)("count", count), len(measured))
    worst = int(np.argmax(np.abs(next(iter(models.values())) - measured)))
    first = max(0, min(worst - 3 * count // 4, len(measured) - count))
    window = slice(first, first + count)
    parts = [*_lines(measured, models, window), *_means(measured, models)]
    height = BARS + BAR * (1 + len(models)) + 14
    alt = f"Waits of {len(measured):,} messages, measured and predicted: {_mean_words(measured, models)}"
    text = "\n".join(_sentences(measured, models, window, worst))
    return Picture(svg=document(WIDTH, height, parts, alt), alt=alt, text=text)


def _column(field: str, values: ArrayLike, length: int | None = None) -> Floats:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1 or len(column) <= 1 or not np.isfinite(column).all():
        raise checks.refuse(field, f"an array of shape {column.shape}", "give one finite wait per message, at least 2")
    if length is not None and len(column) != length:
        raise ConfigurationError(
            f"{field} has {len(column)} waits", field=field, value=len(column), remedy=f"give {length}, as measured"
        )
    return column


def _lines(measured: Floats, models: Mapping[str, Floats], window: slice) -> list[str]:
    """The window, message by message: dots for what was measured, a line for each model, and their legend."""
    numbers = np.arange(window.start, window.stop)
    across = Axis(float(numbers[0]), float(numbers[-1]), LEFT, WIDTH - RIGHT, "message")
    top = max(float(column[window].max()) for column in (measured, *models.values()))
    up = Axis(0.0, nice(max(top, 1e-9) / 4) * 4, GROUND, TOP, "wait", "s")
    parts = [axis_across(across, GROUND), axis_up(up, LEFT, grid_to=across.end)]
    x = LEFT + 70
    for (name, waits), (colour, dash) in zip(models.items(), LOOKS, strict=False):
        parts.append(curve_line(numbers, waits[window], across, up, colour=colour, dash=dash))
        parts.append(line(f"M{short(x)},16h26", stroke=colour, width=2.5, dash=dash))
        parts.append(label(x + 32, 20, name, more=HALO))
        x += 60 + 6.4 * len(name)
    dots = zip(across.px(numbers).tolist(), up.px(measured[window]).tolist(), strict=True)
    parts += [f'<circle cx="{short(a)}" cy="{short(b)}" r="2" fill="{palette.INK}"/>' for a, b in dots]
    parts.append(f'<circle cx="{short(x + 6)}" cy="16" r="3" fill="{palette.INK}"/>')
    parts.append(label(x + 14, 20, "measured", more=HALO))
    return parts


def _means(measured: Floats, models: Mapping[str, Floats]) -> list[str]:
    """The means over all messages as bars, with their values; a model also says how far it is from the measurement."""
    rows = [("measured", measured, palette.SLATE)]
    rows += [(name, waits, colour) for (name, waits), (colour, _) in zip(models.items(), LOOKS, strict=False)]
    named = 12 + 6.6 * max(len(name) for name, _, _ in rows)
    longest = max(float(waits.mean()) for _, waits, _ in rows) or 1.0
    truth = float(measured.mean())
    parts = [label(LEFT - 30, BARS - 10, f"mean wait of all {len(measured):,} messages", size=12)]
    for place, (name, waits, colour) in enumerate(rows):
        mean, y = float(waits.mean()), BARS + place * BAR
        length = (WIDTH - RIGHT - LEFT - named - 110) * mean / longest
        off = "" if waits is measured or not truth else f" ({100 * (mean / truth - 1):+.0f} %)"
        parts.append(label(LEFT - 30, y + 15, name))
        parts.append(rect(LEFT - 30 + named, y + 3, length, BAR - 8, fill=colour, stroke=palette.INK))
        parts.append(label(LEFT - 22 + named + length, y + 15, f"{1000 * mean:.0f} ms{off}"))
    return parts


def _mean_words(measured: Floats, models: Mapping[str, Floats]) -> str:
    said = [f"{name} {1000 * float(waits.mean()):.0f} ms" for name, waits in models.items()]
    return ", ".join([f"mean measured {1000 * float(measured.mean()):.0f} ms", *said])


def _sentences(measured: Floats, models: Mapping[str, Floats], window: slice, worst: int) -> list[str]:
    said = [f"Waits of {len(measured):,} messages: {_mean_words(measured, models)}."]
    for name, waits in models.items():
        errors = np.abs(waits - measured)
        said.append(
            f"{name}: half of the messages are predicted within {say(1000 * float(np.median(errors)))} ms; at message "
            f"{worst:,} it says {say(1000 * float(waits[worst]))} ms, and {say(1000 * float(measured[worst]))} ms were "
            "measured."
        )
    drawn = f"Drawn are messages {window.start:,} to {window.stop - 1:,}"
    said.append(f"{drawn}, around the largest error of “{next(iter(models))}”.")
    return said
