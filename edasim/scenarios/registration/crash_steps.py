"""Crash steps: the mail service dies once at every step of one mail, with each way of being careful.

The steps are read off a run without a crash; then the same run is repeated with a crash in the middle of each step.
Left out: crashes of several services at once, and of a service that is down already; the crash is that of a process, so
files stay.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ... import checks
from ...errors import ConfigurationError
from ...failures import Crash
from ...kernel import Run, times
from ...network import Link
from ...services import Acknowledge, load
from .handlers import MAIL_REQUESTED, Sender
from .scenario import MAIL, Registration

if TYPE_CHECKING:
    import pandas


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


class Fate(enum.Enum):
    """What became of one user's mail."""

    ONCE = "once"
    TWICE = "twice"
    LOST = "lost"


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


@dataclass(frozen=True)
class CrashStep:
    """A crash at `crash_s` seconds after sign-up, in the middle of a step: when mails then arrived, for each care."""

    step: str
    crash_s: float
    arrivals_s: dict[Care, tuple[float, ...]]

    def fate(self, care: Care) -> Fate:
        """Whether the mail came once, twice (or more often), or never."""
        mails = len(self.arrivals_s[care])
        return (Fate.LOST, Fate.ONCE)[mails] if mails < 2 else Fate.TWICE

    def told(self, care: Care) -> str:
        """The fate, and when mails arrived after sign-up."""
        when = " and ".join(f"{arrived_s:.3f} s" for arrived_s in self.arrivals_s[care])
        return f"{self.fate(care).value}, at {when}" if when else self.fate(care).value


@dataclass(frozen=True)
class CrashSteps:
    """All steps of one mail, in order of time; prints as a table of fates."""

    steps: tuple[CrashStep, ...]
    down_s: float

    def count(self, care: Care | str, fate: Fate | str) -> int:
        """At how many steps a crash leads to this fate."""
        which: Care = checks.check_word(Care)("care", care)
        wanted: Fate = checks.check_word(Fate)("fate", fate)
        return sum(step.fate(which) is wanted for step in self.steps)

    def table(self) -> pandas.DataFrame:
        """A row per step: when the service dies (seconds after sign-up), and what each care makes of the mail."""
        import pandas as pd

        rows = [
            {"dies while": step.step, "at_s": step.crash_s, **{care.value: step.told(care) for care in Care}}
            for step in self.steps
        ]
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        head = ["it dies while", *(care.value for care in Care)]
        rows = [[step.step, *(step.fate(care).value for care in Care)] for step in self.steps]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]]
        return "\n".join(line.rstrip() for line in lines)


def crash_steps(scenario: Registration | None = None, *, down_s: float = 1.0, seed: int = 0) -> CrashSteps:
    """The mail service dies once in the middle of every step of the first user's mail, and is back after `down_s`.

    `scenario` is one without faults (None: `clockwork()`); every run has the same seed. Raises `ConfigurationError` if
    no mail is asked for.

    >>> print(crash_steps().count("acknowledge last", "twice"))
    2
    """
    plain = clockwork() if scenario is None else scenario
    down_s = checks.check_positive("down_s", down_s)
    mail = _FirstMail(plain.run(seed=seed))
    steps = []
    for name, begin_s, end_s in mail.steps():
        at_s = (begin_s + end_s) / 2
        crashing = plain.but(faults=[Crash(node=MAIL, at_s=at_s, down_s=down_s)])
        arrivals_s = {
            care: tuple(
                arrived_s - mail.signed_up_s
                for arrived_s in _instants(care.of(crashing).run(seed=seed), mail.user, "mail_arrived")
            )
            for care in Care
        }
        steps.append(CrashStep(name, at_s - mail.signed_up_s, arrivals_s))
    return CrashSteps(tuple(steps), down_s)


class _FirstMail:
    """The first mail that was asked for in a run without a crash: whose it is, and the row of its request."""

    def __init__(self, run: Run) -> None:
        self._run = run
        signed_up_s: dict[str, float] = {}
        rows = zip(run.deliveries.number.tolist(), run.deliveries.published_s.tolist(), strict=True)
        for row, (number, published_s) in enumerate(rows):
            event = run.numbered_events[number]
            signed_up_s.setdefault(event.subject, published_s)
            if event.type == MAIL_REQUESTED:
                self.user = str(event.subject)
                self.signed_up_s = signed_up_s[event.subject]
                self._request = row
                return
        raise ConfigurationError("no mail was asked for", field="scenario", remedy="let at least one user be accepted")

    def steps(self) -> Iterator[tuple[str, float, float]]:
        """The steps of this mail: name, begin and end in seconds."""
        rows = self._run.deliveries
        asked_s, taken_s, done_s = (
            float(column[self._request]) for column in (rows.published_s, rows.delivered_s, rows.finished_s)
        )
        found = [_instants(self._run, self.user, kind) for kind in ("mail_cached", "mail_sent", "mail_arrived")]
        if not all(found):
            raise ConfigurationError(
                "the first mail never arrived", field="scenario", remedy="give a mail_link that does not lose it"
            )
        cached_s, sent_s, arrived_s = (instants[0] for instants in found)
        yield "nobody has asked for the mail yet", self.signed_up_s, asked_s
        yield "it writes the file", taken_s, cached_s
        yield "the file is written, nothing is sent", cached_s, sent_s
        yield "the mail is on its way", sent_s, arrived_s
        yield "the mail has arrived, its answer has not", arrived_s, done_s
        yield "all is done and acknowledged", done_s, done_s + (done_s - taken_s)


def _instants(run: Run, user: str, kind: str) -> list[float]:
    return [fact.time_s for fact in run.fact_list if fact.kind == kind and fact.detail.get("user_id") == user]
