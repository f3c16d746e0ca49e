"""Tables and graphs of a run for people and programs: pandas and networkx are imported when they are asked for."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

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


def messages(run: Run) -> pandas.DataFrame:
    """The delivery table of a run, by time of publishing."""
    import pandas as pd

    run.require_rows("messages()")
    rows = run.deliveries
    numbers, place = np.unique(rows.number, return_inverse=True)
    events = [run.log.event_of(number, 0.0) for number in numbers.tolist()]

    def told(attribute: str) -> Any:
        values = np.array([getattr(event, attribute, None) for event in events], dtype=object)
        return pd.Series(values[place] if len(values) else [], dtype="str")

    def named(names: list[str], indices: Any) -> Any:
        known = np.array([*names, None], dtype=object)
        return pd.Series(known[indices], dtype="str")

    columns: dict[str, Any] = {
        "event_id": told("id"),
        "type": told("type"),
        "source": told("source"),
        "subject": told("subject"),
        "broker": named([lane.broker for lane in run.lanes], rows.lane),
        "destination": named([lane.destination for lane in run.lanes], rows.lane),
        "partition": pd.Series([pd.NA] * len(rows), dtype="Int64"),
        "consumer": named(list(rows.consumers), rows.consumer),
        "group": named([lane.group or None for lane in run.lanes], rows.lane),  # type: ignore[misc]
        "attempt": rows.attempt,
        "published_s": rows.published_s,
        "enqueued_s": rows.enqueued_s,
        "delivered_s": rows.delivered_s,
        "started_s": rows.started_s,
        "finished_s": rows.finished_s,
        "outcome": named(list(OUTCOMES), rows.outcome),
        "cause_id": told("cause_id"),
        "trace_id": told("trace_id"),
    }
    return pd.DataFrame({name: columns[name] for name in COLUMNS})


def facts(records: list[Fact]) -> pandas.DataFrame:
    """The facts of a run, in order of time."""
    import pandas as pd

    return pd.DataFrame(
        [(fact.time_s, fact.kind, fact.subject, fact.detail) for fact in records],
        columns=["time_s", "kind", "subject", "detail"],
    )


def flow(run: Run) -> networkx.DiGraph[str]:
    """Who published to whom. Edge attributes: `messages`, `deliveries`, `types` (counts) and `mean_latency_s`."""
    import networkx as nx

    graph: networkx.DiGraph[str] = nx.DiGraph()
    table = messages(run)
    table["latency_s"] = table["finished_s"] - table["published_s"]
    for (source, group), rows in table.dropna(subset=["group"]).groupby(["source", "group"], sort=True):
        graph.add_edge(
            source,
            group,
            messages=int(rows["event_id"].nunique()),
            deliveries=int(rows["delivered_s"].notna().sum()),
            types={str(name): int(n) for name, n in rows["type"].value_counts().sort_index().items()},
            mean_latency_s=float(rows.loc[rows["outcome"] == "done", "latency_s"].mean()),
        )
    return graph


def fingerprint(run: Run) -> str:
    """A hash of rows, facts, names, summary, seed and version."""
    parts = hashlib.sha256()
    rows = run.deliveries
    for column in (
        rows.number, rows.root, rows.lane, rows.consumer, rows.attempt, rows.outcome,
        rows.published_s, rows.enqueued_s, rows.delivered_s, rows.started_s, rows.finished_s,
    ):  # fmt: skip
        parts.update(np.ascontiguousarray(column).tobytes())
    told = {
        "version": _version(),
        "seed": run.seed,
        "ended_s": run.ended_s,
        "level": run.log.level.value,
        "lanes": [(lane.broker, lane.destination, lane.group) for lane in run.lanes],
        "publishers": run.publishers,
        "consumers": rows.consumers,
        "facts": [(fact.time_s, fact.kind, fact.subject, fact.detail) for fact in run.fact_list],
        "events": [repr(event) for event in run.log.events.values()],
        "summary": str(run.summary()),
    }
    parts.update(json.dumps(told, sort_keys=True, default=repr).encode())
    return parts.hexdigest()[:16]


def _version() -> str:
    try:
        return version("edasim")
    except PackageNotFoundError:
        return "not installed"
