"""Who reads what, and when: joins, rebalances and departures of a group, told with their times."""

import pytest

from edasim import Event, Kafka, Service, Simulation, Source, load, times

QUICK = {"auto_offset_reset": "earliest", "initial_rebalance_delay_s": 0.0, "commit": "after_each"}


class Story:
    """A topic with six partitions and a group of members with one slot; each is a service, so that it can come late."""

    def __init__(self, seed=1, partitions=6, **settings):
        self.sim = Simulation(seed=seed)
        self.kafka = Kafka(partitions=partitions, **{**QUICK, **settings}).start(self.sim)
        self.turn = -1
        self.topic = self.kafka.topic("t", partitioner=self.in_turn)
        self.group = self.topic.group("g")

    def in_turn(self, message):
        self.turn += 1
        return self.turn % self.topic.partitions

    def member(self, name, at_s=0.0, service_s=0.01):
        def start():
            Service(name, of=self.group, service_time=times.Constant(value_s=service_s), nodes=[name])

        if at_s == 0.0:
            start()
        else:
            self.sim.at(at_s, start)

    def publish(self, every_s=0.1, count=600):
        Source("src", load=load.Constant(rate_per_s=1 / every_s).first(count), to=self.topic)

    def facts(self, run, *kinds):
        return [(fact.time_s, fact.kind, fact.detail.get("member")) for fact in run.fact_list if fact.kind in kinds]

    def assignments(self, run):
        return [
            (fact.time_s, fact.detail["assignment"]) for fact in run.fact_list if fact.kind == "rebalance_completed"
        ]


def started(run, partition):
    rows = run.messages()
    return rows[rows["partition"] == partition].sort_values("started_s")[["started_s", "consumer"]]


@pytest.mark.rule("KAF-17")
def test_the_first_rebalance_waits_three_seconds_and_as_long_again_if_more_members_came():
    alone, two, late = (Story(initial_rebalance_delay_s=3.0) for _ in range(3))
    alone.member("a")
    two.member("a")
    two.member("b", at_s=2.0)
    late.member("a")
    late.member("b", at_s=4.0)
    assert [at_s for at_s, _ in alone.assignments(alone.sim.run(until_s=60.0))] == [3.0]
    assert [at_s for at_s, _ in two.assignments(two.sim.run(until_s=60.0))] == [6.0]
    assert [at_s for at_s, _ in late.assignments(late.sim.run(until_s=60.0))] == [3.0, 6.0]


@pytest.mark.rule("KAF-06")
def test_a_partition_has_one_reader_and_the_member_too_many_gets_nothing():
    story = Story(partitions=12)
    for number in range(13):
        story.member(f"m{number:02}")
    story.publish()
    run = story.sim.run()
    ((at_s, given),) = story.assignments(run)
    assert (at_s, [len(partitions) for partitions in given.values()]) == (0.0, [1] * 12 + [0])
    assert "m12" not in set(run.messages()["consumer"])
    assert (run.messages().groupby("partition")["consumer"].nunique() == 1).all()


@pytest.mark.rule("KAF-06")
def test_groups_do_not_affect_each_other():
    def one(with_other):
        story = Story()
        story.member("a")
        if with_other:
            other = story.topic.group("other")
            Service("slow", of=other, service_time=times.Constant(value_s=3.0), nodes=2)
            story.sim.at(10.0, lambda: story.sim.node("slow/0").crash())
        story.publish()
        rows = story.sim.run(until_s=100.0).messages()
        return rows[rows["group"] == "g"].drop(columns="attempt").reset_index(drop=True)

    assert one(with_other=True).equals(one(with_other=False))


@pytest.mark.rule("KAF-12")
def test_an_eager_rebalance_stops_every_member():
    """C joins at 20 s. A and B hear of it with their heartbeats at 21 s and let go; they all go on at once then."""
    story = Story()
    story.member("a")
    story.member("b")
    story.member("c", at_s=20.0)
    story.publish(every_s=0.1, count=400)
    run = story.sim.run()
    assert story.facts(run, "member_joined", "partitions_revoked", "rebalance_completed")[3:] == [
        (20.0, "member_joined", "c"),
        (21.0, "partitions_revoked", "a"),
        (21.0, "partitions_revoked", "b"),
        (21.0, "rebalance_completed", None),
    ]
    assert story.assignments(run) == [
        (0.0, {"a": ["t-0", "t-1", "t-2"], "b": ["t-3", "t-4", "t-5"]}),
        (21.0, {"a": ["t-0", "t-1"], "b": ["t-2", "t-3"], "c": ["t-4", "t-5"]}),
    ]


