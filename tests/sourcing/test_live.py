"""The store in simulated time: lagging views, relays, replays beside live traffic, deciders as services that crash."""

import sqlite3
from collections.abc import Generator
from typing import Any

import pytest

from edasim import MemoryBus, Service, Simulation, Source, failures, load, times
from edasim.errors import EdasimError
from edasim.events import Event
from edasim.kernel import Run
from edasim.sourcing import Decider, EventStore, Fold, Outbox, Projection, View, live, transaction


def counting() -> Projection:
    return Projection(name="n", initial=0, apply=lambda n, _: n + 1)


def test_a_view_lags_and_a_reader_waits_for_its_own_write() -> None:
    sim = Simulation()
    store = EventStore(clock=lambda: float(sim.env.now))
    view = View(store, counting())
    live.keep_current(sim, view, every_s=1.0, seconds_per_event=0.1)
    seen: list[tuple[float, int]] = []

    def reader() -> Generator[Any, Any, None]:
        yield sim.env.timeout(0.5)
        written = store.append("a", [Event(type="t"), Event(type="t")])
        seen.append((float(sim.env.now), view.state()))
        yield live.seen_by(sim, view, written.position, ask_every_s=0.05)
        seen.append((round(float(sim.env.now), 6), view.state()))

    sim.env.process(reader())
    sim.run(until_s=3.0)
    assert seen == [(0.5, 0), (1.2, 2)]


def test_a_view_without_a_price_per_event_is_current_at_once_when_it_looks() -> None:
    sim = Simulation()
    store = EventStore()
    view = View(store, counting())
    live.keep_current(sim, view, every_s=1.0)
    sim.at(0.5, lambda: store.append("a", [Event(type="t")] * 1) and None)
    lags: list[int] = []
    for at_s in (0.6, 1.1):
        sim.at(at_s, lambda: lags.append(view.lag))
    sim.run(until_s=2.0)
    assert lags == [1, 0]


def test_a_relay_publishes_what_was_written_with_the_state() -> None:
    sim = Simulation()
    topic = MemoryBus().start(sim).topic("orders")
    Service("mail", of=topic.subscribe("mail"))
    database = sqlite3.connect(":memory:", isolation_level=None)
    outbox = Outbox(database)
    live.relay(sim, outbox, topic, publisher="shop", every_s=0.5)

    def place() -> None:
        with transaction(database):
            outbox.put(Event(type="order.placed", id="o-1", source="/shop"))

    sim.at(0.2, place)
    run = sim.run(until_s=2.0)
    rows = run.messages()
    assert list(zip(rows["event_id"], rows["published_s"], rows["outcome"], strict=True)) == [("o-1", 0.5, "done")]


def with_replay(rate_per_s: float | None) -> Run:
    """Live traffic at half of a service's capacity for 60 s, and 600 stored events replayed to it at some rate."""
    sim = Simulation(seed=4)
    topic = MemoryBus().start(sim).topic("events")
    Source("live", load=load.Poisson(rate_per_s=10.0), to=topic)
    Service("reader", of=topic.subscribe("reader"), service_time=times.Constant(value_s=0.05))
    stored = [Event(type="old", id=f"old-{n}", source="/s") for n in range(600)]
    if rate_per_s is not None:
        live.replay(sim, stored, topic, rate_per_s=rate_per_s)
    return sim.run(until_s=60.0)


def live_wait_s(run: Run) -> float:
    rows = run.messages()
    mine = rows[rows["source"] == "live"]
    return float((mine["started_s"] - mine["enqueued_s"]).mean())


def test_a_throttled_replay_spares_live_traffic_and_an_unthrottled_one_does_not() -> None:
    """One run each with the same arrivals; the waits differ by a factor of hundreds, so no statistics is needed."""
    alone, throttled, flood = (live_wait_s(with_replay(rate)) for rate in (None, 4.0, 1000.0))
    assert alone < throttled < 10 * alone
    assert flood > 50 * throttled
    run = with_replay(4.0)
    replayed = [event for event in run.events() if event.extensions.get(live.REPLAYED)]
    assert (len(replayed), replayed[0].type) == (240, "old")


STOCK = Fold(name="stock", initial=20, types=("reserved",), apply=lambda left, _: left - 1)


def reserve(left: int, event: Event) -> Event:
    return Event(type="reserved" if left else "sold.out", subject="book")


@pytest.mark.parametrize("seed", range(3))
def test_an_event_sourced_service_that_crashes_neither_oversells_nor_decides_twice(seed: int) -> None:
    sim = Simulation(seed=seed)
    store = EventStore(clock=lambda: float(sim.env.now))
    bus = MemoryBus().start(sim)
    requests, outcomes = bus.topic("requests"), bus.topic("outcomes")
    decider = Decider("stock", store, STOCK, reserve, stream_of=lambda event: "book")
    orders = load.Constant(rate_per_s=10.0).first(40)
    Source("shop", load=orders, to=requests, event="order.placed")
    Service(
        "stock",
        of=requests.subscribe("stock"),
        service_time=times.Exponential(mean_s=0.1),
        nodes=3,
        handler=decider.handle,
        to=outcomes,
    )
    Service("mail", of=outcomes.subscribe("mail"))
    failures.RandomCrashes(node="stock", mtbf_s=1.0, mttr_s=0.2, until_s=20.0).install(sim)
    run = sim.run(until_s=60.0)
    decided = [recorded.event for recorded in store.read(stream="book")]
    assert run.facts()["kind"].eq("node_crashed").sum() >= 3
    assert ([event.type for event in decided].count("reserved"), len(decided)) == (20, 40)
    assert len({event.cause_id for event in decided}) == 40
    told = {event.id for event in run.events() if event.type != "order.placed"}
    assert told == {event.id for event in decided}


@pytest.mark.parametrize(
    "call",
    [
        lambda sim, view: live.keep_current(sim, view, every_s=0.0),
        lambda sim, view: live.keep_current(sim, view, every_s=1.0, seconds_per_event=-1.0),
        lambda sim, view: live.seen_by(sim, view, 1, ask_every_s=0.0),
        lambda sim, view: live.relay(sim, None, None, publisher="x", every_s=-1.0),  # type: ignore[arg-type]
        lambda sim, view: live.replay(sim, [], None, rate_per_s=0.0),  # type: ignore[arg-type]
    ],
)
def test_wrong_times_are_refused(call: Any) -> None:
    with pytest.raises(EdasimError):
        call(Simulation(), View(EventStore(), counting()))
