"""A system at one instant: who talks to whom, how full each queue is, who is at work, which nodes are down.

The same stage as the message theatre, standing still; the counts are those from the beginning of the run up to the
instant. Left out: messages between a publisher and a queue, which are counted as sent but not drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import checks
from . import palette, scenery
from .chart import HALO
from .picture import Picture
from .svg import STAMP, document, label, rect, say
from .traffic import Replayable, Traffic, of_node, outages, traffic
from .words import missing_sentences

if TYPE_CHECKING:
    from numpy.typing import NDArray


def system(run: Replayable, at_s: float | None = None, around: str | None = None) -> Picture:
    """The system as it is `at_s` seconds after the start (the end of the run if None), with its text equivalent.

    `around` shows only what one service, destination or publisher receives and publishes. Raises an `EdasimError` for
    an instant that is not positive and for an unknown name.
    """
    instant_s = float(run.ended_s) if at_s is None else checks.check_positive("at_s", at_s)
    shown = traffic(run, around=around, until_s=instant_s)
    planned = scenery.plan(shown, scenery.one_seat_each)
    down = {
        node
        for node, spans in outages(run, shown).items()
        if any(a <= shown.until_s and (b > shown.until_s or b == shown.until_s != a) for a, b in spans)
    }
    stage = planned.stage
    stations = _counted(len(planned.graph.stations), "station")
    alt = f"System at {say(shown.until_s)} s: {stations}, {int(_waiting(shown).sum()):,} waiting"
    parts = [
        scenery.definitions(),
        scenery.arrows(planned),
        *(
            label(x, y - 6, f"{arrow.count:,}", size=12, anchor="middle", more=HALO)
            for arrow, (x, y) in zip(planned.graph.arrows, stage.middles, strict=True)
        ),
        scenery.stations(planned),
        *_waiting_marks(planned),
        *_working(planned, down),
        *_station_texts(planned),
        _legend(planned, bool(down)),
    ]
    text = "\n".join(_sentences(planned, down))
    return Picture(svg=document(stage.width, stage.height + 34, parts, alt), alt=alt, text=text)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _waiting(shown: Traffic) -> NDArray[np.bool_]:
    return shown.waiting_at(shown.until_s)


def _waiting_in(shown: Traffic, lane: int) -> int:
    return int(np.count_nonzero(_waiting(shown) & (shown.lane == lane)))


def _waiting_marks(planned: scenery.Plan) -> list[str]:
    parts = []
    for lane, queue in planned.stage.queues.items():
        x, y = queue.head
        for place in range(min(_waiting_in(planned.shown, lane), queue.per_row * queue.rows)):
            row, column = divmod(place, queue.per_row)
            parts.append(
                palette.mark(
                    "waiting", planned.stage.radius * 0.92, x=x - column * queue.pitch, y=y + row * queue.pitch
                )
            )
    return parts


def _working(planned: scenery.Plan, down: set[str]) -> list[str]:
    """Marks on the seats of consumers that are at work, and covers on those that are down."""
    shown = planned.shown
    busy = set(planned.seats.of_row[shown.serving_at(shown.until_s)].tolist())
    parts = []
    for seat in range(len(planned.seats.station)):
        x, y = planned.spot(seat)
        if any(of_node(planned.seat_name(seat), node) for node in down):
            parts.append(scenery.down_seat(planned, seat))
        elif seat in busy:
            parts.append(palette.mark("busy", planned.stage.radius * 0.92, x=x, y=y))
    return parts


def _station_texts(planned: scenery.Plan) -> list[str]:
    shown, parts = planned.shown, []
    for lane, queue in planned.stage.queues.items():
        waiting, room = _waiting_in(shown, lane), queue.per_row * queue.rows
        parts.append(
            label(
                *scenery.count_spot(planned, lane),
                f"{waiting:,} waiting" + (f", {room} drawn" if waiting > room else ""),
            )
        )
    for number, station in enumerate(planned.graph.stations):
        if station.lanes:
            parts.append(label(*scenery.tally_spot(planned, number), _tally(shown, station.lanes), fill=palette.QUIET))
    return parts


def _tally(shown: Traffic, lanes: list[int]) -> str:
    """`done 12 · failed 1`: what became of the deliveries of these lanes so far."""
    counts = shown.rows(np.isin(shown.lane, lanes)).outcome_counts()
    ended = {name: count for name, count in counts.items() if name not in ("in_flight", "queued")}
    return " · ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in ended.items())


def _legend(planned: scenery.Plan, anything_down: bool) -> str:
    y, radius = planned.stage.height + 14, planned.stage.radius
    parts, x = [], 24.0
    for name in ("waiting", "busy"):
        words = palette.role(name).words
        parts.append(palette.mark(name, min(radius, 7), x=x, y=y) + label(x + 13, y + 4, words))
        x += 42 + 6.4 * len(words)
    if anything_down:
        hatch = f"url(#{STAMP}down)"
        parts.append(rect(x - 8, y - 8, 16, 16, fill=hatch, stroke=palette.BLACK, round_by=3))
        parts.append(label(x + 13, y + 4, "down"))
        x += 68
    return "".join(parts) + label(x, y + 4, "numbers on arrows: deliveries so far", fill=palette.QUIET)


def _sentences(planned: scenery.Plan, down: set[str]) -> list[str]:
    shown = planned.shown
    total, busy = int(_waiting(shown).sum()), int(shown.serving_at(shown.until_s).sum())
    said = [
        " ".join([f"At {say(shown.until_s)} s: {total:,} waiting, {busy:,} in service.", *missing_sentences(shown)])
    ]
    for arrow in planned.graph.arrows:
        origin = planned.graph.stations[arrow.origin].name
        said.append(
            f"{origin} to {shown.services[arrow.lane]} by way of {shown.lanes[arrow.lane].destination}: "
            f"{arrow.count:,} deliveries, {_waiting_in(shown, arrow.lane):,} of that queue waiting."
        )
    said += [
        f"{station.name}: {_tally(shown, station.lanes) or 'nothing finished yet'}."
        for station in planned.graph.stations
        if station.lanes
    ]
    said += [f"{node} is down." for node in sorted(down)]
    return said
