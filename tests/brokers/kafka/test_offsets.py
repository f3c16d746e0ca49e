"""Offsets: what is committed when, where reading begins, what is done twice and what never."""

import pytest

from edasim import Event, Kafka, Service, Simulation, Source, load, times
from edasim.brokers.kafka import CommitFailedError, NoOffsetForPartitionError, OffsetOutOfRangeError
from edasim.errors import ConfigurationError, StateError, UnknownNameError

QUICK = {"auto_offset_reset": "earliest", "initial_rebalance_delay_s": 0.0}


class Story:
    """One topic with one partition unless said otherwise, and the group "g"."""

    def __init__(self, skip_after=None, **settings):
        self.sim = Simulation(seed=1)
        self.kafka = Kafka(**{**QUICK, **settings}).start(self.sim)
        self.topic = self.kafka.topic("t")
        self.group = self.topic.group("g", skip_after=skip_after)

    def work(self, service_s=0.25, **more):
        times_s = service_s if not isinstance(service_s, float) else times.Constant(value_s=service_s)
        return Service("w", of=self.group, service_time=times_s, **more)

    def publish(self, count, every_s=1.0, **more):
        Source("src", load=load.Constant(rate_per_s=1 / every_s).first(count), to=self.topic, **more)

    def crash(self, at_s, back_s=None):
        self.sim.at(at_s, lambda: self.sim.node("w/0").crash())
        if back_s is not None:
            self.sim.at(back_s, lambda: self.sim.node("w/0").restart())


def rows(run, *columns):
    return run.messages()[list(columns)].to_numpy().tolist()


def done(run):
    table = run.messages()
    table = table[table["outcome"] == "done"].sort_values("finished_s", kind="stable")
    return list(table["event_id"])


def facts(run, *kinds):
    return [(fact.time_s, fact.detail) for fact in run.fact_list if fact.kind in kinds]


# ------------------------------------------------------------------------------------------------ commits and crashes


@pytest.mark.rule("KAF-19")
@pytest.mark.parametrize(
    ("commit", "again", "lost"),
    [
        ("after_each", ["src-3"], []),
        ("after_batch", ["src-1", "src-2", "src-3"], []),
        ("before_processing", [], ["src-3", "src-4", "src-5"]),
        ("auto", ["src-0", "src-1", "src-2", "src-3"], []),
    ],
)
def test_a_batch_commit_before_processing_loses_and_after_processing_duplicates(commit, again, lost):
    """Six records at once, a second each: the first poll returns one, the next the others; a crash in the fourth."""
    story = Story(commit=commit)
    Source("src", load=load.Trace(times_s=[1.0] * 6), to=story.topic, event=lambda _: Event(type="x"))
    story.work(service_s=1.0, nodes=1)
    story.crash(at_s=4.5, back_s=5.0)
    run = story.sim.run(until_s=120.0)
    table = run.messages()
    assert sorted(set(table[table["attempt"] == 2]["event_id"])) == again
    assert [event for event in (f"src-{n}" for n in range(6)) if event not in done(run)] == lost


@pytest.mark.rule("KAF-19")
def test_a_new_owner_starts_at_the_committed_offset_of_the_group():
    """The offset belongs to the group: B, who never saw the partition, goes on where A had committed."""
    story = Story(commit="after_each")
    story.work(nodes=["a", "b"])
    story.sim.at(10.0, lambda: story.group.close("a"))
    story.publish(20)
    run = story.sim.run()
    assert rows(run, "attempt", "outcome") == [[1, "done"]] * 20
    assert set(run.messages()["consumer"]) == {"a", "b"}
    assert story.group.places.committed() == {("t", 0): 20}


@pytest.mark.rule("KAF-20")
def test_automatic_commits_happen_in_poll_every_five_seconds():
    story = Story()
    story.work()
    story.publish(20)
    run = story.sim.run(until_s=30.0)
    assert facts(run, "offsets_committed") == [
        (at_s, {"member": "w/0", "offsets": {"t-0": offset}})
        for at_s, offset in [(5.0, 4), (10.0, 9), (15.0, 14), (20.0, 19), (25.0, 20)]
    ]


