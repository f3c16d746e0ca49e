"""Queues of ActiveMQ: in turn, up to the prefetch; groups, exclusive consumers, selectors, priorities, browsers."""

import pytest
import simpy
from timelines import still_open, timeline

from edasim import Event
from edasim.brokers.activemq import DestinationPolicy, InvalidSelectorError
from edasim.errors import ConfigurationError, UnknownNameError


@pytest.mark.rule("AMQ-01")
def test_with_prefetch_one_a_message_goes_to_whoever_has_acknowledged(story):
    told = story(prefetch=1)
    mine = told.queue.consume()
    told.work(mine, "slow", 2.25)
    told.work(mine, "quick", 0.5)
    told.publish(told.queue, 4)
    assert timeline(told.sim.run()) == [
        (1.0, "slow/0 takes src-0"),
        (2.0, "quick/0 takes src-1"),
        (2.5, "quick/0: src-1 done"),
        (3.0, "quick/0 takes src-2"),
        (3.25, "slow/0: src-0 done"),
        (3.5, "quick/0: src-2 done"),
        (4.0, "slow/0 takes src-3"),
        (6.25, "slow/0: src-3 done"),
    ]


@pytest.mark.rule("AMQ-01")
def test_with_a_large_prefetch_messages_are_dealt_out_however_busy_a_consumer_is(story):
    """The default over OpenWire: the slow one hoards half, and the quick one is idle."""
    told = story()
    mine = told.queue.consume()
    told.work(mine, "slow", 2.25)
    told.work(mine, "quick", 0.5)
    told.publish(told.queue, 4)
    run = told.sim.run()
    table = run.messages()
    assert table.groupby("consumer")["event_id"].apply(list).to_dict() == {
        "quick/0": ["src-1", "src-3"], "slow/0": ["src-0", "src-2"],
    }  # fmt: skip
    waited = table.set_index("event_id").loc["src-2"]
    assert (waited["delivered_s"], waited["started_s"], waited["finished_s"]) == (3.0, 3.25, 5.5)


@pytest.mark.rule("AMQ-01")
def test_a_late_consumer_finds_nothing_when_the_first_has_taken_all(story, bodies):
    told = story()
    told.send(told.queue, *range(5))
    early = told.hold(told.queue.consume(), "early")
    late = told.hold(told.queue.consume(), "late")
    assert (bodies(early), bodies(late)) == ([0, 1, 2, 3, 4], [])


@pytest.mark.rule("AMQ-01")
def test_prefetch_zero_asks_for_each_message(story):
    told = story(prefetch=0)
    mine = told.queue.consume()
    told.work(mine, "slow", 2.25)
    told.work(mine, "quick", 0.5)
    told.publish(told.queue, 4)
    run = told.sim.run()
    assert (run.messages()["delivered_s"] == run.messages()["started_s"]).all()
    assert run.messages()["consumer"].tolist() == ["slow/0", "quick/0", "quick/0", "slow/0"]


@pytest.mark.rule("AMQ-01")
def test_defaults_of_the_prefetch_by_client_and_kind(story):
    told = story()
    kinds = (told.queue.consume(), told.broker.topic("t").subscribe("s"), told.broker.topic("t").durable("d"))
    assert [each.settings.prefetch for each in kinds] == [1000, 32767, 100]
    assert told.queue.consume(client="stomp").settings.prefetch == 1000
    assert story(prefetch=7).queue.consume().settings.prefetch == 7


@pytest.mark.rule("AMQ-01")
def test_a_consumer_of_higher_priority_is_served_first_while_it_has_room(story, bodies):
    told = story(prefetch=2)
    low = told.hold(told.queue.consume(), "low")
    high = told.hold(told.queue.consume(priority=5), "high")
    told.send(told.queue, *range(5))
    assert (bodies(high), bodies(low)) == ([0, 1], [2, 3])


