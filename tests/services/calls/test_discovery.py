"""Discovery and health in a simulation: timelines that can be followed by hand."""

import pytest
from calling import asked, at_once, ends, story

import edasim as eda
from edasim import errors
from edasim.governance import CircuitBreaker, OutlierDetection, Probe, Registry, RoundRobin, View
from edasim.services.calls import Client, Discovery, Protections, Server

EVERY_SECOND = [float(second) for second in range(1, 60)]


def facts(run, *kinds):
    return [(fact.time_s, fact.subject, fact.detail["what"]) for fact in run.fact_list if fact.kind in kinds]


def crashed(discovery, *, panic_ratio=0.5, crash_s=11.5, restart_s=45.0, instances=2):
    """Calls once a second, to one after the other; "api/0" is down for a while."""
    sim, client, _ = asked(
        EVERY_SECOND,
        services_s=0.1,
        instances=instances,
        discovery=discovery,
        balancing=RoundRobin(panic_ratio=panic_ratio),
    )
    sim.at(crash_s, sim.node("api/0").crash)
    sim.at(restart_s, sim.node("api/0").restart)
    return sim.run(until_s=60.0), client


@pytest.mark.rule("GV-04")
def test_the_third_failed_probe_takes_a_dead_instance_out_and_one_good_one_brings_it_back():
    run, _ = crashed(Discovery(probe=Probe(), spread=False))
    assert facts(run, "probe") == [(40.0, "api/0", "ill"), (50.0, "api/0", "well")]  # asked at 20, 30, 40; 50
    failed_s = [row[4] for row in story(run) if row[5] == "failed"]
    assert failed_s == [float(second) for second in range(13, 40, 2)]
    assert all(row[2] == "api/1" for row in story(run) if 40.0 <= row[3] < 50.0)


@pytest.mark.rule("GV-04")
@pytest.mark.parametrize("seed", range(5))
def test_probes_begin_at_a_random_point_of_their_period(seed):
    sim = eda.Simulation(seed=seed)
    server = Server("api", sim=sim, instances=2)
    Client("shop", of=server, protections=Protections(discovery=Discovery(probe=Probe())))
    sim.at(100.0, sim.node("api/0").crash)
    ((at_s, _, what),) = facts(sim.run(until_s=200.0), "probe")
    assert 120.0 <= at_s <= 130.0
    assert what == "ill"


@pytest.mark.rule("GV-05")
def test_passive_checks_need_no_probe_and_let_it_try_again():
    passive = OutlierDetection(consecutive_failures=2, interval_s=1.0, base_s=10.0, most_ratio=0.5)
    run, _ = crashed(Discovery(outliers=passive), restart_s=30.0)
    assert facts(run, "outlier") == [
        (15.0, "api/0", "ejected: consecutive failures"),  # failed at 13 and 15
        (25.0, "api/0", "returned"),
        (
            29.0,
            "api/0",
            "ejected: consecutive failures",
        ),  # at 27 and 29; no longer than before: it was in for an interval
        (39.0, "api/0", "returned"),
    ]
    assert [row[4] for row in story(run) if row[5] == "failed"] == [13.0, 15.0, 27.0, 29.0]


@pytest.mark.rule("GV-01")
def test_a_lease_runs_out_is_swept_and_the_view_is_stale_until_its_refresh():
    registry = Registry(ttl_s=6.0, renew_s=2.0, sweep_s=5.0, self_preservation=False, renewal_ratio=0.0)
    run, _ = crashed(Discovery(registry=registry, view=View(refresh_s=8.0), spread=False))
    assert facts(run, "registry")[2:] == [
        (20.0, "api/0", "expired"),  # renewed at 10; overdue from 16 on; swept at 20
        (46.0, "api/0", "registered"),  # up at 45, its next heartbeat
    ]
    views = [(fact.time_s, fact.detail["names"]) for fact in run.fact_list if fact.kind == "view"]
    assert views == [(24.0, "api/1"), (48.0, "api/1, api/0")]
    assert {row[2] for row in story(run) if 24.0 <= row[3] < 48.0} == {"api/1"}


@pytest.mark.rule("GV-01")
def test_a_view_that_is_never_stale_follows_at_once():
    registry = Registry(ttl_s=6.0, renew_s=2.0, sweep_s=5.0, self_preservation=False, renewal_ratio=0.0)
    run, _ = crashed(Discovery(registry=registry, view=View(refresh_s=0.0), spread=False))
    assert [fact.time_s for fact in run.fact_list if fact.kind == "view"] == [20.0, 46.0]


