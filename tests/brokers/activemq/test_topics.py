"""Topics of ActiveMQ: who is there, who is durable, patterns, virtual topics, composite names, slow subscribers."""

import pytest
from timelines import still_open, timeline

from edasim import load
from edasim.brokers.activemq import DestinationPolicy, InvalidDestinationError, JMSError
from edasim.errors import ConfigurationError, UnknownNameError


@pytest.mark.rule("AMQ-16")
def test_a_topic_message_reaches_only_who_is_there(story):
    told = story()
    topic = told.broker.topic("news")
    told.sim.at(1.5, lambda: told.work(topic.subscribe("early"), "early"))
    told.sim.at(2.5, lambda: told.work(topic.subscribe("late"), "late"))
    told.publish(topic, 3)
    assert timeline(told.sim.run()) == [
        (1.0, "src-0 dropped"),
        (2.0, "early/0 takes src-1"),
        (2.5, "early/0: src-1 done"),
        (3.0, "early/0 takes src-2"),
        (3.0, "late/0 takes src-2"),
        (3.5, "early/0: src-2 done"),
        (3.5, "late/0: src-2 done"),
    ]


@pytest.mark.rule("AMQ-16")
def test_a_subscriber_that_leaves_loses_what_it_held_and_what_is_sent_meanwhile(story):
    told = story()
    topic = told.broker.topic("news")
    told.work(topic.subscribe("s"), "s", 1.25)
    told.publish(topic, 4)
    told.sim.at(2.125, told.sim.node("s/0").crash)
    told.sim.at(3.5, told.sim.node("s/0").restart)
    assert timeline(told.sim.run()) == [
        (1.0, "s/0 takes src-0"),
        (2.0, "s/0 takes src-1"),
        (2.125, "s/0: src-0 crashed"),
        (2.125, "src-0 dropped (attempt 2)"),
        (2.125, "s/0: src-1 crashed"),
        (2.125, "src-1 dropped (attempt 2)"),
        (3.0, "src-2 dropped"),
        (4.0, "s/0 takes src-3"),
        (5.25, "s/0: src-3 done"),
    ]


@pytest.mark.rule("AMQ-11")
def test_a_durable_subscriber_finds_what_came_while_it_was_away(story):
    told = story()
    topic = told.broker.topic("news")
    told.work(topic.durable("s", client_id="shop"), "s", 1.25)
    told.publish(topic, 4)
    told.sim.at(2.125, told.sim.node("s/0").crash)
    told.sim.at(3.5, told.sim.node("s/0").restart)
    run = told.sim.run()
    assert timeline(run) == [
        (1.0, "s/0 takes src-0"),
        (2.0, "s/0 takes src-1"),
        (2.125, "s/0: src-0 crashed"),
        (2.125, "s/0: src-1 crashed"),
        (3.5, "s/0 takes src-0 (attempt 2)"),
        (3.5, "s/0 takes src-1 (attempt 2)"),
        (3.5, "s/0 takes src-2"),
        (4.0, "s/0 takes src-3"),
        (4.75, "s/0: src-0 done (attempt 2)"),
        (6.0, "s/0: src-1 done (attempt 2)"),
        (7.25, "s/0: src-2 done"),
        (8.5, "s/0: src-3 done"),
    ]
    assert set(run.messages()["group"]) == {"shop:s"}


@pytest.mark.rule("AMQ-11")
def test_a_durable_subscription_that_was_never_used_keeps_messages_persistent_or_not(story):
    told = story()
    topic = told.broker.topic("news")
    topic.durable("s")
    told.publish(topic, 1)
    told.publish(topic.producer(delivery_mode="non_persistent"), 1, name="other")
    assert still_open(told.sim.run()) == [("src-0", 1, "queued"), ("other-0", 1, "queued")]


@pytest.mark.rule("AMQ-11")
@pytest.mark.parametrize("kind", ["durable", "subscribe"])
def test_a_subscription_has_one_connection_at_a_time(story, kind):
    told = story()
    told.work(getattr(told.broker.topic("news"), kind)("s"), "srv", nodes=2)
    with pytest.raises(JMSError, match=r"'s' is in use by 'srv/0'"):
        told.sim.run(until_s=1.0)