@pytest.mark.rule("KAF-20")
def test_automatic_commits_lose_what_was_handed_to_another_thread():
    """Two slots: one works on a record for 20 s while the other keeps polling, and each poll commits both."""
    story = Story(partitions=2, keyless="round_robin")
    story.work(service_s=times.Trace(values_s=[20.0] + [0.1] * 40), concurrency=2)
    story.publish(10)
    story.crash(at_s=12.5, back_s=13.0)
    run = story.sim.run(until_s=120.0)
    assert rows(run, "event_id", "outcome")[0] == ["src-0", "crashed"]
    assert "src-0" not in done(run)


@pytest.mark.rule("KAF-18")
def test_a_commit_of_an_older_generation_is_refused_and_the_work_done_again():
    story = Story(commit="after_each", max_poll_interval_s=60.0)
    story.work(service_s=times.Trace(values_s=[100.0, 0.1, 0.1, 0.1]), nodes=2)
    story.publish(1)
    run = story.sim.run(until_s=200.0)
    assert facts(run, "commit_refused") == [
        (101.0, {"member": "w/0", "generation": 1, "offsets": {"t-0": 1}}),
    ]
    assert done(run) == ["src-0", "src-0"]


@pytest.mark.rule("KAF-18")
def test_a_commit_by_hand_from_outside_the_group_is_an_error():
    story = Story(commit="after_batch", max_poll_interval_s=60.0)
    errors = []

    def consumer():
        record = yield story.group.receive(consumer="c")
        yield story.sim.env.timeout(100.0)
        try:
            record.commit()
        except CommitFailedError as error:
            errors.append((error.field, error.value, error.at_s))

    story.sim.env.process(consumer())
    story.publish(1)
    story.sim.run(until_s=200.0)
    assert errors == [("commit", 1, 101.0)]


# ------------------------------------------------------------------------------------------------ where reading begins


@pytest.mark.rule("KAF-21")
@pytest.mark.parametrize(
    ("reset", "outcomes"), [("latest", ["filtered"] * 4 + ["done"] * 6), ("earliest", ["done"] * 10)]
)
def test_without_a_committed_offset_the_reset_decides(reset, outcomes):
    """The group gets its partition at 4.5 s."""
    story = Story(auto_offset_reset=reset)
    story.sim.at(4.5, story.work)
    story.publish(10)
    run = story.sim.run()
    assert rows(run, "outcome") == [[outcome] for outcome in outcomes]
    assert facts(run, "offset_reset")[0][1] == {
        "topic": "t", "partition": 0, "to": reset, "offset": 4 if reset == "latest" else 0,
        "because": "nothing was committed",
    }  # fmt: skip


@pytest.mark.rule("KAF-21")
def test_without_a_reset_there_is_an_error():
    story = Story(auto_offset_reset="none")
    story.work()
    with pytest.raises(NoOffsetForPartitionError, match="t-0"):
        story.sim.run(until_s=10.0)


@pytest.mark.rule("KAF-22")
def test_the_offsets_of_an_empty_group_are_forgotten():
    def second_life_begins_with(down_s):
        story = Story(commit="after_each", offsets_retention_s=600.0, session_timeout_s=45.0)
        story.work()
        story.publish(3)
        story.crash(at_s=10.0, back_s=10.0 + down_s)
        return done(story.sim.run(until_s=2000.0))[3:]

    assert second_life_begins_with(down_s=600.0) == []
    assert second_life_begins_with(down_s=700.0) == ["src-0", "src-1", "src-2"]


@pytest.mark.rule("KAF-24")
def test_lag_is_the_end_of_the_log_minus_the_committed_offset():
    story = Story(commit="auto")
    story.work(service_s=0.25)
    story.publish(20)
    told = {}
    for at_s in (4.5, 5.5, 9.5, 30.0):
        story.sim.at(at_s, lambda at_s=at_s: told.update({at_s: story.group.lag()[("t", 0)]}))
    story.sim.run(until_s=40.0)
    assert told == {4.5: 4, 5.5: 1, 9.5: 5, 30.0: 0}


