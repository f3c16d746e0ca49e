"""A learner's way through a chapter: commit, see, check, ask for hints, look at the solution, look back."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest

from edasim import course
from edasim.course import record
from edasim.course.answers import WIDGET_VIEW
from edasim.errors import ConfigurationError, StateError, UnknownNameError

WAIT = "02.wait_at_95"


def kept(folder):
    return json.loads((folder / record.FILE_NAME).read_text(encoding="utf-8"))


class TestPredict:
    def test_the_text_asks_and_lists_the_choices_whatever_was_answered_before(self, notebook):
        before = str(course.predict(WAIT))
        assert before.splitlines()[0].startswith("? Your prediction: Load goes from 80 % to 95 %")
        assert "  b) 19 % longer" in before.splitlines()
        course.predict(WAIT, answer="twice as long")
        assert str(course.predict(WAIT)) == before

    def test_asking_writes_nothing(self, notebook):
        str(course.predict(WAIT))
        assert list(notebook.iterdir()) == []

    @pytest.mark.parametrize("answer", ["19 % longer", "b", " 19 % LONGER "])
    def test_an_answer_is_committed_in_the_notebooks_folder(self, notebook, answer):
        said = course.predict(WAIT, answer=answer)
        assert "You said: 19 % longer. Keep that in mind." in str(said)
        assert kept(notebook)["predictions"] == {WAIT: {"answer": "19 % longer"}}

    def test_the_first_answer_counts(self, notebook):
        course.predict(WAIT, answer="b")
        course.predict(WAIT, answer="19 % longer")
        with pytest.raises(StateError, match=r"already said '19 % longer'.*start_over\('02'\)"):
            course.predict(WAIT, answer="d")
        course.start_over("02")
        course.predict(WAIT, answer="d")
        assert kept(notebook)["predictions"][WAIT]["answer"] == "almost five times as long"

    def test_a_number_is_kept_in_its_unit(self, notebook):
        said = course.predict("02.pooling", answer="4 times")
        assert "You said: 4 times." in str(said)
        assert "a number in times" in str(said)

    @pytest.mark.parametrize("answer", ["a lot", "e", 3])
    def test_an_answer_that_is_no_choice_is_refused_and_not_kept(self, notebook, answer):
        with pytest.raises(ConfigurationError, match=r"choose one of: a\) about the same"):
            course.predict(WAIT, answer=answer)
        assert list(notebook.iterdir()) == []

    def test_html_says_the_same_as_the_text_and_the_bundle_has_a_form(self, notebook):
        bundle = course.predict(WAIT)._repr_mimebundle_()
        assert set(bundle) == {"text/plain", "text/html", WIDGET_VIEW}
        for line in bundle["text/plain"].splitlines():
            assert line.strip() in bundle["text/html"]

    def test_an_unknown_prediction_tells_the_nearest(self, notebook):
        with pytest.raises(UnknownNameError, match=r"did you mean '02\.wait_at_95'"):
            course.predict("02.wait_at_59")


class TestReveal:
    def test_what_was_said_stands_beside_what_is_with_the_idea_behind_it(self, notebook):
        course.predict(WAIT, answer="b")
        shown = str(course.predict.reveal(WAIT))
        assert shown.splitlines()[:3] == [
            "✗ Not what you said",
            "You said: 19 % longer.",
            "It is: almost five times as long.",
        ]
        assert "The idea behind your answer: The wait grows in step with the work." in shown
        assert "Why: The wait answers to the idle time" in shown
        assert "  twice as long: The wait bends upward" in shown
        assert "  19 % longer:" not in shown

    def test_a_right_answer_is_told_so(self, notebook):
        course.predict(WAIT, answer="d")
        revealed = course.predict.reveal(WAIT)
        assert revealed.verdict.passed
        assert str(revealed).startswith("✓ Your prediction was right")

    def test_without_an_answer_it_says_so_and_still_reveals(self, notebook):
        shown = str(course.predict.reveal(WAIT))
        assert "You have not committed to an answer" in shown
        assert "It is: almost five times as long." in shown
        assert "19 % longer: The wait grows in step with the work." in shown

    def test_a_run_may_bring_the_truth_and_the_reason(self, notebook):
        course.predict("02.pooling", answer=4)
        shown = str(course.predict.reveal("02.pooling", truth=4.61, because="ten runs say so"))
        assert "It is: 4.61 times." in shown
        assert "Why: ten runs say so" in shown
        assert "The idea behind your answer: Four servers, so a quarter of the wait." in shown
        assert "around 1 time: Only the load counts" in shown
        assert "around 4 times" not in shown

    def test_both_sides_stand_beside_each_other_in_html(self, notebook):
        course.predict(WAIT, answer="b")
        html = course.predict.reveal(WAIT)._repr_html_()
        assert ">You said: 19 % longer.</div><div" in html


class TestQuestionsOfATeachersOwn:
    def test_choices_with_ideas(self, notebook):
        mine = course.predict("mine.coin", "Heads?", {"yes": "It looks <heavy>.", "no": ""}, answer="yes")
        shown = course.predict.reveal(mine, truth="no", because="it fell so")
        assert "The idea behind your answer: It looks <heavy>." in str(shown)
        assert "&lt;heavy&gt;" in shown._repr_html_()
        assert kept(notebook)["predictions"] == {"mine.coin": {"answer": "yes"}}

    def test_plain_choices(self, notebook):
        mine = course.predict("mine.coin", "Heads?", ["yes", "no"])
        assert str(course.predict.reveal(mine, truth="no", because="so")).count("\n") == 3

    def test_numbers(self, notebook):
        mine = course.predict.number("mine.wait", "How long?", "s", answer="900 ms")
        revealed = course.predict.reveal(mine, truth=0.95)
        assert revealed.verdict.passed
        assert "You said: 0.9 s." in str(revealed)

    def test_nobody_can_reveal_what_nobody_has_said(self, notebook):
        with pytest.raises(StateError, match="give truth="):
            course.predict.reveal(course.predict("mine.coin", "Heads?", ["yes", "no"]))


class TestCheck:
    def test_without_an_answer_it_shows_the_task(self, notebook):
        feedback = course.check("02.servers")
        assert not feedback.passed
        assert str(feedback).startswith("? Exercise 02.servers (calculate)\n190 mails arrive per second")
        assert str(course.check("02.servers", ...)) == str(feedback)

    def test_a_right_answer_passes_and_is_kept(self, notebook):
        feedback = course.check("02.servers", 4)
        assert feedback.passed
        assert str(feedback).startswith("✓ 02.servers: passed")
        assert kept(notebook)["passed"] == ["02.servers"]

    def test_a_typical_mistake_is_named_and_nothing_is_kept(self, notebook):
        feedback = course.check("02.servers", 3)
        assert feedback.mistake.startswith("Three servers do 150 mails a second")
        assert str(feedback).startswith("✗ 02.servers: not yet")
        assert "course.hint('02.servers')" in str(feedback)
        assert list(notebook.iterdir()) == []

    @pytest.mark.parametrize("answer", ["a few", None, [4], {"servers": 4}, float("nan"), object(), True])
    def test_an_answer_of_the_wrong_kind_is_feedback_and_no_traceback(self, notebook, answer):
        feedback = course.check("02.servers", answer)
        assert not feedback.passed
        assert "edasim refused: answer is" in feedback.message

    def test_an_answer_that_raises_when_it_is_looked_at_is_feedback(self, notebook):
        class Rude(str):
            __slots__ = ()

            def strip(self):
                raise RuntimeError("do not touch me")

        assert (
            "Your code raised RuntimeError: do not touch me" in course.check("02.repair", Rude("10 % faster")).message
        )

    def test_sign_and_word_tell_what_the_colour_tells(self, notebook):
        assert "✓ 02.servers: passed" in course.check("02.servers", 4)._repr_html_()
        assert "✗ 02.servers: not yet" in course.check("02.servers", 3)._repr_html_()

    def test_a_broken_progress_file_does_not_hide_the_feedback(self, notebook):
        (notebook / record.FILE_NAME).write_text("{", encoding="utf-8")
        feedback = course.check("02.servers", 4)
        assert feedback.passed
        assert "Not kept: the progress file .edasim-progress.json cannot be read" in str(feedback)

    @pytest.mark.parametrize(
        ("name", "error", "words"),
        [
            ("02.server", UnknownNameError, "did you mean '02.servers'"),
            ("99.servers", UnknownNameError, "there is no chapter '99'; known: 00, 02"),
            ("servers", ConfigurationError, "such as '02.servers'"),
            (2, ConfigurationError, "such as '02.servers'"),
        ],
    )
    def test_an_unknown_exercise_tells_the_nearest(self, notebook, name, error, words):
        with pytest.raises(error) as caught:
            course.check(name, 4)
        assert words in str(caught.value)

    def test_an_exercise_of_a_teachers_own_is_checked_without_a_chapter(self, notebook):
        mine = dataclasses.replace(course.solution("02.little").exercise, id="mine.little")
        assert course.check(mine, "380 ms").passed
        assert course.hint(mine).shown == 1
        assert kept(notebook)["passed"] == ["mine.little"]


class TestHintsAndSolution:
    def test_each_call_shows_one_more_step_and_then_stays(self, notebook):
        shown = [course.hint("02.servers") for _ in range(4)]
        assert [hint.shown for hint in shown] == [1, 2, 3, 3]
        steps = [str(hint) for hint in shown]
        assert "1. a question:" in steps[0]
        assert "2. a pointer:" not in steps[0]
        assert "2. a pointer:" in steps[1]
        assert "3. the first line: station = mmc" in steps[2]
        assert "course.solution('02.servers') is next" in steps[2]

    def test_each_exercise_has_its_own_count(self, notebook):
        course.hint("02.servers")
        assert course.hint("02.little").shown == 1

    def test_the_solution_is_folded_and_whole(self, notebook):
        worked = course.solution("02.servers")
        html = worked._repr_html_()
        assert "<details><summary>Worked solution</summary><pre" in html
        assert "<details open" not in html
        assert "answer = 4" in html
        assert worked.exercise.solution.code.strip() in str(worked)


class TestProgress:
    def test_progress_counts_what_was_done_in_this_folder(self, notebook):
        assert (course.progress("02").committed, course.progress("02").passed) == (0, 0)
        course.predict(WAIT, answer="b")
        course.check("02.servers", 4)
        course.check("02.little", 1)
        course.hint("02.little")
        done = course.progress("02")
        assert (done.committed, done.passed, done.complete) == (1, 1, False)
        lines = str(done).splitlines()
        assert lines[1] == "1 of 2 predictions committed, 1 of 6 exercises passed."
        assert "  ✓ passed: 02.servers, calculate" in lines
        assert "  – open: 02.little, calculate, 1 hint" in lines

    def test_starting_over_forgets_one_chapter(self, notebook):
        course.check("02.servers", 4)
        course.check("05.bottleneck", 35.6)
        assert course.start_over("02").passed == 0
        assert course.progress("05").passed == 1

    @pytest.mark.parametrize("number", ["2", "ch02", "99"])
    def test_an_unknown_chapter_is_an_error(self, notebook, number):
        with pytest.raises(UnknownNameError, match=r"known: 00, 02|did you mean '\d2'"):
            course.progress(number)


def test_nothing_needs_a_network_or_ipywidgets_until_a_form_is_shown(notebook):
    program = """
import socket, sys
def refuse(*_, **__): raise AssertionError("the course opened a socket")
socket.socket.connect = refuse
from edasim import course
print(course.predict("02.wait_at_95", answer="d"), course.predict.reveal("02.wait_at_95"))
print(course.check("02.servers", 4))
print(course.hint("05.sender"), course.solution("00.compare"), course.progress("02"))
heavy = {"ipywidgets", "pandas", "matplotlib", "networkx"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in notebook.iterdir()] == [record.FILE_NAME]
