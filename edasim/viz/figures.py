"""Charts for the printed page, by matplotlib: waits with their quantiles, and the length of a queue over time.

Uses `matplotlib.figure.Figure` objects only, no state shared between callbacks; matplotlib is imported when the first
chart is drawn. Each chart comes as an `<img>` with an alternative text. Left out: interaction, see `queue`, `theatre`.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np

from ..errors import StateError
from . import palette
from .picture import Picture
from .svg import escape, say
from .traffic import Floats, Replayable, Traffic, traffic, waiting_changes
from .words import missing_sentences

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTILE_LINES = ((0.50, ":"), (0.95, "--"), (0.99, "-"))
DOTS_PER_INCH = 160


def waits_figure(
    run: Replayable, around: str | None = None, from_s: float = 0.0, until_s: float | None = None
) -> Picture:
    """A histogram of the waits (seconds) of all messages taken into service between two instants, with p50, p95, p99.

    Raises `StateError` if none was taken, and other `EdasimError`s for an empty window or an unknown name.
    """
    shown = traffic(run, around=around, from_s=from_s, until_s=until_s)
    waits_s = _waits(shown)
    figure, axes = _figure()
    axes.hist(waits_s, bins=50, color=palette.ORANGE, edgecolor=palette.INK, linewidth=0.4)
    quantiles = np.quantile(waits_s, [share for share, _ in QUANTILE_LINES]).tolist()
    for (share, dash), value in zip(QUANTILE_LINES, quantiles, strict=True):
        axes.axvline(value, color=palette.INK, linestyle=dash, label=f"p{100 * share:.0f}: {say(value)} s")
    axes.set_xlabel("wait (s)")
    axes.set_ylabel("messages")
    axes.legend(frameon=False)
    p50, p95, p99 = map(say, quantiles)
    text = (
        f"Waits of {len(waits_s):,} messages: mean {say(float(waits_s.mean()))} s, half up to {p50} s, "
        f"95 % up to {p95} s, 99 % up to {p99} s."
    )
    return _picture(figure, f"Histogram of the waits of {len(waits_s):,} messages", shown, text)


def queue_length_figure(
    run: Replayable, around: str | None = None, from_s: float = 0.0, until_s: float | None = None
) -> Picture:
    """The number of waiting messages over simulated time (seconds), with its mean over time.

    Raises an `EdasimError` for an empty window or an unknown name.
    """
    shown = traffic(run, around=around, from_s=from_s, until_s=until_s)
    instants, change = waiting_changes(shown)
    times_s = np.concatenate([[shown.from_s], instants, [shown.until_s]])
    levels = np.concatenate([[0], np.cumsum(change)])
    mean = float(np.sum(levels * np.diff(times_s)) / shown.span_s)
    figure, axes = _figure()
    axes.stairs(levels, times_s, color=palette.INK, linewidth=0.9, baseline=None)
    axes.stairs(levels, times_s, color=palette.ORANGE, alpha=0.35, fill=True)
    axes.axhline(mean, color=palette.INK, linestyle="--", label=f"mean {say(mean)}")
    axes.set_xlabel("simulated time (s)")
    axes.set_ylabel("messages waiting")
    axes.set_xlim(shown.from_s, shown.until_s)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    top = int(levels.max())
    text = (
        f"From {shown.window}: {say(mean)} messages wait on average, at most {top:,}, "
        f"first at {say(float(times_s[int(np.argmax(levels))]))} s."
    )
    return _picture(figure, f"Queue length over time, at most {top:,}", shown, text)


def _waits(shown: Traffic) -> Floats:
    started = (shown.consumer >= 0) & (shown.taken_s <= shown.until_s) & (shown.taken_s >= shown.from_s)
    if not started.any():
        raise StateError(
            "no message was taken into service",
            field="until_s",
            value=shown.until_s,
            remedy="choose a longer window",
            at_s=shown.until_s,
        )
    waits: Floats = shown.taken_s[started] - shown.arrived_s[started]
    return waits


def _figure() -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure as PlainFigure

    figure = PlainFigure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=palette.INK)
    return figure, axes


def _picture(figure: Figure, alt: str, shown: Traffic, text: str) -> Picture:
    """The figure as PNG inside an `<img>`; the same figure always gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    image = f'<img alt="{escape(alt)}" style="max-width:640px;width:100%" src="data:image/png;base64,{data}">'
    return Picture(html=image, alt=alt, text=" ".join([text, *missing_sentences(shown)]))
