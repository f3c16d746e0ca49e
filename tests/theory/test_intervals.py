"""Intervals: known values, coverage with a stated false-alarm rate, and refusals.

Coverage tests use fixed seeds, so they give the same verdict every time. Each was set up to fail for a correct interval
in at most 1 of 1,000 choices of the seed (`covers`); the wrong twin beside it shows that the test would notice.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from edasim.errors import EdasimError
from edasim.theory import (
    Interval,
    batch_means_interval,
    bonferroni_level,
    mean_interval,
    paired_interval,
    proportion_interval,
    quantile_interval,
    runs_needed,
    student_t,
)

FALSE_ALARM = 1e-3


def covers(held, trials, level):
    """Whether `held` of `trials` fits a coverage of exactly `level`: two-sided binomial test at FALSE_ALARM."""
    return min(special.bdtr(held, trials, level), special.bdtrc(held - 1, trials, level)) > FALSE_ALARM / 2


def held(intervals, truth):
    return sum(truth in interval for interval in intervals)


samples = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40)


# --- known values


@pytest.mark.parametrize(("degrees", "expected"), [(1, 12.7062), (4, 2.7764), (9, 2.2622), (19, 2.0930), (999, 1.9623)])
def test_so_01_students_quantile_is_the_printed_tables(degrees, expected):
    assert student_t(0.95, degrees) == pytest.approx(expected, abs=5e-5)


def test_so_01_the_interval_of_five_values_by_hand():
    interval = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert interval.mean == 3.0
    assert interval.half_width == pytest.approx(2.7764451 * math.sqrt(2.5 / 5))
    assert interval.relative_half_width == pytest.approx(interval.half_width / 3.0)
    assert (interval.n, interval.level) == (5, 0.95)
    assert str(interval) == "3.0 ± 2.0 (95 %, n = 5)"


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)]
)
def test_wilsons_interval_by_hand(successes, trials, low, high):
    interval = proportion_interval(successes, trials)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)
    assert interval.mean == successes / trials


def test_so_05_the_median_of_a_hundred_lies_between_the_40th_and_the_61st():
    interval = quantile_interval(np.arange(100, 0, -1), 0.5)
    assert (interval.low, interval.mean, interval.high) == (40.0, 50.5, 61.0)


def test_so_07_ten_statements_share_the_five_percent():
    assert bonferroni_level(10) == pytest.approx(0.995)
    assert bonferroni_level(1, joint_level=0.9) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(mean=19.0, low=17.8, high=20.2, n=20, level=0.95), "19.0 ± 1.2 (95 %, n = 20)"),
        (Interval(mean=1234.5, low=1111.0, high=1358.0, n=8, level=0.995), "1234 ± 124 (99.5 %, n = 8)"),
        (Interval(mean=0.01, low=0.002, high=0.05, n=99, level=0.9), "0.010, between 0.002 and 0.050 (90 %, n = 99)"),
        (Interval(mean=2.0, low=2.0, high=2.0, n=3, level=0.95), "2.000 ± 0.000 (95 %, n = 3)"),
    ],
)
def test_an_interval_shows_two_digits_of_its_half_width(interval, text):
    assert str(interval) == text


def test_an_interval_of_an_estimate_of_zero_has_no_relative_width():
    assert Interval(mean=0.0, low=-1.0, high=1.0, n=3, level=0.95).relative_half_width == math.inf


# --- coverage


def test_so_01_the_mean_interval_holds_the_mean_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(3.0, 2.0, size=(4000, 5))
    assert covers(held(map(mean_interval, draws), 3.0), 4000, 0.95)
    normal = special.ndtri(0.975) / student_t(0.95, 4)  # the twin that takes the normal quantile for Student's
    too_narrow = sum(abs(i.mean - 3.0) <= normal * i.half_width for i in map(mean_interval, draws))
    assert not covers(too_narrow, 4000, 0.95)


def autocorrelated(generator, runs, length, weight):
    """Stationary series of mean 0 whose neighbours have correlation `weight`; one row per run."""
    noise = generator.normal(size=(runs, length)) * math.sqrt(1.0 - weight**2)
    series = np.empty((runs, length))
    series[:, 0] = generator.normal(size=runs)
    for i in range(1, length):
        series[:, i] = weight * series[:, i - 1] + noise[:, i]
    return series


def test_so_02_batch_means_cover_where_single_values_do_not():
    runs = autocorrelated(np.random.default_rng(2), 1000, 4000, weight=0.8)
    by_batches = [batch_means_interval(run, batches=20) for run in runs]
    assert covers(held(by_batches, 0.0), 1000, 0.95)
    assert held(map(mean_interval, runs), 0.0) < 700
    assert by_batches[0].batch_size == 200
    assert abs(np.mean([interval.correlation for interval in by_batches])) < 0.1


def test_so_02_batches_that_are_too_short_show_their_correlation():
    series = autocorrelated(np.random.default_rng(3), 1, 600, weight=0.99)[0]
    assert batch_means_interval(series, batches=30).correlation > 0.5


def test_so_02_values_that_fill_no_batch_are_left_out_at_the_start():
    interval = batch_means_interval([100.0, 1.0, 3.0, 2.0, 4.0], batches=2)
    assert (interval.mean, interval.n, interval.batch_size) == (2.5, 2, 2)


def test_so_05_the_quantile_interval_holds_the_quantile_at_least_as_often_as_it_says():
    draws = np.random.default_rng(4).exponential(size=(2000, 200))
    for p in (0.5, 0.95):
        count = held((quantile_interval(draw, p) for draw in draws), -math.log1p(-p))
        assert special.bdtr(count, 2000, 0.95) > FALSE_ALARM
        assert count / 2000 < 0.985


def test_wilson_covers_a_rare_share_where_the_plain_formula_does_not():
    """Exact: the coverage at a share of 3 % in 50 trials, summed over all counts that can come."""
    wilson = plain = 0.0
    for count in range(51):
        chance = math.comb(50, count) * 0.03**count * 0.97 ** (50 - count)
        share = count / 50
        wilson += chance * (0.03 in proportion_interval(count, 50))
        plain += chance * (abs(share - 0.03) <= 1.96 * math.sqrt(share * (1 - share) / 50))
    assert wilson > 0.93
    assert plain < 0.80


# --- pairs


def test_so_04_shared_luck_narrows_the_interval_and_is_reported():
    generator = np.random.default_rng(6)
    luck, own = generator.normal(size=30), generator.normal(size=(2, 30)) * 0.1
    paired = paired_interval(10.0 + luck + own[0], 9.5 + luck + own[1])
    assert paired.correlation == pytest.approx(np.corrcoef(luck + own[0], luck + own[1])[0, 1])
    apart = paired_interval(10.0 + luck, 9.5 + generator.normal(size=30))
    assert paired.half_width < 0.3 * apart.half_width
    assert str(paired).endswith("correlation 0.99")


def test_so_04_a_side_that_never_varies_has_no_correlation():
    assert math.isnan(paired_interval([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]).correlation)


@given(a=samples)
def test_so_04_a_pair_with_itself_differs_by_nothing(a):
    interval = paired_interval(a, a)
    assert (interval.low, interval.mean, interval.high) == (0.0, 0.0, 0.0)


# --- laws


@given(values=samples, level=st.floats(0.5, 0.99), shift=st.floats(-1e3, 1e3))
def test_an_interval_grows_with_its_level_and_moves_with_its_values(values, level, shift):
    narrow, wide = mean_interval(values, level), mean_interval(values, 0.5 + 0.5 * level)
    assert wide.low <= narrow.low <= narrow.mean <= narrow.high <= wide.high
    moved = mean_interval([value + shift for value in values], level)
    assert moved.mean == pytest.approx(narrow.mean + shift, abs=1e-6)
    assert moved.half_width == pytest.approx(narrow.half_width, rel=1e-6, abs=1e-6)


@given(pilot=st.lists(st.floats(0.5, 10.0), min_size=10, max_size=20), relative=st.floats(0.02, 0.5))
def test_so_06_runs_needed_is_the_smallest_number_that_suffices(pilot, relative):
    needed = runs_needed(pilot, relative)
    spread = np.std(pilot, ddof=1) / np.mean(pilot)

    def relative_width(runs):
        return student_t(0.95, runs - 1) * spread / math.sqrt(runs)

    assert relative_width(needed) <= relative * (1 + 1e-12)
    assert needed == 10 or relative_width(needed - 1) > relative


@given(successes=st.integers(0, 50), more=st.integers(0, 50), level=st.floats(0.5, 0.999))
def test_wilsons_interval_mirrors_and_stays_within_0_and_1(successes, more, level):
    trials = successes + more + 1
    interval, mirror = (
        proportion_interval(successes, trials, level),
        proportion_interval(trials - successes, trials, level),
    )
    assert 0.0 <= interval.low <= interval.mean <= interval.high <= 1.0
    assert (1 - mirror.high, 1 - mirror.low) == pytest.approx((interval.low, interval.high), abs=1e-12)


@pytest.mark.long
@given(values=st.lists(st.floats(-1e6, 1e6), min_size=80, max_size=120), p=st.floats(0.05, 0.95))
def test_so_05_the_limits_are_values_around_the_estimate(values, p):
    interval = quantile_interval(values, p)
    assert interval.low in values
    assert interval.high in values
    assert interval.low <= interval.mean <= interval.high


# --- refusals


@pytest.mark.parametrize(
    ("build", "field", "remedy"),
    [
        (lambda: mean_interval([1.0]), "values", "at least 2"),
        (lambda: mean_interval([1.0, math.nan]), "values[1]", "finite"),
        (lambda: mean_interval([[1.0, 2.0]]), "values", "one dimension"),
        (lambda: mean_interval(["a", "b"]), "values", "numbers"),
        (lambda: mean_interval([1.0, 2.0], level=1.0), "level", "below 1"),
        (lambda: paired_interval([1.0, 2.0], [1.0]), "b", "each of the 2"),
        (lambda: quantile_interval(range(50), 0.99), "values", "at least 368"),
        (lambda: quantile_interval(range(50), 1.0), "p", "below 1"),
        (lambda: batch_means_interval(range(30), batches=20), "values", "at least 40"),
        (lambda: proportion_interval(3, 2), "successes", "from 0 to 2"),
        (lambda: runs_needed([1.0, 2.0, 3.0], 0.1), "pilot", "at least 10"),
        (lambda: runs_needed([-1.0, 1.0] * 5, 0.1), "pilot", "not 0"),
        (lambda: bonferroni_level(0), "statements", "at least 1"),
    ],
)
def test_a_wrong_value_is_refused_with_field_and_remedy(build, field, remedy):
    with pytest.raises(EdasimError) as refusal:
        build()
    assert refusal.value.field == field
    assert remedy in refusal.value.remedy
