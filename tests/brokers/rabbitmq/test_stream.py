"""Streams: what is read stays, consumers keep offsets. Stories told by the clock."""

from typing import Any

import pytest
from timelines import still_open, timeline

from edasim import Event, RabbitMQ, Service, Simulation, Source, load, times
from edasim.brokers.rabbitmq import PreconditionFailedError
from edasim.errors import ConfigurationError, StateError


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


def done(run: Any, group: str) -> list[tuple[float, str, int]]:
    rows = run.messages()
    mine = rows[(rows["group"] == group) & (rows["outcome"] == "done")]
    return list(zip(mine["finished_s"], mine["event_id"], mine["attempt"], strict=True))


@pytest.mark.rule("RMQ-30")
def test_what_is_acknowledged_is_gone_from_a_queue_and_stays_in_a_stream(sim, broker):
    events = broker.declare_exchange("events", type="topic")
    queue, stream = broker.declare_queue("q").bind(events, "#"), broker.declare_stream("s").bind(events, "#")
    work(queue.consume(), "of-queue", 0.5)
    work(stream.consume("first"), "of-stream", 0.5)
    publish_at(events, 1.0, 2.0)
    sim.at(5.0, lambda: work(queue.consume(), "late-of-queue", 0.5))
    sim.at(5.0, lambda: work(stream.consume("second", offset="first"), "late-of-stream", 0.5))
    run = sim.run()
    assert done(run, "q") == done(run, "first") == [(1.5, "src-0", 1), (2.5, "src-1", 1)]
    assert done(run, "second") == [(5.5, "src-0", 1), (6.0, "src-1", 1)]
    assert (len(queue.ready), len(stream.messages)) == (0, 2)


@pytest.mark.rule("RMQ-30")
@pytest.mark.parametrize(
    ("offset", "read"),
    [("first", [0, 1, 2, 3, 4]), ("last", [3, 4]), ("next", [4]), (2, [2, 3, 4]), (99, [4])],
)
def test_a_consumer_begins_where_it_wants(sim, broker, offset, read):
    stream = broker.declare_stream("s")
    for number in range(4):
        broker.default_exchange.publish(Event(type="x", data=number), routing_key="s")
    seen = []

    def reader() -> Any:
        subscription = stream.consume("reader", offset=offset)
        while True:
            delivery = yield subscription.receive()
            seen.append((delivery.event.data, delivery.offset))
            delivery.ack()

    sim.env.process(reader())
    sim.at(1.0, lambda: broker.default_exchange.publish(Event(type="x", data=4), routing_key="s"))
    sim.run()
    assert seen == [(number, number) for number in read]


@pytest.mark.rule("RMQ-30")
def test_a_successor_reads_on_from_the_stored_offset_and_reads_again_what_was_done_beyond_it(sim, broker):
    """Two slots: src-1 is done while src-0 is still in work, so the stored offset stands before src-0."""
    stream = broker.declare_stream("s")
    subscription = stream.consume("reader", prefetch=3)
    Service(
        "srv",
        of=subscription,
        service_time=times.Trace(values_s=[9.0, 0.25, 0.5], at_end="repeat"),
        nodes=["a", "b"],
        concurrency=2,
    )
    publish_at(stream, 1.0, 1.0, 1.0)
    sim.at(1.5, sim.node("a").crash)
    run = sim.run()
    assert sorted(each for each in timeline(run) if "done" not in each[1]) == [
        (1.0, "a takes src-0"), (1.0, "a takes src-1"), (1.0, "a takes src-2"),
        (1.5, "a: src-0 crashed"), (1.5, "a: src-2 crashed"),
        (1.5, "b takes src-0 (attempt 2)"), (1.5, "b takes src-1 (attempt 2)"), (1.5, "b takes src-2 (attempt 2)"),
    ]  # fmt: skip
    assert [(row[1], row[2]) for row in sorted(done(run, "reader"), key=lambda row: row[1:])] == [
        ("src-0", 2), ("src-1", 1), ("src-1", 2), ("src-2", 2),
    ]  # fmt: skip
    assert (subscription.stored_offset, subscription.active) == (3, "b")
    changes = [(fact.time_s, fact.detail) for fact in run.fact_list if fact.kind == "stream_consumer_changed"]
    assert changes == [(1.5, {"active": "b", "offset": 0})]


