"""Bugs of overload: a queue without an end, a message that comes for ever, and callers who never give up.

What has no bound in messages, attempts or time is bounded by nothing but the patience of those who wait: a queue turns
overload into latency (RP-08), a poison message that is put back takes its consumer for ever (RP-03), and retries keep
a caller waiting as long as the outage lasts (GV-20). Who gives up has to say so: an answer that was made up is none
(GV-35). Left out: what a crowd of such callers does to their server; see `Storm`.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from typing import Any

from ... import checks, failures
from ...brokers import MemoryBus, RabbitMQ
from ...brokers.rabbitmq import Refusal
from ...events import Event
from ...failures import Crash, DelayMessages, Fault, Verdict, check_faults
from ...governance.retry import Backoff, Retry
from ...kernel import Simulation, times
from ...services import Context, Service, Source, load
from ...services.calls import Client, Protections, Server
from ...services.source import Occasion
from ..base import Scenario
from .record import Species

WEB, DOOR, DESK, BANK, DIRECTORY = "web", "door", "desk", "bank", "directory"
PLACED, GARBLED = "order.placed", "order.garbled"


def _order(occasion: Occasion) -> Event:
    return Event(type=PLACED, subject=f"order-{occasion.number}", data={"order": occasion.number})


@checks.configuration
class Admitting(Scenario):
    """Customers come in a rush, 20 a second, through a door to a desk, which needs 0.1 s for each.

    The door lets them in as long as they will wait for at most `longest_wait_s` (None: always).
    """

    longest_wait_s: float | None = checks.optional(checks.check_positive, default=1.0)
    customers: int = checks.at_least(1, default=60)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Who is let in is served in two seconds."""
        return (failures.eventually("served", after="let_in", by="order", within_s=2.0),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, the door and the desk."""
        bus = MemoryBus().start(sim)
        street, inside = bus.topic("street"), bus.topic("inside")
        line = inside.subscribe(DESK)

        def admit(event: Event, context: Context) -> Event | None:
            wait_s = 0.1 * (len(line.waiting) + 1)
            if self.longest_wait_s is not None and wait_s > self.longest_wait_s:
                context.fact("turned_away", **event.data)
                return None
            context.fact("let_in", **event.data)
            return Event(type="customer.waits", subject=event.subject, data=event.data)

        def serve(event: Event, context: Context) -> None:
            context.fact("served", **event.data)

        Service(DOOR, of=street.subscribe(DOOR), handler=admit, to=inside)
        Service(DESK, of=line, handler=serve, service_time=times.Constant(value_s=0.1))
        Source(WEB, load=load.Poisson(rate_per_s=20.0).first(self.customers), to=street, event=_order)
        for fault in self.faults:
            fault.install(sim)
        return {}


@checks.configuration
class Parsing(Scenario):
    """Orders lie in a RabbitMQ queue; one in ten is garbled, and the desk's handler fails on it after 0.1 s.

    `on_failure` is what the desk then tells the broker: put it back (`requeue`) or aside.
    """

    on_failure: Refusal = checks.word(Refusal, default=Refusal.REJECT)
    orders: int = checks.at_least(1, default=30)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Every order that can be read is worked on in time."""
        return (failures.at_least_once(to=DESK, type=PLACED, within_s=20.0),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, a queue, and the desk."""
        broker = RabbitMQ().start(sim)
        queue = broker.declare_queue(DESK)

        def order(occasion: Occasion) -> Event:
            return Event(type=GARBLED if occasion.draw() < 0.1 else PLACED, subject=f"order-{occasion.number}")

        def read(event: Event, _context: Context) -> None:
            if event.type == GARBLED:
                raise ValueError("this is no order")

        subscription = queue.consume(prefetch=1, on_failure=self.on_failure)
        Service(DESK, of=subscription, handler=read, service_time=times.Constant(value_s=0.1))
        Source(WEB, load=load.Poisson(rate_per_s=5.0).first(self.orders), to=queue, event=order)
        for fault in self.faults:
            fault.install(sim)
        return {}


@checks.configuration
class Asking(Scenario):
    """A desk asks a bank about each order, waits 0.5 s for its answer, and asks again, up to `attempts` times in all.

    Then it tells its customer yes, or that it does not know. The bank needs 0.05 s, and may be down.
    """

    attempts: int = checks.at_least(1, default=3)
    orders: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Every customer hears something in three seconds."""
        return (failures.eventually("customer_told", after=PLACED, by="order", within_s=3.0),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, the desk with its client, and the bank."""
        topic = MemoryBus().start(sim).topic("orders")
        bank = Server(BANK, sim=sim, service_time=times.Constant(value_s=0.05))
        retry = Retry(attempts=self.attempts, backoff=Backoff(first_wait_s=0.1, cap_s=0.2))
        client = Client(DESK, of=bank, protections=Protections(timeout_s=0.5, retry=retry))

        def ask(event: Event, context: Context) -> Generator[Any, Any, None]:
            answer = yield client.call()
            context.fact("customer_told", order=event.data["order"], is_sure=answer.ok)

        Service("counter", of=topic.subscribe("counter"), handler=ask, concurrency=100)
        Source(WEB, load=load.Poisson(rate_per_s=4.0).first(self.orders), to=topic, event=_order)
        for fault in self.faults:
            fault.install(sim)
        return {}


class Fallback(enum.Enum):
    """What a desk does that did not hear whose account it is to charge."""

    AGAIN = "gives the order back, and tries again"
    DEFAULT = "charges a default account"


@checks.configuration
class Charging(Scenario):
    """A desk asks a directory for the account of each order, waits at most 0.3 s, and charges it."""

    fallback: Fallback = checks.word(Fallback, default=Fallback.AGAIN)
    orders: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Each order's account is charged once, and no other."""
        return (failures.exactly_once(to=DESK, effect="charged", by="account"),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, the desk with its client, and the directory; keeps which orders are `charged`."""
        topic = MemoryBus().start(sim).topic("orders")
        directory = Server(DIRECTORY, sim=sim, service_time=times.Constant(value_s=0.02))
        client = Client("clerk", of=directory, protections=Protections(timeout_s=0.3))
        charged: set[int] = set()

        def charge(event: Event, context: Context) -> Generator[Any, Any, None]:
            order = event.data["order"]
            answer = yield client.call()
            if not answer.ok and self.fallback is Fallback.AGAIN:
                yield context.pause(0.1)
                raise TimeoutError("the directory does not answer")
            if order not in charged:
                charged.add(order)
                context.fact("charged", account=event.data["account"] if answer.ok else "default")

        def placed(occasion: Occasion) -> Event:
            return Event(type=PLACED, data={"order": occasion.number, "account": f"account-{occasion.number}"})

        Service(DESK, of=topic.subscribe(DESK, max_attempts=1_000_000), handler=charge)
        Source(WEB, load=load.Poisson(rate_per_s=4.0).first(self.orders), to=topic, event=placed)
        for fault in self.faults:
            fault.install(sim)
        return {"charged": charged}


SPECIES = (
    Species(
        name="queue without an end",
        what="It lets everybody in, however many wait, and all of them wait longer and longer.",
        rule="RP-08",
        mutant=Admitting(longest_wait_s=None),
        twin=Admitting(),
        breaks="served 2 s after let_in at the latest for each order",
        verdict=Verdict.LATE,
        dangers=(DelayMessages(sender=WEB, by=times.Exponential(mean_s=0.1), at_s=0.0, for_s=0.02),),
        needs_fault=False,
        lasts_s=3.0,
        seeds=5,
    ),
    Species(
        name="puts poison back",
        what="It puts back what it cannot read, gets it again at once, and never comes to what is behind it.",
        rule="RP-03",
        mutant=Parsing(on_failure=Refusal.REQUEUE),
        twin=Parsing(),
        breaks="at least once to desk, order.placed, within 20 s",
        verdict=Verdict.STUCK,
        dangers=(Crash(node=DESK, at_s=0.0, down_s=0.3),),
        needs_fault=False,
        until_s=40.0,
        seeds=5,
    ),
    Species(
        name="retries for ever",
        what="It asks again and again as long as there is no answer, and meanwhile tells nobody anything.",
        rule="GV-20",
        mutant=Asking(attempts=1_000_000),
        twin=Asking(),
        breaks="customer_told 3 s after order.placed at the latest for each order",
        verdict=Verdict.LATE,
        dangers=(Crash(node=BANK, at_s=0.0, down_s=2.0),),
        lasts_s=5.0,
    ),
    Species(
        name="a default for an answer",
        what="It puts a default where there was no answer, and works with that as if it were one.",
        rule="GV-35",
        mutant=Charging(fallback=Fallback.DEFAULT),
        twin=Charging(),
        breaks="exactly once to desk: charged for each account",
        verdict=Verdict.INVENTED,
        dangers=(Crash(node=DIRECTORY, at_s=0.0, down_s=0.5), Crash(node=DESK, at_s=0.0, down_s=0.3)),
    ),
)
"""All of them: something has no bound, or what was given up is not told."""
