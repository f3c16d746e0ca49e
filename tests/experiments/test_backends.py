"""Worker processes give the same numbers, costs of a killed one are time only, and they start only where they pay."""

import os
from dataclasses import replace

import pytest
from breaking import MM1, KillsItsWorker

from edasim.errors import ConfigurationError
from edasim.experiments import ExperimentWarning, backends, compare, parallel_config, replicate, sweep

WAIT = "mail.mean_wait_s"
OVER = {"servers": [1, 2], "service_time.mean_s": [0.5, 1.0]}


@pytest.fixture(scope="module")
def here():
    return sweep(MM1, OVER, 5, WAIT, workers=1)


def test_two_workers_give_the_same_table_to_the_last_bit(here):
    there = sweep(MM1, OVER, 5, WAIT, workers=2)
    assert there.fingerprint() == here.fingerprint()
    assert there.results == here.results
    assert there.table().equals(here.table())


def test_functions_and_failures_travel():
    def squared(run):
        if run.seed % 2:
            raise ZeroDivisionError("odd luck")
        return run.ended_s**2

    results = [compare(MM1, MM1, 8, {"squared": squared}, workers=workers) for workers in (1, 2)]
    assert results[0] == results[1]
    assert len(results[0].failures) > 0


def test_a_worker_that_is_killed_costs_time_not_results(here, tmp_path):
    killer = KillsItsWorker(tmp_path / "died", spare=os.getpid())
    with pytest.warns(ExperimentWarning, match=r"workers were lost, and \d+ runs with them"):
        there = sweep(MM1, OVER, 5, {WAIT: killer}, workers=2)
    assert len(list(tmp_path.iterdir())) >= 1
    assert there.fingerprint() == here.fingerprint()
    assert there.provenance.computed == 20
    assert not there.is_partial
    assert "workers were lost" in str(there)


def test_if_every_worker_dies_this_process_makes_the_runs(tmp_path):
    killer = KillsItsWorker(tmp_path / "died", spare=os.getpid(), times=1000)
    with pytest.warns(ExperimentWarning, match="this process makes them again"):
        result = replicate(MM1, 3, {WAIT: killer}, workers=2)
    assert result.fingerprint() == replicate(MM1, 3, WAIT).fingerprint()


def test_what_cannot_travel_is_made_here():
    class Glued(type(MM1)):
        def __reduce__(self):
            raise TypeError("glued to its process")

    glued = Glued(arrivals=MM1.arrivals, service_time=MM1.service_time, messages=200)
    with pytest.warns(ExperimentWarning, match="this process makes them again"):
        result = replicate(glued, 3, WAIT, workers=2)
    assert result.of() == replicate(MM1, 3, WAIT).of()


def test_short_work_stays_here_and_long_work_goes_to_workers(monkeypatch, here):
    pooled = []
    in_pool = backends.in_pool

    def watched(tasks, plan, workers, tell):
        pooled.append((len(tasks), workers))
        return in_pool(tasks, plan, workers, tell)

    monkeypatch.setattr(backends, "in_pool", watched)
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    assert sweep(MM1, OVER, 5, WAIT).fingerprint() == here.fingerprint()
    assert pooled == []
    monkeypatch.setattr(backends, "PAYS_S", 1e-6)
    assert sweep(MM1, OVER, 5, WAIT).fingerprint() == here.fingerprint()
    assert pooled == [(19, 2)]


def test_one_processor_keeps_all_work(monkeypatch, here):
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)
    monkeypatch.setattr(backends, "PAYS_S", 1e-6)
    monkeypatch.setattr(backends, "in_pool", None)
    assert sweep(MM1, OVER, 5, WAIT).fingerprint() == here.fingerprint()


def test_the_configuration_of_joblib_is_followed(here):
    names = []

    def where(run):
        import threading

        names.append(threading.current_thread() is threading.main_thread())
        return run.summary()["mail"].mean_wait_s

    with parallel_config(backend="threading", n_jobs=2):
        there = sweep(MM1, OVER, 5, {WAIT: where})
    assert there.fingerprint() == here.fingerprint()
    assert len(names) == 20
    assert not all(names)


@pytest.mark.parametrize("workers", [0, -1, 1.5, "two"])
def test_a_number_of_workers_that_makes_no_sense_is_refused(workers):
    with pytest.raises(ConfigurationError, match="workers"):
        replicate(replace(MM1, messages=20), 2, WAIT, workers=workers)
