"""The sourced bank: its week, its decisions, views that lag, replays beside live traffic, crashes at any step."""

import math
from collections import Counter

import pytest

from edasim import experiments, failures, theory
from edasim.errors import ConfigurationError
from edasim.events import seconds_since_epoch
from edasim.scenarios import SingleQueue, sourced
from edasim.sourcing import EveryEvents, History, View, check_view, redecide
from edasim.sourcing import live as live_sourcing

pytestmark = pytest.mark.long

QUIET = sourced.Bank(lasts_s=40.0)
REBUILDING = QUIET.but(replayed=150, replay_per_s=5.0)


class TestWeek:
    def test_the_same_seed_gives_the_same_week_and_another_one_another(self):
        assert sourced.week(500, 20, seed=3) == sourced.week(500, 20, seed=3)
        assert sourced.week(500, 20, seed=3) != sourced.week(500, 20, seed=4)

    @pytest.mark.parametrize(("events", "accounts"), [(2, 1), (500, 20), (501, 20)])
    def test_it_has_as_many_events_as_wanted_in_order_within_the_week(self, events, accounts):
        week = sourced.week(events, accounts)
        times = [seconds_since_epoch(event.time) for event in week]
        assert len(week) == events
        assert times == sorted(times)
        assert sourced.MONDAY_S <= times[0] <= times[-1] < sourced.MONDAY_S + 7 * sourced.DAY_S
        assert len({event.id for event in week}) == events

    def test_each_wish_is_answered_at_once_and_no_balance_falls_below_zero(self):
        week, balances = sourced.week(2000, 20), Counter()
        for event, after in zip(week, [*week[1:], None], strict=True):
            balances[event.subject] = sourced.BALANCES.over([event], dict(balances)).get(event.subject, 0)
            assert balances[event.subject] >= 0
            if event.type == sourced.ASKED:
                assert after.cause_id == event.id
                assert after.type in (sourced.PAID_OUT, sourced.REFUSED)

    def test_the_same_rule_decides_as_on_record_and_a_kinder_one_never_refuses_more(self):
        week = sourced.week(3000, 30)
        assert not any(each.is_changed for each in redecide(week, sourced.bank_handler(), sourced.BALANCES))
        kinder = [each for each in redecide(week, sourced.bank_handler(100), sourced.BALANCES) if each.is_changed]
        assert kinder
        assert {each.recorded[0][0] for each in kinder} == {sourced.REFUSED}

    def test_late_events_are_recorded_later_and_tell_their_own_time(self):
        store = sourced.keep(sourced.week(100, 10), late_s={"e-20": sourced.DAY_S})
        late = next(each for each in store.read() if each.event.id == "e-20")
        assert late.recorded_s == pytest.approx(seconds_since_epoch(late.event.time) + sourced.DAY_S)

    def test_accounts_of_the_campaign_rest_and_the_hasty_view_doubles_them(self):
        store = sourced.kept_week(500, 20, campaign=3)
        View(store, sourced.hasty_balance_view()).catch_up()
        green = View(store, sourced.balance_view())
        green.rebuild()
        found = {key: (each.before, each.after) for key, (each,) in green.rebuilt_differences()}
        assert sorted(found) == ["a-17", "a-18", "a-19"]
        assert all(before == 2 * after for before, after in found.values())
        green.switch()
        check_view(green)

    @pytest.mark.parametrize("wrong", [{"events": 30}, {"accounts": 0}, {"campaign": 20}, {"campaign": -1}])
    def test_impossible_weeks_are_refused(self, wrong):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            sourced.week(**{"events": 100, "accounts": 20, **wrong})

    def test_long_streams_hold_their_amounts(self):
        store, amounts = sourced.payments(2500, seed=1)
        history = History(store, sourced.TOTAL, snapshots=EveryEvents(events=100))
        history.prepare()
        assert [history.at(position) for position in (0, 1, 1234, 2500)] == [
            0, amounts[0], sum(amounts[:1234]), sum(amounts),
        ]  # fmt: skip
        assert history.replayed == 0

    def test_instants_are_told_by_day_and_minute(self):
        assert sourced.said_at(sourced.MONDAY_S + sourced.DAY_S + 36_300) == "Tue 10:05"

    def test_a_changed_event_is_found_at_its_place(self):
        store = sourced.kept_week(200, 20)
        assert store.verify() is None
        sourced.tamper(store, 7, 9999)
        assert store.verify()[:2] == (7, 7)


