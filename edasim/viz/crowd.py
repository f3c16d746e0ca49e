"""A crowd of stories under one fault: what was asked per second, what was answered in time, and who still waits.

Drawn from the instants at which stories began and were answered. Left out: why; for that, draw one story.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import palette, strips
from .chart import Axis, Floats
from .picture import Picture
from .strips import Strip
from .svg import document, label, say

WIDTH, LEFT, LONGEST_S = 900.0, 150.0, 120.0

Stories = tuple[Floats, Floats]
"""Instants in seconds at which stories began, and at which they were answered (inf: never)."""


def crowd_svg(
    title: str,
    fault: str,
    spans_s: Sequence[tuple[float, float]],
    stories: Stories,
    calm: Stories,
    in_time_s: float,
    lines: Sequence[str],
) -> Picture:
    """Goodput and open stories over time, with the same crowd without the fault in grey behind; `lines` stand below."""
    until_s = _until_s(stories, spans_s)
    rows = [
        Strip("in time", *per_second(stories, in_time_s, until_s), role="done",
              note=f"answered within {in_time_s:g} s, per second", pinned=per_second(calm, in_time_s, until_s)),
        Strip("still wait", *waiting(stories), role="waiting", note=_note(stories), pinned=waiting(calm)),
    ]  # fmt: skip
    across = Axis(0.0, until_s, LEFT, WIDTH - 16, "simulated time", "s")
    ground = strips.height_of(rows)
    parts = [
        label(12, 22, title, size=14, more=' font-weight="600"'),
        label(WIDTH - 16, 22, "grey: without the fault, same seed", anchor="end", fill=palette.QUIET),
        *strips.draw(rows, across, {"fault": [(low_s, min(high_s, until_s)) for low_s, high_s in spans_s]}, state=""),
        *(label(12, ground + 14 + 18 * number, words, size=12.5) for number, words in enumerate(lines)),
    ]
    alt = f"{title}; {fault}"
    text = [f"{alt}.", *lines, f"In the run that is drawn: {_note(stories)}."]
    return Picture(svg=document(WIDTH, ground + 18 * len(lines) + 8, parts, alt), alt=alt, text="\n".join(text))


def per_second(stories: Stories, in_time_s: float, until_s: float) -> tuple[Floats, Floats]:
    """How many were answered in time, second by second: where each second begins, and the number."""
    asked_s, answered_s = stories
    edges = np.arange(0.0, np.ceil(until_s) + 1.0)
    good = answered_s[answered_s - asked_s <= in_time_s]
    counts, _ = np.histogram(good, edges)
    return edges[:-1], counts.astype(np.float64)


def waiting(stories: Stories) -> tuple[Floats, Floats]:
    """How many have begun and are not answered: where the level changes, and the level from there on."""
    asked_s, answered_s = stories
    ends_s = answered_s[np.isfinite(answered_s)]
    times_s = np.concatenate([asked_s, ends_s])
    order = np.argsort(times_s, kind="stable")
    steps = np.concatenate([np.ones(len(asked_s)), -np.ones(len(ends_s))])[order]
    return times_s[order], np.cumsum(steps)


def _until_s(stories: Stories, spans_s: Sequence[tuple[float, float]]) -> float:
    """Where the picture ends: a while after the last story and the last answer, at most two minutes."""
    asked_s, answered_s = stories
    last_s = max(
        [5.0, *(high_s for _, high_s in spans_s), *asked_s.tolist(), *answered_s[np.isfinite(answered_s)].tolist()]
    )
    return float(min(LONGEST_S, 5.0 * np.ceil(last_s / 5.0 + 0.01)))


def _note(stories: Stories) -> str:
    never = int(np.sum(~np.isfinite(stories[1])))
    return f"{say(len(stories[0]))} began, never answered: {say(never)}"
