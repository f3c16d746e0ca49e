"""What stands still on the stage: boxes, wells, seats, arrows, and names; plus who sits where.

`plan` turns deliveries into a graph and a stage, the drawing functions turn those into SVG. Used by the moving theatre
and by the still picture of a system, so that both look alike. Left out: everything that changes with time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import palette
from .graph import Flow, Graph, Station, arrange
from .stage import LANE_COUNT, LANE_LABEL, TALLY, Box, Stage, set_up
from .svg import STAMP, area, escape, fit, label, line, rect, short
from .traffic import Traffic, Whole, most_waiting

MAX_SEATS = 48


@dataclass(frozen=True)
class Seats:
    """Seats of consumers: for each delivery the index of its seat (-1 = never served), and whose seat it is."""

    of_row: Whole
    station: tuple[int, ...]
    consumer: tuple[int, ...]
    place: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Deliveries, the graph of who talks to whom, and where everything stands."""

    shown: Traffic
    graph: Graph
    stage: Stage
    seats: Seats
    arrow_of_row: Whole
    most: dict[int, tuple[int, float]]

    def spot(self, seat: int) -> tuple[float, float]:
        """The middle of a seat in pixels."""
        return self.stage.seats[self.seats.station[seat]][self.seats.place[seat]]

    def seat_name(self, seat: int) -> str:
        """The consumer whose seat it is."""
        return self.shown.consumers[self.seats.consumer[seat]]


SeatRule = Callable[[Traffic], Whole]
"""Gives each delivery the number of its seat within its consumer (0, 1, …)."""


def plan(shown: Traffic, seat_rule: SeatRule) -> Plan:
    """Arranges everything that the deliveries mention."""
    key = shown.origin * max(1, len(shown.lanes)) + shown.lane
    keys, first, of_row, counts = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    began = np.full(len(keys), np.inf)
    np.minimum.at(began, of_row, shown.published_s)
    order = np.lexsort((first, began))
    flows = [
        Flow(shown.origins[int(shown.origin[first[k]])], int(shown.lane[first[k]]), int(counts[k]))
        for k in order.tolist()
    ]
    graph = arrange(flows, shown.services)
    seats = _seats(shown, graph, seat_rule)
    most = {arrow.lane: most_waiting(shown, arrow.lane) for arrow in graph.arrows}
    counts_by_station = np.bincount(np.array(seats.station, dtype=np.int64), minlength=len(graph.stations)).tolist()
    stage = set_up(graph, {lane: top for lane, (top, _) in most.items()}, counts_by_station)
    arrow_of_key = np.empty(len(keys), np.int64)
    arrow_of_key[order] = np.arange(len(keys))
    return Plan(shown, graph, stage, seats, arrow_of_key[of_row], most)


def _seats(shown: Traffic, graph: Graph, seat_rule: SeatRule) -> Seats:
    station_of_lane = np.full(max(1, len(shown.lanes)), -1)
    for number, station in enumerate(graph.stations):
        station_of_lane[station.lanes] = number
    served = np.flatnonzero(shown.consumer >= 0)
    stations = station_of_lane[shown.lane[served]]
    triple = np.column_stack([stations, shown.consumer[served], seat_rule(shown.rows(served))])
    kinds, of_served = np.unique(triple, axis=0, return_inverse=True)
    of_row = np.full(len(shown), -1)
    of_row[served] = of_served.ravel()
    places, taken = [], [0] * len(graph.stations)
    for at in kinds[:, 0].tolist():
        places.append(taken[at] % MAX_SEATS)
        taken[at] += 1
    return Seats(of_row, tuple(kinds[:, 0].tolist()), tuple(kinds[:, 1].tolist()), tuple(places))


def one_seat_each(shown: Traffic) -> Whole:
    """A seat rule: one seat for each consumer, however much it does at once."""
    return np.zeros(len(shown), np.int64)


def a_seat_per_delivery(shown: Traffic) -> Whole:
    """A seat rule: as many seats as a consumer ever needs, the lowest free one first."""
    seat = np.zeros(len(shown), np.int64)
    free_from: dict[int, list[float]] = {}
    consumer, taken, ended = shown.consumer.tolist(), shown.taken_s.tolist(), shown.ended_s.tolist()
    for row in np.argsort(shown.taken_s, kind="stable").tolist():
        ends = free_from.setdefault(consumer[row], [])
        place = next((i for i, end in enumerate(ends) if end <= taken[row]), len(ends))
        if place == len(ends):
            ends.append(0.0)
        ends[place] = ended[row]
        seat[row] = place
    return seat


