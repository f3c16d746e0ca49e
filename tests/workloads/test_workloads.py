"""The project's traces are what their generator makes, resemble what their README cites, and load in one line."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from edasim.experiments import replicate
from edasim.kernel import times
from edasim.scenarios import SingleQueue
from edasim.services import load
from edasim.theory import mm1

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "data" / "workloads"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
SPEC = importlib.util.spec_from_file_location("workloads", ROOT / "tools" / "workloads.py")
generator = sys.modules[SPEC.name] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generator)
WORKLOADS = {workload.name: workload for workload in generator.WORKLOADS}


def trace(name):
    return load.Trace.from_csv(FOLDER / f"{name}.csv.gz", "arrived_s")


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
class TestEachWorkload:
    def test_is_what_its_generator_makes(self, workload):
        assert workload.read().tolist() == workload.made(workload.seed).tolist()

    def test_resembles_the_recorded_trace(self, workload):
        off = [each.name for each in workload.statistics if not each.holds(workload.read())]
        assert off == []

    def test_the_readme_tells_its_size_and_its_statistics(self, workload):
        assert f"| {workload.read().size:,} |" in README
        for statistic in workload.statistics:
            ours = statistic.measure(workload.read())
            assert re.search(rf"\b{statistic.published:g}\b", README) or f"{statistic.published:.2f}" in README
            assert any(f"{ours:.{decimals}f}" in README for decimals in (1, 2))

    def test_loads_in_one_line(self, workload):
        arrivals = trace(workload.name)
        stored = workload.read()
        assert np.asarray(arrivals.times_s) == pytest.approx(stored - stored[0], abs=1e-9)


def test_the_files_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000
    assert {path.name for path in FOLDER.glob("*.csv.gz")} == {f"{name}.csv.gz" for name in WORKLOADS}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_queue_waits_as_much_longer_as_the_readme_says(name):
    """Against M/M/1 of the same rate and load; ten runs with fixed seeds, as the table was made."""
    arrivals = trace(name)
    told = []
    for utilisation in (0.5, 0.8):
        service_s = utilisation / arrivals.mean_per_s
        queue = SingleQueue(arrivals=arrivals, service_time=times.Exponential(mean_s=service_s))
        wait = replicate(queue, 10, "mail.mean_wait_s").interval()
        under_poisson_s = mm1(arrivals.mean_per_s, 1.0 / service_s).mean_wait_s
        told.append(wait.mean / under_poisson_s)
        assert wait.low > 1.2 * under_poisson_s
    (row,) = re.findall(
        rf"^\| {name}(?: \(recorded\))? \| (\d.*) \|$", README.partition("## What they do")[2], re.MULTILINE
    )
    ours = [float(cell.split()[0]) for cell in row.split(" | ")]
    assert [float(f"{ratio:.2g}") if ratio < 10 else round(ratio) for ratio in told] == pytest.approx(ours, rel=0.06)


def test_the_tool_checks_its_files_and_explains_itself(capsys):
    assert generator.main(["check"]) == 0
    assert "OFF" not in capsys.readouterr().out
    assert generator.main(["help"]) == 2
    assert "python tools/workloads.py" in capsys.readouterr().out
