"""Gathering: makes the runs of an experiment with journal, workers and progress, and keeps what came of each.

Every experiment goes through here, so each can be stopped (what is done stays usable and is marked as partial), resumed
from a journal, and spread over workers. Left out: what the numbers mean; that is the results' business.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import checks
from ..errors import EdasimError
from ..kernel import LogLevel
from .backends import outcomes
from .identity import identity_of_metric
from .journal import Journal
from .metrics import Metrics, named, need_rows
from .progress import Progress
from .tasks import MISUSE, Outcome, Plan, Task, seed_of


class ExperimentWarning(UserWarning):
    """An experiment went on although something went wrong; its result says so as well."""


@dataclass
class Gathered:
    """What came of the tasks so far: outcomes by point and replication, and how they came about."""

    outcomes: dict[tuple[int, int], Outcome] = field(default_factory=dict)
    asked: int = 0
    computed: int = 0
    reused: int = 0
    notices: list[str] = field(default_factory=list)
    stopped: bool = False

    def notice(self, what: str) -> None:
        """Keeps a sentence for the result, and warns at once."""
        self.notices.append(what)
        warnings.warn(what, ExperimentWarning, stacklevel=2)


def plan_of(metrics: Metrics, until_s: float | None, log: str) -> Plan:
    """The plan of an experiment; metrics that read single deliveries turn the log from "metrics" to "full"."""
    measures = named(metrics)
    level = checks.check_word(LogLevel)("log", log)
    if level is LogLevel.METRICS and need_rows(measures):
        level = LogLevel.FULL
    return Plan(measures, until_s, level.value)


def tasks_of(scenarios: Sequence[object], replications: Iterable[int], seed: int) -> list[Task]:
    """A task per scenario and replication, replication by replication, so that a stopped experiment has all points."""
    seed = checks.check_whole(0)("seed", seed)
    for scenario in scenarios:
        if isinstance(scenario, type) or not callable(getattr(scenario, "run", None)):
            raise checks.refuse("scenario", scenario, "give one that can run, such as scenarios.SingleQueue()")
    return [
        Task(point, replication, scenario, seed_of(seed, replication))
        for replication in replications
        for point, scenario in enumerate(scenarios)
    ]


def gather(
    tasks: Sequence[Task], plan: Plan, *, workers: int | None, journal: str | Path | None, into: Gathered | None = None
) -> Gathered:
    """Makes the runs of all tasks that the journal does not hold yet; adds to `into` if given.

    Raises:
        EdasimError: every run failed, or the first one failed by a mistake in the question.
        KeyboardInterrupt: stopped before any run was done.
    """
    gathered = Gathered() if into is None else into
    gathered.asked += len(tasks)
    with _open(journal, plan) as book:
        found = {} if book is None else {t.place: known for t in tasks if (known := book.find(t)) is not None}
        gathered.outcomes.update(found)
        gathered.reused += len(found)
        try:
            _make([task for task in tasks if task.place not in found], plan, workers, book, gathered)
        except KeyboardInterrupt:
            if not gathered.outcomes:
                raise
            gathered.stopped = True
    if gathered.stopped:
        done = len(gathered.outcomes)
        gathered.notice(f"stopped after {done} of {gathered.asked} runs; the table is partial")
    _refuse_if_all_failed(gathered)
    return gathered


def _open(journal: str | Path | None, plan: Plan) -> contextlib.AbstractContextManager[Journal | None]:
    if journal is None:
        return contextlib.nullcontext()
    return Journal(journal, plan, [identity_of_metric(name, what) for name, what in plan.measures.items()])


def _make(tasks: Sequence[Task], plan: Plan, workers: int | None, book: Journal | None, gathered: Gathered) -> None:
    by_place = {task.place: task for task in tasks}
    total = len(gathered.outcomes) + len(tasks)
    made = outcomes(tasks, plan, workers, gathered.notice)
    with Progress("runs", total, gathered.reused, gathered.computed) as progress, contextlib.closing(made):
        for place, outcome in made:
            if not gathered.outcomes and isinstance(outcome.error, MISUSE):
                raise outcome.error
            gathered.outcomes[place] = outcome
            gathered.computed += 1
            if book is not None:
                book.add(by_place[place], outcome)
            progress.done()


def _refuse_if_all_failed(gathered: Gathered) -> None:
    errors = [outcome.error for _, outcome in sorted(gathered.outcomes.items()) if outcome.error is not None]
    if errors and len(errors) == len(gathered.outcomes):
        raise EdasimError(f"all {len(errors)} runs failed, the first with {errors[0]}", field="scenario") from errors[0]
