"""The picture of a warm-up, and theory's mark on the load curve."""

import numpy as np
import pytest

from edasim.errors import ConfigurationError
from edasim.viz import wait_against_load_svg, warm_up_svg

WAITS_S = 1.0 - np.exp(-np.arange(6000) / 300)


def test_it_tells_start_cut_mean_and_truth():
    picture = warm_up_svg(WAITS_S, cut=3000, truth_s=1.0)
    assert picture.text == (
        "Waits of 6,000 messages, averaged over runs that started empty: the first 50 wait 0.0774 s on average; after "
        "a warm-up of 3,000 messages the mean is 1 s; theory says 1 s."
    )
    assert "warm-up: the first 3,000" in picture.svg
    assert "theory 1 s" in picture.svg


def test_without_a_truth_none_is_drawn():
    picture = warm_up_svg(WAITS_S[:100], cut=0)
    assert "theory" not in picture.text + picture.svg


def test_the_size_does_not_grow_with_the_messages():
    few, many = warm_up_svg(WAITS_S[:1000], cut=100), warm_up_svg(np.tile(WAITS_S, 10), cut=100)
    assert len(many.svg) < 1.2 * len(few.svg)


@pytest.mark.parametrize(("waits_s", "cut"), [([1.0], 0), ([1.0, np.inf], 0), ([[1.0, 2.0]], 0), ([1.0, 2.0], 2)])
def test_what_has_no_warm_up_is_refused(waits_s, cut):
    with pytest.raises(ConfigurationError):
        warm_up_svg(waits_s, cut=cut)


CURVE = [(load / 100, 0.02 * load / (100 - load)) for load in range(1, 99)]


class TestTheoryOnTheLoadCurve:
    def test_the_axis_reaches_theorys_value_even_if_the_run_measured_little(self):
        low, high = (wait_against_load_svg(CURVE, (0.95, wait_s)).svg for wait_s in (0.01, 0.38))
        assert ">0.4<" in low
        assert "theory at this load" in low
        assert low != high

    def test_a_point_beyond_full_load_stands_right_of_a_line(self):
        assert "no steady wait from here on" in wait_against_load_svg(CURVE, (1.2, 5.0)).svg
        assert "no steady wait" not in wait_against_load_svg(CURVE, (0.9, 0.2)).svg
