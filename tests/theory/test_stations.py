"""Stations against the stationary solution of their Markov chains, against each other in limits, and against laws."""

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg
from hypothesis import given
from hypothesis import strategies as st

from edasim.errors import EdasimError
from edasim.theory import (
    PriorityClass,
    batch_arrivals,
    erlang_b,
    erlang_c,
    gg1,
    ggc,
    mg1,
    mm1,
    mm1_breakdowns,
    mmc,
    mmck,
    non_preemptive_priorities,
)


def stationary(start, steps_from):
    """The stationary shares {state: share} of the chain whose rates are steps_from(state) -> [(state, rate)]."""
    index, todo, entries = {start: 0}, [start], []
    while todo:
        state = todo.pop()
        for there, rate_per_s in steps_from(state):
            if there not in index:
                index[there] = len(index)
                todo.append(there)
            entries += [(index[there], index[state], rate_per_s), (index[state], index[state], -rate_per_s)]
    rows, columns, rates = zip(*entries, strict=True)
    balance = scipy.sparse.csc_matrix((rates, (rows, columns)), shape=(len(index), len(index))).tolil()
    balance[0, :] = 1.0
    shares = scipy.sparse.linalg.spsolve(balance.tocsc(), np.eye(len(index))[0])
    return {state: shares[place] for state, place in index.items()}


loads = st.floats(0.02, 0.95)
rates = st.floats(0.1, 100.0)
servers = st.integers(1, 12)
probabilities = st.floats(0.0, 0.999)


@st.composite
def rooms(draw):
    count = draw(servers)
    service_per_s = draw(rates)
    arrival_per_s = draw(st.floats(0.1, 2.0)) * count * service_per_s
    return mmck(arrival_per_s, service_per_s, count, count + draw(st.integers(0, 25)))


@st.composite
def endless(draw):
    count, service_per_s = draw(servers), draw(rates)
    return mmc(draw(loads) * count * service_per_s, service_per_s, count)


@st.composite
def general(draw):
    arrival_per_s, load = draw(rates), draw(loads)
    ca, cs = draw(st.floats(0.0, 9.0)), draw(st.floats(0.0, 9.0))
    mean_s = load / arrival_per_s
    return draw(
        st.sampled_from(
            [
                mg1(arrival_per_s, mean_s, cs),
                gg1(arrival_per_s, mean_s, arrival_scv=ca, service_scv=cs),
                ggc(arrival_per_s, 3 * mean_s, 3, arrival_scv=ca, service_scv=cs),
                batch_arrivals(arrival_per_s / 4, 4, 1 / mean_s),
                mm1_breakdowns(0.5 * arrival_per_s, 1 / mean_s, mean_up_s=mean_s, mean_down_s=0.2 * mean_s),
            ]
        )
    )


# --- chains


@pytest.mark.parametrize(("arrival", "count", "places"), [(1.2, 1, 10), (8.0, 8, 20), (5.0, 4, 4), (0.7, 3, 9)])
def test_qt_03_a_finite_room_is_its_chain(arrival, count, places):
    shares = stationary(
        0,
        lambda k: ([(k + 1, arrival)] if k < places else []) + ([(k - 1, float(min(k, count)))] if k else []),
    )
    station = mmck(arrival, 1.0, count, places)
    assert station.number_probabilities == pytest.approx([shares[k] for k in range(places + 1)], rel=1e-9)
    assert station.mean_queue == pytest.approx(sum(max(0, k - count) * share for k, share in shares.items()), rel=1e-9)


