"""A slider from stop to stop: only its stops are values, and the widget moves among them."""

import ipywidgets as widgets
import pytest

from edasim.errors import ConfigurationError
from edasim.labs import Stops

MAILS = {
    "name": "messages",
    "stops": (200, 1000, 20000),
    "default": 1000,
    "unit": "mails",
    "label": "length",
    "question": "How long?",
}


def test_a_stop_is_kept_and_told_with_its_unit():
    stops = Stops(**MAILS)
    assert [stops.kept(value) for value in (200, 1000.0, 20000)] == [200, 1000, 20000]
    assert isinstance(stops.kept(1000.0), int)
    assert stops.in_words(20000) == "length 20,000 mails"
    assert Stops(**{**MAILS, "label": None, "unit": ""}).in_words(200) == "messages 200"


@pytest.mark.parametrize("value", [0, 201, None, "200", True, [200]])
def test_what_lies_between_the_stops_is_refused_by_its_name(value):
    with pytest.raises(ConfigurationError, match=r"messages is .*; give one of 200, 1000, 20000") as caught:
        Stops(**MAILS).kept(value)
    assert caught.value.field == "messages"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"stops": (200,)}, "in rising order"),
        ({"stops": (200, 200, 1000)}, "in rising order"),
        ({"stops": "200"}, "in rising order"),
        ({"stops": (200, float("inf"))}, "finite number"),
        ({"default": 500}, "messages is 500"),
        ({"name": "seed"}, "other than 'seed'"),
        ({"question": "Long."}, "question mark"),
    ],
)
def test_a_wrong_description_is_refused(changes, problem):
    with pytest.raises(ConfigurationError, match=problem):
        Stops(**{**MAILS, **changes})


def test_its_widget_steps_from_stop_to_stop_and_follows_the_hand():
    field = Stops(**MAILS).widget()
    assert isinstance(field, widgets.SelectionSlider)
    assert (field.value, field.continuous_update, field.tooltip) == (1000, True, "How long?")
    assert field.description == "length (mails)"
    assert field.options == (("200", 200), ("1,000", 1000), ("20,000", 20000))
