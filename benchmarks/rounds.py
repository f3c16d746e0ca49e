"""Interleaved rounds: every program runs once in each round, and only times of one round are compared.

A round is a process of its own. In it each program is warmed up by a short run, then garbage is collected, then it is
timed: the processor time of building the model and running it until the last message is done. The order rotates from
round to round, so that nobody always runs first. Reading the results and the means is not timed, for anyone.
"""

from __future__ import annotations

import gc
import math
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import edasim as eda
from edasim.theory import batch_means_interval, student_t

from . import governed, heap_loop, idiomatic, peers, plane, plane_log
from .own_process import measure
from .workloads import MEAN_UP_S, SERVICE_S, WORKLOADS, Kept, Workload

WARM_UP_MESSAGES = 2000
BATCHES = 20
SIMPY, HEAP, FULL, METRICS = "idiomatic SimPy", "block-drawn heap loop", "edasim, full log", "edasim, metrics only"


def run_simpy(workload: Workload, messages: int, seed: int) -> Kept:
    if workload.is_governed:
        return governed.simulate_simpy(workload, messages, random.Random(seed))
    return idiomatic.simulate(workload, messages, random.Random(seed))


def run_heap(workload: Workload, messages: int, seed: int) -> Kept:
    gap = heap_loop.exponential(seed, "gap", 1.0 / workload.arrival_per_s)
    service = heap_loop.exponential(seed, "service", SERVICE_S)
    return heap_loop.simulate(workload, messages, gap, service, heap_loop.exponential(seed, "up", MEAN_UP_S))


def run_edasim(workload: Workload, messages: int, seed: int, log: str) -> eda.Run:
    if workload.is_governed:
        return governed.simulate_edasim(workload, messages, seed, log)
    if workload.groups:
        return run_log(workload, messages, seed, log)
    return plane.simulate(
        workload,
        messages,
        eda.Simulation(seed=seed, log=log),
        eda.load.Poisson(rate_per_s=workload.arrival_per_s),
        eda.times.Exponential(mean_s=SERVICE_S),
        eda.times.Exponential(mean_s=MEAN_UP_S),
    )


def run_log(workload: Workload, messages: int, seed: int, log: str) -> eda.Run:
    sim = eda.Simulation(seed=seed, log=log)
    load = eda.load.Poisson(rate_per_s=workload.arrival_per_s)

    def service_time(mean_s: float) -> eda.times.Exponential:
        return eda.times.Exponential(mean_s=mean_s)

    return plane_log.simulate(workload, messages, sim, load, service_time, plane_log.keys(sim))


def keep_edasim(workload: Workload, run: eda.Run) -> Kept:
    if workload.is_governed:
        return governed.kept(workload, run)
    return plane_log.kept(workload, run) if workload.groups else plane.kept(workload, run)


def run_full(workload: Workload, messages: int, seed: int) -> eda.Run:
    return run_edasim(workload, messages, seed, "full")


def run_metrics(workload: Workload, messages: int, seed: int) -> eda.Run:
    return run_edasim(workload, messages, seed, "metrics")


def as_it_is(_workload: Workload, kept: Kept) -> Kept:
    return kept


Program = tuple[Callable[[Workload, int, int], Any], Callable[[Workload, Any], Kept]]
PROGRAMS: dict[str, Program] = {
    SIMPY: (run_simpy, as_it_is),
    HEAP: (run_heap, as_it_is),
    FULL: (run_full, keep_edasim),
    METRICS: (run_metrics, keep_edasim),
}
"""How each program runs, and how what it made is read."""
OTHERS: dict[str, Program] = {
    peers.CIW: (peers.run_ciw, peers.kept_ciw),
    peers.SALABIM: (peers.run_salabim, as_it_is),
}


@dataclass(frozen=True)
class Timed:
    """One program in one round; `error_s` is the standard error of `mean_s` (None where no times were kept)."""

    program: str
    cpu_s: float
    mean_s: float
    error_s: float | None
    deliveries: int
    interruptions: int
    up_s: float
    down_s: float
    out_of_order: int = 0
    counts: dict[str, int] = field(default_factory=dict)


def programs_for(workload: Workload) -> list[str]:
    """A bare loop cannot host a SimPy process, so it has no row where one runs beside; W3 and W5 have none either."""
    without_heap = workload.has_ticker or workload.groups or workload.is_governed
    return [name for name in PROGRAMS if not (without_heap and name == HEAP)]


def one_round(workload_name: str, names: list[str], messages: int, number: int) -> list[dict[str, Any]]:
    """Each program once, in an order that depends on the round's number, which is also the seed."""
    workload = WORKLOADS[workload_name]
    first = number % len(names)
    return [asdict(timed(workload, name, messages, number)) for name in names[first:] + names[:first]]


def timed(workload: Workload, name: str, messages: int, seed: int) -> Timed:
    """One program, warmed up and timed."""
    simulate, keep = (PROGRAMS | OTHERS)[name]
    simulate(workload, min(messages, WARM_UP_MESSAGES), seed)
    gc.collect()
    started = time.process_time()
    made = simulate(workload, messages, seed)
    cpu_s = time.process_time() - started
    kept = keep(workload, made)
    return Timed(
        program=name,
        cpu_s=cpu_s,
        mean_s=math.fsum(kept.times_s) / len(kept.times_s),
        error_s=standard_error_s(kept.times_s) if len(kept.times_s) > BATCHES else None,
        deliveries=kept.deliveries,
        interruptions=kept.interruptions,
        up_s=kept.up_s,
        down_s=kept.down_s,
        out_of_order=kept.out_of_order,
        counts=kept.counts,
    )


def standard_error_s(times_s: list[float]) -> float:
    """Of the mean of successive times, which resemble their neighbours: from the means of 20 batches."""
    interval = batch_means_interval(times_s, batches=BATCHES)
    return (interval.high - interval.low) / 2.0 / student_t(interval.level, BATCHES - 1)


@dataclass(frozen=True)
class Rounds:
    """All rounds of one workload: for each program, what it did in each round."""

    workload: Workload
    messages: int
    by_program: dict[str, list[Timed]]

    def per_message_s(self, program: str) -> float:
        """The median processor time."""
        return statistics.median(one.cpu_s for one in self.by_program[program]) / self.messages

    def ratios(self, program: str, other: str) -> list[float]:
        """The time of `program` over that of `other`, round by round."""
        pairs = zip(self.by_program[program], self.by_program[other], strict=True)
        return [one.cpu_s / another.cpu_s for one, another in pairs]

    def mean_s(self, program: str) -> float:
        """The mean over all rounds."""
        return statistics.fmean(one.mean_s for one in self.by_program[program])

    @property
    def error_s(self) -> float:
        """The standard error of such a mean, pooled over the programs, since all simulate the same.

        A program's own error would be too small whenever its mean is: in a quiet run both are low.
        """
        rounds = list(self.by_program.values())
        squares = [one.error_s**2 for found in rounds for one in found if one.error_s is not None]
        return math.sqrt(statistics.fmean(squares) / len(rounds[0]))


def all_rounds(workload: Workload, messages: int, rounds: int, names: list[str] | None = None) -> Rounds:
    """Runs the rounds, each in its own process, of all programs for a workload or of those named."""
    names = names or programs_for(workload)
    found: dict[str, list[Timed]] = {name: [] for name in names}
    for number in range(1, rounds + 1):
        for one in measure(one_round, workload_name=workload.name, names=names, messages=messages, number=number):
            found[one["program"]].append(Timed(**one))
    return Rounds(workload, messages, found)
