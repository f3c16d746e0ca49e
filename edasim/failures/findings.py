"""Findings: verdicts of the oracle, each with the smallest timeline that explains it and the fault that started it.

The words follow Jepsen and Maelstrom where those have them (facts: RP-10): lost is what was accepted and whose work was
never done, invented is work that nobody asked for. Stuck, late, out of order and violated are ours. Left out: blame; a
finding names the fault that was at work, if any was, and the promise; what to repair is the reader's part.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import checks
from ..kernel.runlog import Fact

if TYPE_CHECKING:
    import pandas


class Verdict(enum.Enum):
    """What is wrong."""

    LOST = "lost"
    """Accepted, and it will never be done."""
    DUPLICATED = "duplicated"
    """Done more often than promised."""
    OUT_OF_ORDER = "out of order"
    """Done before something that came earlier."""
    INVENTED = "invented"
    """Done, and nobody asked for it."""
    STUCK = "stuck"
    """Not done, and nothing goes on, or its time is over."""
    LATE = "late"
    """Done after its time."""
    VIOLATED = "violated"
    """A rule of the state does not hold."""


@dataclass(frozen=True)
class Moment:
    """One step of a timeline: at `time_s` seconds `who` did what `text` says."""

    time_s: float
    who: str
    text: str

    def __str__(self) -> str:
        return f"{self.time_s:10.3f} s  {self.who}: {self.text}"


Explain = Callable[[], tuple[tuple[Moment, ...], "Fact | None"]]
"""Looks up the timeline of a finding, and the fault that started it."""


class Finding:
    """One promise broken once: `verdict`, the `promise` in words, `what` it happened to, and `at_s`, when it was sure.

    `key` is the key or the id of what it is about, `event_ids` the messages in it. The `timeline` and the `fault` (a
    fact of the run, or None if no fault was at work) are looked up when they are asked for.
    """

    def __init__(
        self,
        verdict: Verdict,
        promise: str,
        what: str,
        *,
        key: Any,
        at_s: float,
        event_ids: tuple[str, ...],
        explain: Explain,
    ) -> None:
        self.verdict = verdict
        self.promise = promise
        self.what = what
        self.key = key
        self.at_s = at_s
        self.event_ids = event_ids
        self._explain: Explain | None = explain
        self._explained: tuple[tuple[Moment, ...], Fact | None] | None = None

    @property
    def timeline(self) -> tuple[Moment, ...]:
        """The smallest steps that explain it, in order of time."""
        return self._told()[0]

    @property
    def fault(self) -> Fact | None:
        """The fact of the fault that started it, or None: then it is in the design."""
        return self._told()[1]

    def table(self) -> pandas.DataFrame:
        """The timeline: `time_s`, `who`, `text`."""
        import pandas as pd

        return pd.DataFrame([vars(moment) for moment in self.timeline], columns=["time_s", "who", "text"])

    def __str__(self) -> str:
        began = "no fault was at work" if self.fault is None else f"it began with: {fault_words(self.fault)}"
        return "\n".join(
            [f"{self.verdict.value}: {self.what}", f"  promise: {self.promise}", f"  {began}", *map(str, self.timeline)]
        )

    def __repr__(self) -> str:
        return f"<Finding {self.verdict.value}: {self.what}>"

    def __getstate__(self) -> dict[str, Any]:
        """What another process gets: everything explained, and no run."""
        self._told()
        return {**self.__dict__, "_explain": None}

    def _told(self) -> tuple[tuple[Moment, ...], Fact | None]:
        if self._explained is None:
            assert self._explain is not None
            self._explained = self._explain()
        return self._explained


class Findings(list[Finding]):
    """All findings of a run, in order of time; prints as a summary, and tells tables."""

    def __init__(self, found: Iterable[Finding] = ()) -> None:
        super().__init__(sorted(found, key=lambda each: each.at_s if math.isfinite(each.at_s) else math.inf))

    def counts(self) -> dict[str, int]:
        """How many findings there are of each verdict that occurs, in the order of `Verdict`."""
        counted = Counter(finding.verdict for finding in self)
        return {verdict.value: counted[verdict] for verdict in Verdict if counted[verdict]}

    def count(self, verdict: Any) -> int:
        """How many findings of one verdict, given as a `Verdict` or its word ("lost")."""
        wanted: Verdict = checks.check_word(Verdict)("verdict", verdict)
        return sum(finding.verdict is wanted for finding in self)

    def of(self, verdict: Any) -> Findings:
        """The findings of one verdict."""
        wanted: Verdict = checks.check_word(Verdict)("verdict", verdict)
        return Findings(finding for finding in self if finding.verdict is wanted)

    def table(self) -> pandas.DataFrame:
        """A row per finding: `verdict`, `what`, `at_s`, `promise`, `fault` (in words, None without one)."""
        import pandas as pd

        rows = [
            {
                "verdict": finding.verdict.value,
                "what": finding.what,
                "at_s": finding.at_s,
                "promise": finding.promise,
                "fault": None if finding.fault is None else fault_words(finding.fault),
            }
            for finding in self
        ]
        return pd.DataFrame(rows, columns=["verdict", "what", "at_s", "promise", "fault"])

    def __str__(self) -> str:
        if not self:
            return "every promise was kept"
        counted = ", ".join(f"{number} {verdict}" for verdict, number in self.counts().items())
        return "\n\n".join([counted, *(str(finding) for finding in self[:3])])


def fault_words(fact: Fact) -> str:
    """A fault's fact as a sentence."""
    told = fact.detail.get("words")
    return str(told) if told else f"{fact.kind.replace('_', ' ')}: {fact.subject} at {fact.time_s:g} s"
