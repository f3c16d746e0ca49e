"""Retry budgets: how much all retries together may add to the load, whatever each single call would like.

Follows three products. `ShareOfActive`: Envoy's `retry_budget` (retries under way are at most a share of the requests
under way, but at least `minimum` may be, GV-22). `RetryThrottle`: gRPC's retry throttling (A6, GV-22): tokens fall
with each failure, rise slowly with each success, and above half of them retries are made. `ShareOfFresh`: Finagle's
RetryBudget (each fresh request deposits a share of a retry that is worth `ttl_s`), which holds amplification below 1
+ its ratio (GV-21).

All three started states are used alike: `request` when a fresh request begins, `allow` when a retry is wanted, `done`
when an attempt ended, `release` instead when that says nothing about the callee (the client itself refused it). Left
out: budgets shared over several clients.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol, TypeAlias

from .. import checks

ROUNDING = 1e-9
"""A share of a whole number that misses a whole number by less than this is that number: 0.29 * 100 is
28.999999999999996."""


class BudgetState(Protocol):
    """What a client asks and tells; times are simulated seconds."""

    def request(self, now_s: float) -> None:
        """A fresh request begins."""

    def allow(self, now_s: float) -> bool:
        """Whether a retry may be made; a yes takes what it costs."""

    def done(self, now_s: float, ok: bool, retried: bool = False) -> None:
        """An attempt ended, well or not; `retried` says that it was allowed as a retry."""

    def release(self, now_s: float, retried: bool = False) -> None:
        """An attempt ended that says nothing about the callee: it was not sent, or cannot be retried."""


@checks.configuration
class ShareOfActive:
    """Retries under way are at most `ratio` of all requests under way, or `minimum` if that is more; Envoy's defaults.

    >>> budget = ShareOfActive(ratio=0.2, minimum=1).start()
    >>> for _ in range(5):
    ...     budget.request(now_s=0.0)
    >>> budget.allow(now_s=0.0), budget.allow(now_s=0.0)
    (True, False)
    """

    ratio: float = checks.ratio(default=0.2)
    minimum: int = checks.at_least(0, default=3)

    def start(self) -> ActiveRetries:
        """No request under way."""
        return ActiveRetries(self)


class ActiveRetries:
    """How many attempts are under way, and how many of them are retries (waiting for their turn included)."""

    __slots__ = ("_minimum", "_ratio", "active", "refused", "retries")

    def __init__(self, configuration: ShareOfActive) -> None:
        self._ratio, self._minimum = configuration.ratio, configuration.minimum
        self.active = self.retries = self.refused = 0

    def request(self, now_s: float) -> None:
        """A fresh request begins."""
        self.active += 1

    def allow(self, now_s: float) -> bool:
        """Whether a retry may be made; it counts as under way from now on."""
        if self.retries < max(self._minimum, int(self._ratio * self.active + ROUNDING)):
            self.retries += 1
            self.active += 1
            return True
        self.refused += 1
        return False

    def done(self, now_s: float, ok: bool, retried: bool = False) -> None:
        """An attempt is no longer under way."""
        self.active -= 1
        self.retries -= retried

    def release(self, now_s: float, retried: bool = False) -> None:
        """An attempt is no longer under way, whatever came of it."""
        self.done(now_s, ok=False, retried=retried)


@checks.configuration
class RetryThrottle:
    """`max_tokens` fall by 1 with each failure and rise by `token_ratio` with each success; retries need more than
    half.

    >>> throttle = RetryThrottle(max_tokens=4.0, token_ratio=0.5).start()
    >>> for _ in range(2):
    ...     throttle.done(now_s=0.0, ok=False)
    >>> throttle.allow(now_s=0.0)
    False
    """

    max_tokens: float = checks.positive(default=10.0)
    token_ratio: float = checks.positive(default=0.1)

    def start(self) -> Throttle:
        """All tokens there."""
        return Throttle(self)


class Throttle:
    """The tokens of a client; `tokens` tells how many there are."""

    __slots__ = ("_max_milli", "_milli", "_milli_ratio", "refused")

    def __init__(self, configuration: RetryThrottle) -> None:
        self._milli = self._max_milli = int(configuration.max_tokens * 1000 + ROUNDING)
        self._milli_ratio = int(configuration.token_ratio * 1000 + ROUNDING)
        self.refused = 0

    @property
    def tokens(self) -> float:
        """How many tokens there are; they are kept in thousandths."""
        return self._milli / 1000

    def request(self, now_s: float) -> None:
        """Fresh requests cost nothing."""

    def allow(self, now_s: float) -> bool:
        """Whether there are more than half of the tokens."""
        if 2 * self._milli > self._max_milli:
            return True
        self.refused += 1
        return False

    def done(self, now_s: float, ok: bool, retried: bool = False) -> None:
        """Tokens rise or fall."""
        milli = self._milli + self._milli_ratio if ok else self._milli - 1000
        self._milli = max(0, min(self._max_milli, milli))

    def release(self, now_s: float, retried: bool = False) -> None:
        """What says nothing about the callee costs no token (A6)."""


@checks.configuration
class ShareOfFresh:
    """Each fresh request deposits `ratio` of a retry, worth `ttl_s` seconds; `reserve_per_s` retries come on top.

    >>> budget = ShareOfFresh(ratio=0.5, reserve_per_s=0.0).start()
    >>> for _ in range(2):
    ...     budget.request(now_s=0.0)
    >>> budget.allow(now_s=1.0), budget.allow(now_s=1.0)
    (True, False)
    """

    ratio: float = checks.non_negative(default=0.2)
    reserve_per_s: float = checks.non_negative(default=10.0)
    ttl_s: float = checks.positive(default=10.0)

    def start(self, now_s: float = 0.0) -> Deposits:
        """Nothing deposited, the reserve there."""
        return Deposits(self)


class Deposits:
    """What was deposited and not yet spent or expired."""

    __slots__ = ("_deposited", "_spent", "configuration", "refused")

    def __init__(self, configuration: ShareOfFresh) -> None:
        self.configuration = configuration
        self.refused = 0
        self._deposited: deque[float] = deque()
        self._spent: deque[float] = deque()

    def balance(self, now_s: float) -> float:
        """How many retries may be made now: deposits and reserve of the last `ttl_s`, without what was spent in it."""
        settings = self.configuration
        for times in (self._deposited, self._spent):
            while times and times[0] <= now_s - settings.ttl_s:
                times.popleft()
        reserve = settings.reserve_per_s * settings.ttl_s
        return settings.ratio * len(self._deposited) + reserve - len(self._spent)

    def request(self, now_s: float) -> None:
        """A fresh request deposits its share."""
        self._deposited.append(now_s)

    def allow(self, now_s: float) -> bool:
        """Whether a whole retry is left; a yes spends it."""
        if self.balance(now_s) + ROUNDING >= 1.0:
            self._spent.append(now_s)
            return True
        self.refused += 1
        return False

    def done(self, now_s: float, ok: bool, retried: bool = False) -> None:
        """How attempts end does not matter here."""

    def release(self, now_s: float, retried: bool = False) -> None:
        """Nor does this."""


Budget: TypeAlias = ShareOfActive | RetryThrottle | ShareOfFresh
"""The configurations of budgets."""
