"""Sweeps over grids: points, nested fields, failures, and what is refused before the first run."""

import numpy as np
import pytest
from breaking import MM1, Frail

from edasim.errors import ConfigurationError, EdasimError, UnknownNameError
from edasim.experiments import replicate, seed_of, sweep
from edasim.scenarios import Registration
from edasim.services import load

WAIT = "mail.mean_wait_s"


def test_each_point_is_what_replicate_gives_there():
    swept = sweep(MM1, {"servers": [1, 2], "service_time.mean_s": [0.5, 1.0]}, 3, [WAIT, "mail.done"])
    assert [(one.scenario.servers, one.scenario.service_time.mean_s) for one in swept.results] == [
        (1, 0.5), (1, 1.0), (2, 0.5), (2, 1.0),
    ]  # fmt: skip
    assert swept.at({"service_time.mean_s": 1.0}, servers=1).of(WAIT) == replicate(MM1, 3, WAIT).of()
    assert len({one.seeds for one in swept.results}) == 1


def test_the_table_is_tidy():
    swept = sweep(MM1, {"servers": [1, 2]}, 3, [WAIT, "mail.done"])
    table = swept.table()
    assert table.columns.tolist() == ["servers", "metric", "mean", "half_width", "low", "high", "n", "failed"]
    assert table["servers"].tolist() == [1, 1, 2, 2]
    assert table["metric"].tolist() == [WAIT, "mail.done"] * 2
    assert swept.points(WAIT)["mean"].tolist() == table.loc[table["metric"] == WAIT, "mean"].tolist()
    assert swept.runs().columns.tolist() == ["servers", "seed", WAIT, "mail.done", "fingerprint"]
    assert len(swept.runs()) == 6
    assert "2 points" in str(swept)


def test_joint_rows_are_wider():
    swept = sweep(MM1, {"servers": [1, 2]}, 3, WAIT)
    assert (swept.table(joint_level=0.95)["half_width"] > swept.table()["half_width"]).all()


def test_values_may_be_whole_configurations_and_numbers_of_numpy():
    loads = [load.Poisson(rate_per_s=0.5), load.Constant(rate_per_s=0.5)]
    swept = sweep(MM1, {"arrivals": loads, "messages": np.array([50, 60])}, 2, WAIT)
    assert swept.points()["arrivals"].iloc[0] == "Poisson arrivals, 0.5 per s"
    assert swept.points()["messages"].tolist() == [50, 60, 50, 60]
    assert swept.at(arrivals=loads[1], messages=60).n == 2
    words = sweep(Registration(users=3), {"acknowledge": ["on_delivery", "after_handling"]}, 2, "mail.done")
    assert words.points()["acknowledge"].tolist() == ["on_delivery", "after_handling"]


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ({}, "give fields and their values"),
        (["servers"], "give fields and their values"),
        ({"servers": []}, "at least one value"),
        ({"servers": 3}, "give a list of values"),
        ({"servers": "12"}, "give a list of values"),
        ({"servers": [1, 1]}, "give 1 once"),
        ({"server": [1]}, "did you mean 'servers'"),
        ({"service_time.mean": [1]}, "did you mean 'mean_s'"),
        ({"servers.of": [1]}, "there is no field of int 'of'"),
        ({"servers": [1, 0]}, "SingleQueue.servers is 0"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_the_first_run(over, told):
    def never(run):
        raise AssertionError("a run was made")

    with pytest.raises(EdasimError, match=told):
        sweep(MM1, over, 2, never)


def test_a_metric_may_not_have_the_name_of_a_swept_field():
    with pytest.raises(ConfigurationError, match="another name"):
        sweep(MM1, {"servers": [1, 2]}, 2, {"servers": WAIT})


def test_one_run_per_point_justifies_no_interval():
    with pytest.raises(ConfigurationError, match="n is 1"):
        sweep(MM1, {"servers": [1, 2]}, 1, WAIT)


def test_points_that_are_not_on_the_grid_are_refused():
    swept = sweep(MM1, {"servers": [1, 2]}, 2, WAIT)
    with pytest.raises(ConfigurationError, match="0 points"):
        swept.at(servers=3)
    with pytest.raises(ConfigurationError, match="2 points"):
        swept.at()
    with pytest.raises(UnknownNameError, match="swept field"):
        swept.at(messages=200)


def test_failures_are_reported_with_parameters_and_seed_and_the_rest_is_kept():
    swept = sweep(Frail(messages=20), {"bad_seeds": [(), (seed_of(0, 1),), (seed_of(0, 0), seed_of(0, 1))]}, 2, WAIT)
    assert [(failure.seed, failure.parameters) for failure in swept.failures] == [
        (seed_of(0, 1), {"bad_seeds": repr((seed_of(0, 1),))}),
        (seed_of(0, 0), {"bad_seeds": repr((seed_of(0, 0), seed_of(0, 1)))}),
        (seed_of(0, 1), {"bad_seeds": repr((seed_of(0, 0), seed_of(0, 1)))}),
    ]
    table = swept.table()
    assert table["n"].tolist() == [2, 1, 0]
    assert table["failed"].tolist() == [0, 1, 2]
    assert table["half_width"].isna().tolist() == [False, True, True]
    assert table["mean"].isna().tolist() == [False, False, True]
    assert "bad_seeds=" in str(swept)