@pytest.mark.rule("GV-02")
def test_self_preservation_keeps_a_dead_one_of_few():
    run, _ = crashed(Discovery(registry=Registry(ttl_s=6.0, renew_s=2.0, sweep_s=5.0), spread=False))
    assert [what for _, _, what in facts(run, "registry")] == ["registered", "registered"]


def test_lost_heartbeats_remove_an_instance_that_is_well():
    registry = Registry(ttl_s=3.0, renew_s=2.0, sweep_s=1.0, self_preservation=False, renewal_ratio=0.0)
    run, _ = crashed(
        Discovery(registry=registry, view=View(refresh_s=1.0), lost_ratio=0.5), crash_s=58.0, restart_s=59.0
    )
    found = [what for _, _, what in facts(run, "registry")]
    assert found.count("expired") > 3
    assert "api" not in {consumer for consumer, _ in ends(run).values()}
    nobody = [row for row in story(run) if row[2] == "no endpoint"]
    assert all(row[3] == row[4] and row[5] == "failed" for row in nobody)


@pytest.mark.rule("GV-05", "GV-07")
@pytest.mark.parametrize(
    ("deep", "panic_ratio", "during"), [(False, 0.5, "api"), (True, 0.0, "no endpoint"), (True, 0.5, "api")]
)
def test_a_deep_check_takes_all_out_when_the_database_fails_unless_panic_mode_does_not_believe_it(
    deep, panic_ratio, during
):
    sim = eda.Simulation(seed=1)
    database = Server("database", sim=sim)
    api = Server("api", sim=sim, instances=3, calls=[Client("api to database", of=database)], calls_ratio=0.0)
    discovery = Discovery(probe=Probe(period_s=1.0, failure_threshold=2), deep=deep, spread=False)
    protections = Protections(balancing=RoundRobin(panic_ratio=panic_ratio), discovery=discovery)
    client = Client("shop", of=api, protections=protections)
    eda.Source("users", load=eda.load.Trace(times_s=[5.5, 12.5, 25.5]), to=client)
    sim.at(9.5, lambda: setattr(database, "error_ratio", 1.0))
    sim.at(20.5, lambda: setattr(database, "error_ratio", 0.0))
    run = sim.run(until_s=30.0)
    assert [row[2].split("/")[0] for row in story(run)] == ["api", during, "api"]
    if deep:
        assert facts(run, "probe") == [
            *((11.0, f"api/{n}", "ill") for n in range(3)),
            *((21.0, f"api/{n}", "well") for n in range(3)),
        ]
    panics = [(11.0, "shop", "begins"), (21.0, "shop", "ends")] if deep and panic_ratio else []
    assert facts(run, "panic") == panics


def test_nobody_to_call_is_a_failure_that_can_be_tried_again_and_costs_the_breaker_nothing():
    sim, client, _ = asked(
        [5.0],
        services_s=0.1,
        breaker=CircuitBreaker(window_size=2, minimum_calls=2),
        discovery=Discovery(probe=Probe(period_s=1.0, failure_threshold=1), spread=False),
        balancing=RoundRobin(panic_ratio=0.0),
        retry=at_once(3, wait_s=2.0),
    )
    sim.at(3.5, sim.node("api/0").crash)
    sim.at(7.5, sim.node("api/0").restart)
    assert [row[2:] for row in story(sim.run(until_s=20.0))] == [
        ("no endpoint", 5.0, 5.0, "failed"),
        ("no endpoint", 7.0, 7.0, "failed"),
        ("api/0", 9.0, 9.1, "done"),
    ]
    assert client.breaker.calls == 1


def test_discovery_does_not_keep_a_run_going():
    sim, _, _ = asked([1.0], services_s=0.5, discovery=Discovery(probe=Probe(), registry=Registry()))
    assert sim.run().ended_s < 2.0


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"deep": True}, "Discovery.deep"),
        ({"lost_ratio": 0.1}, "Discovery.lost_ratio"),
        ({"probe": 10.0}, "Discovery.probe"),
        ({"view": 30.0}, "Discovery.view"),
        ({"outliers": Probe()}, "Discovery.outliers"),
    ],
)
def test_wrong_discovery_is_refused(given, field):
    with pytest.raises(errors.ConfigurationError) as caught:
        Discovery(**given)
    assert caught.value.field == field
