"""What a producer promises: batches, acknowledgements, retries, once or twice, in order or not, and transactions."""

import pytest

from edasim import Event, Kafka, Service, Simulation, Source, load
from edasim.brokers.kafka import DeliveryTimeoutError, ProducerFencedError, TransactionError

QUICK = {"auto_offset_reset": "earliest", "initial_rebalance_delay_s": 0.0, "commit": "after_each"}


class Story:
    """A topic with three replicas, led by broker 0, and a reader."""

    def __init__(self, **settings):
        self.sim = Simulation(seed=1)
        self.kafka = Kafka(**{**QUICK, **settings}).start(self.sim)
        self.topic = self.kafka.topic("t")
        self.group = self.topic.group("g")
        Service("reader", of=self.group)
        self.told = []

    def publish_at(self, *times_s):
        Source("src", load=load.Trace(times_s=list(times_s)), to=self.topic)

    def at(self, time_s, act, *arguments):
        self.sim.at(time_s, lambda: act(*arguments))

    def send_at(self, producer, *times_s, key=None):
        """Sends records and notes what the producer is told, and when."""

        def sending(at_s, number):
            yield self.sim.env.timeout(at_s)
            told = producer.send(self.topic, Event(type="x", data=number, subject=key))
            try:
                answer = yield told
            except Exception as error:  # noqa: BLE001 - what a producer is told
                answer = type(error).__name__
            self.told.append((self.sim.env.now, number, answer))

        for number, at_s in enumerate(times_s):
            self.sim.env.process(sending(at_s, number))


def seen(run):
    table = run.messages()
    table = table[table["outcome"] == "done"]
    return list(zip(table["event_id"], table["started_s"], strict=True))


def in_log(topic, partition=0):
    return [None if record is None else record[0] & 0xFF for record in topic.logs[partition].records]


def kinds(run):
    return [(fact.time_s, fact.kind) for fact in run.fact_list]


# ------------------------------------------------------------------------------------------------ batches


@pytest.mark.rule("KAF-02")
def test_records_wait_for_linger_or_for_a_full_batch():
    story = Story(linger_s=0.5, record_bytes=1000, batch_bytes=3000)
    story.publish_at(1.0, 1.2, 3.0, 3.1, 3.2, 3.3)
    assert seen(story.sim.run()) == [
        ("src-0", 1.5), ("src-1", 1.5), ("src-2", 3.2), ("src-3", 3.2), ("src-4", 3.2), ("src-5", 3.8),
    ]  # fmt: skip


def test_without_times_the_long_way_is_as_quick_as_the_short_one():
    def read(careful):
        story = Story(partitions=3)
        if careful:
            story.topic.be_careful()
        Source(
            "src",
            load=load.Poisson(rate_per_s=10.0).first(300),
            to=story.topic,
            event=lambda occasion: Event(type="x", subject=f"k{occasion.number % 11}"),
        )
        return story.sim.run().messages()

    assert read(careful=True).equals(read(careful=False))


@pytest.mark.rule("KAF-05")
def test_offsets_grow_by_one_control_markers_included_and_are_never_used_again():
    story = Story(isolation="read_committed")
    producer = story.kafka.producer("p", transactional_id="t")

    def two_transactions():
        for _ in range(2):
            producer.begin()
            answers = [producer.send(story.topic, Event(type="x")) for _ in range(2)]
            yield producer.commit()
            story.told += [answer.value for answer in answers]

    story.sim.env.process(two_transactions())
    story.sim.run(until_s=5.0)
    assert story.told == [(0, 0), (0, 1), (0, 3), (0, 4)]
    assert in_log(story.topic) == [0, 1, None, 2, 3, None]
    story.topic.logs[0].delete_before(6)
    story.at(6.0, story.topic.publish, Event(type="x"))
    story.sim.run(until_s=10.0)
    assert [offset for offset, _ in story.topic.read(0)] == [6]


# ------------------------------------------------------------------------------------------------ acknowledgements


@pytest.mark.rule("KAF-26")
@pytest.mark.parametrize(("acks", "told_s"), [("all", 1.4), ("1", 1.2), ("0", 1.1)])
def test_acks_says_who_must_have_a_record_before_the_producer_is_told(acks, told_s):
    """A request takes 0.1 s each way, a follower 0.2 s. Nobody waits for an answer with acks=0."""
    story = Story(request_s=0.1, replication_s=0.2, acks=acks)
    story.send_at(story.kafka.producer("p"), 1.0)
    story.sim.run()
    assert [(round(at_s, 6), answer) for at_s, _, answer in story.told] == [(told_s, (0, 0))]


