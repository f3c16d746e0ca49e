"""The registration case: from "sign up" to "welcome", with a spam check, a user database and a mail service."""

from .audit import Audit, audit
from .care import Care, clockwork
from .handlers import ACCEPTED, LINK_OPENED, MAIL_REQUESTED, MAIL_SHOWN, REJECTED, Sender, Writing
from .on_brokers import BROKERS, on_broker
from .people import REQUESTED
from .scenario import TOPOLOGY, Promise, Registration
from .stores import Store, bus, owed, stores, welcomes_s
from .variants import Variant, crash_variants

__all__ = [
    "ACCEPTED", "BROKERS", "LINK_OPENED", "MAIL_REQUESTED", "MAIL_SHOWN", "REJECTED", "REQUESTED", "TOPOLOGY",
    "Audit", "Care", "Promise", "Registration", "Sender", "Store", "Variant", "Writing", "audit", "bus", "clockwork",
    "crash_variants", "on_broker", "owed", "stores", "welcomes_s",
]  # fmt: skip