@pytest.mark.rule("KAF-12")
def test_a_rebalance_waits_for_the_member_that_is_busy_and_meanwhile_nobody_reads():
    """B works on the record of 19 s until 31 s, and joins again only then; A has let go at its heartbeat at 21 s."""
    story = Story(partitions=2)
    story.member("a")
    lasting = times.Trace(values_s=[0.01] * 18 + [12.0] + [0.01] * 60)
    Service("b", of=story.group, service_time=lasting, nodes=["b"])
    story.member("c", at_s=20.0)
    story.publish(every_s=0.5, count=100)
    run = story.sim.run()
    assert story.facts(run, "partitions_revoked", "rebalance_completed")[1:] == [
        (21.0, "partitions_revoked", "a"),
        (31.0, "partitions_revoked", "b"),
        (31.0, "rebalance_completed", None),
    ]
    begun_s = run.messages()["started_s"]
    assert not ((begun_s > 21.0) & (begun_s < 31.0)).any()
    assert (run.messages()["outcome"] == "done").all()


@pytest.mark.rule("KAF-12")
def test_who_has_not_joined_by_the_rebalance_timeout_is_left_out():
    story = Story(partitions=2, max_poll_interval_s=60.0)
    story.member("a")
    Service("b", of=story.group, service_time=times.Trace(values_s=[200.0] + [0.01] * 60), nodes=["b"])
    story.member("c", at_s=20.0)
    story.publish(every_s=1.0, count=10)
    run = story.sim.run(until_s=300.0)
    kinds = ("poll_interval_exceeded", "member_left", "member_expired", "rebalance_completed", "commit_refused")
    assert story.facts(run, *kinds)[1:4] == [
        (62.0, "poll_interval_exceeded", "b"),
        (62.0, "member_left", "b"),
        (62.0, "rebalance_completed", None),
    ]
    assert (202.0, "commit_refused", "b") in story.facts(run, "commit_refused")


@pytest.mark.rule("KAF-13")
def test_a_silent_member_is_put_out_after_the_session_timeout_and_only_then_its_partitions_move():
    """A crashes at 10 s. Its last heartbeat was at 9 s, so it is out at 54 s; B hears of it at 57 s."""
    story = Story(partitions=2)
    story.member("a")
    story.member("b")
    story.sim.at(10.0, lambda: story.sim.node("a").crash())
    story.publish(every_s=0.5, count=200)
    run = story.sim.run()
    assert story.facts(run, "member_expired", "rebalance_completed")[1:] == [
        (54.0, "member_expired", "a"),
        (57.0, "rebalance_completed", None),
    ]
    moved = started(run, 0)
    assert moved[moved["consumer"] == "b"]["started_s"].min() == 57.0
    assert not ((moved["started_s"] > 10.0) & (moved["started_s"] < 57.0)).any()
    undisturbed = started(run, 1)
    assert undisturbed["started_s"].diff().max() < 1.5


@pytest.mark.rule("KAF-14")
def test_a_member_that_does_not_poll_leaves_although_its_heartbeats_go_on():
    """A begins at 0.5 s a record that takes 400 s; it has left at 300.5 s, and its commit is refused at 400.5 s."""
    story = Story(partitions=2)
    Service("a", of=story.group, service_time=times.Trace(values_s=[400.0] + [0.01] * 300), nodes=["a"])
    story.member("b")
    story.publish(every_s=0.5, count=1)
    run = story.sim.run(until_s=600.0)
    assert story.facts(run, "poll_interval_exceeded", "member_left", "member_expired", "commit_refused") == [
        (300.5, "poll_interval_exceeded", "a"),
        (300.5, "member_left", "a"),
        (400.5, "commit_refused", "a"),
    ]
    rows = run.messages()[["consumer", "attempt", "finished_s", "outcome"]]
    assert rows.to_numpy().tolist() == [["a", 1, 400.5, "done"], ["b", 2, 303.01, "done"]]


@pytest.mark.rule("KAF-15")
def test_a_member_that_closes_leaves_at_once():
    story = Story(partitions=2)
    story.member("a")
    story.member("b")
    story.sim.at(10.0, lambda: story.group.close("a"))
    story.publish(every_s=0.5, count=100)
    run = story.sim.run()
    assert story.facts(run, "member_left", "rebalance_completed")[1:] == [
        (10.0, "member_left", "a"),
        (12.0, "rebalance_completed", None),
    ]
    assert run.messages()["attempt"].max() == 1


