"""Core NATS: stories told by the clock, and what it refuses."""

import pytest
import simpy
from timelines import still_open, timeline

from edasim import Event, MemoryBus, Nats, Service, Simulation, Source, load, times
from edasim.brokers import Topology
from edasim.brokers.nats import (
    InvalidPublishSubjectError,
    InvalidSubjectError,
    NoRespondersError,
    RequestTimeoutError,
    SlowConsumer,
)
from edasim.errors import CapabilityError, ConfigurationError, EdasimError, HandlerError, StateError, UnknownNameError
from edasim.scenarios import Registration


@pytest.fixture
def sim():
    return Simulation(seed=1)


@pytest.fixture
def nats(sim):
    return Nats().start(sim)


def publish_at(to, *times_s, name="src", kind="x"):
    Source(name, load=load.Trace(times_s=times_s), to=to, event=lambda occasion: Event(type=kind))


def work(of, name="srv", *, service_s=(1.0,), **more):
    return Service(name, of=of, service_time=times.Trace(values_s=service_s, at_end="repeat"), **more)


# ------------------------------------------------------------------------------------------------ at most once


@pytest.mark.rule("NAT-02")
def test_a_message_without_a_listener_is_gone(sim, nats):
    """Published while the only listener is down, it does not wait for it; nor does what waits in its client survive."""
    work(nats.subscribe("a", queue="q"))
    publish_at(nats.subject("a"), 0.0, 0.25, 2.0, 4.0)
    sim.at(0.5, sim.node("srv/0").crash)
    sim.at(3.0, sim.node("srv/0").restart)
    assert timeline(sim.run()) == [
        (0.0, "srv/0 takes src-0"),
        (0.25, "srv/0 takes src-1"),  # into its client, where it waits
        (0.5, "srv/0: src-0 dropped"),
        (0.5, "srv/0: src-1 dropped"),
        (2.0, "src-2 dropped"),
        (4.0, "srv/0 takes src-3"),
        (5.0, "srv/0: src-3 done"),
    ]


@pytest.mark.rule("NAT-02")
def test_what_no_subscription_hears_is_told_as_filtered(sim, nats):
    work(nats.subscribe("user.*"))
    publish_at(nats.subject("order.placed"), 1.0)
    assert timeline(sim.run()) == [(1.0, "src-0 filtered")]


@pytest.mark.rule("NAT-02")
def test_what_a_handler_refuses_does_not_come_again(sim, nats):
    def fail(event, context):
        raise RuntimeError("no luck")

    work(nats.subscribe("a"), handler=fail)
    publish_at(nats.subject("a"), 0.0)
    run = sim.run()
    assert run.messages()["outcome"].tolist() == ["failed"]


@pytest.mark.rule("NAT-02")
def test_a_server_that_is_down_loses_what_is_published(sim, nats):
    """What is pending in the clients stays there."""
    work(nats.subscribe("a"), service_s=[3.0])
    publish_at(nats.subject("a"), 0.0, 0.5, 1.5, 2.5)
    sim.at(1.0, nats.crash)
    sim.at(1.0, nats.crash)
    sim.at(2.0, nats.restart)
    run = sim.run()
    assert run.messages()["outcome"].tolist() == ["done", "done", "dropped", "done"]
    assert [fact.kind for fact in run.fact_list] == ["broker_crashed", "broker_restarted"]


# ------------------------------------------------------------------------------------------------ who gets it


@pytest.mark.rule("NAT-03")
def test_a_queue_group_does_not_look_who_is_busy(sim, nats):
    """Twenty messages, one each 0.25 s, each a second's work for four members: some wait while others have nothing."""
    work(nats.subscribe("a", queue="q"), nodes=4)
    Source("src", load=load.Constant(rate_per_s=4.0).first(20), to=nats.subject("a"))
    run = sim.run()
    rows = run.deliveries
    assert (rows.waits_s > 0.5).any()
    busy_until = dict.fromkeys(range(4), 0.0)
    idle_while_waiting = 0
    for member, published_s, finished_s in zip(rows.consumer, rows.published_s, rows.finished_s, strict=True):
        others_free = any(until_s <= published_s for other, until_s in busy_until.items() if other != member)
        idle_while_waiting += busy_until[member] > published_s and others_free
        busy_until[member] = finished_s
    assert idle_while_waiting > 0


