"""Chapter 00's own rules: what is run before it is judged, and which mistakes are named."""

import re

import pytest

from edasim import experiments
from edasim.course.chapters import ch00
from edasim.course.trust_trials import WAIT, as_numbers
from edasim.experiments import replicate
from edasim.labs.trust_lab import mail_service
from edasim.theory import paired_interval


def luck_of_their_own(a, b, n):
    """The interval of two systems that did not meet the same seeds."""
    return paired_interval(replicate(a, n, WAIT).of(), replicate(b, n, WAIT, seed=1).of())


def spread_of_pairs(a, b, n):
    """The interval of a single difference instead of that of the mean."""
    paired = experiments.compare(a, b, n, WAIT).difference()
    return paired.mean, paired.half_width * n**0.5


class TestExercisesOfChapter00:
    @pytest.mark.long
    def test_the_pilot_is_the_first_ten_runs_of_a(self):
        runs = replicate(mail_service({"load": 0.9, "messages": 1000}, 0.0), 600, WAIT)
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

    @pytest.mark.long
    @pytest.mark.parametrize(
        ("compare", "idea"),
        [
            (luck_of_their_own, "as if the two had nothing in common"),
            (lambda a, b, n: replicate(b, n, WAIT).minus(replicate(a, n, WAIT)), "That is b - a"),
            (lambda a, b, n: experiments.compare(a, b, n, WAIT, seed=9).difference(), "Use the seeds"),
            (spread_of_pairs, "how far single pairs scatter"),
        ],
    )
    def test_each_typical_comparison_is_answered_with_its_idea(self, compare, idea):
        verdict = ch00.COMPARE.judge(compare)
        assert not verdict.passed
        assert idea in verdict.mistake

    @pytest.mark.long
    def test_an_interval_a_pair_of_numbers_and_a_comparison_are_all_read(self):
        for compare in (
            lambda a, b, n: experiments.compare(a, b, n, WAIT),
            lambda a, b, n: experiments.compare(a, b, n, WAIT).difference(),
            lambda a, b, n: as_numbers(experiments.compare(a, b, n, WAIT)),
        ):
            assert ch00.COMPARE.judge(compare).passed

    def test_what_is_no_interval_is_refused_in_words(self):
        verdict = ch00.COMPARE.judge(lambda a, b, n: 0.05)
        assert not verdict.passed
        assert "return an interval, or its mean and half-width as a pair" in verdict.message