@pytest.mark.rule("KAF-16")
def test_a_static_member_that_is_back_in_time_keeps_its_partitions_without_a_rebalance():
    story = Story(partitions=2, static_members=True)
    story.member("a")
    story.member("b")
    story.sim.at(10.0, lambda: story.sim.node("a").crash())
    story.sim.at(40.0, lambda: story.sim.node("a").restart())
    story.publish(every_s=0.5, count=200)
    run = story.sim.run()
    assert len(story.assignments(run)) == 1
    assert story.facts(run, "member_came_back", "member_expired") == [(40.0, "member_came_back", "a#2")]
    assert set(started(run, 0)["consumer"]) == {"a"}
    assert started(run, 1)["started_s"].diff().max() == 1.0


@pytest.mark.rule("KAF-16")
def test_a_static_member_that_is_too_late_has_lost_them():
    story = Story(partitions=2, static_members=True)
    story.member("a")
    story.member("b")
    story.sim.at(10.0, lambda: story.sim.node("a").crash())
    story.sim.at(70.0, lambda: story.sim.node("a").restart())
    story.publish(every_s=0.5, count=200)
    run = story.sim.run()
    assert (54.0, "member_expired", "a") in story.facts(run, "member_expired")
    assert set(started(run, 0)["consumer"]) == {"a", "b"}


@pytest.mark.rule("KAF-10", "KAF-12")
def test_a_cooperative_rebalance_stops_only_what_moves():
    """C joins at 20 s; at 21 s A and B join again, still reading; each gives one partition up; C has both at 24 s."""
    story = Story(assignor="cooperative-sticky")
    story.member("a")
    story.member("b")
    story.member("c", at_s=20.0)
    story.publish(every_s=0.1, count=400)
    run = story.sim.run()
    assert story.assignments(run) == [
        (0.0, {"a": ["t-0", "t-2", "t-4"], "b": ["t-1", "t-3", "t-5"]}),
        (21.0, {"a": ["t-0", "t-2"], "b": ["t-1", "t-3"], "c": []}),
        (24.0, {"a": ["t-0", "t-2"], "b": ["t-1", "t-3"], "c": ["t-4", "t-5"]}),
    ]
    for partition in range(4):
        assert started(run, partition)["started_s"].diff().max() < 0.7
    for partition in (4, 5):
        assert 2.4 < started(run, partition)["started_s"].diff().max() <= 3.6
    assert (run.messages()["attempt"] == 1).all()


@pytest.mark.rule("KAF-09")
def test_a_newcomer_in_a_sticky_group_gets_its_share_and_nobody_loses_more_than_needed():
    story = Story(partitions=12, assignor="sticky")
    for name in "abc":
        story.member(name)
    story.member("d", at_s=20.0)
    run = story.sim.run(until_s=60.0)
    (_, before), (_, after) = story.assignments(run)
    assert [len(given) for given in after.values()] == [3, 3, 3, 3]
    assert all(set(after[name]) < set(before[name]) for name in "abc")


@pytest.mark.rule("KAF-38")
def test_a_slow_owner_delays_only_its_own_partitions():
    story = Story(partitions=2)
    story.member("a", service_s=5.0)
    story.member("b")
    story.publish(every_s=0.5, count=40)
    rows = story.sim.run().messages()
    waits_s = rows["started_s"] - rows["enqueued_s"]
    assert waits_s[rows["partition"] == 1].max() == 0.0
    assert waits_s[rows["partition"] == 0].max() > 70.0


@pytest.mark.rule("KAF-38")
def test_more_members_do_not_help_a_hot_key():
    def slowest_s(members):
        story = Story()
        topic = story.kafka.topic("hot")
        hot = topic.group("h")
        for number in range(members):
            Service(f"m{number}", of=hot, service_time=times.Constant(value_s=1.0))
        Source(
            "src",
            load=load.Constant(rate_per_s=2.0).first(40),
            to=topic,
            event=lambda occasion: Event(type="x", subject="celebrity"),
        )
        rows = story.sim.run().messages()
        return (rows["finished_s"] - rows["published_s"]).max()

    assert slowest_s(1) == slowest_s(6) > 20.0
