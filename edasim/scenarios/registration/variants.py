"""Variants for the crash-point matrix: the registration case built wrong in four ways, and built right.

Each variant differs from the repaired one in a single decision, and says which crashes break it and how. The claims are
held against the matrix by a test, on each broker. Left out: wrong brokers (`failures`), wrong code of other kinds (the
zoo).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...brokers import Kafka, MemoryBus
from ...brokers.kafka import Commit
from ...failures import Outcome
from ...kernel import times
from .care import clockwork
from .scenario import Registration

AFTER_SENDING = (
    "mail/0 after it has written mail sent",
    "mail/0 after it has written mail arrived",
    "mail/0 before it acknowledges mail.welcome.requested",
)
UNTIL_THE_COMMIT = (
    "mail/0 after it acknowledges mail.welcome.requested",
    "mail/0 after it has received mail.confirmation.opened",
    "mail/0 after it has written mail shown",
    "mail/0 after it has published mail.confirmation.shown",
    "mail/0 before it acknowledges mail.confirmation.opened",
    "mail/0 after it acknowledges mail.confirmation.opened",
)
"""What follows a mail within the five seconds in which a consumer of Kafka does not commit (KAF-19)."""


@dataclass(frozen=True)
class Variant:
    """A way to build the case: `says` in a sentence what a crash does to it, `outcome` and `crashes` in the matrix.

    `crashes` are rows of `failures.CrashPoints`; after each other crash the story survives.
    """

    name: str
    scenario: Registration
    says: str
    outcome: Outcome
    crashes: frozenset[str]


def crash_variants(broker: Any = None) -> tuple[Variant, ...]:
    """One user's story on a broker (None: the memory bus), told wrong in four ways, and right.

    >>> [variant.name for variant in crash_variants()]
    ['acknowledge first', 'row, then event', 'event, then row', 'not idempotent', 'repaired']
    """
    repaired = clockwork(
        broker=MemoryBus() if broker is None else broker,
        writing="outbox",
        sender="idempotent",
        opening=times.Constant(value_s=0.2),
    )
    commits_late = isinstance(broker, Kafka) and broker.commit is Commit.AUTO
    relayed = (
        "relay/0 after it has published mail.welcome.requested",
        "relay/0 before it acknowledges mail.welcome.requested",
    )
    return (
        _variant(
            repaired.but(acknowledge="on_delivery"), "acknowledge first",
            "The mail service says “done” before it has sent the mail: until the mail has left, a crash loses it.",
            Outcome.LOST,
            "mail/0 after it has received mail.welcome.requested", "mail/0 after it has written mail cached",
        ),
        _variant(
            repaired.but(writing="row, then event"), "row, then event",
            "A dual write. The row says that all is done, so what comes again asks for no mail: it is lost.",
            Outcome.LOST,
            "user-management/0 after it has written user written",
        ),
        _variant(
            repaired.but(writing="event, then row"), "event, then row",
            "A dual write. The event tells of a user who has no row yet: a page is shown for nobody.",
            Outcome.VIOLATED,
            "user-management/0 after it has published mail.welcome.requested",
        ),
        _variant(
            repaired.but(sender="plain"), "not idempotent",
            "The provider takes a mail that comes again for a new one: a crash between effect and acknowledgement"
            + (" (on Kafka, until the next commit)" if commits_late else "") + " mails twice.",
            Outcome.DUPLICATED,
            *relayed, *AFTER_SENDING, *(UNTIL_THE_COMMIT if commits_late else ()),
        ),
        _variant(
            repaired, "repaired",
            "Outbox, acknowledged last, and a provider that knows a mail again: every crash is survived.",
            Outcome.SURVIVED,
        ),
    )  # fmt: skip


def _variant(scenario: Registration, name: str, says: str, outcome: Outcome, *crashes: str) -> Variant:
    return Variant(name, scenario, says, outcome, frozenset(crashes))


__all__ = ["Variant", "crash_variants"]
