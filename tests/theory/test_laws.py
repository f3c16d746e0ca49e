"""The laws of one line, each against the thing it describes, done by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.errors import EdasimError
from edasim.theory import (
    amdahl,
    cold_start_ratio,
    drain_time_s,
    fan_out_ratio,
    inversion_ratio,
    little_number,
    little_rate_per_s,
    little_time_s,
    retry_attempts,
    token_bucket_most,
    usl,
)


@given(rate=st.floats(0.1, 1e4), time_s=st.floats(1e-3, 1e3))
def test_qt_24_littles_law_can_be_read_three_ways(rate, time_s):
    number = little_number(rate, time_s)
    assert little_time_s(number, rate) == pytest.approx(time_s)
    assert little_rate_per_s(number, time_s) == pytest.approx(rate)


@given(contention=st.floats(0.0, 0.9), coherency=st.floats(1e-5, 0.1))
def test_qt_17_throughput_peaks_at_the_best_number_of_workers(contention, coherency):
    curve = usl(100.0, contention, coherency)
    best = curve.best_workers
    assert curve.throughput_per_s(1) == pytest.approx(100.0)
    assert curve.throughput_per_s(best) >= curve.throughput_per_s(max(1.0, best * 0.98))
    assert curve.throughput_per_s(best) >= curve.throughput_per_s(best * 1.02)


@given(serial=st.floats(0.001, 1.0), workers=st.integers(1, 10_000))
def test_qt_17_amdahl_divides_what_can_be_divided(serial, workers):
    law = amdahl(10.0, serial)
    assert law.speed_up(workers) == pytest.approx(1.0 / (serial + (1.0 - serial) / workers))
    assert law.best_workers == math.inf


@pytest.mark.long
@given(gaps=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=40), rate=st.floats(0.1, 5.0), burst=st.integers(1, 10))
def test_qt_18_no_arrivals_get_more_through_a_token_bucket(gaps, rate, burst):
    tokens, now_s, admitted_s = float(burst), 0.0, []
    for gap_s in gaps:
        now_s += gap_s
        tokens = min(burst, tokens + rate * gap_s)
        if tokens >= 1.0:
            tokens -= 1.0
            admitted_s.append(now_s)
    for i, first_s in enumerate(admitted_s):
        for j, last_s in enumerate(admitted_s[i:], start=1):
            assert j <= token_bucket_most(rate, burst, last_s - first_s) + 1e-9


def test_qt_20_the_backlog_of_an_outage_is_gone_when_the_law_says():
    backlog, time_s, step_s = 600.0 * 0.8, 0.0, 0.01
    while backlog > 0.0:
        backlog, time_s = backlog + (0.8 - 1.0) * step_s, time_s + step_s
    assert time_s == pytest.approx(drain_time_s(600.0, load=0.8), rel=1e-4)


@given(tries=st.integers(1, 4), layers=st.integers(0, 5))
def test_qt_21_each_layer_tries_again(tries, layers):
    def attempts(layer):
        return 1 if layer == 0 else sum(attempts(layer - 1) for _ in range(tries))

    assert retry_attempts(tries, layers) == attempts(layers)


@given(services=st.integers(0, 200), quantile=st.floats(0.5, 1.0))
def test_qt_22_one_more_service_meets_more_slow_calls(services, quantile):
    fast = 1.0 - fan_out_ratio(services, quantile)
    assert 1.0 - fan_out_ratio(services + 1, quantile) == pytest.approx(fast * quantile, abs=1e-12)


def test_qt_23_inversion_is_a_double_integral_over_two_services():
    """P(S1 > gap + S2) by the midpoint rule over S2, with S1's tail in closed form."""
    step, gap_s, mean_s = 1e-5, 0.05, 0.05
    tail = sum(
        math.exp(-(gap_s + s) / mean_s) * math.exp(-s / mean_s) / mean_s * step
        for s in (step * (i + 0.5) for i in range(100_000))
    )
    assert inversion_ratio(gap_s, mean_s) == pytest.approx(tail, rel=1e-6)
    assert inversion_ratio(0.0, mean_s) == 0.5


@given(rate=st.floats(1e-4, 1.0), timeout_s=st.floats(0.0, 600.0))
def test_qt_19_two_timeouts_in_a_row_are_as_rare_as_the_product(rate, timeout_s):
    once = cold_start_ratio(rate, timeout_s)
    assert cold_start_ratio(rate, 2 * timeout_s) == pytest.approx(once * once)


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: drain_time_s(600.0, load=1.0), "load"),
        (lambda: little_time_s(1.0, 0.0), "throughput_per_s"),
        (lambda: usl(1.0, 0.1, 0.1).throughput_per_s(0.5), "workers"),
        (lambda: usl(1.0, 1.1, 0.1), "Scalability.contention"),
        (lambda: retry_attempts(0, 2), "tries"),
        (lambda: inversion_ratio(0.1, 0.0), "mean_service_s"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(build, field):
    with pytest.raises(EdasimError) as refusal:
        build()
    assert refusal.value.field == field