class TestReadYourWrites:
    def test_a_view_that_lags_shows_a_share_of_stale_looks_as_theory_says(self):
        """Two 99.9 % intervals of 20 runs: a false alarm in one of 500 sets of seeds; the seeds are fixed."""
        found = experiments.replicate(QUIET, n=20, metrics=sourced.stale_ratio, log="full")
        waiting = QUIET.but(reading=sourced.Reading.WAIT)
        waits = experiments.replicate(waiting, n=20, metrics=sourced.waited_ms, log="full")
        assert sourced.stale_ratio_truth(0.5, 0.1) in theory.mean_interval(found.of(), level=0.999)
        assert sourced.waited_ms_truth(0.5, 0.1) in theory.mean_interval(waits.of(), level=0.999)

    def test_whoever_waits_for_the_own_write_sees_it_always(self):
        run = QUIET.but(reading="wait for the own write").run(seed=1)
        assert run.kept["reads"].count > 300
        assert sourced.stale_ratio(run) == 0.0
        assert sourced.waited_ms(run) > 0

    def test_a_view_that_asks_more_often_than_customers_look_is_never_behind(self):
        run = QUIET.but(view_every_s=0.05, looks_after_s=0.1).run(seed=1)
        assert sourced.stale_ratio(run) == sourced.stale_ratio_truth(0.05, 0.1) == 0.0
        assert sourced.waited_ms_truth(0.05, 0.1) == 0.0


class TestReplayBesideLiveTraffic:
    def test_a_throttled_replay_does_not_hurt_and_an_unthrottled_one_does(self):
        """Paired 95 % intervals of 10 runs: throttled costs less than 50 ms for sure, unthrottled more than 300 ms."""
        alone, slow, fast = (
            experiments.replicate(each, n=10, metrics=sourced.live_wait_ms, log="full")
            for each in (QUIET, REBUILDING, REBUILDING.but(replay_per_s=1000.0))
        )
        assert slow.minus(alone).high < 50.0
        assert fast.minus(alone).low > 300.0
        assert 1000 * theory.mm1(10.0, 25.0).mean_wait_s in alone.interval()

    def test_the_rebuilt_copy_holds_the_old_events_and_nothing_is_printed_twice(self):
        run = REBUILDING.run(seed=2)
        statements = run.kept["statements"]
        assert sum(statements.rebuilt.values()) == 150
        assert sum(statements.live.values()) == len(statements.printed)
        replayed = [event for event in run.events() if event.extensions.get(live_sourcing.REPLAYED)]
        assert len(replayed) == 150
        assert sourced.rebuild_s(run) == pytest.approx(150 / 5.0, abs=0.5)

    def test_a_rebuild_that_does_not_end_has_no_length(self):
        assert sourced.rebuild_s(REBUILDING.but(lasts_s=20.0).run(seed=1)) == math.inf
        assert sourced.rebuild_s(QUIET.but(lasts_s=5.0).run(seed=1)) == math.inf

    def test_other_runs_are_refused(self):
        with pytest.raises(ConfigurationError, match="give a run of a Bank"):
            sourced.measures.bank_of(SingleQueue(messages=5).run())


class TestTruth:
    @pytest.mark.parametrize("seed", range(5))
    def test_crashes_at_any_step_neither_lose_a_wish_nor_book_it_twice(self, seed):
        faults = [failures.Crash(node="accounts", at_s=at_s, down_s=0.3) for at_s in (1.0, 2.37, 3.001, 5.5)]
        bank = sourced.Bank(lasts_s=30.0, faults=faults)
        run = bank.but(arrivals=bank.arrivals.until(20.0)).run(seed=seed)
        wishes = {event.id for event in run.events() if event.type in (sourced.ASKED, "payment.asked")}
        booked = [each.event for each in run.kept["store"].read()]
        assert Counter(event.cause_id for event in booked) == dict.fromkeys(wishes, 1)
        told = {
            event.id for event in run.events() if event.type in (sourced.PAID_IN, sourced.PAID_OUT, sourced.REFUSED)
        }
        assert told == {event.id for event in booked}
        assert sum(run.kept["statements"].live.values()) == len(booked)
        check_view(run.kept["view"])

    def test_every_balance_is_the_fold_of_its_stream(self):
        run = QUIET.run(seed=4)
        store, view = run.kept["store"], run.kept["view"]
        view.catch_up()
        for account in store.streams():
            assert view.state(account) == History(store, sourced.ACCOUNT, stream=account).now()["eur"] >= 0

    def test_it_is_data(self):
        assert sourced.Bank.from_dict(REBUILDING.to_dict()) == REBUILDING
        assert "replay_per_s=5.0" in REBUILDING.describe()
        assert (
            REBUILDING.but(lasts_s=8.0).run(seed=1).fingerprint()
            == REBUILDING.but(lasts_s=8.0).run(seed=1).fingerprint()
        )

    def test_a_replay_of_too_few_events_is_refused(self):
        with pytest.raises(ConfigurationError, match=r"Bank\.replayed"):
            sourced.Bank(replayed=10)
