"""Each chapter's data keeps its promises: solutions pass, hints lead there, typical mistakes are named."""

import ast

import pytest

from edasim.course import Choices, FunctionRule, Kind, Number, Words, chapters
from edasim.course.chapters import ch02
from edasim.errors import ConfigurationError, UnknownNameError
from edasim.experiments import Recording
from edasim.theory import mg1, mm1

CHAPTERS = [chapters.chapter(number) for number in chapters.numbers()]
PREDICTIONS = [entry for chapter in CHAPTERS for entry in chapter.predictions]
EXERCISES = [entry for chapter in CHAPTERS for entry in chapter.exercises]
by_id = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda entry: entry.id)


def of_rule(kind):
    found = [entry for entry in EXERCISES if isinstance(entry.rule, kind)]
    return pytest.mark.parametrize("exercise", found, ids=lambda entry: entry.id)


@by_id
def test_the_worked_solution_passes_its_own_check(exercise, notebook):
    verdict = exercise.judge(exercise.solution.answer())
    assert verdict.passed, verdict
    assert list(notebook.iterdir()) == []


@by_id
def test_the_last_hint_is_a_line_of_the_solution(exercise):
    lines = [line.strip() for line in exercise.solution.code.splitlines()]
    assert any(line.startswith(exercise.hints.first_line) for line in lines)
    assert ast.parse(exercise.solution.code)


@by_id
def test_nonsense_does_not_pass(exercise):
    for answer in ("", "nonsense", 0, -1, None, [], lambda *_: None, lambda *_: 0):
        assert not exercise.judge(answer).passed


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.number)
def test_each_chapter_predicts_changes_code_and_explains(chapter):
    assert chapter.predictions
    assert {Kind.PREDICT, Kind.CHANGE_CODE, Kind.EXPLAIN} <= {entry.kind for entry in chapter.exercises}
    assert 3 <= len(chapter.exercises) <= 6


@of_rule(Choices)
def test_each_wrong_choice_is_answered_with_its_idea(exercise):
    for option in exercise.rule.options:
        verdict = exercise.judge(option.text)
        assert verdict.passed == (option.text == exercise.rule.right)
        assert verdict.passed or verdict.mistake


@of_rule(Number)
def test_each_typical_number_is_answered_with_its_idea(exercise):
    assert exercise.rule.slips
    for typical in exercise.rule.slips:
        verdict = exercise.judge((typical.low + typical.high) / 2)
        assert not verdict.passed
        assert verdict.mistake.startswith(typical.idea)


@of_rule(FunctionRule)
def test_each_typical_function_is_answered_with_its_idea(exercise):
    assert exercise.rule.slips
    for typical in exercise.rule.slips:
        verdict = exercise.judge(typical.wrong)
        assert not verdict.passed
        assert verdict.mistake.startswith(typical.idea)


@of_rule(Words)
def test_each_needed_idea_is_missed_when_it_is_missing(exercise):
    for need in exercise.rule.needed:
        without = exercise.solution.answer()
        for word in need.words:
            without = without.casefold().replace(word.casefold(), "…")
        assert need.ask in exercise.judge(without).message


@pytest.mark.parametrize("question", PREDICTIONS, ids=lambda entry: entry.id)
def test_each_prediction_has_a_truth_a_reason_and_ideas_behind_wrong_answers(question):
    assert question.truth is not None
    assert question.because
    assert question.question.endswith("?")
    if isinstance(question.answers, Choices):
        assert all(bool(option.idea) == (option.text != question.answers.right) for option in question.answers.options)
    else:
        assert all(
            question.answers.judge((typical.low + typical.high) / 2).mistake for typical in question.answers.slips
        )


class TestNumbersOfChapter02:
    """The chapter's numbers, computed by hand from the closed forms for a service of 20 ms."""

    def test_the_wait_grows_from_80_to_380_milliseconds(self):
        assert ch02.BEFORE.mean_wait_s == pytest.approx(0.8 / (50 - 40))
        assert pytest.approx(4.75) == ch02.GROWTH
        assert "80 ms and is 380 ms: 4.75 times" in ch02.WAIT_AT_95.because

    def test_one_queue_for_four_waits_almost_five_times_less(self):
        assert ch02.APART.mean_wait_s == pytest.approx(9 * 0.020)
        ratio = ch02.SHORTER
        assert ratio == pytest.approx(4.57, abs=0.005)

    def test_four_servers_keep_the_promise_and_three_have_no_steady_state(self):
        assert ch02.servers_for(190.0, 0.020, 0.5) == 4
        with pytest.raises(ConfigurationError, match="load"):
            ch02.mmc(190.0, 50.0, 3)

    def test_speed_beats_steadiness_at_95_percent_and_not_at_half_load(self):
        assert ch02.FASTER.mean_wait_s == pytest.approx(0.115, abs=0.0005)
        assert ch02.STEADIER.mean_wait_s == pytest.approx(0.190)
        assert mm1(25.0, 55.0).mean_wait_s > mg1(25.0, 0.020, 0.0).mean_wait_s

    def test_little_gives_the_missing_column(self):
        assert ch02.AFTER.mean_queue == pytest.approx(0.95**2 / 0.05)
        assert "18.05 mails wait" in ch02.LITTLE.task

    def test_the_recording_gives_the_ratio_of_the_exercise(self, notebook):
        recording = Recording.read("../data/measured/jetstream_mm1_load90_a.csv.gz")
        ratio = recording.predict().predicted_s.mean() / recording.predict(handover_s=0.0).predicted_s.mean()
        assert ratio == pytest.approx(ch02.TRACE_RATIO, abs=0.0005)


def test_chapters_are_found_by_their_files():
    assert {"00", "02", "03", "05", "08"} <= set(chapters.numbers())
    assert chapters.numbers() == tuple(sorted(chapters.numbers()))
    with pytest.raises(UnknownNameError, match="there is no chapter '99'"):
        chapters.chapter("99")
