"""The crash-point matrix in worker processes, with progress.

The runs are those of `failures.crash_points`; they are made here and, where it pays, in joblib's workers, in the same
order and with the same results. Who stops it keeps what is done. Left out: a journal; a matrix is made in seconds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import Any

from .. import checks
from ..failures import CrashPoints
from ..failures import crash_points as matrix
from .backends import PAYS_S
from .progress import Progress

Act = Callable[[Any], Any]


def crash_points(scenario: Any, *, workers: int | None = None, **wishes: Any) -> CrashPoints:
    """As `failures.crash_points`, with the runs shared by so many worker processes (None: where it pays).

    `wishes` are its other arguments, such as `nodes`, `down_s`, `pairs`. If it is stopped, the matrix holds the crashes
    that were tried until then.
    """
    if workers is not None:
        workers = checks.check_whole(1)("workers", workers)
    return matrix(scenario, **wishes, apply=partial(_with_progress, workers))


def _with_progress(workers: int | None, act: Act, arguments: Iterable[Any]) -> list[Any]:
    tasks, done = list(arguments), []
    with Progress("crashes", len(tasks)) as progress, contextlib.closing(_results(workers, act, tasks)) as results:
        try:
            for result in results:
                done.append(result)
                progress.done()
        except KeyboardInterrupt:
            if not done:
                raise
    return done


def _results(workers: int | None, act: Act, tasks: Sequence[Any]) -> Generator[Any]:
    """The results in order: here as long as little is left to do by the pace so far, the rest in worker processes."""
    since_s = time.perf_counter()
    for made, task in enumerate(tasks):
        left = len(tasks) - made
        slow = made > 1 and (time.perf_counter() - since_s) / made * left > PAYS_S
        if (workers is None and slow) or (workers is not None and workers > 1):
            yield from _in_pool(workers, act, tasks[made:])
            return
        yield act(task)


def _in_pool(workers: int | None, act: Act, tasks: Sequence[Any]) -> Generator[Any]:
    from joblib import Parallel, cpu_count, delayed

    pool: Any = Parallel(n_jobs=workers or int(cpu_count()), return_as="generator")
    with contextlib.closing(pool(delayed(act)(each) for each in tasks)) as done:
        yield from done
