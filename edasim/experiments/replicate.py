"""Replications: the same scenario with independent luck, a fixed number of times or until the interval is narrow.

Follows: independent replications (SO-01); stopping by relative half-width, from at least 10 runs (SO-06). The rule
looks only after the 10th run and then at the number that the runs so far call for, at most twice as many at a time:
few looks, the same for every number of workers. Left out: stopping by a bound on time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import checks
from ..theory import bonferroni_level, mean_interval, runs_needed
from ..theory.intervals import FEWEST_PILOT_RUNS
from .gather import Gathered, gather, plan_of, tasks_of
from .metrics import Metrics
from .results import Provenance, Replications, results_of


def replicate(
    scenario: Any,
    n: int = 10,
    metrics: Metrics = (),
    *,
    seed: int = 0,
    until_s: float | None = None,
    log: str = "metrics",
    workers: int | None = None,
    journal: str | Path | None = None,
) -> Replications:
    """Runs `scenario` with `n` independent seeds derived from `seed`, and measures each run.

    Args:
        scenario: anything with `run(seed=, until_s=, log=)`.
        n: at least 2; one run shows no spread, so for one run call `scenario.run(seed)`.
        metrics: names ("mail.mean_wait_s") or functions of a run, alone or by name.
        seed: the base seed; replication i has the same seed in every experiment with this base.
        until_s: the end of each run in simulated seconds; None if the scenario ends by itself.
        log: what each run keeps while it is measured; "metrics" needs bounded memory, functions that read rows need
            "full".
        workers: processes to share the runs; None decides by the time they take. The numbers stay the same.
        journal: a file that keeps each run, so that none is made twice.

    Raises:
        EdasimError: an unknown metric, a run that the scenario refuses, a damaged journal, or no run that succeeds.

    >>> from edasim.scenarios import SingleQueue
    >>> replicate(SingleQueue(messages=100), 3, "mail.done").of()
    (100.0, 100.0, 100.0)
    """
    plan = plan_of(metrics, until_s, log)
    tasks = tasks_of([scenario], range(checks.check_whole(2)("n", n)), seed)
    gathered = gather(tasks, plan, workers=workers, journal=journal)
    (result,) = results_of([scenario], tasks, gathered, plan, Provenance.of(gathered, plan, seed))
    return result


def until_precise(
    scenario: Any,
    relative_half_width: float,
    metrics: Metrics = (),
    *,
    most: int = 1000,
    joint_level: float = 0.95,
    seed: int = 0,
    until_s: float | None = None,
    log: str = "metrics",
    workers: int | None = None,
    journal: str | Path | None = None,
) -> Replications:
    """As many runs as it takes until each metric's half-width is at most that share of its mean (0.05: ±5 %).

    It makes at least 10 runs and at most `most`; if these do not suffice, the result's notices say so. Several metrics
    hold together with `joint_level` (Bonferroni). The other parameters are those of `replicate`.
    """
    wanted = checks.check_positive("relative_half_width", relative_half_width)
    most = checks.check_whole(FEWEST_PILOT_RUNS)("most", most)
    plan = plan_of(metrics, until_s, log)
    level = bonferroni_level(len(plan.measures), joint_level)
    tasks = tasks_of([scenario], range(most), seed)
    gathered, made, goal = Gathered(), 0, FEWEST_PILOT_RUNS
    while True:
        gather(tasks[made:goal], plan, workers=workers, journal=journal, into=gathered)
        made = goal
        (result,) = results_of([scenario], tasks, gathered, plan, Provenance.of(gathered, plan, seed))
        if gathered.stopped or result.n < FEWEST_PILOT_RUNS:
            return result
        if all(mean_interval(values, level).relative_half_width <= wanted for values in result.values.values()):
            return result
        if made == most:
            gathered.notice(f"the half-width is still above {100 * wanted:g} % of a mean after {most} runs")
            (result,) = results_of([scenario], tasks, gathered, plan, Provenance.of(gathered, plan, seed))
            return result
        goal = min(most, 2 * made, max(made + 1, _needed(result, wanted, level)))


def _needed(result: Replications, relative_half_width: float, level: float) -> int:
    return max(runs_needed(values, relative_half_width, level) for values in result.values.values())
