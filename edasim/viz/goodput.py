"""Calls over time: what was asked, answered in time, tried and done in vain, with the queue and the circuit breaker.

Drawn from the rows and facts of one run; goodput and throughput are those of `services.calls.traffic`. Left out: single
calls, which the delivery table has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..services.calls.measures import Traffic, attempts_per_request, rows_of, traffic
from . import palette, strips
from .chart import Axis, Floats
from .picture import Picture
from .strips import Strip
from .svg import document, label, say

if TYPE_CHECKING:
    from ..kernel import Run

WIDTH, LEFT = 780.0, 150.0
OPEN = {"closed": 0.0, "half open": 1.0, "open": 2.0, "forced open": 2.0, "disabled": 0.0, "metrics only": 0.0}
"""How high the strip of the circuit breaker stands in each state."""


def goodput_svg(run: Run, client: str, pinned: Run | None = None) -> Picture:
    """Goodput, throughput, attempts, queue and breaker of a client over the run; another run stands in grey behind."""
    shown = _rows(run, client)
    if pinned is not None:
        behind = {row.name: (row.times_s, row.levels) for row in _rows(pinned, client)}
        shown = [Strip(row.name, row.times_s, row.levels, row.role, row.note, behind.get(row.name)) for row in shown]
    across = Axis(0.0, run.ended_s, LEFT, WIDTH - 16, "simulated time", "s")
    title = f"What {client} asks, and what comes of it"
    parts = [label(12, 22, title, size=14, more=' font-weight="600"')]
    parts += strips.draw(shown, across, _slow(run), state="slow")
    alt = f"{title}: requests, attempts, work and queue over {say(run.ended_s)} s"
    text = [f"{alt}.", *(f"{row.name.capitalize()}: {row.note}." for row in shown), *_faults(run)]
    if pinned is not None:
        parts.append(label(WIDTH - 16, 22, "grey: the pinned run", anchor="end", fill=palette.QUIET))
        text += ["Pinned, in grey:", *(f"{row.name.capitalize()}: {row.note}." for row in _rows(pinned, client))]
    return Picture(svg=document(WIDTH, strips.height_of(shown), parts, alt), alt=alt, text="\n".join(text))


def _rows(run: Run, client: str) -> list[Strip]:
    seen = traffic(run, client)
    late_s = max(run.ended_s - 20.0, 0.0)

    def per_s(name: str, column: str, role: str, said: str = "") -> Strip:
        levels = getattr(seen, column)
        note = f"{say(seen.mean(column, late_s, run.ended_s))} per s in the last {say(run.ended_s - late_s)} s{said}"
        return Strip(name, seen.starts_s, levels, role, note)

    amplified = f"; {say(attempts_per_request(run, client))} attempts per request over the run"
    rows = [
        per_s("goodput", "goodput_per_s", "done", f" of {say(_asked(seen, late_s, run.ended_s))} asked"),
        per_s("throughput", "throughput_per_s", "busy"),
        per_s("attempts sent", "attempts_per_s", "message", amplified),
        _queue(run, client),
    ]
    breaker = _breaker(run, client)
    return rows if breaker is None else [*rows, breaker]


def _asked(seen: Traffic, from_s: float, until_s: float) -> float:
    return seen.mean("asked_per_s", from_s, until_s)


def _queue(run: Run, client: str) -> Strip:
    """How many of the client's attempts wait at the server."""
    _, attempts = rows_of(run, client)
    came = ~np.isnan(attempts.delivered_s)
    came_s = attempts.delivered_s[came]
    left_s = np.where(np.isnan(attempts.started_s[came]), attempts.finished_s[came], attempts.started_s[came])
    left_s = left_s[~np.isnan(left_s)]
    times_s = np.concatenate([came_s, left_s])
    steps = np.concatenate([np.ones(len(came_s)), -np.ones(len(left_s))])
    order = np.lexsort((-steps, times_s))
    name, levels = "waiting", np.cumsum(steps[order])
    strip = Strip(name, times_s[order], levels, "waiting")
    at_the_end = say(strip.at(run.ended_s))
    note = f"at most {say(strip.peak(0.0, run.ended_s))}, {at_the_end} at the end"
    return Strip(name, strip.times_s, levels, "waiting", note)


def _breaker(run: Run, client: str) -> Strip | None:
    """The circuit breaker: down is closed, half way is half open, up is open; None if it never changed."""
    changes = [fact for fact in run.fact_list if fact.kind == "circuit_breaker" and fact.subject == client]
    if not changes:
        return None
    times_s: Floats = np.array([fact.time_s for fact in changes])
    levels: Floats = np.array([OPEN[fact.detail["after"]] for fact in changes])
    opened = int((levels == OPEN["open"]).sum())
    note = f"2 is open, 1 half open, 0 closed; opened {opened} times, {changes[-1].detail['after']} at the end"
    return Strip("breaker", times_s, levels, "failed", note)


def _slow(run: Run) -> dict[str, list[tuple[float, float]]]:
    """When each node was slow, by the facts of the log."""
    spans: dict[str, list[tuple[float, float]]] = {}
    since: dict[str, float] = {}
    for fact in run.fact_list:
        if fact.kind != "node_slowed":
            continue
        if fact.detail["factor"] != 1.0:
            since.setdefault(fact.subject, fact.time_s)
        elif fact.subject in since:
            spans.setdefault(fact.subject, []).append((since.pop(fact.subject), fact.time_s))
    for name, from_s in since.items():
        spans.setdefault(name, []).append((from_s, run.ended_s))
    return spans


def _faults(run: Run) -> list[str]:
    return [
        f"{name} is slow from {say(from_s)} s to {say(until_s)} s."
        for name, spans in _slow(run).items()
        for from_s, until_s in spans
    ]
