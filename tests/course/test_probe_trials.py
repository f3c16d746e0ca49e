"""Chapter 10's functions against counts that can be made by hand."""

import random

import pytest

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
        assert lost_ratio**n <= allowed_ratio * (1 + 1e-9) < lost_ratio ** (n - 1) * (1 + 1e-6)
