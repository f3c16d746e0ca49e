"""Progress in a terminal, silence elsewhere, and stopping with what is done."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from breaking import MM1

from edasim.experiments import ExperimentWarning, compare, load, progress, replicate, sweep, until_precise
from edasim.experiments.progress import Progress

WAIT = "mail.mean_wait_s"


class Stops:
    """The mean wait; the measurement number `after` is interrupted, as by Ctrl-C."""

    def __init__(self, after):
        self.left = after

    def __call__(self, run):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return run.summary()["mail"].mean_wait_s


def test_a_sweep_that_is_stopped_leaves_a_partial_table(tmp_path):
    with pytest.warns(ExperimentWarning, match="stopped after 5 of 8 runs; the table is partial"):
        part = sweep(MM1, {"servers": [1, 2]}, 4, {WAIT: Stops(5)}, workers=1)
    whole = sweep(MM1, {"servers": [1, 2]}, 4, WAIT, workers=1)
    assert part.is_partial
    assert not whole.is_partial
    assert [one.n for one in part.results] == [3, 2]
    assert part.at(servers=1).of() == whole.at(servers=1).of()[:3]
    assert part.table()["n"].tolist() == [3, 2]
    assert "(PARTIAL)" in str(part)
    assert load(part.save(tmp_path / "part.csv")).is_partial


def test_what_a_stopped_experiment_has_in_its_journal_is_not_made_again(monkeypatch, tmp_path):
    done = Progress.done

    def interrupted(self, count=1):
        done(self, count)
        if self.count == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "done", interrupted)
    with pytest.warns(ExperimentWarning, match="stopped after 4 of 6 runs"):
        part = replicate(MM1, 6, WAIT, journal=tmp_path / "j", workers=1)
    monkeypatch.undo()
    resumed = replicate(MM1, 6, WAIT, journal=tmp_path / "j", workers=1)
    assert (resumed.provenance.computed, resumed.provenance.reused) == (2, 4)
    assert resumed.of()[:4] == part.of()


def test_stopped_points_without_a_run_have_an_empty_row(tmp_path):
    with pytest.warns(ExperimentWarning):
        part = sweep(MM1, {"servers": [1, 2, 3]}, 2, {WAIT: Stops(2)}, workers=1)
    assert part.table()["n"].tolist() == [1, 1, 0]
    assert part.table()["mean"].isna().tolist() == [False, False, True]
    assert "one run, which justifies no interval" in str(part.at(servers=1))
    for form in ("part.csv", "part.parquet"):
        assert load(part.save(tmp_path / form)).table().equals(part.table())


def test_a_comparison_that_is_stopped_has_pairs_as_far_as_it_came():
    with pytest.warns(ExperimentWarning, match="stopped after 7 of 10"):
        pair = compare(MM1, MM1, 5, {WAIT: Stops(7)}, workers=1)
    assert pair.is_partial
    assert pair.difference().n == 3
    assert pair.half_width_factor() == math.inf


def test_stopped_before_the_first_run_there_is_nothing_to_give():
    with pytest.raises(KeyboardInterrupt):
        replicate(MM1, 3, {WAIT: Stops(0)}, workers=1)


def test_a_search_for_precision_can_be_stopped():
    with pytest.warns(ExperimentWarning, match="stopped after 15 of"):
        assert until_precise(MM1, 0.01, {WAIT: Stops(15)}, workers=1).n == 15


class FakeTerminal:
    def __init__(self, answers):
        self.answers = answers
        self.text = ""

    def isatty(self):
        return self.answers

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(progress, "QUIET_S", 0.0)
    monkeypatch.setattr(progress, "STEP_S", 0.0)


def test_a_terminal_has_one_line_that_is_written_over(hurried, monkeypatch, tmp_path):
    replicate(MM1, 2, WAIT, journal=tmp_path / "j")
    terminal = FakeTerminal(answers=True)
    monkeypatch.setattr(sys, "stderr", terminal)
    replicate(MM1, 4, WAIT, journal=tmp_path / "j")
    assert "\r\x1b[K3 of 4 runs, 2 of them read from the journal (Ctrl-C stops and keeps what is done)" in terminal.text
    assert terminal.text.endswith("\r\x1b[K4 of 4 runs, 2 of them read from the journal\n")


def test_where_nobody_watches_nothing_is_written(hurried, monkeypatch):
    pipe = FakeTerminal(answers=False)
    monkeypatch.setattr(sys, "stderr", pipe)
    replicate(MM1, 3, WAIT)
    assert pipe.text == ""


def test_a_notebook_has_a_bar_a_sentence_and_a_button_until_the_end(hurried, monkeypatch, capsys):
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    with Progress("runs", 4) as shown:
        shown.done(3)
        page = shown._screen
        assert (page.bar.value, page.bar.max, page.bar.description) == (3, 4, "runs")
        assert page.sentence.value == "3 of 4 runs"
        assert "interrupt-kernel" in page.button.value
        shown.done()
    assert page.sentence.value == "4 of 4 runs"
    assert [each.layout.display for each in (page.bar, page.button)] == ["none", "none"]


def test_short_work_is_quiet(monkeypatch):
    terminal = FakeTerminal(answers=True)
    monkeypatch.setattr(sys, "stderr", terminal)
    replicate(MM1, 3, WAIT)
    assert terminal.text == ""


LONG = """
import sys, warnings
sys.path.insert(0, sys.argv[2])
from breaking import MM1
from edasim.experiments import progress, replicate
warnings.simplefilter("ignore")
progress.QUIET_S = 0.3
result = replicate(MM1, 100_000, "mail.mean_wait_s", workers=int(sys.argv[1]))
print("kept", result.n == result.provenance.computed > 0, "partial", result.is_partial)
"""


IN_A_TERMINAL = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_in_a_real_terminal_keeps_what_is_done(workers):
    program = [sys.executable, "-c", LONG, str(workers), str(Path(__file__).parent)]
    with subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, *program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as ran:
        told, pressed = b"", False
        while piece := os.read(ran.stdout.fileno(), 65536):
            told = (told + piece)[-4000:]
            if not pressed and b"Ctrl-C stops" in told:
                ran.stdin.write(b"\x03")
                ran.stdin.flush()
                pressed = True
    assert ran.returncode == 0, told.decode()
    assert b"kept True partial True" in told, told.decode()


def test_what_was_made_in_an_earlier_round_is_not_said_to_be_read_from_a_journal():
    progress = Progress("runs", 20, reused=3, made=7)
    assert progress.told() == "10 of 20 runs, 3 of them read from the journal"
    assert Progress("runs", 20, made=10).told() == "10 of 20 runs"
