"""Replications: the same scenario with independent luck, a fixed number of times or until the interval is narrow.

Follows: independent replications (SO-01); the stopping rule is that of `stopping` (SO-06).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import checks
from ..theory import bonferroni_level
from ..theory.intervals import FEWEST_PILOT_RUNS
from .gather import Gathered, gather, plan_of, tasks_of
from .metrics import Metrics
from .results import Provenance, Replications, results_of
from .stopping import next_goal


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
    hold together with `joint_level` (Bonferroni). An interval that decides when to stop holds the truth less often
    than it says, about 90 % instead of 95 % in our test (`stopping` says more). For a picture of how it narrowed, hand
    `result.precision(relative_half_width)` to `viz.run_count_svg`. The other parameters are those of `replicate`.
    """
    wanted = checks.check_positive("relative_half_width", relative_half_width)
    most = checks.check_whole(FEWEST_PILOT_RUNS)("most", most)
    plan = plan_of(metrics, until_s, log)
    level = bonferroni_level(len(plan.measures), joint_level)
    tasks = tasks_of([scenario], range(most), seed)
    gathered, goal = Gathered(), FEWEST_PILOT_RUNS
    made = 0
    while True:
        gather(tasks[made:goal], plan, workers=workers, journal=journal, into=gathered)
        made = goal
        (result,) = results_of([scenario], tasks, gathered, plan, Provenance.of(gathered, plan, seed))
        if gathered.stopped or result.n < FEWEST_PILOT_RUNS:
            return result
        following = next_goal(result.values.values(), wanted, level, made=made, most=most)
        if following is None:
            break
        goal = following
    if any(each.half_width > wanted * abs(each.mean) for each in result.intervals(joint_level).values()):
        gathered.notice(f"the half-width is still above {100 * wanted:g} % of a mean after {most} runs")
        (result,) = results_of([scenario], tasks, gathered, plan, Provenance.of(gathered, plan, seed))
    return result
