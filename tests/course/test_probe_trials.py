"""Chapter 10's functions against counts that can be made by hand."""

import math
import random

import pytest

from edasim import course
from edasim.course.probe_trials import a_lossy_network, beats, failed
from edasim.governance import Probe


@pytest.mark.rule("GV-04")
def test_a_crash_costs_the_middle_of_the_least_and_the_most():
    least_s, most_s = Probe(period_s=10.0, failure_threshold=3, timeout_s=1e-9).detection_s
    assert failed(100.0, 5, 10.0, 3) == pytest.approx(20.0 * (least_s + most_s) / 2)


@pytest.mark.rule("GV-01")
def test_a_lease_spans_the_fewest_heartbeats_that_are_enough():
    assert beats(0.1, 0.001) == 3
    rng = random.Random(1)
    for _ in range(200):
        lost_ratio, allowed_ratio = a_lossy_network(rng)
        n = beats(lost_ratio, allowed_ratio)
        assert lost_ratio**n <= allowed_ratio < lost_ratio ** (n - 1)


def counted_up(lost_ratio, allowed_ratio):
    n = 1
    while lost_ratio**n > allowed_ratio:
        n += 1
    return n


@pytest.mark.parametrize(
    ("exercise", "answer", "told"),
    [
        ("10.lease", counted_up, None),
        ("10.lease", lambda lost, allowed: counted_up(lost, allowed) + 1, "one fewer is enough"),
        ("10.lease", lambda lost, allowed: math.log(allowed) / math.log(lost), "whole heartbeats"),
        ("10.lease", lambda lost, allowed: int(math.log(allowed) / math.log(lost)), "One too few"),
        ("10.failed", lambda rate, n, period_s, k: rate / n * k * period_s / 2, "halved every wait"),
        ("10.failed", lambda rate, n, period_s, k: rate / n * (k + 0.5) * period_s, "one probe too many"),
        ("10.failed", lambda rate, n, period_s, k: rate / (n - 1) * (k - 0.5) * period_s, "does not know yet"),
        ("10.failed", lambda rate, n, period_s, k: round(rate / n * (k - 0.5) * period_s), "You rounded"),
        ("10.config", 30, "liveness"),
        ("10.config", 11, "timeout of 1 s"),
        ("10.config", 17, "three in a row"),
        ("10.why", "It asks only every 10 s, must fail thrice, and we will shorten that to 2 s.", None),
    ],
)
def test_a_right_answer_passes_and_a_typical_mistake_is_named(exercise, answer, told):
    verdict = course.solution(exercise).exercise.judge(answer)
    assert verdict.passed == (told is None)
    assert told is None or told in verdict.mistake
