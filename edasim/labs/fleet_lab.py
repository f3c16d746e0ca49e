"""The fleet lab: how soon a client notices that an instance is down or slow, and what noticing costs.

`scenarios.Fleet`, five instances with 12 requests per second, over 90 s; the first has its trouble from 20 s to 70 s,
or the database behind all of them, which one request in ten needs. The panic mode is off unless the control says
otherwise. Left out: leases; the chapter has them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..governance import OutlierDetection, PowerOfChoices, Probe, Random, RoundRobin
from ..kernel import Run
from ..kernel.runlog import DONE
from ..scenarios import FailedRequests, Fleet, Trouble
from ..scenarios.fleet import CLIENT
from ..services.calls import Discovery, Protections
from ..services.calls.measures import rows_of
from ..viz import Picture, fleet_svg
from .controls import Choice, Slider
from .lab import Lab, Values
from .spread import Metric

CRASH, PASSIVE, SLOW, DEEP, PANIC = (
    "a crash", "a crash, with passive checks", "one slow node", "database, deep checks", "the same with panic mode",
)  # fmt: skip
RANDOM, ROBIN, CHOICES = "random", "round robin", "two choices"
ENDS_S, TROUBLE_AT_S, TROUBLE_S = 90.0, 20.0, 50.0


def fleet(values: Values) -> Fleet:
    """The scenario that the controls describe."""
    case = values["trouble"]
    panic_ratio = 0.5 if case == PANIC else 0.0
    policy = {RANDOM: Random, ROBIN: RoundRobin, CHOICES: PowerOfChoices}[values["balancing"]]
    discovery = Discovery(
        probe=Probe(period_s=values["period_s"], failure_threshold=int(values["threshold"])),
        deep=case in {DEEP, PANIC},
        outliers=OutlierDetection(most_ratio=0.2, by_success_rate=False) if case == PASSIVE else None,
    )
    return Fleet(
        requests_per_s=12.0,
        mean_service_s=0.2,
        protections=Protections(balancing=policy(panic_ratio=panic_ratio), discovery=discovery),
        trouble={CRASH: Trouble.CRASH, PASSIVE: Trouble.CRASH, SLOW: Trouble.SLOW}.get(case, Trouble.DATABASE),
        trouble_at_s=TROUBLE_AT_S,
        trouble_s=TROUBLE_S,
    )


def simulate(values: Values, seed: int) -> Run:
    """One run of 90 s."""
    return fleet(values).run(seed=seed, until_s=ENDS_S)


def picture(run: Run, pinned: Run | None) -> Picture:
    """Queues, the truth, what the client believes, failures; those of a pinned run in grey."""
    return fleet_svg(run, CLIENT, pinned)


def slow_answer_s(run: Any) -> float:
    """Seconds within which 95 of 100 answers came that were asked for during the trouble."""
    requests, _ = rows_of(run, CLIENT)
    asked_s, ended_s = requests.started_s, np.nan_to_num(requests.finished_s, nan=run.ended_s)
    inside = (asked_s >= TROUBLE_AT_S) & (asked_s < TROUBLE_AT_S + TROUBLE_S)
    counted = inside & ((requests.outcome == DONE) | np.isnan(requests.finished_s))
    return float(np.quantile((ended_s - asked_s)[counted], 0.95)) if counted.any() else ENDS_S


LAB = Lab(
    title="How soon is a dead node noticed?",
    controls=(
        Slider(
            name="period_s", low=1, high=20, step=1, default=10, unit="s", label="probe period",
            question="By how much do the failed requests fall when the period is halved?",
        ),
        Slider(
            name="threshold", low=1, high=6, step=1, default=3, unit="failed probes", label="threshold",
            question="What does 1 buy, and what would it cost if probes got lost?",
        ),
        Choice(
            name="balancing", options=(RANDOM, ROBIN, CHOICES), default=ROBIN, label="balancing",
            question="Which policy makes the crash worse, and which the slow node harmless?",
        ),
        Choice(
            name="trouble", options=(CRASH, PASSIVE, SLOW, DEEP, PANIC), default=CRASH, label="trouble",
            question="Which trouble do probes not see at all?",
        ),
    ),
    simulate=simulate,
    picture=picture,
    metrics=(
        Metric(label="failed requests", unit="", measure=FailedRequests()),
        Metric(label="95 % answered within, during the trouble", unit="s", measure=slow_answer_s),
    ),
)  # fmt: skip
