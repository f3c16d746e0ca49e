"""Faults as stories: what a pause, a slow node, a wrong clock, a lossy link or a partition does, second by second."""

import pytest

from edasim import (
    ActiveMQ,
    Event,
    JetStream,
    Kafka,
    MemoryBus,
    Nats,
    RabbitMQ,
    Service,
    Simulation,
    Source,
    failures,
    load,
    network,
    scenarios,
    times,
)
from edasim.errors import CapabilityError, ConfigurationError, EdasimError, UnknownNameError
from edasim.failures import (
    BrokerCrash,
    BrokerCutOff,
    Crash,
    DelayMessages,
    DuplicateMessages,
    LoseMessages,
    MemoryLimit,
    Partition,
    Pause,
    RandomCrashes,
    ReorderMessages,
    Restart,
    ServerErrors,
    Slow,
    StoreFull,
    When,
    WhenFact,
    WrongClock,
    ZoneOutage,
)
from edasim.services.calls import Client, Server

ONE_S = times.Constant(value_s=1.0)


def story(*faults, handler=None, took_s=0.1, n=5, nodes=1, until_s=None, prepare=lambda sim: None):
    """Five events, one a second from 0 s on, and one service `work`."""
    sim = Simulation(seed=1)
    topic = MemoryBus().start(sim).topic("sales")
    Source("shop", load=load.Trace(times_s=tuple(map(float, range(n)))), to=topic)
    took = times.Constant(value_s=took_s)
    Service("work", of=topic.subscribe("work"), service_time=took, handler=handler, nodes=nodes)
    prepare(sim)
    failures.install(sim, faults, until_s)
    return sim.run(until_s=until_s)


def ends(run):
    """The message, its consumer's number, and when each attempt ended."""
    rows = run.messages()
    where = [str(consumer).rpartition("/")[2] for consumer in rows.consumer]
    return [
        (int(event[5:]), place, round(end_s, 6), outcome)
        for event, place, end_s, outcome in zip(rows.event_id, where, rows.finished_s, rows.outcome, strict=True)
    ]


def facts(run, *kinds):
    return [(round(fact.time_s, 6), fact.kind) for fact in run.fact_list if not kinds or fact.kind in kinds]


def two_steps(_event, context):
    yield context.pause(0.5)
    context.fact("half", clock=round(context.clock_s, 6))
    yield context.pause(0.2)


# ------------------------------------------------------------------------------------------------ nodes


def test_work_at_hand_stands_still_in_a_pause_and_what_comes_meanwhile_waits():
    run = story(Pause(node="work", at_s=1.05, for_s=2.0), n=4)
    assert [end_s for _, _, end_s, _ in ends(run)] == [0.1, 3.1, 3.2, 3.3]
    idle = story(Pause(node="work", at_s=0.5, for_s=2.0), n=2)
    rows = idle.deliveries
    assert (rows.delivered_s[1], rows.started_s[1], rows.finished_s[1]) == (1.0, 2.5, 2.6)
    assert facts(idle) == [(0.5, "fault"), (0.5, "node_paused"), (2.5, "node_resumed")]


def test_a_timer_that_runs_out_in_a_pause_is_noticed_when_it_is_over():
    run = story(Pause(node="work", at_s=0.25, for_s=2.0), handler=two_steps, n=1)
    assert facts(run, "half") == [(2.25, "half")]
    assert ends(run) == [(0, "0", 2.45, "done")]


def test_a_crash_ends_a_pause():
    run = story(
        When(step="receive", of="work", then=Pause(node="work", at_s=0.2, for_s=5.0)),
        WhenFact(kind="node_paused", then=Crash(node="work", at_s=0.3, down_s=0.5)),
        handler=two_steps,
        n=1,
    )
    assert ends(run) == [(0, "0", 0.6, "crashed"), (0, "0", 1.9, "done")]


