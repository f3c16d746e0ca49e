"""Judges what was measured against the targets, and writes it down as Markdown, without names of machines or paths."""

from __future__ import annotations

import math
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from .rounds import FULL, HEAP, METRICS, SIMPY, Rounds
from .workloads import AVAILABILITY, W1, availability_error

LARGEST_Z = 3.29
"""A right program exceeds it once in a thousand comparisons."""
DISAGREES = "**disagrees**"
ENOUGH = 50_000
"""Messages in a run from which on the cold start no longer matters to the mean."""


@dataclass(frozen=True)
class Target:
    """What was aimed at and what was reached, with the rounds behind it; `at_least` tells on which side is better."""

    what: str
    how: str
    bound: float
    at_least: bool
    rounds: Sequence[float]
    unit: str = ""
    digits: int = 2

    @property
    def reached(self) -> float:
        return statistics.median(self.rounds)

    @property
    def met(self) -> bool:
        return self.reached >= self.bound if self.at_least else self.reached <= self.bound

    def row(self) -> list[str]:
        def say(value: float) -> str:
            return f"{value:.{self.digits}f}{self.unit}"

        spread = f"{say(min(self.rounds))} to {say(max(self.rounds))}" if len(self.rounds) > 1 else "one measurement"
        bound = f"{'≥' if self.at_least else '≤'} {self.bound:g}{self.unit}"
        return [self.what, self.how, bound, say(self.reached), spread, "met" if self.met else "**missed**"]


AGAINST_SIMPY = {
    "W1": (8.0, 5.0),
    "W1 + process": (3.5, 3.0),
    "W2": (8.0, 5.0),
    "W3": (6.0, 4.0),
    "W4": (4.0, 3.0),
    "W5": (4.0, 3.0),
}
AGAINST_HEAP = {"W1": (1.3, 2.0)}
LOGS = {METRICS: "metrics only", FULL: "full log"}


def speed_targets(rounds: Rounds) -> list[Target]:
    """The targets of one workload: how many times as fast as SimPy, how many times as slow as a bare loop."""
    name = rounds.workload.name
    than_simpy = [
        Target(f"{name}: speed, idiomatic SimPy = 1", words, bound, True, rounds.ratios(SIMPY, program), "x")
        for (program, words), bound in zip(LOGS.items(), AGAINST_SIMPY[name], strict=True)
    ]
    if name not in AGAINST_HEAP:
        return than_simpy
    return than_simpy + [
        Target(f"{name}: time, bare heap loop = 1", words, bound, False, rounds.ratios(program, HEAP), "x")
        for (program, words), bound in zip(LOGS.items(), AGAINST_HEAP[name], strict=True)
    ]


@dataclass
class Report:
    """Everything that was measured in one go."""

    conditions: dict[str, str]
    workloads: list[Rounds]
    targets: list[Target]
    others: list[tuple[str, str]] = field(default_factory=list)
    peers: list[Rounds] = field(default_factory=list)
    not_measured: list[tuple[str, str]] = field(default_factory=list)
    at_length: str = ""

    def markdown(self) -> str:
        """RESULTS.md."""
        return "\n".join(
            [
                "# Benchmarks: results",
                "",
                "Written by `make bench`; do not edit.",
                "",
                "## Conditions",
                "",
                *(f"- {name}: {value}" for name, value in self.conditions.items()),
                "",
                METHOD,
                "",
                "## Targets",
                "",
                *table(TARGET_HEAD, (target.row() for target in self.targets)),
                "",
                "## Processor time",
                "",
                "Medians over the rounds, of times and of ratios apart: a ratio need not be the quotient of two times.",
                "",
                *table(
                    ["workload", "program", "µs per message", "speed, SimPy = 1", "time, heap loop = 1"],
                    (row for rounds in self.workloads for row in time_rows(rounds)),
                ),
                "",
                *table(["also measured", ""], ([what, found] for what, found in self.others)),
                "",
                "## Other simulators",
                "",
                PEERS,
                "",
                *(peer_table(self.peers) if self.peers else ["None."]),
                "",
                f"## {TEN_MILLION}",
                "",
                self.at_length,
                "",
                "## Correctness",
                "",
                CORRECTNESS,
                "",
                *table(
                    ["workload", "program", "deliveries a round", "mean", "theory", "standard error", "z", "verdict"],
                    (row for rounds in self.workloads for row in correctness_rows(rounds)),
                ),
                "",
                *(line for rounds in self.workloads if rounds.workload.breaks_down for line in repair_lines(rounds)),
                *(line for rounds in self.workloads if rounds.workload.is_governed for line in count_lines(rounds)),
                "## Not measured",
                "",
                *(f"- {what}: {why}" for what, why in self.not_measured),
                "",
            ]
        )


