"""Replays of measured tables: each reports how many of its rows agree."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

MEASURED = Path(__file__).parents[2] / "data" / "measured"
PROPERTY = "rows agreeing"
WAITS = "waits"


@pytest.fixture
def rows() -> Callable[[str], list[dict[str, str]]]:
    """Reads a table of data/measured, such as "nats/wildcards"."""

    def read(table: str) -> list[dict[str, str]]:
        with (MEASURED / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return read


@pytest.fixture
def agreement(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Reports and asserts agreement: `agreement(table, {row's number: (measured, modelled)}, explained={})`.

    `explained` gives a reason for each row that may disagree; a reason for a row that agrees is an error.
    """

    def judge(table: str, outcomes: dict[int, tuple[object, object]], explained: dict[int, str] | None = None) -> None:
        reasons = explained or {}
        differing = {number for number, (measured, modelled) in outcomes.items() if measured != modelled}
        record_property(PROPERTY, (table, len(outcomes) - len(differing), len(outcomes)))
        unexplained = {number: outcomes[number] for number in sorted(differing - set(reasons))}
        assert outcomes, f"{table} has no rows"
        assert not unexplained, f"{table}: rows (measured, modelled) that disagree: {unexplained}"
        assert set(reasons) <= differing, f"{table}: rows with a reason that agree: {set(reasons) - differing}"

    return judge


@pytest.fixture
def told_waits(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Reports a measured run beside its simulation, for the ledger: `told_waits(run, measured_s, simulated_s)`.

    Both are waits in seconds, message by message in the same order; what they must agree in, the test asserts itself.
    """

    def tell(run: str, measured_s: Any, simulated_s: Any) -> None:
        measured, simulated = (np.asarray(waits_s, dtype=float) for waits_s in (measured_s, simulated_s))
        assert measured.shape == simulated.shape
        median_s = float(np.median(np.abs(measured - simulated)))
        record_property(WAITS, (run, len(measured), float(measured.mean()), float(simulated.mean()), median_s))

    return tell


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tells for each table how many rows agree."""
    reports: Iterable[pytest.TestReport] = [
        report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])
    ]
    lines = sorted(
        f"{value[0]}: {value[1]} / {value[2]} rows agree"
        for report in reports
        for name, value in getattr(report, "user_properties", [])
        if name == PROPERTY
    )
    if lines:
        terminalreporter.section("measured tables")
        for line in lines:
            terminalreporter.write_line(line)
