"""Balancing: who is called, exactly; what a change moves; zones and panic by Envoy's own tables.

Statistical tests use fixed seeds; each has a false-alarm rate of 1e-5.
"""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from edasim.errors import ConfigurationError
from edasim.governance import (
    ByLocality,
    ConsistentHash,
    Endpoint,
    LeastRequests,
    PowerOfChoices,
    Random,
    RoundRobin,
    eligible,
    mean_response,
)
from edasim.governance.locality import level_percents

FALSE_ALARM = 1e-5
NAMES = some.integers(1, 4095).map(lambda bits: {f"node-{number}" for number in range(12) if bits >> number & 1})
POLICIES = [Random(), RoundRobin(), LeastRequests(), PowerOfChoices(), ConsistentHash(), ByLocality(zone="a")]


def picks(balancer, count):
    return [balancer.pick() for _ in range(count)]


def weighted(**weights):
    return [Endpoint(name=name, weight=weight) for name, weight in weights.items()]


def sick(healthy, ill):
    """So many healthy and so many ill endpoints."""
    return [Endpoint(name=f"n{number}", healthy=number < healthy) for number in range(healthy + ill)]


@pytest.mark.rule("GV-06")
class TestPolicies:
    def test_random_follows_the_weights(self):
        found = picks(Random().start(weighted(a=1, b=3), random.Random(7).random), 4_000).count("b")
        assert stats.binomtest(found, 4_000, 0.75).pvalue > FALSE_ALARM
        edge = Random().start(["a", "b"], lambda: math.nextafter(1.0, 0.0))
        assert edge.pick() == "b"

    def test_round_robin_mixes_as_nginx_does(self):
        assert "".join(picks(RoundRobin().start(weighted(a=5, b=1, c=1)), 14)) == "aabacaaaabacaa"
        assert "".join(picks(RoundRobin().start(["a", "b", "c"]), 7)) == "abcabca"

    @settings(max_examples=40)
    @given(some.binary(min_size=1, max_size=6).map(lambda text: [1 + each % 9 for each in text]))
    def test_round_robin_gives_each_its_weight_in_every_round(self, weights):
        balancer = RoundRobin().start([Endpoint(name=str(place), weight=w) for place, w in enumerate(weights)])
        for _ in range(2):
            found = picks(balancer, sum(weights))
            assert [found.count(str(place)) for place in range(len(weights))] == weights

    def test_least_requests_looks_at_calls_under_way_for_the_weight(self):
        balancer, story = LeastRequests().start(weighted(big=2, small=1)), []
        for _ in range(6):
            story.append(balancer.pick())
            balancer.begin(story[-1])
        assert story == ["big", "small", "big", "small", "big", "big"]
        balancer.end("small")
        assert balancer.pick() == "small"

    def test_two_choices_take_the_less_busy_one_and_may_be_the_same(self):
        draws = iter([0.0, 0.4, 0.4, 0.9, 0.9, 0.9])
        balancer = PowerOfChoices().start(["a", "b", "c"], lambda: next(draws))
        balancer.begin("a")
        assert picks(balancer, 3) == ["b", "b", "c"]

    def test_calls_to_who_has_gone_are_not_counted(self):
        balancer = LeastRequests().start(["a", "b"])
        balancer.begin("a")
        balancer.update(["b", "c"])
        balancer.end("a")
        balancer.begin("nobody")
        balancer.end("b")
        assert balancer.active == {"b": 0, "c": 0}

    def test_the_gap_between_random_and_two_choices_at_load_095(self):
        assert mean_response(0.95, choices=1) == pytest.approx(20.0)
        assert mean_response(0.95, choices=2) == pytest.approx(3.383, abs=5e-4)
        assert mean_response(0.0) == 1.0
        with pytest.raises(ConfigurationError, match="give a load below 1"):
            mean_response(1.0)

    @pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
    def test_nobody_to_call_is_said_and_not_a_division_by_zero(self, policy):
        balancer = policy.start([], lambda: 0.5)
        assert balancer.pick("key") is None
        balancer.update([Endpoint(name="a", zone="b")])
        assert balancer.pick("key") == "a"


