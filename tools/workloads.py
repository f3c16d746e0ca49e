"""Makes the traces in data/workloads: arrivals of our own, calibrated to published statistics of recorded ones.

    python tools/workloads.py           writes the files
    python tools/workloads.py check     prints their statistics beside the published ones; exits with 1 if one is off
    python tools/workloads.py search    prints the first seed of each trace whose statistics are all near enough

No recorded value is in the files. Each trace is a Poisson process whose rate moves as the published statistics say:
over minutes and seconds (conversation), over the hours of a week (rides), or from one five minutes to the next, with
one burst (requests). The seed of a trace is the first one whose statistics all lie within the tolerances below; that is
how it is calibrated.
"""

from __future__ import annotations

import gzip
import io
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "data" / "workloads"
COLUMN = "arrived_s"
DAY_S, HOUR_S = 86_400.0, 3_600.0
Floats = np.ndarray[Any, np.dtype[np.float64]]


def counts(arrivals_s: Floats, window_s: float, end_s: float) -> Floats:
    """Arrivals in each whole window from 0 to `end_s`."""
    windows = int(end_s / window_s)
    found, _ = np.histogram(arrivals_s, bins=windows, range=(0.0, windows * window_s))
    return found.astype(np.float64)


def dispersion(found: Floats) -> float:
    """Variance over mean."""
    return float(found.var() / found.mean())


def neighbours(found: Floats) -> float:
    """The correlation of neighbouring windows."""
    return float(np.corrcoef(found[:-1], found[1:])[0, 1])


@dataclass(frozen=True)
class Statistic:
    """What is published of the recorded trace, how it is measured in ours, and how near it must come."""

    name: str
    published: float
    tolerance: float
    measure: Callable[[Floats], float]

    def holds(self, arrivals_s: Floats) -> bool:
        """Whether ours lies within the tolerance (a share of the published value)."""
        return abs(self.measure(arrivals_s) - self.published) <= self.tolerance * abs(self.published)


@dataclass(frozen=True)
class Workload:
    """A trace: how it is drawn, with how many decimals it is stored, and what it must resemble."""

    name: str
    seed: int
    decimals: int
    draw: Callable[[np.random.Generator], Floats]
    statistics: tuple[Statistic, ...]

    @property
    def path(self) -> Path:
        """Where it is stored."""
        return FOLDER / f"{self.name}.csv.gz"

    def made(self, seed: int) -> Floats:
        """The trace of a seed: arrivals in seconds."""
        return np.round(np.sort(self.draw(np.random.default_rng(seed))), self.decimals)

    def first_seed(self) -> int:
        """The first seed whose trace resembles the recorded one."""
        return next(seed for seed in itertools.count() if self.resembles(self.made(seed)))

    def resembles(self, arrivals_s: Floats) -> bool:
        """Whether all statistics are near enough."""
        return all(statistic.holds(arrivals_s) for statistic in self.statistics)

    def text(self, arrivals_s: Floats) -> str:
        """The file before compression."""
        lines = (f"{arrived_s:.{self.decimals}f}" for arrived_s in arrivals_s)
        return "\n".join([COLUMN, *lines, ""])

    def read(self) -> Floats:
        """The stored arrivals in seconds."""
        return np.loadtxt(io.StringIO(gzip.decompress(self.path.read_bytes()).decode()), skiprows=1)


def poisson(rng: np.random.Generator, rates_per_s: Floats, step_s: float) -> Floats:
    """A Poisson process whose rate is constant in each step."""
    starts_s = step_s * np.arange(rates_per_s.size)
    repeated_s = np.repeat(starts_s, rng.poisson(rates_per_s * step_s))
    return repeated_s + step_s * rng.random(repeated_s.size)


def wandering(rng: np.random.Generator, size: int, spread: float, steps: float) -> Floats:
    """A stationary Gaussian walk of this standard deviation that forgets itself over so many steps."""
    keep = np.exp(-1.0 / steps)
    noise = rng.normal(size=size) * spread
    values = np.empty(size)
    values[0] = noise[0]
    for i in range(1, size):
        values[i] = keep * values[i - 1] + np.sqrt(1.0 - keep * keep) * noise[i]
    return values


