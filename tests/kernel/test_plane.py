"""The plane beside SimPy: one total order of records and events, and what is assumed about the installed SimPy."""

import heapq
import itertools
import math

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as some
from simpy.core import EmptySchedule
from simpy.events import NORMAL, URGENT

from edasim.errors import ConfigurationError, EdasimError, StateError, UnknownNameError
from edasim.kernel.plane import BETWEEN_CHORES, PlaneEnvironment


@pytest.fixture
def env():
    return PlaneEnvironment()


class Diary(list):
    """Notes what happens, with the time; its notes are actions of the plane and of SimPy alike."""

    def __init__(self, env):
        self.env = env

    def note(self, what):
        return lambda *_: self.append((self.env.now, what))

    def timeout(self, delay_s, what):
        self.env.timeout(delay_s).callbacks.append(self.note(what))

    def process(self, *delays_s, name):
        def go():
            for delay_s in delays_s:
                yield self.env.timeout(delay_s)
                self.note(name)()

        return self.env.process(go())


# ------------------------------------------------------------------------------------------------ one order


def test_records_run_in_order_of_time_then_of_scheduling(env):
    diary = Diary(env)
    for time_s, what in [(2.0, "c"), (1.0, "a"), (2.0, "d"), (1.0, "b")]:
        env.at(time_s, diary.note(what))
    env.run()
    assert diary == [(1.0, "a"), (1.0, "b"), (2.0, "c"), (2.0, "d")]


def test_a_record_and_a_timeout_at_one_instant_come_in_the_order_of_their_scheduling(env):
    diary = Diary(env)
    env.at(1.0, diary.note("record, scheduled first"))
    diary.timeout(1.0, "timeout, scheduled second")
    diary.timeout(2.0, "timeout, scheduled first")
    env.at(2.0, diary.note("record, scheduled second"))
    env.run()
    assert [what for _, what in diary] == [
        "record, scheduled first",
        "timeout, scheduled second",
        "timeout, scheduled first",
        "record, scheduled second",
    ]


def test_who_is_woken_acts_before_a_record_that_was_due_at_that_instant_already(env):
    diary, bell = Diary(env), env.event()

    def sleeper():
        news = yield bell
        diary.note(news)()

    env.process(sleeper())
    env.at(1.0, lambda *_: (diary.note("rings")(), env.wake(bell, "awake"))[0])
    env.at(1.0, diary.note("due since long"))
    env.run()
    assert diary == [(1.0, "rings"), (1.0, "awake"), (1.0, "due since long")]


def test_an_interrupt_comes_before_a_record_at_that_instant(env):
    diary = Diary(env)

    def sleeper():
        try:
            yield env.timeout(10.0)
        except simpy.Interrupt as interrupt:
            diary.note(interrupt.cause)()

    process = env.process(sleeper())
    env.at(1.0, lambda *_: process.interrupt("woken by force"))
    env.at(1.0, diary.note("due since long"))
    env.run(until=2.0)
    assert diary == [(1.0, "woken by force"), (1.0, "due since long")]


def test_the_record_that_an_action_returns_queues_up_behind_what_was_scheduled_before(env):
    diary = Diary(env)

    def first(now_s, _):
        diary.note("first")()
        env.at(now_s, diary.note("scheduled by first"))
        return (now_s, NORMAL, env.next_id(), diary.note("returned by first"), None)

    env.at(1.0, first)
    env.at(1.0, diary.note("second"))
    env.run()
    assert [what for _, what in diary] == ["first", "second", "scheduled by first", "returned by first"]


def test_several_actors_and_processes_share_one_clock(env):
    diary = Diary(env)

    def every(period_s, what, times):
        def tick(now_s, left):
            diary.note(what)()
            return (now_s + period_s, NORMAL, env.next_id(), tick, left - 1) if left > 1 else None

        env.at(period_s, tick, times)

    every(2.0, "two", times=3)
    every(3.0, "three", times=2)
    diary.process(1.0, 3.5, name="process")
    env.run()
    assert diary == [
        (1.0, "process"), (2.0, "two"), (3.0, "three"), (4.0, "two"), (4.5, "process"), (6.0, "three"), (6.0, "two"),
    ]  # fmt: skip


