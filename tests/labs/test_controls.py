"""Controls: few, with units and one question each; a wrong value is refused by its name."""

import math

import ipywidgets as widgets
import pytest

from edasim.errors import ConfigurationError
from edasim.labs import Choice, Slider
from edasim.labs.controls import check_controls

WHOLE = {"name": "servers", "low": 1, "high": 8, "step": 1, "default": 4, "unit": "", "question": "How many?"}
REAL = {
    "name": "mean_service_s",
    "low": 0.005,
    "high": 0.05,
    "step": 0.005,
    "default": 0.02,
    "unit": "s",
    "question": "How slow?",
}


class TestSlider:
    def test_whole_ends_and_step_make_a_slider_of_whole_numbers(self):
        slider = Slider(**WHOLE)
        assert slider.kept(4.0) == 4
        assert isinstance(slider.kept(4.0), int)
        with pytest.raises(ConfigurationError, match=r"servers is 4\.5; give a whole number"):
            slider.kept(4.5)

    def test_its_widget_has_the_unit_in_its_label_and_follows_the_hand(self):
        field = Slider(**REAL).widget()
        assert isinstance(field, widgets.FloatSlider)
        assert (field.description, field.continuous_update, field.readout_format) == ("mean service s (s)", True, ".3f")
        assert (field.min, field.max, field.step, field.value) == (0.005, 0.05, 0.005, 0.02)
        assert field.tooltip == "How slow?"
        whole = Slider(**WHOLE, label="servers at work").widget()
        assert isinstance(whole, widgets.IntSlider)
        assert whole.description == "servers at work"

    @pytest.mark.parametrize("value", [0.004, 0.051, math.nan, math.inf, True, None, "0.02"])
    def test_a_value_that_it_cannot_take_is_refused_by_its_name(self, value):
        with pytest.raises(ConfigurationError, match="mean_service_s is") as caught:
            Slider(**REAL).kept(value)
        assert caught.value.field == "mean_service_s"

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"name": "2x"}, "identifier"),
            ({"name": "seed"}, "other than 'seed'"),
            ({"low": 9}, r"Slider\.low is 9"),
            ({"step": 0}, r"Slider\.step is 0"),
            ({"step": 100}, r"Slider\.step is 100"),
            ({"default": 12}, "servers is 12; give a number from 1 to 8"),
            ({"question": "Servers."}, "question mark"),
            ({"unit": None}, r"Slider\.unit"),
        ],
    )
    def test_a_slider_that_makes_no_sense_is_refused(self, changes, problem):
        with pytest.raises(ConfigurationError, match=problem):
            Slider(**WHOLE | changes)

    def test_it_says_a_value_with_its_unit(self):
        assert Slider(**REAL, label="service").in_words(0.02) == "service 0.02 s"


class TestChoice:
    def test_it_takes_its_options_and_nothing_else(self):
        choice = Choice(name="broker", options=("memory", "kafka"), default="memory", question="Which?")
        assert choice.kept("kafka") == "kafka"
        assert choice.in_words("kafka") == "broker kafka"
        with pytest.raises(ConfigurationError, match="broker is 'nats'; give one of 'memory', 'kafka'"):
            choice.kept("nats")
        field = choice.widget()
        assert isinstance(field, widgets.Dropdown)
        assert field.value == "memory"

    @pytest.mark.parametrize("options", [(), ("one",), ("one", "one"), ("one", ""), ("one", 2), "one"])
    def test_options_are_two_or_more_different_texts(self, options):
        with pytest.raises(ConfigurationError, match="different texts"):
            Choice(name="x", options=options, default="one", question="Which?")


class TestHowMany:
    def test_four_are_allowed_and_five_are_not(self):
        sliders = [Slider(**WHOLE | {"name": f"s{number}"}) for number in range(5)]
        assert len(check_controls("Lab.controls", sliders[:4])) == 4
        with pytest.raises(ConfigurationError, match=r"has 5 controls; give at most 4"):
            check_controls("Lab.controls", sliders)

    @pytest.mark.parametrize("controls", [(), ("servers",), None, [Slider(**WHOLE), 3]])
    def test_controls_are_sliders_and_choices(self, controls):
        with pytest.raises(ConfigurationError, match="give sliders and choices"):
            check_controls("Lab.controls", controls)

    def test_names_are_different(self):
        with pytest.raises(ConfigurationError, match="a name of its own"):
            check_controls("Lab.controls", [Slider(**WHOLE), Slider(**WHOLE)])
