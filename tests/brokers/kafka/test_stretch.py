"""Stretches: a member that nobody looks at works late, and nobody can tell.

Each law runs one world twice: as it is, and with members that are looked at all the time. Facts, rows, statistics and
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
from edasim.brokers.kafka.stretch import MemberStretch
from edasim.brokers.kafka.topic import Topic

Seen = list[Any]


class World:
    """A topic, its groups and their services, and what happens to them."""

    def __init__(self, chance: random.Random, log: str) -> None:
        self.chance = chance
        self.seen: Seen = []
        self.sim = eda.Simulation(seed=chance.randrange(10**6), log=log, max_rows=chance.choice([50, *[5_000_000] * 5]))
        self.kafka = eda.Kafka(
            partitions=chance.randint(1, 6),
            assignor=chance.choice(["range", "roundrobin", "sticky", "cooperative-sticky"]),
            auto_offset_reset="earliest",
            auto_commit_interval_s=chance.choice([0.5, 5.0]),
            initial_rebalance_delay_s=chance.choice([0.0, 3.0]),
            max_poll_records=chance.choice([1, 2, 500]),
            session_timeout_s=chance.choice([6.0, 45.0]),
            max_poll_interval_s=chance.choice([10.0, 300.0]),
            commit=chance.choice([*["auto"] * 8, "before_processing", "after_each", "after_batch"]),
        ).start(self.sim)
        self.topic = self._topic()
        self.groups = [self.topic.group(f"g{group}") for group in range(chance.randint(1, 3))]
        self.services = [
            self._service(f"s{at}.{nth}", group)
            for at, group in enumerate(self.groups)
            for nth in range(chance.randint(1, 4))
        ]
        self.nodes = [node for service in self.services for node in service.nodes]
        for nth in range(chance.randint(1, 2)):
            load = chance.choice([eda.load.Poisson(rate_per_s=15.0), eda.load.Constant(rate_per_s=10.0)])
            eda.Source(f"source{nth}", load=load, to=self.topic, event=chance.choice(["message", keyed, keyed]))
        for _ in range(chance.randint(0, 5)):
            self._something_happens()

    def _topic(self) -> Topic:
        kept: dict[str, Any] = {"retention_s": 2.0, "retention_check_s": 1.0, "segment_s": 1.0}
        return self.kafka.topic("t", **(kept if self.chance.random() < 0.3 else {}))

    def _service(self, name: str, group: Any) -> eda.Service:
        chance = self.chance
        mean_s = chance.choice([0.02, 0.05, 0.1, 0.4])
        exponential = eda.times.Exponential(mean_s=mean_s)
        return eda.Service(
            name,
            of=group,
            service_time=chance.choice([*[exponential] * 4, eda.times.Constant(value_s=0.05)]),
            nodes=chance.choice([*[1] * 6, 2]),
            concurrency=chance.choice([*[1] * 6, 2]),
            handler=(lambda _event, _context: None) if chance.random() < 0.05 else None,
        )

    def _something_happens(self) -> None:
        chance, sim = self.chance, self.sim
        at_s = chance.choice([chance.uniform(0.0, 20.0), float(chance.randint(0, 20))])
        node, group = chance.choice(self.nodes), chance.choice(self.groups)
        ways: dict[str, Callable[[], object]] = {
            "crash": node.crash,
            "pause": node.pause,
            "slow": lambda: node.slow(3.0),
            "cut off": node.cut_off,
            "broker": lambda: self.kafka.crash_broker(0),
            "listen": lambda: self.topic.on_settled(lambda now_s, message: self.seen.append((now_s, message[0]))),
            "partitions": lambda: self.topic.add_partitions(8),
            "seek": lambda: group.seek("t", 0, 0),
            "close": lambda: group.close(node.name),
            "look": self._look,
            "put away": sim.log.flush,
            "receive": lambda: sim.env.process(self._receive(group, chance_name)),
        }
        chance_name = chance.choice(["by-hand", node.name])
        what = chance.choice(list(ways))
        sim.at(at_s, lambda: self._try(ways[what]))
        back = {"crash": node.restart, "pause": node.resume, "cut off": node.reconnect}
        back["broker"] = lambda: self.kafka.restart_broker(0)
        if what in back:
            sim.at(at_s + chance.uniform(0.1, 8.0), lambda: self._try(back[what]))

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except eda.EdasimError as error:
            self.seen.append(str(error))

    def _look(self) -> None:
        self.seen.append([group.lag() for group in self.groups])
        self.seen.append([slot.message and slot.message[:5] for node in self.nodes for slot in node.slots])

    def _receive(self, group: Any, name: str) -> Iterator[Any]:
        for _ in range(5):
            record = yield group.receive(consumer=name)
            yield self.sim.env.timeout(0.1)
            self.seen.append((record.partition, record.offset, self.sim.env.now))
            self._try(record.done)

    def told(self) -> list[Any]:
        """Runs it, in two parts, and tells all that it left behind."""
        parts = []
        for until_s in (7.0, 21.0):
            try:
                run = self.sim.run(until_s=until_s)
            except eda.EdasimError as error:
                return [*parts, str(error), self.seen]
            rows = np.concatenate(self.sim.log.kept_blocks() or [np.zeros(0, dtype=[("number", "i8")])])
            parts.append((run.fingerprint(), rows["number"].tolist(), run.open_rows["number"].tolist()))
            parts.append([(group.lag(), group.assignment()) for group in self.groups])
        return [*parts, self.seen]


def keyed(occasion: Any) -> eda.Event:
    """An event with one of seven keys."""
    return eda.Event(type="asked", subject=str(int(7 * occasion.draw())))


@pytest.mark.parametrize("log", ["full", "sampled", "metrics"])
def test_nobody_can_tell_that_a_member_worked_late(log: str) -> None:
    told = [both_ways(World, number, log, MemberStretch) for number in (3, 7, 13, 14, 34)]
    for world in told:
        assert world.unwatched == world.watched
    assert sum(world.stretches for world in told) > 20


@settings(max_examples=300, deadline=None)
@given(number=st.integers(0, 10**9), log=st.sampled_from(["full", "sampled", "metrics"]))
def test_nor_in_any_other_world(number: int, log: str) -> None:
    world = both_ways(World, number, log, MemberStretch)
    assert world.unwatched == world.watched


def test_who_looks_sees_what_is_in_work_now() -> None:
    """The timeline: nobody looks up to 4.0 s; then the record in work is there, and its end is where it was drawn."""
    sim = eda.Simulation(seed=3)
    topic = eda.Kafka(partitions=1, auto_offset_reset="earliest", initial_rebalance_delay_s=0.0).start(sim).topic("t")
    service = eda.Service("reader", of=topic.group("g"), service_time=eda.times.Exponential(mean_s=0.9))
    eda.Source("source", load=eda.load.Constant(rate_per_s=1.0).first(8), to=topic)
    ends_ahead: list[int] = []
    in_work: list[bool] = []

    def look() -> None:
        ends_ahead.append(sum(record[3].__name__ == "finish" for record in sim.env.records))
        in_work.append(service.nodes[0].slots[0].message is not None)
        ends_ahead.append(sum(record[3].__name__ == "finish" for record in sim.env.records))

    sim.at(4.1, look)
    run = sim.run()
    rows = run.deliveries
    assert in_work == [bool(((rows.started_s < 4.1) & (rows.finished_s > 4.1)).any())] == [True]
    assert ends_ahead == [0, 1]
    assert (rows.started_s[1:] == np.maximum(rows.finished_s[:-1], rows.enqueued_s[1:])).all()
    assert run.ended_s == rows.finished_s.max()