trees = some.recursive(
    some.tuples(some.sampled_from(["record", "timeout"]), some.integers(0, 3), some.just([])),
    lambda below: some.tuples(
        some.sampled_from(["record", "timeout"]), some.integers(0, 3), some.lists(below, max_size=3)
    ),
    max_leaves=20,
)
"""An action, how long after its parent's it happens, and the actions that it schedules."""


def told_by(env, plan, *, with_records):
    """Carries out trees of actions, as records and timeouts or as timeouts only; tells in which order they happened."""
    diary, names = Diary(env), itertools.count()

    def record(delay_s, children):
        name = next(names)

        def act(now_s, _):
            diary.note(name)()
            *others, last = children or [None]
            for child in others:
                schedule(*child)
            if last is not None and last[0] == "record":
                return record(*last[1:])
            return schedule(*last) if last is not None else None

        return (env.now + delay_s, NORMAL, env.next_id(), act, None)

    def timeout(delay_s, children):
        name = next(names)

        def act(_):
            diary.note(name)()
            for child in children:
                schedule(*child)

        env.timeout(delay_s).callbacks.append(act)

    def schedule(kind, delay_s, children):
        if kind == "record" and with_records:
            time_s, _, _, act, _ = record(delay_s, children)
            env.at(time_s, act)
        else:
            timeout(delay_s, children)

    for tree in plan:
        schedule(*tree)
    env.run()
    return list(diary)


@given(some.lists(trees, min_size=1, max_size=5))
def test_records_happen_exactly_when_timeouts_in_their_place_would(plan):
    assert told_by(PlaneEnvironment(), plan, with_records=True) == told_by(
        simpy.Environment(), plan, with_records=False
    )


# ------------------------------------------------------------------------------------------------ begin and end


def test_a_run_stops_before_what_happens_at_its_end_and_the_next_run_begins_with_it(env):
    diary = Diary(env)
    for what, schedule in [
        ("record", lambda w: env.at(2.0, diary.note(w))),
        ("timeout", lambda w: diary.timeout(2.0, w)),
    ]:
        schedule(what)
    env.at(1.0, diary.note("early"))
    env.run(until=2.0)
    assert diary == [(1.0, "early")]
    assert env.now == 2.0
    env.run(until=3.0)
    assert diary == [(1.0, "early"), (2.0, "record"), (2.0, "timeout")]
    assert env.now == 3.0


def test_two_runs_tell_the_same_as_one():
    def told(*ends_s):
        env = PlaneEnvironment()
        diary = Diary(env)

        def tick(now_s, _):
            diary.note("tick")()
            return (now_s + 0.5, NORMAL, env.next_id(), tick, None)

        env.at(0.5, tick)
        diary.process(0.5, 0.25, 0.25, 0.5, 1.0, name="process")
        for end_s in ends_s:
            env.run(until=end_s)
        return list(diary)

    assert told(3.0) == told(0.5, 1.0, 1.1, 3.0)


def test_a_run_until_an_event_ends_when_a_record_triggers_it(env):
    bell = env.event()
    env.at(1.0, lambda *_: env.wake(bell, "done"))
    env.at(1.0, lambda *_: pytest.fail("this comes after the end"))
    assert env.run(until=bell) == "done"
    assert env.now == 1.0


def test_a_run_until_an_event_that_never_comes_is_an_error_as_in_simpy(env):
    env.at(1.0, lambda *_: None)
    with pytest.raises(RuntimeError, match="No scheduled events left"):
        env.run(until=env.event())


def test_a_run_without_records_and_events_ends_at_once(env):
    env.run()
    assert env.now == 0.0


def test_prepare_is_called_when_a_run_begins_and_the_chore_now_and_then(env):
    calls = []
    env.prepare = lambda: calls.append(("prepare", env.now, env.running))
    env.chore = lambda: calls.append(("chore", env.now, env.running))

    def tick(now_s, left):
        return (now_s + 1.0, NORMAL, env.next_id(), tick, left - 1) if left > 1 else None

    env.at(1.0, tick, 2 * BETWEEN_CHORES + 1)
    env.run()
    assert calls == [
        ("prepare", 0.0, True),
        ("chore", float(BETWEEN_CHORES), True),
        ("chore", 2.0 * BETWEEN_CHORES, True),
    ]
    assert not env.running


