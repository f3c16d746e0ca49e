"""What predict, reveal, check, hint, solution and progress return: values that show themselves as cards.

The text of a prediction does not depend on earlier answers, so that a notebook run twice prints the same; the form in a
live kernel does show the answer that was kept.
"""

from __future__ import annotations

import dataclasses
import string
from collections.abc import Callable
from typing import Any

from . import quantities
from .cards import Card, Fold, Shown, Tone
from .exercises import Chapter, Exercise, Question
from .record import Record
from .rules import Choices, Verdict

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def in_words(question: Question, answer: Any) -> str:
    """An answer as a learner would say it, with the unit."""
    if isinstance(question.answers, Choices):
        return str(answer)
    return quantities.plain(float(answer), question.answers.unit)


@dataclasses.dataclass(frozen=True, repr=False)
class Prediction(Shown):
    """A question to commit to; `said` is the answer given in code, `keep` commits one from the form."""

    question: Question
    said: str | float | None
    form: Callable[[], Any]
    """Builds the ipywidgets form; called only when a live kernel displays the prediction."""

    def card(self) -> Card:
        """The question, its choices or its unit, and how to commit."""
        asked = self.question
        if isinstance(asked.answers, Choices):
            letters = zip(string.ascii_lowercase, asked.answers.options, strict=False)
            items = tuple(f"{letter}) {option.text}" for letter, option in letters)
        else:
            items = (f"a number in {asked.answers.unit}",) if asked.answers.unit else ("a number",)
        if self.said is None:
            last = "Choose before you go on. Your answer is kept beside this notebook and comes back with the result."
        else:
            last = f"You said: {in_words(asked, self.said)}. Keep that in mind."
        return Card(f"Your prediction: {asked.question}", Tone.QUESTION, (last,), items)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        card = self.card()
        bundle: dict[str, Any] = {"text/plain": card.to_text(), "text/html": card.to_html()}
        view = self.form()._repr_mimebundle_().get(WIDGET_VIEW)
        return bundle if view is None else {**bundle, WIDGET_VIEW: view}


