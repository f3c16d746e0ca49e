"""Shrinking: of a schedule of faults that breaks a promise, the few faults that do it.

`drawn_faults` makes a schedule of many crashes at random instants; `shrink` reduces any failing schedule to one from
which no fault can be taken away without the failure going away (1-minimal). Every try is a whole run with the same
seed, so a try that fails once fails always. Follows Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing
Input (2002), ddmin. Left out: making the faults themselves shorter or later.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..errors import ConfigurationError
from .faults import Crash
from .findings import Findings, Verdict
from .oracle import check
from .plan import Fault, check_faults
from .promises import Promise

Broken = Callable[[Sequence[Fault]], Findings]
"""Runs a system with these faults, and tells what the oracle found."""


@dataclass(frozen=True)
class Shrunk:
    """The faults that are left of `before`, what the oracle finds with them, and how many runs it took."""

    faults: tuple[Fault, ...]
    findings: Findings
    before: int
    runs: int

    def __str__(self) -> str:
        lines = [f"{len(self.faults)} of {self.before} faults are enough ({self.runs} runs):"]
        lines += [f"- {fault.describe()}" for fault in self.faults]
        return "\n".join([*lines, str(self.findings)])


def drawn_faults(
    nodes: Sequence[str], *, faults: int, until_s: float, mean_down_s: float, seed: int = 0
) -> tuple[Crash, ...]:
    """So many crashes of these nodes, at instants uniform in [0, `until_s`), each down for an exponential time.

    >>> [crash.node for crash in drawn_faults(["mail"], faults=2, until_s=10.0, mean_down_s=1.0)]
    ['mail', 'mail']
    """
    faults = checks.check_whole(1)("faults", faults)
    until_s, mean_down_s = checks.check_positive("until_s", until_s), checks.check_positive("mean_down_s", mean_down_s)
    if isinstance(nodes, str) or not nodes:
        raise checks.refuse("nodes", nodes, "give a list of names of nodes or services")
    rng = np.random.default_rng([checks.check_whole(0)("seed", seed), faults])
    at_s = np.sort(rng.uniform(0.0, until_s, faults)).tolist()
    down_s = np.maximum(rng.exponential(mean_down_s, faults), 1e-6).tolist()
    which = rng.integers(0, len(nodes), faults).tolist()
    return tuple(
        Crash(node=nodes[node], at_s=begin_s, down_s=for_s)
        for node, begin_s, for_s in zip(which, at_s, down_s, strict=True)
    )


def shrink(
    scenario: Any,
    faults: Sequence[Fault] | None = None,
    *,
    promises: Sequence[Promise] | None = None,
    verdict: Verdict | str | None = None,
    seed: int = 0,
    until_s: float | None = None,
    most_runs: int = 500,
) -> Shrunk:
    """The smallest part of `faults` (None: the scenario's own) with which the scenario still breaks a promise.

    `scenario` needs a field `faults`. Broken means: a finding of that `verdict` (None: of any). Raises
    `ConfigurationError` if all faults together break nothing.
    """
    given = check_faults("faults", list(scenario.faults if faults is None else faults))
    wanted: Verdict | None = None if verdict is None else checks.check_word(Verdict)("verdict", verdict)

    def broken(some: Sequence[Fault]) -> Findings:
        run = scenario.but(faults=tuple(some)).run(seed=seed, until_s=until_s)
        found = check(run, promises)
        return found if wanted is None else found.of(wanted)

    return smallest(given, broken, most_runs=most_runs)


def smallest(faults: Sequence[Fault], broken: Broken, *, most_runs: int = 500) -> Shrunk:
    """The smallest part of these faults with which `broken` still finds something; ddmin.

    After `most_runs` runs it stops with what it has reached.
    """
    most_runs = checks.check_whole(1)("most_runs", most_runs)
    left, found, runs = list(faults), broken(faults), 1
    if not found:
        raise ConfigurationError(
            f"with all {len(left)} faults every promise is kept, so there is nothing to shrink",
            field="faults",
            value=len(left),
            remedy="try another seed, more faults or a weaker system",
        )
    without = broken([])
    runs += 1
    if without:
        return Shrunk((), without, len(faults), runs)
    parts = 2
    while len(left) > 1 and runs < most_runs:
        smaller = None
        for part in _complements_after_parts(left, parts):
            now = broken(part)
            runs += 1
            if now:
                smaller = part, now
                break
            if runs >= most_runs:
                break
        if smaller is not None:
            was = len(left)
            left, found = list(smaller[0]), smaller[1]
            parts = 2 if len(left) <= was // parts + 1 else max(parts - 1, 2)
        elif parts >= len(left):
            break
        else:
            parts = min(2 * parts, len(left))
    return Shrunk(tuple(left), found, len(faults), runs)


def _complements_after_parts(faults: list[Fault], parts: int) -> list[list[Fault]]:
    """First each of the parts alone, then all without each of them."""
    edges = [round(place * len(faults) / parts) for place in range(parts + 1)]
    pieces = list(itertools.pairwise(edges))
    alone = [faults[begin:end] for begin, end in pieces]
    rest = [faults[:begin] + faults[end:] for begin, end in pieces] if parts > 2 else []
    return [part for part in alone + rest if part]
