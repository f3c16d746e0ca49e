"""JetStream streams: what is stored, under which number, for how long, and what is refused."""

import pickle

import pytest
from timelines import still_open, timeline

from edasim import Event, JetStream, Service, Simulation, Source, load, times
from edasim.brokers import Topology
from edasim.brokers.nats import ConsumerSettings, InvalidPublishSubjectError, JetStreamError, StreamSettings
from edasim.errors import ConfigurationError, UnknownNameError


@pytest.fixture
def sim():
    return Simulation(seed=1)


@pytest.fixture
def server(sim):
    return JetStream().start(sim)


def publish_at(to, *times_s, name="src", kind="x"):
    Source(name, load=load.Trace(times_s=times_s), to=to, event=lambda occasion: Event(type=kind))


def work(of, name="srv", *, service_s=(1.0,), **more):
    return Service(name, of=of, service_time=times.Trace(values_s=service_s, at_end="repeat"), **more)


def outcomes(run, group=None):
    table = run.messages()
    mine = table[table["group"].isna()] if group is None else table[table["group"] == group]
    return list(zip(mine["event_id"], mine["outcome"], strict=True))


# ------------------------------------------------------------------------------------------------ publishing


@pytest.mark.rule("NAT-07")
def test_a_publish_is_acknowledged_and_a_repetition_known_for_two_minutes(sim, server):
    server.stream("orders", subjects="orders.>")
    answers = []

    def publish():
        for wait_s, message_id in ((0.0, "one"), (119.0, "one"), (1.0, "one"), (0.0, "two"), (0.0, None)):
            yield sim.env.timeout(wait_s)
            answer = server.publish("orders.a", Event(type="x"), message_id=message_id)
            answers.append((sim.env.now, answer.sequence, answer.duplicate))

    sim.env.process(publish())
    run = sim.run()
    assert answers == [(0.0, 1, False), (119.0, 1, True), (120.0, 2, False), (120.0, 3, False), (120.0, 4, False)]
    assert [(fact.time_s, fact.kind) for fact in run.fact_list] == [(119.0, "duplicate_ignored")]


@pytest.mark.rule("NAT-08")
def test_of_two_who_decide_on_the_same_state_one_is_refused(server):
    """Optimistic concurrency, for the whole stream and for one subject."""
    server.stream("orders", subjects="orders.>")
    server.publish("orders.a", Event(type="x"))
    server.publish("orders.b", Event(type="x"))
    assert server.publish("orders.a", Event(type="x"), expected_last_subject_sequence=1).sequence == 3
    for expected in ({"expected_last_subject_sequence": 1}, {"expected_last_sequence": 2}):
        with pytest.raises(JetStreamError, match="wrong last sequence: 3") as caught:
            server.publish("orders.a", Event(type="x"), **expected)
        assert caught.value.code == 10071
    assert server.publish("orders.c", Event(type="x"), expected_last_subject_sequence=0).sequence == 4
    with pytest.raises(JetStreamError, match="expected stream does not match") as caught:
        server.publish("orders.a", Event(type="x"), expected_stream="payments")
    assert pickle.loads(pickle.dumps(caught.value)).code == 10060


@pytest.mark.rule("NAT-08")
def test_the_last_sequence_of_a_subject_is_that_of_what_is_stored(sim, server):
    """In a work queue the second of two is acknowledged first; the first one is then the last of its subject."""
    stream = server.stream("jobs", subjects="jobs.>", retention="workqueue")
    consumer = stream.consumer("c")
    for _ in range(2):
        server.publish("jobs.a", Event(type="x"))
    assert stream.last_of("jobs.a") == 2

    def client():
        first = yield consumer.receive()
        second = yield consumer.receive()
        second.ack()
        assert stream.last_of("jobs.a") == 1
        first.ack()
        assert stream.last_of("jobs.a") == 0

    sim.env.process(client())
    sim.run()
    assert len(stream) == 0


@pytest.mark.rule("NAT-26")
def test_a_source_does_not_hear_that_its_message_was_refused(sim, server):
    """The same message by `publish` raises; by a source it is dropped without a sign, and only the log tells."""
    stream = server.stream("orders", subjects="orders.>", max_messages=1, discard="new")
    stream.consumer("billing")
    publish_at(server.subject("orders.a"), 0.0, 1.0)

    def publish():
        yield sim.env.timeout(2.0)
        with pytest.raises(JetStreamError, match="maximum messages exceeded"):
            server.publish("orders.a", Event(type="x"))

    sim.env.process(publish())
    assert outcomes(sim.run(), "billing") == [("src-0", "queued"), ("src-1", "dropped")]


