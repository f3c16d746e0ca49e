"""The fidelity ledger: which rules of the real brokers are modelled, from which source, and which tests hold them.

    python tools/fidelity.py            writes docs/FIDELITY.md; exits with 1 and names the gaps if there are any
    python tools/fidelity.py check      writes nothing; a document that is out of date is a gap as well

The rules stand in docs/rules/BROKER.csv and sourcing.csv: id, rule (one sentence), status (modelled, left out, not
yet), source, note (why it is left out, what differs from what one would think). A test names its rules:
`@pytest.mark.rule("KAF-07")`. Tests that replay a table of measurements say how many rows agree, by the fixture
`agreement`; they are run here.
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
}
"""The files of rules: the brokers, and event sourcing, whose rules are those of several products."""
MODELLED, LEFT_OUT, NOT_YET = "modelled", "left out", "not yet"
PROPERTY = "rows agreeing"


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
    trouble: list[str] = field(default_factory=list)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Collects the marks, and keeps only the tests that report on a table."""
        for item in items:
            for mark in item.iter_markers("rule"):
                for rule in mark.args:
                    self.tests.setdefault(rule, set()).add(item.nodeid.split("[")[0])
        items[:] = [item for item in items if "agreement" in getattr(item, "fixturenames", ())]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps what a test reports, and whether it failed."""
        if report.failed:
            self.trouble.append(f"{report.nodeid} fails")
        if report.when == "call":
            for name, value in report.user_properties:
                if name == PROPERTY:
                    table, agreeing, rows = value
                    self.tables[table] = (agreeing, rows)

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
    lines += ["", "Tables of measurements, replayed through the models (`data/measured/README.md`):", ""]
    lines += ["| table | rows agreeing | rows |", "| --- | ---: | ---: |"]
    lines += [f"| {table} | {agreeing:,} | {rows:,} |" for table, (agreeing, rows) in sorted(evidence.tables.items())]
    for broker, title in BROKERS.items():
        lines += ["", f"## {title}", "", "| id | rule | status | source | tests |", "| --- | --- | --- | --- | --- |"]
        lines += [_row(rule, evidence.tests.get(rule.id, ())) for rule in rules if rule.broker == broker]
    return "\n".join(lines) + "\n"


def _row(rule: Rule, tests: Iterable[str]) -> str:
    status = rule.status if not rule.note else f"{rule.status}. {rule.note}"
    named = Counter(test.split("::")[0] for test in tests)
    shown = "<br>".join(f"`{file}` ({count})" for file, count in sorted(named.items()))
    cells = [rule.id, rule.rule, status, rule.source, shown]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |"


def gather() -> Evidence:
    """Collects all tests but those in a browser, and runs those that replay tables."""
    evidence = Evidence()
    options = ["-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", "--ignore=tests/browser", "tests"]
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
    if command == "write":
        DOCUMENT.write_text(made, encoding="utf-8")
    elif not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != made:
        found.append("docs/FIDELITY.md is out of date; run: make fidelity")
    for gap in found:
        print(f"gap: {gap}")
    counts = Counter(rule.status for rule in rules)
    print(", ".join(f"{counts[status]} {status}" for status in (MODELLED, LEFT_OUT, NOT_YET)), f"({len(found)} gaps)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
