"""The workloads as SimPy's documentation would have them: a process per message, a resource, numbers drawn one by one.

W4 follows its machine shop: a breakdown preempts the resource, the interrupted message asks again ahead of all others.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

import simpy

from .workloads import MEAN_UP_S, REPAIR_S, SERVICE_S, Kept, Workload, ticker

Process = Generator[simpy.Event, Any, None]


def simulate(workload: Workload, messages: int, rng: random.Random) -> Kept:
    """Runs a workload until its last message is done; all draws come from `rng`."""
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
