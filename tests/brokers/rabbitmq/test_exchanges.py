"""Exchanges: which queues a message reaches, and what a publisher is told."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim import Event, RabbitMQ, Service, Simulation, Source, load
from edasim.brokers.rabbitmq import (
    AccessRefusedError,
    BindingInvalidError,
    Confirmed,
    NotFoundError,
    PreconditionFailedError,
    ShortStringError,
    topic_matches,
)
from edasim.errors import ConfigurationError, EdasimError, UnknownNameError


@pytest.fixture
def sim():
    return Simulation(seed=1)


@pytest.fixture
def broker(sim):
    return RabbitMQ().start(sim)


def ready(broker: Any) -> dict[str, list[Any]]:
    """What waits in each queue."""
    return {name: [entry.message[5].data for entry in queue.ready] for name, queue in broker.queues.items()}


# ------------------------------------------------------------------------------------------------ kinds of exchanges


@pytest.mark.rule("RMQ-03")
def test_direct_compares_keys_fanout_asks_nothing_and_the_default_exchange_takes_the_queues_name(broker):
    direct, fanout = broker.declare_exchange("direct"), broker.declare_exchange("fanout", type="fanout")
    broker.declare_queue("red").bind(direct, "red").bind(fanout, "ignored")
    broker.declare_queue("blue").bind(direct, "blue").bind(fanout)
    direct.publish(Event(type="x", data=1), routing_key="red")
    direct.publish(Event(type="x", data=2), routing_key="r*")
    fanout.publish(Event(type="x", data=3), routing_key="whatever")
    broker.default_exchange.publish(Event(type="x", data=4), routing_key="blue")
    broker.queue("red").publish(Event(type="x", data=5))
    assert ready(broker) == {"red": [1, 3, 5], "blue": [3, 4]}


@pytest.mark.rule("RMQ-01")
def test_a_topic_exchange_takes_the_events_type_for_the_key(broker):
    events = broker.declare_exchange("events", type="topic")
    broker.declare_queue("users").bind(events, "user.#")
    broker.declare_queue("created").bind(events, "*.created")
    for number, kind in enumerate(["user.created", "order.created", "user.mail.opened"]):
        events.publish(Event(type=kind, data=number))
    assert ready(broker) == {"users": [0, 2], "created": [0, 1]}


@pytest.mark.rule("RMQ-02")
def test_a_headers_exchange_reads_the_events_attributes_or_what_is_given(broker):
    exchange = broker.declare_exchange("by-headers", type="headers")
    broker.declare_queue("pdf").bind(exchange, arguments={"x-match": "all", "type": "report", "format": "pdf"})
    broker.declare_queue("any").bind(exchange, arguments={"x-match": "any", "format": "zip", "type": "report"})
    exchange.publish(Event(type="report", data=0, extensions={"format": "pdf"}))
    exchange.publish(Event(type="report", data=1))
    exchange.publish(Event(type="note", data=2), headers={"format": "zip"})
    assert ready(broker) == {"pdf": [0], "any": [0, 1, 2]}


@pytest.mark.rule("RMQ-04")
def test_several_matching_bindings_bring_one_copy(broker):
    events = broker.declare_exchange("events", type="topic")
    broker.declare_queue("all").bind(events, "#").bind(events, "user.*").bind(events, "user.created")
    events.publish(Event(type="user.created", data=0))
    assert ready(broker) == {"all": [0]}


@pytest.mark.rule("RMQ-06")
def test_what_no_binding_takes_goes_to_the_alternate_exchange(broker):
    broker.declare_queue("unknown").bind(broker.declare_exchange("rest", type="fanout"))
    events = broker.declare_exchange("events", alternate_exchange="rest")
    broker.declare_queue("known").bind(events, "known")
    events.publish(Event(type="known", data=0))
    events.publish(Event(type="odd", data=1))
    assert ready(broker) == {"unknown": [1], "known": [0]}


@pytest.mark.rule("RMQ-32")
def test_exchanges_bound_in_a_circle_bring_one_copy_to_each_queue(broker):
    a, b, c = (broker.declare_exchange(name, type="topic") for name in "abc")
    b.bind(a, "x.#")
    c.bind(b, "#.y")
    a.bind(c, "#")
    for name, exchange in (("qa", a), ("qb", b), ("qc", c)):
        broker.declare_queue(name).bind(exchange, "#")
    a.publish(Event(type="x.y", data=0))
    a.publish(Event(type="x.z", data=1))
    c.publish(Event(type="x.y", data=2))
    assert ready(broker) == {"qa": [0, 1, 2], "qb": [0, 1, 2], "qc": [0, 2]}


def test_the_path_of_a_message_names_the_bindings_that_took_it(broker):
    a, b = (broker.declare_exchange(name, type="topic") for name in "ab")
    b.bind(a, "user.#")
    broker.declare_queue("mail").bind(b, "*.created")
    broker.declare_queue("audit").bind(a, "#")
    assert broker.path(a, "user.created") == [
        ("a", "user.#", "b"), ("a", "#", "audit"), ("b", "*.created", "mail"),
    ]  # fmt: skip
    assert broker.path(broker.default_exchange, "mail") == [("", "mail", "mail")]
    assert broker.path(broker.default_exchange, "nobody") == []


NAMES = ["a", "b", "c", "d"]
BINDINGS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from([*NAMES, "q", "r"]), st.sampled_from(["x", "y", "#", "*"])),
    max_size=12,
)


@pytest.mark.rule("RMQ-04", "RMQ-32")
@given(BINDINGS, st.sampled_from(NAMES), st.sampled_from(["x", "y", "z", "x.y"]))
@settings(max_examples=150, deadline=None)
def test_a_queue_gets_one_copy_if_a_path_of_matching_bindings_leads_to_it(bindings, start, key):
    broker = RabbitMQ().start(Simulation(seed=1))
    exchanges = {name: broker.declare_exchange(name, type="topic") for name in NAMES}
    ends = {**exchanges, "q": broker.declare_queue("q"), "r": broker.declare_queue("r")}
    for source, target, pattern in bindings:
        ends[target].bind(exchanges[source], pattern)
    reached = {start}
    for _ in bindings:  # as often as the longest path is long
        reached |= {target for source, target, pattern in bindings if source in reached and topic_matches(pattern, key)}
    exchanges[start].publish(Event(type=key, data=0))
    assert ready(broker) == {name: [0] if name in reached else [] for name in ("q", "r")}
    assert {name for _, _, name in broker.path(exchanges[start], key)} <= reached


def test_a_new_binding_counts_from_the_next_message_on(sim, broker):
    events = broker.declare_exchange("events", type="topic")
    Source("src", load=load.Trace(times_s=[1.0, 2.0]), to=events, event="x")
    broker.declare_queue("late")
    sim.at(1.5, lambda: broker.queue("late").bind(events, "x"))
    run = sim.run()
    assert run.messages()[["event_id", "outcome"]].values.tolist() == [["src-0", "filtered"], ["src-1", "queued"]]


# ------------------------------------------------------------------------------------------------ what is told


def answers_to(sim: Simulation, *confirms: Any) -> list[tuple[float, Confirmed, str | None]]:
    """When each confirm came, and what it said."""
    told = []

    def wait(place: int, confirm: Any) -> Any:
        answer = yield confirm
        told.append((place, float(sim.env.now), answer.answer, answer.returned))

    for place, confirm in enumerate(confirms):
        sim.env.process(wait(place, confirm))
    sim.run(until_s=10.0)
    return [each[1:] for each in sorted(told)]


@pytest.mark.rule("RMQ-05")
def test_an_unroutable_message_is_confirmed_and_gone_or_returned_if_it_is_mandatory(sim, broker):
    events = broker.declare_exchange("events")
    confirms = [events.publish_confirmed(Event(type="x"), mandatory=mandatory) for mandatory in (False, True)]
    assert answers_to(sim, *confirms) == [(0.0, Confirmed.ACK, None), (0.0, Confirmed.ACK, "312 NO_ROUTE")]
    run = sim.run(until_s=11.0)
    assert run.messages()["outcome"].tolist() == ["filtered", "filtered"]


@pytest.mark.rule("RMQ-06")
def test_what_an_alternate_exchange_takes_is_not_returned(sim, broker):
    broker.declare_queue("rest", durable=False).bind(broker.declare_exchange("rest", type="fanout"))
    events = broker.declare_exchange("events", alternate_exchange="rest")
    confirm = events.publish_confirmed(Event(type="x"), mandatory=True)
    assert answers_to(sim, confirm) == [(0.0, Confirmed.ACK, None)]


@pytest.mark.rule("RMQ-27")
def test_confirms_come_when_the_message_is_safe_together_and_out_of_order(sim):
    """Persistent ones at the next writing to disk, transient ones at once, those of a quorum queue when replicated."""
    broker = RabbitMQ(sync_interval_s=0.25, replication_s=0.0625).start(sim)
    broker.declare_queue("disk")
    broker.declare_queue("quorum", type="quorum")
    default = broker.default_exchange
    confirms = [
        default.publish_confirmed(Event(type="x"), routing_key="disk"),
        default.publish_confirmed(Event(type="x"), routing_key="disk"),
        default.publish_confirmed(Event(type="x"), routing_key="disk", persistent=False),
        default.publish_confirmed(Event(type="x"), routing_key="quorum"),
    ]
    assert [(when_s, answer) for when_s, answer, _ in answers_to(sim, *confirms)] == [
        (0.25, Confirmed.ACK),
        (0.25, Confirmed.ACK),
        (0.0, Confirmed.ACK),
        (0.0625, Confirmed.ACK),
    ]


@pytest.mark.rule("RMQ-22")
def test_one_full_queue_of_two_makes_the_confirm_negative_and_the_other_keeps_its_copy(sim, broker):
    events = broker.declare_exchange("events", type="fanout")
    broker.declare_queue("full", max_length=0, overflow="reject-publish").bind(events)
    broker.declare_queue("roomy").bind(events)
    assert answers_to(sim, events.publish_confirmed(Event(type="x", data=0))) == [(0.0, Confirmed.NACK, None)]
    assert ready(broker) == {"full": [], "roomy": [0]}


# ------------------------------------------------------------------------------------------------ addresses


def test_an_address_carries_what_it_was_given_or_asks_the_event(sim, broker):
    events = broker.declare_exchange("events", type="topic")
    queue = broker.declare_queue("q", max_priority=5).bind(events, "eu.*")
    here = events.address(
        lambda event: f"eu.{event.subject}",
        headers=lambda event: {"size": event.data},
        priority=lambda event: event.data,
        expiration_s=5.0,
        persistent=False,
    )
    Source("src", load=load.Trace(times_s=[1.0]), to=here, event=lambda _: Event(type="x", subject="ann", data=3))
    sim.run(until_s=2.0)
    (entry,) = queue.ready
    carried = entry.properties
    assert (carried.exchange, carried.routing_keys, carried.headers) == ("events", ("eu.ann",), {"size": 3})
    assert (carried.priority, carried.persistent, entry.expires_s) == (3, False, 6.0)


def test_a_closed_load_waits_until_its_message_has_left_its_queue(sim, broker):
    events = broker.declare_exchange("events", type="topic")
    from edasim import times

    queue = broker.declare_queue("q").bind(events, "#")
    Service("srv", of=queue.consume(prefetch=1), service_time=times.Constant(value_s=1.0))
    Source("user", load=load.Closed(users=1, think_time=times.Constant(value_s=0.5)), to=events)
    run = sim.run(until_s=6.0)
    assert run.messages()["published_s"].tolist() == [0.5, 2.0, 3.5, 5.0]


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.rule("RMQ-07")
@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda broker: broker.exchange("nope"), NotFoundError, "no exchange 'nope'"),
        (lambda broker: broker.queue("nope"), NotFoundError, "no queue 'nope'"),
        (lambda broker: broker.declare_exchange("amq.mine"), AccessRefusedError, "403 ACCESS_REFUSED"),
        (lambda broker: broker.declare_queue(""), AccessRefusedError, "reserved"),
        (lambda broker: broker.declare_exchange("events", type="topic"), PreconditionFailedError, "'type'"),
        (lambda broker: broker.declare_queue("q", max_length=3), PreconditionFailedError, "'max_length'"),
        (lambda broker: broker.declare_queue("r", max_length="x"), PreconditionFailedError, "invalid arg 'max_length'"),
        (lambda broker: broker.declare_queue("r", max_priority=256), PreconditionFailedError, "from 1 to 255"),
        (lambda broker: broker.declare_queue("r", expires_s=0), PreconditionFailedError, "invalid arg 'expires_s'"),
        (lambda broker: broker.declare_queue("r", type="quorum", durable=False), PreconditionFailedError, "durable"),
        (
            lambda broker: broker.declare_queue("r", type="quorum", max_priority=2),
            PreconditionFailedError,
            "priorities",
        ),
        (
            lambda broker: broker.declare_queue("r", type="quorum", overflow="reject-publish-dlx"),
            PreconditionFailedError,
            "quorum",
        ),
        (lambda broker: broker.declare_queue("r", delivery_limit=2), PreconditionFailedError, "only a quorum queue"),
        (lambda broker: broker.declare_queue("r", type="mirrored"), ConfigurationError, "'classic', 'quorum'"),
        (lambda broker: broker.declare_queue("r", ttl_s=1.0), UnknownNameError, "message_ttl_s"),
        (lambda broker: broker.declare_queue("r" * 256), ShortStringError, "255 bytes"),
        (lambda broker: broker.queue("q").bind(broker.default_exchange, "q"), AccessRefusedError, "default exchange"),
        (lambda broker: broker.queue("q").bind(broker.exchange("events"), "k" * 256), ShortStringError, "255"),
        (
            lambda broker: broker.queue("q").bind(broker.exchange("heads"), "", {"x-match": "some"}),
            BindingInvalidError,
            "expected all, any",
        ),
        (lambda broker: broker.exchange("events").address("k", priority=300), ConfigurationError, "0 to 255"),
        (lambda broker: broker.exchange("events").address("k", expiration_s=-1), ConfigurationError, "at least 0"),
        (lambda broker: broker.exchange("events").address("k", headers=["a"]), ConfigurationError, "dictionary"),
        (lambda broker: broker.queue("q").consume(prefetch=-1), ConfigurationError, "prefetch"),
        (lambda broker: broker.queue("q").consume(acknowledgement="soon"), ConfigurationError, "'manual', 'automatic'"),
        (lambda broker: broker.queue("q").consume().channel("ann"), EdasimError, "no open channel"),
        (lambda broker: broker.clear_alarm("memory"), EdasimError, "no alarm"),
    ],
)
def test_a_wrong_request_is_answered_in_kind(broker, ask, error, words):
    broker.declare_exchange("events")
    broker.declare_exchange("heads", type="headers")
    broker.declare_queue("q")
    with pytest.raises(error) as refused:
        ask(broker)
    assert words in str(refused.value)
    assert refused.value.remedy


def test_declaring_the_same_again_gives_the_same(broker):
    assert broker.declare_exchange("e", type="topic") is broker.declare_exchange("e", type="topic")
    assert broker.declare_queue("q", max_length=3) is broker.declare_queue("q", max_length=3)
    assert broker.exchange("") is broker.default_exchange