def test_the_chore_comes_though_events_of_simpy_lie_between_the_records(monkeypatch):
    monkeypatch.setattr("edasim.kernel.plane.BETWEEN_CHORES", 100)
    env = PlaneEnvironment()
    chores = []
    env.chore = lambda: chores.append(env.now)

    def ticking():
        while env.now < 100.0:
            yield env.timeout(0.5)

    def tick(now_s, left):
        return (now_s + 0.1, NORMAL, env.next_id(), tick, left - 1) if left > 1 else None

    env.process(ticking())
    env.at(0.05, tick, 1000)
    env.run()
    assert 10 <= len(chores) <= 13


# ------------------------------------------------------------------------------------------------ step and peek


def test_peek_looks_at_records_and_events(env):
    assert env.peek() == math.inf
    env.timeout(2.0)
    assert env.peek() == 2.0
    env.at(1.0, lambda *_: None)
    assert env.peek() == 1.0


def test_a_step_by_hand_is_one_record_or_one_event(env):
    diary = Diary(env)
    env.at(1.0, diary.note("record"))
    env.at(2.0, diary.note("another"))
    diary.timeout(1.5, "timeout")
    steps = []
    while env.peek() < 2.0:
        env.step()
        steps.append(list(diary))
    assert steps == [[(1.0, "record")], [(1.0, "record"), (1.5, "timeout")]]
    env.step()
    assert diary[-1] == (2.0, "another")


def test_a_step_beside_an_endless_record_returns(env):
    def tick(now_s, _):
        return (now_s + 1.0, NORMAL, env.next_id(), tick, None)

    env.at(1.0, tick)
    while env.peek() < 10.0:
        env.step()
    assert env.now == 9.0


def test_a_step_on_empty_is_refused_as_in_simpy(env):
    with pytest.raises(EmptySchedule):
        env.step()
    env.at(1.0, lambda *_: None)
    env.step()
    with pytest.raises(EmptySchedule):
        env.step()


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("failure", [ZeroDivisionError, KeyboardInterrupt])
def test_an_exception_in_an_action_takes_that_record_and_leaves_the_others(env, failure):
    diary = Diary(env)

    def fail(now_s, _):
        env.at(now_s, diary.note("scheduled before the failure"))
        raise failure

    env.at(1.0, fail)
    env.at(1.0, diary.note("same instant"))
    env.at(2.0, diary.note("later"))
    with pytest.raises(failure):
        env.run()
    assert (env.now, env.running, diary) == (1.0, False, [])
    env.run()
    assert diary == [(1.0, "same instant"), (1.0, "scheduled before the failure"), (2.0, "later")]


def test_an_exception_in_a_process_leaves_the_records(env):
    diary = Diary(env)

    def fail():
        yield env.timeout(1.0)
        raise ZeroDivisionError

    env.process(fail())
    env.at(1.0, diary.note("same instant"))
    with pytest.raises(ZeroDivisionError):
        env.run()
    env.run()
    assert diary == [(1.0, "same instant")]


@pytest.mark.parametrize("time_s", [0.5, -1.0, math.nan])
def test_nothing_can_be_scheduled_in_the_past(env, time_s):
    env.at(1.0, lambda *_: env.at(time_s, lambda *_: None))
    with pytest.raises(StateError) as caught:
        env.run()
    error = caught.value
    assert (error.field, error.at_s) == ("time_s", 1.0)
    assert error.value == time_s or math.isnan(error.value)
    assert "from now on" in error.remedy


@pytest.mark.parametrize("follower_s", [None, 3.0])
def test_a_record_that_is_pushed_into_the_past_is_found_at_once(env, follower_s):
    """Hot paths push into the heap themselves. Neither what they pushed nor they themselves run again."""
    diary = Diary(env)

    def push_back(now_s, _):
        diary.note("pushes")()
        heapq.heappush(env.records, (0.5, NORMAL, env.next_id(), lambda *_: pytest.fail("must not run"), None))
        return None if follower_s is None else (follower_s, NORMAL, env.next_id(), diary.note("returned"), None)

    env.at(1.0, push_back)
    env.at(2.0, diary.note("later"))
    with pytest.raises(StateError, match=r"to happen before now, and it is 1\.0 s") as caught:
        env.run()
    assert caught.value.at_s == 1.0
    env.run()
    assert diary == [(1.0, "pushes"), (2.0, "later"), *([] if follower_s is None else [(3.0, "returned")])]


