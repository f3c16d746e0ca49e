"""Rate limiters: exact timelines, and the bound that each promises on every interval.

Times in the property tests are multiples of 1/64 s and rates such that no float is rounded, so the bounds are exact.
"""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edasim.errors import ConfigurationError
from edasim.governance import FixedWindow, LeakyBucket, PermitsPerPeriod, SlidingCounter, SlidingLog, TokenBucket

FEW = settings(max_examples=40)
"""For laws of second rank: test time is precious."""

GAPS = some.binary(min_size=1, max_size=60)


def let_through(limiter, gaps):
    """The times, multiples of 1/64 s, at which a request began."""
    state = limiter.start()
    times_s = list(itertools.accumulate(gap / 64 for gap in gaps))
    return [now_s for now_s in times_s if state.allow(now_s)]


def most_in(times_s, width_s):
    """The most requests in any half-open interval of that width."""
    return max((sum(first <= each < first + width_s for each in times_s) for first in times_s), default=0)


@pytest.mark.rule("GV-30")
class TestTokenBucket:
    def test_it_starts_full_and_gains_its_rate_up_to_the_burst(self):
        bucket = TokenBucket(rate_per_s=2.0, burst=3).start()
        assert [bucket.allow(0.0) for _ in range(4)] == [True, True, True, False]
        assert [bucket.allow(now_s) for now_s in (0.25, 0.5, 0.75, 1.0)] == [False, True, False, True]
        assert [bucket.allow(100.0) for _ in range(4)] == [True, True, True, False]
        assert bucket.refused == 4

    @given(GAPS, some.integers(1, 40), some.integers(1, 10))
    def test_no_interval_has_more_than_burst_plus_rate_times_its_length(self, gaps, eighths_per_s, burst):
        times_s = let_through(TokenBucket(rate_per_s=eighths_per_s / 8, burst=burst), gaps)
        for first, last in itertools.combinations_with_replacement(range(len(times_s)), 2):
            assert last - first + 1 <= burst + eighths_per_s / 8 * (times_s[last] - times_s[first])

    @FEW
    @given(GAPS, some.floats(1e-4, 0.1), some.floats(0.01, 100.0), some.floats(1.0, 50.0))
    def test_rounding_lets_nothing_more_through_than_a_billionth_of_a_token_a_request(
        self, gaps, unit_s, rate_per_s, burst
    ):
        state = TokenBucket(rate_per_s=rate_per_s, burst=burst).start()
        times_s = [now_s for now_s in itertools.accumulate(gap * unit_s for gap in gaps) if state.allow(now_s)]
        for first, last in itertools.combinations_with_replacement(range(len(times_s)), 2):
            bound = burst + rate_per_s * (times_s[last] - times_s[first])
            assert last - first + 1 <= bound + 1e-9 * (last - first + 1)

    def test_a_time_that_runs_backwards_gains_nothing(self):
        bucket = TokenBucket(rate_per_s=1.0, burst=1).start()
        assert [bucket.allow(now_s) for now_s in (5.0, 0.0, 5.5, 6.0)] == [True, False, False, True]


@pytest.mark.rule("GV-31")
class TestLeakyBucket:
    def test_requests_leave_evenly_and_a_full_bucket_refuses(self):
        bucket = LeakyBucket(rate_per_s=4.0, capacity=2).start()
        assert [bucket.wait_s(0.0) for _ in range(4)] == [0.0, 0.25, 0.5, None]
        assert [bucket.wait_s(now_s) for now_s in (0.25, 0.25, 9.0)] == [0.5, None, 0.0]
        assert bucket.refused == 2

    def test_without_room_only_a_free_outflow_lets_through(self):
        bucket = LeakyBucket(rate_per_s=1.0).start()
        assert [bucket.allow(now_s) for now_s in (0.0, 0.5, 1.0)] == [True, False, True]

    @FEW
    @given(GAPS, some.sampled_from([0.5, 1.0, 2.0, 8.0]), some.integers(0, 5))
    def test_the_outflow_is_even_and_the_wait_bounded(self, gaps, rate_per_s, capacity):
        bucket = LeakyBucket(rate_per_s=rate_per_s, capacity=capacity).start()
        leaves_s = []
        for now_s in itertools.accumulate(gap / 64 for gap in gaps):
            wait_s = bucket.wait_s(now_s)
            if wait_s is not None:
                assert wait_s <= capacity / rate_per_s + 0.5 / rate_per_s
                leaves_s.append(now_s + wait_s)
        assert all(after - before >= 1 / rate_per_s for before, after in itertools.pairwise(leaves_s))


