"""How Hypothesis searches: without a deadline (machines are shared), and in CI with the same examples every time.

A test of a law runs a hundred examples, so it counts as long: it runs without coverage, which would double its time.

Garbage is collected while tests run, but not among what the collection of tests made: it stays until the end, and to go
through it again and again took a sixth of the time.
"""

import gc
import os

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")
gc.disable()


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(items):
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.long)


def pytest_collection_finish():
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_sessionfinish():
    gc.unfreeze()  # pytest looks for what was never closed
