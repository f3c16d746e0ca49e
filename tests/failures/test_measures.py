"""What failures cost, against exact results: availability of 1, 2 and k of n nodes, and the time to drain a backlog.

Each interval has level 99.9 %, so a right model fails one of these statistical tests in a thousand seeds; the seeds are
fixed.
"""

import math

import pytest

from edasim import Event, MemoryBus, Service, Simulation, Source, failures, load, theory, times
from edasim.errors import ConfigurationError, UnknownNameError
from edasim.failures import Crash, RandomCrashes, at_least_once, availability, check, drain_s

LEVEL = 0.999


def farm(seed, *, nodes, mtbf_s=10.0, mttr_s=2.0, until_s=2_000.0):
    """Nodes that do nothing but fail and get repaired."""
    sim = Simulation(seed=seed)
    topic = MemoryBus().start(sim).topic("work")
    Service("farm", of=topic.subscribe("farm"), nodes=nodes)
    failures.install(sim, [RandomCrashes(node="farm", mtbf_s=mtbf_s, mttr_s=mttr_s, until_s=until_s)])
    return sim.run(until_s=until_s)


@pytest.mark.rule("RP-02")
@pytest.mark.parametrize(("needed", "nodes"), [(1, 1), (1, 2), (2, 2), (2, 3)])
def test_availability_with_repair_is_that_of_the_exact_result(needed, nodes):
    each = theory.node_availability(10.0, 2.0)
    exact = theory.k_of_n_availability(needed, nodes, each)
    found = [availability(farm(seed, nodes=nodes), "farm", nodes=nodes, needed=needed) for seed in range(16)]
    assert exact in theory.mean_interval(found, LEVEL)


def outage(seed, *, down_s=20.0, arrivals_per_s=6.0, done_per_s=10.0):
    """A node that is down from the start, with Poisson arrivals and exponential service times."""
    sim = Simulation(seed=seed)
    topic = MemoryBus().start(sim).topic("work")
    Source("shop", load=load.Poisson(rate_per_s=arrivals_per_s), to=topic)
    Service("farm", of=topic.subscribe("farm"), service_time=times.Exponential(mean_s=1 / done_per_s))
    failures.install(sim, [Crash(node="farm", at_s=0.0, down_s=down_s)])
    return sim.run(until_s=down_s + 200.0)


def test_a_backlog_drains_in_the_outage_times_u_over_1_minus_u():
    found = [drain_s(outage(seed), "farm", from_s=20.0) for seed in range(30)]
    assert theory.drain_time_s(20.0, 0.6) == pytest.approx(30.0)
    assert 30.0 in theory.mean_interval(found, LEVEL)


@pytest.mark.rule("RP-09")
def test_goodput_counts_what_was_in_time_and_throughput_everything():
    run = outage(1)
    early = {"from_s": 0.0, "until_s": 20.0}
    assert failures.throughput_per_s(run, "farm", **early) == 0.0
    after = {"from_s": 20.0, "until_s": 60.0}
    assert failures.goodput_per_s(run, "farm", within_s=5.0, **after) < failures.throughput_per_s(run, "farm", **after)
    done = run.messages().query("outcome == 'done' and 20 <= finished_s < 60")
    assert failures.throughput_per_s(run, "farm", **after) == len(done) / 40.0
    with pytest.raises(ConfigurationError, match="more than from_s, 9"):
        failures.throughput_per_s(run, "farm", from_s=9.0, until_s=9.0)


def test_a_calm_service_has_nothing_to_drain_and_a_dead_one_never_does():
    sim = Simulation(seed=1)
    topic = MemoryBus().start(sim).topic("work")
    Source("shop", load=load.Trace(times_s=(1.0, 2.0)), to=topic)
    Service("farm", of=topic.subscribe("farm"), service_time=times.Constant(value_s=0.25))
    failures.install(sim, [Crash(node="farm", at_s=1.5)])
    ended = sim.run()
    assert [drain_s(ended, "farm", from_s=at_s) for at_s in (0.5, 1.0, 1.4, 2.0)] == [0.0, 0.25, 0.0, math.inf]
    assert availability(ended, "farm", nodes=1) == 0.75


def test_the_blast_radius_is_the_share_of_subjects_that_are_hit():
    sim = Simulation(seed=1)
    topic = MemoryBus().start(sim).topic("work")

    def sold(occasion):
        return Event(type="sold", subject=f"u-{occasion.number % 4}")

    Source("shop", load=load.Trace(times_s=tuple(map(float, range(8)))), to=topic, event=sold)
    Service("farm", of=topic.subscribe("farm"), acknowledge="on_delivery", service_time=times.Constant(value_s=0.5))
    failures.install(sim, [Crash(node="farm", at_s=2.2, down_s=0.5)])
    run = sim.run()
    assert failures.blast_radius(run, check(run, [at_least_once(to="farm")])) == 0.25
    with pytest.raises(UnknownNameError, match="subject of an event"):
        failures.blast_radius(outage(1), failures.Findings())
