"""The message theatre: a run replayed as moving messages, in one HTML page that needs nothing else.

A frame (`<iframe srcdoc sandbox="allow-scripts">`) holds one SVG with a mark for each delivery and a short script
(`theatre.js`) that draws them as a function of the simulated time: play, pause, scrub, speed, step to the next event,
jump to the longest wait, and follow a message that is clicked. Everything works by keyboard; with
`prefers-reduced-motion` nothing moves until it is asked to. No Python runs while it plays.

What is exact: who waits, in which order, who is in service, and the counts, at every instant. What is arranged for the
eye: flights take up to 0.8 s of watching (a publisher's message is seen leaving early and reaches its queue on time),
and a queue stands in the order in which its messages will be taken. Left out: what happens inside a broker.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from .. import checks
from ..kernel.runlog import OUTCOMES, PUBLISHER_BITS
from . import palette, scenery
from .chart import HALO, Axis, Scale, axis_across, step_line
from .picture import Picture
from .svg import FONT, STAMP, area, escape, label, line, rect, short, stamped
from .traffic import Floats, Replayable, Traffic, of_node, outages, traffic, waiting_changes
from .words import longest_wait, missing_sentences, outcome_sentence, wait_sentences

STRIP_HEIGHT, LEGEND_HEIGHT, BARS_HEIGHT = 104.0, 30.0, 82
NOT_FINAL = ("in_flight", "queued")
LOOKS = {"again": "duplicated"}
"""Names of marks in the script that are not names of roles."""


def theatre(
    run: Replayable,
    around: str | None = None,
    from_s: float = 0.0,
    until_s: float | None = None,
    seconds: float = 20.0,
    *,
    at_most: int = 500,
) -> Picture:
    """A run from `from_s` to `until_s` (simulated seconds), replayed in so many `seconds` of watching.

    `around` shows only what one service, destination or publisher receives and publishes. Beyond `at_most` deliveries
    the replay ends early, and says how many it leaves out. Raises an `EdasimError` for an empty window or unknown name.
    """
    watch_s = checks.check_positive("seconds", seconds)
    shown = traffic(run, around=around, from_s=from_s, until_s=until_s, at_most=at_most)
    planned = scenery.plan(shown, scenery.a_seat_per_delivery)
    down = outages(run, shown)
    alt = _alt(shown, around)
    page = _page(planned, down, watch_s, alt)
    height = planned.stage.height + STRIP_HEIGHT + LEGEND_HEIGHT + BARS_HEIGHT
    frame = (
        f"<iframe title='{escape(alt)}' sandbox='allow-scripts' loading='lazy' style='display:block;width:100%;"
        f"max-width:{short(planned.stage.width)}px;height:{height:.0f}px;border:0' srcdoc='{_quoted(page)}'></iframe>"
    )
    return Picture(html=frame, alt=alt, text="\n".join(_sentences(planned, down)))


def _quoted(page: str) -> str:
    """A page as the value of an attribute in single quotes."""
    return page.replace("&", "&amp;").replace("'", "&#39;")


def _alt(shown: Traffic, around: str | None) -> str:
    whom = "" if around is None else f" around {around}"
    window = f"from {shown.window} of simulated time"
    return f"Message theatre{whom}: {len(shown):,} deliveries {window}"


def _sentences(planned: scenery.Plan, down: dict[str, list[tuple[float, float]]]) -> list[str]:
    """The text equivalent: what flowed, who waited longest behind whom, outcomes, outages, and what is not shown."""
    shown = planned.shown
    said = [f"{len(shown):,} deliveries from {shown.window} of simulated time."]
    said[0] = " ".join([said[0], *missing_sentences(shown)])
    said += wait_sentences(shown)
    for arrow in planned.graph.arrows:
        origin = planned.graph.stations[arrow.origin].name
        top, when_s = planned.most[arrow.lane]
        said.append(
            f"{origin} to {shown.services[arrow.lane]} by way of {shown.lanes[arrow.lane].destination}: "
            f"{arrow.count:,} deliveries; "
            + (f"at most {top} waited there at once, first at {when_s:.3f} s." if top else "nobody waited there.")
        )
    said.append(outcome_sentence(shown))
    for node, spans in down.items():
        times = ", ".join(f"from {a:.3f} s to {'the end' if b >= shown.until_s else f'{b:.3f} s'}" for a, b in spans)
        said.append(f"{node} was down {times}.")
    return said


def _page(planned: scenery.Plan, down: dict[str, list[tuple[float, float]]], watch_s: float, alt: str) -> str:
    """The page inside the frame."""
    shown, stage = planned.shown, planned.stage
    looks = _looks(shown)
    drawing = "".join(
        [
            scenery.definitions(),
            "<defs>" + "".join(_symbol(look, stage.radius) for look in looks) + "</defs>",
            scenery.arrows(planned),
            scenery.stations(planned),
            _covers(planned, down),
            _live_texts(planned),
            '<g id="messages">' + '<use class="m" style="display:none"/>' * len(shown) + "</g>",
            _ring(stage.radius + 5),
            _strip(planned, down),
            _legend(stage.height + STRIP_HEIGHT, looks),
        ]
    )
    height = stage.height + STRIP_HEIGHT + LEGEND_HEIGHT
    svg = (
        f'<svg id="stage" viewBox="0 0 {short(stage.width)} {short(height)}" tabindex="0" role="img" '
        f'font-family="{FONT}" aria-label="{escape(alt)}. Space plays and pauses, the arrow keys step from event to '
        f'event.">{drawing}</svg>'
    )
    data = json.dumps(_data(planned, down, watch_s), separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    scripts = f'<script type="application/json" id="data">{data}</script><script>{_asset("theatre.js")}</script>'
    return stamped(
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(alt)}</title>'
        f"<style>{_asset('theatre.css')}</style></head><body>{svg}{_bar(shown)}{scripts}</body></html>"
    )


def _ring(radius: float) -> str:
    """The ring around the message that is followed."""
    look = f'fill="none" stroke="{palette.INK}" stroke-width="2.5" stroke-dasharray="4 2"'
    return f'<circle id="ring" r="{short(radius)}" {look} style="display:none"/>'


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _looks(shown: Traffic) -> list[str]:
    """The marks that this replay needs, in the order of a message's life."""
    looks = ["message", "waiting", "busy"]
    if len(shown) and shown.attempt.max() > 1:
        looks.append("again")
    looks += [palette.outcome_role(name).name for name in shown.outcome_counts()]
    return list(dict.fromkeys(looks))


