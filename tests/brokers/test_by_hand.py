"""Your own SimPy process beside declarative services: the same run, and nothing lost on the way."""

import pytest
import simpy
from timelines import still_open, timeline

from edasim import Event, MemoryBus, Service, Simulation, Source, load, times
from edasim.errors import ConfigurationError, HandlerError, StateError


@pytest.fixture
def sim():
    return Simulation(seed=1)


@pytest.fixture
def bus(sim):
    return MemoryBus().start(sim)


@pytest.fixture
def topic(bus):
    return bus.topic("here")


def clockwork(topic, count, every_s=1.0, name="src"):
    """One message each `every_s` seconds, the first after `every_s`."""
    Source(name, load=load.Constant(rate_per_s=1.0 / every_s).first(count), to=topic)


# ------------------------------------------------------------------------------------------------ the same run

LAWS = {
    "exponential": (load.Poisson(rate_per_s=40.0), times.Exponential(mean_s=0.02)),
    "bursts": (load.Renewal(gap=times.HyperExponential(mean_s=0.025, scv=9.0)), times.Gamma(mean_s=0.02, scv=0.3)),
    "clockwork, with an end at each arrival": (load.Constant(rate_per_s=8.0), times.Constant(value_s=0.25)),
    "clockwork, no time at all": (load.Constant(rate_per_s=8.0), times.Constant(value_s=0.0)),
    "several at one instant": (
        load.Trace(times_s=[0.0] * 5 + [0.5] * 5 + [0.75, 0.75, 1.0, 1.0]),
        times.Trace(values_s=[0.25, 0.5, 0.25, 0.0], at_end="repeat"),
    ),
}
OUTAGES = [(2.125, 3.0), (4.0, 4.5), (9.0, 9.25)]


def declared(sim, subscription, answers, service_time, consumers):
    """A service whose handler answers each message; its node "srv/0" is down during the outages."""
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
    """The same, written as SimPy processes."""
    draw = service_time.draws(sim.streams.generator("service/srv/service_time"))

    def consumer(name):
        while True:
            delivery = yield subscription.receive(consumer=name)
            try:
                yield sim.env.timeout(draw())
            except simpy.Interrupt:
                delivery.nack()
                raise
            answers.publish(delivery.event.follow(type="answer", data=delivery.event.id), publisher="srv")
            delivery.ack()

    def with_outages(name):
        while True:
            try:
                yield from consumer(name)
            except simpy.Interrupt as crash:
                yield sim.env.timeout(crash.cause)

    processes = [sim.env.process(with_outages(f"srv/{place}")) for place in range(consumers)]
    for down_s, up_s in OUTAGES:
        sim.at(down_s, lambda for_s=up_s - down_s: processes[0].interrupt(for_s))


def records(build, law, consumers, seed, **wishes):
    sim = Simulation(seed=seed)
    bus = MemoryBus().start(sim)
    topic, answers = bus.topic("here"), bus.topic("answers")
    arrivals, service_time = LAWS[law]
    build(sim, topic.subscribe("s", max_attempts=1000, **wishes), answers, service_time, consumers)
    Service("reader", of=answers.subscribe(), service_time=service_time)
    Source("src", load=arrivals, to=topic)
    table = sim.run(until_s=15.0).messages()
    table["outcome"] = table["outcome"].replace("requeued", "crashed")
    return table


@pytest.mark.parametrize("wishes", [{}, {"capacity": 2}, {"capacity": 2, "overflow": "drop_oldest"}], ids=str)
@pytest.mark.parametrize("consumers", [1, 3])
@pytest.mark.parametrize("law", LAWS)
def test_by_hand_and_declared_are_the_same_record_for_record(law, consumers, wishes):
    for seed in range(3):
        hand, service = (records(build, law, consumers, seed, **wishes) for build in (by_hand, declared))
        assert hand.equals(service)
        assert (service["outcome"] == "done").sum() > 10


def test_the_comparison_has_seen_crashes_ends_and_drops():
    """So that the test above compares what it is meant to compare."""
    table = records(declared, "clockwork, with an end at each arrival", 3, 0, capacity=2)
    assert {"crashed", "done"} <= set(table["outcome"])
    assert set(table["type"]) == {"message", "answer"}
    assert table["finished_s"].isin(table["published_s"]).sum() > 100
    one = records(by_hand, "exponential", 1, 0, capacity=2)
    assert {"crashed", "dropped"} <= set(one["outcome"])


# ------------------------------------------------------------------------------------------------ stories


