"""A run in a file: saved into an event store, opened again, equal to the last digit.

The events of the run become streams, one per publisher, recorded at the simulated second of their publishing; so a
run can be queried, folded and travelled like any other history. Beside them lie plain tables, `run_deliveries`,
`run_facts` and others, and `run_about` with seed, end, scenario and version. `open_run` builds a `Run` from them
whose `messages()`, `facts()`, `summary()` and `fingerprint()` are those of the original; saving checks that before it
returns. What the run keeps beside its log (`run.kept`: stores, databases, mails) comes back as far as it has a plain
form (`keeping`); `run_about` names what has none.

Left out: handlers and projections, which are code.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigurationError, EdasimError
from ..events import Event, from_json, to_json
from ..kernel import LogLevel, Run
from ..kernel.metrics import EndpointMetrics, Metrics, Spread
from ..kernel.runlog import IN_FLIGHT, OUTCOMES, PUBLISHER_BITS, QUEUED, ROW, Fact, RunLog
from .errors import StoreError
from .keeping import made_of, told_of
from .query import Query
from .schema import Access
from .store import EventStore

RUN_FORMAT = 2
"""Files of format 1 hold nothing that a run kept beside its log."""

_TABLES = """
create table run_about (name text primary key, value text not null) strict, without rowid;
create table run_publishers (publisher integer primary key, name text not null) strict;
create table run_lanes (
    lane integer primary key, broker text, destination text, "group" text, service text, slots integer
) strict;
create table run_endpoints (endpoint integer primary key, lane integer not null, consumer text not null) strict;
create table run_metrics (endpoint integer primary key, counted text not null) strict;
create table run_facts (number integer primary key, time_s real not null, kind text, subject text, detail text) strict;
create table run_messages (number integer primary key, position integer not null, told text) strict;
create table run_kept (place integer primary key, number integer not null) strict;
create table run_stores (name text primary key, kind text not null, told text not null) strict, without rowid;
create table run_deliveries (
    row integer primary key, is_open integer not null, number integer not null, root integer not null,
    published_s real, enqueued_s real, delivered_s real, started_s real, finished_s real,
    endpoint integer not null, attempt integer not null, outcome integer not null
) strict
"""
_ROW_FIELDS = ROW.names or ()


# ---------------------------------------------------------------- saving


def save_run(run: Run, path: str | Path) -> str:
    """Saves a run to a new file and returns its fingerprint, which the file holds as well.

    Raises `ConfigurationError` if the file exists or the run holds what no file can (objects in facts or events),
    `StoreError` if the file cannot be written or does not give the same run back.
    """
    target = Path(path)
    if target.exists():
        raise ConfigurationError(
            f"the file {str(target)!r} exists already", field="path", value=str(target), remedy="name a new file"
        )
    now = [0.0]
    try:
        with EventStore(target, clock=lambda: now[0]) as store:
            with store.transaction() as connection:
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                _save_events(store, run, now)
                _save_tables(connection, run)
                _save_kept(connection, run)
            open_run(target)  # which compares the fingerprints
    except BaseException:
        for ending in ("", "-wal", "-shm", "-journal"):
            target.with_name(target.name + ending).unlink(missing_ok=True)
        raise
    return run.fingerprint()


def _save_events(store: EventStore, run: Run, now: list[float]) -> None:
    """Appends the events to the streams of their publishers; one that a stored event's name is taken from is told
    apart.
    """
    kept = dict(islice(run.log.events.items(), len(run.kept_events)))
    made = run.numbered_events if run.log.level is not LogLevel.METRICS else {}
    when_s = dict(zip(run.deliveries.number.tolist(), run.deliveries.published_s.tolist(), strict=True)) if made else {}
    places: dict[tuple[str, str], tuple[int, Event]] = {}
    rows: list[tuple[Any, ...]] = []
    told = [(number, event) for number, event in {**made, **kept}.items() if event is not None]
    for (publisher, at_s), group in groupby(
        told, lambda pair: (pair[0] >> PUBLISHER_BITS, when_s.get(pair[0], now[0]))
    ):
        now[0] = max(now[0], at_s)
        new: list[Event] = []
        begun = store.position + 1
        for number, event in group:
            position, first = places.setdefault(event.identity, (begun + len(new), event))
            if first is event:
                new.append(event)
            rows.append((number, position, None if first == event else to_json(event)))
        if new:
            store.append(run.publishers[publisher], new)
    with store.transaction() as connection:
        connection.executemany("insert into run_messages values (?, ?, ?)", rows)
        connection.executemany("insert into run_kept values (?, ?)", enumerate(kept))


def _save_tables(connection: Any, run: Run) -> None:
    def insert(table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        filled = list(rows)
        if filled:
            marks = ",".join("?" * len(filled[0]))
            connection.executemany(f"insert into {table} values ({marks})", filled)  # noqa: S608

    insert("run_publishers", enumerate(run.publishers))
    insert(
        "run_lanes",
        (
            (number, lane.broker, lane.destination, lane.group, *run.slots.get(number, (None, None)))
            for number, lane in enumerate(run.lanes)
        ),
    )
    insert("run_endpoints", ((number, *endpoint) for number, endpoint in enumerate(run.endpoints)))
    insert("run_metrics", ((endpoint, _metrics_text(counted)) for endpoint, counted in run.metrics.by_endpoint.items()))
    insert(
        "run_facts",
        ((n, fact.time_s, fact.kind, fact.subject, _detail_text(fact)) for n, fact in enumerate(run.fact_list)),
    )
    insert("run_deliveries", ((None, *row) for row in _delivery_rows(run)))
    insert("run_about", ((name, json.dumps(value)) for name, value in _about(run).items()))


def _save_kept(connection: Any, run: Run) -> None:
    """What has a plain form becomes a row; the classes of the rest are named in `run_about`."""
    without = {}
    for name, thing in run.kept.items():
        kind, told = told_of(thing)
        if told is None:
            without[name] = kind
        else:
            connection.execute("insert into run_stores values (?, ?, ?)", (name, kind, told))
    connection.execute("insert into run_about values ('not_kept', ?)", (json.dumps(without),))


def _version() -> str:
    from importlib.metadata import version

    return version("edasim")


def _about(run: Run) -> dict[str, Any]:
    scenario = run.scenario
    return {
        "format": RUN_FORMAT,
        "fingerprint": run.fingerprint(),
        "version": _version(),
        "seed": run.seed,
        "until_s": run.until_s,
        "ended_s": run.ended_s,
        "log": run.log.level.value,
        "max_rows": run.log.max_rows,
        "one_in": run.log.one_in,
        "rows": run.metrics.rows,
        "slots": list(run.slots),
        "outcomes": OUTCOMES,
        "scenario": scenario.to_dict() if hasattr(scenario, "to_dict") else None,
    }


def _delivery_rows(run: Run) -> Iterator[tuple[Any, ...]]:
    """Kept rows of what has ended, then the rows of what was open at the end; both as plain values."""
    kept = run.deliveries
    endpoint_of = {endpoint: number for number, endpoint in enumerate(run.endpoints)}
    names = [*kept.consumers, ""]  # the index -1 stands for none
    ended = ~np.isin(kept.outcome, (QUEUED, IN_FLIGHT))
    columns = kept.rows(ended).columns
    endpoints = [
        endpoint_of[lane, names[consumer]]
        for lane, consumer in zip(columns["lane"].tolist(), columns["consumer"].tolist(), strict=True)
    ]
    plain = [endpoints if name == "endpoint" else columns[name].tolist() for name in _ROW_FIELDS]
    for row in zip(*plain, strict=True):
        yield (0, *row)
    for row in run.open_rows.tolist():
        yield (1, *row)


def _detail_text(fact: Fact) -> str:
    def plain(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        raise ConfigurationError(
            f"a fact of kind {fact.kind!r} holds {value!r}, which a file cannot hold",
            field="fact",
            value=value,
            remedy="tell facts in texts, numbers, truth values, lists and dictionaries",
        )

    return json.dumps(fact.detail, default=plain)


def _metrics_text(counted: EndpointMetrics) -> str:
    def spread(times: Spread) -> list[Any]:
        places = np.flatnonzero(times.buckets)
        return [times.n, times.total_s, times.max_s, places.tolist(), times.buckets[places].tolist()]

    return json.dumps(
        {
            "outcomes": counted.outcomes.tolist(),
            "redelivered": counted.redelivered,
            "busy_s": counted.busy_s,
            "vain_waits_s": counted.vain_waits_s,
            "waits": spread(counted.waits),
            "responses": spread(counted.responses),
        }
    )


# ---------------------------------------------------------------- opening


def open_run(path: str | Path, *, scenario: Callable[[dict[str, Any]], object] | None = None) -> Run:
    """The run that `save_run` saved, as if it had just ended; `about_run(path)["not_kept"]` says what `kept` lacks.

    `scenario` makes a scenario of its dictionary, such as `Registration.from_dict`; without it, `run.scenario` is the
    dictionary. Raises `StoreError` for a file that holds no run, one of a newer format, or one that was altered (told
    by the fingerprint, if this version of edasim wrote it).
    """
    with EventStore(path, access=Access.READ) as store, _damage_told(path):
        about = _read_about(store)
        log = RunLog(LogLevel(about["log"]), about["max_rows"], about["one_in"])
        _open_events(store, log)
        _open_tables(store, log, about)
        open_rows = [_rows_of(store, is_open=1).tobytes()]
        kept = _open_kept(store, about)
        told = about["scenario"]
        run = Run(
            log=log,
            open_rows=open_rows,
            seed=about["seed"],
            until_s=about["until_s"],
            ended_s=about["ended_s"],
            scenario=told,
            kept=kept,
        )
        if about["version"] == _version() and about["fingerprint"] != run.fingerprint():
            raise StoreError(
                f"the file {str(path)!r} does not give the run that was saved: its fingerprint is another",
                field="path",
                value=str(path),
                remedy="restore the file from a copy",
            )
    if told is not None and scenario is not None:
        run.scenario = scenario(told)
    return run


@contextmanager
def _damage_told(path: str | Path) -> Iterator[None]:
    """Turns what goes wrong at reading tables that `save_run` cannot have written into a `StoreError`."""
    try:
        yield
    except (ArithmeticError, AttributeError, ImportError, LookupError, TypeError, ValueError, sqlite3.Error) as error:
        if isinstance(error, EdasimError):
            raise
        raise StoreError(
            f"the run in {str(path)!r} cannot be read: {type(error).__name__}: {error}",
            field="path",
            value=str(path),
            remedy="restore the file from a copy, or use the version of edasim that wrote it (about_run tells it)",
        ) from error


def about_run(path: str | Path) -> dict[str, Any]:
    """What a file says of its run, without opening it: fingerprint, version, seed, end, level of log, scenario."""
    with EventStore(path, access=Access.READ) as store, _damage_told(path):
        return _read_about(store)


def _read_about(store: EventStore) -> dict[str, Any]:
    if not store.rows("select 1 from sqlite_master where name = 'run_about'"):
        raise StoreError(
            f"the file {str(store.path)!r} holds no run",
            field="path",
            value=str(store.path),
            remedy="save one with save_run",
        )
    about = {name: json.loads(value) for name, value in store.rows("select name, value from run_about")}
    if about["format"] > RUN_FORMAT:
        raise StoreError(
            f"the run in {str(store.path)!r} has format {about['format']}, and this version reads up to {RUN_FORMAT}",
            field="path",
            value=str(store.path),
            remedy="use a newer version of edasim",
        )
    return about


def _open_kept(store: EventStore, about: dict[str, Any]) -> dict[str, Any]:
    if about["format"] < 2:
        return {}
    return {name: made_of(kind, told) for name, kind, told in store.rows("select name, kind, told from run_stores")}


def _open_events(store: EventStore, log: RunLog) -> None:
    events = [event for batch in store.batches(Query()) for event in batch.events]
    found = {
        number: from_json(told) if told else events[position - 1]
        for number, position, told in store.rows("select number, position, told from run_messages")
    }
    kept = [number for (number,) in store.rows("select number from run_kept order by place")]
    for index, (name,) in enumerate(store.rows("select name from run_publishers order by publisher")):
        log.publisher(name, _finder(found, index))
    log.events.update((number, found[number]) for number in kept)


def _finder(found: dict[int, Event], publisher: int) -> Callable[[int, float], Event | None]:
    """Stands for the publisher that could make its events again."""
    return lambda running, _published_s: found.get(publisher << PUBLISHER_BITS | running)


def _open_tables(store: EventStore, log: RunLog, about: dict[str, Any]) -> None:
    lanes = store.rows('select broker, destination, "group", service, slots from run_lanes order by lane')
    for broker, destination, group, _, _ in lanes:
        log.lane(broker, destination, group)
    log.slots.update((lane, (lanes[lane][3], lanes[lane][4])) for lane in about["slots"])
    for lane, consumer in store.rows("select lane, consumer from run_endpoints order by endpoint"):
        log.endpoint(lane, consumer)
    for time_s, kind, subject, detail in store.rows(
        "select time_s, kind, subject, detail from run_facts order by number"
    ):
        log.facts.append(Fact(time_s, kind, subject, json.loads(detail)))
    ended = _rows_of(store, is_open=0)
    if len(ended):
        log.append(ended.tobytes())
    log.flush()
    log.metrics = _metrics_of(store, about["rows"])


def _rows_of(store: EventStore, *, is_open: int) -> np.ndarray[Any, Any]:
    wanted = ", ".join(_ROW_FIELDS)
    rows = store.rows(f"select {wanted} from run_deliveries where is_open = ? order by row", is_open)  # noqa: S608
    made = np.zeros(len(rows), dtype=ROW)
    for name, column in zip(_ROW_FIELDS, zip(*rows, strict=True), strict=False):
        made[name] = np.array(column, dtype=ROW[name])  # None becomes NaN
    return made


def _metrics_of(store: EventStore, rows: int) -> Metrics:
    def spread(told: list[Any]) -> Spread:
        made = Spread(n=told[0], total_s=told[1], max_s=told[2])
        made.buckets[told[3]] = told[4]
        return made

    metrics = Metrics()
    metrics.rows = rows
    for endpoint, text in store.rows("select endpoint, counted from run_metrics"):
        told = json.loads(text)
        metrics.by_endpoint[endpoint] = EndpointMetrics(
            outcomes=np.array(told["outcomes"], dtype=np.int64),
            redelivered=told["redelivered"],
            waits=spread(told["waits"]),
            responses=spread(told["responses"]),
            busy_s=told["busy_s"],
            vain_waits_s=told["vain_waits_s"],
        )
    return metrics
