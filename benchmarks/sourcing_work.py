"""The work that `benchmarks.sourcing` measures: the contenders, one round of them, and the large store."""

from __future__ import annotations

import gc
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import DatetimeAsISO, JSONTranscoder, Mapper, UUIDAsHex
from eventsourcing.persistence import EventStore as PackageStore
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from edasim.events import Event
from edasim.sourcing import EventStore, EveryEvents, Fold, History, Projection, View

BATCH = 1000
STREAMS = 100


def payload(number: int) -> dict[str, Any]:
    return {
        "account": f"account-{number % STREAMS}",
        "cents": number % 5000,
        "currency": "EUR",
        "teller": "Ada Lovelace",
    }


def batches(events: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (events[start : start + BATCH] for start in range(0, len(events), BATCH))


# ---------------------------------------------------------------- the contenders


class Ours:
    """edasim: streams in turn, a batch each."""

    def __init__(self, folder: str, events: int) -> None:
        self._store = EventStore(Path(folder) / "edasim")
        at = datetime.now(UTC)
        self._events = [
            Event(
                type="account.changed", id=f"e-{n}", source="/bank", time=at, data=payload(n),
                cause_id=f"c-{n}", trace_id=f"t-{n // 4}",
            )
            for n in range(events)
        ]  # fmt: skip

    def append(self) -> None:
        for number, batch in enumerate(batches(self._events)):
            self._store.append(f"account-{number % STREAMS}", batch)

    def replay(self) -> int:
        return self._store.fold(lambda cents, event: cents + event.data["cents"], 0)


class AccountChanged(DomainEvent):
    """What the package stores."""

    event_id: str
    source: str
    cause_id: str
    trace_id: str
    data: dict[str, Any]


class Package:
    """The `eventsourcing` package, with its mapper."""

    def __init__(self, folder: str, events: int) -> None:
        transcoder = JSONTranscoder()
        transcoder.register(DatetimeAsISO())
        transcoder.register(UUIDAsHex())
        self.recorder = SQLiteApplicationRecorder(SQLiteDatastore(str(Path(folder) / type(self).__name__)))
        self.recorder.create_table()
        self._store: Any = PackageStore(Mapper(transcoder), self.recorder)
        ids = [uuid.uuid4() for _ in range(STREAMS)]
        at = datetime.now(UTC)
        self.events: list[Any] = [
            AccountChanged(
                originator_id=ids[n // BATCH % STREAMS], originator_version=n, timestamp=at, event_id=f"e-{n}",
                source="/bank", cause_id=f"c-{n}", trace_id=f"t-{n // 4}", data=payload(n),
            )
            for n in range(events)
        ]  # fmt: skip
        self.mapper: Any = self._store.mapper

    def append(self) -> None:
        for batch in batches(self.events):
            self._store.put(batch)

    def replay(self) -> int:
        cents, start = 0, 1
        while notifications := self.recorder.select_notifications(start, BATCH):
            for notification in notifications:
                cents += self.mapper.to_domain_event(notification).data["cents"]
            start = notifications[-1].id + 1
        return cents


class PackageRecorder(Package):
    """The package's recorder alone: events are bytes already, and stay bytes."""

    def __init__(self, folder: str, events: int) -> None:
        super().__init__(folder, events)
        self._stored = [self.mapper.to_stored_event(event) for event in self.events]

    def append(self) -> None:
        for batch in batches(self._stored):
            self.recorder.insert_events(batch)

    def replay(self) -> int:
        read, start = 0, 1
        while notifications := self.recorder.select_notifications(start, BATCH):
            read += len(notifications)
            start = notifications[-1].id + 1
        return read


class Bare:
    """sqlite3 with a row of four columns."""

    def __init__(self, folder: str, events: int) -> None:
        self._connection = sqlite3.connect(Path(folder) / "bare", isolation_level=None)
        self._connection.execute("pragma journal_mode=wal")
        self._connection.execute(
            "create table events (position integer primary key, stream text, type text, state text)"
        )
        self._rows = [
            (n + 1, f"account-{n // BATCH % STREAMS}", "account.changed", json.dumps(payload(n))) for n in range(events)
        ]

    def append(self) -> None:
        for batch in batches(self._rows):
            self._connection.execute("begin immediate")
            self._connection.executemany("insert into events values (?, ?, ?, ?)", batch)
            self._connection.execute("commit")

    def replay(self) -> int:
        return len(self._connection.execute("select * from events order by position").fetchall())


CONTENDERS: dict[str, Callable[[str, int], Any]] = {
    "edasim": Ours,
    "eventsourcing": Package,
    "its recorder alone": PackageRecorder,
    "bare sqlite3": Bare,
}


def one_round(events: int, shift: int) -> dict[str, dict[str, float]]:
    """Processor seconds and seconds on the clock per event for each contender, in an order that begins at `shift`."""
    names = list(CONTENDERS)
    names = names[shift % len(names) :] + names[: shift % len(names)]
    found: dict[str, dict[str, float]] = {}
    cents = sum(payload(n)["cents"] for n in range(events))
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            contender = CONTENDERS[name](folder, events)
            gc.collect()
            gc.freeze()
            taken: dict[str, float] = {}
            for action in ("append", "replay"):
                begun, clock = time.process_time(), time.perf_counter()
                returned = getattr(contender, action)()
                taken[action] = (time.process_time() - begun) / events
                taken[f"{action} on the clock"] = (time.perf_counter() - clock) / events
                assert returned in (None, events, cents), f"{name} read {returned}"
            found[name] = taken
            del contender
    return found


# ---------------------------------------------------------------- a million events


def large(events: int, queries: int) -> dict[str, Any]:
    """Rebuild of a view in bounded memory, and questions at random places, with and without snapshots."""
    with tempfile.TemporaryDirectory() as folder:
        store = EventStore(Path(folder) / "large")
        begun = time.perf_counter()
        for start in range(0, events, BATCH):
            numbers = range(start, min(start + BATCH, events))
            new = [Event(type="account.changed", id=f"e-{n}", source="/bank", data=payload(n)) for n in numbers]
            store.append("bank", new)
        append_s = time.perf_counter() - begun
        view = View(
            store,
            Projection(
                name="balances",
                initial=0,
                apply=lambda cents, e: cents + e.data["cents"],
                key=lambda e: e.data["account"],
            ),
        )
        begun = time.perf_counter()
        shown = Progress(begun)
        view.rebuild(progress=shown)
        rebuild_s = time.perf_counter() - begun
        view.switch()
        tracemalloc.start()
        view.rebuild()
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert list(view.rebuilt_differences()) == []
        return {
            "append_s": append_s,
            "rebuild_s": rebuild_s,
            "peak_mb": peak_bytes / 1e6,
            **questions(store, events, queries),
        }


class Progress:
    """Shows how far a rebuild has come, on one line."""

    def __init__(self, begun_s: float) -> None:
        self._begun_s = begun_s
        self._told_s = begun_s

    def __call__(self, done: int, total: int) -> None:
        now_s = time.perf_counter()
        if now_s - self._told_s > 2.0 or done == total:
            self._told_s = now_s
            left_s = (total - done) / done * (now_s - self._begun_s)
            print(f"rebuild: {done:,} of {total:,} events, {left_s:.0f} s left", file=sys.stderr, flush=True)


def questions(store: EventStore, events: int, queries: int) -> dict[str, Any]:
    """Milliseconds for the state at a random position of a stream of all events."""
    fold = Fold(name="balance", initial=0, apply=lambda cents, event: cents + event.data["cents"])
    quick = History(store, fold, stream="bank", snapshots=EveryEvents(events=1000))
    plain = History(store, fold, stream="bank")
    quick.prepare()
    draw = random.Random(1)
    took_ms, replayed = [], []
    for _ in range(queries):
        position = draw.randint(1, events)
        begun = time.perf_counter()
        state = quick.at(position)
        took_ms.append((time.perf_counter() - begun) * 1e3)
        replayed.append(quick.replayed)
    begun = time.perf_counter()
    assert plain.at(position) == state
    return {
        "query_ms": statistics.median(took_ms),
        "worst_query_ms": max(took_ms),
        "replayed": statistics.mean(replayed),
        "without_ms": (time.perf_counter() - begun) * 1e3,
        "without_position": position,
    }
