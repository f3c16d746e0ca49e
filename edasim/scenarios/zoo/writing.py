"""Bugs of writing: two writes that belong together, and a crash, or another writer, in between.

A database and a broker know nothing of each other, so a row and its event need an outbox (ES-07). A value that was read
may have changed until it is written, so a write needs the version that was read (ES-01). What a saga takes back it
takes back in reverse, and no step twice (SG-01). Left out: stores that are servers of their own; here a store is a
dictionary that survives every crash, and what is written to it at one instant is one transaction.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from typing import Any

from ... import checks, failures
from ...brokers import MemoryBus
from ...events import Event
from ...failures import Crash, Fault, Verdict, check_faults
from ...kernel import Simulation, times
from ...services import Acknowledge, Context, Service, Source, load
from ...services.handling import Publishing
from ...services.source import Occasion
from ..base import Scenario
from .record import Species

WEB, ORDERS, RELAY, SHIPPING = "web", "orders", "relay", "shipping"
ASKED, PLACED, ROW = "order.asked", "order.placed", "outbox.row"


def _asked(occasion: Occasion) -> Event:
    return Event(type=ASKED, subject=f"order-{occasion.number}", data={"order": occasion.number})


class Writes(enum.Enum):
    """How a row gets into the database, and its event to the broker."""

    SAVE_FIRST = "saves, then publishes"
    PUBLISH_FIRST = "publishes, then saves"
    OUTBOX = "saves both in one transaction; a relay publishes, then marks"
    OUTBOX_MARKED_FIRST = "saves both in one transaction; a relay marks, then publishes"


@checks.configuration
class Selling(Scenario):
    """Customers ask for orders; a service saves each and publishes it, and shipping ships what is published.

    Saving, publishing and marking are 0.05 s apart. A customer who hears nothing does not ask again: the request is
    gone with a crash, unless it is in the database by then. Shipping knows an order that comes twice.
    """

    writes: Writes = checks.word(Writes, default=Writes.OUTBOX)
    orders: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Each order that is saved is shipped, and in the end none that is not."""
        return (
            failures.eventually("shipped", after="saved", by="order", within_s=10.0),
            failures.conserves("parcels", plus="shipped", minus="saved", by="order"),
        )

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, the service, its outbox with a relay, and shipping; keeps the `shipped` orders."""
        bus, database = MemoryBus().start(sim), MemoryBus(name="database").start(sim)
        placed, outbox = bus.topic(PLACED), database.topic("outbox")
        has_outbox = self.writes in (Writes.OUTBOX, Writes.OUTBOX_MARKED_FIRST)
        marks = Acknowledge.ON_DELIVERY if self.writes is Writes.OUTBOX_MARKED_FIRST else Acknowledge.AFTER_HANDLING
        rows = Publishing(sim, ORDERS, outbox)
        shipped: set[int] = set()

        def sell(event: Event, context: Context) -> Generator[Any, Any, None]:
            order = Event(type=ROW if has_outbox else PLACED, subject=event.subject, data=event.data)
            if self.writes is Writes.PUBLISH_FIRST:
                context.publish(order)
            yield context.pause(0.05)
            if has_outbox:
                rows.publish(order, event, context.root)  # in the transaction of the row
            context.fact("saved", order=event.data["order"], parcels=1)
            if self.writes is Writes.SAVE_FIRST:
                yield context.pause(0.05)
                context.publish(order)

        def relay(event: Event, context: Context) -> Generator[Any, Any, None]:
            yield context.pause(0.05)
            context.publish(Event(type=PLACED, subject=event.subject, data=event.data))
            yield context.pause(0.05)

        def ship(event: Event, context: Context) -> None:
            order = event.data["order"]
            if order not in shipped:
                shipped.add(order)
                context.fact("shipped", order=order, parcels=1)

        asked = bus.topic(ASKED)
        Service(ORDERS, of=asked.subscribe(ORDERS), handler=sell, to=placed, acknowledge=Acknowledge.ON_DELIVERY)
        Service(RELAY, of=outbox.subscribe(RELAY), handler=relay, to=placed, acknowledge=marks)
        Service(SHIPPING, of=placed.subscribe(SHIPPING), handler=ship, service_time=times.Constant(value_s=0.05))
        Source(WEB, load=load.Poisson(rate_per_s=4.0).first(self.orders), to=asked, event=_asked)
        for fault in self.faults:
            fault.install(sim)
        return {"shipped": shipped}


class Update(enum.Enum):
    """How a balance is changed."""

    BLIND = "read, then written"
    VERSIONED = "read, then written if it is still the same version; or else read again"


@checks.configuration
class Depositing(Scenario):
    """Deposits of 10 go to three accounts, by two nodes; between reading a balance and writing it lie 0.1 s.

    A deposit is noted in the transaction of its write, so that it counts once.
    """

    update: Update = checks.word(Update, default=Update.VERSIONED)
    deposits: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Each deposit changes a balance by its amount."""
        return (failures.no(lambda row: row.change != row.deposit, "a balance lost a deposit", of="balance_written"),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, a queue, and two nodes; keeps the `balances`: by account, version and money."""
        topic = MemoryBus().start(sim).topic("deposits")
        balances: dict[int, tuple[int, int]] = {}
        noted: set[Any] = set()

        def deposit(event: Event, context: Context) -> Generator[Any, Any, None]:
            account, number = event.data["account"], event.data["deposit"]
            while number not in noted:
                version, money = balances.get(account, (0, 0))
                yield context.pause(0.1)
                there = balances.get(account, (0, 0))
                if self.update is Update.VERSIONED and there[0] != version:
                    continue
                balances[account] = (there[0] + 1, money + 10)
                noted.add(number)
                change = money + 10 - there[1]
                context.fact("balance_written", account=account, deposit=10, change=change, read=money, found=there[1])

        def new(occasion: Occasion) -> Event:
            account = int(occasion.draw() * 3)
            return Event(type="deposit", data={"deposit": occasion.number, "account": account})

        Service(ORDERS, of=topic.subscribe(ORDERS), handler=deposit, nodes=2)
        Source(WEB, load=load.Poisson(rate_per_s=5.0).first(self.deposits), to=topic, event=new)
        for fault in self.faults:
            fault.install(sim)
        return {"balances": balances}


class TakesBack(enum.Enum):
    """In which order a saga takes back what it has done."""

    REVERSE = "the last step first"
    FORWARD = "the first step first"


STEPS = ("seat", "ticket", "invoice")
"""The steps of a trip; each builds on the one before."""


@checks.configuration
class Travelling(Scenario):
    """A saga books a seat, a ticket for it, and an invoice for that, 0.1 s each; one trip in three fails at the end.

    Then it takes back what it has done. What is done and what is taken back it notes in its store, so that it goes on
    after a crash where it was.
    """

    takes_back: TakesBack = checks.word(TakesBack, default=TakesBack.REVERSE)
    trips: int = checks.at_least(1, default=15)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Nothing stands on what is not there, and a trip is booked or taken back."""
        return (
            failures.no(lambda row: row.hanging > 0, "something stood on what was taken back", of="taken_back"),
            failures.eventually("trip_ended", after="trip.asked", by="trip", within_s=20.0),
        )

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source and the saga; keeps what `stands` of each trip."""
        topic = MemoryBus().start(sim).topic("trips")
        stands: dict[int, list[str]] = {}
        failed: set[int] = set()
        ended: set[int] = set()

        def saga(event: Event, context: Context) -> Generator[Any, Any, None]:
            trip, standing = event.data["trip"], stands.setdefault(event.data["trip"], [])
            while trip not in failed and len(standing) < len(STEPS):
                yield context.pause(0.1)
                standing.append(STEPS[len(standing)])
                context.fact("booked", trip=trip, step=standing[-1])
            if event.data["is_refused"]:
                failed.add(trip)
            while trip in failed and standing:
                yield context.pause(0.1)
                step = standing.pop(0 if self.takes_back is TakesBack.FORWARD else -1)
                hanging = sum(STEPS.index(each) > STEPS.index(step) for each in standing)
                context.fact("taken_back", trip=trip, step=step, hanging=hanging)
            if trip not in ended:
                ended.add(trip)
                context.fact("trip_ended", trip=trip)

        def new(occasion: Occasion) -> Event:
            return Event(type="trip.asked", data={"trip": occasion.number, "is_refused": occasion.draw() < 1.0 / 3.0})

        Service(ORDERS, of=topic.subscribe(ORDERS), handler=saga)
        Source(WEB, load=load.Poisson(rate_per_s=2.0).first(self.trips), to=topic, event=new)
        for fault in self.faults:
            fault.install(sim)
        return {"stands": stands}


SHIPPED = "shipped 10 s after saved at the latest for each order"
ORDERS_DIES, RELAY_DIES = (Crash(node=node, at_s=0.0, down_s=0.3) for node in (ORDERS, RELAY))

SPECIES = (
    Species(
        name="saves before it publishes",
        what="It saves the order and then publishes it, in two steps; who crashes in between has told nobody.",
        rule="ES-07",
        mutant=Selling(writes=Writes.SAVE_FIRST),
        twin=Selling(),
        breaks=SHIPPED,
        verdict=Verdict.STUCK,
        dangers=(ORDERS_DIES, RELAY_DIES),
        faults=6,
        seeds=20,
    ),
    Species(
        name="publishes before it saves",
        what="It publishes the order and then saves it, in two steps; who crashes in between has promised too much.",
        rule="ES-07",
        mutant=Selling(writes=Writes.PUBLISH_FIRST),
        twin=Selling(),
        breaks="parcels is conserved for each order: shipped - saved = 0",
        verdict=Verdict.VIOLATED,
        dangers=(ORDERS_DIES, RELAY_DIES),
        faults=6,
        seeds=20,
    ),
    Species(
        name="relay marks first",
        what="Its outbox relay marks a row as sent before it has published it.",
        rule="ES-07",
        mutant=Selling(writes=Writes.OUTBOX_MARKED_FIRST),
        twin=Selling(),
        breaks=SHIPPED,
        verdict=Verdict.STUCK,
        dangers=(ORDERS_DIES, RELAY_DIES),
        faults=6,
        seeds=20,
    ),
    Species(
        name="lost update",
        what="It reads a value, thinks, and writes the new one over what another has written since.",
        rule="ES-01",
        mutant=Depositing(update=Update.BLIND),
        twin=Depositing(),
        breaks="never: a balance lost a deposit",
        verdict=Verdict.VIOLATED,
        dangers=(Crash(node=f"{ORDERS}/0", at_s=0.0, down_s=0.3),),
        needs_fault=False,
        seeds=5,
    ),
    Species(
        name="takes back in the wrong order",
        what="Its saga takes back the first step first, while the later ones still stand on it.",
        rule="SG-01",
        mutant=Travelling(takes_back=TakesBack.FORWARD),
        twin=Travelling(),
        breaks="never: something stood on what was taken back",
        verdict=Verdict.VIOLATED,
        dangers=(ORDERS_DIES,),
        needs_fault=False,
        lasts_s=8.0,
        seeds=2,
    ),
)
"""All of them: the store and the world, or two writers, do not agree on what was done."""
