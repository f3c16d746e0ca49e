"""The run log: three levels, bounded memory, names and numbers."""

import itertools

import numpy as np
import pytest

from edasim import Event, MemoryBus, Service, Simulation, Source, load, times
from edasim.errors import ConfigurationError, StateError
from edasim.kernel import LogLevel
from edasim.kernel.runlog import DONE, LONG_BRIEF, LONG_BUFFER, PUBLISHER_BITS, ROW, RunLog, pack_row, running_number


def log_of(level=LogLevel.FULL, max_rows=1000, one_in=10):
    return RunLog(level, max_rows, one_in)


def row(number, root=None, endpoint=0, attempt=1):
    return pack_row(number, number if root is None else root, 0.0, 0.0, 1.0, 1.0, 2.0, endpoint, attempt, DONE)


def kept_numbers(log):
    return [int(number) for block in log.kept_blocks() for number in block["number"]]


def test_a_row_survives_packing():
    packed = pack_row(1 << 50, 3, 0.5, 0.25, 1.5, 2.5, 3.5, 70_000, 100_000, DONE)
    assert len(packed) == ROW.itemsize == 65
    assert np.frombuffer(packed, dtype=ROW)[0].item() == (1 << 50, 3, 0.5, 0.25, 1.5, 2.5, 3.5, 70_000, 100_000, DONE)


# ------------------------------------------------------------------------------------------------ levels


def test_a_full_log_keeps_rows_in_the_order_in_which_deliveries_ended():
    log = log_of()
    for number in (3, 1, 2):
        log.append(row(number))
    log.flush()
    log.append(row(0))
    assert kept_numbers(log) == [3, 1, 2, 0]
    assert log.metrics.rows == 4


def test_a_full_log_stops_at_its_last_row_and_goes_on_counting():
    log = log_of(max_rows=3)
    for number in range(5):
        log.append(row(number))
        log.flush()
    assert kept_numbers(log) == [0, 1, 2]
    assert log.metrics.rows == 5


def test_a_sampled_log_keeps_whole_trees():
    log = log_of(LogLevel.SAMPLED, one_in=10)
    for number, root in [(0, 0), (1, 1), (10, 10), (3 << PUBLISHER_BITS, 10), ((3 << PUBLISHER_BITS) + 1, 1)]:
        log.append(row(number, root))
    assert kept_numbers(log) == [0, 10, 3 << PUBLISHER_BITS]
    assert log.metrics.rows == 5


def test_a_log_of_metrics_keeps_no_row_and_no_event():
    log = log_of(LogLevel.METRICS)
    log.append(row(0))
    log.keep_event(0, 0, "an event")
    assert kept_numbers(log) == []
    assert (log.metrics.rows, log.events) == (1, {})


def test_events_are_kept_as_long_as_rows_are():
    log = log_of(LogLevel.SAMPLED, max_rows=1, one_in=2)
    for number in range(3):
        log.keep_event(number, number, f"event {number}")
    log.append(row(0))
    log.flush()
    log.keep_event(4, 4, "event 4")
    assert log.events == {0: "event 0", 2: "event 2"}


def test_what_is_added_by_hand_does_not_pile_up():
    log = log_of(LogLevel.METRICS)
    for number in range(LONG_BUFFER + 1):
        log.add(row(number))
    assert log.metrics.rows == LONG_BUFFER


def test_facts_about_an_event_are_kept_with_its_tree():
    """So memory stays bounded when only metrics are kept, whatever handlers tell."""

    def told(level, **fields):
        sim = Simulation(seed=1, log=level, **fields)
        topic = MemoryBus().start(sim).topic("t")
        Service("s", of=topic.subscribe(), handler=lambda event, context: context.fact("seen"))
        Source("src", load=load.Constant(rate_per_s=1.0).first(10), to=topic)
        sim.at(20.0, sim.node("s/0").crash)
        return [(fact.kind, fact.detail.get("event_id")) for fact in sim.run().fact_list]

    crash = ("node_crashed", None)
    assert told("full") == [*(("seen", f"src-{i}") for i in range(10)), crash]
    assert told("sampled", one_in=4) == [("seen", "src-0"), ("seen", "src-4"), ("seen", "src-8"), crash]
    assert told("metrics") == [crash]


# ------------------------------------------------------------------------------------------------ names and numbers


def test_one_name_has_one_series_of_numbers():
    log = log_of()
    shop, till = log.publisher("shop"), log.publisher("till")
    again = log.publisher("shop", lambda number, published_s: f"shop's {number} of {published_s} s")
    assert [shop(), till(), again(), shop()] == [0, 1 << PUBLISHER_BITS, 1, 2]
    assert log.publishers == ["shop", "till"]
    assert running_number((1 << PUBLISHER_BITS) + 7) == 7
    assert log.event_of(2, 0.5) == "shop's 2 of 0.5 s"
    assert log.event_of(1 << PUBLISHER_BITS, 0.5) is None


def test_one_more_publisher_does_not_renumber_the_others():
    alone, beside = log_of(), log_of()
    first = alone.publisher("shop")
    second = beside.publisher("shop")
    beside.publisher("till")
    assert [first() for _ in range(3)] == [second() for _ in range(3)]


