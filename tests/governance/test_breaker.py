"""The circuit breaker: Resilience4j's timelines, Hystrix's, and laws that hold whatever is asked and told."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edasim.errors import ConfigurationError
from edasim.governance import HYSTRIX, CircuitBreaker, State
from edasim.governance.windows import LastCalls, LastSeconds

FEW = settings(max_examples=40)
"""For laws of second rank: test time is precious."""


def started(**fields):
    """A circuit, and the list that its transitions go to."""
    story = []
    settings = {"window_size": 4, "minimum_calls": 4, "permitted_half_open_calls": 2, "open_s": 10.0} | fields
    circuit = CircuitBreaker(**settings).start(told=lambda at_s, before, after: story.append((at_s, after.value)))
    return circuit, story


def end(circuit, times_s, ok, duration_s=0.1):
    for now_s in times_s:
        circuit.record(now_s, ok, duration_s)


@pytest.mark.rule("GV-10")
class TestResilience4j:
    def test_the_defaults(self):
        breaker = CircuitBreaker()
        assert (breaker.window.value, breaker.window_size, breaker.minimum_calls) == ("count", 100, 100)
        assert (breaker.failure_rate_ratio, breaker.slow_call_rate_ratio, breaker.slow_call_s) == (0.5, 1.0, 60.0)
        assert (breaker.open_s, breaker.permitted_half_open_calls, breaker.automatic) == (60.0, 10, False)

    def test_a_story_from_closed_to_open_to_half_open_and_back(self):
        circuit, story = started()
        end(circuit, [0.0, 1.0], ok=True)
        end(circuit, [2.0], ok=False)
        assert circuit.failure_rate_ratio is None, "three calls tell nothing yet"
        end(circuit, [3.0], ok=False)
        assert [circuit.allow(now_s) for now_s in (3.0, 12.0, 13.0)] == [False, False, False]
        assert [circuit.allow(13.5), circuit.allow(13.5), circuit.allow(13.5)] == [True, True, False]
        end(circuit, [14.0, 14.5], ok=True)
        assert circuit.allow(14.5)
        assert story == [(3.0, "open"), (13.5, "half open"), (14.5, "closed")]
        assert circuit.refused == 4
        assert circuit.calls == 0, "a closed circuit begins to count anew"

    def test_the_rate_is_judged_after_a_success_as_well(self):
        circuit, story = started()
        end(circuit, [0.0, 1.0, 2.0], ok=False)
        end(circuit, [3.0], ok=True)
        assert story == [(3.0, "open")]

    def test_a_rate_at_the_threshold_opens_and_one_below_does_not(self):
        at, below = started(failure_rate_ratio=0.5)[0], started(failure_rate_ratio=0.51)[0]
        for circuit in (at, below):
            end(circuit, [0.0, 1.0], ok=False)
            end(circuit, [2.0, 3.0], ok=True)
        assert (at.state, below.state) == (State.OPEN, State.CLOSED)
        assert below.failure_rate_ratio == 0.5

    def test_a_threshold_in_percent_is_met_exactly(self):
        for percent in range(1, 101):
            circuit, story = started(window_size=100, minimum_calls=100, failure_rate_ratio=percent / 100)
            end(circuit, range(100 - percent), ok=True)
            end(circuit, range(100 - percent, 100), ok=False)
            assert story == [(99, "open")]

    def test_calls_slower_than_the_threshold_open_too_though_they_succeed(self):
        circuit, story = started(slow_call_s=2.0, slow_call_rate_ratio=0.75)
        end(circuit, [0.0, 1.0], ok=True, duration_s=2.001)
        end(circuit, [2.0, 3.0], ok=True, duration_s=2.0)
        assert (story, circuit.slow_call_rate_ratio) == ([], 0.5)
        end(circuit, [4.0, 5.0, 6.0], ok=True, duration_s=3.0)
        assert story == [(6.0, "open")]

    def test_old_calls_leave_a_count_window_one_by_one(self):
        circuit, story = started(failure_rate_ratio=0.75)
        end(circuit, [0.0, 1.0], ok=False)
        end(circuit, [2.0, 3.0, 4.0], ok=True)
        assert circuit.failure_rate_ratio == 0.25
        assert story == []

    def test_old_seconds_leave_a_time_window_as_a_whole(self):
        circuit, story = started(window="time", window_size=3, minimum_calls=3)
        end(circuit, [0.1, 0.9], ok=False)
        end(circuit, [3.0], ok=False)
        assert (circuit.calls, story) == (1, []), "second 0 left when second 3 began"
        end(circuit, [5.9, 5.9], ok=True)
        assert (circuit.calls, circuit.failure_rate_ratio) == (3, 1 / 3)
        end(circuit, [5.99], ok=False)
        assert story == [(5.99, "open")]

    def test_a_count_window_never_asks_for_more_calls_than_it_holds(self):
        assert CircuitBreaker(window_size=10).calls_needed == 10
        assert CircuitBreaker(window="time", window_size=10).calls_needed == 100

    def test_half_open_judges_as_soon_as_the_minimum_has_ended(self):
        circuit, story = started(minimum_calls=2, permitted_half_open_calls=5)
        end(circuit, [0.0, 0.0], ok=False)
        assert [circuit.allow(11.0) for _ in range(6)] == [True] * 5 + [False]
        end(circuit, [12.0, 12.0], ok=False)
        assert story == [(0.0, "open"), (11.0, "half open"), (12.0, "open")]

    def test_more_permitted_calls_than_the_window_have_a_window_of_their_own(self):
        circuit, story = started(window_size=2, permitted_half_open_calls=4)
        end(circuit, [0.0, 0.0], ok=False)
        assert [circuit.allow(11.0) for _ in range(5)] == [True] * 4 + [False]
        end(circuit, [12.0, 12.0, 12.0], ok=True)
        assert circuit.state is State.HALF_OPEN
        end(circuit, [13.0], ok=True)
        assert story[-1] == (13.0, "closed")

    def test_a_late_call_from_before_counts_as_one_on_trial(self):
        circuit, story = started()
        end(circuit, [0.0] * 4, ok=False)
        assert circuit.allow(11.0)
        end(circuit, [11.5, 11.5], ok=False)
        assert story[-1] == (11.5, "open")

    def test_calls_that_end_while_it_is_open_change_nothing(self):
        circuit, story = started()
        end(circuit, [0.0] * 4, ok=False)
        end(circuit, [1.0] * 20, ok=True)
        assert story == [(0.0, "open")]
        assert circuit.calls == 4

    def test_a_permission_that_is_not_used_can_be_given_back(self):
        circuit, _ = started()
        end(circuit, [0.0] * 4, ok=False)
        assert [circuit.allow(11.0) for _ in range(3)] == [True, True, False]
        circuit.release(11.0)
        assert [circuit.allow(11.0) for _ in range(2)] == [True, False]

    def test_the_automatic_transition_needs_no_call(self):
        circuit, story = started(automatic=True)
        end(circuit, [0.0] * 4, ok=False)
        assert circuit.due_s == 10.0
        circuit.advance(25.0)
        assert story == [(0.0, "open"), (10.0, "half open")]
        assert circuit.due_s == float("inf")

    def test_a_trial_that_lasts_too_long_opens_again(self):
        circuit, story = started(half_open_s=5.0)
        end(circuit, [0.0] * 4, ok=False)
        assert circuit.allow(11.0)
        assert not circuit.allow(16.0)
        assert story == [(0.0, "open"), (11.0, "half open"), (16.0, "open")]

    def test_waits_grow_while_trials_fail_and_begin_anew_after_closing(self):
        circuit, _ = started(open_factor=2.0, open_cap_s=30.0, permitted_half_open_calls=1)
        end(circuit, [0.0] * 4, ok=False)
        now_s, waits_s = 0.0, []
        for _ in range(4):
            waits_s.append(circuit.configuration.open_wait_s(circuit.times_opened))
            now_s += waits_s[-1] + 1.0
            assert circuit.allow(now_s)
            end(circuit, [now_s], ok=False)
        assert waits_s == [10.0, 20.0, 30.0, 30.0]
        assert circuit.allow(now_s + 31.0)
        end(circuit, [now_s + 31.0], ok=True)
        assert (circuit.state, circuit.times_opened) == (State.CLOSED, 0)

    def test_states_by_hand(self):
        circuit, story = started()
        circuit.force(1.0, State.FORCED_OPEN)
        end(circuit, [2.0], ok=True)
        assert not circuit.allow(1e6)
        circuit.force(2.0, State.DISABLED)
        end(circuit, [2.0] * 9, ok=False)
        assert (circuit.allow(2.0), circuit.calls) == (True, 0)
        circuit.force(3.0, State.METRICS_ONLY)
        end(circuit, [3.0] * 9, ok=False)
        assert (circuit.allow(3.0), circuit.failure_rate_ratio) == (True, 1.0)
        assert [state for _, state in story] == ["forced open", "disabled", "metrics only"]


@pytest.mark.rule("GV-11")
def test_hystrix_opens_at_20_calls_in_10_s_and_sends_one_probe_after_5_s():
    story = []
    circuit = HYSTRIX.start(told=lambda at_s, before, after: story.append((at_s, after.value)))
    end(circuit, [0.1 * call for call in range(10)], ok=False)
    end(circuit, [1.0 + 0.1 * call for call in range(9)], ok=True)
    assert story == [], "19 calls are too few"
    end(circuit, [2.0], ok=True)
    assert [circuit.allow(now_s) for now_s in (6.9, 7.0, 7.1, 7.1)] == [False, False, True, False]
    end(circuit, [7.5], ok=True)
    assert story == [(2.0, "open"), (7.1, "half open"), (7.5, "closed")]


MOVES = ("allow", "allow", "good", "bad", "slow", "release")
WALKS = some.binary(max_size=120).map(lambda walk: [(MOVES[step % 6], step // 6) for step in walk])
"""What is done, and how many quarters of a second (0 to 42) after what was done before."""
BREAKERS = some.builds(
    CircuitBreaker,
    window=some.sampled_from(["count", "time"]),
    window_size=some.integers(1, 6),
    minimum_calls=some.integers(1, 6),
    failure_rate_ratio=some.sampled_from([0.01, 0.5, 1.0]),
    slow_call_s=some.just(1.0),
    open_s=some.sampled_from([1.0, 2.5]),
    open_factor=some.sampled_from([1.0, 2.0]),
    permitted_half_open_calls=some.integers(1, 4),
    half_open_s=some.sampled_from([None, 2.0]),
    automatic=some.booleans(),
)


@pytest.mark.rule("GV-10", "GV-12")
@given(BREAKERS, WALKS)
def test_it_never_calls_while_open_and_never_permits_more_trials_than_it_may(breaker, moves):
    changes = []
    circuit = breaker.start(told=lambda at_s, before, after: changes.append((at_s, before, after)))
    now_s, permitted, refused, seen = 0.0, 0, 0, 0
    for move, quarters in moves:
        now_s += quarters / 4
        if move == "allow":
            allowed = circuit.allow(now_s)
            refused += not allowed
        elif move == "release":
            circuit.release(now_s)
        else:
            circuit.record(now_s, ok=move != "bad", duration_s=2.0 if move == "slow" else 0.5)
        if len(changes) > seen:
            permitted, seen = 0, len(changes)
        if circuit.state is State.OPEN:
            opened_s = changes[-1][0]
            assert now_s <= opened_s + breaker.open_wait_s(circuit.times_opened) or move != "allow"
            assert move != "allow" or not allowed
        if circuit.state is State.HALF_OPEN:
            permitted += (move == "allow" and allowed) - (move == "release" and changes[-1][0] <= now_s)
            assert permitted <= breaker.permitted_half_open_calls
    assert circuit.refused == refused, "refusals are counted, and only they"
    assert all(before is not after for _, before, after in changes)


class Simple:
    """Resilience4j's rules written down once more, with plain lists and without haste."""

    def __init__(self, breaker):
        self.breaker, self.state, self.ended, self.times = breaker, "closed", [], 0

    def allow(self, now_s):
        if self.state == "open" and now_s > self.until_s:
            self.state, self.ended, self.permits = "half open", [], self.breaker.permitted_half_open_calls
        if self.state == "half open" and self.permits:
            self.permits -= 1
            return True
        return self.state == "closed"

    def release(self, now_s):
        if self.state == "half open":
            self.permits += 1

    def record(self, now_s, ok, duration_s):
        breaker, by_time = self.breaker, self.breaker.window.value == "time" and self.state != "half open"
        if self.state == "open":
            return
        self.ended.append((int(now_s), not ok, duration_s > breaker.slow_call_s))
        if by_time:
            last = [each for each in self.ended if each[0] > int(now_s) - breaker.window_size]
        else:
            size = breaker.permitted_half_open_calls if self.state == "half open" else breaker.window_size
            last = self.ended[-size:]
        needed = breaker.minimum_calls if by_time else min(breaker.minimum_calls, size)
        if len(last) < needed:
            return
        failing, slow = (sum(each[place] for each in last) / len(last) for place in (1, 2))
        if failing >= breaker.failure_rate_ratio or slow >= breaker.slow_call_rate_ratio:
            self.times += 1
            self.state, self.until_s = "open", now_s + breaker.open_wait_s(self.times)
        elif self.state == "half open":
            self.state, self.ended, self.times = "closed", [], 0


