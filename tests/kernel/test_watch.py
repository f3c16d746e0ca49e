"""Watches: deadlines that do not keep a run alive."""

import pytest

from edasim import Simulation
from edasim.errors import StateError


def test_a_run_without_an_end_does_not_go_on_for_the_sake_of_watches():
    sim, told = Simulation(), []
    sim.env.at(1.0, lambda now_s, what: told.append((now_s, what)), "record")
    sim.env.watch(0.5, lambda now_s, what: told.append((now_s, what)), "early watch")
    sim.env.watch(100.0, lambda now_s, what: told.append((now_s, what)), "late watch")
    assert sim.run().ended_s == 1.0
    assert told == [(0.5, "early watch"), (1.0, "record")]


def test_a_watch_comes_while_anything_else_is_still_to_happen():
    sim, told = Simulation(), []
    sim.env.watch(100.0, lambda now_s, what: told.append((now_s, what)), "watch")
    sim.env.timeout(200.0)
    assert sim.run().ended_s == 200.0
    assert told == [(100.0, "watch")]


def test_a_watch_comes_in_a_run_with_an_end_and_may_start_something():
    sim, told = Simulation(), []

    def due(now_s, _):
        told.append(now_s)
        sim.env.at(now_s + 1.0, lambda at_s, _: told.append(at_s))
        sim.env.watch(now_s + 2.0, due)

    sim.env.watch(3.0, due)
    sim.run(until_s=7.5)
    assert told == [3.0, 4.0, 5.0, 6.0, 7.0]


def test_at_one_instant_watches_records_and_events_come_in_the_order_of_scheduling():
    sim, told = Simulation(), []
    sim.env.watch(1.0, lambda *_: told.append("watch"))
    sim.env.at(1.0, lambda *_: told.append("record"))
    sim.env.timeout(1.0).callbacks.append(lambda _: told.append("event"))
    sim.env.watch(1.0, lambda *_: told.append("second watch"))
    sim.run(until_s=2.0)
    assert told == ["watch", "record", "event", "second watch"]


def test_a_run_can_go_on_after_it_ended_before_a_watch():
    sim, told = Simulation(), []
    sim.env.watch(5.0, lambda now_s, _: told.append(now_s))
    assert sim.run().ended_s == 0.0
    sim.run(until_s=6.0)
    assert told == [5.0]


def test_a_watch_in_the_past_is_refused():
    sim = Simulation()
    sim.run(until_s=2.0)
    with pytest.raises(StateError, match="is to happen at 1"):
        sim.env.watch(1.0, lambda *_: None)
