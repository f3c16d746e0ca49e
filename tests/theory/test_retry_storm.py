"""The storm of retries without chance: published numbers, a story by hand, laws, and the way back."""

import dataclasses

import numpy as np
import pytest

from edasim.errors import ConfigurationError
from edasim.theory import RetryStorm, StormRegion

LOADS_PER_S = (60.0, 70.0, 80.0, 90.0)
THREE = RetryStorm(retries=3)
BUDGETED = RetryStorm(retries=3, budget_ratio=0.1)


def a_minute_later(storm, load_per_s, after_s=60.0):
    at_s = storm.fault_at_s + storm.fault_s + after_s
    course = dataclasses.replace(storm, requests_per_s=load_per_s).course(at_s + 1.0)
    return round(course.mean("goodput_per_s", at_s, at_s + 1.0), 6)


@pytest.mark.rule("RP-01")
@pytest.mark.parametrize("step_s", [1.0, 0.1])
@pytest.mark.parametrize(
    ("storm", "goodput_per_s"),
    [(RetryStorm(), [60.0, 70.0, 80.0, 90.0]), (THREE, [0.0, 0.0, 0.0, 0.0]), (BUDGETED, [60.0, 70.0, 0.0, 0.0])],
    ids=["no retries", "three retries", "three retries within a tenth"],
)
def test_goodput_a_minute_after_the_fault(storm, goodput_per_s, step_s):
    """Capacity 100 per s, cut to 30 for 10 s; whatever the step of the recurrence."""
    fine = dataclasses.replace(storm, step_s=step_s)
    assert [a_minute_later(fine, load_per_s) for load_per_s in LOADS_PER_S] == goodput_per_s


def test_a_budget_that_was_saved_up_makes_it_slow_not_metastable():
    """At 80 per s a tenth of retries leaves room, but the deposits of the minute before go into the fault at once."""
    assert a_minute_later(BUDGETED, 80.0, after_s=60.0) == 0.0
    assert a_minute_later(BUDGETED, 80.0, after_s=90.0) == 80.0
    assert a_minute_later(dataclasses.replace(BUDGETED, budget_kept_s=10.0), 80.0) == 80.0
    assert a_minute_later(THREE, 60.0, after_s=300.0) == 0.0


def test_two_requests_a_second_one_second_of_fault_and_a_capacity_of_three():
    """By hand: what waited over the fault is given up and served in vain, with one retry for ever."""
    small = RetryStorm(
        requests_per_s=2.0, capacity_per_s=3.0, fault_capacity_per_s=0.0, fault_at_s=1.0, fault_s=1.0, step_s=1.0
    )
    calm, storm = small.course(5.0), dataclasses.replace(small, retries=1).course(5.0)
    assert calm.goodput_per_s.tolist() == [2.0, 0.0, 1.0, 2.0, 2.0]
    assert calm.throughput_per_s.tolist() == [2.0, 0.0, 3.0, 3.0, 2.0]
    assert calm.waiting.tolist() == [0.0, 2.0, 1.0, 0.0, 0.0]
    assert storm.attempts_per_s.tolist() == [2.0, 2.0, 4.0, 3.5, 4.0]
    assert storm.goodput_per_s.tolist() == [2.0, 0.0, 1.0, 0.0, 0.0]
    assert storm.waiting.tolist() == [0.0, 2.0, 3.0, 3.5, 4.5]


def test_a_full_queue_refuses_and_the_refused_come_again_a_step_later():
    full = RetryStorm(
        requests_per_s=4.0, capacity_per_s=1.0, fault_s=0.0, timeout_s=9.0, retries=1, room=2.0, step_s=1.0
    ).course(3.0)
    assert full.attempts_per_s.tolist() == pytest.approx([4.0, 4.0 + 2.0, 4.0 + 4.0 * 5 / 6])
    assert full.waiting.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("storm", [RetryStorm(), THREE, BUDGETED, dataclasses.replace(THREE, wait_s=0.5)])
