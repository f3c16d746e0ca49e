"""The plane against queueing theory: mean waits, 95 % quantiles and losses inside intervals around what was simulated.

Each case is 40 independent runs with fixed seeds. A run begins empty, is warmed up for ten relaxation times, and is
then measured over a window of time. What theory says must lie inside the interval over the runs (SO-01, SO-08). The 12
intervals share a false-alarm rate of 1 %, so each has a level of 99.92 %. Means use control variates: how many messages
came and how much work they brought differs from run to run by chance, and what is known of that is taken out by
regression (Law, Simulation Modeling and Analysis, section 11.4). Each case states its power: the bias, as a share of
the truth, that the test would catch nine times of ten. It is 2 % at loads 0.5 and 0.8. At load 0.95 it is 5.5 %, which
an error of 0.25 % in the service time would make of the mean wait there; so that case is as sharp as the others.
"""

import contextlib
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from edasim import MemoryBus, Service, Simulation, Source, load, theory, times
from edasim.kernel.metrics import EndpointMetrics, Spread
from edasim.kernel.runlog import DROPPED

pytestmark = pytest.mark.long

RUNS = 40
STATEMENTS = 12
LEVEL = theory.bonferroni_level(STATEMENTS, joint_level=0.99)
WARM_UP_RELAXATIONS = 10.0
EXPONENTIAL = times.Exponential(mean_s=1.0)


@dataclass(frozen=True)
class Case:
    """A station: its theory, the law of its service, the seconds measured in each run, and the powers promised."""

    truth: object
    measured_s: float
    mean_power: float
    quantile_power: float | None = None
    service: times.Times = EXPONENTIAL
    relaxation_s: float | None = None

    @property
    def servers(self):
        return getattr(self.truth, "servers", 1)

    @property
    def waiting_room(self):
        return self.truth.places - self.servers if hasattr(self.truth, "places") else None


CASES = {
    "M/M/1, load 0.5": Case(theory.mm1(0.5, 1.0), 60_000.0, mean_power=0.02, quantile_power=0.025),
    "M/M/1, load 0.8": Case(theory.mm1(0.8, 1.0), 100_000.0, mean_power=0.02, quantile_power=0.03),
    "M/M/1, load 0.95": Case(theory.mm1(0.95, 1.0), 200_000.0, mean_power=0.055, quantile_power=0.095),
    "M/M/8, load 0.9": Case(theory.mmc(7.2, 1.0, servers=8), 15_000.0, mean_power=0.045, quantile_power=0.065),
}
LOSS = Case(theory.mmck(8.0, 1.0, servers=8, places=20), 7_000.0, mean_power=0.045)
MG1 = {
    f"M/G/1, load 0.8, scv {scv:g}": Case(
        theory.mg1(0.8, 1.0, scv),
        60_000.0 if scv <= 1 else 70_000.0,
        mean_power=0.025 if scv <= 1 else 0.045,
        service=times.with_scv(1.0, scv),
        relaxation_s=theory.mm1(0.8, 1.0).relaxation_time_s * (1.0 + scv) / 2.0,
    )
    for scv in (0.0, 0.25, 4.0)
}


ALL = [*CASES.values(), LOSS, *MG1.values()]


