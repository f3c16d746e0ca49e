"""Laws of ActiveMQ in whatever system: nothing is lost or invented unless the log says so; a prefetch is a bound."""

from collections import Counter, defaultdict

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as some

from edasim import ActiveMQ, Event, Service, Simulation, Source, failures, load, scenarios, times
from edasim.brokers.activemq import DestinationPolicy, RedeliveryPolicy
from edasim.scenarios import Registration

pytestmark = pytest.mark.long

ENDS = {"done", "dropped", "dead_lettered", "expired"}
OPEN = {"queued", "in_flight"}
PREFETCH = [0, 1, 2, 5, 1000]

instants = some.lists(some.integers(0, 40).map(lambda eighths: eighths / 8), max_size=12).map(sorted)
outages = some.lists(some.tuples(some.integers(0, 60), some.integers(1, 16)), max_size=4)
systems = some.fixed_dictionaries(
    {
        "shape": some.sampled_from(["queue", "virtual", "composite", "durable", "plain"]),
        "sources": some.lists(instants, min_size=1, max_size=3),
        "producer": some.fixed_dictionaries(
            {
                "delivery_mode": some.sampled_from(["persistent", "non_persistent"]),
                "time_to_live_s": some.sampled_from([None, None, 0.5, 2.0]),
                "delay_s": some.sampled_from([0.0, 0.0, 1.0]),
                "priority": some.sampled_from([4, lambda event: event.data % 10]),
                "group": some.sampled_from([None, None, lambda event: "ab"[event.data % 2]]),
            }
        ),
        "policy": some.fixed_dictionaries(
            {
                "order": some.sampled_from(["arrival", "prioritized_messages"]),
                "memory_limit_messages": some.sampled_from([None, None, 1, 3]),
                "when_full": some.sampled_from(["hold_back", "send_fail_if_no_space"]),
                "dead_letters": some.sampled_from(["persistent", "process_non_persistent"]),
            }
        ),
        "redelivery": some.builds(
            RedeliveryPolicy,
            maximum_redeliveries=some.integers(0, 3),
            initial_delay_s=some.sampled_from([0.0, 0.25, 1.0]),
            order=some.sampled_from(["blocking", "non_blocking_redelivery"]),
        ),
        "client": some.sampled_from(["openwire", "stomp"]),
        "acknowledge": some.sampled_from(["auto", "individual", "transacted"]),
        "prefetch": some.sampled_from(PREFETCH),
        "exclusively": some.booleans(),
        "selector": some.sampled_from([None, "JMSType = 'even'"]),
        "nodes": some.integers(1, 3),
        "concurrency": some.integers(1, 2),
        "service_s": some.lists(some.sampled_from([0.0, 0.125, 0.5, 1.5]), min_size=1, max_size=4),
        "failing": some.sampled_from([0.0, 0.3, 1.0]),
        "outages": outages,
        "broker_outage": some.none() | some.tuples(some.integers(0, 40), some.integers(1, 16)),
        "store_s": some.sampled_from([0.0, 0.25]),
        "until_s": some.sampled_from([0.5, 5.0, 500.0]),
        "seed": some.integers(0, 3),
    }
)


def build(system):
    sim = Simulation(seed=system["seed"])
    broker = ActiveMQ(
        policy=DestinationPolicy(**system["policy"]),
        redelivery=system["redelivery"],
        store_s=system["store_s"],
    ).start(sim)
    to, subscription, nodes = SHAPES[system["shape"]](broker, system)
    serve(sim, subscription, system, nodes)
    for place, times_s in enumerate(system["sources"]):
        if times_s:
            Source(
                f"source-{place}", load=load.Trace(times_s=times_s), to=to.producer(**system["producer"]), event=make
            )
    if system["broker_outage"] is not None:
        begin, eighths = system["broker_outage"]
        sim.at(begin / 8, broker.crash)
        sim.at((begin + eighths) / 8, broker.restart)
    return sim.run(until_s=system["until_s"])


def make(occasion):
    return Event(type="even" if occasion.number % 2 == 0 else "odd", data=occasion.number)