@pytest.mark.rule("RP-05")
def test_a_node_that_is_given_up_in_its_pause_finishes_what_another_has_done_already():
    pause = Pause(node="work/0", at_s=0.3, for_s=5.0, given_up_after_s=1.0)
    run = story(pause, handler=two_steps, n=1, nodes=2)
    assert facts(run) == [
        *[(0.3, "fault"), (0.3, "node_paused"), (1.3, "node_cut_off"), (1.9, "half")],
        *[(5.3, "node_resumed"), (5.3, "node_reconnected"), (5.3, "half")],
    ]
    assert ends(run) == [(0, "0", 1.3, "crashed"), (0, "1", 2.1, "done")]
    (found,) = failures.check(run, [failures.exactly_once(to="work", effect="half")])
    assert (found.verdict.value, found.fault.detail["fault"]) == ("duplicated", "Pause")
    patient = Pause(node="work/0", at_s=0.3, for_s=5.0, given_up_after_s=9.0)
    assert ends(story(patient, handler=two_steps, n=1, nodes=2)) == [(0, "0", 5.5, "done")]


def test_a_slow_node_takes_longer_for_what_is_left_and_for_what_comes():
    run = story(Slow(node="work", factor=2.0, at_s=0.5, for_s=2.0), took_s=1.0, n=3)
    assert [end_s for _, _, end_s, _ in ends(run)] == [1.5, 3.0, 4.0]
    by_hand = story(Slow(node="work", factor=3.0, at_s=0.25), handler=two_steps, n=1)
    assert ends(by_hand) == [(0, "0", 1.2, "done")]
    both = story(Pause(node="work", at_s=0.1, for_s=1.0), Slow(node="work", factor=2.0, at_s=0.5), took_s=0.6, n=1)
    assert ends(both) == [(0, "0", 2.1, "done")]


def test_a_wrong_clock_is_seen_by_who_asks_it_and_drifts():
    fault = WrongClock(node="work", offset_s=-3.0, drift_ratio=0.5, at_s=1.0, for_s=2.0)
    run = story(fault, handler=two_steps, n=4)
    assert [fact.detail["clock"] for fact in run.fact_list if fact.kind == "half"] == [0.6, -1.1, 0.4, 3.6]


def test_a_node_that_remembers_more_than_its_limit_is_killed_and_forgets():
    def handler(_event, context):
        context.remember(40)
        context.fact("worked", held=context.node.held_bytes)

    run = story(MemoryLimit(node="work", limit_bytes=100, down_s=0.5), handler=handler)
    assert [fact.detail["held"] for fact in run.fact_list if fact.kind == "worked"] == [40, 80, 40, 80, 40]
    assert facts(run, "out_of_memory", "node_restarted") == [
        *[(2.1, "out_of_memory"), (2.6, "node_restarted"), (4.1, "out_of_memory"), (4.6, "node_restarted")]
    ]
    assert [outcome for *_, outcome in ends(run)] == ["done", "done", "crashed", "done", "done", "crashed", "done"]
    late = story(MemoryLimit(node="work", limit_bytes=10, down_s=0.5, at_s=1.5, for_s=0.3), handler=handler)
    assert facts(late, "out_of_memory") == [(1.5, "out_of_memory")]


@pytest.mark.rule("RP-02")
def test_a_zone_fails_as_one_and_a_crash_without_end_needs_a_restart():
    zone = ZoneOutage(zone="a", nodes=["work/0", "work"], at_s=1.05, down_s=2.0)
    assert facts(story(zone, nodes=2)) == [
        *[(1.05, "fault"), (1.05, "node_crashed"), (1.05, "node_crashed")],
        *[(3.05, "node_restarted"), (3.05, "node_restarted")],
    ]
    assert ends(story(Crash(node="work", at_s=0.05), Restart(node="work", at_s=9.0), n=1)) == [
        *[(0, "0", 0.05, "crashed"), (0, "0", 9.1, "done")]
    ]


# ------------------------------------------------------------------------------------------------ links


def test_links_lose_delay_duplicate_and_reorder_for_a_while():
    def wait(value_s):
        return times.Constant(value_s=value_s)

    spell = {"sender": "shop", "at_s": 0.5, "for_s": 2.0}
    lost = story(LoseMessages(**spell), n=4)
    assert ends(lost) == [
        (0, "0", 0.1, "done"),
        (1, "nan", 1.0, "dropped"),
        (2, "nan", 2.0, "dropped"),
        (3, "0", 3.1, "done"),
    ]
    assert ends(story(DelayMessages(**spell, by=wait(0.5)), n=3))[1:] == [(1, "0", 1.6, "done"), (2, "0", 2.6, "done")]
    assert [event for event, *_ in ends(story(DuplicateMessages(**spell), n=3))] == [0, 1, 1, 2, 2]
    swapped = story(ReorderMessages(**spell, ratio=1.0, held_for=wait(2.4)), n=4)
    assert [end_s for _, _, end_s, _ in ends(swapped)] == [0.1, 3.5, 4.5, 3.1]
    both = story(DelayMessages(**spell, by=wait(0.5)), DuplicateMessages(**spell), n=2)
    assert ends(both)[1:] == [(1, "0", 1.6, "done"), (1, "0", 1.7, "done")]


