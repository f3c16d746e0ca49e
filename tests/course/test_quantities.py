"""Numbers as learners write them."""

import math

import numpy as np
import pytest

from edasim.course.quantities import in_unit, plain
from edasim.errors import ConfigurationError


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.08, "s", 0.08),
        (np.float64(0.08), "s", 0.08),
        (np.int64(4), "servers", 4.0),
        ("80 ms", "s", 0.08),
        ("0.08s", "s", 0.08),
        (" 1.5 min ", "s", 90.0),
        ("95 %", "share", 0.95),
        ("0.95", "share", 0.95),
        ("0.96", "%", 0.96),
        ("4.75 times", "times", 4.75),
        ("1e-3", "s", 0.001),
        (".5", "", 0.5),
    ],
)
def test_numbers_are_taken_in_the_unit_of_the_question(value, unit, expected):
    assert in_unit("wait", value, unit) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "value", ["", "much", "1,000", "0,08", "80 kg", True, None, math.nan, math.inf, [0.08], "1.2.3"]
)
def test_what_is_no_number_in_that_unit_is_refused_with_the_unit(value):
    with pytest.raises(ConfigurationError, match=r"wait is .*give a number in s") as caught:
        in_unit("wait", value, "s")
    assert caught.value.field == "wait"


def test_a_unit_is_refused_where_none_is_asked_for():
    with pytest.raises(ConfigurationError, match="without a unit"):
        in_unit("runs", "12 s", "")


@pytest.mark.parametrize(
    ("value", "unit", "shown"), [(4.0, "servers", "4 servers"), (0.0812345, "s", "0.08123 s"), (0, "", "0")]
)
def test_numbers_are_shown_short(value, unit, shown):
    assert plain(value, unit) == shown
