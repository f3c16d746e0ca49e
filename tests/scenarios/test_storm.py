"""The storm: what becomes of a system when its fault is over."""

import math

import pytest

from edasim import errors
from edasim.governance import Backoff, CircuitBreaker, Retry, ShareOfFresh
from edasim.scenarios import AnsweredShare, Storm
from edasim.services import load
from edasim.services.calls import Protections, attempts_per_request, traffic

PATIENCE = Backoff(first_wait_s=1.0, factor=1.0, jitter="none")
THREE_RETRIES = Retry(attempts=4, backoff=PATIENCE)
NAIVE = Protections(timeout_s=1.0, retry=THREE_RETRIES)
BUDGETED = Protections(timeout_s=1.0, retry=THREE_RETRIES, budget=ShareOfFresh(ratio=0.1, reserve_per_s=0.0))
GUARDED = Protections(
    timeout_s=1.0,
    retry=THREE_RETRIES,
    budget=ShareOfFresh(ratio=0.1, reserve_per_s=0.0),
    breaker=CircuitBreaker(window="time", window_size=5, minimum_calls=20, open_s=2.0),
)
SMALL = {"requests_per_s": 12.0, "capacity_per_s": 20.0, "fault_capacity_per_s": 6.0, "fault_at_s": 10.0}


def goodput(storm, seed, from_s, until_s):
    return traffic(storm.run(seed=seed, until_s=until_s), "shop").mean("goodput_per_s", from_s, until_s)


@pytest.mark.rule("RP-01")
@pytest.mark.parametrize(
    ("offered_per_s", "unprotected", "naive", "budgeted"),
    [(60.0, True, False, True), (70.0, True, False, True), (80.0, True, False, None), (90.0, True, False, False)],
)
def test_a_minute_after_the_fault_goodput_is_all_or_nothing(offered_per_s, unprotected, naive, budgeted):
    """RP-01: an exact recurrence gives all of 60, 70, 80, 90 without retries, 0 with three, 60, 70, 0, 0 with a budget.

    At 80 fresh requests and a tenth of retries chance decides (88 of 100 leaves little room); it is not asserted. The
    backlog of the fault needs a minute at 90 of 100, so goodput is measured from 80 s after the fault on.
    """
    for protections, recovers in [(Protections(timeout_s=1.0), unprotected), (NAIVE, naive), (BUDGETED, budgeted)]:
        if recovers is None:
            continue
        late = goodput(Storm(requests_per_s=offered_per_s, protections=protections), 2, 110.0, 120.0)
        assert late > 0.85 * offered_per_s if recovers else late < 0.05 * offered_per_s


@pytest.mark.long
@pytest.mark.parametrize(
    ("protections", "stale", "recovers"),
    [(NAIVE, "served", False), (GUARDED, "dropped", True)],
    ids=["naive", "guarded"],
)
def test_in_each_of_100_seeds_the_naive_system_stays_down_and_the_guarded_one_recovers(protections, stale, recovers):
    storm = Storm(protections=protections, stale=stale, fault_s=10.0, **SMALL)
    back = [goodput(storm, seed, 35.0, 45.0) > 8.0 for seed in range(100)]
    assert back == [recovers] * 100


def test_before_the_fault_all_are_answered_and_during_it_few():
    run = Storm(protections=NAIVE, **SMALL).run(seed=1, until_s=40.0)
    seen = traffic(run, "shop")
    assert seen.mean("goodput_per_s", 0.0, 10.0) == pytest.approx(seen.mean("asked_per_s", 0.0, 10.0), rel=0.1)
    assert seen.mean("goodput_per_s", 30.0, 40.0) == 0.0
    assert seen.mean("throughput_per_s", 30.0, 40.0) == pytest.approx(20.0, rel=0.3)  # busy, and all in vain
    assert attempts_per_request(run, "shop") > 2.0


def test_a_storm_can_be_stored_and_made_again():
    climbing = load.Steps(rates_per_s=[10.0, 20.0], each_s=5.0)
    storm = Storm(protections=GUARDED, stale="dropped", order="newest_first", arrivals=climbing, room=40)
    assert Storm.from_dict(storm.to_dict()) == storm
    assert "CircuitBreaker" in str(storm.to_dict())


def test_an_answer_that_takes_longer_than_asked_is_no_goodput():
    run = Storm(protections=Protections(), fault_s=0.0, **SMALL).run(seed=1, until_s=100.0)
    all_of_them = traffic(run, "shop").mean("goodput_per_s", 0.0, 100.0)
    quick = traffic(run, "shop", within_s=0.05).mean("goodput_per_s", 0.0, 100.0)
    assert 0.0 < quick < all_of_them


def test_the_share_that_is_answered_counts_requests_where_they_were_asked():
    run = Storm(protections=NAIVE, **SMALL).run(seed=1, until_s=40.0)
    assert AnsweredShare(from_s=0.0, until_s=9.0)(run) == 1.0
    assert AnsweredShare(from_s=25.0, until_s=39.0)(run) == 0.0
    assert math.isnan(AnsweredShare(from_s=41.0, until_s=42.0)(run))


def test_the_traffic_of_nobody_is_refused():
    run = Storm(**SMALL).run(seed=1, until_s=20.0)
    with pytest.raises(errors.UnknownNameError, match="shop"):
        traffic(run, "shopp")
    with pytest.raises(errors.ConfigurationError):
        traffic(run, "shop").mean("goodput_per_s", 5.0, 5.5)
    with pytest.raises(errors.ConfigurationError):
        Storm(protections=None)