@pytest.mark.rule("RP-05")
def test_a_node_that_is_cut_off_works_on_without_knowing_that_another_has_its_message():
    run = story(Partition(sender="work/0", at_s=0.3, for_s=2.0), handler=two_steps, n=1, nodes=2)
    assert facts(run) == [
        *[(0.3, "fault"), (0.3, "node_cut_off"), (0.6, "half"), (0.9, "half"), (2.3, "node_reconnected")],
    ]
    assert ends(run) == [(0, "0", 0.3, "crashed"), (0, "1", 1.1, "done")]
    dies = story(
        Partition(sender="work/0", at_s=0.3, for_s=2.0),
        When(step="receive", of="work", then=Crash(node="work/0", at_s=0.4)),
        handler=two_steps, n=1, nodes=2,
    )  # fmt: skip
    assert facts(dies, "half") == [(0.9, "half")]


def test_a_cut_in_one_direction_lets_a_service_receive_and_nothing_leave():
    sim = Simulation(seed=1)
    topic = MemoryBus().start(sim).topic("t")
    answers = Service("answers", of=topic.subscribe("answers", types="answer"))
    Service("work", of=topic.subscribe("work", types="message"), to=topic, handler=lambda _e, _c: Event(type="answer"))
    Source("shop", load=load.Trace(times_s=(0.0, 1.0, 2.0)), to=topic)
    failures.install(sim, [Partition(sender="work", at_s=0.5, for_s=1.0, direction="one_way")])
    run = sim.run()
    lanes = run.deliveries.lane
    assert (lanes == answers.subscription.lane).sum() == 2
    found = failures.check(run, [failures.at_least_once(to="answers", type="answer")])
    assert [moment.text for moment in found[0].timeline][1:3] == [
        "publishes answer work-1",
        "it is lost on its way to the broker",
    ]


def test_a_named_link_of_a_scenario_can_be_disturbed():
    sim = Simulation(seed=1)
    link = sim.parts["mail link"] = network.RunningLink(network.Link().transfers(sim.streams.generator("link")))
    failures.install(sim, [DelayMessages(sender="mail link", by=ONE_S, at_s=2.0, for_s=1.0)])
    assert [link(sent_s) for sent_s in (1.0, 2.0, 3.0)] == [(0.0,), (1.0,), (0.0,)]


# ------------------------------------------------------------------------------------------------ brokers, parts


BROKERS = [Kafka(), RabbitMQ(), ActiveMQ(), Nats(), JetStream()]


@pytest.mark.parametrize("broker", BROKERS, ids=lambda broker: broker.name)
def test_brokers_crash_and_come_back_under_their_own_rules(broker):
    sim = Simulation(seed=1)
    broker.start(sim)
    failures.install(sim, [BrokerCrash(at_s=1.0, down_s=2.0)])
    run = sim.run(until_s=20.0)
    (fault,) = [fact for fact in run.fact_list if fact.kind == "fault"]
    assert (fault.time_s, fault.detail["until_s"], fault.detail["fault"]) == (1.0, 3.0, "BrokerCrash")
    assert [(fact.time_s, fact.kind.partition("_")[0]) for fact in run.fact_list if fact.time_s in (1.0, 3.0)][1:] == [
        (1.0, "broker"),
        (3.0, "broker"),
    ]


def test_a_broker_of_a_cluster_is_cut_off_and_a_bus_in_memory_cannot_break():
    sim = Simulation(seed=1)
    Kafka().start(sim)
    failures.install(sim, [BrokerCutOff(number=1, at_s=1.0, for_s=2.0)])
    assert facts(sim.run(until_s=9.0)) == [(1.0, "fault"), (1.0, "broker_cut_off"), (3.0, "broker_reconnected")]
    with pytest.raises(CapabilityError, match="memory cannot break"):
        story(BrokerCrash(at_s=1.0, down_s=1.0))
    with pytest.raises(CapabilityError, match="cannot break"):
        story(BrokerCutOff(number=0, at_s=1.0, for_s=1.0))