@contextlib.contextmanager
def untraced():
    """Coverage is not measured in here: it would take several times as long, and other tests run the same lines."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)


@dataclass(frozen=True)
class Window:
    """What was counted between the end of the warm-up and the end of a run."""

    measured_s: float
    waits: Spread
    busy_s: float
    dropped: int

    @property
    def came(self):
        return self.waits.n + self.dropped


def simulate(case, seed):
    """One run of a case, measured after its warm-up."""
    sim = Simulation(seed=seed, log="metrics")
    topic = MemoryBus().start(sim).topic("t")
    subscription = topic.subscribe(capacity=case.waiting_room)
    Service("server", of=subscription, service_time=case.service, concurrency=case.servers)
    Source("source", load=load.Poisson(rate_per_s=case.truth.arrival_per_s), to=topic)
    relaxation_s = case.relaxation_s or case.truth.relaxation_time_s
    warm_up_s = WARM_UP_RELAXATIONS * relaxation_s
    before, after = (total(sim.run(until_s=end_s)) for end_s in (warm_up_s, warm_up_s + case.measured_s))
    waits = Spread(
        n=after.waits.n - before.waits.n,
        total_s=after.waits.total_s - before.waits.total_s,
        max_s=after.waits.max_s,
        buckets=after.waits.buckets - before.waits.buckets,
    )
    dropped = after.outcomes[DROPPED] - before.outcomes[DROPPED]
    return Window(case.measured_s, waits, after.busy_s - before.busy_s, int(dropped))


def total(run):
    """The metrics of all consumers of a run."""
    summed = EndpointMetrics()
    for counted in run.metrics.by_endpoint.values():
        summed.outcomes += counted.outcomes
        summed.waits.merge(counted.waits)
        summed.busy_s += counted.busy_s
    return summed


@dataclass(frozen=True)
class Estimate:
    """A mean over runs with its standard error and degrees of freedom."""

    mean: float
    error: float
    degrees: int

    def holds(self, truth):
        """Whether the truth lies inside the interval."""
        return abs(self.mean - truth) <= stats.t.ppf(0.5 + LEVEL / 2.0, self.degrees) * self.error

    def bias_caught(self, truth):
        """The bias, as a share of the truth, that a test like this catches nine times of ten."""
        reach = stats.t.ppf(0.5 + LEVEL / 2.0, self.degrees) + stats.t.ppf(0.9, self.degrees)
        return reach * self.error / truth


def controlled(values, controls, known):
    """The mean of values at the known means of their controls, by linear regression over the runs."""
    design = np.column_stack([np.ones(len(values)), np.array(controls) - np.array(known)])
    fitted, *_ = np.linalg.lstsq(design, values, rcond=None)
    residuals = values - design @ fitted
    degrees = len(values) - design.shape[1]
    covariance = np.linalg.inv(design.T @ design) * (residuals @ residuals) / degrees
    return Estimate(float(fitted[0]), float(np.sqrt(covariance[0, 0])), degrees)


def windows(case):
    """The runs of a case; no two cases share a seed. One test makes all it wants of them, so they are made once."""
    with untraced():
        return [simulate(case, 1000 * ALL.index(case) + run) for run in range(RUNS)]


def estimate_of(case, runs, measure):
    """The mean of a measure over the runs, at the known rate of messages and, where it varies, of work."""
    seen = np.array([[run.came / run.measured_s, run.busy_s / run.measured_s] for run in runs])
    known = [case.truth.arrival_per_s, case.truth.load * case.servers]
    controls = 2 if case.service.scv > 0.0 else 1
    return controlled(np.array([measure(run) for run in runs]), seen[:, :controls], known[:controls])


def mean_wait_s(run):
    return run.waits.mean_s


def p95_wait_s(run):
    return run.waits.quantile_s(0.95)


def lost_ratio(run):
    return run.dropped / run.came


def agrees(estimate, truth, power):
    """The truth lies inside the interval; a theory that is wrong by half more than the power would not."""
    assert estimate.holds(truth), (estimate, truth)
    assert estimate.bias_caught(truth) < power
    assert not any(estimate.holds(truth * (1.0 + bias)) for bias in (-1.5 * power, 1.5 * power))
    return True


@pytest.mark.parametrize("name", [*CASES, *MG1])
def test_waits_are_what_theory_says(name):
    """Quantiles are read off buckets 1.6 % wide; runs differ by more than that, so the rounding averages out."""
    case = (CASES | MG1)[name]
    runs = windows(case)
    assert agrees(estimate_of(case, runs, mean_wait_s), case.truth.mean_wait_s, case.mean_power)
    if case.quantile_power is not None:
        assert len({p95_wait_s(run) for run in runs}) > 4
        assert agrees(estimate_of(case, runs, p95_wait_s), case.truth.wait_quantile_s(0.95), case.quantile_power)


def test_a_room_with_a_last_place_loses_what_theory_says():
    assert agrees(estimate_of(LOSS, windows(LOSS), lost_ratio), LOSS.truth.probability_of_loss, LOSS.mean_power)
