"""How Hypothesis searches: without a deadline (machines are shared), and in CI with the same examples every time."""

import os

from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")
