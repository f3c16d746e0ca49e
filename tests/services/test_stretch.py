"""Stretches: a slot that nobody looks at works late, and nobody can tell.

Each law runs one world twice: as it is, and with slots that are looked at all the time. Facts, rows, statistics and
what can be seen on the way must be the same, number for number.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stretches import both_ways

import edasim as eda
from edasim.services.stretch import QueueStretch


class World:
    """Queues of a memory bus, their services, and what happens to them."""

    def __init__(self, chance: random.Random, log: str) -> None:
        self.chance = chance
        self.seen: list[Any] = []
        self.sim = eda.Simulation(seed=chance.randrange(10**6), log=log, max_rows=chance.choice([50, *[5_000_000] * 5]))
        bus = eda.MemoryBus().start(self.sim)
        self.topic, late = bus.topic("t"), bus.topic("late")
        self.queues = [
            self.topic.subscribe(
                f"q{nth}",
                capacity=chance.choice([None, None, 1, 5]),
                overflow=chance.choice(["refuse_newest", "drop_oldest"]),
                where=chance.choice([None, None, lambda event: event.type != "odd"]),
                dead_letters=chance.choice([None, late]),
            )
            for nth in range(chance.randint(1, 3))
        ]
        self.services = [self._service(f"s{nth}", queue) for nth, queue in enumerate(self.queues)]
        self.services.append(self._service("last", late.subscribe()))
        if chance.random() < 0.2:
            self.services.append(self._service("competitor", self.queues[0]))
        self.nodes = [node for service in self.services for node in service.nodes]
        self._sources()
        for _ in range(chance.randint(0, 6)):
            self._something_happens()

    def _sources(self) -> None:
        chance = self.chance
        loads = [eda.load.Poisson(rate_per_s=4.0), eda.load.Constant(rate_per_s=4.0)]
        if chance.random() < 0.1:
            loads = [eda.load.Closed(users=3, think_time=eda.times.Exponential(mean_s=0.5))]
        for nth in range(chance.randint(1, 2)):
            load: Any = chance.choice(loads)
            if chance.random() < 0.5 and not isinstance(load, eda.load.Closed):
                load = load.first(chance.randint(1, 80))
            eda.Source(f"source{nth}", load=load, to=self.topic, event=chance.choice(["message", odd_or_even]))

    def _service(self, name: str, queue: Any) -> eda.Service:
        chance = self.chance
        mean_s = chance.choice([0.05, 0.2, 0.3])
        many = [
            eda.times.Exponential(mean_s=mean_s),
            eda.times.LogNormal(mean_s=mean_s, scv=2.0),
            eda.times.Erlang(mean_s=mean_s, stages=3),
            eda.times.Constant(value_s=0.25),
        ]
        return eda.Service(
            name,
            of=queue,
            service_time=chance.choice(many),
            nodes=chance.choice([*[1] * 8, 2]),
            concurrency=chance.choice([*[1] * 8, 2]),
            handler=chance.choice([*[None] * 8, refuse_odd]),
            acknowledge=chance.choice(["after_handling", "after_handling", "on_delivery"]),
            handover_s=chance.choice([*[0.0] * 8, 0.01]),
        )

    def _something_happens(self) -> None:
        chance, sim = self.chance, self.sim
        at_s = chance.choice([chance.uniform(0.0, 20.0), float(chance.randint(0, 20))])
        node, queue = chance.choice(self.nodes), chance.choice(self.queues)
        ways: dict[str, Callable[[], object]] = {
            "crash": node.crash,
            "pause": node.pause,
            "slow": lambda: node.slow(3.0),
            "cut off": node.cut_off,
            "listen": lambda: self.topic.on_settled(lambda now_s, message: self.seen.append((now_s, message[0]))),
            "look": self._look,
            "count": self._count,
            "receive": lambda: sim.env.process(self._receive(queue)),
            "watch": lambda: sim.env.process(self._watch()),
        }
        what = chance.choice(list(ways))
        sim.at(at_s, ways[what])
        back = {"crash": node.restart, "pause": node.resume, "cut off": node.reconnect, "slow": lambda: node.slow(1.0)}
        if what in back:
            sim.at(at_s + chance.uniform(0.1, 4.0), back[what])

    def _look(self) -> None:
        self.seen.append([len(queue.waiting) for queue in self.queues])
        self.seen.append([slot.message and slot.message[:5] for node in self.nodes for slot in node.slots])

    def _count(self) -> None:
        self.sim.log.flush()
        counted = self.sim.log.metrics.by_endpoint.items()
        self.seen.append([(at, each.outcomes.tolist(), each.waits.n, each.waits.max_s) for at, each in counted])

    def _receive(self, queue: Any) -> Iterator[Any]:
        for _ in range(5):
            delivery = yield queue.receive()
            yield self.sim.env.timeout(0.1)
            self.seen.append((delivery.event.id, self.sim.env.now))
            delivery.ack()

    def _watch(self) -> Iterator[Any]:
        for _ in range(20):
            yield self.sim.env.timeout(0.25)
            self.seen.append([len(queue.waiting) for queue in self.queues])

    def told(self) -> list[Any]:
        """Runs it, in two parts, and tells all that it left behind."""
        parts = []
        ends: tuple[float | None, ...] = (7.0, 21.0) if self.sim.endless else (7.0, None)
        for until_s in ends:
            run = self.sim.run(until_s=until_s)
            rows = np.concatenate(self.sim.log.kept_blocks() or [np.zeros(0, dtype=[("number", "i8")])])
            parts.append((run.fingerprint(), rows["number"].tolist(), run.open_rows["number"].tolist()))
            parts.append((run.ended_s, self.sim.env.peek()))
        return [*parts, self.seen]


def odd_or_even(occasion: Any) -> eda.Event:
    """An event of one of two types."""
    return eda.Event(type="odd" if occasion.draw() < 0.5 else "even")


def refuse_odd(event: eda.Event, _context: Any) -> None:
    """A handler that can do nothing with one of the types."""
    if event.type == "odd":
        raise ValueError(event.type)


@pytest.mark.parametrize("log", ["full", "sampled", "metrics"])
def test_nobody_can_tell_that_a_slot_worked_late(log: str) -> None:
    told = [both_ways(World, number, log, QueueStretch) for number in range(12)]
    for world in told:
        assert world.unwatched == world.watched
    assert sum(world.stretches for world in told) > 20


@settings(max_examples=300, deadline=None)
@given(number=st.integers(0, 10**9), log=st.sampled_from(["full", "sampled", "metrics"]))
def test_nor_in_any_other_world(number: int, log: str) -> None:
    world = both_ways(World, number, log, QueueStretch)
    assert world.unwatched == world.watched


def test_who_looks_sees_the_queue_of_now() -> None:
    """The timeline: at 5.25 s some of what came is done, one is in work, the rest waits; it ends when it was to end."""
    sim = eda.Simulation(seed=5)
    queue = eda.MemoryBus().start(sim).topic("t").subscribe()
    service = eda.Service("shop", of=queue, service_time=eda.times.Exponential(mean_s=0.6))
    eda.Source("users", load=eda.load.Constant(rate_per_s=2.0).first(20), to=queue.topic)
    seen: list[int] = []

    def look() -> None:
        seen.append(sum(record[3].__name__ == "finish" for record in sim.env.records))
        seen.append(len(queue.waiting))
        seen.append(service.nodes[0].slots[0].message is not None)
        seen.append(sum(record[3].__name__ == "finish" for record in sim.env.records))

    sim.at(5.25, look)
    run = sim.run()
    rows = run.deliveries
    waiting = int(((rows.enqueued_s < 5.25) & (rows.started_s > 5.25)).sum())
    in_work = int(((rows.started_s < 5.25) & (rows.finished_s > 5.25)).sum())
    assert seen == [0, waiting, in_work, in_work]
    assert in_work == 1
    assert (rows.started_s[1:] == np.maximum(rows.finished_s[:-1], rows.enqueued_s[1:])).all()
    assert run.ended_s == rows.finished_s.max()


@pytest.mark.parametrize("log", ["full", "sampled", "metrics"])
def test_what_is_put_away_counts_all_that_is_done_by_now(log: str) -> None:
    sim = eda.Simulation(seed=5, log=log)
    queue = eda.MemoryBus().start(sim).topic("t").subscribe()
    eda.Service("shop", of=queue, service_time=eda.times.Exponential(mean_s=0.1))
    eda.Source("users", load=eda.load.Constant(rate_per_s=8.0), to=queue.topic)
    done: list[tuple[int, int]] = []

    def count() -> None:
        sim.log.flush()
        done.append((sim.log.metrics.rows, 8 * 5 - len(queue.waiting) - 1))

    sim.at(5.0625, count)
    sim.run(until_s=6.0)
    assert done[0][0] in (done[0][1], done[0][1] + 1)  # one may be in work
    assert done[0][0] > 30


@pytest.mark.parametrize(
    "service_time",
    [
        eda.times.Gamma(mean_s=0.1, scv=100.0),
        eda.times.Exponential(mean_s=1e-12),
        eda.times.Pareto(mean_s=0.1, shape=1e12),
        eda.times.Erlang(mean_s=0.1, stages=10**30),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "load",
    [
        eda.load.Trace(times_s=[100_000.0 + burst for burst in range(30) for _ in range(6)]),
        eda.load.Constant(rate_per_s=20.0).first(1_200),
    ],
    ids=["bursts", "clockwork"],
)
def test_times_that_may_tie_as_floating_point_numbers_change_nothing(
    service_time: eda.times.Times, load: eda.load.Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ends at the instant of an arrival: in bursts of no time, and by clockwork."""

    def ran(seed: int) -> tuple[str, list[int]]:
        sim = eda.Simulation(seed=seed)
        topic = eda.MemoryBus().start(sim).topic("t")
        for nth in range(3):
            queue = topic.subscribe(f"q{nth}", capacity=1)
            eda.Service(f"s{nth}", of=queue, service_time=service_time)
        eda.Source("users", load=load, to=topic)
        run = sim.run()
        return run.fingerprint(), run.deliveries.number.tolist()

    unwatched = [ran(seed) for seed in range(6)]
    monkeypatch.setattr(QueueStretch, "begin", lambda _stretch, _now_s: False)
    assert unwatched == [ran(seed) for seed in range(6)]