@pytest.mark.rule("AMQ-02", "AMQ-23")
def test_a_crash_brings_back_what_waited_in_the_buffer_too_and_others_get_it_first(story):
    told = story(prefetch=3)
    mine = told.queue.consume()
    told.work(mine, "a", 10.0)
    told.sim.at(3.5, lambda: told.work(mine, "b", 0.5))
    told.sim.at(4.5, told.sim.node("a/0").crash)
    told.publish(told.queue, 5)
    assert timeline(told.sim.run()) == [
        (1.0, "a/0 takes src-0"),
        (2.0, "a/0 takes src-1"),
        (3.0, "a/0 takes src-2"),
        (4.0, "b/0 takes src-3"),
        (4.5, "a/0: src-0 crashed"),
        (4.5, "a/0: src-1 crashed"),
        (4.5, "a/0: src-2 crashed"),
        (4.5, "b/0: src-3 done"),
        (4.5, "b/0 takes src-0 (attempt 2)"),
        (4.5, "b/0 takes src-1 (attempt 2)"),
        (4.5, "b/0 takes src-2 (attempt 2)"),
        (5.0, "b/0: src-0 done (attempt 2)"),
        (5.0, "b/0 takes src-4"),
        (5.5, "b/0: src-1 done (attempt 2)"),
        (6.0, "b/0: src-2 done (attempt 2)"),
        (6.5, "b/0: src-4 done"),
    ]


@pytest.mark.rule("AMQ-02", "AMQ-23")
def test_what_comes_back_twice_stands_behind_what_came_back_once(story, bodies):
    """So order is lost even with one consumer at a time, if it holds less than came back."""
    told = story()
    told.send(told.queue, *range(4))
    first, second = told.queue.consume(prefetch=3), told.queue.consume(prefetch=1)
    told.hold(first, "first")
    first.disconnect("first")
    told.hold(second, "second")
    second.disconnect("second")
    last = told.hold(told.queue.consume(), "last")
    assert [(delivery.event.data, delivery.attempt) for delivery in last] == [(1, 2), (2, 2), (0, 3), (3, 1)]


@pytest.mark.rule("AMQ-03")
def test_a_loss_counts_for_the_next_refusal_but_not_by_itself(story, bodies):
    """A client does not count its own rollbacks only: it begins where the broker's count stands."""
    told = story()
    told.send(told.queue, "x")
    for loss in range(8):
        consumer = told.queue.consume()
        held = told.hold(consumer, f"c{loss}")
        assert [delivery.attempt for delivery in held] == [loss + 1]
        consumer.disconnect(f"c{loss}")
    held = told.hold(told.queue.consume(), "last")
    held[0].nack()
    told.go_on(10.0)
    graves = told.hold(told.broker.queue("ActiveMQ.DLQ").consume(), "undertaker")
    assert (len(held), bodies(graves)) == (1, ["x"])


@pytest.mark.rule("AMQ-09")
def test_a_group_stays_with_its_consumer_even_if_another_one_is_idle(story):
    told = story(prefetch=1)
    grouped = told.queue.producer(group=lambda event: "even" if event.data % 2 == 0 else "odd")
    mine = told.queue.consume()
    told.work(mine, "a", 1.5)
    told.work(mine, "b", 0.25)
    told.publish(grouped, 4, every_s=0.5)
    run = told.sim.run()
    assert timeline(run) == [
        (0.5, "a/0 takes src-0"),
        (1.0, "b/0 takes src-1"),
        (1.25, "b/0: src-1 done"),
        (2.0, "a/0: src-0 done"),
        (2.0, "a/0 takes src-2"),
        (2.0, "b/0 takes src-3"),
        (2.25, "b/0: src-3 done"),
        (3.5, "a/0: src-2 done"),
    ]
    assigned = [fact.detail for fact in run.fact_list if fact.kind == "message_group_assigned"]
    assert assigned == [{"group": "even", "consumer": "a/0"}, {"group": "odd", "consumer": "b/0"}]


@pytest.mark.rule("AMQ-09")
def test_a_new_group_goes_to_who_has_fewest(story):
    told = story()
    by_letter = told.queue.producer(group=lambda event: event.data)
    one = told.hold(told.queue.consume(), "one")
    told.send(by_letter, "a", "b")
    two = told.hold(told.queue.consume(), "two")
    told.send(by_letter, "c", "d", "a")
    assert [each.event.data for each in one] == ["a", "b", "a"]
    assert [each.event.data for each in two] == ["c", "d"]