@pytest.mark.rule("NAT-03")
def test_the_choice_of_members_has_random_numbers_of_its_own():
    """Another group beside it changes nothing."""

    def chosen(more):
        sim = Simulation(seed=5)
        nats = Nats().start(sim)
        work(nats.subscribe("a", queue="q"), nodes=3)
        if more:
            work(nats.subscribe("a", queue="other"), name="others", nodes=7)
        Source("src", load=load.Poisson(rate_per_s=2.0).first(50), to=nats.subject("a"))
        table = sim.run().messages()
        return table[table["group"] == "q"]["consumer"].tolist()

    assert chosen(more=False) == chosen(more=True)


def test_without_a_queue_group_every_node_gets_a_copy(sim, nats):
    work(nats.subscribe("a"), nodes=3)
    publish_at(nats.subject("a"), 0.0)
    run = sim.run()
    assert run.messages()["consumer"].tolist() == ["srv/0", "srv/1", "srv/2"]
    assert run.summary()["srv"].done == 3


@pytest.mark.rule("NAT-06")
def test_one_publishers_messages_reach_one_member_in_order(sim, nats):
    """Of each publisher, each member sees a rising row; between members there is no order."""
    work(nats.subscribe("a", queue="q"), nodes=2, service_s=[0.1, 0.9, 0.3])
    for name in ("one", "two"):
        Source(name, load=load.Poisson(rate_per_s=2.0).first(40), to=nats.subject("a"))
    table = sim.run().messages().sort_values("started_s")
    for (_, publisher), rows in table.groupby(["consumer", "source"]):
        numbers = [int(event.rpartition("-")[2]) for event in rows["event_id"]]
        assert numbers == sorted(numbers), publisher
    ends = [event for event in table.sort_values("finished_s")["event_id"] if event.startswith("one")]
    assert ends != [f"one-{number}" for number in range(40)]


def test_subjects_are_filled_in_from_the_event(sim, nats):
    placed = nats.subscribe("orders.*.placed", queue="placed")
    work(placed)
    work(nats.subscribe("orders.eu.>", queue="eu"), name="eu")
    for region, kind in (("eu", "placed"), ("us", "placed"), ("eu", "paid")):
        nats.subject("orders.{subject}.{type}").publish(Event(type=kind, subject=region), publisher=f"{region}-{kind}")
    table = sim.run().messages()
    assert sorted(table[table["group"] == "placed"]["event_id"]) == ["eu-placed-0", "us-placed-0"]
    assert sorted(table[table["group"] == "eu"]["event_id"]) == ["eu-paid-0", "eu-placed-0"]


def test_so_many_subjects_that_not_all_are_remembered(sim, monkeypatch):
    """A subject per user: who wants it is found out anew, and the answer is the same."""
    from edasim import JetStream
    from edasim.brokers.nats import consumer, stream, subject

    for module in (consumer, stream, subject):
        monkeypatch.setattr(module, "KNOWN_SUBJECTS", 2)
    server = JetStream().start(sim)
    work(server.stream("s", subjects="user.>").consumer("c", filter_subjects="user.*.even"), service_s=[0.0])
    work(server.subscribe("user.*.odd"), name="odd", service_s=[0.0])
    Source(
        "src",
        load=load.Constant(rate_per_s=1.0).first(40),
        to=server.subject("user.{subject}.{type}"),
        event=lambda occasion: Event(type=("even", "odd")[occasion.number % 2], subject=f"u{occasion.number % 10}"),
    )
    run = sim.run()
    assert (run.summary()["srv"].done, run.summary()["odd"].done) == (20, 20)


def test_an_empty_token_reaches_nobody(sim, nats):
    """As measured: no error, and not even `>` hears it."""
    work(nats.subscribe(">"))
    nats.subject("a.{subject}").publish(Event(type="x"))
    assert sim.run().messages()["outcome"].tolist() == ["filtered"]


# ------------------------------------------------------------------------------------------------ slow consumers


@pytest.mark.rule("NAT-04")
def test_a_client_drops_what_comes_beyond_its_pending_limit(sim):
    nats = Nats(pending_messages=2).start(sim)
    work(nats.subscribe("a"), service_s=[1.0])
    publish_at(nats.subject("a"), 0.0, 0.125, 0.25, 0.375, 0.5, 1.25)
    run = sim.run()
    assert [row for row in timeline(run) if "dropped" in row[1]] == [(0.375, "src-3 dropped"), (0.5, "src-4 dropped")]
    assert run.summary()["srv"].done == 4