@pytest.mark.rule("GV-31")
class TestWindows:
    def test_a_fixed_window_lets_through_twice_its_limit_across_a_boundary(self):
        assert let_through(FixedWindow(limit=3), [60, 1, 1, 1, 1, 1, 1, 1]) == [
            60 / 64,
            61 / 64,
            62 / 64,
            1.0,
            65 / 64,
            66 / 64,
        ]

    def test_boundaries_are_where_they_are_written_though_floats_round(self):
        window = FixedWindow(limit=1, window_s=0.1).start()
        assert [window.allow(number / 10) for number in range(50)] == [True] * 50

    @FEW
    @given(GAPS, some.integers(1, 6))
    def test_a_fixed_window_never_lets_through_more_than_twice_its_limit(self, gaps, limit):
        times_s = let_through(FixedWindow(limit=limit), gaps)
        assert all(sum(int(each) == window for each in times_s) <= limit for window in {int(each) for each in times_s})
        assert most_in(times_s, 1.0) <= 2 * limit

    @FEW
    @given(GAPS, some.integers(1, 6))
    def test_a_sliding_log_is_exact(self, gaps, limit):
        state, kept = SlidingLog(limit=limit).start(), []
        for now_s in itertools.accumulate(gap / 64 for gap in gaps):
            room = sum(now_s - each < 1.0 for each in kept) < limit
            assert state.allow(now_s) is room
            kept += [now_s] * room
        assert most_in(kept, 1.0) <= limit

    def test_a_sliding_counter_weighs_the_last_window_by_its_overlap(self):
        counter = SlidingCounter(limit=10).start()
        assert [counter.allow(0.5) for _ in range(11)] == [True] * 10 + [False]
        assert [counter.allow(1.25) for _ in range(4)] == [True, True, False, False], "10 * 0.75 + 2 is 9.5"
        assert [counter.allow(3.5) for _ in range(10)] == [True] * 10, "an empty window lies between"

    @FEW
    @given(GAPS, some.integers(1, 6))
    def test_a_sliding_counter_stays_below_a_fixed_windows_worst(self, gaps, limit):
        times_s = let_through(SlidingCounter(limit=limit), gaps)
        assert all(sum(int(each) == window for each in times_s) <= limit for window in {int(each) for each in times_s})
        assert most_in(times_s, 1.0) <= 2 * limit

    def test_times_that_run_backwards_count_as_the_latest(self):
        for limiter in (FixedWindow(limit=2), SlidingLog(limit=2), SlidingCounter(limit=2)):
            state = limiter.start()
            assert [state.allow(now_s) for now_s in (5.5, 2.0, 1.0)] == [True, True, False]
            assert state.refused == 1


@pytest.mark.rule("GV-32")
class TestPermitsPerPeriod:
    def test_the_defaults_are_50_permits_every_500_ns_and_a_wait_of_up_to_5_s(self):
        limiter = PermitsPerPeriod()
        assert (limiter.limit, limiter.period_s, limiter.timeout_s) == (50, 5e-7, 5.0)

    def test_who_finds_no_permit_is_promised_one_of_a_later_period(self):
        limiter = PermitsPerPeriod(limit=2, period_s=1.0, timeout_s=1.5).start()
        assert [limiter.wait_s(0.25) for _ in range(7)] == [0.0, 0.0, 0.75, 0.75, None, None, None]
        assert limiter.permits == -2
        assert [limiter.wait_s(1.25) for _ in range(3)] == [0.75, 0.75, None], "the permits of period 1 were promised"
        assert [limiter.wait_s(9.0) for _ in range(3)] == [0.0, 0.0, 1.0], "permits are not saved up"
        assert limiter.refused == 4

    def test_asking_without_waiting_promises_nothing(self):
        limiter = PermitsPerPeriod(limit=1, period_s=1.0).start()
        assert [limiter.allow(now_s) for now_s in (0.0, 0.5, 1.0)] == [True, False, True]

    @FEW
    @given(GAPS, some.integers(1, 4), some.sampled_from([0.0, 0.5, 3.0]))
    def test_no_period_begins_more_than_its_permits(self, gaps, limit, timeout_s):
        limiter = PermitsPerPeriod(limit=limit, period_s=1.0, timeout_s=timeout_s).start()
        begins_s = []
        for now_s in itertools.accumulate(gap / 64 for gap in gaps):
            wait_s = limiter.wait_s(now_s)
            if wait_s is not None:
                assert wait_s <= timeout_s
                begins_s.append(now_s + wait_s)
        assert all(
            sum(int(each) == second for each in begins_s) <= limit for second in {int(each) for each in begins_s}
        )


@pytest.mark.parametrize(
    ("limiter", "fields", "told"),
    [
        (TokenBucket, {"rate_per_s": 0.0}, "rate_per_s is 0.0"),
        (TokenBucket, {"rate_per_s": 1.0, "burst": 0.5}, "burst is 0.5; give at least 1"),
        (LeakyBucket, {"rate_per_s": 1.0, "capacity": -1}, "capacity is -1"),
        (FixedWindow, {"limit": 1, "window_s": 0.0}, "window_s is 0.0"),
        (SlidingLog, {"limit": 0}, "limit is 0"),
        (SlidingCounter, {"limit": 1.5}, "limit is 1.5"),
        (PermitsPerPeriod, {"period_s": 0.0}, "period_s is 0.0"),
    ],
)
def test_limits_that_are_none_are_refused(limiter, fields, told):
    with pytest.raises(ConfigurationError, match=told):
        limiter(**fields)
