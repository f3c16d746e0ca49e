"""The pictures of how many runs it takes, of a pinned comparison and of arrivals over time, and what they say."""

import numpy as np
import pytest

from edasim.errors import ConfigurationError
from edasim.experiments import precision
from edasim.viz import compared_svg, rates_svg, run_count_svg

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


def test_where_nothing_varies_ten_runs_are_enough():
    assert "10 runs are enough: the mean 0 ± 0 %" in run_count_svg(precision([0.0] * 10, 0.1)).text


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


class TestRates:
    EVEN = np.arange(1_681) / 10
    BURST = np.sort(np.append(EVEN, np.full(1_000, 40.0)))

    def test_it_tells_the_calmest_and_the_busiest_window_and_what_cannot_be_served(self):
        picture = rates_svg({"clockwork": self.EVEN, "burst": self.BURST}, load=0.8)
        even, burst = picture.text.split("\n")
        assert even.startswith("clockwork, 2.8 minutes: of 168 windows the calmest has 0.9")
        assert even.endswith("; 0 % bring more than can be served.")
        assert "the busiest 63." in burst
        assert burst.endswith("; 1 % bring more than can be served.")
        assert "63.3 ×" in picture.svg
        assert picture.alt == "Arrivals over time, in windows over their mean: clockwork, burst"

    def test_without_a_load_nothing_is_said_of_a_server(self):
        assert "served" not in rates_svg({"clockwork": self.EVEN}).svg

    @pytest.mark.parametrize(("length_s", "told"), [(300_000, "3.47 days"), (9_000, "2.5 hours"), (90, "90 s")])
    def test_lengths_are_told_for_people(self, length_s, told):
        assert f"clockwork, {told}" in rates_svg({"clockwork": np.linspace(0, length_s, 500)}).text

    @pytest.mark.parametrize("instants", [[], [1.0], [2.0, 2.0], [1.0, float("nan")], [[1.0, 2.0]]])
    def test_a_recording_without_length_is_refused_by_name(self, instants):
        with pytest.raises(ConfigurationError, match=r"recording 'mine' .*give two or more finite instants"):
            rates_svg({"mine": instants})

    def test_no_recording_and_a_load_of_nothing_are_refused(self):
        with pytest.raises(ConfigurationError, match="at least one recording"):
            rates_svg({})
        with pytest.raises(ConfigurationError, match="load is 0"):
            rates_svg({"clockwork": self.EVEN}, load=0)
