"""A real Dask cluster of two worker processes on 127.0.0.1: the same table, also when one of them is killed."""

import os

import pytest
from breaking import MM1, KillsItsWorker

from edasim.experiments import parallel_config, replicate, sweep

distributed = pytest.importorskip("distributed", reason='needs the extra "dask"')

WAIT = "mail.mean_wait_s"
OVER = {"servers": [1, 2], "service_time.mean_s": [0.5, 1.0]}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    options = {"host": "127.0.0.1", "dashboard_address": None, "local_directory": str(tmp_path_factory.mktemp("dask"))}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def here():
    return sweep(MM1, OVER, 5, WAIT, workers=1)


def test_the_cluster_has_two_processes_of_its_own(client):
    pids = set(client.run(os.getpid).values())
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_the_same_sweep_gives_the_same_table(client, here):
    with parallel_config(backend="dask"):
        there = sweep(MM1, OVER, 5, WAIT)
    assert there.fingerprint() == here.fingerprint()
    assert there.results == here.results
    assert there.table().equals(here.table())


def test_the_runs_are_made_on_the_cluster(client):
    with parallel_config(backend="dask"):
        result = replicate(MM1, 8, {"pid": lambda run: float(os.getpid())})
    assert set(result.of()) <= set(map(float, client.run(os.getpid).values()))


def test_a_worker_that_is_killed_costs_time_not_results(client, here, tmp_path):
    killer = KillsItsWorker(tmp_path / "died", spare=os.getpid())
    with parallel_config(backend="dask"):
        there = sweep(MM1, OVER, 5, {WAIT: killer})
    assert len(list(tmp_path.iterdir())) >= 1
    assert there.fingerprint() == here.fingerprint()
    assert there.provenance.computed == 20