def test_all_that_is_sent_is_served_or_waits(storm):
    course = storm.course(150.0)
    sent, served = (float(rate.sum()) * course.step_s for rate in (course.attempts_per_s, course.throughput_per_s))
    assert sent == pytest.approx(served + course.waiting[-1])
    assert (course.goodput_per_s <= course.throughput_per_s + 1e-9).all()
    assert (course.attempts_per_s <= storm.requests_per_s * (1 + storm.retries) + 1e-6).all()


def test_loads_are_stable_vulnerable_or_overloaded():
    regions = {load: dataclasses.replace(THREE, requests_per_s=load).region for load in (25.0, 26.0, 100.0, 101.0)}
    assert list(regions.values()) == [
        StormRegion.STABLE, StormRegion.VULNERABLE, StormRegion.VULNERABLE, StormRegion.OVERLOADED,
    ]  # fmt: skip
    assert (BUDGETED.amplification, THREE.amplification, RetryStorm().amplification) == (1.1, 4.0, 1.0)


def test_a_stable_load_outlives_every_fault_and_a_higher_load_falls_to_a_shorter_one():
    quick = dataclasses.replace(THREE, fault_at_s=5.0)
    tipping_s = [
        dataclasses.replace(quick, requests_per_s=load).tipping_fault_s(after_s=100.0, most_s=8.0)
        for load in (20.0, 40.0, 60.0, 90.0)
    ]
    assert tipping_s[0] is None
    assert sorted(tipping_s[1:], reverse=True) == tipping_s[1:]
    at_90 = dataclasses.replace(quick, requests_per_s=90.0, fault_s=tipping_s[-1])
    assert not at_90.course(120.0).is_back(120.0)
    assert dataclasses.replace(at_90, fault_s=tipping_s[-1] - 0.1).course(120.0).is_back(120.0)
    assert dataclasses.replace(at_90, requests_per_s=120.0).tipping_fault_s(after_s=20.0, most_s=2.0) == 0.0


@pytest.mark.rule("RP-01")
def test_the_way_down_is_another_one_than_the_way_up():
    """With three retries goodput collapses above 100 per s and is back at 25 per s and less; without, just below it."""
    up = [20.0, 25.0, 30.0, 60.0, 90.0, 100.0, 110.0]
    loads = [*up, *up[-2::-1]]

    def good(storm):
        course = storm.ramp(loads, hold_s=60.0)
        ends = [(60.0 * place + 50.0, 60.0 * place + 60.0) for place in range(len(loads))]
        return [course.mean("goodput_per_s", *end) >= 0.9 * load for end, load in zip(ends, loads, strict=True)]

    roomy = dataclasses.replace(THREE, room=300.0)
    assert good(roomy) == [True] * 6 + [False] * 5 + [False, True]
    assert good(dataclasses.replace(roomy, retries=0)) == [True] * 6 + [False] * 2 + [True] * 5


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ConfigurationError, match="step_s"):
        RetryStorm(timeout_s=0.05)
    with pytest.raises(ConfigurationError, match="step_s"):
        RetryStorm(step_s=1e-6)
    with pytest.raises(ConfigurationError, match="loads_per_s"):
        THREE.ramp([], hold_s=1.0)
    with pytest.raises(ConfigurationError, match="until_s"):
        THREE.course(2.0).mean("goodput_per_s", 1.0, 3.0)
    with pytest.raises(ConfigurationError, match="after_s"):
        THREE.tipping_fault_s(after_s=0.5)


def test_a_course_is_columns_of_one_length():
    course = THREE.course(2.0)
    columns = [getattr(course, field.name) for field in dataclasses.fields(course) if field.name != "step_s"]
    assert {len(column) for column in columns} == {20}
    assert np.allclose(course.starts_s, np.arange(20) * 0.1)
