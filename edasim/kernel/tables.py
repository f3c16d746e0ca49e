"""Tables and graphs of a run for people and programs: pandas and networkx are imported when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .deliveries import Deliveries
from .runlog import OUTCOMES, Fact

if TYPE_CHECKING:
    import networkx
    import pandas

    from .run import Run

COLUMNS = (
    "event_id",
    "type",
    "source",
    "subject",
    "broker",
    "destination",
    "partition",
    "consumer",
    "group",
    "attempt",
    "published_s",
    "enqueued_s",
    "delivered_s",
    "started_s",
    "finished_s",
    "outcome",
    "cause_id",
    "trace_id",
)
"""The columns of the delivery table."""


def messages(run: Run, chosen: np.ndarray[Any, Any] | None = None) -> pandas.DataFrame:
    """The delivery table of a run, by time of publishing; `chosen` is a mask of its rows."""
    import pandas as pd

    run.require_rows("messages()")
    rows = run.deliveries if chosen is None else run.deliveries.rows(chosen)
    by_number = run.numbered_events
    events = [by_number[number] for number in rows.number.tolist()]

    def told(attribute: str) -> pandas.Series[Any]:
        return pd.Series([getattr(event, attribute, None) for event in events], dtype="str")

    def named(names: Iterable[str | None], indices: np.ndarray[Any, Any]) -> pandas.Series[Any]:
        known = np.array([*names, None], dtype=object)  # the index -1 stands for none
        return pd.Series(known[indices], dtype="str")

    destinations, partitions = _places(run, rows)
    columns: dict[str, Any] = {
        "event_id": told("id"),
        "type": told("type"),
        "source": told("source"),
        "subject": told("subject"),
        "broker": named((lane.broker for lane in run.lanes), rows.lane),
        "destination": pd.Series(destinations, dtype="str"),
        "partition": pd.Series(partitions, dtype="Int64"),
        "consumer": named(rows.consumers, rows.consumer),
        "group": named((lane.group or None for lane in run.lanes), rows.lane),
        "attempt": rows.attempt,
        "published_s": rows.published_s,
        "enqueued_s": rows.enqueued_s,
        "delivered_s": rows.delivered_s,
        "started_s": rows.started_s,
        "finished_s": rows.finished_s,
        "outcome": named(OUTCOMES, rows.outcome),
        "cause_id": told("cause_id"),
        "trace_id": told("trace_id"),
    }
    return pd.DataFrame({name: columns[name] for name in COLUMNS})


def _places(run: Run, rows: Deliveries) -> tuple[list[str], list[int | None]]:
    """Destination and partition of each row: those of its lane, or where the lane's broker says that the message is."""
    found = {lane: where() for lane, where in run.log.placements.items()}
    destinations: list[str] = []
    partitions: list[int | None] = []
    for lane, number in zip(rows.lane.tolist(), rows.number.tolist(), strict=True):
        destination, partition = found.get(lane, {}).get(number, (run.lanes[lane].destination, None))
        destinations.append(destination)
        partitions.append(partition)
    return destinations, partitions


def facts(records: list[Fact]) -> pandas.DataFrame:
    """The facts of a run, in order of time."""
    import pandas as pd

    return pd.DataFrame(
        [(fact.time_s, fact.kind, fact.subject, fact.detail) for fact in records],
        columns=["time_s", "kind", "subject", "detail"],
    )


def flow(run: Run) -> networkx.DiGraph[str]:
    """Who published to whom. Edge attributes: `messages`, `deliveries`, `types` (counts) and `mean_latency_s`.

    Who receives is the service that works on a subscription, or else the subscription by its own name.
    """
    import networkx as nx

    graph: networkx.DiGraph[str] = nx.DiGraph()
    table = messages(run)
    receivers = [run.slots.get(lane, (named.group, 0))[0] for lane, named in enumerate(run.lanes)]
    table["receiver"] = np.array(receivers, dtype=object)[run.deliveries.lane] if len(table) else None
    table["publisher"] = np.array(run.publishers, dtype=object)[run.deliveries.origin] if len(table) else None
    table["latency_s"] = table["finished_s"] - table["published_s"]
    wanted = table[table["receiver"].astype(bool)]
    for (publisher, receiver), rows in wanted.groupby(["publisher", "receiver"], sort=True):
        graph.add_edge(
            str(publisher),
            str(receiver),
            messages=int(rows["event_id"].nunique()),
            deliveries=int(rows["delivered_s"].notna().sum()),
            types={str(name): int(n) for name, n in rows["type"].value_counts().sort_index().items()},
            mean_latency_s=float(rows.loc[rows["outcome"] == "done", "latency_s"].mean()),
        )
    return graph
