"""The hash chain finds every altered byte, and seals find what the chain alone cannot."""

import sqlite3
from pathlib import Path

import pytest

from edasim.events import Event
from edasim.sourcing import EventStore, Seal, StoreError

from .conftest import Clock, event


def made(path: Path | None = None) -> EventStore:
    """Five batches: positions 1 and 2, 3 and 4, 5 and 6, 7 with every attribute, 8."""
    store = EventStore(path, clock=Clock(), personal={"user.registered": ("name",)})
    for number in range(1, 4):
        ada = event("user.registered", 2 * number + 1, subject="u", data={"name": "Ada"})
        store.append(f"s-{number}", [event(number=2 * number), ada])
    rich = event(
        "rich", 99, subject="u", time="2026-11-23T10:00:00Z", cause_id="e-2", trace_id="e-2", dataschema="urn:s",
        datacontenttype="application/json", extensions={"x": 1, "y": b"z"},
        data={"cents": 1.5, "list": [True, None, "ä"]},
    )  # fmt: skip
    store.append("s-9", [rich], actor="teller", reason="a test")
    store.append("s-1", [event(number=100)], actor="teller", reason="the last")
    return store


def unguarded(store: EventStore) -> sqlite3.Connection:
    """The store's connection without what keeps batches from being edited: what an attacker has."""
    connection = store._connection
    for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        connection.execute(f"drop trigger {name}")
    return connection


BATCH_COLUMNS = [
    "first_position",
    "last_position",
    "stream",
    "first_version",
    "recorded_s",
    "actor",
    "reason",
    "body",
    "hash",
]
COLUMNS = [
    *(("batches", name, "first_position = 7") for name in BATCH_COLUMNS),
    *(("identities", name, "position = 7") for name in ("id", "source", "position")),
]


def altered(value: object) -> object:
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1)
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    assert isinstance(value, int | float)
    return value + 1_000


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
    assert found.first_position in {7, 8}


def test_a_text_that_is_no_text_any_more_is_told_plainly() -> None:
    store = made()
    unguarded(store).execute("update batches set actor = cast(x'ff' as text) where first_position = 7")
    with pytest.raises(StoreError, match="the file is damaged"):
        list(store.read())
    assert store.verify() == (7, 7, "the hash does not fit the content")


def test_the_altered_batch_is_named() -> None:
    store = made()
    unguarded(store).execute(
        "update batches set body = replace(body, '\"cents\":4', '\"cents\":9') where first_position = 3"
    )
    assert store.at(3).event.data == {"cents": 9}
    assert store.verify() == (3, 4, "the hash does not fit the content")


@pytest.mark.parametrize("position", [1, 3, 5, 7, 8])
def test_every_single_byte_of_every_body_counts(position: int) -> None:
    """All attributes of an event, its data included, lie in the body; each of its bytes is altered in turn."""
    store = made()
    connection = unguarded(store)
    body = connection.execute("select body from batches where first_position = ?", (position,)).fetchone()[0]
    raw = body.encode()
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        connection.execute(
            "update batches set body = cast(? as text) where first_position = ?", (bytes(changed), position)
        )
        assert store.verify() == (position, position + (position < 7), "the hash does not fit the content")
    connection.execute("update batches set body = ? where first_position = ?", (body, position))
    assert store.verify() is None


@pytest.mark.parametrize(
    "attack",
    [
        "delete from batches where first_position = 3",
        "delete from identities where position = 3",
        "insert into identities values ('x', '/s', 3)",
        "update batches set body = cast(body as blob) where first_position = 1",
        "update batches set actor = actor || char(31) || reason, reason = null where first_position = 7",
        "update identities set position = 9 - position",
    ],
)
def test_removals_insertions_and_shifted_borders_are_found(attack: str) -> None:
    store = made()
    connection = unguarded(store)
    if "blob" in attack:
        with pytest.raises(sqlite3.IntegrityError):  # a strict table holds texts only
            connection.execute(attack)
        return
    connection.execute(attack)
    assert store.verify() is not None


def test_removing_the_newest_batch_is_found_by_a_seal_only() -> None:
    store = made()
    seal = store.seal()
    assert (seal.position, store.verify(seal)) == (8, None)
    store.append("s-1", [event(number=200)])
    assert store.verify(seal) is None
    connection = unguarded(store)
    connection.execute("delete from identities where position >= 8")
    connection.execute("delete from batches where first_position >= 8")
    assert store.verify() is None
    assert "does not lead over the seal" in str(store.verify(seal))


def test_a_history_written_anew_is_found_by_a_seal_only() -> None:
    seal = made().seal()
    other = EventStore(clock=Clock())
    other.append("s-1", [Event(type="forged")])
    assert other.verify() is None
    assert other.verify(seal) is not None
    assert other.verify(Seal(1, other.seal().hash)) is None


def test_any_altered_byte_of_the_file_is_refused_found_or_without_effect(tmp_path: Path) -> None:
    """300 written bytes all over the file: what passes the check reads as before, by position and by stream."""

    def seen(store: EventStore) -> list[object]:
        return [list(store.read()), [list(store.read(stream=f"s-{n}")) for n in (1, 2, 3, 9)]]

    path, copy = tmp_path / "history", tmp_path / "copy"
    with made(path) as store:
        before = seen(store)
        (keys,) = store.query("select rootpage from sqlite_master where name = 'subjects'")[0]  # no part of the history
    raw = path.read_bytes()
    found = 0
    written = [place for place, byte in enumerate(raw) if byte and place > 100 and place // 4096 + 1 != keys]
    for place in written[:: len(written) // 300]:
        changed = bytearray(raw)
        changed[place] ^= 0x20
        copy.write_bytes(changed)
        try:
            with EventStore(copy, personal={"user.registered": ("name",)}) as store:
                passed = store.verify() is None
                assert not passed or seen(store) == before
        except StoreError:
            passed = False
        found += not passed
    assert found > 60


def test_an_altered_byte_of_the_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "history"
    made(path).close()
    raw = bytearray(path.read_bytes())
    where = raw.rindex(b'{"cents":100}') + len('{"cents":')
    raw[where] = ord("9")
    path.write_bytes(raw)
    with EventStore(path) as store:
        assert store.at(8).event.data == {"cents": 900}
        assert store.verify() == (8, 8, "the hash does not fit the content")
