"""Queues and consumers: who gets what, what comes back where, and what a channel may do. Stories told by the clock."""

from typing import Any

import pytest
from timelines import still_open, timeline

from edasim import Event, RabbitMQ, Service, Simulation, Source, load, times
from edasim.brokers.rabbitmq import ChannelError, PreconditionFailedError


@pytest.fixture
def sim():
    return Simulation(seed=1)


@pytest.fixture
def broker(sim):
    return RabbitMQ().start(sim)


def publish_at(to: Any, *times_s: float, name: str = "src") -> None:
    Source(name, load=load.Trace(times_s=times_s), to=to)


def work(of: Any, name: str, *service_s: float, **more: Any) -> Service:
    """A service whose service times are given one by one, and then over again."""
    return Service(name, of=of, service_time=times.Trace(values_s=service_s, at_end="repeat"), **more)


def refuse(event: Event, context: Any) -> None:
    raise RuntimeError("no luck today")


# ------------------------------------------------------------------------------------------------ in turn


@pytest.mark.rule("RMQ-08", "RMQ-09")
def test_a_prefetch_of_one_gives_the_next_message_to_whoever_is_free(sim, broker):
    queue = broker.declare_queue("q")
    both = queue.consume(prefetch=1)
    work(both, "a", 0.5, 0.125, nodes=["a"])
    work(both, "b", 0.125, nodes=["b"])
    publish_at(queue, *[1.0] * 5)
    assert timeline(sim.run()) == [
        (1.0, "a takes src-0"), (1.0, "b takes src-1"),
        (1.125, "b: src-1 done"), (1.125, "b takes src-2"), (1.25, "b: src-2 done"), (1.25, "b takes src-3"),
        (1.375, "b: src-3 done"), (1.375, "b takes src-4"), (1.5, "a: src-0 done"), (1.5, "b: src-4 done"),
    ]  # fmt: skip


@pytest.mark.rule("RMQ-08", "RMQ-09")
def test_without_a_bound_each_is_sent_every_second_message_however_slow_it_is(sim, broker):
    """A message is delivered when it is sent to the client, and starts when the client comes to it."""
    queue = broker.declare_queue("q")
    both = queue.consume()
    work(both, "slow", 10.0, nodes=["slow"])
    work(both, "fast", 0.5, nodes=["fast"])
    publish_at(queue, *[1.0] * 6)
    rows = sim.run().messages()
    assert rows["consumer"].tolist() == ["slow", "fast"] * 3
    assert rows["delivered_s"].tolist() == [1.0] * 6
    assert rows["started_s"].tolist() == [1.0, 1.0, 11.0, 1.5, 21.0, 2.0]


@pytest.mark.rule("RMQ-08")
def test_it_is_the_turn_of_whoever_was_not_served_last_and_not_of_who_is_free_for_longest(sim, broker):
    queue = broker.declare_queue("q")
    all_three = queue.consume(prefetch=1)
    work(all_three, "srv", 0.25, nodes=["a", "b", "c"])
    publish_at(queue, 1.0, 2.0, 3.0, 4.0)
    assert [text for _, text in timeline(sim.run()) if "takes" in text] == [
        "a takes src-0", "b takes src-1", "c takes src-2", "a takes src-3",
    ]  # fmt: skip


@pytest.mark.rule("RMQ-08")
def test_who_was_found_full_comes_back_behind_all_others(sim, broker):
    queue = broker.declare_queue("q")
    subscription = queue.consume(prefetch=2)
    held: dict[str, list[Any]] = {"a": [], "b": []}

    def consumer(name: str) -> Any:
        while True:
            held[name].append((yield subscription.receive(consumer=name)))

    for name in held:
        sim.env.process(consumer(name))
    publish_at(queue, *[1.0] * 5)  # a holds 0 and 2, b holds 1 and 3; both are found full by 4

    def settle() -> Any:
        yield sim.env.timeout(2.0)
        held["a"][0].ack()  # a is sent 4
        yield sim.env.timeout(0.25)
        held["a"][1].ack()
        yield sim.env.timeout(0.25)
        held["b"][0].ack()  # b is back, behind a

    sim.env.process(settle())
    publish_at(queue, 3.0, 3.0, name="new")
    rows = sim.run(until_s=4.0).messages()
    assert rows["consumer"].tolist() == ["a", "b", "a", "b", "a", "a", "b"]


