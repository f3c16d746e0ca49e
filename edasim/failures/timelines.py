"""Timelines: the smallest steps that explain a finding, in order of time, with the fault that began it.

A timeline tells the way of each message that a finding is about to one service (published, taken, what came of each
attempt), the facts in it, and the fault. Where something never came, it follows the **trail** as well: the messages
that the first one led to, where they ended. Everything is looked up by binary search, one finding at a time. Left out:
what other messages did to a shared state.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..kernel import Run
from ..kernel.runlog import CRASHED, DONE, DROPPED, OUTCOMES, REQUEUED, Fact
from .blame import Scene, Spell, spells, who_began
from .findings import Moment

Ints = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

NETWORK = "network"
"""The broker of the lanes on which messages are lost before they reach one."""

LONGEST = 12
"""A message that was tried more often is told by its first and its last attempts."""

TRAIL, HINTS = 3, 6
"""At most so many messages of a trail are told, and so many facts of it."""

EFFECT, BREAK = 2, 3
"""The order at one instant: a message is taken (1), its work has an effect, a fault, the attempt ends (4)."""

BROKEN = (CRASHED, DROPPED, REQUEUED)
"""How an attempt ends that a fault broke off."""

ENDS = {
    "done": "is done and acknowledges",
    "failed": "refuses it",
    "requeued": "gives it back",
    "expired": "it has expired",
    "dropped": "it is dropped, and nobody has it any more",
    "dead_lettered": "it is put aside as a dead letter",
    "crashed": "fails while it works on it, so it goes back to the broker",
    "in_flight": "still has it when the run ends",
    "queued": "still waits for a taker when the run ends",
    "filtered": "nobody wants it",
}

Way = tuple[int, "Flags | None", str]
"""A message's number, the lanes on which it is followed (None: only its publishing), and the name of who is there."""

Placed = tuple[float, int, Moment]
"""A moment with its place: time, and order at one instant."""


@dataclass(frozen=True)
class Story:
    """What a timeline is to tell: ways of messages, facts, and how it ends; `trail` is a message to be followed."""

    ways: Sequence[Way]
    facts: Sequence[Fact]
    at_s: float
    about: str = ""
    end: str = ""
    trail: int | None = None


