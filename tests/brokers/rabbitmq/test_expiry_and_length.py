"""What leaves a queue without a consumer: expiry, length, dead letters and their circles. Stories told by the clock."""

from typing import Any

import pytest
from timelines import still_open, timeline

from edasim import Event, RabbitMQ, Service, Simulation, Source, load, times
from edasim.brokers.rabbitmq.deaths import Death, Reason, died, is_cycle


@pytest.fixture
def sim():
    return Simulation(seed=1)


@pytest.fixture
def broker(sim):
    return RabbitMQ().start(sim)


def publish_at(to: Any, *times_s: float, name: str = "src") -> None:
    Source(name, load=load.Trace(times_s=times_s), to=to)


def work(of: Any, name: str, service_s: float, **more: Any) -> Service:
    return Service(name, of=of, service_time=times.Constant(value_s=service_s), **more)


def deaths_of(queue: Any) -> list[list[tuple[str, str, int]]]:
    """The death records of what waits in a queue."""
    return [[(d.queue, d.reason.value, d.times) for d in entry.properties.deaths] for entry in queue.ready]


# ------------------------------------------------------------------------------------------------ expiry


@pytest.mark.rule("RMQ-20")
@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_a_short_life_behind_a_long_one_ends_when_it_reaches_the_head(sim, broker, queue_type):
    queue = broker.declare_queue("q", type=queue_type)
    publish_at(queue.address(expiration_s=3.0), 1.0, name="long")
    publish_at(queue.address(expiration_s=0.25), 1.125, name="short")
    assert timeline(sim.run()) == [(4.0, "long-0 expired"), (4.0, "short-0 expired")]


@pytest.mark.rule("RMQ-20")
def test_the_smaller_of_both_times_counts_and_what_was_sent_in_time_does_not_expire(sim, broker):
    queue = broker.declare_queue("q", message_ttl_s=1.0)
    work(queue.consume(prefetch=2), "srv", 10.0, nodes=["a"])
    publish_at(queue.address(expiration_s=0.5), 1.0, 1.0, 1.0)
    publish_at(queue.address(expiration_s=9.0), 3.0, name="patient")
    run = sim.run()
    assert [each for each in timeline(run) if "expired" in each[1]] == [
        (1.5, "src-2 expired"),
        (4.0, "patient-0 expired"),
    ]
    assert [each for each in timeline(run) if "done" in each[1]] == [(11.0, "a: src-0 done"), (21.0, "a: src-1 done")]


@pytest.mark.rule("RMQ-20")
def test_a_life_of_no_time_reaches_only_who_is_ready_now(sim, broker):
    queue = broker.declare_queue("q", message_ttl_s=0.0)
    work(queue.consume(prefetch=1), "srv", 1.0, nodes=["a"])
    publish_at(queue, 1.0, 1.5)
    assert timeline(sim.run()) == [(1.0, "a takes src-0"), (1.5, "src-1 expired"), (2.0, "a: src-0 done")]


@pytest.mark.rule("RMQ-20")
def test_a_requeued_message_keeps_its_time_of_expiry(sim, broker):
    queue = broker.declare_queue("q", message_ttl_s=2.0)
    work(queue.consume(prefetch=1), "srv", 9.0, nodes=["a"])
    publish_at(queue, 1.0, 2.0)
    sim.at(2.5, sim.node("a").crash)
    assert timeline(sim.run())[1:] == [
        (2.5, "a: src-0 crashed"), (3.0, "src-0 expired (attempt 2)"), (4.0, "src-1 expired"),
    ]  # fmt: skip


@pytest.mark.rule("RMQ-20")
def test_a_higher_priority_in_front_keeps_an_expired_one_in_the_queue(sim, broker):
    queue = broker.declare_queue("q", max_priority=1)
    publish_at(queue.address(expiration_s=0.5, priority=0), 1.0, name="low")
    publish_at(queue.address(expiration_s=3.0, priority=1), 1.25, name="high")
    assert sorted(timeline(sim.run())) == [(4.25, "high-0 expired"), (4.25, "low-0 expired")]


# ------------------------------------------------------------------------------------------------ length