@pytest.mark.parametrize(("arrival", "count"), [(0.8, 1), (1.0, 2), (3.2, 4), (0.3, 5)])
def test_qt_02_waits_and_responses_are_phases_of_the_chain(arrival, count):
    """P(wait > t) and P(response > t) from matrix exponentials over what an arrival finds, at the quantiles claimed."""
    endless_room, finite_room = mmc(arrival, 1.0, count), mmck(arrival, 1.0, count, count + 6)
    for station, most in ((endless_room, count + 100), (finite_room, count + 5)):
        found = np.array([station.number_probability(k) for k in range(most + 1)])
        found /= found.sum()
        awaited = np.concatenate([[found[:count].sum()], found[count:]])
        phases = len(awaited)  # phase n: n departures to come before the service; phase 0: in service
        rates_out = np.array([1.0] + [float(count)] * (phases - 1))
        generator = np.diag(rates_out[1:], -1) - np.diag(rates_out)
        for p in (0.3, 0.9, 0.99):
            after_response = awaited @ scipy.linalg.expm(generator * station.response_quantile_s(p))
            assert after_response.sum() == pytest.approx(1 - p, rel=1e-6)
            wait_s = station.wait_quantile_s(p)
            still_waiting = (awaited @ scipy.linalg.expm(generator * wait_s))[1:].sum()
            if wait_s == 0.0:
                assert still_waiting <= 1 - p + 1e-12
            else:
                assert still_waiting == pytest.approx(1 - p, rel=1e-6)


def test_a_response_is_smooth_where_the_spare_rate_equals_the_service_rate():
    beside, exactly = mmc(1.0 + 1e-9, 1.0, 2), mmc(1.0, 1.0, 2)
    assert exactly.response_quantile_s(0.9) == pytest.approx(beside.response_quantile_s(0.9), rel=1e-7)


@pytest.mark.parametrize(("arrival", "count"), [(0.1, 4), (1.0, 4), (2.0, 4), (3.0, 4), (5.0, 20), (0.5, 1)])
def test_relaxation_is_one_over_the_spectral_gap(arrival, count):
    def gap(places):
        number = np.arange(places + 1)
        leaving = np.minimum(number, count).astype(float)
        coming = np.where(number < places, arrival, 0.0)
        return scipy.linalg.eigvalsh_tridiagonal(leaving + coming, -np.sqrt(arrival * leaving[1:]))[1]

    assert mmck(arrival, 1.0, count, 60).relaxation_time_s == pytest.approx(1 / gap(60), rel=1e-9)
    assert mmc(arrival, 1.0, count).relaxation_time_s == pytest.approx(1 / gap(1500), rel=2e-3)


def test_qt_05_erlang_services_are_phases():
    """Two phases per message, each of rate 4: M/E2/1 with mean 0.5 and scv 0.5; messages are phases over two."""
    shares = stationary(
        0, lambda phases: ([(phases + 2, 1.2)] if phases < 400 else []) + ([(phases - 1, 4.0)] if phases else [])
    )
    number = sum(math.ceil(phases / 2) * share for phases, share in shares.items())
    assert mg1(1.2, 0.5, service_scv=0.5).mean_number == pytest.approx(number, rel=1e-9)


def test_qt_27_batches_are_jumps():
    shares = stationary(0, lambda k: ([(k + 5, 0.1)] if k < 400 else []) + ([(k - 1, 1.0)] if k else []))
    assert batch_arrivals(0.1, 5, 1.0).mean_number == pytest.approx(sum(k * share for k, share in shares.items()))


def test_qt_08_priorities_are_a_chain_of_two_queues():
    """States (waiting of class 1, waiting of class 2, class in service); loads 0.2 and 0.3, rooms of 25 each."""

    def steps_from(state):
        urgent, other, serving = state
        if serving == 0:
            return [((0, 0, 1), 0.2), ((0, 0, 2), 0.3)]
        then = (urgent - 1, other, 1) if urgent else ((0, other - 1, 2) if other else (0, 0, 0))
        arrivals = [((urgent + 1, other, serving), 0.2)] if urgent < 25 else []
        arrivals += [((urgent, other + 1, serving), 0.3)] if other < 25 else []
        return [*arrivals, (then, 1.0)]

    shares = stationary((0, 0, 0), steps_from)
    queued = [sum(state[i] * share for state, share in shares.items()) for i in (0, 1)]
    classes = [PriorityClass(arrival_per_s=rate, mean_service_s=1.0) for rate in (0.2, 0.3)]
    result = non_preemptive_priorities(classes)
    assert result.mean_waits_s == pytest.approx((queued[0] / 0.2, queued[1] / 0.3), rel=1e-5)
    assert result.mean_wait_s == pytest.approx(mm1(0.5, 1.0).mean_wait_s)
    assert result.mean_responses_s == pytest.approx([wait + 1.0 for wait in result.mean_waits_s])


