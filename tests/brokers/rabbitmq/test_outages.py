"""Restarts, alarms and timeouts: what survives, who is held back, whose channel is closed; told by the clock."""

from typing import Any

import pytest
from timelines import still_open, timeline

from edasim import Event, RabbitMQ, Service, Simulation, Source, load, times
from edasim.brokers.rabbitmq import Confirmed, NotFoundError
from edasim.errors import StateError


@pytest.fixture
def sim():
    return Simulation(seed=1)


def publish_at(to: Any, *times_s: float, name: str = "src") -> None:
    Source(name, load=load.Trace(times_s=times_s), to=to)


def work(of: Any, name: str, service_s: float, **more: Any) -> Service:
    return Service(name, of=of, service_time=times.Constant(value_s=service_s), **more)


def facts(run: Any, *kinds: str) -> list[tuple[float, str, str]]:
    return [(fact.time_s, fact.kind, fact.subject) for fact in run.fact_list if not kinds or fact.kind in kinds]


# ------------------------------------------------------------------------------------------------ restarts


@pytest.mark.rule("RMQ-26")
def test_what_survives_a_restart(sim):
    broker = RabbitMQ().start(sim)
    for name, arguments in {
        "durable": {},
        "transient": {"durable": False},
        "quorum": {"type": "quorum"},
    }.items():
        queue = broker.declare_queue(name, **arguments)
        publish_at(queue.address(persistent=True), 1.0, name=f"{name}-persistent")
        publish_at(queue.address(persistent=False), 1.0, name=f"{name}-transient")
    broker.declare_exchange("kept")
    broker.declare_exchange("gone", durable=False)
    sim.at(2.0, broker.stop)
    sim.at(3.0, broker.start_again)
    run = sim.run()
    assert still_open(run) == [
        ("durable-persistent-0", 1, "queued"),
        ("quorum-persistent-0", 1, "queued"),
        ("quorum-transient-0", 1, "queued"),
    ]
    assert {text for _, text in timeline(run)} == {
        "durable-transient-0 dropped", "transient-persistent-0 dropped", "transient-transient-0 dropped",
    }  # fmt: skip
    assert (list(broker.queues), list(broker.exchanges)) == (["durable", "quorum"], ["kept"])
    with pytest.raises(NotFoundError):
        broker.queue("transient")


@pytest.mark.rule("RMQ-26", "RMQ-27")
def test_a_broker_that_dies_loses_what_it_had_not_confirmed(sim):
    """Published at 0.0 and 0.3125, written to disk every 0.25 s, dead at 0.375."""
    broker = RabbitMQ(sync_interval_s=0.25).start(sim)
    broker.declare_queue("q")
    answers = []

    def publisher(at_s: float) -> Any:
        yield sim.env.timeout(at_s)
        confirm = yield broker.default_exchange.publish_confirmed(Event(type="x"), routing_key="q")
        answers.append((sim.env.now, confirm.answer))

    for at_s in (0.0, 0.3125, 0.5):
        sim.env.process(publisher(at_s))
    sim.at(0.375, broker.kill)
    sim.at(1.0, broker.start_again)
    run = sim.run()
    assert answers == [(0.25, Confirmed.ACK), (0.375, Confirmed.LOST), (0.5, Confirmed.LOST)]
    assert still_open(run) == [("by-hand-0", 1, "queued")]
    assert timeline(run) == [(0.375, "by-hand-1 dropped"), (0.5, "by-hand-2 dropped")]


@pytest.mark.rule("RMQ-13", "RMQ-26")
def test_clients_connect_anew_and_what_they_held_comes_again(sim):
    """The work of src-0 ends while the broker is down: its acknowledgement is too late, and it is done twice."""
    broker = RabbitMQ().start(sim)
    queue = broker.declare_queue("q")
    work(queue.consume(prefetch=2), "srv", 1.0, nodes=["a"])
    publish_at(queue, 1.0, 1.0, 2.25)
    sim.at(1.5, broker.stop)
    sim.at(2.5, broker.start_again)
    run = sim.run()
    assert timeline(run) == [
        (1.0, "a takes src-0"), (1.0, "a takes src-1"),
        (1.5, "a: src-1 requeued"), (2.0, "a: src-0 done"), (2.25, "src-2 dropped"),
        (2.5, "a takes src-0 (attempt 2)"), (2.5, "a takes src-1 (attempt 2)"),
        (3.5, "a: src-0 done (attempt 2)"), (4.5, "a: src-1 done (attempt 2)"),
    ]  # fmt: skip
    assert facts(run) == [
        (1.5, "broker_stopped", "rabbitmq"),
        (1.5, "channel_closed", "a"),
        (2.0, "acknowledgement_too_late", "a"),
        (2.5, "broker_started", "rabbitmq"),
    ]