@pytest.mark.rule("GV-10")
@given(BREAKERS, WALKS)
def test_it_does_what_the_rules_say_when_they_are_written_down_plainly(breaker, moves):
    breaker = dataclasses.replace(breaker, half_open_s=None, automatic=False)
    circuit, simple, now_s = breaker.start(), Simple(breaker), 0.0
    for move, quarters in moves:
        now_s += quarters / 4
        for each in (circuit, simple):
            if move == "release":
                each.release(now_s)
            elif move != "allow":
                each.record(now_s, ok=move != "bad", duration_s=2.0 if move == "slow" else 0.5)
        if move == "allow":
            assert circuit.allow(now_s) == simple.allow(now_s)
        assert circuit.state.value == simple.state


@FEW
@given(some.integers(1, 7), some.binary(max_size=60).map(lambda text: [(bool(b & 1), bool(b & 2)) for b in text]))
def test_a_count_window_counts_what_a_list_of_the_last_calls_counts(size, calls):
    window = LastCalls(size)
    for number, (failed, slow) in enumerate(calls, start=1):
        window.record(0.0, failed, slow)
        last = calls[max(0, number - size) : number]
        assert (window.calls, window.failed, window.slow) == (
            len(last),
            sum(f for f, _ in last),
            sum(s for _, s in last),
        )


