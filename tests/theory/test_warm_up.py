"""MSER-5: known series, its definition done by hand, and what it is good for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.errors import EdasimError
from edasim.theory import mser5


def by_definition(values):
    """The standard errors for each cut, as the rule is written down."""
    fives = np.asarray(values)[: len(values) // 5 * 5].reshape(-1, 5).mean(axis=1)
    rests = [fives[cut:] for cut in range(len(fives) // 2 + 1)]
    return [np.sqrt(np.sum((rest - rest.mean()) ** 2)) / len(rest) for rest in rests]


def test_so_03_a_step_is_cut_where_it_is():
    warm_up = mser5([9.0] * 20 + [1.0, 2.0] * 40)
    assert (warm_up.cut, warm_up.mean, warm_up.values) == (20, 1.5, 100)
    assert warm_up.uncut_mean == pytest.approx(3.0)
    assert warm_up.long_enough
    assert "smallest" in warm_up.reason


def test_so_03_a_stationary_series_is_left_whole():
    warm_up = mser5([1.0, 2.0] * 40)
    assert warm_up.cut == 0
    assert str(warm_up).startswith("cut 0 of 80 values: no cut makes the error")


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 / 3])
def test_so_03_a_constant_series_is_left_whole(value):
    assert mser5([value] * 103).cut == 0


def test_so_03_a_series_that_never_settles_is_called_too_short():
    warm_up = mser5(np.arange(100.0))
    assert warm_up.cut == 50
    assert not warm_up.long_enough
    assert "run longer" in str(warm_up)


def test_so_03_the_cut_takes_most_of_the_bias_of_a_cold_start():
    """Fifty queues that start empty and settle at 10, 600 values each; fixed seed."""
    generator = np.random.default_rng(7)
    settling = 10.0 * (1.0 - np.exp(-np.arange(600) / 30.0))
    results = [mser5(settling + generator.normal(size=600)) for _ in range(50)]
    bias = 10.0 - np.mean([result.mean for result in results])
    bias_uncut = 10.0 - np.mean([result.uncut_mean for result in results])
    assert bias_uncut == pytest.approx(10.0 * 30.0 / 600.0, rel=0.1)
    assert abs(bias) < 0.1 * bias_uncut
    assert all(60 <= result.cut <= 300 for result in results)


@pytest.mark.long
@given(
    values=st.lists(st.floats(-1e3, 1e3), min_size=50, max_size=120).map(lambda tail: [tail[0] * 7] * 9 + tail),
    scale=st.floats(0.5, 2.0),
)
def test_so_03_the_rule_is_its_definition_and_never_cuts_more_than_half(values, scale):
    warm_up, errors = mser5(values), by_definition(values)
    assert warm_up.curve == pytest.approx(errors, rel=1e-6, abs=1e-6)
    assert errors[warm_up.cut // 5] == pytest.approx(min(errors), rel=1e-6, abs=1e-6)
    assert warm_up.cut % 5 == 0
    assert warm_up.cut <= len(values) / 2
    assert mser5([scale * value for value in values]).curve == pytest.approx(
        [scale * error for error in errors], rel=1e-6, abs=1e-6
    )


@pytest.mark.parametrize(("values", "field"), [([1.0] * 49, "values"), ([1.0] * 60 + [float("inf")], "values[60]")])
def test_a_series_without_an_answer_is_refused(values, field):
    with pytest.raises(EdasimError) as refusal:
        mser5(values)
    assert refusal.value.field == field
