"""What is simulated: queues whose long-run mean is known, so that a fast program cannot be a wrong one unnoticed.

W1 and W2 are M/M/1 and M/M/8, W4 is W1 with a server that breaks down. W3 is a log of 12 partitions, read by groups of
12, 6 and 3 members; member m of M reads the partitions p with p mod M = m, in the order in which their records came, so
each member is an M/M/1 queue. All start empty, serve first come first served, run until the last message is done, and
keep the time of each delivery. The theory of W4 is M/G/1 with a set-up (Welch 1964): a service lasts a completion time
with its repairs, and who comes to an empty system may have to sit one out.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from edasim import theory

if TYPE_CHECKING:
    import simpy

SERVICE_S = 1.0
MEAN_UP_S = 60.0
REPAIR_S = 5.0


@dataclass(frozen=True)
class Workload:
    """Poisson arrivals at `arrival_per_s` to `servers` servers with exponential services, of mean 1 s in W1, W2, W4."""

    name: str
    title: str
    arrival_per_s: float
    servers: int
    measured: str
    """What is kept of each message: its "wait" or its "response" (wait and all attempts)."""
    mean_s: float
    breaks_down: bool = False
    has_ticker: bool = False
    groups: tuple[int, ...] = ()
    """The members of each group, if the messages go into a log of partitions."""
    is_governed: bool = False
    """Requests under policies, for whose mean response there is no theory (`mean_s` is NaN)."""

    @property
    def deliveries_per_message(self) -> int:
        """A log is read by every group."""
        return len(self.groups) or 1

    def horizon_s(self, messages: int) -> float:
        """When breakdowns end, so that the system drains: the mean instant of the last arrival."""
        return messages / self.arrival_per_s


@dataclass
class Kept:
    """What a program kept of a run: a time for each message (seconds), and counts made where things happen."""

    times_s: list[float]
    deliveries: int
    interruptions: int = 0
    up_s: float = 0.0
    down_s: float = 0.0
    out_of_order: int = 0
    """Deliveries of a group that came before those of earlier offsets of their partition, or left some out."""
    counts: dict[str, int] = field(default_factory=dict)
    """Where there is no theory: what happened how often."""


PARTITIONS = 12
KEYS = 10_000
MEMBER_LOAD = 0.75
COMMIT_EVERY_S = 0.5
"""What a member has read it commits at its first poll after so long: some hundred records each time."""


@cache
def key_weights() -> list[float]:
    """How often each key comes up, relative to the first one; key k goes to partition k mod 12."""
    return [1.0 / (key + 1) for key in range(KEYS)]


@cache
def member_rates_per_s(workload: Workload, members: int) -> list[float]:
    """How many records a second come to each member of a group; it can serve a third more."""
    weights = key_weights()
    shares = [math.fsum(weights[member::members]) / math.fsum(weights) for member in range(members)]
    return [workload.arrival_per_s * share for share in shares]


def ticker(env: simpy.Environment, ticks: int, period_s: float) -> Generator[simpy.Event, Any, None]:
    """A foreign process that acts as often as messages come; the same one runs beside SimPy's model and edasim's."""
    for _ in range(ticks):
        yield env.timeout(period_s)


def mean_response_with_repairs_s(arrival_per_s: float, service_s: float, up_s: float, repair_s: float) -> float:
    """The mean response of M/M/1 whose server fails after exponential times up, and is repaired in a fixed time.

    It may fail while idle, too. An interrupted service is redrawn, which changes nothing: the rest of an exponential
    time is distributed as a fresh one.
    """
    completion_s = service_s * (1.0 + repair_s / up_s)
    completion_2 = 2.0 * completion_s**2 + service_s * repair_s**2 / up_s
    none_comes = math.exp(-arrival_per_s * repair_s)
    fails_first = (1.0 / up_s) / (1.0 / up_s + arrival_per_s)
    repairs = fails_first / (1.0 - fails_first * none_comes)
    left_s = repairs * (repair_s - (1.0 - none_comes) / arrival_per_s)
    left_2 = repairs * (repair_s**2 - 2.0 * repair_s / arrival_per_s + 2.0 * (1.0 - none_comes) / arrival_per_s**2)
    queueing_s = arrival_per_s * completion_2 / (2.0 * (1.0 - arrival_per_s * completion_s))
    set_up_s = (2.0 * left_s + arrival_per_s * left_2) / (2.0 * (1.0 + arrival_per_s * left_s))
    return completion_s + queueing_s + set_up_s


def availability_error(watched_s: float) -> float:
    """The standard error of the share of time up, watched for so long; only the times up are random."""
    return math.sqrt((REPAIR_S * MEAN_UP_S) ** 2 / ((MEAN_UP_S + REPAIR_S) ** 3 * watched_s))


AVAILABILITY = MEAN_UP_S / (MEAN_UP_S + REPAIR_S)

W1 = Workload("W1", "M/M/1, load 0.8", 0.8, 1, "wait", theory.mm1(0.8, 1.0).mean_wait_s)
W1_TICKER = Workload(
    "W1 + process", "W1 beside a SimPy process that acts at every message", 0.8, 1, "wait", W1.mean_s, has_ticker=True
)
W2 = Workload("W2", "M/M/8, load 0.9", 7.2, 8, "wait", theory.mmc(7.2, 1.0, 8).mean_wait_s)
W4 = Workload(
    "W4",
    "W1, the server up for 60 s (exponential) and down for 5 s",
    0.8,
    1,
    "response",
    mean_response_with_repairs_s(0.8, SERVICE_S, MEAN_UP_S, REPAIR_S),
    breaks_down=True,
)
W3_GROUPS = (12, 6, 3)
W3 = Workload(
    "W3",
    "a log of 12 partitions, read by groups of 12, 6 and 3 members",
    1200.0,
    1,
    "response",
    # A member is M/M/1 with a mean response of 3 / its rate; weighted by the rates, a group's mean is 3 M / 1200.
    sum(members * MEMBER_LOAD / (1.0 - MEMBER_LOAD) / 1200.0 for members in W3_GROUPS) / len(W3_GROUPS),
    groups=W3_GROUPS,
)
W5 = Workload("W5", "requests under limiter, breaker and retries", 200.0, 8, "response", math.nan, is_governed=True)
WORKLOADS = {workload.name: workload for workload in (W1, W1_TICKER, W2, W3, W4, W5)}
