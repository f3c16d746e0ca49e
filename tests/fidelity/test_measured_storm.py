"""A retry storm measured on real sockets and simulated: both stay down, and both come back."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from edasim import theory, viz
from edasim.errors import ConfigurationError
from edasim.experiments import measured_storms
from edasim.experiments.measured_storms import COLUMNS, KINDS

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "data" / "measured" / "storm.csv"


@pytest.fixture(scope="module")
def storms():
    return measured_storms(TABLE)


@pytest.mark.long
@pytest.mark.rule("RP-01")
def test_what_stays_down_and_what_comes_back_is_the_same_on_real_sockets(storms):
    """Four runs each; means of the last 20 s differ by nothing that an interval of 99.9 % does not hold."""
    for each in storms.kinds:
        measured, simulated = (each.measured_goodput[:, -20:].mean(axis=1), each.goodput[:, -20:].mean(axis=1))
        if each.kind == "retries":
            assert measured.tolist() == simulated.tolist() == [0.0] * 4
        else:
            assert measured.min() > 10.0
            assert 0.0 in theory.mean_interval(measured - simulated, level=0.999)


@pytest.mark.long
@pytest.mark.rule("RP-09")
def test_the_real_server_too_is_busy_in_vain(storms):
    """20 per second by the services alone, a little less with the hand-over; all of it for nobody."""
    (naive,) = (each for each in storms.kinds if each.kind == "retries")
    work_per_s = naive.measured_work[:, -35:].mean()
    assert 18.0 < work_per_s < 20.0


def test_each_run_ends_as_its_simulation_does(storms, agreement):
    """Up or down in the last 20 s, run by run: a goodput of more, or less, than half of the 12 offered per second."""
    rows = {}
    for each in storms.kinds:
        for measured, simulated in zip(each.measured_goodput, each.goodput, strict=True):
            rows[len(rows) + 1] = tuple("up" if late[-20:].mean() > 6.0 else "down" for late in (measured, simulated))
    assert len(rows) == 12
    agreement("storm", rows)


def test_the_picture_has_a_panel_for_each_kind_and_says_the_numbers(tmp_path):
    """A table made up for this test: 20 s, two runs of each kind, 6 and 8 answers and 10 finished calls a second."""
    path = tmp_path / "storm.csv"
    rows = [
        f"{kind},{seed},{second},12,{4 + 2 * seed},12,10" for kind in KINDS for seed in (1, 2) for second in range(20)
    ]
    path.write_text("\n".join([",".join(COLUMNS), *rows]), encoding="utf-8")
    storms = measured_storms(path)
    assert [each.goodput.shape for each in storms.kinds] == [(2, 20)] * 3
    assert [str(each.late("measured_goodput")) for each in storms.kinds] == ["7 ± 13 (95 %, n = 2)"] * 3
    lines = str(storms).splitlines()
    assert [line.split("  ")[0] for line in lines] == list(KINDS)
    assert all("answered measured 7.0 ± 12.7, simulated " in line for line in lines)
    assert all("worked measured 10.0 ± 0.0, simulated " in line for line in lines)
    picture = viz.measured_storms_svg(storms)
    assert [line.split(":")[0] for line in picture.text.splitlines()[1:]] == list(KINDS)
    assert "measured: a server process, real clock" in picture.svg


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind,seed\n", "lacks 'second'"),
        (",".join(COLUMNS) + "\nretries,1,0,1,1,1,1\n", "lacks 'no retries'"),
        (",".join(COLUMNS) + "".join(f"\n{kind},1,0,1,1,1,1" for kind in KINDS), "too few runs of 'no retries'"),
    ],
)
def test_a_table_that_cannot_tell_is_refused(tmp_path, text, told):
    path = tmp_path / "storm.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=told):
        measured_storms(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        measured_storms(tmp_path / "nothing.csv")


@pytest.mark.long
def test_the_tool_measures_a_run_and_counts_nothing_twice(tmp_path):
    """Two seconds of a real run; only what holds at any speed of the machine is asked of it."""
    path = tmp_path / "storm.csv"
    command = [sys.executable, "-m", "tools.measure.storm", "guarded", "--seconds", "2", "--output", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout.startswith("guarded, seed 1: goodput")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [(row["kind"], row["second"]) for row in rows] == [("guarded", "0"), ("guarded", "1")]
    asked, answered, attempts, worked = (
        sum(int(row[name]) for row in rows) for name in ("asked", "answered", "attempts", "worked")
    )
    assert 0 <= answered <= asked
    assert answered <= worked <= attempts
