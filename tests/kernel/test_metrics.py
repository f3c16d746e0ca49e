"""Running statistics: exact counts, sums and maxima; quantiles within the stated 0.8 %."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from edasim.kernel.metrics import Metrics, Spread
from edasim.kernel.runlog import CRASHED, DONE, DROPPED, NEVER, OUTCOMES, ROW, pack_row

times = some.lists(some.just(0.0) | some.floats(1e-6, 1e6), min_size=1, max_size=200)


def spread_of(*blocks):
    spread = Spread()
    for block in blocks:
        spread.add(np.array(block))
    return spread


@given(times, some.floats(0.01, 0.99))
def test_a_quantile_is_within_its_promise(times_s, p):
    exact_s = np.sort(times_s)[math.ceil(p * len(times_s)) - 1]
    assert spread_of(times_s).quantile_s(p) == pytest.approx(exact_s, rel=0.008)


@given(times, times)
def test_blocks_and_merges_tell_the_same_as_one_block(first, second):
    merged = spread_of(first)
    merged.merge(spread_of(second))
    for spread in (merged, spread_of(first, second)):
        whole = spread_of(first + second)
        assert (spread.n, spread.max_s) == (whole.n, whole.max_s)
        assert spread.mean_s == pytest.approx(float(np.mean(first + second)), rel=1e-12)
        assert (spread.buckets == whole.buckets).all()


def test_what_is_below_a_nanosecond_counts_as_zero():
    spread = spread_of([0.0, -0.0, 9e-10, 0.5])
    assert [spread.quantile_s(p) for p in (0.25, 0.75)] == [0.0, 0.0]
    assert spread.quantile_s(0.76) == 0.5


def test_times_of_any_size_find_a_bucket():
    spread = spread_of([1e-9, 1.8e10, 1e30])
    assert spread.buckets.sum() == 3
    assert spread.quantile_s(0.3) == pytest.approx(1e-9, rel=0.008)
    assert spread.max_s == 1e30


def test_no_quantile_is_above_the_maximum():
    assert spread_of([1.0, 1.0]).quantile_s(0.99) == 1.0


def test_without_times_there_is_no_mean_and_no_quantile():
    spread = spread_of([])
    assert math.isnan(spread.mean_s)
    assert math.isnan(spread.quantile_s(0.5))


def rows(*fields):
    return np.frombuffer(b"".join(pack_row(*each) for each in fields), dtype=ROW)


def test_rows_are_counted_by_endpoint_and_outcome():
    metrics = Metrics()
    metrics.count(
        rows(
            # number, root, published, enqueued, delivered, started, finished, endpoint, attempt, outcome
            (1, 1, 0.0, 0.0, 1.0, 1.5, 3.5, 1, 1, DONE),
            (2, 2, 0.0, 0.0, 0.0, 0.5, 2.0, 0, 1, CRASHED),
            (2, 2, 0.0, 2.0, 3.5, 4.0, 5.0, 1, 2, DONE),
            (3, 3, 1.0, 1.0, NEVER, NEVER, 4.0, 2, 2, DROPPED),
        )
    )
    assert metrics.rows == 4
    first, second, nobody = (metrics.by_endpoint[endpoint] for endpoint in (0, 1, 2))
    assert [int(each.outcomes.sum()) for each in (first, second, nobody)] == [1, 2, 1]
    assert (int(second.outcomes[DONE]), int(first.outcomes[CRASHED]), int(nobody.outcomes[DROPPED])) == (2, 1, 1)
    assert (first.busy_s, second.busy_s, nobody.busy_s) == (1.5, 3.0, 0.0)
    assert (second.waits.n, second.waits.total_s, second.waits.max_s) == (2, 3.5, 2.0)
    assert (first.responses.n, second.responses.total_s) == (0, 8.5)
    assert (nobody.waits.n, nobody.vain_waits_s) == (0, 3.0)


def test_only_what_was_delivered_again_counts_as_redelivered():
    metrics = Metrics()
    metrics.count(
        rows(
            (1, 1, 0.0, 0.0, 1.0, 1.0, 2.0, 0, 2, DONE),
            (2, 2, 0.0, 0.0, NEVER, NEVER, 2.0, 0, 2, DROPPED),
        )
    )
    assert metrics.by_endpoint[0].redelivered == 1


def test_what_was_done_at_once_counts_like_its_row():
    by_row, by_pair = Metrics(), Metrics()
    by_row.count(rows((1, 1, 1.0, 1.0, 1.25, 1.25, 2.0, 7, 1, DONE), (2, 2, 2.0, 2.0, 2.5, 2.5, 4.0, 7, 1, DONE)))
    by_pair.count_done(7, np.array([0.25, 0.5]), np.array([0.75, 1.5]))
    one, other = by_row.by_endpoint[7], by_pair.by_endpoint[7]
    assert by_row.rows == by_pair.rows == 2
    assert (one.outcomes == other.outcomes).all()
    assert one.busy_s == other.busy_s
    for spread, pair in [(one.waits, other.waits), (one.responses, other.responses)]:
        assert (spread.n, spread.total_s, spread.max_s) == (pair.n, pair.total_s, pair.max_s)
        assert (spread.buckets == pair.buckets).all()


def test_there_is_room_for_each_outcome_and_done_is_the_first():
    assert OUTCOMES[DONE] == "done"
    assert DONE == 0
    assert len(OUTCOMES) <= len(Metrics()._of(0).outcomes)
