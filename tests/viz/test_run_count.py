"""The pictures of how many runs it takes and of a pinned comparison, and what they say."""

import pytest

from edasim.errors import ConfigurationError
from edasim.experiments import precision
from edasim.viz import compared_svg, run_count_svg

NOISY = [4.0, 4.01, 3.99, 9.0, 1.0, 5.0, 3.0, 4.5, 4.0, 6.0, 3.5, 4.2, 4.4, 3.8, 4.1, 4.0, 4.2, 3.9, 4.0, 4.1]


def test_it_tells_the_looks_the_stop_and_the_promise():
    picture = run_count_svg(precision(NOISY, 0.2), "mean wait", "s")
    assert picture.text.split("\n")[0].startswith("Wanted: ± 20 % of the mean. Looked at: 10 runs ± ")
    assert "20 runs are enough: mean wait 4.24 s ± " in picture.text
    assert "about 90 % of cases" in picture.text
    assert "enough: 20 runs" in picture.svg
    assert picture.svg.count("<circle") == 2


def test_early_luck_is_called_luck():
    assert "After 2 runs it was as narrow by luck" in run_count_svg(precision(NOISY, 0.2)).text
    assert "by luck" not in run_count_svg(precision([1.0, 2.0] * 10, 0.2)).text


def test_what_is_not_yet_enough_is_said():
    picture = run_count_svg(precision(NOISY, 0.01))
    assert "20 runs are not yet enough" in picture.text
    assert "not yet enough" in picture.svg


def test_a_mean_of_nothing_is_drawn_without_end():
    assert run_count_svg(precision([1.0, -1.0] * 10, 0.1)).svg


def test_two_runs_make_no_curve():
    with pytest.raises(ConfigurationError, match="make three or more"):
        run_count_svg(precision([1.0, 2.0], 0.1))


@pytest.mark.parametrize(
    ("differences", "interval", "verdict"),
    [
        ([1.0, 2.0, 3.0], (0.5, 3.5), "zero is outside, now is higher"),
        ([-1.0, -2.0, -3.0], (-3.5, -0.5), "zero is outside, now is lower"),
        ([-1.0, 2.0], (-3.0, 4.0), "zero is inside, no verdict"),
        ([0.0, 0.0], (0.0, 0.0), "no pair differs"),
    ],
)
def test_a_comparison_says_what_its_interval_justifies(differences, interval, verdict):
    picture = compared_svg(differences, interval, "mean wait", "s", more="That is all.")
    assert verdict in picture.text
    assert verdict in picture.alt
    assert verdict in picture.svg
    assert picture.text.endswith("That is all.")
    assert picture.svg.count("<circle") >= len(differences)
    assert "no difference" in picture.svg


@pytest.mark.parametrize("differences", [[], [float("nan")], [[1.0]]])
def test_differences_that_are_no_numbers_are_refused(differences):
    with pytest.raises(ConfigurationError, match="at least one finite"):
        compared_svg(differences, (0.0, 1.0), "wait")
