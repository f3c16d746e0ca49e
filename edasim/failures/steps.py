"""Steps: what the nodes of a system do in one story, one after another, each with its instant.

A step is where a crash can make a difference: a message is received, something is written, an event is published, a
message is acknowledged. They are told by handlers as they run (`Context`), so they need no knowledge of the scenario.
Between two steps of a node nothing of it changes outside, so a crash after each step covers a crash before the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..kernel import Simulation
from .blame import FAULT
from .faults import bring_back, take_down
from .part_faults import BrokerCrash
from .when import StepKind, listen_to_steps

AFTERWARDS_S = 1e-6
"""So much later than an acknowledgement a crash comes that is to come after it."""


@dataclass(frozen=True)
class CrashPoint:
    """A crash of `node` right after its step number `place` (from 0) of a story: what it did last, and when.

    At an acknowledgement it may crash before it or after it; before it, the work is done and the broker does not know.
    Where it is a broker that crashes, `of` is the node whose step it was. It is the `nth` step of this kind and name
    that the node takes.
    """

    node: str
    place: int
    kind: str
    what: str
    at_s: float
    after: bool = True
    of: str | None = None
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.node} {self.words}"

    @property
    def words(self) -> str:
        """When it crashes, in words."""
        who = self.of or "it"
        again = "" if self.nth == 1 else f", number {self.nth}"
        if self.kind == StepKind.ACKNOWLEDGE.value:
            return f"{'after' if self.after else 'before'} {who} acknowledges {self.what}{again}"
        doing = {"receive": "has received", "write": "has written", "publish": "has published"}.get(
            self.kind, self.kind
        )
        return f"after {who} {doing} {self.what.replace('_', ' ')}{again}"


def note_steps(sim: Simulation) -> list[CrashPoint]:
    """A list that fills with the crash points of all nodes, as the simulation runs."""
    points: list[CrashPoint] = []
    counts: dict[str, int] = {}
    alike: Counter[tuple[str, str, str]] = Counter()

    def note(node: Any, kind: str, what: str) -> bool:
        place = counts[node.name] = counts.get(node.name, -1) + 1
        alike[node.name, kind, what] += 1
        nth, now_s = alike[node.name, kind, what], float(sim.env.now)
        if kind == StepKind.ACKNOWLEDGE.value:
            points.append(CrashPoint(node.name, place, kind, what, now_s, after=False, nth=nth))
        points.append(CrashPoint(node.name, place, kind, what, now_s, nth=nth))
        return False

    listen_to_steps(sim, note)
    return points


def of_broker(broker: str, points: Sequence[CrashPoint]) -> list[CrashPoint]:
    """Crash points of a broker: right after the last step of each instant at which nodes take steps."""
    last = {point.at_s: point for point in points}
    return [
        CrashPoint(broker, place, point.kind, point.what, at_s, of=point.node, nth=point.nth)
        for place, (at_s, point) in enumerate(last.items())
    ]


def crash_at(sim: Simulation, points: Sequence[CrashPoint], down_s: float) -> None:
    """The nodes crash at these points, and are back `down_s` later."""
    counts: dict[str, int] = {}
    due = {(point.node, point.place): point for point in points if point.of is None}
    for point in points:
        if point.of is not None:
            BrokerCrash(broker=point.node, at_s=point.at_s + AFTERWARDS_S, down_s=down_s).install(sim)

    def listen(node: Any, kind: str, _what: str) -> bool:
        place = counts[node.name] = counts.get(node.name, -1) + 1
        point = due.pop((node.name, place), None)
        if point is None:
            return False
        now_s = float(sim.env.now)
        if kind == StepKind.ACKNOWLEDGE.value and point.after:
            sim.at(now_s + AFTERWARDS_S, partial(_crash, sim, node, point, down_s))
            return False
        _crash(sim, node, point, down_s)
        return True

    listen_to_steps(sim, listen)


def _crash(sim: Simulation, node: Any, point: CrashPoint, down_s: float) -> None:
    now_s = float(sim.env.now)
    words = f"{point.node} crashes {point.words}, and is back {down_s:g} s later"
    sim.log.fact(
        now_s, FAULT, point.node, fault="CrashPoint", words=words, touches=[point.node], until_s=now_s + down_s
    )
    take_down([node], now_s + down_s)
    sim.at(now_s + down_s, partial(bring_back, node))
