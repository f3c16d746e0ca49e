"""The stage of a picture: where stations, queues and seats of consumers stand, and the paths between them.

Messages move from left to right: from a publisher's box along a path into the queue of a lane, whose head is right,
next to the seats of the consumers that share it. A seat is one delivery in service; a consumer that serves several at
once has several. Geometry only, in pixels of a `viewBox`. Left out: what is drawn on it, see `scenery`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .graph import Graph, Station
from .svg import short

MARGIN, SOURCE_WIDTH, SOURCE_HEIGHT, EXIT = 16.0, 140.0, 52.0, 40.0
HEADING, LANE_LABEL, LANE_COUNT, TALLY, GAP = 21.0, 16.0, 18.0, 20.0, 22.0
RADII = (8.0, 6.5, 5.0, 4.0)
MAX_ROWS = 3
WIDTH, WIDER_BEYOND, COLUMN_WIDTH = 960.0, 4, 210.0


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Half way down."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class Queue:
    """A lane's well: its box, and cells that fill from the head (right) to the left, row by row."""

    lane: int
    station: int
    box: Box
    pitch: float
    per_row: int
    rows: int

    @property
    def head(self) -> tuple[float, float]:
        """The middle of the first cell."""
        return self.box.right - self.pitch / 2 - 3, self.box.y + self.pitch / 2 + 3


@dataclass(frozen=True)
class Stage:
    """All positions: whole blocks, boxes where work is done, queues by lane, seats by station, arrows.

    Each arrow has a path, and the middle of the path's last part.
    """

    width: float
    height: float
    radius: float
    blocks: tuple[Box, ...]
    boxes: tuple[Box, ...]
    queues: dict[int, Queue]
    seats: tuple[tuple[tuple[float, float], ...], ...]
    paths: tuple[str, ...]
    middles: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class _Sizes:
    """Widths that all columns share, and the pitch of cells."""

    width: float
    column: float
    gap: float
    radius: float

    @property
    def pitch(self) -> float:
        return 2 * self.radius + 2

    @property
    def seat(self) -> float:
        return 2 * self.radius + 8

    def left(self, column: int) -> float:
        """The left edge of what stands in a column, right of the gap for its arrows."""
        return MARGIN if column == 0 else MARGIN + SOURCE_WIDTH + (column - 1) * self.column + self.gap


def set_up(graph: Graph, most_waiting: Mapping[int, int], seats: Sequence[int]) -> Stage:
    """The stage for a graph, given the most that ever waits in each lane and the seats of each station."""
    sizes = next((s for s in map(_sizes_of(graph), RADII) if _fits(s, graph, most_waiting, seats)), None)
    sizes = sizes or _sizes_of(graph)(RADII[-1])
    heights = [_height(sizes, station, most_waiting, seats[i]) for i, station in enumerate(graph.stations)]
    tops, floor = _stack(graph, heights)
    queues: dict[int, Queue] = {}
    blocks: list[Box] = []
    boxes: list[Box] = []
    seat_spots: list[tuple[tuple[float, float], ...]] = []
    for number, station in enumerate(graph.stations):
        left = sizes.left(station.column)
        wide = SOURCE_WIDTH if not station.lanes else sizes.column - sizes.gap
        blocks.append(Box(left, tops[number], wide, heights[number]))
        if not station.lanes:
            boxes.append(blocks[-1])
            seat_spots.append(())
            continue
        made = _queues(sizes, number, station, blocks[-1], most_waiting, seats[number])
        queues.update(made)
        box, spots = _seats(
            sizes, blocks[-1], seats[number], _around(made), _box_height(sizes, station, most_waiting, seats[number])
        )
        boxes.append(box)
        seat_spots.append(spots)
    ways = tuple(_path(graph, number, tops, boxes, queues, sizes, floor) for number in range(len(graph.arrows)))
    loops = sum(arrow.returns for arrow in graph.arrows)
    height = floor + MARGIN + 16 * loops
    paths, middles = tuple(path for path, _ in ways), tuple(middle for _, middle in ways)
    return Stage(
        sizes.width, height, sizes.radius, tuple(blocks), tuple(boxes), queues, tuple(seat_spots), paths, middles
    )


