"""The programs that the benchmarks compare simulate the same thing: fed the same numbers, they keep the same times."""

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from random import Random

import pytest

import edasim as eda
from benchmarks import heap_loop, idiomatic, plane, report, rounds
from benchmarks.workloads import (
    MEAN_UP_S,
    REPAIR_S,
    SERVICE_S,
    W1,
    W4,
    WORKLOADS,
    Kept,
    Workload,
    mean_response_with_repairs_s,
)

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = 400
SPARE = 40 * MESSAGES  # redrawn services, and times up until the end


class Script:
    """The same gaps, services and times up for every program, whatever way it asks for numbers."""

    def __init__(self, workload: Workload):
        rng = Random(workload.name)
        self.arrival_per_s = workload.arrival_per_s
        self.gaps_s = [rng.expovariate(workload.arrival_per_s) for _ in range(MESSAGES)]
        self.services_s = [rng.expovariate(1.0 / SERVICE_S) for _ in range(SPARE)]
        self.ups_s = [rng.expovariate(1.0 / MEAN_UP_S) for _ in range(SPARE)]

    def simpy(self, workload: Workload) -> Kept:
        return idiomatic.simulate(workload, MESSAGES, Scripted(self))

    def heap(self, workload: Workload) -> Kept:
        draws = [iter(times_s).__next__ for times_s in (self.gaps_s, self.services_s, self.ups_s)]
        return heap_loop.simulate(workload, MESSAGES, *draws)

    def edasim(self, workload: Workload, log: str) -> Kept:
        load = eda.load.Trace(times_s=list(accumulate(self.gaps_s)))
        service, up = eda.times.Trace(values_s=self.services_s), eda.times.Trace(values_s=self.ups_s)
        return plane.kept(
            workload, plane.simulate(workload, MESSAGES, eda.Simulation(seed=1, log=log), load, service, up)
        )


class Scripted(Random):
    """Answers `expovariate` from a script, by the rate that is asked for."""

    def __init__(self, script: Script):
        super().__init__()
        self._left: dict[float, Iterator[float]] = {
            script.arrival_per_s: iter(script.gaps_s),
            1.0 / SERVICE_S: iter(script.services_s),
            1.0 / MEAN_UP_S: iter(script.ups_s),
        }

    def expovariate(self, lambd: float = 1.0) -> float:
        return next(self._left[lambd])


@pytest.fixture(params=WORKLOADS.values(), ids=WORKLOADS)
def workload(request) -> Workload:
    return request.param


def test_three_programs_keep_the_same_times_of_every_message(workload):
    script = Script(workload)
    simpy, full = script.simpy(workload), script.edasim(workload, "full")
    assert len(simpy.times_s) == MESSAGES
    assert full.times_s == pytest.approx(simpy.times_s, abs=1e-12)
    if not workload.has_ticker:
        assert script.heap(workload) == simpy


def test_counts_of_deliveries_and_interruptions_are_the_same(workload):
    script = Script(workload)
    simpy, full = script.simpy(workload), script.edasim(workload, "full")
    assert (full.deliveries, full.interruptions) == (simpy.deliveries, simpy.interruptions)
    assert full.deliveries == MESSAGES + full.interruptions
    assert (full.interruptions > 0) == workload.breaks_down
    assert (full.up_s, full.down_s) == pytest.approx((simpy.up_s, simpy.down_s))


def test_metrics_only_gives_the_mean_of_the_full_log(workload):
    script = Script(workload)
    full, metrics = script.edasim(workload, "full"), script.edasim(workload, "metrics")
    assert metrics.times_s == pytest.approx([statistics.fmean(full.times_s)])
    assert (metrics.deliveries, metrics.interruptions) == (full.deliveries, full.interruptions)


def test_a_server_that_never_fails_is_an_ordinary_queue():
    plain = eda.theory.mm1(0.8, 1.0).mean_response_s
    assert mean_response_with_repairs_s(0.8, SERVICE_S, 1e12, REPAIR_S) == pytest.approx(plain)
    assert mean_response_with_repairs_s(0.8, SERVICE_S, MEAN_UP_S, 0.0) == pytest.approx(plain)


def a_round(program: str, number: int, cpu_s: float, **changed: object) -> rounds.Timed:
    usual: dict[str, object] = {
        "mean_s": 4.0, "error_s": 0.1, "deliveries": 100_000, "interruptions": 0, "up_s": 0.0, "down_s": 0.0,
    }  # fmt: skip
    return rounds.Timed(program=program, cpu_s=cpu_s, **(usual | changed))  # type: ignore[arg-type]


def rounds_of_w1(change: Callable[[str], dict[str, object]] = lambda program: {}) -> rounds.Rounds:
    """Two rounds; the machine is half as fast in the second, which is not to be seen in a ratio."""
    seconds = {rounds.SIMPY: 0.8, rounds.HEAP: 0.05, rounds.FULL: 0.1, rounds.METRICS: 0.08}
    by_program = {
        program: [a_round(program, number, cpu_s * number, **change(program)) for number in (1, 2)]
        for program, cpu_s in seconds.items()
    }
    return rounds.Rounds(W1, 100_000, by_program)


def test_ratios_compare_times_of_one_round():
    found = rounds_of_w1()
    assert found.ratios(rounds.SIMPY, rounds.METRICS) == pytest.approx([10.0, 10.0])
    assert found.per_message_s(rounds.SIMPY) == pytest.approx(1.2 / 100_000)
    by_how = {(target.what, target.how): target for target in report.speed_targets(found)}
    assert by_how["W1: speed, idiomatic SimPy = 1", "metrics only"].met
    assert not by_how["W1: time, bare heap loop = 1", "metrics only"].met


@pytest.mark.parametrize(
    ("program", "changed", "verdict"),
    [
        (rounds.SIMPY, {}, "agrees"),
        (rounds.SIMPY, {"mean_s": 4.2}, "agrees"),
        (rounds.SIMPY, {"mean_s": 4.3}, report.DISAGREES),
        (rounds.HEAP, {"deliveries": 99_999}, report.DISAGREES),
        (rounds.HEAP, {"interruptions": 1}, report.DISAGREES),
        (rounds.METRICS, {"mean_s": 4.001}, report.DISAGREES),
    ],
)
def test_a_wrong_mean_or_a_missing_delivery_is_seen(program, changed, verdict):
    found = rounds_of_w1(lambda name: changed if name == program else {})
    assert report.verdict(found, program) == verdict


def test_the_breakdowns_have_a_table_of_their_own():
    found = rounds.Rounds(W4, 100_000, {rounds.SIMPY: [a_round(rounds.SIMPY, 1, 1.0, up_s=1200.0, down_s=100.0)]})
    assert any("| 0.9231 | +0.00 |" in line for line in report.repair_lines(found))


def test_quick_measures_everything_and_writes_nothing():
    results = ROOT / "benchmarks" / "RESULTS.md"
    before = results.read_bytes() if results.exists() else None
    command = [sys.executable, "-m", "benchmarks", "--quick"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (results.read_bytes() if results.exists() else None) == before
    assert ran.stdout.count("too short to judge") == sum(len(rounds.programs_for(one)) for one in WORKLOADS.values())
    for heading in ("Conditions", "Targets", "Processor time", "Correctness", "Not measured"):
        assert f"\n## {heading}\n" in ran.stdout
    assert str(ROOT) not in ran.stdout


def test_the_written_results_name_no_machine_and_no_path():
    written = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    assert "## Targets" in written
    assert str(ROOT) not in written
    assert "/home/" not in written
