"""The protections of a client as one frozen configuration: which of them it has, in the order in which it asks them.

An attempt passes the rate limiter, then the circuit breaker, then the concurrency limit, and is sent to the instance
that balancing picks among those that `discovery` takes for well. It is given up after `timeout_s`. A failed attempt is
tried again as `retry` says, or a second copy is sent as `hedge` says, if `budget` has something left. A request that
failed for good may have a degraded answer from `degradation`. Nothing begins after the request's deadline, `deadline_s`
after it was asked. What is None is not there; the default is a client without any protection. Left out: protections
that several clients share.
"""

from __future__ import annotations

from typing import get_args

from ... import checks
from ...governance.balancing import Balancing, RoundRobin
from ...governance.breaker import CircuitBreaker
from ...governance.budget import Budget
from ...governance.concurrency import ConcurrencyLimit
from ...governance.fallback import Degradation
from ...governance.hedging import Hedge
from ...governance.limiter import RateLimiter
from ...governance.retry import Retry
from .discovery import Discovery


def _optional(kinds: type | tuple[type, ...], what: str) -> checks.Check:
    return checks.check_optional(checks.check_kind(kinds, what))


_LIMITER = _optional(get_args(RateLimiter), "a rate limiter, such as TokenBucket(…)")
_BREAKER = _optional(CircuitBreaker, "a CircuitBreaker(…)")
_CONCURRENCY = _optional(get_args(ConcurrencyLimit), "a concurrency limit, such as Bulkhead(…)")
_RETRY = _optional(Retry, "a Retry(…)")
_HEDGE = _optional(Hedge, "a Hedge(…)")
_DEGRADATION = _optional(Degradation, "a Degradation(…)")
_DISCOVERY = _optional(Discovery, "a Discovery(…)")
_BUDGET = _optional(get_args(Budget), "a retry budget, such as ShareOfActive(…)")


@checks.configuration
class Protections:
    """What stands between a client and its server; times in seconds.

    >>> careful = Protections(timeout_s=1.0, retry=Retry(attempts=2))
    >>> careful.names
    ('timeout', 'retry')
    """

    limiter: RateLimiter | None = checks.checked(_LIMITER, default=None)
    breaker: CircuitBreaker | None = checks.checked(_BREAKER, default=None)
    concurrency: ConcurrencyLimit | None = checks.checked(_CONCURRENCY, default=None)
    balancing: Balancing = checks.kind(Balancing, "a balancing policy, such as RoundRobin()", default=RoundRobin())
    timeout_s: float | None = checks.optional(checks.check_positive, default=None)
    deadline_s: float | None = checks.optional(checks.check_positive, default=None)
    retry: Retry | None = checks.checked(_RETRY, default=None)
    budget: Budget | None = checks.checked(_BUDGET, default=None)
    hedge: Hedge | None = checks.checked(_HEDGE, default=None)
    degradation: Degradation | None = checks.checked(_DEGRADATION, default=None)
    discovery: Discovery | None = checks.checked(_DISCOVERY, default=None)

    def check(self) -> None:
        """A budget needs retries or copies, which exclude each other (A6); a timeout ends before the deadline."""
        if self.budget is not None and self.retry is None and self.hedge is None:
            raise checks.refuse("Protections.budget", self.budget, "give retry=Retry(…) as well, or no budget")
        if self.hedge is not None and self.retry is not None:
            raise checks.refuse("Protections.hedge", self.hedge, "give either retry=… or hedge=…")
        if self.timeout_s is not None and self.deadline_s is not None and self.timeout_s > self.deadline_s:
            raise checks.refuse(
                "Protections.timeout_s", self.timeout_s, f"give at most deadline_s, {self.deadline_s:g}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The protections that are there, in words."""
        words = {
            "rate limiter": self.limiter,
            "circuit breaker": self.breaker,
            "concurrency limit": self.concurrency,
            "timeout": self.timeout_s,
            "deadline": self.deadline_s,
            "retry": self.retry,
            "budget": self.budget,
            "hedge": self.hedge,
            "degradation": self.degradation,
            "discovery": self.discovery,
        }
        return tuple(word for word, there in words.items() if there is not None)


UNPROTECTED = Protections()
