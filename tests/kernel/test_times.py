"""Distributions of times: their law, their moments, their refusals, their speed of drawing.

Statistical tests use fixed seeds. Each Kolmogorov-Smirnov test and each interval has a false-alarm rate of 1e-5
(about 30 of them: 3e-4 for the file).
"""

import math
import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import stats

from edasim.errors import ConfigurationError, EdasimError, StateError
from edasim.kernel import times

FALSE_ALARM = 1e-5

HYPER = times.HyperExponential(mean_s=0.2, scv=4.0)
LAWS = {
    "exponential": (times.Exponential(mean_s=0.02), stats.expon(scale=0.02)),
    "erlang": (times.Erlang(mean_s=0.3, stages=3), stats.gamma(3, scale=0.1)),
    "gamma below 1": (times.Gamma(mean_s=2.0, scv=0.4), stats.gamma(2.5, scale=0.8)),
    "gamma above 1": (times.Gamma(mean_s=2.0, scv=2.5), stats.gamma(0.4, scale=5.0)),
    "lognormal": (
        times.LogNormal(mean_s=0.5, scv=1.5),
        stats.lognorm(math.sqrt(math.log(2.5)), scale=0.5 / math.sqrt(2.5)),
    ),
    "pareto": (times.Pareto(mean_s=0.3, shape=6.0), stats.pareto(6.0, scale=0.25)),
    "pareto, heavy": (times.Pareto(mean_s=0.3, shape=1.5), stats.pareto(1.5, scale=0.1)),
}
EVERY = {
    "constant": times.Constant(value_s=0.25),
    "hyper-exponential": HYPER,
    "trace": times.Trace(values_s=[0.1, 0.4, 0.1], at_end="repeat"),
} | {name: distribution for name, (distribution, _) in LAWS.items()}


def drawn(distribution, count, seed=1):
    draw = distribution.draws(np.random.default_rng(seed))
    return [draw() for _ in range(count)]


def hyper_exponential_cdf(at_s):
    short_s, long_s = HYPER.phase_means_s
    tail = HYPER.short_ratio * np.exp(-at_s / short_s) + (1 - HYPER.short_ratio) * np.exp(-at_s / long_s)
    return 1 - tail


@pytest.mark.parametrize("name", LAWS)
def test_draws_follow_the_law(name):
    """100,000 draws; a distance of 0.01 between the distribution functions would be seen nine times of ten."""
    distribution, law = LAWS[name]
    assert stats.kstest(drawn(distribution, 100_000), law.cdf).pvalue > FALSE_ALARM


def test_hyper_exponential_draws_follow_the_law():
    assert stats.kstest(drawn(HYPER, 100_000), hyper_exponential_cdf).pvalue > FALSE_ALARM


@pytest.mark.parametrize("name", LAWS)
def test_mean_and_scv_are_those_of_the_law(name):
    distribution, law = LAWS[name]
    assert distribution.mean_s == pytest.approx(law.mean(), rel=1e-12)
    assert distribution.scv == pytest.approx(law.var() / law.mean() ** 2, rel=1e-9)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("constant", "trace", "pareto, heavy")])
@pytest.mark.parametrize("power", [1, 2])
def test_means_of_draws_and_of_their_squares_match_mean_and_scv(name, power):
    """40 groups of 10,000 draws, an interval of Student's t at 1e-5; its half-width shows what it would catch."""
    distribution = EVERY[name]
    groups = (np.reshape(drawn(distribution, 400_000), (40, 10_000)) ** power).mean(axis=1)
    expected = distribution.mean_s if power == 1 else distribution.mean_s**2 * (1 + distribution.scv)
    half_width = stats.t.isf(FALSE_ALARM / 2, 39) * groups.std(ddof=1) / math.sqrt(40)
    assert abs(groups.mean() - expected) <= half_width
    assert half_width < (0.02 if power == 1 else 0.08) * expected


@pytest.mark.parametrize("name", EVERY)
class TestEveryDistribution:
    def test_is_one_of_times(self, name):
        assert times.check_times("field", EVERY[name]) is EVERY[name]

    def test_draws_python_floats_of_at_least_0(self, name):
        assert all(type(value) is float and value >= 0.0 for value in drawn(EVERY[name], 300))

    def test_draws_the_same_for_the_same_generator(self, name):
        assert drawn(EVERY[name], 300) == drawn(EVERY[name], 300)

    def test_is_equal_by_value_hashable_and_can_be_sent_away(self, name):
        copy = pickle.loads(pickle.dumps(EVERY[name]))
        assert copy == EVERY[name]
        assert hash(copy) == hash(EVERY[name])

    def test_says_its_mean_in_plain_words(self, name):
        assert f"{EVERY[name].mean_s:g} s" in EVERY[name].describe()