@pytest.mark.rule("RMQ-09")
def test_without_a_bound_who_comes_late_gets_nothing_of_what_is_there(sim, broker):
    """Prefetch without a bound starves late consumers: all is sent to those who were there."""
    queue = broker.declare_queue("q")
    here = queue.consume()
    work(here, "early", 1.0, nodes=["early"])
    publish_at(queue, *[1.0] * 10)
    sim.at(1.5, lambda: work(here, "late", 1.0, nodes=["late"]))
    publish_at(queue, 2.5, 2.75, name="new")
    rows = sim.run().messages()
    assert rows[rows["source"] == "src"]["consumer"].tolist() == ["early"] * 10
    assert rows[rows["source"] == "new"]["consumer"].tolist() == ["early", "late"]
    assert rows["finished_s"].max() == 12.0


@pytest.mark.rule("RMQ-09")
def test_a_quorum_queue_sends_two_thousand_at_most_to_one_who_asks_for_any_number(sim, broker):
    queue = broker.declare_queue("q", type="quorum")
    work(queue.consume(), "srv", 1.0)
    publish_at(queue, *[1.0] * 2100)
    run = sim.run(until_s=1.5)
    counts = run.messages()["outcome"].value_counts().to_dict()
    assert counts == {"in_flight": 2000, "queued": 100}


@pytest.mark.rule("RMQ-18")
def test_consumers_of_higher_priority_are_served_first_while_they_have_room(sim, broker):
    queue = broker.declare_queue("q")
    work(queue.consume(prefetch=1), "low", 10.0, nodes=["low"])
    work(queue.consume(prefetch=2, priority=5), "high", 10.0, nodes=["high", "tall"])
    publish_at(queue, *[1.0] * 6)
    rows = sim.run(until_s=5.0).messages()
    assert rows["consumer"].tolist()[:5] == ["high", "tall", "high", "tall", "low"]
    assert rows["outcome"].tolist()[5] == "queued"


@pytest.mark.rule("RMQ-19")
def test_automatic_acknowledgement_knows_no_bound_and_a_crash_loses_what_was_sent(sim, broker):
    queue = broker.declare_queue("q")
    work(queue.consume(prefetch=1, acknowledgement="automatic"), "srv", 1.0, nodes=["srv"])
    publish_at(queue, *[1.0] * 4)
    sim.at(2.5, sim.node("srv").crash)
    sim.at(3.0, sim.node("srv").restart)
    run = sim.run()
    assert timeline(run) == [
        (1.0, "srv takes src-0"), (1.0, "srv takes src-1"), (1.0, "srv takes src-2"), (1.0, "srv takes src-3"),
        (2.0, "srv: src-0 done"),
        (2.5, "srv: src-1 dropped"), (2.5, "srv: src-2 dropped"), (2.5, "srv: src-3 dropped"),
    ]  # fmt: skip
    assert still_open(run) == []


@pytest.mark.rule("RMQ-19")
def test_by_hand_an_automatically_acknowledged_message_cannot_be_acknowledged_again(sim, broker):
    queue = broker.declare_queue("q")
    subscription = queue.consume(acknowledgement="automatic")

    def reader() -> Any:
        delivery = yield subscription.receive(consumer="ann")
        with pytest.raises(PreconditionFailedError, match="unknown delivery tag 1"):
            delivery.ack()
        return delivery.settled

    process = sim.env.process(reader())
    publish_at(queue, 1.0)
    run = sim.run()
    assert process.value is True
    assert timeline(run) == [(1.0, "ann: src-0 done"), (1.0, "ann takes src-0")]


@pytest.mark.rule("RMQ-17")
def test_the_highest_priority_is_next_but_what_was_sent_ahead_is_not_overtaken(sim, broker):
    queue = broker.declare_queue("q", max_priority=3)
    work(queue.consume(prefetch=2), "srv", 1.0)
    given = {"low-0": 0, "low-1": 0, "low-2": None, "mid-0": 2, "top-0": 9, "top-1": 3}
    for place, (name, priority) in enumerate(given.items()):
        event = Event(type="x", id=name, source="/src")
        sim.at(1.0 + place / 64, lambda event=event, p=priority: queue.publish(event, priority=p))
    takes = [row.event_id for row in sim.run().messages().sort_values("started_s", kind="stable").itertuples()]
    assert takes == ["low-0", "low-1", "top-0", "top-1", "mid-0", "low-2"]


