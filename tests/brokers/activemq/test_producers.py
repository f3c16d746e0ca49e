"""Sending to ActiveMQ: schedules, the store, full destinations, a broker that dies and one that takes over."""

import pytest
from timelines import still_open, timeline

from edasim import ActiveMQ, Event, Simulation
from edasim.brokers.activemq import DestinationPolicy, ResourceAllocationError
from edasim.errors import ConfigurationError, HandlerError, StateError


@pytest.mark.rule("AMQ-15")
def test_a_delay_is_counted_from_the_next_half_second(story):
    """So the message comes up to half a second late."""
    told = story()
    told.work(told.queue.consume(), "w", 0.25)
    told.publish_at(told.queue.producer(delay_s=0.75), [1.0, 1.25, 1.375, 1.75])
    table = told.sim.run().messages()
    assert table["enqueued_s"].tolist() == [2.25, 2.25, 2.25, 2.75]
    assert ((table["enqueued_s"] - table["published_s"]).between(0.75, 1.25)).all()


@pytest.mark.rule("AMQ-15")
def test_what_is_scheduled_is_open_at_the_end(story):
    told = story()
    told.publish(told.queue.producer(delay_s=60.0), 1)
    assert still_open(told.sim.run(until_s=5.0)) == [("src-0", 1, "queued")]


@pytest.mark.rule("AMQ-15")
def test_who_schedules_does_not_wait_for_the_delivery(story):
    told, seen = story(), []

    def sender():
        yield told.queue.producer(delay_s=5.0).send(Event(type="x"))
        seen.append(told.sim.env.now)

    told.sim.env.process(sender())
    assert still_open(told.sim.run(until_s=1.0)) == [("by-hand-0", 1, "queued")]
    assert seen == [0.0]


@pytest.mark.rule("AMQ-17")
def test_a_persistent_message_is_there_when_it_is_stored(story):
    told = story(store_s=0.25)
    told.work(told.queue.consume(), "w", 0.125)
    told.publish_at(told.queue, [1.0], name="safe")
    told.publish_at(told.queue.producer(delivery_mode="non_persistent"), [1.0], name="quick")
    assert timeline(told.sim.run()) == [
        (1.0, "w/0 takes quick-0"), (1.125, "w/0: quick-0 done"),
        (1.25, "w/0 takes safe-0"), (1.375, "w/0: safe-0 done"),
    ]  # fmt: skip


@pytest.mark.rule("AMQ-17")
@pytest.mark.parametrize(("mode", "waited_s"), [("persistent", 0.25), ("non_persistent", 0.0)])
def test_a_synchronous_send_waits_for_the_store(story, mode, waited_s):
    told, seen = story(store_s=0.25), []
    producer = told.broker.destination("a,b").producer(delivery_mode=mode)
    alone = told.queue.producer(delivery_mode=mode)

    def sender():
        for each in (alone, producer):
            before_s = told.sim.env.now
            yield each.send(Event(type="x"))
            seen.append(told.sim.env.now - before_s)

    told.sim.env.process(sender())
    told.sim.run()
    assert seen == [waited_s, waited_s]


@pytest.mark.rule("AMQ-17")
def test_a_synchronous_send_to_a_composite_topic_waits_for_all_its_queues(story):
    told, seen = story(store_s=0.25), []
    topic = told.broker.composite_topic("all")
    for name in "ab":
        topic.forward_to(name, selector=f"JMSType = '{name}' OR JMSType = 'both'")

    def sender():
        for kind in ("both", "a", "neither"):
            yield topic.send(Event(type=kind))
            seen.append(told.sim.env.now)

    told.sim.env.process(sender())
    told.sim.run()
    assert seen == [0.25, 0.5, 0.5]


@pytest.mark.rule("AMQ-17")
def test_a_topic_stores_only_for_durable_subscribers(story):
    for kind, taken_s in (("durable", 1.25), ("subscribe", 1.0)):
        told = story(store_s=0.25)
        topic = told.broker.topic("news")
        told.work(getattr(topic, kind)("s"), "s")
        told.publish(topic, 1)
        assert told.sim.run().messages()["delivered_s"].tolist() == [taken_s]


