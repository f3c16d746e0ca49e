"""Where runs are made: in this process, in worker processes, or on a Dask cluster, with the same results.

By default the first runs are made here and timed; worker processes (joblib's loky) take over where they pay. What
`joblib.parallel_config` names is used instead, such as `with parallel_config(backend="dask")` with a Dask client. A
pool that breaks costs time, not results: what it lost is made again. Left out: a task that kills three Dask workers in
a row, for which joblib waits in vain.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

from .. import checks
from .tasks import Outcome, Plan, Task, execute

Done = tuple[tuple[int, int], Outcome]
Tell = Callable[[str], None]

PAYS_S = 4.0
"""Worker processes take about a second to start; for less work than this they would not pay."""


def outcomes(tasks: Sequence[Task], plan: Plan, workers: int | None, tell: Tell) -> Generator[Done]:
    """The outcome of each task, once, in any order; `tell` is told what went wrong with workers.

    `workers=None` decides by the time that the first runs take, 1 stays in this process, more are worker processes.
    """
    if workers is not None:
        workers = checks.check_whole(1)("workers", workers)
    if workers == 1 or not tasks:
        return in_process(tasks, plan)
    if workers is not None or configured():
        return in_pool(tasks, plan, workers, tell)
    return where_it_pays(tasks, plan, tell)


def configured() -> bool:
    """Whether `joblib.parallel_config` says where to work."""
    from joblib.parallel import get_active_backend

    backend, n_jobs = get_active_backend()
    return n_jobs is not None or type(backend).__name__ != "LokyBackend"


def in_process(tasks: Sequence[Task], plan: Plan) -> Generator[Done]:
    """One after the other, here."""
    for task in tasks:
        yield execute(task, plan)


def where_it_pays(tasks: Sequence[Task], plan: Plan, tell: Tell) -> Generator[Done]:
    """Here as long as little is left to do by the pace so far; the rest in worker processes."""
    from joblib import cpu_count

    processors = int(cpu_count())
    since_s = time.perf_counter()
    for made, task in enumerate(tasks, start=1):
        yield execute(task, plan)
        spent_s = time.perf_counter() - since_s
        left = len(tasks) - made
        warmed_up = made > 1 or spent_s > PAYS_S / 2
        if warmed_up and processors > 1 and left > 1 and spent_s / made * left > PAYS_S:
            yield from in_pool(tasks[made:], plan, min(processors, left), tell)
            return


def in_pool(tasks: Sequence[Task], plan: Plan, workers: int | None, tell: Tell) -> Generator[Done]:
    """In joblib's workers; as often as they break, what was lost is made again, in the end here."""
    left = {task.place: task for task in tasks}
    while left:
        before = len(left)
        try:
            for place, outcome in _pooled(list(left.values()), plan, workers):
                del left[place]
                yield place, outcome
        except Exception as error:  # noqa: BLE001 (whatever breaks a pool; the runs' own errors are outcomes)
            again = "a fresh set of workers makes them" if len(left) < before else "this process makes them"
            cause = str(error).partition(". ")[0].partition("\n")[0]
            tell(f"workers were lost, and {len(left)} runs with them; {again} again ({type(error).__name__}: {cause})")
            if len(left) == before:
                yield from in_process(list(left.values()), plan)
                return


def _pooled(tasks: Sequence[Task], plan: Plan, workers: int | None) -> Generator[Done]:
    from joblib import Parallel, delayed

    pool: Any = Parallel(n_jobs=workers, return_as="generator_unordered")
    with contextlib.closing(pool(delayed(execute)(task, plan) for task in tasks)) as done:
        yield from done