@pytest.mark.rule("KAF-37")
def test_reading_removes_nothing_and_may_start_anywhere():
    story = Story(commit="after_each")
    story.work()
    story.publish(10)
    story.sim.at(20.0, lambda: story.group.seek("t", 0, 7))
    story.sim.at(30.0, lambda: story.group.seek("t", 0, story.topic.logs[0].offset_at(9.0)))
    run = story.sim.run()
    assert done(run)[10:] == ["src-7", "src-8", "src-9", "src-8", "src-9"]
    assert [offset for offset, _ in story.topic.read(0)] == list(range(10))


@pytest.mark.rule("KAF-37")
def test_offsets_can_be_reset_in_an_empty_group_only():
    story = Story(commit="after_each")
    story.work()
    story.publish(4)

    def too_early():
        with pytest.raises(StateError, match="w/0"):
            story.group.places.reset_offsets(lambda place: place.log.base)

    story.sim.at(5.0, too_early)
    story.sim.at(10.0, lambda: story.group.close("w/0"))
    story.sim.at(20.0, lambda: story.group.places.reset_offsets(lambda place: place.log.base + 2))
    story.sim.at(30.0, lambda: Service("again", of=story.group))
    assert done(story.sim.run())[4:] == ["src-2", "src-3"]


# ------------------------------------------------------------------------------------------------ poll, poison


@pytest.mark.rule("KAF-23")
def test_a_poll_returns_at_most_max_poll_records():
    story = Story(max_poll_records=3, commit="before_processing")
    Source("src", load=load.Trace(times_s=[1.0] * 8), to=story.topic)
    told = []
    story.work(service_s=1.0)
    for at_s in (0.5, 1.5, 2.5, 4.5, 5.5, 7.5, 8.5):
        story.sim.at(at_s, lambda at_s=at_s: told.append((at_s, story.group.places.committed()[("t", 0)])))
    run = story.sim.run()
    assert told == [(0.5, None), (1.5, 1), (2.5, 4), (4.5, 4), (5.5, 7), (7.5, 7), (8.5, 8)]
    assert run.messages()["delivered_s"].tolist() == [1.0, 2.0, 2.0, 2.0, 5.0, 5.0, 5.0, 8.0]


@pytest.mark.rule("KAF-23")
def test_a_fetch_waits_for_enough_bytes_or_for_half_a_second():
    """Fetches of a member that waits since 0 s are answered every half second, or when 300 bytes are there."""
    story = Story(fetch_min_bytes=300, record_bytes=100)
    Source("src", load=load.Trace(times_s=[1.2, 2.1, 2.2, 2.3]), to=story.topic)
    story.work(service_s=0.0)
    assert story.sim.run(until_s=9.0).messages()["started_s"].tolist() == [1.5, 2.3, 2.3, 2.3]


def poison(event, context):
    if event.id == "src-2":
        raise RuntimeError("cannot read this")


@pytest.mark.rule("KAF-25")
def test_a_poison_record_blocks_its_partition_at_full_speed():
    story = Story(partitions=2, keyless="round_robin", commit="after_each")
    story.work(service_s=0.5, handler=poison)
    story.publish(6)
    run = story.sim.run(until_s=20.0)
    table = run.messages()
    assert (table["outcome"] == "failed").sum() == 33
    assert set(table[table["event_id"] == "src-2"]["outcome"]) == {"failed", "in_flight"}
    assert set(table[table["event_id"] == "src-4"]["outcome"]) == {"queued"}