def test_a_full_store_and_a_failing_server():
    class Store:
        full = False

    store = Store()
    seen = []

    def prepare(sim):
        sim.parts["orders"] = store
        for at_s in (0.5, 1.5, 3.5):
            sim.at(at_s, lambda: seen.append(store.full))

    story(StoreFull(store="orders", at_s=1.0, for_s=2.0), prepare=prepare)
    assert seen == [False, True, False]
    sim = Simulation(seed=1)
    server = Server("pay", sim=sim, service_time=times.Constant(value_s=0.1))
    Source("buyers", load=load.Trace(times_s=(0.0, 1.0, 2.0)), to=Client("till", of=server))
    failures.install(sim, [ServerErrors(server="pay", at_s=0.5, for_s=1.0), Crash(node="pay", at_s=5.0, down_s=1.0)])
    outcomes = sim.run().messages().query("destination == 'pay'").outcome
    assert list(outcomes) == ["done", "failed", "done"]


def test_the_registration_case_has_disks_that_fill_and_links_that_lose():
    case = scenarios.Registration(users=30, users_per_s=10.0, spam_ratio=0.0, mail_link=network.Link())
    calm = failures.check(case.run(seed=1))
    full = case.but(faults=[StoreFull(store="mail folder", at_s=1.0, for_s=1.0)]).run(seed=1)
    found = failures.check(full)
    assert calm == []
    assert found.counts() == {"lost": found.count("lost")}
    refused = {fact.detail["error"] for fact in full.fact_list if fact.kind == "handler_failed"}
    assert refused == {"DiskFullError: no space left for the mail folder"}
    assert all(each.fault.detail["fault"] == "StoreFull" for each in found)
    rows = case.but(faults=[StoreFull(store="user database", at_s=1.0)]).run(seed=1).kept["users"].count()
    assert 0 < rows < 30
    answers = case.but(faults=[LoseMessages(sender="mail answers", at_s=1.0, for_s=1.0)]).run(seed=1)
    assert set(failures.check(answers).counts()) == {"duplicated"}
    assert failures.check(case.but(sender="idempotent", faults=answers.scenario.faults).run(seed=1)) == []


@pytest.mark.long
@pytest.mark.parametrize("broker", [MemoryBus(), *BROKERS], ids=lambda broker: broker.name)
def test_pauses_slowness_and_partitions_lose_nothing_on_any_broker(broker):
    promise = "at_most_once" if isinstance(broker, Nats) else "at_least_once"
    case = scenarios.Registration(
        broker=broker, users=30, users_per_s=10.0, spam_ratio=0.0, sender="idempotent", promise=promise
    )
    for faults in (
        [Pause(node="mail", at_s=1.0, for_s=2.0), Pause(node="behaviour-analytics", at_s=1.5, for_s=1.0)],
        [Slow(node="mail/0", factor=5.0, at_s=0.5, for_s=2.0)],
        [Partition(sender="mail/0", at_s=0.5, for_s=1.0), Partition(sender="mail/0", at_s=2.0, for_s=1.0)],
    ):
        run = case.but(faults=faults).run(seed=1, until_s=100.0)
        assert failures.check(run) == []
        forgetful = isinstance(broker, Nats) and isinstance(faults[0], Partition)
        assert (len(run.kept["mails"].ids()) < 30) is forgetful


# ------------------------------------------------------------------------------------------------ conditions, seeds


def test_a_fault_waits_for_the_third_acknowledgement():
    fault = When(step="acknowledge", of="work", nth=3, then=Crash(node="work", at_s=0.0, down_s=1.5))
    run = story(fault, handler=lambda _event, _context: None)
    assert ends(run)[2:] == [(2, "0", 2.1, "done"), (3, "0", 3.7, "done"), (4, "0", 4.1, "done")]
    assert facts(run) == [(2.1, "fault"), (2.1, "node_crashed"), (3.6, "node_restarted")]


