"""Refusals, redelivery in the client, poison, expiry, dead letters, acknowledge modes."""

import pytest
from hypothesis import given
from hypothesis import strategies as some
from timelines import still_open, timeline

from edasim.brokers.activemq import DestinationPolicy, IllegalStateError, RedeliveryPolicy, UnmatchedAcknowledgeError
from edasim.errors import ConfigurationError, StateError


def fail(event, context):
    raise RuntimeError("poison")


def fails_until(attempt):
    def handler(event, context):
        if context.attempt < attempt:
            raise RuntimeError("not yet")

    return handler


def graves(told):
    return [event.id for event in told.broker.queue("ActiveMQ.DLQ").browse()]


# ------------------------------------------------------------------------------------------------ the policy


@pytest.mark.rule("AMQ-04")
def test_by_default_six_redeliveries_a_second_apart():
    policy = RedeliveryPolicy()
    assert [policy.is_exhausted(redeliveries) for redeliveries in (1, 6, 7)] == [False, False, True]
    assert {policy.delay_s(redeliveries, previous_s=1.0, draw=0.9) for redeliveries in range(1, 7)} == {1.0}
    assert not RedeliveryPolicy(maximum_redeliveries=-1).is_exhausted(10**6)


@pytest.mark.rule("AMQ-04")
def test_exponential_back_off_multiplies_up_to_its_cap():
    policy = RedeliveryPolicy(back_off_multiplier=5.0, maximum_delay_s=60.0)
    delays_s = [0.0]
    for redeliveries in range(1, 6):
        delays_s.append(policy.delay_s(redeliveries, delays_s[-1], draw=0.5))
    assert delays_s[1:] == [1.0, 5.0, 25.0, 60.0, 60.0]


@pytest.mark.rule("AMQ-04")
@given(some.integers(2, 20), some.floats(0.0, 1.0, exclude_max=True))
def test_collision_avoidance_spreads_all_but_the_first_delay(redeliveries, draw):
    policy = RedeliveryPolicy(initial_delay_s=2.0, collision_avoidance_ratio=0.15)
    assert policy.delay_s(1, 0.0, draw) == 2.0
    assert 1.7 <= policy.delay_s(redeliveries, 2.0, draw) <= 2.3


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"maximum_redeliveries": -2}, "maximum_redeliveries"),
        ({"initial_delay_s": -1.0}, "initial_delay_s"),
        ({"back_off_multiplier": 0.0}, "back_off_multiplier"),
        ({"collision_avoidance_ratio": 2.0}, "collision_avoidance_ratio"),
        ({"order": "sideways"}, "order"),
    ],
)
def test_a_wrong_policy_is_refused(fields, field):
    with pytest.raises(ConfigurationError, match=field):
        RedeliveryPolicy(**fields)


# ------------------------------------------------------------------------------------------------ in the client


@pytest.mark.rule("AMQ-04", "AMQ-21")
def test_the_client_tries_again_in_order_and_later_messages_wait(story):
    told = story(redelivery=RedeliveryPolicy(initial_delay_s=2.0))
    told.work(told.queue.consume(acknowledge="transacted"), "w", 0.5, handler=fails_until(3))
    told.publish_at(told.queue, [1.0, 1.25])
    assert timeline(told.sim.run(until_s=6.75)) == [
        (1.0, "w/0 takes src-0"),
        (1.25, "w/0 takes src-1"),
        (1.5, "w/0: src-0 failed"),
        (1.5, "w/0 takes src-0 (attempt 2)"),
        (4.0, "w/0: src-0 failed (attempt 2)"),
        (4.0, "w/0 takes src-0 (attempt 3)"),
        (6.5, "w/0: src-0 done (attempt 3)"),
    ]


@pytest.mark.rule("AMQ-21")
def test_with_non_blocking_redelivery_later_messages_go_ahead(story):
    told = story(redelivery=RedeliveryPolicy(initial_delay_s=2.0, order="non_blocking_redelivery"))
    told.work(told.queue.consume(), "w", 0.5, handler=fails_until(2))
    told.publish_at(told.queue, [1.0, 1.25])
    table = told.sim.run().messages()
    assert table[["event_id", "attempt", "started_s", "outcome"]].values.tolist() == [
        ["src-0", 1, 1.0, "failed"],
        ["src-0", 2, 3.5, "done"],
        ["src-1", 1, 1.5, "failed"],
        ["src-1", 2, 4.0, "done"],
    ]


