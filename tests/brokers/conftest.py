"""Hypothesis without a deadline: a busy machine is no fault of a broker."""

from hypothesis import settings

settings.register_profile("brokers", parent=settings(), deadline=None)
settings.load_profile("brokers")
