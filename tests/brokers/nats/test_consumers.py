"""JetStream consumers: what is delivered when, and again, and to whom. Stories told by the clock."""

import pytest
from timelines import still_open, timeline

from edasim import Event, JetStream, Service, Simulation, Source, load, times
from edasim.brokers.nats import JetStreamError
from edasim.errors import ConfigurationError, StateError


@pytest.fixture
def sim():
    return Simulation(seed=1)


@pytest.fixture
def server(sim):
    return JetStream().start(sim)


@pytest.fixture
def stream(server):
    return server.stream("s", subjects="s.>")


def publish_at(server, *times_s, name="src", subject="s.a"):
    Source(name, load=load.Trace(times_s=times_s), to=server.subject(subject))


def work(of, name="srv", *, service_s=(1.0,), **more):
    return Service(name, of=of, service_time=times.Trace(values_s=service_s, at_end="repeat"), **more)


def deliveries(sim, consumer, act, until_s=30.0):
    """Receives one after the other by hand; `act(delivery, place)` settles or not. Number, attempt, time of each."""
    seen = []

    def client():
        while True:
            delivery = yield consumer.receive()
            seen.append((int(delivery.event.id.rpartition("-")[2]), delivery.attempt, sim.env.now))
            act(delivery, len(seen))

    sim.env.process(client())
    run = sim.run(until_s=until_s)
    return seen, run


def leave(delivery, place):
    """Neither acknowledges nor refuses."""


# ------------------------------------------------------------------------------------------------ ack wait


@pytest.mark.rule("NAT-11")
def test_a_crashed_worker_costs_the_ack_wait(sim, server, stream):
    """It is back after half a second, but what it worked on comes only after the ack wait, before anything new."""
    work(stream.consumer("c", ack_wait_s=5.0), service_s=[0.5])
    publish_at(server, 0.0, 1.0, 5.125, 5.25)
    sim.at(0.25, sim.node("srv/0").crash)
    sim.at(0.75, sim.node("srv/0").restart)
    assert timeline(sim.run()) == [
        (0.0, "srv/0 takes src-0"),
        (0.25, "srv/0: src-0 crashed"),
        (1.0, "srv/0 takes src-1"),
        (1.5, "srv/0: src-1 done"),
        (5.0, "srv/0 takes src-0 (attempt 2)"),
        (5.5, "srv/0: src-0 done (attempt 2)"),
        (5.5, "srv/0 takes src-2"),
        (6.0, "srv/0: src-2 done"),
        (6.0, "srv/0 takes src-3"),
        (6.5, "srv/0: src-3 done"),
    ]


@pytest.mark.rule("NAT-11")
def test_the_default_ack_wait_is_thirty_seconds(sim, server, stream):
    publish_at(server, 0.0)
    seen, run = deliveries(sim, stream.consumer("c"), leave, until_s=31.0)
    assert seen == [(0, 1, 0.0), (0, 2, 30.0)]
    assert [(fact.time_s, fact.kind) for fact in run.fact_list] == [(30.0, "ack_wait_over")]


@pytest.mark.rule("NAT-11")
def test_a_handler_slower_than_the_ack_wait_does_its_work_twice(sim, server, stream):
    """Two workers, 3 s of work, 2 s of patience: nothing has crashed. The first acknowledgement counts for both."""
    work(stream.consumer("c", ack_wait_s=2.0), nodes=2, service_s=[3.0])
    publish_at(server, 0.0)
    assert timeline(sim.run()) == [
        (0.0, "srv/0 takes src-0"),
        (2.0, "srv/1 takes src-0 (attempt 2)"),
        (3.0, "srv/0: src-0 done"),
        (5.0, "srv/1: src-0 done (attempt 2)"),
    ]


@pytest.mark.rule("NAT-11")
def test_a_late_acknowledgement_takes_the_message_out_of_the_queue_again(sim, server, stream):
    """The only worker is late; the message waits to be delivered again, until the acknowledgement comes."""
    work(stream.consumer("c", ack_wait_s=2.0), service_s=[3.0])
    publish_at(server, 0.0)
    assert timeline(sim.run()) == [(0.0, "srv/0 takes src-0"), (3.0, "srv/0: src-0 done")]


