"""A rebuild beside live traffic: how far the green copy is, and how many live events wait meanwhile.

Blue/green: the blue copy goes on answering while the green one is filled by a replay; then they are switched. Drawn
from a run of `scenarios.sourced.Bank`. Left out: the switch itself, which takes no time in the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..scenarios.sourced.bank import REPLAY, STATEMENTS
from ..scenarios.sourced.measures import bank_of
from . import palette, strips
from .chart import Axis, Floats
from .picture import Picture
from .strips import Strip
from .svg import document, label, say

if TYPE_CHECKING:
    from ..kernel import Run

WIDTH, LEFT = 780.0, 200.0


def rebuild_svg(run: Run, pinned: Run | None = None) -> Picture:
    """The rebuilt copy and the live queue over the run; another run to compare with stands behind in grey."""
    rows = _strips(run)
    behind = [None, None, None] if pinned is None else [(each.times_s, each.levels) for each in _strips(pinned)]
    shown = [
        Strip(row.name, row.times_s, row.levels, row.role, row.note, grey)
        for row, grey in zip(rows, behind, strict=True)
    ]
    across = Axis(0.0, run.ended_s, LEFT, WIDTH - 16, "simulated time", "s")
    title = f"A rebuild of {int(bank_of(run).replayed)} events at {say(bank_of(run).replay_per_s)} per s"
    parts = [label(12, 22, title, size=14, more=' font-weight="600"'), *strips.draw(shown, across, {})]
    lines = [f"{row.name.capitalize()}: {row.note}." for row in rows]
    alt = f"{title}, beside live traffic"
    text = [f"{alt}.", *lines]
    if pinned is not None:
        kept = f"{say(bank_of(pinned).replay_per_s)} per s"
        parts.append(label(WIDTH - 16, 22, f"grey: at {kept}", anchor="end", fill=palette.QUIET))
        text += [f"In grey, at {kept}:", *(f"{row.name.capitalize()}: {row.note}." for row in _strips(pinned))]
    return Picture(svg=document(WIDTH, strips.height_of(shown), parts, alt), alt=alt, text="\n".join(text))


def _strips(run: Run) -> list[Strip]:
    rows = run.deliveries
    lane = next(index for index, each in enumerate(run.lanes) if each.group == STATEMENTS)
    origins = list(run.origins)
    replay = rows.origin == (origins.index(REPLAY) if REPLAY in origins else -1)
    mine = rows.lane == lane
    done_s = np.sort(rows.finished_s[mine & replay & ~np.isnan(rows.finished_s)])
    green = Strip("green: events rebuilt", done_s, np.arange(1.0, len(done_s) + 1), "done", _done(done_s, run))
    old, live = (_waiting(rows, chosen) for chosen in (mine & replay, mine & ~replay))
    return [
        green,
        _named("old events waiting", *old, run, "waiting"),
        _named("live events waiting", *live, run, "busy"),
    ]


def _done(done_s: Floats, run: Run) -> str:
    wanted = int(bank_of(run).replayed)
    if len(done_s) < wanted:
        return f"{len(done_s)} of {wanted} rebuilt at the end"
    return f"all {wanted} rebuilt at {say(float(done_s[-1]) if wanted else 0.0)} s"


def _named(name: str, times_s: Floats, levels: Floats, run: Run, role: str) -> Strip:
    strip = Strip(name, times_s, levels, role)
    note = f"mean {say(strip.mean(0.0, run.ended_s))}, at most {say(strip.peak(0.0, run.ended_s))}"
    return Strip(name, times_s, levels, role, note)


def _waiting(rows: Any, chosen: Any) -> tuple[Floats, Floats]:
    """How many of some deliveries wait, from change to change."""
    came_s, left_s = rows.enqueued_s[chosen], rows.started_s[chosen]
    left_s = left_s[~np.isnan(left_s)]
    times_s = np.concatenate([came_s, left_s])
    steps = np.concatenate([np.ones(len(came_s)), -np.ones(len(left_s))])
    order = np.lexsort((-steps, times_s))
    return times_s[order], np.cumsum(steps[order])
