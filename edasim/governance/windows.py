"""The sliding windows in which a circuit breaker counts: the last calls, or the calls of the last seconds.

Follows: Resilience4j 2.x, `FixedSizeSlidingWindowMetrics` (a ring of the last N calls) and `SlidingTimeWindowMetrics`
(N partial sums, one for each second of the clock; a sum leaves as a whole when its second is N seconds old). Both
answer in constant time whatever the window's size. Left out: the mean duration of the calls in the window.
"""

from __future__ import annotations

from typing import Protocol


class CallWindow(Protocol):
    """Counts of the calls in a window: how many, how many failed, how many were slow."""

    calls: int
    failed: int
    slow: int

    def record(self, now_s: float, failed: bool, slow: bool) -> None:
        """Counts a call that ended at `now_s`, and forgets what has left the window."""


class LastCalls:
    """The last `size` calls."""

    __slots__ = ("_at", "_ring", "calls", "failed", "size", "slow")

    def __init__(self, size: int) -> None:
        self.size = size
        self.calls = self.failed = self.slow = 0
        self._ring = bytearray(size)
        self._at = 0

    def record(self, now_s: float, failed: bool, slow: bool) -> None:
        """Counts a call, in place of the oldest if the window is full."""
        at = self._at
        oldest = self._ring[at]  # a good call, if there is none yet
        if self.calls < self.size:
            self.calls += 1
        if failed or slow or oldest:
            self.failed += failed - (oldest & 1)
            self.slow += slow - (oldest >> 1)
            self._ring[at] = failed + 2 * slow
        at += 1
        self._at = at if at < self.size else 0


class LastSeconds:
    """The calls of this second of the clock and of the `size` - 1 seconds before."""

    __slots__ = ("_second", "_sums", "calls", "failed", "size", "slow")

    def __init__(self, size: int, now_s: float) -> None:
        self.size = size
        self.calls = self.failed = self.slow = 0
        self._sums = [[0, 0, 0] for _ in range(size)]
        self._second = int(now_s)

    def record(self, now_s: float, failed: bool, slow: bool) -> None:
        """Counts a call in its second, after whole seconds that are too old have left."""
        second = int(now_s)
        if second > self._second:
            self._move_to(second)
        sums = self._sums[self._second % self.size]
        sums[0] += 1
        sums[1] += failed
        sums[2] += slow
        self.calls += 1
        self.failed += failed
        self.slow += slow

    def _move_to(self, second: int) -> None:
        for passed in range(1, min(second - self._second, self.size) + 1):
            sums = self._sums[(self._second + passed) % self.size]
            self.calls -= sums[0]
            self.failed -= sums[1]
            self.slow -= sums[2]
            sums[:] = (0, 0, 0)
        self._second = second
