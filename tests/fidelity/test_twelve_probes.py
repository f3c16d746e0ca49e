"""Where simulators of brokers get it wrong: twelve probes, each a short story with exact times.

Most of these rules have tests of their own beside their brokers; here each probe stands once, by number.
"""

from collections.abc import Callable
from typing import Any

import pytest
from timelines import still_open, timeline

from edasim import (
    ActiveMQ,
    Event,
    JetStream,
    Kafka,
    MemoryBus,
    Nats,
    RabbitMQ,
    Service,
    Simulation,
    Source,
    load,
    times,
)
from edasim.brokers.kafka import assign

GROUP = {"auto_offset_reset": "earliest", "initial_rebalance_delay_s": 0.0}


def work(of: Any, name: str, *service_s: float, **more: Any) -> Service:
    """A service of one node called `name`, whose service times come one by one, and then over again."""
    return Service(name, of=of, service_time=times.Trace(values_s=service_s, at_end="repeat"), nodes=[name], **more)


def publish(to: Any, *times_s: float) -> None:
    """An event at each instant: m-0, m-1, and so on."""
    Source("m", load=load.Trace(times_s=times_s), to=to)


def facts(run: Any, *kinds: str) -> list[tuple[float, str, Any]]:
    return [(fact.time_s, fact.kind, fact.detail.get("member")) for fact in run.fact_list if fact.kind in kinds]


def starts(run: Any) -> list[tuple[float, str, str]]:
    rows = run.messages().dropna(subset="started_s")
    return sorted(zip(rows["started_s"], rows["consumer"], rows["event_id"], strict=True))


@pytest.mark.rule("KAF-09")
@pytest.mark.parametrize("strategy", ["sticky", "cooperative-sticky"])
@pytest.mark.parametrize("partitions", [6, 7, 12])
def test_probe_01_a_newcomer_in_a_sticky_group_gets_its_share_and_nobody_loses_more_than_needed(strategy, partitions):
    before = assign(strategy, {"a": ["t"], "b": ["t"]}, {"t": partitions})
    after = assign(strategy, {"a": ["t"], "b": ["t"], "c": ["t"]}, {"t": partitions}, previous=before)
    if strategy == "cooperative-sticky":  # what moves is taken away in the first round and given in the second
        after = assign(strategy, {"a": ["t"], "b": ["t"], "c": ["t"]}, {"t": partitions}, previous=after)
    share = partitions // 3
    assert min(map(len, after.values())) == share
    assert max(map(len, after.values())) <= share + 1
    for member in ("a", "b"):
        assert set(after[member]) <= set(before[member]), "nobody gets what the other had"
    assert sum(len(before[member]) - len(after[member]) for member in ("a", "b")) == len(after["c"])


@pytest.mark.rule("KAF-19", "KAF-06")
def test_probe_02_offsets_belong_to_the_group_and_the_partition_and_not_to_a_consumer():
    """A reads three records and leaves; B, who comes later, reads on, and another group reads from the beginning."""
    sim = Simulation(seed=1)
    topic = Kafka(partitions=1, commit="after_each", **GROUP).start(sim).topic("t")
    group = topic.group("g")
    work(group, "a", 0.25)
    publish(topic, 1.0, 2.0, 3.0, 4.0, 5.0)
    sim.at(3.5, lambda: group.close("a"))
    sim.at(5.5, lambda: work(group, "b", 0.25))
    sim.at(6.5, lambda: work(topic.group("other"), "c", 0.25))
    assert starts(sim.run(until_s=20.0)) == [
        (1.0, "a", "m-0"), (2.0, "a", "m-1"), (3.0, "a", "m-2"), (5.5, "b", "m-3"), (5.75, "b", "m-4"),
        (6.5, "c", "m-0"), (6.75, "c", "m-1"), (7.0, "c", "m-2"), (7.25, "c", "m-3"), (7.5, "c", "m-4"),
    ]  # fmt: skip


