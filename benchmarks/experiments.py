"""What the room of experiments promises, measured: the same table on every backend, and what two workers save.

    python -m benchmarks.experiments            on an idle machine with two processors or more

Rounds of one sweep in this process and on two loky workers, in turns, so that a busy spell hits both; the speed-up is
the median over the rounds, and the load average stands beside each. A sweep of a round takes some ten seconds alone, so
that starting and gathering are a small part. Then the same sweep with a worker killed in the middle, and on a Dask
cluster of two worker processes on 127.0.0.1. Ends with 1 if a table differs to the last bit, or if two workers are less
than 1.7 times as fast.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import threading
import time
import warnings
from collections.abc import Callable

import psutil
from distributed import Client, LocalCluster

from edasim.experiments import ExperimentWarning, Sweep, parallel_config, sweep
from edasim.kernel import times
from edasim.scenarios import SingleQueue
from edasim.services import load

QUEUE = SingleQueue(arrivals=load.Poisson(rate_per_s=0.8), service_time=times.Exponential(mean_s=1.0), messages=100_000)
OVER = {"servers": [1, 2, 3, 4], "service_time.mean_s": [0.5, 0.8]}
TARGET = 1.7
ROUNDS = 5


def swept(workers: int | None) -> Sweep:
    """The sweep that all measurements share: 8 points, 16 runs each."""
    return sweep(QUEUE, OVER, 16, ["mail.mean_wait_s", "mail.p99_wait_s"], workers=workers)


def timed(make: Callable[[], Sweep]) -> tuple[float, Sweep]:
    """Wall-clock seconds, and the result."""
    since_s = time.perf_counter()
    result = make()
    return time.perf_counter() - since_s, result


def kill_a_worker(after_s: float) -> None:
    """Kills one of this process's workers when so many seconds have passed."""
    time.sleep(after_s)
    children = psutil.Process().children(recursive=True)
    workers = [child for child in children if "loky" in " ".join(child.cmdline()) and child.cpu_times().user > 0.5]
    os.kill(workers[0].pid, signal.SIGKILL)


def rounds() -> tuple[list[float], list[Sweep]]:
    """The speed-up of each round, and all results; the workers are started before the first one."""
    swept(2)
    ratios, results = [], []
    for number in range(1, ROUNDS + 1):
        load = os.getloadavg()[0]
        alone_s, alone = timed(lambda: swept(1))
        both_s, both = timed(lambda: swept(2))
        ratios.append(alone_s / both_s)
        results += [alone, both]
        print(
            f"round {number}: alone {alone_s:6.2f} s, two workers {both_s:6.2f} s, {ratios[-1]:.2f} times as fast",
            end="",
        )
        print(f" (load average before it {load:.1f}, {os.cpu_count()} processors)", flush=True)
    return ratios, results


def main() -> int:
    """Measures and prints; returns the exit status."""
    ratios, results = rounds()
    alone = results[0]
    faster = statistics.median(ratios)
    print(f"two workers: {faster:.2f} times as fast (median of {ROUNDS}; wanted: at least {TARGET})")

    def report(title: str, taken_s: float, result: Sweep) -> None:
        results.append(result)
        print(f"{title:30} {taken_s:6.2f} s", flush=True)

    report("chosen by itself", *timed(lambda: swept(None)))
    alone_s, _ = timed(lambda: swept(1))
    threading.Thread(target=kill_a_worker, args=(alone_s / 4,), daemon=True).start()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ExperimentWarning)
        report("two workers, one killed", *timed(lambda: swept(2)))
    print(*(f"    {each.message}" for each in caught), sep="\n")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster),
        parallel_config(backend="dask"),
    ):
        report("Dask, two worker processes", *timed(lambda: swept(None)))
        report("Dask, running", *timed(lambda: swept(None)))
    same = [each.fingerprint() == alone.fingerprint() and each.table().equals(alone.table()) for each in results]
    print(f"same table: {sum(same)} of {len(same)}")
    return int(not all(same) or faster < TARGET)


if __name__ == "__main__":
    sys.exit(main())