def test_successive_draws_are_uncorrelated():
    """Lag 1 and 2 of 20,000 draws; |r|·√n beyond 4.5 has a chance of 7e-6 each."""
    values = np.array(drawn(HYPER, 20_000)) ** 0.25  # tames the tail, keeps the dependence
    for lag in (1, 2):
        assert abs(np.corrcoef(values[:-lag], values[lag:])[0, 1]) * math.sqrt(20_000) < 4.5


def test_hyper_exponential_phases_bring_the_same_share_of_time():
    short_s, long_s = HYPER.phase_means_s
    assert HYPER.short_ratio * short_s == pytest.approx(0.1)
    assert (1 - HYPER.short_ratio) * long_s == pytest.approx(0.1)
    assert times.HyperExponential(mean_s=1.0, scv=1).phase_means_s == (1.0, 1.0)


def test_pareto_has_infinite_variance_up_to_shape_2():
    assert times.Pareto(mean_s=1.0, shape=2.0).scv == math.inf
    assert times.Pareto(mean_s=1.0, shape=3.0).scv == pytest.approx(1 / 3)
    pareto = times.Pareto(mean_s=0.3, shape=1.5)
    assert min(drawn(pareto, 5_000)) >= pareto.least_s == pytest.approx(0.1)


class TestTrace:
    def test_gives_the_values_in_order_and_then_says_that_they_are_used_up(self):
        draw = times.Trace(values_s=[3.0, 1.0]).draws(np.random.default_rng(1))
        assert [draw(), draw()] == [3.0, 1.0]
        for _ in range(2):  # asking again does not help
            with pytest.raises(StateError, match=r"used up after 2 values; record more values, .*at_end='repeat'"):
                draw()

    def test_starts_over_on_demand(self):
        assert drawn(times.Trace(values_s=[3.0, 1.0], at_end=times.AtEnd.REPEAT), 5) == [3.0, 1.0, 3.0, 1.0, 3.0]

    def test_two_draws_of_one_trace_are_independent(self):
        trace = times.Trace(values_s=[3.0, 1.0])
        one, other = trace.draws(np.random.default_rng(1)), trace.draws(np.random.default_rng(1))
        assert [one(), other(), one()] == [3.0, 3.0, 1.0]

    def test_moments_are_those_of_the_recording(self):
        trace = times.Trace(values_s=[1, 3])
        assert (trace.mean_s, trace.scv) == (2.0, 0.25)
        assert times.Trace(values_s=[0.0, 0.0]).scv == 0.0

    @pytest.mark.parametrize(
        "values",
        [
            [1, 2.5],
            (1, 2.5),
            np.array([1, 2.5]),
            pd.Series([1, 2.5], index=[7, 9]),
            (v for v in (1, 2.5)),
            [Fraction(1), 2.5],
        ],
        ids=["list", "tuple", "array", "series", "generator", "fractions"],
    )
    def test_takes_any_row_of_numbers_and_keeps_its_own_copy(self, values):
        trace = times.Trace(values_s=values)
        if isinstance(values, np.ndarray | pd.Series):
            values[:] = 99.0
        assert trace.values_s == (1.0, 2.5)
        assert trace == times.Trace(values_s=[1.0, 2.5])

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ([], r"values_s has shape \(0,\); give one row of at least one number"),
            ([[1.0], [2.0]], r"values_s has shape \(2, 1\)"),
            ([1.0, -2.0, -3.0], r"values_s\[1\] is -2.0; give finite numbers of at least 0"),
            ([1.0, 2.0, math.nan], r"values_s\[2\] is nan"),
            (np.array([math.inf, 1.0]), r"values_s\[0\] is inf"),
            ([1.0, None], r"values_s\[1\] is None"),
            ([1.0, "2.0"], r"values_s\[0\] is '1.0'"),
            ([True, False], r"values_s\[0\] is True"),
            ("12", r"values_s is '12'; give a list or array of seconds"),
            (5.0, r"values_s is 5.0"),
        ],
    )
    def test_refuses_what_is_no_time_and_names_the_first(self, values, message):
        with pytest.raises(ConfigurationError, match=message):
            times.Trace(values_s=values)

    def test_shows_a_long_recording_shortened(self):
        assert repr(times.Trace(values_s=[0.5, 1.0])) == "Trace(values_s=(0.5, 1.0), at_end='fail')"
        assert len(repr(times.Trace(values_s=range(1000)))) < 90
        assert "1000 values" in repr(times.Trace(values_s=range(1000)))


