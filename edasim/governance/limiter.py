"""Rate limiters: how many requests may begin in how much time.

Follows: token and leaky bucket, fixed window, sliding log and sliding counter as they are described across the field
(GV-30, GV-31), and Resilience4j's `AtomicRateLimiter` (`PermitsPerPeriod`, GV-32). Every started limiter answers
`allow(now_s)`; those that let requests wait answer `wait_s(now_s)` too. Times must not run backwards; one that does
counts as the latest seen.

Left out: limits shared by several machines, and requests that cost more than one.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol, TypeAlias

from .. import checks

ROUNDING = 1e-9
"""A time that misses a window's boundary by less than this part of the window is on it: 0.3 / 0.1 is
2.9999999999999996."""


class LimiterState(Protocol):
    """What a client or a server asks; `refused` counts the refusals."""

    refused: int

    def allow(self, now_s: float) -> bool:
        """Whether a request may begin now; a yes uses it up."""


@checks.configuration
class TokenBucket:
    """Starts with `burst` tokens and gains `rate_per_s`, up to `burst`; a request takes one.

    At most `burst` + `rate_per_s` * t requests begin in any interval of t seconds.

    >>> bucket = TokenBucket(rate_per_s=1.0, burst=2).start()
    >>> [bucket.allow(now_s) for now_s in (0.0, 0.0, 0.5, 1.0, 1.5)]
    [True, True, False, True, False]
    """

    rate_per_s: float = checks.positive()
    burst: float = checks.positive(default=1.0)

    def check(self) -> None:
        """A bucket that cannot hold one token lets nothing through."""
        if self.burst < 1.0:
            raise checks.refuse("TokenBucket.burst", self.burst, "give at least 1, the price of a request")

    def start(self, now_s: float = 0.0) -> Bucket:
        """A full bucket."""
        return Bucket(self, now_s)


class Bucket:
    """The `tokens` there were at `at_s`, when it was last asked."""

    __slots__ = ("at_s", "burst", "rate_per_s", "refused", "tokens")

    def __init__(self, configuration: TokenBucket, now_s: float) -> None:
        self.rate_per_s, self.burst = configuration.rate_per_s, configuration.burst
        self.tokens = configuration.burst
        self.refused = 0
        self.at_s = now_s

    def allow(self, now_s: float) -> bool:
        """Whether there is a token; a yes takes it."""
        tokens, since_s = self.tokens, now_s - self.at_s
        if since_s > 0.0:
            tokens += since_s * self.rate_per_s
            if tokens > self.burst:  # noqa: PLR1730 - a call of `min` takes as long as all the rest
                tokens = self.burst
            self.at_s = now_s
        if tokens >= 1.0:
            self.tokens = tokens - 1.0
            return True
        self.tokens = tokens
        self.refused += 1
        return False


@checks.configuration
class LeakyBucket:
    """A queue of `capacity` requests that leaves at a constant `rate_per_s`; what finds it full is refused.

    The first request of an idle bucket leaves at once; nobody waits longer than `capacity` / `rate_per_s`.

    >>> bucket = LeakyBucket(rate_per_s=10.0, capacity=2).start()
    >>> [bucket.wait_s(0.0) for _ in range(4)]
    [0.0, 0.1, 0.2, None]
    """

    rate_per_s: float = checks.positive()
    capacity: int = checks.at_least(0, default=0)

    def start(self, now_s: float = 0.0) -> LeakyQueue:
        """An empty bucket."""
        return LeakyQueue(self)


class LeakyQueue:
    """When the bucket's next free place in the outflow is."""

    __slots__ = ("_apart_s", "_longest_s", "_next_s", "refused")

    def __init__(self, configuration: LeakyBucket) -> None:
        self._apart_s = 1.0 / configuration.rate_per_s
        self._longest_s = (configuration.capacity + 0.5) * self._apart_s
        self._next_s = 0.0
        self.refused = 0

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until this request leaves, its place being taken; None if the bucket is full."""
        leaves_s = max(self._next_s, now_s)
        if leaves_s - now_s >= self._longest_s:
            self.refused += 1
            return None
        self._next_s = leaves_s + self._apart_s
        return leaves_s - now_s

    def allow(self, now_s: float) -> bool:
        """Whether the request found a place, wherever in the queue."""
        return self.wait_s(now_s) is not None


@checks.configuration
class FixedWindow:
    """At most `limit` requests in each window of `window_s` of the clock; across a boundary up to twice as many.

    >>> window = FixedWindow(limit=1, window_s=1.0).start()
    >>> [window.allow(now_s) for now_s in (0.875, 0.9375, 1.0)]
    [True, False, True]
    """

    limit: int = checks.at_least(1)
    window_s: float = checks.positive(default=1.0)

    def start(self, now_s: float = 0.0) -> WindowCount:
        """An empty window."""
        return WindowCount(self)


class WindowCount:
    """The window of the latest request, and how many it let through."""

    __slots__ = ("_index", "_limit", "_window_s", "count", "refused")

    def __init__(self, configuration: FixedWindow) -> None:
        self._limit, self._window_s = configuration.limit, configuration.window_s
        self._index = 0
        self.count = self.refused = 0

    def allow(self, now_s: float) -> bool:
        """Whether the window has room."""
        index = int(now_s / self._window_s + ROUNDING)
        if index > self._index:
            self._index, self.count = index, 0
        if self.count < self._limit:
            self.count += 1
            return True
        self.refused += 1
        return False


@checks.configuration
class SlidingLog:
    """At most `limit` requests in any interval of `window_s`, exactly; it remembers as many times as its limit.

    >>> log = SlidingLog(limit=1, window_s=1.0).start()
    >>> [log.allow(now_s) for now_s in (0.5, 1.25, 1.5)]
    [True, False, True]
    """

    limit: int = checks.at_least(1)
    window_s: float = checks.positive(default=1.0)

    def start(self, now_s: float = 0.0) -> Log:
        """An empty log."""
        return Log(self)


class Log:
    """When the last requests were let through."""

    __slots__ = ("_limit", "_times_s", "_window_s", "refused")

    def __init__(self, configuration: SlidingLog) -> None:
        self._limit, self._window_s = configuration.limit, configuration.window_s
        self._times_s: deque[float] = deque()
        self.refused = 0

    def allow(self, now_s: float) -> bool:
        """Whether fewer than `limit` were let through in the `window_s` before now."""
        times_s = self._times_s
        if times_s:
            now_s = max(now_s, times_s[-1])
        while times_s and now_s - times_s[0] >= self._window_s:
            times_s.popleft()
        if len(times_s) < self._limit:
            times_s.append(now_s)
            return True
        self.refused += 1
        return False


@checks.configuration
class SlidingCounter:
    """As a sliding log, estimated from two counts: this window's, and the last one's weighted by its overlap.

    >>> counter = SlidingCounter(limit=4, window_s=1.0).start()
    >>> [counter.allow(now_s) for now_s in (0.5, 0.5, 0.5, 0.5, 1.25, 1.25)]
    [True, True, True, True, True, False]
    """

    limit: int = checks.at_least(1)
    window_s: float = checks.positive(default=1.0)

    def start(self, now_s: float = 0.0) -> TwoCounts:
        """Two empty windows."""
        return TwoCounts(self)


class TwoCounts:
    """The counts of the window of the latest request and of the one before."""

    __slots__ = ("_index", "_limit", "_window_s", "before", "count", "refused")

    def __init__(self, configuration: SlidingCounter) -> None:
        self._limit, self._window_s = configuration.limit, configuration.window_s
        self._index = 0
        self.before = self.count = self.refused = 0

    def allow(self, now_s: float) -> bool:
        """Whether the estimate, this request included, stays within the limit."""
        place = now_s / self._window_s + ROUNDING
        index = int(place)
        if index > self._index:
            self.before = self.count if index == self._index + 1 else 0
            self._index, self.count = index, 0
        overlap = max(0.0, 1.0 - (place - self._index)) if place > self._index else 1.0
        if self.before * overlap + self.count + 1 <= self._limit:
            self.count += 1
            return True
        self.refused += 1
        return False


@checks.configuration
class PermitsPerPeriod:
    """`limit` permits in each period of the clock; who finds none waits for a later period's, at most `timeout_s`.

    Resilience4j's rate limiter with its defaults: 50 permits, every 500 ns, waiting up to 5 s.

    >>> limiter = PermitsPerPeriod(limit=1, period_s=1.0, timeout_s=1.5).start()
    >>> [limiter.wait_s(0.25) for _ in range(3)]
    [0.0, 0.75, None]
    """

    limit: int = checks.at_least(1, default=50)
    period_s: float = checks.positive(default=5e-7)
    timeout_s: float = checks.non_negative(default=5.0)

    def start(self, now_s: float = 0.0) -> Permits:
        """The first period's permits."""
        return Permits(self)


