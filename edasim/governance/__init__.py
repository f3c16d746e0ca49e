"""Service governance as pure policies: discovery, health, balancing, breakers, retries, limits, shedding, fallbacks.

A policy is a frozen configuration with the parameters and defaults of a product; `.start(…)` gives a small state that
is asked and told, with the simulated time and random numbers as arguments. Its answers depend on these alone, so the
same object can be tested without a simulation, plotted in a notebook, and drive the calls of a simulated client.

Rules: docs/rules/governance.csv. Left out here: acting. Who sends, waits, cancels and notes facts is the client.
"""

from __future__ import annotations

from .balancing import Balancer, Balancing, LeastRequests, PowerOfChoices, Random, RoundRobin
from .breaker import Circuit, CircuitBreaker, State, Window
from .budget import Budget, BudgetState, RetryThrottle, ShareOfActive, ShareOfFresh
from .concurrency import Bulkhead
from .endpoints import Endpoint, eligible
from .failures import Failure
from .limiter import (
    FixedWindow,
    LeakyBucket,
    PermitsPerPeriod,
    RateLimiter,
    SlidingCounter,
    SlidingLog,
    TokenBucket,
)
from .retry import NO_RETRY, RETRYABLE, Backoff, Jitter, Retry

__all__ = [
    "NO_RETRY",
    "RETRYABLE",
    "Backoff",
    "Balancer",
    "Balancing",
    "Budget",
    "BudgetState",
    "Bulkhead",
    "Circuit",
    "CircuitBreaker",
    "Endpoint",
    "Failure",
    "FixedWindow",
    "Jitter",
    "LeakyBucket",
    "LeastRequests",
    "PermitsPerPeriod",
    "PowerOfChoices",
    "Random",
    "RateLimiter",
    "Retry",
    "RetryThrottle",
    "RoundRobin",
    "ShareOfActive",
    "ShareOfFresh",
    "SlidingCounter",
    "SlidingLog",
    "State",
    "TokenBucket",
    "Window",
    "eligible",
]