def refuse_at_once():
    raise ConfigurationError("no good", field="rate", value=-1, remedy="give more")


def unknown_name():
    raise UnknownNameError("queue", "mall", ["mail", "orders"])


@pytest.mark.parametrize("fail", [refuse_at_once, unknown_name])
@pytest.mark.parametrize("where", ["record", "process"])
def test_an_error_that_ends_a_run_tells_the_simulated_time(env, fail, where):
    """SimPy raises a copy of what a process failed with, made from its `args`."""

    def process():
        yield env.timeout(2.5)
        fail()

    if where == "record":
        env.at(2.5, lambda *_: fail())
    else:
        env.process(process())
    with pytest.raises(EdasimError, match=r"at 2\.500000 s of simulated time") as caught:
        env.run()
    with pytest.raises(EdasimError) as plain:
        fail()
    told, said = caught.value, plain.value
    assert (told.at_s, told.field, told.value, told.remedy) == (2.5, said.field, said.value, said.remedy)


def test_an_error_that_knows_its_time_keeps_it(env):
    def fail(*_):
        raise StateError("late news", at_s=1.0)

    env.at(2.0, fail)
    with pytest.raises(StateError) as caught:
        env.run()
    assert caught.value.at_s == 1.0


def test_a_run_in_which_time_stands_still_is_ended(env, monkeypatch):
    """Two records that follow each other for ever at one instant, as users who do not think before a full queue."""
    monkeypatch.setattr("edasim.kernel.plane.BETWEEN_CHORES", 100)

    def again(now_s, _):
        return (now_s, NORMAL, env.next_id(), again, None)

    env.at(1.5, again)
    env.at(1.5, again)
    with pytest.raises(StateError, match=r"time stands still: 12,800 records ran at 1\.5 s") as caught:
        env.run()
    assert (caught.value.at_s, env.running) == (1.5, False)


def test_a_busy_instant_is_no_standstill(env):
    def tick(now_s, left):
        return (now_s + (left % 1000 == 0), NORMAL, env.next_id(), tick, left - 1) if left else None

    env.at(1.0, tick, 100_000)
    env.run()
    assert env.now == 101.0


# ------------------------------------------------------------------------------------------------ the installed SimPy


def test_simpy_is_of_the_version_that_was_read():
    assert simpy.__version__.split(".")[:2] == ["4", "1"]


def test_simpy_keeps_its_events_in_a_heap_of_time_priority_id_and_event(env):
    late, soon = env.timeout(2.0), env.timeout(1.0)
    assert env._queue[0] == (1.0, NORMAL, 1, soon)
    assert sorted(env._queue)[1] == (2.0, NORMAL, 0, late)
    assert env.next_id() == 2
    assert (URGENT, NORMAL) == (0, 1)


def test_simpy_reads_the_clock_from_where_the_plane_sets_it(env):
    env.at(1.5, lambda now_s, _: None)
    env.run()
    assert (env.now, env._now) == (1.5, 1.5)


def test_simpy_ends_a_run_by_an_urgent_event_and_runs_until_its_step_raises(env):
    """`run(until=number)` schedules an urgent event; `StopSimulation` puts what was left of it back, ahead of all."""
    entries = []
    env.prepare = lambda: entries.append(list(env._queue))
    env.at(1.0, lambda *_: entries.append(list(env._queue)))
    env.run(until=1.0)
    ((time_s, priority, _, stop),) = env._queue
    assert entries == [[]]
    assert (time_s, priority, stop.callbacks) == (1.0, -1, [])
    env.run(until=2.0)
    ((_, priority, _, _),) = entries[-1]
    assert priority == URGENT


def test_simpy_runs_by_calling_step_until_it_raises():
    steps = []

    class Counted(PlaneEnvironment):
        def step(self):
            steps.append(self.now)
            super().step()

    env = Counted()
    env.timeout(1.0)
    env.timeout(2.0)
    env.run()
    assert steps == [0.0, 1.0, 2.0]
