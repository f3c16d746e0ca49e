"""An order shop: the stock reserves goods and tells the courier; two protections, which help only together.

A till publishes an order. The stock reserves its goods in a database and publishes that it did; the courier books a
parcel for each reservation. Between the database and the broker lies the **dual write** (ES-07): who dies there has
reserved and told nobody. An **outbox** is a table in the same database, written in the same transaction; a relay
publishes its rows afterwards, at least once. An **inbox** is a table of the orders that are done, noted in the
transaction of the effect; what comes again is skipped.

Left out: payment, cancelled orders, and a database that is itself a server (it is a table that survives its process).
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Generator
from typing import Any

import numpy as np

from .. import checks, failures
from ..brokers import MemoryBus, Topology
from ..brokers.base import Capability, require
from ..errors import ConfigurationError
from ..events import Event
from ..failures import Fault, check_faults
from ..kernel import Run, Simulation
from ..services import Acknowledge, Context, Service, Source, load
from ..services.arrivals import check_arrivals
from ..services.disk import require_room
from ..services.handling import Publishing
from ..services.source import Occasion
from .base import Scenario

TILL, STOCK, RELAY, COURIER = "till", "stock", "relay", "courier"
PLACED, RESERVED = "order.placed", "order.reserved"
TOPOLOGY = Topology(
    name="orders",
    publishes={TILL: (PLACED,), STOCK: (RESERVED,)},
    consumes={STOCK: (PLACED,), COURIER: (RESERVED,)},
)
NEEDS = (
    Capability.PUBLISH_SUBSCRIBE,
    Capability.COMPETING_CONSUMERS,
    Capability.ACKNOWLEDGEMENT,
    Capability.REDELIVERY,
)


class Safety(enum.Enum):
    """Which of the two tables the shop has."""

    NONE = "neither"
    INBOX = "inbox"
    OUTBOX = "outbox"
    BOTH = "inbox and outbox"

    @property
    def knows_orders(self) -> bool:
        """Whether stock and courier note the orders that they have done."""
        return self in (Safety.INBOX, Safety.BOTH)

    @property
    def has_outbox(self) -> bool:
        """Whether the stock's event is written together with its reservation."""
        return self in (Safety.OUTBOX, Safety.BOTH)


class Table:
    """Rows of one service, counted by order; they survive a crash of the service. A fault may fill its disk."""

    full = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: Counter[int] = Counter()

    def add(self, order_id: int) -> int:
        """One row more for this order; returns how many it has. Raises `DiskFullError` if there is no room."""
        require_room(self.name, full=self.full)
        self.rows[order_id] += 1
        return self.rows[order_id]

    def has(self, order_id: int) -> bool:
        """Whether the order has a row."""
        return self.rows[order_id] > 0


@checks.configuration
class OrderShop(Scenario):
    """Orders that come by `arrivals`, with the tables of `safety`, on a broker of your choice.

    The stock checks an order for `checking_s`, reserves its goods, needs `connecting_s` before it publishes and
    `closing_s` before it acknowledges; the courier needs `booking_s`. `parcel_within_s` is the shop's promise to its
    customers. Without an outbox the stock publishes itself; with one, the relay does. `acknowledge` says when stock and
    courier acknowledge. `faults` act on nodes, the broker, and by their names on "stock table" and "courier table".

    >>> run = OrderShop(safety="inbox and outbox").run()
    >>> len(failures.check(run))
    0
    """

    arrivals: load.Arrivals = checks.checked(check_arrivals, default=load.Trace(times_s=(1.0,)))
    safety: Safety = checks.word(Safety, default=Safety.NONE)
    acknowledge: Acknowledge = checks.word(Acknowledge, default=Acknowledge.AFTER_HANDLING)
    broker: Any = checks.kind(object, "a broker, such as MemoryBus()", default=MemoryBus())
    at_once: int = checks.at_least(1, default=4)
    checking_s: float = checks.non_negative(default=0.03)
    connecting_s: float = checks.non_negative(default=0.04)
    closing_s: float = checks.non_negative(default=0.02)
    booking_s: float = checks.non_negative(default=0.06)
    parcel_within_s: float = checks.positive(default=60.0)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    def check(self) -> None:
        """The broker can be started."""
        if isinstance(self.broker, type) or not hasattr(self.broker, "start"):
            raise ConfigurationError(
                f"OrderShop.broker is {self.broker!r}",
                field="OrderShop.broker",
                value=self.broker,
                remedy="give a broker, such as MemoryBus()",
            )

    @property
    def topology(self) -> Topology:
        """Who publishes and consumes what."""
        return TOPOLOGY

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Each order is reserved once, gets a parcel in time, and not two."""
        return (
            failures.exactly_once(to=STOCK, type=PLACED, effect="reserved", by="order_id"),
            failures.eventually("parcel_booked", after=PLACED, by="order_id", within_s=self.parcel_within_s),
            failures.at_most_once(to=COURIER, type=RESERVED, effect="parcel_booked", by="order_id"),
        )

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The shop; keeps the tables `stock` and `courier`."""
        broker = self.broker.start(sim)
        require(broker, NEEDS, "the order shop", "choose a broker that delivers again what was not acknowledged")
        wiring = broker.wire(TOPOLOGY)
        stock, courier = Table("stock table"), Table("courier table")
        sim.parts.update({"stock table": stock, "courier table": courier})
        work: dict[str, Any] = {"concurrency": self.at_once, "acknowledge": self.acknowledge}
        publishing = self._publishing(sim, wiring)
        reserve = _Reserving(self, stock, publishing)
        Service(STOCK, of=wiring.subscription(STOCK), handler=reserve, to=wiring.destination(STOCK), **work)
        Service(COURIER, of=wiring.subscription(COURIER), handler=_Booking(self, courier), **work)
        Source(TILL, load=self.arrivals, to=wiring.destination(TILL), event=_order)
        for fault in self.faults:
            fault.install(sim)
        return {"stock": stock, "courier": courier, "wiring": wiring}

    def _publishing(self, sim: Simulation, wiring: Any) -> Publishing | None:
        """The outbox, with a relay that publishes its rows and then marks them; None without one.

        The rows are a queue of their own, in the stock's database: they survive, and an unmarked row is taken again.
        """
        if not self.safety.has_outbox:
            return None
        rows = MemoryBus(name="stock database").start(sim).topic("outbox")
        Service(
            RELAY,
            of=rows.subscribe(RELAY),
            handler=self._relay,
            to=wiring.destination(STOCK),
        )
        return Publishing(sim, STOCK, rows)

    def _relay(self, event: Event, context: Context) -> Generator[Any, Any, None]:
        """Publishes one row of the outbox, and marks it (acknowledges) when the broker has it."""
        yield context.pause(self.connecting_s)
        context.publish(event)
        yield context.pause(self.closing_s)