def test_qt_15_breakdowns_are_a_chain_of_number_and_state():
    def steps_from(state):
        number, up = state
        steps = [((number + 1, up), 0.5)] if number < 400 else []
        if up:
            return steps + [((number, False), 0.01)] + ([((number - 1, True), 1.0)] if number else [])
        return [*steps, ((number, True), 0.1)]

    shares = stationary((0, True), steps_from)
    number = sum(state[0] * share for state, share in shares.items())
    assert mm1_breakdowns(0.5, 1.0, mean_up_s=100.0, mean_down_s=10.0).mean_number == pytest.approx(number, rel=1e-9)


@given(load=loads, service_per_s=rates)
def test_qt_25_the_error_of_a_mean_wait_solves_poissons_equation(load, service_per_s):
    """h(w) = aw² + 2aw/λ with 2a(1/λ-1/μ) = 1 gives h(w) - E[h(next wait)] = w - E[W]; σ² = 2E[(W-EW)h(W)] - Var W."""
    arrival_per_s = load * service_per_s
    spare = service_per_s - arrival_per_s
    first, second, third = (load * math.factorial(k) / spare**k for k in (1, 2, 3))
    a = 0.5 / (1 / arrival_per_s - 1 / service_per_s)
    product = a * (third - first * second) + 2 * a / arrival_per_s * (second - first**2)
    variance = 2 * product - (second - first**2)
    error_s = mm1(arrival_per_s, service_per_s).standard_error_of_mean_wait_s(400)
    assert error_s == pytest.approx(math.sqrt(variance / 400), rel=1e-6)


# --- limits


@given(load=loads, service_per_s=rates, p=probabilities)
def test_one_server_of_many_is_the_single_server(load, service_per_s, p):
    one, many = mm1(load * service_per_s, service_per_s), mmc(load * service_per_s, service_per_s, 1)
    for name in ("load", "probability_of_wait", "mean_wait_s", "mean_response_s", "mean_number", "mean_queue"):
        assert getattr(many, name) == pytest.approx(getattr(one, name))
    assert many.wait_quantile_s(p) == pytest.approx(one.wait_quantile_s(p), rel=1e-6, abs=1e-9)
    assert many.response_quantile_s(p) == pytest.approx(one.response_quantile_s(p))
    assert many.relaxation_time_s == pytest.approx(one.relaxation_time_s, rel=1e-6)
    assert many.number_probability(3) == pytest.approx(one.number_probability(3))


@given(load=loads, mean_s=rates)
def test_general_formulas_with_exponential_times_are_the_exponential_stations(load, mean_s):
    single = mm1(load / mean_s, 1 / mean_s).mean_wait_s
    assert mg1(load / mean_s, mean_s, 1.0).mean_wait_s == pytest.approx(single)
    assert gg1(load / mean_s, mean_s, arrival_scv=1.0, service_scv=1.0).mean_wait_s == pytest.approx(single)
    pool = mmc(3 * load / mean_s, 1 / mean_s, 3).mean_wait_s
    assert ggc(3 * load / mean_s, mean_s, 3, arrival_scv=1.0, service_scv=1.0).mean_wait_s == pytest.approx(pool)
    assert batch_arrivals(load / mean_s, 1, 1 / mean_s).mean_wait_s == pytest.approx(single)


def test_the_load_is_arrivals_times_mean_service_over_servers():
    single = [mg1(0.8, 0.5, 3.0), gg1(0.8, 0.5, arrival_scv=0.0, service_scv=3.0), mm1(0.8, 2.0), mmc(1.6, 2.0, 2)]
    pool = [ggc(1.6, 0.5, 2, arrival_scv=0.0, service_scv=3.0), batch_arrivals(0.2, 4, 2.0)]
    assert [station.load for station in single + pool] == pytest.approx([0.4] * 6)
    assert mg1(0.8, 0.5, 3.0).probability_of_wait == pytest.approx(0.4)
    half_up = mm1_breakdowns(0.8, 4.0, mean_up_s=1.0, mean_down_s=1.0)
    assert (half_up.availability, half_up.load) == pytest.approx((0.5, 0.4))


