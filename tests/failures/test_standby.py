"""Standby: who leads when, how long a switch-over takes, and what stops an old leader that does not know."""

import pytest

from edasim import MemoryBus, Service, Simulation, Source, failures, load
from edasim.errors import ConfigurationError
from edasim.failures import Crash, FencedStore, Leadership, Partition, Pause, PlainStore, at_least_once, check, no

STALE = no(lambda row: row.stale, "an old leader wrote", of="stored")


def ledger(*faults, store=FencedStore, nodes=2, until_s=40.0, **lease):
    """One event a second for a service whose leader writes 0.4 s after it has read its token."""
    sim = Simulation(seed=1)
    topic = MemoryBus().start(sim).topic("entries")
    Source("shop", load=load.Constant(rate_per_s=1.0), to=topic)
    account = store(sim, "account")

    def handler(event, context):
        token = leadership.token(context.node)
        yield context.pause(0.4)
        account.write("balance", event.id, token=token)

    service = Service("ledger", of=topic.subscribe("ledger"), handler=handler, nodes=nodes)
    leadership = Leadership(service, **lease)
    failures.install(sim, faults, until_s)
    return sim.run(until_s=until_s), leadership


def changes(run):
    kinds = ("leader_elected", "lease_expired", "leader_stepped_down", "write_refused")
    return [
        (fact.time_s, fact.kind, fact.subject, fact.detail["token"]) for fact in run.fact_list if fact.kind in kinds
    ]


@pytest.mark.rule("RP-05")
def test_the_standby_takes_over_when_the_lease_of_a_dead_leader_is_over():
    run, leadership = ledger(Crash(node="ledger/0", at_s=10.3, down_s=5.0))
    assert changes(run) == [
        (0.0, "leader_elected", "ledger/0", 1),
        (13.0, "lease_expired", "ledger/0", 1),
        (13.0, "leader_elected", "ledger/1", 2),
    ]
    assert check(run, [at_least_once(to="ledger", within_s=5.0), STALE]) == []
    consumers = run.messages().query("outcome == 'done'").groupby("consumer").finished_s.agg(["min", "max"])
    assert consumers.loc["ledger/0", "max"] < 10.3
    assert consumers.loc["ledger/1", "min"] > 13.0
    assert leadership.holder.name == "ledger/1"


@pytest.mark.rule("RP-05")
def test_a_leader_that_stood_still_writes_with_an_old_token_and_only_a_fenced_store_refuses():
    pause = Pause(node="ledger/0", at_s=10.3, for_s=6.0)
    fenced, _ = ledger(pause)
    assert changes(fenced)[1:] == [
        (13.0, "lease_expired", "ledger/0", 1),
        (13.0, "leader_elected", "ledger/1", 2),
        (16.3, "write_refused", "account", 1),
    ]
    assert check(fenced, [STALE]) == []
    plain, _ = ledger(pause, store=PlainStore)
    (found,) = check(plain, [STALE])
    assert (found.at_s, found.fault.detail["fault"]) == (16.3, "Pause")


def test_a_leader_that_is_cut_off_is_replaced_and_stands_by_when_it_is_back():
    run, leadership = ledger(Partition(sender="ledger/0", at_s=5.5, for_s=10.0))
    assert [kind for _, kind, _, _ in changes(run)] == ["leader_elected", "lease_expired", "leader_elected"]
    assert leadership.holder.name == "ledger/1"
    sim, first, second = leadership.sim, *leadership.service.nodes
    assert (leadership.token(first), leadership.token(second)) == (1, 2)
    assert not leadership.believes_to_lead(first)
    assert leadership.believes_to_lead(second)
    first.set_clock(-100.0)
    assert leadership.believes_to_lead(first)
    assert sim.env.now == 40.0


def test_a_lease_needs_somebody_to_stand_by_and_time_to_renew():
    with pytest.raises(ConfigurationError, match="nobody stands by"):
        ledger(nodes=1)
    with pytest.raises(ConfigurationError, match="less than lease_s, 2"):
        ledger(lease_s=2.0, renew_s=2.0)
