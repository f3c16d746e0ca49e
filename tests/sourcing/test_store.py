"""Appending and reading: versions, positions, repetitions, queries, transactions."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim.errors import ConfigurationError, EdasimError, StateError, UnknownNameError
from edasim.events import NO_DATA, Event, EventError, to_json
from edasim.sourcing import ConflictError, DuplicateEventError, EventStore, Query, StoreError, Subscription, live

from .conftest import Clock, event


def positions(store: EventStore, **wanted: object) -> list[int]:
    return [recorded.position for recorded in store.read(**wanted)]


# ---------------------------------------------------------------- ES-01: expected versions


def test_the_second_writer_with_the_same_expectation_gets_a_conflict(store: EventStore) -> None:
    store.append("order-1", [event(number=1)], expected=0)
    with pytest.raises(ConflictError, match="'order-1' is at version 1, not 0") as caught:
        store.append("order-1", [event(number=2)], expected=0)
    assert (caught.value.stream, caught.value.expected, caught.value.actual) == ("order-1", 0, 1)
    assert store.append("order-1", [event(number=2)], expected=caught.value.actual).version == 2


def test_an_expectation_ahead_of_the_stream_is_a_conflict(store: EventStore) -> None:
    with pytest.raises(ConflictError, match="is at version 0, not 3"):
        store.append("order-1", [event()], expected=3)


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


def test_positions_have_no_gaps_also_after_appends_that_failed(store: EventStore) -> None:
    store.append("a", [event(number=1), event(number=2)])
    with pytest.raises(ConflictError):
        store.append("a", [event(number=3)], expected=0)
    with pytest.raises(EventError):
        store.append("a", [event(number=4), event(number=5, data={"price": float("nan")})])
    with pytest.raises(RuntimeError), store.transaction():
        store.append("b", [event("new", 6)])
        raise RuntimeError
    store.append("b", [event("new", 7)])
    assert [(one.position, one.stream, one.version, one.event.id) for one in store.read()] == [
        (1, "a", 1, "e-1"),
        (2, "a", 2, "e-2"),
        (3, "b", 1, "e-7"),
    ]
    assert store.verify() is None


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


def test_an_event_without_name_gets_one_from_its_place(store: EventStore) -> None:
    store.append("cart 7", [Event(type="opened"), Event(type="closed")])
    assert [recorded.event.identity for recorded in store.read()] == [
        ("cart%207", "cart 7-1"),
        ("cart%207", "cart 7-2"),
    ]


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


# ---------------------------------------------------------------- reading


def test_reading_forward_backward_by_stream_type_time_and_story(store: EventStore) -> None:
    store.append("a", [event("opened", 1), event("paid", 2)])
    store.append("b", [event("opened", 3, cause_id="e-1", trace_id="e-1")])
    store.append("a", [event("closed", 4, cause_id="e-3", trace_id="e-1"), event("paid", 5)])
    assert positions(store) == [1, 2, 3, 4, 5]
    assert [one.position for one in store.read_backward()] == [5, 4, 3, 2, 1]
    assert positions(store, stream="a") == [1, 2, 4, 5]
    assert [one.position for one in store.read_backward(stream="a", up_to=4)] == [4, 2, 1]
    assert positions(store, stream="a", after=1, up_to=4) == [2, 4]
    assert positions(store, types="paid") == [2, 5]
    assert positions(store, types=("opened", "closed")) == [1, 3, 4]
    assert positions(store, types="never") == []
    assert positions(store, trace_id="e-1") == [1, 3, 4]
    assert positions(store, trace_id="e-1", stream="a", types="closed") == [4]
    assert positions(store, since_s=2.0) == [3, 4, 5]
    assert positions(store, until_s=2.5) == [1, 2, 3]
    assert positions(store, since_s=2.0, until_s=2.0) == [3]
    assert positions(store, since_s=9.0) == positions(store, until_s=0.5) == []
    assert (store.version("a"), store.version("b"), store.version("c"), store.streams()) == (4, 1, 0, {"a": 4, "b": 1})
    assert (store.position_at(0.0), store.position_at(2.0)) == (0, 3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), min_size=1, max_size=12), st.integers(1, 7))
def test_every_way_of_reading_agrees_with_the_order_of_writing(appends: list[tuple[str, int]], page: int) -> None:
    store, written = EventStore(), []
    for stream, count in appends:
        for version in range(store.version(stream) + 1, store.version(stream) + count + 1):
            written.append((stream, version))
        store.append(stream, [Event(type=f"t{n}") for n in range(count)])
    assert [(one.stream, one.version) for one in store.read()] == written
    for stream in "abc":
        mine = [place for place in written if place[0] == stream]
        assert [(one.stream, one.version) for one in store.read(stream=stream)] == mine
        assert [(one.stream, one.version) for one in store.read_backward(stream=stream)] == mine[::-1]
        by_batch = [position for batch in store.batches(Query(stream=stream)) for position in batch.positions]
        assert by_batch == [place for place, one in enumerate(written, 1) if one[0] == stream]


def test_the_queries_use_their_indices(store: EventStore) -> None:
    for wanted, index in [(Query(stream="a"), "batches_by_stream"), (Query(), "INTEGER PRIMARY KEY")]:
        sql, values = wanted.page(0, 10, [], "", 10)
        assert index in str(store.query(f"explain query plan {sql}", *values))


def test_a_long_append_is_read_like_many_short_ones(store: EventStore) -> None:
    store.append("a", [Event(type=f"t{n % 2}", data={"n": n}) for n in range(450)], expected=0)
    assert store.query("select count(*) from batches") == [(3,)]
    assert [(one.position, one.version, one.event.id) for one in store.read()] == [
        (n, n, f"a-{n}") for n in range(1, 451)
    ]
    assert positions(store, after=199, up_to=202) == [200, 201, 202]
    assert positions(store, types="t1", after=440) == [442, 444, 446, 448, 450]
    assert store.query("select position, version, id, data from events where position > 448") == [
        (449, 449, "a-449", '{"n":448}'),
        (450, 450, "a-450", '{"n":449}'),
    ]
    assert (store.version("a"), store.verify()) == (450, None)


def test_what_sql_shows_is_what_is_read(store: EventStore) -> None:
    rich = event(
        "rich",
        1,
        subject="s",
        time="2026-11-23T10:00:00Z",
        cause_id="c",
        trace_id="t",
        extensions={"x": 1},
        data=[1, {"a": None}],
    )
    values = [True, 1.5, "text", None, NO_DATA, b"\x00"]
    store.append("a", [rich, *(Event(type="t", data=value) for value in values)], actor="me")
    rows = store.query(
        "select id, source, type, subject, time, data, cause_id, trace_id, extensions, actor from events"
    )
    assert rows[0] == ("e-1", "/shop", "rich", "s", "2026-11-23T10:00:00Z", '[1,{"a":null}]', "c", "t", '{"x":1}', "me")
    assert [row[5] for row in rows[1:]] == ["true", "1.5", '"text"', "null", None, '"AA=="']
    assert rows[1][:2] + rows[1][7:9] == ("a-2", "a", "a-2", None)


def test_a_position_that_does_not_exist_is_named(store: EventStore) -> None:
    store.append("a", [event()])
    with pytest.raises(UnknownNameError, match="there is no position 7"):
        store.at(7)


# ---------------------------------------------------------------- subscriptions


def test_a_subscription_reads_old_and_new_events_without_a_seam(store: EventStore) -> None:
    for number in range(5):
        store.append("a", [event(number=number)])
    subscription = Subscription(store)
    assert ([one.position for one in subscription.take(3)], subscription.is_live, subscription.behind) == (
        [1, 2, 3],
        False,
        2,
    )
    assert ([one.position for one in subscription.take(3)], subscription.is_live) == ([4, 5], True)
    assert subscription.take(3) == []
    store.append("a", [event(number=9)])
    assert ([one.position for one in subscription.take(3)], subscription.position) == ([6], 6)


def test_a_named_subscription_goes_on_from_what_it_acknowledged(store: EventStore) -> None:
    for number in range(5):
        store.append("a" if number % 2 else "b", [event(number=number)])
    mailer = Subscription(store, name="mailer", stream="a")
    assert [one.position for one in mailer.take(1)] == [2]
    mailer.acknowledge()
    assert [one.position for one in mailer.take(1)] == [4]
    restarted = Subscription(store, name="mailer", stream="a")
    assert [one.position for one in restarted.take()] == [4]
    with pytest.raises(ConfigurationError, match="without a name"):
        Subscription(store).acknowledge()


def test_following_sees_each_event_of_another_thread_once(tmp_path: Path) -> None:
    path = tmp_path / "history"
    reader, seen = EventStore(path), []
    written = threading.Event()

    def write() -> None:
        with EventStore(path) as store:
            for number in range(100):
                store.append("a", [event(number=number)])
        written.set()

    thread = threading.Thread(target=write)
    thread.start()
    for recorded in Subscription(reader).follow(until=written.is_set, ask_every_s=0.001):
        seen.append(recorded.position)
    thread.join()
    assert seen == list(range(1, 101))


# ---------------------------------------------------------------- SQL, audit, guards


def test_the_history_can_be_asked_in_sql_and_not_be_changed(filled: Callable[[int], EventStore]) -> None:
    store = filled(6)
    sums = store.query("select stream, sum(json_extract(data, '$.cents')) from events group by stream order by stream")
    assert sums == [("account-0", 9), ("account-1", 5), ("account-2", 7)]
    assert list(store.table().columns[:4]) == ["position", "stream", "version", "id"]
    for sql in ("delete from batches", "update batches set actor = 'nobody'", "drop table identities"):
        with pytest.raises((StoreError, sqlite3.OperationalError)):
            store.query(sql)
    with pytest.raises(sqlite3.IntegrityError, match="facts are never edited"), store.transaction() as connection:
        connection.execute("update batches set actor = 'x'")
    with pytest.raises(sqlite3.IntegrityError, match="facts are never deleted"), store.transaction() as connection:
        connection.execute("delete from identities")
    assert store.position == 6


def test_the_audit_trail_tells_who_when_why_and_because_of_what(store: EventStore) -> None:
    store.append("user-1", [event("registered", 1, subject="u-1")], actor="web", reason="sign-up form")
    store.append("user-1", [event("accepted", 2, subject="u-1", cause_id="e-1", trace_id="e-1")], actor="analytics")
    told = [
        (e.recorded_s, e.actor, e.reason, e.type, e.subject, e.cause_id, e.cause_type)
        for e in store.audit(stream="user-1")
    ]
    assert told == [
        (1.0, "web", "sign-up form", "registered", "u-1", None, None),
        (2.0, "analytics", None, "accepted", "u-1", "e-1", "registered"),
    ]
    assert (
        store.query(
            "select recorded_s, actor, reason, type, subject, cause_id, cause_type from audit order by position"
        )
        == told
    )


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