@pytest.mark.rule("NAT-12")
def test_after_max_deliver_a_message_stays_in_the_stream_and_is_not_delivered(sim, server, stream):
    def fail(event, context):
        raise RuntimeError("poison")

    work(stream.consumer("c", max_deliver=3), service_s=[0.5], handler=fail)
    publish_at(server, 0.0, 0.25)
    run = sim.run()
    assert run.messages()["outcome"].tolist() == ["failed"] * 6
    told = [(fact.time_s, fact.detail["sequence"]) for fact in run.fact_list if fact.kind == "max_deliveries"]
    assert told == [(1.5, 1), (3.0, 2)]
    assert len(stream) == 2


@pytest.mark.rule("NAT-12")
@pytest.mark.parametrize("retention", ["interest", "workqueue"])
def test_a_message_delivered_too_often_is_not_taken_for_settled(sim, server, retention):
    stream = server.stream("kept", subjects="kept", retention=retention)
    publish_at(server, 0.0, subject="kept")
    seen, _ = deliveries(sim, stream.consumer("c", ack_wait_s=1.0, max_deliver=2), leave)
    assert [attempt for _, attempt, _ in seen] == [1, 2] if retention == "interest" else True
    assert len(stream) == 1


@pytest.mark.rule("NAT-13")
def test_back_offs_replace_the_ack_wait_delivery_by_delivery(sim, server, stream):
    publish_at(server, 0.0)
    seen, _ = deliveries(sim, stream.consumer("c", backoff_s=[0.3, 0.6, 1.2]), leave, until_s=4.0)
    assert [(attempt, round(at_s, 6)) for _, attempt, at_s in seen] == [
        (1, 0.0), (2, 0.3), (3, 0.9), (4, 2.1), (5, 3.3),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------ nak, term, progress


@pytest.mark.rule("NAT-14")
def test_a_refused_message_comes_again_at_once_before_new_ones_or_after_its_delay(sim, server, stream):
    def act(delivery, place):
        if place == 1:
            delivery.nak()
        elif place == 2:
            delivery.nak(delay_s=2.0)
        else:
            delivery.ack()

    publish_at(server, 0.0, 0.0)
    seen, run = deliveries(sim, stream.consumer("c"), act)
    assert seen == [(0, 1, 0.0), (0, 2, 0.0), (1, 1, 0.0), (0, 3, 2.0)]
    assert run.messages()["outcome"].tolist() == ["requeued", "requeued", "done", "done"]


@pytest.mark.rule("NAT-14")
def test_a_terminated_message_never_comes_again(sim, server):
    stream = server.stream("jobs", subjects="jobs", retention="workqueue")
    publish_at(server, 0.0, subject="jobs")
    seen, run = deliveries(sim, stream.consumer("c", ack_wait_s=1.0), lambda delivery, _: delivery.term())
    assert seen == [(0, 1, 0.0)]
    assert [fact.kind for fact in run.fact_list] == ["message_terminated"]
    assert len(stream) == 0


@pytest.mark.rule("NAT-14")
def test_who_tells_that_the_work_goes_on_keeps_the_message(sim, server, stream):
    consumer, seen = stream.consumer("c", ack_wait_s=1.0), []

    def slow():
        delivery = yield consumer.receive(consumer="slow")
        for _ in range(4):
            yield sim.env.timeout(0.75)
            delivery.in_progress()
        delivery.ack()
        with pytest.raises(StateError, match="acknowledged already"):
            delivery.in_progress()
        with pytest.raises(StateError, match="settle each delivery once"):
            delivery.nak()

    def other():
        yield sim.env.timeout(0.5)
        seen.append((yield consumer.receive(consumer="other")))

    sim.env.process(slow())
    sim.env.process(other())
    publish_at(server, 0.0)
    run = sim.run()
    assert seen == []
    assert timeline(run) == [(0.0, "slow takes src-0"), (3.0, "slow: src-0 done")]


@pytest.mark.rule("NAT-14")
def test_a_refused_message_without_a_limit_comes_for_ever(sim, server, stream):
    """A handler that fails in no time would stop the clock: the last of the twelve probes."""

    def fail(event, context):
        raise RuntimeError("poison")

    work(stream.consumer("c"), service_s=[0.001], handler=fail)
    publish_at(server, 0.0)
    table = sim.run(until_s=1.0005).messages()
    assert table["attempt"].tolist() == [*range(1, 1002)]


# ------------------------------------------------------------------------------------------------ ack policies


@pytest.mark.rule("NAT-17")
def test_one_acknowledgement_settles_all_before_it(sim, server, stream):
    """Under "explicit" four come again, under "all" the last two."""
    again = {}
    for policy in ("explicit", "all"):
        consumer = stream.consumer(policy, ack_policy=policy, ack_wait_s=1.0, max_deliver=2)
        seen = again[policy] = []

        def client(consumer=consumer, seen=seen):
            while True:
                delivery = yield consumer.receive()
                seen.append((delivery.event.id, delivery.attempt))
                if len(seen) == 3:
                    delivery.ack()

        sim.env.process(client())
    publish_at(server, *[0.0] * 5)
    sim.run()
    second = {policy: [event for event, attempt in seen if attempt == 2] for policy, seen in again.items()}
    assert second == {"explicit": ["src-0", "src-1", "src-3", "src-4"], "all": ["src-3", "src-4"]}


@pytest.mark.rule("NAT-17")
def test_acknowledging_all_loses_what_another_worker_had_not_finished(sim, server, stream):
    """srv/1 is done with the second message and settles the first one as well; then srv/0 crashes with it."""
    work(stream.consumer("c", ack_policy="all", ack_wait_s=5.0), nodes=2, service_s=[3.0, 1.0])
    publish_at(server, 0.0, 0.25)
    sim.at(2.0, sim.node("srv/0").crash)
    sim.at(2.5, sim.node("srv/0").restart)
    assert timeline(sim.run()) == [
        (0.0, "srv/0 takes src-0"),
        (0.25, "srv/1 takes src-1"),
        (1.25, "srv/1: src-1 done"),
        (2.0, "srv/0: src-0 crashed"),
    ]


@pytest.mark.rule("NAT-17")
def test_without_acknowledgements_delivered_is_done(sim, server):
    stream = server.stream("ticks", subjects="ticks", retention="interest")
    work(stream.consumer("c", ack_policy="none", ack_wait_s=1.0), service_s=[1.0])
    publish_at(server, 0.0, 0.25, subject="ticks")
    sim.at(0.5, sim.node("srv/0").crash)
    sim.at(3.0, sim.node("srv/0").restart)
    run = sim.run()
    assert timeline(run) == [
        (0.0, "srv/0 takes src-0"),
        (0.5, "srv/0: src-0 dropped"),
        (3.0, "srv/0 takes src-1"),
        (4.0, "srv/0: src-1 done"),
    ]
    assert len(stream) == 0


# ------------------------------------------------------------------------------------------------ bounds


@pytest.mark.rule("NAT-15")
def test_at_max_ack_pending_nobody_gets_anything_new(sim, server, stream):
    """Three workers, but two messages may be pending: the third worker waits, across all that share the consumer."""
    work(stream.consumer("c", max_ack_pending=2), nodes=3, service_s=[2.0])
    publish_at(server, 0.0, 0.0, 0.0)
    assert timeline(sim.run()) == [
        (0.0, "srv/0 takes src-0"),
        (0.0, "srv/1 takes src-1"),
        (2.0, "srv/0: src-0 done"),
        (2.0, "srv/1: src-1 done"),
        (2.0, "srv/2 takes src-2"),
        (4.0, "srv/2: src-2 done"),
    ]


@pytest.mark.rule("NAT-15")
def test_what_comes_again_needs_no_room(sim, server, stream):
    publish_at(server, 0.0, 0.0)
    seen, _ = deliveries(sim, stream.consumer("c", max_ack_pending=1, ack_wait_s=1.0), leave, until_s=2.5)
    assert seen == [(0, 1, 0.0), (0, 2, 1.0), (0, 3, 2.0)]


@pytest.mark.rule("NAT-25")
def test_so_many_pull_requests_wait_and_no_more(sim, stream):
    work(stream.consumer("c", max_waiting=2), nodes=3)
    with pytest.raises(JetStreamError, match="Exceeded MaxWaiting") as caught:
        sim.run()
    assert caught.value.code == 409
    batches = stream.consumer("batches", batch=5, max_waiting=1)
    batches.receive(consumer="one")
    with pytest.raises(JetStreamError, match="Exceeded MaxWaiting"):
        batches.receive(consumer="two")


@pytest.mark.rule("NAT-25")
def test_a_fetch_returns_with_what_there_is_up_to_its_batch(sim, server, stream):
    """Five wait: a batch of three is fetched; while the worker works on them two more make the next batch.

    `delivered_s` is when a message reached the client, which is when its ack wait began.
    """
    work(stream.consumer("c", batch=3), service_s=[1.0])
    publish_at(server, 0.0, 0.25, 0.25, 0.25, 0.25, 5.5)
    rows = sim.run().messages()
    assert rows["delivered_s"].tolist() == [0.0, 1.0, 1.0, 1.0, 4.0, 5.5]
    assert rows["started_s"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.5]


@pytest.mark.rule("NAT-11", "NAT-25")
@pytest.mark.parametrize(("batch", "twice"), [(10, True), (1, False)])
def test_a_batch_that_takes_longer_than_the_ack_wait_comes_again(sim, server, stream, batch, twice):
    """Ten seconds of work in a client's buffer, five of patience: what is at the end of the batch is done twice."""
    work(stream.consumer("c", batch=batch, ack_wait_s=5.0), nodes=2, service_s=[1.0])
    publish_at(server, *[0.0] * 11)
    assert bool(sim.run().deliveries.duplicates()) == twice


@pytest.mark.rule("NAT-11", "NAT-23")
def test_acknowledgements_that_wait_for_the_next_fetch_are_lost_with_the_client(sim, server, stream):
    """The handler blocks its client: three are fetched, two are worked on, and the crash brings all three again."""
    work(stream.consumer("c", batch=3, ack_wait_s=10.0, ack_sending="with_next_fetch"), service_s=[1.0])
    publish_at(server, 0.0, 0.125, 0.25, 0.5)
    sim.at(3.5, sim.node("srv/0").crash)
    sim.at(4.0, sim.node("srv/0").restart)
    run = sim.run()
    assert timeline(run)[:8] == [
        (0.0, "srv/0 takes src-0"),
        (1.0, "srv/0: src-0 done"),
        (1.0, "srv/0 takes src-1"),
        (1.0, "srv/0 takes src-2"),
        (1.0, "srv/0 takes src-3"),
        (2.0, "srv/0: src-1 done"),
        (3.0, "srv/0: src-2 done"),
        (3.5, "srv/0: src-3 crashed"),
    ]
    again = run.messages().query("attempt == 2")
    assert again["event_id"].tolist() == ["src-1", "src-2", "src-3"]
    assert again["started_s"].tolist() == [11.0, 12.0, 13.0]


@pytest.mark.rule("NAT-23")
@pytest.mark.parametrize(("confirmed", "times_done"), [(False, 2), (True, 1)])
def test_an_acknowledgement_that_is_acknowledged_is_known(sim, server, stream, confirmed, times_done):
    """With a de-duplicated publish before it, this is what NATS calls exactly once."""
    consumer = stream.consumer("c", batch=3, ack_wait_s=10.0, ack_sending="with_next_fetch")
    for _ in range(2):
        server.publish("s.a", Event(type="x"), message_id="once")
    done = []

    def client():
        delivery = yield consumer.receive(consumer="ann")
        done.append(delivery.event.id)
        if confirmed:
            delivery.ack_sync()
        else:
            delivery.ack()

    def successor():
        yield sim.env.timeout(1.0)
        while True:
            delivery = yield consumer.receive(consumer="bob")
            done.append(delivery.event.id)
            delivery.ack_sync()

    sim.env.process(client())
    sim.env.process(successor())
    sim.run(until_s=60.0)
    assert len(done) == times_done


def test_what_lies_in_a_dead_clients_buffer_comes_again_too(sim, server, stream):
    consumer = stream.consumer("c", batch=5, ack_wait_s=10.0)
    work(consumer, service_s=[1.0])
    publish_at(server, 0.0, 0.25, 0.25, 0.25)
    sim.at(1.5, sim.node("srv/0").crash)
    run = sim.run(until_s=5.0)
    rows = run.messages()
    assert rows["outcome"].tolist() == ["done", "crashed", "queued", "crashed", "queued", "crashed", "queued"]
    assert rows[rows["outcome"] == "crashed"]["started_s"].isna().tolist() == [False, True, True]
    sim.node("srv/0").restart()
    assert sim.run().summary()["srv"].done == 4


def test_what_is_in_a_buffer_at_the_end_is_told(sim, server, stream):
    work(stream.consumer("c", batch=5), service_s=[1.0])
    publish_at(server, 0.0, 0.25, 0.25)
    assert still_open(sim.run(until_s=1.5)) == [("src-1", 1, "in_flight"), ("src-2", 1, "in_flight")]


# ------------------------------------------------------------------------------------------------ where to start


@pytest.mark.rule("NAT-16")
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 5, 6]),
        ({"deliver_policy": "last"}, [5, 6]),
        ({"deliver_policy": "last", "filter_subjects": "s.a"}, [4]),
        ({"deliver_policy": "new"}, [6]),
        ({"deliver_policy": "by_start_sequence", "start_sequence": 4}, [3, 4, 5, 6]),
        ({"deliver_policy": "by_start_time", "start_time_s": 3.0}, [3, 4, 5, 6]),
        ({"deliver_policy": "last_per_subject", "filter_subjects": "s.*"}, [3, 4, 5, 6]),
    ],
)
def test_a_new_consumer_starts_where_its_policy_says(sim, server, stream, policy, expected):
    """Messages 0 to 5 on subjects a b a c a b at 0, 1, … 5 s; the consumer comes at 6 s, one more at 7 s on b."""
    for number, subject in enumerate("abacab"):
        sim.at(
            float(number),
            lambda subject=subject, number=number: server.publish(f"s.{subject}", Event(type="x", data=number)),
        )
    sim.at(7.0, lambda: server.publish("s.b", Event(type="x", data=6)))
    seen = []

    def client():
        yield sim.env.timeout(6.0)
        consumer = stream.consumer("c", **policy)
        while True:
            delivery = yield consumer.receive()
            seen.append(delivery.event.data)
            delivery.ack()

    sim.env.process(client())
    sim.run()
    assert seen == expected


