"""Rules judge purely, name the idea behind a typical mistake, and never pass what they do not understand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.course import Choices, Needed, Number, Option, Slip, Words, WrongIdea, WrongWords, exactly, near, slip
from edasim.course.rules import says
from edasim.errors import ConfigurationError, StateError

TREE = Choices(
    options=(
        Option(text="Oak"),
        Option(text="Elm", idea="It looks like one.", names=WrongIdea.ONE_RUN_SHOWS),
        Option(text="a", idea="A letter."),
    ),
    right="Oak",
)


class TestChoices:
    @pytest.mark.parametrize("answer", ["Oak", "oak ", "OAK"])
    def test_the_right_option_passes(self, answer):
        assert TREE.judge(answer).passed

    def test_a_letter_means_the_option_in_that_place(self):
        assert TREE.kept("b") == "Elm"

    def test_an_option_that_is_a_letter_means_itself(self):
        assert TREE.kept("a") == "a"

    def test_a_wrong_option_brings_its_idea_and_the_wrong_idea_of_the_course(self):
        verdict = TREE.judge("Elm")
        assert not verdict.passed
        assert verdict.mistake == "It looks like one. (A familiar idea: “One run shows it.”)"

    @pytest.mark.parametrize("answer", ["Ash", "", "d", 1, None, ["Oak"]])
    def test_anything_else_is_refused_with_the_options(self, answer):
        with pytest.raises(ConfigurationError, match=r"a\) Oak, b\) Elm"):
            TREE.judge(answer)

    def test_open_choices_cannot_be_judged_until_the_truth_is_known(self):
        question = Choices(options=(Option(text="up"), Option(text="down")))
        with pytest.raises(StateError, match="truth"):
            question.judge("up")
        assert question.with_truth("down").judge("down").passed

    @pytest.mark.parametrize(
        ("options", "right", "problem"),
        [
            (("one",), "one", "two to eight"),
            (("one", "one"), "one", "different"),
            (tuple("abcdefghi"), "a", "two to eight"),
            (("one", "two"), "three", "Choices.right"),
        ],
    )
    def test_bad_choices_are_refused_at_construction(self, options, right, problem):
        with pytest.raises(ConfigurationError, match=problem):
            Choices(options=tuple(Option(text=text) for text in options), right=right)


WAIT = near(0.08, "s", slips=(slip(0.1, "That is the response."),))


class TestNumber:
    @pytest.mark.parametrize("answer", [0.08, 0.0815, "80 ms", "0.079"])
    def test_near_the_truth_passes(self, answer):
        assert WAIT.judge(answer).passed

    def test_a_typical_number_brings_its_idea(self):
        assert WAIT.judge("100 ms").mistake == "That is the response."

    @pytest.mark.parametrize(("answer", "way"), [(0.05, "too small"), (0.3, "too large")])
    def test_any_other_number_says_which_way(self, answer, way):
        verdict = WAIT.judge(answer)
        assert (verdict.passed, verdict.mistake) == (False, None)
        assert way in verdict.message

    def test_right_digits_in_the_wrong_unit_are_recognised(self):
        verdict = WAIT.judge(80)
        assert not verdict.passed
        assert "1000" in verdict.message
        assert verdict.mistake == "The digits are right, the unit is not: the question asks for s."

    def test_a_whole_number_is_right_only_as_it_is(self):
        rule = exactly(4, "servers")
        assert rule.judge(4).passed
        assert not rule.judge(4.001).passed

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_passes_exactly_the_interval(self, value):
        assert Number(unit="s", low=-1.0, high=2.0).judge(value).passed == (-1.0 <= value <= 2.0)

    def test_an_open_number_cannot_be_judged_until_the_truth_is_known(self):
        question = Number(unit="ms")
        with pytest.raises(StateError, match="truth"):
            question.judge(80)
        assert question.with_truth(83).judge(80).passed
        assert not question.with_truth(83).judge(60).passed

    @pytest.mark.parametrize(
        "ends", [{"low": 1}, {"low": 2, "high": 1}, {"low": 0, "high": 1, "truth": 2}, {"low": float("nan"), "high": 1}]
    )
    def test_bad_ends_are_refused(self, ends):
        with pytest.raises(ConfigurationError, match="low"):
            Number(unit="s", **ends)

    def test_slips_must_be_slips(self):
        with pytest.raises(ConfigurationError, match="slips"):
            Number(unit="s", low=0, high=1, slips=("a",))
        assert Slip(low=1, high=2, idea="x").names is None


WHY = Words(
    needed=(
        Needed(words=("idle", "free time"), ask="what shrank?"),
        Needed(words=("5 %", "quarter"), ask="by how much?"),
    ),
    wrong=(WrongWords(words=("overload",), idea="Nothing is overloaded."),),
)


class TestWords:
    def test_all_ideas_pass_and_the_check_admits_its_limits(self):
        verdict = WHY.judge("The idleness of the server shrinks to 5% and that is what counts here.")
        assert verdict.passed
        assert "cannot judge your reasoning" in verdict.message

    def test_a_missing_idea_is_asked_for(self):
        assert "by how much?" in WHY.judge("There is far less idle time than there was before all that.").message

    def test_wrong_words_fail_only_if_an_idea_is_missing_and_are_always_spoken_of(self):
        missing = "The queue has an overload because very many more mails arrive now."
        assert WHY.judge(missing).mistake == "Nothing is overloaded."
        complete = WHY.judge(f"{missing} The idle time is a quarter.")
        assert complete.passed
        assert "Did you also mean this? Nothing is overloaded." in complete.message

    def test_a_few_words_are_no_explanation(self):
        assert "at least 8 words" in WHY.judge("idle 5 %").message

    @pytest.mark.parametrize("answer", [None, 5, ["idle 5 %"]])
    def test_an_explanation_is_a_text(self, answer):
        with pytest.raises(ConfigurationError, match="text in quotes"):
            WHY.judge(answer)

    @pytest.mark.parametrize(
        ("text", "word", "found"),
        [
            ("idleness", "idle", True),
            ("bridle", "idle", False),
            ("it is 15 %", "5 %", False),
            ("it is 5%", "5 %", True),
            ("it is 0.05", "0.05", True),
            ("it is 0.055", "0.05", False),
            ("free\n  time", "free time", True),
            ("from 2.5 to 4", "5", False),
        ],
    )
    def test_words_are_found_at_their_beginning_and_numbers_alone(self, text, word, found):
        assert says(text, (word,)) is found
