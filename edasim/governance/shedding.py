"""Load shedding: under overload some requests are dropped early, so that the others are answered in time.

Follows: K. Nichols and V. Jacobson, Controlled Delay Active Queue Management (RFC 8289) for `CoDel`; B. Maurer, Fail
at Scale (ACM Queue, 2015) for `ControlledDelay` and for newest-first service under overload (GV-33, GV-34); shares of
the capacity kept for the important, as in Google's Site Reliability Engineering, Handling Overload (criticality), for
`ByPriority`.

Left out: RED and its kin, and shedding by the users' quotas.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from .. import checks


@checks.configuration
class CoDel:
    """Drops at the head of the queue once the wait has been above `target_s` for a whole `interval_s`.

    Then the next drops follow after interval / sqrt(n), until a wait is below the target. Defaults of RFC 8289 for
    `interval_s` and `target_s`. While at most `spare` messages are left behind the head, nothing is dropped.

    >>> codel = CoDel().start()
    >>> [codel.drop(now_s, wait_s=0.02, waiting=9) for now_s in (0.0, 0.05, 0.1, 0.15, 0.2)]
    [False, False, True, False, True]
    """

    target_s: float = checks.positive(default=0.005)
    interval_s: float = checks.positive(default=0.1)
    spare: int = checks.at_least(0, default=1)

    def check(self) -> None:
        """A target above the interval could never be watched for an interval."""
        if self.target_s >= self.interval_s:
            raise checks.refuse("CoDel.target_s", self.target_s, f"give less than interval_s, {self.interval_s:g}")

    def start(self) -> ControlledQueue:
        """Not dropping."""
        return ControlledQueue(self)


class ControlledQueue:
    """Since when waits are too long, and when the next drop is due."""

    __slots__ = (
        "_first_above_s",
        "_last_count",
        "_next_s",
        "_unplanned",
        "configuration",
        "count",
        "dropped",
        "dropping",
    )

    def __init__(self, configuration: CoDel) -> None:
        self.configuration = configuration
        self.dropping = self._unplanned = False
        self.count = self.dropped = self._last_count = 0
        self._first_above_s = self._next_s = 0.0

    def drop(self, now_s: float, wait_s: float, waiting: int) -> bool:
        """Whether the message at the head is dropped: it waited `wait_s`, and `waiting` messages are left behind it."""
        interval_s = self.configuration.interval_s
        may_drop = self._too_long(now_s, wait_s, waiting)
        if self.dropping:
            self.dropping = may_drop
            if may_drop and self._unplanned:
                self._next_s += interval_s / math.sqrt(self.count)
            self._unplanned = may_drop and now_s >= self._next_s
            if not self._unplanned:
                return False
            self.count += 1
        elif may_drop:
            self.dropping = True
            since = self.count - self._last_count
            self.count = since if since > 1 and now_s - self._next_s < 16 * interval_s else 1
            self._next_s = now_s + interval_s / math.sqrt(self.count)
            self._last_count = self.count
        else:
            return False
        self.dropped += 1
        return True

    def _too_long(self, now_s: float, wait_s: float, waiting: int) -> bool:
        settings = self.configuration
        if wait_s < settings.target_s or waiting <= settings.spare:
            self._first_above_s = 0.0
            return False
        if self._first_above_s == 0.0:
            self._first_above_s = now_s + settings.interval_s
            return False
        return now_s >= self._first_above_s


@checks.configuration
class ControlledDelay:
    """How long a request may wait: `long_s`, but only `short_s` if the queue has not been empty for `long_s`.

    Serves newest first while the queue is in that state, if `newest_first` says so.

    >>> queue = ControlledDelay().start()
    >>> queue.longest_wait_s(now_s=0.0, waiting=0), queue.longest_wait_s(0.05, 3), queue.longest_wait_s(0.2, 3)
    (0.1, 0.1, 0.005)
    """

    short_s: float = checks.positive(default=0.005)
    long_s: float = checks.positive(default=0.1)
    newest_first: bool = checks.kind(bool, "True or False", default=True)

    def check(self) -> None:
        """The short wait is the shorter one."""
        if self.short_s > self.long_s:
            raise checks.refuse("ControlledDelay.short_s", self.short_s, f"give at most long_s, {self.long_s:g}")

    def start(self, now_s: float = 0.0) -> DelayedQueue:
        """An empty queue."""
        return DelayedQueue(self, now_s)


class DelayedQueue:
    """When the queue was last seen empty."""

    __slots__ = ("_empty_s", "configuration")

    def __init__(self, configuration: ControlledDelay, now_s: float) -> None:
        self.configuration = configuration
        self._empty_s = now_s

    def overloaded(self, now_s: float, waiting: int) -> bool:
        """Whether the queue has not been empty for `long_s`; `waiting` is its length now."""
        if waiting == 0:
            self._empty_s = now_s
        return now_s - self._empty_s > self.configuration.long_s

    def longest_wait_s(self, now_s: float, waiting: int) -> float:
        """Seconds after which a waiting request is dropped, as things stand."""
        settings = self.configuration
        return settings.short_s if self.overloaded(now_s, waiting) else settings.long_s

    def takes_newest(self, now_s: float, waiting: int) -> bool:
        """Whether the newest request is served next, and not the oldest."""
        return self.configuration.newest_first and self.overloaded(now_s, waiting)


def check_shares(field: str, value: Any) -> tuple[float, ...]:
    """Shares of the capacity from the most important priority down, none above the one before; for `checks.checked`."""
    if not isinstance(value, list | tuple) or not value:
        raise checks.refuse(field, value, "give a list of shares, the most important priority first")
    shares = tuple(checks.check_ratio(field, each) for each in value)
    if any(after > before for before, after in pairwise(shares)):
        raise checks.refuse(field, value, "give shares that fall from the most important priority down")
    return shares


@checks.configuration
class ByPriority:
    """Priority n (0 is the most important) is let in while less than its share of the capacity is in use.

    >>> shedding = ByPriority(shares=[1.0, 0.8, 0.5])
    >>> [shedding.allow(priority, used_ratio=0.6) for priority in (0, 1, 2)]
    [True, True, False]
    """

    shares: tuple[float, ...] = checks.checked(check_shares, default=(1.0, 0.9, 0.7, 0.5))

    def allow(self, priority: int, used_ratio: float) -> bool:
        """Whether a request of this priority is let in; a number beyond the list is the least important one."""
        return used_ratio < self.shares[min(max(priority, 0), len(self.shares) - 1)]
