"""The books of a run: the run log as the oracle reads it, in columns per service and facts per kind.

Everything is computed once per check and in time that grows with the log only: rows are grouped by one stable sort of
nearly sorted numbers, facts are put into one dictionary by kind. Timelines are looked up by binary search, one finding
at a time. Left out: logs that kept a part of their rows only; a promise about what is not there cannot be checked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import StateError, UnknownNameError
from ..kernel import Run
from ..kernel.runlog import DEAD_LETTERED, DONE, DROPPED, FILTERED, IN_FLIGHT, OUTCOMES, QUEUED, Fact
from .blame import Spell, spells, who_began
from .findings import Explain, Moment

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

NETWORK = "network"
"""The broker of the lanes on which messages are lost before they reach one."""

LONGEST = 12
"""A message that was tried more often is told by its first and its last attempts."""

EFFECT, BREAK = 2, 3
"""The order at one instant: a message is taken (1), its work has an effect, a fault, the attempt ends (4)."""

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


@dataclass(frozen=True)
class Addressed:
    """The messages that one service was to work on, one entry each, in order of publishing.

    `done` counts the attempts that were done, `done_s` is the end of the first of them (inf: none), `settled_s` the end
    of the last attempt of all (NaN: none ended), `open` whether the broker or a taker still has it.
    """

    number: Ints
    published_s: Floats
    done: Ints
    done_s: Floats
    settled_s: Floats
    open: Flags
    aside: Flags

    def __len__(self) -> int:
        return len(self.number)


class Books:
    """A run as the oracle reads it; needs a log with all its rows."""

    def __init__(self, run: Run) -> None:
        if not run.has_all_rows:
            raise StateError(
                "promises cannot be checked: this run kept only some rows of its log",
                field="Simulation.log",
                value=run.log.level.value,
                remedy='run with log="full" and room for all rows',
            )
        self.run = run
        self.rows = run.deliveries
        self.workers = tuple(run.slots.get(lane, ("", 0))[0] for lane in range(len(run.lanes)))

    @property
    def rested(self) -> bool:
        """Whether the run ended because nothing was left to happen, so that what is open stays open."""
        return self.run.until_s is None

    @cached_property
    def services(self) -> tuple[str, ...]:
        """All names by which messages can be received: services, and groups of subscriptions."""
        return tuple(dict.fromkeys(name for name in [*self.workers, *(lane.group for lane in self.run.lanes)] if name))

    @cached_property
    def facts(self) -> Mapping[str, list[Fact]]:
        """The facts of each kind, in order of time."""
        by_kind: dict[str, list[Fact]] = {}
        for fact in self.run.fact_list:
            by_kind.setdefault(fact.kind, []).append(fact)
        return by_kind

    @cached_property
    def number_of(self) -> Mapping[str, int]:
        """The number of each event in the log, by the event's id; the first, if it was published again."""
        found: dict[str, int] = {}
        for number, event in self.run.numbered_events.items():
            if event is not None:
                found.setdefault(str(event.id), number)
        return found

    @cached_property
    def spells(self) -> tuple[Spell, ...]:
        """All faults of the run, from when to when."""
        return spells(self.run.fact_list)

    def event(self, number: int) -> Any:
        """The event of a message."""
        return self.run.numbered_events[number]

    def facts_of(self, kinds: Iterable[str]) -> list[Fact]:
        """The facts of these kinds, in order of time."""
        wanted = [self.facts.get(kind, []) for kind in kinds]
        return wanted[0] if len(wanted) == 1 else sorted((f for part in wanted for f in part), key=lambda f: f.time_s)

    def lanes_of(self, service: str) -> Flags:
        """Which lanes lead to a service; `UnknownNameError` if none does."""
        if service not in self.services:
            raise UnknownNameError("service", service, self.services)
        by_work = np.array([worker == service for worker in self.workers], dtype=bool)
        if by_work.any():
            return by_work
        return np.array([lane.group == service for lane in self.run.lanes], dtype=bool)

    def addressed(self, service: str, types: Sequence[str] | None) -> Addressed:
        """The messages of these types (None: of all) that reached the door of a service."""
        mine = np.flatnonzero(self.lanes_of(service)[self.rows.lane] | self._lost_on_the_way(service))
        number = self.rows.number[mine]
        order = np.argsort(number, kind="stable")
        mine, number = mine[order], number[order]
        if types is not None and len(mine):
            kept = self._of_types(number, types)
            mine, number = mine[kept], number[kept]
        if not len(mine):
            nothing: Any = np.empty(0)
            none: Any = np.empty(0, dtype=bool)
            whole = np.empty(0, dtype=np.int64)
            return Addressed(whole, nothing, whole, nothing, nothing, none, none)
        first = np.flatnonzero(np.append(True, number[1:] != number[:-1]))
        outcome, finished_s = self.rows.outcome[mine], self.rows.finished_s[mine]
        done = outcome == DONE
        found = Addressed(
            number=number[first],
            published_s=np.fmin.reduceat(self.rows.published_s[mine], first),
            done=np.add.reduceat(done.astype(np.int64), first),
            done_s=np.minimum.reduceat(np.where(done, finished_s, np.inf), first),
            settled_s=np.fmax.reduceat(finished_s, first),
            open=np.logical_or.reduceat((outcome == IN_FLIGHT) | (outcome == QUEUED), first),
            aside=np.logical_or.reduceat(outcome == DEAD_LETTERED, first),
        )
        by_time = np.argsort(found.published_s, kind="stable")
        return Addressed(**{name: column[by_time] for name, column in vars(found).items()})

    @cached_property
    def _away(self) -> Flags:
        """Lanes of messages that reached no subscription: lost before the broker, by it, or wanted by nobody."""
        return np.array([not lane.group for lane in self.run.lanes], dtype=bool)

    def _lost_on_the_way(self, service: str) -> Flags:
        """Rows of messages that reached no subscription, and would have gone to a service.

        By the topology if the scenario has one; a message that a service is said to consume, and that nobody wanted
        when it came, is lost to it too. Otherwise by the destination or, behind an exchange, by the type of the event.
        """
        wanted = getattr(getattr(self.run.scenario, "topology", None), "consumes", {}).get(service)
        gone = self.rows.outcome == DROPPED
        if wanted is not None:
            gone |= self.rows.outcome == FILTERED
        lost: Flags = self._away[self.rows.lane] & gone
        if not lost.any():
            return lost
        places = np.flatnonzero(lost)
        if wanted is None:
            leads = self.lanes_of(service)
            mine = {lane.destination for lane, is_mine in zip(self.run.lanes, leads, strict=True) if is_mine}
            led = {lane.destination for lane in self.run.lanes if lane.group}
            near = [lane.destination in mine for lane in self.run.lanes]
            direct = [lane.destination in led for lane in self.run.lanes]
            received = set(self._types(np.unique(self.rows.number[leads[self.rows.lane]]).tolist()))
            lanes = self.rows.lane[places].tolist()
            types = self._types(self.rows.number[places].tolist())
            lost[places] = [
                near[lane] if direct[lane] else each in received for lane, each in zip(lanes, types, strict=True)
            ]
            return lost
        lost[places] = [each in wanted for each in self._types(self.rows.number[places].tolist())]
        return lost

    def _types(self, numbers: Sequence[int]) -> list[str | None]:
        """The types of these messages' events."""
        return [getattr(self.event(number), "type", None) for number in numbers]

    def _of_types(self, number: Ints, types: Sequence[str]) -> Flags:
        """Which of the sorted numbers are of these types."""
        starts = np.append(True, number[1:] != number[:-1])
        once = number[starts].tolist()
        events = self.run.numbered_events
        wanted = np.fromiter((getattr(events[each], "type", None) in types for each in once), bool, len(once))
        kept: Flags = wanted[np.cumsum(starts) - 1]
        return kept

    def explain(
        self,
        numbers: Sequence[int],
        service: str | None,
        facts: Sequence[Fact],
        at_s: float,
        end: str = "",
        also: Sequence[tuple[int, str | None]] = (),
    ) -> Explain:
        """How to look up a timeline: the messages' ways to a service, and facts; `end` tells what never came.

        `also` are further messages, each with the service that its way leads to (None: only its publishing).
        """

        def told() -> tuple[tuple[Moment, ...], Fact | None]:
            ways = [*((number, service) for number in numbers), *also]
            placed = [each for number, to in ways for each in self._way(number, to)]
            placed += [(EFFECT, Moment(fact.time_s, fact.subject, told_fact(fact))) for fact in facts]
            from_s = min((moment.time_s for _, moment in placed), default=0.0)
            involved = {moment.who for _, moment in placed} | {to or "" for _, to in ways} | {service or ""}
            involved |= self._brokers([number for number, _ in ways])
            began = who_began(self.spells, involved, from_s, at_s, self._story_begins_s(ways, from_s))
            if began is not None:
                placed.append((BREAK, Moment(began.fact.time_s, began.fact.subject, f"fault: {began.words}")))
            placed.sort(key=lambda each: (each[1].time_s, each[0]))
            moments = [moment for _, moment in placed]
            if end:
                moments.append(Moment(self.run.ended_s, service or "the run", end))
            return tuple(moments), None if began is None else began.fact

        return told

    def _story_begins_s(self, ways: Sequence[tuple[int, str | None]], from_s: float) -> float:
        """When the first of these messages' causal trees began, in seconds; `from_s` without messages."""
        roots = {int(self.rows.root[self.rows_of(number)[0]]) for number, _ in ways}
        begun = [float(self.rows.published_s[rows[0]]) for root in roots if (rows := self.rows_of(root))]
        return min([from_s, *begun])

    @cached_property
    def _by_number(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.rows.number, kind="stable")
        return order, self.rows.number[order]

    def rows_of(self, number: int) -> list[int]:
        """The rows of one message, in order of lane and attempt."""
        order, numbers = self._by_number
        begin, end = np.searchsorted(numbers, [number, number + 1])
        found: list[int] = order[begin:end].tolist()
        return found

    def _brokers(self, numbers: Sequence[int]) -> set[str]:
        lanes = {int(self.rows.lane[row]) for number in numbers for row in self.rows_of(number)}
        return {name for lane in lanes for name in (self.run.lanes[lane].broker, self.run.lanes[lane].destination)}

    def _way(self, number: int, service: str | None) -> Iterator[tuple[int, Moment]]:
        """One message: published, taken, and what came of each attempt at that service."""
        rows, event = self.rows_of(number), self.event(number)
        publisher = self.run.publishers[number >> 40]
        what = f"{getattr(event, 'type', 'message')} {getattr(event, 'id', number)}"
        yield 0, Moment(float(self.rows.published_s[rows[0]]), publisher, f"publishes {what}")
        if service is None:
            return
        leads = self.lanes_of(service) | self._away
        mine = [row for row in rows if leads[self.rows.lane[row]]]
        if len(mine) > LONGEST:
            left_out = len(mine) - LONGEST
            middle = float(self.rows.finished_s[mine[LONGEST // 2]])
            yield EFFECT, Moment(middle, service, f"… {left_out} more attempts like these …")
            mine = mine[: LONGEST // 2] + mine[-LONGEST // 2 :]
        for row in mine:
            yield from self._attempt(row, service)

    def _attempt(self, row: int, service: str) -> Iterator[tuple[int, Moment]]:
        """Taken, and what came of it; at one instant the end of an attempt comes before the next one is taken."""
        rows = self.rows
        consumer = int(rows.consumer[row])
        who = rows.consumers[consumer] if consumer >= 0 else self.run.lanes[int(rows.lane[row])].destination or service
        attempt, outcome = int(rows.attempt[row]), OUTCOMES[int(rows.outcome[row])]
        delivered_s, finished_s = float(rows.delivered_s[row]), float(rows.finished_s[row])
        if not math.isnan(delivered_s):
            again = f"takes it again (attempt {attempt})"
            yield 4 * attempt - 3, Moment(delivered_s, who, "takes it" if attempt == 1 else again)
        ended = self.run.ended_s if math.isnan(finished_s) else finished_s
        if self.run.lanes[int(rows.lane[row])].broker == NETWORK:
            yield 4 * attempt, Moment(ended, NETWORK, "it is lost on its way to the broker")
        else:
            yield 4 * attempt, Moment(ended, who, ENDS[outcome])


def told_fact(fact: Fact) -> str:
    """A fact in words: its kind, and the particulars that are its own."""
    own = [f"{name} {value}" for name, value in fact.detail.items() if name not in ("event_id", "trace_id")]
    return fact.kind.replace("_", " ") + (f" ({', '.join(own)})" if own else "")


def key_of(event: Any, by: str) -> Any:
    """The value of a key of an event: its subject, a field of its data, or None."""
    if by == "subject":
        return getattr(event, "subject", None)
    data = getattr(event, "data", None)
    return data.get(by) if isinstance(data, Mapping) else None
