"""Pictures of brokers: what they draw and say is what the run log and the broker's state hold."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import edasim as eda
from edasim import experiments, viz
from edasim.brokers.kafka import Kafka
from edasim.errors import ConfigurationError, UnknownNameError
from edasim.scenarios import OneBroker, six_brokers
from edasim.scenarios.comeback import MEASURES
from edasim.viz import broker_queue, consumer_rows, partitions, rebalance, routing

SIX = six_brokers(20)


@pytest.fixture(scope="module")
def story():
    """Twelve jobs every 50 ms that take 200 ms, two workers that hold three each; one dies at 0.48 s."""
    sim = eda.Simulation(seed=1)
    queue = eda.RabbitMQ().start(sim).declare_queue("jobs")
    eda.Source("shop", load=eda.load.Constant(rate_per_s=20).first(12), to=queue)
    service_time = eda.times.Constant(value_s=0.2)
    eda.Service("workers", of=queue.consume(prefetch=3), nodes=2, service_time=service_time)
    sim.at(0.48, sim.node("workers/0").crash)
    return sim.run()


@pytest.fixture(scope="module")
def kafka():
    """The log of Kafka as the crash comes."""
    return OneBroker(broker=SIX["Kafka"]).run(seed=1, until_s=12.0)


@pytest.fixture(scope="module")
def rebalanced():
    """A run past the rebalance that follows a crash, by assignor."""
    busy = OneBroker(messages=3000, rate_per_s=60.0, service_time=eda.times.Exponential(mean_s=0.08))
    return {
        assignor: busy.but(broker=Kafka(partitions=4, assignor=assignor, max_poll_records=20)).run(seed=1, until_s=64.0)
        for assignor in ("range", "cooperative-sticky")
    }


class TestQueue:
    def test_a_story_of_four_instants_is_told_exactly(self, story):
        told = {at_s: broker_queue.queue_at(story, at_s) for at_s in (0.07, 0.47, 0.48, 0.51)}
        assert [each.ready for each in told.values()] == [(), (), (4, 6, 8), (6, 8, 9)]
        held = {at_s: [(h.in_work, h.ahead, h.down) for h in each.held] for at_s, each in told.items()}
        assert held[0.07] == [((0,), (), False), ((), (), False)]
        assert held[0.47] == [((4,), (6, 8), False), ((3,), (5, 7), False)]
        assert held[0.48] == [((), (), True), ((3,), (5, 7), False)]
        assert held[0.51] == [((), (), True), ((5,), (7, 4), False)]
        assert told[0.48].again == {4, 6, 8}
        assert [each.done for each in told.values()] == [0, 3, 3, 4]

    def test_it_is_drawn_with_a_double_frame_for_what_came_back(self, story):
        before, after = viz.broker_queue_svg(story, 0.47), viz.broker_queue_svg(story, 0.48)
        assert after.svg.count('stroke-width="2.5"') - before.svg.count('stroke-width="2.5"') == 3
        assert "workers/0 is down and holds nothing." in after.text
        assert "Handed out before: 4, 6, 8." in after.text
        ET.fromstring(after.svg)

    @pytest.mark.parametrize("name", ["memory bus", "RabbitMQ", "ActiveMQ", "JetStream", "core NATS"])
    def test_every_message_is_at_one_place(self, name):
        run = OneBroker(broker=SIX[name], messages=400, crash_s=1.0).run(seed=4)
        published_s = np.unique(run.deliveries.published_s)
        for at_s in np.linspace(10.2, 14.0, 9).tolist():
            state = broker_queue.queue_at(run, at_s)
            there = len(state.ready) + sum(len(each.in_work) + len(each.ahead) for each in state.held)
            assert there + state.unheard + state.done + state.lost == int((published_s <= at_s).sum())
            assert name == "core NATS" or all(len(each.in_work) + len(each.ahead) <= 20 for each in state.held)

    def test_what_jetstream_waits_for_after_a_death_is_neither_ready_nor_held(self):
        run = OneBroker(broker=SIX["JetStream"], messages=400, crash_s=1.0).run(seed=4)
        state, later = (broker_queue.queue_at(run, at_s) for at_s in (20.0, run.ended_s))
        again = int((run.deliveries.attempt > 1).sum())
        assert (state.unheard, state.done, later.unheard, later.done) == (again, 400 - again, 0, 400)
        assert "with a dead consumer, and the broker still waits" in viz.broker_queue_svg(run, 20.0).text

    def test_more_than_fits_is_counted(self):
        drawn = viz.broker_inside_svg(OneBroker(broker=SIX["core NATS"], rate_per_s=800).run(seed=1), 11.0)
        assert re.search(r">\+\d+<", drawn.svg)
        assert drawn.text.endswith("lies in the members' clients, and dies with them.")
        waiting = viz.broker_inside_svg(OneBroker(rate_per_s=800).run(seed=1), 11.0)
        assert re.search(r"and \d+ behind them", waiting.svg)

    def test_what_does_not_exist_is_refused(self, story):
        with pytest.raises(UnknownNameError, match="there is no subscription 'mails'"):
            viz.broker_queue_svg(story, 0.1, of="mails")
        with pytest.raises(ConfigurationError, match="at_s is -1"):
            viz.broker_queue_svg(story, -1.0)
        sim = eda.Simulation()
        bus = eda.MemoryBus().start(sim)
        for name in ("a", "b"):
            eda.Service(name, of=bus.topic("t").subscribe(name))
        with pytest.raises(ConfigurationError, match="several subscriptions"):
            viz.broker_queue_svg(sim.run(until_s=1.0))


class TestPartitions:
    def test_it_says_what_the_group_committed_and_what_its_lag_is(self, kafka):
        topic = kafka.kept["wiring"].topics["job.placed"]
        group = topic.groups["workers"]
        drawn = viz.partitions_svg(topic)
        records, lag = sum(log.end for log in topic.logs), sum(group.lag().values())
        assert drawn.alt == f"12 partitions of job.placed: {records} records, lag {lag}"
        for partition in partitions.partitions_of(topic):
            (reading,) = partition.readings
            number = int(partition.name.rpartition("-")[2])
            assert reading.committed == group.places.committed()["job.placed", number]
            assert reading.committed <= reading.position <= partition.end
            assert f"{partition.name} holds offsets 0 to {partition.end}; {reading.words}." in drawn.text
        assert [each.readings[0].reader for each in partitions.partitions_of(topic)[::3]] == [
            f"workers/{n}" for n in range(4)
        ]
        ET.fromstring(drawn.svg)

    def test_a_topic_without_readers_and_one_that_nobody_committed(self):
        sim = eda.Simulation()
        topic = Kafka(partitions=1).start(sim).topic("t")
        topic.publish(eda.Event(type="e"))
        assert "no group reads it" in viz.partitions_svg(topic).text
        topic.group("g", auto_offset_reset="earliest")
        sim.run(until_s=1.0)
        assert "g: nothing committed, read up to 0, lag 1, nobody reads it" in viz.partitions_svg(topic).text

    def test_each_group_has_a_bar_and_a_lag_of_its_own(self):
        sim = eda.Simulation()
        topic = Kafka(partitions=1, initial_rebalance_delay_s=0.0, commit="after_each").start(sim).topic("t")
        service_time = eda.times.Constant(value_s=1.0)
        eda.Service("quick", of=topic.group("quick"))
        eda.Service("slow", of=topic.group("slow"), service_time=service_time)
        eda.Source("src", load=eda.load.Constant(rate_per_s=2.0).first(20), to=topic)
        sim.run(until_s=5.25)
        (partition,) = partitions.partitions_of(topic)
        quick, slow = partition.readings
        assert (partition.end, quick.committed, quick.lag) == (10, 10, 0)
        assert (slow.committed, slow.position, slow.lag) == (4, 5, 6)
        drawn = viz.partitions_svg(topic)
        assert "lag 6 · slow/0" in drawn.svg
        assert slow.words == "slow: committed 4, read up to 5, lag 6, by slow/0"

    def test_what_is_no_topic_is_refused(self):
        with pytest.raises(ConfigurationError, match="give a topic of a running Kafka"):
            viz.partitions_svg("jobs")


class TestRebalance:
    def test_a_dead_owners_partition_stands_still_until_the_rebalance_is_over(self, rebalanced):
        spans, rebalances = rebalance.ownership(rebalanced["range"], "workers")
        first = [span for span in spans if span.partition == "job.placed-0"]
        assert [(span.member, span.from_s, span.ended) for span in first] == [
            ("workers/0", 6.0, "died"),
            ("workers/1", rebalances[-1].until_s, "still"),
        ]
        assert first[0].until_s == 12.0
        assert (rebalances[-1].from_s, rebalances[-1].reason) == (57.0, "workers/0 is gone")

    @pytest.mark.rule("KAF-10", "KAF-12")
    def test_eager_stops_the_living_and_cooperative_does_not(self, rebalanced):
        still = {name: rebalance.standing_still(run, "workers", 54.0, 64.0) for name, run in rebalanced.items()}
        living = ("job.placed-1", "job.placed-2", "job.placed-3")
        assert sum(still["range"][each] for each in living) > 0.1
        assert [still["cooperative-sticky"][each] for each in living] == [0.0, 0.0, 0.0]

    def test_the_picture_says_the_same_and_ticks_what_was_begun(self, rebalanced):
        drawn = viz.rebalance_svg(rebalanced["range"], "workers", from_s=54.0, until_s=64.0)
        assert "Rebalance from 57.000 s to" in drawn.text
        assert "1 rebalance, 3 members with partitions" in drawn.alt
        assert drawn.svg.count("v-4") > 20
        ET.fromstring(drawn.svg)

    def test_leaving_coming_back_and_silence_are_told(self):
        sim = eda.Simulation()
        topic = Kafka(partitions=2, initial_rebalance_delay_s=0.0, static_members=True).start(sim).topic("t")
        group = topic.group("g")
        eda.Service("s", of=group, nodes=2)
        sim.at(10.0, sim.node("s/0").crash)
        sim.at(20.0, sim.node("s/0").restart)
        sim.at(30.0, sim.node("s/1").crash)
        eda.Source("src", load=eda.load.Constant(rate_per_s=1.0).first(100), to=topic)
        run = sim.run(until_s=100.0)
        spans, _ = rebalance.ownership(run, "g")
        told = [(span.partition, span.member, span.from_s, span.until_s, span.ended) for span in spans]
        assert told[:2] == [
            ("t-0", "s/0", 0.0, 10.0, "died"),
            ("t-0", "s/0#2", 20.0, pytest.approx(78.0, abs=4), "revoked"),
        ]
        assert ("t-1", "s/1", 0.0, 30.0, "died") in told
        assert "died" in viz.rebalance_svg(run, "g").text

    def test_a_rebalance_that_is_not_over_is_told_to_the_end(self):
        sim = eda.Simulation()
        topic = Kafka(partitions=1).start(sim).topic("t")
        eda.Service("s", of=topic.group("g"))
        _, rebalances = rebalance.ownership(sim.run(until_s=1.0), "g")
        assert [(each.from_s, each.until_s) for each in rebalances] == [(0.0, 1.0)]

    def test_an_unknown_group_and_an_empty_window_are_refused(self, rebalanced):
        with pytest.raises(UnknownNameError, match="group with a rebalance"):
            viz.rebalance_svg(rebalanced["range"], "nobody")
        with pytest.raises(ConfigurationError, match="until_s"):
            viz.rebalance_svg(rebalanced["range"], "workers", from_s=20.0, until_s=10.0)


class TestRouting:
    @pytest.fixture
    def events(self):
        broker = eda.RabbitMQ().start(eda.Simulation())
        rest = broker.declare_exchange("rest", type="fanout")
        events = broker.declare_exchange("events", type="topic", alternate_exchange="rest")
        for name, key in (
            ("mail", "user.*"),
            ("analytics", "user.#"),
            ("analytics", "*.accepted"),
            ("audit", "#.spam"),
        ):
            broker.declare_queue(name).bind(events, key)
        broker.declare_queue("unrouted").bind(rest)
        return events

    @pytest.mark.rule("RMQ-04")
    def test_the_bindings_that_take_a_message_light_up(self, events):
        drawn = viz.routing_svg(events, "user.accepted")
        assert drawn.alt == "Routing key 'user.accepted' at events: reaches mail, analytics"
        assert drawn.svg.count('stroke-width="3.5"') == 3
        assert drawn.svg.count("✓") == 3
        assert "events to audit by '#.spam': not taken." in drawn.text
        ET.fromstring(drawn.svg)

    @pytest.mark.rule("RMQ-06")
    def test_what_no_binding_takes_goes_the_alternate_way(self, events):
        taken = [each.words for each in routing.bindings_of(events, "order.paid") if each.taken]
        assert taken == ["events to rest by 'alternate': taken", "rest to unrouted by '': taken"]
        assert viz.routing_svg(events, "order.paid").alt.endswith("reaches unrouted")

    def test_headers_and_nowhere(self):
        broker = eda.RabbitMQ().start(eda.Simulation())
        exchange = broker.declare_exchange("h", type="headers")
        broker.declare_queue("q").bind(exchange, "", {"x-match": "all", "region": "eu"})
        assert viz.routing_svg(exchange, "", {"region": "eu"}).alt.endswith("reaches q")
        assert viz.routing_svg(exchange, "", {"region": "us"}).alt.endswith("reaches no queue")
        lonely = broker.declare_exchange("lonely", type="direct")
        assert viz.routing_svg(lonely, "any").alt.endswith("reaches no queue")
        with pytest.raises(ConfigurationError, match="give an exchange"):
            viz.routing_svg("events", "user")

    @pytest.mark.rule("RMQ-32")
    def test_exchanges_in_a_circle_are_drawn_once(self):
        broker = eda.RabbitMQ().start(eda.Simulation())
        here, there = (broker.declare_exchange(name, type="fanout") for name in ("here", "there"))
        there.bind(here)
        here.bind(there)
        broker.declare_queue("q").bind(there)
        drawn = viz.routing_svg(here, "")
        assert [line.split(" by")[0] for line in drawn.text.splitlines()[1:]] == [
            "here to there",
            "there to here",
            "there to q",
        ]
        assert drawn.alt.endswith("reaches q")
        ET.fromstring(drawn.svg)

    @pytest.mark.rule("NAT-01")
    def test_the_tree_of_subjects_lights_up_where_a_pattern_matches(self):
        hears = {"mail": ["user.*"], "all": [">"], "vip": ["user.accepted.vip", "user.accepted"], "sms": ["sms.*"]}
        drawn = viz.subjects_svg("user.accepted", hears)
        assert drawn.alt == "Subject 'user.accepted': heard by mail, all, vip"
        assert drawn.svg.count("✓") == 3
        assert "'user.accepted.vip' of vip: does not." in drawn.text
        ET.fromstring(drawn.svg)
        assert viz.subjects_svg("a.b", {"x": ["a"]}).alt.endswith("heard by nobody, so it is gone")

    @pytest.mark.parametrize(
        ("subject", "listeners"),
        [("user.*", {"a": ["x"]}), ("user", {}), ("user", {"a": []}), ("user", {"a": ["x..y"]})],
    )
    def test_illegal_subjects_and_patterns_are_refused(self, subject, listeners):
        with pytest.raises(eda.EdasimError):
            viz.subjects_svg(subject, listeners)


class TestInsideAndFilm:
    def test_the_inside_of_kafka_is_its_log_and_that_of_the_others_their_queue(self, kafka):
        assert viz.broker_inside_svg(kafka).alt.startswith("12 partitions")
        with pytest.raises(ConfigurationError, match="run the scenario until that instant"):
            viz.broker_inside_svg(kafka, 11.0)
        with pytest.raises(ConfigurationError, match=r"a run of scenarios\.OneBroker"):
            viz.broker_inside_svg(eda.Simulation().run(until_s=1.0))

    @pytest.mark.parametrize("name", ["Kafka", "JetStream"])
    def test_a_film_holds_a_frame_and_a_sentence_for_each_instant(self, name):
        scenario = OneBroker(broker=SIX[name], messages=60, crash_s=0.1)
        film = viz.broker_film(scenario, [10.05, 10.1, 10.2])
        assert film.html.count("\\u003csvg") == 3
        assert [line.split(":")[0] for line in film.text.splitlines()[1:]] == ["10.050 s", "10.100 s", "10.200 s"]
        assert 'sandbox="allow-scripts"' in film.html
        assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg", "", film.html)

    def test_the_film_of_a_queue_shows_the_crash(self, story):
        film = viz.queue_film(story, [0.47, 0.48])
        assert "0.480 s: Queue of jobs at 0.480 s: 3 ready, 3 unacknowledged." in film.text

    @pytest.mark.parametrize("instants", [[1.0], [2.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    def test_instants_that_do_not_rise_are_refused(self, story, instants):
        with pytest.raises(ConfigurationError, match="at_s"):
            viz.queue_film(story, instants)


class TestConsumerRows:
    def test_work_is_counted_as_by_hand(self, story):
        """workers/0 worked from 0.05 s to its death at 0.48 s, workers/1 from 0.1 s on without a pause."""
        first, second = consumer_rows.work_of(story, 0.0, 1.0)
        assert (first.begun, first.again, first.crash_s) == (3, 0, 0.48)
        assert first.busy_ratio == pytest.approx(0.43)
        assert (second.begun, second.again) == (5, 1)
        assert second.busy_ratio == pytest.approx(0.9)

    def test_the_picture_says_it_and_hatches_the_dead(self, story):
        drawn = viz.consumer_rows_svg(story, title="jobs")
        assert "workers/1: began 10, of which 3 were handed out before; at work" in drawn.text
        assert "workers/0: began 3; at work 20 % of the time; dies at 0.480 s." in drawn.text
        assert ">dead<" in drawn.svg
        ET.fromstring(drawn.svg)

    def test_its_size_does_not_grow_with_the_messages(self):
        few, many = (OneBroker(messages=n, crash_s=None).run(seed=1) for n in (4_000, 12_000))
        assert len(viz.consumer_rows_svg(many).svg) < 1.5 * len(viz.consumer_rows_svg(few).svg)

    def test_ten_comes_after_two(self):
        run = OneBroker(messages=200, consumers=11, crash_s=None).run(seed=1)
        assert [work.consumer for work in consumer_rows.work_of(run, 10.0, 11.0)] == [f"workers/{n}" for n in range(11)]

    def test_nobody_and_no_time_are_refused(self, story):
        with pytest.raises(UnknownNameError, match="consumer"):
            viz.consumer_rows_svg(eda.Simulation().run(until_s=1.0))
        with pytest.raises(ConfigurationError, match="until_s"):
            viz.consumer_rows_svg(story, from_s=1.0, until_s=1.0)


class TestComeback:
    def test_every_number_has_its_interval_and_never_is_a_word(self):
        found = {
            name: experiments.replicate(
                OneBroker(broker=SIX[name], messages=150, crash_s=0.3), n=3, metrics=MEASURES, log="full", workers=1
            )
            for name in ("RabbitMQ", "JetStream", "core NATS")
        }
        drawn = viz.comeback_svg(found)
        first, rabbitmq, jetstream, nats = drawn.text.splitlines()
        assert first == "What a dead consumer leaves behind on 3 brokers:"
        assert re.fullmatch(
            r"RabbitMQ: lost 0, done twice 0, over 10 s late 0; handed out again after \d+ ± \d+ ms", rabbitmq
        )
        assert re.search(r"handed out again after \d\d\.\d ± \d+\.\d s", jetstream)
        lost = found["core NATS"].interval("lost")
        said = f"core NATS: lost {lost.mean:.1f} ± {lost.half_width:.1f}, done twice 0, over 10 s late 0"
        assert nats == f"{said}; never handed out again"
        ET.fromstring(drawn.svg)

    def test_nothing_is_refused(self):
        with pytest.raises(ConfigurationError, match="give replications"):
            viz.comeback_svg({})
