"""Bugs of publishing: a publisher takes a message for sent that the broker does not have, or not safely.

A broker says when it has a message safely, and only if it is asked: RabbitMQ by a confirm, when the message is on disk
(RMQ-27), Kafka by the answer to a produce request, when those replicas have it that `acks` names (KAF-26). Left out: a
publisher that crashes itself; see `writing`.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from typing import Any

from ... import checks, failures
from ...brokers import Kafka, RabbitMQ, Topology
from ...brokers.kafka import Acks
from ...brokers.rabbitmq import Confirmed
from ...events import Event
from ...failures import BrokerCrash, Crash, Fault, Verdict, check_faults
from ...kernel import Simulation, times
from ...services import Context, Service, Source, load
from ..base import Scenario
from .record import Species

SHOP, WAREHOUSE, PLACED = "shop", "warehouse", "order.placed"
TOPOLOGY = Topology(name="orders", publishes={SHOP: (PLACED,)}, consumes={WAREHOUSE: (PLACED,)})


class Sends(enum.Enum):
    """When a publisher goes on to the next message."""

    CONFIRMED = "when the broker has confirmed it, or else again"
    FORGOTTEN = "at once"


class Mode(enum.Enum):
    """RabbitMQ's delivery mode: what a restart of the broker leaves of a message."""

    PERSISTENT = "persistent"
    TRANSIENT = "transient"


@checks.configuration
class Ordering(Scenario):
    """A shop publishes an order every quarter of a second to RabbitMQ, which the warehouse ships in 0.2 s each.

    `sends` says whether the shop waits for a confirm (and publishes again after 0.3 s if it was refused or the
    connection broke), `mode` whether the broker writes the order to its disk.
    """

    sends: Sends = checks.word(Sends, default=Sends.CONFIRMED)
    mode: Mode = checks.word(Mode, default=Mode.PERSISTENT)
    orders: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def topology(self) -> Topology:
        """Who publishes and consumes what."""
        return TOPOLOGY

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Every order that the shop has sent is shipped; twice is allowed."""
        return (failures.at_least_once(to=WAREHOUSE, effect="shipped", by="order"),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The publishing process, a durable queue, and the warehouse."""
        wiring = RabbitMQ(prefetch=1).start(sim).wire(TOPOLOGY)
        exchange = wiring.destination(SHOP)
        settings = {"publisher": SHOP, "persistent": self.mode is Mode.PERSISTENT}

        def sell() -> Generator[Any, Any, None]:
            for number in range(self.orders):
                yield sim.env.timeout(0.25)
                order = Event(type=PLACED, id=f"order-{number}", data={"order": number})
                if self.sends is Sends.FORGOTTEN:
                    exchange.publish(order, **settings)
                    continue
                while (yield exchange.publish_confirmed(order, **settings)).answer is not Confirmed.ACK:
                    yield sim.env.timeout(0.3)

        def begin() -> None:
            sim.env.process(sell())

        sim.on_start(begin)
        _add_warehouse(wiring, 0.2)
        for fault in self.faults:
            fault.install(sim)
        return {}


@checks.configuration
class Streaming(Scenario):
    """A shop's orders go to a Kafka cluster of three brokers, whose followers are 0.3 s behind, and are shipped.

    `acks` says which replicas must have an order before the shop's producer takes it for sent.
    """

    acks: Acks = checks.word(Acks, default=Acks.ALL)
    orders: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def topology(self) -> Topology:
        """Who publishes and consumes what."""
        return TOPOLOGY

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Every order is shipped; twice is allowed."""
        return (failures.at_least_once(to=WAREHOUSE, effect="shipped", by="order"),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, the cluster, and the warehouse."""
        cluster = Kafka(
            acks=self.acks,
            replication_s=0.3,
            request_s=0.01,
            broker_session_timeout_s=0.5,
            initial_rebalance_delay_s=0.1,
            static_members=True,
        )
        wiring = cluster.start(sim).wire(TOPOLOGY)

        def order(occasion: Any) -> Event:
            return Event(type=PLACED, data={"order": occasion.number})

        Source(SHOP, load=load.Poisson(rate_per_s=5.0).first(self.orders), to=wiring.destination(SHOP), event=order)
        _add_warehouse(wiring, 0.05)
        for fault in self.faults:
            fault.install(sim)
        return {}


def _add_warehouse(wiring: Any, ships_s: float) -> None:
    """A service that ships each order in a fixed time."""

    def ship(event: Event, context: Context) -> None:
        context.fact("shipped", order=event.data["order"])

    a_while = times.Constant(value_s=ships_s)
    Service(WAREHOUSE, of=wiring.subscription(WAREHOUSE), service_time=a_while, handler=ship)


SHIPPED = "at least once to warehouse: shipped for each order"
BROKER_DIES = BrokerCrash(at_s=0.0, down_s=0.5)
WAREHOUSE_DIES = Crash(node=WAREHOUSE, at_s=0.0, down_s=0.3)

SPECIES = (
    Species(
        name="publishes and forgets",
        what="It publishes without waiting for a confirm, and never learns what the broker did not get.",
        rule="RMQ-27",
        mutant=Ordering(sends=Sends.FORGOTTEN),
        twin=Ordering(),
        breaks=SHIPPED,
        verdict=Verdict.LOST,
        dangers=(BROKER_DIES, WAREHOUSE_DIES),
    ),
    Species(
        name="sends transient messages",
        what="Its messages are confirmed as soon as they are in the broker's memory, which a restart empties.",
        rule="RMQ-26",
        mutant=Ordering(mode=Mode.TRANSIENT),
        twin=Ordering(),
        breaks=SHIPPED,
        verdict=Verdict.LOST,
        dangers=(BROKER_DIES, WAREHOUSE_DIES),
        faults=6,
        seeds=20,
    ),
    Species(
        name="trusts the leader alone",
        what="With acks=1 a record counts as sent when the leader has it, and dies with the leader.",
        rule="KAF-34",
        mutant=Streaming(acks=Acks.LEADER),
        twin=Streaming(acks=Acks.ALL),
        breaks=SHIPPED,
        verdict=Verdict.LOST,
        dangers=(*(BrokerCrash(number=number, at_s=0.0, down_s=1.0) for number in range(3)), WAREHOUSE_DIES),
        faults=6,
        seeds=20,
    ),
)
"""All of them: the publisher is content too soon."""