def test_a_subscriber_is_named_once(story):
    topic = story().broker.topic("news")
    topic.subscribe("s")
    with pytest.raises(ConfigurationError, match="exists already"):
        topic.durable("s")


@pytest.mark.rule("AMQ-07", "AMQ-16")
def test_a_subscriber_selects_and_what_nobody_selects_is_filtered(story):
    told = story()
    topic = told.broker.topic("fruit")
    told.work(topic.subscribe("apples", selector="JMSType = 'apple'"), "eater", 0.25)
    told.publish(topic, 1, kind="apple", name="tree")
    told.publish(topic, 1, kind="stone", every_s=2.0, name="quarry")
    assert timeline(told.sim.run()) == [
        (1.0, "eater/0 takes tree-0"), (1.25, "eater/0: tree-0 done"), (2.0, "quarry-0 filtered"),
    ]  # fmt: skip


@pytest.mark.rule("AMQ-08")
def test_a_pattern_subscribes_to_topics_that_exist_and_to_later_ones(story, bodies):
    told = story()
    told.broker.topic("user.eu")
    one = told.hold(told.broker.topics("user.*").subscribe("one"), "one")
    below = told.hold(told.broker.topics("user.>").durable("below"), "below")
    for name in ("user.eu", "user.us", "user.eu.paris", "user", "order.eu"):
        told.send(told.broker.topic(name), name)
    assert bodies(one) == ["user.eu", "user.us"]
    assert bodies(below) == ["user.eu", "user.us", "user.eu.paris", "user"]


@pytest.mark.rule("AMQ-08")
@pytest.mark.parametrize("name", ["", "user.*", "user.>", "a,b"])
@pytest.mark.parametrize("kind", ["queue", "topic", "composite_topic"])
def test_a_pattern_is_no_destination(story, kind, name):
    with pytest.raises(InvalidDestinationError):
        getattr(story().broker, kind)(name)


@pytest.mark.rule("AMQ-13")
def test_consumers_of_a_virtual_topic_share_their_queue_and_topic_subscribers_get_copies(story, bodies):
    told = story()
    topic = told.broker.topic("VirtualTopic.orders")
    taken = {
        "A1": told.hold(topic.consumer_queue("A").consume(), "A1"),
        "A2": told.hold(told.broker.queue("Consumer.A.VirtualTopic.orders").consume(), "A2"),
        "B": told.hold(topic.consumer_queue("B").consume(), "B"),
        "plain": told.hold(topic.subscribe("plain"), "plain"),
    }
    told.send(topic, *range(4))
    assert {name: bodies(held) for name, held in taken.items()} == {
        "A1": [0, 2], "A2": [1, 3], "B": [0, 1, 2, 3], "plain": [0, 1, 2, 3],
    }  # fmt: skip


@pytest.mark.rule("AMQ-13")
def test_a_queue_of_a_virtual_topic_keeps_what_comes_while_its_consumers_are_away(story):
    told = story()
    topic = told.broker.topic("VirtualTopic.orders")
    told.work(topic.consumer_queue("A").consume(), "a", 0.25)
    told.sim.at(0.5, told.sim.node("a/0").crash)
    told.sim.at(2.5, told.sim.node("a/0").restart)
    told.publish(topic, 2)
    run = told.sim.run()
    assert [text for _, text in timeline(run) if "done" in text] == ["a/0: src-0 done", "a/0: src-1 done"]
    assert set(run.messages()["group"]) == {"A"}
    assert set(run.messages()["destination"]) == {"Consumer.A.VirtualTopic.orders"}


@pytest.mark.rule("AMQ-13")
def test_only_the_prefix_makes_a_topic_virtual(story):
    told = story()
    queue = told.broker.topic("orders").consumer_queue("A")
    told.send(told.broker.topic("orders"), "x")
    assert queue.browse() == ()


