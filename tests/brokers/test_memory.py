"""The bus in memory: stories told by the clock, and what it refuses."""

import math

import pytest
from timelines import still_open, timeline

from edasim import Event, MemoryBus, Service, Simulation, Source, load, times
from edasim.brokers import Overflow, Topology
from edasim.errors import ConfigurationError, UnknownNameError


@pytest.fixture
def sim():
    return Simulation(seed=1)


@pytest.fixture
def bus(sim):
    return MemoryBus().start(sim)


@pytest.fixture
def topic(bus):
    return bus.topic("here")


def publish_at(topic, *times_s, name="src", kind="x"):
    """One event of a type at each of the instants."""
    Source(name, load=load.Trace(times_s=times_s), to=topic, event=kind)


def work(of, name="srv", *, service_s=(1.0,), **more):
    """A service whose service times are given one by one, and then over again."""
    return Service(name, of=of, service_time=times.Trace(values_s=service_s, at_end="repeat"), **more)


# ------------------------------------------------------------------------------------------------ one queue


def test_messages_wait_for_the_only_taker_in_their_order(sim, topic):
    work(topic.subscribe(), service_s=[2.0, 0.5, 0.25])
    publish_at(topic, 0.0, 1.0, 1.5)
    run = sim.run()
    assert timeline(run) == [
        (0.0, "srv/0 takes src-0"),
        (2.0, "srv/0: src-0 done"),
        (2.0, "srv/0 takes src-1"),
        (2.5, "srv/0: src-1 done"),
        (2.5, "srv/0 takes src-2"),
        (2.75, "srv/0: src-2 done"),
    ]
    assert run.messages()["enqueued_s"].tolist() == [0.0, 1.0, 1.5]


def test_who_has_been_free_for_longest_takes_the_next(sim, topic):
    """b ends before a, so b is the first in line again; c has never had a turn and goes before both."""
    work(topic.subscribe(), nodes=["a", "b", "c"], service_s=[1.5, 0.5, 0.25])
    publish_at(topic, 0.0, 0.5, 2.0, 3.0, 4.0)
    assert timeline(sim.run()) == [
        (0.0, "a takes src-0"),
        (0.5, "b takes src-1"),
        (1.0, "b: src-1 done"),
        (1.5, "a: src-0 done"),
        (2.0, "c takes src-2"),
        (2.25, "c: src-2 done"),
        (3.0, "b takes src-3"),
        (4.0, "a takes src-4"),
        (4.5, "b: src-3 done"),
        (4.5, "a: src-4 done"),
    ]


def test_a_subscription_begins_when_it_is_made(sim, topic):
    """What was published before goes to nobody; what is published after waits for a taker."""
    publish_at(topic, 1.0, 2.0)
    sim.at(1.5, lambda: topic.subscribe("late"))
    run = sim.run()
    assert timeline(run) == [(1.0, "src-0 filtered")]
    assert still_open(run) == [("src-1", 1, "queued")]


def test_a_full_queue_refuses_the_newest(sim, topic):
    work(topic.subscribe(capacity=1), service_s=[10.0])
    publish_at(topic, 1.0, 2.0, 3.0, 4.0)
    assert timeline(sim.run()) == [
        (1.0, "srv/0 takes src-0"),
        (3.0, "src-2 dropped"),
        (4.0, "src-3 dropped"),
        (11.0, "srv/0: src-0 done"),
        (11.0, "srv/0 takes src-1"),
        (21.0, "srv/0: src-1 done"),
    ]


def test_a_full_queue_drops_the_oldest(sim, topic):
    work(topic.subscribe(capacity=1, overflow=Overflow.DROP_OLDEST), service_s=[10.0])
    publish_at(topic, 1.0, 2.0, 3.0, 4.0)
    assert timeline(sim.run()) == [
        (1.0, "srv/0 takes src-0"),
        (3.0, "src-1 dropped"),
        (4.0, "src-2 dropped"),
        (11.0, "srv/0: src-0 done"),
        (11.0, "srv/0 takes src-3"),
        (21.0, "srv/0: src-3 done"),
    ]


