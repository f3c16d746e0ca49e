"""Chapter 12's rules on words: which bug a finding is of, and what a report on a repair that loses has to say.

Follows the outbox and the inbox (ES-07). Left out: whether the reasoning holds; a check of words cannot judge that.
"""

from __future__ import annotations

from typing import Any

from .. import checks
from .ideas import WrongIdea
from .rules import Needed, Verdict, Words, WrongWords, tuple_of


@checks.configuration
class Named:
    """A rule for several findings: `right` are the names in order, of those that `choices` offers with a letter.

    `ideas` say, for each finding, what in its timeline tells it from the others.
    """

    right: tuple[str, ...] = checks.checked(tuple_of(str, "names"))
    choices: tuple[str, ...] = checks.checked(tuple_of(str, "names"))
    ideas: tuple[str, ...] = checks.checked(tuple_of(str, "texts"))

    def judge(self, answer: Any) -> Verdict:
        """Passed if all are right; otherwise the first that is not, and what tells it."""
        if isinstance(answer, str) or not isinstance(answer, list | tuple) or len(answer) != len(self.right):
            raise checks.refuse("answer", answer, f"give a list of {len(self.right)} letters, such as ['a', 'b', 'c']")
        for place, (given, right) in enumerate(zip(answer, self.right, strict=True)):
            if self._kept(given) != right:
                letter = "ABCDEFGH"[place]
                return Verdict(False, f"Finding {letter} is not “{self._kept(given)}”.", self.ideas[place])
        return Verdict(True, "All of them: you read the bug off its finding.")

    def _kept(self, given: Any) -> str:
        letters = {"abcdefgh"[place]: name for place, name in enumerate(self.choices)}
        wanted = str(given).strip().casefold()
        if wanted not in letters and wanted not in self.choices:
            raise checks.refuse("answer", given, f"choose among the letters {', '.join(letters)}")
        return letters.get(wanted, wanted)


REPORT_WORDS = Words(
    needed=(
        Needed(
            words=(
                *("between", "before it", "before the event", "before the publish", "before publish", "before tell"),
                *(
                    "before send",
                    "after the reservation",
                    "after reserve",
                    "after reserving",
                    "after it reserved",
                    "after it has reserved",
                ),
                *("after the commit", "after its commit", "after the transaction", "after its transaction"),
            ),
            ask="where does the process die?",
        ),
        Needed(
            words=("skip", "already", "believes", "known", "knows the order", "ignore", "noted", "drops it"),
            ask="what does the second delivery find, and do?",
        ),
        Needed(
            words=("again", "twice", "duplicate", "repeated", "second parcel", "two parcels", "once more", "double"),
            ask="what happened in the same place before the change?",
        ),
        Needed(
            words=("outbox", "same transaction", "one transaction", "atomic", "same commit", "one commit"),
            ask="what has to be written together with the note?",
        ),
    ),
    wrong=(
        WrongWords(
            words=("exactly once", "exactly-once"),
            idea="No broker setting closes this gap: it lies between your database and the broker.",
            names=WrongIdea.EXACTLY_ONCE_END_TO_END,
        ),
        WrongWords(
            words=("outbox is not", "no outbox", "without an outbox", "not need an outbox", "remove the inbox"),
            idea="Only both together have no bad cell: the inbox alone loses, the outbox alone repeats.",
        ),
        WrongWords(
            words=("retry", "retries"),
            idea="A retry comes already: the broker delivers again. It is skipped.",
            names=WrongIdea.RETRY_IS_HARMLESS,
        ),
    ),
)
"""The report to the team whose inbox loses orders (exercise 12.report)."""