# ------------------------------------------------------------------------------------------------ one at a time


@pytest.mark.rule("RMQ-16")
def test_one_of_several_receives_and_its_successor_first_gets_what_it_held(sim, broker):
    queue = broker.declare_queue("q", single_active_consumer=True)
    work(queue.consume(prefetch=2), "srv", 1.0, nodes=["a", "b"])
    publish_at(queue, 1.0, 1.125, 1.25, 1.375)
    sim.at(1.5, sim.node("a").crash)
    run = sim.run()
    assert timeline(run) == [
        (1.0, "a takes src-0"), (1.125, "a takes src-1"),
        (1.5, "a: src-0 crashed"), (1.5, "a: src-1 requeued"),
        (1.5, "b takes src-0 (attempt 2)"), (1.5, "b takes src-1 (attempt 2)"),
        (2.5, "b: src-0 done (attempt 2)"), (2.5, "b takes src-2"),
        (3.5, "b: src-1 done (attempt 2)"), (3.5, "b takes src-3"),
        (4.5, "b: src-2 done"), (5.5, "b: src-3 done"),
    ]  # fmt: skip
    active = [(fact.time_s, fact.detail["consumer"]) for fact in run.fact_list if fact.kind == "single_active_consumer"]
    assert active == [(0.0, "a"), (1.5, "b")]


@pytest.mark.rule("RMQ-16")
def test_the_active_consumer_alone_is_served_although_it_is_full(sim, broker):
    queue = broker.declare_queue("q", single_active_consumer=True)
    work(queue.consume(prefetch=1), "srv", 1.0, nodes=["a", "b"])
    publish_at(queue, 1.0, 1.125)
    assert set(sim.run().messages()["consumer"]) == {"a"}


# ------------------------------------------------------------------------------------------------ what comes back


@pytest.mark.rule("RMQ-11", "RMQ-12")
@pytest.mark.parametrize(
    ("arguments", "order"),
    [
        ({"type": "classic"}, [2, 3, 4, 5]),
        ({"type": "quorum"}, [3, 4, 5, 2]),
        ({"type": "quorum", "delivery_limit": 5}, [2, 3, 4, 5]),
    ],
    ids=["classic", "quorum", "quorum with a limit"],
)
def test_a_refused_message_goes_where_its_queue_puts_it(sim, broker, arguments, order):
    """To its place in a classic queue, to the end of a quorum queue, to its head if deliveries are limited."""
    queue = broker.declare_queue("q", **arguments)
    poll = queue.poll()

    def reader() -> Any:
        for number in range(6):
            queue.publish(Event(type="x", data=number))
        held = [poll.get(channel="holder") for _ in range(3)]
        held[2].nack()
        read = []
        while (delivery := poll.get(channel="reader")) is not None:
            read.append(delivery.event.data)
        yield sim.env.timeout(0.0)
        return read

    process = sim.env.process(reader())
    sim.run(until_s=1.0)
    assert process.value == order


@pytest.mark.rule("RMQ-13")
@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_a_crash_gives_all_back_at_once_in_order_before_what_was_never_delivered(sim, broker, queue_type):
    """What a had in work and what was in its buffer; b is sent the oldest first."""
    queue = broker.declare_queue("q", type=queue_type)
    work(queue.consume(prefetch=3), "srv", 1.0, nodes=["a"])
    publish_at(queue, *[1.0] * 5)
    sim.at(2.5, sim.node("a").crash)
    sim.at(2.75, lambda: work(queue.consume(prefetch=1), "b", 0.125, nodes=["b"]))
    assert [text for when_s, text in timeline(sim.run()) if when_s >= 2.0 and "done" not in text] == [
        "a takes src-3", "a: src-1 crashed", "a: src-2 requeued", "a: src-3 requeued",
        "b takes src-1 (attempt 2)", "b takes src-2 (attempt 2)", "b takes src-3 (attempt 2)", "b takes src-4",
    ]  # fmt: skip


