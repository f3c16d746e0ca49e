"""A crash at every write: what dual writes lose or double, and outbox, inbox and decider do not (ES-07)."""

import sqlite3
from collections.abc import Callable

import pytest

from edasim.errors import StateError
from edasim.events import Event
from edasim.sourcing import ConflictError, Decider, EventStore, Fold, Inbox, Outbox, transaction


class CrashError(Exception):
    """The process dies."""


class Steps:
    """Counts the writes of a process, and lets it die just before one of them."""

    def __init__(self, dies_before: int | None) -> None:
        self.done = 0
        self._dies_before = dies_before

    def __call__(self) -> None:
        if self.done == self._dies_before:
            self._dies_before = None
            raise CrashError
        self.done += 1


def database() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("create table orders (id text primary key)")
    return made


def until_done(work: Callable[[], object]) -> None:
    """Starts a process again after each crash, as a supervisor does."""
    while True:
        try:
            work()
        except CrashError:
            continue
        return


ORDER = Event(type="order.placed", id="o-1", source="/shop")


def placing(style: str, dies_before: int | None) -> tuple[int, int, int]:
    """Orders in the database, messages sent, and writes, after one order and at most one crash."""
    db, sent, step = database(), [], Steps(dies_before)
    outbox = Outbox(db)

    def send(event: Event) -> None:
        step()
        sent.append(event)

    def insert() -> None:
        step()
        db.execute("insert or ignore into orders values ('o-1')")

    def write_then_publish() -> None:
        if not db.execute("select 1 from orders").fetchall():  # the request was dealt with before
            insert()
            send(ORDER)

    def publish_then_write() -> None:
        send(ORDER)
        insert()

    def with_outbox() -> None:
        if not db.execute("select 1 from orders").fetchall():
            with transaction(db):
                insert()
                step()
                outbox.put(ORDER)
                step()
        outbox.relay(send)

    until_done(
        {"write, publish": write_then_publish, "publish, write": publish_then_write, "outbox": with_outbox}[style]
    )
    return db.execute("select count(*) from orders").fetchone()[0], len(sent), step.done


@pytest.mark.rule("ES-07")
@pytest.mark.parametrize(("style", "worst"), [("write, publish", 0), ("publish, write", 2), ("outbox", 1)])
def test_es07_a_crash_at_every_write(style: str, worst: int) -> None:
    """Writing first loses the message, publishing first doubles it, an outbox leaves one order and one message."""
    writes = placing(style, None)[2]
    outcomes = [placing(style, before)[:2] for before in range(writes)]
    assert placing(style, None)[:2] == (1, 1)
    assert {orders for orders, _ in outcomes} == {1}
    assert (worst in {messages for _, messages in outcomes}) is True
    if style == "outbox":
        assert {messages for _, messages in outcomes} == {1}


@pytest.mark.rule("ES-07")
def test_a_relay_that_dies_after_publishing_publishes_again_and_the_inbox_makes_it_once() -> None:
    shop, mailer = database(), database()
    outbox, inbox, mails = Outbox(shop), Inbox(mailer), []
    with transaction(shop):
        outbox.put(ORDER)

    def receive(event: Event) -> None:
        with transaction(mailer):
            if inbox.is_new(event):
                mails.append(event.id)

    def dying(event: Event) -> None:
        receive(event)
        raise CrashError

    with pytest.raises(CrashError):
        outbox.relay(dying)
    assert outbox.waiting == 1
    assert (outbox.relay(receive), outbox.waiting, mails) == (1, 0, ["o-1"])


def test_an_effect_that_fails_takes_its_note_in_the_inbox_back() -> None:
    db = database()
    inbox = Inbox(db)

    def crash_after_the_note() -> None:
        with transaction(db):
            assert inbox.is_new(ORDER)
            raise CrashError

    with pytest.raises(CrashError):
        crash_after_the_note()
    with transaction(db):
        assert inbox.is_new(ORDER)
    with transaction(db):
        assert not inbox.is_new(ORDER)


