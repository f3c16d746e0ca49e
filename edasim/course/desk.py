"""The learner's desk: predict, check, hint, solution, progress, start over.

Every call looks up its texts in the chapter's data and keeps what must be kept in the current directory, which in
Jupyter is the notebook's folder. A teacher's own questions and exercises work the same way without being in a
chapter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import EllipsisType
from typing import Any

from .. import checks
from ..errors import StateError
from . import chapters, record
from .answers import Feedback, Hint, Prediction, Progress, Revealed, Worked, in_words
from .exercises import Exercise, Question, check_identifier
from .rules import Choices, Number, Option


def chapter_number(name: Any) -> str:
    """The part of an id before its point."""
    return check_identifier("id", name).partition(".")[0]


def find_question(name: str) -> Question:
    """The prediction of a chapter with this id."""
    return chapters.chapter(chapter_number(name)).prediction(name)


def find_exercise(exercise: str | Exercise) -> Exercise:
    """The exercise of a chapter with this id; an exercise of your own is returned as it is."""
    if isinstance(exercise, Exercise):
        return exercise
    return chapters.chapter(chapter_number(exercise)).exercise(exercise)


class Predict:
    """Questions to which a learner commits before anything runs; `course.predict` is the one instance."""

    def __call__(
        self,
        name: str,
        question: str | None = None,
        choices: Sequence[str] | Mapping[str, str] | None = None,
        *,
        answer: str | float | None = None,
    ) -> Prediction:
        """Asks the chapter's question with the id `name`, or a question of your own with its choices.

        `choices` may map each choice to the idea behind it. `answer` commits at once (a choice, its letter, or a number
        with or without unit). The first answer counts: another one later raises `StateError`.
        """
        if question is None and choices is None:
            return asked(find_question(name), answer)
        ideas = choices if isinstance(choices, Mapping) else dict.fromkeys(choices or (), "")
        options = tuple(Option(text=text, idea=idea) for text, idea in ideas.items())
        return asked(Question(id=name, question=question or "", answers=Choices(options=options)), answer)

    def number(self, name: str, question: str, unit: str = "", *, answer: str | float | None = None) -> Prediction:
        """Asks a question of your own whose answer is a number in `unit`."""
        return asked(Question(id=name, question=question, answers=Number(unit=unit)), answer)

    def reveal(
        self, which: str | Prediction, *, truth: str | float | None = None, because: str | None = None
    ) -> Revealed:
        """Shows what was said beside what is, with the ideas behind the wrong answers.

        `which` is the id of a chapter's prediction, or the prediction itself if it is a question of your own. `truth`
        replaces the right answer by one that a run has shown (a number within a tenth of it counts as right); `because`
        replaces the reason. A question of your own needs both.
        """
        question = which.question if isinstance(which, Prediction) else find_question(which)
        if truth is not None:
            question = dataclasses.replace(question, answers=question.answers.with_truth(truth))
        if question.truth is None:
            raise StateError(f"nobody has said what is right for {question.id!r}", field="truth", remedy="give truth=…")
        return Revealed(question, earlier_answer(Path.cwd(), question), because or question.because)


def earlier_answer(folder: Path, question: Question) -> str | float | None:
    """The committed answer to a question in the folder's record, or None."""
    entry = record.load(folder).predictions.get(question.id)
    return None if entry is None else question.answers.kept(entry["answer"])


def asked(question: Question, answer: str | float | None) -> Prediction:
    """The prediction that shows itself; commits `answer` if there is one."""
    folder = Path.cwd()
    said = None if answer is None else commit(folder, question, answer)

    def build_form() -> Any:
        from . import forms

        return forms.form(
            question,
            earlier_answer(folder, question),
            lambda given: in_words(question, commit(folder, question, given)),
        )

    return Prediction(question, said, build_form)


def commit(folder: Path, question: Question, answer: Any) -> str | float:
    """Keeps an answer in the folder's record and returns it; the first one counts."""
    kept = question.answers.kept(answer)

    def change(before: record.Record) -> record.Record:
        earlier = before.predictions.get(question.id)
        if earlier is None:
            return before.with_prediction(question.id, {"answer": kept})
        if earlier["answer"] != kept:
            number = question.id.partition(".")[0]
            raise StateError(
                f"you have already said {earlier['answer']!r} to {question.id}",
                field="answer",
                value=answer,
                remedy=f"the first answer counts; course.start_over({number!r}) forgets the chapter",
            )
        return before

    record.update(folder, change)
    return kept


def check(exercise: str | Exercise, answer: Any = ...) -> Feedback:
    """Judges an answer: passed or not yet, what to look at, and the idea behind a typical mistake.

    Without an answer (or with `...`) it shows the task. The learner's errors become feedback. What passes is kept in
    the notebook's folder; where that cannot be written, the feedback says so.
    """
    found = find_exercise(exercise)
    if isinstance(answer, EllipsisType):
        return Feedback(found, None)
    verdict = found.judge(answer)
    if not verdict.passed:
        return Feedback(found, verdict)
    try:
        record.update(Path.cwd(), lambda before: before.with_passed(found.id))
    except StateError as error:
        return Feedback(found, verdict, note=f"Not kept: {error}.")
    return Feedback(found, verdict)


def hint(exercise: str | Exercise) -> Hint:
    """The next hint: a question, then a pointer, then the first line. Later calls show all three."""
    found = find_exercise(exercise)
    steps = len(found.hints.steps)
    after = record.update(
        Path.cwd(), lambda before: before.with_hint(found.id, min(before.hints.get(found.id, 0) + 1, steps))
    )
    return Hint(found, after.hints[found.id])


def solution(exercise: str | Exercise) -> Worked:
    """The worked solution, folded; its code is executed in the tests and passes its own check."""
    return Worked(find_exercise(exercise))


def progress(number: str) -> Progress:
    """What has been committed and passed in a chapter, from the notebook's folder."""
    return Progress(chapters.chapter(checks.check_text("number", number)), record.load(Path.cwd()))


def start_over(number: str) -> Progress:
    """Forgets the answers, hints and passes of a chapter in the notebook's folder."""
    found = chapters.chapter(checks.check_text("number", number))
    return Progress(found, record.update(Path.cwd(), lambda before: before.without_chapter(number)))


predict = Predict()