@pytest.mark.rule("KAF-06")
def test_probe_03_the_thirteenth_member_of_a_group_on_twelve_partitions_gets_nothing():
    sim = Simulation(seed=1)
    topic = Kafka(partitions=12, keyless="round_robin", **GROUP).start(sim).topic("t")
    group = topic.group("g")
    names = [f"m{number:02}" for number in range(13)]
    for name in names:
        work(group, name, 0.01)
    publish(topic, *[1.0 + number for number in range(48)])
    run = sim.run()
    assert [len(group.assignment()[name]) for name in names] == [1] * 12 + [0]
    assert run.messages()["consumer"].value_counts().to_dict() == dict.fromkeys(names[:12], 4)


@pytest.mark.rule("KAF-12")
def test_probe_04_an_eager_rebalance_stops_every_member():
    """C comes at 20 s; B hears of it at 21 s and lets go. A works until 29 s; until then idle B reads nothing."""
    sim = Simulation(seed=1)
    kafka = Kafka(partitions=2, assignor="range", commit="after_each", **GROUP).start(sim)
    topic = kafka.topic("t", partitioner=lambda message: message[5].data)
    group = topic.group("g")
    work(group, "a", 10.0)
    work(group, "b", 0.25)
    sim.at(20.0, lambda: work(group, "c", 0.25))
    for partition, at_s in enumerate(([19.0], [20.5, 21.5, 22.5, 29.5])):
        event = Event(type="x", data=partition)
        Source(f"p{partition}", load=load.Trace(times_s=at_s), to=topic, event=lambda _, event=event: event)
    run = sim.run()
    assert facts(run, "member_joined", "partitions_revoked", "rebalance_completed")[-4:] == [
        (20.0, "member_joined", "c"),
        (21.0, "partitions_revoked", "b"),
        (29.0, "partitions_revoked", "a"),
        (29.0, "rebalance_completed", None),
    ]
    assert starts(run) == [
        (19.0, "a", "p0-0"), (20.5, "b", "p1-0"), (29.0, "b", "p1-1"), (29.25, "b", "p1-2"), (29.5, "b", "p1-3"),
    ]  # fmt: skip


@pytest.mark.rule("KAF-13")
def test_probe_05_a_silent_member_is_put_out_after_the_session_timeout_and_its_partitions_move_only_then():
    """A dies at 10 s, after its heartbeat of 9 s: it is out at 54 s, B hears of it at 57 s and reads A's partition."""
    sim = Simulation(seed=1)
    topic = Kafka(partitions=2, keyless="round_robin", commit="after_each", **GROUP).start(sim).topic("t")
    group = topic.group("g")
    work(group, "a", 0.25)
    work(group, "b", 0.25)
    publish(topic, *[float(number) for number in range(1, 61)])
    sim.at(10.0, lambda: sim.node("a").crash())
    run = sim.run()
    assert facts(run, "member_expired", "rebalance_completed")[1:] == [
        (54.0, "member_expired", "a"),
        (57.0, "rebalance_completed", None),
    ]
    rows = run.messages()
    of_a = rows[rows["partition"] == rows[rows["consumer"] == "a"]["partition"].iloc[0]]
    assert of_a[of_a["consumer"] == "b"]["started_s"].min() == 57.0
    assert of_a[of_a["consumer"] == "a"]["started_s"].max() <= 10.0
    assert rows["event_id"].nunique() == 60


def memory(sim: Simulation) -> tuple[Any, Any]:
    topic = MemoryBus().start(sim).topic("t")
    return topic, topic.subscribe("s")


def rabbitmq_queue(sim: Simulation) -> tuple[Any, Any]:
    queue = RabbitMQ().start(sim).declare_queue("q")
    return queue, queue.consume()


def rabbitmq_one_by_one(sim: Simulation) -> tuple[Any, Any]:
    queue = RabbitMQ().start(sim).declare_queue("q")
    return queue, queue.consume(prefetch=1)


