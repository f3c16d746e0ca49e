"""The storm lab, a governance console: which protection lets a system recover from a fault that is over.

`scenarios.Storm` at half its usual size: a server of 50 calls per second, cut to 15 by a fault from 15 s on, over 60 s.
Clients wait 1 s for an answer and 1 s before they try again. Left out: choosing each protection's own settings; the
chapter's exercises do that.
"""

from __future__ import annotations

from typing import Any

from ..governance import Backoff, CircuitBreaker, Jitter, Retry, ShareOfFresh, Window
from ..kernel import Run
from ..scenarios import Storm
from ..scenarios.storm import CLIENT
from ..services.calls import Protections, QueueOrder, Stale, attempts_per_request, traffic
from ..viz import Picture, goodput_svg
from .controls import Choice, Slider
from .lab import Lab, Values
from .spread import Metric

CAPACITY_PER_S, FAULT_AT_S, ENDS_S, LATE_S = 50.0, 15.0, 60.0, 20.0
WAIT_S = 1.0
BUDGET = ShareOfFresh(ratio=0.1, reserve_per_s=0.0)
BREAKER = CircuitBreaker(window=Window.TIME, window_size=5, minimum_calls=20, open_s=2.0)
NONE, BUDGETED, BROKEN, DROPPING, NEWEST, ALL = (
    "none", "retry budget 10 %", "circuit breaker", "drop stale calls", "newest first", "all of them",
)  # fmt: skip


def storm(values: Values) -> Storm:
    """The scenario that the controls describe."""
    chosen, retries = values["protection"], int(values["retries"])
    backoff = Backoff(first_wait_s=WAIT_S, factor=1.0, jitter=Jitter.NONE)
    retry = Retry(attempts=1 + retries, backoff=backoff) if retries else None
    protections = Protections(
        timeout_s=WAIT_S,
        retry=retry,
        budget=BUDGET if retry is not None and chosen in {BUDGETED, ALL} else None,
        breaker=BREAKER if chosen in {BROKEN, ALL} else None,
    )
    return Storm(
        requests_per_s=values["requests_per_s"],
        capacity_per_s=CAPACITY_PER_S,
        fault_capacity_per_s=0.3 * CAPACITY_PER_S,
        fault_at_s=FAULT_AT_S,
        fault_s=float(values["fault_s"]),
        protections=protections,
        stale=Stale.DROPPED if chosen in {DROPPING, ALL} else Stale.SERVED,
        order=QueueOrder.NEWEST_FIRST if chosen in {NEWEST, ALL} else QueueOrder.OLDEST_FIRST,
    )


def simulate(values: Values, seed: int) -> Run:
    """One run of 60 s."""
    return storm(values).run(seed=seed, until_s=ENDS_S)


def picture(run: Run, pinned: Run | None) -> Picture:
    """Goodput, throughput, attempts, queue and breaker; a pinned run in grey."""
    return goodput_svg(run, CLIENT, pinned)


def late_goodput_per_s(run: Any) -> float:
    """Requests answered in time, per second, in the last 20 s: long after the fault."""
    return traffic(run, CLIENT).mean("goodput_per_s", ENDS_S - LATE_S, ENDS_S)


LAB = Lab(
    title="Which protection lets the system recover?",
    controls=(
        Slider(
            name="requests_per_s", low=10.0, high=48.0, step=1.0, default=30.0, unit="per second", label="requests",
            question="The server can do 50. From which load on does it stay down?",
        ),
        Slider(
            name="retries", low=0, high=4, step=1, default=3, unit="retries", label="retries",
            question="How many does it take to kill a system that is healthy again?",
        ),
        Slider(
            name="fault_s", low=0, high=20, step=1, default=10, unit="s", label="fault lasts",
            question="How short must the fault be for the system to survive it without protection?",
        ),
        Choice(
            name="protection", options=(NONE, BUDGETED, BROKEN, DROPPING, NEWEST, ALL), default=NONE,
            label="protection", question="Which one alone is enough at 30 requests per second, which at 45?",
        ),
    ),
    simulate=simulate,
    picture=picture,
    metrics=(
        Metric(label="goodput in the last 20 s", unit="per s", measure=late_goodput_per_s),
        Metric(label="attempts per request", unit="", measure=lambda run: attempts_per_request(run, CLIENT)),
    ),
)  # fmt: skip
