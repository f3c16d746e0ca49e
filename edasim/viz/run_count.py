"""How many runs do I need? The half-width of the interval against the number of runs, and where it is narrow enough.

Drawn from an `edasim.experiments.Precision`; nothing is decided here. The stopping rule looks at a few numbers of runs
only (rings); with fewer than ten the interval does not know its own width (shaded; SO-06). Left out: a forecast of the
curve, which is 1/√n only on average.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..errors import ConfigurationError
from . import palette
from .chart import HALO, Axis, axis_across, axis_up, curve_line, nice, post
from .picture import Picture
from .svg import document, label, line, rect, say, short

WIDTH, HEIGHT, LEFT, RIGHT, TOP, GROUND = 640.0, 300.0, 58.0, 22.0, 36.0, 240.0
FEWEST, TIMES_WANTED = 10, 5.0
PROMISE = "A stop that waits for a narrow interval keeps the promise of 95 % in about 90 % of cases."
"""Measured by tests/experiments/test_stopping.py."""


class Limits(Protocol):
    """An interval, such as `edasim.theory.Interval`."""

    @property
    def mean(self) -> float:
        """The estimate."""
        ...

    @property
    def n(self) -> int:
        """From how many runs."""
        ...

    @property
    def half_width(self) -> float:
        """The half-width."""
        ...

    @property
    def relative_half_width(self) -> float:
        """The half-width as a share of the estimate."""
        ...


class Narrowing(Protocol):
    """How an interval narrows, such as `edasim.experiments.Precision`."""

    @property
    def wanted(self) -> float:
        """The half-width that is aimed at, as a share of the mean."""
        ...

    @property
    def intervals(self) -> Sequence[Limits]:
        """The interval of the first 2, 3, … runs."""
        ...

    @property
    def met(self) -> bool:
        """Whether the last interval is narrow enough."""
        ...

    @property
    def first_below(self) -> int | None:
        """The first number of runs whose interval is, perhaps by luck."""
        ...

    @property
    def looks(self) -> Sequence[int]:
        """The numbers of runs at which the rule looked."""
        ...


def run_count_svg(found: Narrowing, label: str = "the mean", unit: str = "") -> Picture:
    """The half-width in per cent of the mean against the number of runs, the line to get under, and the stop.

    `label` and `unit` name the mean in the text. Raises `ConfigurationError` for fewer than three runs.
    """
    if len(found.intervals) <= 1:
        raise ConfigurationError("too few runs for a curve", field="found", value=found, remedy="make three or more")
    counts = np.array([each.n for each in found.intervals])
    widths = 100.0 * np.array([each.relative_half_width if each.half_width else 0.0 for each in found.intervals])
    last, wanted = found.intervals[-1], 100.0 * found.wanted
    across = Axis(0.0, float(counts[-1]) * 1.06, LEFT, WIDTH - RIGHT, "number of runs")
    high = max(wanted * 1.5, min(TIMES_WANTED * wanted, float(np.max(widths, initial=0.0, where=np.isfinite(widths)))))
    up = Axis(0.0, math.ceil(high / nice(high / 5)) * nice(high / 5), GROUND, TOP, "half-width of the interval", "%")
    parts = [
        rect(LEFT, TOP, float(across.px([FEWEST])[0]) - LEFT, GROUND - TOP, fill=palette.PALE),
        axis_across(across, GROUND),
        axis_up(up, LEFT, grid_to=across.end),
        _target(wanted, across, up),
        curve_line(counts, np.minimum(widths, up.high), across, up, colour=palette.BLUE),
        *(_look(each, widths[each - counts[0]], across, up) for each in found.looks if each <= counts[-1]),
    ]
    said = f"{'enough' if found.met else 'not yet enough'}: {last.n} runs, ± {say(float(widths[-1]))} %"
    x = float(across.px([last.n])[0])
    parts.append(post(x, TOP - 4, GROUND, said, anchor="end" if x > WIDTH / 2 else "start"))
    alt = f"Half-width against number of runs: {said}"
    text = _sentence(found, widths, label, unit)
    return Picture(svg=document(WIDTH, HEIGHT, parts, alt), alt=alt, text=text)


def _target(wanted: float, across: Axis, up: Axis) -> str:
    y = float(up.px([wanted])[0])
    words = label(LEFT + 6, y - 6, f"wanted: ± {say(wanted)} %", more=HALO)
    return line(f"M{short(LEFT)},{short(y)}H{short(across.end)}", width=1.5, dash="6 4") + words


def _look(count: int, width: float, across: Axis, up: Axis) -> str:
    x, y = float(across.px([count])[0]), float(up.px([min(width, up.high)])[0])
    ring = f'<circle cx="{short(x)}" cy="{short(y)}" r="6" fill="{palette.GROUND}" stroke="{palette.INK}"'
    return f'{ring} stroke-width="2"/>' + label(x + 9, y + (16 if y < TOP + 18 else -6), f"{count}", size=11, more=HALO)


def _sentence(found: Narrowing, widths: np.ndarray[tuple[int], np.dtype[np.float64]], name: str, unit: str) -> str:
    last, wanted = found.intervals[-1], f"± {say(100 * found.wanted)} %"
    looks = [f"{count} runs ± {say(float(widths[count - 2]))} %" for count in found.looks if count <= last.n]
    mean = f"{name} {say(last.mean)} {unit}".rstrip()
    lines = [f"Wanted: {wanted} of the mean. Looked at: {', '.join(looks) or 'nothing yet'}."]
    if found.met:
        lines.append(f"{last.n} runs are enough: {mean} ± {say(float(widths[-1]))} %. {PROMISE}")
    else:
        lines.append(f"{last.n} runs are not yet enough: {mean} ± {say(float(widths[-1]))} %.")
    early = found.first_below
    if early is not None and early < FEWEST:
        lines.append(f"After {early} runs it was as narrow by luck; with fewer than {FEWEST} runs nobody can tell.")
    return "\n".join(lines)