@pytest.mark.rule("NAT-04")
def test_a_server_cuts_off_who_does_not_keep_up(sim):
    """All that was pending is gone; for two seconds the client hears nothing, then it is back."""
    nats = Nats(pending_messages=2, slow_consumer="cut_off", reconnect_s=2.0).start(sim)
    work(nats.subscribe("a"), service_s=[1.0])
    publish_at(nats.subject("a"), 0.0, 0.125, 0.25, 0.375, 1.5, 3.0)
    run = sim.run()
    assert timeline(run) == [
        (0.0, "srv/0 takes src-0"),
        (0.375, "src-1 dropped"),
        (0.375, "src-2 dropped"),
        (0.375, "src-3 dropped"),
        (1.0, "srv/0: src-0 done"),
        (1.5, "src-4 dropped"),
        (3.0, "srv/0 takes src-5"),
        (4.0, "srv/0: src-5 done"),
    ]
    assert [(fact.time_s, fact.kind) for fact in run.fact_list] == [
        (0.375, "slow_consumer_cut_off"),
        (2.375, "reconnected"),
    ]


def test_who_crashes_while_cut_off_does_not_reconnect(sim):
    nats = Nats(pending_messages=1, slow_consumer="cut_off", reconnect_s=2.0).start(sim)
    work(nats.subscribe("a"), service_s=[1.0])
    publish_at(nats.subject("a"), 0.0, 0.125, 0.25, 3.0)
    sim.at(0.5, sim.node("srv/0").crash)
    run = sim.run()
    assert run.messages()["outcome"].tolist() == ["dropped"] * 4
    assert "reconnected" not in {fact.kind for fact in run.fact_list}


def test_what_is_pending_at_the_end_is_told(sim, nats):
    work(nats.subscribe("a"), service_s=[10.0])
    publish_at(nats.subject("a"), 0.0, 1.0)
    assert still_open(sim.run(until_s=5.0)) == [("src-0", 1, "in_flight"), ("src-1", 1, "in_flight")]


# ------------------------------------------------------------------------------------------------ request, reply


def responder(sim, subscription, delay_s, name="by-hand"):
    def answer():
        while True:
            delivery = yield subscription.receive(consumer=name)
            yield sim.env.timeout(delay_s)
            delivery.respond(Event(type="answer", data=f"{delivery.event.data} by {name}"))

    sim.env.process(answer())


@pytest.mark.rule("NAT-05")
def test_a_request_gets_its_first_answer(sim, nats):
    responder(sim, nats.subscribe("ask", name="slow"), 0.5, "slow")
    responder(sim, nats.subscribe("ask", name="quick"), 0.25, "quick")
    seen = []

    def ask():
        yield sim.env.timeout(1.0)
        answer = yield nats.request("ask", Event(type="question", data="why"), timeout_s=2.0, publisher="ann")
        seen.append((sim.env.now, answer.data))

    sim.env.process(ask())
    run = sim.run()
    assert seen == [(1.25, "why by quick")]
    table = run.messages()
    assert table[table["type"] == "answer"]["outcome"].tolist() == ["done", "filtered"]


@pytest.mark.rule("NAT-05")
def test_a_request_without_a_listener_fails_at_once_and_without_an_answer_in_time(sim, nats):
    seen = []

    def ask(subject):
        try:
            yield nats.request(subject, Event(type="question"), timeout_s=0.5)
        except (NoRespondersError, RequestTimeoutError) as error:
            seen.append((sim.env.now, type(error).__name__, error.remedy))

    responder(sim, nats.subscribe("late"), 1.0)
    sim.env.process(ask("nobody"))
    sim.at(0.25, lambda: sim.env.process(ask("late")))
    sim.run()
    assert [row[:2] for row in seen] == [(0.0, "NoRespondersError"), (0.75, "RequestTimeoutError")]
    assert all(row[2] for row in seen)