@pytest.mark.rule("AMQ-10")
def test_of_exclusive_consumers_one_receives_and_the_next_takes_over(story):
    told = story()
    exclusive = told.queue.consume_exclusively()
    told.work(exclusive, "srv", 0.75, nodes=2)
    told.publish(told.queue, 4)
    told.sim.at(2.5, told.sim.node("srv/0").crash)
    told.sim.at(3.25, told.sim.node("srv/0").restart)
    run = told.sim.run()
    assert timeline(run) == [
        (1.0, "srv/0 takes src-0"),
        (1.75, "srv/0: src-0 done"),
        (2.0, "srv/0 takes src-1"),
        (2.5, "srv/0: src-1 crashed"),
        (2.5, "srv/1 takes src-1 (attempt 2)"),
        (3.0, "srv/1 takes src-2"),
        (3.25, "srv/1: src-1 done (attempt 2)"),
        (4.0, "srv/1: src-2 done"),
        (4.0, "srv/1 takes src-3"),
        (4.75, "srv/1: src-3 done"),
    ]
    leaders = [fact.detail["consumer"] for fact in run.fact_list if fact.kind == "exclusive_consumer"]
    assert leaders == ["srv/0", "srv/1"]


@pytest.mark.rule("AMQ-10")
def test_a_shared_consumer_beside_an_exclusive_one_gets_nothing_until_that_leaves(story, bodies):
    told = story()
    shared = told.hold(told.queue.consume(), "shared")
    exclusive = told.queue.consume_exclusively()
    alone = told.hold(exclusive, "alone")
    told.send(told.queue, 1, 2)
    exclusive.disconnect("alone")
    told.go_on()
    assert (bodies(alone), bodies(shared)) == ([1, 2], [1, 2])


@pytest.mark.rule("AMQ-12")
def test_priority_orders_only_where_messages_are_prioritized(story, bodies):
    told = story()
    plain = told.broker.queue("plain")
    ranked = told.broker.queue("ranked", DestinationPolicy(order="prioritized_messages"))
    for queue in (plain, ranked):
        told.send(queue.producer(priority=lambda event: event.data), 4, 9, 0, 9, 5)
    assert bodies(told.hold(plain.consume(), "one")) == [4, 9, 0, 9, 5]
    assert bodies(told.hold(ranked.consume(), "two")) == [9, 9, 5, 4, 0]


@pytest.mark.rule("AMQ-12")
def test_among_equal_priorities_what_comes_back_is_first(story, bodies):
    told = story()
    ranked = told.broker.queue("ranked", DestinationPolicy(order="prioritized_messages"))
    producer = ranked.producer(priority=lambda event: int(event.data[0]))
    told.send(producer, "4a", "9a", "4b")
    early = ranked.consume(prefetch=2)
    assert bodies(told.hold(early, "early")) == ["9a", "4a"]
    told.send(producer, "9b", "4c")
    early.disconnect("early")
    assert bodies(told.hold(ranked.consume(), "late")) == ["9a", "9b", "4a", "4b", "4c"]


@pytest.mark.rule("AMQ-07", "AMQ-23")
def test_a_selector_leaves_in_the_queue_what_it_does_not_take(story):
    told = story()
    picky = told.queue.consume(selector="JMSType = 'apple' AND JMSPriority > 3")
    told.work(picky, "eater", 0.5)
    told.publish(told.queue, 2, kind="stone", name="quarry")
    told.publish(told.queue, 2, kind="apple", name="tree")
    run = told.sim.run()
    assert [text for _, text in timeline(run) if "done" in text] == ["eater/0: tree-0 done", "eater/0: tree-1 done"]
    assert still_open(run) == [("quarry-0", 1, "queued"), ("quarry-1", 1, "queued")]


@pytest.mark.rule("AMQ-07")
def test_a_selector_sees_extension_attributes_as_properties(story, bodies):
    told = story()
    reds = told.hold(told.queue.consume(selector="color = 'red'"), "reds")
    others = told.hold(told.queue.consume(selector="color <> 'red' OR color IS NULL"), "others")
    for number, extensions in enumerate([{"color": "red"}, {"color": "blue"}, {}]):
        told.queue.publish(Event(type="x", data=number, extensions=extensions))
    told.go_on()
    assert (bodies(reds), bodies(others)) == ([0], [1, 2])