TALK_S = 3_500.0
TALK_STEP_S = 0.5


def conversation(rng: np.random.Generator) -> Floats:
    """Requests to a conversational service: the rate wanders by a fifth over minutes and over seconds."""
    steps = int(TALK_S / TALK_STEP_S)
    slow = wandering(rng, steps, spread=0.23, steps=1000.0 / TALK_STEP_S)
    fast = wandering(rng, steps, spread=0.18, steps=4.0 / TALK_STEP_S)
    shape = np.exp(slow + fast)
    return poisson(rng, 5.53 * shape / shape.mean(), TALK_STEP_S)


WEEK_S = 7 * DAY_S
RIDES_PER_HALF_HOUR = 15_138 / 500
WEEKDAY = {
    0: 0.74,
    2: 0.30,
    4: 0.18,
    6: 0.57,
    8: 1.20,
    11: 1.09,
    14: 1.19,
    16: 0.94,
    18: 1.46,
    19: 1.55,
    22: 1.42,
    24: 0.9,
}
WEEKEND = {0: 1.55, 2: 1.12, 4: 0.54, 6: 0.26, 8: 0.54, 10: 1.03, 12: 1.29, 16: 1.13, 19: 1.42, 21: 1.26, 24: 1.3}
"""The rate over the week's mean in the hour that begins then."""


def rides(rng: np.random.Generator) -> Floats:
    """Ride requests of a week from Monday 0:00, one in 500: the rhythm of five weekdays and a weekend."""
    step_s = 600.0
    hours = (np.arange(int(WEEK_S / step_s)) + 0.5) * step_s / HOUR_S
    of_day = hours % 24.0 - 0.5
    weekday = np.interp(of_day, list(WEEKDAY), list(WEEKDAY.values()))
    weekend = np.interp(of_day, list(WEEKEND), list(WEEKEND.values()))
    shape = np.where(hours < 5 * 24.0, weekday, weekend)
    return poisson(rng, RIDES_PER_HALF_HOUR / 1800.0 * shape / shape.mean(), step_s)


def hour(of: float, days: slice) -> Callable[[Floats], float]:
    """The arrivals in one hour of the day over the week's mean."""

    def measure(arrivals_s: Floats) -> float:
        by_hour = counts(arrivals_s, HOUR_S, WEEK_S)
        return float(by_hour.reshape(7, 24)[days, int(of)].mean() / by_hour.mean())

    return measure


WEB_S = 300.0
WEB_WINDOWS = 288
WEB_MEAN = 61.8
WEB_PEAK = 10.6


