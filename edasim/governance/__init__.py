"""Service governance as pure policies: discovery, health, balancing, breakers, retries, limits, shedding, fallbacks.

A policy is a frozen configuration with the parameters and defaults of a product; `.start(…)` gives a small state that
is asked and told, with the simulated time and random numbers as arguments. Its answers depend on these alone, so the
same object can be tested without a simulation, plotted in a notebook, and drive the calls of a simulated client.

Rules: docs/rules/governance.csv. Left out here: acting. Who sends, waits, cancels and notes facts is the client.
"""

from __future__ import annotations

from .balancing import (
    Balancer,
    Balancing,
    LeastRequests,
    PowerOfChoices,
    Random,
    RoundRobin,
    mean_response,
)
from .breaker import HYSTRIX, Circuit, CircuitBreaker, State, Window
from .budget import Budget, BudgetState, RetryThrottle, ShareOfActive, ShareOfFresh
from .concurrency import Aimd, Bulkhead, ConcurrencyLimit, ConcurrencyState, Gradient
from .deadlines import Deadline, Timeout
from .endpoints import Endpoint, eligible
from .failures import Failure
from .fallback import Answers, Degradation, Fallback
from .formats import Loaded, Note, load, load_text
from .hashing import ConsistentHash
from .health import Container, Probe, Probes, Purpose, Reaction, Verdict
from .hedging import Hedge, delay_from
from .limiter import (
    FixedWindow,
    LeakyBucket,
    LimiterState,
    PermitsPerPeriod,
    RateLimiter,
    SlidingCounter,
    SlidingLog,
    TokenBucket,
)
from .locality import ByLocality
from .outliers import Ejections, OutlierDetection
from .pressure import Credits, Watermarks
from .registry import Leases, Registry, View
from .retry import NO_RETRY, RETRYABLE, Backoff, Jitter, Retry, amplification
from .shedding import ByPriority, CoDel, ControlledDelay

__all__ = [
    "HYSTRIX",
    "NO_RETRY",
    "RETRYABLE",
    "Aimd",
    "Answers",
    "Backoff",
    "Balancer",
    "Balancing",
    "Budget",
    "BudgetState",
    "Bulkhead",
    "ByLocality",
    "ByPriority",
    "Circuit",
    "CircuitBreaker",
    "CoDel",
    "ConcurrencyLimit",
    "ConcurrencyState",
    "ConsistentHash",
    "Container",
    "ControlledDelay",
    "Credits",
    "Deadline",
    "Degradation",
    "Ejections",
    "Endpoint",
    "Failure",
    "Fallback",
    "FixedWindow",
    "Gradient",
    "Hedge",
    "Jitter",
    "LeakyBucket",
    "Leases",
    "LeastRequests",
    "LimiterState",
    "Loaded",
    "Note",
    "OutlierDetection",
    "PermitsPerPeriod",
    "PowerOfChoices",
    "Probe",
    "Probes",
    "Purpose",
    "Random",
    "RateLimiter",
    "Reaction",
    "Registry",
    "Retry",
    "RetryThrottle",
    "RoundRobin",
    "ShareOfActive",
    "ShareOfFresh",
    "SlidingCounter",
    "SlidingLog",
    "State",
    "Timeout",
    "TokenBucket",
    "Verdict",
    "View",
    "Watermarks",
    "Window",
    "amplification",
    "delay_from",
    "eligible",
    "load",
    "load_text",
    "mean_response",
]
