"""The metastable map and hysteresis as pictures: where a system is back, and at which load it turns.

Drawn from `experiments.MetastableMap` and `experiments.Hysteresis`. Verdicts and directions have a colour, a shape and
words. Left out: single runs; draw one with `viz.goodput_svg`.
"""

from __future__ import annotations

import numpy as np

from ..experiments import Aftermath, Hysteresis, MapCell, MetastableMap
from ..theory import Interval
from . import palette
from .chart import Axis, axis_across, axis_up, curve_line, post
from .picture import Picture
from .svg import document, label, line, rect, say

ROLES = {Aftermath.RECOVERS: "done", Aftermath.STAYS_DOWN: "failed", Aftermath.UNDECIDED: "waiting"}
TRIGGERS = {"fault_s": ("fault of", "s"), "fault_capacity_per_s": ("cut to", "per s")}
LEFT, COLUMN, ROW, TOP = 132.0, 138.0, 50.0, 62.0
WIDTH, HEIGHT, CHART_LEFT, GROUND, ROOF = 620.0, 360.0, 58.0, 306.0, 78.0


def metastable_map(found: MetastableMap, title: str = "Is it back long after the fault?") -> Picture:
    """Load from left to right, the trigger from below upwards; in each cell the verdict and how many runs were back.

    A dashed mark stands where the recurrence says that loads become vulnerable; a cell says so where the recurrence
    expects something else than what the runs came to.
    """
    width = LEFT + COLUMN * len(found.loads_per_s) + 14
    ground = TOP + ROW * len(found.triggers)
    parts = [label(12, 22, title, size=14, more=' font-weight="600"')]
    for row, trigger in enumerate(reversed(found.triggers)):
        middle = TOP + ROW * (row + 0.5)
        parts.append(label(LEFT - 10, middle + 4, _trigger(found, trigger), size=12, anchor="end"))
        for column, load_per_s in enumerate(found.loads_per_s):
            parts += _cell(found.cell(load_per_s, trigger), LEFT + COLUMN * column, TOP + ROW * row)
    for column, load_per_s in enumerate(found.loads_per_s):
        parts.append(label(LEFT + COLUMN * (column + 0.5), ground + 18, say(load_per_s), anchor="middle"))
    middle = (LEFT + width - 14) / 2
    parts.append(label(middle, ground + 38, "load (requests per s)", anchor="middle"))
    vulnerable = found.vulnerable_from_per_s
    if vulnerable is not None and found.loads_per_s[0] < vulnerable < found.loads_per_s[-1]:
        centres = LEFT + COLUMN * (np.arange(len(found.loads_per_s)) + 0.5)
        x = float(np.interp(vulnerable, found.loads_per_s, centres))
        parts.append(post(x, TOP - 20, TOP + 1, f"vulnerable from {say(vulnerable)} per s on"))
    alt = f"{title} {', '.join(f'{verdict} {count}' for verdict, count in found.counts().items())}"
    return Picture(svg=document(width, ground + 50, parts, alt), alt=alt, text="\n".join(_map_in_words(found, title)))


def _cell(cell: MapCell, left: float, top: float) -> list[str]:
    """A tinted field with the mark and the words of the verdict."""
    role = ROLES[cell.verdict]
    tint = ' fill-opacity=".2"'
    more = "" if cell.expected in (None, cell.verdict) else f"; expected: {_short(cell.expected)}"
    return [
        rect(left + 2, top + 2, COLUMN - 4, ROW - 4, fill=palette.role(role).colour, round_by=5, more=tint),
        palette.mark(role, 7, x=left + 17, y=top + 18),
        label(left + 32, top + 22, cell.verdict.value, size=12),
        label(left + 10, top + 40, f"{cell.runs_back} of {len(cell.answered)}{more}", size=10.5, fill=palette.QUIET),
    ]


def _short(expected: Aftermath | None) -> str:
    return "back" if expected is Aftermath.RECOVERS else "down"


def _trigger(found: MetastableMap, size: float) -> str:
    before, unit = TRIGGERS[found.trigger]
    return f"{before} {say(size)} {unit}"


