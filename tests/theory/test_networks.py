"""Networks against the stationary solution of their Markov chains, and against laws."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.errors import EdasimError
from edasim.theory import closed_network, feedback, fork_join_two, jackson, mm1, mmc, power_of_choices, tandem


def mean_over_chain(states, steps_from, value):
    """The stationary mean of value(state); steps_from(state) gives [(state, rate)], without those out of `states`."""
    index = {state: place for place, state in enumerate(states)}
    balance = np.zeros((len(index), len(index)))
    for state, place in index.items():
        for there, rate_per_s in steps_from(state):
            if there in index:
                balance[index[there], place] += rate_per_s
                balance[place, place] -= rate_per_s
    balance[0, :] = 1.0
    shares = np.linalg.solve(balance, np.eye(len(index))[0])
    return sum(value(state) * share for state, share in zip(states, shares, strict=True))


GRID = list(itertools.product(range(30), repeat=2))


def test_qt_10_a_jackson_network_is_its_chain():
    """Half of what leaves station 1 goes to 2, a quarter of what leaves 2 comes back to 1."""

    def steps_from(state):
        one, two = state
        steps = [((one + 1, two), 0.3), ((one, two + 1), 0.1)]
        if one:
            steps += [((one - 1, two + 1), 0.5), ((one - 1, two), 0.5)]
        if two:
            steps += [((one + 1, two - 1), 0.3), ((one, two - 1), 0.9)]
        return steps

    network = jackson([0.3, 0.1], [[0.0, 0.5], [0.25, 0.0]], [1.0, 1.2])
    assert network.mean_number == pytest.approx(mean_over_chain(GRID, steps_from, sum), rel=1e-6)
    assert network.mean_visits == pytest.approx((0.325 / 0.875 / 0.4, (0.1 + 0.1625 / 0.875) / 0.4))
    assert network.loads == pytest.approx((0.325 / 0.875, (0.1 + 0.1625 / 0.875) / 1.2))


def test_qt_11_fork_and_join_is_its_chain():
    """A message is done when both halves are, so the larger queue counts those that are not done."""

    def steps_from(state):
        one, two = state
        steps = [((one + 1, two + 1), 0.4)]
        steps += [((one - 1, two), 1.0)] if one else []
        steps += [((one, two - 1), 1.0)] if two else []
        return steps

    result = fork_join_two(0.4, 1.0)
    assert result.mean_number == pytest.approx(mean_over_chain(GRID, steps_from, max), rel=1e-6)
    assert result.mean_response_s > mm1(0.4, 1.0).mean_response_s


def test_qt_26_a_closed_network_is_its_chain():
    states = [(one, two) for one in range(21) for two in range(21 - one)]

    def steps_from(state):
        one, two = state
        steps = [((one + 1, two), (20 - one - two) / 10.0)]
        steps += [((one - 1, two + 1), 1 / 0.3)] if one else []
        steps += [((one, two - 1), 1 / 0.2)] if two else []
        return steps

    result = closed_network(20, 10.0, [0.3, 0.2])
    assert result.mean_numbers[0] == pytest.approx(
        mean_over_chain(states, steps_from, lambda state: state[0]), rel=1e-9
    )
    assert result.mean_numbers[1] == pytest.approx(
        mean_over_chain(states, steps_from, lambda state: state[1]), rel=1e-9
    )
    assert result.throughput_per_s == pytest.approx(result.loads[1] / 0.2)


@given(load=st.floats(0.05, 0.95), choices=st.integers(1, 4))
def test_qt_16_choices_balance_what_comes_and_what_leaves(load, choices):
    """s(k), the share of servers with k messages or more, is load times s(k-1)^choices; Little gives the response."""
    share, number = 1.0, 0.0
    while share > 1e-16:
        share = load * share**choices
        number += share
    result = power_of_choices(load, choices)
    assert result.mean_response_services == pytest.approx(number / load)
    assert result.mean_wait_services == pytest.approx(number / load - 1.0)


@given(load=st.floats(0.05, 0.95))
def test_one_choice_is_random_and_more_choices_are_better(load):
    waits = [power_of_choices(load, choices).mean_wait_services for choices in (1, 2, 3)]
    assert waits[0] == pytest.approx(load / (1 - load))
    assert waits == sorted(waits, reverse=True)


@given(
    services=st.lists(st.floats(1.1, 50.0), min_size=1, max_size=5),
    arrival=st.floats(0.05, 1.0),
    servers=st.integers(1, 3),
)
def test_qt_09_responses_of_a_tandem_add(services, arrival, servers):
    network = tandem(arrival, services, servers=[servers] * len(services))
    responses_s = [mmc(arrival, service, servers).mean_response_s for service in services]
    assert network.mean_response_s == pytest.approx(math.fsum(responses_s))
    assert network.mean_visits == pytest.approx((1.0,) * len(services))


@given(
    users=st.integers(1, 60),
    think_s=st.floats(0.0, 20.0),
    demands=st.lists(st.floats(0.01, 2.0), min_size=1, max_size=3),
)
def test_qt_26_a_closed_network_stays_within_its_bounds(users, think_s, demands):
    result = closed_network(users, think_s, demands)
    assert result.throughput_per_s <= min(1 / max(demands), users / (think_s + sum(demands))) * (1 + 1e-9)
    assert result.throughput_per_s <= closed_network(users + 1, think_s, demands).throughput_per_s * (1 + 1e-9)
    thinking = result.throughput_per_s * think_s
    assert sum(result.mean_numbers) + thinking == pytest.approx(users)
    assert result.knee_users == pytest.approx((think_s + sum(demands)) / max(demands))


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: tandem(5.0, [6.0, 4.0]), "stations[1].load"),
        (lambda: tandem(1.0, []), "stations"),
        (lambda: feedback(0.6, 1.0, 0.5), "stations[0].load"),
        (lambda: feedback(0.6, 1.0, 1.0), "return_ratio"),
        (lambda: fork_join_two(1.0, 1.0), "ForkJoinTwo.load"),
        (lambda: jackson([1.0, 1.0], [[0.0, 1.0], [1.0, 0.0]], [9.0, 9.0]), "routing[0]"),
        (lambda: jackson([1.0, 1.0], [[0.0, 1.0], [0.5, 0.6]], [9.0, 9.0]), "routing[1]"),
        (lambda: jackson([1.0, 1.0], [[0.0], [0.0, 0.0]], [9.0, 9.0]), "routing[0]"),
        (lambda: jackson([1.0, 1.0], [[0.0, -0.1], [0.0, 0.0]], [9.0, 9.0]), "routing[0][1]"),
        (lambda: jackson([1.0, 0.0], [[0.0, 0.0], [0.0, 0.0]], [9.0, 9.0]), "stations[1].arrival_per_s"),
        (lambda: power_of_choices(1.0), "PowerOfChoices.load"),
        (lambda: closed_network(3, 1.0, []), "ClosedNetwork.demands_s"),
        (lambda: closed_network(3, 1.0, [0.1, 0.0]), "ClosedNetwork.demands_s[1]"),
    ],
)
def test_a_network_that_cannot_be_is_refused_by_its_name(build, field):
    with pytest.raises(EdasimError) as refusal:
        build()
    assert refusal.value.field == field
    assert refusal.value.remedy