@pytest.mark.rule("NAT-26")
def test_events_carry_their_id_and_trace_through_a_stream(sim, server):
    stream = server.stream("orders", subjects="orders.>")
    work(
        stream.consumer("billing", filter_subjects="orders.placed"),
        handler=lambda event, context: event.follow(type="billed"),
        to=server.subject("orders.{type}"),
    )
    server.publish("orders.placed", Event(type="placed", id="o-1"), publisher="shop")
    table = sim.run().messages()
    billed = table[table["type"] == "billed"].iloc[0]
    assert (billed["cause_id"], billed["trace_id"]) == ("o-1", table["trace_id"].iloc[0])


def test_a_subject_has_subscribers_and_a_stream(sim, server):
    work(server.stream("orders", subjects="orders.>").consumer("billing"))
    work(server.subscribe("orders.*", queue="screen"), name="screens")
    server.publish("orders.a", Event(type="x"))
    server.subject("orders.b").publish(Event(type="x"))
    run = sim.run()
    assert [len(outcomes(run, group)) for group in ("billing", "screen")] == [2, 2]


def test_without_a_stream_nobody_acknowledges(server):
    with pytest.raises(JetStreamError, match="no response from stream") as caught:
        server.publish("orders.a", Event(type="x"))
    assert caught.value.code == 503
    with pytest.raises(InvalidPublishSubjectError, match="wildcard"):
        server.publish("orders.*", Event(type="x"))


# ------------------------------------------------------------------------------------------------ retention, limits


@pytest.mark.rule("NAT-09")
def test_by_interest_a_message_stays_until_its_last_consumer_has_acknowledged_it(sim, server):
    stream = server.stream("orders", subjects="orders.>", retention="interest")
    work(stream.consumer("quick"), name="quick", service_s=[1.0])
    work(stream.consumer("slow"), name="slow", service_s=[3.0])
    work(stream.consumer("picky", filter_subjects="orders.b"), name="picky", service_s=[5.0])
    counts = []
    for at_s in (0.5, 2.0, 4.0):
        sim.at(at_s, lambda: counts.append(len(stream)))
    publish_at(server.subject("orders.a"), 0.0)
    sim.run()
    assert counts == [1, 1, 0]


@pytest.mark.rule("NAT-09")
def test_a_work_queue_holds_what_nobody_has_asked_for_yet(sim, server):
    stream = server.stream("jobs", subjects="jobs.>", retention="workqueue")
    publish_at(server.subject("jobs.{type}"), 0.0, kind="a")
    publish_at(server.subject("jobs.{type}"), 0.0, name="other", kind="b")
    sim.at(1.0, lambda: work(stream.consumer("workers", filter_subjects="jobs.a")))
    run = sim.run()
    assert outcomes(run, "workers") == [("src-0", "done")]
    assert outcomes(run) == [("other-0", "queued")]
    assert len(stream) == 1


@pytest.mark.rule("NAT-09")
@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ({}, {}, 10099),
        ({}, {"filter_subjects": "jobs.a"}, 10100),
        ({"filter_subjects": "jobs.*"}, {"filter_subjects": "jobs.a"}, 10100),
        ({"filter_subjects": "jobs.a"}, {"filter_subjects": "jobs.b", "deliver_policy": "new"}, 10101),
        ({"filter_subjects": "jobs.a"}, {"filter_subjects": "jobs.b", "ack_policy": "all"}, 10098),
    ],
)
def test_a_work_queue_refuses_consumers_that_overlap(server, first, second, code):
    stream = server.stream("jobs", subjects="jobs.>", retention="workqueue")
    stream.consumer("first", **first)
    with pytest.raises(JetStreamError) as caught:
        stream.consumer("second", **second)
    assert (caught.value.code, caught.value.remedy is not None) == (code, True)


@pytest.mark.rule("NAT-09", "NAT-10")
def test_limits_take_away_what_nobody_has_read(sim, server):
    """A stream of two; the consumer works on one and is behind. Retention does not wait for it."""
    stream = server.stream("orders", subjects="orders.>", max_messages=2)
    work(stream.consumer("billing"), service_s=[10.0])
    publish_at(server.subject("orders.a"), 0.0, 1.0, 2.0, 3.0)
    run = sim.run(until_s=5.0)
    assert outcomes(run, "billing") == [
        ("src-0", "in_flight"), ("src-1", "dropped"), ("src-2", "queued"), ("src-3", "queued"),
    ]  # fmt: skip
    assert (stream.first_sequence, stream.last_sequence) == (3, 4)