def requests(rng: np.random.Generator) -> Floats:
    """Requests at a load balancer in a day: five-minute rates that jump, a rhythm, and one burst."""
    walk = wandering(rng, WEB_WINDOWS, spread=1.0, steps=0.9)
    jumps = np.exp(0.68 * walk)
    rhythm = 1.0 + 0.35 * np.cos(2.0 * np.pi * (np.arange(WEB_WINDOWS) / WEB_WINDOWS - 19.0 / 24.0))
    shape = jumps * rhythm
    burst = int(rng.integers(WEB_WINDOWS // 4, 3 * WEB_WINDOWS // 4))
    calm = np.arange(WEB_WINDOWS) != burst
    shape *= (WEB_WINDOWS - WEB_PEAK) / shape[calm].sum()
    shape[burst] = WEB_PEAK
    return poisson(rng, WEB_MEAN / WEB_S * shape, WEB_S)


def web(arrivals_s: Floats) -> Floats:
    """Counts per five minutes."""
    return counts(arrivals_s, WEB_S, DAY_S)


WORKLOADS = (
    Workload(
        "conversation",
        203,
        3,
        conversation,
        (
            Statistic("arrivals per s", 5.53, 0.01, lambda a: a.size / TALK_S),
            Statistic("variation of gaps", 1.09, 0.02, lambda a: float(np.diff(a).std() / np.diff(a).mean())),
            Statistic("dispersion, 10 s", 3.9, 0.05, lambda a: dispersion(counts(a, 10.0, TALK_S))),
            Statistic("busiest minute / mean", 1.52, 0.05, lambda a: _peak(counts(a, 60.0, TALK_S))),
            Statistic("dispersion, 1 s *", 1.39, 0.05, lambda a: dispersion(counts(a, 1.0, TALK_S))),
            Statistic("dispersion, 60 s *", 16.1, 0.15, lambda a: dispersion(counts(a, 60.0, TALK_S))),
            Statistic("dispersion, 300 s *", 56.1, 0.15, lambda a: dispersion(counts(a, 300.0, TALK_S))),
            Statistic("busiest 5 minutes / mean *", 1.32, 0.05, lambda a: _peak(counts(a, 300.0, TALK_S))),
            Statistic("neighbouring minutes *", 0.85, 0.1, lambda a: neighbours(counts(a, 60.0, TALK_S))),
        ),
    ),
    Workload(
        "rides",
        58,
        1,
        rides,
        (
            Statistic("per half hour, one in 500", RIDES_PER_HALF_HOUR, 0.01, lambda a: a.size / 336.0),
            Statistic("weekday, 4 to 5 *", 0.18, 0.1, hour(4, slice(0, 5))),
            Statistic("weekday, 8 to 9 *", 1.20, 0.05, hour(8, slice(0, 5))),
            Statistic("weekday, 19 to 20 *", 1.55, 0.05, hour(19, slice(0, 5))),
            Statistic("weekend, 0 to 1 *", 1.55, 0.05, hour(0, slice(5, 7))),
            Statistic("weekend, 6 to 7 *", 0.26, 0.1, hour(6, slice(5, 7))),
        ),
    ),
    Workload(
        "requests",
        22,
        1,
        requests,
        (
            Statistic("per 5 minutes", WEB_MEAN, 0.01, lambda a: a.size / WEB_WINDOWS),
            Statistic("busiest 5 minutes / mean", WEB_PEAK, 0.05, lambda a: _peak(web(a))),
            Statistic("variation of counts *", 0.92, 0.05, lambda a: float(web(a).std() / web(a).mean())),
            Statistic("median / mean *", 0.78, 0.05, lambda a: float(np.median(web(a)) / web(a).mean())),
            Statistic(
                "99th percentile / mean *", 4.07, 0.1, lambda a: float(np.quantile(web(a), 0.99) / web(a).mean())
            ),
            Statistic("neighbouring windows *", 0.23, 0.2, lambda a: neighbours(web(a))),
        ),
    ),
)
"""Statistics with a * are not printed anywhere that we know of: we measured them on the public file."""


def _peak(found: Floats) -> float:
    return float(found.max() / found.mean())


def write() -> None:
    """Makes and stores every trace."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for workload in WORKLOADS:
        arrivals_s = workload.made(workload.seed)
        workload.path.write_bytes(gzip.compress(workload.text(arrivals_s).encode(), 9, mtime=0))
        print(f"{workload.name}: {arrivals_s.size} arrivals, {workload.path.stat().st_size / 1000:.0f} kB")


def check() -> int:
    """Prints each statistic of the stored traces beside the published one; 1 if any is off."""
    off = 0
    for workload in WORKLOADS:
        arrivals_s = workload.read()
        for statistic in workload.statistics:
            holds = statistic.holds(arrivals_s)
            off += not holds
            ours = f"{statistic.measure(arrivals_s):8.3f}"
            print(f"{workload.name:14}{statistic.name:28}{statistic.published:8.3f}{ours}{'' if holds else '  OFF'}")
    return int(off > 0)


def main(given: list[str]) -> int:
    """Does what the command line asks; returns the exit status."""
    if given == ["check"]:
        return check()
    if given == ["search"]:
        print(*(f"{workload.name}: {workload.first_seed()}" for workload in WORKLOADS), sep="\n")
        return 0
    if given:
        print(__doc__)
        return 2
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
