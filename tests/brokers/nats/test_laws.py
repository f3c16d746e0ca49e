"""Laws of JetStream and core NATS under random traffic, work and crashes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim import Event, JetStream, Nats, Service, Simulation, Source, load, times

pytestmark = pytest.mark.long

GAPS = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=12)
WORK = st.lists(st.sampled_from([0.0, 0.25, 1.0, 3.0]), min_size=1, max_size=4)
CRASHES = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.5, 1.0, 1.25, 2.0, 4.5])), max_size=4)
CONSUMERS = st.fixed_dictionaries(
    {
        "ack_wait_s": st.sampled_from([1.0, 2.5, 50.0]),
        "ack_policy": st.sampled_from(["explicit", "all", "none"]),
        "max_deliver": st.sampled_from([None, 2]),
        "max_ack_pending": st.sampled_from([None, 1, 3]),
        "batch": st.sampled_from([1, 4]),
    }
)
STREAMS = st.fixed_dictionaries(
    {
        "retention": st.sampled_from(["limits", "interest"]),
        "max_messages": st.sampled_from([None, 2, 5]),
        "discard": st.sampled_from(["old", "new"]),
    }
)


def traffic(sim, to, gaps):
    at_s, instants = 0.0, []
    for gap_s in gaps:
        at_s += gap_s
        instants.append(at_s)
    Source("src", load=load.Trace(times_s=instants), to=to)


def work(sim, of, service_s, crashes):
    Service("srv", of=of, nodes=2, service_time=times.Trace(values_s=service_s, at_end="repeat"))
    for node, at_s in crashes:
        sim.at(at_s, sim.node(f"srv/{node}").crash)
        sim.at(at_s + 0.5, sim.node(f"srv/{node}").restart)


@given(
    gaps=GAPS,
    service_s=WORK,
    crashes=CRASHES,
    consumer=CONSUMERS,
    stream=STREAMS,
    until_s=st.sampled_from([3.0, 400.0]),
)
def test_every_message_has_one_row_for_each_attempt(gaps, service_s, crashes, consumer, stream, until_s):
    """Attempts count from 1 without gaps, and none has two rows, whatever the policies and limits."""
    sim = Simulation(seed=1)
    server = JetStream().start(sim)
    work(sim, server.stream("s", subjects="s", **stream).consumer("c", **consumer), service_s, crashes)
    traffic(sim, server.subject("s"), gaps)
    table = sim.run(until_s=until_s).messages()
    assert table["event_id"].nunique() == sum(at_s < until_s for at_s in _sums(gaps))
    for _, rows in table.groupby("event_id"):
        assert rows["attempt"].tolist() == list(range(1, len(rows) + 1))
        assert consumer["max_deliver"] is None or rows["delivered_s"].notna().sum() <= consumer["max_deliver"]


@given(
    gaps=GAPS,
    service_s=WORK,
    crashes=CRASHES,
    consumer=CONSUMERS,
    retention=st.sampled_from(["limits", "interest", "workqueue"]),
    until_s=st.sampled_from([3.0, 400.0]),
)
def test_every_message_is_done_open_or_delivered_too_often(gaps, service_s, crashes, consumer, retention, until_s):
    """With explicit acknowledgements and no limits; and streams that drop what is settled keep just the others."""
    sim = Simulation(seed=1)
    server = JetStream().start(sim)
    stream = server.stream("s", subjects="s", retention=retention)
    work(sim, stream.consumer("c", **{**consumer, "ack_policy": "explicit"}), service_s, crashes)
    traffic(sim, server.subject("s"), gaps)
    table = sim.run(until_s=until_s).messages()
    unsettled = 0
    for _, rows in table.groupby("event_id"):
        outcomes = set(rows["outcome"])
        too_often = consumer["max_deliver"] is not None and len(rows) == consumer["max_deliver"]
        assert outcomes & {"done", "queued", "in_flight"} or too_often
        unsettled += "done" not in outcomes
    assert len(stream) >= unsettled
    if retention != "limits" and consumer["max_deliver"] is None and until_s == 400.0:
        assert len(stream) == unsettled == 0


@given(gaps=GAPS, service_s=WORK, crashes=CRASHES, batch=st.sampled_from([1, 3]))
def test_nothing_is_lost_and_without_crashes_nothing_is_done_twice(gaps, service_s, crashes, batch):
    """Explicit acknowledgements, patience beyond any batch, no limits: at least once, and once if all is well."""
    sim = Simulation(seed=1)
    server = JetStream().start(sim)
    consumer = server.stream("s", subjects="s", retention="workqueue").consumer("c", ack_wait_s=20.0, batch=batch)
    work(sim, consumer, service_s, crashes)
    traffic(sim, server.subject("s"), gaps)
    run = sim.run()
    done = run.messages().query("outcome == 'done'")["event_id"]
    assert done.nunique() == len(gaps)
    assert crashes or len(done) == len(gaps)
    assert run.messages()["attempt"].max() <= 1 + len(crashes)


@given(
    gaps=GAPS,
    service_s=WORK,
    crashes=CRASHES,
    limit=st.sampled_from([1, 50]),
    slow=st.sampled_from(["drop_newest", "cut_off"]),
)
def test_core_nats_has_one_row_per_message_and_group(gaps, service_s, crashes, limit, slow):
    """At most once: done, dropped or still on its way, and never a second attempt."""
    sim = Simulation(seed=1)
    nats = Nats(pending_messages=limit, slow_consumer=slow).start(sim)
    work(sim, nats.subscribe("s", queue="q"), service_s, crashes)
    traffic(sim, nats.subject("s"), gaps)
    table = sim.run(until_s=30.0).messages()
    assert table["event_id"].tolist() == [f"src-{number}" for number in range(len(gaps))]
    assert set(table["attempt"]) == {1}
    assert set(table["outcome"]) <= {"done", "dropped", "in_flight"}


@given(gaps=GAPS, service_s=WORK, crashes=CRASHES, consumer=CONSUMERS)
def test_a_consumer_does_not_disturb_another(gaps, service_s, crashes, consumer):
    def rows_of_the_other(with_first):
        sim = Simulation(seed=1)
        server = JetStream().start(sim)
        stream = server.stream("s", subjects="s")
        if with_first:
            work(sim, stream.consumer("first", **consumer), service_s, crashes)
        Service("other", of=stream.consumer("other"), service_time=times.Constant(value_s=0.3))
        traffic(sim, server.subject("s"), gaps)
        table = sim.run(until_s=50.0).messages()
        return table[table["group"] == "other"].reset_index(drop=True)

    assert rows_of_the_other(with_first=True).equals(rows_of_the_other(with_first=False))


def _sums(gaps):
    total = 0.0
    for gap_s in gaps:
        total += gap_s
        yield total


@pytest.mark.parametrize("broker", [JetStream(), Nats()], ids=["jetstream", "nats"])
def test_a_run_is_the_same_each_time(broker):
    def fingerprint():
        sim = Simulation(seed=9)
        running = broker.start(sim)
        if isinstance(broker, JetStream):
            of = running.stream("s", subjects="s.>").push_consumer("c", deliver_group="g", ack_wait_s=1.0)
        else:
            of = running.subscribe("s.>", queue="g")
        Service("srv", of=of, nodes=5, service_time=times.Exponential(mean_s=0.2))
        Source(
            "src",
            load=load.Poisson(rate_per_s=20.0),
            to=running.subject("s.{type}"),
            event=lambda occasion: Event(type=f"t{occasion.number % 3}"),
        )
        return sim.run(until_s=20.0).fingerprint()

    assert fingerprint() == fingerprint()