def definitions() -> str:
    """Patterns, the arrow head and the shadow that a stage refers to."""
    return (
        f"<defs>{palette.pattern('down', STAMP + 'down')}"
        f'<marker id="{STAMP}head" viewBox="0 0 8 8" refX="6.5" refY="4" markerWidth="8" markerHeight="8" '
        f'orient="auto-start-reverse" markerUnits="userSpaceOnUse">'
        f'<path d="M0,.5L8,4L0,7.5Z" fill="{palette.SLATE}"/></marker></defs>'
    )


def arrows(planned: Plan) -> str:
    """The paths between stations; `data-arrow` tells which is which."""
    return "".join(
        line(path, stroke=palette.LINE, width=2, more=f' marker-end="url(#{STAMP}head)" data-arrow="{number}"')
        for number, path in enumerate(planned.stage.paths)
    )


def stations(planned: Plan) -> str:
    """Boxes, wells and seats with their names."""
    parts = []
    for number, station in enumerate(planned.graph.stations):
        if station.lanes:
            parts.append(_service(planned, number, station))
        else:
            parts.append(_publisher(planned.stage.blocks[number], station))
    return "".join(parts)


def _publisher(block: Box, station: Station) -> str:
    middle, room = block.x + block.width / 2, block.width - 8
    size = 12.5 if fit(station.name, room, size=13) == station.name else SMALL_HEADING
    name = fit(station.name, room, size=size + 0.5)
    return (
        _panel(block)
        + label(middle, block.middle - 2, name, size=size, anchor="middle", more=BOLD)
        + label(middle, block.middle + 15, "publishes", size=11, anchor="middle", fill=palette.QUIET)
    )


BOLD = ' font-weight="600"'
HEADING_FIT = 13.5
SMALL_HEADING = 9.5
"""The font size that bold text of size 13 is as wide as."""


def _service(planned: Plan, number: int, station: Station) -> str:
    block, box = planned.stage.blocks[number], planned.stage.boxes[number]
    first = planned.stage.queues[station.lanes[0]].box
    room = block.width if box.y > first.y - LANE_LABEL else first.width
    heading = f"{station.name} (receives)" if station.echo else station.name
    heading = heading if fit(heading, room, size=HEADING_FIT) == heading else fit(station.name, room, size=HEADING_FIT)
    parts = [
        f"<g><title>{escape(station.name)}</title>",
        label(block.x, first.y - LANE_LABEL - 6, heading, size=13, more=BOLD),
        "</g>",
        _panel(box),
    ]
    for lane in station.lanes:
        queue = planned.stage.queues[lane]
        names = planned.shown.lanes[lane]
        words = f"{names.broker}: {names.destination}, read by {planned.shown.services[lane]}"
        parts.append(f"<g><title>{escape(words)}</title>")
        well = Box(queue.box.x, queue.box.y, box.x - queue.box.x, queue.box.height)
        right, left, low = short(well.right), short(well.x + 6), short(well.bottom - 6)
        outline = f"M{right},{short(well.y)}H{left}q-6,0-6,6V{low}q0,6,6,6H{right}"
        parts.append(area(outline, fill=palette.PANEL, stroke=palette.SLATE))
        parts.append(
            label(well.x + 2, well.y - 4, fit(names.destination, well.width, size=11), size=11, fill=palette.QUIET)
        )
        parts.append("</g>")
    parts += [
        _seat(planned, seat) for seat in range(len(planned.seats.station)) if planned.seats.station[seat] == number
    ]
    return "".join(parts)


def _seat(planned: Plan, seat: int) -> str:
    x, y = planned.spot(seat)
    half = planned.stage.radius + 2
    name = f"<title>{escape(planned.seat_name(seat))}</title>"
    return rect(
        x - half, y - half, 2 * half, 2 * half, fill=palette.GROUND, stroke=palette.SLATE, round_by=3, inside=name
    )


def down_seat(planned: Plan, seat: int, more: str = "") -> str:
    """A hatched cover over a seat whose node is down."""
    x, y = planned.spot(seat)
    half = planned.stage.radius + 3
    hatch = f"url(#{STAMP}down)"
    return rect(x - half, y - half, 2 * half, 2 * half, fill=hatch, stroke=palette.BLACK, round_by=3, more=more)


def count_spot(planned: Plan, lane: int) -> tuple[float, float]:
    """Where the number of those that wait in a lane is written."""
    box = planned.stage.queues[lane].box
    return box.x + 2, box.bottom + LANE_COUNT - 4


def tally_spot(planned: Plan, station: int) -> tuple[float, float]:
    """Where what became of a station's deliveries is written."""
    box = planned.stage.queues[planned.graph.stations[station].lanes[-1]].box
    return box.x + 2, box.bottom + LANE_COUNT + TALLY - 7


def _panel(box: Box) -> str:
    return rect(box.x, box.y, box.width, box.height, fill=palette.PANEL, stroke=palette.SLATE, round_by=8)