class TestEndpoints:
    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (lambda: Endpoint(name=""), "Endpoint.name is ''; give a text that is not empty"),
            (lambda: Endpoint(name="a", weight=-1), "Endpoint.weight is -1; give a positive"),
            (lambda: Endpoint(name="a", weight=0), "Endpoint.weight is 0"),
            (lambda: RoundRobin().start(["a", "b", "a"]), "endpoints is 'a'; register each endpoint once"),
            (lambda: RoundRobin().start("abc"), "give a list"),
            (lambda: Random(panic_ratio=2), "panic_ratio is 2"),
            (lambda: ConsistentHash(bound=0.9), "bound is 0.9; give at least 1"),
            (lambda: ByLocality(zone="a", overprovisioning=0.5), "overprovisioning is 0.5; give at least 1"),
            (lambda: ByLocality(zone="a", inside="random"), "give a Random"),
        ],
    )
    def test_what_cannot_be_balanced_over_is_refused(self, make, told):
        with pytest.raises(ConfigurationError, match=told):
            make()

    @pytest.mark.rule("GV-05")
    def test_panic_below_half_healthy_balances_over_all(self):
        assert len(eligible(sick(5, 5))) == 5
        assert len(eligible(sick(4, 6))) == 10, "40 % are below the threshold"
        assert len(eligible(sick(0, 3))) == 3, "all ejected: everybody is called"
        assert eligible(sick(0, 3), panic_ratio=0.0) == ()
        assert RoundRobin(panic_ratio=0.0).start(sick(0, 3)).pick() is None

    @pytest.mark.rule("GV-07")
    def test_a_deep_check_that_a_shared_dependency_fails_takes_everybody_out(self):
        """Ten services are well, their common database is not, and each one's check asks it."""
        shallow, deep = sick(10, 0), sick(0, 10)
        assert len(eligible(shallow, panic_ratio=0.0)) == 10
        assert eligible(deep, panic_ratio=0.0) == ()
        assert len(eligible(deep)) == 10, "only the panic mode keeps calling"


@pytest.mark.rule("GV-06")
class TestConsistentHash:
    KEYS = tuple(f"user-{number}" for number in range(120))

    def owners(self, names):
        balancer = ConsistentHash(points=20).start(sorted(names))
        return {key: balancer.pick(key) for key in self.KEYS}

    @settings(max_examples=40)
    @given(NAMES, some.sampled_from(["newcomer", "node-x"]))
    def test_whoever_joins_takes_keys_from_others_and_moves_nothing_else(self, names, newcomer):
        before, after = self.owners(names), self.owners(names | {newcomer})
        assert {key for key in self.KEYS if before[key] != after[key]} == {k for k in self.KEYS if after[k] == newcomer}

    @settings(max_examples=40)
    @given(NAMES, some.integers(0, 11))
    def test_whoever_leaves_moves_the_keys_it_had_and_nothing_else(self, names, which):
        gone = sorted(names)[which % len(names)]
        before = self.owners(names)
        after = self.owners(names - {gone}) if len(names) > 1 else dict.fromkeys(self.KEYS)
        assert {key for key in self.KEYS if before[key] != after[key]} == {k for k in self.KEYS if before[k] == gone}

    def test_what_a_newcomer_takes_is_its_share_of_the_ring(self):
        balancer = ConsistentHash().start([f"node-{number}" for number in range(10)])
        share = balancer.shares()["node-9"]
        keys = [f"key-{number}" for number in range(5_000)]
        moved = sum(balancer.pick(key) == "node-9" for key in keys)
        assert stats.binomtest(moved, len(keys), share).pvalue > FALSE_ALARM
        assert sum(balancer.shares().values()) == pytest.approx(1.0)
        assert ConsistentHash().start([]).shares() == {}
        assert 0.06 < share < 0.14, "about a tenth: 100 points leave a spread of a tenth of it"

    def test_weights_count_in_points(self):
        shares = ConsistentHash(points=400).start(weighted(a=3, b=1)).shares()
        assert 0.7 < shares["a"] < 0.8

    @settings(max_examples=40)
    @given(some.integers(2, 8), some.sampled_from([1.0, 1.25, 2.0]), some.integers(1, 60))
    def test_a_bound_holds_however_hot_a_key_is(self, nodes, bound, calls):
        balancer = ConsistentHash(bound=bound).start([f"node-{number}" for number in range(nodes)])
        for _ in range(calls):
            balancer.begin(balancer.pick("hot"))
        assert sum(balancer.active.values()) == calls
        assert max(balancer.active.values()) <= math.ceil(bound * calls / nodes)

    def test_calls_to_endpoints_in_panic_or_gone_do_not_break_the_bound(self):
        balancer = ConsistentHash(bound=1.0, panic_ratio=0.0).start(["a", "b"])
        for name in ("a", "b", "b"):
            balancer.begin(name)
        balancer.update([Endpoint(name="a"), Endpoint(name="b", healthy=False)])
        assert balancer.pick("key") == "a"

    def test_without_a_key_the_place_is_drawn(self):
        draws = iter([0.1, 0.6])
        balancer = ConsistentHash().start(["a", "b", "c"], lambda: next(draws))
        assert {balancer.pick(), balancer.pick()} <= {"a", "b", "c"}


