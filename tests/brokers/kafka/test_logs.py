"""The log behind a topic: replicas and elections, retention and compaction, more partitions."""

import pytest

from edasim import Event, Kafka, Service, Simulation, Source, load, times
from edasim.errors import ConfigurationError, StateError

QUICK = {"auto_offset_reset": "earliest", "initial_rebalance_delay_s": 0.0, "commit": "after_each"}


class Story:
    """A topic and perhaps a reader."""

    def __init__(self, cleanup="delete", reader_s=0.0, **settings):
        self.sim = Simulation(seed=1)
        self.kafka = Kafka(**{**QUICK, **settings}).start(self.sim)
        self.topic = self.kafka.topic("t", cleanup=cleanup)
        self.group = self.topic.group("g")
        if reader_s is not None:
            Service("reader", of=self.group, service_time=times.Constant(value_s=reader_s))

    def publish(self, count, every_s=1.0, keys=None):
        def event(occasion):
            return Event(type="x", subject=None if keys is None else f"k{occasion.number % keys}", data=occasion.number)

        Source("src", load=load.Constant(rate_per_s=1 / every_s).first(count), to=self.topic, event=event)

    def at(self, time_s, act, *arguments):
        self.sim.at(time_s, lambda: act(*arguments))


def kinds(run, *wanted):
    return [(fact.time_s, fact.kind) for fact in run.fact_list if not wanted or fact.kind in wanted]


def started(run):
    return run.messages()["started_s"].tolist()


# ------------------------------------------------------------------------------------------------ replicas


@pytest.mark.rule("KAF-32")
def test_consumers_see_a_record_when_all_in_sync_replicas_have_it():
    story = Story(replication_s=0.25)
    story.publish(3)
    assert started(story.sim.run()) == [1.25, 2.25, 3.25]


@pytest.mark.rule("KAF-32", "KAF-33")
def test_a_follower_that_is_cut_off_holds_readers_back_until_it_leaves_the_in_sync_set():
    """Cut off at 1.5 s: the records from 2 s on can be read at 31.5 s, when the follower has lagged for 30 s."""
    story = Story()
    story.publish(3)
    story.at(1.5, story.kafka.cut_off_broker, 2)
    story.at(40.0, story.kafka.reconnect_broker, 2)
    run = story.sim.run()
    assert started(run) == [1.0, 31.5, 31.5]
    assert kinds(run, "isr_shrunk", "isr_expanded") == [(31.5, "isr_shrunk"), (40.0, "isr_expanded")]


@pytest.mark.rule("KAF-34")
def test_an_in_sync_replica_leads_after_the_leader_has_failed():
    story = Story(delivery_timeout_s=60.0)
    story.publish(20)
    story.at(5.5, story.kafka.crash_broker, 0)
    run = story.sim.run()
    assert (run.messages()["outcome"] == "done").all()
    (elected,) = [fact for fact in run.fact_list if fact.kind == "leader_elected"]
    assert elected.time_s == 14.5
    assert elected.detail == {"broker": 1, "was": 0, "in_sync": [1, 2], "clean": True}
    assert [at_s for at_s in started(run) if 5.5 < at_s < 14.5] == []


@pytest.mark.rule("KAF-34")
@pytest.mark.parametrize(("unclean", "lost"), [(False, 0), (True, 5)])
def test_an_unclean_election_loses_what_was_acknowledged(unclean, lost):
    """Brokers 1 and 2 are cut off at 0.5 s and out of the set at 30.5 s; the only one in sync fails at 40.5 s."""
    story = Story(unclean_election=unclean)
    for broker in (1, 2):
        story.at(0.5, story.kafka.cut_off_broker, broker)
    story.publish(5, every_s=7.0)
    story.at(40.5, story.kafka.crash_broker, 0)
    story.at(80.0, story.kafka.restart_broker, 0)
    run = story.sim.run(until_s=100.0)
    gone = [fact.detail["records"] for fact in run.fact_list if fact.kind == "records_lost"]
    assert sum(gone) == lost
    assert len(story.topic.read(0)) == 5 - lost
    assert ((49.5, "partition_offline") in kinds(run)) == (not unclean)


def test_a_leader_that_is_back_before_it_is_missed_goes_on():
    story = Story(retry_backoff_s=0.5)
    story.publish(10)
    story.at(3.5, story.kafka.crash_broker, 0)
    story.at(6.0, story.kafka.restart_broker, 0)
    run = story.sim.run()
    assert kinds(run, "leader_elected", "records_lost") == []
    assert (run.messages()["outcome"] == "done").all()
    with pytest.raises(StateError, match="up already"):
        story.kafka.restart_broker(0)
    with pytest.raises(ConfigurationError, match="broker"):
        story.kafka.crash_broker(3)