def test_at_one_instant_what_was_scheduled_first_happens_first(sim, topic):
    """A source plans its next arrival before its message is taken: src-1 comes at 3 before the end at 3 makes room."""
    work(topic.subscribe(capacity=1), service_s=[1.0])
    publish_at(topic, 2.0, 3.0)
    publish_at(topic, 2.5, name="other")
    run = sim.run()
    assert ("src-1", "dropped") in zip(run.messages()["event_id"], run.messages()["outcome"], strict=True)
    assert timeline(run)[-1] == (4.0, "srv/0: other-0 done")


def test_what_comes_back_finds_room_in_a_full_queue(sim, topic):
    work(topic.subscribe(capacity=1), service_s=[10.0, 0.5])
    publish_at(topic, 1.0, 2.0)
    sim.at(3.0, sim.node("srv/0").crash)
    sim.at(4.0, sim.node("srv/0").restart)
    assert timeline(sim.run()) == [
        (1.0, "srv/0 takes src-0"),
        (3.0, "srv/0: src-0 crashed"),
        (4.0, "srv/0 takes src-0 (attempt 2)"),
        (4.5, "srv/0: src-0 done (attempt 2)"),
        (4.5, "srv/0 takes src-1"),
        (14.5, "srv/0: src-1 done"),
    ]


# ------------------------------------------------------------------------------------------------ coming back


def test_a_message_that_comes_back_waits_from_then_on(sim, topic):
    """Its place in the queue is new, its publishing is not: so waits add up to the time in the queue."""
    work(topic.subscribe(), service_s=[5.0, 1.0])
    publish_at(topic, 1.0)
    sim.at(3.0, sim.node("srv/0").crash)
    sim.at(7.0, sim.node("srv/0").restart)
    run = sim.run()
    table = run.messages()
    assert table["published_s"].tolist() == [1.0, 1.0]
    assert table["enqueued_s"].tolist() == [1.0, 3.0]
    assert table["started_s"].tolist() == [1.0, 7.0]
    line = run.summary()["srv"]
    assert (line.mean_wait_s, line.mean_response_s, line.mean_queue) == (2.0, 7.0, 4.0 / 8.0)


def test_all_that_a_crashed_node_held_comes_back_in_order(sim, topic):
    """Three slots; the second source's messages are older than their numbers say."""
    work(topic.subscribe(), concurrency=3, service_s=[10.0, 10.0, 10.0, 1.0])
    publish_at(topic, 2.0, 3.0, 4.0, name="a")
    publish_at(topic, 1.0, 5.0, name="b")
    sim.at(6.0, sim.node("srv/0").crash)
    sim.at(7.0, sim.node("srv/0").restart)
    assert [row for row in timeline(sim.run()) if row[0] >= 6.0 and "takes" in row[1]] == [
        (7.0, "srv/0 takes b-0 (attempt 2)"),
        (7.0, "srv/0 takes a-0 (attempt 2)"),
        (7.0, "srv/0 takes a-1 (attempt 2)"),
        (8.0, "srv/0 takes a-2"),
        (17.0, "srv/0 takes b-1"),
    ]


def test_who_is_free_takes_the_oldest_that_a_crashed_node_held(sim, topic):
    """Node b is free and takes one; the others go to the head of the queue in their order."""
    subscription = topic.subscribe()
    work(subscription, nodes=["a"], concurrency=3, service_s=[10.0])
    work(subscription, name="other", nodes=["b"], service_s=[1.0])
    publish_at(topic, 1.0, 2.0, 3.0)
    sim.at(5.0, sim.node("a").crash)
    assert [row for row in timeline(sim.run()) if "takes" in row[1]] == [
        (1.0, "a takes src-0"),
        (2.0, "a takes src-1"),
        (3.0, "a takes src-2"),
        (5.0, "b takes src-0 (attempt 2)"),
        (6.0, "b takes src-1 (attempt 2)"),
        (7.0, "b takes src-2 (attempt 2)"),
    ]


