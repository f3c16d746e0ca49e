"""What a run refuses, and what its fingerprint and its graph tell, where a first draft of them did not."""

import pytest

from edasim.brokers import MemoryBus
from edasim.errors import ConfigurationError, StateError
from edasim.events import Event
from edasim.kernel import Simulation, plane, times
from edasim.services import Service, Source, load


def shop(*, event="order", subject=None, **settings):
    sim = Simulation(**settings)
    bus = MemoryBus().start(sim)
    there = bus.topic("there")
    Service("my shop", of=bus.topic("here").subscribe(), handler=lambda e, c: Event(type="seen"), to=there)
    Service("a b", of=there.subscribe())
    Source("src", load=load.Constant(rate_per_s=9.0), to=bus.topic("here"), event=event, subject=subject)
    return sim


def test_the_fingerprint_tells_types_and_subjects_of_events_that_are_made_again():
    variants = ({}, {"event": "refund"}, {"subject": "Ada"})
    assert len({shop(**settings).run(until_s=3.0).fingerprint() for settings in variants}) == len(variants)


@pytest.mark.parametrize("level", ["full", "sampled"])
def test_what_is_kept_up_to_the_bound_does_not_tell_in_how_many_parts_a_run_was_run(level):
    settings = {"log": level, "max_rows": 40, "one_in": 2}
    whole, parts = shop(**settings), shop(**settings)
    for end_s in (1.0, 2.0, 5.0):
        parts.run(until_s=end_s)
    assert parts.run(until_s=20.0).fingerprint() == whole.run(until_s=20.0).fingerprint()


def test_a_service_is_one_node_of_the_flow_whatever_its_name():
    assert list(shop().run(until_s=2.0).flow().edges) == [("my shop", "a b"), ("src", "my shop")]


def test_a_simulation_that_is_running_is_not_run_from_inside():
    sim = Simulation()
    sim.at(1.0, lambda: sim.run(until_s=5.0))
    with pytest.raises(StateError, match=r"at 1\.000000 s of simulated time: the simulation is running already"):
        sim.run()


def test_a_loop_that_takes_no_time_is_named(monkeypatch):
    monkeypatch.setattr(plane, "CHORES_AT_AN_INSTANT", 2)
    sim = Simulation(log="metrics")
    Source(
        "src", load=load.Closed(users=1, think_time=times.Constant(value_s=0.0)), to=MemoryBus().start(sim).topic("t")
    )
    with pytest.raises(StateError, match="time stands still"):
        sim.run(until_s=1.0)


def test_a_summary_asked_for_a_name_that_two_topics_have_says_how_to_tell_them_apart() -> None:
    sim = Simulation(seed=1)
    bus = MemoryBus().start(sim)
    for name in ("orders", "returns"):
        bus.topic(name).subscribe("stock")
        bus.topic(name).publish(Event(type=name))
    summary = sim.run(until_s=1.0).summary()
    with pytest.raises(ConfigurationError, match="orders/stock, returns/stock"):
        summary["stock"]
    assert summary["returns/stock"].destination == "returns"