@pytest.mark.rule("RMQ-30")
def test_prefetch_bounds_what_is_sent_ahead(sim, broker):
    stream = broker.declare_stream("s")
    work(stream.consume("reader", prefetch=2), "srv", 1.0)
    publish_at(stream, *[1.0] * 4)
    rows = sim.run().messages()
    assert rows["delivered_s"].tolist() == [1.0, 1.0, 2.0, 3.0]
    assert rows["started_s"].tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.rule("RMQ-30")
def test_retention_removes_what_a_slow_consumer_has_not_read(sim, broker):
    stream = broker.declare_stream("s", max_age_s=2.0)
    work(stream.consume("slow", prefetch=1), "srv", 5.0)
    publish_at(stream, 1.0, 2.0, 3.0, 6.5)
    run = sim.run()
    assert done(run, "slow") == [(6.0, "src-0", 1), (11.0, "src-1", 1), (16.0, "src-3", 1)]
    assert [each for each in timeline(run) if "dropped" in each[1]] == [(6.5, "src-2 dropped")]
    assert (stream.first_offset, stream.end_offset) == (3, 4)


@pytest.mark.rule("RMQ-26", "RMQ-30")
def test_a_stream_survives_a_restart_and_its_consumers_read_on(sim, broker):
    stream = broker.declare_stream("s")
    work(stream.consume("reader", prefetch=2), "srv", 1.0, nodes=["a"])
    publish_at(stream, 1.0, 1.0, 1.0)
    sim.at(1.5, broker.stop)
    sim.at(3.0, broker.start_again)
    run = sim.run()
    assert done(run, "reader") == [(2.0, "src-0", 1), (4.0, "src-0", 2), (5.0, "src-1", 2), (6.0, "src-2", 1)]
    assert still_open(run) == []


def test_a_stream_cannot_be_told_that_something_failed(sim, broker):
    def fail(event: Event, context: Any) -> None:
        raise RuntimeError("no luck")

    stream = broker.declare_stream("s")
    work(stream.consume("reader"), "srv", 1.0, handler=fail)
    publish_at(stream, 1.0, 1.0)
    assert [text for _, text in timeline(sim.run()) if "takes" not in text] == [
        "srv/0: src-0 failed", "srv/0: src-1 failed",
    ]  # fmt: skip


def test_what_is_unread_is_told_as_queued_and_what_is_handed_back_is_read_again(sim, broker):
    stream = broker.declare_stream("s")
    subscription = stream.consume("reader", prefetch=2)

    def reader() -> Any:
        delivery = yield subscription.receive(consumer="ann")
        delivery.hand_back()
        again = yield subscription.receive(consumer="ann")
        assert (again.event.id, again.attempt) == ("src-0", 2)
        with pytest.raises(StateError, match="handed back"):
            delivery.ack()

    process = sim.env.process(reader())
    publish_at(stream, *[1.0] * 4)
    run = sim.run()
    assert process.ok
    assert still_open(run) == [
        ("src-0", 2, "in_flight"), ("src-1", 1, "in_flight"), ("src-2", 1, "queued"), ("src-3", 1, "queued"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda broker: broker.declare_stream("s", max_age_s=3.0), PreconditionFailedError, "max_age_s"),
        (lambda broker: broker.declare_stream("q"), PreconditionFailedError, "x-queue-type"),
        (lambda broker: broker.declare_queue("s"), PreconditionFailedError, "x-queue-type"),
        (lambda broker: broker.declare_stream("t", max_age_s=0), ConfigurationError, "positive"),
        (lambda broker: broker.streams["s"].consume("c"), ConfigurationError, "name of its own"),
        (lambda broker: broker.streams["s"].consume("d", offset="end"), ConfigurationError, "whole number"),
        (lambda broker: broker.streams["s"].consume("d", prefetch=0), ConfigurationError, "from 1"),
    ],
)
def test_a_wrong_request_is_answered_in_kind(broker, ask, error, words):
    broker.declare_queue("q")
    broker.declare_stream("s").consume("c")
    assert broker.declare_stream("s") is broker.streams["s"]
    with pytest.raises(error) as refused:
        ask(broker)
    assert words in str(refused.value)