@pytest.mark.rule("NAT-16")
def test_what_was_read_can_be_read_again_by_another_consumer(sim, server, stream):
    work(stream.consumer("first"), name="first", service_s=[0.1])
    publish_at(server, 0.0, 1.0)
    sim.at(5.0, lambda: work(stream.consumer("second"), name="second", service_s=[0.1]))
    run = sim.run()
    rows = run.messages().query("group == 'second'")
    assert rows["outcome"].tolist() == ["done", "done"]
    assert rows["enqueued_s"].tolist() == [5.0, 5.0]


@pytest.mark.rule("NAT-20")
def test_a_replay_keeps_the_recorded_gaps_or_does_not(sim, server, stream):
    """Stored at 0, 1 and 4 s; a consumer at 10 s; a new message at 20 s comes at once either way."""
    publish_at(server, 0.0, 1.0, 4.0, 20.0)
    for policy in ("original", "instant"):
        sim.at(
            10.0,
            lambda policy=policy: work(stream.consumer(policy, replay_policy=policy), name=policy, service_s=[0.5]),
        )
    table = sim.run().messages()
    starts = {policy: table[table["group"] == policy]["started_s"].tolist() for policy in ("original", "instant")}
    assert starts == {"original": [10.0, 11.5, 15.0, 20.0], "instant": [10.0, 10.5, 11.0, 20.0]}