@pytest.mark.rule("AMQ-18")
def test_at_the_memory_limit_producers_are_held_back_in_order(story):
    told = story(policy=DestinationPolicy(memory_limit_messages=2))
    told.work(told.queue.consume(), "w", 2.5)
    told.publish(told.queue, 4)
    run = told.sim.run()
    table = run.messages()
    assert table["enqueued_s"].tolist() == [1.0, 2.0, 3.5, 6.0]
    assert table["finished_s"].tolist() == [3.5, 6.0, 8.5, 11.0]
    facts = [(fact.time_s, fact.kind) for fact in run.fact_list if fact.kind.startswith("producers")]
    assert facts == [
        (3.0, "producers_held_back"),
        (3.5, "producers_let_in"),
        (4.0, "producers_held_back"),
        (6.0, "producers_let_in"),
    ]


@pytest.mark.rule("AMQ-18")
def test_a_held_back_producer_by_hand_waits_for_its_send(story):
    told, seen = story(policy=DestinationPolicy(memory_limit_messages=1)), []

    def sender():
        for _ in range(2):
            yield told.queue.send(Event(type="x"))
            seen.append(told.sim.env.now)

    told.sim.env.process(sender())
    told.sim.at(3.0, lambda: told.work(told.queue.consume(), "w", 0.5))
    told.sim.run()
    assert seen == [0.0, 3.5]


@pytest.mark.rule("AMQ-18")
def test_held_back_messages_are_open_at_the_end(story):
    told = story(policy=DestinationPolicy(memory_limit_messages=1))
    told.publish(told.queue, 3)
    assert still_open(told.sim.run()) == [(f"src-{number}", 1, "queued") for number in range(3)]


@pytest.mark.rule("AMQ-18")
def test_with_send_fail_if_no_space_a_source_loses_and_a_process_gets_the_error(story):
    told = story(policy=DestinationPolicy(memory_limit_messages=1, when_full="send_fail_if_no_space"))
    told.publish(told.queue, 2)
    run = told.sim.run()
    assert run.messages()["outcome"].tolist() == ["queued", "dropped"]
    assert [fact.kind for fact in run.fact_list] == ["send_failed"]
    for send in (told.queue.publish, told.queue.send, told.broker.destination("here,there").publish):
        with pytest.raises(ResourceAllocationError, match="memory limit of here") as refused:
            send(Event(type="x"))
        assert refused.value.at_s == 2.0


@pytest.mark.rule("AMQ-14", "AMQ-18")
def test_only_a_full_queue_that_would_get_the_message_makes_a_send_fail(story):
    told = story(policy=DestinationPolicy(memory_limit_messages=1, when_full="send_fail_if_no_space"))
    topic = told.broker.composite_topic("all")
    for name in "ab":
        topic.forward_to(name, selector=f"JMSType = '{name}'")
    topic.publish(Event(type="a"))
    topic.publish(Event(type="b"))
    with pytest.raises(ResourceAllocationError, match="all"):
        topic.publish(Event(type="a"))
    topic.publish(Event(type="c"))
    with pytest.raises(HandlerError, match="publish an Event"):
        topic.publish("a")


# ------------------------------------------------------------------------------------------------ the broker dies


@pytest.mark.rule("AMQ-17", "AMQ-22")
def test_another_broker_takes_over_with_what_is_persistent(story):
    """Producers wait meanwhile. What was in work is done and comes again: nobody heard its acknowledgement."""
    told = story()
    told.work(told.queue.consume(prefetch=2), "w", 2.25)
    told.publish_at(told.queue, [1.0, 1.25, 1.5, 4.0], name="safe")
    told.publish_at(told.queue.producer(delivery_mode="non_persistent"), [1.75], name="weak")
    told.sim.at(3.0, lambda: told.broker.fail_over(takeover_s=2.0))
    run = told.sim.run()
    assert timeline(run) == [
        (1.0, "w/0 takes safe-0"),
        (1.25, "w/0 takes safe-1"),
        (3.0, "w/0: safe-1 crashed"),
        (3.0, "weak-0 dropped"),
        (3.25, "w/0: safe-0 done"),
        (5.0, "w/0 takes safe-0 (attempt 2)"),
        (5.0, "w/0 takes safe-1 (attempt 2)"),
        (7.25, "w/0: safe-0 done (attempt 2)"),
        (7.25, "w/0 takes safe-2"),
        (9.5, "w/0: safe-1 done (attempt 2)"),
        (9.5, "w/0 takes safe-3"),
        (11.75, "w/0: safe-2 done"),
        (14.0, "w/0: safe-3 done"),
    ]
    assert run.messages().query("event_id == 'safe-3'")["enqueued_s"].tolist() == [5.0]
    kinds = [fact.kind for fact in run.fact_list]
    assert kinds == [
        "consumer_joined", "broker_crashed", "producers_held_back", "broker_restarted", "consumer_joined",
        "producers_let_in",
    ]  # fmt: skip


