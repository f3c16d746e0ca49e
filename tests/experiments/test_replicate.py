"""Replications: independent runs, their intervals, failures among them, and the stopping rule."""

import math

import pytest
from breaking import MM1, Frail

from edasim.errors import ConfigurationError, EdasimError, StateError, UnknownNameError
from edasim.experiments import ExperimentWarning, replicate, seed_of, until_precise
from edasim.services import load
from edasim.theory import mean_interval, quantile_interval

WAIT = "mail.mean_wait_s"
FRAIL = Frail(arrivals=MM1.arrivals, service_time=MM1.service_time, messages=200, bad_seeds=(seed_of(0, 1),))


def test_each_value_is_that_of_the_run_with_its_seed():
    result = replicate(MM1, 3, WAIT, seed=5)
    assert result.seeds == tuple(seed_of(5, i) for i in range(3))
    runs = [MM1.run(seed=seed, log="metrics") for seed in result.seeds]
    assert result.of() == tuple(run.summary()["mail"].mean_wait_s for run in runs)
    assert result.fingerprints == tuple(run.fingerprint() for run in runs)
    assert result.interval() == mean_interval(result.of())
    assert result.runs()["seed"].tolist() == list(result.seeds)


def test_the_end_of_a_run_can_be_given():
    endless = Frail(arrivals=load.Poisson(rate_per_s=0.8))
    assert replicate(endless, 2, "mail.done", until_s=50.0).of()[0] < 100
    with pytest.raises(ConfigurationError, match="until_s is missing"):
        replicate(endless, 2, "mail.done")


def test_the_table_has_a_row_per_metric():
    result = replicate(MM1, 5, [WAIT, "mail.p95_wait_s"])
    table = result.table()
    assert table.index.tolist() == [WAIT, "mail.p95_wait_s"]
    assert table.loc[WAIT, "half_width"] == pytest.approx(result.interval(WAIT).half_width, rel=1e-12)
    assert table["n"].tolist() == [5, 5]
    assert str(result.interval(WAIT)) in str(result)


def test_joint_intervals_are_those_of_bonferroni():
    result = replicate(MM1, 5, [WAIT, "mail.p95_wait_s"])
    assert result.intervals(joint_level=0.95)[WAIT] == mean_interval(result.of(WAIT), level=0.975)
    joint = result.table(joint_level=0.95)
    assert joint.loc[WAIT, "half_width"] == pytest.approx(result.interval(WAIT, 0.975).half_width, rel=1e-12)


def test_quantiles_over_runs_lie_between_two_of_them():
    result = replicate(MM1, 20, WAIT)
    assert result.quantile(0.5) == quantile_interval(result.of(), 0.5)
    assert {result.quantile(0.5).low, result.quantile(0.5).high} <= set(result.of())


def test_the_points_show_how_the_interval_narrows():
    points = replicate(MM1, 12, WAIT).points()
    assert points["n"].tolist() == list(range(2, 13))
    assert points["half_width"].iloc[-1] < points["half_width"].iloc[:3].max()


def test_differences_are_taken_pair_by_pair():
    slow, fast = replicate(MM1, 5, WAIT), replicate(Frail(service_time=MM1.service_time, messages=50), 5, WAIT)
    assert slow.minus(fast, WAIT).mean == pytest.approx(sum(slow.of()) / 5 - sum(fast.of()) / 5, rel=1e-12)
    with pytest.raises(ConfigurationError, match="the same n and seed"):
        slow.minus(replicate(MM1, 5, WAIT, seed=1))


def test_one_run_justifies_no_interval():
    with pytest.raises(ConfigurationError, match="n is 1; give a whole number of at least 2"):
        replicate(MM1, 1, WAIT)


def test_metrics_that_are_not_there_are_named():
    result = replicate(MM1, 2, [WAIT, "mail.done"])
    with pytest.raises(UnknownNameError, match="did you mean"):
        result.interval("mail.mean_wait")
    with pytest.raises(UnknownNameError):
        result.of()


def test_a_run_that_fails_is_reported_with_its_seed_and_the_others_are_kept():
    result = replicate(FRAIL, 4, WAIT)
    (failure,) = result.failures
    assert (failure.seed, failure.replication) == (seed_of(0, 1), 1)
    assert str(failure) == f"seed {seed_of(0, 1)}: ZeroDivisionError: no mail left"
    assert str(failure) in str(result)
    assert result.seeds == tuple(seed_of(0, i) for i in (0, 2, 3))
    assert result.of() == tuple(replicate(MM1, 4, WAIT).of()[i] for i in (0, 2, 3))
    assert result.minus(replicate(MM1, 4, WAIT)).n == 3
    assert not result.is_partial


def test_a_failure_in_the_first_run_does_not_end_the_experiment():
    result = replicate(Frail(messages=20, bad_seeds=(seed_of(0, 0),)), 3, WAIT)
    assert len(result.failures) == 1
    assert result.n == 2


def test_if_every_run_fails_the_first_error_is_told():
    with pytest.raises(EdasimError, match="all 2 runs failed, the first with ZeroDivisionError: no mail left"):
        replicate(Frail(messages=20, bad_seeds=(seed_of(0, 0), seed_of(0, 1))), 2, WAIT)


def test_an_error_that_cannot_travel_is_told_in_words():
    def fussy(run):
        raise StateError("not now", value=lambda: None)

    with pytest.raises(EdasimError, match="the first with not now"):
        replicate(MM1, 2, fussy)


def test_values_that_are_not_finite_make_a_row_without_a_mean():
    result = replicate(MM1, 2, {"nothing": lambda run: math.nan, "done": "mail.done"})
    assert math.isnan(result.table().loc["nothing", "mean"])
    assert "nothing: no mean of 2 runs" in str(result)
    with pytest.raises(ConfigurationError, match="give finite numbers"):
        result.interval("nothing")


def test_runs_are_made_until_the_interval_is_narrow_enough():
    result = until_precise(MM1, 0.15, WAIT)
    assert result.interval().relative_half_width <= 0.15
    assert result.n >= 10
    assert result.of() == replicate(MM1, result.n, WAIT).of()
    assert result.provenance.computed == result.n


def test_never_fewer_than_ten_runs_and_all_metrics_jointly():
    assert until_precise(MM1, 10.0, WAIT).n == 10
    both = until_precise(MM1, 0.2, [WAIT, "mail.p95_wait_s"])
    assert max(row.relative_half_width for row in both.intervals().values()) <= 0.2


def test_the_most_runs_are_a_limit_that_is_told():
    with pytest.warns(ExperimentWarning, match="still above 1 % of a mean after 12 runs"):
        result = until_precise(MM1, 0.01, WAIT, most=12)
    assert result.n == 12
    assert "still above" in str(result)
    with pytest.raises(ConfigurationError, match="most"):
        until_precise(MM1, 0.01, WAIT, most=9)


def test_a_pilot_with_failures_stops_with_what_there_is():
    assert until_precise(FRAIL, 0.5, WAIT).n == 9


def test_how_many_runs_are_needed_is_judged_from_ten():
    assert replicate(MM1, 12, WAIT).runs_needed(0.01) > 100
    with pytest.raises(ConfigurationError, match="at least 10"):
        replicate(MM1, 5, WAIT).runs_needed(0.01)
