"""Under overload: limits on calls under way, shedding, back pressure, and what is answered instead."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edasim.errors import ConfigurationError
from edasim.governance import (
    Aimd,
    Bulkhead,
    ByPriority,
    CoDel,
    ControlledDelay,
    Credits,
    Degradation,
    Failure,
    Fallback,
    Gradient,
    Watermarks,
)

FEW = settings(max_examples=40)
"""For laws of second rank: test time is precious."""


@pytest.mark.rule("GV-32")
def test_a_bulkhead_holds_25_calls_and_nobody_waits():
    bulkhead = Bulkhead()
    state = bulkhead.start()
    assert bulkhead.longest_wait_s == 0.0
    assert sum(state.allow(0.0) for _ in range(30)) == 25
    state.done(1.0, ok=False, duration_s=1.0)
    assert [state.allow(1.0), state.allow(1.0)] == [True, False]
    assert (state.active, state.refused, state.limit) == (25, 6, 25)


def ended(state, calls, under_way, ok=True, duration_s=0.1):
    """The limits after calls that ended while so many were under way."""
    limits = []
    for _ in range(calls):
        state.active = under_way
        state.done(0.0, ok=ok, duration_s=duration_s)
        limits.append(state.limit)
    return limits


@pytest.mark.rule("GV-33")
class TestAdaptiveLimits:
    def test_aimd_grows_by_one_and_shrinks_by_a_tenth(self):
        state = Aimd(first=20, least=10, most=22).start()
        assert ended(state, 3, under_way=20) == [21, 22, 22]
        assert ended(state, 2, under_way=22, ok=False) == [19, 17]
        assert ended(state, 1, under_way=17, duration_s=5.1) == [15]
        assert ended(state, 9, under_way=15, ok=False)[-1] == 10
        assert ended(state, 2, under_way=4) == [10, 10], "a limit that is not in use does not grow"

    def test_the_gradient_grows_by_its_queue_while_durations_are_usual(self):
        state = Gradient().start()
        assert ended(state, 3, under_way=20) == [20.0, 21.0, 22.0]
        assert state.estimate == pytest.approx(22.4)

    def test_the_gradient_shrinks_when_durations_grow_beyond_its_tolerance(self):
        """Twenty usual answers, then one four times as slow: the gradient is half, 1.5 / 4 being less."""
        state = Gradient(first=100, least=20).start()
        ended(state, 20, under_way=10)
        state.active = 100
        state.done(0.0, ok=True, duration_s=0.4)
        assert state.estimate == pytest.approx(100 * 0.8 + 0.2 * (100 * 0.5 + 4))

    @pytest.mark.parametrize("policy", [Aimd(), Gradient()])
    def test_no_more_begin_than_the_limit(self, policy):
        state = policy.start()
        assert [sum(state.allow(0.0) for _ in range(30)), state.active, state.refused] == [20, 20, 10]

    def test_a_queue_of_the_square_root_and_bounds(self):
        state = Gradient(first=100, least=20, most=101, queue=None).start()
        assert ended(state, 1, under_way=100) == [101.0], "100 + 0.2 * 10 is 102"
        assert ended(Gradient().start(), 40, under_way=5)[-1] == 20.0

    def test_a_long_average_above_twice_the_present_falls_faster(self):
        state = Gradient().start()
        ended(state, 10, under_way=1, duration_s=10.0)
        before_s = state.long_s
        ended(state, 1, under_way=1, duration_s=0.1)
        assert state.long_s == pytest.approx((before_s + (0.1 - before_s) * 2 / 601) * 0.95)
        ended(state, 1, under_way=20, duration_s=0.0)

    @FEW
    @given(some.binary(max_size=120), some.sampled_from([Aimd(least=1), Gradient(least=1)]))
    def test_no_more_than_the_limit_begin_and_the_limit_keeps_its_bounds(self, walk, policy):
        state = policy.start()
        for step in walk:
            if step & 1 and state.active:
                state.done(0.0, ok=bool(step & 2), duration_s=step / 64)
            elif state.allow(0.0):
                assert state.active <= state.limit
            assert 1 <= state.limit <= 200

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (lambda: Aimd(least=30, most=20), "Aimd.most is 20; give at least least, 30"),
            (lambda: Gradient(first=300), "Gradient.first is 300; give a number from 20 to 200"),
            (lambda: Aimd(backoff_ratio=1.0), "backoff_ratio is 1.0"),
            (lambda: Gradient(tolerance=0.5), "tolerance is 0.5"),
            (lambda: Bulkhead(limit=0), "Bulkhead.limit is 0"),
        ],
    )
    def test_contradictory_bounds_are_refused(self, make, told):
        with pytest.raises(ConfigurationError, match=told):
            make()


def rfc8289(arrivals_s, service_s, target_s, interval_s):
    """Which messages the RFC's pseudo-code drops, written down from section 5 for a queue that is filled beforehand."""
    queue, dropped, now_s = list(enumerate(arrivals_s)), [], 0.0
    first_above, drop_next, count, last_count, dropping = 0.0, 0.0, 0, 0, False

    def dodequeue():
        nonlocal first_above
        if not queue:
            first_above = 0.0
            return None, False
        packet = queue.pop(0)
        if now_s - packet[1] < target_s or len(queue) <= 1:
            first_above = 0.0
            return packet, False
        if first_above == 0.0:
            first_above = now_s + interval_s
            return packet, False
        return packet, now_s >= first_above

    while queue:
        now_s = max(now_s, queue[0][1])
        packet, ok_to_drop = dodequeue()
        if dropping:
            dropping = ok_to_drop
            while now_s >= drop_next and dropping:
                dropped.append(packet[0])
                count += 1
                packet, ok_to_drop = dodequeue()
                if not ok_to_drop:
                    dropping = False
                else:
                    drop_next += interval_s / math.sqrt(count)
        elif ok_to_drop:
            dropped.append(packet[0])
            packet, ok_to_drop = dodequeue()
            dropping = True
            delta = count - last_count
            count = delta if delta > 1 and now_s - drop_next < 16 * interval_s else 1
            drop_next = now_s + interval_s / math.sqrt(count)
            last_count = count
        now_s += service_s
    return dropped