@pytest.mark.rule("KAF-25")
def test_the_application_may_skip_it():
    story = Story(skip_after=3, commit="after_each")
    story.work(service_s=0.1, handler=poison)
    story.publish(4)
    assert rows(story.sim.run(), "event_id", "attempt", "outcome") == [
        ["src-0", 1, "done"], ["src-1", 1, "done"], ["src-2", 1, "failed"], ["src-2", 2, "failed"],
        ["src-2", 3, "dropped"], ["src-3", 1, "done"],
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------ bad input


def test_what_kafka_would_refuse_is_refused_in_its_words():
    story = Story()
    story.work()
    story.publish(2)
    story.sim.run()
    with pytest.raises(OffsetOutOfRangeError, match="from 0 to 2"):
        story.group.seek("t", 0, 3)
    with pytest.raises(UnknownNameError, match="t-7"):
        story.group.seek("t", 7, 0)
    with pytest.raises(ConfigurationError, match="249"):
        story.kafka.topic("no blanks")
    with pytest.raises(ConfigurationError, match="exists already"):
        story.kafka.topic("t", partitions=3)
    with pytest.raises(ConfigurationError, match="another name"):
        story.kafka.group("g", [story.kafka.topic("other")])
    with pytest.raises(ConfigurationError, match="can only grow"):
        story.topic.add_partitions(1)
    with pytest.raises(ConfigurationError, match="brokers"):
        Kafka(replicas=4)
    with pytest.raises(ConfigurationError, match="at most 5"):
        Kafka(in_flight=6)
    with pytest.raises(ConfigurationError, match="session_timeout_s"):
        Kafka(heartbeat_s=50.0)


# ------------------------------------------------------------------------------------------------ by hand, closed loads


def test_a_process_reads_and_commits_in_kafka_s_own_words():
    story = Story(partitions=2, keyless="round_robin", commit="after_batch")
    told = []

    def consumer():
        while True:
            record = yield story.group.receive(consumer="c")
            told.append((record.event.id, record.partition, record.offset, record.attempt, record.polled_s))
            yield story.sim.env.timeout(1.5)
            record.commit()
            with pytest.raises(StateError, match="settled already"):
                record.done()

    story.sim.env.process(consumer())
    story.publish(4)
    run = story.sim.run(until_s=20.0)
    assert told == [
        ("src-0", 0, 0, 1, 1.0), ("src-1", 1, 0, 1, 2.5), ("src-2", 0, 1, 1, 4.0), ("src-3", 1, 1, 1, 5.5),
    ]  # fmt: skip
    assert story.group.places.committed() == {("t", 0): 2, ("t", 1): 2}
    assert rows(run, "consumer", "outcome") == [["c", "done"]] * 4


def test_a_process_that_gives_up_a_receive_gets_the_record_again():
    story = Story(commit="after_each")
    told = []

    def impatient():
        yield story.sim.env.timeout(0.5)
        receive = story.group.receive(consumer="c")
        yield receive | story.sim.env.timeout(0.25)
        receive.cancel()
        record = yield story.group.receive(consumer="c")
        told.append((story.sim.env.now, record.event.id))
        record.done()
        receive = story.group.receive(consumer="c")
        record = yield receive
        receive.cancel()
        record = yield story.group.receive(consumer="c")
        told.append((story.sim.env.now, record.event.id, record.attempt))
        record.done()

    story.sim.env.process(impatient())
    story.publish(2)
    run = story.sim.run(until_s=20.0)
    assert told == [(1.0, "src-0"), (2.0, "src-1", 2)]
    assert rows(run, "event_id", "outcome") == [["src-0", "done"], ["src-1", "requeued"], ["src-1", "done"]]


@pytest.mark.rule("KAF-14")
def test_a_process_that_stops_asking_is_out_of_the_group_after_the_poll_interval():
    story = Story(commit="after_each")

    def once():
        record = yield story.group.receive(consumer="c")
        record.done()

    story.sim.env.process(once())
    story.publish(1)
    run = story.sim.run(until_s=400.0)
    assert [at_s for at_s, _ in facts(run, "poll_interval_exceeded")] == [301.0]


def test_a_closed_load_hears_when_a_group_has_processed_its_message():
    story = Story(commit="after_batch")
    users = load.Closed(users=1, think_time=times.Constant(value_s=1.0))
    Source("src", load=users, to=story.topic)
    story.work(service_s=0.5)
    assert story.sim.run(until_s=6.5).messages()["published_s"].tolist() == [1.0, 2.5, 4.0, 5.5]


def test_at_most_once_by_the_service_s_own_acknowledgement():
    story = Story(commit="after_each")
    story.work(service_s=2.0, acknowledge="on_delivery")
    story.publish(1)
    story.crash(at_s=2.0, back_s=3.0)
    run = story.sim.run(until_s=100.0)
    assert rows(run, "event_id", "outcome") == [["src-0", "dropped"]]
    assert story.group.places.committed() == {("t", 0): 1}