@given(load=st.floats(0.05, 0.8), count=servers)
def test_a_room_with_very_many_places_is_endless(load, count):
    finite, endless_room = mmck(load * count, 1.0, count, count + 400), mmc(load * count, 1.0, count)
    assert finite.mean_wait_s == pytest.approx(endless_room.mean_wait_s, rel=1e-9, abs=1e-15)
    assert finite.probability_of_wait == pytest.approx(endless_room.probability_of_wait)
    assert finite.load == pytest.approx(finite.offered_load)


@pytest.mark.long
@given(count=servers, offered=st.floats(0.01, 30.0))
def test_qt_04_erlang_b_is_the_room_without_waiting(count, offered):
    room = mmck(offered, 1.0, count, count)
    assert erlang_b(count, offered) == pytest.approx(room.probability_of_loss)
    assert room.mean_wait_s == 0.0
    assert room.wait_quantile_s(0.999) == 0.0


def test_with_servers_to_spare_nobody_waits():
    crowd = mmc(1e-9, 1.0, 200)
    assert (crowd.probability_of_wait, crowd.mean_wait_s, crowd.wait_quantile_s(0.999)) == (0.0, 0.0, 0.0)
    assert crowd.response_quantile_s(0.5) == pytest.approx(math.log(2.0))
    assert crowd.number_probability(201) == 0.0


def test_rare_breakdowns_change_nothing():
    never = mm1_breakdowns(0.8, 1.0, mean_up_s=1e12, mean_down_s=1.0)
    assert never.mean_response_s == pytest.approx(mm1(0.8, 1.0).mean_response_s)


# --- laws


@given(station=st.one_of(rooms(), endless(), general()))
def test_qt_24_little_holds_in_every_result(station):
    assert station.mean_number == pytest.approx(station.throughput_per_s * station.mean_response_s)
    assert station.mean_queue == pytest.approx(station.throughput_per_s * station.mean_wait_s)
    assert station.mean_response_s == pytest.approx(station.mean_wait_s + station.mean_service_s)


@pytest.mark.long
@given(station=st.one_of(rooms(), endless()))
def test_little_agrees_with_the_distribution_of_the_number(station):
    mean = math.fsum(k * station.number_probability(k) for k in range(600))
    assert station.mean_number == pytest.approx(mean, rel=1e-6)
    assert station.mean_number - station.mean_queue == pytest.approx(station.load * station.servers)


@pytest.mark.long
@given(station=st.one_of(rooms(), endless()), p=probabilities)
def test_quantiles_rise_and_a_response_is_longer_than_its_wait(station, p):
    higher = min(0.9999, p + 1e-3)
    assert station.wait_quantile_s(p) <= station.wait_quantile_s(higher)
    assert station.response_quantile_s(p) < station.response_quantile_s(higher)
    assert station.wait_quantile_s(p) <= station.response_quantile_s(p)


@given(load=loads, service_per_s=rates, p=probabilities)
def test_quantiles_undo_the_distribution(load, service_per_s, p):
    station = mm1(load * service_per_s, service_per_s)
    spare = service_per_s * (1 - load)
    assert -math.expm1(-spare * station.response_quantile_s(p)) == pytest.approx(p, abs=1e-12)
    within_wait = 1 - load * math.exp(-spare * station.wait_quantile_s(p))
    assert within_wait == pytest.approx(max(p, 1 - load), abs=1e-12)


@given(load=loads, more=st.floats(1e-3, 0.04), count=servers, scv=st.floats(0.0, 9.0))
def test_more_load_and_more_variability_wait_longer_and_more_servers_less(load, more, count, scv):
    assert mmc((load + more) * count, 1.0, count).mean_wait_s > mmc(load * count, 1.0, count).mean_wait_s
    assert mmc(load * count, 1.0, count + 1).mean_wait_s < mmc(load * count, 1.0, count).mean_wait_s
    assert mg1(load, 1.0, scv + more).mean_wait_s > mg1(load, 1.0, scv).mean_wait_s
    assert mmck(load * count, 1.0, count, count + 1).probability_of_loss < erlang_b(count, load * count)
    assert erlang_c(count, load * count) >= erlang_b(count, load * count)


