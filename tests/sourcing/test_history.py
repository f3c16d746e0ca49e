"""Time travel: any instant, any cut, what was known when (ES-02, ES-04, ES-10)."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim.errors import EdasimError
from edasim.events import Event, rfc3339
from edasim.sourcing import Difference, EventStore, EveryEvents, EverySeconds, Fold, History, as_known, differences

from .conftest import Clock, balance, event


def test_the_state_at_any_position_and_time(filled: Callable[[int], EventStore]) -> None:
    store = filled(9)
    history = History(store, balance())
    assert [history.at(position)["cents"] for position in range(10)] == [n * (n + 1) // 2 for n in range(10)]
    assert (history.at_time(0.5), history.at_time(4.0), history.at_time(1e9)) == (
        {"cents": 0},
        {"cents": 10},
        {"cents": 45},
    )
    assert History(store, balance(), stream="account-1").at(7) == {"cents": 12}
    assert (history.now(), history.at(1000)) == ({"cents": 45}, {"cents": 45})
    assert history.difference(2, 4) == [Difference("cents", 3, 10)]


@pytest.mark.rule("ES-04")
@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=40), st.integers(1, 12), st.data())
def test_es04_fold_of_all_is_fold_of_snapshot_and_rest_for_every_cut(
    cents: list[int], every: int, data: st.DataObject
) -> None:
    store = EventStore(clock=Clock())
    for number, amount in enumerate(cents):
        store.append(f"a-{number % 2}", [Event(type="paid", data={"cents": amount})])
    stream = data.draw(st.sampled_from([None, "a-0", "a-1"]))
    plain = History(store, balance(), stream=stream)
    quick = History(store, balance(), stream=stream, snapshots=EveryEvents(events=every))
    quick.prepare()
    for position in range(len(cents) + 1):
        assert quick.at(position) == plain.at(position)
        assert quick.replayed < every
    before, kept = quick.now(), store.query("select count(*) from snapshots")[0][0]
    assert kept == (store.version(stream) if stream else len(cents)) // every
    quick.forget()
    assert quick.now() == before
    assert store.query("select count(*) from snapshots") == [(0,)]


@pytest.mark.rule("ES-04")
def test_snapshots_replay_as_many_events_on_average_as_theory_says(filled: Callable[[int], EventStore]) -> None:
    history = History(filled(400), balance(), snapshots=EveryEvents(events=20))
    assert history.prepare() == 20
    replayed = []
    for position in range(20, 400):
        history.at(position)
        replayed.append(history.replayed)
    assert float(np.mean(replayed)) == EveryEvents(events=20).mean_replayed == 9.5


def test_snapshots_by_time_are_taken_at_the_first_event_after_it(filled: Callable[[int], EventStore]) -> None:
    store = filled(10)
    history = History(store, balance(), snapshots=EverySeconds(seconds=4.0))
    history.prepare()
    assert store.query("select position from snapshots order by position") == [(5,), (9,)]
    assert history.prepare() == 0


def test_preparing_again_goes_on_where_it_was(filled: Callable[[int], EventStore]) -> None:
    store = filled(25)
    history = History(store, balance(), snapshots=EveryEvents(events=10))
    assert (history.prepare(), history.prepare()) == (2, 0)
    for number in range(26, 31):
        store.append("a", [event(number=number)])
    assert (history.prepare(), history.at(30)) == (1, {"cents": 465})


def test_snapshots_of_another_version_of_the_fold_are_not_used(filled: Callable[[int], EventStore]) -> None:
    store = filled(10)
    History(store, balance(), snapshots=EveryEvents(events=5)).prepare()
    twice = Fold(
        name="balance",
        version=2,
        initial={"cents": 0},
        apply=lambda s, one: {"cents": s["cents"] + 2 * one.data["cents"]},
    )
    assert History(store, twice, snapshots=EveryEvents(events=5)).now() == {"cents": 110}


def test_wrong_questions_are_refused(filled: Callable[[int], EventStore]) -> None:
    history = History(filled(2), balance())
    for call in (
        lambda: history.at(-1),
        history.prepare,
        lambda: EveryEvents(events=0),
        lambda: EverySeconds(seconds=0),
    ):
        with pytest.raises(EdasimError):
            call()


@pytest.mark.rule("ES-10")
def test_es10_what_was_so_and_what_was_known_are_two_questions() -> None:
    recorded_s = iter([100.0, 200.0, 300.0])
    store = EventStore(clock=lambda: next(recorded_s))
    moves = [("Berlin", 10.0), ("Paris", 150.0), ("Rome", 50.0)]  # Rome is told last, and was before Paris
    for number, (city, valid_s) in enumerate(moves):
        store.append(
            "ada", [Event(type="moved", id=str(number), source="/u", time=rfc3339(valid_s), data={"city": city})]
        )
    home = Fold(name="home", initial=None, apply=lambda _, one: one.data["city"])

    def asked(valid_s: float, known_s: float) -> object:
        return as_known(store, home, valid_until_s=valid_s, recorded_until_s=known_s, stream="ada")

    assert (asked(60.0, 250.0), asked(60.0, 350.0)) == ("Berlin", "Rome")
    assert (asked(200.0, 150.0), asked(200.0, 350.0)) == ("Berlin", "Paris")
    assert (asked(5.0, 350.0), as_known(store, home)) == (None, "Paris")
    assert History(store, home).now() == "Rome"


def test_an_event_without_a_time_of_its_own_counts_from_its_recording() -> None:
    store = EventStore(clock=Clock())
    store.append("a", [event(number=1)])
    store.append("a", [event(number=2)])
    assert as_known(store, balance(), valid_until_s=1.5) == {"cents": 1}


VALUES = st.recursive(
    st.integers(0, 2) | st.booleans() | st.none(),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from("abc"), v),
    max_leaves=6,
)


@given(VALUES, VALUES)
def test_differences_are_empty_exactly_for_equal_values(before: object, after: object) -> None:
    assert bool(differences(before, after)) == (repr_of(before) != repr_of(after))
    assert differences(before, before) == []


def repr_of(value: object) -> str:
    """Tells True from 1, and not the order of names."""
    if isinstance(value, dict):
        return "dict" + str(sorted((name, repr_of(held)) for name, held in value.items()))
    return str([repr_of(held) for held in value]) if isinstance(value, list) else repr(value)
