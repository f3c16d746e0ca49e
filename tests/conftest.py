"""How Hypothesis searches: without a deadline (machines are shared), and in CI with the same examples every time.

A test of a law runs a hundred examples, so it counts as long: it runs without coverage, which would double its time.
"""

import os

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(items):
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.long)
