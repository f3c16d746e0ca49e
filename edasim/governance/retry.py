"""Retry: whether a failed call is tried again, and after how long.

Follows: full, equal and decorrelated jitter as M. Brooker describes them (AWS Architecture Blog, Exponential Backoff
and Jitter, GV-20); the defaults and the spread around a mean of Resilience4j's `RetryConfig` and `IntervalFunction`.
What is left until the caller's deadline is passed on, and a retry that could not begin before it is not made (GV-23).

Left out: the server's word when to come back (Retry-After, pushback), and how much all retries together may add, which
is a matter of `budget`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator

from .. import checks
from .failures import Failure, check_failures


class Jitter(enum.Enum):
    """How a wait is spread below, or around, its ceiling."""

    NONE = "none"
    """The ceiling itself."""
    FULL = "full"
    """Uniform between 0 and the ceiling."""
    EQUAL = "equal"
    """Half of the ceiling, and uniform between 0 and the other half."""
    DECORRELATED = "decorrelated"
    """Uniform between the first wait and three times the wait before, up to the cap."""
    AROUND = "around"
    """Uniform around what would be the ceiling without a cap, by `around_ratio` of it on either side; then the cap."""


@checks.configuration
class Backoff:
    """Waits whose ceiling is multiplied by `factor` after each failed attempt, from `first_wait_s` up to `cap_s`.

    With a factor of 1 and no jitter the waits are constant.

    >>> backoff = Backoff(first_wait_s=0.1, cap_s=1.0, jitter="full")
    >>> [backoff.ceiling_s(failed) for failed in (1, 2, 3, 4, 5)]
    [0.1, 0.2, 0.4, 0.8, 1.0]
    >>> backoff.wait_s(3, draw=0.5)
    0.2
    """

    first_wait_s: float = checks.non_negative(default=0.1)
    factor: float = checks.positive(default=2.0)
    cap_s: float = checks.positive(default=10.0)
    jitter: Jitter = checks.word(Jitter, default=Jitter.FULL)
    around_ratio: float = checks.ratio(default=0.5)

    def check(self) -> None:
        """Waits grow, and the cap is above the first of them."""
        if self.factor < 1.0:
            raise checks.refuse("Backoff.factor", self.factor, "give at least 1")
        if self.cap_s < self.first_wait_s:
            raise checks.refuse("Backoff.cap_s", self.cap_s, f"give at least first_wait_s, {self.first_wait_s:g}")

    def ceiling_s(self, failed_attempts: int) -> float:
        """Seconds that the wait after so many failed attempts (from 1 on) has as its ceiling."""
        return min(self.cap_s, self._grown_s(failed_attempts))

    def spread_s(self, failed_attempts: int) -> tuple[float, float] | None:
        """The least wait and the breadth of the waits above it; None if the jitter depends on more than the ceiling."""
        ceiling_s = self.ceiling_s(failed_attempts)
        match self.jitter:
            case Jitter.NONE:
                return ceiling_s, 0.0
            case Jitter.FULL:
                return 0.0, ceiling_s
            case Jitter.EQUAL:
                return ceiling_s / 2, ceiling_s / 2
        return None

    def _grown_s(self, failed_attempts: int) -> float:
        try:
            return self.first_wait_s * self.factor ** (failed_attempts - 1)
        except OverflowError:
            return math.inf if self.first_wait_s else 0.0

    def wait_s(self, failed_attempts: int, draw: float = 0.0, previous_wait_s: float | None = None) -> float:
        """Seconds to wait after `failed_attempts` (from 1 on); `draw` is uniform in [0, 1).

        `previous_wait_s` is the wait before this one, None if there was none; only decorrelated jitter looks at it.
        """
        spread_s = self.spread_s(failed_attempts)
        if spread_s is not None:
            return spread_s[0] + draw * spread_s[1]
        if self.jitter is Jitter.AROUND:
            spread = 1.0 + self.around_ratio * (2.0 * draw - 1.0)
            return min(self.cap_s, self._grown_s(failed_attempts) * spread) if spread else 0.0
        before_s = self.first_wait_s if previous_wait_s is None else previous_wait_s
        return min(self.cap_s, self.first_wait_s + draw * max(0.0, 3.0 * before_s - self.first_wait_s))


RETRYABLE = frozenset({Failure.ERROR, Failure.TIMEOUT, Failure.UNREACHABLE, Failure.OVERLOADED})
"""What `Retry` tries again unless told otherwise: what may go better the next time and was not refused by the
caller."""


@checks.configuration
class Retry:
    """Up to `attempts` calls in all, the first included, with a `backoff` between them.

    The default is Resilience4j's: 3 attempts, 500 ms apart.

    >>> retry = Retry(attempts=3)
    >>> retry.wait_s(1, Failure.ERROR), retry.wait_s(3, Failure.ERROR), retry.wait_s(1, Failure.INVALID)
    (0.5, None, None)
    """

    attempts: int = checks.at_least(1, default=3)
    backoff: Backoff = checks.kind(
        Backoff, "a Backoff(…)", default=Backoff(first_wait_s=0.5, factor=1.0, jitter=Jitter.NONE)
    )
    retry_on: frozenset[Failure] = checks.checked(check_failures, default=RETRYABLE)

    def wait_s(
        self,
        failed_attempts: int,
        failure: Failure,
        draw: float = 0.0,
        previous_wait_s: float | None = None,
        left_s: float = math.inf,
    ) -> float | None:
        """Seconds to wait before the next attempt, or None to give up.

        `failed_attempts` counts from 1, `draw` is uniform in [0, 1), `left_s` is what is left until the deadline.
        """
        if failed_attempts >= self.attempts or failure not in self.retry_on:
            return None
        wait_s = self.backoff.wait_s(failed_attempts, draw, previous_wait_s)
        return wait_s if wait_s < left_s else None

    def start(self, draws: Iterator[float]) -> Retries:
        """The policy at work in a client, with numbers from `draws`, uniform in [0, 1)."""
        return Retries(self, draws)


KNOWN = 16
"""Of the waits before so many attempts the spreads are computed once."""


class Retries:
    """Answers as `Retry.wait_s` does, with the next number of `draws`; the first spreads are computed once."""

    __slots__ = ("_attempts", "_backoff", "_retry_on", "_spreads_s", "draws")

    def __init__(self, policy: Retry, draws: Iterator[float]) -> None:
        self._attempts, self._backoff, self._retry_on = policy.attempts, policy.backoff, policy.retry_on
        self.draws = draws
        self._spreads_s = {failed: policy.backoff.spread_s(failed) for failed in range(1, min(policy.attempts, KNOWN))}

    def spreads_s(self, failure: Failure) -> list[tuple[float, float]] | None:
        """Of all waits after this failure the least and the breadth above it, by failed attempts (from 1 on, no 0).

        None if it takes more to tell, and `wait_s` must be asked.
        """
        if failure not in self._retry_on:
            return []
        spreads_s = [spread_s for spread_s in self._spreads_s.values() if spread_s is not None]
        return [(0.0, 0.0), *spreads_s] if len(spreads_s) == self._attempts - 1 else None

    def wait_s(
        self, failed_attempts: int, failure: Failure, previous_wait_s: float | None, left_s: float
    ) -> float | None:
        """Seconds to wait before the next attempt, or None to give up; a number is drawn in any case."""
        draw = next(self.draws)
        if failed_attempts >= self._attempts or failure not in self._retry_on:
            return None
        spread_s = self._spreads_s.get(failed_attempts)
        if spread_s is None:
            wait_s = self._backoff.wait_s(failed_attempts, draw, previous_wait_s)
        else:
            wait_s = spread_s[0] + draw * spread_s[1]
        return wait_s if wait_s < left_s else None


def amplification(attempts: float, layers: int) -> float:
    """How many calls reach the lowest of `layers` for one request, if all fail: attempts to the power of the layers
    (GV-21).

    With retry budgets of a ratio b each layer makes at most 1 + b calls: give that as `attempts`.

    >>> amplification(3, 4), round(amplification(1.1, 4), 2)
    (81, 1.46)

    Raises `ConfigurationError` for less than one attempt, or a number of layers that is not whole or below 0.
    """
    checks.number("attempts", attempts, low=1.0, open_low=False, what="a number of attempts, 1 or more")
    below: int = checks.check_whole(0)("layers", layers)
    return attempts**below


NO_RETRY = Retry(attempts=1)
"""The policy that never tries again."""