def test_a_process_receives_works_and_acknowledges(sim, topic):
    subscription = topic.subscribe()
    seen = []

    def worker():
        while True:
            delivery = yield subscription.receive(consumer="ann")
            seen.append((sim.env.now, delivery.event.id, delivery.attempt, delivery.consumer, delivery.delivered_s))
            yield sim.env.timeout(1.5)
            delivery.ack()

    sim.env.process(worker())
    clockwork(topic, 2)
    run = sim.run()
    assert seen == [(1.0, "src-0", 1, "ann", 1.0), (2.5, "src-1", 1, "ann", 2.5)]
    assert timeline(run) == [
        (1.0, "ann takes src-0"),
        (2.5, "ann: src-0 done"),
        (2.5, "ann takes src-1"),
        (4.0, "ann: src-1 done"),
    ]


def test_a_process_and_a_service_compete_for_one_subscription(sim, topic):
    subscription = topic.subscribe()
    Service("srv", of=subscription, service_time=times.Constant(value_s=1.25))

    def worker():
        while True:
            delivery = yield subscription.receive(consumer="ann")
            yield sim.env.timeout(2.0)
            delivery.ack()

    sim.env.process(worker())
    clockwork(topic, 4)
    assert timeline(sim.run()) == [
        (1.0, "srv/0 takes src-0"),
        (2.0, "ann takes src-1"),
        (2.25, "srv/0: src-0 done"),
        (3.0, "srv/0 takes src-2"),
        (4.0, "ann: src-1 done"),
        (4.0, "ann takes src-3"),
        (4.25, "srv/0: src-2 done"),
        (6.0, "ann: src-3 done"),
    ]


def test_refused_messages_come_back_until_they_are_put_aside(sim, bus, topic):
    subscription = topic.subscribe("s", max_attempts=3, dead_letters=bus.topic("aside"))
    bus.topic("aside").subscribe("undertaker")

    def moody():
        while True:
            delivery = yield subscription.receive(consumer="moody")
            yield sim.env.timeout(0.125)
            delivery.nack()

    sim.env.process(moody())
    clockwork(topic, 1)
    run = sim.run()
    assert timeline(run) == [
        (1.0, "moody takes src-0"),
        (1.125, "moody: src-0 requeued"),
        (1.125, "moody takes src-0 (attempt 2)"),
        (1.25, "moody: src-0 requeued (attempt 2)"),
        (1.25, "moody takes src-0 (attempt 3)"),
        (1.375, "moody: src-0 dead_lettered (attempt 3)"),
    ]
    assert still_open(run) == [("src-0", 1, "queued")]


@pytest.mark.parametrize("settle", [lambda delivery: delivery.reject(), lambda delivery: delivery.nack(requeue=False)])
def test_a_rejected_message_is_put_aside_at_once(sim, bus, topic, settle):
    subscription = topic.subscribe("s", dead_letters=bus.topic("aside"))
    bus.topic("aside").subscribe("undertaker")

    def picky():
        settle((yield subscription.receive(consumer="picky")))

    sim.env.process(picky())
    clockwork(topic, 1)
    run = sim.run()
    assert timeline(run) == [(1.0, "picky: src-0 dead_lettered"), (1.0, "picky takes src-0")]
    assert still_open(run) == [("src-0", 1, "queued")]


def test_processes_share_a_simpy_resource(sim, topic):
    """Two consumers, one printer: the second waits for it with its message in hand."""
    subscription, printer = topic.subscribe(), simpy.Resource(sim.env)

    def worker(name):
        while True:
            delivery = yield subscription.receive(consumer=name)
            with printer.request() as turn:
                yield turn
                yield sim.env.timeout(3.0)
            delivery.ack()

    for name in ("ann", "bob"):
        sim.env.process(worker(name))
    clockwork(topic, 3)
    assert timeline(sim.run()) == [
        (1.0, "ann takes src-0"),
        (2.0, "bob takes src-1"),
        (4.0, "ann: src-0 done"),
        (4.0, "ann takes src-2"),
        (7.0, "bob: src-1 done"),
        (10.0, "ann: src-2 done"),
    ]


# ------------------------------------------------------------------------------------------------ giving up


def test_an_interrupted_receive_takes_nothing(sim, topic):
    subscription = topic.subscribe()

    def worker(name):
        try:
            delivery = yield subscription.receive(consumer=name)
        except simpy.Interrupt:
            return
        delivery.ack()

    ann, _bob = (sim.env.process(worker(name)) for name in ("ann", "bob"))
    sim.at(0.5, ann.interrupt)
    clockwork(topic, 1)
    assert timeline(sim.run()) == [(1.0, "bob: src-0 done"), (1.0, "bob takes src-0")]


