"""A recorded run of a real broker with several consumers, simulated message by message beside its measurement.

The arrivals and each message's service time are the recorded ones; who serves what and when is up to the model. The
hand-over (acknowledgement, dispatch, wake-up) is calibrated on the first half of the recording. A consumer may be
killed at a stated instant. Left out: what a recording does not hold, such as deliveries that a killed consumer never
began.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import checks
from ..brokers import JetStream, Nats, RabbitMQ, calibrate
from ..errors import UnknownNameError
from ..events import Event
from ..kernel import Run, Simulation
from ..kernel.runlog import running_number
from ..services import Service, Source, load
from ..services.source import Occasion

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Layout = Callable[[Simulation], tuple[Any, Any]]
"""Starts a broker in a simulation; returns what the consumers share and where the publisher publishes."""

COLUMNS = ("consumer", "sequence", "published_s", "started_s", "finished_s", "redelivered")


@dataclass(frozen=True)
class Starts:
    """Deliveries by the time of their start: the message's sequence, seconds, and whether it was handed out before."""

    sequence: Ints
    published_s: Floats
    started_s: Floats
    again: np.ndarray[Any, np.dtype[np.bool_]]

    @property
    def waits_s(self) -> Floats:
        """Seconds from publishing to the start of the last delivery, in the order of publishing."""
        last = dict(zip(self.sequence.tolist(), (self.started_s - self.published_s).tolist(), strict=True))
        return np.array([last[sequence] for sequence in sorted(last)])

    @property
    def handed_out_again(self) -> tuple[int, ...]:
        """The messages that came back, in the order of their start."""
        return tuple(self.sequence[self.again].tolist())

    def backlog(self, at_s: Floats) -> Ints:
        """How many messages are published and not started at each of these instants."""
        published = np.searchsorted(np.sort(self.published_s), at_s, side="right")
        found: Ints = published - np.searchsorted(np.sort(self.started_s), at_s, side="right")
        return found


@dataclass(frozen=True)
class Replayed:
    """A recording beside its simulation, with the hand-over that was calibrated on it."""

    name: str
    handover_s: float
    measured: Starts
    simulated: Starts

    @property
    def median_error_s(self) -> float:
        """The median absolute difference of waits, message by message, in seconds."""
        return float(np.median(np.abs(self.simulated.waits_s - self.measured.waits_s)))

    def __str__(self) -> str:
        measured_ms, simulated_ms = (1000 * each.waits_s.mean() for each in (self.measured, self.simulated))
        return (
            f"{self.name}: mean wait {measured_ms:.1f} ms measured, {simulated_ms:.1f} ms simulated; half of the "
            f"{len(self.measured.waits_s):,} messages within {1000 * self.median_error_s:.1f} ms"
        )


class ManyConsumers:
    """A recording: a row for each delivery, of columns `COLUMNS`; times are seconds on one clock."""

    def __init__(self, name: str, columns: Mapping[str, Any]) -> None:
        self.name = name
        for column in COLUMNS:
            if column not in columns:
                raise UnknownNameError(f"column in {name}", column, [str(each) for each in columns])
        table = {column: np.asarray(columns[column]) for column in COLUMNS}
        order = np.argsort(table["started_s"], kind="stable")
        self._table = {column: values[order] for column, values in table.items()}
        first = np.unique(self._table["sequence"], return_index=True)[1]
        self._first = {column: values[first] for column, values in self._table.items()}

    @classmethod
    def read(cls, path: str | Path) -> ManyConsumers:
        """Reads a CSV file, which may be compressed; its name without endings is the recording's."""
        import pandas as pd

        table = pd.read_csv(path)
        return cls(Path(path).name.partition(".")[0], {str(column): table[column].to_numpy() for column in table})

    @property
    def consumers(self) -> tuple[str, ...]:
        """The consumers in the order in which they first began."""
        return tuple(dict.fromkeys(str(each) for each in self._table["consumer"].tolist()))

    @property
    def measured(self) -> Starts:
        """What was measured."""
        table = self._table
        return Starts(table["sequence"], table["published_s"], table["started_s"], table["redelivered"] == 1)

    def handover_s(self) -> float:
        """The hand-over in seconds, calibrated on the first half of the recording (`brokers.calibrate`)."""
        half = len(self._table["sequence"]) // 2
        return float(calibrate({column: values[:half] for column, values in self._table.items()}).handover_s)

    def replay(
        self,
        layout: Layout,
        *,
        handover_s: float | None = None,
        killed: str | None = None,
        kill_s: float = 0.0,
        seed: int = 1,
    ) -> Replayed:
        """The run on a model of the broker; `killed` names a consumer that dies at `kill_s`."""
        gap_s = self.handover_s() if handover_s is None else checks.check_non_negative("handover_s", handover_s)
        services_s = (self._first["finished_s"] - self._first["started_s"]).tolist()
        sim = Simulation(seed=seed)
        subscription, destination = layout(sim)

        def work(event: Event, context: Any) -> Any:
            yield context.pause(services_s[event.data])

        def message(occasion: Occasion) -> Event:
            return Event(type="measured", data=occasion.number)

        Service("consumers", of=subscription, nodes=self.consumers, handover_s=gap_s, handler=work)
        arrivals = load.Trace(times_s=self._first["published_s"].tolist())
        Source("publisher", load=arrivals, to=destination, event=message)
        if killed is not None:
            sim.at(kill_s, sim.node(killed).crash)
        return Replayed(self.name, gap_s, self.measured, self._starts(sim.run()))

    def _starts(self, run: Run) -> Starts:
        """The deliveries of a run that were begun, by the recording's sequence numbers."""
        rows = run.deliveries
        begun = rows.rows(np.isfinite(rows.started_s))
        begun = begun.rows(np.argsort(begun.started_s, kind="stable"))
        sequence = self._first["sequence"][[running_number(number) for number in begun.number.tolist()]]
        return Starts(sequence, begun.published_s, begun.started_s, begun.attempt > 1)