def dropped_by(policy, arrivals_s, service_s):
    queue, state, dropped, now_s = list(enumerate(arrivals_s)), policy.start(), [], 0.0
    while queue:
        now_s = max(now_s, queue[0][1])
        number, at_s = queue.pop(0)
        while state.drop(now_s, now_s - at_s, len(queue)):
            dropped.append(number)
            number, at_s = queue.pop(0)
        now_s += service_s
    return dropped


@pytest.mark.rule("GV-33")
class TestCoDel:
    def test_the_defaults(self):
        assert (CoDel().target_s, CoDel().interval_s) == (0.005, 0.1)

    def test_drops_begin_after_an_interval_and_follow_at_intervals_over_root_n(self):
        state = CoDel().start()
        drops_s = [ms / 1000 for ms in range(600) if state.drop(ms / 1000, wait_s=0.02, waiting=50)]
        gaps = [0.1 / math.sqrt(n) for n in (1, 2, 3, 4)]
        due_s = [0.1, *(0.1 + sum(gaps[:n]) for n in (1, 2, 3, 4))]
        assert [math.ceil(each * 1000 - 1e-9) / 1000 for each in due_s] == drops_s[:5]
        assert state.dropped == len(drops_s)

    def test_one_wait_below_the_target_ends_the_dropping(self):
        state = CoDel().start()
        assert [state.drop(now_s, 0.02, 50) for now_s in (0.0, 0.1)] == [False, True]
        assert not state.drop(0.25, 0.004, 50)
        assert [state.drop(now_s, 0.02, 50) for now_s in (0.26, 0.35, 0.36)] == [False, False, True]

    def test_the_last_messages_are_never_dropped(self):
        state = CoDel().start()
        assert not any(state.drop(now_s / 10, wait_s=1.0, waiting=1) for now_s in range(100))

    @FEW
    @given(some.binary(min_size=1, max_size=200), some.sampled_from([0.004, 0.02, 0.06]))
    def test_it_drops_what_the_rfcs_pseudo_code_drops(self, gaps, service_s):
        arrivals_s, now_s = [], 0.0
        for gap in gaps:
            now_s += (gap % 16) / 1000
            arrivals_s.append(now_s)
        assert dropped_by(CoDel(), arrivals_s, service_s) == rfc8289(arrivals_s, service_s, 0.005, 0.1)

    def test_a_target_above_the_interval_is_refused(self):
        with pytest.raises(ConfigurationError, match=r"target_s is 0\.2; give less than interval_s, 0\.1"):
            CoDel(target_s=0.2)


@pytest.mark.rule("GV-34")
class TestNewestFirst:
    def test_a_queue_that_was_not_empty_for_100_ms_waits_5_ms_only_and_serves_the_newest(self):
        queue = ControlledDelay().start(now_s=0.0)
        assert (queue.longest_wait_s(0.05, waiting=3), queue.takes_newest(0.05, 3)) == (0.1, False)
        assert (queue.longest_wait_s(0.11, waiting=3), queue.takes_newest(0.11, 3)) == (0.005, True)
        assert (queue.longest_wait_s(0.12, waiting=0), queue.takes_newest(0.13, 1)) == (0.1, False)
        assert not ControlledDelay(newest_first=False).start().takes_newest(9.0, 9)

    def test_newest_first_serves_more_in_time_than_oldest_first(self):
        """Ten a second arrive, five are served, an answer counts within a second; 20 s."""
        in_time = {}
        for newest in (False, True):
            waiting, arrived, found = [], 0, 0
            for served in range(100):
                now_s = served * 0.2
                while arrived * 0.1 <= now_s:
                    waiting.append(arrived * 0.1)
                    arrived += 1
                at_s = waiting.pop(-1 if newest else 0)
                found += now_s + 0.2 - at_s <= 1.0
            in_time[newest] = found
        assert in_time == {False: 9, True: 100}

    def test_contradictory_waits_are_refused(self):
        with pytest.raises(ConfigurationError, match=r"short_s is 0\.2; give at most long_s, 0\.1"):
            ControlledDelay(short_s=0.2)


