"""The defaults that are rules of their own, and the words of the configuration."""

import pytest

import edasim
from edasim import Kafka, Simulation
from edasim.brokers.kafka import Commit, Strategy
from edasim.errors import ConfigurationError, UnknownNameError


@pytest.mark.rule("KAF-11")
def test_range_is_what_a_group_uses_unless_told_otherwise():
    assert Kafka().assignor is Strategy.RANGE
    group = Kafka(partitions=3).start(Simulation()).topic("t").group("g")
    assert group.strategy is Strategy.RANGE


def test_the_defaults_are_those_of_the_product():
    kafka = Kafka()
    assert (kafka.session_timeout_s, kafka.heartbeat_s, kafka.max_poll_interval_s) == (45.0, 3.0, 300.0)
    assert (kafka.commit, kafka.auto_commit_interval_s) == (Commit.AUTO, 5.0)
    assert (kafka.max_poll_records, kafka.fetch_min_bytes, kafka.fetch_max_wait_s) == (500, 1, 0.5)
    assert (kafka.acks.value, kafka.in_flight, kafka.batch_bytes, kafka.delivery_timeout_s) == ("all", 5, 16384, 120.0)
    assert kafka.auto_offset_reset.value == "latest"
    assert kafka.isolation.value == "read_uncommitted"


def test_idempotence_needs_acks_of_all():
    assert Kafka().idempotent
    assert not Kafka(acks="1").idempotent
    assert not Kafka(idempotence=False).idempotent


def test_a_topic_or_a_group_may_have_settings_of_its_own():
    kafka = Kafka(partitions=2).start(Simulation())
    wide = kafka.topic("wide", partitions=12)
    assert (wide.partitions, kafka.topic("narrow").partitions) == (12, 2)
    assert wide.group("g", commit="after_batch").commit is Commit.AFTER_BATCH
    with pytest.raises(UnknownNameError, match="session_timeout_s"):
        wide.group("h", session_timeout=10.0)


@pytest.mark.parametrize(
    ("partitioner", "value"), [(lambda _: 7, 7), (lambda _: -1, -1), (lambda _: True, True), (lambda _: "0", "0")]
)
def test_a_partitioner_names_a_partition(partitioner, value):
    topic = Kafka(partitions=7).start(Simulation()).topic("t", partitioner=partitioner)
    with pytest.raises(ConfigurationError) as refused:
        topic.publish(edasim.Event(type="x"))
    assert (refused.value.field, refused.value.value) == ("partitioner", value)


def test_a_topology_is_laid_out_as_topics_and_groups():
    topology = edasim.brokers.Topology(
        name="shop", publishes={"till": ["sold", "returned goods"]}, consumes={"stock": ["sold", "returned goods"]}
    )
    sim = Simulation()
    wiring = Kafka(partitions=4).start(sim).wire(topology)
    assert wiring.describe() == (
        "topics with their partitions: sold (4), returned-goods (4); "
        "groups, from the earliest offset: stock reads sold, returned-goods"
    )
    wiring.destination("till").publish(edasim.Event(type="returned goods"))
    assert [len(log) for log in wiring.topics["sold"].logs] == [0, 0, 0, 0]
    assert sum(len(log) for log in wiring.topics["returned goods"].logs) == 1
    with pytest.raises(UnknownNameError, match="sold"):
        wiring.destination("till").publish(edasim.Event(type="solt"))
    for ask in (wiring.destination, wiring.subscription):
        with pytest.raises(UnknownNameError):
            ask("cellar")


def test_the_delivery_table_tells_topic_and_partition():
    sim = Simulation()
    kafka = Kafka(partitions=4, auto_offset_reset="earliest").start(sim)
    topics = [kafka.topic("a"), kafka.topic("b")]
    edasim.Service("w", of=kafka.group("both", topics))
    edasim.Source(
        "src",
        load=edasim.load.Constant(rate_per_s=1.0).first(8),
        to=topics[1],
        event=lambda occasion: edasim.Event(type="x", extensions={"partitionkey": f"k{occasion.number}"}),
    )
    topics[0].publish(edasim.Event(type="y", subject="k1"))
    table = sim.run().messages()
    partitions = [edasim.brokers.kafka.partition_for(f"k{n}".encode(), 4) for n in (1, *range(8))]
    assert table["partition"].tolist() == partitions
    assert table["destination"].tolist() == ["a"] + ["b"] * 8