# ------------------------------------------------------------------------------------------------ durable, ephemeral


@pytest.mark.rule("NAT-21")
def test_a_durable_consumer_remembers_while_nobody_is_there(sim, server, stream):
    work(stream.consumer("c", ack_wait_s=2.0), service_s=[0.5])
    publish_at(server, 0.0, 1.0, 50.0)
    sim.at(0.75, sim.node("srv/0").crash)
    sim.at(60.0, sim.node("srv/0").restart)
    assert timeline(sim.run())[2:] == [
        (60.0, "srv/0 takes src-1"), (60.5, "srv/0: src-1 done"),
        (60.5, "srv/0 takes src-2"), (61.0, "srv/0: src-2 done"),
    ]  # fmt: skip


@pytest.mark.rule("NAT-21")
def test_an_ephemeral_consumer_that_nobody_uses_vanishes_with_what_waits_for_it(sim, server, stream):
    consumer = stream.ephemeral_consumer(ack_wait_s=1.0)
    work(consumer, service_s=[0.5])
    publish_at(server, 0.0, 7.0, 10.5, 20.0)
    sim.at(10.0, sim.node("srv/0").crash)
    run = sim.run(until_s=30.0)
    assert [(fact.time_s, fact.kind) for fact in run.fact_list] == [(10.0, "node_crashed"), (15.0, "consumer_deleted")]
    assert run.messages()["outcome"].tolist() == ["done", "done", "dropped", "filtered"]
    sim.at(31.0, sim.node("srv/0").restart)
    with pytest.raises(JetStreamError, match="consumer not found"):
        sim.run(until_s=32.0)