def _symbol(look: str, radius: float) -> str:
    return f'<g id="{STAMP}{look}">{palette.mark(LOOKS.get(look, look), radius * 0.92)}</g>'


def _legend(y: float, looks: list[str]) -> str:
    """The marks in words."""
    parts, x = [], 24.0
    for look in looks:
        words = palette.role(LOOKS.get(look, look)).words
        parts.append(
            f'<use href="#{STAMP}{look}" x="{short(x)}" y="{short(y + 10)}"/>' + label(x + 13, y + 14, words, size=12)
        )
        x += 42 + 6.4 * len(words)
    return "".join(parts)


def _covers(planned: scenery.Plan, down: dict[str, list[tuple[float, float]]]) -> str:
    """Hatched covers for the seats of nodes that go down."""
    return "".join(
        scenery.down_seat(planned, seat, f' data-down="{number}" style="display:none"')
        for number, node in enumerate(down)
        for seat in range(len(planned.seats.station))
        if of_node(planned.seat_name(seat), node)
    )


def _live_texts(planned: scenery.Plan) -> str:
    """Texts that the script keeps up to date: how many wait in each lane, what became of each station's deliveries."""
    parts = []
    for number, lane in enumerate(planned.stage.queues):
        x, y = scenery.count_spot(planned, lane)
        parts.append(label(x, y, "", size=12, more=f' id="lane{number}"'))
    for number, station in enumerate(planned.graph.stations):
        if station.lanes:
            x, y = scenery.tally_spot(planned, number)
            parts.append(label(x, y, "", size=12, fill=palette.QUIET, more=f' id="tally{number}"'))
    return "".join(parts)


def _strip(planned: scenery.Plan, down: dict[str, list[tuple[float, float]]]) -> str:
    """The number of all that wait, over the whole window, with the playhead; a click on it seeks."""
    shown, stage = planned.shown, planned.stage
    top, ground = stage.height + 24, stage.height + 64
    across = _time_axis(planned)
    instants, change = waiting_changes(shown)
    level = np.cumsum(change)
    peak = max(1, int(level.max(initial=0)))
    up = Axis(0, peak, ground, top, "waiting")
    bands = "".join(
        rect(a, top, max(1.5, b - a), ground - top, fill=f"url(#{STAMP}down)", more=' opacity=".25"')
        + (label((a + b) / 2, ground - 5, "down", size=11, anchor="middle", more=HALO) if b - a > 36 else "")
        for node, spans in down.items()
        for a, b in (across.px(span).tolist() for span in spans)
    )
    return (
        label(across.start, top - 12, f"waiting in all queues together: at most {peak if len(level) else 0}", size=11.5)
        + bands
        + step_line(instants, level, across, up, role="waiting")
        + axis_across(across, ground)
        + rect(across.start, top, across.end - across.start, ground - top, fill="transparent", more=' id="strip"')
        + f'<g id="playhead" pointer-events="none">{line(f"M0,{short(top - 3)}V{short(ground + 3)}", width=2)}'
        + area(f"M-5,{short(top - 8)}h10l-5,7Z", fill=palette.INK)
        + "</g>"
    )


def _time_axis(planned: scenery.Plan) -> Axis:
    shown = planned.shown
    return Axis(shown.from_s, shown.until_s, 24, planned.stage.width - 24, "simulated time", "s", Scale.LINEAR)