def test_a_message_that_keeps_failing_is_put_aside_with_a_new_wait(sim, bus, topic):
    def fail(event, context):
        raise RuntimeError("poison")

    aside = bus.topic("aside")
    work(topic.subscribe(max_attempts=2, dead_letters=aside), service_s=[1.0], handler=fail)
    work(aside.subscribe("undertaker"), name="undertaker", service_s=[0.5])
    publish_at(topic, 1.0)
    run = sim.run()
    assert timeline(run) == [
        (1.0, "srv/0 takes src-0"),
        (2.0, "srv/0: src-0 failed"),
        (2.0, "srv/0 takes src-0 (attempt 2)"),
        (3.0, "srv/0: src-0 dead_lettered (attempt 2)"),
        (3.0, "undertaker/0 takes src-0"),
        (3.5, "undertaker/0: src-0 done"),
    ]
    undertaker = run.messages().iloc[-1]
    assert (undertaker["published_s"], undertaker["enqueued_s"]) == (1.0, 3.0)


@pytest.mark.parametrize("log", ["full", "metrics"])
def test_a_dead_letter_responds_from_its_publishing_on_at_each_level(log):
    def fail(event, context):
        raise RuntimeError("poison")

    sim = Simulation(log=log)
    bus = MemoryBus().start(sim)
    work(bus.topic("here").subscribe(max_attempts=1, dead_letters=bus.topic("aside")), service_s=[1.0], handler=fail)
    work(bus.topic("aside").subscribe("undertaker"), name="undertaker", service_s=[0.5])
    publish_at(bus.topic("here"), 1.0)
    line = sim.run().summary()["undertaker"]
    assert (line.mean_wait_s, line.mean_response_s) == (0.0, 1.5)


def test_without_a_topic_for_dead_letters_the_message_is_gone(sim, topic):
    def fail(event, context):
        raise RuntimeError("poison")

    work(topic.subscribe(max_attempts=1), handler=fail)
    publish_at(topic, 1.0)
    run = sim.run()
    assert [outcome for *_, outcome in still_open(run)] == []
    assert timeline(run)[-1] == (2.0, "srv/0: src-0 dead_lettered")
    assert run.summary()["srv"].lost == 1


# ------------------------------------------------------------------------------------------------ topics


def test_filters_choose_by_type_by_condition_and_by_both(sim, topic):
    big = {"where": lambda event: event.data > 5}
    wishes = {
        "x": {"types": "x"},
        "x or y": {"types": ["x", "y"]},
        "big": big,
        "big x": {"types": {"x"}, **big},
        "all": {},
    }
    for name, wish in wishes.items():
        topic.subscribe(name, **wish)
    for kind in ("x", "y", "z"):
        for size in (1, 9):
            topic.publish(Event(type=kind, data=size), publisher=f"{kind}{size}")
    table = sim.run().messages()
    assert {name: table.loc[table["group"] == name, "event_id"].str[:2].tolist() for name in wishes} == {
        "x": ["x1", "x9"],
        "x or y": ["x1", "x9", "y1", "y9"],
        "big": ["x9", "y9", "z9"],
        "big x": ["x9"],
        "all": ["x1", "x9", "y1", "y9", "z1", "z9"],
    }


def test_an_event_that_is_looked_at_is_made_once_for_all(sim, topic):
    made = []
    make = sim.log.event_of
    sim.log.event_of = lambda *asked: made.append(asked) or make(*asked)
    for name in ("a", "b", "c"):
        work(topic.subscribe(name, types=["x"]), name=name, handler=lambda event, context: None)
    publish_at(topic, 1.0, 2.0)
    sim.env.run()
    assert len(made) == 2


def test_a_topic_tells_when_a_message_has_left_for_good(sim, topic):
    """Done, dropped, put aside, wanted by nobody; not: refused and queued again."""
    told = []
    topic.on_settled(lambda now_s, message: told.append((now_s, message[0])))

    def fail_on_the_first(event, context):
        if event.id == "src-0":
            raise RuntimeError("poison")

    work(topic.subscribe(types="x", capacity=1, max_attempts=2), service_s=[2.0], handler=fail_on_the_first)
    publish_at(topic, 1.0, 2.0, 2.5)
    publish_at(topic, 4.0, name="other", kind="y")
    sim.run()
    assert told == [(2.5, 2), (4.0, 1 << 40), (5.0, 0), (7.0, 1)]


