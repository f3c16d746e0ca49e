"""The fidelity ledger: which rules of the real brokers are modelled, from which source, and which tests hold them.

    python tools/fidelity.py            writes docs/FIDELITY.md; exits with 1 and names the gaps if there are any
    python tools/fidelity.py check      writes nothing; a document that is out of date is a gap as well

The rules stand in docs/rules/BROKER.csv, sourcing.csv, governance.csv and failures.csv: id, rule (one sentence),
status (modelled, left out, not yet), source, note (why it is left out, what differs from what one would think). A
test names its rules: `@pytest.mark.rule("KAF-07")`. Tests that replay a table of measurements say how many rows
agree, by the fixture `agreement`; those that replay a measured run message by message tell the waits, by
`told_waits`. Both are run here, and what they say is printed and written, with the counts of each subject.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "docs" / "rules"
DOCUMENT = ROOT / "docs" / "FIDELITY.md"
BROKERS = {
    "kafka": "Kafka",
    "rabbitmq": "RabbitMQ",
    "activemq": "ActiveMQ Classic",
    "nats": "NATS and JetStream",
    "sourcing": "Event sourcing",
    "governance": "Service governance",
    "failures": "Failures and resilience",
}
"""The files of rules: the brokers, event sourcing and service governance, whose rules are those of several products."""
MODELLED, LEFT_OUT, NOT_YET = "modelled", "left out", "not yet"
PROPERTY = "rows agreeing"
WAITS = "waits"
REPORTS = {"agreement", "told_waits"}
"""The fixtures by which tests report; those that ask for one are run here."""


@dataclass(frozen=True)
class Rule:
    """A row of the ledger."""

    id: str
    broker: str
    rule: str
    status: str
    source: str
    note: str


@dataclass(eq=False)
class Evidence:
    """A pytest plugin: notes which tests name which rules, runs those that replay tables, keeps what they report."""

    tests: dict[str, set[str]] = field(default_factory=dict)
    tables: dict[str, tuple[int, int]] = field(default_factory=dict)
    waits: dict[str, tuple[int, float, float, float]] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Collects the marks, and keeps only the tests that report on a table or a run."""
        for item in items:
            for mark in item.iter_markers("rule"):
                for rule in mark.args:
                    self.tests.setdefault(rule, set()).add(item.nodeid.split("[")[0])
        items[:] = [item for item in items if REPORTS & set(getattr(item, "fixturenames", ()))]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps what a test reports, and whether it failed."""
        if report.failed:
            self.trouble.append(f"{report.nodeid} fails")
        if report.when == "call":
            for name, value in report.user_properties:
                if name == PROPERTY:
                    table, agreeing, rows = value
                    self.tables[table] = (agreeing, rows)
                elif name == WAITS:
                    run, *told = value
                    self.waits[run] = tuple(told)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keeps which files could not be read."""
        if report.failed:
            self.trouble.append(f"{report.nodeid} cannot be collected")


def read_rules(folder: Path) -> list[Rule]:
    """All rules of the ledger, in the order of the brokers and of each file."""
    rules = []
    for broker in BROKERS:
        with (folder / f"{broker}.csv").open(encoding="utf-8", newline="") as file:
            rules += [Rule(broker=broker, **row) for row in csv.DictReader(file)]
    return rules


def gaps(rules: Iterable[Rule], tests: Mapping[str, Iterable[str]]) -> list[str]:
    """What is missing or contradictory, a sentence each."""
    rules = list(rules)
    known = {rule.id for rule in rules}
    found = [
        f"{name} is in the ledger twice" for name, times in Counter(rule.id for rule in rules).items() if times > 1
    ]
    found += [
        f"{test} names {name}, which is not in the ledger"
        for name in sorted(set(tests) - known)
        for test in sorted(tests[name])
    ]
    for rule in rules:
        held = bool(tests.get(rule.id))
        if rule.status not in (MODELLED, LEFT_OUT, NOT_YET):
            found.append(f"{rule.id} has the status {rule.status!r}; write {MODELLED}, {LEFT_OUT} or {NOT_YET}")
        if rule.status == MODELLED and not held:
            found.append(f"{rule.id} is modelled, but no test names it")
        if rule.status == MODELLED and not rule.source:
            found.append(f"{rule.id} is modelled, but has no source")
        if rule.status == LEFT_OUT and not rule.note:
            found.append(f"{rule.id} is left out without a reason")
        if rule.status != MODELLED and held:
            found.append(f"{rule.id} is {rule.status}, but tests name it")
    return found


