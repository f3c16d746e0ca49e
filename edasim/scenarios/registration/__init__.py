"""The registration case: from "sign up" to "welcome", with a spam check, a user database and a mail service."""

from .audit import Audit, audit
from .crash_steps import Care, CrashStep, CrashSteps, Fate, clockwork, crash_steps
from .handlers import ACCEPTED, LINK_OPENED, MAIL_REQUESTED, MAIL_SHOWN, REJECTED, Sender
from .on_brokers import BROKERS, on_broker
from .people import REQUESTED
from .scenario import TOPOLOGY, Promise, Registration
from .stores import Store, bus, owed, stores, welcomes_s

__all__ = [
    "ACCEPTED", "BROKERS", "LINK_OPENED", "MAIL_REQUESTED", "MAIL_SHOWN", "REJECTED", "REQUESTED",
    "TOPOLOGY", "Audit", "Care", "CrashStep", "CrashSteps", "Fate", "Promise", "Registration", "Sender", "Store",
    "audit", "bus", "clockwork", "crash_steps", "on_broker", "owed", "stores", "welcomes_s",
]  # fmt: skip