@pytest.mark.rule("AMQ-04")
def test_after_six_redeliveries_a_message_is_poison(story):
    told = story()
    told.work(told.queue.consume(), "w", 0.5, handler=fail)
    told.publish(told.queue, 1)
    run = told.sim.run()
    table = run.messages()
    mine = table[table["group"] == "here"]
    assert mine["outcome"].tolist() == ["failed"] * 6 + ["dead_lettered"]
    assert mine["started_s"].tolist() == [1.0, 2.5, 4.0, 5.5, 7.0, 8.5, 10.0]
    assert still_open(run) == [("src-0", 1, "queued")]
    assert graves(told) == ["src-0"]


@pytest.mark.rule("AMQ-04")
def test_a_stomp_nack_puts_a_message_aside_at_once(story, bodies):
    told = story(client="stomp")
    held = told.hold(told.queue.consume(acknowledge="individual"), "one")
    told.send(told.queue, "x", "y")
    held[0].nack()
    told.go_on()
    assert (bodies(held), graves(told)) == (["x", "y"], ["by-hand-0"])
    assert "one: by-hand-0 dead_lettered" in [text for _, text in timeline(told.sim.run(until_s=1.0))]


@pytest.mark.rule("AMQ-04")
def test_a_rejected_message_is_poison_at_once_for_any_client(story):
    told = story()
    held = told.hold(told.queue.consume(), "one")
    told.send(told.queue, "x", "y")
    held[0].reject()
    held[1].nack(requeue=False)
    told.go_on()
    assert graves(told) == ["by-hand-0", "by-hand-1"]


def test_while_it_waits_to_try_again_a_consumer_may_crash(story):
    """Nobody works on the message then, and still it comes back, at once and to whoever is there."""
    told = story(redelivery=RedeliveryPolicy(initial_delay_s=10.0))
    mine = told.queue.consume()
    told.work(mine, "a", 0.5, handler=fail)
    told.publish(told.queue, 1)
    told.sim.at(2.0, lambda: told.work(mine, "b", 0.5))
    told.sim.at(3.0, told.sim.node("a/0").crash)
    assert timeline(told.sim.run()) == [
        (1.0, "a/0 takes src-0"),
        (1.5, "a/0: src-0 failed"),
        (1.5, "a/0 takes src-0 (attempt 2)"),
        (3.0, "a/0: src-0 crashed (attempt 2)"),
        (3.0, "b/0 takes src-0 (attempt 3)"),
        (3.5, "b/0: src-0 done (attempt 3)"),
    ]


@pytest.mark.rule("AMQ-21")
def test_a_rollback_is_of_all_that_the_transaction_was_given(story, bodies):
    told = story(redelivery=RedeliveryPolicy(initial_delay_s=0.0))
    held = told.hold(told.queue.consume(acknowledge="transacted"), "one")
    told.send(told.queue, 0, 1, 2)
    held[2].nack()
    told.go_on()
    assert bodies(held) == [0, 1, 2, 0, 1, 2]
    held[4].ack()
    told.go_on()
    assert (told.queue.browse(), all(delivery.settled for delivery in held)) == ((), True)


@pytest.mark.rule("AMQ-03", "AMQ-21")
def test_a_transacted_session_does_not_hand_out_what_came_back_too_often(story):
    told = story(redelivery=RedeliveryPolicy(maximum_redeliveries=2))
    told.send(told.queue, "x")
    seen = []
    for loss in range(4):
        consumer = told.queue.consume(acknowledge="transacted")
        seen.append(len(told.hold(consumer, f"c{loss}")))
        consumer.disconnect(f"c{loss}")
    assert (seen, graves(told)) == ([1, 1, 1, 0], ["by-hand-0"])


# ------------------------------------------------------------------------------------------------ dead letters


