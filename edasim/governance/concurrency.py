"""Limits on how many calls are under way at once: fixed (bulkhead), and adaptive (AIMD, gradient).

Follows: Resilience4j's `Bulkhead` and its defaults (GV-32); Netflix concurrency-limits, `AIMDLimit` and
`Gradient2Limit`, for adaptive limits (GV-33). All started limits are used alike: `allow` before a call, then `done`
when it ended.

Left out: partitions of a limit for kinds of callers.
"""

from __future__ import annotations

import math
from typing import Protocol, TypeAlias

from .. import checks


class ConcurrencyState(Protocol):
    """What a client or a server asks and tells."""

    refused: int
    active: int

    @property
    def limit(self) -> float:
        """How many calls may be under way at present."""

    def allow(self, now_s: float) -> bool:
        """Whether a call may begin; a yes counts it as under way."""

    def done(self, now_s: float, ok: bool, duration_s: float) -> None:
        """A call ended; `ok` is False if it was dropped or timed out."""


@checks.configuration
class Bulkhead:
    """At most `limit` calls under way; who finds it full waits in line at most `longest_wait_s`. Resilience4j's
    defaults.

    >>> bulkhead = Bulkhead(limit=1).start()
    >>> bulkhead.allow(0.0), bulkhead.allow(0.0), bulkhead.done(1.0, ok=True, duration_s=1.0), bulkhead.allow(1.0)
    (True, False, None, True)
    """

    limit: int = checks.at_least(1, default=25)
    longest_wait_s: float = checks.non_negative(default=0.0)

    def start(self, now_s: float = 0.0) -> FixedLimit:
        """Nothing under way."""
        return FixedLimit(self)


class FixedLimit:
    """How many calls are under way; the line of those that wait is the client's, who asks again when a place is
    free.
    """

    __slots__ = ("active", "limit", "refused")

    def __init__(self, configuration: Bulkhead) -> None:
        self.limit: float = configuration.limit
        self.active = self.refused = 0

    def allow(self, now_s: float) -> bool:
        """Whether there is a place; a yes takes it."""
        if self.active < self.limit:
            self.active += 1
            return True
        self.refused += 1
        return False

    def done(self, now_s: float, ok: bool, duration_s: float) -> None:
        """A place is free again."""
        self.active -= 1


def check_bounds(limits: Aimd | Gradient) -> None:
    """The first limit lies between the bounds."""
    title = type(limits).__name__
    if limits.most < limits.least:
        raise checks.refuse(f"{title}.most", limits.most, f"give at least least, {limits.least}")
    if not limits.least <= limits.first <= limits.most:
        raise checks.refuse(f"{title}.first", limits.first, f"give a number from {limits.least} to {limits.most}")


@checks.configuration
class Aimd:
    """One more after a good answer, `backoff_ratio` of the limit after a bad one (dropped, or slower than `timeout_s`).

    The limit grows only while at least half of it is in use. Defaults of `AIMDLimit`.

    >>> limit = Aimd(first=20, least=1).start()
    >>> limit.allow(0.0), limit.done(6.0, ok=True, duration_s=6.0), limit.limit
    (True, None, 18)
    """

    first: int = checks.at_least(1, default=20)
    least: int = checks.at_least(1, default=20)
    most: int = checks.at_least(1, default=200)
    backoff_ratio: float = checks.ratio(default=0.9)
    timeout_s: float = checks.positive(default=5.0)

    def check(self) -> None:
        """Bounds in order, and a ratio between a half and 1 (excluded)."""
        check_bounds(self)
        if not 0.5 <= self.backoff_ratio < 1.0:
            raise checks.refuse("Aimd.backoff_ratio", self.backoff_ratio, "give at least 0.5 and less than 1")

    def start(self, now_s: float = 0.0) -> AimdLimit:
        """Nothing under way, the limit at `first`."""
        return AimdLimit(self)


