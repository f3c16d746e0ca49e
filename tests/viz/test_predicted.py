"""Waits of a real broker beside predictions: what is drawn, what is said, what is refused."""

import re

import numpy as np
import pytest

from edasim.errors import ConfigurationError
from edasim.viz import predicted_waits_svg

MEASURED = np.linspace(0.0, 0.4, 401)
SHORT = np.where(np.arange(401) == 300, MEASURED - 0.2, MEASURED)
MODELS = {"plain & simple": SHORT, "better": MEASURED + 0.001}


def test_it_tells_means_medians_and_the_largest_error():
    said = predicted_waits_svg(MEASURED, MODELS, count=100).text.split("\n")
    assert said[0] == "Waits of 401 messages: mean measured 200 ms, plain & simple 200 ms, better 201 ms."
    assert said[1].endswith("within 0 ms; at message 300 it says 100 ms, and 300 ms were measured.")
    assert "better: half of the messages are predicted within 1 ms" in said[2]


def test_the_window_holds_the_largest_error_of_the_first_model():
    picture = predicted_waits_svg(MEASURED, MODELS, count=100)
    assert picture.text.endswith("Drawn are messages 225 to 324, around the largest error of “plain & simple”.")
    assert len(re.findall(r'<circle [^>]*r="2"', picture.svg)) == 100


def test_a_window_wider_than_the_recording_shows_all_of_it():
    picture = predicted_waits_svg(MEASURED[:50], {"model": MEASURED[:50]}, count=100)
    assert "messages 0 to 49" in picture.text


def test_names_are_escaped_and_lines_differ_without_colour():
    svg = predicted_waits_svg(MEASURED, MODELS).svg
    assert "plain &amp; simple" in svg
    assert 'stroke-dasharray="7 4"' in svg


@pytest.mark.parametrize(
    ("measured", "models", "named"),
    [
        (MEASURED, {}, "predicted_s"),
        (MEASURED, dict.fromkeys("abcd", MEASURED), "predicted_s"),
        (MEASURED, {"model": MEASURED[1:]}, "model has 400 waits"),
        (MEASURED, {"model": np.full(401, np.nan)}, "model"),
        (MEASURED[:1], {"model": MEASURED[:1]}, "measured_s"),
    ],
)
def test_what_cannot_be_compared_is_refused(measured, models, named):
    with pytest.raises(ConfigurationError, match=named):
        predicted_waits_svg(measured, models)
