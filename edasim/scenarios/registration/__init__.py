"""The registration case: from "sign up" to "welcome", with a spam check, a user database and a mail service."""

from .audit import Audit, audit
from .handlers import ACCEPTED, LINK_OPENED, MAIL_REQUESTED, MAIL_SHOWN, REJECTED, Sender
from .people import REQUESTED
from .scenario import TOPOLOGY, Registration

__all__ = [
    "ACCEPTED", "LINK_OPENED", "MAIL_REQUESTED", "MAIL_SHOWN", "REJECTED", "REQUESTED", "TOPOLOGY", "Audit", "Registration",
    "Sender", "audit",
]  # fmt: skip