@pytest.mark.rule("RMQ-13")
def test_nodes_that_crash_together_get_nothing_of_each_other(sim, broker):
    from edasim.services.node import crash_together

    queue = broker.declare_queue("q")
    work(queue.consume(prefetch=2), "srv", 1.0, nodes=["a", "b"])
    publish_at(queue, *[1.0] * 3)
    sim.at(1.5, lambda: crash_together([sim.node("a"), sim.node("b")]))
    sim.at(2.0, sim.node("b").restart)
    assert timeline(sim.run())[3:] == [
        (1.5, "a: src-0 crashed"), (1.5, "b: src-1 crashed"), (1.5, "a: src-2 requeued"),
        (2.0, "b takes src-0 (attempt 2)"), (2.0, "b takes src-1 (attempt 2)"),
        (3.0, "b: src-0 done (attempt 2)"), (3.0, "b takes src-2 (attempt 2)"), (4.0, "b: src-1 done (attempt 2)"),
        (5.0, "b: src-2 done (attempt 2)"),
    ]  # fmt: skip


@pytest.mark.rule("RMQ-13")
def test_what_comes_back_is_before_what_is_published_at_that_instant(sim, broker):
    queue = broker.declare_queue("q")
    work(queue.consume(prefetch=1), "srv", 5.0, nodes=["a", "b"])
    publish_at(queue, 1.0)

    def crash_and_publish() -> None:
        sim.node("a").crash()
        queue.publish(Event(type="x"), publisher="new")

    sim.at(2.0, crash_and_publish)
    assert [text for _, text in timeline(sim.run()) if "takes" in text] == [
        "a takes src-0", "b takes src-0 (attempt 2)", "b takes new-0",
    ]  # fmt: skip


@pytest.mark.rule("RMQ-13")
@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_a_consumer_that_comes_when_a_channel_has_closed_is_sent_what_that_held_first(sim, broker, queue_type):
    queue = broker.declare_queue("q", type=queue_type)
    subscription = queue.consume(prefetch=2)
    read = []

    def reader() -> Any:
        for _ in range(2):
            yield subscription.receive(consumer="ann")
        subscription.channel("ann").close()
        for _ in range(4):
            delivery = yield subscription.receive(consumer="ben")
            read.append((delivery.event.id, delivery.redelivered))
            delivery.ack()

    sim.env.process(reader())
    publish_at(queue, *[1.0] * 4)
    sim.run()
    assert read == [("src-0", True), ("src-1", True), ("src-2", False), ("src-3", False)]


def test_a_refused_message_without_a_limit_comes_again_for_ever_at_full_speed(sim, broker):
    queue = broker.declare_queue("q")
    work(queue.consume(prefetch=1), "srv", 0.25, handler=refuse)
    publish_at(queue, 1.0, 1.0)
    rows = sim.run(until_s=11.125).messages()
    assert rows[rows["event_id"] == "src-0"]["outcome"].tolist() == ["failed"] * 40 + ["in_flight"]
    assert rows[rows["event_id"] == "src-1"]["outcome"].tolist() == ["queued"]


def test_a_service_may_reject_what_it_fails_at(sim, broker):
    queue = broker.declare_queue("q", dead_letter_exchange="", dead_letter_routing_key="dead")
    broker.declare_queue("dead")
    work(queue.consume(prefetch=1, on_failure="reject"), "srv", 0.25, handler=refuse)
    publish_at(queue, 1.0)
    run = sim.run()
    assert timeline(run) == [(1.0, "srv/0 takes src-0"), (1.25, "srv/0: src-0 dead_lettered")]
    assert still_open(run) == [("src-0", 1, "queued")]


def test_what_was_acknowledged_on_delivery_does_not_come_back_but_what_was_only_sent_does(sim, broker):
    queue = broker.declare_queue("q")
    work(queue.consume(prefetch=2), "srv", 1.0, acknowledge="on_delivery", nodes=["a"])
    publish_at(queue, 1.0, 1.0)
    sim.at(1.5, sim.node("a").crash)
    sim.at(2.0, sim.node("a").restart)
    assert timeline(sim.run())[2:] == [
        (1.5, "a: src-0 dropped"), (1.5, "a: src-1 requeued"),
        (2.0, "a takes src-1 (attempt 2)"), (3.0, "a: src-1 done (attempt 2)"),
    ]  # fmt: skip


