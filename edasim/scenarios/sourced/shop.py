"""The order service: an order is placed in a store and told to a warehouse, and a crash may come between the two.

A customer asks, the order service appends `order.placed` to the order's stream and tells it on the bus, the warehouse
packs a parcel. `writing` says how the two writes of the order service are held together: one after the other (a **dual
write**, in either order), or by an outbox in the file of the event store, which a relay empties. `receiving` says
whether the warehouse knows a message again. Each write takes `step_s`, so that a crash can come between any two. The
bus delivers again what a crashed service had taken.

Follows: facts ES-07; C. Richardson, Transactional outbox and Idempotent consumer (microservices.io/patterns). Left
out: payment, a broker that loses messages, and an outbox that is read from the database's log.
"""

from __future__ import annotations

import enum
import sqlite3
from collections import Counter
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from ... import checks
from ...brokers import MemoryBus
from ...brokers.by_hand import publish
from ...events import Event
from ...failures import Fault, check_faults
from ...kernel import LogLevel, Run, Simulation
from ...services import Context, Service, Source, load
from ...services.arrivals import check_arrivals
from ...services.source import Occasion
from ...sourcing import EventStore, Inbox, Outbox, transaction
from ..base import Scenario

ORDERS, RELAY, WAREHOUSE, BUYERS, CLOCK = "orders", "relay", "warehouse", "buyers", "relay clock"
ORDER_ASKED, ORDER_PLACED = "order.asked", "order.placed"
WROTE = "wrote"
"""The kind of fact that tells each write: `what` was written, and `of` which story."""

Steps = Generator[Any, Any, None]


class Writing(enum.Enum):
    """How a service keeps its store and the bus together."""

    APPEND_FIRST = "append, then publish"
    PUBLISH_FIRST = "publish, then append"
    OUTBOX = "outbox"


class Receiving(enum.Enum):
    """Whether a receiver knows a message that comes again."""

    PLAIN = "plain"
    INBOX = "inbox"


class Effects:
    """What a receiver did, a row per effect, in its own database; with an inbox in the same one.

    >>> effects = Effects(Receiving.INBOX)
    >>> event = Event(type="order.placed", id="o-1", source="/orders", subject="o-1")
    >>> effects.take(event), effects.take(event), effects.count("o-1")
    (True, False, 1)
    """

    def __init__(self, receiving: Receiving) -> None:
        self.receiving = receiving
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        self._database.execute("create table effects (number integer primary key, of text not null)")
        self._inbox = Inbox(self._database)

    def take(self, event: Event) -> bool:
        """Does what the event asks for, and says so; with an inbox only once, and both in one transaction."""
        with transaction(self._database) as database:
            if self.receiving is Receiving.INBOX and not self._inbox.is_new(event):
                return False
            database.execute("insert into effects (of) values (?)", (event.subject,))
        return True

    def count(self, of: str) -> int:
        """How often it was done for a subject."""
        return self.counts()[of]

    def counts(self) -> Counter[str]:
        """How often it was done, by subject."""
        return Counter(dict(self._database.execute("select of, count(*) from effects group by of")))

    def saved(self) -> dict[str, Any]:
        """As plain values, for a file of the run."""
        return {"receiving": self.receiving.value, "image": self._database.serialize()}

    @classmethod
    def restored(cls, told: dict[str, Any]) -> Effects:
        """What `saved` told."""
        made = cls(Receiving(told["receiving"]))
        made._database.deserialize(told["image"])
        return made


class Books(NamedTuple):
    """What became of what was asked for: without a record or an effect (lost), or with more than one effect."""

    asked: int
    lost: int
    doubled: int