def test_a_topology_is_laid_out_as_one_topic_with_filtered_subscriptions(sim, bus):
    shop = Topology(
        name="shop",
        publishes={"till": ("sold", "opened"), "stock": ("empty",)},
        consumes={"stock": ("sold",), "boss": ("sold", "empty")},
    )
    wiring = bus.wire(shop)
    till = wiring.destination("till")
    for kind in ("sold", "opened", "empty"):
        till.publish(Event(type=kind), publisher=kind)
    table = sim.run().messages()
    assert table.loc[table["group"] == "stock", "type"].tolist() == ["sold"]
    assert table.loc[table["group"] == "boss", "type"].tolist() == ["sold", "empty"]
    assert wiring.subscription("stock") is bus.subscription("shop", "stock")
    assert wiring.describe() == "topic 'shop' with a subscription each for stock (sold); boss (sold, empty)"
    with pytest.raises(UnknownNameError, match="there is no publisher of the topology 'boss'; known: till, stock"):
        wiring.destination("boss")


def test_names_lead_to_the_same_things(bus):
    assert bus.topic("here") is bus.topic("here")
    assert bus.topic("here").subscribe().name == "here"
    assert bus.topic("here").subscription("here") is bus.subscription("here", "here")


def test_two_buses_live_side_by_side():
    sim = Simulation()
    one, other = MemoryBus(name="one").start(sim), MemoryBus(name="other").start(sim)
    one.topic("t").subscribe()
    other.topic("t").subscribe()
    one.topic("t").publish(Event(type="x"))
    assert sim.run().messages()["broker"].tolist() == ["one"]


def test_a_bus_describes_itself():
    assert "hand each message to every subscription" in MemoryBus().describe()


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("wish", "field", "value", "remedy"),
    [
        ({"name": " "}, "subscription", " ", "a text that is not empty"),
        ({"capacity": 0}, "capacity", 0, "a whole number of at least 1"),
        ({"capacity": 2.5}, "capacity", 2.5, "a whole number of at least 1"),
        ({"capacity": math.nan}, "capacity", None, "a whole number of at least 1"),
        ({"overflow": "burst"}, "overflow", "burst", "one of 'refuse_newest', 'drop_oldest'"),
        ({"max_attempts": 0}, "max_attempts", 0, "a whole number of at least 1"),
        ({"types": []}, "types", [], "name at least one event type"),
        ({"types": [""]}, "types", "", "a text that is not empty"),
        ({"types": 7}, "types", 7, "a text that is not empty"),
        ({"where": "x"}, "where", "x", "a function of an event"),
        ({"dead_letters": "aside"}, "dead_letters", "aside", "another topic"),
    ],
    ids=str,
)
def test_a_wrong_wish_is_named(topic, wish, field, value, remedy):
    with pytest.raises(ConfigurationError) as caught:
        topic.subscribe(**wish)
    error = caught.value
    assert error.field == field
    assert error.value == value or (value is None and math.isnan(error.value))
    assert remedy in error.remedy
    assert topic.subscribe().name == "here"


def test_a_topic_is_not_the_grave_of_its_own_messages(topic):
    with pytest.raises(ConfigurationError, match="give another topic"):
        topic.subscribe(dead_letters=topic)


def test_a_subscription_is_made_once(topic):
    topic.subscribe("mail")
    with pytest.raises(ConfigurationError, match="subscription 'mail' of topic 'here' exists already") as caught:
        topic.subscribe("mail")
    assert (caught.value.field, caught.value.value) == ("name", "mail")


@pytest.mark.parametrize("name", ["", 7, None])
def test_a_topic_has_a_name(bus, name):
    with pytest.raises(ConfigurationError) as caught:
        bus.topic(name)
    assert (caught.value.field, caught.value.value) == ("topic", name)


def test_a_bus_has_a_name():
    with pytest.raises(ConfigurationError, match=r"MemoryBus\.name is ''"):
        MemoryBus(name="")


def test_an_unknown_subscription_is_named_with_the_time(sim, bus):
    bus.topic("mails").subscribe("mail")
    sim.run(until_s=1.5)
    with pytest.raises(UnknownNameError, match="no topic 'mall'; did you mean 'mails'") as caught:
        bus.subscription("mall", "mail")
    assert caught.value.at_s == 1.5
    with pytest.raises(UnknownNameError, match="subscription of topic 'mails' 'mall'; did you mean 'mail'") as caught:
        bus.subscription("mails", "mall")
    assert (caught.value.value, caught.value.known, caught.value.at_s) == ("mall", ("mail",), 1.5)