@pytest.mark.rule("RMQ-22")
@pytest.mark.parametrize(
    ("overflow", "dead_letter_exchange", "told"),
    [
        ("drop-head", None, [(1.0, "src-0 dropped"), (1.0, "src-1 dropped")]),
        ("drop-head", "dlx", [(1.0, "src-0 dead_lettered"), (1.0, "src-1 dead_lettered")]),
        ("reject-publish", "dlx", [(1.0, "src-2 dropped"), (1.0, "src-3 dropped")]),
        ("reject-publish-dlx", "dlx", [(1.0, "src-2 dead_lettered"), (1.0, "src-3 dead_lettered")]),
        ("reject-publish-dlx", None, [(1.0, "src-2 dropped"), (1.0, "src-3 dropped")]),
    ],
)
def test_a_full_queue_does_as_it_was_declared(sim, broker, overflow, dead_letter_exchange, told):
    broker.declare_queue("dead").bind(broker.declare_exchange("dlx", type="fanout"))
    queue = broker.declare_queue("q", max_length=2, overflow=overflow, dead_letter_exchange=dead_letter_exchange)
    publish_at(queue, *[1.0] * 4)
    run = sim.run()
    assert timeline(run) == told
    assert len(queue.ready) == 2
    assert len(broker.queue("dead").ready) == sum("dead_lettered" in text for _, text in told)


@pytest.mark.rule("RMQ-22")
def test_what_consumers_hold_does_not_count_but_what_comes_back_does(sim, broker):
    """The oldest, which has come back, is the one that is dropped."""
    queue = broker.declare_queue("q", max_length=2)
    work(queue.consume(prefetch=2), "srv", 9.0, nodes=["a"])
    publish_at(queue, *[1.0] * 4)
    sim.at(2.0, sim.node("a").crash)
    run = sim.run()
    assert sorted(timeline(run)[2:]) == [
        (2.0, "a: src-0 crashed"),
        (2.0, "a: src-1 requeued"),
        (2.0, "src-0 dropped (attempt 2)"),
        (2.0, "src-1 dropped (attempt 2)"),
    ]
    assert still_open(run) == [("src-2", 1, "queued"), ("src-3", 1, "queued")]


@pytest.mark.rule("RMQ-22")
def test_a_refused_message_is_the_head_that_a_full_queue_drops(sim, broker):
    def fail(event: Event, context: Any) -> None:
        raise RuntimeError("no luck")

    queue = broker.declare_queue("q", max_length=1)
    work(queue.consume(prefetch=1), "srv", 1.0, nodes=["a"], handler=fail)
    publish_at(queue, 1.0, 1.0)
    assert timeline(sim.run(until_s=2.5)) == [
        (1.0, "a takes src-0"), (2.0, "a: src-0 failed"), (2.0, "src-0 dropped (attempt 2)"), (2.0, "a takes src-1"),
    ]  # fmt: skip


def test_a_queue_without_a_bound_keeps_all(sim, broker):
    queue = broker.declare_queue("q")
    publish_at(queue, *[1.0] * 5000)
    assert set(sim.run().messages()["outcome"]) == {"queued"}


# ------------------------------------------------------------------------------------------------ dead letters


@pytest.mark.rule("RMQ-21")
def test_a_dead_letter_tells_why_and_how_often_and_where_it_came_from(sim, broker):
    """A message is retried by waiting in a queue whose dead letters go back to work."""
    broker.declare_queue("work", dead_letter_exchange="", dead_letter_routing_key="wait")
    broker.declare_queue("wait", message_ttl_s=1.0, dead_letter_exchange="", dead_letter_routing_key="work")
    seen = []

    def worker() -> Any:
        subscription = broker.queue("work").consume(prefetch=1)
        while True:
            delivery = yield subscription.receive(consumer="ann")
            seen.append((sim.env.now, [(d.queue, d.reason.value, d.times) for d in delivery.deaths]))
            delivery.reject()

    sim.env.process(worker())
    broker.declare_exchange("jobs").publish(Event(type="x"))  # reaches no queue
    publish_at(broker.queue("work"), 1.0)
    run = sim.run(until_s=3.5)
    assert seen == [
        (1.0, []),
        (2.0, [("wait", "expired", 1), ("work", "rejected", 1)]),
        (3.0, [("wait", "expired", 2), ("work", "rejected", 2)]),
    ]
    (entry,) = broker.queue("wait").ready
    assert [(d.exchange, d.routing_keys, d.first_s) for d in entry.properties.deaths] == [
        ("", ("work",), 1.0), ("", ("wait",), 2.0),
    ]  # fmt: skip
    assert run.messages()["outcome"].value_counts().to_dict() == {"dead_lettered": 5, "filtered": 1, "queued": 1}


