"""Reading: queries, subscriptions, SQL, audit."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim.errors import ConfigurationError, UnknownNameError
from edasim.events import NO_DATA, Event
from edasim.sourcing import EventStore, Query, StoreError, Subscription

from .conftest import event


def positions(store: EventStore, **wanted: object) -> list[int]:
    return [recorded.position for recorded in store.read(**wanted)]


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
        version = store.version(stream)
        written += [(stream, version + n) for n in range(1, count + 1)]
        store.append(stream, [Event(type=f"t{n}") for n in range(count)])
    assert [(one.stream, one.version) for one in store.read()] == written
    for stream in "abc":
        mine = [place for place in written if place[0] == stream]
        assert [(one.stream, one.version) for one in store.read(stream=stream)] == mine
        assert [(one.stream, one.version) for one in store.read_backward(stream=stream)] == mine[::-1]
        by_batch = [position for batch in store.batches(Query(stream=stream)) for position in batch.positions]
        assert by_batch == [place for place, one in enumerate(written, 1) if one[0] == stream]


def test_a_fold_over_the_store_takes_what_a_query_wants(filled: Callable[[int], EventStore]) -> None:
    assert filled(9).fold(lambda cents, one: cents + one.data["cents"], 0, stream="account-1", after=1) == 11


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
    reader = EventStore(path)
    written = threading.Event()

    def write() -> None:
        with EventStore(path) as store:
            for number in range(100):
                store.append("a", [event(number=number)])
        written.set()

    thread = threading.Thread(target=write)
    thread.start()
    follow = Subscription(reader).follow(until=written.is_set, ask_every_s=0.001)
    seen = [recorded.position for recorded in follow]
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


def test_sums_over_the_data_of_events_by_group(store: EventStore) -> None:
    for account, cents in (("a", 3), ("b", 4), ("a", 5)):
        store.append(account, [Event(type="paid", data={"cents": cents, "more": [1, {"x": 2}]})], actor=account)
    sql = "select actor, sum(json_extract(data, '$.cents')) as s, max(data) from events group by actor order by s desc"
    assert store.query(sql) == [("a", 8, '{"cents":5,"more":[1,{"x":2}]}'), ("b", 4, '{"cents":4,"more":[1,{"x":2}]}')]


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
