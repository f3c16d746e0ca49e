"""The programs that the benchmarks compare simulate the same thing: fed the same numbers, they keep the same times."""

import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from random import Random

import pytest
from simpy import Environment

import edasim as eda
from benchmarks import governed, heap_loop, idiomatic, peers, plane, plane_log, report, rounds
from benchmarks.workloads import (
    KEYS,
    MEAN_UP_S,
    MEMBER_LOAD,
    REPAIR_S,
    SERVICE_S,
    W1,
    W3,
    W4,
    W5,
    WORKLOADS,
    Kept,
    Workload,
    mean_response_with_repairs_s,
    member_rates_per_s,
)
from edasim.kernel import Run

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


QUEUES = {name: one for name, one in WORKLOADS.items() if not (one.groups or one.is_governed)}


@pytest.fixture(params=QUEUES.values(), ids=QUEUES)
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


class LogScript(Random):
    """Answers the SimPy program of W3 from a script: gaps and services by their means, and keys."""

    def __init__(self):
        super().__init__()
        rng = Random(3)
        shares = [rate for members in W3.groups for rate in member_rates_per_s(W3, members)]
        means_s = [1.0 / W3.arrival_per_s, *(MEMBER_LOAD / rate for rate in shares)]
        self.times_s = {f"{mean_s:.9g}": [rng.expovariate(1.0 / mean_s) for _ in range(MESSAGES)] for mean_s in means_s}
        self.keys = [rng.randrange(KEYS) for _ in range(MESSAGES)]
        self._left = {mean: iter(times_s) for mean, times_s in self.times_s.items()}
        self._next_key = iter(self.keys).__next__

    def expovariate(self, lambd: float = 1.0) -> float:
        return next(self._left[f"{1.0 / lambd:.9g}"])

    def choices(self, *_given, **_named) -> list[int]:
        return [self._next_key()]

    def edasim(self, log: str) -> Run:
        load = eda.load.Trace(times_s=list(accumulate(self.times_s[f"{1.0 / W3.arrival_per_s:.9g}"])))

        def service_time(mean_s: float) -> eda.times.Trace:
            return eda.times.Trace(values_s=self.times_s[f"{mean_s:.9g}"])

        sim = eda.Simulation(seed=1, log=log)
        return plane_log.simulate(W3, MESSAGES, sim, load, service_time, iter(self.keys).__next__)


def test_both_programs_of_the_log_keep_the_same_times_in_the_order_of_the_offsets():
    script = LogScript()
    simpy, full = idiomatic.simulate(W3, MESSAGES, script), plane_log.kept(W3, script.edasim("full"))
    metrics = plane_log.kept(W3, script.edasim("metrics"))
    assert sorted(full.times_s) == pytest.approx(sorted(simpy.times_s), abs=1e-9)
    assert {kept.deliveries for kept in (simpy, full, metrics)} == {3 * MESSAGES}
    assert {kept.out_of_order for kept in (simpy, full, metrics)} == {0}
    assert metrics.times_s == pytest.approx([statistics.fmean(full.times_s)])


def test_a_delivery_out_of_order_and_one_that_is_missing_are_seen():
    run = LogScript().edasim("full")
    placements = run.log.placements
    swapped = dict(placements[run.deliveries.lane[0]]())
    numbers = list(swapped)
    assert plane_log.out_of_order(run) == 0
    numbers[0], numbers[1] = numbers[1], numbers[0]
    placements[run.deliveries.lane[0]] = lambda: {number: swapped[number] for number in numbers}
    assert plane_log.out_of_order(run) >= 2
    placements[run.deliveries.lane[0]] = lambda: swapped | {10**6: swapped[numbers[0]]}
    assert plane_log.out_of_order(run) == 1


def test_the_log_has_the_mean_of_its_queues():
    for members in W3.groups:
        rates = member_rates_per_s(W3, members)
        mean_s = sum(rate * eda.theory.mm1(rate, rate / MEMBER_LOAD).mean_response_s for rate in rates) / sum(rates)
        assert mean_s == pytest.approx(members * MEMBER_LOAD / (1.0 - MEMBER_LOAD) / W3.arrival_per_s)


