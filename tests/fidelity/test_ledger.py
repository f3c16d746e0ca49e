"""The fidelity ledger: what counts as a gap, and that the document tells what the rules' files say."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fidelity() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fidelity_tool", ROOT / "tools" / "fidelity.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_each_kind_of_gap_is_named(fidelity: ModuleType):
    rules = [
        fidelity.Rule("A-1", "kafka", "held", "modelled", "a source", ""),
        fidelity.Rule("A-2", "kafka", "no test", "modelled", "a source", ""),
        fidelity.Rule("A-3", "kafka", "no source", "modelled", "", ""),
        fidelity.Rule("A-4", "kafka", "no reason", "left out", "", ""),
        fidelity.Rule("A-5", "kafka", "held after all", "not yet", "", ""),
        fidelity.Rule("A-6", "kafka", "strange", "perhaps", "", ""),
        fidelity.Rule("A-7", "kafka", "reason", "left out", "", "a reason"),
        fidelity.Rule("A-7", "kafka", "again", "not yet", "", ""),
    ]
    tests = {"A-1": {"test_one"}, "A-3": {"test_three"}, "A-5": {"test_five"}, "A-9": {"test_nine"}}
    assert fidelity.gaps(rules, tests) == [
        "A-7 is in the ledger twice",
        "test_nine names A-9, which is not in the ledger",
        "A-2 is modelled, but no test names it",
        "A-3 is modelled, but has no source",
        "A-4 is left out without a reason",
        "A-5 is not yet, but tests name it",
        "A-6 has the status 'perhaps'; write modelled, left out or not yet",
    ]


def test_the_document_counts_rules_tests_and_rows(fidelity: ModuleType):
    rules = [
        fidelity.Rule("KAF-01", "kafka", "a * b", "modelled", "a source", "a note"),
        fidelity.Rule("NAT-01", "nats", "c", "not yet", "", ""),
    ]
    evidence = fidelity.Evidence(tests={"KAF-01": {"t.py::a", "t.py::b"}}, tables={"kafka/keys": (1999, 2000)})
    text = fidelity.document(rules, evidence)
    assert "| Kafka | 1 | 1 | 0 | 0 |" in text
    assert "| NATS and JetStream | 1 | 0 | 0 | 1 |" in text
    assert "| kafka/keys | 1,999 | 2,000 |" in text
    assert r"| KAF-01 | a \* b | modelled. a note | a source | `t.py` (2) |" in text


def test_the_conformance_report_counts_rows_and_tells_waits(fidelity: ModuleType):
    evidence = fidelity.Evidence(
        tables={"nats/wildcards": (341, 342), "kafka/keys": (1999, 2000)},
        waits={"rabbitmq_mm1": (3000, 0.0962, 0.0971, 0.00049)},
    )
    told = fidelity.conformance(evidence)
    assert [line for line in told if "all 2 tables" in line] == ["| all 2 tables | 2,340 | 2,342 |"]
    assert told[-1] == "| rabbitmq_mm1 | 3,000 | 96.2 ms | 97.1 ms | 0.49 ms |"
    assert set(told) <= set(fidelity.document([], evidence).splitlines())


def test_the_stored_document_has_each_table_and_run_that_was_measured(fidelity: ModuleType):
    stored = (ROOT / "docs" / "FIDELITY.md").read_text(encoding="utf-8")
    measured = ROOT / "data" / "measured"
    for path in measured.rglob("*.csv*"):
        name = path.relative_to(measured).as_posix().split(".")[0]
        assert f"| {name} |" in stored or f"| {name}, " in stored, f"{name} is in no report; run: make fidelity"


def test_the_stored_document_tells_every_rule_as_it_stands(fidelity: ModuleType):
    stored = (ROOT / "docs" / "FIDELITY.md").read_text(encoding="utf-8").splitlines()
    made = fidelity.document(fidelity.read_rules(fidelity.RULES), fidelity.Evidence()).splitlines()
    rules = [line.rsplit("|", 2)[0] for line in made if line.startswith(("| KAF", "| RMQ", "| AMQ", "| NAT-"))]
    assert len(rules) == 122
    assert [rule for rule in rules if not any(line.startswith(rule) for line in stored)] == [], "run: make fidelity"