def _sizes_of(graph: Graph) -> Callable[[float], _Sizes]:
    """What all columns share, as a function of the radius of a message."""
    columns = len(graph.order)
    width = WIDTH + max(0, columns - WIDER_BEYOND) * COLUMN_WIDTH
    column = (width - 2 * MARGIN - SOURCE_WIDTH - EXIT) / max(1, columns - 1)
    gap = min(130.0, max(46.0, 0.27 * column))
    return lambda radius: _Sizes(width, column, gap, radius)


def _seat_grid(seats: int) -> tuple[int, int]:
    """Columns and rows of the seats' grid."""
    across = max(1, math.ceil(seats / 4)) if seats <= 12 else math.ceil(math.sqrt(seats * 1.5))
    return across, math.ceil(max(1, seats) / across)


def _queue_width(sizes: _Sizes, seats: int) -> float:
    return sizes.column - sizes.gap - _box_width(sizes, seats) - 8


def _box_width(sizes: _Sizes, seats: int) -> float:
    return max(34.0, _seat_grid(seats)[0] * sizes.seat + 10)


def _per_row(sizes: _Sizes, seats: int) -> int:
    return max(1, int((_queue_width(sizes, seats) - 6) / sizes.pitch))


def _rows_needed(sizes: _Sizes, waiting: int, seats: int) -> int:
    return max(1, math.ceil(waiting / _per_row(sizes, seats)))


def _fits(sizes: _Sizes, graph: Graph, most: Mapping[int, int], seats: Sequence[int]) -> bool:
    return all(
        _rows_needed(sizes, most.get(lane, 0), seats[i]) <= MAX_ROWS and _queue_width(sizes, seats[i]) > 40
        for i, station in enumerate(graph.stations)
        for lane in station.lanes
    )


def _well(sizes: _Sizes, waiting: int, seats: int) -> tuple[int, float]:
    """Rows of a lane's well, and its height in pixels."""
    rows = min(MAX_ROWS, _rows_needed(sizes, waiting, seats))
    return rows, rows * sizes.pitch + 6


def _wells(sizes: _Sizes, station: Station, most: Mapping[int, int], seats: int) -> float:
    """From the top of a station's first well to the bottom of its last, in pixels."""
    heights = [_well(sizes, most.get(lane, 0), seats)[1] for lane in station.lanes]
    return sum(heights) + (LANE_LABEL + LANE_COUNT) * (len(heights) - 1)


def _box_height(sizes: _Sizes, station: Station, most: Mapping[int, int], seats: int) -> float:
    return max(_wells(sizes, station, most, seats), _seat_grid(seats)[1] * sizes.seat + 6)


def _above(sizes: _Sizes, station: Station, most: Mapping[int, int], seats: int) -> float:
    """From the top of a station's block to its first well: the box of seats may be higher than the wells."""
    spare = (_box_height(sizes, station, most, seats) - _wells(sizes, station, most, seats)) / 2
    return max(HEADING + LANE_LABEL, spare)


def _height(sizes: _Sizes, station: Station, most: Mapping[int, int], seats: int) -> float:
    if not station.lanes:
        return SOURCE_HEIGHT
    above, wells = _above(sizes, station, most, seats), _wells(sizes, station, most, seats)
    return above + wells + max(LANE_COUNT + TALLY, (_box_height(sizes, station, most, seats) - wells) / 2)


def _stack(graph: Graph, heights: Sequence[float]) -> tuple[dict[int, float], float]:
    """The top of each member of each column, columns centred, and where the lowest one ends."""
    sized = dict(enumerate(heights)) | dict.fromkeys(itertools.chain(*graph.passes.values()), 12.0)
    totals = [sum(sized[member] for member in column) + GAP * (len(column) - 1) for column in graph.order]
    tallest = max(totals, default=0.0)
    tops: dict[int, float] = {}
    for column, total in zip(graph.order, totals, strict=True):
        y = MARGIN + (tallest - total) / 2
        for member in column:
            tops[member] = y
            y += sized[member] + GAP
    return tops, MARGIN + tallest


