"""Comparisons with common random numbers: what pairing saves, and what the report says."""

import math
from dataclasses import replace

import pytest
from breaking import MM1, Frail

from edasim.errors import ConfigurationError
from edasim.experiments import compare, replicate, seed_of
from edasim.kernel import times
from edasim.theory import paired_interval

WAIT = "mail.mean_wait_s"
LONG = replace(MM1, messages=2000)
QUICKER = replace(LONG, service_time=times.Exponential(mean_s=0.95))


def test_both_sides_meet_the_same_luck():
    pair = compare(LONG, QUICKER, 5, WAIT, seed=3)
    assert pair.a.of() == replicate(LONG, 5, WAIT, seed=3).of()
    assert pair.b.of() == replicate(QUICKER, 5, WAIT, seed=3).of()
    assert pair.difference() == paired_interval(pair.a.of(), pair.b.of())
    points = pair.points()
    assert points["seed"].tolist() == list(pair.a.seeds)
    assert (points["difference"] == points["a"] - points["b"]).all()


def test_common_random_numbers_make_the_interval_at_least_twice_as_narrow():
    """Is a service that is 5 % quicker better? Against 20 runs of each with seeds of their own, not an estimate."""
    pair = compare(LONG, QUICKER, 20, WAIT)
    apart = replicate(QUICKER, 20, WAIT, seed=1)
    spread = [mean.half_width for mean in (pair.a.interval(), apart.interval())]
    assert math.hypot(*spread) / pair.difference().half_width >= 2.0
    assert pair.half_width_factor() >= 2.0
    assert pair.difference().correlation > 0.9
    assert 0.0 not in pair.difference()


def test_the_report_says_who_is_better_and_what_pairing_saved():
    pair = compare(LONG, QUICKER, 20, [WAIT, "mail.done"])
    assert "a is higher" in str(pair)
    assert "times narrower than with independent luck" in str(pair)
    assert "mail.done: a - b = 0.000" in str(pair)
    assert "chance alone could explain it" in str(pair)
    assert "b - " not in str(pair)
    table = pair.table()
    assert table.columns.tolist() == [
        "a", "b", "difference", "half_width", "low", "high", "n", "correlation", "factor",
    ]  # fmt: skip
    assert table.loc[WAIT, "factor"] == pytest.approx(pair.half_width_factor(WAIT), rel=1e-12)
    assert pair.half_width_factor("mail.done") == math.inf
    assert pair.table(joint_level=0.95).loc[WAIT, "half_width"] > table.loc[WAIT, "half_width"]


def test_a_pair_whose_twin_failed_is_left_out():
    frail = Frail(arrivals=MM1.arrivals, service_time=MM1.service_time, messages=200, bad_seeds=(seed_of(0, 2),))
    pair = compare(MM1, frail, 5, WAIT)
    assert pair.difference().n == 4
    assert pair.difference().mean == 0.0
    assert [failure.parameters for failure in pair.failures] == [{"system": "b"}]
    assert len(pair.points()) == 4
    assert "system=b" in str(pair)


def test_sides_that_never_vary_need_no_width():
    pair = compare(MM1, MM1, 3, "mail.done")
    assert pair.independent_half_width() == 0.0
    assert pair.difference().half_width == 0.0


def test_one_pair_justifies_no_interval():
    with pytest.raises(ConfigurationError, match="n is 1"):
        compare(MM1, MM1, 1, WAIT)