@pytest.mark.rule("AMQ-07")
def test_a_selector_that_cannot_be_parsed_is_refused_at_subscribe(story):
    with pytest.raises(InvalidSelectorError, match="position 8"):
        story().queue.consume(selector="color = ")


@pytest.mark.rule("AMQ-23")
def test_one_consumer_without_redelivery_sees_all_producers_in_order(story):
    told = story()
    told.work(told.queue.consume(), "one", 0.875)
    told.publish(told.queue, 20, every_s=1.0, name="a")
    told.publish(told.queue, 20, every_s=1.5, name="b")
    table = told.sim.run().messages().sort_values("finished_s")
    assert table["published_s"].is_monotonic_increasing
    assert len(table) == 40


@pytest.mark.rule("AMQ-23")
def test_two_consumers_finish_out_of_order(story):
    told = story()
    told.work(told.queue.consume(), "both", [2.5, 0.5], nodes=2)
    told.publish(told.queue, 2)
    table = told.sim.run().messages()
    assert table["finished_s"].tolist() == [3.5, 2.5]


@pytest.mark.rule("AMQ-24")
def test_a_browser_sees_all_that_is_not_acknowledged_and_takes_nothing(story, bodies):
    told = story(prefetch=1)
    told.send(told.queue, *range(4))
    held = told.hold(told.queue.consume(), "one")
    assert [event.data for event in told.queue.browse()] == [0, 1, 2, 3]
    held[0].ack()
    told.go_on()
    assert [event.data for event in told.queue.browse()] == [1, 2, 3]
    assert bodies(held) == [0, 1]


@pytest.mark.rule("AMQ-24")
def test_a_browser_sees_a_page_at_most(story):
    told = story()
    told.send(told.queue, *range(450))
    assert [event.data for event in told.queue.browse()] == list(range(400))


@pytest.mark.parametrize("prefetch", [0, 1, 10])
def test_what_a_receive_gives_up_waits_in_its_client(story, prefetch):
    """The message came at the very instant of the interrupt: nobody saw it, and its consumer is still connected."""
    told = story(prefetch=prefetch)
    mine = told.queue.consume()

    def worker(begins_s):
        yield told.sim.env.timeout(begins_s)
        try:
            delivery = yield mine.receive(consumer="ann")
        except simpy.Interrupt:
            return
        yield told.sim.env.timeout(0.5)
        delivery.ack()

    ann = told.sim.env.process(worker(0.0))
    told.sim.env.process(worker(2.0))
    told.sim.at(1.0, lambda: (ann.interrupt(), told.queue.publish(Event(type="x"), publisher="src")))
    assert timeline(told.sim.run()) == [
        (1.0, "ann: src-0 requeued"),
        (1.0, "ann takes src-0"),
        (1.0, "ann takes src-0 (attempt 2)"),
        (2.5, "ann: src-0 done (attempt 2)"),
    ]


def test_a_receive_that_gives_up_takes_nothing(story):
    told = story()
    mine = told.queue.consume()
    receive = mine.receive(consumer="ann")
    receive.cancel()
    mine.withdraw(receive)
    told.publish(told.queue, 1)
    run = told.sim.run()
    assert still_open(run) == [("src-0", 1, "in_flight")]
    assert run.messages()["started_s"].isna().all()
    mine.disconnect("ann")
    receive.cancel()


def test_a_policy_belongs_to_where_a_queue_is_first_named(story):
    told = story()
    policy = DestinationPolicy(memory_limit_messages=5)
    assert told.broker.queue("bounded", policy) is told.broker.queue("bounded") is told.broker.queue("bounded", policy)
    with pytest.raises(ConfigurationError, match="another policy"):
        told.broker.queue("bounded", DestinationPolicy())


def test_a_stranger_cannot_disconnect(story):
    with pytest.raises(UnknownNameError, match="consumer"):
        story().queue.consume().disconnect("nobody")