@pytest.mark.rule("NAT-10")
def test_messages_grow_old(sim, server):
    stream = server.stream("orders", subjects="orders.>", max_age_s=10.0)
    work(stream.consumer("billing"), service_s=[15.0], nodes=1)
    publish_at(server.subject("orders.a"), 0.0, 1.0, 8.0)
    assert timeline(sim.run(until_s=20.0)) == [
        (0.0, "srv/0 takes src-0"),
        (11.0, "src-1 expired"),
        (15.0, "srv/0: src-0 done"),
        (15.0, "srv/0 takes src-2"),
    ]
    assert len(stream) == 0


@pytest.mark.rule("NAT-10")
def test_a_subject_has_limits_of_its_own(server):
    """By default a full subject drops its oldest; a stream may refuse per subject as well."""
    drops = server.stream("a", subjects="a.>", max_messages_per_subject=1, max_messages=2, discard="new")
    for subject in ("a.x", "a.y", "a.x"):
        server.publish(subject, Event(type="x"))
    assert [sequence for sequence, _, _ in drops.entries()] == [2, 3]
    with pytest.raises(JetStreamError, match="maximum messages exceeded"):
        server.publish("a.z", Event(type="x"))
    server.stream("b", subjects="b.>", max_messages_per_subject=1, discard="new_per_subject")
    server.publish("b.x", Event(type="x"))
    with pytest.raises(JetStreamError, match="per subject") as caught:
        server.publish("b.x", Event(type="x"))
    assert caught.value.code == 10077
    assert server.publish("b.y", Event(type="x")).sequence == 2


# ------------------------------------------------------------------------------------------------ restart


@pytest.mark.rule("NAT-22")
@pytest.mark.parametrize(("storage", "fate"), [("file", "done"), ("memory", "dropped")])
def test_what_is_on_file_survives_a_restart_of_the_server(sim, server, storage, fate):
    """One is in work as the server fails, one waits, one is published while it is down."""
    stream = server.stream("orders", subjects="orders.>", storage=storage)
    work(stream.consumer("billing", ack_wait_s=5.0), service_s=[1.0])
    publish_at(server.subject("orders.a"), 0.0, 0.25, 1.5)
    sim.at(0.5, server.crash)
    sim.at(0.5, server.crash)
    sim.at(2.0, server.restart)
    sim.at(2.0, server.restart)
    run = sim.run()
    rows = outcomes(run, "billing")
    assert rows[0] == ("src-0", "done")
    assert ("src-1", fate) in rows
    assert rows[-1] == ("src-2", "dropped")


@pytest.mark.rule("NAT-22")
def test_an_acknowledgement_that_no_server_hears_brings_the_message_again(sim, server):
    stream = server.stream("orders", subjects="orders.>")
    work(stream.consumer("billing", ack_wait_s=5.0), service_s=[1.0])
    publish_at(server.subject("orders.a"), 0.0)
    sim.at(0.5, server.crash)
    sim.at(8.0, server.restart)
    assert timeline(sim.run()) == [
        (0.0, "srv/0 takes src-0"),
        (1.0, "srv/0: src-0 done"),
        (8.0, "srv/0 takes src-0 (attempt 2)"),
        (9.0, "srv/0: src-0 done (attempt 2)"),
    ]


def test_nothing_is_settled_while_the_server_is_down(sim, server):
    stream = server.stream("orders", subjects="orders.>")
    consumer = stream.consumer("billing", ack_wait_s=5.0)

    def client():
        for _ in range(3):
            server.publish("orders.a", Event(type="x"))
        first = yield consumer.receive()
        second = yield consumer.receive()
        third = yield consumer.receive()
        server.crash()
        first.nak()
        second.term()
        third.in_progress()
        with pytest.raises(JetStreamError, match="no response"):
            server.publish("orders.a", Event(type="x"))
        server.restart()

    sim.env.process(client())
    run = sim.run(until_s=6.0)
    assert [attempt for _, attempt, outcome in still_open(run) if outcome == "queued"] == [2, 2, 2]


