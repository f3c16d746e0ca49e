"""Two systems side by side: one run of each, and many pairs of runs with the interval of their difference.

`two_queues_svg` shows how many wait over time in both, on the same scales, and the mean waits below. `pairs_svg` joins
the two numbers of each pair by a line; a dashed line is a pair that speaks against the others. Left out: computing the
interval, which is the business of `edasim.experiments` and `edasim.theory`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from .. import checks
from . import palette
from .chart import HALO, Axis, Floats, axis_across, axis_up, nice, step_columns, step_line, whisker
from .dots import RADIUS, stacked
from .picture import Picture
from .svg import STAMP, document, label, line, polyline, rect, say, short
from .traffic import Replayable, Traffic, traffic, waiting_changes

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH, LEFT, RIGHT = 640.0, 52.0, 22.0
PITCH = 2 * RADIUS + 2

Runs = tuple[Replayable, Replayable]


class Limits(Protocol):
    """An interval, such as `edasim.theory.Interval`."""

    @property
    def mean(self) -> float:
        """The estimate."""
        ...

    @property
    def low(self) -> float:
        """The lower limit."""
        ...

    @property
    def high(self) -> float:
        """The upper limit."""
        ...


def two_queues_svg(
    runs: Runs, names: tuple[str, str] = ("A", "B"), pinned: Runs | None = None, *, said: str = ""
) -> Picture:
    """How many wait over time in one run of each of two systems, and their mean waits in milliseconds.

    `pinned` are two earlier runs, drawn in grey; `said` is a sentence above the picture. Raises an `EdasimError` for a
    run without rows or of no length.
    """
    shown = [traffic(run) for run in runs]
    kept = [] if pinned is None else [traffic(run) for run in pinned]
    end_s = max(each.until_s for each in (*shown, *kept))
    across = Axis(0.0, end_s, LEFT, WIDTH - RIGHT, "simulated time", "s")
    peak = max(_peak(each) for each in (*shown, *kept))
    parts = [f"<defs>{palette.pattern('waiting', STAMP + 'w')}</defs>", label(14, 20, said, size=13)]
    for number, name in enumerate(names):
        top = 54.0 + 108 * number
        up = Axis(0.0, max(4.0, 1.1 * peak), top + 72, top, f"{name}: mails waiting")
        parts += _queue_panel(shown[number], kept[number : number + 1], across, up)
    parts.append(axis_across(across, 234))
    means_ms, kept_ms = [_mean_ms(each) for each in shown], [_mean_ms(each) for each in kept]
    parts += _mean_bars(means_ms, kept_ms, names, top=286)
    alt = f"Two queues over time, {names[0]} above {names[1]}: {_mean_words(means_ms, names)}"
    told = _queue_sentences(shown, kept_ms, names)
    text = "\n".join([f"{said} {_mean_words(means_ms, names)}.".strip(), *told])
    return Picture(svg=document(WIDTH, 378, parts, alt), alt=alt, text=text)


def _waiting(shown: Traffic) -> tuple[Floats, Floats]:
    times_s, change = waiting_changes(shown)
    return times_s, np.cumsum(change).astype(np.float64)


def _peak(shown: Traffic) -> float:
    return float(_waiting(shown)[1].max(initial=0))


def _mean_ms(shown: Traffic) -> float:
    return 1000.0 * float(np.mean(shown.waits_s))


def _queue_panel(shown: Traffic, kept: Sequence[Traffic], across: Axis, up: Axis) -> list[str]:
    times_s, waiting = _waiting(shown)
    parts = [axis_up(up, LEFT, grid_to=across.end, about=3), step_line(times_s, waiting, across, up, role="waiting")]
    for each in kept:
        x, y = step_columns(*_waiting(each), across)
        parts.append(line(polyline(x, up.px(y)), stroke=palette.SLATE, width=1.4, dash="3 2"))
    parts.append(label(across.end, up.end - 9, f"at most {say(float(waiting.max(initial=0)))}", anchor="end"))
    return parts


def _mean_bars(means_ms: list[float], kept_ms: list[float], names: tuple[str, str], top: float) -> list[str]:
    """A bar per system, and a grey post where the pinned run's bar ended."""
    longest = max(*means_ms, *kept_ms, 1.0)
    across = Axis(0.0, nice(1.25 * longest / 5) * 5, LEFT, WIDTH - RIGHT, "mean wait in this run", "ms")
    parts = []
    for number, name in enumerate(names):
        y = top + 26 * number
        end = float(across.px([means_ms[number]])[0])
        parts.append(label(LEFT - 10, y + 14, name, size=13, anchor="end"))
        parts.append(rect(LEFT, y, max(1.0, end - LEFT), 18, fill=f"url(#{STAMP}w)", stroke=palette.INK))
        for kept in kept_ms[number : number + 1]:
            x = short(float(across.px([kept])[0]))
            parts.append(line(f"M{x},{short(y - 3)}v24", stroke=palette.SLATE, width=3, dash="3 2"))
        parts.append(label(end + 8, y + 14, f"{say(means_ms[number])} ms", more=HALO))
    return [*parts, axis_across(across, top + 54)]


def _mean_words(means_ms: list[float], names: tuple[str, str]) -> str:
    return ", ".join(f"{name} mean wait {say(mean)} ms" for name, mean in zip(names, means_ms, strict=True))


def _queue_sentences(shown: list[Traffic], kept_ms: list[float], names: tuple[str, str]) -> list[str]:
    said = [
        f"{name}: {len(each):,} mails in {say(each.until_s)} s, at most {say(_peak(each))} of them waiting at once."
        for name, each in zip(names, shown, strict=True)
    ]
    return said + ([f"Pinned: {_mean_words(kept_ms, names)}."] if kept_ms else [])


