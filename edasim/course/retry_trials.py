"""Chapter 11's functions to write: false trips of a breaker and waits with jitter, right and typically wrong.

Follows: GV-10 (a breaker judges from its minimum of calls on) and GV-20 (full jitter). Left out: windows that move.
"""

from __future__ import annotations

import math
import random


def trips(error_ratio: float, minimum_calls: int, failure_rate_ratio: float) -> float:
    """The chance that a breaker opens at its first judgement, after `minimum_calls` calls to a callee like always."""
    fewest = math.ceil(failure_rate_ratio * minimum_calls - 1e-9)
    return sum(exactly_failed(error_ratio, minimum_calls, failed) for failed in range(fewest, minimum_calls + 1))


def exactly_failed(error_ratio: float, calls: int, failed: int) -> float:
    """The chance that of `calls` exactly `failed` fail."""
    return float(math.comb(calls, failed) * error_ratio**failed * (1 - error_ratio) ** (calls - failed))


def just_as_many(error_ratio: float, minimum_calls: int, failure_rate_ratio: float) -> float:
    """A typical wrong answer: exactly the fewest failures that open it, and not more."""
    return exactly_failed(error_ratio, minimum_calls, math.ceil(failure_rate_ratio * minimum_calls - 1e-9))


def more_than_needed(error_ratio: float, minimum_calls: int, failure_rate_ratio: float) -> float:
    """A typical wrong answer: a share that just reaches the threshold does not open it."""
    fewest = math.floor(failure_rate_ratio * minimum_calls + 1e-9) + 1
    return sum(exactly_failed(error_ratio, minimum_calls, failed) for failed in range(fewest, minimum_calls + 1))


def by_the_mean(error_ratio: float, _minimum_calls: int, failure_rate_ratio: float) -> float:
    """A typical wrong answer: it opens when the usual error rate is above the threshold, and never otherwise."""
    return float(error_ratio >= failure_rate_ratio)


def at_least_one(error_ratio: float, minimum_calls: int, _failure_rate_ratio: float) -> float:
    """A typical wrong answer: one failure is enough."""
    return float(1 - (1 - error_ratio) ** minimum_calls)


def a_breaker(rng: random.Random) -> tuple[float, int, float]:
    """An error ratio, a number of calls and a threshold that nobody has seen."""
    return rng.randrange(1, 9) / 100, rng.choice((8, 10, 20, 30, 50)), rng.choice((0.2, 0.25, 0.3, 0.5))


def full_jitter(failed_attempts: int, draw: float, first_s: float, cap_s: float) -> float:
    """Uniform between 0 and a ceiling that doubles with each failure, up to a cap (GV-20)."""
    return draw * min(cap_s, first_s * 2.0 ** (failed_attempts - 1))


def no_jitter(failed_attempts: int, _draw: float, first_s: float, cap_s: float) -> float:
    """A typical wrong answer: the ceiling itself."""
    return min(cap_s, first_s * 2.0 ** (failed_attempts - 1))


def equal_jitter(failed_attempts: int, draw: float, first_s: float, cap_s: float) -> float:
    """A typical wrong answer: half of the ceiling, and the draw over the other half."""
    return (0.5 + draw / 2) * no_jitter(failed_attempts, draw, first_s, cap_s)


def never_capped(failed_attempts: int, draw: float, first_s: float, _cap_s: float) -> float:
    """A typical wrong answer: the ceiling doubles for ever."""
    return draw * first_s * 2.0 ** (failed_attempts - 1)


def one_too_many(failed_attempts: int, draw: float, first_s: float, cap_s: float) -> float:
    """A typical wrong answer: doubled before the first wait."""
    return draw * min(cap_s, first_s * 2.0**failed_attempts)


def capped_after(failed_attempts: int, draw: float, first_s: float, cap_s: float) -> float:
    """A typical wrong answer: the cap holds the wait that was drawn, not the ceiling."""
    return min(cap_s, draw * first_s * 2.0 ** (failed_attempts - 1))


def a_wait(rng: random.Random) -> tuple[int, float, float, float]:
    """Failed attempts from 1 on, a draw, a first ceiling and a cap in seconds."""
    return rng.randrange(1, 9), rng.random(), rng.choice((0.05, 0.1, 0.2)), rng.choice((1.0, 2.0, 5.0))