def test_messages_leave_in_the_order_in_which_they_were_written() -> None:
    db, sent = database(), []
    outbox = Outbox(db)
    for number in range(5):
        with transaction(db):
            outbox.put(ORDER.replace(id=f"o-{number}"))
    assert (outbox.relay(sent.append, limit=3), outbox.relay(sent.append), outbox.waiting) == (3, 2, 0)
    assert [event.id for event in sent] == [f"o-{number}" for number in range(5)]


@pytest.mark.parametrize("call", [lambda db: Outbox(db).put(ORDER), lambda db: Inbox(db).is_new(ORDER)])
def test_both_refuse_to_be_used_outside_a_transaction(call: Callable[[sqlite3.Connection], object]) -> None:
    with pytest.raises(StateError, match="outside a transaction"):
        call(database())


# ---------------------------------------------------------------- deciders

STOCK = Fold(name="stock", initial=2, types=("reserved",), apply=lambda left, _: left - 1)


def reserve(left: int, event: Event) -> list[Event]:
    outcome = Event(type="reserved" if left else "sold.out", subject=event.subject, data={"order": event.id})
    return [outcome, Event(type="mail.requested", subject=event.subject)]


def request(number: int) -> Event:
    return Event(type="order.placed", id=f"o-{number}", source="/shop", subject="book-1")


def test_a_decider_appends_what_it_decides_with_its_cause() -> None:
    store = EventStore()
    decider = Decider("stock", store, STOCK, reserve)
    for number in range(3):
        decider.handle(request(number))
    assert [one.event.type for one in store.read() if one.event.type != "mail.requested"] == [
        "reserved",
        "reserved",
        "sold.out",
    ]
    first = store.at(1)
    assert (first.stream, first.actor, first.reason) == ("book-1", "stock", "order.placed o-0")
    assert (first.event.id, first.event.cause_id, first.event.trace_id) == ("o-0/0", "o-0", "o-0")


@pytest.mark.parametrize("dies_before", range(4))
def test_a_decider_decides_once_wherever_it_dies_between_storing_and_publishing(dies_before: int) -> None:
    store, sent, step = EventStore(), [], Steps(dies_before)
    decider = Decider("stock", store, STOCK, reserve)

    def work() -> None:
        step()
        decided = decider.handle(request(1))
        for event in decided:
            step()
            sent.append(event)
        step()  # the acknowledgement

    until_done(work)
    assert [one.event.type for one in store.read()] == ["reserved", "mail.requested"]
    assert {event.id for event in sent} == {"o-1/0", "o-1/1"}


def test_two_deciders_that_read_the_same_version_decide_one_after_the_other() -> None:
    store = EventStore()
    rival = Decider("stock", store, STOCK, reserve)
    rivals = iter([request(7), request(8)])

    def while_the_rival_is_faster(left: int, event: Event) -> list[Event]:
        other = next(rivals, None)
        if other is not None:
            rival.handle(other)
        return reserve(left, event)

    Decider("stock", store, STOCK, while_the_rival_is_faster).handle(request(1))
    outcomes = [(one.event.cause_id, one.event.type) for one in store.read() if one.event.type != "mail.requested"]
    assert outcomes == [("o-7", "reserved"), ("o-8", "reserved"), ("o-1", "sold.out")]
    rivals = iter([request(9)])
    with pytest.raises(ConflictError):
        Decider("stock", store, STOCK, while_the_rival_is_faster, attempts=1).handle(request(2))


def test_a_decision_for_nothing_stores_nothing() -> None:
    store = EventStore()
    assert Decider("stock", store, STOCK, lambda state, event: None).handle(request(1)) == []
    single = Decider("stock", store, STOCK, lambda state, event: Event(type="noted"), stream_of=lambda event: "notes")
    assert [event.id for event in single.handle(request(1))] == ["o-1/0"]
    assert store.streams() == {"notes": 1}
