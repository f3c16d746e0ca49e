"""How careful a mail service is, and a case like clockwork to see what that is worth.

What a crash at every step makes of each care, `failures.crash_points` tells. Left out: care that other services take.
"""

from __future__ import annotations

import enum
from typing import Any

from ...kernel import times
from ...network import Link
from ...services import Acknowledge, load
from .handlers import Sender
from .scenario import Registration


class Care(enum.Enum):
    """How careful the mail service is: when it acknowledges, and whether the provider knows a mail again."""

    ACKNOWLEDGE_FIRST = "acknowledge first"
    ACKNOWLEDGE_LAST = "acknowledge last"
    IDEMPOTENT = "acknowledge last, idempotent sender"

    def of(self, scenario: Registration) -> Registration:
        """The scenario with a mail service of this care."""
        acknowledge = Acknowledge.ON_DELIVERY if self is Care.ACKNOWLEDGE_FIRST else Acknowledge.AFTER_HANDLING
        sender = Sender.IDEMPOTENT if self is Care.IDEMPOTENT else Sender.PLAIN
        return scenario.but(acknowledge=acknowledge, sender=sender)


def clockwork(**changes: Any) -> Registration:
    """One user who signs up at 1 s, and steps of round lengths: nothing is left to chance.

    The check takes 20 ms, the row 10 ms, the file 5 ms, connecting 20 ms, the mail 100 ms, its answer 100 ms; the link
    in it is opened 5 s after it arrived. `changes` are fields of `Registration`.
    """
    plain = Registration(
        arrivals=load.Trace(times_s=(1.0,)),
        spam_ratio=0.0,
        analytics_time=times.Constant(value_s=0.02),
        database_time=times.Constant(value_s=0.01),
        caching_s=0.005,
        connecting_s=0.02,
        mail_link=Link(latency=times.Constant(value_s=0.1)),
        opens_ratio=1.0,
        opening=times.Constant(value_s=5.0),
    )
    return plain.but(**changes)
