"""`Run`: what one simulation left behind. Everything it tells is a projection of the run log.

Left out: editing. A run is read; a changed run is another run.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import StateError, UnknownNameError
from . import tables
from .deliveries import Deliveries
from .runlog import ROW, Fact, Lane, LogLevel, RunLog
from .summary import Summary

if TYPE_CHECKING:
    import networkx
    import pandas


class Run:
    """The log of one simulation, with its scenario, seed, fingerprint, and `kept`: the stores of its system by name.

    `until_s` is the end that was asked for (None: until nothing was left to happen), `ended_s` the simulated time reached.
    """

    def __init__(
        self, *, log: RunLog, open_rows: list[bytes], seed: int, until_s: float | None, ended_s: float, scenario: object, kept: Mapping[str, Any] | None = None
    ) -> None:
        self.log = log
        self.seed = seed
        self.until_s = until_s
        self.ended_s = ended_s
        self.scenario = scenario
        self.kept = dict(kept or {})
        self._facts_so_far = len(log.facts)
        self._blocks = log.kept_blocks()
        self._metrics = deepcopy(log.metrics)
        self._open = np.frombuffer(b"".join(open_rows), dtype=ROW)

    @property
    def has_all_rows(self) -> bool:
        """Whether the log kept the rows of all deliveries of this run."""
        return sum(map(len, self._blocks)) == self._metrics.rows

    @property
    def publishers(self) -> list[str]:
        """The names of those who published, in order of registration."""
        return self.log.publishers

    origins = publishers

    @property
    def lanes(self) -> list[Lane]:
        """The subscriptions that deliveries came from."""
        return self.log.lanes

    @cached_property
    def deliveries(self) -> Deliveries:
        """The delivery table as NumPy columns, without pandas; what a sampled or full log kept."""
        return Deliveries.of(self.log, [*self._blocks, self._open])

    @property
    def consumers(self) -> tuple[str, ...]:
        """The names of those who received; `deliveries.consumer` holds the index."""
        return self.deliveries.consumers

    def event(self, event_id: str) -> Any:
        """The event of that id; `UnknownNameError` if this run's log holds none."""
        number = self._number_of(event_id)
        return self.log.event_of(number, 0.0)

    def events(self) -> list[Any]:
        """All events that the log holds, in order of publishing."""
        numbers, first = np.unique(self.deliveries.number, return_index=True)
        order = np.argsort(self.deliveries.published_s[first], kind="stable")
        return [self.log.event_of(number, 0.0) for number in numbers[order].tolist()]

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
        duplicates = self.deliveries.duplicates() if self.has_all_rows else None
        return Summary.of(self.log, self._metrics, self._open, duplicates, self.seed, self.ended_s)

    def trace(self, event_id: str) -> pandas.DataFrame:
        """The rows of the causal tree that the event belongs to, in order of time."""
        rows = self.messages()
        root = rows.loc[rows["event_id"] == event_id, "trace_id"]
        if root.empty:
            raise UnknownNameError("event", event_id, rows["event_id"].unique()[:20])
        tree: pandas.DataFrame = rows[rows["trace_id"] == root.iloc[0]].reset_index(drop=True)
        return tree

    def traces(self) -> dict[str, pandas.DataFrame]:
        """The rows of each causal tree in the log, by trace id."""
        return {str(trace_id): rows for trace_id, rows in self.messages().groupby("trace_id", sort=False)}

    def flow(self) -> networkx.DiGraph[str]:
        """Who published what to whom: an edge from publisher to service, with counts by event type and mean latency."""
        return tables.flow(self)

    def fingerprint(self) -> str:
        """16 hexadecimal digits that stand for the log: the same scenario, seed and version give the same."""
        return tables.fingerprint(self)

    def require_rows(self, what: str) -> None:
        """Raises `StateError` if `what` needs rows and the log kept none."""
        if self.log.level is LogLevel.METRICS:
            raise StateError(
                f"{what} needs the rows of the log, and this run kept metrics only",
                field="Simulation.log",
                value="metrics",
                remedy='run with log="full" or log="sampled"',
            )

    def _number_of(self, event_id: str) -> int:
        for number in np.unique(self.deliveries.number).tolist():
            if self.log.event_of(number, 0.0).id == event_id:
                return int(number)
        raise UnknownNameError("event", event_id, ())