@pytest.mark.parametrize(
    ("make", "given_fields", "message"),
    [
        (times.Constant, {"value_s": -0.1}, r"Constant\.value_s is -0.1"),
        (times.Constant, {"value_s": math.inf}, r"Constant\.value_s is inf"),
        (times.Exponential, {"mean_s": 0.0}, r"Exponential\.mean_s is 0.0; give a positive"),
        (times.Exponential, {"mean_s": "fast"}, r"Exponential\.mean_s is 'fast'"),
        (times.Exponential, {}, r"Exponential\.mean_s is missing"),
        (times.Exponential, {"mean": 1.0}, r"there is no field of Exponential 'mean'; did you mean 'mean_s'"),
        (times.Erlang, {"mean_s": 1.0, "stages": 0}, r"Erlang\.stages is 0"),
        (times.Erlang, {"mean_s": 1.0, "stages": 2.5}, r"Erlang\.stages is 2.5"),
        (times.Gamma, {"mean_s": 1.0, "scv": 0.0}, r"Gamma\.scv is 0.0"),
        (times.HyperExponential, {"mean_s": 1.0, "scv": 0.9}, r"HyperExponential\.scv is 0.9; .*at least 1"),
        (times.LogNormal, {"mean_s": 1.0, "scv": 0.0}, r"LogNormal\.scv is 0.0"),
        (times.Pareto, {"mean_s": 1.0, "shape": 1.0}, r"Pareto\.shape is 1.0; give a finite number above 1"),
        (times.Trace, {"values_s": [1.0], "at_end": "stop"}, r"Trace\.at_end is 'stop'; give one of 'fail', 'repeat'"),
    ],
)
def test_wrong_fields_are_refused_with_a_remedy(make, given_fields, message):
    with pytest.raises(EdasimError, match=message):
        make(**given_fields)


@pytest.mark.parametrize("value", [0.02, times.Exponential, times.Constant, None])
def test_what_is_no_distribution_is_refused(value):
    with pytest.raises(ConfigurationError, match=r"service_time is .*give a distribution of eda.times"):
        times.check_times("service_time", value)


@given(some.floats(1e-3, 1e3), some.floats(1e-3, 4.0) | some.sampled_from([0.0, 1.0]))
def test_with_scv_keeps_mean_and_scv_over_the_whole_slider(mean_s, scv):
    made = times.with_scv(mean_s, scv)
    assert made.mean_s == mean_s
    assert made.scv == scv


def test_with_scv_goes_from_constant_to_bursty():
    kinds = [type(times.with_scv(1.0, scv)).__name__ for scv in (0, 0.5, 1, 4)]
    assert kinds == ["Constant", "Gamma", "Exponential", "HyperExponential"]
    with pytest.raises(ConfigurationError, match="scv is -1"):
        times.with_scv(1.0, -1)
    with pytest.raises(ConfigurationError, match="mean_s is 0"):
        times.with_scv(0, 1.0)


EXTREMES = [5e-324, 1e-308, 1e-13, 1e-12, 1.0, 1e12, 1e13, 1e154, 1e308]


@pytest.mark.parametrize("scv", [1.0, 1.0 + 1e-15, 2.0, *EXTREMES[5:]])
@pytest.mark.parametrize("mean_s", EXTREMES)
@pytest.mark.parametrize("make", [times.HyperExponential, times.LogNormal, times.Gamma])
def test_extreme_numbers_are_refused_or_give_finite_times(make, mean_s, scv):
    if not times.LEAST <= mean_s <= times.MOST or scv > times.MOST:
        with pytest.raises(ConfigurationError, match=r"1e-12 to 1e\+12|up to 1e\+12"):
            make(mean_s=mean_s, scv=scv)
        return
    draw = make(mean_s=mean_s, scv=scv).draws(np.random.default_rng(1))
    assert all(0.0 <= draw() < math.inf for _ in range(100))


@pytest.mark.parametrize("value_s", [5e-324, 1e-200, 1e300])
def test_the_variability_of_a_recording_survives_tiny_and_huge_values(value_s):
    assert times.Trace(values_s=[value_s, value_s]).scv == 0.0
