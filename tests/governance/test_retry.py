"""Retries, their budgets, hedging and deadlines: exact waits, and bounds on what retries add."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edasim.errors import ConfigurationError
from edasim.governance import (
    NO_RETRY,
    Backoff,
    Deadline,
    Failure,
    Hedge,
    Retry,
    RetryThrottle,
    ShareOfActive,
    ShareOfFresh,
    Timeout,
    amplification,
    delay_from,
)

FEW = settings(max_examples=40)
"""For laws of second rank: test time is precious."""

MOVES = ("request", "allow", "done", "retried")
DRAWS = some.floats(0.0, 1.0, exclude_max=True)


@pytest.mark.rule("GV-20")
class TestBackoff:
    def test_resilience4j_tries_three_times_half_a_second_apart(self):
        retry = Retry()
        assert [retry.wait_s(failed, Failure.ERROR) for failed in (1, 2, 3)] == [0.5, 0.5, None]

    def test_ceilings_double_up_to_the_cap(self):
        backoff = Backoff(first_wait_s=0.1, cap_s=1.0, jitter="none")
        assert [backoff.wait_s(failed) for failed in range(1, 7)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]

    @pytest.mark.parametrize(
        ("jitter", "waits_s"),
        [("full", [0.0, 0.2, 0.3]), ("equal", [0.2, 0.3, 0.35]), ("around", [0.2, 0.4, 0.5])],
    )
    def test_jitters_spread_a_ceiling_of_400_ms(self, jitter, waits_s):
        backoff = Backoff(first_wait_s=0.1, jitter=jitter)
        assert [backoff.wait_s(3, draw) for draw in (0.0, 0.5, 0.75)] == pytest.approx(waits_s, rel=1e-15)

    @pytest.mark.parametrize("jitter", ["none", "full", "equal", "decorrelated", "around"])
    def test_at_work_in_a_client_it_waits_as_the_policy_says(self, jitter):
        retry = Retry(attempts=40, backoff=Backoff(first_wait_s=0.1, cap_s=3.0, jitter=jitter))
        draws = [0.37 * failed % 1.0 for failed in range(1, 42)]
        at_work = retry.start(iter(draws))
        for failed, draw in enumerate(draws, start=1):
            asked = (failed, Failure.INVALID if failed == 7 else Failure.ERROR)
            left_s = 0.01 if failed == 9 else math.inf
            assert at_work.wait_s(*asked, 0.3, left_s) == retry.wait_s(*asked, draw, 0.3, left_s)

    @pytest.mark.parametrize("jitter", ["none", "full", "equal"])
    def test_waits_between_two_bounds_are_those_that_it_would_tell(self, jitter):
        retry = Retry(attempts=9, backoff=Backoff(first_wait_s=0.1, cap_s=3.0, jitter=jitter))
        spreads_s = retry.start(iter([])).spreads_s(Failure.ERROR)
        assert len(spreads_s) == 9
        for failed, (least_s, breadth_s) in list(enumerate(spreads_s))[1:]:
            assert least_s + 0.37 * breadth_s == retry.wait_s(failed, Failure.ERROR, 0.37)

    @pytest.mark.parametrize(("jitter", "attempts"), [("decorrelated", 3), ("around", 3), ("full", 40)])
    def test_what_takes_more_than_two_bounds_has_none(self, jitter, attempts):
        at_work = Retry(attempts=attempts, backoff=Backoff(jitter=jitter)).start(iter([]))
        assert (at_work.spreads_s(Failure.ERROR), at_work.spreads_s(Failure.INVALID)) == (None, [])

    def test_decorrelated_jitter_looks_at_the_wait_before(self):
        backoff = Backoff(first_wait_s=0.1, cap_s=1.0, jitter="decorrelated")
        assert backoff.wait_s(1, draw=0.5) == pytest.approx(0.2)
        assert backoff.wait_s(2, draw=0.5, previous_wait_s=0.2) == pytest.approx(0.35)
        assert backoff.wait_s(9, draw=0.9, previous_wait_s=0.9) == 1.0

    @FEW
    @given(
        some.sampled_from(["none", "full", "equal", "decorrelated", "around"]),
        some.floats(0.001, 1.0),
        some.floats(1.0, 4.0),
        some.integers(1, 2_000),
        DRAWS,
        some.floats(0.0, 50.0),
    )
    def test_no_wait_is_longer_than_the_cap_or_below_zero(self, jitter, first_s, factor, failed, draw, before_s):
        backoff = Backoff(first_wait_s=first_s, factor=factor, cap_s=20.0, jitter=jitter)
        assert 0.0 <= backoff.wait_s(failed, draw, before_s) <= 20.0

    def test_a_spread_of_everything_may_be_no_wait_even_where_ceilings_overflow(self):
        backoff = Backoff(first_wait_s=0.1, jitter="around", around_ratio=1.0)
        assert backoff.wait_s(5_000, draw=0.0) == 0.0
        assert backoff.wait_s(5_000, draw=0.5) == 10.0
        assert Backoff(first_wait_s=0.0, jitter="none").wait_s(5_000) == 0.0


class TestRetry:
    def test_only_what_may_go_better_is_tried_again(self):
        again = {failure for failure in Failure if Retry().wait_s(1, failure) is not None}
        assert again == {Failure.ERROR, Failure.TIMEOUT, Failure.UNREACHABLE, Failure.OVERLOADED}
        assert Retry(retry_on=["invalid"]).wait_s(1, Failure.INVALID) == 0.5
        assert NO_RETRY.wait_s(1, Failure.ERROR) is None

    @pytest.mark.rule("GV-23")
    def test_a_retry_that_could_not_begin_before_the_deadline_is_not_made(self):
        retry = Retry()
        assert retry.wait_s(1, Failure.ERROR, left_s=0.5) is None
        assert retry.wait_s(1, Failure.ERROR, left_s=0.51) == 0.5

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (lambda: Retry(attempts=0), "Retry.attempts is 0"),
            (lambda: Retry(retry_on="error"), "give a list of failures"),
            (lambda: Retry(retry_on=["bad luck"]), "give one of 'error'"),
            (lambda: Backoff(factor=0.5), "Backoff.factor is 0.5; give at least 1"),
            (lambda: Backoff(first_wait_s=2.0, cap_s=1.0), "Backoff.cap_s is 1.0; give at least first_wait_s, 2"),
            (lambda: Backoff(around_ratio=1.5), "around_ratio is 1.5"),
        ],
    )
    def test_contradictions_are_refused(self, make, told):
        with pytest.raises(ConfigurationError, match=told):
            make()


def calls_at_the_bottom(fresh, attempts, budgets):
    """How many calls reach the lowest of as many layers as there are budgets, if every call fails."""
    reached = 0

    def call(layer):
        nonlocal reached
        if layer == len(budgets):
            reached += 1
            return
        budget = budgets[layer]
        if budget is not None:
            budget.request(0.0)
        for attempt in range(attempts):
            if attempt and budget is not None and not budget.allow(0.0):
                return
            call(layer + 1)

    for _ in range(fresh):
        call(0)
    return reached


@pytest.mark.rule("GV-21")
class TestAmplification:
    def test_three_tries_in_four_layers_make_81_calls(self):
        assert calls_at_the_bottom(1, 3, [None] * 4) == amplification(3, 4) == 81

    @pytest.mark.parametrize(("ratio", "fresh"), [(0.1, 1_000), (0.25, 256)])
    def test_a_budget_in_each_layer_bounds_it_by_its_ratio(self, ratio, fresh):
        budgets = [ShareOfFresh(ratio=ratio, reserve_per_s=0.0).start() for _ in range(4)]
        reached = calls_at_the_bottom(fresh, 3, budgets)
        assert fresh * (1 + ratio) ** 4 - 4 * (1 + ratio) ** 3 <= reached <= fresh * amplification(1 + ratio, 4)

    @given(
        some.binary(max_size=150).map(lambda walk: [(bool(step & 1), step // 2 % 31) for step in walk]),
        some.sampled_from([0.0, 0.1, 0.2, 0.5, 1.5]),
        some.sampled_from([0.0, 0.5]),
    )
    def test_retries_never_exceed_the_ratio_of_the_fresh_requests_and_the_reserve(self, moves, ratio, reserve_per_s):
        budget = ShareOfFresh(ratio=ratio, reserve_per_s=reserve_per_s, ttl_s=4.0).start()
        now_s, fresh, retries = 0.0, 0, 0
        for is_fresh, quarters in moves:
            now_s += quarters / 4
            if is_fresh:
                fresh += 1
                budget.request(now_s)
            else:
                retries += budget.allow(now_s)
            reserve = reserve_per_s * 4.0 * (1 + math.floor(now_s / 4.0))
            assert retries <= ratio * fresh + reserve + 1e-6


@pytest.mark.rule("GV-22")
class TestBudgets:
    def test_envoys_budget_is_20_percent_of_what_is_under_way_and_at_least_three(self):
        budget = ShareOfActive().start()
        for _ in range(10):
            budget.request(0.0)
        assert [budget.allow(0.0) for _ in range(4)] == [True, True, True, False]
        for _ in range(20):
            budget.request(0.0)
        assert [budget.allow(0.0) for _ in range(5)] == [True, True, True, True, False], "7 of 35 under way after that"
        budget.done(1.0, ok=False, retried=True)
        assert (budget.active, budget.retries, budget.refused) == (36, 6, 2)

    @FEW
    @given(some.binary(max_size=150).map(lambda walk: [MOVES[step % 4] for step in walk]), some.integers(0, 4))
    def test_retries_under_way_never_exceed_their_share_when_one_is_granted(self, moves, minimum):
        budget = ShareOfActive(ratio=0.3, minimum=minimum).start()
        for move in moves:
            if move == "request":
                budget.request(0.0)
            elif move == "allow":
                under_way = budget.active
                if budget.allow(0.0):
                    assert budget.retries <= max(minimum, 0.3 * under_way + 1e-9)
                    fresh = budget.active - budget.retries
                    assert budget.retries <= max(minimum, 0.3 / 0.7 * fresh), "a share of all is more of the fresh"
            elif move == "retried" and budget.retries:
                budget.done(0.0, ok=True, retried=True)
            elif move == "done" and budget.active > budget.retries:
                budget.done(0.0, ok=True)
            assert 0 <= budget.retries <= budget.active

    def test_grpcs_throttle_stops_at_half_and_recovers_slowly(self):
        throttle = RetryThrottle(max_tokens=10, token_ratio=0.1).start()
        for _ in range(4):
            throttle.done(0.0, ok=False)
        assert (throttle.tokens, throttle.allow(0.0)) == (6.0, True)
        throttle.done(0.0, ok=False)
        assert (throttle.tokens, throttle.allow(0.0)) == (5.0, False)
        throttle.done(0.0, ok=True)
        assert (throttle.tokens, throttle.allow(0.0)) == (5.1, True)
        for _ in range(100):
            throttle.done(0.0, ok=False)
        assert throttle.tokens == 0.0
        for _ in range(200):
            throttle.request(0.0)
            throttle.done(0.0, ok=True)
        assert (throttle.tokens, throttle.refused) == (10.0, 1)

    @FEW
    @given(some.binary(max_size=200), some.sampled_from([0.1, 0.5]), some.integers(1, 12))
    def test_grpcs_throttle_bounds_retries_by_half_its_tokens_and_the_ratio_of_the_successes(self, walk, ratio, most):
        throttle, retries, successes = RetryThrottle(max_tokens=most, token_ratio=ratio).start(), 0, 0
        for step in walk:
            throttle.done(0.0, ok=step % 4 == 0)
            successes += step % 4 == 0
            retries += step % 4 != 0 and throttle.allow(0.0)
            assert retries <= most / 2 + ratio * successes

    def test_deposits_are_worth_their_time_only(self):
        budget = ShareOfFresh(ratio=1.0, reserve_per_s=0.0, ttl_s=10.0).start()
        budget.request(0.0)
        budget.request(5.0)
        assert budget.balance(9.9) == 2.0
        assert [budget.allow(10.0), budget.allow(10.0)] == [True, False]
        budget.done(10.0, ok=True)
        assert budget.refused == 1

    def test_a_ratio_in_percent_is_met_exactly(self):
        for percent in range(1, 101):
            budget = ShareOfFresh(ratio=percent / 100, reserve_per_s=0.0).start()
            for _ in range(100):
                budget.request(0.0)
            assert sum(budget.allow(0.0) for _ in range(101)) == percent


@pytest.mark.rule("GV-24")
class TestHedging:
    def test_grpcs_example_sends_four_copies_half_a_second_apart(self):
        hedge, sent_s = Hedge(delay_s=0.5, attempts=4), [0.001]
        while (wait_s := hedge.next_wait_s(len(sent_s))) is not None:
            sent_s.append(sent_s[-1] + wait_s)
        assert sent_s == [0.001, 0.501, 1.001, 1.501]

    def test_a_failure_that_is_not_fatal_sends_the_next_copy_at_once(self):
        hedge = Hedge(delay_s=0.5, attempts=2, non_fatal=["overloaded"])
        assert (hedge.after(Failure.OVERLOADED, 1), hedge.fatal(Failure.OVERLOADED)) == (0.0, False)
        assert hedge.after(Failure.OVERLOADED, 2) is None
        assert (hedge.after(Failure.ERROR, 1), hedge.fatal(Failure.ERROR)) == (None, True)

    @FEW
    @given(some.binary(min_size=1, max_size=200).map(list), some.sampled_from([0.5, 0.9, 0.95, 1.0]))
    def test_a_delay_of_a_quantile_hedges_at_most_the_rest(self, durations_s, share):
        delay_s = delay_from(durations_s, share)
        hedged = sum(duration_s > delay_s for duration_s in durations_s)
        assert hedged <= (1.0 - share) * len(durations_s) + 1e-9

    def test_what_cannot_be_is_refused(self):
        with pytest.raises(ConfigurationError, match=r"Hedge\.attempts is 1"):
            Hedge(delay_s=0.1, attempts=1)
        with pytest.raises(ConfigurationError, match="give at least one duration"):
            delay_from([])
        with pytest.raises(ConfigurationError, match=r"share is 1\.5"):
            delay_from([1.0], share=1.5)


@pytest.mark.rule("GV-23")
def test_a_deadline_is_handed_on_as_what_is_left():
    """The user waits until 2 s; the shop asks stock with 1.5 s of its own, stock asks the store with 5 s of its own."""
    user = Deadline(at_s=2.0)
    stock = user.within(0.25, timeout_s=1.5)
    store = stock.within(0.5, timeout_s=5.0)
    assert (stock.at_s, store.at_s, store.left_s(1.0), store.left_s(3.0)) == (1.75, 1.75, 0.75, 0.0)
    assert [store.expired(now_s) for now_s in (1.7499, 1.75)] == [False, True]
    assert Timeout(after_s=2.0).after_s == 2.0


@pytest.mark.parametrize(("attempts", "layers", "field"), [(0, 3, "attempts"), (3, -1, "layers"), (3, 1.5, "layers")])
def test_an_amplification_of_nothing_is_refused(attempts, layers, field):
    with pytest.raises(ConfigurationError, match=f"{field} is"):
        amplification(attempts, layers)