@pytest.mark.rule("KAF-26", "KAF-34")
@pytest.mark.parametrize(
    ("acks", "outcome", "started_s"), [("all", "done", 11.3), ("1", "dropped", None), ("0", "dropped", None)]
)
def test_the_loss_window_of_acks(acks, outcome, started_s):
    """The leader dies at 1.1 s, before its followers have the record of 1 s; another one leads from 10.1 s on.

    Who was not told by then tries again every 2 s, and is heard at 11.1 s.
    """
    story = Story(replication_s=0.2, acks=acks, retry_backoff_s=2.0)
    story.send_at(story.kafka.producer("p"), 1.0)
    story.at(1.1, story.kafka.crash_broker, 0)
    run = story.sim.run(until_s=60.0)
    (row,) = run.messages().to_dict("records")
    assert row["outcome"] == outcome
    assert row["started_s"] == pytest.approx(started_s) if started_s else row["started_s"] != row["started_s"]
    assert ((10.1, "records_lost") in kinds(run)) == (outcome == "dropped")


@pytest.mark.rule("KAF-27")
def test_a_write_is_refused_while_too_few_replicas_are_in_sync():
    """Two of three brokers are cut off and leave the in-sync set after 30 s; min.insync.replicas is 2."""
    story = Story(min_in_sync=2, delivery_timeout_s=20.0)
    story.at(1.0, story.kafka.cut_off_broker, 1)
    story.at(1.0, story.kafka.cut_off_broker, 2)
    strict, lax = story.kafka.producer("strict"), story.kafka.producer("lax", acks="1")
    story.send_at(strict, 35.0, 50.0)
    story.send_at(lax, 36.0)
    story.at(60.0, story.kafka.reconnect_broker, 1)
    story.sim.run(until_s=200.0)
    told = sorted((round(at_s, 1), number, answer) for at_s, number, answer in story.told)
    assert told[0] == (36.0, 0, (0, 0))
    assert told[1][1:] == (0, "DeliveryTimeoutError")
    assert 54.8 <= told[1][0] <= 55.0
    assert told[2][1:] == (1, (0, 1))
    assert 60.0 <= told[2][0] <= 60.2


@pytest.mark.rule("KAF-31")
def test_the_delivery_timeout_ends_the_attempts():
    story = Story(delivery_timeout_s=120.0)
    for broker in range(3):
        story.at(0.5, story.kafka.crash_broker, broker)
    story.send_at(story.kafka.producer("p"), 1.0)
    run = story.sim.run(until_s=300.0)
    ((at_s, _, error),) = story.told
    assert (error, round(at_s)) == (DeliveryTimeoutError.__name__, 121)
    assert run.messages()["outcome"].tolist() == ["expired"]


# ------------------------------------------------------------------------------------------------ once, in order


@pytest.mark.rule("KAF-28")
def test_an_idempotent_retry_is_stored_once():
    """Broker 2 is cut off before it has the record, so it is not acknowledged when the leader dies; broker 1 has it."""
    story = Story(replication_s=0.2)
    story.at(0.5, story.kafka.cut_off_broker, 2)
    story.send_at(story.kafka.producer("p"), 1.0)
    story.at(5.0, story.kafka.crash_broker, 0)
    story.at(20.0, story.kafka.reconnect_broker, 2)
    run = story.sim.run(until_s=120.0)
    assert in_log(story.topic) == [0]
    assert [number for _, number, _ in story.told] == [0]
    assert len(run.messages()) == 1


@pytest.mark.rule("KAF-28")
def test_without_idempotence_a_retry_is_stored_twice():
    story = Story(replication_s=0.2, idempotence=False)
    story.at(0.5, story.kafka.cut_off_broker, 2)
    story.send_at(story.kafka.producer("p"), 1.0)
    story.at(5.0, story.kafka.crash_broker, 0)
    story.at(20.0, story.kafka.reconnect_broker, 2)
    run = story.sim.run(until_s=120.0)
    assert in_log(story.topic) == [0, 0]
    assert run.messages()["outcome"].tolist() == ["done", "done"]


def two_in_flight(**settings):
    """The leader is noticed to be down at 10 s. The first record is refused at 9.95 s and tried again at 10.95 s; the
    second comes at 10.05 s, when there is a leader again."""
    story = Story(retry_backoff_s=1.0, **settings)
    story.at(1.0, story.kafka.crash_broker, 0)
    story.send_at(story.kafka.producer("p"), 9.95, 10.05)
    story.sim.run(until_s=60.0)
    return story


