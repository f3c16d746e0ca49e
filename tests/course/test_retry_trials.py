"""Chapter 11's trials: what repairs the storm, which bucket, which breaker, and what is said of those that do not."""

import pytest

from edasim import course
from edasim.course.retry_trials import HALF, RETRY, breaker_trial, bucket_trial, repair_trial, trips
from edasim.errors import ConfigurationError
from edasim.governance import CircuitBreaker, ShareOfFresh, TokenBucket
from edasim.services.calls import Protections


def storm(**given):
    return HALF.but(protections=Protections(**{"timeout_s": 1.0, "retry": RETRY} | given))


@pytest.mark.rule("RP-01")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (HALF, "The queue must drain first"),
        (storm(budget=ShareOfFresh(ratio=0.1, reserve_per_s=0.0)), "ten minutes too slow"),
        (HALF.but(stale="dropped"), "too many all the same"),
        (storm(breaker=CircuitBreaker()), "opens too late"),
        (storm(retry=None), "Keep them, and tame them"),
        (HALF.but(capacity_per_s=500.0), "not to be had at 03:01"),
        (storm(timeout_s=60.0), "not to be had at 03:01"),
    ],
)
def test_what_does_not_repair_the_storm_is_told_why(answer, told):
    verdict = repair_trial(answer, 1)
    assert not verdict.passed
    assert told in verdict.mistake


def test_a_short_queue_repairs_it_as_well():
    assert repair_trial(HALF.but(room=40), 1).passed


@pytest.mark.rule("GV-30")
@pytest.mark.parametrize(
    ("rate_per_s", "burst", "told"),
    [
        (12.5, 50, None),
        (25.0, 50, None),
        (12.4, 50, "not full again"),
        (15.0, 49, "fewer tokens than a page"),
        (26.0, 50, "burst + rate × time"),
    ],
)
def test_a_bucket_has_a_least_and_a_most_rate(rate_per_s, burst, told):
    verdict = bucket_trial(TokenBucket(rate_per_s=rate_per_s, burst=burst), 1)
    assert verdict.passed == (told is None)
    assert told is None or told in verdict.mistake


@pytest.mark.rule("GV-10")
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"window_size": 20, "minimum_calls": 20}, None),
        ({"window_size": 10, "minimum_calls": 5, "failure_rate_ratio": 0.2}, "by chance with probability 0.23"),
        ({}, "more failed calls than come in ten seconds"),
    ],
)
def test_a_breaker_is_neither_nervous_nor_slow(fields, told):
    verdict = breaker_trial(CircuitBreaker(**fields), 1)
    assert verdict.passed == (told is None)
    assert told is None or told in verdict.mistake


def test_the_chance_of_a_false_trip_by_hand():
    """5 calls, of which one failed is enough for 20 %: 1 - 0.95 ** 5."""
    assert trips(0.05, 5, 0.2) == pytest.approx(1 - 0.95**5)


@pytest.mark.parametrize("trial", [repair_trial, bucket_trial, breaker_trial])
def test_another_kind_of_answer_is_refused(trial):
    with pytest.raises(ConfigurationError):
        trial(7, 1)


@pytest.mark.parametrize(
    ("exercise", "answer", "told"),
    [
        ("11.repair", HALF.protections, "Put them into the storm"),
        ("11.breaker", CircuitBreaker(window_size=10, minimum_calls=10), "7,200 times an hour"),
        (
            "11.breaker",
            CircuitBreaker(window_size=20, minimum_calls=20, slow_call_s=0.001),
            "counts as slow",
        ),
        ("11.backoff", lambda failed, draw, first_s, cap_s: min(cap_s, first_s * 2 ** (failed - 1)) + draw, "added"),
        ("11.backoff", lambda failed, draw, first_s, cap_s: draw * min(cap_s, first_s * failed), "double"),
        ("11.why", "More retries and a longer timeout, please, so that everybody is served.", "feed the circle"),
    ],
)
def test_a_typical_mistake_is_named(exercise, answer, told):
    verdict = course.solution(exercise).exercise.judge(answer)
    assert not verdict.passed
    assert told in verdict.mistake
