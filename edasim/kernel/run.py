"""`Run`: what one simulation left behind. Everything it tells is a projection of the run log.

A run does not change when its simulation goes on: it holds what was logged up to its end. Left out: editing. A run is
read; a changed run is another run.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import StateError, UnknownNameError
from . import tables
from .deliveries import Deliveries
from .fingerprint import fingerprint
from .runlog import ROW, Fact, Lane, LogLevel, RunLog
from .summary import Summary

if TYPE_CHECKING:
    import networkx
    import pandas


class Run:
    """The log of one simulation, with its scenario, seed, fingerprint, and `kept`: the stores of its system by name.

    `until_s` is the end that was asked for (None: until nothing was left to happen), `ended_s` the simulated time
    reached. `publishers` (also `origins`) names those who published, `lanes` the subscriptions that deliveries came
    from, `endpoints` the lane and the name of each consumer; the columns of `deliveries` hold indices into the first
    two. `metrics` are the running statistics, `open_rows` the rows of what was queued or in flight at the end.
    """

    def __init__(
        self,
        *,
        log: RunLog,
        open_rows: list[bytes],
        seed: int,
        until_s: float | None,
        ended_s: float,
        scenario: object,
        kept: Mapping[str, Any] | None = None,
    ) -> None:
        self.log = log
        self.seed = seed
        self.until_s = until_s
        self.ended_s = ended_s
        self.scenario = scenario
        self.kept = dict(kept or {})
        self.publishers = self.origins = tuple(log.publishers)
        self.lanes: tuple[Lane, ...] = tuple(log.lanes)
        self.endpoints = tuple(log.endpoints)
        self.slots = dict(log.slots)
        self.open_rows = np.frombuffer(b"".join(open_rows), dtype=ROW)
        self._blocks = (*log.kept_blocks(), log.of_level(self.open_rows))
        self.metrics = deepcopy(log.metrics)
        self._facts_so_far = len(log.facts)
        self._events_so_far = len(log.events)

    @property
    def has_all_rows(self) -> bool:
        """Whether the log kept the rows of all deliveries of this run."""
        return self.kept_rows == self.metrics.rows + len(self.open_rows)

    @property
    def kept_rows(self) -> int:
        """How many rows the log kept, those of what was open at the end included."""
        return sum(map(len, self._blocks))

    @cached_property
    def deliveries(self) -> Deliveries:
        """The delivery table as NumPy columns, without pandas; what a sampled or full log kept."""
        return Deliveries.of(self.endpoints, self._blocks)

    @property
    def consumers(self) -> tuple[str, ...]:
        """The names of those who received; `deliveries.consumer` holds the index."""
        return self.deliveries.consumers

    @cached_property
    def numbered_events(self) -> dict[int, Any]:
        """The event of each message in the log, by the message's number, in order of publishing."""
        self.require_rows("the events")
        rows = self.deliveries
        when_s = dict(zip(rows.number.tolist(), rows.published_s.tolist(), strict=True))
        return {number: self.log.event_of(number, published_s) for number, published_s in when_s.items()}

    def events(self) -> list[Any]:
        """All events that the log holds, in order of publishing."""
        return list(self.numbered_events.values())

    def event(self, event_id: str) -> Any:
        """The first event of that id; `UnknownNameError` if this run's log holds none."""
        found = self._events_by_id.get(event_id)
        if found is None:
            raise UnknownNameError("event", event_id, islice(self._events_by_id, 20))
        return found

    @property
    def kept_events(self) -> list[Any]:
        """The events that were kept because nobody could make them again, in order of keeping."""
        return list(islice(self.log.events.values(), self._events_so_far))

    def messages(self) -> pandas.DataFrame:
        """The delivery table: a row per delivery attempt, and one per message that was never delivered.

        Columns: `tables.COLUMNS`. Times are simulated seconds, NaN where not reached.
        """
        return tables.messages(self)

    def facts(self) -> pandas.DataFrame:
        """The changes of state: `time_s`, `kind`, `subject` and `detail` (a dictionary)."""
        return tables.facts(self.fact_list)

    @property
    def fact_list(self) -> list[Fact]:
        """The changes of state, as records."""
        return self.log.facts[: self._facts_so_far]

    def summary(self) -> Summary:
        """What each subscription's consumers did: rates, waits, failures; prints as a table."""
        return Summary.of(self)

    def trace(self, event_id: str) -> pandas.DataFrame:
        """The rows of the causal tree that the event belongs to, in order of time."""
        trace_id = self.event(event_id).trace_id
        tree = [number for number, event in self.numbered_events.items() if event.trace_id == trace_id]
        return tables.messages(self, np.isin(self.deliveries.number, tree))

    def traces(self) -> dict[str, pandas.DataFrame]:
        """The rows of each causal tree in the log, by trace id; a table each, so ask a sampled log."""
        return {str(trace_id): rows for trace_id, rows in self.messages().groupby("trace_id", sort=False)}

    def flow(self) -> networkx.DiGraph[str]:
        """Who published what to whom: an edge from publisher to service, with counts by event type and mean latency.

        A subscription that no service works on goes by its own name.
        """
        return tables.flow(self)

    def fingerprint(self) -> str:
        """16 hexadecimal digits that stand for the log: the same scenario, seed and version give the same."""
        return fingerprint(self)

    def require_rows(self, what: str) -> None:
        """Raises `StateError` if `what` needs rows and the log kept none."""
        if self.log.level is LogLevel.METRICS:
            raise StateError(
                f"{what} needs the rows of the log, and this run kept metrics only",
                field="Simulation.log",
                value="metrics",
                remedy='run with log="full" or log="sampled"',
            )

    @cached_property
    def _events_by_id(self) -> dict[str, Any]:
        by_id: dict[str, Any] = {}
        for event in self.events():
            by_id.setdefault(event.id, event)
        return by_id