def test_slots_of_one_node_are_one_consumer(sim, broker):
    queue = broker.declare_queue("q")
    work(queue.consume(prefetch=3), "srv", 1.0, nodes=["a"], concurrency=2)
    publish_at(queue, *[1.0] * 4)
    rows = sim.run().messages()
    assert rows["started_s"].tolist() == [1.0, 1.0, 2.0, 2.0]
    assert rows["delivered_s"].tolist() == [1.0, 1.0, 1.0, 2.0]
    assert len(queue.consumers) == 1


# ------------------------------------------------------------------------------------------------ channels by hand


@pytest.mark.rule("RMQ-14")
def test_acknowledging_twice_closes_the_channel_and_all_it_holds_comes_back(sim, broker):
    queue = broker.declare_queue("q")
    subscription = queue.consume()
    told = []

    def careless() -> Any:
        first = yield subscription.receive(consumer="ann")
        second = yield subscription.receive(consumer="ann")
        channel = subscription.channel("ann")
        first.ack()
        with pytest.raises(PreconditionFailedError) as refused:
            first.ack()
        told.append((refused.value.code, str(refused.value).count("unknown delivery tag 1")))
        told.append((second.settled, channel.is_open))
        for late in (lambda: channel.ack(second.tag), second.ack, first.ack):
            with pytest.raises(ChannelError, match=r"504 CHANNEL_ERROR .* is closed"):
                late()
        again = yield subscription.receive(consumer="ann")
        told.append((again.event.id, again.tag, again.redelivered))
        again.ack()

    sim.env.process(careless())
    publish_at(queue, 1.0, 1.0)
    run = sim.run()
    assert told == [(406, 1), (True, False), ("src-1", 1, True)]
    assert [fact.detail["reason"] for fact in run.fact_list if fact.kind == "channel_closed"] == [
        "unknown delivery tag 1"
    ]
    assert sorted(timeline(run)) == [
        (1.0, "ann takes src-0"),
        (1.0, "ann takes src-1"),
        (1.0, "ann takes src-1 (attempt 2)"),
        (1.0, "ann: src-0 done"),
        (1.0, "ann: src-1 done (attempt 2)"),
        (1.0, "ann: src-1 requeued"),
    ]


def test_one_acknowledgement_may_settle_all_up_to_its_tag(sim, broker):
    queue = broker.declare_queue("q")
    subscription = queue.consume()

    def reader() -> Any:
        for _ in range(4):
            yield subscription.receive(consumer="ann")
        subscription.channel("ann").ack_up_to(3)
        yield sim.env.timeout(1.0)
        subscription.channel("ann").close()
        yield sim.env.timeout(1.0)
        delivery = yield subscription.receive(consumer="bob")
        delivery.nack(requeue=False)

    sim.env.process(reader())
    publish_at(queue, *[1.0] * 4)
    run = sim.run()
    rows = run.messages()[["event_id", "attempt", "finished_s", "outcome"]].values.tolist()
    assert rows == [
        ["src-0", 1, 1.0, "done"], ["src-1", 1, 1.0, "done"], ["src-2", 1, 1.0, "done"],
        ["src-3", 1, 2.0, "requeued"], ["src-3", 2, 3.0, "dropped"],
    ]  # fmt: skip


def test_a_receive_that_is_given_up_leaves_the_queue_and_takes_nothing(sim, broker):
    queue = broker.declare_queue("q")
    subscription = queue.consume(prefetch=1)

    def impatient() -> Any:
        receive = subscription.receive(consumer="ann")
        yield receive | sim.env.timeout(1.0)

    sim.env.process(impatient())
    sim.at(1.5, lambda: work(subscription, "bob", 0.5, nodes=["bob"]))
    publish_at(queue, 2.0)
    assert timeline(sim.run()) == [(2.0, "bob takes src-0"), (2.5, "bob: src-0 done")]


def test_reading_one_by_one_takes_the_head_and_ends_when_there_is_none(sim, broker):
    queue = broker.declare_queue("q")
    poll = queue.poll()
    queue.publish(Event(type="x", data=1))
    delivery = poll.get()
    assert (delivery.event.data, delivery.tag, delivery.redelivered, poll.get()) == (1, 1, False, None)
    delivery.reject(requeue=True)
    assert poll.get().redelivered
    broker.kill()
    with pytest.raises(ChannelError, match="until the broker is up"):
        poll.get()
