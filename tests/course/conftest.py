"""Fixtures of the course's tests: a notebook's folder of one's own."""

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """The folder of a notebook, with the repository's data beside it; the current directory while a test runs."""
    (tmp_path / "data").symlink_to(DATA)
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
