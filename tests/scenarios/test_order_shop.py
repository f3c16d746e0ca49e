"""The order shop: its story, what each protection alone does and does not, and what both together survive."""

import math

import pytest

from edasim import ActiveMQ, JetStream, Kafka, MemoryBus, Nats, RabbitMQ, experiments, load, theory
from edasim.errors import CapabilityError, ConfigurationError
from edasim.failures import Crash, StoreFull, check, crash_points
from edasim.scenarios import OrderShop, story
from edasim.scenarios.order_shop import parcel_ratio, parcel_waits_s


def told(run):
    return [(round(fact.time_s, 3), fact.kind) for fact in run.fact_list if fact.kind != "fault"]


def test_one_order_with_an_outbox():
    run = OrderShop(safety="inbox and outbox").run()
    assert told(run) == [(1.03, "reserved"), (1.13, "parcel_booked")]
    assert parcel_waits_s(run).tolist() == pytest.approx([0.13])
    assert "relay publishes order.reserved to courier" in str(story(run, "o-0")).replace(
        "stock publishes", "relay publishes"
    )


def test_who_dies_between_database_and_broker_tells_nobody_if_it_only_has_an_inbox():
    crash = Crash(node="stock", at_s=1.05, down_s=1.0)
    run = OrderShop(safety="inbox", faults=[crash]).run()
    assert told(run) == [
        (1.03, "reserved"), (1.05, "node_crashed"), (2.05, "node_restarted"), (2.08, "known_already"),
    ]  # fmt: skip
    assert check(run).counts() == {"stuck": 1}
    assert (parcel_waits_s(run).tolist(), parcel_ratio(run)) == ([math.inf], 1.0)
    saved = OrderShop(safety="inbox and outbox", faults=[crash]).run()
    assert check(saved) == []


@pytest.mark.rule("ES-07")
def test_one_protection_moves_the_harm_and_both_together_end_it():
    matrix = crash_points(
        {safety: OrderShop(safety=safety) for safety in ("neither", "inbox", "outbox", "inbox and outbox")}
    )
    assert [matrix.counts(variant) for variant in matrix.variants] == [
        {"duplicated": 5, "survived": 4},
        {"stuck": 1, "survived": 8},
        {"duplicated": 6, "survived": 6},
        {"survived": 12},
    ]
    (stuck,) = [cell for cell in matrix.of("inbox") if cell.findings]
    assert str(stuck) == "stock/0 after it has written reserved: stuck"


@pytest.mark.long
def test_both_together_survive_pairs_of_crashes_too():
    assert set(crash_points(OrderShop(safety="inbox and outbox"), pairs=60).counts()) == {"survived"}


def test_acknowledging_first_loses_whatever_tables_there_are():
    found = crash_points(OrderShop(safety="inbox and outbox", acknowledge="on_delivery"), nodes=["stock", "courier"])
    assert found.count("survived") < len(found.cells)


def test_a_full_table_delays_an_order_or_has_it_put_aside_as_the_broker_says():
    full = StoreFull(store="stock table", at_s=0.5, for_s=0.8)
    waiting = OrderShop(safety="inbox and outbox", broker=RabbitMQ(), faults=[full]).run()
    assert check(waiting) == []
    assert 0.4 < parcel_waits_s(waiting)[0] < 0.6
    assert parcel_ratio(waiting, within_s=0.4) == 0.0
    aside = OrderShop(safety="inbox and outbox", faults=[full]).run()
    assert check(aside).counts() == {"lost": 1, "stuck": 1}
    assert aside.messages()["outcome"].tolist() == ["failed"] * 4 + ["dead_lettered"]


@pytest.mark.parametrize(
    "broker", [RabbitMQ(), ActiveMQ(), Kafka(), JetStream()], ids=lambda broker: type(broker).__name__
)
def test_the_story_runs_on_each_broker(broker):
    run = OrderShop(broker=broker, safety="inbox and outbox", arrivals=load.Trace(times_s=(5.0,))).run(until_s=90.0)
    assert check(run) == []
    assert parcel_waits_s(run)[0] < 1.0


@pytest.mark.long
def test_the_relay_is_a_queue_with_the_wait_of_theory():
    """M/D/1 at load 0.6, 8 runs of 25 s; what the outbox adds is the wait for its relay. A 99 % interval."""
    busy = load.Poisson(rate_per_s=10.0).until(25.0)
    shop = OrderShop(arrivals=busy, safety="inbox and outbox", at_once=20)
    more = {"wait": lambda run: parcel_waits_s(run).mean() - 0.13}
    waits = experiments.replicate(shop, n=8, metrics=more, log="full")
    assert theory.mg1(10.0, 0.06, 0.0).mean_wait_s in waits.interval("wait", level=0.99)


def test_misuse_is_told_before_the_run():
    with pytest.raises(ConfigurationError, match=r"OrderShop\.broker is"):
        OrderShop(broker=MemoryBus)
    with pytest.raises(CapabilityError, match="choose a broker that delivers again"):
        OrderShop(broker=Nats()).run()
    with pytest.raises(ConfigurationError, match="within_s"):
        parcel_ratio(OrderShop().run(), within_s=0.0)
    too_soon = OrderShop(arrivals=load.Trace(times_s=(5.0,)), parcel_within_s=1.0).run(until_s=5.1)
    assert parcel_ratio(too_soon) == 1.0