TARGET_HEAD = ["what", "log", "target", "reached", "rounds", "verdict"]

METHOD = """\
Processor time, not time on the clock: for building the model and running it until the last message is done. Every
program runs once in each round, warmed up, in an order that rotates; a round is a process of its own. A ratio compares
two times of one round; given is the median over the rounds. Idiomatic SimPy has a process per message and draws numbers
one by one, and part of the distance to it is the draws. The bare heap loop draws in blocks of 4096 and keeps one number
per message: it is the limit for plain Python. Memory is the peak that `tracemalloc` sees, of Python and NumPy.\
"""

CORRECTNESS = f"""\
Means over all rounds, in seconds. The standard error comes from the means of 20 batches in each run, pooled over the
programs. The verdict asks that deliveries are exact and |z| ≤ {LARGEST_Z}, which a right program exceeds once in a
thousand comparisons; below {ENOUGH:,} messages a run is too short for it, because it starts empty. Without rows, the
mean must be that of the run with all rows.\
"""


TEN_MILLION = "Ten million messages"
"""The heading of a section that is measured alone, and kept by the next report of everything else."""


def section(text: str, heading: str) -> str:
    """What stands under a heading; nothing if there is no such heading."""
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].strip()


def with_section(text: str, heading: str, content: str) -> str:
    """The text with other words under a heading; a new one comes before "Correctness"."""
    if f"\n## {heading}\n" not in text:
        return text.replace("\n## Correctness\n", f"\n## {heading}\n\n{content}\n\n## Correctness\n", 1)
    before, _, rest = text.partition(f"\n## {heading}\n")
    _, found, after = rest.partition("\n## ")
    return f"{before}\n## {heading}\n\n{content}\n{found}{after}"


def ten_million(found: dict[str, float], conditions: dict[str, str]) -> str:
    """One run of W1 with metrics only, in words and a table."""
    rows = [
        ["messages done", f"{found['done']:,.0f}", f"{found['messages']:,}"],
        ["processor time per message", f"{found['cpu_s'] / found['messages'] * 1e6:.3f} µs", ""],
        [f"the same, at {found['short']:,.0f} = 1 (ten runs before, ten after)", f"{found['ratio']:.2f}x", "≤ 1.1x"],
        ["on the clock", f"{found['clock_s']:.1f} s", ""],
        [f"resident memory at most, after runs of {found['short']:,.0f}", f"{found['before_mb']:.1f} MB", ""],
        ["and after this run", f"{found['after_mb']:.1f} MB", "bounded"],
        ["mean wait", f"{found['mean_wait_s']:.4f} s", f"{W1.mean_s:.4f} s by theory"],
    ]
    state = "; ".join(f"{name}: {conditions[name]}" for name in ("machine", "software", "date"))
    return "\n".join([f"W1, metrics only, one run ({state}).", "", *table(["what", "found", "wanted"], rows)])


PEERS = """\
Rounds of their own, of fewer messages; the time is that of edasim with metrics only in the same round, and each has its
own statistics switched off as far as it offers that. Those that are not installed are left out, and listed below.\
"""


