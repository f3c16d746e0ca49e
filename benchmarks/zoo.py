"""Hunts every species of the bug zoo, looks for false alarms on its twin, and shrinks a schedule of fifty faults.

    python -m benchmarks.zoo                    the whole zoo, two worker processes
    python -m benchmarks.zoo "lost update"      some species only

A mutant is hunted from several starts: seed after seed until the oracle finds it, by a finding of the stated verdict on
the stated promise. Any finding on a twin is a false alarm. Ends with 1 if a mutant was not found from every start
within its stated number of seeds, or if there was a false alarm.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from edasim.errors import UnknownNameError
from edasim.failures import check
from edasim.scenarios import zoo

STARTS, APART = 20, 1000
"""From how many seeds a hunt starts, and how far they are apart."""

LONGEST_HUNT = 200
TWIN_SEEDS, MANY, FEW = 200, 50, 3
TRIES_TO_SHRINK = 20


@dataclass(frozen=True)
class Row:
    """What came of one species; `tries` are the seeds until it was found (None: not within `LONGEST_HUNT`).

    `left` is what is left of fifty faults, and `verdict` what the oracle said of it; None if fifty faults never showed
    the bug.
    """

    species: str
    verdict: str
    tries: tuple[int | None, ...]
    alarms: int
    left: int | None
    runs: int

    @property
    def found(self) -> int:
        """From how many starts it was found within the stated number of seeds."""
        limit = zoo.species(self.species).seeds
        return sum(tries is not None and tries <= limit for tries in self.tries)

    def cells(self) -> list[str]:
        """The row as text."""
        one = zoo.species(self.species)
        seeds = [LONGEST_HUNT + 1 if tries is None else tries for tries in self.tries]
        shrunk = "-" if self.left is None else f"{self.left} of {MANY}"
        median, worst = f"{statistics.median(seeds):g}", str(max(seeds))
        needs = "a fault" if one.needs_fault else "none"
        found = f"{self.found}/{len(self.tries)}"
        return [self.species, self.verdict, found, median, worst, str(one.seeds), str(self.alarms), needs, shrunk]


HEAD = ["species", "verdict found", "starts", "median", "worst", "limit", "alarms", "needs", "shrunk"]


def examine(name: str) -> Row:
    """Everything about one species."""
    one = zoo.species(name)
    hunts = [one.hunt(start * APART, LONGEST_HUNT) for start in range(STARTS)]
    verdicts = {hunt.finding.verdict.value for hunt in hunts if hunt is not None}
    alarms = sum(bool(check(one.run_of_twin(seed))) for seed in range(TWIN_SEEDS))
    runs = sum(LONGEST_HUNT if hunt is None else hunt.tries for hunt in hunts) + TWIN_SEEDS
    for seed in range(TRIES_TO_SHRINK):
        runs += 1
        if one.broken(one.run(seed, MANY)):
            shrunk = one.shrunk(seed, MANY)
            left: int | None = len(shrunk.faults)
            runs += shrunk.runs
            break
    else:
        left = None
    tries = tuple(None if hunt is None else hunt.tries for hunt in hunts)
    return Row(name, ", ".join(sorted(verdicts)) or "-", tries, alarms, left, runs)


def examined(names: list[str], workers: int) -> dict[str, Row]:
    """All of them, in worker processes, with progress on the error stream."""
    rows: dict[str, Row] = {}
    with ProcessPoolExecutor(workers) as pool:
        waiting = {pool.submit(examine, name): name for name in names}
        for done in as_completed(waiting):
            rows[waiting[done]] = done.result()
            print(f"\r{len(rows)} of {len(names)} species: {waiting[done]:<40}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return rows


def report(rows: list[Row]) -> str:
    """The table and the totals."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    told = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    needing = [row for row in rows if zoo.species(row.species).needs_fault]
    few = [row for row in needing if row.left is not None and row.left <= FEW]
    alone = [row for row in rows if not zoo.species(row.species).needs_fault]
    at_once = [row for row in alone if row.left == 0]
    found = sum(row.found == STARTS for row in rows)
    return "\n".join(
        [
            *told,
            "",
            f"mutants found / mutants: {found} / {len(rows)}, within the stated seeds from all of {STARTS} starts",
            f"false alarms on twins: {sum(row.alarms for row in rows)} in {TWIN_SEEDS * len(rows):,} runs",
            f"shrunk to at most {FEW} of {MANY} faults: {len(few)} of {len(needing)} species that need a fault",
            f"shrunk to none, since they fail without any fault: {len(at_once)} of {len(alone)}",
            f"runs: {sum(row.runs for row in rows):,}",
        ]
    )


def main(given: list[str] | None = None) -> int:
    """Examines, prints, and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description=__doc__)
    parser.add_argument("species", nargs="*", help="names of species (all)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (2)")
    asked = parser.parse_args(given)
    try:
        names = [zoo.species(name).name for name in asked.species] or [each.name for each in zoo.SPECIES]
    except UnknownNameError as wrong:
        parser.error(str(wrong))
    begun_s = time.perf_counter()
    found = examined(names, max(1, asked.workers))
    rows = [found[name] for name in names]
    print(report(rows))
    print(f"took {time.perf_counter() - begun_s:.0f} s with {asked.workers} workers")
    return int(any(row.found < STARTS or row.alarms for row in rows))


if __name__ == "__main__":
    sys.exit(main())