@pytest.mark.rule("RMQ-21")
def test_a_dead_letter_keeps_its_key_unless_the_queue_names_one_and_lives_without_end(sim, broker):
    dlx = broker.declare_exchange("dlx", type="topic")
    broker.declare_queue("all", message_ttl_s=None).bind(dlx, "#")
    for name, key in (("kept", None), ("renamed", "dead.letter")):
        queue = broker.declare_queue(name, dead_letter_exchange="dlx", dead_letter_routing_key=key)
        publish_at(queue.address(expiration_s=1.0), 1.0, name=name)
    sim.run(until_s=9.0)
    assert [entry.properties.routing_keys for entry in broker.queue("all").ready] == [("kept",), ("dead.letter",)]
    assert [entry.properties.exchange for entry in broker.queue("all").ready] == ["dlx", "dlx"]
    assert [entry.expires_s for entry in broker.queue("all").ready] == [None, None]


@pytest.mark.rule("RMQ-21")
def test_a_dead_letter_exchange_that_does_not_exist_loses_them(sim, broker):
    queue = broker.declare_queue("q", message_ttl_s=1.0, dead_letter_exchange="nowhere")
    publish_at(queue, 1.0)
    assert timeline(sim.run()) == [(2.0, "src-0 expired")]


@pytest.mark.rule("RMQ-23")
@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_delivery_limit_of_n_allows_n_more_deliveries(sim, broker, limit):
    def fail(event: Event, context: Any) -> None:
        raise RuntimeError("poison")

    dead = broker.declare_queue("dead").bind(broker.declare_exchange("dlx", type="fanout"))
    queue = broker.declare_queue("q", type="quorum", delivery_limit=limit, dead_letter_exchange="dlx")
    work(queue.consume(prefetch=1), "srv", 1.0, handler=fail)
    publish_at(queue, 1.0)
    rows = sim.run().messages()
    assert rows[rows["group"] == "q"]["outcome"].tolist() == ["failed"] * limit + ["dead_lettered"]
    assert deaths_of(dead) == [[("q", "delivery_limit", 1)]]


@pytest.mark.rule("RMQ-23")
def test_crashes_count_toward_the_delivery_limit(sim, broker):
    """As in RabbitMQ 3.10; the copy that would have been the next delivery is put aside undelivered."""
    queue = broker.declare_queue("q", type="quorum", delivery_limit=1)
    work(queue.consume(prefetch=1), "srv", 9.0, nodes=["a"])
    publish_at(queue, 1.0)
    for at_s in (2.0, 4.0):
        sim.at(at_s, sim.node("a").crash)
        sim.at(at_s + 1.0, sim.node("a").restart)
    assert timeline(sim.run()) == [
        (1.0, "a takes src-0"), (2.0, "a: src-0 crashed"), (3.0, "a takes src-0 (attempt 2)"),
        (4.0, "a: src-0 crashed (attempt 2)"), (4.0, "src-0 dropped (attempt 3)"),
    ]  # fmt: skip


@pytest.mark.rule("RMQ-24")
def test_a_circle_of_dead_letters_without_a_rejection_drops_the_message(sim, broker):
    broker.declare_queue("a", message_ttl_s=1.0, dead_letter_exchange="", dead_letter_routing_key="b")
    broker.declare_queue("b", message_ttl_s=1.0, dead_letter_exchange="", dead_letter_routing_key="a")
    publish_at(broker.queue("a"), 1.0)
    run = sim.run()
    assert timeline(run) == [(2.0, "src-0 dead_lettered"), (3.0, "src-0 expired")]
    assert [(f.time_s, f.kind, f.subject) for f in run.fact_list] == [(3.0, "dead_letter_cycle", "a")]


