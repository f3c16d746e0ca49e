"""What a chapter asks: predictions before the run, exercises after it, each with its answer beside it.

A chapter is frozen data in `chapters/chNN.py`. Everything a learner can be told stands there: the question, the wrong
answers with the ideas behind them, the rule, three hints, a worked solution. Follows: peer instruction (commit before
you see), worked examples, three-step hints. Left out: order and gating; a learner may take exercises in any order.
"""

from __future__ import annotations

import enum
import re
from typing import Any

from .. import checks
from ..errors import UnknownNameError
from .rules import Choices, Number, Rule, Verdict, tuple_of
from .trials import blame

IDENTIFIER = re.compile(r"\w[\w-]*\.\w+")


def check_identifier(field: str, value: Any) -> str:
    """An id such as `02.servers`: the chapter, a point, a name."""
    if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
        raise checks.refuse(field, value, "give the chapter, a point and a name, such as '02.servers'")
    return value


@checks.configuration
class Question:
    """A prediction: a question whose answer is committed before anything runs, and explained later by `because`."""

    id: str = checks.checked(check_identifier)
    question: str = checks.text()
    answers: Choices | Number = checks.kind((Choices, Number), "Choices or a Number")
    because: str | None = checks.optional(checks.check_text, default=None)

    @property
    def truth(self) -> str | float | None:
        """The right answer, or None if a run will show it."""
        return self.answers.right if isinstance(self.answers, Choices) else self.answers.truth


class Kind(enum.Enum):
    """What an exercise asks the learner to do."""

    PREDICT = "predict"
    CALCULATE = "calculate"
    CHANGE_CODE = "change code"
    EXPLAIN = "explain"


@checks.configuration
class Hints:
    """Three steps, each smaller than the last: a question to think about, a pointer, the first line of a solution."""

    question: str = checks.text()
    pointer: str = checks.text()
    first_line: str = checks.text()

    def check(self) -> None:
        """The first step asks."""
        if not self.question.rstrip().endswith("?"):
            raise checks.refuse("Hints.question", self.question, "end it with a question mark")

    @property
    def steps(self) -> tuple[tuple[str, str], ...]:
        """The three hints with what each is called."""
        return (("a question", self.question), ("a pointer", self.pointer), ("the first line", self.first_line))


@checks.configuration
class Solution:
    """A worked solution: `code` that leaves its result in `answer` (the tests execute it), and why it is right."""

    code: str = checks.text()
    because: str = checks.text()

    def answer(self) -> Any:
        """Runs the code in a namespace of its own and returns what it leaves in `answer`."""
        namespace: dict[str, Any] = {}
        exec(compile(self.code, "<worked solution>", "exec"), namespace)  # noqa: S102 (our own text, run by our tests)
        return namespace["answer"]


@checks.configuration
class Exercise:
    """A task with a rule that judges answers, three hints and a worked solution."""

    id: str = checks.checked(check_identifier)
    kind: Kind = checks.word(Kind)
    task: str = checks.text()
    rule: Rule = checks.kind(object, "a rule with judge(answer)")
    hints: Hints = checks.kind(Hints, "Hints")
    solution: Solution = checks.kind(Solution, "a Solution")

    def check(self) -> None:
        """The rule can judge; the last hint is a line of the solution."""
        if not callable(getattr(self.rule, "judge", None)):
            raise checks.refuse("Exercise.rule", self.rule, "give a rule with judge(answer)")
        if self.hints.first_line not in self.solution.code:
            raise checks.refuse("Hints.first_line", self.hints.first_line, "give a line of the worked solution")

    def judge(self, answer: Any) -> Verdict:
        """The rule's verdict; a refused answer, or an error of the learner's code, is a verdict as well."""
        try:
            return self.rule.judge(answer)
        except Exception as error:  # noqa: BLE001 (whatever the learner's code raises is feedback)
            return blame(error, answer)


@checks.configuration
class Chapter:
    """The predictions and exercises of one chapter; every id begins with the chapter's number."""

    number: str = checks.text()
    title: str = checks.text()
    predictions: tuple[Question, ...] = checks.checked(tuple_of(Question, "predictions"), default=())
    exercises: tuple[Exercise, ...] = checks.checked(tuple_of(Exercise, "exercises"), default=())

    def check(self) -> None:
        """Ids are different and belong to the chapter."""
        ids = self.ids
        for name in ids:
            if not name.startswith(f"{self.number}.") or ids.count(name) > 1:
                raise checks.refuse("Chapter.ids", name, f"give ids that begin with '{self.number}.', each once")

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of predictions, then exercises."""
        return (*(entry.id for entry in self.predictions), *(entry.id for entry in self.exercises))

    def prediction(self, name: str) -> Question:
        """The prediction with this id; `UnknownNameError` tells the nearest."""
        for entry in self.predictions:
            if entry.id == name:
                return entry
        raise UnknownNameError("prediction", name, (entry.id for entry in self.predictions))

    def exercise(self, name: str) -> Exercise:
        """The exercise with this id; `UnknownNameError` tells the nearest."""
        for entry in self.exercises:
            if entry.id == name:
                return entry
        raise UnknownNameError("exercise", name, (entry.id for entry in self.exercises))
