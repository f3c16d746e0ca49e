"""Numbers and recordings that no float can hold, and names that no encoding can, are refused like any other."""

import pytest

from edasim import checks
from edasim.errors import ConfigurationError
from edasim.kernel import times
from edasim.services import load


@pytest.mark.parametrize("sign", [1, -1])
def test_a_whole_number_that_no_float_can_hold_is_refused(sign):
    with pytest.raises(ConfigurationError, match="value_s"):
        times.Constant(value_s=sign * 10**400)


@pytest.mark.parametrize("ragged", [[[1], [1, 2]], [1, [2]]])
def test_a_recording_of_rows_of_different_lengths_is_refused(ragged):
    with pytest.raises(ConfigurationError, match="give one row"):
        load.Trace(times_s=ragged)


def test_half_of_a_surrogate_pair_is_no_name():
    with pytest.raises(ConfigurationError, match="surrogate"):
        checks.check_text("name", "a\ud800")


def test_more_arrivals_than_a_machine_can_count_are_all():
    assert next(load.Constant(rate_per_s=1.0).first(10**30).arrivals_s(None)) == 1.0
