"""The workloads as SimPy's documentation would have them: a process per message, a resource, numbers drawn one by one.

W3 has a store and a process for each member of a group. W4 follows SimPy's machine shop: a breakdown preempts the
resource, the interrupted message asks again ahead of all others.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from itertools import accumulate
from typing import Any

import simpy

from .workloads import (
    COMMIT_EVERY_S,
    KEYS,
    MEAN_UP_S,
    MEMBER_LOAD,
    PARTITIONS,
    REPAIR_S,
    SERVICE_S,
    Kept,
    Workload,
    key_weights,
    member_rates_per_s,
    ticker,
)

Process = Generator[simpy.Event, Any, None]


def simulate(workload: Workload, messages: int, rng: random.Random) -> Kept:
    """Runs a workload until its last message is done; all draws come from `rng`."""
    if workload.groups:
        return _log(workload, messages, rng)
    return _repaired(workload, messages, rng) if workload.breaks_down else _queue(workload, messages, rng)


def _queue(workload: Workload, messages: int, rng: random.Random) -> Kept:
    env = simpy.Environment()
    servers = simpy.Resource(env, capacity=workload.servers)
    waits_s: list[float] = []

    def message() -> Process:
        came_s = env.now
        with servers.request() as turn:
            yield turn
            waits_s.append(env.now - came_s)
            yield env.timeout(rng.expovariate(1.0 / SERVICE_S))

    def source() -> Process:
        for _ in range(messages):
            yield env.timeout(rng.expovariate(workload.arrival_per_s))
            env.process(message())

    env.process(source())
    if workload.has_ticker:
        env.process(ticker(env, messages, 1.0 / workload.arrival_per_s))
    env.run()
    return Kept(times_s=waits_s, deliveries=len(waits_s))


def _log(workload: Workload, messages: int, rng: random.Random) -> Kept:
    env = simpy.Environment()
    kept = Kept(times_s=[], deliveries=0)
    keys, up_to = range(KEYS), list(accumulate(key_weights()))
    ends = [0] * PARTITIONS
    groups = [[simpy.Store(env) for _ in range(members)] for members in workload.groups]

    def source() -> Process:
        for _ in range(messages):
            yield env.timeout(rng.expovariate(workload.arrival_per_s))
            partition = rng.choices(keys, cum_weights=up_to)[0] % PARTITIONS
            record = (partition, ends[partition], env.now)
            ends[partition] += 1
            for members in groups:
                members[partition % len(members)].put(record)

    def member(records: simpy.Store, service_per_s: float, places: list[int], committed: list[int]) -> Process:
        commit_due_s = COMMIT_EVERY_S
        while True:
            partition, offset, published_s = yield records.get()
            if env.now >= commit_due_s:
                commit_due_s = env.now + COMMIT_EVERY_S
                committed[:] = places
            kept.out_of_order += offset != places[partition]
            places[partition] = offset + 1
            yield env.timeout(rng.expovariate(service_per_s))
            kept.deliveries += 1
            kept.times_s.append(env.now - published_s)

    env.process(source())
    for members in groups:
        for records, rate_per_s in zip(members, member_rates_per_s(workload, len(members)), strict=True):
            env.process(member(records, rate_per_s / MEMBER_LOAD, [0] * PARTITIONS, [0] * PARTITIONS))
    env.run()
    return kept


BREAKDOWN, AGAIN, FRESH = range(3)
"""Priorities at the resource, the first served first; only a breakdown preempts."""


def _repaired(workload: Workload, messages: int, rng: random.Random) -> Kept:
    env = simpy.Environment()
    server = simpy.PreemptiveResource(env, capacity=1)
    kept = Kept(times_s=[], deliveries=0)

    def message() -> Process:
        came_s, priority = env.now, FRESH
        while True:
            with server.request(priority=priority, preempt=False) as turn:
                yield turn
                kept.deliveries += 1
                try:
                    yield env.timeout(rng.expovariate(1.0 / SERVICE_S))
                    break
                except simpy.Interrupt:
                    kept.interruptions += 1
                    priority = AGAIN
        kept.times_s.append(env.now - came_s)

    def source() -> Process:
        for _ in range(messages):
            yield env.timeout(rng.expovariate(workload.arrival_per_s))
            env.process(message())

    def breakdowns() -> Process:
        while env.now < workload.horizon_s(messages):
            up_s = rng.expovariate(1.0 / MEAN_UP_S)
            yield env.timeout(up_s)
            with server.request(priority=BREAKDOWN) as repair:
                yield repair
                yield env.timeout(REPAIR_S)
            kept.up_s += up_s
            kept.down_s += REPAIR_S

    env.process(source())
    env.process(breakdowns())
    env.run()
    return kept