def table(head: list[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def time_rows(rounds: Rounds) -> list[list[str]]:
    """One row per program."""
    rows = []
    for program in rounds.by_program:
        against_heap = f"{statistics.median(rounds.ratios(program, HEAP)):.2f}" if HEAP in rounds.by_program else "–"
        against_simpy = f"{statistics.median(rounds.ratios(SIMPY, program)):.2f}"
        rows.append(
            [rounds.workload.name, program, f"{rounds.per_message_s(program) * 1e6:.3f}", against_simpy, against_heap]
        )
    return rows


def peer_table(peers: Sequence[Rounds]) -> list[str]:
    """All programs beside each other, workload by workload."""
    head = ["workload", "program", "messages", "µs per message", "time, edasim = 1", "mean wait (theory)", "z"]
    return table(head, (row for rounds in peers for row in peer_rows(rounds)))


def peer_rows(rounds: Rounds) -> list[list[str]]:
    """One row per program, those of other simulators last."""
    workload = rounds.workload
    return [
        [
            workload.name,
            program,
            f"{rounds.messages:,}",
            f"{rounds.per_message_s(program) * 1e6:.2f}",
            f"{statistics.median(rounds.ratios(program, METRICS)):.1f}",
            f"{rounds.mean_s(program):.3f} ({workload.mean_s:.3f})",
            f"{z_of(rounds, program):+.2f}",
        ]
        for program in rounds.by_program
    ]


def z_of(rounds: Rounds, program: str) -> float:
    """How many standard errors the mean is away from theory, or, where there is none, from that of SimPy."""
    if rounds.workload.is_governed:
        return z_between(*([one.mean_s for one in rounds.by_program[name]] for name in (program, SIMPY)))
    return (rounds.mean_s(program) - rounds.workload.mean_s) / rounds.error_s


def z_between(found: Sequence[float], others: Sequence[float]) -> float:
    """How many standard errors two means over rounds are apart, judged by how the rounds vary; 0 for one round."""
    if len(found) < 2:
        return 0.0
    variance = (statistics.variance(found) + statistics.variance(others)) / len(found)
    apart = statistics.fmean(found) - statistics.fmean(others)
    return apart / math.sqrt(variance) if variance else math.copysign(math.inf, apart) if apart else 0.0


def count_zs(rounds: Rounds, program: str) -> dict[str, float]:
    """For what is counted where there is no theory: as `z_of`, for each count."""
    names = sorted({name for found in rounds.by_program.values() for one in found for name in one.counts})
    return {
        name: z_between(*([one.counts.get(name, 0) for one in rounds.by_program[each]] for each in (program, SIMPY)))
        for name in names
    }


def verdict(rounds: Rounds, program: str) -> str:
    """Whether all messages were delivered, and the mean is one that theory would give."""
    expected = rounds.messages * rounds.workload.deliveries_per_message
    exact = all(
        one.deliveries == expected + one.interruptions and one.out_of_order == 0 for one in rounds.by_program[program]
    )
    same = program != METRICS or math.isclose(rounds.mean_s(METRICS), rounds.mean_s(FULL), rel_tol=1e-9)
    if not exact or not same:
        return DISAGREES
    if rounds.messages < ENOUGH:
        return "too short to judge"
    apart = max(abs(z) for z in (z_of(rounds, program), *count_zs(rounds, program).values()))
    return "agrees" if apart <= LARGEST_Z else DISAGREES


def correctness_rows(rounds: Rounds) -> list[list[str]]:
    """One row per program."""
    workload = rounds.workload
    return [
        [
            workload.name,
            program,
            span([one.deliveries for one in found]),
            f"{workload.measured} {rounds.mean_s(program):.4f}",
            "SimPy's" if workload.is_governed else f"{workload.mean_s:.4f}",
            f"{rounds.error_s:.4f}",
            f"{z_of(rounds, program):+.2f}",
            verdict(rounds, program),
        ]
        for program, found in rounds.by_program.items()
    ]


def span(counts: list[int]) -> str:
    """The smallest and the largest of some counts."""
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def repair_lines(rounds: Rounds) -> list[str]:
    """For a workload with breakdowns: interruptions and availability, counted apart from the deliveries."""
    rows = []
    for program, found in rounds.by_program.items():
        up_s, watched_s = sum(one.up_s for one in found), sum(one.up_s + one.down_s for one in found)
        z = (up_s / watched_s - AVAILABILITY) / availability_error(watched_s)
        rows.append([program, span([one.interruptions for one in found]), f"{up_s / watched_s:.4f}", f"{z:+.2f}"])
    name = rounds.workload.name
    return [
        f"{name}: deliveries = messages + interruptions in each round; availability by theory is {AVAILABILITY:.4f}.",
        "",
        *table(["program", "interruptions a round", "availability", "z"], rows),
        "",
    ]


def count_lines(rounds: Rounds) -> list[str]:
    """For a workload without theory: what happened how often in a round, and z against SimPy."""
    names = list(count_zs(rounds, SIMPY))
    rows = []
    for program, found in rounds.by_program.items():
        zs = count_zs(rounds, program)
        means = {name: statistics.fmean(one.counts.get(name, 0) for one in found) for name in names}
        rows.append([program, *(f"{means[name]:.0f} ({zs[name]:+.2f})" for name in names)])
    name = rounds.workload.name
    return [
        f"{name}: mean counts of a round, and in brackets z against SimPy, from the variation between rounds.",
        "",
        *table(["program", *names], rows),
        "",
    ]


def conditions(messages: int, rounds: int) -> dict[str, str]:
    """Where, when and with what; no names of machines."""
    load = f", load average before {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    packages = ", ".join(f"{package} {version(package)}" for package in ("edasim", "simpy", "numpy"))
    return {
        "machine": f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}){load}",
        "software": f"{platform.python_implementation()} {platform.python_version()}, {packages}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "size": f"{messages:,} messages per run, {rounds} rounds",
    }
