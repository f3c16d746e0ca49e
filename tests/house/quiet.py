"""Processor time as it would be on a quiet machine, so that a limit holds on a loaded one, or under coverage, as well.

Whoever shares the machine takes caches and half of each core, which makes the same work several times as long, even in
processor time. So a loop that is always the same is timed in between, and what counts is how many loops the work takes.
Left out: work that waits, which takes no processor time.
"""

import sys
import time
from collections.abc import Callable

LOOP_S = 0.007
"""What the loop takes on the machine that the limits are meant for: CPython 3.11 on a quiet core needs 5 to 13 ms."""


def quiet_s(work: Callable[[int], object], rounds: int = 5, clock: Callable[[], float] = time.process_time) -> float:
    """Seconds that `work(round)` takes at best in several rounds, each beside a loop. Without what a tracer adds.

    `clock` tells the processor time of the work; the loop runs in this process.
    """
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        pairs = [(_taken_s(work, number, clock), _taken_s(_loop, 0, time.process_time)) for number in range(rounds)]
    finally:
        sys.settrace(tracer)
    return LOOP_S * min(work_s for work_s, _ in pairs) / min(loop_s for _, loop_s in pairs)


def _taken_s(work: Callable[[int], object], number: int, clock: Callable[[], float]) -> float:
    begin_s = clock()
    work(number)
    return clock() - begin_s


def _loop(total: int) -> int:
    for number in range(100_000):
        total += number * number % 7
    return total