def _order(occasion: Occasion) -> Event:
    return Event(type=PLACED, subject=f"o-{occasion.number}", data={"order_id": occasion.number})


class _Reserving:
    """The stock's handler."""

    def __init__(self, shop: OrderShop, table: Table, outbox: Publishing | None) -> None:
        self._shop = shop
        self._table = table
        self._outbox = outbox

    def __call__(self, event: Event, context: Context) -> Generator[Any, Any, None]:
        order_id = event.data["order_id"]
        yield context.pause(self._shop.checking_s)
        if self._shop.safety.knows_orders and self._table.has(order_id):
            context.fact("known_already", order_id=order_id)
            return
        rows = self._table.add(order_id)
        reserved = Event(type=RESERVED, subject=event.subject, data={"order_id": order_id})
        if self._outbox is not None:
            self._outbox.publish(reserved, event, context.root)  # a row of the same transaction
        context.fact("reserved", order_id=order_id, rows=rows)
        if self._outbox is None:
            yield context.pause(self._shop.connecting_s)
            context.publish(reserved)
        yield context.pause(self._shop.closing_s)


class _Booking:
    """The courier's handler."""

    def __init__(self, shop: OrderShop, table: Table) -> None:
        self._shop = shop
        self._table = table

    def __call__(self, event: Event, context: Context) -> Generator[Any, Any, None]:
        order_id = event.data["order_id"]
        yield context.pause(self._shop.booking_s)
        if self._shop.safety.knows_orders and self._table.has(order_id):
            context.fact("known_already", order_id=order_id)
            return
        context.fact("parcel_booked", order_id=order_id, rows=self._table.add(order_id))
        yield context.pause(self._shop.closing_s)


def parcel_waits_s(run: Run) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Seconds from each order to its first parcel, in order of publishing; inf for an order that has none yet."""
    asked, booked = _asked_s(run), _booked_s(run)
    return np.array([booked.get(order_id, math.inf) - at_s for order_id, at_s in asked.items()])


def parcel_ratio(run: Run, within_s: float = 3.0) -> float:
    """The share of orders that got a parcel within some seconds, among those whose time is over; 1 if there are none.

    >>> parcel_ratio(OrderShop().run())
    1.0
    """
    within_s = checks.check_positive("within_s", within_s)
    asked, booked = _asked_s(run), _booked_s(run)
    judged = {
        order_id: at_s for order_id, at_s in asked.items() if at_s + within_s <= run.ended_s or order_id in booked
    }
    good = sum(booked.get(order_id, math.inf) - at_s <= within_s for order_id, at_s in judged.items())
    return good / len(judged) if judged else 1.0


def _asked_s(run: Run) -> dict[int, float]:
    """When each order was placed first, in seconds."""
    rows, events = run.deliveries, run.numbered_events
    asked: dict[int, float] = {}
    for number, published_s in zip(rows.number.tolist(), rows.published_s.tolist(), strict=True):
        event = events[number]
        if event is not None and event.type == PLACED:
            asked.setdefault(event.data["order_id"], published_s)
    return asked


def _booked_s(run: Run) -> dict[int, float]:
    """When each order got its first parcel, in seconds."""
    booked: dict[int, float] = {}
    for fact in run.fact_list:
        if fact.kind == "parcel_booked":
            booked.setdefault(fact.detail["order_id"], fact.time_s)
    return booked