@given(load=loads, ca=st.floats(0.0, 9.0), cs=st.floats(0.0, 9.0))
def test_qt_06_kingmans_bound_is_never_below_the_approximation(load, ca, cs):
    station = gg1(load, 1.0, arrival_scv=ca, service_scv=cs)
    assert station.mean_wait_bound_s >= station.mean_wait_s * (1 - 1e-12)
    assert gg1(load, 1.0, arrival_scv=1.0, service_scv=cs).mean_wait_bound_s >= mg1(load, 1.0, cs).mean_wait_s


@given(
    parts=st.lists(st.tuples(st.floats(0.01, 0.3), st.floats(0.1, 9.0)), min_size=2, max_size=3), scv=st.floats(0, 4)
)
def test_qt_08_every_order_of_the_classes_has_the_same_weighted_wait(parts, scv):
    classes = [PriorityClass(arrival_per_s=load / s, mean_service_s=s, service_scv=scv) for load, s in parts]
    one, other = non_preemptive_priorities(classes), non_preemptive_priorities(classes[::-1])
    assert one.load_weighted_wait_s == pytest.approx(other.load_weighted_wait_s)
    assert list(one.mean_waits_s) == sorted(one.mean_waits_s)


# --- words and refusals


def test_a_station_prints_its_averages():
    assert str(mm1(40.0, 50.0)) == (
        "MM1(arrival_per_s=40.0, service_per_s=50.0): load 0.8, mean wait 0.08 s, mean response 0.1 s, mean number 4"
    )


@pytest.mark.parametrize(
    ("build", "field", "load"),
    [
        (lambda: mm1(50.0, 50.0), "MM1.load", 1.0),
        (lambda: mmc(9.0, 1.0, 6), "MMC.load", 1.5),
        (lambda: mg1(2.0, 1.0, 1.0), "MG1.load", 2.0),
        (lambda: gg1(2.0, 1.0, arrival_scv=1.0, service_scv=1.0), "GG1.load", 2.0),
        (lambda: ggc(4.0, 1.0, 2, arrival_scv=1.0, service_scv=1.0), "GGC.load", 2.0),
        (lambda: erlang_c(4, 4.0), "offered / servers", 1.0),
        (lambda: batch_arrivals(1.0, 3, 2.0), "BatchArrivals.load", 1.5),
        (lambda: mm1_breakdowns(0.6, 1.0, mean_up_s=1.0, mean_down_s=1.0), "MM1Breakdowns.load", 1.2),
        (
            lambda: non_preemptive_priorities([PriorityClass(arrival_per_s=2.0, mean_service_s=1.0)]),
            "NonPreemptivePriorities.load",
            2.0,
        ),
    ],
)
def test_an_unstable_station_is_refused_with_field_value_and_remedy(build, field, load):
    with pytest.raises(EdasimError) as refusal:
        build()
    assert (refusal.value.field, refusal.value.value) == (field, pytest.approx(load))
    assert "per s" in refusal.value.remedy


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: mm1(-1.0, 2.0), "MM1.arrival_per_s"),
        (lambda: mmc(1.0, 2.0, 0), "MMC.servers"),
        (lambda: mmck(1.0, 2.0, 4, 3), "MMCK.places"),
        (lambda: mm1(1.0, 2.0).wait_quantile_s(1.0), "p"),
        (lambda: mmc(1.0, 2.0, 2).response_quantile_s(1.0), "p"),
        (lambda: mm1(1.0, 2.0).number_probability(-1), "number"),
        (lambda: non_preemptive_priorities([]), "NonPreemptivePriorities.classes"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(build, field):
    with pytest.raises(EdasimError) as refusal:
        build()
    assert refusal.value.field == field
