"""The run itself: paces the publisher, lets consumers work, and keeps a row for each delivery."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from edasim.errors import EdasimError

from .errors import MeasuringError, broke_off
from .plan import Floats, Plan

COLUMNS = (
    "consumer",
    "sequence",
    "published_s",
    "received_s",
    "started_s",
    "finished_s",
    "planned_service_s",
    "redelivered",
)
READY_WITHIN_S = 30.0
"""A consumer that has not subscribed by then is given up."""

Publish = Callable[[int], None]


class Broker(Protocol):
    """What a broker's module gives: a place of its own, a publisher and consumers. All of it is blocking."""

    def prepare(self, plan: Plan) -> None:
        """Connects and makes a queue, stream or topic that nobody else uses."""

    def publisher(self) -> AbstractContextManager[Publish]:
        """A function that publishes a message by its sequence number and returns when the broker has it."""

    def consume(self, consumer: Consumer) -> None:
        """Receives for `consumer` until it is stopped; runs in a thread of its own."""

    def clean_up(self) -> None:
        """Removes what `prepare` made."""


@dataclass
class Recorder:
    """One clock, and the rows so far."""

    services_s: Floats
    started_at_s: float = field(default_factory=time.perf_counter)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    published_s: dict[int, float] = field(default_factory=dict)
    trouble: list[EdasimError] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _done: set[int] = field(default_factory=set)

    def now_s(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started_at_s

    def add(self, consumer: int, sequence: int, times_s: tuple[float, float, float], *, again: bool) -> None:
        """Keeps a delivery: `times_s` are received, started, finished; `again` says that it came before."""
        with self._lock:
            self._done.add(sequence)
            planned_s = float(self.services_s[sequence])
            self.rows.append((consumer, sequence, self.published_s[sequence], *times_s, planned_s, int(again)))

    @property
    def done(self) -> int:
        """How many messages were worked on at least once."""
        return len(self._done)

    def was_done(self, sequence: int) -> bool:
        """Whether the message was worked on before: for brokers that do not tell."""
        return sequence in self._done


@dataclass
class Consumer:
    """A consumer's view of the run, for the modules of the brokers."""

    number: int
    recorder: Recorder
    ready: threading.Event = field(default_factory=threading.Event)

    @property
    def stopped(self) -> bool:
        """Whether the run is over."""
        return self.recorder.stopped.is_set()

    def now_s(self) -> float:
        """Seconds since the start, for the instant at which a message was received."""
        return self.recorder.now_s()

    def service_s(self, sequence: int) -> float:
        """How long this message takes."""
        return float(self.recorder.services_s[sequence])

    def work(self, sequence: int, *, received_s: float | None = None, again: bool = False) -> None:
        """Sleeps for the message's service time and keeps the row; acknowledge afterwards."""
        started_s = self.now_s()
        time.sleep(self.service_s(sequence))
        self.keep(sequence, started_s, received_s=received_s, again=again)

    def keep(self, sequence: int, started_s: float, *, received_s: float | None = None, again: bool = False) -> None:
        """Keeps the row of a message that was started at `started_s` and is finished now."""
        times_s = (started_s if received_s is None else received_s, started_s, self.now_s())
        self.recorder.add(self.number, sequence, times_s, again=again)


def measure(broker: Broker, plan: Plan, *, patience_s: float = 60.0) -> list[tuple[Any, ...]]:
    """The rows of a run (`COLUMNS`), in order of their start.

    Raises `MeasuringError` if a client breaks off, or messages are missing `patience_s` after the last publish.
    """
    broker.prepare(plan)
    recorder = Recorder(plan.services_s())
    consumers = [Consumer(number, recorder) for number in range(plan.consumers)]
    threads = [threading.Thread(target=_consume, args=(broker, consumer), daemon=True) for consumer in consumers]
    try:
        for thread in threads:
            thread.start()
        _wait_for(lambda: all(consumer.ready.is_set() for consumer in consumers), READY_WITHIN_S, recorder, "subscribe")
        _publish(broker, plan, recorder)
        _wait_for(lambda: recorder.done == plan.messages, patience_s, recorder, "receive all messages")
    except BaseException:
        _stop(recorder, threads)
        with contextlib.suppress(Exception):  # what went wrong first is told
            broker.clean_up()
        raise
    _stop(recorder, threads)
    broker.clean_up()
    return sorted(recorder.rows, key=lambda row: row[COLUMNS.index("started_s")])


def _stop(recorder: Recorder, threads: list[threading.Thread]) -> None:
    recorder.stopped.set()
    for thread in threads:
        thread.join(timeout=10.0)


def _consume(broker: Broker, consumer: Consumer) -> None:
    """A consumer's thread: what it raises ends the run."""
    try:
        broker.consume(consumer)
    except Exception as trouble:  # noqa: BLE001 - the main thread raises it
        consumer.recorder.trouble.append(broke_off(f"consumer {consumer.number}", trouble))


def _publish(broker: Broker, plan: Plan, recorder: Recorder) -> None:
    """Publishes as planned; a message that is late is published at once, and those after it keep their instants."""
    with broker.publisher() as publish:
        begin_s = recorder.now_s()
        for sequence, at_s in enumerate(plan.arrivals_s().tolist()):
            time.sleep(max(0.0, begin_s + at_s - recorder.now_s()))
            recorder.published_s[sequence] = recorder.now_s()
            try:
                publish(sequence)
            except Exception as trouble:
                raise broke_off(f"the publisher, at message {sequence},", trouble) from trouble
            if recorder.trouble:
                raise recorder.trouble[0]


def _wait_for(reached: Callable[[], bool], within_s: float, recorder: Recorder, what: str) -> None:
    """Waits until `reached()`, or raises what a consumer raised, or says what did not happen in time."""
    until_s = recorder.now_s() + within_s
    while not reached():
        if recorder.trouble:
            raise recorder.trouble[0]
        if recorder.now_s() > until_s:
            raise MeasuringError(
                f"the consumers did not {what} within {within_s:g} s: {recorder.done} messages are done",
                field="messages",
                value=recorder.done,
                remedy="measure below load 1, and look into the broker's log",
            )
        time.sleep(0.01)
