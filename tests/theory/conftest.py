"""Hypothesis without a deadline: a busy machine is no fault of a formula."""

from hypothesis import settings

settings.register_profile("theory", parent=settings(), deadline=None)
settings.load_profile("theory")
