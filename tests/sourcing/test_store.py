"""Appending: versions, positions, repetitions, transactions; and that what is stored comes back."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim.errors import EdasimError, StateError
from edasim.events import NO_DATA, Event, EventError, to_json
from edasim.sourcing import ConflictError, DuplicateEventError, EventStore, Subscription, live

from .conftest import Clock, event

NAMES = st.text(st.sampled_from("\"\\/é\U0001f600a1'$"), min_size=1, max_size=4)


def positions(store: EventStore, **wanted: object) -> list[int]:
    return [recorded.position for recorded in store.read(**wanted)]


# ---------------------------------------------------------------- ES-01: expected versions


@pytest.mark.rule("ES-01")
def test_the_second_writer_with_the_same_expectation_gets_a_conflict(store: EventStore) -> None:
    store.append("order-1", [event(number=1)], expected=0)
    with pytest.raises(ConflictError, match="'order-1' is at version 1, not 0") as caught:
        store.append("order-1", [event(number=2)], expected=0)
    assert (caught.value.stream, caught.value.expected, caught.value.actual) == ("order-1", 0, 1)
    assert store.append("order-1", [event(number=2)], expected=caught.value.actual).version == 2


def test_an_expectation_ahead_of_the_stream_is_a_conflict(store: EventStore) -> None:
    with pytest.raises(ConflictError, match="is at version 0, not 3"):
        store.append("order-1", [event()], expected=3)


@pytest.mark.rule("ES-01")
def test_of_concurrent_appends_with_the_same_expectation_exactly_one_wins(tmp_path: Path) -> None:
    path, writers = tmp_path / "history", 6
    EventStore(path).close()
    outcomes: list[str] = []
    start = threading.Barrier(writers)

    def write(writer: int) -> None:
        with EventStore(path) as store:
            for version in range(15):
                start.wait()
                try:
                    store.append("contested", [event(number=version * writers + writer)], expected=version)
                    outcomes.append("won")
                except ConflictError:
                    outcomes.append("lost")
                start.wait()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with EventStore(path) as store:
        assert (outcomes.count("won"), outcomes.count("lost")) == (15, 15 * (writers - 1))
        assert (store.version("contested"), positions(store), store.verify()) == (15, list(range(1, 16)), None)


# ---------------------------------------------------------------- ES-03: one order without gaps


def append_and_fail(store: EventStore) -> None:
    with store.transaction():
        store.append("b", [event("new", 6)])
        raise RuntimeError


@pytest.mark.rule("ES-03")
def test_positions_have_no_gaps_also_after_appends_that_failed(store: EventStore) -> None:
    store.append("a", [event(number=1), event(number=2)])
    with pytest.raises(ConflictError):
        store.append("a", [event(number=3)], expected=0)
    with pytest.raises(EventError):
        store.append("a", [event(number=4), event(number=5, data={"price": float("nan")})])
    with pytest.raises(RuntimeError):
        append_and_fail(store)
    store.append("b", [event("new", 7)])
    assert [(one.position, one.stream, one.version, one.event.id) for one in store.read()] == [
        (1, "a", 1, "e-1"),
        (2, "a", 2, "e-2"),
        (3, "b", 1, "e-7"),
    ]
    assert store.verify() is None


@pytest.mark.rule("ES-03")
def test_a_reader_sees_what_was_committed_while_a_writer_is_at_work(tmp_path: Path) -> None:
    path = tmp_path / "history"
    with (
        EventStore(path) as writer,
        EventStore(path, access="read") as reader,
        EventStore(path, access="read") as another,
    ):
        writer.append("a", [event(number=1)])
        with writer.transaction():
            writer.append("a", [event(number=2)])
            assert (positions(reader), positions(another), positions(writer)) == ([1], [1], [1, 2])
        assert positions(reader) == [1, 2]


def test_recorded_times_never_go_back() -> None:
    times_s = iter([5.0, 3.0, 7.0])
    store = EventStore(clock=lambda: next(times_s))
    for number in range(3):
        store.append("a", [event(number=number)])
    assert [recorded.recorded_s for recorded in store.read()] == [5.0, 5.0, 7.0]


# ---------------------------------------------------------------- repetitions


def test_a_repeated_append_is_acknowledged_and_writes_nothing(store: EventStore) -> None:
    events = [event(number=1), event(number=2)]
    first = store.append("a", events, expected=0)
    store.append("a", [event(number=3)])
    for expected in (0, None):
        again = store.append("a", events, expected=expected)
        assert (again.version, again.first_position, again.position, again.is_new) == (2, 1, 2, False)
    assert first.is_new
    assert positions(store) == [1, 2, 3]


@pytest.mark.parametrize(
    "events",
    [
        [event(number=1), event(number=9)],
        [event(number=2), event(number=1)],
        [event(number=1, data={"cents": 100})],
        [event("other", 1)],
        [event(number=1, subject="somebody")],
    ],
)
def test_a_known_event_in_another_company_or_with_another_content_is_refused(
    store: EventStore, events: list[Event]
) -> None:
    store.append("a", [event(number=1), event(number=2)])
    with pytest.raises(DuplicateEventError, match="stored already"):
        store.append("a", events)
    assert store.position == 2


def test_a_known_event_is_refused_in_another_stream(store: EventStore) -> None:
    store.append("a", [event(number=1)])
    with pytest.raises(DuplicateEventError):
        store.append("b", [event(number=1)])


def test_one_id_of_two_sources_is_two_events(store: EventStore) -> None:
    assert store.append("a", [event(number=1), event(number=1, source="/bank")]).position == 2


def test_an_event_twice_in_one_append_is_refused(store: EventStore) -> None:
    for expected in (None, 0):
        with pytest.raises(DuplicateEventError, match="twice in one append"):
            store.append("a", [event(number=1), event(number=1)], expected=expected)


def test_a_repetition_with_another_expectation_is_a_conflict(store: EventStore) -> None:
    store.append("a", [event(number=1), event(number=2)])
    with pytest.raises(ConflictError):
        store.append("a", [event(number=2)], expected=0)


def test_bytes_and_lists_are_compared_as_they_are_stored(store: EventStore) -> None:
    events = [event(number=1, data=b"\x00"), event(number=2, data=(1, 2))]
    store.append("a", events)
    assert not store.append("a", events).is_new
    for other in (b"\x01", "AA==", [1]):
        with pytest.raises(DuplicateEventError):
            store.append("a", [event(number=1, data=other)])


def test_an_event_without_name_gets_one_from_its_place(store: EventStore) -> None:
    store.append("cart 7", [Event(type="opened"), Event(type="closed")])
    assert [recorded.event.identity for recorded in store.read()] == [
        ("cart%207", "cart 7-1"),
        ("cart%207", "cart 7-2"),
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(NAMES, st.sampled_from(["/shop", "urn:bank"])), min_size=1, max_size=5, unique=True))
def test_every_id_is_known_again_whatever_it_is_made_of(named: list[tuple[str, str]]) -> None:
    """Also quotes, backslashes and letters outside the first plane, of one source (one statement) or of several."""
    events = [Event(type="t", id=id_, source=source) for id_, source in named]
    store = EventStore()
    store.append("s", [event(number=1)])
    store.append("s", events)
    kept = store.query("select id, source, position from identities where position > 1 order by position")
    assert kept == [(id_, source, place) for place, (id_, source) in enumerate(named, 2)]
    assert (store.append("s", events).is_new, store.verify()) == (False, None)


# ---------------------------------------------------------------- what is stored comes back

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    data=st.just(NO_DATA) | st.binary() | JSON, extension=st.none() | st.integers(0, 9) | st.binary() | st.booleans()
)
def test_every_event_comes_back_as_it_was(data: object, extension: object) -> None:
    given_ = Event(
        type="t", id="1", source="/s", subject="x", time="2026-11-23T10:00:00Z", data=data, cause_id="0", trace_id="0",
        dataschema="urn:x", extensions={} if extension is None else {"more": extension},  # type: ignore[dict-item]
    )  # fmt: skip
    store = EventStore()
    store.append("s", [Event(type="before", data={}), given_, Event(type="after")])
    back = store.at(2).event
    assert back == given_
    assert (repr(back), back.has_data) == (repr(given_), given_.has_data)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["t", "u"]), st.none() | st.sampled_from(["x", "y"]), JSON, st.sampled_from([None, 1, True])
        ),
        min_size=1,
        max_size=6,
    )
)
def test_every_batch_comes_back_as_it_was(told: list[tuple[str, str | None, object, object]]) -> None:
    events = [
        Event(
            type=type_, id=str(n), source=f"/{type_}", subject=subject, data=data, cause_id=subject,
            extensions={} if extra is None else {"e": extra},  # type: ignore[dict-item]
        )
        for n, (type_, subject, data, extra) in enumerate(told)
    ]  # fmt: skip
    store = EventStore()
    store.append("s", events)
    assert [repr(recorded.event) for recorded in store.read()] == [repr(event) for event in events]
    assert not store.append("s", events, expected=0).is_new
    assert store.verify() is None


def test_data_that_comes_back_is_frozen_at_every_depth(store: EventStore) -> None:
    store.append("s", [event(data={"items": [{"n": [1]}]})])
    data = store.at(1).event.data
    with pytest.raises(StateError):
        data["items"][0]["n"].append(2)
    with pytest.raises(StateError):
        data["items"][0]["m"] = 2


@pytest.mark.parametrize("data", [{1: 2}, {"a": {2: 3}}, [{3: 4}], {"x": float("inf")}, {"x": {1, 2}}, {"x": "\ud800"}])
def test_data_without_a_json_form_is_refused_and_named(store: EventStore, data: object) -> None:
    with pytest.raises(EventError, match="data"):
        store.append("s", [Event(type="t", data=data)])
    assert store.position == 0


# ---------------------------------------------------------------- arguments, simulations


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.append("", [event()]),
        lambda store: store.append("a", []),
        lambda store: store.append("a", ["no event"]),
        lambda store: store.append("a", [event()], expected=-1),
        lambda store: store.append("a", [event()], expected="new"),
        lambda store: store.append("a", [event()], actor="two\nlines"),
        lambda store: store.read(stream=""),
        lambda store: store.read(after=-1),
        lambda store: store.read(since_s=float("nan")),
        lambda store: store.read(colour="red"),
        lambda store: Subscription(store).take(0),
        lambda store: EventStore(access="both"),
    ],
)
def test_wrong_arguments_are_refused_with_an_error_of_the_house(
    store: EventStore, call: Callable[[EventStore], object]
) -> None:
    with pytest.raises(EdasimError):
        call(store)
    assert store.position == 0


def test_the_stored_event_is_the_cloudevent(store: EventStore) -> None:
    given_ = event("user.registered", 1, subject="user/42", extensions={"partitionkey": "42"})
    store.append("user-42", [given_])
    assert to_json(store.at(1).event) == to_json(given_)


def test_a_store_in_a_simulation_records_simulated_seconds() -> None:
    from edasim import Simulation

    sim = Simulation()
    store = EventStore(clock=lambda: float(sim.env.now))
    sim.at(2.5, lambda: store.append("a", [event()]) and None)
    sim.run(until_s=3.0)
    assert [recorded.recorded_s for recorded in store.read()] == [2.5]
    assert live.REPLAYED == "replayed"
    assert Clock()() == 1.0


def test_a_file_that_several_threads_open_first_is_made_once(tmp_path: Path) -> None:
    start, made = threading.Barrier(4), []

    def begin(number: int) -> None:
        for round_ in range(10):
            start.wait(timeout=60.0)
            with EventStore(tmp_path / f"h{round_}") as store:
                made.append((round_, store.append(f"s-{number}", [event(number=number)]).position))

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [(round_, position) for round_ in range(10) for position in (1, 2, 3, 4)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"h{round_}" for round_ in range(10)]


def test_a_file_is_made_also_where_nothing_can_be_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, target: Path) -> None:
        raise PermissionError(1, "no links here", str(self), None, str(target))

    monkeypatch.setattr(Path, "hardlink_to", refused)
    with EventStore(tmp_path / "h") as store:
        assert store.append("s", [event()]).position == 1
    assert [path.name for path in tmp_path.iterdir()] == ["h"]