def test_closed_users_ask_again_when_their_message_is_settled_refused_or_gone(sim, server):
    """One of three messages finds the stream full; a handler fails so often that a message is given up."""

    def fail_sometimes(event, context):
        if int(event.id.rpartition("-")[2]) % 5 == 0:
            raise RuntimeError("poison")

    stream = server.stream("s", subjects="s", retention="limits", max_messages=2, discard="old", max_age_s=3.0)
    work(stream.consumer("c", max_deliver=2, ack_wait_s=2.0), service_s=[0.2], handler=fail_sometimes)
    Source("users", load=load.Closed(users=4, think_time=times.Exponential(mean_s=0.5)), to=server.subject("s"))
    refusing = server.stream("r", subjects="r", retention="workqueue", max_messages=1, discard="new")
    work(refusing.consumer("c"), name="refusing", service_s=[0.5])
    Source("others", load=load.Closed(users=3, think_time=times.Constant(value_s=0.25)), to=server.subject("r"))
    run = sim.run(until_s=100.0)
    last_s = run.messages().groupby("source")["published_s"].max()
    assert (last_s > 98.0).all()
    assert {"dropped", "failed", "done"} <= set(run.messages()["outcome"])


# ------------------------------------------------------------------------------------------------ names, refusals


def test_a_stream_is_there_once(server):
    made = server.stream("orders", subjects=["orders.>", "invoices.*"])
    assert server.stream("orders", subjects=["orders.>", "invoices.*"]) is made is server.find_stream("orders")
    with pytest.raises(JetStreamError) as caught:
        server.stream("orders", subjects="orders.>")
    assert caught.value.code == 10058
    with pytest.raises(JetStreamError, match="subjects overlap") as caught:
        server.stream("others", subjects="*.paid")
    assert caught.value.code == 10065
    with pytest.raises(UnknownNameError, match="did you mean 'orders'"):
        server.find_stream("order")


@pytest.mark.rule("NAT-24")
def test_a_filter_lies_inside_the_streams_subjects(server):
    stream = server.stream("orders", subjects="orders.>")
    stream.consumer("billing", filter_subjects=["orders.*.paid", "orders.eu"])
    for pattern in (">", "orders", "invoices.a"):
        with pytest.raises(JetStreamError) as caught:
            stream.consumer("other", filter_subjects=pattern)
        assert caught.value.code == 10093
    with pytest.raises(ConfigurationError, match="exists already"):
        stream.consumer("billing")
    with pytest.raises(UnknownNameError, match="did you mean 'billing'"):
        stream.find_consumer("biling")


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"name": "a.b"}, r"leave out '\.'"),
        ({"subjects": ()}, "at least one subject"),
        ({"subjects": 5}, "subject pattern"),
        ({"subjects": ["a.>", "a.b"]}, "overlap"),
        ({"max_messages": 0}, "at least 1"),
        ({"discard": "new_per_subject"}, "max_messages_per_subject"),
        ({"retention": "for ever"}, "'limits', 'interest', 'workqueue'"),
    ],
)
def test_a_stream_cannot_be_set_up_like_that(fields, match):
    with pytest.raises(ConfigurationError, match=match):
        StreamSettings(**{"name": "s", "subjects": "a", **fields})


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"backoff_s": [1.0, 2.0], "max_deliver": 1}, "10116"),
        ({"backoff_s": "1"}, "list of seconds"),
        ({"backoff_s": [1.0, -2.0]}, r"backoff_s\[1\]"),
        ({"start_sequence": 5}, "deliver_policy='by_start_sequence'"),
        ({"deliver_policy": "by_start_time"}, "start_time_s"),
        ({"deliver_policy": "last_per_subject"}, "name the subjects"),
        ({"ack_sending": "with_next_fetch"}, "fetch at least 2"),
        ({"ack_wait_s": 0.0}, "positive"),
    ],
)
def test_a_consumer_cannot_be_set_up_like_that(fields, match):
    with pytest.raises(ConfigurationError, match=match):
        ConsumerSettings(**fields)


def test_a_topology_is_laid_out_as_a_stream_with_consumers(sim):
    server = JetStream(ack_wait_s=2.0, max_deliver=4, batch=3, backoff_s=[1.0, 3.0]).start(sim)
    wiring = server.wire(
        Topology(name="shop", publishes={"till": ("sold", "paid")}, consumes={"stock": "sold", "bank": "paid"})
    )
    stock = wiring.subscription("stock")
    assert stock.settings.filter_subjects == ("shop.sold",)
    assert (stock.settings.waits_s, stock.settings.max_deliver, stock.settings.batch) == ((1.0, 3.0), 4, 3)
    assert wiring.describe().startswith("stream 'shop' of the subjects 'shop.>', kept while a consumer waits for them")
    assert "in time" in JetStream(backoff_s=[1.0]).describe()
    assert "within 30 s" in JetStream().describe()