@pytest.mark.rule("NAT-21")
def test_an_ephemeral_consumer_lives_as_long_as_it_is_used(sim, server, stream):
    """Its worker asks all the time, or works for longer than the threshold."""
    work(stream.ephemeral_consumer(inactive_threshold_s=2.0), service_s=[7.0])
    publish_at(server, 20.0, 40.0)
    assert sim.run(until_s=60.0).summary()["srv"].done == 2


def test_deleting_a_consumer_while_its_taker_works(sim, server, stream):
    work(stream.consumer("c"), service_s=[5.0])
    publish_at(server, 0.0, 1.0)
    sim.at(2.0, lambda: stream.delete_consumer("c"))
    with pytest.raises(JetStreamError, match="consumer not found") as caught:
        sim.run()
    assert caught.value.at_s == 5.0


# ------------------------------------------------------------------------------------------------ shared


@pytest.mark.rule("NAT-18")
def test_workers_of_a_pull_consumer_take_turns_as_they_ask(sim, server, stream):
    work(stream.consumer("c"), nodes=["a", "b"], service_s=[1.5, 0.5, 0.5, 0.5])
    publish_at(server, 0.0, 0.0, 0.0, 0.0)
    assert timeline(sim.run()) == [
        (0.0, "a takes src-0"), (0.0, "b takes src-1"),
        (0.5, "b: src-1 done"), (0.5, "b takes src-2"),
        (1.0, "b: src-2 done"), (1.0, "b takes src-3"),
        (1.5, "a: src-0 done"), (1.5, "b: src-3 done"),
    ]  # fmt: skip


@pytest.mark.rule("NAT-11")
def test_twelve_messages_of_a_dead_consumer_come_back_in_the_order_of_the_stream(sim, server, stream):
    work(stream.consumer("c", ack_wait_s=5.0), nodes=2, concurrency=3, service_s=[3.0])
    publish_at(server, *[0.0] * 6)
    sim.at(1.0, sim.node("srv/0").crash)
    run = sim.run()
    again = run.messages().query("attempt == 2")
    assert again["event_id"].tolist() == ["src-0", "src-1", "src-2"]
    assert again["started_s"].tolist() == [5.0, 5.0, 5.0]


def test_a_nak_delay_is_checked(sim, server, stream):
    publish_at(server, 0.0)

    def act(delivery, place):
        with pytest.raises(ConfigurationError, match="delay_s"):
            delivery.nak(delay_s=-1.0)
        delivery.ack()

    seen, _ = deliveries(sim, stream.consumer("c"), act)
    assert len(seen) == 1