@pytest.mark.parametrize("max_attempts", [1, 5])
def test_an_interrupt_at_the_very_instant_of_delivery_hands_the_message_back(sim, topic, max_attempts):
    """The interrupt is under way when the message comes: ann never sees it, and nobody blames the message."""
    subscription = topic.subscribe(max_attempts=max_attempts)

    def worker(name, begins_s):
        yield sim.env.timeout(begins_s)
        try:
            delivery = yield subscription.receive(consumer=name)
        except simpy.Interrupt:
            return
        yield sim.env.timeout(0.5)
        delivery.ack()

    ann = sim.env.process(worker("ann", 0.0))
    sim.env.process(worker("bob", 2.0))
    sim.at(1.0, lambda: (ann.interrupt(), topic.publish(Event(type="x"), publisher="src")))
    assert timeline(sim.run()) == [
        (1.0, "ann: src-0 requeued"),
        (1.0, "ann takes src-0"),
        (2.0, "bob takes src-0 (attempt 2)"),
        (2.5, "bob: src-0 done (attempt 2)"),
    ]


def test_an_interrupt_just_after_the_delivery_finds_the_message_in_hand(sim, topic):
    subscription, found = topic.subscribe(), []

    def worker():
        delivery = yield subscription.receive(consumer="ann")
        try:
            yield sim.env.timeout(5.0)
        except simpy.Interrupt:
            found.append((sim.env.now, delivery.event.id, delivery.settled))
            delivery.ack()

    ann = sim.env.process(worker())
    sim.at(1.0, lambda: (topic.publish(Event(type="x"), publisher="src"), ann.interrupt()))
    sim.run()
    assert found == [(1.0, "src-0", False)]


def test_a_receive_gives_way_to_a_timeout_that_comes_first(sim, topic):
    subscription, seen = topic.subscribe(), []

    def patient():
        for _ in range(3):
            receive, timeout = subscription.receive(consumer="ann"), sim.env.timeout(0.75)
            got = yield receive | timeout
            seen.append((sim.env.now, got[receive].event.id if receive in got else "nothing"))
            if receive in got:
                got[receive].ack()

    sim.env.process(patient())
    clockwork(topic, 2)
    run = sim.run()
    assert seen == [(0.75, "nothing"), (1.0, "src-0"), (1.75, "nothing")]
    assert still_open(run) == [("src-1", 1, "queued")]


def test_a_message_at_the_instant_of_the_timeout_is_among_what_came(sim, topic):
    """As always in SimPy when two events come at one instant: look for the message before you give up."""
    subscription, seen = topic.subscribe(), []

    def patient():
        receive, timeout = subscription.receive(consumer="ann"), sim.env.timeout(1.0)
        got = yield receive | timeout
        seen.append((receive in got, timeout in got))
        got[receive].ack()

    sim.env.process(patient())
    clockwork(topic, 1)
    assert timeline(sim.run()) == [(1.0, "ann: src-0 done"), (1.0, "ann takes src-0")]
    assert seen == [(True, True)]


def test_two_subscriptions_can_be_waited_for_at_once(sim, bus):
    left, right = bus.topic("left"), bus.topic("right")
    here, there, seen = left.subscribe(), right.subscribe(), []

    def reader():
        waiting = {here.receive(), there.receive()}
        while waiting:
            got = yield simpy.AnyOf(sim.env, waiting)
            for receive, delivery in got.items():
                waiting.remove(receive)
                delivery.ack()
                seen.append((sim.env.now, delivery.event.id))

    sim.env.process(reader())
    clockwork(left, 1, every_s=2.0, name="l")
    clockwork(right, 1, every_s=1.0, name="r")
    sim.run()
    assert seen == [(1.0, "r-0"), (2.0, "l-0")]


def test_an_interrupted_wait_for_several_events_is_given_up_by_cancel(sim, topic):
    subscription = topic.subscribe()

    def reader():
        receive = subscription.receive(consumer="ann")
        try:
            yield receive | sim.env.timeout(10.0)
        except simpy.Interrupt:
            receive.cancel()
            receive.cancel()

    ann = sim.env.process(reader())
    sim.at(0.5, ann.interrupt)
    clockwork(topic, 1)
    assert still_open(sim.run()) == [("src-0", 1, "queued")]


