"""The journal: a killed sweep continues, nothing is made twice, and nobody's file is harmed."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from breaking import MM1, Frail

from edasim.errors import ConfigurationError
from edasim.experiments import compare, replicate, seed_of, sweep
from edasim.experiments.identity import identity
from edasim.kernel import times

WAIT = "mail.mean_wait_s"
OVER = {"servers": [1, 2]}


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "runs.jsonl"


def counts(result):
    return result.provenance.computed, result.provenance.reused


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from breaking import MM1
from edasim.experiments import journal, sweep

add = journal.Journal.add

def dying(self, task, outcome):
    if task.replication == 3 and task.point == 1:
        self._file.write(b'{"run": "half a li')
        os.kill(os.getpid(), 9)
    add(self, task, outcome)

journal.Journal.add = dying
sweep(MM1, {"servers": [1, 2]}, 6, "mail.mean_wait_s", journal=sys.argv[1])
"""


def test_a_sweep_that_was_killed_continues_where_it_was(journal):
    ran = subprocess.run([sys.executable, "-c", KILLED, journal, Path(__file__).parent], check=False)
    assert ran.returncode == -9
    assert not journal.read_bytes().endswith(b"\n")
    whole = sweep(MM1, OVER, 6, WAIT)
    resumed = sweep(MM1, OVER, 6, WAIT, journal=journal)
    assert counts(resumed) == (5, 7)
    assert resumed.fingerprint() == whole.fingerprint()
    assert "12 of 12 runs: 5 computed, 7 reused" in str(resumed)
    assert counts(sweep(MM1, OVER, 6, WAIT, journal=journal)) == (0, 12)
    assert len(journal.read_text().splitlines()) == 13


def test_other_experiments_reuse_runs_that_they_share(journal):
    sweep(MM1, OVER, 3, [WAIT, "mail.done"], journal=journal)
    assert counts(replicate(MM1, 5, WAIT, journal=journal)) == (2, 3)
    assert counts(compare(MM1, replace(MM1, servers=2), 3, "mail.done", journal=journal)) == (0, 6)
    assert replicate(MM1, 5, WAIT, journal=journal).of() == replicate(MM1, 5, WAIT).of()


@pytest.mark.parametrize(
    "other",
    [
        partial(replicate, MM1, 3, WAIT, seed=1),
        partial(replicate, MM1, 3, WAIT, until_s=50.0),
        partial(replicate, MM1, 3, WAIT, log="full"),
        partial(replicate, MM1, 3, [WAIT, "mail.done"]),
        partial(replicate, replace(MM1, service_time=times.Exponential(mean_s=0.9)), 3, WAIT),
        partial(replicate, Frail(arrivals=MM1.arrivals, service_time=MM1.service_time, messages=200), 3, WAIT),
    ],
    ids=["seed", "end", "log", "metrics", "scenario", "class"],
)
def test_what_differs_is_made_anew(journal, other):
    replicate(MM1, 3, WAIT, journal=journal)
    assert counts(other(journal=journal)) == (3, 0)


def test_a_function_is_known_by_what_it_does(journal):
    def halves(by):
        return lambda run: run.ended_s / by

    replicate(MM1, 2, {"end": halves(2)}, journal=journal)
    assert counts(replicate(MM1, 2, {"end": halves(2)}, journal=journal)) == (0, 2)
    assert counts(replicate(MM1, 2, {"end": halves(3)}, journal=journal)) == (2, 0)
    assert counts(replicate(MM1, 2, {"end": lambda run: 2.0 * run.ended_s}, journal=journal)) == (2, 0)


@dataclass(frozen=True)
class Times:
    factor: float

    def __call__(self, run):
        return self.factor * run.ended_s

    def once(self, run):
        return run.ended_s


def test_callables_of_every_kind_have_an_identity():
    def power(run, exponent=2):
        return run.ended_s**exponent

    bound = [Times(2.0).once, Times(3.0).once, partial(power, exponent=3), partial(power, exponent=4)]
    kinds = [Times(2.0), Times(3.0), *bound, power, max]
    assert len({identity(kind) for kind in kinds}) == len(kinds)
    assert [identity(kind) for kind in kinds] == [identity(kind) for kind in kinds]


def test_failed_runs_are_tried_again(journal):
    frail = Frail(messages=20, bad_seeds=(seed_of(0, 1),))
    replicate(frail, 3, WAIT, journal=journal)
    assert counts(replicate(frail, 3, WAIT, journal=journal)) == (1, 2)


def test_an_empty_or_barely_begun_file_is_a_journal(journal):
    for start in (b"", b'{"edasim jour'):
        journal.write_bytes(start)
        assert counts(replicate(MM1, 2, WAIT, journal=journal)) == (2, 0)


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"dear diary", b'{"edasim journal": 2}\n', b"\x89PNG\r\n"])
def test_a_foreign_file_is_refused_and_left_as_it_is(journal, content):
    journal.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is not a journal of edasim"):
        replicate(MM1, 2, WAIT, journal=journal)
    assert journal.read_bytes() == content


@pytest.mark.parametrize("harm", ["change a value", "not JSON", "not an entry", "no values"])
def test_a_damaged_line_is_named_and_nothing_is_lost(journal, harm):
    replicate(MM1, 3, WAIT, journal=journal)
    lines = journal.read_bytes().splitlines(keepends=True)
    if harm == "change a value":
        entry = json.loads(lines[2])
        entry["values"][WAIT] += 1.0
        lines[2] = json.dumps(entry).encode() + b"\n"
    else:
        lines[2] = {"not JSON": b"oops\n", "not an entry": b"[1]\n", "no values": b'{"run": "x"}\n'}[harm]
    journal.write_bytes(b"".join(lines))
    with pytest.raises(ConfigurationError, match="is damaged in line 3; take that line out"):
        replicate(MM1, 3, WAIT, journal=journal)
    assert journal.read_bytes() == b"".join(lines)
    journal.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    assert counts(replicate(MM1, 3, WAIT, journal=journal)) == (1, 2)


def test_a_journal_in_no_folder_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"cannot be written \(No such file"):
        replicate(MM1, 2, WAIT, journal=tmp_path / "none" / "runs.jsonl")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        replicate(MM1, 2, WAIT, journal=tmp_path)