def test_a_log_that_is_full_keeps_no_more_facts_though_a_process_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are owed count in time: chores come however many events of SimPy lie between records."""
    monkeypatch.setattr("edasim.kernel.plane.BETWEEN_CHORES", 50)
    monkeypatch.setattr("edasim.brokers.stretch.ROOM_FOR_ROWS", 200)

    def facts() -> int:
        sim = eda.Simulation(seed=5, max_rows=250)
        bus = eda.MemoryBus().start(sim)
        fast, slow = bus.topic("fast").subscribe(), bus.topic("slow").subscribe()
        eda.Service("shop", of=fast, service_time=eda.times.Exponential(mean_s=0.05))
        eda.Service("clerk", of=slow, handler=lambda _event, context: context.fact("noted"))
        eda.Source("users", load=eda.load.Poisson(rate_per_s=10.0), to=fast.topic)
        eda.Source("forms", load=eda.load.Constant(rate_per_s=1.0), to=slow.topic)

        def tick() -> Iterator[Any]:
            while True:
                yield sim.env.timeout(0.5)

        sim.env.process(tick())
        return len(sim.run(until_s=60.0).fact_list)

    unwatched = facts()
    monkeypatch.setattr(QueueStretch, "begin", lambda _stretch, _now_s: False)
    assert 0 < unwatched == facts() < 30


def test_nor_though_a_backlog_as_long_as_the_log_is_drained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five hundred messages at one instant, room for 250 rows: a handler's facts end with the rows, not later."""
    monkeypatch.setattr("edasim.brokers.stretch.ROOM_FOR_ROWS", 200)

    def facts() -> int:
        sim = eda.Simulation(seed=5, max_rows=250)
        bus = eda.MemoryBus().start(sim)
        fast, slow = bus.topic("fast").subscribe(), bus.topic("slow").subscribe()
        eda.Service("shop", of=fast, service_time=eda.times.Exponential(mean_s=0.05))
        eda.Service("clerk", of=slow, handler=lambda _event, context: context.fact("noted"))
        eda.Source("crowd", load=eda.load.Trace(times_s=[0.5] * 500), to=fast.topic)
        eda.Source("forms", load=eda.load.Constant(rate_per_s=1.0), to=slow.topic)
        return len(sim.run(until_s=40.0).fact_list)

    unwatched = facts()
    monkeypatch.setattr(QueueStretch, "begin", lambda _stretch, _now_s: False)
    assert 0 < unwatched == facts() < 30
