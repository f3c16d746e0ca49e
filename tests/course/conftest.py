"""Fixtures of the course's tests: a notebook's folder of one's own."""

import pytest


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """The folder of a notebook; the current directory while a test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
