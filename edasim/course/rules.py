"""Rules that judge an answer: a choice, a number with its unit, an explanation in words.

A rule is a frozen value with a pure `judge(answer) -> Verdict`. A verdict that is not passed says what is the matter
and, where the answer is a typical one, the idea behind it. Predictions and exercises share these rules; rules that
run a learner's code are in `trials.py`. Left out: marks and points. An answer is right, or the next step is named.
"""

from __future__ import annotations

import dataclasses
import math
import re
import string
from typing import Any, Protocol

from .. import checks
from ..errors import ConfigurationError, StateError
from . import quantities
from .ideas import WrongIdea


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a rule says: passed or not, a message for the learner, and the idea behind a typical mistake."""

    passed: bool
    message: str
    mistake: str | None = None


class Rule(Protocol):
    """What judges an answer, purely."""

    def judge(self, answer: Any) -> Verdict:
        """The verdict on `answer`; an answer of the wrong kind is an `EdasimError` or a verdict, never a pass."""
        ...


def idea_in_words(idea: str, names: WrongIdea | None) -> str:
    """An idea behind a mistake, with the wrong idea of the course that it belongs to."""
    return idea if names is None else f"{idea} (A familiar idea: “{names.value}”)"


def tuple_of(kind: type, what: str) -> checks.Check:
    """A check for a tuple (or list) of `kind`."""

    def check(field: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, tuple | list) or not all(isinstance(entry, kind) for entry in value):
            raise checks.refuse(field, value, f"give {what}")
        return tuple(value)

    return check


@checks.configuration
class Option:
    """One choice; a wrong one carries the idea that leads people to it."""

    text: str = checks.text()
    idea: str = checks.kind(str, "a text", default="")
    names: WrongIdea | None = checks.optional(checks.check_word(WrongIdea), default=None)


@checks.configuration
class Choices:
    """Options of which one is right. `right` may be left open for a prediction whose truth a run will show."""

    options: tuple[Option, ...] = checks.checked(tuple_of(Option, "options"))
    right: str | None = checks.optional(checks.check_text, default=None)

    def check(self) -> None:
        """Two to eight different options; the right one is among them."""
        texts = [option.text for option in self.options]
        if len(texts) not in range(2, 9) or len(set(texts)) != len(texts):
            raise checks.refuse("Choices.options", texts, "give two to eight different options")
        if self.right is not None and self.right not in texts:
            raise checks.refuse("Choices.right", self.right, f"give one of {texts}")

    def kept(self, answer: Any) -> str:
        """The text of the option that `answer` means: the text itself, or its letter (a, b, …)."""
        wanted = answer.strip().casefold() if isinstance(answer, str) else None
        for option in self.options:
            if option.text.casefold() == wanted:
                return option.text
        letters = string.ascii_lowercase[: len(self.options)]
        if wanted is not None and len(wanted) == 1 and wanted in letters:
            return self.options[letters.index(wanted)].text
        known = ", ".join(f"{letter}) {option.text}" for letter, option in zip(letters, self.options, strict=True))
        raise checks.refuse("answer", answer, f"choose one of: {known}")

    def idea(self, text: str) -> str:
        """The idea behind the option with this text; empty for one that has none."""
        option = next(option for option in self.options if option.text == text)
        return idea_in_words(option.idea, option.names) if option.idea else ""

    def judge(self, answer: Any) -> Verdict:
        """Passed for the right option; for any other, the idea behind it."""
        if self.right is None:
            raise StateError("this question has no right answer yet", field="right", remedy="reveal it with truth=…")
        chosen = self.kept(answer)
        if chosen == self.right:
            return Verdict(True, f"{chosen}: that is right.")
        return Verdict(False, f"{chosen}: not this one.", self.idea(chosen) or None)

    def with_truth(self, truth: Any) -> Choices:
        """The same options with `truth` as the right one."""
        return Choices(options=self.options, right=self.kept(truth))


@checks.configuration
class Slip:
    """A typical wrong number, as an interval (both ends included) in the question's unit, and the idea behind it."""

    low: float = checks.kind((int, float), "a number")
    high: float = checks.kind((int, float), "a number")
    idea: str = checks.text()
    names: WrongIdea | None = checks.optional(checks.check_word(WrongIdea), default=None)


def slip(value: float, idea: str, *, within_ratio: float = 0.02, names: WrongIdea | None = None) -> Slip:
    """A slip around one typical wrong number."""
    room = abs(value) * within_ratio
    return Slip(low=value - room, high=value + room, idea=idea, names=names)