@pytest.mark.rule("AMQ-11", "AMQ-17", "AMQ-22")
def test_after_a_crash_a_durable_subscriber_has_what_was_persistent_and_a_plain_one_nothing(story):
    told = story()
    topic = told.broker.topic("news")
    told.work(topic.durable("d"), "d", 10.0)
    told.work(topic.subscribe("p", prefetch=1), "p", 10.0)
    told.publish_at(topic, [1.0, 1.25], name="safe")
    told.publish_at(topic.producer(delivery_mode="non_persistent"), [1.5], name="weak")
    told.sim.at(2.0, told.broker.crash)
    told.sim.at(3.0, told.broker.restart)
    rows = told.sim.run(until_s=100.0).messages()
    told_of = {
        group: list(mine[["event_id", "attempt", "outcome"]].itertuples(index=False, name=None))
        for group, mine in rows.groupby("group")
    }
    assert told_of["d"] == [
        ("safe-0", 1, "done"), ("safe-0", 2, "done"), ("safe-1", 1, "crashed"), ("safe-1", 2, "done"),
        ("weak-0", 1, "dropped"),
    ]  # fmt: skip
    assert told_of["p"] == [("safe-0", 1, "done"), ("safe-1", 1, "dropped"), ("weak-0", 1, "dropped")]


@pytest.mark.rule("AMQ-17")
def test_what_was_not_stored_yet_is_sent_again(story):
    told = story(store_s=0.5)
    told.work(told.queue.consume(), "w", 0.25)
    told.publish_at(told.queue, [1.0, 1.125])
    told.sim.at(1.25, told.broker.crash)
    told.sim.at(3.0, told.broker.restart)
    assert [(time_s, text) for time_s, text in timeline(told.sim.run()) if "takes" in text] == [
        (3.5, "w/0 takes src-0"), (3.5, "w/0 takes src-1"),
    ]  # fmt: skip


def test_a_node_that_starts_while_the_broker_is_away_connects_when_it_is_back(story):
    told = story()
    told.work(told.queue.consume(), "w", 0.25)
    told.sim.at(0.5, told.broker.crash)
    told.sim.at(0.75, told.sim.node("w/0").crash)
    told.sim.at(1.5, told.sim.node("w/0").restart)
    told.sim.at(2.0, told.broker.restart)
    told.publish(told.queue, 1)
    assert timeline(told.sim.run()) == [(2.0, "w/0 takes src-0"), (2.25, "w/0: src-0 done")]


def test_a_broker_crashes_when_it_is_up_and_restarts_when_it_is_down(story):
    broker = story().broker
    with pytest.raises(StateError, match="is up"):
        broker.restart()
    broker.crash()
    with pytest.raises(StateError, match="is down"):
        broker.crash()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prefetch": -1}, "prefetch"),
        ({"prefetch": 40_000}, "prefetch"),
        ({"client": "amqp"}, "client"),
        ({"store_s": -1.0}, "store_s"),
        ({"policy": 3}, "policy"),
        ({"redelivery": 6}, "redelivery"),
        ({"partitions": 12}, "partitions"),
    ],
)
def test_a_wrong_setting_of_the_broker_is_named(fields, field):
    with pytest.raises(ConfigurationError if field != "partitions" else LookupError, match=field):
        ActiveMQ(**fields)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"priority": 10}, "priority"),
        ({"time_to_live_s": 0.0}, "time_to_live_s"),
        ({"delay_s": -1.0}, "delay_s"),
        ({"delivery_mode": "careful"}, "delivery_mode"),
        ({"group": "a"}, "group"),
    ],
)
def test_a_wrong_setting_of_a_producer_is_named(story, fields, field):
    with pytest.raises(ConfigurationError, match=field):
        story().queue.producer(**fields)


def test_a_priority_that_a_function_gives_is_checked(story):
    told = story()
    with pytest.raises(ConfigurationError, match="priority"):
        told.queue.producer(priority=lambda event: 11).publish(Event(type="x"))


def test_the_broker_describes_itself():
    assert ActiveMQ(prefetch=5).describe() == (
        "ActiveMQ Classic: queues whose consumers are served in turn and hold up to 5 messages each, "
        "clients over openwire"
    )
    assert ActiveMQ(client="stomp").start(Simulation(seed=1)).name == "activemq"