@checks.configuration
class Shop(Scenario):
    """An event-sourced order service and a warehouse, for `lasts_s` seconds.

    `arrivals` are orders. The order service and the warehouse need `step_s` for each write. The relay looks into the
    outbox every `relay_every_s`. `faults` are crashes of the nodes "orders", "relay" (with an outbox) and "warehouse".

    >>> run = Shop(arrivals=load.Trace(times_s=(1.0,)), lasts_s=5.0).run(seed=1)
    >>> books(run)
    Books(asked=1, lost=0, doubled=0)
    """

    arrivals: load.Arrivals = checks.checked(check_arrivals, default=load.Poisson(rate_per_s=5.0))
    writing: Writing = checks.word(Writing, default=Writing.OUTBOX)
    receiving: Receiving = checks.word(Receiving, default=Receiving.INBOX)
    step_s: float = checks.positive(default=0.01)
    relay_every_s: float = checks.positive(default=0.1)
    lasts_s: float = checks.positive(default=60.0)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    def run(
        self, seed: int = 0, until_s: float | None = None, *, log: str | LogLevel = LogLevel.FULL, one_in: int = 100
    ) -> Run:
        """One run; ends after `lasts_s`, unless `until_s` says otherwise."""
        return super().run(seed, self.lasts_s if until_s is None else until_s, log=log, one_in=one_in)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The whole shop; keeps its `store` and the warehouse's `effects` (parcels)."""
        bus = MemoryBus().start(sim)
        requests, facts = bus.topic("requests"), bus.topic("facts")
        store, parcels = EventStore(clock=lambda: float(sim.env.now)), Effects(self.receiving)
        with store.transaction() as connection:
            outbox = Outbox(connection)
        handler = {
            Writing.APPEND_FIRST: self._append_first,
            Writing.PUBLISH_FIRST: self._publish_first,
            Writing.OUTBOX: self._with_outbox,
        }[self.writing](store, outbox)
        Service(ORDERS, of=requests.subscribe(ORDERS), handler=handler, to=facts)
        Service(WAREHOUSE, of=facts.subscribe(WAREHOUSE), handler=receiver(parcels, self.step_s, "pack"))
        Source(BUYERS, load=self.arrivals, to=requests, event=_order)
        if self.writing is Writing.OUTBOX:
            ticks = bus.topic("ticks")
            Service(RELAY, of=ticks.subscribe(RELAY), handler=self._relay(outbox, facts))
            Source(CLOCK, load=load.Constant(rate_per_s=1.0 / self.relay_every_s), to=ticks, event="tick")
        for fault in self.faults:
            fault.install(sim)
        return {"store": store, "effects": parcels}

    def _append_first(self, store: EventStore, _outbox: Outbox) -> Callable[[Event, Context], Steps]:
        def handle(event: Event, context: Context) -> Steps:
            yield context.pause(self.step_s)
            if store.version(str(event.subject)):
                return  # placed before
            order = _placed(event)
            store.append(str(event.subject), [order], expected=0, actor=ORDERS)
            wrote(context, "append", event)
            yield context.pause(self.step_s)
            context.publish(order)
            wrote(context, "publish", event)
            yield context.pause(self.step_s)

        return handle

    def _publish_first(self, store: EventStore, _outbox: Outbox) -> Callable[[Event, Context], Steps]:
        def handle(event: Event, context: Context) -> Steps:
            yield context.pause(self.step_s)
            if store.version(str(event.subject)):
                return
            order = _placed(event)
            context.publish(order)
            wrote(context, "publish", event)
            yield context.pause(self.step_s)
            store.append(str(event.subject), [order], expected=0, actor=ORDERS)
            wrote(context, "append", event)
            yield context.pause(self.step_s)

        return handle

    def _with_outbox(self, store: EventStore, outbox: Outbox) -> Callable[[Event, Context], Steps]:
        def handle(event: Event, context: Context) -> Steps:
            yield context.pause(self.step_s)
            if store.version(str(event.subject)):
                return
            order = _placed(event)
            with store.transaction():
                store.append(str(event.subject), [order], expected=0, actor=ORDERS)
                outbox.put(order)
            wrote(context, "append + message", event)
            yield context.pause(self.step_s)

        return handle

    def _relay(self, outbox: Outbox, to: Any) -> Callable[[Event, Context], Steps]:
        def handle(_tick: Event, context: Context) -> Steps:
            for number, message in outbox.pending():
                yield context.pause(self.step_s)
                publish(to, message, RELAY)
                wrote(context, "publish", message)
                yield context.pause(self.step_s)
                outbox.mark_sent(number)
                wrote(context, "mark", message)
                yield context.pause(self.step_s)

        return handle


def receiver(effects: Effects, step_s: float, what: str) -> Callable[[Event, Context], Steps]:
    """The handler of a service that does something for each message, by `effects`, in `step_s`."""

    def handle(event: Event, context: Context) -> Steps:
        yield context.pause(step_s)
        if effects.take(event):
            wrote(context, what, event)
        yield context.pause(step_s)

    return handle


def wrote(context: Context, what: str, event: Event) -> None:
    """Tells a write in the log of the run."""
    context.fact(WROTE, what=what, of=event.subject)


def books(run: Run) -> Books:
    """What became of the orders that were asked for; those on their way at the end count as lost.

    Raises `ConfigurationError` for a run of another scenario.
    """
    if not isinstance(run.scenario, Shop):
        raise checks.refuse("run", run.scenario, "give a run of a Shop")
    asked = {str(event.subject) for event in run.events() if event.type == ORDER_ASKED}
    streams, parcels = run.kept["store"].streams(), run.kept["effects"].counts()
    lost = sum(not (streams.get(order) and parcels[order]) for order in asked)
    return Books(len(asked), lost, sum(parcels[order] > 1 for order in asked))


def _order(occasion: Occasion) -> Event:
    return Event(type=ORDER_ASKED, subject=f"o-{occasion.number}", data={"eur": 10 + int(90 * occasion.draw())})


def _placed(event: Event) -> Event:
    """The order, with an id made from that of the wish, so that it is the same order when the wish comes again."""
    order = Event(type=ORDER_PLACED, subject=event.subject, data=event.data)
    return order.filled(id=f"{event.id}/0", source=ORDERS, cause_id=event.id, trace_id=event.trace_id)
