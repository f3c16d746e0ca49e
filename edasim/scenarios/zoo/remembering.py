"""Bugs of remembering: how a consumer knows that it has worked on a message before.

A broker that delivers at least once delivers some messages twice, so the consumer has to know them again. Follows the
inbox (ES-07) and the Idempotent Receiver of Hohpe and Woolf, Enterprise Integration Patterns. Left out: how a store
does a transaction; here two writes at one instant are one.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from typing import Any

from ... import checks, failures
from ...brokers import RabbitMQ, Topology
from ...events import Event
from ...failures import Crash, DuplicateMessages, Fault, Verdict, check_faults
from ...kernel import Simulation
from ...services import Context, Service, Source, load
from ..base import Scenario
from .record import Species

SHOP, PAYMENT, PLACED = "shop", "payment", "order.placed"
TOPOLOGY = Topology(name="orders", publishes={SHOP: (PLACED,)}, consumes={PAYMENT: (PLACED,)})


class Knows(enum.Enum):
    """By what a consumer knows an order again."""

    NOTHING = "nothing"
    REDELIVERED = "the broker's word redelivered"
    MEMORY = "a set in memory"
    NOTE_BEFORE = "a note, written before the charge"
    NOTE_AFTER = "a note, written after the charge"
    NOTE_WITH = "a note, in one transaction with the charge"


@checks.configuration
class Charging(Scenario):
    """A shop's orders go through RabbitMQ to payment, which charges each of them once.

    Asking the bank, charging and writing the receipt take 50 ms each. `knows` says how payment knows an order again; a
    note is forgotten after `keeps_notes_s`.
    """

    knows: Knows = checks.word(Knows, default=Knows.NOTE_WITH)
    keeps_notes_s: float = checks.positive(default=3600.0)
    orders: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def topology(self) -> Topology:
        """Who publishes and consumes what."""
        return TOPOLOGY

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Every order is charged once."""
        return (failures.exactly_once(to=PAYMENT, effect="charged"),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, a queue, and payment; keeps its `notes`, by the order's id, with the second of writing."""
        wiring = RabbitMQ(prefetch=5).start(sim).wire(TOPOLOGY)
        Source(SHOP, load=load.Poisson(rate_per_s=5.0).first(self.orders), to=wiring.destination(SHOP), event=PLACED)
        notes: dict[Any, float] = {}

        def charge(event: Event, context: Context) -> Generator[Any, Any, None]:
            if self._is_known(event, context, notes):
                return
            yield context.pause(0.05)
            if self.knows is Knows.NOTE_BEFORE:
                notes[event.id] = context.now_s
                context.step("write", "note")
                yield context.pause(0.05)
            if self.knows is Knows.NOTE_WITH:
                notes[event.id] = context.now_s
            context.node.memory[event.id] = True
            context.fact("charged")
            if self.knows is Knows.NOTE_AFTER:
                yield context.pause(0.05)
                notes[event.id] = context.now_s
                context.step("write", "note")
            yield context.pause(0.05)

        Service(PAYMENT, of=wiring.subscription(PAYMENT), handler=charge)
        for fault in self.faults:
            fault.install(sim)
        return {"notes": notes}

    def _is_known(self, event: Event, context: Context, notes: dict[Any, float]) -> bool:
        if self.knows is Knows.NOTHING:
            return False
        if self.knows is Knows.REDELIVERED:
            return context.attempt > 1
        if self.knows is Knows.MEMORY:
            return event.id in context.node.memory
        return event.id in notes and context.now_s - notes[event.id] <= self.keeps_notes_s


ONCE = "exactly once to payment: charged"
PAYMENT_DIES = Crash(node=PAYMENT, at_s=0.0, down_s=0.3)

SPECIES = (
    Species(
        name="no idempotence",
        what="A message that comes a second time is worked on a second time.",
        rule="ES-07",
        mutant=Charging(knows=Knows.NOTHING),
        twin=Charging(),
        breaks=ONCE,
        verdict=Verdict.DUPLICATED,
        dangers=(PAYMENT_DIES, DuplicateMessages(sender=SHOP, at_s=0.0, for_s=0.3)),
    ),
    Species(
        name="believes redelivered",
        what="It takes the broker's word redelivered for a proof that the work was done.",
        rule="RMQ-13",
        mutant=Charging(knows=Knows.REDELIVERED),
        twin=Charging(),
        breaks=ONCE,
        verdict=Verdict.LOST,
        dangers=(PAYMENT_DIES,),
    ),
    Species(
        name="remembers in memory",
        what="What it has worked on stands in a set in memory, and a restart begins with an empty one.",
        rule="ES-07",
        mutant=Charging(knows=Knows.MEMORY),
        twin=Charging(),
        breaks=ONCE,
        verdict=Verdict.DUPLICATED,
        dangers=(PAYMENT_DIES, DuplicateMessages(sender=SHOP, at_s=0.0, for_s=0.3)),
        faults=6,
        seeds=20,
    ),
    Species(
        name="notes before the work",
        what="It notes the message as done, and only then does the work, in a second write.",
        rule="ES-07",
        mutant=Charging(knows=Knows.NOTE_BEFORE),
        twin=Charging(),
        breaks=ONCE,
        verdict=Verdict.LOST,
        dangers=(PAYMENT_DIES,),
        seeds=20,
    ),
    Species(
        name="notes after the work",
        what="It does the work, and notes the message as done afterwards, in a second write.",
        rule="ES-07",
        mutant=Charging(knows=Knows.NOTE_AFTER),
        twin=Charging(),
        breaks=ONCE,
        verdict=Verdict.DUPLICATED,
        dangers=(PAYMENT_DIES,),
        seeds=20,
    ),
    Species(
        name="forgets too soon",
        what="It keeps its notes for one second, and a message comes again after two.",
        rule="NAT-07",
        mutant=Charging(keeps_notes_s=1.0),
        twin=Charging(),
        breaks=ONCE,
        verdict=Verdict.DUPLICATED,
        dangers=(Crash(node=PAYMENT, at_s=0.0, down_s=2.0),),
        lasts_s=10.0,
        faults=6,
        seeds=20,
    ),
)
"""All of them: payment knows an order by something that is not there when it is needed."""
