"""The sliding windows in which a circuit breaker counts: the last calls, or the calls of the last seconds.

Follows: Resilience4j 2.x, `FixedSizeSlidingWindowMetrics` (a ring of the last N calls) and `SlidingTimeWindowMetrics`
(N partial sums, one for each second of the clock; a sum leaves as a whole when its second is N seconds old). Both
answer in constant time whatever the window's size. Left out: the mean duration of the calls in the window.
"""

from __future__ import annotations

import itertools
from typing import Protocol


class CallWindow(Protocol):
    """Counts of the calls in a window: how many, how many failed, how many were slow."""

    calls: int
    failed: int
    slow: int

    def record(self, now_s: float, failed: bool, slow: bool) -> None:
        """Counts a call that ended at `now_s`, and forgets what has left the window."""


EMPTY = 4
"""What a place of the ring holds before its first call; a call is 1 if it failed, plus 2 if it was slow."""


class LastCalls:
    """The last `size` calls.

    `ring` holds their kinds, and `places` gives the place of the next one, over and over; see `put`.
    """

    __slots__ = ("calls", "failed", "places", "ring", "size", "slow")

    def __init__(self, size: int) -> None:
        self.size = size
        self.calls = self.failed = self.slow = 0
        self.ring = bytearray([EMPTY]) * size
        self.places = itertools.cycle(range(size))

    def record(self, now_s: float, failed: bool, slow: bool) -> None:
        """Counts a call, in place of the oldest if the window is full."""
        self.put(next(self.places), failed + 2 * slow)

    def put(self, place: int, kind: int) -> None:
        """Counts a call in the next of the `places`; where there was one of its kind, this would change nothing."""
        oldest, self.ring[place] = self.ring[place], kind
        if oldest == EMPTY:
            self.calls += 1
            oldest = 0
        self.failed += (kind & 1) - (oldest & 1)
        self.slow += (kind >> 1) - (oldest >> 1)


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