class AimdLimit:
    """How many calls are under way, and the present limit."""

    __slots__ = ("active", "configuration", "limit", "refused")

    def __init__(self, configuration: Aimd) -> None:
        self.configuration = configuration
        self.limit: float = configuration.first
        self.active = self.refused = 0

    def allow(self, now_s: float) -> bool:
        """Whether there is a place; a yes takes it."""
        if self.active < self.limit:
            self.active += 1
            return True
        self.refused += 1
        return False

    def done(self, now_s: float, ok: bool, duration_s: float) -> None:
        """Frees the place and moves the limit."""
        settings = self.configuration
        under_way = self.active
        self.active -= 1
        if not ok or duration_s > settings.timeout_s:
            self.limit = int(self.limit * settings.backoff_ratio)
        elif under_way * 2 >= self.limit:
            self.limit += 1
        self.limit = min(settings.most, max(settings.least, self.limit))


WARM_UP = 10
"""How many durations the long average of `Gradient` weighs equally before it becomes exponential."""


@checks.configuration
class Gradient:
    """The limit follows the ratio of the usual duration to the present one, and leaves room for a `queue`.

    New limit = limit * gradient + queue, where gradient = `tolerance` * long average / duration, between a half and
    1; of the change a share of `smoothing_ratio` is made. `queue` None means the square root of the limit. Defaults
    of `Gradient2Limit`.

    >>> limit = Gradient(first=20).start()
    >>> limit.allow(0.0), limit.done(1.0, ok=True, duration_s=0.1), limit.limit
    (True, None, 20.0)
    """

    first: int = checks.at_least(1, default=20)
    least: int = checks.at_least(1, default=20)
    most: int = checks.at_least(1, default=200)
    smoothing_ratio: float = checks.ratio(default=0.2)
    tolerance: float = checks.positive(default=1.5)
    long_window: int = checks.at_least(1, default=600)
    queue: int | None = checks.optional(checks.check_whole(0), default=4)

    def check(self) -> None:
        """Bounds in order, and a tolerance that never takes an ordinary duration for a queue."""
        check_bounds(self)
        if self.tolerance < 1.0:
            raise checks.refuse("Gradient.tolerance", self.tolerance, "give at least 1")

    def start(self, now_s: float = 0.0) -> GradientLimit:
        """Nothing under way, the limit at `first`."""
        return GradientLimit(self)


class GradientLimit:
    """How many calls are under way, the present limit, and the long average of the durations."""

    __slots__ = ("_count", "_sum_s", "active", "configuration", "estimate", "long_s", "refused")

    def __init__(self, configuration: Gradient) -> None:
        self.configuration = configuration
        self.estimate: float = configuration.first
        self.active = self.refused = self._count = 0
        self._sum_s = self.long_s = 0.0

    @property
    def limit(self) -> float:
        """How many calls may be under way at present: the whole part of the estimate."""
        return float(int(self.estimate))

    def allow(self, now_s: float) -> bool:
        """Whether there is a place; a yes takes it."""
        if self.active < int(self.estimate):
            self.active += 1
            return True
        self.refused += 1
        return False

    def done(self, now_s: float, ok: bool, duration_s: float) -> None:
        """Frees the place and moves the limit; a call that failed tells nothing about the queue by its duration
        alone.
        """
        settings = self.configuration
        under_way = self.active
        self.active -= 1
        long_s = self._average_s(duration_s)
        if duration_s > 0.0 and long_s / duration_s > 2.0:
            self.long_s *= 0.95
        if under_way < self.estimate / 2:
            return
        gradient = 1.0 if duration_s <= 0.0 else max(0.5, min(1.0, settings.tolerance * long_s / duration_s))
        queue = math.sqrt(self.estimate) if settings.queue is None else settings.queue
        wanted = self.estimate * gradient + queue
        smoothed = self.estimate * (1.0 - settings.smoothing_ratio) + wanted * settings.smoothing_ratio
        self.estimate = max(settings.least, min(settings.most, smoothed))

    def _average_s(self, duration_s: float) -> float:
        if self._count < WARM_UP:
            self._count += 1
            self._sum_s += duration_s
            self.long_s = self._sum_s / self._count
        else:
            factor = 2.0 / (self.configuration.long_window + 1)
            self.long_s += (duration_s - self.long_s) * factor
        return self.long_s


ConcurrencyLimit: TypeAlias = Bulkhead | Aimd | Gradient
"""The configurations of limits on calls under way."""