@pytest.mark.rule("KAF-04")
def test_a_retry_can_come_behind_what_was_sent_later():
    assert in_log(two_in_flight(idempotence=False).topic) == [1, 0]
    assert in_log(two_in_flight(idempotence=False, in_flight=1).topic) == [0, 1]


@pytest.mark.rule("KAF-04", "KAF-28")
def test_an_idempotent_producer_keeps_the_order():
    assert in_log(two_in_flight().topic) == [0, 1]


# ------------------------------------------------------------------------------------------------ transactions


def in_transaction(story, *, end, at_s, orders):
    producer = story.kafka.producer("p", transactional_id="t")

    def process():
        yield story.sim.env.timeout(1.0)
        producer.begin()
        for topic in orders:
            producer.send(topic, Event(type="x"))
            yield story.sim.env.timeout(1.0)
        producer.send_offsets(story.group, {("t", 0): 1})
        yield story.sim.env.timeout(at_s - story.sim.env.now)
        if end is not None:
            getattr(producer, end)()

    story.sim.env.process(process())
    return producer


@pytest.mark.rule("KAF-29")
@pytest.mark.parametrize("isolation", ["read_committed", "read_uncommitted"])
@pytest.mark.parametrize("end", ["commit", "abort"])
def test_records_and_offsets_become_visible_together(isolation, end):
    story = Story(isolation=isolation)
    other = story.kafka.topic("other")
    Service("reader of the other", of=other.group("og"))
    in_transaction(story, end=end, at_s=10.0, orders=[story.topic, other])
    story.at(5.0, story.topic.publish, Event(type="x"))
    run = story.sim.run(until_s=30.0)
    rows = sorted((row.event_id, row.started_s) for row in run.messages().itertuples() if row.outcome == "done")
    if isolation == "read_uncommitted":
        assert rows == [("by-hand-0", 5.0), ("p-0", 1.0), ("p-1", 2.0)]
    elif end == "commit":
        assert rows == [("by-hand-0", 10.0), ("p-0", 10.0), ("p-1", 10.0)]
    else:
        assert rows == [("by-hand-0", 10.0)]


@pytest.mark.rule("KAF-29")
def test_an_open_transaction_holds_readers_back_for_sixty_seconds():
    story = Story(isolation="read_committed")
    in_transaction(story, end=None, at_s=4.0, orders=[story.topic])
    story.at(5.0, story.topic.publish, Event(type="x"))
    run = story.sim.run(until_s=100.0)
    assert seen(run) == [("by-hand-0", 61.0)]
    assert (61.0, "transaction_timed_out") in kinds(run)


@pytest.mark.rule("KAF-29")
def test_offsets_in_a_transaction_are_committed_with_it_or_not_at_all():
    def committed(end):
        story = Story()
        other = story.kafka.topic("input")
        group = other.group("consume-transform-produce")
        producer = story.kafka.producer("p", transactional_id="t")

        def process():
            producer.begin()
            producer.send(story.topic, Event(type="x"))
            producer.send_offsets(group, {("input", 0): 0})
            yield story.sim.env.timeout(1.0)
            getattr(producer, end)()

        story.sim.env.process(process())
        story.sim.run(until_s=5.0)
        return group.places.committed()[("input", 0)]

    assert (committed("commit"), committed("abort")) == (0, None)


@pytest.mark.rule("KAF-30")
def test_a_new_producer_with_the_same_id_shuts_the_old_one_out():
    story = Story(isolation="read_committed")
    old = in_transaction(story, end=None, at_s=4.0, orders=[story.topic])

    def successor():
        new = story.kafka.producer("p2", transactional_id="t")
        for verb in (old.begin, old.commit, old.abort, lambda: old.send(story.topic, Event(type="x"))):
            with pytest.raises(ProducerFencedError, match="newer producer"):
                verb()
        new.begin()
        new.send(story.topic, Event(type="x"))
        new.commit()

    story.at(6.0, successor)
    run = story.sim.run(until_s=30.0)
    assert seen(run) == [("p2-0", 6.0)]
    assert (6.0, "producer_fenced") in kinds(run)


def test_a_transaction_s_verbs_have_their_order():
    story = Story()
    plain, transactional = story.kafka.producer("p"), story.kafka.producer("q", transactional_id="t")
    for verb in (plain.begin, transactional.commit, transactional.abort):
        with pytest.raises(TransactionError, match="cannot"):
            verb()
    with pytest.raises(TransactionError, match="begin a transaction first"):
        transactional.send(story.topic, Event(type="x"))