def consume(queue, system):
    way = queue.consume_exclusively if system["exclusively"] else queue.consume
    return way(selector=system["selector"], **reading(system))


def reading(system):
    return {name: system[name] for name in ("client", "acknowledge", "prefetch")}


def on_a_composite_topic(broker, system):
    topic = broker.composite_topic("all")
    topic.forward_to("other", selector="JMSType = 'odd'")
    return topic, consume(topic.forward_to("mine"), system), system["nodes"]


def on_a_topic(broker, system, kind):
    topic = broker.topic("news")
    topic.durable("other")
    return topic, getattr(topic, kind)("mine", selector=system["selector"], **reading(system)), 1


def on_a_virtual_topic(broker, system):
    topic = broker.topic("VirtualTopic.t")
    topic.consumer_queue("other")
    return topic, consume(topic.consumer_queue("mine"), system), system["nodes"]


def on_a_queue(broker, system):
    queue = broker.queue("mine")
    return queue, consume(queue, system), system["nodes"]


SHAPES = {
    "queue": on_a_queue,
    "virtual": on_a_virtual_topic,
    "composite": on_a_composite_topic,
    "durable": lambda broker, system: on_a_topic(broker, system, "durable"),
    "plain": lambda broker, system: on_a_topic(broker, system, "subscribe"),
}


def serve(sim, subscription, system, nodes):
    def handler(event, context):
        if context.draw("mood") < system["failing"]:
            raise RuntimeError("refused")

    service = Service(
        "srv",
        of=subscription,
        service_time=times.Trace(values_s=system["service_s"], at_end="repeat"),
        nodes=nodes,
        concurrency=system["concurrency"],
        handler=handler,
    )
    for number, (begin, eighths) in enumerate(system["outages"]):
        node = service.nodes[number % len(service.nodes)]
        sim.at(begin / 8, node.crash)
        sim.at((begin + eighths) / 8, node.restart)


def by_message(run):
    found = defaultdict(list)
    for row in run.messages().itertuples():
        if isinstance(row.group, str):
            found[row.group, row.event_id].append((row.attempt, row.outcome))
    return {key: sorted(rows) for key, rows in found.items()}


def published(system):
    return {
        f"source-{place}-{number}"
        for place, times_s in enumerate(system["sources"])
        for number, at_s in enumerate(times_s)
        if at_s < system["until_s"]
    }


def forgetful(system):
    return system["client"] == "stomp" and system["acknowledge"] == "auto"


@settings(max_examples=400, deadline=None)
@given(systems)
def test_every_message_comes_to_one_end_or_is_still_there(system):
    run = build(system)
    ends = set(ENDS)
    weak = system["producer"]["delivery_mode"] == "non_persistent" or system["shape"] == "plain"
    if forgetful(system):
        ends |= {"failed"}
    if system["broker_outage"] is not None and (weak or forgetful(system)):
        ends |= {"failed", "crashed"}
    impossible = ENDS | OPEN if system["broker_outage"] is None else (ENDS | OPEN) - {"done", "in_flight"}
    for (group, _), rows in by_message(run).items():
        outcomes = [outcome for _, outcome in rows]
        assert outcomes[-1] in ends | OPEN, (group, rows)
        if group == "mine":
            assert not set(outcomes[:-1]) & impossible, rows
            assert [attempt for attempt, _ in rows] == list(range(1, len(rows) + 1))
    told_of = set(run.messages()["event_id"])
    assert told_of == published(system)


@settings(max_examples=150, deadline=None)
@given(systems)
def test_a_queue_loses_nothing_that_is_persistent(system):
    """Done, put aside, expired or still there: a crash, of whatever it is, takes nothing."""
    system |= {"shape": "queue", "acknowledge": "individual", "policy": {**system["policy"], "when_full": "hold_back"}}
    system["producer"] = {**system["producer"], "delivery_mode": "persistent"}
    rows = by_message(build(system))
    assert {event for group, event in rows if group == "mine"} == published(system)
    assert "dropped" not in {outcome for mine in rows.values() for _, outcome in mine}


