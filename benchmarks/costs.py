"""What edasim alone needs: processor time at length, memory, a picture, its import; each in processes of its own."""

from __future__ import annotations

import gc
import resource
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

from edasim import viz
from edasim.kernel.runlog import ROW

from .own_process import measure
from .rounds import WARM_UP_MESSAGES, run_edasim
from .workloads import W1

REPEATS = 5
SHORT_RUNS = 10
FLOAT_BYTES = 8
BARE = "pass"
IMPORT = "import edasim"
FIRST_USE = "import edasim as eda; eda.Simulation, eda.MemoryBus, eda.Source, eda.Service, eda.load, eda.times"


def cpu_of(work: Callable[[], Any]) -> float:
    """Processor seconds of one call, after garbage has been collected."""
    gc.collect()
    started = time.process_time()
    work()
    return time.process_time() - started


def length_round(log: str, messages: int, times: int, number: int) -> float:
    """The cost per message of one run of `times` as many messages, over that of ten runs of `messages`."""
    run_edasim(W1, min(messages, WARM_UP_MESSAGES), number, log)
    short_s = sum(cpu_of(partial(run_edasim, W1, messages, seed, log)) for seed in range(SHORT_RUNS))
    long_s = cpu_of(partial(run_edasim, W1, messages * times, number, log))
    return (long_s / times) / (short_s / SHORT_RUNS)


def length_ratios(log: str, messages: int, times: int, rounds: int) -> list[float]:
    """The ratios of several rounds."""
    return [measure(length_round, log=log, messages=messages, times=times, number=n) for n in range(1, rounds + 1)]


def very_long(messages: int) -> dict[str, float]:
    """One run of so many messages with metrics only, beside ten of a hundredth of it before and after, in one process.

    Memory is the most that the process ever held, as the system counts it: after the short runs, and after the long.
    """
    short = messages // 100

    def short_s() -> float:
        return sum(cpu_of(partial(run_edasim, W1, short, seed, "metrics")) for seed in range(SHORT_RUNS)) / SHORT_RUNS

    before_s = short_s()
    before_mb = resident_mb()
    gc.collect()
    started, clock = time.process_time(), time.perf_counter()
    run = run_edasim(W1, messages, 1, "metrics")
    cpu_s, clock_s = time.process_time() - started, time.perf_counter() - clock
    after_mb = resident_mb()
    line = run.summary()["server"]
    return {
        "messages": messages,
        "short": short,
        "done": line.done,
        "mean_wait_s": line.mean_wait_s,
        "cpu_s": cpu_s,
        "clock_s": clock_s,
        "ratio": (cpu_s / messages) / ((before_s + short_s()) / 2.0 / short),
        "before_mb": before_mb,
        "after_mb": after_mb,
    }


def resident_mb() -> float:
    """The most memory that this process has ever held, in megabytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def peak_bytes(log: str, messages: int) -> int:
    """The most memory that Python and NumPy held at once for building the model and running it."""
    run_edasim(W1, WARM_UP_MESSAGES, 1, log)
    gc.collect()
    tracemalloc.start()
    run = run_edasim(W1, messages, 1, log)
    peak = tracemalloc.get_traced_memory()[1]
    assert run.summary()["server"].done == messages
    return peak


def bytes_per_message(log: str, messages: int, times: int) -> float:
    """How much more a message costs at the peak, between a short run and one `times` as long."""
    short, long = (measure(peak_bytes, log=log, messages=count) for count in (messages, messages * times))
    return float(long - short) / (messages * (times - 1))


def float_column_share() -> float:
    """The share of a row's bytes that one column of floats takes."""
    return FLOAT_BYTES / ROW.itemsize


def picture_s(messages: int) -> list[float]:
    """Processor seconds for simulating that many messages with a full log and drawing the queue as one SVG text."""

    def simulate_and_draw(seed: int) -> str:
        return viz.queue_svg(run_edasim(W1, messages, seed, "full")).svg

    assert simulate_and_draw(0).startswith("<svg")
    return [cpu_of(partial(simulate_and_draw, seed)) for seed in range(1, REPEATS + 1)]


def columns_s(messages: int) -> list[float]:
    """Processor seconds per message for turning the rows of a full log into the columns of the delivery table."""
    runs = [run_edasim(W1, messages, seed, "full") for seed in range(REPEATS)]
    return [cpu_of(partial(getattr, run, "deliveries")) / messages for run in runs]


def interpreter_s(code: str, repeats: int = REPEATS) -> float:
    """Median processor seconds of a Python process that runs `code`."""
    used = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return statistics.median(used)
