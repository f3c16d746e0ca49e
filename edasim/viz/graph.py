"""Who talks to whom, arranged in columns from left to right.

Stations are services and publishers; an arrow leads from a station to a lane (a subscription's queue) of another. The
columns follow the longest path after loops are cut (as in layered graph drawing, Sugiyama, Tagawa and Toda 1981), the
rows the mean row of the neighbours. A service that only receives what its own messages led to, such as a publisher of
requests that hears the answer, is drawn twice: as the one who publishes, left, and as the one who receives, right.
Left out: an optimal number of crossings.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Flow:
    """So many deliveries went from a publisher to a lane (its index)."""

    origin: str
    lane: int
    count: int


@dataclass
class Station:
    """A box of the picture: a service, or the publishing or receiving side of one."""

    name: str
    lanes: list[int] = field(default_factory=list)
    publishes: bool = False
    echo: bool = False
    column: int = 0


@dataclass(frozen=True)
class Arrow:
    """A flow between stations (their indices) into a lane; `returns` if it leads back to an earlier column."""

    origin: int
    target: int
    lane: int
    count: int
    returns: bool


@dataclass(frozen=True)
class Graph:
    """Stations and the arrows between them, and the order from top to bottom in each column.

    A column's order holds indices of stations, and indices beyond them for arrows that pass; `passes[arrow]` names the
    latter from left to right.
    """

    stations: tuple[Station, ...]
    arrows: tuple[Arrow, ...]
    order: tuple[tuple[int, ...], ...]
    passes: dict[int, tuple[int, ...]]


def arrange(flows: Sequence[Flow], groups: Sequence[str]) -> Graph:
    """Arranges flows, given in the order in which they first happened; `groups[lane]` is the lane's service."""
    names = list(dict.fromkeys(name for flow in flows for name in (flow.origin, groups[flow.lane])))
    index = {name: i for i, name in enumerate(names)}
    pairs = [(index[flow.origin], index[groups[flow.lane]]) for flow in flows]
    back = _loops(len(names), pairs)
    stations = [Station(name) for name in names]
    receiver = _split(stations, pairs, back)
    arrows = []
    for number, flow in enumerate(flows):
        origin, target = pairs[number]
        echoes = receiver[target] != target
        stations[origin].publishes = True
        if flow.lane not in stations[receiver[target]].lanes:
            stations[receiver[target]].lanes.append(flow.lane)
        arrows.append(Arrow(origin, receiver[target], flow.lane, flow.count, back[number] and not echoes))
    _columns(stations, arrows)
    columns, links, passes = _chains(stations, arrows)
    return Graph(tuple(stations), tuple(arrows), _ordered(columns, links), passes)


def _loops(count: int, pairs: Sequence[tuple[int, int]]) -> list[bool]:
    """Which pairs lead back to a station that is being walked from; without them there is no loop."""
    targets: list[list[int]] = [[] for _ in range(count)]
    for number, (origin, _) in enumerate(pairs):
        targets[origin].append(number)
    heard = {target for origin, target in pairs if origin != target}
    back = [False] * len(pairs)
    state = [0] * count

    def walk(station: int) -> None:
        state[station] = 1
        for number in targets[station]:
            target = pairs[number][1]
            back[number] = state[target] == 1
            if state[target] == 0:
                walk(target)
        state[station] = 2

    for station in sorted(range(count), key=lambda s: (s in heard, s)):
        if state[station] == 0:
            walk(station)
    return back


def _split(stations: list[Station], pairs: Sequence[tuple[int, int]], back: Sequence[bool]) -> list[int]:
    """Adds a receiving side for each station that hears only echoes of itself; returns who receives for whom."""
    receiver = list(range(len(stations)))
    for station in range(len(stations)):
        heard = [back[number] for number, (_, target) in enumerate(pairs) if target == station]
        if heard and all(heard):
            receiver[station] = len(stations)
            stations.append(Station(stations[station].name, echo=True))
    return receiver


def _columns(stations: Sequence[Station], arrows: Iterable[Arrow]) -> None:
    """Puts each station one column right of the last of those it hears from."""
    forward = [arrow for arrow in arrows if not arrow.returns]
    for _ in stations:
        moved = False
        for arrow in forward:
            least = stations[arrow.origin].column + 1
            if stations[arrow.target].column < least:
                stations[arrow.target].column = least
                moved = True
        if not moved:
            return


def _chains(
    stations: Sequence[Station], arrows: Sequence[Arrow]
) -> tuple[list[list[int]], dict[int, list[int]], dict[int, tuple[int, ...]]]:
    """The members of each column, the neighbours of each member, and the members that stand for passing arrows."""
    columns: list[list[int]] = [[] for _ in range(1 + max((station.column for station in stations), default=0))]
    links: dict[int, list[int]] = {}
    passes: dict[int, tuple[int, ...]] = {}
    for number, station in enumerate(stations):
        columns[station.column].append(number)
    spare = len(stations)
    for number, arrow in enumerate(arrows):
        if arrow.returns:
            continue
        between = range(stations[arrow.origin].column + 1, stations[arrow.target].column)
        chain = tuple(range(spare, spare + len(between)))
        spare += len(between)
        for member, column in zip(chain, between, strict=True):
            columns[column].append(member)
        if chain:
            passes[number] = chain
        for one, other in itertools.pairwise((arrow.origin, *chain, arrow.target)):
            links.setdefault(one, []).append(other)
            links.setdefault(other, []).append(one)
    return columns, links, passes


def _ordered(columns: list[list[int]], links: dict[int, list[int]]) -> tuple[tuple[int, ...], ...]:
    """Each column in the order of the mean row of its members' neighbours, after a few sweeps to and fro."""
    row = {m: place - (len(members) - 1) / 2 for members in columns for place, m in enumerate(members)}
    for sweep in range(6):
        for members in columns if sweep % 2 == 0 else reversed(columns):
            mean = {m: sum(row[n] for n in links.get(m, [m])) / len(links.get(m, [m])) for m in members}
            members.sort(key=lambda member, mean=mean: (mean[member], member))  # type: ignore[misc]
            row.update({m: place - (len(members) - 1) / 2 for place, m in enumerate(members)})
    return tuple(tuple(members) for members in columns)