def test_starting_and_stopping_twice_changes_nothing(sim):
    broker = RabbitMQ().start(sim)
    broker.start_again()
    broker.stop()
    broker.kill()
    broker.start_again()
    assert facts(sim.run(until_s=1.0)) == [(0.0, "broker_stopped", "rabbitmq"), (0.0, "broker_started", "rabbitmq")]


# ------------------------------------------------------------------------------------------------ timeouts


@pytest.mark.rule("RMQ-15")
def test_a_delivery_that_is_held_for_too_long_closes_its_channel(sim):
    """Looked at once a minute: after 90 s at 121 s, that is, at the look of 120 s it was not yet too late."""
    broker = RabbitMQ(consumer_timeout_s=90.0).start(sim)
    queue = broker.declare_queue("q")
    work(queue.consume(prefetch=2), "stuck", 200.0, nodes=["stuck"])
    publish_at(queue, 31.0, 32.0)
    sim.at(100.0, lambda: work(queue.consume(prefetch=2), "quick", 1.0, nodes=["quick"]))
    run = sim.run()
    assert timeline(run)[:3] == [
        (31.0, "stuck takes src-0"),
        (32.0, "stuck takes src-1"),
        (180.0, "stuck: src-1 requeued"),
    ]
    assert [(f.time_s, f.subject, f.detail["reason"], f.detail["requeued"]) for f in run.fact_list[:1]] == [
        (180.0, "stuck", "delivery acknowledgement timed out", 2),
    ]  # fmt: skip
    done = [each for each in timeline(run) if "done" in each[1]]
    assert done == [
        (181.0, "quick: src-0 done (attempt 2)"),
        (182.0, "quick: src-1 done (attempt 2)"),
        (231.0, "stuck: src-0 done"),
    ]
    assert facts(run, "acknowledgement_too_late") == [(231.0, "acknowledgement_too_late", "stuck")]


def test_looking_for_late_ones_ends_when_nothing_is_held(sim):
    broker = RabbitMQ(consumer_timeout_s=1800.0).start(sim)
    queue = broker.declare_queue("q")
    work(queue.consume(), "srv", 1.0)
    publish_at(queue, 1.0, 70.0)
    assert sim.run().ended_s == 120.0


# ------------------------------------------------------------------------------------------------ alarms


@pytest.mark.rule("RMQ-29")
def test_an_alarm_holds_publishers_back_and_no_consumer(sim):
    broker = RabbitMQ().start(sim)
    queue = broker.declare_queue("q")
    work(queue.consume(prefetch=1), "srv", 1.0, nodes=["a"])
    publish_at(queue, 1.0, 1.0, 2.5, 3.0)
    sim.at(2.25, lambda: broker.raise_alarm("memory"))
    sim.at(2.375, lambda: broker.raise_alarm("disk"))
    sim.at(4.0, lambda: broker.clear_alarm("memory"))
    sim.at(5.0, lambda: broker.clear_alarm("disk"))
    run = sim.run()
    assert timeline(run) == [
        (1.0, "a takes src-0"), (2.0, "a: src-0 done"), (2.0, "a takes src-1"), (3.0, "a: src-1 done"),
        (5.0, "a takes src-2"), (6.0, "a: src-2 done"), (6.0, "a takes src-3"), (7.0, "a: src-3 done"),
    ]  # fmt: skip
    assert run.messages()["enqueued_s"].tolist() == [1.0, 1.0, 5.0, 5.0]
    assert facts(run) == [
        (2.25, "publishers_blocked", "rabbitmq"),
        (2.375, "publishers_blocked", "rabbitmq"),
        (5.0, "publishers_unblocked", "rabbitmq"),
    ]


@pytest.mark.rule("RMQ-29")
def test_what_an_alarm_held_back_is_lost_if_the_broker_goes_down(sim):
    broker = RabbitMQ().start(sim)
    broker.declare_queue("q")
    answers = []

    def publisher() -> Any:
        confirm = yield broker.default_exchange.publish_confirmed(Event(type="x"), routing_key="q")
        answers.append((sim.env.now, confirm.answer))

    broker.raise_alarm("disk")
    sim.env.process(publisher())
    sim.at(1.0, broker.kill)
    sim.at(2.0, broker.start_again)
    assert timeline(sim.run()) == [(1.0, "by-hand-0 dropped")]
    assert answers == [(1.0, Confirmed.LOST)]
    with pytest.raises(StateError, match="no alarm"):
        broker.clear_alarm("disk")
