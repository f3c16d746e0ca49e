"""What a client's requests came to over time: goodput, throughput, attempts, refusals, from the rows of the log.

Goodput counts requests that were answered in time and in full (degraded answers apart); throughput counts work that a
server finished, wanted or not (RP-09). Left out: latency quantiles, which `Run.summary` tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import checks
from ...errors import UnknownNameError
from ...kernel import Run
from ...kernel.deliveries import Deliveries, Floats
from ...kernel.runlog import DONE

REQUESTS = "requests"
PROTECTIONS = ("rate limiter", "circuit breaker", "concurrency limit", "no endpoint")
"""The consumers of attempts that a client's own protection refused, or that found nobody to call."""
DEGRADED = "degraded"
"""The consumer of requests that a fallback answered."""


@dataclass(frozen=True)
class Traffic:
    """Events per second in steps of `every_s`; `starts_s` are the beginnings of the steps in simulated seconds."""

    every_s: float
    starts_s: Floats
    asked_per_s: Floats
    goodput_per_s: Floats
    throughput_per_s: Floats
    attempts_per_s: Floats
    refused_per_s: Floats
    degraded_per_s: Floats

    def mean(self, column: str, from_s: float, until_s: float) -> float:
        """The mean of a column over whole steps between two instants, per second."""
        chosen = (self.starts_s >= from_s) & (self.starts_s + self.every_s <= until_s + 1e-9)
        if not chosen.any():
            raise checks.refuse("until_s", until_s, f"leave at least one step of {self.every_s:g} s after from_s")
        return float(getattr(self, column)[chosen].mean())


def traffic(run: Run, client: str, *, every_s: float = 1.0, within_s: float | None = None) -> Traffic:
    """The traffic of a client. `within_s`: an answer that takes longer (from the asking on) is no goodput."""
    checks.check_positive("every_s", every_s)
    run.require_rows("the traffic of a client")
    edges = np.arange(0.0, run.ended_s + every_s / 2, every_s)

    def per_s(times_s: Floats) -> Floats:
        return np.histogram(times_s[~np.isnan(times_s)], bins=edges)[0] / every_s

    requests, attempts = rows_of(run, client)
    fell_back = np.isin(requests.consumer, [run.consumers.index(name) for name in (DEGRADED,) if name in run.consumers])
    answered = requests.rows((requests.outcome == DONE) & ~fell_back)
    if within_s is not None:
        answered = answered.rows(answered.finished_s - answered.started_s <= within_s)
    refused = np.isin(attempts.consumer, [run.consumers.index(name) for name in PROTECTIONS if name in run.consumers])
    sent = attempts.rows(~refused)
    return Traffic(
        every_s=every_s,
        starts_s=edges[:-1],
        asked_per_s=per_s(requests.started_s),
        goodput_per_s=per_s(answered.finished_s),
        throughput_per_s=per_s(sent.finished_s[~np.isnan(sent.started_s)]),
        attempts_per_s=per_s(sent.enqueued_s),
        refused_per_s=per_s(attempts.finished_s[refused]),
        degraded_per_s=per_s(requests.finished_s[fell_back]),
    )


def rows_of(run: Run, client: str) -> tuple[Deliveries, Deliveries]:
    """A client's requests, and its attempts, as columns; `UnknownNameError` if no client has this name."""
    lanes = run.lanes
    asked = np.array([(lane.destination, lane.group) == (client, REQUESTS) for lane in lanes], dtype=np.bool_)
    tried = np.array([lane.broker == "calls" and lane.group == client for lane in lanes], dtype=np.bool_)
    if not asked.any():
        known = [lane.destination for lane in lanes if lane.broker == "calls" and lane.group == REQUESTS]
        raise UnknownNameError("client", client, known)
    rows = run.deliveries
    return rows.rows(asked[rows.lane]), rows.rows(tried[rows.lane])


def attempts_per_request(run: Run, client: str) -> float:
    """Attempts that were sent for each request, by which the load is amplified; NaN if nothing was asked."""
    requests, attempts = rows_of(run, client)
    refused = np.isin(attempts.consumer, [run.consumers.index(name) for name in PROTECTIONS if name in run.consumers])
    return float((~refused).sum() / len(requests)) if len(requests) else float("nan")