def test_only_a_request_can_be_answered(sim, nats):
    subscription = nats.subscribe("a")
    refused = []

    def listen():
        delivery = yield subscription.receive()
        for answer in (Event(type="answer"), "answer"):
            with pytest.raises((StateError, HandlerError)) as caught:
                delivery.respond(answer)
            refused.append(str(caught.value))

    sim.env.process(listen())
    publish_at(nats.subject("a"), 1.0)
    sim.run()
    assert "is no request" in refused[0]
    assert "answer with an Event" in refused[1]


# ------------------------------------------------------------------------------------------------ by hand


def by_hand(sim, subscription, to, names):
    draw = times.Exponential(mean_s=0.1).draws(sim.streams.generator("service/srv/service_time"))

    def consumer(name):
        while True:
            delivery = yield subscription.receive(consumer=name)
            yield sim.env.timeout(draw())
            to.publish(delivery.event.follow(type="answer"), publisher="srv")

    for name in names:
        sim.env.process(consumer(name))


def declared(sim, subscription, to, names):
    Service(
        "srv",
        of=subscription,
        service_time=times.Exponential(mean_s=0.1),
        nodes=names,
        handler=lambda event, context: event.follow(type="answer"),
        to=to,
    )


@pytest.mark.parametrize("queue", ["q", None])
@pytest.mark.parametrize("limit", [2, 100])
def test_by_hand_and_declared_are_the_same_record_for_record(queue, limit):
    def records(build):
        sim = Simulation(seed=4)
        nats = Nats(pending_messages=limit).start(sim)
        build(sim, nats.subscribe("a", queue=queue), nats.subject("answers"), ["srv/0", "srv/1"])
        Service("reader", of=nats.subscribe("answers"))
        Source("src", load=load.Poisson(rate_per_s=15.0), to=nats.subject("a"))
        table = sim.run(until_s=20.0).messages()
        return table.sort_values(["event_id", "consumer"], kind="stable", ignore_index=True)

    hand, service = records(by_hand), records(declared)
    assert hand.equals(service)
    assert ("dropped" in set(hand["outcome"])) == (limit == 2)


def test_a_listener_by_hand_buffers_while_it_works_and_until_it_unsubscribes(sim, nats):
    subscription, seen = nats.subscribe("a"), []

    def listen():
        for _ in range(2):
            delivery = yield subscription.receive(consumer="ann")
            seen.append((sim.env.now, delivery.event.id, delivery.delivered_s))
            yield sim.env.timeout(1.0)
        subscription.unsubscribe(consumer="ann")

    sim.env.process(listen())
    publish_at(nats.subject("a"), 0.0, 0.25, 0.5, 3.0)
    run = sim.run()
    assert seen == [(0.0, "src-0", 0.0), (1.0, "src-1", 0.25)]
    assert run.messages()["outcome"].tolist() == ["done", "in_flight", "dropped", "dropped"]
    with pytest.raises(UnknownNameError, match="member"):
        subscription.unsubscribe(consumer="bob")


def test_a_receive_that_gave_up_still_listens(sim, nats):
    """The client keeps its subscription when `next_msg` times out."""
    subscription, seen = nats.subscribe("a"), []

    def listen():
        yield subscription.receive() | sim.env.timeout(1.0)
        yield sim.env.timeout(2.0)
        delivery = yield subscription.receive()
        seen.append((sim.env.now, delivery.event.id))

    sim.env.process(listen())
    publish_at(nats.subject("a"), 2.0)
    sim.run()
    assert seen == [(3.0, "src-0")]


def test_what_reaches_a_process_at_the_instant_of_its_interruption_is_lost(sim, nats):
    subscription = nats.subscribe("a")

    def listen():
        try:
            yield subscription.receive()
        except simpy.Interrupt:
            subscription.unsubscribe()

    process = sim.env.process(listen())

    def both():
        process.interrupt()
        nats.subject("a").publish(Event(type="x"))

    sim.at(1.0, both)
    assert sim.run().messages()["outcome"].tolist() == ["dropped"]


def test_a_receive_outlives_its_subscription_without_harm(sim, nats):
    subscription = nats.subscribe("a")

    def listen():
        asked = subscription.receive()
        yield sim.env.timeout(1.0)
        subscription.unsubscribe()
        asked.cancel()

    sim.env.process(listen())
    publish_at(nats.subject("a"), 2.0)
    assert sim.run().messages()["outcome"].tolist() == ["dropped"]


