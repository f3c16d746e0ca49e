"""Learners' code runs on seeds that they have not seen; what goes wrong becomes feedback that names it."""

import random

import pytest

from edasim.course import FunctionRule, FunctionSlip, Number, TrialRule, Verdict, held_out_seeds, measuring
from edasim.course.trials import in_short, same
from edasim.errors import ConfigurationError


def test_held_out_seeds_depend_on_the_exercise_alone_and_are_not_the_first_ones():
    seeds = held_out_seeds("02.servers", 5)
    assert seeds == held_out_seeds("02.servers", 5)
    assert seeds == held_out_seeds("02.servers", 6)[:5]
    assert not set(seeds) & set(held_out_seeds("02.little", 5))
    assert len(set(seeds)) == 5
    assert all(1000 < seed < 2**32 for seed in seeds)


def two_numbers(rng: random.Random):
    return [rng.randrange(1, 50) for _ in range(3)], rng.randrange(2, 9)


SCALED_SUM = FunctionRule(
    exercise="x.scaled",
    cases=two_numbers,
    truth=lambda values, factor: factor * sum(values),
    slips=(FunctionSlip(wrong=lambda values, factor: sum(values), idea="You forgot the factor."),),
)


class TestFunctionRule:
    def test_a_function_that_agrees_passes(self):
        assert SCALED_SUM.judge(lambda values, factor: sum(factor * value for value in values)).passed

    def test_a_function_that_spoils_its_arguments_is_still_judged_by_its_results(self):
        def spoiling(values, factor):
            total = 0
            while values:
                total += values.pop()
            return factor * total

        assert SCALED_SUM.judge(spoiling).passed

    def test_a_typical_wrong_function_is_recognised_by_what_it_returns(self):
        verdict = SCALED_SUM.judge(lambda values, factor: sum(values))
        assert (verdict.passed, verdict.mistake) == (False, "You forgot the factor.")
        assert "your function gives" in verdict.message

    def test_any_other_difference_is_shown_with_its_input(self):
        verdict = SCALED_SUM.judge(lambda values, factor: factor * max(values))
        assert verdict.mistake is None
        assert "right is" in verdict.message

    def test_a_missing_return_is_named(self):
        assert SCALED_SUM.judge(lambda values, factor: None).mistake == "A function without `return` gives None."

    def test_an_error_of_the_learners_code_is_shown_with_its_line(self):
        def broken(values, factor):
            return values["first"] * factor

        message = SCALED_SUM.judge(broken).message
        assert message.startswith("Your code raised TypeError")
        assert message.endswith('return values["first"] * factor')

    def test_wrong_parameters_are_feedback_too(self):
        assert "Your code raised TypeError" in SCALED_SUM.judge(lambda values: 0).message

    def test_a_result_instead_of_a_function_is_refused(self):
        with pytest.raises(ConfigurationError, match="without brackets"):
            SCALED_SUM.judge(42)


class Queue:
    """A scenario as far as a check needs one: its run is the wait that a seed leads to."""

    def __init__(self, wait_s):
        self.wait_s = wait_s

    def run(self, *, seed, until_s):
        return self.wait_s * (1 + seed % 7 / 100) * until_s / 60


PROMISE = TrialRule(
    exercise="x.promise",
    trial=measuring(lambda run: run, Number(unit="s", low=0.0, high=0.5), until_s=60.0, what="the p95 wait"),
    seeds=5,
)


class TestTrialRule:
    def test_a_scenario_that_keeps_the_promise_on_every_seed_passes(self):
        verdict = PROMISE.judge(Queue(0.4))
        assert verdict.passed
        assert verdict.message == "It holds on 5 of 5 seeds that you have not seen."

    def test_a_scenario_that_breaks_it_is_told_the_number(self):
        verdict = PROMISE.judge(Queue(0.6))
        assert not verdict.passed
        assert verdict.message.startswith("The p95 wait came out as 0.6")
        assert verdict.message.endswith("It holds on 0 of 5 seeds that you have not seen.")

    def test_a_function_of_the_seed_is_judged_as_well(self):
        assert PROMISE.judge(lambda seed: 0.1).passed

    def test_luck_on_some_seeds_is_not_enough_unless_it_is_said(self):
        seeds = held_out_seeds("x.promise", 5)

        def three_of_five(seed):
            return 0.1 if seed in seeds[:3] else 0.9

        assert not PROMISE.judge(three_of_five).passed
        lenient = TrialRule(exercise="x.promise", trial=PROMISE.trial, seeds=5, needed=3)
        assert lenient.judge(three_of_five).passed

    def test_each_held_out_seed_is_tried_once(self):
        tried = []

        def note(answer, seed):
            tried.append(seed)
            return Verdict(True, "yes")

        TrialRule(exercise="x.note", trial=note, seeds=7).judge("anything")
        assert tuple(tried) == held_out_seeds("x.note", 7)

    def test_errors_are_feedback(self):
        def broken(seed):
            return 1 / (seed - seed)

        message = PROMISE.judge(broken).message
        assert "Your code raised ZeroDivisionError: division by zero" in message
        assert "return 1 / (seed - seed)" in message
        assert "edasim refused: answer is 42" in PROMISE.judge(42).message

    def test_no_more_can_be_needed_than_are_tried(self):
        with pytest.raises(ConfigurationError, match=r"TrialRule\.needed is 6"):
            TrialRule(exercise="x.y", trial=PROMISE.trial, seeds=5, needed=6)


def test_results_are_compared_entry_by_entry():
    assert same((1.0, [2.0, 3.0]), [1.0 + 1e-9, (2.0, 3.0)], 1e-6)
    assert not same([1.0], [1.0, 1.0], 1e-6)
    assert not same(1.0, 1.1, 1e-6)
    assert same("a", "a", 1e-6)
    assert not same("a", 1.0, 1e-6)


def test_values_are_shown_short():
    assert in_short([1.0, 2.5, 3, 4, 5]) == "[1, 2.5, 3, 4, …]"
    assert in_short((1, "a")) == "(1, 'a')"
    assert in_short(True) == "True"