def test_the_same_seed_gives_the_same_run_and_every_injection_is_a_fact():
    faults = [
        RandomCrashes(node="mail", mtbf_s=3.0, mttr_s=0.5, until_s=9.0),
        LoseMessages(sender="behaviour-analytics", ratio=0.1),
        Slow(node="user-management", factor=3.0, at_s=1.0, for_s=2.0),
    ]
    case = scenarios.Registration(users=60, faults=faults)
    first, second = case.run(seed=5), case.run(seed=5)
    assert first.fingerprint() == second.fingerprint()
    told = first.facts().query("kind == 'fault'")
    crashes = sum(fact.kind == "node_crashed" for fact in first.fact_list)
    assert len(told) == crashes + 2
    assert scenarios.Registration.from_dict(case.to_dict()) == case


# ------------------------------------------------------------------------------------------------ misuse


@pytest.mark.parametrize(
    ("faults", "error", "says"),
    [
        ([Crash(node="wrok", at_s=1.0)], UnknownNameError, "did you mean 'work'"),
        ([Restart(node="work", at_s=1.0)], ConfigurationError, "not down at that time"),
        ([Crash(node="work", at_s=1.0, down_s=1.0), Restart(node="work", at_s=3.0)], ConfigurationError, "not down"),
        ([Crash(node="work", at_s=1.0), Restart(node="work", at_s=2.0), Restart(node="work", at_s=3.0)],
         ConfigurationError, "restarts at 3 s, but it is not down"),
        ([Crash(node="work", at_s=1.0, down_s=2.0), Pause(node="work", at_s=2.0, for_s=2.0)], EdasimError, "contra"),
        ([Slow(node="work", factor=2.0), Slow(node="work", factor=3.0, at_s=5.0)], ConfigurationError, "contradict"),
        ([Crash(node="work", at_s=40.0, down_s=1.0)], ConfigurationError, "not before the end"),
        ([LoseMessages(sender="shup")], UnknownNameError, "did you mean 'shop'"),
        ([StoreFull(store="memory", at_s=1.0)], ConfigurationError, "does not fit"),
        ([StoreFull(store="disk", at_s=1.0)], UnknownNameError, "store"),
        ([ServerErrors(server="work")], ConfigurationError, "does not fit"),
        ([BrokerCrash(at_s=1.0, down_s=1.0, broker="kafka")], UnknownNameError, "broker"),
        ([When(step="publish", of="work", then=Crash(node="work", at_s=0.0))], ConfigurationError, "no handler"),
        (["crash"], EdasimError, "list of faults"),
    ],
)  # fmt: skip
def test_schedules_that_cannot_be_are_refused_before_the_run(faults, error, says):
    with pytest.raises(error, match=says):
        story(*faults, until_s=30.0)


def test_a_scenario_refuses_a_schedule_beyond_its_end():
    with pytest.raises(ConfigurationError, match="not before the end of the run, 5 s"):
        scenarios.Registration(faults=[Crash(node="mail", at_s=7.0, down_s=1.0)]).run(until_s=5.0)
    with pytest.raises(ConfigurationError, match="give a fault that has at_s"):
        WhenFact(kind="x", then=RandomCrashes(node="a", mtbf_s=1.0, mttr_s=1.0, until_s=1.0))


def test_faults_describe_themselves():
    every = [
        Crash(node="a", at_s=1.0), Restart(node="a", at_s=1.0), Pause(node="a", at_s=1.0, for_s=1.0),
        MemoryLimit(node="a", limit_bytes=9, down_s=1.0),
        Slow(node="a", factor=2.0), WrongClock(node="a", offset_s=1.0, drift_ratio=0.1),
        ZoneOutage(zone="z", nodes="a", at_s=1.0, down_s=1.0), BrokerCrash(at_s=1.0, down_s=1.0, number=2),
        BrokerCutOff(number=1, at_s=1.0, for_s=1.0), StoreFull(store="s", at_s=1.0), ServerErrors(server="s"),
        LoseMessages(sender="a"), Partition(sender="a", at_s=1.0, for_s=1.0), DelayMessages(sender="a", by=ONE_S),
        DuplicateMessages(sender="a"), ReorderMessages(sender="a", held_for=ONE_S),
        WhenFact(kind="k", subject="s", then=Crash(node="a", at_s=0.0)),
        When(step="write", of="a", what="x", then=Crash(node="a", at_s=0.0)),
    ]  # fmt: skip
    words = [fault.describe() for fault in every]
    assert len(set(words)) == len(every)
    assert "a takes 2 times as long at 0 s" in words
    assert "when a does write (x) number 1: a crashes at 0 s and stays down" in words
