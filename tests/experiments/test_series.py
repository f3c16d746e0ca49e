"""Inside runs: warm-up by MSER-5 over pilots, metrics without it, batch means of one long run."""

from dataclasses import replace

import numpy as np
import pytest
from breaking import MM1

from edasim.errors import ConfigurationError, StateError, UnknownNameError
from edasim.experiments import Steady, batch_means, replicate, seed_of, warm_up, warm_up_over_runs
from edasim.kernel import times
from edasim.services import load
from edasim.theory import mm1, mser5

BUSY = replace(MM1, arrivals=load.Poisson(rate_per_s=0.95), messages=1000)
TRUE_MEAN_S = mm1(0.95, 1.0).mean_wait_s


def test_the_series_is_in_order_of_arrival():
    run = replace(MM1, arrivals=load.Constant(rate_per_s=1.0), service_time=times.Constant(value_s=1.5)).run()
    study = warm_up(run, "mail")
    assert study.times_s.tolist() == [float(k) for k in range(1, 201)]
    assert study.values_s == pytest.approx(0.5 * np.arange(200), abs=1e-9)
    assert warm_up(run, "mail", "response").values_s == pytest.approx(0.5 * np.arange(200) + 1.5, abs=1e-9)
    assert not study.found.long_enough
    assert "run longer" in str(study)


def test_the_picture_has_the_means_the_errors_and_the_cut():
    study = warm_up(BUSY.run(seed=2), "mail")
    points = study.points()
    assert points["first"].tolist() == list(range(0, 1000, 5))
    assert points["mean_s"].iloc[3] == pytest.approx(study.values_s[15:20].mean(), rel=1e-12)
    assert points["error_s"].notna().sum() == 101
    assert points["error_s"].idxmin() == study.cut // 5
    assert (points["kept"] == (points["first"] >= study.cut)).all()
    assert study.cut_s == study.times_s[study.cut]
    assert study.found == mser5(study.values_s)


def test_the_warm_up_over_runs_is_that_of_their_mean():
    study = warm_up_over_runs(BUSY, "mail", n=3, seed=4)
    runs = [BUSY.run(seed=seed_of(4, -k)) for k in (1, 2, 3)]
    assert study.values_s == pytest.approx(np.mean([run.deliveries.waits_s for run in runs], axis=0), rel=1e-12)
    assert "the mean of 3 runs" in str(study)
    unequal = warm_up_over_runs(replace(BUSY, messages=None), "mail", n=2, until_s=400.0)
    assert len(unequal.values_s) < 450


def test_a_steady_metric_leaves_the_warm_up_out():
    study = warm_up_over_runs(BUSY, "mail", n=5)
    assert study.cut > 0
    assert study.kept_s.size == 1000 - study.cut
    result = replicate(BUSY, 2, [study.mean, study.quantile(0.95)])
    waits_s = BUSY.run(seed=result.seeds[0]).deliveries.waits_s[study.cut :]
    assert list(result.values) == [f"mail.mean_wait_s after {study.cut}", f"mail.p95_wait_s after {study.cut}"]
    assert [column[0] for column in result.values.values()] == [waits_s.mean(), np.quantile(waits_s, 0.95)]
    assert result.provenance.log == "full"


def test_a_common_cut_brings_the_mean_nearer_and_a_cut_of_each_run_does_not_help():
    """At load 0.95 an empty start biases the mean of 1,000 waits from 19 s down to 12.6 s.

    100 runs; the differences are paired and over 4 standard errors, so each sentence is false with p < 1e-4.
    """
    study = warm_up_over_runs(BUSY, "mail")
    cuts = {"whole": "mail.mean_wait_s", "common": study.mean, "own": lambda run: warm_up(run, "mail").found.mean}
    result = replicate(BUSY, 100, cuts)
    whole, common, own = (np.array(result.of(name)) for name in ("whole", "common", "own"))
    gained = common - whole
    assert gained.mean() > 4 * gained.std(ddof=1) / 10
    assert whole.mean() < common.mean() < TRUE_MEAN_S
    lost = common - own
    assert lost.mean() > 3 * lost.std(ddof=1) / 10


def test_batch_means_serve_one_long_run():
    run = replace(MM1, messages=40_000).run(seed=1)
    found = batch_means(run, "mail", batches=20)
    assert found.interval.n == 20
    assert found.means_s.mean() == pytest.approx(found.interval.mean, rel=1e-12)
    assert 4.0 in found.interval
    assert found.points()["batch"].tolist() == list(range(20))
    assert found.points()["time_s"].iloc[0] >= found.study.cut_s
    assert "batches of" in str(found)


def test_what_cannot_be_studied_is_refused():
    with pytest.raises(StateError, match="metrics only"):
        warm_up(MM1.run(log="metrics"), "mail")
    with pytest.raises(UnknownNameError, match="subscription"):
        warm_up(MM1.run(), "male")
    with pytest.raises(ConfigurationError, match="quantity"):
        warm_up(MM1.run(), "mail", "queue")
    with pytest.raises(ConfigurationError, match="at least 50"):
        warm_up(replace(MM1, messages=20).run(), "mail")
    with pytest.raises(ConfigurationError, match="200 waits at 'mail', and 300 are cut; run longer"):
        replicate(MM1, 2, Steady(of="mail", cut=300))