@pytest.mark.rule("AMQ-05")
@pytest.mark.parametrize(
    ("policy", "mode", "buried"),
    [
        ({}, "persistent", True),
        ({}, "non_persistent", False),
        ({"dead_letters": "process_non_persistent"}, "non_persistent", True),
        ({"dead_letter_queue": None}, "persistent", False),
    ],
)
def test_what_the_dead_letter_queue_takes(story, policy, mode, buried):
    told = story(policy=DestinationPolicy(**policy), redelivery=RedeliveryPolicy(maximum_redeliveries=0))
    told.work(told.queue.consume(), "w", 0.5, handler=fail)
    told.publish(told.queue.producer(delivery_mode=mode), 1)
    run = told.sim.run()
    assert graves(told) == (["src-0"] if buried else [])
    assert run.messages()["outcome"].tolist()[0] == ("dead_lettered" if buried else "dropped")


@pytest.mark.rule("AMQ-05", "AMQ-06")
@pytest.mark.parametrize(
    ("policy", "mode", "buried"),
    [
        ({}, "persistent", True),
        ({}, "non_persistent", False),
        ({"expired": "discard"}, "persistent", False),
        ({"dead_letters": "process_non_persistent"}, "non_persistent", True),
    ],
)
def test_an_expired_message_is_not_delivered(story, policy, mode, buried):
    told = story(policy=DestinationPolicy(**policy))
    told.publish(told.queue.producer(delivery_mode=mode, time_to_live_s=2.0), 1)
    told.sim.at(4.0, lambda: told.work(told.queue.consume(), "late"))
    run = told.sim.run(until_s=20.0)
    mine = run.messages()[run.messages()["group"] == "here"]
    assert mine[["outcome", "finished_s"]].values.tolist() == [["expired", 4.0]]
    assert graves(told) == (["src-0"] if buried else [])


@pytest.mark.rule("AMQ-06")
def test_expired_messages_are_looked_for_every_thirty_seconds(story):
    told = story()
    told.publish_at(told.queue.producer(time_to_live_s=5.0), [1.0, 27.0])
    expired = told.sim.run(until_s=100.0).messages().query("outcome == 'expired'")
    assert expired["finished_s"].tolist() == [30.0, 60.0]


@pytest.mark.rule("AMQ-06")
def test_a_jms_client_does_not_hand_out_what_expired_in_its_buffer_and_a_stomp_client_does(story):
    for client, outcomes in (("openwire", ["done", "expired"]), ("stomp", ["done", "done"])):
        told = story(client=client)
        told.work(told.queue.consume(prefetch=10, acknowledge="individual"), "w", 3.0)
        told.publish(told.queue.producer(time_to_live_s=1.5), 2)
        mine = told.sim.run().messages().query("group == 'here'")
        assert mine["outcome"].tolist() == outcomes
        assert mine["delivered_s"].tolist() == [1.0, 2.0]


@pytest.mark.rule("AMQ-05")
def test_a_message_is_buried_once_however_many_queues_give_it_up(story):
    """The dead letter strategy remembers message ids: of the copies of a virtual topic only one is kept."""
    told = story(redelivery=RedeliveryPolicy(maximum_redeliveries=0))
    topic = told.broker.topic("VirtualTopic.t")
    for name in "ab":
        told.work(topic.consumer_queue(name).consume(), name, handler=fail)
    told.publish(topic, 1)
    run = told.sim.run()
    outcomes = run.messages().set_index("group")["outcome"].to_dict()
    assert outcomes == {"a": "dead_lettered", "b": "dropped", "ActiveMQ.DLQ": "queued"}


def test_dead_letters_may_go_to_a_topic(story):
    told = story(policy=DestinationPolicy(dead_letter_queue="topic://alarm"))
    told.work(told.broker.topic("alarm").subscribe("watch"), "watcher", 0.25)
    told.work(told.queue.consume(redelivery=RedeliveryPolicy(maximum_redeliveries=0)), "w", 0.5, handler=fail)
    told.publish(told.queue, 1)
    assert timeline(told.sim.run())[-1] == (1.75, "watcher/0: src-0 done")


# ------------------------------------------------------------------------------------------------ acknowledge modes


@pytest.mark.rule("AMQ-20")
def test_individual_settles_one(story):
    told = story()
    held = told.hold(told.queue.consume(acknowledge="individual"), "one")
    told.send(told.queue, 0, 1, 2)
    held[1].ack()
    assert [event.data for event in told.queue.browse()] == [0, 2]


