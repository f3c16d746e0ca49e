"""A chapter's data is refused at construction if it does not hang together."""

import dataclasses

import pytest

from edasim.course import Chapter, Exercise, Hints, Kind, Question, Solution, WrongIdea, exactly
from edasim.errors import ConfigurationError

HINTS = Hints(question="How many?", pointer="Count.", first_line="answer = 4")
GOOD = {
    "id": "90.four",
    "kind": Kind.CALCULATE,
    "task": "Count the wheels.",
    "rule": exactly(4, "wheels"),
    "hints": HINTS,
    "solution": Solution(code="answer = 4\n", because="It is a car."),
}


def test_an_exercise_is_frozen_and_judges():
    exercise = Exercise(**GOOD)
    assert exercise.judge(4).passed
    with pytest.raises(dataclasses.FrozenInstanceError):
        exercise.task = "other"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": "four"}, "Exercise.id"),
        ({"id": "90.a b"}, "Exercise.id"),
        ({"kind": "guess"}, "give one of 'predict', 'calculate', 'change code', 'explain'"),
        ({"task": " "}, "Exercise.task"),
        ({"rule": 4}, "judge"),
        ({"solution": Solution(code="answer = 5", because="?")}, "a line of the worked solution"),
    ],
)
def test_what_does_not_hang_together_is_refused(changes, problem):
    with pytest.raises(ConfigurationError, match=problem):
        Exercise(**GOOD | changes)


def test_the_first_hint_asks():
    with pytest.raises(ConfigurationError, match="question mark"):
        Hints(question="Count them.", pointer="Count.", first_line="answer = 4")


def test_a_chapters_ids_belong_to_it_and_are_different():
    exercise = Exercise(**GOOD)
    assert Chapter(number="90", title="Cars", exercises=(exercise,)).ids == ("90.four",)
    with pytest.raises(ConfigurationError, match=r"begin with '91\.'"):
        Chapter(number="91", title="Cars", exercises=(exercise,))
    with pytest.raises(ConfigurationError, match="each once"):
        Chapter(number="90", title="Cars", exercises=(exercise, exercise))


def test_a_question_needs_answers_to_choose_from_or_a_number():
    with pytest.raises(ConfigurationError, match="Choices or a Number"):
        Question(id="90.q", question="How many?", answers=["one", "two"])


def test_there_are_thirty_wrong_ideas_each_in_a_sentence():
    assert len(WrongIdea) == 30
    assert all(idea.value.endswith(".") for idea in WrongIdea)