def test_both_breakers_and_both_buckets_of_w5_decide_alike():
    rng, env = Random(5), Environment()
    breaker, bucket = governed.Breaker(env), governed.Bucket(env)
    protections = governed.protections()
    other, tokens = protections.breaker.start(0.0), protections.limiter.start(0.0)
    answers = set()
    for step in range(4000):
        env.run(until=env.now + rng.expovariate(200.0) + 1e-9)
        taken = bucket.take(), breaker.allows()
        assert taken == (tokens.allow(env.now), other.allow(env.now)), step
        answers.add(taken)
        if taken[1]:
            failed = rng.random() < governed.error_ratio(env.now * 3)
            breaker.hear(failed)
            other.record(env.now, not failed)
    assert {allowed for _, allowed in answers} == {True, False}


def of_w5(program: str, seed: int) -> rounds.Timed:
    """35 s with one storm in them."""
    simulate, keep = rounds.PROGRAMS[program]
    kept = keep(W5, simulate(W5, 7000, seed))
    mean_s = statistics.fmean(kept.times_s)
    return a_round(program, seed, 1.0, mean_s=mean_s, deliveries=kept.deliveries, counts=kept.counts)


def test_both_programs_of_w5_count_the_same_over_six_seeds():
    """False alarms: 7 comparisons at |z| > 4.59 with about 10 degrees of freedom, 0.7 % in all; the seeds are fixed."""
    programs = (rounds.SIMPY, rounds.METRICS)
    found = rounds.Rounds(W5, 7000, {name: [of_w5(name, seed) for seed in range(1, 7)] for name in programs})
    each = [one for of_one in found.by_program.values() for one in of_one]
    assert {one.deliveries for one in each} == {7000}
    assert all(one.counts["circuit breaker"] > 0 < one.counts["rate limiter"] for one in each)
    zs = {**report.count_zs(found, rounds.METRICS), "mean": report.z_of(found, rounds.METRICS)}
    assert {name: z for name, z in zs.items() if abs(z) > 4.59} == {}


def test_the_answers_of_w5_are_what_was_neither_refused_nor_failed():
    simpy = governed.simulate_simpy(W5, 7000, Random(1))
    full = governed.kept(W5, governed.simulate_edasim(W5, 7000, 1, "full"))
    for kept in (simpy, full):
        counts = Counter(kept.counts)
        bad = counts["rate limiter"] + counts["circuit breaker"] + counts["overloaded"] + counts["errors"]
        assert len(kept.times_s) == counts["attempts"] - bad == 7000 - counts["given up"]


def test_other_simulators_that_are_not_installed_are_left_out():
    assert set(peers.installed()) <= {peers.CIW, peers.SALABIM}
    assert [name for name, one in WORKLOADS.items() if peers.can_run(one)] == ["W1", "W2"]


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


def test_the_section_of_the_long_run_is_kept_and_renewed():
    text = "# T\n\n## Correctness\n\nall is well\n\n## Not measured\n"
    once = report.with_section(text, report.TEN_MILLION, "58 MB")
    assert report.section(text, report.TEN_MILLION) == ""
    assert report.section(once, report.TEN_MILLION) == "58 MB"
    again = report.with_section(once, report.TEN_MILLION, "59 MB")
    assert again == once.replace("58", "59")
    assert report.section(again, "Correctness") == "all is well"


def test_quick_measures_everything_and_writes_nothing():
    results = ROOT / "benchmarks" / "RESULTS.md"
    before = results.read_bytes() if results.exists() else None
    command = [sys.executable, "-m", "benchmarks", "--quick"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (results.read_bytes() if results.exists() else None) == before
    assert ran.stdout.count("too short to judge") == sum(len(rounds.programs_for(one)) for one in WORKLOADS.values())
    headings = ("Conditions", "Targets", "Processor time", "Other simulators", report.TEN_MILLION, "Correctness")
    for heading in (*headings, "Not measured"):
        assert f"\n## {heading}\n" in ran.stdout
    assert str(ROOT) not in ran.stdout


def test_the_written_results_name_no_machine_and_no_path():
    written = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    assert "## Targets" in written
    assert str(ROOT) not in written
    assert "/home/" not in written