def zones(own, others):
    """Endpoints of the own zone and of others: healthy and all, in percent of ten or a hundred."""
    found = []
    for zone, healthy in (("here", own), ("there", others)):
        found += [Endpoint(name=f"{zone}-{n}", zone=zone, healthy=n < healthy) for n in range(100)]
    return found


@pytest.mark.rule("GV-06", "GV-08")
class TestLocality:
    @pytest.mark.parametrize(
        ("own", "others", "percents"),
        [
            (100, 100, (100, 0)),
            (72, 72, (100, 0)),
            (71, 71, (99, 1)),
            (50, 50, (70, 30)),
            (25, 100, (35, 65)),
            (25, 25, (50, 50)),
            (5, 65, (7, 93)),
            (0, 100, (0, 100)),
            (0, 0, (100, 0)),
        ],
    )
    def test_envoys_table_of_levels(self, own, others, percents):
        balancer = ByLocality(zone="here").start(zones(own, others), lambda: 0.5)
        assert balancer.percents == percents

    def test_a_level_panics_only_if_both_together_are_not_enough(self):
        calm = ByLocality(zone="here").start(zones(25, 100), lambda: 0.0)
        assert {calm.pick() for _ in range(100)} == {f"here-{number}" for number in range(25)}
        panic = ByLocality(zone="here").start(zones(5, 65), lambda: 0.0)
        assert len({panic.pick() for _ in range(100)}) == 100, "the own zone calls all of its endpoints"
        assert len(panic.levels[1].eligible) == 65, "the other zone does not"

    def test_draws_choose_the_level_and_calls_are_counted_in_it(self):
        draws = iter([0.69, 0.7])
        balancer = ByLocality(zone="here", inside=RoundRobin()).start(zones(50, 50), lambda: next(draws))
        near, far = balancer.pick(), balancer.pick()
        assert (near[:4], far[:5]) == ("here", "there")
        balancer.begin(near)
        assert (balancer.active[near], balancer.levels[0].active[near]) == (1, 1)
        balancer.end(near)
        assert (balancer.active[near], balancer.levels[0].active[near]) == (0, 0)

    def test_inside_a_level_any_choice_may_be_made(self):
        balancer = ByLocality(zone="here", inside=PowerOfChoices(choices=3)).start(
            zones(100, 100), random.Random(1).random
        )
        assert balancer.pick().startswith("here")

    def test_percentages_add_up(self):
        assert all(sum(level_percents((a, b))) == 100 for a in range(0, 101, 7) for b in range(0, 101, 7))
