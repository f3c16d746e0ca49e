"""The event store against the `eventsourcing` package and bare sqlite3, at a million events, and under kill -9.

    python -m benchmarks.sourcing            # all of it, a few minutes; writes nothing but to the terminal
    python -m benchmarks.sourcing --events 20000 --rounds 1 --million 100000 --kills 5

The same work for each store: events with id, source, stream and version, time, cause, trace and data, from objects in
memory to the disk in batches of one transaction, and from the disk back to objects, of which each adds to a sum.
`eventsourcing` does it by its `EventStore` (JSON transcoder, mapper, `SQLiteApplicationRecorder`); its recorder
alone, on events that were made bytes before, is given as well. Bare sqlite3 writes and reads one row of four columns
per event, from and to tuples that were made before, with one primary key: the limit. Only edasim tells repetitions by
event id and keeps a hash chain. All are in WAL mode with `synchronous=FULL`.

Times are processor times; stores take turns within a round, and a ratio is the median over rounds of two times of one
round.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edasim.sourcing import EventStore, Projection, View, check_view

try:
    import eventsourcing  # noqa: F401 - the contender
except ModuleNotFoundError:
    sys.exit("the comparison needs the eventsourcing package: pip install 'eventsourcing>=9.4'")

from .own_process import ROOT, measure
from .sourcing_work import BATCH, CONTENDERS, large, one_round

APPEND_TARGET, REPLAY_TARGET, QUERY_TARGET_MS = 3.0, 5.0, 50.0
QUERIES = 200


def compare(events: int, rounds: int) -> bool:
    """Prints the comparison; whether the targets are met."""
    made = [measure(one_round, events=events, shift=number) for number in range(rounds)]

    def middle(name: str, action: str) -> float:
        return statistics.median(one[name][action] for one in made)

    def ratio(name: str, action: str) -> float:
        return statistics.median(one[name][action] / one["edasim"][action] for one in made)

    print(f"{events:,} events, batches of {BATCH}, median of {rounds} rounds;")
    print("microseconds per event, and how many times ours")
    actions = ("append", "replay", "append on the clock", "replay on the clock")
    print(f"{'':20}" + "".join(f"{action:>26}" for action in actions))
    for name in CONTENDERS:
        cells = [f"{middle(name, action) * 1e6:8.2f}  ({ratio(name, action):5.2f} x)" for action in actions]
        print(f"{name:20}" + "".join(f"{cell:>26}" for cell in cells))
    met = ratio("eventsourcing", "append") >= APPEND_TARGET and ratio("eventsourcing", "replay") >= REPLAY_TARGET
    print(
        f"target: {APPEND_TARGET:g} x our append and {REPLAY_TARGET:g} x our replay in eventsourcing: {verdict(met)}\n"
    )
    return met


def show_large(events: int) -> bool:
    found = measure(large, events=events, queries=QUERIES)
    met = bool(found["worst_query_ms"] < QUERY_TARGET_MS)
    print(f"{events:,} events: appended in {found['append_s']:.1f} s; a view rebuilt in {found['rebuild_s']:.1f} s,")
    print(f"  with at most {found['peak_mb']:.1f} MB of Python's memory at a time")
    worst = f"worst of {QUERIES} {found['worst_query_ms']:.2f} ms, {found['replayed']:.0f} events on average"
    print(f"  the state at a random position, snapshots every 1,000: {found['query_ms']:.2f} ms ({worst});")
    print(f"  without snapshots, at {found['without_position']:,}: {found['without_ms']:.0f} ms")
    print(f"target: under {QUERY_TARGET_MS:g} ms: {verdict(met)}\n")
    return met


# ---------------------------------------------------------------- kill -9


def kill(times: int) -> bool:
    """Kills a writing process again and again at random instants, and looks at what is left."""
    draw = random.Random(7)
    counts = Projection(name="n", initial=0, apply=lambda n, _: n + 1, key=lambda event: event.type)
    events = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "killed"
        for _ in range(times):
            command = [sys.executable, "-m", "benchmarks.sourcing_writer", str(path)]
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
                assert writer.stdout is not None
                writer.stdout.readline()
                time.sleep(draw.uniform(0.0, 0.2))
                os.kill(writer.pid, signal.SIGKILL)
                acknowledged = [
                    int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")
                ]
            with contextlib.closing(EventStore(path)) as store:
                assert store.position >= max(acknowledged, default=0), "an acknowledged event is missing"
                assert [one.position for one in store.read()] == list(range(1, store.position + 1)), "there is a gap"
                assert store.version("pairs") % 2 == 0, "there is half an append"
                assert store.verify() is None, "the hash chain is broken"
                assert store.query("pragma integrity_check") == [("ok",)], "the file is damaged"
                view = View(store, counts)
                check_view(view)
                view.catch_up()
                check_view(view)
                events = store.position
    print(f"kill -9, {times} times at random instants: {events:,} events,")
    print("none missing, none by half, chain and views whole\n")
    return True


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=100_000, help="events of the comparison")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--million", type=int, default=1_000_000, help="events of the large store")
    parser.add_argument("--kills", type=int, default=50)
    asked = parser.parse_args()
    results = [compare(asked.events, asked.rounds), show_large(asked.million), kill(asked.kills)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
