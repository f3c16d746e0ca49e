"""Switch-over in numbers: exact stories, and the arithmetic of two nodes of 99 %."""

import pytest

from edasim import experiments, failures, scenarios, theory
from edasim.errors import ConfigurationError
from edasim.failures import Crash, served_ratio

DAY_S = 86_400.0


def served_s(*crashes, failover_s=3.0, until_s=100.0, nodes=2):
    faults = [Crash(node=f"mail/{node}", at_s=at_s, down_s=down_s) for node, at_s, down_s in crashes]
    run = scenarios.Registration(users=1, mail_nodes=nodes, faults=faults).run(until_s=until_s)
    return until_s * served_ratio(run, "mail", nodes=nodes, failover_s=failover_s)


@pytest.mark.rule("RP-02")
@pytest.mark.parametrize(
    ("crashes", "away_s"),
    [
        ([], 0.0),
        ([(0, 10.0, 20.0)], 3.0),  # the standby takes over after 3 s
        ([(1, 10.0, 20.0)], 0.0),  # the standby dies; nobody notices
        ([(0, 10.0, 1.0)], 3.0),  # back before the lease is over: it waits for it as well
        ([(0, 10.0, 20.0), (1, 40.0, 5.0)], 6.0),  # the other one leads by then
        ([(0, 10.0, 20.0), (1, 11.0, 30.0)], 20.0),  # both down: whoever is back first serves at once
        ([(0, 10.0, 20.0), (1, 50.0, 5.0), (0, 51.0, 60.0)], 3.0 + 5.0),
        ([(0, 98.0, 60.0)], 2.0),  # the end comes before the switch-over
    ],
)
def test_who_serves_when(crashes, away_s):
    assert served_s(*crashes) == pytest.approx(100.0 - away_s)


def test_a_single_node_is_away_while_it_is_down_and_an_instant_failover_costs_nothing():
    assert served_s((0, 10.0, 20.0), nodes=1) == pytest.approx(80.0)
    assert served_s((0, 10.0, 20.0), failover_s=0.0) == pytest.approx(100.0)


@pytest.mark.long
@pytest.mark.rule("RP-02")
def test_the_switch_over_of_two_nodes_of_99_percent_costs_more_than_their_outages():
    """Ten runs of 400 days, 99.9 % intervals of the arithmetic's two terms: one false alarm in 500."""
    faults = [failures.RandomCrashes(node="mail", mtbf_s=0.99 * DAY_S, mttr_s=0.01 * DAY_S, until_s=400 * DAY_S)]
    pair = scenarios.Registration(users=1, mail_nodes=2, faults=faults)
    metrics = {
        "up": lambda run: failures.availability(run, "mail", nodes=2),
        "served": lambda run: served_ratio(run, "mail", nodes=2, failover_s=30.0),
    }
    found = experiments.replicate(pair, n=10, metrics=metrics, until_s=400 * DAY_S, log="full", seed=100, workers=1)
    up = theory.parallel_availability(0.99, 0.99)
    assert up in found.interval("up", level=0.999)
    assert up - 30.0 / (0.99 * DAY_S) in found.interval("served", level=0.999)


def test_misuse_is_named():
    run = scenarios.Registration(users=1).run()
    with pytest.raises(ConfigurationError, match="failover_s"):
        served_ratio(run, "mail", nodes=2, failover_s=-1.0)
    with pytest.raises(ConfigurationError, match="nodes"):
        served_ratio(run, "mail", nodes=0, failover_s=1.0)
