"""Paths that are none, and recordings that cannot be read: refused in words that name file, column, row and value."""

import pytest
from breaking import MM1

from edasim.errors import ConfigurationError, EdasimError
from edasim.experiments import Recording, load, replicate

HEAD = b"published_s,started_s,finished_s\n"


@pytest.mark.parametrize("path", [3, None, "", b"runs.csv", True])
def test_what_is_no_path_is_refused(path):
    result = replicate(MM1, 2, "mail.done")
    with pytest.raises(ConfigurationError, match=r"path is .*give the path of a file"):
        load(path)
    with pytest.raises(ConfigurationError, match=r"path is .*give the path of a file"):
        result.save(path)
    with pytest.raises(ConfigurationError, match=r"path is .*give the path of a file"):
        Recording.read(path)
    if path is not None:
        with pytest.raises(ConfigurationError, match=r"journal is .*give the path of a file"):
            replicate(MM1, 2, "mail.done", journal=path)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("run.csv", b"", "cannot be read .*published_s, started_s, finished_s"),
        ("run.csv.gz", b"not compressed", "cannot be read"),
        ("run.csv", b"\x89PNG\xff", "cannot be read"),
        ("run.csv", b"a,b\n1,2\n", "no column in run.csv 'published_s'; known: a, b"),
        ("run.csv", HEAD + b"0,1,2\n1,2,soon\n", r"finished_s\[1\] of run.csv is 'soon'; give a number of seconds"),
        ("run.csv", HEAD + b"0,1,2\n1,,3\n", r"started_s\[1\] of run.csv is nan"),
        ("run.csv", HEAD + b"0,1,2\n1,2,inf\n", r"finished_s\[1\] of run.csv is inf"),
        ("run.csv", HEAD + b"0,1,2\n", "give three columns of one length, at least 2"),
    ],
)
def test_a_recording_that_cannot_be_used_says_where(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EdasimError, match=told):
        Recording.read(tmp_path / name)


def test_a_recording_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none.csv' cannot be read \(FileNotFoundError"):
        Recording.read(tmp_path / "none.csv")
