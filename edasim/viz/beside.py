"""Measured and simulated side by side: curves of real brokers, each with the model's curve over it.

What was measured is a broad grey line or a grey dot; what was simulated is a thin coloured line or a ring. Where both
agree, the thin line runs inside the broad one. `measured_runs_svg` draws the runs of `experiments.replay`. Left out:
intervals of single measurements; each was made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConfigurationError
from . import palette
from .chart import HALO, Axis, Floats, Scale, axis_across, axis_up, nice
from .picture import Picture
from .svg import document, label, line, polyline, short

if TYPE_CHECKING:
    from ..experiments.replay import MeasuredRuns, Replayed

WIDE, TALL, GAP, LEFT, TOP, FOOT = 330.0, 236.0, 20.0, 48.0, 60.0, 46.0
GREY = "#A0A8B0"
INKS = (palette.BLUE, palette.VERMILLION, palette.GREEN)
DASHES = ("", "7 3", "2 2")
POINTS = 300


@dataclass(frozen=True)
class Pair:
    """One measured curve, and the simulated curves that belong to it (several: one for each seed), as (x, y)."""

    name: str
    measured: tuple[Floats, Floats]
    simulated: tuple[tuple[Floats, Floats], ...]
    dots: bool = False


@dataclass(frozen=True)
class Panel:
    """One comparison: a title, its axes, its pairs, and a sentence that says what they show in numbers."""

    title: str
    across: tuple[str, str]
    up: tuple[str, str]
    pairs: tuple[Pair, ...]
    said: str
    scale: Scale = Scale.LINEAR


MEASURED, SIMULATED = "measured on the real broker", "simulated, with the recorded arrivals and service times"


def beside_svg(panels: Sequence[Panel], alt: str, *, measured: str = MEASURED, simulated: str = SIMULATED) -> Picture:
    """The panels, two in a row, with the words of the legend; `ConfigurationError` if there is none or one has no more
    than one place to draw.
    """
    for panel in panels:
        if not panel.pairs or any(len(pair.measured[0]) < 2 for pair in panel.pairs):
            raise ConfigurationError(
                f"{panel.title!r} has nothing to draw", field="panels", value=panel, remedy="give two points or more"
            )
    if not panels:
        raise ConfigurationError("there is no panel", field="panels", value=panels, remedy="give at least one")
    parts = _legend(measured, simulated)
    for place, panel in enumerate(panels):
        x, y = (place % 2) * (WIDE + GAP), 26 + (place // 2) * TALL
        parts += _panel(panel, x, y)
    height = 30 + TALL * -(-len(panels) // 2)
    text = "\n".join([f"{alt}.", *(f"{panel.title}: {panel.said}" for panel in panels)])
    return Picture(svg=document(2 * WIDE + GAP, height, parts, alt), alt=alt, text=text)


def _legend(measured: str, simulated: str) -> list[str]:
    x = 68 + 6.1 * len(measured)
    return [
        line("M14,16h26", stroke=GREY, width=6),
        label(46, 20, measured),
        line(f"M{short(x)},16h26", stroke=INKS[0], width=1.8),
        label(x + 32, 20, simulated),
    ]


def _panel(panel: Panel, x: float, y: float) -> list[str]:
    curves = [curve for pair in panel.pairs for curve in (pair.measured, *pair.simulated)]
    low, high = min(float(c[0].min()) for c in curves), max(float(c[0].max()) for c in curves)
    bottom, peak = min(float(c[1].min()) for c in curves), max(float(c[1].max()) for c in curves)
    ground, top = y + TALL - FOOT, y + TOP
    across = Axis(low, high, x + LEFT, x + WIDE - 10, *panel.across)
    if panel.scale is Scale.LOG:
        up = Axis(bottom, peak, ground, top, *panel.up, Scale.LOG)
    elif bottom > 0.5 * peak:
        up = Axis(bottom - 0.05 * (peak - bottom), peak + 0.05 * (peak - bottom), ground, top, *panel.up)
    else:
        up = Axis(0.0, 4 * nice(peak / 4), ground, top, *panel.up)
    parts = [label(x + 12, y + 24, panel.title, size=13, more=' font-weight="600"')]
    parts += [axis_across(across, ground, about=5), axis_up(up, x + LEFT, grid_to=across.end)]
    for place, pair in enumerate(panel.pairs):
        parts += _pair(pair, across, up, place)
    return parts


def _pair(pair: Pair, across: Axis, up: Axis, place: int) -> list[str]:
    ink, dash = INKS[place % len(INKS)], DASHES[place % len(DASHES)]
    if pair.dots:
        parts = [_dots(pair.measured, across, up, 3.4, f'fill="{GREY}"')]
        parts += [
            _dots(each, across, up, 2.6, f'fill="none" stroke="{ink}" stroke-width="1.1"') for each in pair.simulated
        ]
    else:
        parts = [_curve(pair.measured, across, up, GREY, 6, "")]
        parts += [_curve(each, across, up, ink, 1.8, dash) for each in pair.simulated]
    if pair.name:
        x, y, anchor = (across.end - 2, up.start - 8, "end") if pair.dots else _name_spot(pair.measured, across, up)
        parts.append(label(x, y, pair.name, size=11.5, anchor=anchor, fill=ink, more=HALO))
    return parts


def _name_spot(curve: tuple[Floats, Floats], across: Axis, up: Axis) -> tuple[float, float, str]:
    """Beside the point at three fifths of a curve's width: right of it, or left of it near the panel's edge."""
    reach = curve[0][0] + 0.6 * (curve[0][-1] - curve[0][0])
    x = float(across.px([reach])[0])
    y = float(up.px([float(np.interp(reach, curve[0], curve[1]))])[0])
    return (x + 9, y - 5, "start") if x < across.end - 100 else (x - 9, y + 4, "end")


def _curve(curve: tuple[Floats, Floats], across: Axis, up: Axis, ink: str, width: float, dash: str) -> str:
    chosen = np.unique(np.linspace(0, len(curve[0]) - 1, min(POINTS, len(curve[0]))).astype(int))
    path = polyline(across.px(curve[0][chosen]), up.px(curve[1][chosen]))
    return line(path, stroke=ink, width=width, dash=dash, more=' stroke-linejoin="round"')


def _dots(curve: tuple[Floats, Floats], across: Axis, up: Axis, radius: float, look: str) -> str:
    places = zip(across.px(curve[0]).tolist(), up.px(curve[1]).tolist(), strict=True)
    circles = "".join(f'<circle cx="{short(x)}" cy="{short(y)}" r="{radius:g}"/>' for x, y in places)
    return f"<g {look}>{circles}</g>"


def measured_runs_svg(runs: MeasuredRuns) -> Picture:
    """Prefetch 1 and 20, the queue group, the killed consumers and the burst, measured and simulated."""
    panels = (
        Panel(
            "RabbitMQ, four consumers", ("wait", "ms"), ("share that waits longer", ""),
            (
                Pair("prefetch 20", _tail(runs.prefetch_20.measured), (_tail(runs.prefetch_20.simulated),)),
                Pair("prefetch 1", _tail(runs.prefetch_1.measured), (_tail(runs.prefetch_1.simulated),)),
            ),
            _waits("prefetch 1", runs.prefetch_1) + "; " + _waits("prefetch 20", runs.prefetch_20) + ".",
            Scale.LOG,
        ),
        Panel(
            "NATS: a queue group of two, four that pull", ("wait", "ms"), ("share that waits longer", ""),
            (
                Pair("queue group", _tail(runs.group[0].measured), tuple(_tail(each.simulated) for each in runs.group)),
                Pair("pulled", _tail(runs.pulled.measured), (_tail(runs.pulled.simulated),)),
            ),
            _group_said(runs),
            Scale.LOG,
        ),
        _kill_panel("RabbitMQ, one of two killed at 12 s", runs.killed_rabbitmq, 11.8, 30),
        _kill_panel("JetStream, one of two killed at 12 s", runs.killed_jetstream, 11.0, 30),
        _burst_panel(runs.burst),
    )  # fmt: skip
    return beside_svg(panels, "Real brokers and their models side by side")


def _tail(starts: object) -> tuple[Floats, Floats]:
    """Waits in milliseconds, and the share of messages that wait longer, down to one in a thousand."""
    waits_ms = np.sort(1000 * starts.waits_s)  # type: ignore[attr-defined]
    share = 1.0 - np.arange(len(waits_ms)) / len(waits_ms)
    kept = share >= 1e-3
    return waits_ms[kept], share[kept]


def _waits(name: str, run: Replayed) -> str:
    measured_ms, simulated_ms = (1000 * float(each.waits_s.mean()) for each in (run.measured, run.simulated))
    return f"{name} mean wait {measured_ms:.1f} ms measured, {simulated_ms:.1f} ms simulated"


def _group_said(runs: MeasuredRuns) -> str:
    measured_ms, low_ms, high_ms = runs.group_means_ms
    return (
        f"queue group mean wait {measured_ms:.0f} ms measured, {low_ms:.0f} to {high_ms:.0f} ms in {len(runs.group)} "
        f"simulations; {_waits('pulled by four workers', runs.pulled)}."
    )


def _kill_panel(title: str, run: Replayed, from_s: float, around: int) -> Panel:
    """What was begun after `from_s`, and what came back: the message's number, near those, against its start."""
    pairs, middle = [], float(np.median(run.measured.handed_out_again))
    for again, name in ((False, ""), (True, "handed out again")):
        measured, *simulated = [
            (each.started_s[kept], each.sequence[kept].astype(np.float64))
            for each in (run.measured, run.simulated)
            for kept in [(each.again == again) & (each.started_s > from_s) & (np.abs(each.sequence - middle) < around)]
        ]
        pairs.append(Pair(name, measured, tuple(simulated), dots=True))
    said = [
        f"{len(back)} came back {what}, messages {back[0]} to {back[-1]}, begun from {first_s:.2f} s on"
        for each, what in ((run.measured, "measured"), (run.simulated, "simulated"))
        for back in [each.handed_out_again]
        for first_s in [float(each.started_s[each.again].min())]
    ]
    return Panel(title, ("time", "s"), ("message", ""), tuple(pairs), "; ".join(said) + ".")


def _burst_panel(run: Replayed) -> Panel:
    at_s = np.arange(0.0, 75.0, 0.25)
    measured, simulated = (each.backlog(at_s).astype(np.float64) for each in (run.measured, run.simulated))
    apart = int(np.abs(simulated - measured).max())
    peaks = f"at most {measured.max():.0f} waiting measured, {simulated.max():.0f} simulated"
    said = f"{peaks}; never more than {apart} apart."
    pair = Pair("", (at_s, measured), ((at_s, simulated),))
    return Panel("RabbitMQ, ten times the rate from 10 to 15 s", ("time", "s"), ("messages waiting", ""), (pair,), said)
