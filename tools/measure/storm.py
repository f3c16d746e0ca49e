"""A retry storm on real sockets and a real clock: python -m tools.measure.storm KIND [--seed N] [--output FILE.csv].

A server process on 127.0.0.1 has one worker, which sleeps for the service time of a call; for a while it is slow. A
client asks at the instants of a Poisson process, under the very policies of `edasim.governance` that a `Storm`
simulates, on the real clock. The kinds are those of `edasim.experiments.measured_storms`, which simulates them.

A row is a second of the run: requests asked, answered in time, attempts sent, and calls that the server finished,
wanted or not. Left out: work that needs a processor, several connections, networks.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import multiprocessing
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from edasim.experiments.measured_storms import COLUMNS, KINDS
from edasim.governance import Failure
from edasim.scenarios import Storm
from edasim.services.calls import Stale

HOST = "127.0.0.1"


def serve(storm: Storm, seed: int, told: Connection) -> None:
    """The server process: tells its port, and works until its client hangs up."""
    asyncio.run(_serve(storm, seed, told))


async def _serve(storm: Storm, seed: int, told: Connection) -> None:
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls: asyncio.Queue[bytes] = asyncio.Queue()
        began_s = float(await reader.readline())
        worker = asyncio.create_task(_work(storm, random.Random(seed), calls, writer, began_s))
        while line := await reader.readline():
            calls.put_nowait(line)
        worker.cancel()
        over.set()

    server = await asyncio.start_server(talk, HOST, 0)
    told.send(server.sockets[0].getsockname()[1])
    async with server:
        await over.wait()


async def _work(
    storm: Storm, rng: random.Random, calls: asyncio.Queue[bytes], writer: asyncio.StreamWriter, began_s: float
) -> None:
    """The one worker: takes the call that came first, sleeps as long as it takes, and answers."""
    while True:
        attempt, gives_up_s = (await calls.get()).split()
        now_s = time.monotonic()
        if storm.stale is Stale.DROPPED and now_s >= float(gives_up_s):
            continue
        slow = storm.fault_at_s <= now_s - began_s < storm.fault_at_s + storm.fault_s
        await asyncio.sleep(rng.expovariate(storm.fault_capacity_per_s if slow else storm.capacity_per_s))
        writer.write(attempt + b"\n")


@dataclass
class Counts:
    """What happened in each second since the beginning."""

    seconds: int
    asked: list[int] = field(init=False)
    answered: list[int] = field(init=False)
    attempts: list[int] = field(init=False)
    worked: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.began_s = time.monotonic()
        self.asked, self.answered, self.attempts, self.worked = ([0] * self.seconds for _ in range(4))

    def count(self, column: list[int]) -> None:
        """One more now; what happens after the last second does not count."""
        second = int(time.monotonic() - self.began_s)
        if second < self.seconds:
            column[second] += 1


class Client:
    """Asks under the protections of a storm, over one connection."""

    def __init__(self, storm: Storm, counts: Counts, writer: asyncio.StreamWriter, rng: random.Random) -> None:
        protects = storm.protections
        self.counts, self.writer, self.rng = counts, writer, rng
        self.timeout_s, self.retry = protects.timeout_s or 60.0, protects.retry
        self.budget = None if protects.budget is None else protects.budget.start()
        self.breaker = None if protects.breaker is None else protects.breaker.start(time.monotonic())
        self.waiting: dict[bytes, asyncio.Future[None]] = {}
        self.sent = 0

    async def request(self) -> None:
        """One request with its retries, until it is answered or given up."""
        self.counts.count(self.counts.asked)
        if self.budget is not None:
            self.budget.request(time.monotonic())
        failed, waited_s = 0, None
        while (failure := await self.attempt(retried=failed > 0)) is not None:
            failed += 1
            if self.retry is None:
                return
            waited_s = self.retry.wait_s(failed, failure, self.rng.random(), waited_s)
            if waited_s is None or (self.budget is not None and not self.budget.allow(time.monotonic())):
                return
            await asyncio.sleep(waited_s)
        self.counts.count(self.counts.answered)

    async def attempt(self, retried: bool) -> Failure | None:
        """One attempt; why it failed, or None."""
        sent_s = time.monotonic()
        if self.breaker is not None and not self.breaker.allow(sent_s):
            return Failure.NOT_PERMITTED
        self.counts.count(self.counts.attempts)
        self.sent += 1
        name, answer = str(self.sent).encode(), asyncio.get_running_loop().create_future()
        self.waiting[name] = answer
        self.writer.write(b"%s %.6f\n" % (name, sent_s + self.timeout_s))
        try:
            await asyncio.wait_for(answer, self.timeout_s)
            failure = None
        except TimeoutError:
            failure = Failure.TIMEOUT
        now_s = time.monotonic()
        if self.breaker is not None:
            self.breaker.record(now_s, failure is None, now_s - sent_s)
        if self.budget is not None:
            self.budget.done(now_s, failure is None, retried)
        return failure

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Hears the answers, also those for which nobody waits any more."""
        while line := await reader.readline():
            self.counts.count(self.counts.worked)
            answer = self.waiting.pop(line.strip())
            if not answer.done():
                answer.set_result(None)


async def ask(storm: Storm, seed: int, seconds: int, port: int) -> Counts:
    """The client's side of a run."""
    reader, writer = await asyncio.open_connection(HOST, port)
    rng, counts = random.Random(f"client {seed}"), Counts(seconds)
    writer.write(b"%.6f\n" % counts.began_s)
    client = Client(storm, counts, writer, rng)
    listening = asyncio.create_task(client.listen(reader))
    requests: deque[asyncio.Task[None]] = deque()
    due_s = rng.expovariate(storm.requests_per_s)
    while due_s < seconds:
        await asyncio.sleep(max(0.0, counts.began_s + due_s - time.monotonic()))
        requests.append(asyncio.create_task(client.request()))
        due_s += rng.expovariate(storm.requests_per_s)
    await asyncio.sleep(max(0.0, counts.began_s + seconds - time.monotonic()))
    for task in (*requests, listening):
        task.cancel()
    writer.close()
    return counts


def measure(storm: Storm, seed: int, seconds: int) -> Counts:
    """A run: starts the server, asks it for so many seconds, and ends it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(storm, seed, theirs), daemon=True)
    server.start()
    try:
        if not ours.poll(30.0):
            raise RuntimeError("the server did not begin within 30 s")
        return asyncio.run(ask(storm, seed, seconds, ours.recv()))
    finally:
        server.join(5.0)
        server.kill()


def main(given: Sequence[str] | None = None) -> int:
    """Measures one run and appends its seconds to the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure.storm", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--output", type=Path, default=None, help="a .csv file, to which the run is added")
    asked = parser.parse_args(given)
    counts = measure(KINDS[asked.kind], asked.seed, asked.seconds)
    late = counts.answered[-20:]
    print(f"{asked.kind}, seed {asked.seed}: goodput {sum(late) / len(late):.2f} per s in the last {len(late)} s")
    if asked.output is not None:
        begins = not asked.output.exists()
        with asked.output.open("a", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            if begins:
                table.writerow(COLUMNS)
            columns = zip(counts.asked, counts.answered, counts.attempts, counts.worked, strict=True)
            table.writerows((asked.kind, asked.seed, second, *row) for second, row in enumerate(columns))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
