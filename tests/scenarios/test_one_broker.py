"""One consumer dies: each broker gives back what its rules say, to whom, in which order, after how long."""

import dataclasses

import numpy as np
import pytest

import edasim as eda
from edasim.errors import ConfigurationError, StateError
from edasim.kernel.runlog import DONE
from edasim.scenarios import OneBroker, comeback, six_brokers
from edasim.scenarios.comeback import MEASURES

SIX = six_brokers(20)
OTHERS = ("workers/1", "workers/2", "workers/3")
DIES_S = 12.0


def crashed(name, **changes):
    return comeback(OneBroker(broker=SIX[name], **changes).run(seed=1))


@pytest.mark.rule("RMQ-09", "RMQ-13", "AMQ-02")
@pytest.mark.parametrize("name", ["RabbitMQ", "ActiveMQ"])
def test_a_queue_gives_a_whole_prefetch_back_at_once_and_in_order(name):
    books = crashed(name)
    assert (books.crash_s, books.lost, books.twice, books.late) == (DIES_S, 0, 0, 0)
    assert (books.again, books.in_order, books.takers) == (20, True, OTHERS)
    assert 0.0 <= books.first_s <= books.last_s < 0.3


@pytest.mark.rule("KAF-13", "KAF-19")
def test_kafka_waits_for_the_session_and_begins_after_the_last_commit():
    """The last heartbeat is at 12 s, so the member is out at 57 s; the others hear of it at 60 s."""
    books = crashed("Kafka")
    assert books.lost == 0
    assert books.first_s == pytest.approx(48.0)
    assert books.twice == books.again - 1, "all of them were done, but for the one in work"
    assert 0 <= books.twice < 20
    assert books.takers == ("workers/1",), "the first member takes over the first partitions, by range"
    assert books.late > 100, "three partitions stood still for all that was published to them"


@pytest.mark.rule("NAT-11")
def test_jetstream_waits_for_the_acknowledgement_of_each():
    books = crashed("JetStream")
    assert (books.lost, books.twice) == (0, 0)
    assert 1 <= books.again <= 20
    assert 28.0 < books.first_s <= books.last_s <= 30.0
    assert books.late == books.again


@pytest.mark.rule("NAT-02")
def test_core_nats_has_forgotten_what_lay_in_the_dead_client():
    run = OneBroker(broker=SIX["core NATS"]).run(seed=1)
    books = comeback(run)
    rows = run.deliveries
    pending = (rows.enqueued_s <= DIES_S) & (rows.consumer == 0) & (rows.outcome != DONE)
    assert books.lost == int(pending.sum()) > 0
    assert (books.again, books.twice, books.takers) == (0, 0, ())
    assert np.isnan(books.first_s)
    assert str(books) == f"lost {books.lost}, done twice 0; nothing was handed out again"


def test_the_memory_bus_hands_out_one_at_a_time():
    books = crashed("memory bus")
    assert (books.lost, books.twice, books.again) == (0, 0, 1)


@pytest.mark.parametrize("name", SIX)
def test_every_message_is_done_or_counted_as_lost(name):
    run = OneBroker(broker=SIX[name], messages=300, crash_s=0.5).run(seed=3)
    done = np.unique(run.deliveries.number[run.deliveries.outcome == DONE])
    assert len(done) + comeback(run).lost == 300


def test_every_broker_gets_the_same_messages_at_the_same_instants():
    published = {
        name: np.unique(OneBroker(broker=broker, messages=200).run(seed=2).deliveries.published_s).tolist()
        for name, broker in SIX.items()
    }
    assert len(set(map(tuple, published.values()))) == 1


def test_the_phase_moves_the_start_by_chance_and_nothing_else():
    fixed, moved = OneBroker(messages=50), OneBroker(messages=50, phase_s=3.0)
    starts_s = [moved.run(seed=seed).deliveries.published_s for seed in (1, 2)]
    at_once_s = fixed.run(seed=1).deliveries.published_s
    shift_s = starts_s[0] - at_once_s
    assert 0.0 < shift_s[0] < 3.0
    assert shift_s == pytest.approx(np.full(50, shift_s[0]))
    assert starts_s[1][0] - 10.0 != pytest.approx(starts_s[0][0] - 10.0)


def test_the_first_consumer_can_be_slow():
    constant = eda.times.Constant(value_s=0.02)
    slow = OneBroker(broker=SIX["RabbitMQ"], messages=40, service_time=constant, slow_ratio=5.0, crash_s=None)
    rows = slow.run(seed=1).deliveries
    services_s = rows.finished_s - rows.started_s
    assert services_s == pytest.approx(np.where(rows.consumer == 0, 0.1, 0.02))


@pytest.mark.rule("RMQ-13")
def test_the_story_of_the_chapter_is_exact():
    """Twelve jobs, a worker dies at 0.48 s with 4 in work and 6 and 8 ahead: they come before 9, behind 5 and 7."""
    sim = eda.Simulation(seed=1)
    queue = eda.RabbitMQ().start(sim).declare_queue("jobs")
    eda.Source("shop", load=eda.load.Constant(rate_per_s=20).first(12), to=queue)
    constant = eda.times.Constant(value_s=0.2)
    eda.Service("workers", of=queue.consume(prefetch=3), nodes=2, service_time=constant)
    sim.at(0.48, sim.node("workers/0").crash)
    run = sim.run()
    table = run.messages()
    after = table[(table["consumer"] == "workers/1") & (table["started_s"] > 0.48)].sort_values("started_s")
    assert after["event_id"].tolist() == [f"shop-{n}" for n in (5, 7, 4, 6, 8, 9, 10, 11)]
    assert after["attempt"].tolist() == [1, 1, 2, 2, 2, 1, 1, 1]
    books = comeback(run)
    assert (books.again, books.lost, books.twice, books.in_order) == (3, 0, 0, True)
    assert "3 handed out again, in the order of publishing, from 0.020 s to 0.420 s after the crash" in str(books)


def test_it_goes_to_a_dictionary_and_back():
    told = OneBroker(broker=SIX["Kafka"], slow_ratio=2.0).to_dict()
    assert OneBroker.from_dict(told) == OneBroker(broker=SIX["Kafka"], slow_ratio=2.0)
    assert "Kafka with 12 partitions" in OneBroker(broker=SIX["Kafka"]).describe()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"broker": eda.Kafka}, "give a broker, such as RabbitMQ"),
        ({"consumers": 0}, "OneBroker.consumers is 0"),
        ({"crash_s": -1.0}, "OneBroker.crash_s is -1.0"),
    ],
)
def test_what_cannot_be_built_is_refused(changes, problem):
    with pytest.raises(ConfigurationError, match=problem):
        OneBroker(**changes)


def test_there_is_nothing_to_tell_without_a_crash_or_without_rows():
    with pytest.raises(StateError, match="no node has crashed"):
        comeback(OneBroker(messages=5, crash_s=None).run())
    with pytest.raises(StateError, match="kept only some rows"):
        comeback(OneBroker(messages=50, crash_s=0.05).run(log="metrics"))


def test_the_measures_are_the_books():
    run = OneBroker(broker=SIX["Kafka"], messages=200, crash_s=0.5).run(seed=1)
    books = dataclasses.asdict(comeback(run))
    assert {name: measure(run) for name, measure in MEASURES.items()} == {name: books[name] for name in MEASURES}