def rabbitmq_queue(sim: Simulation, prefetch: int) -> tuple[Any, Any]:
    """A classic queue whose consumers have this prefetch; a `Layout` with `partial(rabbitmq_queue, prefetch=…)`."""
    queue = RabbitMQ().start(sim).declare_queue("measured")
    return queue.consume(prefetch=prefetch), queue


def queue_group(sim: Simulation) -> tuple[Any, Any]:
    """A queue group of core NATS."""
    nats = Nats().start(sim)
    return nats.subscribe("measured", queue="consumers"), nats.subject("measured")


def pull_consumer(sim: Simulation, **settings: Any) -> tuple[Any, Any]:
    """A pull consumer of JetStream that its workers share; `settings` are those of `nats.ConsumerSettings`."""
    server = JetStream().start(sim)
    return server.stream("measured", subjects="measured").consumer("consumers", **settings), server.subject("measured")


KILLED, KILL_S = "0", 12.0
"""Who was killed in the measured runs with a kill, and when."""


@dataclass(frozen=True)
class MeasuredRuns:
    """The measured runs with several consumers or a burst, each beside its simulation."""

    prefetch_1: Replayed
    prefetch_20: Replayed
    group: tuple[Replayed, ...]
    pulled: Replayed
    killed_rabbitmq: Replayed
    killed_jetstream: Replayed
    burst: Replayed

    @property
    def group_means_ms(self) -> tuple[float, float, float]:
        """Mean wait of the queue group in milliseconds: measured, and the lowest and highest of the simulations."""
        means = [1000 * float(each.simulated.waits_s.mean()) for each in self.group]
        return 1000 * float(self.group[0].measured.waits_s.mean()), min(means), max(means)

    def __str__(self) -> str:
        measured_ms, low_ms, high_ms = self.group_means_ms
        lines = [str(each) for each in (self.prefetch_1, self.prefetch_20, self.pulled, self.burst)]
        lines.append(
            f"{self.group[0].name}: mean wait {measured_ms:.1f} ms measured, {low_ms:.1f} to {high_ms:.1f} ms in "
            f"{len(self.group)} simulations that toss their own coins"
        )
        for each in (self.killed_rabbitmq, self.killed_jetstream):
            back, said = each.measured.handed_out_again, each.simulated.handed_out_again
            lines.append(f"{each.name}: came back {_listed(back)} measured, {_listed(said)} simulated")
        return "\n".join(lines)


def _listed(sequences: tuple[int, ...]) -> str:
    order = "in order" if list(sequences) == sorted(sequences) else "out of order"
    return f"{len(sequences)} {order} ({sequences[0]} to {sequences[-1]})" if sequences else "none"


def measured_runs(folder: str | Path, *, seeds: int = 5) -> MeasuredRuns:
    """Simulates the measured runs in a folder (`data/measured`); the queue group, which is chance, with several seeds.

    RabbitMQ with four consumers and prefetch 1 and 20, a queue group of core NATS, a shared pull consumer, a killed
    consumer of RabbitMQ (prefetch 10) and of JetStream (batch 10, acknowledgements sent with the next fetch), a burst.
    """
    checks.check_whole(1)("seeds", seeds)

    def read(name: str) -> ManyConsumers:
        return ManyConsumers.read(Path(folder) / f"{name}.csv.gz")

    def rabbitmq(name: str, prefetch: int, killed: str | None = None) -> Replayed:
        layout = partial(rabbitmq_queue, prefetch=prefetch)
        return read(f"rabbitmq_{name}").replay(layout, killed=killed, kill_s=KILL_S)

    batches = partial(pull_consumer, batch=10, ack_sending="with_next_fetch")
    group = read("natsgroup_2consumers_load80_a")
    return MeasuredRuns(
        prefetch_1=rabbitmq("4consumers_prefetch1_a", 1),
        prefetch_20=rabbitmq("4consumers_prefetch20_a", 20),
        group=tuple(group.replay(queue_group, seed=seed) for seed in range(1, seeds + 1)),
        pulled=read("jetstream_4consumers_a").replay(pull_consumer),
        killed_rabbitmq=rabbitmq("kill_prefetch10_a", 10, KILLED),
        killed_jetstream=read("jetstream_kill_batch10_a").replay(batches, killed=KILLED, kill_s=KILL_S),
        burst=rabbitmq("burst_a", 1),
    )
