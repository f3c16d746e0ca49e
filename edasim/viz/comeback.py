"""What one dead consumer leaves behind, broker by broker: lost, done twice, late, and the delay until it comes back.

A row for each broker, from replications of `scenarios.OneBroker` with the measures of `scenarios.comeback`: means with
their 95 % intervals; the delay is drawn on a logarithmic scale. Left out: differences between brokers with the same
luck, for which there is `Replications.minus`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..theory import Interval, mean_interval
from . import palette
from .chart import Axis, Scale, axis_across, whisker
from .picture import Picture
from .svg import document, label, line, rect, short

if TYPE_CHECKING:
    from ..experiments import Replications

WIDTH, TOP, ROW, NAME, AXIS_LEFT = 740.0, 62.0, 30.0, 14.0, 446.0
COLUMNS = (("lost", "lost", 166.0), ("twice", "done twice", 260.0), ("late", "over 10 s late", 354.0))
QUICKEST_S, SLOWEST_S = 1e-3, 100.0


def comeback_svg(found: Mapping[str, Replications]) -> Picture:
    """Replications by the broker's name, with the metrics lost, twice, late and first_s.

    Raises `ConfigurationError` if there are none, `UnknownNameError` for a metric that is missing.
    """
    if not found:
        raise ConfigurationError("there is nothing to draw", field="found", value=found, remedy="give replications")
    across = Axis(QUICKEST_S, SLOWEST_S, AXIS_LEFT, WIDTH - 96, "until handed out again", "s", Scale.LOG)
    ground = TOP + ROW * len(found)
    parts = [
        label(
            NAME,
            TOP - 30,
            f"one consumer dies; means of {max(each.n for each in found.values())} runs, ± 95 %",
            size=11.5,
            fill=palette.QUIET,
        ),
        *(label(x, TOP - 12, head, anchor="middle", more=' font-weight="600"') for _, head, x in COLUMNS),
        axis_across(across, ground, grid_to=TOP - 6),
    ]
    for place, (name, runs) in enumerate(found.items()):
        parts += _row(name, runs, across, TOP + ROW * place)
    alt = f"What a dead consumer leaves behind on {len(found)} brokers"
    text = "\n".join([f"{alt}:", *(_said(name, runs) for name, runs in found.items())])
    return Picture(svg=document(WIDTH, ground + 42, parts, alt), alt=alt, text=text)


def delay_of(runs: Replications) -> Interval | None:
    """The interval of the seconds until the first message was handed out again; None if fewer than two runs saw any."""
    seen = [value for value in runs.of("first_s") if math.isfinite(value)]
    return mean_interval(seen) if len(seen) > 1 else None


def _row(name: str, runs: Replications, across: Axis, y: float) -> Iterator[str]:
    middle = y + ROW / 2
    yield line(f"M{NAME},{short(y)}H{short(WIDTH - 14)}", stroke=palette.PALE)
    yield label(NAME, middle + 4, name, more=' font-weight="600"')
    for metric, _, x in COLUMNS:
        interval = runs.interval(metric)
        role = palette.role({"lost": "lost", "twice": "duplicated", "late": "expired"}[metric])
        if interval.mean > 0:
            yield rect(
                x - 42,
                y + 4,
                84,
                ROW - 8,
                fill=palette.GROUND,
                stroke=role.colour,
                round_by=4,
                more=' stroke-width="2"',
            )
        yield label(x, middle + 4, _short(interval), anchor="middle")
    delay = delay_of(runs)
    if delay is None:
        yield label((across.start + across.end) / 2, middle + 4, "never", anchor="middle", more=' font-weight="600"')
        return
    x = float(across.px([delay.mean])[0])
    yield whisker(max(delay.low, QUICKEST_S), max(delay.high, QUICKEST_S), across, middle)
    yield palette.mark("duplicated", 5.5, x=x, y=middle)
    yield label(WIDTH - 86, middle + 4, _seconds(delay))


def _short(interval: Interval) -> str:
    """Mean and half-width in few characters."""
    if interval.mean == 0 and interval.half_width == 0:
        return "0"
    digits = 0 if interval.mean >= 100 else 1
    return f"{interval.mean:.{digits}f} ± {interval.half_width:.{digits}f}"


def _seconds(delay: Interval) -> str:
    if delay.mean < 0.1:
        return f"{1000 * delay.mean:.0f} ± {1000 * delay.half_width:.0f} ms"
    return f"{delay.mean:.1f} ± {delay.half_width:.1f} s"


def _said(name: str, runs: Replications) -> str:
    lost, twice, late = (_short(runs.interval(metric)) for metric, _, _ in COLUMNS)
    delay = delay_of(runs)
    back = "never handed out again" if delay is None else f"handed out again after {_seconds(delay)}"
    return f"{name}: lost {lost}, done twice {twice}, over 10 s late {late}; {back}"