# ------------------------------------------------------------------------------------------------ layout, refusals

SHOP = Topology(
    name="shop",
    publishes={"till": ("sold", "returned"), "stock": ("empty",)},
    consumes={"stock": ("sold", "returned"), "buyer": ("empty",)},
)


def test_a_topology_is_laid_out_as_subjects_and_queue_groups(sim, nats):
    wiring = nats.wire(SHOP)
    assert wiring.subscription("stock").patterns == ("shop.sold", "shop.returned")
    assert wiring.subscription("stock").queue == "stock"
    assert wiring.destination("till") is wiring.destination("stock")
    assert wiring.describe() == (
        "subjects 'shop.<type>' with a queue group each for stock (sold, returned); buyer (empty)"
    )
    for ask in (wiring.destination, wiring.subscription):
        with pytest.raises(UnknownNameError, match="stork"):
            ask("stork")


def test_closed_users_ask_again_when_their_message_is_gone():
    def done(broker):
        sim = Simulation(seed=2)
        running = broker.start(sim)
        to = running.subject("a") if isinstance(broker, Nats) else running.topic("a")
        work(running.subscribe("a", queue="q") if isinstance(broker, Nats) else to.subscribe(), service_s=[0.3])
        Source("users", load=load.Closed(users=3, think_time=times.Exponential(mean_s=1.0)), to=to)
        return sim.run(until_s=50.0).summary()["srv"].done

    assert done(Nats()) == done(MemoryBus()) > 80


@pytest.mark.parametrize(
    ("ask", "error", "match"),
    [
        (lambda nats: nats.subscribe(), ConfigurationError, "at least one subject"),
        (lambda nats: nats.subscribe("a..b"), InvalidSubjectError, "token 2 is empty"),
        (lambda nats: nats.subscribe("a.>.b"), InvalidSubjectError, "can only be the last"),
        (lambda nats: nats.subscribe("a.*", "*.b"), ConfigurationError, "overlap"),
        (lambda nats: nats.subscribe("a", queue="my group"), ConfigurationError, "leave out ' '"),
        (lambda nats: nats.subscribe("a", name=""), ConfigurationError, "not empty"),
        (lambda nats: nats.subscribe("a", pending_messages=0), ConfigurationError, "at least 1"),
        (lambda nats: [nats.subscribe("a"), nats.subscribe("a")], ConfigurationError, "exists already"),
        (
            lambda nats: [nats.subscribe("a.>", queue="q"), nats.subscribe("a.b", queue="q", name="other")],
            ConfigurationError,
            "share one subscription",
        ),
        (lambda nats: nats.subject(""), InvalidPublishSubjectError, "without blanks"),
        (lambda nats: nats.subject("a b"), InvalidPublishSubjectError, "without blanks"),
        (lambda nats: nats.subject("a.{typ}"), UnknownNameError, "did you mean 'type'"),
        (lambda nats: nats.subject("a.{type"), InvalidPublishSubjectError, "close each brace"),
        (lambda nats: nats.subject("a.{type}").publish(Event(type="x y")), InvalidPublishSubjectError, "blanks"),
        (lambda nats: nats.request("a", "why", timeout_s=1.0), ConfigurationError, "ask with an Event"),
        (lambda nats: nats.request("a", Event(type="x"), timeout_s=0.0), ConfigurationError, "positive"),
    ],
)
def test_what_cannot_be_is_refused_and_named(nats, ask, error, match):
    with pytest.raises(error, match=match) as caught:
        ask(nats)
    assert isinstance(caught.value, EdasimError)
    assert caught.value.remedy


@pytest.mark.parametrize("fields", [{"pending_messages": 0}, {"slow_consumer": "wait"}, {"reconnect_s": 0}])
def test_a_wrong_field_is_named(fields):
    with pytest.raises(ConfigurationError, match=next(iter(fields))):
        Nats(**fields)


def test_the_configuration_tells_what_it_is():
    assert "at most once" in Nats().describe()
    assert Nats(slow_consumer=SlowConsumer.CUT_OFF) == Nats(slow_consumer="cut_off")


def test_a_scenario_that_needs_redelivery_is_refused_before_the_run():
    with pytest.raises(CapabilityError, match=r"what nats cannot do: acknowledgement .*; redelivery"):
        Registration(broker=Nats()).run(until_s=1.0)