@settings(max_examples=150, deadline=None)
@given(systems)
def test_dead_letters_are_those_that_were_put_aside(system):
    run = build(system)
    table = run.messages()
    graves = set(table.loc[table["group"] == "ActiveMQ.DLQ", "event_id"])
    dead = set(table.loc[table["outcome"] == "dead_lettered", "event_id"])
    expired = set(table.loc[table["outcome"] == "expired", "event_id"])
    assert dead <= graves <= dead | expired
    counted = Counter(table.loc[table["group"] == "ActiveMQ.DLQ", "event_id"])
    assert set(counted.values()) <= {1}


@settings(max_examples=150, deadline=None)
@given(systems)
def test_no_consumer_holds_more_than_its_prefetch_and_no_slot_more_than_one(system):
    if forgetful(system):
        system |= {"acknowledge": "individual"}
    system |= {"broker_outage": None}
    mine = build(system).messages().query("group == 'mine'")
    limit = system["prefetch"] or system["concurrency"]
    if system["redelivery"].order.value == "non_blocking_redelivery":
        limit = np.inf  # what waits for its redelivery in the client is held beside the prefetched
    for begin, most in (("delivered_s", limit), ("started_s", system["concurrency"])):
        for _, rows in mine.dropna(subset=[begin]).groupby("consumer"):
            begun, ended = np.sort(rows[begin]), np.sort(rows["finished_s"].fillna(np.inf))
            at_once = np.arange(1, len(begun) + 1) - np.searchsorted(ended, begun, side="right")
            assert at_once.max() <= most