def _bar(shown: Traffic) -> str:
    """The controls under the picture."""
    speeds = "".join(
        f'<option value="{value}"{" selected" if value == 1 else ""}>{text}</option>'
        for value, text in (
            (0.1, "1/10 speed"),
            (0.25, "1/4 speed"),
            (0.5, "1/2 speed"),
            (1, "normal"),
            (2, "2 × faster"),
            (4, "4 × faster"),
        )
    )
    longest = '<button id="longest" type="button">Longest wait</button>' if longest_wait(shown) is not None else ""
    note = "Click a message to follow it."
    if shown.left_out:
        note = f"The first {len(shown):,} deliveries; {shown.left_out:,} later ones are left out. {note}"
    return (
        '<div class="bar"><button id="play" type="button">▶ Play</button>'
        '<button id="back" type="button" aria-label="Step to the event before">◂ Step</button>'
        '<button id="next" type="button" aria-label="Step to the next event">Step ▸</button>'
        f'<select id="speed" aria-label="Speed">{speeds}</select>{longest}'
        '<input id="scrub" type="range" min="0" max="1000000" step="1000" value="0" aria-label="Simulated time">'
        f'<output id="time" for="scrub"></output></div><p id="say" role="status">{escape(note)}</p>'
    )


def _data(planned: scenery.Plan, down: dict[str, list[tuple[float, float]]], watch_s: float) -> dict[str, Any]:
    """What the script reads: a column per fact; instants are millionths of the window, null where not reached."""
    shown, stage, graph = planned.shown, planned.stage, planned.graph
    lanes = list(stage.queues)
    lane_number = {lane: number for number, lane in enumerate(lanes)}
    row_of = longest_wait(shown)
    return {
        "stamp": STAMP, "span": shown.span_s, "from": shown.from_s, "seconds": watch_s, "digits": _digits(shown.span_s),
        "published": _millionths(shown, shown.published_s), "arrived": _millionths(shown, shown.arrived_s),
        "taken": _millionths(shown, shown.taken_s), "ended": _millionths(shown, shown.ended_s),
        "arrow": planned.arrow_of_row.tolist(), "lane": [lane_number[lane] for lane in shown.lane.tolist()],
        "seat": planned.seats.of_row.tolist(), "attempt": shown.attempt.tolist(), "before": _attempt_before(shown),
        "outcome": shown.outcome.tolist(), "number": (shown.number & ((1 << PUBLISHER_BITS) - 1)).tolist(),
        "origin": shown.origin.tolist(), "origins": list(shown.origins),
        "early": [not graph.stations[arrow.origin].lanes for arrow in graph.arrows],
        "lanes": [_lane(planned, lane) for lane in lanes], "groups": [shown.services[lane] for lane in lanes],
        "stations": [station.name for station in graph.stations],
        "seats": [_seat(planned, seat) for seat in range(len(planned.seats.station))],
        "who": [planned.seat_name(seat) for seat in range(len(planned.seats.station))],
        "outcomes": [_outcome(name) for name in OUTCOMES],
        "nodes": list(down), "down": [_spans(shown, spans) for spans in down.values()],
        "longest": -1 if row_of is None else row_of, "strip": [_time_axis(planned).start, _time_axis(planned).end],
    }  # fmt: skip


def _lane(planned: scenery.Plan, lane: int) -> dict[str, float]:
    queue = planned.stage.queues[lane]
    x, y = queue.head
    return {
        "x": round(x, 1), "y": round(y, 1), "pitch": queue.pitch, "perRow": queue.per_row, "rows": queue.rows,
        "station": queue.station,
    }  # fmt: skip


def _seat(planned: scenery.Plan, seat: int) -> list[float]:
    """Where a seat is, and where what is done there leaves the box."""
    x, y = planned.spot(seat)
    return [round(v, 1) for v in (x, y, planned.stage.boxes[planned.seats.station[seat]].right)]


def _outcome(name: str) -> dict[str, Any]:
    kind = palette.outcome_role(name)
    words = name.replace("_", " ")
    return {
        "words": words,
        "look": kind.name,
        "exit": "on" if name == "done" else "off",
        "final": name not in NOT_FINAL,
    }


def _spans(shown: Traffic, spans: list[tuple[float, float]]) -> list[list[int | None]]:
    return [_millionths(shown, np.array(span)) for span in spans]


def _millionths(shown: Traffic, instants: Floats) -> list[int | None]:
    share = (instants - shown.from_s) / shown.span_s * 1e6
    return [round(value) if value < 1e12 else None for value in share.tolist()]


def _attempt_before(shown: Traffic) -> list[int]:
    """The row of the attempt before, for deliveries that are handed out again; -1 for the others."""
    rows: dict[tuple[int, int, int], int] = {}
    before = []
    keys = zip(shown.number.tolist(), shown.lane.tolist(), shown.attempt.tolist(), strict=True)
    for row, (number, lane, attempt) in enumerate(keys):
        rows[number, lane, attempt] = row
        before.append(rows.get((number, lane, attempt - 1), -1))
    return before


def _digits(span_s: float) -> int:
    """Decimals that tell apart a thousandth of the window."""
    return int(np.clip(np.ceil(3 - np.log10(span_s)), 0, 9))
