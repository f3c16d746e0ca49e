"""Erasing a person: the events stay, the plaintext is in no file (ES-08)."""

from pathlib import Path

import pytest

from edasim.errors import EdasimError
from edasim.events import Event
from edasim.sourcing import ERASED, EventStore, EveryEvents, Fold, History, Projection, StoreError, View

NAME, MAIL = "Zuleika-Dobson", "zuleika@example.org"
PERSONAL = {"user.registered": ("name", "mail"), "user.renamed": ("name",)}


def last_name(state: dict[str, object], event: Event) -> dict[str, object]:
    return {**state, "name": event.data["name"]}


def filled(path: Path | None) -> EventStore:
    store = EventStore(path, personal=PERSONAL)
    for number, (subject, name) in enumerate([("u-1", NAME), ("u-2", "Grace"), ("u-1", f"{NAME}-Smith")]):
        type_ = "user.renamed" if number == 2 else "user.registered"
        data = {"name": name, "plan": "pro"} if number == 2 else {"name": name, "mail": MAIL, "plan": "free"}
        store.append(subject, [Event(type=type_, id=f"e-{number}", source="/users", subject=subject, data=data)])
    return store


def raw_bytes(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))


def test_personal_fields_are_sealed_in_the_file_and_open_for_readers(tmp_path: Path) -> None:
    store = filled(tmp_path / "history")
    assert store.at(1).event.data == {"name": NAME, "mail": MAIL, "plan": "free"}
    assert b"free" in raw_bytes(tmp_path / "history")
    assert NAME.encode() not in raw_bytes(tmp_path / "history")
    with EventStore(tmp_path / "history", access="read") as reader:
        assert reader.at(3).event.data == {"name": f"{NAME}-Smith", "plan": "pro"}


@pytest.mark.rule("ES-08")
def test_after_erasure_no_plaintext_and_no_key_is_left_in_any_file(tmp_path: Path) -> None:
    path = tmp_path / "history"
    store = filled(path)
    fold = Fold(name="name", initial={}, apply=last_name, types=tuple(PERSONAL))
    history = History(store, fold, stream="u-1", snapshots=EveryEvents(events=1))
    view = View(
        store, Projection(name="users", initial={}, apply=last_name, key=lambda e: e.subject, types=tuple(PERSONAL))
    )
    assert (history.prepare(), view.catch_up(), view.state("u-1")) == (2, 3, {"name": f"{NAME}-Smith"})
    key = store.query("select key from subjects where subject = 'u-1'")[0][0]
    assert NAME.encode() in raw_bytes(path)
    assert key in raw_bytes(path)

    assert store.erase("u-1", actor="privacy desk", reason="article 17")
    for secret in (NAME.encode(), MAIL.encode(), key):
        assert secret not in raw_bytes(path)
    assert [recorded.event.data for recorded in store.read(stream="u-1")] == [
        {"name": ERASED, "mail": ERASED, "plan": "free"},
        {"name": ERASED, "plan": "pro"},
    ]
    assert store.at(2).event.data["name"] == "Grace"
    assert (store.verify(), store.version("u-1"), store.erase("u-1")) == (None, 2, False)
    told = store.audit(stream="erasures")
    assert [(entry.actor, entry.reason, entry.type, entry.subject) for entry in told] == [
        ("privacy desk", "article 17", "subject.erased", "u-1")
    ]
    view.catch_up()
    assert (view.state("u-1"), view.state("u-2"), history.now()) == (
        {"name": ERASED},
        {"name": "Grace"},
        {"name": ERASED},
    )


def test_no_plaintext_is_left_after_many_changes_of_what_was_computed(tmp_path: Path) -> None:
    path = tmp_path / "history"
    store = EventStore(path, personal={"user.renamed": ("name",)})
    view = View(
        store, Projection(name="users", initial={}, apply=last_name, key=lambda e: e.subject, types=("user.renamed",))
    )
    for number in range(300):
        data = {"name": f"{NAME}-{number}" if number % 3 else "x" * 700}
        store.append(f"u-{number % 7}", [Event(type="user.renamed", subject=f"u-{number % 7}", data=data)])
        if number % 20 == 0:
            view.catch_up()
            view.rebuild()
            view.switch()
    for number in range(7):
        store.erase(f"u-{number}")
    assert NAME.encode() not in raw_bytes(path)
    assert store.verify() is None


def test_a_person_who_comes_back_gets_a_new_key_and_the_old_data_stays_erased() -> None:
    store = filled(None)
    store.erase("u-1")
    store.append("u-1", [Event(type="user.renamed", subject="u-1", data={"name": "Ada", "plan": "free"})])
    assert [recorded.event.data["name"] for recorded in store.read(stream="u-1")] == [ERASED, ERASED, "Ada"]


def test_a_reader_that_holds_an_old_state_is_named_and_the_erasure_can_be_finished(tmp_path: Path) -> None:
    store = filled(tmp_path / "history")
    store._connection.execute("pragma busy_timeout=50")
    reader = EventStore(tmp_path / "history", access="read")
    reader._connection.execute("begin")
    assert reader.position == 3
    with pytest.raises(StoreError, match=r"locked|reader holds"):
        store.erase("u-1")
    reader.close()
    assert store.at(1).event.data["name"] == ERASED
    assert not store.erase("u-1")
    assert (tmp_path / "history-wal").stat().st_size == 0


def test_a_repeated_append_of_personal_data_is_recognised() -> None:
    store = filled(None)
    data = {"name": NAME, "mail": MAIL, "plan": "free"}
    again = store.append("u-1", [Event(type="user.registered", id="e-0", source="/users", subject="u-1", data=data)])
    assert not again.is_new


@pytest.mark.parametrize(
    "event",
    [
        Event(type="user.registered", data={"name": NAME}),
        Event(type="user.registered", subject="u-1", data=[NAME]),
        Event(type="user.registered", subject="u-1"),
    ],
)
def test_personal_data_that_belongs_to_nobody_is_refused(event: Event) -> None:
    with pytest.raises(EdasimError, match=r"subject|mapping"):
        EventStore(personal=PERSONAL).append("s", [event])


@pytest.mark.parametrize("personal", [["name"], {"t": "name"}, {"t": ()}, {"t": (1,)}])
def test_a_wrong_declaration_is_refused(personal: object) -> None:
    with pytest.raises(EdasimError, match=r"EventStore\.personal"):
        EventStore(personal=personal)  # type: ignore[arg-type]
