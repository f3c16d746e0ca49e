"""`min.insync.replicas` as since Kafka 3.7 (KAFKA-15583): it binds readers too, and asks for no more than there are."""

import pytest

from edasim import Event, Kafka, Simulation


def seen_at(sim, group):
    """Reads by hand; gives the list of (instant, data) that a process fills during the run."""
    seen = []

    def read():
        while True:
            record = yield group.receive(consumer="reader")
            seen.append((round(sim.env.now, 3), record.event.data))
            record.done()

    sim.env.process(read())
    return seen


@pytest.mark.rule("KAF-32")
def test_what_the_leader_alone_has_is_not_read_while_two_must_be_in_sync():
    """Both followers are gone at 30 s; the record of 35 s, acknowledged by the leader, is read when one is back."""
    sim = Simulation(seed=1)
    kafka = Kafka(min_in_sync=2, auto_offset_reset="earliest", initial_rebalance_delay_s=0.0).start(sim)
    topic = kafka.topic("t", partitions=1)
    seen = seen_at(sim, topic.group("g"))
    producer = kafka.producer("lax", acks="1")
    for broker in (1, 2):
        sim.at(0.0, lambda broker=broker: kafka.cut_off_broker(broker))
    sim.at(35.0, lambda: producer.send(topic, Event(type="x", data="alone")))
    sim.at(60.0, lambda: kafka.reconnect_broker(1))
    sim.run(until_s=90.0)
    assert seen == [(60.0, "alone")]


@pytest.mark.rule("KAF-27")
def test_one_replica_is_enough_where_there_is_only_one():
    sim = Simulation(seed=1)
    kafka = Kafka(
        brokers=1, replicas=1, min_in_sync=2, auto_offset_reset="earliest", initial_rebalance_delay_s=0.0
    ).start(sim)
    topic = kafka.topic("t", partitions=1)
    seen = seen_at(sim, topic.group("g"))
    sim.at(1.0, lambda: kafka.producer("strict", acks="all").send(topic, Event(type="x", data="stored")))
    sim.run(until_s=5.0)
    assert seen == [(1.0, "stored")]
