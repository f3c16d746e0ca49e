"""Bugs of acknowledging: a consumer tells its broker too early, too often or never that it is done.

An acknowledgement stands for work that is done (RP-11). What it is called and who sends it is each broker's own:
RabbitMQ's `basic.ack`, Kafka's commit of an offset, a STOMP client's `ack:auto`, and core NATS has none. Left out:
acknowledgements that the network loses.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from typing import Any

from ... import checks, failures
from ...brokers import ActiveMQ, JetStream, Kafka, Nats, RabbitMQ, Topology
from ...events import Event
from ...failures import Crash, DelayMessages, Fault, StoreFull, Verdict, check_faults
from ...kernel import Simulation, times
from ...services import Acknowledge, Context, Service, Source, load
from ..base import Scenario
from .record import Species

SHOP, WAREHOUSE, PLACED = "shop", "warehouse", "order.placed"
TOPOLOGY = Topology(name="orders", publishes={SHOP: (PLACED,)}, consumes={WAREHOUSE: (PLACED,)})
BOOKS = "shipping book"


class OnError(enum.Enum):
    """What a handler does with an error of its store."""

    RAISE = "raises it, and the message comes again"
    SWALLOW = "writes a line into the log, and goes on"


class Book:
    """A store that may be full for a while."""

    def __init__(self) -> None:
        self.full = False
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        """Adds a line; an `OSError` if the disk is full."""
        if self.full:
            raise OSError("no space left on device")
        self.lines.append(line)


@checks.configuration
class Shipping(Scenario):
    """A shop's orders go through `broker` to a warehouse, which needs 0.1 s to ship each and then books it.

    `acknowledge` says when the warehouse acknowledges, `on_error` what it does if the book is full.
    """

    broker: Any = checks.kind(object, "a broker, such as RabbitMQ()", default=RabbitMQ(prefetch=5))
    acknowledge: Acknowledge = checks.word(Acknowledge, default=Acknowledge.AFTER_HANDLING)
    on_error: OnError = checks.word(OnError, default=OnError.RAISE)
    orders: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    def check(self) -> None:
        """The broker can be started."""
        if isinstance(self.broker, type) or not hasattr(self.broker, "start"):
            raise checks.refuse("Shipping.broker", self.broker, "give a broker, such as RabbitMQ()")

    @property
    def topology(self) -> Topology:
        """Who publishes and consumes what."""
        return TOPOLOGY

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Every order is shipped; twice is allowed."""
        return (failures.at_least_once(to=WAREHOUSE, effect="shipped"),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, the broker, and the warehouse; keeps its `book`."""
        wiring = self.broker.start(sim).wire(TOPOLOGY)
        Source(SHOP, load=load.Poisson(rate_per_s=5.0).first(self.orders), to=wiring.destination(SHOP), event=PLACED)
        book = sim.parts[BOOKS] = Book()

        def ship(event: Event, context: Context) -> Generator[Any, Any, None]:
            yield context.pause(0.1)
            try:
                book.write(str(event.id))
            except OSError:
                if self.on_error is OnError.RAISE:
                    yield context.pause(0.2)
                    raise
                context.fact("error_logged")
                return
            context.fact("shipped")

        Service(WAREHOUSE, of=wiring.subscription(WAREHOUSE), handler=ship, acknowledge=self.acknowledge)
        for fault in self.faults:
            fault.install(sim)
        return {"book": book}


class Confirms(enum.Enum):
    """What a consumer by hand does when it has worked on a message."""

    YES = "acknowledges"
    NEVER = "forgets to acknowledge"


@checks.configuration
class Picking(Scenario):
    """A warehouse of one process that receives by hand from RabbitMQ, at most five orders ahead; 0.1 s each."""

    afterwards: Confirms = checks.word(Confirms, default=Confirms.YES)
    orders: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def topology(self) -> Topology:
        """Who publishes and consumes what."""
        return TOPOLOGY

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Every order is picked, and done with, while the shop still waits."""
        return (failures.at_least_once(to=WAREHOUSE, within_s=20.0),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, a queue, and a SimPy process."""
        wiring = RabbitMQ(prefetch=5).start(sim).wire(TOPOLOGY)
        Source(SHOP, load=load.Poisson(rate_per_s=5.0).first(self.orders), to=wiring.destination(SHOP), event=PLACED)
        subscription = wiring.subscription(WAREHOUSE)

        def pick() -> Generator[Any, Any, None]:
            while True:
                delivery = yield subscription.receive(consumer=WAREHOUSE)
                yield sim.env.timeout(0.1)
                if self.afterwards is Confirms.YES:
                    delivery.ack()

        def begin() -> None:
            sim.env.process(pick())

        sim.on_start(begin)
        for fault in self.faults:
            fault.install(sim)
        return {}


def _kafka(commit: str) -> Kafka:
    """One partition; a batch of five; a restarted process goes on at once."""
    return Kafka(commit=commit, max_poll_records=5, static_members=True, initial_rebalance_delay_s=0.1)


SHIPPED = "at least once to warehouse: shipped"
WAREHOUSE_DIES = Crash(node=WAREHOUSE, at_s=0.0, down_s=0.3)

SPECIES = (
    Species(
        name="acknowledges first",
        what="It acknowledges a message when it gets it, and a crash takes the work with it.",
        rule="RMQ-19",
        mutant=Shipping(acknowledge=Acknowledge.ON_DELIVERY),
        twin=Shipping(),
        breaks=SHIPPED,
        verdict=Verdict.LOST,
        dangers=(WAREHOUSE_DIES,),
    ),
    Species(
        name="commits first",
        what="It commits the offsets of a batch before it works on it, so nobody reads the rest again.",
        rule="KAF-19",
        mutant=Shipping(broker=_kafka("before_processing")),
        twin=Shipping(broker=_kafka("after_batch")),
        breaks=SHIPPED,
        verdict=Verdict.LOST,
        dangers=(WAREHOUSE_DIES,),
    ),
    Species(
        name="lets the client acknowledge",
        what="Its STOMP client acknowledges by itself (ack:auto) what is only on its way to the handler.",
        rule="AMQ-20",
        mutant=Shipping(broker=ActiveMQ(client="stomp", prefetch=5)),
        twin=Shipping(broker=ActiveMQ(client="openwire", prefetch=5)),
        breaks=SHIPPED,
        verdict=Verdict.LOST,
        dangers=(WAREHOUSE_DIES,),
    ),
    Species(
        name="nothing is kept",
        what="It listens to plain NATS subjects, and what is sent while it is away is gone.",
        rule="NAT-02",
        mutant=Shipping(broker=Nats()),
        twin=Shipping(broker=JetStream(ack_wait_s=1.0)),
        breaks=SHIPPED,
        verdict=Verdict.LOST,
        dangers=(WAREHOUSE_DIES,),
        seeds=5,
    ),
    Species(
        name="swallows the error",
        what="It catches every error, logs a line, and acknowledges as if the work were done.",
        rule="RP-11",
        mutant=Shipping(on_error=OnError.SWALLOW),
        twin=Shipping(),
        breaks=SHIPPED,
        verdict=Verdict.LOST,
        dangers=(WAREHOUSE_DIES, StoreFull(store=BOOKS, at_s=0.0, for_s=0.4)),
    ),
    Species(
        name="never acknowledges",
        what="It does its work and never says so; when as many as its prefetch are open it gets nothing more.",
        rule="RMQ-09",
        mutant=Picking(afterwards=Confirms.NEVER),
        twin=Picking(),
        breaks="at least once to warehouse, within 20 s",
        verdict=Verdict.STUCK,
        dangers=(DelayMessages(sender=SHOP, by=times.Exponential(mean_s=0.2), at_s=0.0, for_s=0.05),),
        needs_fault=False,
        until_s=60.0,
        seeds=2,
    ),
)
"""All of them: the broker is told of work that is not done, or is not told."""
