"""Files that cannot be used, disks that are full, processes that are killed: clear errors, and the store unharmed."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from edasim.events import Event
from edasim.sourcing import EventStore, Fold, Projection, StoreError, View, check_view

from .conftest import event

ROOT = Path(__file__).parents[2]


def filled(path: Path, events: int = 200) -> EventStore:
    store = EventStore(path)
    for number in range(events // 20):
        store.append("a", [event(number=20 * number + n) for n in range(20)])
    return store


def test_a_file_that_is_no_sqlite_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam")
    with pytest.raises(StoreError, match="is no SQLite file"):
        EventStore(path)
    assert path.read_text() == "Dear Sir or Madam"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("create table t (x)")
    connection.close()
    with pytest.raises(StoreError, match="no event store"):
        EventStore(tmp_path / "other")


def test_a_file_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "h").close()
    with sqlite3.connect(tmp_path / "h") as connection:
        connection.execute("pragma user_version = 9")
    connection.close()
    with pytest.raises(StoreError, match="format 9, and this version reads up to 1"):
        EventStore(tmp_path / "h")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "h"
    filled(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(StoreError, match="is cut short") as caught:
        EventStore(path)
    assert caught.value.remedy == "restore it from a copy"


@pytest.mark.parametrize(
    ("share", "what"), [(0.0, "is cut short"), (0.02, "damaged"), (0.5, "damaged"), (0.9, "cannot be read")]
)
def test_a_file_that_is_cut_short_beside_its_log_is_told_of(tmp_path: Path, share: float, what: str) -> None:
    """With a log the file may be shorter than it says, so the gap is found at the latest where it is read."""
    path = tmp_path / "h"
    store = filled(path, 600)
    store._connection.execute("pragma wal_checkpoint(full)")
    store.append("a", [event(number=9_999)])
    whole, log = path.read_bytes(), path.with_name("h-wal").read_bytes()
    (tmp_path / "copy").write_bytes(whole[: int(len(whole) * share)])
    (tmp_path / "copy-wal").write_bytes(log)

    def read_all() -> None:
        with EventStore(tmp_path / "copy") as cut:
            assert cut.verify() is not None
            list(cut.read())

    with pytest.raises(StoreError, match=what):
        read_all()
    assert store.verify() is None


@pytest.mark.parametrize("body", ["null", "[]", "{}", "{", '{"data":7}', '{"data":[]}'])
def test_a_body_that_no_append_wrote_is_told_of_and_found(body: str) -> None:
    store = EventStore()
    store.append("a", [event(number=1)])
    store._connection.execute("drop trigger batches_cannot_be_edited")
    store._connection.execute("update batches set body = ?", (body,))
    with pytest.raises(StoreError, match="stored events cannot be read") as caught:
        list(store.read())
    assert "verify()" in str(caught.value.remedy)
    assert store.verify() == (1, 1, "the hash does not fit the content")


def nobody() -> None:
    """Gives up the rights of the administrator, who may write everywhere."""
    if os.geteuid() == 0:
        os.seteuid(65_534)


def test_a_read_only_file_and_folder_can_be_read_and_refuse_to_be_written(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp())  # the folders of pytest are for their owner alone
    path = folder / "h"
    filled(path, 40).close()
    before, mine = path.read_bytes(), os.geteuid()
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        nobody()
        with EventStore(path, access="read") as store:
            assert (len(list(store.read())), store.verify()) == (40, None)
            with pytest.raises(StoreError, match="read-only"):
                store.append("a", [event(number=999)])
        with pytest.raises(StoreError, match="read-only"):
            EventStore(path)
    finally:
        os.seteuid(mine)
        folder.chmod(0o755)
    assert path.read_bytes() == before
    shutil.rmtree(folder)


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "h").touch()
    assert EventStore(tmp_path / "h").position == 0


def test_a_damaged_page_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "h"
    filled(path, 2000).close()
    raw = bytearray(path.read_bytes())
    raw[8 * 4096 :] = os.urandom(len(raw) - 8 * 4096)
    path.write_bytes(raw)
    with pytest.raises(StoreError, match="the file is damaged"):
        EventStore(path).query("pragma integrity_check") == [("ok",)] and list(EventStore(path).read())


def test_a_folder_or_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no file"):
        EventStore(tmp_path)
    with pytest.raises(StoreError, match="cannot be opened"):
        EventStore(tmp_path / "nowhere" / "h")
    with pytest.raises(StoreError, match="does not exist"):
        EventStore(tmp_path / "h", access="read")


def test_a_store_that_is_opened_for_reading_refuses_to_write(tmp_path: Path) -> None:
    filled(tmp_path / "h").close()
    with EventStore(tmp_path / "h", access="read") as store:
        with pytest.raises(StoreError, match="read-only"):
            store.append("a", [event(number=999)])
        assert store.position == 200
        assert store.query("select count(*) from events") == [(200,)]


def test_a_locked_file_is_told_of(tmp_path: Path) -> None:
    one, other = filled(tmp_path / "h"), EventStore(tmp_path / "h")
    other._connection.execute("pragma busy_timeout=10")
    with one.transaction(), pytest.raises(StoreError, match="another writer"):
        other.append("a", [event(number=999)])
    assert other.append("a", [event(number=999)]).position == 201


def test_a_full_disk_stores_nothing_of_the_append_and_harms_nothing(tmp_path: Path) -> None:
    store = filled(tmp_path / "h")
    pages = store._connection.execute("pragma page_count").fetchone()[0]
    store._connection.execute(f"pragma max_page_count={pages + 2}")
    before = store.position
    big = [event(number=1000 + n, data={"cents": 1, "text": "x" * 3000}) for n in range(20)]
    with pytest.raises(StoreError, match="the disk is full"):
        store.append("a", big)

    def two_appends() -> None:
        with store.transaction():
            store.append("a", [event(number=500)])
            store.append("b", big)

    with pytest.raises(StoreError, match="the disk is full"):
        two_appends()
    assert (store.position, store.verify(), store.query("pragma integrity_check")) == (before, None, [("ok",)])
    store._connection.execute("pragma max_page_count=1000000")
    assert store.append("a", big, expected=200).version == 220
    assert store.verify() is None


# ---------------------------------------------------------------- kill -9


def test_after_kill_nine_no_acknowledged_event_is_missing(tmp_path: Path) -> None:
    """Ten kills, each later in the writer's work; `python -m benchmarks.sourcing --kills 50` does more."""
    path = tmp_path / "h"
    counts = Projection(name="n", initial=0, apply=lambda n, _: n + 1, key=lambda one: one.type)
    for kill in range(10):
        writer = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sourcing_writer", str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        acknowledged = [int(writer.stdout.readline()) for _ in range(2 * kill)]
        time.sleep(0.0007 * kill)
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        writer.wait()
        writer.stdout.close()
        with EventStore(path) as store:
            positions = [recorded.position for recorded in store.read()]
            assert positions == list(range(1, len(positions) + 1))
            assert store.position >= max(acknowledged, default=0)
            assert (store.verify(), store.query("pragma integrity_check")) == (None, [("ok",)])
            check_view(View(store, counts))
            view = View(store, counts)
            view.catch_up()
            check_view(view)
            assert sum(n for _, n in view.states()) == store.position
            for recorded in store.read(stream="pairs"):
                assert recorded.event.data["of"] == (recorded.version + 1) // 2
            assert store.version("pairs") % 2 == 0
    assert len(positions) > 50


def test_a_copy_of_the_file_is_a_store(tmp_path: Path) -> None:
    filled(tmp_path / "h").close()
    shutil.copy(tmp_path / "h", tmp_path / "copy")
    with EventStore(tmp_path / "copy") as store:
        total = Fold(name="sum", initial=0, apply=lambda cents, one: cents + one.data["cents"])
        assert total.over(recorded.event for recorded in store.read()) == sum(range(200))
        store.append("a", [Event(type="more")], expected=200)