def test_cancel_hands_back_what_has_come_and_is_not_settled(sim, topic):
    subscription = topic.subscribe()

    def reader():
        receive = subscription.receive(consumer="ann")
        yield sim.env.timeout(1.5)
        assert receive.triggered
        receive.cancel()
        delivery = yield subscription.receive(consumer="ann")
        delivery.ack()
        receive.cancel()

    sim.env.process(reader())
    clockwork(topic, 1)
    assert timeline(sim.run()) == [
        (1.0, "ann takes src-0"),
        (1.5, "ann: src-0 requeued"),
        (1.5, "ann: src-0 done (attempt 2)"),
        (1.5, "ann takes src-0 (attempt 2)"),
    ]


def test_two_processes_may_wait_for_one_receive(sim, topic):
    subscription, seen = topic.subscribe(), []
    receive = subscription.receive(consumer="both")

    def waits(name):
        try:
            delivery = yield receive
        except simpy.Interrupt:
            return
        seen.append((name, delivery.event.id))

    first, _second = sim.env.process(waits("first")), sim.env.process(waits("second"))
    sim.at(0.5, first.interrupt)
    clockwork(topic, 1)
    run = sim.run()
    assert seen == [("second", "src-0")]
    assert still_open(run) == [("src-0", 1, "in_flight")]


# ------------------------------------------------------------------------------------------------ settling, publishing


def test_what_is_held_at_the_end_is_in_flight_and_what_waits_is_queued(sim, topic):
    subscription = topic.subscribe()

    def hoarder():
        for _ in range(2):
            yield subscription.receive(consumer="ann")

    sim.env.process(hoarder())
    clockwork(topic, 3)
    run = sim.run(until_s=10.0)
    assert still_open(run) == [("src-0", 1, "in_flight"), ("src-1", 1, "in_flight"), ("src-2", 1, "queued")]
    assert run.messages()["started_s"].tolist()[:2] == [1.0, 2.0]
    assert run.summary()["here"].waiting == 3


@pytest.mark.parametrize("first", ["ack", "nack", "reject"])
@pytest.mark.parametrize("second", ["ack", "nack", "reject"])
def test_a_delivery_is_settled_once(sim, topic, first, second):
    """The error keeps its fields and its time on the way out of SimPy, which raises a copy."""
    subscription = topic.subscribe()

    def worker():
        delivery = yield subscription.receive()
        getattr(delivery, first)()
        yield sim.env.timeout(0.5)
        getattr(delivery, second)()

    sim.env.process(worker())
    clockwork(topic, 1)
    with pytest.raises(StateError) as caught:
        sim.run()
    done = {"ack": "acknowledged", "nack": "refused", "reject": "rejected"}
    error = caught.value
    assert (error.field, error.value, error.remedy) == ("delivery", done[second], "settle each delivery once")
    assert error.at_s == 1.5
    assert str(error).startswith(f"at 1.500000 s of simulated time: this delivery of 'src-0' was {done[first]} already")


def test_publishing_by_hand_fills_in_id_and_source(sim, bus, topic):
    topic.subscribe()
    published = [topic.publish(Event(type="x")), topic.publish(Event(type="x"), publisher="ann shop")]
    assert [(event.id, event.source) for event in published] == [
        ("by-hand-0", "by-hand"),
        ("ann shop-0", "ann%20shop"),
    ]
    own = topic.publish(Event(type="x", id="A-1", source="/a"), publisher="ann")
    assert (own.id, own.source) == ("A-1", "/a")
    assert bus.topic("elsewhere").publish(Event(type="x")).id == "by-hand-1"
    assert sim.run().messages()["event_id"].is_unique


def test_what_follows_an_event_belongs_to_its_tree(sim, topic):
    topic.subscribe()
    first = topic.publish(Event(type="x"), publisher="ann")
    topic.publish(Event(type="unrelated"), publisher="ann")
    second = topic.publish(first.follow(type="y"), publisher="bob")
    topic.publish(second.follow(type="z"), publisher="cid")
    topic.publish(first, publisher="bob")
    run = sim.run()
    assert run.trace("cid-0")["type"].tolist() == ["x", "y", "x", "z"]
    assert [int(root == run.deliveries.root[0]) for root in run.deliveries.root] == [1, 0, 1, 1, 1]


def test_what_is_published_by_hand_is_an_event(sim, topic):
    with pytest.raises(HandlerError, match="ann published 'hello'; publish an Event") as caught:
        topic.publish("hello", publisher="ann")
    assert (caught.value.field, caught.value.value, caught.value.at_s) == ("event", "hello", 0.0)


def test_who_acts_by_hand_has_a_name(topic):
    with pytest.raises(ConfigurationError, match="publisher is ''; give a text that is not empty"):
        topic.publish(Event(type="x"), publisher="")
    with pytest.raises(ConfigurationError, match="consumer is 7; give a text that is not empty"):
        topic.subscribe().receive(consumer=7)
