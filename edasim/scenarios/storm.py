"""The storm: a server that is slow for a while, and clients whose retries may keep it busy for ever (RP-01).

One server of `capacity_per_s` (one worker, exponential service times, a queue of at most `room`), clients that give up
after `timeout_s`, and a fault: from `fault_at_s` on, for `fault_s`, it does only `fault_capacity_per_s`. What the
clients do about an attempt without an answer is in `protections`, what the server does for callers who have gone in
`stale`. The same without chance is `theory.RetryStorm`. Left out: several servers, connections.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .. import checks
from ..governance import Backoff, Failure, Jitter, ShareOfFresh
from ..kernel import Run, Simulation, times
from ..kernel.deliveries import Floats
from ..kernel.runlog import DONE
from ..services import Source, load
from ..services.arrivals import check_arrivals
from ..services.calls import Client, Protections, QueueOrder, Server, Stale, traffic
from ..services.calls.measures import DEGRADED, rows_of
from ..theory import RetryStorm
from .base import Scenario

CLIENT, SERVER = "shop", "api"


@checks.configuration
class Storm(Scenario):
    """Requests per second against a capacity per second; times in simulated seconds.

    `arrivals`, such as `load.Steps(…)`, come instead of a Poisson process of `requests_per_s`. `room` bounds the
    server's queue (None: endless).

    >>> from edasim.services.calls import traffic
    >>> run = Storm(requests_per_s=60.0).run(seed=1, until_s=100.0)
    >>> 55 < traffic(run, "shop").mean("goodput_per_s", 60.0, 100.0) < 65
    True
    """

    requests_per_s: float = checks.positive(default=60.0)
    capacity_per_s: float = checks.positive(default=100.0)
    fault_capacity_per_s: float = checks.positive(default=30.0)
    fault_at_s: float = checks.non_negative(default=20.0)
    fault_s: float = checks.non_negative(default=10.0)
    protections: Protections = checks.kind(Protections, "Protections(…)", default=Protections(timeout_s=1.0))
    stale: Stale = checks.word(Stale, default=Stale.SERVED)
    order: QueueOrder = checks.word(QueueOrder, default=QueueOrder.OLDEST_FIRST)
    arrivals: load.Arrivals | None = checks.optional(check_arrivals, default=None)
    room: int | None = checks.optional(checks.check_whole(0), default=None)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The server "api", its client "shop", the source "users", and the fault if it lasts at all."""
        service_time = times.Exponential(mean_s=1.0 / self.capacity_per_s)
        server = Server(SERVER, sim=sim, service_time=service_time, room=self.room, stale=self.stale, order=self.order)
        client = Client(CLIENT, of=server, protections=self.protections)
        Source("users", load=self.arrivals or load.Poisson(rate_per_s=self.requests_per_s), to=client)
        if self.fault_s > 0.0:
            instance = sim.node(f"{SERVER}/0")
            factor = self.capacity_per_s / self.fault_capacity_per_s
            sim.at(self.fault_at_s, lambda: instance.slow(factor))
            sim.at(self.fault_at_s + self.fault_s, lambda: instance.slow(1.0))
        return {"server": server, "client": client}

    def recurrence(self) -> RetryStorm | None:
        """The same storm without chance; None where the recurrence does not have what this storm has.

        It has time-outs, retries a constant wait apart and a budget of deposits, at a server that serves the oldest
        first and everybody, wanted or not.
        """
        protects = self.protections
        retry, budget = protects.retry, protects.budget
        if self.stale is not Stale.SERVED or self.order is not QueueOrder.OLDEST_FIRST or self.arrivals is not None:
            return None
        if protects.timeout_s is None or set(protects.names) - {"timeout", "retry", "budget"}:
            return None
        if retry is not None and not (_is_constant(retry.backoff) and Failure.TIMEOUT in retry.retry_on):
            return None
        if budget is not None and not (isinstance(budget, ShareOfFresh) and budget.reserve_per_s == 0.0):
            return None
        return RetryStorm(
            requests_per_s=self.requests_per_s,
            capacity_per_s=self.capacity_per_s,
            fault_capacity_per_s=self.fault_capacity_per_s,
            fault_at_s=self.fault_at_s,
            fault_s=self.fault_s,
            timeout_s=protects.timeout_s,
            retries=0 if retry is None else retry.attempts - 1,
            wait_s=0.0 if retry is None else retry.backoff.wait_s(1),
            budget_ratio=None if budget is None else budget.ratio,
            budget_kept_s=None if budget is None else budget.ttl_s,
            room=self.room or None,
            step_s=min(0.1, protects.timeout_s / 4),
        )


def _is_constant(backoff: Backoff) -> bool:
    return backoff.jitter is Jitter.NONE and (backoff.factor == 1.0 or backoff.first_wait_s == backoff.cap_s)


@checks.configuration
class Goodput:
    """A metric: requests of the storm's client that were answered in time, per second, between two instants."""

    from_s: float = checks.non_negative()
    until_s: float = checks.positive()
    needs_rows = True

    def __call__(self, run: Run) -> float:
        """Answers per second."""
        return traffic(run, CLIENT).mean("goodput_per_s", self.from_s, self.until_s)


@checks.configuration
class AnsweredShare:
    """A metric: which share of the requests between two instants was answered in time and in full; NaN if none was.

    A request counts where it was asked, so what is still open or was given up is not answered.
    """

    from_s: float = checks.non_negative()
    until_s: float = checks.positive()
    needs_rows = True

    def __call__(self, run: Run) -> float:
        """Answered requests over all requests."""
        asked_s, answered = _requests(run)
        chosen = answered[(asked_s >= self.from_s) & (asked_s < self.until_s)]
        return float(chosen.mean()) if len(chosen) else float("nan")


@lru_cache(maxsize=1)  # a ramp asks one run for the share at each of its steps
def _requests(run: Run) -> tuple[Floats, np.ndarray[Any, np.dtype[np.bool_]]]:
    """When each request of the client was asked, and whether it was answered in time and in full."""
    requests, _ = rows_of(run, CLIENT)
    degraded = [place for place, name in enumerate(run.consumers) if name == DEGRADED]
    return requests.started_s, (requests.outcome == DONE) & ~np.isin(requests.consumer, degraded)