@pytest.mark.parametrize(
    ("identity", "number"),
    [
        ("shop-7", 7),
        ("mail-service-0", 1 << PUBLISHER_BITS),
        ("unknown-7", None),
        ("shop", None),
        ("shop-", None),
        ("shop-x", None),
        ("shop-٧", None),
        (None, None),
    ],
)
def test_a_number_is_found_by_the_id_that_was_made_from_it(identity, number):
    log = log_of()
    log.publisher("shop")
    log.publisher("mail-service")
    assert log.number_called(identity) == number


def test_endpoints_are_registered_once():
    log = log_of()
    lane = log.lane("memory", "t", "s")
    assert [log.endpoint(lane, name) for name in ("a", "b", "a", "")] == [0, 1, 0, 2]
    assert log.endpoints == [(lane, "a"), (lane, "b"), (lane, "")]


def test_slots_of_several_services_at_one_lane_add_up():
    log = log_of()
    log.add_slots(0, "first", 2)
    log.add_slots(0, "second", 3)
    assert log.slots == {0: ("first", 5)}


# ------------------------------------------------------------------------------------------------ the simulation's part


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"seed": -1}, "Simulation.seed"),
        ({"seed": 1.5}, "Simulation.seed"),
        ({"log": "some"}, "Simulation.log"),
        ({"max_rows": 0}, "Simulation.max_rows"),
        ({"one_in": 0}, "Simulation.one_in"),
    ],
)
def test_a_wrong_setting_is_named(wrong, field):
    with pytest.raises(ConfigurationError) as caught:
        Simulation(**wrong)
    assert (caught.value.field, caught.value.value) == (field, *wrong.values())


def chain(level, **settings):
    """Three services in a row, each publishing one or two events for each that it gets; a reader by hand as well."""
    sim = Simulation(seed=4, log=level, **settings)
    bus = MemoryBus().start(sim)
    topics = [bus.topic(name) for name in ("a", "b", "c")]
    for place, (here, there) in enumerate(itertools.pairwise(topics)):
        Service(
            f"step-{place}",
            of=here.subscribe(),
            service_time=times.Exponential(mean_s=0.01),
            handler=lambda event, context: [Event(type="x", data=k) for k in range(context.attempt + 1)],
            to=there,
        )
    by_hand = bus.topic("d")

    def reader():
        while True:
            delivery = yield topics[-1].subscription("c").receive(consumer="reader")
            by_hand.publish(delivery.event.follow(type="y", data="seen"), publisher="reader")
            delivery.ack()

    topics[-1].subscribe()
    by_hand.subscribe("end")
    sim.env.process(reader())
    Source(
        "src",
        load=load.Poisson(rate_per_s=20.0).first(100),
        to=topics[0],
        event=lambda o: Event(type="w", data=o.number),
    )
    return sim.run()


def test_a_sampled_log_is_the_full_log_with_fewer_trees():
    full, sampled = chain("full").messages(), chain("sampled", one_in=10).messages()
    trees = [f"src-{number}" for number in range(0, 100, 10)]
    assert sampled.equals(full[full["trace_id"].isin(trees)].reset_index(drop=True))
    assert len(sampled) == 10 * (1 + 2 + 4 + 4)
    assert set(sampled.loc[sampled["type"] == "y", "outcome"]) == {"queued"}


def test_no_level_changes_what_happens():
    full, sampled, metrics = (chain(level).summary().lines for level in ("full", "sampled", "metrics"))
    for one, other, third in zip(full, sampled, metrics, strict=True):
        assert one.group == other.group == third.group
        assert one.done == other.done == third.done
        assert one.waiting == other.waiting == third.waiting


def test_max_rows_is_told():
    run = chain("full", max_rows=7)
    assert len(run.messages()) == 7
    assert run.messages()["event_id"].notna().all()
    assert not run.has_all_rows
    assert "7 of 1100 rows kept), max_rows=7 reached" in str(run.summary())
    assert run.summary()["step-0"].duplicates is None


def test_rows_that_were_not_kept_are_asked_for_in_vain_and_the_error_says_why():
    run = chain("metrics")
    for ask in (run.messages, run.flow, run.events, run.traces, lambda: run.event("src-1"), lambda: run.trace("src-1")):
        with pytest.raises(StateError, match="this run kept metrics only") as caught:
            ask()
        assert (caught.value.field, caught.value.value) == ("Simulation.log", "metrics")
        assert 'log="full"' in caught.value.remedy
    assert len(run.deliveries) == 0


def test_a_chore_leaves_the_times_of_a_consumer_until_there_are_enough():
    log = RunLog(LogLevel.METRICS, max_rows=10, one_in=1)
    endpoint = log.endpoint(log.lane("memory", "work", "work"), "shop/0")
    brief = log.brief(endpoint)
    assert brief is not None
    brief.waits_s.extend([0.25, 0.5])
    brief.services_s.extend([1.0, 2.0])
    log.empty_buffers()
    assert (log.metrics.rows, brief.waits_s) == (0, [0.25, 0.5])
    log.flush()
    assert (log.metrics.rows, brief.waits_s) == (2, [])
    assert log.metrics.by_endpoint[endpoint].waits.total_s == 0.75
    brief.waits_s.extend([0.0] * LONG_BRIEF)
    brief.services_s.extend([1.0] * LONG_BRIEF)
    log.empty_buffers()
    assert (log.metrics.rows, brief.services_s) == (2 + LONG_BRIEF, [])
