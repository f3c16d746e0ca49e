"""Measures, prints the report, and writes RESULTS.md. Ends with 1 if a program disagrees with theory."""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from . import costs, peers, report
from .own_process import measure
from .report import Report, Target
from .rounds import METRICS, SIMPY, Rounds, all_rounds
from .workloads import WORKLOADS

RESULTS = Path(__file__).with_name("RESULTS.md")
MOST_ROUNDS_OF_PEERS = 3
LEFT_OUT = [("happysim", "needs Python 3.13 or later")]


def arguments(given: list[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds per workload (9)")
    parser.add_argument("--messages", type=int, default=200_000, help="messages per run (200000)")
    parser.add_argument(
        "--ten-million", action="store_true", help="measure ten million messages alone; renews that section"
    )
    parser.add_argument("--only", choices=WORKLOADS, help="one workload alone; writes nothing")
    parser.add_argument("--quick", action="store_true", help="tiny runs, to see that all works; writes nothing")
    asked = parser.parse_args(given)
    if asked.rounds < 1 or asked.messages < 1000:
        parser.error("give at least 1 round and 1000 messages")
    return asked


def costs_of_edasim(short: int, rounds: int) -> list[Target]:
    """Targets on time at length and on memory; `short` messages against ten times as many."""
    thousand = f"{short:,}"
    at_length = f"W1: cost per message at {short * 10:,}, at {thousand} = 1"
    found = [
        Target(at_length, "metrics only", 1.1, False, costs.length_ratios("metrics", short, 10, rounds), "x"),
        Target(at_length, "full log", 1.15, False, costs.length_ratios("full", short, 10, rounds), "x"),
    ]
    share = costs.float_column_share()
    bounded, row = (costs.bytes_per_message(log, short, 10) for log in ("metrics", "full"))
    peak = f"W1: peak memory per message, from {thousand} to {short * 10:,}"
    found += [
        Target(f"{peak}, bounded", "metrics only", 0.1, False, [bounded], " B"),
        Target(f"{peak}, whole row", "full log", 120.0, False, [row], " B", 1),
        Target(f"{peak}, share of a float column", "full log", 16.0, False, [row * share], " B", 1),
    ]
    return found


def first_use(short: int, repeats: int) -> tuple[list[Target], list[tuple[str, str]]]:
    """What a user waits for: the picture after a slider's move, the import, the columns of the table."""
    picture_ms = [seconds * 1e3 for seconds in measure(costs.picture_s, messages=3000)]
    import_ms, use_ms, bare_ms = (
        costs.interpreter_s(code, repeats) * 1e3 for code in (costs.IMPORT, costs.FIRST_USE, costs.BARE)
    )
    columns_us = statistics.median(measure(costs.columns_s, messages=short)) * 1e6
    targets = [
        Target("3,000 messages simulated and drawn as one SVG text", "full log", 50.0, False, picture_ms, " ms", 1),
        Target("`import edasim`, interpreter included", "", 250.0, False, [import_ms], " ms", 0),
    ]
    others = [
        ("Python itself, started and ended", f"{bare_ms:.0f} ms"),
        ("first use of simulation, bus, source and service, interpreter included", f"{use_ms:.0f} ms"),
        ("delivery table as columns, from the rows of a full log", f"{columns_us:.3f} µs per row"),
    ]
    return targets, others


def beside_peers(messages: int, rounds: int) -> list[Rounds]:
    """The plain queues in SimPy, in edasim and in the other simulators that are installed."""
    names = [SIMPY, METRICS, *peers.installed()]
    plain = [workload for workload in WORKLOADS.values() if peers.can_run(workload)] if len(names) > 2 else []
    return [
        all_rounds(workload, max(1000, messages // peers.SHARE), min(rounds, MOST_ROUNDS_OF_PEERS), names)
        for workload in plain
    ]


def measured(asked: argparse.Namespace) -> Report:
    """Measures what was asked for; progress goes to the error output."""
    messages, rounds = (1000, 1) if asked.quick else (asked.messages, asked.rounds)
    state = report.conditions(messages, rounds)
    workloads: list[Rounds] = []
    for workload in [WORKLOADS[asked.only]] if asked.only else WORKLOADS.values():
        print(f"{workload.name}: {workload.title}", file=sys.stderr, flush=True)
        workloads.append(all_rounds(workload, messages, rounds))
    targets = [target for of_one in workloads for target in report.speed_targets(of_one)]
    if asked.only:
        return Report(state, workloads, targets)
    print("other simulators, length, memory, picture, import", file=sys.stderr, flush=True)
    others_beside = beside_peers(messages, rounds)
    short, at_length = (1000, 1) if asked.quick else (100_000, min(rounds, 3))
    targets += costs_of_edasim(short, at_length)
    more, others = first_use(short, 1 if asked.quick else costs.REPEATS)
    left_out = [
        (name, "not installed (`pip install .[bench]`)") for name in peers.MODULES if name not in peers.installed()
    ]
    written = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    at_length = report.section(written, report.TEN_MILLION) or "Not measured: `python -m benchmarks --ten-million`."
    return Report(state, workloads, targets + more, others, others_beside, left_out + LEFT_OUT, at_length)


def main(given: list[str]) -> int:
    """Measures and reports; returns the exit status."""
    asked = arguments(given)
    if asked.ten_million:
        told = report.ten_million(measure(costs.very_long, messages=10_000_000), report.conditions(10_000_000, 1))
        print(told)
        written = RESULTS.read_text(encoding="utf-8")
        RESULTS.write_text(report.with_section(written, report.TEN_MILLION, told), encoding="utf-8")
        return 0
    found = measured(asked)
    print(found.markdown())
    if asked.quick or asked.only:
        return 0
    RESULTS.write_text(found.markdown(), encoding="utf-8")
    verdicts = {report.verdict(of_one, program) for of_one in found.workloads for program in of_one.by_program}
    return 1 if report.DISAGREES in verdicts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
