"""Availability against enumeration and against the chain of the repairer."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.errors import EdasimError
from edasim.theory import (
    k_of_n_availability,
    k_of_n_one_repairer_availability,
    node_availability,
    parallel_availability,
    series_availability,
)

shares = st.floats(0.0, 1.0)


@given(needed=st.integers(1, 5), spare=st.integers(0, 3), up=shares)
def test_qt_13_k_of_n_is_the_sum_over_all_states(needed, spare, up):
    nodes = needed + spare
    states = itertools.product((True, False), repeat=nodes)
    total = sum(math.prod(up if one else 1 - up for one in state) for state in states if sum(state) >= needed)
    assert k_of_n_availability(needed, nodes, up) == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize(("nodes", "needed"), [(3, 2), (5, 3), (2, 1), (4, 4)])
def test_qt_14_one_repairer_is_its_chain(nodes, needed):
    fail, repair = 1 / 60, 0.1
    balance = np.zeros((nodes + 1, nodes + 1))  # states: nodes that are down
    for down in range(nodes):
        for here, there, rate in ((down, down + 1, (nodes - down) * fail), (down + 1, down, repair)):
            balance[there, here] += rate
            balance[here, here] -= rate
    balance[0, :] = 1.0
    up = np.linalg.solve(balance, np.eye(nodes + 1)[0])[: nodes - needed + 1].sum()
    one = k_of_n_one_repairer_availability(needed, nodes, fail_per_s=fail, repair_per_s=repair)
    assert one == pytest.approx(up, rel=1e-12)
    assert one < k_of_n_availability(needed, nodes, node_availability(60.0, 10.0))


@given(parts=st.lists(shares, min_size=1, max_size=6), up=shares)
def test_series_and_parallel_are_the_ends_of_k_of_n(parts, up):
    assert series_availability(*parts) <= min(parts) + 1e-15
    assert parallel_availability(*parts) >= max(parts) - 1e-15
    same = [up] * len(parts)
    assert series_availability(*same) == pytest.approx(k_of_n_availability(len(parts), len(parts), up), abs=1e-12)
    assert parallel_availability(*same) == pytest.approx(k_of_n_availability(1, len(parts), up), abs=1e-12)


def test_one_node_with_one_repairer_is_a_node():
    assert k_of_n_one_repairer_availability(1, 1, fail_per_s=1 / 60, repair_per_s=1 / 5) == pytest.approx(
        node_availability(60.0, 5.0)
    )


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: node_availability(0.0, 1.0), "mean_up_s"),
        (lambda: k_of_n_availability(4, 3, 0.9), "needed"),
        (lambda: series_availability(0.9, 1.2), "availabilities[1]"),
        (parallel_availability, "availabilities"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(build, field):
    with pytest.raises(EdasimError) as refusal:
        build()
    assert refusal.value.field == field
