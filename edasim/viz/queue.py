"""The live picture of a queue: how many wait over time, how busy its consumers are, and how long the waits are.

Drawn from delivery columns with numpy, in milliseconds for thousands of messages, so that it can follow a slider. The
quantiles are those of the messages that were taken into service inside the window; each waited from joining the queue
to the start of its service. Left out: warm-up. A cold start is part of what is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import palette
from .chart import Axis, axis_across, axis_up, bars, post, step_columns, step_line
from .picture import Picture
from .svg import STAMP, area, document, label, polyline, rect, say, short
from .traffic import Floats, Replayable, Traffic, serving_changes, traffic, waiting_changes
from .words import missing_sentences

WIDTH, LEFT, RIGHT = 640.0, 52.0, 16.0
QUANTILES = (0.50, 0.95, 0.99)


@dataclass(frozen=True)
class Facts:
    """What the picture says: levels over time, load, and waits in seconds with their quantiles."""

    times_s: Floats
    waiting: Floats
    busy_times_s: Floats
    busy: Floats
    seats: int
    load: float
    mean_waiting: float
    waits_s: Floats
    quantiles_s: tuple[float, ...]


def queue_svg(run: Replayable, around: str | None = None, from_s: float = 0.0, until_s: float | None = None) -> Picture:
    """Waiting over time, share of consumers busy, and waits with p50, p95 and p99, between two simulated instants.

    `around` takes only what one service, destination or publisher receives and publishes. The drawing's size does not
    grow with the number of messages. Raises an `EdasimError` for an empty window or an unknown name.
    """
    shown = traffic(run, around=around, from_s=from_s, until_s=until_s)
    facts = _facts(shown)
    across = Axis(shown.from_s, shown.until_s, LEFT, WIDTH - RIGHT, "simulated time", "s")
    parts = [
        f"<defs>{palette.pattern('waiting', STAMP + 'w')}</defs>",
        *_waiting_panel(facts, across, 26, 126),
        *_busy_panel(facts, across, 146, 166),
        axis_across(across, 166),
        *_waits_panel(facts, 236, 326),
    ]
    alt = f"Queue from {shown.window}: waiting over time, busy share, waits"
    text = "\n".join(_sentences(shown, facts))
    return Picture(svg=document(WIDTH, 364, parts, alt), alt=alt, text=text)


def _facts(shown: Traffic) -> Facts:
    times_s, change = waiting_changes(shown)
    waiting = np.cumsum(change).astype(np.float64)
    busy_times_s, busy_change = serving_changes(shown)
    busy = np.cumsum(busy_change).astype(np.float64)
    seen = len(np.unique(shown.consumer[shown.consumer >= 0]))
    seats = max(1, seen, int(busy.max(initial=0)))
    started = (shown.consumer >= 0) & (shown.taken_s <= shown.until_s) & (shown.taken_s >= shown.from_s)
    waits_s = shown.taken_s[started] - shown.arrived_s[started]
    return Facts(
        times_s=times_s,
        waiting=waiting,
        busy_times_s=busy_times_s,
        busy=busy,
        seats=seats,
        load=_mean_level(busy_times_s, busy, shown) / seats,
        mean_waiting=_mean_level(times_s, waiting, shown),
        waits_s=waits_s,
        quantiles_s=tuple(np.quantile(waits_s, QUANTILES).tolist()) if len(waits_s) else (),
    )


def _mean_level(times_s: Floats, levels: Floats, shown: Traffic) -> float:
    """The mean over time of a level that is zero before its first change."""
    return float(np.sum(levels * np.diff(times_s, append=shown.until_s)) / shown.span_s)


def _waiting_panel(facts: Facts, across: Axis, top: float, ground: float) -> list[str]:
    peak = float(facts.waiting.max(initial=0))
    up = Axis(0.0, max(4.0, 1.1 * peak), ground, top, "messages waiting")
    return [
        axis_up(up, LEFT, grid_to=across.end),
        step_line(facts.times_s, facts.waiting, across, up, role="waiting"),
        label(across.end, top - 9, f"mean {say(facts.mean_waiting)}, at most {say(peak)}", anchor="end"),
    ]


def _busy_panel(facts: Facts, across: Axis, top: float, ground: float) -> list[str]:
    up = Axis(0.0, float(facts.seats), ground, top, "busy")
    x, y = step_columns(facts.busy_times_s, facts.busy, across)
    busy = palette.role("busy").colour
    whom = "consumer" if facts.seats == 1 else f"{facts.seats} consumers"
    return [
        rect(across.start, top, across.end - across.start, ground - top, fill=palette.PANEL, stroke=palette.LINE),
        area(f"{polyline(x, up.px(y))}V{short(ground)}H{short(across.start)}Z", fill=busy),
        label(LEFT - 6, ground - 6, "busy", size=11, anchor="end", fill=palette.QUIET),
        label(across.end, top - 5, f"{whom} busy {100 * facts.load:.0f} % of the time", anchor="end"),
    ]


def _waits_panel(facts: Facts, top: float, ground: float) -> list[str]:
    if not len(facts.waits_s):
        return [label(LEFT, top, "no message was taken into service")]
    longest = float(facts.waits_s.max())
    across = Axis(0.0, longest if longest > 0 else 1.0, LEFT, WIDTH - RIGHT, "wait", "s")
    counts, edges = np.histogram(facts.waits_s, bins=40, range=(across.low, across.high))
    up = Axis(0.0, 1.05 * float(counts.max()), ground, top, "messages")
    parts = [
        axis_up(up, LEFT, grid_to=across.end, about=3),
        bars(edges, counts, across, up, fill=f"url(#{STAMP}w)"),
        axis_across(across, ground),
    ]
    for step, (share, value) in enumerate(zip(QUANTILES, facts.quantiles_s, strict=True)):
        x = float(across.px([value])[0])
        anchor = "start" if x < WIDTH - 130 else "end"
        parts.append(post(x, top - 4 + 16 * step, ground, f"p{100 * share:.0f} {say(value)} s", anchor=anchor))
    return parts


def _sentences(shown: Traffic, facts: Facts) -> list[str]:
    levels = (
        f"From {shown.window}: {say(facts.mean_waiting)} waiting on average, "
        f"at most {say(float(facts.waiting.max(initial=0)))}; consumers busy {100 * facts.load:.1f} % of the time."
    )
    said = [" ".join([levels, *missing_sentences(shown)])]
    if facts.quantiles_s:
        p50, p95, p99 = map(say, facts.quantiles_s)
        said.append(
            f"Waits of {len(facts.waits_s):,} messages: mean {say(float(facts.waits_s.mean()))} s, half up to {p50} s, "
            f"95 % up to {p95} s, 99 % up to {p99} s, longest {say(float(facts.waits_s.max()))} s."
        )
    else:
        said.append("No message was taken into service.")
    return said
