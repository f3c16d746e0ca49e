"""A fleet over time: each instance's queue, whether it was down or slow, and beside it what the client believed of it.

Drawn from the rows and facts of one run. The bar under a queue is the client's view (in service, taken for ill by
probes, ejected by passive checks, not in its copy of the registry); the hatched part of a row is the truth. Left out:
instances beyond the first eight, which the text counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..kernel.deliveries import Deliveries
from ..kernel.runlog import DONE
from ..services.calls.measures import rows_of
from . import palette
from .chart import HALO, Axis, axis_across, step_line
from .picture import Picture
from .strips import Strip
from .svg import STAMP, document, fit, label, line, rect, say, short

if TYPE_CHECKING:
    from ..kernel import Run

WIDTH, LEFT, TOP, QUEUE, BAR, GAP, MOST = 780.0, 150.0, 64.0, 26.0, 12.0, 12.0, 8
IN_SERVICE, ILL, EJECTED, UNKNOWN = "in service", "ill by probes", "ejected", "not in the view"
BELIEFS = {IN_SERVICE: "done", ILL: "failed", EJECTED: "duplicated", UNKNOWN: "dead_lettered"}
"""The role of the palette for each belief of the client."""

Span = tuple[float, float, str]


@dataclass(frozen=True)
class Row:
    """One instance: its queue (and calls at work), what was wrong with it, and what the client believed."""

    queue: Strip
    truth: list[Span]
    beliefs: list[Span]


def fleet_svg(run: Run, client: str, pinned: Run | None = None) -> Picture:
    """The instances that a client calls, over the run; of a pinned run only the failures, in grey behind."""
    rows = _rows(run, client)
    failures = _failures(run, client, None if pinned is None else _failures(pinned, client).levels)
    across = Axis(0.0, run.ended_s, LEFT, WIDTH - 16, "simulated time", "s")
    title = f"Who is well, and whom {client} take to be well"
    parts = [f"<defs>{''.join(palette.pattern(name, STAMP + name) for name in (*BELIEFS.values(), 'down'))}</defs>"]
    parts += [label(12, 22, title, size=14, more=' font-weight="600"'), *_key()]
    for place, row in enumerate(rows[:MOST]):
        parts += _row(row, across, TOP + place * (QUEUE + BAR + GAP))
    bottom = TOP + min(len(rows), MOST) * (QUEUE + BAR + GAP)
    parts += [*_failed(failures, across, bottom + 10), axis_across(across, bottom + 54)]
    alt = f"{title}: queues, health and failed requests over {say(run.ended_s)} s"
    text = [f"{alt}.", *(_told(row) for row in rows), f"Failed requests: {failures.note}.", *_panics(run, client)]
    if pinned is not None:
        parts.append(label(WIDTH - 16, 22, "grey: the pinned run", anchor="end", fill=palette.QUIET))
        text.append(f"Pinned, in grey: failed requests: {_failures(pinned, client).note}.")
    return Picture(svg=document(WIDTH, bottom + 98, parts, alt), alt=alt, text="\n".join(text))


def _rows(run: Run, client: str) -> list[Row]:
    _, attempts = rows_of(run, client)
    return [
        Row(_queue(attempts, run.consumers.index(name), name), _truth(run, name), _beliefs(run, client, name))
        for name in run.kept["service"].instances
    ]


def _queue(attempts: Deliveries, consumer: int, name: str) -> Strip:
    """How many calls an instance had, waiting or at work; those that it refused at once are none."""
    mine = attempts.rows((attempts.consumer == consumer) & (attempts.finished_s != attempts.enqueued_s))
    came_s, left_s = mine.enqueued_s, mine.finished_s[~np.isnan(mine.finished_s)]
    times_s = np.concatenate([came_s, left_s])
    steps = np.concatenate([np.ones(len(came_s)), -np.ones(len(left_s))])
    order = np.lexsort((-steps, times_s))
    return Strip(name, times_s[order], np.cumsum(steps[order]), "waiting")


def _truth(run: Run, name: str) -> list[Span]:
    """When an instance was down or slow."""
    begins = {"node_crashed": "down", "node_slowed": "slow"}
    spans: list[Span] = []
    since: tuple[float, str] | None = None
    for fact in (fact for fact in run.fact_list if fact.subject == name):
        normal = fact.kind == "node_restarted" or (fact.kind == "node_slowed" and fact.detail["factor"] == 1.0)
        if normal and since is not None:
            spans.append((since[0], fact.time_s, since[1]))
            since = None
        elif fact.kind in begins and not normal and since is None:
            since = (fact.time_s, begins[fact.kind])
    return spans if since is None else [*spans, (since[0], run.ended_s, since[1])]


def _beliefs(run: Run, client: str, name: str) -> list[Span]:
    """What the client took an instance for, over the whole run."""
    ill = ejected = False
    known, now, since_s = True, IN_SERVICE, 0.0
    spans: list[Span] = []
    for fact in run.fact_list:
        if fact.kind == "view" and fact.subject == client:
            known = name in fact.detail["names"].split(", ")
        elif fact.subject != name or fact.detail.get("client") != client:
            continue
        elif fact.kind == "probe":
            ill = fact.detail["what"] == "ill"
        elif fact.kind == "outlier":
            ejected = fact.detail["what"] != "returned"
        found = UNKNOWN if not known else EJECTED if ejected else ILL if ill else IN_SERVICE
        if found != now:
            spans.append((since_s, fact.time_s, now))
            now, since_s = found, fact.time_s
    return [*spans, (since_s, run.ended_s, now)]


def _failures(run: Run, client: str, pinned: object = None) -> Strip:
    """Requests that were given up, per second."""
    requests, _ = rows_of(run, client)
    edges = np.arange(0.0, run.ended_s + 0.5, 1.0)
    failed_s = requests.finished_s[(requests.outcome != DONE) & ~np.isnan(requests.finished_s)]
    levels = np.histogram(failed_s, bins=edges)[0].astype(np.float64)
    note = f"{len(failed_s):,} of {len(requests):,}"
    behind = None if pinned is None else (edges[:-1], np.asarray(pinned, dtype=np.float64))
    return Strip("failed requests", edges[:-1], levels, "failed", note, behind)


def _key() -> list[str]:
    parts, x = [label(12, 44, "bar: what the client believes", size=11.5)], 190.0
    for words, role in BELIEFS.items():
        parts += [
            rect(x, 35, 12, 11, fill=f"url(#{STAMP}{role})", stroke=palette.INK),
            label(x + 17, 44, words, size=11.5),
        ]
        x += 30 + 6.4 * len(words)
    return [*parts, rect(x, 35, 12, 11, fill=f"url(#{STAMP}down)", more=' opacity=".3"'),
            label(x + 17, 44, "the truth", size=11.5)]  # fmt: skip


def _row(row: Row, across: Axis, top: float) -> list[str]:
    peak = row.queue.peak(across.low, across.high)
    up = Axis(0.0, max(1.0, peak), top + QUEUE, top, "calls")
    parts = [
        rect(across.start, top, across.end - across.start, QUEUE, fill=palette.PANEL),
        label(12, top + 17, fit(row.queue.name, 90, size=12.5), size=12.5, more=' font-weight="600"'),
        label(across.start - 6, top + 9, say(max(1.0, peak)), size=10.5, anchor="end", fill=palette.QUIET),
        step_line(row.queue.times_s, row.queue.levels, across, up, role="waiting"),
    ]
    for from_s, until_s, what in row.truth:
        start, end = across.px([from_s, until_s]).tolist()
        parts.append(
            rect(start, top - 3, max(2.0, end - start), QUEUE + 3, fill=f"url(#{STAMP}down)", more=' opacity=".2"')
        )
        parts.append(label(start + 4, top + 9, what, size=11.5, more=HALO))
    for from_s, until_s, what in row.beliefs:
        start, end = across.px([from_s, until_s]).tolist()
        fill = f"url(#{STAMP}{BELIEFS[what]})"
        parts.append(rect(start, top + QUEUE + 1, max(1.0, end - start), BAR - 2, fill=fill, stroke=palette.INK))
    return parts


def _failed(failures: Strip, across: Axis, top: float) -> list[str]:
    peak = failures.peak(across.low, across.high)
    if failures.pinned is not None:
        peak = max(peak, float(failures.pinned[1].max(initial=0.0)))
    up = Axis(0.0, max(1.0, peak), top + 44, top, "failed requests")
    parts = [
        rect(across.start, top, across.end - across.start, 44, fill=palette.PANEL),
        label(12, top + 18, "failed per s", size=12.5, more=' font-weight="600"'),
        label(across.start - 6, top + 9, say(max(1.0, peak)), size=10.5, anchor="end", fill=palette.QUIET),
    ]
    if failures.pinned is not None:
        parts.append(step_line(*failures.pinned, across, up, role="dead_lettered"))
    parts += [
        step_line(failures.times_s, failures.levels, across, up, role="failed"),
        line(f"M{short(across.start)},{short(top + 44)}H{short(across.end)}", stroke=palette.SLATE),
        label(across.end, top - 4, failures.note, size=11, anchor="end", fill=palette.QUIET, more=HALO),
    ]
    return parts


def _told(row: Row) -> str:
    """One instance in words."""
    truth = "; ".join(f"{what} from {say(from_s)} s to {say(until_s)} s" for from_s, until_s, what in row.truth)
    believed = ", ".join(f"{what} until {say(until_s)} s" for _, until_s, what in row.beliefs)
    peak = say(row.queue.peak(0.0, row.beliefs[-1][1]))
    return f"{row.queue.name}: {truth or 'well'}. Believed: {believed}. At most {peak} calls at once."


def _panics(run: Run, client: str) -> list[str]:
    facts = [fact for fact in run.fact_list if fact.kind == "panic" and fact.subject == client]
    return [
        f"At {say(fact.time_s)} s panic {fact.detail['what']}: health is {_BELIEF[fact.detail['what']]}."
        for fact in facts
    ]


_BELIEF = {"begins": "not believed", "ends": "believed again"}