def _around(queues: Mapping[int, Queue]) -> Box:
    """The box around the wells of a station."""
    first, *_, last = [*queues.values(), *queues.values()]
    return Box(first.box.x, first.box.y, first.box.width, last.box.bottom - first.box.y)


def _queues(
    sizes: _Sizes, number: int, station: Station, block: Box, most: Mapping[int, int], seats: int
) -> dict[int, Queue]:
    y = block.y + _above(sizes, station, most, seats)
    made = {}
    for lane in station.lanes:
        rows, height = _well(sizes, most.get(lane, 0), seats)
        box = Box(block.x, y, _queue_width(sizes, seats), height)
        made[lane] = Queue(lane, number, box, sizes.pitch, _per_row(sizes, seats), rows)
        y = box.bottom + LANE_COUNT + LANE_LABEL
    return made


def _seats(
    sizes: _Sizes, block: Box, seats: int, wells: Box, height: float
) -> tuple[Box, tuple[tuple[float, float], ...]]:
    """The box where work is done, beside the wells, and the middle of each seat in it."""
    width = _box_width(sizes, seats)
    box = Box(block.right - width, wells.middle - height / 2, width, height)
    across, down = _seat_grid(seats)
    left = box.x + (width - (across - 1) * sizes.seat) / 2
    first = box.middle - (down - 1) * sizes.seat / 2
    spots = tuple((left + (i % across) * sizes.seat, first + (i // across) * sizes.seat) for i in range(seats))
    return box, spots


def _path(
    graph: Graph,
    number: int,
    tops: Mapping[int, float],
    boxes: Sequence[Box],
    queues: Mapping[int, Queue],
    sizes: _Sizes,
    floor: float,
) -> tuple[str, tuple[float, float]]:
    """The way of an arrow's messages, from the publisher's box to the tail of the queue, and the middle of its end."""
    arrow = graph.arrows[number]
    start, target = boxes[arrow.origin], queues[arrow.lane].box
    end_x, end_y = target.x - 5, target.middle
    if arrow.returns:
        below = floor + 10 + 16 * sum(a.returns for a in graph.arrows[:number])
        return _loop_path(start.right, start.middle, end_x, end_y, below), ((start.right + end_x) / 2, below)
    points = [(start.right + 2, start.middle)]
    for step, member in enumerate(graph.passes.get(number, ())):
        left = sizes.left(graph.stations[arrow.origin].column + 1 + step)
        points += [(left, tops[member] + 6), (left + sizes.column - sizes.gap, tops[member] + 6)]
    points.append((end_x, end_y))
    parts = [f"M{short(points[0][0])},{short(points[0][1])}"]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        half = short((x0 + x1) / 2)
        parts.append(f"C{half},{short(y0)} {half},{short(y1)} {short(x1)},{short(y1)}")
    (x0, y0), (x1, y1) = points[-2:]
    return "".join(parts), ((x0 + x1) / 2, (y0 + y1) / 2)


def _loop_path(x0: float, y0: float, x1: float, y1: float, below: float) -> str:
    """Out to the right, down, back under everything, up, and into the queue from the left."""
    right, left = short(x0 + 20), short(x1 - 18)
    return (
        f"M{short(x0 + 2)},{short(y0)}Q{right},{short(y0)} {right},{short(y0 + 14)}V{short(below - 10)}"
        f"Q{right},{short(below)} {short(x0 + 8)},{short(below)}H{short(x1 - 6)}"
        f"Q{left},{short(below)} {left},{short(below - 12)}V{short(y1 + 12)}Q{left},{short(y1)} {short(x1)},{short(y1)}"
    )
