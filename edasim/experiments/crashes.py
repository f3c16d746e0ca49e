"""The crash-point matrix in worker processes, with progress.

The runs are those of `failures.crash_points`; they are made here or in joblib's workers, in the same order and with the
same results. Left out: a journal; a matrix is made in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from .. import checks
from ..failures import CrashPoints
from ..failures import crash_points as matrix


def crash_points(scenario: Any, *, workers: int | None = None, **wishes: Any) -> CrashPoints:
    """As `failures.crash_points`, with the runs shared by so many worker processes (None: one per processor).

    `wishes` are its other arguments, such as `nodes`, `down_s`, `pairs`. Promises that hold functions of a notebook are
    sent along.
    """
    if workers is not None:
        workers = checks.check_whole(1)("workers", workers)
    if workers == 1:
        return matrix(scenario, **wishes)
    return matrix(scenario, **wishes, apply=partial(_in_pool, workers))


def _in_pool(workers: int | None, act: Callable[[Any], Any], arguments: Iterable[Any]) -> list[Any]:
    from joblib import Parallel, cpu_count, delayed

    found: list[Any] = Parallel(n_jobs=workers or int(cpu_count()))(delayed(act)(each) for each in arguments)
    return found
