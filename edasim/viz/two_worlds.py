"""Two worlds compared: a level over the events of each, what happened beside what would have happened.

Drawn from `sourcing.Worlds`. The level is a balance, that of the fold after each event, over the events' own
times; where the worlds part, the gap is hatched. Below stand the events that only one of the worlds has. Left out:
worlds whose events have no times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..events import Event, seconds_since_epoch
from ..sourcing import Fold, Worlds
from . import palette
from .chart import HALO, Axis, Floats, axis_across, axis_up, nice
from .picture import Picture
from .svg import STAMP, area, document, fit, label, line, polyline, say, short

WIDTH, LEFT, RIGHT, TOP, GROUND, LISTED = 780.0, 62.0, 764.0, 62.0, 250.0, 6
DAY_S = 86_400.0


def worlds_svg(worlds: Worlds, fold: Fold, level: Callable[[Any], float], *, title: str, unit: str) -> Picture:
    """The `level(state)` of `fold` in both worlds, in `unit`, over days since the first event's day.

    Raises `ConfigurationError` if an event has no time.
    """
    start_s = min((_time_s(event) for event in worlds.actual), default=0.0) // DAY_S * DAY_S
    happened, imagined = (_course(events, fold, level, start_s) for events in (worlds.actual, worlds.imagined))
    days = max(1.0, float(np.ceil(max(happened[0].max(initial=0.0), imagined[0].max(initial=0.0)))))
    across = Axis(0.0, days, LEFT, RIGHT, "time since Monday", "days")
    up = _up(np.concatenate([happened[1], imagined[1]]), unit)
    parts = [
        f"<defs>{palette.pattern('waiting', STAMP + 'gap')}</defs>",
        label(12, 22, title, size=14, more=' font-weight="600"'),
        axis_across(across, GROUND, grid_to=TOP),
        axis_up(up, LEFT, grid_to=RIGHT),
        _gap(happened, imagined, across, up),
        _steps(happened, across, up, colour=palette.SLATE, dash="5 3"),
        _steps(imagined, across, up, colour=palette.role("message").colour, dash=""),
    ]
    parts += _legend()
    ends = [f"{level(worlds.actual_state):,.0f}", f"{level(worlds.imagined_state):,.0f}"]
    lines = _lists(worlds)
    parts += [label(12, GROUND + 58 + 18 * row, each, size=12) for row, each in enumerate(lines)]
    alt = f"{title}: it ends at {ends[0]} {unit} as it happened, and at {ends[1]} {unit} in the other world"
    text = "\n".join([f"{alt}.", *lines])
    return Picture(svg=document(WIDTH, GROUND + 58 + 18 * len(lines), parts, alt), alt=alt, text=text)


def _time_s(event: Event) -> float:
    if event.time is None:
        raise ConfigurationError(f"the event {event.id!r} has no time", field="time", remedy="give each event its time")
    return seconds_since_epoch(event.time)


def _course(
    events: Sequence[Event], fold: Fold, level: Callable[[Any], float], start_s: float
) -> tuple[Floats, Floats]:
    """Days and levels, at the start and after each event."""
    state = fold.start()
    times, levels = [0.0], [level(state)]
    for event in events:
        state = fold.over([event], state)
        times.append((_time_s(event) - start_s) / DAY_S)
        levels.append(level(state))
    return np.array(times, dtype=np.float64), np.array(levels, dtype=np.float64)


def _up(levels: Floats, unit: str) -> Axis:
    low, high = min(0.0, float(levels.min(initial=0.0))), max(1.0, float(levels.max(initial=1.0)))
    step = nice((high - low) / 4)
    return Axis(float(np.floor(low / step) * step), float(np.ceil(high / step) * step), GROUND, TOP, "balance", unit)


def _points(course: tuple[Floats, Floats], across: Axis, up: Axis) -> tuple[Floats, Floats]:
    """Corners of a step line to the right end."""
    return np.append(np.repeat(across.px(course[0]), 2)[1:], across.end), np.repeat(up.px(course[1]), 2)


def _steps(course: tuple[Floats, Floats], across: Axis, up: Axis, *, colour: str, dash: str) -> str:
    return line(polyline(*_points(course, across, up)), stroke=colour, width=2, dash=dash)


def _gap(one: tuple[Floats, Floats], other: tuple[Floats, Floats], across: Axis, up: Axis) -> str:
    """The area between the two lines."""
    x, y = _points(one, across, up)
    back_x, back_y = _points(other, across, up)
    outline = polyline(np.append(x, back_x[::-1]), np.append(y, back_y[::-1]))
    return area(f"{outline}Z", fill=f"url(#{STAMP}gap)", more=' fill-opacity=".55"')


def _legend() -> list[str]:
    y, blue = short(TOP - 20), palette.role("message").colour
    return [
        line(f"M{short(LEFT + 90)},{y}h26", stroke=palette.SLATE, width=2, dash="5 3"),
        label(LEFT + 122, TOP - 16, "as it happened", more=HALO),
        line(f"M{short(LEFT + 250)},{y}h26", stroke=blue, width=2),
        label(LEFT + 282, TOP - 16, "what if", more=HALO),
    ]


def _lists(worlds: Worlds) -> list[str]:
    lines = []
    for words, events in (
        ("Only as it happened", worlds.only_actual),
        ("Only in the other world", worlds.only_imagined),
    ):
        shown = ", ".join(f"{event.id} {event.type} {event.data.get('eur', '')}".strip() for event in events[:LISTED])
        more = f", and {len(events) - LISTED} more" if len(events) > LISTED else ""
        lines.append(fit(f"{words} ({len(events)}): {shown or 'nothing'}{more}", WIDTH - 24))
    changed = ", ".join(f"{each.path or 'state'} {say_value(each.before)} → {say_value(each.after)}"
                        for each in worlds.differences[:LISTED])  # fmt: skip
    lines.append(fit(f"The states differ in {len(worlds.differences)} places: {changed or 'none'}", WIDTH - 24))
    return lines


def say_value(value: Any) -> str:
    """A value of a state for people."""
    return say(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
