"""Push consumers: the server delivers at its own pace, into the clients' buffers."""

import pytest
from timelines import still_open, timeline

from edasim import JetStream, Service, Simulation, Source, load, times
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


def publish_at(server, *times_s, name="src"):
    Source(name, load=load.Trace(times_s=times_s), to=server.subject("s.a"))


def work(of, name="srv", *, service_s=(1.0,), **more):
    return Service(name, of=of, service_time=times.Trace(values_s=service_s, at_end="repeat"), **more)


@pytest.mark.rule("NAT-19")
def test_pushed_messages_wait_in_the_clients_buffer_while_their_ack_wait_runs(sim, server, stream):
    """Four at once, a second's work each, three seconds of patience: the last one is delivered again while it waits."""
    work(stream.push_consumer("c", ack_wait_s=2.5), service_s=[1.0])
    publish_at(server, *[0.0] * 4)
    run = sim.run()
    assert run.messages()["delivered_s"].tolist() == [0.0, 0.0, 0.0, 2.5, 0.0, 2.5]
    assert run.messages()["attempt"].tolist() == [1, 1, 1, 2, 1, 2]
    assert run.summary()["srv"].done == 6


@pytest.mark.rule("NAT-15", "NAT-19")
def test_max_ack_pending_holds_the_server_back(sim, server, stream):
    work(stream.push_consumer("c", max_ack_pending=2), service_s=[1.0])
    publish_at(server, *[0.0] * 4)
    assert sim.run().messages()["delivered_s"].tolist() == [0.0, 0.0, 1.0, 2.0]


@pytest.mark.rule("NAT-19")
def test_flow_control_bounds_the_buffer_of_a_client(sim, server, stream):
    """One in work and one in the buffer: the server goes on when the client has worked on one."""
    work(stream.push_consumer("c", flow_control=1, ack_policy="none"), service_s=[1.0])
    publish_at(server, *[0.0] * 4)
    run = sim.run(until_s=1.5)
    assert still_open(run) == [
        ("src-1", 1, "in_flight"), ("src-2", 1, "in_flight"), ("src-3", 1, "queued"),
    ]  # fmt: skip
    assert sim.run().messages()["delivered_s"].tolist() == [0.0, 0.0, 1.0, 2.0]


@pytest.mark.rule("NAT-19")
def test_a_deliver_group_shares_at_random(sim, server, stream):
    work(stream.push_consumer("c", deliver_group="g"), nodes=3, service_s=[5.0])
    publish_at(server, *[0.0] * 30)
    run = sim.run(until_s=20.0)
    counts = run.messages()["consumer"].value_counts()
    assert set(counts.index) == {"srv/0", "srv/1", "srv/2"}
    assert counts.max() > counts.min()


@pytest.mark.rule("NAT-19")
def test_one_client_is_bound_unless_there_is_a_group(sim, server, stream):
    work(stream.push_consumer("c"), nodes=2)
    with pytest.raises(StateError, match="already bound to 'srv/0'"):
        sim.run(until_s=1.0)
    with pytest.raises(ConfigurationError, match="no flow control"):
        stream.push_consumer("d", deliver_group="g", flow_control=5)
    with pytest.raises(ConfigurationError, match="flow_control"):
        stream.push_consumer("e", flow_control=0)


@pytest.mark.rule("NAT-19")
def test_what_a_dead_client_had_in_its_buffer_comes_again(sim, server, stream):
    work(stream.push_consumer("c", ack_wait_s=5.0), service_s=[1.0])
    publish_at(server, 0.0, 0.0, 0.0, 3.0)
    sim.at(0.5, sim.node("srv/0").crash)
    sim.at(2.0, sim.node("srv/0").restart)
    assert timeline(sim.run()) == [
        (0.0, "srv/0 takes src-0"),
        (0.0, "srv/0 takes src-1"),
        (0.0, "srv/0 takes src-2"),
        (0.5, "srv/0: src-0 crashed"),
        (0.5, "srv/0: src-1 crashed"),
        (0.5, "srv/0: src-2 crashed"),
        (3.0, "srv/0 takes src-3"),
        (4.0, "srv/0: src-3 done"),
        (5.0, "srv/0 takes src-0 (attempt 2)"),
        (5.0, "srv/0 takes src-1 (attempt 2)"),
        (5.0, "srv/0 takes src-2 (attempt 2)"),
        (6.0, "srv/0: src-0 done (attempt 2)"),
        (7.0, "srv/0: src-1 done (attempt 2)"),
        (8.0, "srv/0: src-2 done (attempt 2)"),
    ]


def test_what_was_stored_before_a_client_came_is_pushed_as_it_comes(sim, server, stream):
    consumer = stream.push_consumer("c")
    publish_at(server, 0.0, 0.0)
    sim.at(5.0, lambda: work(consumer))
    assert timeline(sim.run()) == [
        (5.0, "srv/0 takes src-0"), (5.0, "srv/0 takes src-1"), (6.0, "srv/0: src-0 done"), (7.0, "srv/0: src-1 done"),
    ]  # fmt: skip


@pytest.mark.parametrize("settings", [{}, {"batch": 3}], ids=["push", "batches"])
def test_a_process_by_hand_stays_bound_when_its_receive_gives_up(sim, server, stream, settings):
    """Its client keeps what comes, and another receive finds it in the buffer."""
    consumer = stream.consumer("c", **settings) if settings else stream.push_consumer("c")
    seen = []

    def client():
        yield consumer.receive(consumer="ann") | sim.env.timeout(1.0)
        yield sim.env.timeout(2.0)
        for _ in range(2):
            delivery = yield consumer.receive(consumer="ann")
            seen.append((sim.env.now, delivery.event.id))
            delivery.ack()

    sim.env.process(client())
    publish_at(server, 2.0, 2.0)
    sim.run()
    assert seen == [(3.0, "src-0"), (3.0, "src-1")]


@pytest.mark.rule("NAT-19")
def test_an_ordered_consumer_starts_again_from_what_it_missed(sim, server, stream):
    """Room for two: what came while it was full comes again when there is room, and all is seen once, in order."""
    work(stream.ordered_consumer(pending_messages=2), service_s=[1.0])
    publish_at(server, *[0.0] * 8, 20.0)
    run = sim.run()
    done = run.messages().sort_values("finished_s")
    assert done["event_id"].tolist() == [f"src-{number}" for number in range(9)]
    assert set(done["outcome"]) == {"done"}
    resets = [fact.detail["sequence"] for fact in run.fact_list if fact.kind == "ordered_consumer_reset"]
    assert resets == sorted(resets)
    assert resets[0] == 4


def test_an_ordered_consumer_needs_a_stream_that_keeps(server):
    jobs = server.stream("jobs", subjects="jobs", retention="workqueue")
    with pytest.raises(ConfigurationError, match="keeps its messages"):
        jobs.ordered_consumer()
