"""Projections that are kept: exactly once, parked events, blue/green rebuilds, purity (ES-02, ES-05)."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim.errors import ConfigurationError, EdasimError, StateError
from edasim.events import Event
from edasim.sourcing import EventStore, Fold, Projection, ProjectionError, View, check_view

from .conftest import Clock, balance, event


def totals(version: int = 1, **changed: object) -> Projection:
    rules = {
        "apply": lambda cents, one: cents + one.data["cents"],
        "key": lambda one: str(one.data["cents"] % 3),
        **changed,
    }
    return Projection(name="totals", initial=0, version=version, **rules)  # type: ignore[arg-type]


def test_a_view_follows_the_store_and_tells_its_lag(filled: Callable[[int], EventStore]) -> None:
    store = filled(7)
    view = View(store, totals())
    assert (view.state("1"), view.position, view.lag, view.generation) == (0, 0, 7, 0)
    assert (view.catch_up(limit=3), view.lag) == (3, 4)
    assert (view.state("1"), view.state("2")) == (1, 2)
    assert (view.catch_up(), view.lag) == (7, 0)
    assert dict(view.states()) == {"0": 9, "1": 12, "2": 7}
    assert View(store, totals()).state("0") == 9


def test_a_reader_sees_its_own_write_if_it_says_what_it_wrote(filled: Callable[[int], EventStore]) -> None:
    store = filled(3)
    view = View(store, totals())
    view.catch_up()
    written = store.append("account-1", [event(number=100)])
    assert view.state("1") == 1
    assert view.state("1", at_least=written.position) == 101


def test_types_and_keys_choose_what_concerns_a_view(store: EventStore) -> None:
    store.append(
        "a", [event("paid", 1, subject="x"), event("seen", 2, subject="x"), event("paid", 3), event("seen", 4)]
    )
    view = View(
        store, Projection(name="n", initial=0, apply=lambda n, one: n + 1, key=lambda one: one.subject, types=("paid",))
    )
    assert (view.catch_up(), dict(view.states()), view.lag) == (4, {"x": 1}, 0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 7), st.integers(1, 7))
def test_a_view_is_the_fold_of_all_events_however_they_are_cut(cents: list[int], batch: int, limit: int) -> None:
    store, view_of = EventStore(), totals()
    view = View(store, view_of)
    for number, amount in enumerate(cents):
        store.append("a", [Event(type="paid", data={"cents": amount})])
        if number % limit == 0:
            view.catch_up(limit=limit, batch=batch)
    view.catch_up(batch=batch)
    check_view(view)
    assert sum(state for _, state in view.states()) == sum(cents)


@pytest.mark.rule("ES-05")
def test_states_and_checkpoint_are_written_together_or_not_at_all(filled: Callable[[int], EventStore]) -> None:
    store = filled(6)
    view = View(store, totals())
    view.catch_up(limit=2)

    def catch_up_and_fail() -> None:
        with store.transaction():
            view.catch_up()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        catch_up_and_fail()
    assert (view.position, dict(view.states())) == (2, {"1": 1, "2": 2})
    view.catch_up()
    check_view(view)


# ---------------------------------------------------------------- parked events


def test_a_poison_event_is_parked_with_those_behind_it_and_the_others_go_on(
    filled: Callable[[int], EventStore],
) -> None:
    store = filled(3)
    store.append("a", [event(number=4, data={"cents": 4, "currency": "EUR"})])
    store.append("a", [event(number=n) for n in (5, 7, 8)])

    def picky(cents: int, one: Event) -> int:
        return cents + one.data["cents"] / (one.data.get("currency") is None)  # type: ignore[no-any-return]

    view = View(store, totals(apply=picky))
    assert (view.catch_up(), dict(view.states())) == (7, {"0": 3, "1": 1, "2": 15})
    assert [(parked.position, parked.key, parked.error[:17]) for parked in view.parked()] == [
        (4, "1", "ZeroDivisionError"),
        (6, "1", "waits behind an e"),
    ]
    assert view.retry("1") == 2
    mended = View(store, totals())
    assert (mended.retry("1"), mended.state("1"), mended.parked()) == (0, 12, [])
    check_view(mended)


def test_an_event_without_a_key_that_raises_is_parked(store: EventStore) -> None:
    store.append("a", [event(data={"euros": 1}), event(number=1)])
    view = View(store, totals())
    view.catch_up()
    assert [(parked.position, parked.error) for parked in view.parked()] == [(1, "KeyError: 'cents'")]


# ---------------------------------------------------------------- blue and green


def test_a_corrected_projection_is_rebuilt_beside_the_one_that_answers(filled: Callable[[int], EventStore]) -> None:
    store = filled(9)
    View(store, totals(apply=lambda cents, one: cents + 2 * one.data["cents"] * (one.data["cents"] == 4))).catch_up()
    mended = View(store, totals(version=2))
    with pytest.raises(StateError, match="made by version 1"):
        mended.catch_up()
    told: list[tuple[int, int]] = []
    assert mended.rebuild(progress=lambda done, total: told.append((done, total)), batch=4) == 9
    assert told == [(4, 9), (8, 9), (9, 9)]
    assert (mended.state("1"), mended.generation) == (8, 1)
    store.append("late", [event(number=10)])
    assert mended.rebuild() == 10
    assert {key: [(one.before, one.after) for one in found] for key, found in mended.rebuilt_differences()} == {
        "0": [(0, 18)],
        "1": [(8, 22)],
        "2": [(0, 15)],
    }
    mended.switch()
    assert (mended.state("1"), mended.generation, mended.lag, mended.catch_up()) == (22, 2, 0, 10)
    assert store.query("select count(*) from states where generation = 1") == [(0,)]
    with pytest.raises(StateError, match="no rebuilt generation"):
        mended.switch()


def test_a_rebuild_that_was_broken_off_goes_on_where_it_was(filled: Callable[[int], EventStore]) -> None:
    store = filled(9)
    view = View(store, totals())
    view.catch_up()

    def interrupt(done: int, total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        view.rebuild(progress=interrupt, batch=2)
    told: list[int] = []
    view.rebuild(progress=lambda done, _: told.append(done), batch=2)
    assert told == [6, 8, 9]
    assert list(view.rebuilt_differences()) == []


def test_a_rebuild_of_an_outdated_version_begins_anew(filled: Callable[[int], EventStore]) -> None:
    store = filled(4)
    View(store, totals()).catch_up()
    View(store, totals(version=2, apply=lambda cents, one: -1)).rebuild()
    newest = View(store, totals(version=3))
    newest.rebuild()
    newest.switch()
    assert dict(newest.states()) == {"0": 3, "1": 5, "2": 2}


# ---------------------------------------------------------------- purity


@pytest.mark.rule("ES-02")
def test_a_fold_with_a_clock_in_it_is_found_by_folding_twice(filled: Callable[[int], EventStore]) -> None:
    clock = Clock()
    events = [recorded.event for recorded in filled(5).read()]
    with pytest.raises(ProjectionError, match=r"no function of its events: at 'paid' 'e-1'"):
        Fold(name="late", initial=0, apply=lambda state, one: clock()).check_pure(events)
    numbers = itertools.count()
    with pytest.raises(ProjectionError, match="'e-3'"):
        Fold(name="x", initial=0, apply=lambda state, one: next(numbers) if one.id == "e-3" else 0).check_pure(events)
    shared: list[int] = []
    with pytest.raises(ProjectionError, match="keeps a state outside itself"):
        Fold(name="x", initial=[], apply=lambda state, one: shared).check_pure(events)
    assert balance().check_pure(events) == {"cents": 15}


@pytest.mark.rule("ES-02")
def test_a_view_made_by_an_impure_projection_differs_from_a_fold(filled: Callable[[int], EventStore]) -> None:
    clock = Clock()
    view = View(filled(3), totals(apply=lambda cents, one: cents + clock()))
    view.catch_up()
    with pytest.raises(ProjectionError, match="a fold from the start gives"):
        check_view(view)


def test_a_check_leaves_out_what_is_parked_and_finds_a_key_that_no_event_made(store: EventStore) -> None:
    keyed = Projection(name="k", initial=0, apply=lambda n, e: n + e.data["cents"], key=lambda e: e.subject)
    for number, (subject, data) in enumerate(
        [("a", {"cents": 1}), ("b", {}), ("b", {"cents": 5}), ("a", {"cents": 2})]
    ):
        store.append("s", [event(number=number, subject=subject, data=data)])
    view = View(store, keyed)
    view.catch_up()
    assert [parked.position for parked in view.parked()] == [2, 3]
    check_view(view)
    store._connection.execute("insert into states values ('k', 1, 'nobody', '7')")
    with pytest.raises(ProjectionError, match="holds 7 for 'nobody'"):
        check_view(view)


@pytest.mark.parametrize("state", [{1: 2}, (1, 2), {1, 2}, float("nan"), object(), {"a": (1,)}])
def test_a_state_that_json_would_change_is_refused_and_nothing_is_kept(
    filled: Callable[[int], EventStore], state: object
) -> None:
    view = View(filled(3), Projection(name="odd", initial=0, apply=lambda _, one: state))
    with pytest.raises(ProjectionError, match="cannot be kept as JSON"):
        view.catch_up()
    assert (view.position, list(view.states())) == (0, [])


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"apply": 3}, {"initial": {1: 2}}, {"version": 0}, {"key": "id"}, {"types": ("",)}],
)
def test_wrong_projections_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(EdasimError):
        Projection(**{"name": "n", "initial": 0, "apply": lambda state, one: state, **wrong})  # type: ignore[arg-type]


def test_each_start_is_a_fresh_copy() -> None:
    fold = Fold(name="list", initial=[], apply=lambda state, one: [*state, one.id])
    fold.start().append(1)
    assert fold.over([event(number=1)]) == ["e-1"]


def test_a_batch_is_at_least_one(filled: Callable[[int], EventStore]) -> None:
    with pytest.raises(ConfigurationError):
        View(filled(1), totals()).catch_up(batch=0)


def test_two_stores_on_one_file_share_a_view(tmp_path: Path) -> None:
    with EventStore(tmp_path / "h") as one, EventStore(tmp_path / "h") as other:
        one.append("a", [event(number=1)])
        View(one, totals()).catch_up()
        one.append("a", [event(number=4)])
        View(other, totals()).catch_up()
        View(one, totals()).catch_up()
        assert dict(View(one, totals()).states()) == {"1": 5}