# ------------------------------------------------------------------------------------------------ retention


RETAIN = {"segment_s": 10.0, "retention_s": 60.0, "retention_check_s": 30.0}


@pytest.mark.rule("KAF-35")
def test_retention_removes_old_segments_whether_read_or_not():
    """A record a second. Segments of about ten; at 90 s those go whose youngest record is older than 60 s."""
    story = Story(reader_s=None, **RETAIN)
    story.publish(100)
    run = story.sim.run(until_s=100.0)
    table = run.messages()
    first, last = story.topic.logs[0].base, story.topic.logs[0].end
    assert (table["outcome"] == "expired").sum() == first == 22
    assert (table["outcome"] == "queued").sum() == last - first
    assert set(table[table["outcome"] == "expired"]["finished_s"]) == {90.0}


@pytest.mark.rule("KAF-35", "KAF-21")
def test_a_slow_consumer_loses_what_retention_overtakes():
    story = Story(reader_s=3.0, **RETAIN)
    story.publish(200)
    run = story.sim.run(until_s=400.0)
    table = run.messages()
    outcomes = set(table["outcome"])
    assert {"done", "expired"} <= outcomes
    resets = [fact.detail for fact in run.fact_list if fact.kind == "offset_reset"][1:]
    assert resets
    assert all(detail["because"] == "out of range" for detail in resets)
    assert table["event_id"].nunique() == 200
    assert not table["event_id"].duplicated().any()


@pytest.mark.rule("KAF-35")
def test_retention_by_size_keeps_at_least_so_much():
    story = Story(reader_s=None, segment_bytes=1000, retention_bytes=2500, record_bytes=100, retention_check_s=30.0)
    story.publish(100)
    story.sim.run(until_s=121.0)
    log = story.topic.logs[0]
    assert (log.base, log.end) == (70, 100)


@pytest.mark.rule("KAF-36")
def test_compaction_keeps_the_last_record_of_each_key_in_closed_segments():
    story = Story(cleanup="compact", segment_s=10.0, retention_check_s=30.0)
    story.publish(25, keys=3)
    story.at(60.0, lambda: story.group.seek("t", 0, 0))
    run = story.sim.run(until_s=61.0)
    kept = [offset for offset, _ in story.topic.read(0)]
    assert kept == [22, 23, 24]
    again = run.messages()
    assert again[again["attempt"] == 2]["event_id"].tolist() == ["src-22", "src-23", "src-24"]
    assert story.topic.logs[0].end == 25


@pytest.mark.rule("KAF-36")
def test_a_tombstone_stays_for_a_while():
    story = Story(cleanup="compact", segment_s=5.0, retention_check_s=30.0, delete_retention_s=100.0)

    def send(at_s, key, data):
        event = Event(type="x", subject=key) if data is None else Event(type="x", subject=key, data=data)
        story.at(at_s, lambda: story.topic.publish(event))

    send(1.0, "a", 1)
    send(2.0, "a", None)
    send(20.0, "b", 2)
    told = {}
    for at_s in (31.0, 91.0, 121.0):
        story.at(at_s, lambda at_s=at_s: told.update({at_s: [offset for offset, _ in story.topic.read(0)]}))
    story.sim.run(until_s=130.0)
    assert told == {31.0: [1, 2], 91.0: [1, 2], 121.0: [2]}


# ------------------------------------------------------------------------------------------------ more partitions


@pytest.mark.rule("KAF-03")
def test_more_partitions_send_old_keys_elsewhere_and_break_their_order():
    """One key, one record a second, in partition 0 with its backlog; from 20.5 s on it goes to another partition."""
    story = Story(reader_s=None, partitions=1, metadata_max_age_s=5.0)
    Service("quick", of=story.group, service_time=times.Constant(value_s=2.0), nodes=2)

    def event(occasion):
        return Event(type="x", subject="user-1")

    Source("src", load=load.Constant(rate_per_s=1.0).first(40), to=story.topic, event=event)
    story.at(20.5, story.topic.add_partitions, 12)
    rows = story.sim.run().messages()
    assert rows.groupby("partition")["published_s"].agg(["min", "max"]).to_numpy().tolist() == [[1, 20], [21, 40]]
    by_start = rows.sort_values("started_s", kind="stable")["published_s"]
    assert not by_start.is_monotonic_increasing
    for _, one in rows.groupby("partition"):
        assert one["started_s"].is_monotonic_increasing
