"""The books of a run: the run log as the oracle reads it, in columns per service and facts per kind.

Everything is computed once per check and in time that grows with the log only: rows are grouped by one stable sort of
nearly sorted numbers, facts are put into one dictionary by kind. Left out: logs that kept a part of their rows only; a
promise about what is not there cannot be checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import StateError, UnknownNameError
from ..kernel import Run
from ..kernel.runlog import DEAD_LETTERED, DONE, DROPPED, FILTERED, IN_FLIGHT, QUEUED, Fact
from .findings import Explain, Moment
from .timelines import Story, Timelines

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


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
        self.timelines = Timelines(run, self.workers)

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

    @property
    def number_of(self) -> Mapping[str, int]:
        """The number of each event in the log, by the event's id; the first, if it was published again."""
        return self.timelines.number_of

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

    def _lost_on_the_way(self, service: str) -> Flags:
        """Rows of messages that reached no subscription, and would have gone to a service.

        By the topology if the scenario has one; a message that a service is said to consume, and that nobody wanted
        when it came, is lost to it too. Otherwise by the destination or, behind an exchange, by the type of the event.
        """
        wanted = getattr(getattr(self.run.scenario, "topology", None), "consumes", {}).get(service)
        gone = self.rows.outcome == DROPPED
        if wanted is not None:
            gone |= self.rows.outcome == FILTERED
        lost: Flags = self.timelines.away[self.rows.lane] & gone
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

    def rows_of(self, number: int) -> list[int]:
        """The rows of one message, in order of lane and attempt."""
        return self.timelines.rows_of(number)

    def ways_of(self, facts: Sequence[Fact]) -> tuple[tuple[int, str | None], ...]:
        """The messages in whose handling these facts were appended, each with the service that handled it."""
        found: dict[tuple[int, str | None], None] = {}
        for fact in facts:
            number = self.number_of.get(str(fact.detail.get("event_id")))
            if number is not None:
                found[number, fact.subject if fact.subject in self.services else None] = None
        return tuple(found)

    def explain(
        self,
        numbers: Sequence[int],
        service: str | None,
        facts: Sequence[Fact],
        at_s: float,
        end: str = "",
        also: Sequence[tuple[int, str | None]] = (),
        trail: int | None = None,
    ) -> Explain:
        """How to look up a timeline: the messages' ways to a service, and facts; `end` tells what never came.

        `also` are further messages, each with the service that its way leads to (None: only its publishing), `trail` is
        the message whose consequences are followed to their ends.
        """

        def told() -> tuple[tuple[Moment, ...], Fact | None]:
            wanted = [*((number, service) for number in numbers), *also]
            ways = [(number, None if to is None else self.lanes_of(to), to or "") for number, to in wanted]
            return self.timelines.tell(Story(ways, facts, at_s, service or "", end, trail))

        return told


def key_of(event: Any, by: str) -> Any:
    """The value of a key of an event: its subject, a field of its data, or None."""
    if by == "subject":
        return getattr(event, "subject", None)
    data = getattr(event, "data", None)
    return data.get(by) if isinstance(data, Mapping) else None