@checks.configuration
class Number:
    """A number in a unit, right from `low` to `high`. Ends are left open where a run will show the truth."""

    unit: str = checks.kind(str, "the unit as a text, empty for none")
    low: float | None = checks.optional(checks.check_kind((int, float), "a number"), default=None)
    high: float | None = checks.optional(checks.check_kind((int, float), "a number"), default=None)
    truth: float | None = checks.optional(checks.check_kind((int, float), "a number"), default=None)
    slips: tuple[Slip, ...] = checks.checked(tuple_of(Slip, "slips"), default=())

    def check(self) -> None:
        """Both ends or none, in order, with the truth between them."""
        if (self.low is None) != (self.high is None):
            raise checks.refuse("Number.low", self.low, "give both low and high, or neither")
        if self.low is None or self.high is None:
            return
        inside = self.low <= self.high if self.truth is None else self.low <= self.truth <= self.high
        if not inside or math.isnan(self.low + self.high):
            raise checks.refuse("Number.low", (self.low, self.truth, self.high), "give low <= truth <= high")

    def kept(self, answer: Any) -> float:
        """The answer as a number in the unit of the question."""
        return quantities.in_unit("answer", answer, self.unit)

    def idea(self, value: float) -> str:
        """The idea behind a typical wrong number; empty for one that is not known."""
        for typical in self.slips:
            if typical.low <= value <= typical.high:
                return idea_in_words(typical.idea, typical.names)
        return ""

    def judge(self, answer: Any) -> Verdict:
        """Passed inside the interval; outside, the idea behind a typical number, or which way it is off."""
        if self.low is None or self.high is None:
            raise StateError("this question has no right answer yet", field="truth", remedy="reveal it with truth=…")
        value = self.kept(answer)
        shown = quantities.plain(value, self.unit)
        if self.low <= value <= self.high:
            return Verdict(True, f"{shown}: that is right.")
        typical = self.idea(value)
        if typical:
            return Verdict(False, f"{shown}: not this number.", typical)
        for factor in quantities.FACTORS_OF_UNITS:
            if self.low <= value * factor <= self.high:
                off = quantities.plain(max(factor, 1 / factor))
                asked = f"the question asks for {self.unit}" if self.unit else "the question asks for a plain number"
                return Verdict(
                    False, f"{shown}: off by exactly {off}.", f"The digits are right, the unit is not: {asked}."
                )
        return Verdict(False, f"{shown}: too {'small' if value < self.low else 'large'}.")

    def with_truth(self, truth: Any, within_ratio: float = 0.1) -> Number:
        """The same question with a truth; answers within `within_ratio` of it count as right."""
        value = self.kept(truth)
        return near(value, self.unit, within_ratio=within_ratio, slips=self.slips)


def near(truth: float, unit: str, *, within_ratio: float = 0.02, slips: tuple[Slip, ...] = ()) -> Number:
    """A number that is right within a share of the truth, for example 0.02 for two per cent."""
    room = abs(truth) * checks.check_ratio("within_ratio", within_ratio)
    return Number(unit=unit, low=truth - room, high=truth + room, truth=truth, slips=slips)


def exactly(truth: int, unit: str, *, slips: tuple[Slip, ...] = ()) -> Number:
    """A whole number that is right only as it is."""
    return Number(unit=unit, low=truth, high=truth, truth=truth, slips=slips)


@checks.configuration
class Needed:
    """An idea that an explanation must contain: any of `words` (word beginnings, phrases, or numbers) shows it."""

    words: tuple[str, ...] = checks.checked(tuple_of(str, "texts"))
    ask: str = checks.text()


@checks.configuration
class WrongWords:
    """Words that give away a typical wrong explanation; beside all needed ideas they fail nobody, but are spoken of."""

    words: tuple[str, ...] = checks.checked(tuple_of(str, "texts"))
    idea: str = checks.text()
    names: WrongIdea | None = checks.optional(checks.check_word(WrongIdea), default=None)


HONEST = "This check looks for key words and numbers; it cannot judge your reasoning. Compare with the worked solution."


def plain_words(text: str) -> str:
    """The text in lower case with single blanks, and none before a per cent sign."""
    return re.sub(r"\s+%", "%", re.sub(r"\s+", " ", text.casefold()))


def says(text: str, words: tuple[str, ...]) -> bool:
    """True if any of `words` begins somewhere in `text` at a word's beginning; a number must stand alone."""
    prepared = plain_words(text)

    def found(word: str) -> bool:
        wanted = plain_words(word)
        end = r"(?![\d.]*\d)" if wanted[-1].isdigit() else ""
        return re.search(rf"(?<![\w.]){re.escape(wanted)}{end}", prepared) is not None

    return any(found(word) for word in words)


@checks.configuration
class Words:
    """An explanation of at least `at_least_words` words that contains every needed idea."""

    needed: tuple[Needed, ...] = checks.checked(tuple_of(Needed, "needed ideas"))
    wrong: tuple[WrongWords, ...] = checks.checked(tuple_of(WrongWords, "wrong words"), default=())
    at_least_words: int = checks.at_least(1, default=8)

    def judge(self, answer: Any) -> Verdict:
        """Passed if every needed idea is there; otherwise asks for the first that is missing."""
        if not isinstance(answer, str):
            raise ConfigurationError(
                f"answer is {answer!r}", field="answer", value=answer, remedy="give a text in quotes"
            )
        if len(answer.split()) < self.at_least_words:
            return Verdict(False, f"Write a sentence or two: at least {self.at_least_words} words.")
        missing = [need for need in self.needed if not says(answer, need.words)]
        typical = next((entry for entry in self.wrong if says(answer, entry.words)), None)
        mistake = None if typical is None else idea_in_words(typical.idea, typical.names)
        if not missing:
            besides = "" if mistake is None else f" Did you also mean this? {mistake}"
            return Verdict(True, f"All the ideas that matter are there.{besides} {HONEST}")
        return Verdict(False, f"Something is missing: {missing[0].ask} {HONEST}", mistake)