class Permits:
    """The period of the latest request, and the permits left in it; below 0 those of later periods are promised."""

    __slots__ = ("_limit", "_period", "_period_s", "_timeout_s", "permits", "refused")

    def __init__(self, configuration: PermitsPerPeriod) -> None:
        self._limit, self._period_s = configuration.limit, configuration.period_s
        self._timeout_s = configuration.timeout_s
        self._period = 0
        self.permits = configuration.limit
        self.refused = 0

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until this request has its permit, which is promised to it; None if that is too long."""
        return self._reserve(now_s, self._timeout_s)

    def allow(self, now_s: float) -> bool:
        """Whether there is a permit now, without waiting."""
        return self._reserve(now_s, 0.0) is not None

    def _reserve(self, now_s: float, timeout_s: float) -> float | None:
        period = int(now_s / self._period_s + ROUNDING)
        if period > self._period:
            self.permits = min(self.permits + (period - self._period) * self._limit, self._limit)
            self._period = period
        if self.permits >= 1:
            wait_s = 0.0
        else:
            full_periods = -(-(1 - self.permits) // self._limit)
            wait_s = max(0.0, (self._period + full_periods) * self._period_s - now_s)
        if wait_s > timeout_s:
            self.refused += 1
            return None
        self.permits -= 1
        return wait_s


RateLimiter: TypeAlias = TokenBucket | LeakyBucket | FixedWindow | SlidingLog | SlidingCounter | PermitsPerPeriod
"""The configurations of rate limiters."""