@dataclasses.dataclass(frozen=True, repr=False)
class Revealed(Shown):
    """A prediction beside the truth; `said` is None if the learner has not committed."""

    question: Question
    said: str | float | None
    because: str | None

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on what the learner said, or None if nothing was said."""
        return None if self.said is None else self.question.answers.judge(self.said)

    def card(self) -> Card:
        """You said, it is; the idea behind the answer; why; and the ideas behind the other wrong answers."""
        verdict = self.verdict
        truth = f"It is: {in_words(self.question, self.question.truth)}."
        paragraphs = []
        if verdict is None:
            heading, tone = "You have not committed to an answer. Next time, choose before you look", Tone.NOTE
            pair = ("You said: nothing yet.", truth)
        else:
            heading, tone = (
                ("Your prediction was right", Tone.RIGHT) if verdict.passed else ("Not what you said", Tone.NOT_YET)
            )
            pair = (f"You said: {in_words(self.question, self.said)}.", truth)
            if verdict.mistake:
                paragraphs.append(f"The idea behind your answer: {verdict.mistake}")
        if self.because:
            paragraphs.append(f"Why: {self.because}")
        others = self.other_ideas()
        if others:
            paragraphs.append("The ideas behind other wrong answers:")
        return Card(heading, tone, tuple(paragraphs), others, pair)

    def other_ideas(self) -> tuple[str, ...]:
        """The wrong choices that the learner did not take, each with its idea."""
        answers = self.question.answers
        if not isinstance(answers, Choices):
            shown = {s: quantities.plain((s.low + s.high) / 2, answers.unit) for s in answers.slips}
            ideas = {f"{'around ' if s.low < s.high else ''}{number}: {s.idea}": s for s, number in shown.items()}
            mine = answers.idea(float(self.said)) if self.said is not None else ""
            return tuple(words for words, typical in ideas.items() if not mine.startswith(typical.idea))
        wrong = [option.text for option in answers.options if option.text not in (answers.right, self.said)]
        return tuple(f"{text}: {answers.idea(text)}" for text in wrong if answers.idea(text))


@dataclasses.dataclass(frozen=True, repr=False)
class Feedback(Shown):
    """What a check says: `passed`, `message`, and `mistake`, the idea behind a typical wrong answer."""

    exercise: Exercise
    verdict: Verdict | None
    """None as long as no answer was given."""
    note: str = ""

    @property
    def passed(self) -> bool:
        """True if the answer was right."""
        return self.verdict is not None and self.verdict.passed

    @property
    def message(self) -> str:
        """What the rule says; the task if there is no answer yet."""
        return self.exercise.task if self.verdict is None else self.verdict.message

    @property
    def mistake(self) -> str | None:
        """The idea behind the mistake, if it is a typical one."""
        return None if self.verdict is None else self.verdict.mistake

    def card(self) -> Card:
        """Passed or not yet, what to look at, and where the next hint is."""
        name = self.exercise.id
        notes = (self.note,) if self.note else ()
        if self.verdict is None:
            how = f"Put your answer in place of the three points: course.check({name!r}, ...)"
            return Card(f"Exercise {name} ({self.exercise.kind.value})", Tone.QUESTION, (self.message, how, *notes))
        if self.passed:
            return Card(f"{name}: passed", Tone.RIGHT, (self.message, *notes))
        idea = (f"A typical mistake: {self.mistake}",) if self.mistake else ()
        more = (f"Stuck? course.hint({name!r})",)
        return Card(f"{name}: not yet", Tone.NOT_YET, (self.message, *idea, *more, *notes))


@dataclasses.dataclass(frozen=True, repr=False)
class Hint(Shown):
    """The hints of an exercise up to and including step `shown` (1 to 3)."""

    exercise: Exercise
    shown: int

    def card(self) -> Card:
        """The steps so far, and what comes next."""
        steps = self.exercise.hints.steps
        told = [f"{n}. {called}: {words}" for n, (called, words) in enumerate(steps[: self.shown], start=1)]
        left = len(steps) - self.shown
        more = (
            f"{left} more: call it again."
            if left
            else f"That was the last; course.solution({self.exercise.id!r}) is next."
        )
        return Card(f"Hint {self.shown} of {len(steps)} for {self.exercise.id}", Tone.NOTE, (*told, more))


@dataclasses.dataclass(frozen=True, repr=False)
class Worked(Shown):
    """The worked solution of an exercise, folded in HTML."""

    exercise: Exercise

    def card(self) -> Card:
        """The task, and the solution behind a fold."""
        solution = self.exercise.solution
        fold = Fold("Worked solution", solution.code, solution.because)
        return Card(f"Solution of {self.exercise.id}", Tone.NOTE, (self.exercise.task,), fold=fold)


@dataclasses.dataclass(frozen=True, repr=False)
class Progress(Shown):
    """How far a learner is in a chapter."""

    chapter: Chapter
    record: Record

    @property
    def committed(self) -> int:
        """Predictions of the chapter that have been committed."""
        return sum(entry.id in self.record.predictions for entry in self.chapter.predictions)

    @property
    def passed(self) -> int:
        """Exercises of the chapter that have passed."""
        return sum(entry.id in self.record.passed for entry in self.chapter.exercises)

    @property
    def complete(self) -> bool:
        """True when every prediction is committed and every exercise has passed."""
        return self.committed == len(self.chapter.predictions) and self.passed == len(self.chapter.exercises)

    def card(self) -> Card:
        """One line for each prediction and exercise."""
        lines = [
            f"{'✓ committed' if entry.id in self.record.predictions else '– open'}: {entry.id}, prediction"
            for entry in self.chapter.predictions
        ]
        for entry in self.chapter.exercises:
            hints = self.record.hints.get(entry.id, 0)
            helped = f", {hints} hint{'s' if hints > 1 else ''}" if hints else ""
            state = "✓ passed" if entry.id in self.record.passed else "– open"
            lines.append(f"{state}: {entry.id}, {entry.kind.value}{helped}")
        done = (
            f"{self.committed} of {len(self.chapter.predictions)} predictions committed, "
            f"{self.passed} of {len(self.chapter.exercises)} exercises passed."
        )
        tone = Tone.RIGHT if self.complete else Tone.NOTE
        return Card(f"Chapter {self.chapter.number}: {self.chapter.title}", tone, (done,), tuple(lines))
