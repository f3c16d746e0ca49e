"""Streams with a cursor, two worlds, the cost of snapshots, rebuilds: what is drawn, said and refused."""

from xml.etree import ElementTree

import pytest

from edasim import viz
from edasim.errors import ConfigurationError
from edasim.events import Event
from edasim.scenarios import sourced
from edasim.sourcing import EventStore, Fold, History, what_if


def texts(picture):
    return [node.text for node in ElementTree.fromstring(picture.svg).iter() if node.tag.endswith("text")]


@pytest.fixture
def account():
    store = EventStore(clock=lambda: 0.0)
    for type_, eur in (("money.paid_in", 300), ("money.paid_out", 80), ("money.paid_out", 80)):
        store.append("a-7", [Event(type=type_, data={"eur": eur, "note": "<&>" * 30})])
    return History(store, sourced.ACCOUNT, stream="a-7")


class TestStream:
    def test_the_state_stands_beside_its_events_with_what_changed(self, account):
        picture = viz.history_svg(account, 2)
        assert picture.text.split("\n")[:3] == [
            "A stream and its state: the state at event 2 of 3, after money.paid_out; 2 folded from the first event.",
            "State: eur 220, paid_in 300, paid_out 80, refused 0.",
            "The last event changed eur from 300 to 220, paid_out from 0 to 80.",
        ]
        written = texts(picture)
        assert {"was 300", "was 0", "not yet", "220", "paid in"} <= set(written)

    def test_before_the_first_event_nothing_has_changed(self, account):
        picture = viz.history_svg(account, 0)
        assert "before the first event; 0 folded" in picture.text
        assert "changed" not in picture.text

    def test_a_state_that_is_a_number_has_the_name_of_its_fold(self, account):
        history = History(account.store, sourced.TOTAL)
        assert "State: total 140." in viz.history_svg(history, 3).text

    def test_a_position_that_does_not_exist_is_refused(self, account):
        with pytest.raises(ConfigurationError, match=r"Place\.position is 9"):
            viz.history_svg(account, 9)


class TestWorlds:
    def test_both_worlds_are_drawn_and_what_only_one_has_is_listed(self):
        week = sourced.week(60, 1, seed=1)
        worlds = what_if(week, sourced.ACCOUNT, {"e-0": None}, sourced.account_handler())
        picture = viz.worlds_svg(worlds, sourced.ACCOUNT, lambda state: state["eur"], title="No opening", unit="EUR")
        happened, imagined = worlds.actual_state["eur"], worlds.imagined_state["eur"]
        assert picture.text.startswith(
            f"No opening: it ends at {happened} EUR as it happened, and at {imagined} EUR in the other world."
        )
        assert "e-0 money.paid_in" in picture.text
        assert {"as it happened", "what if"} <= set(texts(picture))

    def test_equal_worlds_differ_nowhere(self):
        worlds = what_if(sourced.week(60, 1, seed=1), sourced.ACCOUNT, {})
        picture = viz.worlds_svg(worlds, sourced.ACCOUNT, lambda state: state["eur"], title="As it was", unit="EUR")
        assert "Only as it happened (0): nothing" in picture.text
        assert "The states differ in 0 places: none" in picture.text

    def test_events_without_a_time_are_refused(self):
        count = Fold(name="n", initial=0, apply=lambda n, _: n + 1)
        worlds = what_if([Event(type="t", id="1", source="/s")], count, {})
        with pytest.raises(ConfigurationError, match="has no time"):
            viz.worlds_svg(worlds, count, float, title="t", unit="")


class TestSnapshotCost:
    def test_the_cheapest_distance_is_named(self):
        picture = viz.snapshot_cost_svg([10, 100, 1000], [10, 1, 0.1], [0.1, 1, 10], (1000, 9.7), title="A day")
        assert "the cheapest distance is about 100 events, 2 s per day" in picture.text
        assert {"cheapest: 100", "now: every 1,000, 9.7 s"} <= set(texts(picture))

    @pytest.mark.parametrize("writing", [[1.0], [1.0, 0.0], [1.0, -1.0]])
    def test_costs_that_cannot_be_drawn_are_refused(self, writing):
        with pytest.raises(ConfigurationError, match="intervals"):
            viz.snapshot_cost_svg([10, 100], writing, [1.0, 2.0], (10, 1.0), title="A day")


class TestRebuild:
    BANK = sourced.Bank(lasts_s=20.0, accounts=10, replayed=40, replay_per_s=1000.0)

    def test_the_green_copy_and_both_queues_are_drawn(self):
        picture = viz.rebuild_svg(self.BANK.run(seed=1), pinned=self.BANK.but(replay_per_s=4.0).run(seed=1))
        assert {"green: events rebuilt", "live events waiting", "grey: at 4 per s"} <= set(texts(picture))
        assert "all 40 rebuilt at" in picture.text
        assert "In grey, at 4 per s:" in picture.text

    def test_a_rebuild_that_does_not_end_says_how_far_it_came(self):
        picture = viz.rebuild_svg(self.BANK.but(replay_per_s=1.0).run(seed=1))
        assert "of 40 rebuilt at the end" in picture.text