def activemq_queue(sim: Simulation) -> tuple[Any, Any]:
    queue = ActiveMQ().start(sim).queue("q")
    return queue, queue.consume()


def activemq_topic(sim: Simulation) -> tuple[Any, Any]:
    topic = ActiveMQ().start(sim).topic("t")
    return topic, topic.subscribe("s")


def nats_subject(sim: Simulation) -> tuple[Any, Any]:
    nats = Nats().start(sim)
    return nats.subject("t"), nats.subscribe("t")


def jetstream(sim: Simulation) -> tuple[Any, Any]:
    server = JetStream().start(sim)
    return server.subject("t"), server.stream("s", subjects="t").consumer("c")


def kafka_topic(sim: Simulation) -> tuple[Any, Any]:
    topic = Kafka(initial_rebalance_delay_s=0.0).start(sim).topic("t")
    return topic, topic.group("g")


@pytest.mark.rule("RMQ-03", "AMQ-01", "AMQ-16")
@pytest.mark.parametrize(
    "laid_out", [memory, rabbitmq_queue, activemq_queue, activemq_topic, nats_subject, jetstream, kafka_topic]
)
def test_probe_06_a_queue_without_a_bound_and_a_topic_with_a_subscriber_deliver_by_default(
    laid_out: Callable[[Simulation], tuple[Any, Any]],
):
    sim = Simulation(seed=1)
    to, of = laid_out(sim)
    work(of, "w", 0.25)
    publish(to, 1.0, 1.0, 2.0)
    run = sim.run()
    assert starts(run) == [(1.0, "w", "m-0"), (1.25, "w", "m-1"), (2.0, "w", "m-2")]
    assert run.messages()["outcome"].tolist() == ["done"] * 3


@pytest.mark.rule("RMQ-11", "RMQ-12")
@pytest.mark.parametrize(("kind", "then"), [("classic", [2, 5, 6, 7, 8, 9]), ("quorum", [5, 6, 7, 8, 9, 2])])
def test_probe_07_a_requeued_message_keeps_its_place_in_a_classic_queue_and_goes_to_the_end_of_a_quorum_queue(
    kind: str, then: list[int]
):
    broker = RabbitMQ().start(Simulation(seed=1))
    queue = broker.declare_queue("q", type=kind)
    for number in range(10):
        queue.publish(Event(type="x", data=number))
    poll = queue.poll()
    taken = [poll.get(channel="one") for _ in range(5)]
    taken[2].nack()
    read = [poll.get(channel="one") for _ in range(6)]
    assert [delivery.event.data for delivery in read] == then
    assert [delivery.event.data for delivery in read if delivery.redelivered] == [2]
    assert poll.get(channel="one") is None


@pytest.mark.rule("RMQ-09")
def test_probe_08_prefetch_without_a_bound_starves_those_who_come_late():
    """Four messages at 1 s, a second each; the second consumer comes at 1.5 s."""

    def starts_with(prefetch: int) -> list[tuple[float, str, str]]:
        sim = Simulation(seed=1)
        queue = RabbitMQ().start(sim).declare_queue("q")
        subscription = queue.consume(prefetch=prefetch)
        work(subscription, "early", 1.0)
        sim.at(1.5, lambda: work(subscription, "late", 1.0))
        publish(queue, 1.0, 1.0, 1.0, 1.0)
        return starts(sim.run())

    assert starts_with(prefetch=0) == [
        (1.0, "early", "m-0"), (2.0, "early", "m-1"), (3.0, "early", "m-2"), (4.0, "early", "m-3"),
    ]  # fmt: skip
    assert starts_with(prefetch=1) == [
        (1.0, "early", "m-0"), (1.5, "late", "m-1"), (2.0, "early", "m-2"), (2.5, "late", "m-3"),
    ]  # fmt: skip