@pytest.mark.rule("AMQ-20")
@pytest.mark.parametrize(("client", "left"), [("openwire", []), ("stomp", [2])])
def test_client_settles_what_came_before_and_for_jms_what_came_after_as_well(story, client, left):
    """A JMS client acknowledges all that it was given so far; over STOMP it is all up to this one."""
    told = story(client=client)
    held = told.hold(told.queue.consume(prefetch=10, acknowledge="client"), "one")
    told.send(told.queue, 0, 1, 2)
    held[1].ack()
    assert [event.data for event in told.queue.browse()] == left
    assert [delivery.settled for delivery in held] == [True, True, not left]


@pytest.mark.rule("AMQ-20")
@pytest.mark.parametrize("mode", ["client", "transacted"])
def test_a_jms_session_may_be_acknowledged_again_and_takes_in_what_came_meanwhile(story, mode):
    told = story()
    held = told.hold(told.queue.consume(prefetch=10, acknowledge=mode), "one")
    told.send(told.queue, 0, 1)
    held[0].ack()
    held[1].ack()
    told.send(told.queue, 2)
    held[0].ack()
    assert told.queue.browse() == ()
    assert [delivery.settled for delivery in held] == [True, True, True]


@pytest.mark.rule("AMQ-20")
def test_over_stomp_a_message_is_acknowledged_once(story):
    told = story(client="stomp")
    held = told.hold(told.queue.consume(prefetch=10, acknowledge="client"), "one")
    told.send(told.queue, 0, 1)
    held[1].ack()
    with pytest.raises(UnmatchedAcknowledgeError):
        held[0].ack()


@pytest.mark.rule("AMQ-20")
def test_dups_ok_acknowledges_late_so_a_crash_brings_back_what_was_done(story):
    told = story(prefetch=6)
    told.work(told.queue.consume(acknowledge="dups_ok"), "w", 0.5)
    told.publish(told.queue, 5)
    told.sim.at(5.75, told.sim.node("w/0").crash)
    told.sim.at(6.0, told.sim.node("w/0").restart)
    run = told.sim.run()
    table = run.messages()
    assert table["event_id"].tolist() == ["src-0", "src-1", "src-2", "src-3", "src-3", "src-4", "src-4"]
    assert set(table["outcome"]) == {"done"}
    assert run.summary()["here"].duplicates == 2


@pytest.mark.rule("AMQ-20")
def test_over_stomp_auto_means_acknowledged_when_sent(story):
    told = story(client="stomp")
    told.work(told.queue.consume(), "w", 1.5)
    told.publish(told.queue, 3)
    told.sim.at(3.25, told.sim.node("w/0").crash)
    told.sim.at(4.0, told.sim.node("w/0").restart)
    run = told.sim.run()
    assert timeline(run) == [
        (1.0, "w/0 takes src-0"),
        (2.0, "w/0 takes src-1"),
        (2.5, "w/0: src-0 done"),
        (3.0, "w/0 takes src-2"),
        (3.25, "w/0: src-1 dropped"),
        (3.25, "w/0: src-2 dropped"),
    ]
    assert told.queue.browse() == ()


@pytest.mark.rule("AMQ-20")
def test_what_was_acknowledged_when_sent_cannot_be_refused(story):
    told = story(client="stomp")
    held = told.hold(told.queue.consume(), "one")
    told.send(told.queue, "x")
    with pytest.raises(IllegalStateError, match="forgotten"):
        held[0].nack()
    failing = story(client="stomp")
    failing.work(failing.queue.consume(), "w", handler=fail)
    failing.publish(failing.queue, 2)
    assert failing.sim.run().messages()["outcome"].tolist() == ["failed", "failed"]


@pytest.mark.rule("AMQ-20")
def test_a_delivery_is_settled_once(story):
    told = story()
    held = told.hold(told.queue.consume(), "one")
    told.send(told.queue, "x")
    held[0].ack()
    with pytest.raises(StateError, match="acknowledged already"):
        held[0].ack()


def test_a_service_cannot_acknowledge_for_a_whole_session(story):
    told = story()
    told.work(told.queue.consume(acknowledge="client"), "w")
    with pytest.raises(IllegalStateError, match="w/0"):
        told.sim.run(until_s=1.0)