@FEW
@given(some.integers(1, 5), some.binary(max_size=40).map(lambda text: [(b // 2 % 13, bool(b & 1)) for b in text]))
def test_a_time_window_counts_what_a_list_of_the_last_seconds_counts(size, calls):
    window, now_s, seen = LastSeconds(size, 0.0), 0.0, []
    for quarters, failed in calls:
        now_s += quarters / 4
        seen.append((int(now_s), failed))
        window.record(now_s, failed, slow=False)
        last = [bad for second, bad in seen if second > int(now_s) - size]
        assert (window.calls, window.failed, window.slow) == (len(last), sum(last), 0)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"window_size": 0}, "CircuitBreaker.window_size is 0"),
        ({"minimum_calls": 0}, "CircuitBreaker.minimum_calls is 0"),
        ({"permitted_half_open_calls": 0}, "permitted_half_open_calls is 0"),
        ({"failure_rate_ratio": 0.0}, "failure_rate_ratio is 0.0; give a share above 0"),
        ({"slow_call_rate_ratio": 1.5}, "slow_call_rate_ratio is 1.5"),
        ({"open_s": 0.0}, "open_s is 0.0"),
        ({"open_s": 60.0, "open_cap_s": 30.0}, "open_cap_s is 30.0; give at least open_s, 60"),
        ({"open_factor": 0.5}, "open_factor is 0.5"),
        ({"window": "calls"}, "give one of 'count', 'time'"),
    ],
)
def test_contradictory_or_empty_settings_are_refused(fields, told):
    with pytest.raises(ConfigurationError, match=told.replace("(", r"\(")):
        CircuitBreaker(**fields)


def test_waits_that_would_overflow_are_the_cap():
    assert CircuitBreaker(open_factor=10.0).open_wait_s(10_000) == 86_400.0


def test_a_state_forced_by_its_word_is_that_state():
    circuit, story = started()
    circuit.force(0.0, "open")
    assert (circuit.state is State.OPEN, circuit.allow(1.0), story) == (True, False, [(0.0, "open")])
    with pytest.raises(ConfigurationError, match=r"Circuit\.state is 'ajar'"):
        circuit.force(1.0, "ajar")