@settings(max_examples=100, deadline=None)
@given(systems)
def test_times_are_in_order(system):
    rows = build(system).deliveries
    steps = np.stack([rows.published_s, rows.enqueued_s, rows.delivered_s, rows.started_s, rows.finished_s])
    for column in steps.T:
        reached = column[~np.isnan(column)]
        assert (np.diff(reached) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(systems)
def test_a_group_is_worked_on_in_order_by_one_consumer_while_none_leaves(system):
    steady = {
        "outages": [],
        "broker_outage": None,
        "failing": 0.0,
        "concurrency": 1,
        "shape": "queue",
        "selector": None,
    }
    system |= steady
    system["policy"] = {**system["policy"], "order": "arrival"}
    system["producer"] = {**system["producer"], "group": lambda event: "ab"[event.data % 2]}
    done = build(system).messages().query("group == 'mine' and outcome == 'done'").copy()
    done["letter"] = done["type"]
    for _, rows in done.groupby("letter"):
        assert rows["consumer"].nunique() == 1
        in_turn = rows.sort_values("started_s", kind="stable")
        assert in_turn["enqueued_s"].is_monotonic_increasing


@settings(max_examples=60, deadline=None)
@given(systems)
def test_the_same_seed_gives_the_same_run(system):
    assert build(system).fingerprint() == build(system).fingerprint()


# ------------------------------------------------------------------------------------------------ by hand

OUTAGES = [(2.125, 3.0), (4.0, 4.5), (9.0, 9.25)]


def declared(sim, subscription, answers, service_time, consumers):
    Service(
        "srv",
        of=subscription,
        service_time=service_time,
        nodes=consumers,
        handler=lambda event, context: event.follow(type="answer", data=event.id),
        to=answers,
    )
    for down_s, up_s in OUTAGES:
        sim.at(down_s, sim.node("srv/0").crash)
        sim.at(up_s, sim.node("srv/0").restart)


def by_hand(sim, subscription, answers, service_time, consumers):
    draw = service_time.draws(sim.streams.generator("service/srv/service_time"))

    def consumer(name):
        while True:
            delivery = yield subscription.receive(consumer=name)
            yield sim.env.timeout(draw())
            answers.publish(delivery.event.follow(type="answer", data=delivery.event.id), publisher="srv")
            delivery.ack()

    def with_outages(name):
        while True:
            try:
                yield from consumer(name)
            except simpy.Interrupt as crash:
                subscription.disconnect(name)
                yield sim.env.timeout(crash.cause)

    processes = [sim.env.process(with_outages(f"srv/{place}")) for place in range(consumers)]
    for down_s, up_s in OUTAGES:
        sim.at(down_s, lambda for_s=up_s - down_s: processes[0].interrupt(for_s))


def records(build_consumers, prefetch, consumers, seed):
    sim = Simulation(seed=seed)
    broker = ActiveMQ(prefetch=prefetch).start(sim)
    queue, answers = broker.queue("here"), broker.queue("answers")
    service_time = times.Exponential(mean_s=0.02)
    build_consumers(sim, queue.consume(), answers, service_time, consumers)
    Service("reader", of=answers.consume(), service_time=times.Exponential(mean_s=0.005))
    Source("src", load=load.Poisson(rate_per_s=40.0 * consumers), to=queue)
    return sim.run(until_s=15.0).messages()


@pytest.mark.parametrize("prefetch", [0, 1, 7, 1000])
@pytest.mark.parametrize("consumers", [1, 3])
def test_by_hand_and_declared_are_the_same_record_for_record(prefetch, consumers):
    for seed in range(2):
        hand, service = (records(build, prefetch, consumers, seed) for build in (by_hand, declared))
        assert hand.equals(service)
        assert (service["outcome"] == "crashed").sum() > 0


# ------------------------------------------------------------------------------------------------ the registration case


SERVICES = ("behaviour-analytics", "user-management", "mail", "readers")


@pytest.mark.parametrize("broker", [ActiveMQ(), ActiveMQ(prefetch=1)], ids=["prefetch 1000", "prefetch 1"])
def test_thirty_seeds_of_crashes_lose_no_registration(broker):
    faults = [failures.RandomCrashes(node=name, mtbf_s=2.0, mttr_s=0.4, until_s=12.0) for name in SERVICES]
    mailed_twice = 0
    for seed in range(15):
        run = Registration(users_per_s=10.0, users=60, faults=faults, broker=broker).run(seed=seed)
        books = scenarios.audit(run)
        assert (books.requested, books.accepted + books.rejected) == (60, 60)
        assert (books.undecided, books.without_row, books.without_mail, books.shown_uncached) == (0, 0, 0, 0), seed
        assert books.rows == books.cached == books.mailed == books.accepted
        mailed_twice += books.mailed_twice
    assert mailed_twice > 0, "at least once should have shown a duplicate"


@pytest.mark.rule("AMQ-17", "AMQ-22")
def test_takeovers_of_the_broker_lose_no_registration_either():
    """Services crash, and the broker fails over again and again: producers wait, what persists comes back."""
    faults = [failures.RandomCrashes(node=name, mtbf_s=2.0, mttr_s=0.4, until_s=12.0) for name in SERVICES]
    scenario = Registration(users_per_s=10.0, users=60, faults=faults, broker=ActiveMQ(store_s=0.005))
    for seed in range(10):
        sim = Simulation(seed=seed)
        kept = scenario.build(sim)
        broker = kept["wiring"].broker
        for outage in range(1, 5):
            sim.at(2.3 * outage + seed / 100, lambda broker=broker: broker.fail_over(takeover_s=0.7))
        books = scenarios.audit(sim.run(scenario=scenario, kept=kept))
        assert (books.requested, books.accepted + books.rejected) == (60, 60)
        assert (books.undecided, books.without_row, books.without_mail) == (0, 0, 0), seed


def test_the_registration_case_goes_to_a_dictionary_and_back():
    told = Registration(users=5, broker=ActiveMQ(prefetch=1, redelivery=RedeliveryPolicy(initial_delay_s=0.5)))
    assert Registration.from_dict(told.to_dict()) == told
    assert "ActiveMQ Classic" in told.describe()


def test_the_wiring_tells_how_it_was_done():
    run = Registration(users=5, broker=ActiveMQ()).run(seed=1)
    wiring = run.kept["wiring"]
    assert wiring.describe().startswith("composite topic 'registration' that forwards to a queue each for")
    assert "mail (JMSType IN ('mail.welcome.requested', 'mail.confirmation.opened'))" in wiring.describe()
    for ask in (wiring.destination, wiring.subscription):
        with pytest.raises(LookupError, match="nobody"):
            ask("nobody")
