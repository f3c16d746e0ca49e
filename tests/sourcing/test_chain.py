"""The hash chain finds every altered byte, and seals find what the chain alone cannot."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim.events import Event
from edasim.sourcing import EventStore, Seal

from .conftest import Clock, event


def made(path: Path | None = None) -> EventStore:
    store = EventStore(path, clock=Clock(), personal={"user.registered": ("name",)})
    for number in range(1, 4):
        store.append(
            f"s-{number}",
            [event(number=2 * number), event("user.registered", 2 * number + 1, subject="u", data={"name": "Ada"})],
        )
    full = event(
        "rich",
        99,
        subject="u",
        time="2026-11-23T10:00:00Z",
        cause_id="e-2",
        trace_id="e-2",
        extensions={"x": 1},
        data=b"\x01\x02",
    )
    store.append("s-9", [full], actor="teller", reason="a test")
    store.append("s-1", [event(number=100)], actor="teller", reason="the last")
    return store


def unguarded(store: EventStore) -> sqlite3.Connection:
    """The store's connection, without what keeps facts from being edited: what an attacker has."""
    connection = store._connection
    for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        connection.execute(f"drop trigger {name}")
    connection.execute("drop index facts_by_identity")
    return connection


COLUMNS = [
    *[
        ("facts", name, "position = 7")
        for name in "commit_no kind source id subject time data cause_id correlation_id more".split()
    ],
    *[
        ("commits", name, "commit_no = 4")
        for name in "stream first_version first_position last_position recorded_s actor reason hash".split()
    ],
    ("kinds", "type", "type = 'rich'"),
    ("kinds", "sealed", "type = 'rich'"),
    ("kinds", "source", "type = 'rich'"),
    ("sources", "uri", "source = 1"),
    ("facts", "position", "position = 8"),
    ("commits", "commit_no", "commit_no = 5"),
    ("sources", "source", "source = 1"),
    ("kinds", "kind", "type = 'rich'"),
]


def altered(value: object) -> object:
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1)
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    assert isinstance(value, int | float)
    return value + 1


@pytest.mark.parametrize(("table", "column", "where"), COLUMNS)
def test_one_altered_byte_is_found_in_every_column(table: str, column: str, where: str) -> None:
    store = made()
    connection = unguarded(store)
    assert {row[1] for row in connection.execute(f"pragma table_info({table})")} == {
        name for t, name, _ in COLUMNS if t == table
    }
    before = connection.execute(f"select {column} from {table} where {where}").fetchone()[0]
    connection.execute(f"update {table} set {column} = ? where {where}", (altered(before),))
    found = store.verify()
    assert found is not None
    assert found.first_position <= 8


def test_the_altered_commit_is_named() -> None:
    store = made()
    unguarded(store).execute("update facts set data = '{\"cents\":1000000}' where position = 3")
    assert store.verify() == (2, 3, 4, "the hash does not fit the content")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_altered_byte_of_any_cell_is_found(data: st.DataObject) -> None:
    store = made()
    connection = unguarded(store)
    position = data.draw(st.integers(1, 8))
    column = data.draw(st.sampled_from(["id", "subject", "time", "data", "cause_id", "correlation_id", "more"]))
    value = connection.execute(f"select {column} from facts where position = ?", (position,)).fetchone()[0]
    if value is None:
        changed: object = "x"
    else:
        raw = bytearray(value if isinstance(value, bytes) else value.encode())
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 127))
        changed = bytes(raw) if isinstance(value, bytes) else raw.decode(errors="replace")
    connection.execute(f"update facts set {column} = ? where position = ?", (changed, position))
    assert store.verify() is not None


@pytest.mark.parametrize(
    "attack",
    [
        "delete from facts where position = 3",
        "delete from commits where commit_no = 2",
        "insert into facts select 100, commit_no, kind, source, id || 'x', subject, time, data, null, null, null from facts limit 1",
        "update facts set data = cast(data as blob) where position = 1",
        "update facts set id = id || char(31) || subject, subject = null where position = 2",
    ],
)
def test_removals_insertions_and_shifted_borders_are_found(attack: str) -> None:
    store = made()
    unguarded(store).execute(attack)
    assert store.verify() is not None


def test_removing_the_newest_commit_is_found_by_a_seal_only() -> None:
    store = made()
    seal = store.seal()
    assert (seal.commit_no, seal.position, store.verify(seal)) == (5, 8, None)
    store.append("s-1", [event(number=200)])
    assert store.verify(seal) is None
    connection = unguarded(store)
    connection.execute("delete from facts where position >= 8")
    connection.execute("delete from commits where commit_no >= 5")
    assert store.verify() is None
    assert "does not lead over the seal" in str(store.verify(seal))


def test_a_history_written_anew_is_found_by_a_seal_only() -> None:
    seal = made().seal()
    other = EventStore(clock=Clock())
    other.append("s-1", [Event(type="forged")])
    assert other.verify() is None
    assert other.verify(seal) is not None
    assert other.verify(Seal(1, 1, other.seal().hash)) is None


def test_an_altered_byte_of_the_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "history"
    made(path).close()
    raw = bytearray(path.read_bytes())
    where = raw.rindex(b'{"cents":100}') + 9
    raw[where] = ord("9")
    path.write_bytes(raw)
    with EventStore(path) as store:
        assert store.at(8).event.data == {"cents": 900}
        assert store.verify() == (5, 8, 8, "the hash does not fit the content")