def death(queue: str, reason: str) -> Death:
    return Death(queue, Reason(reason), 1, "", (queue,), 0.0)


@pytest.mark.rule("RMQ-24")
@pytest.mark.parametrize(
    ("record", "queue", "cycle"),
    [
        ([], "a", False),
        (["a expired"], "a", True),
        (["a maxlen"], "a", True),
        (["a delivery_limit"], "a", True),
        (["a expired"], "b", False),
        (["a rejected"], "a", False),
        (["a expired", "b expired"], "a", True),
        (["a expired", "b rejected"], "a", False),
        (["a rejected", "b expired"], "a", False),
        (["a rejected", "b expired"], "b", True),
    ],
)
def test_only_a_circle_without_a_rejection_since_then_is_one(record, queue, cycle):
    deaths = ()
    for each in record:
        deaths = died(deaths, death(*each.split()))
    assert is_cycle(deaths, queue) is cycle


@pytest.mark.rule("RMQ-21")
def test_the_latest_death_is_first_and_one_that_happened_before_is_counted():
    deaths = ()
    for each in ["a expired", "b rejected", "a rejected", "a expired"]:
        deaths = died(deaths, death(*each.split()))
    assert [(d.queue, d.reason.value, d.times) for d in deaths] == [
        ("a", "expired", 2), ("a", "rejected", 1), ("b", "rejected", 1),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------ queues that end


@pytest.mark.rule("RMQ-25")
def test_a_queue_that_nobody_uses_is_deleted_with_its_messages_which_are_no_dead_letters(sim, broker):
    broker.declare_queue("dead").bind(broker.declare_exchange("dlx", type="fanout"))
    queue = broker.declare_queue("q", expires_s=2.0, dead_letter_exchange="dlx")
    events = broker.declare_exchange("events", type="topic")
    queue.bind(events, "#")
    publish_at(events, 1.0, 3.0)
    run = sim.run()
    assert timeline(run) == [(2.0, "src-0 dropped"), (3.0, "src-1 filtered")]
    assert [(f.time_s, f.kind, f.detail["messages"]) for f in run.fact_list] == [(2.0, "queue_deleted", 1)]
    assert list(broker.queues) == ["dead"]
    assert len(broker.queue("dead").ready) == 0


@pytest.mark.rule("RMQ-25")
def test_a_consumer_or_a_declaration_keeps_a_queue(sim, broker):
    queue = broker.declare_queue("q", expires_s=2.0)
    sim.at(1.5, lambda: broker.declare_queue("q", expires_s=2.0))
    sim.at(3.0, lambda: work(queue.consume(), "srv", 1.0, nodes=["a"]))
    publish_at(queue, 8.0)
    sim.at(10.0, lambda: sim.node("a").crash())
    run = sim.run()
    assert timeline(run) == [(8.0, "a takes src-0"), (9.0, "a: src-0 done")]
    assert [(f.time_s, f.subject) for f in run.fact_list if f.kind == "queue_deleted"] == [(12.0, "q")]


def test_deleting_a_queue_closes_its_channels_and_drops_what_it_had(sim, broker):
    queue = broker.declare_queue("q")
    work(queue.consume(prefetch=1), "srv", 2.0, nodes=["a"])
    publish_at(queue, 1.0, 1.0)
    sim.at(1.5, lambda: broker.delete_queue("q"))
    run = sim.run()
    assert timeline(run) == [
        (1.0, "a takes src-0"), (1.5, "src-0 dropped (attempt 2)"), (1.5, "src-1 dropped"), (3.0, "a: src-0 done"),
    ]  # fmt: skip
    assert [(f.time_s, f.kind) for f in run.fact_list] == [
        (1.5, "channel_closed"), (1.5, "queue_deleted"), (3.0, "acknowledgement_too_late"), (3.0, "consume_refused"),
    ]  # fmt: skip
