"""Scenarios and metrics that go wrong on purpose; a module of its own, so that worker processes can import it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edasim import checks
from edasim.kernel import Run, times
from edasim.scenarios import SingleQueue
from edasim.services import load

MM1 = SingleQueue(arrivals=load.Poisson(rate_per_s=0.8), service_time=times.Exponential(mean_s=1.0), messages=200)
"""M/M/1 at load 0.8; the mean wait in the long run is 4 s."""


@checks.configuration
class Frail(SingleQueue):
    """A queue whose runs with `bad_seeds` fail."""

    bad_seeds: tuple[int, ...] = checks.checked(lambda _, seeds: tuple(seeds), default=())

    def run(self, seed: int = 0, until_s: float | None = None, **options: Any) -> Run:
        if seed in self.bad_seeds:
            raise ZeroDivisionError("no mail left")
        return super().run(seed, until_s, **options)


@dataclass(frozen=True)
class KillsItsWorker:
    """The mean wait, as a metric that ends the worker process it is first measured in; never the process `spare`."""

    flag: Path
    spare: int
    times: int = 1

    def __call__(self, run: Run) -> float:
        deaths = len(list(self.flag.parent.glob(self.flag.name + "*")))
        if os.getpid() != self.spare and deaths < self.times:
            self.flag.with_name(f"{self.flag.name}{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return run.summary()["mail"].mean_wait_s
