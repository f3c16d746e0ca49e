"""The labs of chapter 08: what they draw and say, their speed, their theory, their extremes."""

from xml.etree import ElementTree

import pytest
from quiet import quiet_s

from edasim import labs
from edasim.labs import history_lab, rebuild_lab, what_if_lab
from edasim.scenarios.sourced import DAY_S, MONDAY_S
from edasim.sourcing import EveryEvents


def texts(picture):
    return [node.text for node in ElementTree.fromstring(picture.svg).iter() if node.tag.endswith("text")]


class TestHistory:
    def test_the_default_is_tuesday_at_ten(self):
        ten_s = MONDAY_S + DAY_S + 10 * 3600
        assert history_lab.store().position_at(ten_s) == history_lab.TUESDAY_TEN
        assert "Tue 09:5" in labs.history.draw().text or "Tue 10:00" in labs.history.draw().text

    def test_the_lab_knows_on_tuesday_what_the_bank_knew_and_hears_of_the_late_payment_on_wednesday(self):
        heard = next(each for each in history_lab.store().read() if each.event.id in history_lab.LATE_S)
        known = [history_lab.simulate({"event": event, "account": "a-7", "snapshot_every": 100}, 1).shown["a-7"]
                 for event in (history_lab.TUESDAY_TEN, heard.position - 1, heard.position)]  # fmt: skip
        assert (heard.position, known[0], known[2] - known[1]) == (4_102, 22, 45)
        assert "Wed 20:30" in labs.history.draw(event=4_102).text

    def test_state_and_picture_follow_within_a_tenth_of_a_second(self):
        """Without a snapshot on the way, 10,000 events take a blink longer."""
        labs.history.draw(snapshot_every=10_000)
        for every, limit_s in ((100, 0.05), (10_000, 0.4)):
            assert quiet_s(lambda n: labs.history.draw(event=9_990 + n, snapshot_every=every)) < limit_s  # noqa: B023

    @pytest.mark.parametrize("event", [1, 99, 100, 101, 5_000, 10_000])
    def test_the_state_does_not_depend_on_snapshots(self, event):
        models = [
            history_lab.simulate({"event": event, "account": "a-7", "snapshot_every": every}, 1)
            for every in (10, 100, 1_000, 10_000)
        ]
        assert all(model.state == models[0].state for model in models)
        assert [model.place.replayed for model in models] == [event % every for every in (10, 100, 1_000, 10_000)]
        direct = history_lab.BOOKS.over(each.event for each in history_lab.store().read(up_to=event))
        assert models[0].state == direct

    def test_it_says_what_the_last_event_changed_and_what_is_not_yet(self):
        said = labs.history.draw(event=9_000, snapshot_every=1_000, pinned={"event": 2_013}).text
        assert "0 folded from the snapshot at 9,000" in said
        assert "The last event changed" in said
        assert said.count("(not yet)") == 4
        assert "Pinned, event 2,013, Tue" in said

    def test_ten_seeds_hold_theory(self):
        """One fixed comparison at 95 %."""
        (spread,) = labs.history.ten_seeds(snapshot_every=100)
        assert spread.truth == EveryEvents(events=100).mean_replayed
        assert spread.truth in spread.interval


class TestRebuild:
    def test_the_lab_counts_as_a_history_folds(self):
        asked = history_lab.history(100)
        for position in (1, 99, 100, 101, 2_345):
            asked.at(position)
            assert asked.replayed == position % 100

    def test_theory_finds_the_cheapest_of_all_distances(self):
        values = {"questions": 1_000, "write_ms": 5.0, "fold_us": 20}
        cost = {every: rebuild_lab.cost_truth_s({**values, "snapshot_every": every}) for every in range(10, 500)}
        assert min(cost, key=cost.get) == pytest.approx(rebuild_lab.cheapest(values), abs=1.0)

    def test_ten_seeds_hold_theory(self):
        """Two fixed comparisons at 95 %, of the same numbers."""
        for spread in labs.rebuild.ten_seeds():
            assert spread.truth in spread.interval

    @pytest.mark.parametrize("every", [10, 10_000])
    @pytest.mark.parametrize("values", [{"questions": 10, "write_ms": 50.0}, {"questions": 10_000, "fold_us": 200}])
    def test_extremes_are_drawn(self, every, values):
        picture = labs.rebuild.draw(snapshot_every=every, pinned={}, **values)
        assert any(words.startswith("cheapest") for words in texts(picture))
        assert "Pinned: every 1,000 events" in picture.text


class TestWhatIf:
    def model(self, **values):
        return what_if_lab.simulate(labs.what_if.values(values), 1)

    def test_without_the_first_payment_later_withdrawals_are_refused(self):
        model = self.model(visit=1)
        assert what_if_lab.changed_decisions(model) == 6
        assert model.worlds.imagined_state["eur"] >= 0
        assert "Decisions that change: 6." in labs.what_if.draw(visit=1).text

    def test_with_the_decisions_on_record_the_balance_falls_below_zero(self):
        model = self.model(visit=1, answers=what_if_lab.ON_RECORD)
        assert what_if_lab.changed_decisions(model) == 0
        assert model.worlds.imagined_state["eur"] < 0
        assert model.worlds.imagined_state["eur"] == model.worlds.actual_state["eur"] - model.event.data["eur"]

    def test_half_of_a_payment_is_half_of_it(self):
        model = self.model(visit=1, change="halve it", answers=what_if_lab.ON_RECORD)
        half = round(model.event.data["eur"] * 0.5)
        assert model.worlds.actual_state["eur"] - model.worlds.imagined_state["eur"] == model.event.data["eur"] - half

    def test_a_kinder_rule_pays_more_often(self):
        strict, kind = (self.model(visit=30, overdraft_eur=eur).worlds.imagined_state["refused"] for eur in (0, 500))
        assert kind < strict

    @pytest.mark.parametrize("seed", range(30))
    def test_every_week_has_as_many_visits_as_the_slider(self, seed):
        for visit in (1, what_if_lab.VISITS):
            drawn = ElementTree.fromstring(labs.what_if.draw(seed=seed, visit=visit, change="double it").svg)
            assert drawn.tag.endswith("svg")

    def test_a_pinned_world_is_told(self):
        assert "Pinned: leave it out, Mon" in labs.what_if.draw(visit=2, pinned={"visit": 1}).text
