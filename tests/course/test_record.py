"""The progress file: whole or not at all, and never guessed."""

import json

import pytest

from edasim.course import record
from edasim.errors import StateError

FULL = (
    record.Record()
    .with_prediction("02.a", {"answer": "ü"})
    .with_hint("02.b", 2)
    .with_passed("02.b")
    .with_passed("05.c")
)


def test_a_folder_without_a_file_has_an_empty_record(tmp_path):
    assert record.load(tmp_path) == record.Record()
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_comes_back(tmp_path):
    record.update(tmp_path, lambda _: FULL)
    assert record.load(tmp_path) == FULL
    assert [path.name for path in tmp_path.iterdir()] == [record.FILE_NAME]


def test_nothing_is_written_if_nothing_changes(tmp_path):
    record.update(tmp_path, lambda before: before)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_whole_and_nothing_beside_it(tmp_path, monkeypatch):
    record.update(tmp_path, lambda _: FULL)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(StateError, match="cannot be written"):
        record.update(tmp_path, lambda before: before.with_passed("02.new"))
    assert record.load(tmp_path) == FULL
    assert [path.name for path in tmp_path.iterdir()] == [record.FILE_NAME]


def test_a_folder_that_cannot_be_written_is_named_with_a_remedy(tmp_path):
    with pytest.raises(StateError, match="from a folder in which you may write") as caught:
        record.update(tmp_path / "gone", lambda _: FULL)
    assert caught.value.value == str(tmp_path / "gone")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        json.dumps({"format": 2, "predictions": {}, "hints": {}, "passed": []}).encode(),
        json.dumps({"format": 1, "predictions": {"a": 3}, "hints": {}, "passed": []}).encode(),
        json.dumps({"format": 1, "predictions": {"a": {}}, "hints": {}, "passed": []}).encode(),
        json.dumps({"format": 1, "predictions": {}, "hints": {"a": "x"}, "passed": []}).encode(),
        json.dumps({"format": 1, "predictions": {}, "hints": [], "passed": []}).encode(),
        json.dumps({"format": 1, "predictions": {}, "hints": {}, "passed": "ab"}).encode(),
    ],
)
def test_a_file_that_is_no_record_is_named_and_not_touched(tmp_path, content):
    path = tmp_path / record.FILE_NAME
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"rename or delete it to start anew; edasim has not changed it") as caught:
        record.update(tmp_path, lambda before: before.with_passed("02.x"))
    assert caught.value.value == str(path)
    assert path.read_bytes() == content


def test_a_chapter_is_forgotten_alone():
    assert FULL.without_chapter("02") == record.Record().with_passed("05.c")


def test_the_file_is_the_same_whatever_the_order_of_steps():
    other = (
        record.Record()
        .with_passed("05.c")
        .with_hint("02.b", 2)
        .with_passed("02.b")
        .with_prediction("02.a", {"answer": "ü"})
    )
    assert other.to_json() == FULL.to_json()