def document(rules: Iterable[Rule], evidence: Evidence) -> str:
    """The ledger as Markdown."""
    rules = list(rules)
    lines = [
        "# Fidelity",
        "",
        "Which rules of the real brokers edasim models, from which source, and which tests hold them. This page is",
        "made by `make fidelity` from `docs/rules/*.csv` and from the marks of the tests; do not edit it.",
        "",
        "| broker, or subject | rules | modelled | left out | not yet |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for broker, title in BROKERS.items():
        counts = Counter(rule.status for rule in rules if rule.broker == broker)
        lines.append(f"| {title} | {counts.total()} | {counts[MODELLED]} | {counts[LEFT_OUT]} | {counts[NOT_YET]} |")
    lines += ["", *conformance(evidence)]
    for broker, title in BROKERS.items():
        lines += ["", f"## {title}", "", "| id | rule | status | source | tests |", "| --- | --- | --- | --- | --- |"]
        lines += [_row(rule, evidence.tests.get(rule.id, ())) for rule in rules if rule.broker == broker]
    return "\n".join(lines) + "\n"


def conformance(evidence: Evidence) -> list[str]:
    """How far the models agree with what was measured, as Markdown: rows of each table, waits of each run."""
    tables = sorted(evidence.tables.items())
    agreeing, rows = (sum(counts[place] for _, counts in tables) for place in (0, 1))
    lines = ["Tables of measurements, replayed through the models (`data/measured/README.md`):", ""]
    lines += ["| table | rows agreeing | rows |", "| --- | ---: | ---: |"]
    lines += [f"| {table} | {agree:,} | {all_rows:,} |" for table, (agree, all_rows) in tables]
    lines += [f"| all {len(tables)} tables | {agreeing:,} | {rows:,} |"]
    lines += [
        "",
        "Measured runs, simulated with the recorded arrivals and service times; waits from publishing to start:",
        "",
    ]
    lines += ["| run | messages | mean wait measured | simulated | median difference, message by message |"]
    lines += ["| --- | ---: | ---: | ---: | ---: |"]
    for run, (messages, *seconds) in sorted(evidence.waits.items()):
        measured, simulated, median = (1000 * each for each in seconds)
        lines.append(f"| {run} | {messages:,} | {measured:.1f} ms | {simulated:.1f} ms | {median:.2f} ms |")
    return lines


def _row(rule: Rule, tests: Iterable[str]) -> str:
    status = rule.status if not rule.note else f"{rule.status}. {rule.note}"
    named = Counter(test.split("::")[0] for test in tests)
    shown = "<br>".join(f"`{file}` ({count})" for file, count in sorted(named.items()))
    cells = [rule.id, rule.rule, status, rule.source, shown]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |"


def counted(rules: Iterable[Rule]) -> str:
    """How many rules have which status, in words."""
    counts = Counter(rule.status for rule in rules)
    return ", ".join(f"{counts[status]} {status}" for status in (MODELLED, LEFT_OUT, NOT_YET))


def gather() -> Evidence:
    """Collects all tests but those in a browser, and runs those that replay tables."""
    evidence = Evidence()
    options = ["-q", "--no-header", "--no-summary", "--continue-on-collection-errors", "-p", "no:cacheprovider"]
    options += ["-p", "no:nbval", "--ignore=tests/browser", "tests"]
    status = pytest.main([f"--rootdir={ROOT}", *options], plugins=[evidence])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and not evidence.trouble:
        evidence.trouble.append(f"pytest ends with status {int(status)}")
    return evidence


def main() -> int:
    """Writes or checks the document; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["write", "check"], nargs="?", default="write")
    command = parser.parse_args().command
    rules, evidence = read_rules(RULES), gather()
    found = evidence.trouble + gaps(rules, evidence.tests)
    made = document(rules, evidence)
    if command == "write" and not evidence.trouble:  # half of the evidence would make half of a document
        DOCUMENT.write_text(made, encoding="utf-8")
    elif not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != made:
        found.append("docs/FIDELITY.md is out of date; run: make fidelity")
    print("\n".join(conformance(evidence)))
    for gap in found:
        print(f"gap: {gap}")
    for broker, title in BROKERS.items():
        print(f"{title}: {counted(rule for rule in rules if rule.broker == broker)}")
    print(f"{counted(rules)} ({len(found)} gaps)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
