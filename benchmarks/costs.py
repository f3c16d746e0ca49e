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


def interpreter_s(code: str) -> float:
    """Median processor seconds of a Python process that runs `code`."""
    used = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return statistics.median(used)
