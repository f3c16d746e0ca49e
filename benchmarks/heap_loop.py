"""The workloads as a bare loop over a heap of `(time, sequence, kind)`: no library, no classes, blocks of numbers.

This is what somebody writes who needs one model only, fast, in plain Python. It shares no code with edasim.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from .workloads import REPAIR_S, Kept, Workload

Draw = Callable[[], float]
ARRIVAL, FINISH, FAILURE, REPAIR = range(4)
BLOCK = 4096


def exponential(seed: int, purpose: str, mean_s: float) -> Draw:
    """A stream of its own for each purpose, drawn in blocks."""
    rng = np.random.default_rng([seed, *purpose.encode()])

    def numbers() -> Iterator[float]:
        while True:
            yield from rng.exponential(mean_s, BLOCK).tolist()

    return numbers().__next__


def simulate(workload: Workload, messages: int, gap: Draw, service: Draw, up: Draw) -> Kept:
    """Runs a workload until its last message is done; draws the gaps between arrivals, the services, the times up."""
    if workload.breaks_down:
        return _repaired(messages, workload.horizon_s(messages), gap, service, up)
    return _queue(messages, workload.servers, gap, service)


def _queue(messages: int, servers: int, gap: Draw, service: Draw) -> Kept:
    push, pop, sequence = heapq.heappush, heapq.heappop, itertools.count().__next__
    waits_s: list[float] = []
    waiting: deque[float] = deque()
    keep, wait, longest_waiting = waits_s.append, waiting.append, waiting.popleft
    arrival, finish = ARRIVAL, FINISH
    free, to_come = servers, messages - 1
    heap = [(gap(), sequence(), arrival)]
    while heap:
        now_s, _, kind = pop(heap)
        if kind == arrival:
            if to_come:
                to_come -= 1
                push(heap, (now_s + gap(), sequence(), arrival))
            if free:
                free -= 1
                keep(0.0)
                push(heap, (now_s + service(), sequence(), finish))
            else:
                wait(now_s)
        elif waiting:
            keep(now_s - longest_waiting())
            push(heap, (now_s + service(), sequence(), finish))
        else:
            free += 1
    return Kept(times_s=waits_s, deliveries=len(waits_s))


def _repaired(messages: int, horizon_s: float, gap: Draw, service: Draw, up: Draw) -> Kept:
    push, pop, sequence = heapq.heappush, heapq.heappop, itertools.count().__next__
    up_s = up()
    heap = [(gap(), sequence(), ARRIVAL), (up_s, sequence(), FAILURE)]
    present: deque[float] = deque()  # the one in service is at the head
    kept = Kept(times_s=[], deliveries=0)
    keep, to_come, works, finish = kept.times_s.append, messages - 1, True, -1
    while heap:
        now_s, number, kind = pop(heap)
        if kind == ARRIVAL:
            if to_come:
                to_come -= 1
                push(heap, (now_s + gap(), sequence(), ARRIVAL))
            present.append(now_s)
            if not works or len(present) > 1:
                continue
        elif kind == FINISH:
            if number != finish:  # interrupted
                continue
            keep(now_s - present.popleft())
        elif kind == FAILURE:
            works, finish = False, -1
            kept.interruptions += bool(present)
            kept.up_s += up_s
            kept.down_s += REPAIR_S
            push(heap, (now_s + REPAIR_S, sequence(), REPAIR))
            continue
        else:
            works = True
            if now_s < horizon_s:
                up_s = up()
                push(heap, (now_s + up_s, sequence(), FAILURE))
        if present:
            kept.deliveries += 1
            finish = sequence()
            push(heap, (now_s + service(), finish, FINISH))
    return kept