@pytest.mark.rule("GV-37")
class TestPriorities:
    def test_the_unimportant_is_shed_first(self):
        shedding = ByPriority(shares=[1.0, 0.8, 0.5])
        let_in = {used: [p for p in range(4) if shedding.allow(p, used)] for used in (0.0, 0.5, 0.8, 0.99, 1.0)}
        assert let_in == {0.0: [0, 1, 2, 3], 0.5: [0, 1], 0.8: [0], 0.99: [0], 1.0: []}
        assert shedding.allow(-1, 0.9)

    @pytest.mark.parametrize(
        ("shares", "told"), [([], "give a list of shares"), ([0.5, 0.8], "give shares that fall"), ([1.5], "is 1.5")]
    )
    def test_contradictory_shares_are_refused(self, shares, told):
        with pytest.raises(ConfigurationError, match=told):
            ByPriority(shares=shares)


@pytest.mark.rule("GV-36")
class TestBackPressure:
    def test_the_source_stops_at_the_high_mark_and_goes_on_at_the_low_one(self):
        flow = Watermarks(high=4, low=2).start()
        assert [flow.may_send(n) for n in (3, 4, 3, 2, 3, 4, 9, 0)] == [
            True,
            False,
            False,
            True,
            True,
            False,
            False,
            True,
        ]
        assert flow.stops == 2

    @FEW
    @given(some.binary(max_size=100), some.integers(0, 5))
    def test_no_more_is_sent_than_was_granted(self, walk, first):
        credit, granted, sent = Credits(first=first).start(), first, 0
        for step in walk:
            if step & 1:
                credit.grant(step // 64 + 1)
                granted += step // 64 + 1
            else:
                sent += credit.take()
            assert sent <= granted
            assert credit.left == granted - sent

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (lambda: Watermarks(high=3, low=3), "low is 3; give less than high, 3"),
            (lambda: Credits(first=-1), "Credits.first is -1"),
            (lambda: Credits().start().grant(0), "more is 0"),
        ],
    )
    def test_what_cannot_be_is_refused(self, make, told):
        with pytest.raises(ConfigurationError, match=told):
            make()


@pytest.mark.rule("GV-35")
class TestDegradation:
    CACHE = Fallback(name="cache", quality_ratio=0.9, fresh_s=60.0)
    EMPTY = Fallback(name="empty list", quality_ratio=0.25)

    def test_the_first_fallback_that_fits_is_taken(self):
        ladder = Degradation(fallbacks=[self.CACHE, self.EMPTY])
        assert ladder.choose(Failure.TIMEOUT) is self.CACHE
        assert ladder.choose(Failure.NOT_PERMITTED, {"cache": 60.1}) is self.EMPTY
        assert ladder.choose(Failure.INVALID) is None, "a wrong request is told so"

    def test_share_and_quality_are_counted(self):
        answers = Degradation(fallbacks=[self.CACHE, self.EMPTY]).start()
        assert (answers.degraded_ratio, answers.mean_quality) == (0.0, 1.0)
        for fallback in (None, None, self.CACHE, self.EMPTY):
            answers.answered(fallback)
        answers.gave_up()
        assert (answers.requests, answers.full, answers.failed) == (5, 2, 1)
        assert answers.by_name == {"cache": 1, "empty list": 1}
        assert answers.degraded_ratio == 0.4
        assert answers.mean_quality == pytest.approx((2 + 0.9 + 0.25) / 5)

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (lambda: Fallback(name=" ", quality_ratio=1.0), "Fallback.name is ' '"),
            (lambda: Fallback(name="a", quality_ratio=1.1), "quality_ratio is 1.1"),
            (lambda: Degradation(fallbacks=[]), "give a list of Fallback"),
            (
                lambda: Degradation(fallbacks=[Fallback(name="a", quality_ratio=1.0)] * 2),
                "give each fallback a name of its own",
            ),
        ],
    )
    def test_what_cannot_be_is_refused(self, make, told):
        with pytest.raises(ConfigurationError, match=told):
            make()