@pytest.mark.rule("AMQ-14")
def test_a_composite_name_sends_a_copy_to_each(story, bodies):
    told = story()
    news = told.hold(told.broker.topic("news").subscribe("s"), "s")
    told.send(told.broker.destination("a, queue://b,topic://news,a"), "x")
    assert [len(told.broker.queue(name).browse()) for name in "ab"] == [1, 1]
    assert bodies(news) == ["x"]


@pytest.mark.rule("AMQ-14")
def test_a_composite_topic_forwards_what_each_queue_selects(story):
    told = story()
    topic = told.broker.composite_topic("all")
    apples = topic.forward_to("apples", selector="JMSType = 'apple'")
    everything = topic.forward_to("everything")
    told.publish(topic, 2, kind="apple", name="tree")
    told.publish(topic, 1, kind="stone", name="quarry")
    told.sim.run()
    assert [event.id for event in apples.browse()] == ["tree-0", "tree-1"]
    assert len(everything.browse()) == 3
    with pytest.raises(ConfigurationError, match="already"):
        topic.forward_to("apples")
    with pytest.raises(ConfigurationError, match="another kind"):
        told.broker.topic("all")


def test_an_unknown_kind_of_destination_is_refused(story):
    with pytest.raises(UnknownNameError, match="queue"):
        story().broker.destination("exchange://a")


@pytest.mark.rule("AMQ-19")
def test_a_slow_subscriber_holds_back_the_producer_and_with_it_the_fast_ones(story):
    told = story()
    topic = told.broker.topic("news", DestinationPolicy(memory_limit_messages=2))
    told.work(topic.subscribe("fast"), "fast", 0.25)
    told.work(topic.subscribe("slow"), "slow", 4.5)
    told.publish(topic, 4)
    run = told.sim.run()
    fast = run.messages().query("group == 'fast'")
    assert fast["published_s"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert fast["enqueued_s"].tolist() == [1.0, 2.0, 5.5, 10.0]
    assert [(fact.time_s, fact.kind) for fact in run.fact_list if fact.kind.startswith("producers")] == [
        (3.0, "producers_held_back"),
        (10.0, "producers_let_in"),
    ]


@pytest.mark.rule("AMQ-19")
def test_a_pending_limit_drops_the_oldest_of_a_slow_subscriber_and_holds_back_nobody(story):
    told = story()
    topic = told.broker.topic("news", DestinationPolicy(memory_limit_messages=3))
    told.work(topic.subscribe("fast"), "fast", 0.25)
    told.work(topic.subscribe("slow", prefetch=1, pending_limit=1), "slow", 10.0)
    told.publish(topic, 5)
    run = told.sim.run()
    slow = run.messages().query("group == 'slow'")
    assert slow[["outcome", "finished_s"]].values.tolist() == [
        ["done", 11.0], ["dropped", 3.0], ["dropped", 4.0], ["dropped", 5.0], ["done", 21.0],
    ]  # fmt: skip
    fast = run.messages().query("group == 'fast'")
    assert (fast["enqueued_s"] == fast["published_s"]).all()


@pytest.mark.parametrize("kind", ["queue", "topic", "virtual", "composite"])
def test_users_of_a_closed_load_ask_again_when_their_message_is_done(story, kind):
    told = story()
    topic = told.broker.topic("VirtualTopic.t")
    composite = told.broker.composite_topic("all")
    to, subscription = {
        "queue": lambda: (told.queue, told.queue.consume()),
        "topic": lambda: (told.broker.topic("t"), told.broker.topic("t").subscribe("s")),
        "virtual": lambda: (topic, topic.consumer_queue("A").consume()),
        "composite": lambda: (composite, composite.forward_to("q", selector="JMSType = 'message'").consume()),
    }[kind]()
    told.work(subscription, "w", 0.5)
    from edasim import Source, times

    Source("users", load=load.Closed(users=1, think_time=times.Constant(value_s=1.0)), to=to)
    assert told.sim.run(until_s=4.6).messages()["started_s"].tolist() == [1.0, 2.5, 4.0]
