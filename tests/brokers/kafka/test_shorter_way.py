"""What a busy member reads by the shorter way of `done` obeys the rules of the longer one."""

import pytest

from edasim import Event, Kafka, Service, Simulation, Source, load, times

QUICK = {"auto_offset_reset": "earliest", "initial_rebalance_delay_s": 0.0}


def backlog(acts=(), **settings):
    """More comes to a topic of two partitions than the one node of a group can do."""
    sim = Simulation(seed=5)
    topic = Kafka(partitions=2, **QUICK, **settings).start(sim).topic("t")
    Service("w", of=topic.group("g"), service_time=times.Constant(value_s=0.05))
    Source("src", load=load.Poisson(rate_per_s=30.0).until(18.0), to=topic, event=keyed)
    for at_s, act in acts:
        sim.at(at_s, lambda act=act: act(topic))
    return sim.run(until_s=40.0).messages()


def keyed(occasion):
    return Event(type="t", subject=str(int(occasion.draw() * 30)))


@pytest.mark.rule("KAF-29")
@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_reader_with_a_backlog_never_sees_what_was_aborted(concurrency):
    sim = Simulation(seed=1)
    kafka = Kafka(**QUICK).start(sim)
    topic = kafka.topic("t")
    Service("w", of=topic.group("g", isolation="read_committed"), service_time=times.Constant(value_s=0.5),
            concurrency=concurrency)  # fmt: skip
    producer = kafka.producer("p", transactional_id="p")

    def produce():
        producer.begin()
        yield sim.env.timeout(1.0)
        for publisher in ("q", "q", "q", "p", "p", "q"):
            if publisher == "p":
                producer.send(topic, Event(type="t", source="/p"))
            else:
                topic.publish(Event(type="t", source="/q"), publisher="q")
        yield sim.env.timeout(0.1)
        producer.abort()

    sim.env.process(produce())
    table = sim.run(until_s=30.0).messages()
    assert table[table["outcome"] == "done"]["event_id"].tolist() == ["q-0", "q-1", "q-2", "q-3"]


@pytest.mark.rule("KAF-35")
def test_a_record_that_was_read_does_not_expire_when_it_is_deleted():
    table = backlog(retention_s=1.0, segment_s=0.5, retention_check_s=0.5)
    assert {"done", "expired"} <= set(table["outcome"])
    assert not table.duplicated("event_id").any()


def test_who_listens_from_the_middle_of_a_run_is_told_of_every_record_from_then_on():
    told = []
    listen = (10.01, lambda topic: topic.on_settled(lambda now_s, _message: told.append(now_s)))
    table = backlog([listen])
    later = table[table["finished_s"] > 10.01]
    assert told == sorted(later["finished_s"])
    assert len(told) > 100
