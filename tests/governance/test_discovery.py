"""Discovery and health: leases, stale views, probes and ejections, as stories."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edasim.errors import ConfigurationError, UnknownNameError
from edasim.governance import Failure, OutlierDetection, Probe, Probes, Reaction, Registry, View
from edasim.governance.outliers import success_rate_threshold

FEW = settings(max_examples=40)
"""For laws of second rank: test time is precious."""


def registered(names, **fields):
    story = []
    leases = Registry(**fields).start(told=lambda at_s, name, what: story.append((at_s, name, what)))
    for name in names:
        leases.register(name, 0.0)
    story.clear()
    return leases, story


@pytest.mark.rule("GV-01")
class TestLeases:
    def test_a_lease_that_is_not_renewed_is_gone_after_its_time(self):
        leases, story = registered(["a", "b"], ttl_s=90.0, renewal_ratio=0.0, self_preservation=False)
        assert leases.renew("a", 60.0)
        assert (leases.sweep(90.0), leases.names()) == ((), ("a", "b"))
        assert (leases.sweep(91.0), leases.names()) == (("b",), ("a",))
        assert story == [(91.0, "b", "expired")]
        assert not leases.renew("b", 92.0), "who is gone must register again"
        assert leases.register("b", 93.0)

    def test_registering_twice_renews_and_is_told_apart(self):
        leases, story = registered(["a"], renewal_ratio=0.0, self_preservation=False)
        assert not leases.register("a", 80.0)
        assert leases.sweep(160.0) == ()
        assert story == [(80.0, "a", "registered again")]
        assert leases.names() == ("a",)

    def test_an_orderly_good_bye_takes_effect_at_once(self):
        leases, story = registered(["a"])
        assert (leases.cancel("a", 5.0), leases.cancel("a", 6.0)) == (True, False)
        assert story == [(5.0, "a", "cancelled")]
        assert (leases.names(), leases.sweep(1000.0)) == ((), ())

    def test_a_view_is_stale_by_up_to_its_refresh(self):
        leases, _ = registered(["a"])
        copy = View(refresh_s=30.0).start()
        assert copy.age_s(0.0) == float("inf")
        assert copy.names(leases, 0.0) == ("a",)
        leases.cancel("a", 1.0)
        leases.register("b", 1.0)
        assert (copy.names(leases, 29.9), copy.age_s(29.9)) == (("a",), 29.9)
        assert (copy.names(leases, 30.0), copy.age_s(30.0)) == (("b",), 0.0)

    @FEW
    @given(some.binary(max_size=60))
    def test_nobody_is_listed_longer_than_ttl_and_sweep_after_the_last_sign(self, walk):
        leases, last_s = Registry(ttl_s=2.0, renew_s=1.0, renewal_ratio=0.0, self_preservation=False).start(), {}
        now_s = 0.0
        for step in walk:
            now_s += 0.5
            name = "abcd"[step % 4]
            if step & 4 and not leases.renew(name, now_s):
                leases.register(name, now_s)
            if step & 4:
                last_s[name] = now_s
            leases.sweep(now_s)
            assert set(leases.names()) == {name for name, since in last_s.items() if now_s - since <= 2.0}

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (lambda: Registry(ttl_s=0.0), "Registry.ttl_s is 0.0"),
            (lambda: Registry(ttl_s=20.0), "Registry.ttl_s is 20.0; give more than renew_s, 30"),
            (lambda: Registry().start().register("", 0.0), "name is ''; give a text that is not empty"),
            (lambda: View(refresh_s=-1.0), "View.refresh_s is -1.0"),
        ],
    )
    def test_what_cannot_be_is_refused(self, make, told):
        with pytest.raises(ConfigurationError, match=told):
            make()


@pytest.mark.rule("GV-02")
class TestEureka:
    def heartbeats(self, leases, names, until_s):
        for now_s in range(30, until_s + 1, 30):
            for name in names:
                leases.renew(name, float(now_s))

    def test_the_defaults(self):
        registry = Registry()
        assert (registry.renew_s, registry.ttl_s, registry.sweep_s, registry.renewal_ratio) == (30.0, 90.0, 60.0, 0.85)
        assert registry.self_preservation
        assert View().refresh_s == 30.0

    def test_one_dead_of_twenty_expires(self):
        names = [f"n{number:02}" for number in range(20)]
        leases, story = registered(names)
        self.heartbeats(leases, names[1:], 120)
        assert not leases.preserving(120.0), "38 renewals in the last minute are more than 34"
        assert leases.sweep(120.0) == ("n00",)
        assert story == [(120.0, "n00", "expired")]

    def test_three_dead_of_twenty_stop_all_expiry(self):
        names = [f"n{number:02}" for number in range(20)]
        leases, _ = registered(names)
        self.heartbeats(leases, names[3:], 120)
        assert leases.preserving(120.0), "34 renewals are not more than 34"
        assert leases.sweep(120.0) == ()
        assert len(leases.names()) == 20

    def test_a_single_sweep_takes_out_at_most_15_percent(self):
        names = [f"n{number:02}" for number in range(20)]
        leases, _ = registered(names, self_preservation=False)
        assert leases.sweep(120.0) == ("n00", "n01", "n02")
        assert leases.sweep(180.0) == ("n03", "n04", "n05"), "of 17 int(14.45) stay"

    def test_who_expired_is_expected_no_longer_after_a_quarter_of_an_hour(self):
        names = [f"n{number:02}" for number in range(20)]
        leases, _ = registered(names)
        self.heartbeats(leases, names[2:], 120)
        assert len(leases.sweep(120.0)) == 2
        self.heartbeats(leases, names[3:], 840)
        assert leases.sweep(840.0) == (), "34 of 40 expected renewals"
        self.heartbeats(leases, names[3:], 930)
        assert leases.sweep(930.0) == ("n02",), "18 are expected now: 34 renewals are more than 30"


@pytest.mark.rule("GV-03")
def test_consul_leaves_out_who_is_critical_at_once_and_deregisters_later():
    leases, story = registered(["a", "b"], ttl_s=1e6, self_preservation=False, deregister_after_s=60.0)
    leases.mark("a", 10.0, critical=True)
    leases.mark("a", 11.0, critical=True)
    assert leases.names() == ("b",)
    leases.mark("a", 20.0, critical=False)
    leases.mark("a", 21.0, critical=False)
    assert leases.names() == ("a", "b")
    leases.mark("a", 30.0, critical=True)
    assert (leases.sweep(89.0), leases.sweep(90.0)) == ((), ("a",))
    assert [what for _, _, what in story] == ["critical", "passing", "critical", "deregistered"]
    with pytest.raises(UnknownNameError, match="there is no instance 'a'"):
        leases.mark("a", 91.0, critical=False)


@pytest.mark.rule("GV-04")
class TestProbes:
    def test_the_defaults_and_how_long_detection_takes(self):
        probe = Probe()
        assert (probe.initial_delay_s, probe.period_s, probe.timeout_s) == (0.0, 10.0, 1.0)
        assert (probe.failure_threshold, probe.success_threshold) == (3, 1)
        assert probe.detection_s == (20.0, 31.0)

    def test_a_silence_is_found_within_the_bounds_wherever_it_begins(self):
        probe = Probe()
        for tenth in range(100):
            silent_s, verdict, now_s = 100.0 + tenth / 10, probe.start(good=True), 0.0
            while verdict.good:
                now_s += probe.period_s
                verdict.record(ok=now_s < silent_s)
            found_s = now_s + probe.timeout_s - silent_s
            assert probe.detection_s[0] + probe.timeout_s <= found_s <= probe.detection_s[1]

    def test_three_bad_answers_in_a_row_and_not_three_in_all(self):
        verdict = Probe().start(good=True)
        assert [verdict.record(ok) for ok in (False, False, True, False, False, False)] == [
            None, None, True, None, None, False,
        ]  # fmt: skip

    def test_readiness_takes_out_of_service_and_liveness_restarts(self):
        container = Probes(readiness=Probe(success_threshold=2), liveness=Probe()).start(now_s=0.0)
        assert not container.ready, "nobody is ready before the first good answers"
        assert [container.record("readiness", ok=True).value for _ in range(2)] == ["none", "add"]
        assert [container.record("readiness", ok=False).value for _ in range(3)] == ["none", "none", "remove"]
        assert [container.record("liveness", ok=False).value for _ in range(4)] == ["none", "none", "restart", "none"]
        assert not container.due("liveness", 100.0), "on hold until there is a new container"
        container.restart(100.0)
        assert (container.restarts, container.ready, container.due("liveness", 100.0)) == (1, False, True)

    def test_a_startup_probe_holds_the_others_back(self):
        probes = Probes(startup=Probe(failure_threshold=3), readiness=Probe(), liveness=Probe(initial_delay_s=15.0))
        container = probes.start(now_s=0.0)
        assert [container.due(purpose, 5.0) for purpose in ("startup", "readiness", "liveness")] == [True, False, False]
        assert container.record("liveness", ok=False) is Reaction.NONE
        assert [container.record("startup", ok) for ok in (False, False, True)][-1] is Reaction.STARTED
        assert [container.due(purpose, 14.0) for purpose in ("startup", "readiness", "liveness")] == [
            False,
            True,
            False,
        ]
        assert container.due("liveness", 15.0)
        assert container.record("readiness", ok=True) is Reaction.ADD
        assert container.record("startup", ok=False) is Reaction.NONE, "it is not asked any more"

    def test_a_startup_that_never_comes_restarts(self):
        container = Probes(startup=Probe()).start()
        assert [container.record("startup", ok=False).value for _ in range(3)] == ["none", "none", "restart"]

    def test_without_probes_a_container_is_ready(self):
        container = Probes().start()
        assert container.ready
        assert not container.due("readiness", 10.0)
        assert container.record("readiness", ok=False) is Reaction.NONE

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (lambda: Probe(period_s=0.0), "Probe.period_s is 0.0"),
            (lambda: Probe(failure_threshold=0), "Probe.failure_threshold is 0"),
            (lambda: Probes(liveness=Probe(success_threshold=2)), "liveness.success_threshold is 2; give 1"),
            (lambda: Probes(startup=Probe(success_threshold=2)), "startup.success_threshold is 2; give 1"),
            (lambda: Probes(readiness=10), "give a Probe"),
        ],
    )
    def test_contradictory_thresholds_are_refused(self, make, told):
        with pytest.raises(ConfigurationError, match=told):
            make()


def ejections(many=10, **fields):
    story = []
    names = [f"n{number}" for number in range(many)]
    state = OutlierDetection(**fields).start(names, told=lambda at_s, name, what: story.append((at_s, name, what)))
    return state, story


def fail(state, name, now_s, times=5, failure=Failure.ERROR):
    for _ in range(times):
        state.record(name, now_s, failure)


@pytest.mark.rule("GV-05")
class TestOutliers:
    def test_the_defaults(self):
        detection = OutlierDetection()
        assert (detection.consecutive_failures, detection.interval_s, detection.base_s) == (5, 10.0, 30.0)
        assert (detection.longest_s, detection.most_ratio, detection.always_one) == (300.0, 0.1, False)
        assert (detection.success_rate_hosts, detection.success_rate_requests) == (5, 100)

    def test_five_failures_in_a_row_eject_and_a_second_endpoint_would_be_too_many(self):
        state, story = ejections()
        fail(state, "n0", 1.0, times=4)
        state.record("n0", 1.0, None)
        fail(state, "n0", 2.0)
        fail(state, "n1", 3.0)
        assert story == [(2.0, "n0", "ejected: consecutive failures")]
        assert (state.ejected(), state.overflows, state.healthy("n1"), state.healthy("stranger")) == (
            ("n0",), 1, True, True,
        )  # fmt: skip

    def test_an_ejection_ends_at_the_first_sweep_after_its_time_and_the_next_is_longer(self):
        state, story = ejections()
        fail(state, "n0", 5.0)
        assert [state.sweep(now_s) for now_s in (10.0, 20.0, 30.0, 40.0)] == [(), (), (), ("n0",)]
        fail(state, "n0", 41.0)
        assert [now_s for now_s in range(50, 150, 10) if state.sweep(float(now_s))] == [110], "60 s from 41 s on"
        assert [what for _, _, what in story] == [
            "ejected: consecutive failures", "returned", "ejected: consecutive failures", "returned",
        ]  # fmt: skip

    def test_good_behaviour_shortens_the_next_ejection_again(self):
        state, _ = ejections()
        for opened_s in (0.0, 30.0):
            fail(state, "n0", opened_s)
            state.sweep(opened_s + 30.0)
        assert not state.healthy("n0")
        state.sweep(90.0)
        state.sweep(100.0)
        state.sweep(110.0)
        fail(state, "n0", 111.0)
        assert [state.sweep(140.0), state.sweep(150.0)] == [(), ("n0",)], "30 s once more"

    def test_no_ejection_is_longer_than_the_longest(self):
        state, _ = ejections(base_s=30.0, longest_s=70.0)
        assert [state.lasts_s(times) for times in (1, 2, 3, 100)] == [30.0, 60.0, 70.0, 70.0]

    def test_in_a_small_cluster_nobody_is_ejected_unless_one_always_may_be(self):
        strict, one = ejections(many=5)[0], ejections(many=5, always_one=True)[0]
        for state in (strict, one):
            fail(state, "n0", 0.0)
            fail(state, "n1", 0.0)
        assert (strict.ejected(), one.ejected()) == ((), ("n0",))

    def test_all_may_be_ejected_if_the_share_says_so(self):
        state, _ = ejections(many=3, most_ratio=1.0)
        for name in ("n0", "n1", "n2"):
            fail(state, name, 0.0)
        assert len(state.ejected()) == 3

    def test_gateway_failures_are_counted_apart_if_enforced(self):
        state, story = ejections(consecutive_failures=None, consecutive_gateway_failures=3)
        fail(state, "n0", 0.0, times=9)
        fail(state, "n1", 0.0, times=2, failure=Failure.TIMEOUT)
        state.record("n1", 0.0, Failure.ERROR)
        fail(state, "n1", 0.0, times=2, failure=Failure.OVERLOADED)
        assert story == []
        state.record("n1", 0.0, Failure.UNREACHABLE)
        assert story == [(0.0, "n1", "ejected: consecutive gateway failures")]

    def test_a_wrong_request_says_nothing_about_its_callee(self):
        state, story = ejections()
        fail(state, "n0", 0.0, times=99, failure=Failure.INVALID)
        state.record("stranger", 0.0, Failure.ERROR)
        assert story == []

    def traffic(self, state, good_of_100):
        for number, good in enumerate(good_of_100):
            for call in range(100):
                bad = (call + 1) * (100 - good) // 100 > call * (100 - good) // 100
                state.record(f"n{number}", 1.0, Failure.ERROR if bad else None)

    def test_a_success_rate_far_below_the_mean_ejects_at_the_sweep(self):
        state, story = ejections(many=5, consecutive_failures=None, most_ratio=0.2)
        self.traffic(state, [50, 100, 100, 100, 100])
        assert success_rate_threshold([50.0, 100.0, 100.0, 100.0, 100.0], 1.9) == pytest.approx(52.0)
        state.sweep(10.0)
        assert story == [(10.0, "n0", "ejected: success rate")]

    def test_too_few_requests_or_endpoints_tell_nothing(self):
        few, small = ejections(many=5, success_rate_requests=101)[0], ejections(many=4, most_ratio=1.0)[0]
        for state in (few, small):
            self.traffic(state, [60, 100, 100, 100])
            state.sweep(10.0)
            assert state.ejected() == ()

    def test_a_failure_percentage_ejects_if_enforced(self):
        state, story = ejections(
            many=5, consecutive_failures=None, by_success_rate=False, failure_ratio=0.4, most_ratio=1.0
        )
        self.traffic(state, [60, 61, 100, 100, 100])
        state.sweep(10.0)
        assert story == [(10.0, "n0", "ejected: failure percentage")]
        state.sweep(20.0)
        assert len(story) == 1, "counts begin anew with each interval"

    @FEW
    @given(some.binary(max_size=150), some.sampled_from([0.0, 0.1, 0.34, 1.0]), some.booleans())
    def test_never_more_than_the_share_are_ejected(self, walk, most_ratio, always_one):
        state, _ = ejections(many=6, consecutive_failures=2, most_ratio=most_ratio, always_one=always_one)
        for number, step in enumerate(walk):
            state.record(f"n{step % 6}", float(number), Failure.ERROR if step & 64 else None)
            if number % 10 == 9:
                state.sweep(float(number))
            assert len(state.ejected()) <= max(most_ratio * 6, 1 if always_one else 0)

    def test_an_endpoint_that_stays_is_remembered_when_the_list_changes(self):
        state, _ = ejections()
        fail(state, "n0", 0.0)
        state.update(["n0", "new"])
        assert state.ejected() == ("n0",)
        state.update(["new"])
        assert (state.ejected(), state.healthy("n0")) == ((), True)

    def test_each_endpoint_is_given_once_and_has_a_name(self):
        for names, told in ((["a", "a"], "names is 'a'; register each endpoint once"), ([""], "names is ''")):
            with pytest.raises(ConfigurationError, match=told):
                OutlierDetection().start(names)

    def test_a_longest_ejection_below_the_first_is_refused(self):
        with pytest.raises(ConfigurationError, match=r"longest_s is 10\.0; give at least base_s, 30"):
            OutlierDetection(longest_s=10.0)