class Timelines:
    """The log of a run, by message and by causal tree; tells stories."""

    def __init__(self, run: Run, workers: Sequence[str]) -> None:
        self.run = run
        self.rows = run.deliveries
        self._workers = workers

    @cached_property
    def away(self) -> Flags:
        """Lanes of messages that reached no subscription: lost before the broker, by it, or wanted by nobody."""
        return np.array([not lane.group for lane in self.run.lanes], dtype=bool)

    @cached_property
    def spells(self) -> tuple[Spell, ...]:
        """All faults of the run, from when to when."""
        return spells(self.run.fact_list)

    @cached_property
    def _by_number(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.rows.number, kind="stable")
        return order, self.rows.number[order]

    @cached_property
    def _by_root(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.rows.root, kind="stable")
        return order, self.rows.root[order]

    @cached_property
    def _by_trace(self) -> dict[str, list[Fact]]:
        found: dict[str, list[Fact]] = {}
        for fact in self.run.fact_list:
            if "trace_id" in fact.detail:
                found.setdefault(str(fact.detail["trace_id"]), []).append(fact)
        return found

    @cached_property
    def number_of(self) -> Mapping[str, int]:
        """The number of each event in the log, by the event's id; the first, if it was published again."""
        found: dict[str, int] = {}
        for number, event in self.run.numbered_events.items():
            if event is not None:
                found.setdefault(str(event.id), number)
        return found

    def rows_of(self, number: int) -> list[int]:
        """The rows of one message, in order of lane and attempt."""
        return _between(self._by_number, number)

    def tell(self, story: Story) -> tuple[tuple[Moment, ...], Fact | None]:
        """The timeline, and the fact of the fault that began it."""
        ways, facts = _each_once(story.ways), list(story.facts)
        if story.trail is not None:
            since_s = min((fact.time_s for fact in facts), default=0.0)
            ways += self._trail(story.trail, since_s, ways)
            facts += self._hints(story.trail, since_s, story.at_s, facts)
        ways = _each_once([*self._makers(ways), *ways])
        scene = Scene(story.about, story.at_s)
        placed = [each for way in ways for each in self._told(way, scene)]
        for fact in facts:
            scene.parties.add(fact.subject)
            placed.append((fact.time_s, EFFECT, Moment(fact.time_s, fact.subject, told_fact(fact))))
        scene.from_s = min((time_s for time_s, _, _ in placed), default=0.0)
        scene.at_s = min(story.at_s, max((time_s for time_s, _, _ in placed), default=story.at_s))
        began = who_began(self.spells, scene)
        if began is not None:
            words = f"fault: {began.words}"
            placed.append((began.from_s, BREAK, Moment(began.fact.time_s, began.fact.subject, words)))
        placed.sort(key=lambda each: each[:2])
        moments = [moment for _, _, moment in placed]
        if story.end:
            moments.append(Moment(self.run.ended_s, story.about or "the run", story.end))
        return tuple(moments), None if began is None else began.fact

    def _trail(self, number: int, since_s: float, ways: Sequence[Way]) -> list[Way]:
        """Where the messages ended that one message led to: those that were not done, or else the last of all."""
        root = int(self.rows.root[self.rows_of(number)[0]])
        known = {each for each, _, _ in ways}
        ends: dict[tuple[int, int], int] = {}
        for row in _between(self._by_root, root):
            if self.rows.published_s[row] >= since_s and int(self.rows.number[row]) not in known:
                ends[int(self.rows.number[row]), int(self.rows.lane[row])] = row
        broken = [place for place, row in ends.items() if self.rows.outcome[row] != DONE]
        shown = broken[:TRAIL] if broken else sorted(ends, key=lambda place: self.rows.published_s[ends[place]])[-1:]
        return [(each, self._only(lane), self._workers[lane] or self.run.lanes[lane].group) for each, lane in shown]

    def _makers(self, ways: Sequence[Way]) -> Iterator[Way]:
        """The ways of messages in whose handling one of these was published, if that handling was broken off."""
        for number, _, _ in ways:
            cause = self.number_of.get(str(getattr(self.run.numbered_events[number], "cause_id", None)))
            publisher = self.run.publishers[number >> 40]
            if cause is None or publisher not in self._workers:
                continue
            lanes = np.array([worker == publisher for worker in self._workers], dtype=bool)
            rows = [row for row in self.rows_of(cause) if lanes[self.rows.lane[row]]]
            if any(self.rows.outcome[row] in BROKEN for row in rows):
                yield cause, lanes, publisher

    def _only(self, lane: int) -> Flags:
        flags = np.zeros(len(self.run.lanes), dtype=bool)
        flags[lane] = True
        return flags

    def _hints(self, number: int, since_s: float, at_s: float, facts: Sequence[Fact]) -> list[Fact]:
        """Facts of the same causal tree from `since_s` to `at_s`; of many the first and the last."""
        trace_id = str(getattr(self.run.numbered_events[number], "trace_id", ""))
        found = [
            fact for fact in self._by_trace.get(trace_id, ()) if since_s <= fact.time_s <= at_s and fact not in facts
        ]
        return found if len(found) <= HINTS else [*found[: HINTS // 2], *found[-HINTS // 2 :]]

    def _told(self, way: Way, scene: Scene) -> Iterator[Placed]:
        """One message: published, taken, and what came of each attempt on those lanes."""
        number, lanes, name = way
        rows, event = self.rows_of(number), self.run.numbered_events[number]
        publisher = self.run.publishers[number >> 40]
        published_s = float(self.rows.published_s[rows[0]])
        scene.published.append((publisher, published_s))
        scene.parties.add(name)
        what = f"{getattr(event, 'type', 'message')} {getattr(event, 'id', number)}"
        yield published_s, 0, Moment(published_s, publisher, f"publishes {what}")
        scene.parties |= {
            name for row in rows for name in (self._lane(row).broker, self._lane(row).destination)
        }  # fmt: skip
        if lanes is None:
            return
        leads = lanes | self.away
        mine = [row for row in rows if leads[self.rows.lane[row]]]
        if len(mine) > LONGEST:
            left_out = len(mine) - LONGEST
            middle_s = float(self.rows.finished_s[mine[LONGEST // 2]])
            yield middle_s, EFFECT, Moment(middle_s, name, f"… {left_out} more attempts like these …")
            mine = mine[: LONGEST // 2] + mine[-LONGEST // 2 :]
        for row in mine:
            yield from self._attempt(row, name, scene)

    def _lane(self, row: int) -> Any:
        return self.run.lanes[int(self.rows.lane[row])]

    def _attempt(self, row: int, service: str, scene: Scene) -> Iterator[Placed]:
        """Taken, and what came of it; at one instant the end of an attempt comes before the next one is taken."""
        rows, lane = self.rows, self._lane(row)
        consumer = int(rows.consumer[row])
        who = rows.consumers[consumer] if consumer >= 0 else lane.destination or service
        attempt, outcome = int(rows.attempt[row]), int(rows.outcome[row])
        delivered_s, finished_s = float(rows.delivered_s[row]), float(rows.finished_s[row])
        scene.parties.add(who)
        if outcome in BROKEN:
            scene.broken.append((finished_s, frozenset((who, lane.broker, lane.destination))))
        if not math.isnan(delivered_s):
            again = f"takes it again (attempt {attempt})"
            yield delivered_s, 4 * attempt - 3, Moment(delivered_s, who, "takes it" if attempt == 1 else again)
        ended_s = self.run.ended_s if math.isnan(finished_s) else finished_s
        if lane.broker == NETWORK:
            yield ended_s, 4 * attempt, Moment(ended_s, NETWORK, "it is lost on its way to the broker")
        else:
            yield ended_s, 4 * attempt, Moment(ended_s, who, ENDS[OUTCOMES[outcome]])


def _each_once(ways: Iterable[Way]) -> list[Way]:
    """Each message once, on all the lanes on which it is followed."""
    found: dict[int, Way] = {}
    for number, lanes, name in ways:
        _, before, known = found.get(number, (number, None, ""))
        both = lanes if before is None or lanes is None else before | lanes
        found[number] = number, before if lanes is None else both, known or name
    return list(found.values())


def told_fact(fact: Fact) -> str:
    """A fact in words: its kind, and the particulars that are its own."""
    own = [f"{name} {value}" for name, value in fact.detail.items() if name not in ("event_id", "trace_id")]
    return fact.kind.replace("_", " ") + (f" ({', '.join(own)})" if own else "")


def _between(index: tuple[Ints, Ints], value: int) -> list[int]:
    order, values = index
    begin, end = np.searchsorted(values, [value, value + 1])
    found: list[int] = order[begin:end].tolist()
    return found