def _map_in_words(found: MetastableMap, title: str) -> list[str]:
    """Counts, the mildest trigger that keeps each load down, and every cell."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found.counts().items())
    text = [f"{title} Of {len(found.cells)} cells: {counts}."]
    if found.vulnerable_from_per_s is not None:
        text.append(f"Without chance, loads are vulnerable from {say(found.vulnerable_from_per_s)} per s on.")
    for load_per_s in found.loads_per_s:
        tipping = found.tipping(load_per_s)
        least = "nothing on the map keeps it down" if tipping is None else f"a {_trigger(found, tipping)} keeps it down"
        if found.trigger != "fault_s" and tipping is not None:
            least = f"a capacity {_trigger(found, tipping)} keeps it down"
        cells = [found.cell(load_per_s, trigger) for trigger in found.triggers]
        each = "; ".join(f"{_trigger(found, cell.trigger)}: {_in_words(cell)}" for cell in cells)
        text.append(f"At {say(load_per_s)} per s {least}. {each[0].upper()}{each[1:]}.")
    return text


def _in_words(cell: MapCell) -> str:
    differs = "" if cell.expected in (None, cell.verdict) else f", without chance {_short(cell.expected)}"
    return f"{cell.verdict.value} ({cell.runs_back} of {len(cell.answered)} runs back{differs})"


def hysteresis(found: Hysteresis, title: str = "The way up and the way down") -> Picture:
    """The share of requests answered in time against load: a line and circles up, a dashed line and diamonds down.

    Small marks are single runs; dashed posts stand at the mean loads of collapse and return.
    """
    loads = np.array(found.loads_per_s)
    across = Axis(0.0, float(loads[-1]) * 1.04, CHART_LEFT, WIDTH - 18, "load", "requests per s")
    up = Axis(0.0, 1.0, GROUND, ROOF, "share answered in time")
    parts = [label(12, 22, title, size=14, more=' font-weight="600"')]
    parts += [axis_across(across, GROUND, grid_to=ROOF), axis_up(up, CHART_LEFT, grid_to=across.end)]
    ways = (("up", found.up, "message", "", -3.0), ("down", found.down, "waiting", "6 4", 3.0))
    for number, (words, shares, role, dash, aside) in enumerate(ways):
        colour = palette.role(role).colour
        parts.append(curve_line(loads, [np.mean(step) for step in shares], across, up, colour=colour, dash=dash))
        for load_per_s, step in zip(loads.tolist(), shares, strict=True):
            x = float(across.px([load_per_s])[0]) + aside
            parts += [palette.mark(role, 3.2, x=x, y=float(y)) for y in up.px(sorted(set(step))).tolist()]
        left = WIDTH - 210 + 100 * number
        parts.append(line(f"M{left:g},18h24", stroke=colour, width=2, dash=dash))
        parts += [palette.mark(role, 4, x=left + 12, y=18), label(left + 30, 22, f"way {words}", size=11.5)]
    for name, turned, anchor in (
        ("back at", found.return_per_s, "start"),
        ("collapses at", found.collapse_per_s, "end"),
    ):
        if turned is not None:
            x = float(across.px([turned.mean])[0])
            parts.append(post(x, ROOF - 36, GROUND, f"{name} {say(turned.mean)}", anchor=anchor))
    if found.gap_per_s is not None:
        parts.append(label(WIDTH - 20, HEIGHT - 6, f"apart by {_limits(found.gap_per_s)}", size=11, anchor="end"))
    alt = f"{title}: {_turned(found.gap_per_s)}"
    return Picture(svg=document(WIDTH, HEIGHT, parts, alt), alt=alt, text="\n".join(_ways_in_words(found, title)))


def _turned(gap: Interval | None) -> str:
    if gap is None:
        return "no run collapsed and came back, or only one did"
    return f"goodput comes back at a load lower by {say(gap.mean)} per s than it collapsed at"


def _limits(found: Interval) -> str:
    return f"{say(found.mean)} ± {say(found.half_width)} per s ({100 * found.level:g} %, {found.n} runs)"


def _ways_in_words(found: Hysteresis, title: str) -> list[str]:
    text = [f"{title}: {_turned(found.gap_per_s)}."]
    if found.gap_per_s is not None:
        text.append(f"The difference is {_limits(found.gap_per_s)}.")
    for words, turned in (("It collapses", found.collapse_per_s), ("It is back", found.return_per_s)):
        text += [f"{words} at {_limits(turned)}."] if turned is not None else []
    text.append(f"{len(found.complete)} of {len(found.turns)} runs collapsed and came back.")
    for load_per_s, up, down in zip(found.loads_per_s, found.up, found.down, strict=True):
        text.append(
            f"At {say(load_per_s)} per s: {say(float(np.mean(up)))} answered on the way up, "
            f"{say(float(np.mean(down)))} on the way down."
        )
    return text