@pytest.mark.rule("NAT-03")
def test_probe_09_a_queue_group_of_core_nats_does_not_balance_by_load():
    """Drawn: busy, busy, idle. The second message waits for 9 s behind the first, beside a member that is free."""
    sim = Simulation(seed=1)
    nats = Nats().start(sim)
    group = nats.subscribe("t", queue="q")
    group._draw = iter([0.25, 0.25, 0.75]).__next__
    Service("m", of=group, service_time=times.Constant(value_s=10.0), nodes=["busy", "idle"])
    publish(nats.subject("t"), 1.0, 2.0, 3.0)
    assert timeline(sim.run()) == [
        (1.0, "busy takes m-0"), (2.0, "busy takes m-1"), (3.0, "idle takes m-2"),
        (11.0, "busy: m-0 done"), (13.0, "idle: m-2 done"), (21.0, "busy: m-1 done"),
    ]  # fmt: skip


@pytest.mark.rule("KAF-35")
def test_probe_10_retention_removes_what_nobody_has_read_yet():
    """A record a second, segments of ten seconds kept for 30 s, looked at every 20 s; the group comes at 65 s."""
    sim = Simulation(seed=1)
    kafka = Kafka(partitions=1, segment_s=10.0, retention_s=30.0, retention_check_s=20.0, **GROUP).start(sim)
    topic = kafka.topic("t")
    group = topic.group("g")
    publish(topic, *[float(second) for second in range(1, 61)])
    sim.at(65.0, lambda: work(group, "late", 0.01))
    rows = sim.run(until_s=70.0).messages()
    gone, read = rows[rows["outcome"] == "expired"], rows[rows["outcome"] == "done"]
    assert set(gone["finished_s"]) == {60.0}
    assert gone["event_id"].tolist() == [f"m-{number}" for number in range(22)]
    assert read["event_id"].tolist() == [f"m-{number}" for number in range(22, 60)]
    assert read["started_s"].min() == 65.0


@pytest.mark.rule("KAF-19")
@pytest.mark.parametrize(
    ("commit", "by_b"),
    [("before_processing", []), ("after_batch", ["m-0", "m-1", "m-2", "m-3"])],
    ids=["before: three are lost", "after: one is done twice"],
)
def test_probe_11_a_batch_committed_before_processing_loses_and_after_processing_duplicates(commit, by_b):
    """Four records polled at 1 s, a second each. A dies at 2.5 s, in the second one, and B comes."""
    sim = Simulation(seed=1)
    topic = Kafka(partitions=1, commit=commit, session_timeout_s=6.0, heartbeat_s=2.0, **GROUP).start(sim).topic("t")
    group = topic.group("g")
    publish(topic, 0.5, 0.5, 0.5, 0.5)
    sim.at(1.0, lambda: work(group, "a", 1.0))
    sim.at(2.5, lambda: (sim.node("a").crash(), work(group, "b", 1.0)))
    rows = sim.run(until_s=60.0).messages()
    done = rows[rows["outcome"] == "done"].sort_values("finished_s")
    assert done[done["consumer"] == "a"]["event_id"].tolist() == ["m-0"]
    assert done[done["consumer"] == "b"]["event_id"].tolist() == by_b


@pytest.mark.rule("RMQ-11", "NAT-14")
@pytest.mark.parametrize("laid_out", [rabbitmq_one_by_one, jetstream])
def test_probe_12_a_nacked_message_without_a_limit_is_redelivered_for_ever_at_full_speed(
    laid_out: Callable[[Simulation], tuple[Any, Any]],
):
    """What is refused after 0.25 s of work comes again at once: 40 times in 10 s, before the message behind it."""
    sim = Simulation(seed=1)
    to, of = laid_out(sim)

    def refuse(event: Event, context: Any) -> None:
        raise RuntimeError("poison")

    work(of, "w", 0.25, handler=refuse)
    publish(to, 1.0, 1.5)
    run = sim.run(until_s=11.0)
    assert starts(run) == [(1.0 + 0.25 * number, "w", "m-0") for number in range(40)]
    assert [event for event, _, _ in still_open(run)] == ["m-0", "m-1"]
