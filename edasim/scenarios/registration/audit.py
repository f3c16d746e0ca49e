"""The books of a registration run: who was lost, who was told twice, counted from the log and from the stores."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ...errors import ConfigurationError, StateError
from ...kernel import Run
from .handlers import ACCEPTED, MAIL_REQUESTED, REJECTED
from .people import REQUESTED


@dataclass(frozen=True)
class Audit:
    """Counts of users at each step, and what should be zero.

    `without_row` were accepted and have no row in the database; `without_mail` were accepted and no mail arrived;
    `mailed_twice` got the mail more than once; `shown_uncached` saw a mail that is not in the cache; `shown_before_row`
    saw their mail before their row was written; `undecided` asked and were neither accepted nor rejected. A run that is
    cut off while messages are on their way counts those as missing.
    """

    requested: int
    accepted: int
    rejected: int
    rows: int
    cached: int
    mailed: int
    shown: int
    undecided: int
    without_row: int
    without_mail: int
    mailed_twice: int
    shown_uncached: int
    shown_before_row: int

    def __str__(self) -> str:
        return "\n".join(f"{name.replace('_', ' '):<17} {value:>7}" for name, value in vars(self).items())


def audit(run: Run) -> Audit:
    """The books of a run of `Registration`; needs a full log."""
    if "provider" not in run.kept:
        raise ConfigurationError(
            "this run is not of Registration", field="run", remedy="give a run of scenarios.Registration"
        )
    if not run.has_all_rows:
        raise StateError(
            "the audit needs all rows of the log, and this run kept only some",
            field="log",
            value=run.log.level.value,
            remedy='run with log="full"',
        )
    users, mails, provider = run.kept["users"], run.kept["mails"], run.kept["provider"]
    by_type: dict[str, Counter[str]] = {}
    for event in run.events():
        by_type.setdefault(event.type, Counter())[event.subject] += 1
    asked, accepted, rejected = (by_type.get(name, Counter()) for name in (REQUESTED, ACCEPTED, REJECTED))
    to_mail = by_type.get(MAIL_REQUESTED, Counter())
    rows = {user_id for (user_id,) in users.query("select user_id from users")}
    shown = [fact.detail for fact in run.fact_list if fact.kind == "mail_shown"]
    cached = set(mails.ids())
    return Audit(
        requested=len(asked),
        accepted=len(accepted),
        rejected=len(rejected),
        rows=len(rows),
        cached=len(cached),
        mailed=len(provider.mailboxes),
        shown=len({detail["user_id"] for detail in shown}),
        undecided=len(set(asked) - set(accepted) - set(rejected)),
        without_row=len(set(accepted) - rows),
        without_mail=sum(f"welcome-{user_id}" not in provider.mailboxes for user_id in to_mail),
        mailed_twice=sum(n > 1 for n in provider.mailboxes.values()),
        shown_uncached=sum(detail["mail_id"] not in cached for detail in shown),
        shown_before_row=sum(not detail["user_exists"] for detail in shown),
    )