def pairs_svg(
    a: Sequence[float],
    b: Sequence[float],
    interval: Limits | None = None,
    *,
    names: tuple[str, str] = ("A", "B"),
    what: str = "mean wait",
    unit: str = "ms",
) -> Picture:
    """Pairs of numbers, `a[i]` joined with `b[i]`, their differences a - b below, and the interval of their mean.

    `what` and `unit` name the numbers. Lower is better; a pair in which b is higher is dashed. Raises
    `ConfigurationError` for no pairs, for sides of different length, and for values that are not finite.
    """
    left, right = _column("a", a), _column("b", b)
    if len(left) != len(right):
        raise checks.refuse("b", f"{len(right)} values", f"give one for each of the {len(left)} of a")
    against = right > left
    gaps = left - right
    parts, ground = _joined(left, right, against, names, f"{what} of a run", unit)
    more, bottom = _differences(gaps, interval, names, unit, top=ground + 62)
    alt = (
        f"{len(left)} pairs of runs of {names[0]} and {names[1]}: {names[1]} looks worse in {int(against.sum())}; "
        f"mean difference {say(float(gaps.mean()))} {unit}"
    )
    text = _pair_sentence(left, right, interval, names, what, unit)
    return Picture(svg=document(WIDTH, bottom, [*parts, *more], alt), alt=alt, text=text)


def _column(field: str, values: Sequence[float]) -> Floats:
    kept = np.asarray(values, dtype=np.float64)
    if kept.ndim != 1 or not len(kept) or not np.isfinite(kept).all():
        raise checks.refuse(field, values, "give at least one finite number")
    return kept


def _axis(values: Floats, title: str, unit: str) -> Axis:
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return Axis(low - room, high + room, LEFT, WIDTH - RIGHT, title, unit)


def _joined(
    left: Floats, right: Floats, against: NDArray[np.bool_], names: tuple[str, str], title: str, unit: str
) -> tuple[list[str], float]:
    """Both rows of dots with a line for each pair; returns the pieces and the height of the axis."""
    upper, lower, ground = 50.0, 118.0, 138.0
    across = _axis(np.concatenate([left, right]), title, unit)
    worse = int(against.sum())
    parts = [
        _row_label(f"{names[1]} looks worse in {worse} of {len(left)} pairs" + (" (dashed)" if worse else ""), 20),
        axis_across(across, ground),
    ]
    for x, y, lies in zip(across.px(left).tolist(), across.px(right).tolist(), against.tolist(), strict=True):
        path = f"M{short(x)},{short(upper)}L{short(y)},{short(lower)}"
        if lies:
            parts.append(line(path, stroke=palette.VERMILLION, width=2.2, dash="5 3"))
        else:
            parts.append(line(path, stroke=palette.SLATE))
    for name, y, values in ((names[0], upper, left), (names[1], lower, right)):
        parts.append(_row_label(name, y + 4))
        parts += [_dot(x, y) for x in across.px(values).tolist()]
    return parts, ground


def _row_label(words: str, y: float) -> str:
    """Words at the left edge."""
    return label(14, y, words, size=13, more=HALO)


def _dot(x: float, y: float) -> str:
    fill = palette.role("message").colour
    where = f'cx="{short(x)}" cy="{short(y)}" r="{RADIUS:g}"'
    return f'<circle {where} fill="{fill}" fill-opacity=".75" stroke="{palette.INK}"/>'


def _differences(
    gaps: Floats, interval: Limits | None, names: tuple[str, str], unit: str, top: float
) -> tuple[list[str], float]:
    """The differences as dots, zero as a post, the interval as a bar; returns the pieces and the height."""
    limits = [] if interval is None else [interval.low, interval.high]
    across = _axis(np.array([*gaps.tolist(), *limits, 0.0]), f"{names[0]} minus {names[1]}, pair by pair", unit)
    levels = stacked(across.px(gaps))
    row = top + 26 + max(levels) * PITCH
    ground = row + (42 if interval is not None else 22)
    zero = short(float(across.px([0.0])[0]))
    parts = [
        axis_across(across, ground),
        line(f"M{zero},{short(top)}V{short(ground)}", dash="4 3", width=1.5),
        label(float(zero) - 5, top + 6, f"{names[1]} worse", size=11, anchor="end", more=HALO),
        label(float(zero) + 5, top + 6, f"{names[1]} better", size=11, more=HALO),
    ]
    for x, level in zip(across.px(gaps).tolist(), levels, strict=True):
        parts.append(_dot(x, row - level * PITCH))
    if interval is not None:
        parts.append(whisker(interval.low, interval.high, across, row + 24))
        parts.append(palette.mark("waiting", 6, x=float(across.px([interval.mean])[0]), y=row + 24))
    return parts, ground + 44


def _pair_sentence(
    left: Floats, right: Floats, interval: Limits | None, names: tuple[str, str], what: str, unit: str
) -> str:
    a, b = names
    ranges = "; ".join(
        f"{name} from {say(float(values.min()))} to {say(float(values.max()))} {unit}".rstrip()
        for name, values in ((a, left), (b, right))
    )
    worse = int((right > left).sum())
    said = f"{b} looks worse in {worse} of {len(left)} pairs. "
    said += f"{a} minus {b}: mean {say(float((left - right).mean()))} {unit}".rstrip()
    if interval is not None:
        said += f", interval {say(interval.low)} to {say(interval.high)}: zero is "
        undecided = interval.low <= 0.0 <= interval.high
        said += "inside, no verdict" if undecided else f"outside, {b if interval.low > 0 else a} is better"
    return f"{said}.\n{what[:1].upper()}{what[1:]} of single runs: {ranges}."
