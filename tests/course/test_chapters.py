"""Each chapter's data keeps its promises: solutions pass, hints lead there, typical mistakes are named."""

import ast
import re

import pytest

from edasim import experiments
from edasim.course import Choices, FunctionRule, Kind, Number, Words, chapters
from edasim.course.chapters import ch00, ch02
from edasim.errors import ConfigurationError, UnknownNameError
from edasim.experiments import Recording, replicate
from edasim.labs.trust_lab import mail_service
from edasim.theory import mg1, mm1, paired_interval

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


def luck_of_their_own(a, b, n):
    """The interval of two systems that did not meet the same seeds."""
    return paired_interval(replicate(a, n, ch00.WAIT).of(), replicate(b, n, ch00.WAIT, seed=1).of())


def spread_of_pairs(a, b, n):
    """The interval of a single difference instead of that of the mean."""
    paired = experiments.compare(a, b, n, ch00.WAIT).difference()
    return paired.mean, paired.half_width * n**0.5


class TestExercisesOfChapter00:
    def test_the_pilot_is_the_first_ten_runs_of_a(self):
        runs = replicate(mail_service({"load": 0.9, "messages": 1000}, 0.0), 600, ch00.WAIT)
        assert tuple(round(1000 * wait_s) for wait_s in runs.of()[:10]) == ch00.PILOT_MS
        assert runs.runs_needed(0.1) == ch00.FROM_ALL_RUNS
        assert "134 ms ± 27 %" in ch00.RUNS.task
        assert ch00.REPEATS == 58

    @pytest.mark.parametrize(
        ("seeds", "said"),
        [((3, 3), "You gave both the same seed"), ([3, 7], "This pair tells the truth"), ((1, 4), None)],
    )
    def test_a_pair_of_seeds_is_run_before_it_is_judged(self, seeds, said):
        verdict = ch00.LIAR.judge(seeds)
        assert verdict.passed == (said is None)
        assert re.fullmatch(r"A with seed \d waits \d+ ms, B with seed \d waits \d+ ms\..*", verdict.message)
        assert said is None or verdict.mistake.startswith(said)

    @pytest.mark.parametrize(
        ("compare", "idea"),
        [
            (luck_of_their_own, "as if the two had nothing in common"),
            (lambda a, b, n: replicate(b, n, ch00.WAIT).minus(replicate(a, n, ch00.WAIT)), "That is b - a"),
            (lambda a, b, n: experiments.compare(a, b, n, ch00.WAIT, seed=9).difference(), "Use the seeds"),
            (spread_of_pairs, "how far single pairs scatter"),
        ],
    )
    def test_each_typical_comparison_is_answered_with_its_idea(self, compare, idea):
        verdict = ch00.COMPARE.judge(compare)
        assert not verdict.passed
        assert idea in verdict.mistake

    def test_an_interval_a_pair_of_numbers_and_a_comparison_are_all_read(self):
        for compare in (
            lambda a, b, n: experiments.compare(a, b, n, ch00.WAIT),
            lambda a, b, n: experiments.compare(a, b, n, ch00.WAIT).difference(),
            lambda a, b, n: as_numbers(experiments.compare(a, b, n, ch00.WAIT)),
        ):
            assert ch00.COMPARE.judge(compare).passed


def test_chapters_are_found_by_their_files():
    assert chapters.numbers() == ("00", "02", "05")
    with pytest.raises(UnknownNameError, match="there is no chapter '01'"):
        chapters.chapter("01")
