"""Bugs of time: a timer that nobody stopped, an answer that came after all, and a leader who does not know that he was.

A timeout is no answer: what was asked for may still be done (SG-03). A timer fires although its reason is gone, unless
it is taken back or looks again. A lease that is over leaves a leader who goes on (RP-05); see `StandbyLedger`. Left
out: timers that are lost with their node.
"""

from __future__ import annotations

import enum
from functools import partial
from typing import Any

from ... import checks, failures
from ...brokers import MemoryBus
from ...events import Event
from ...failures import Crash, Fault, Pause, Slow, Verdict, check_faults
from ...kernel import Simulation, times
from ...services import Context, Service, Source, load
from ...services.source import Occasion
from ..base import Scenario
from ..standby_ledger import LEDGER, StandbyLedger, Store
from .record import Species

SHOP, ORDERS, BANK, CHECKOUT = "shop", "orders", "bank", "checkout"


def _order(type: str) -> Any:  # noqa: A002 - CloudEvents calls it so
    def placed(occasion: Occasion) -> Event:
        return Event(type=type, subject=f"order-{occasion.number}", data={"order": occasion.number})

    return placed


class Timer(enum.Enum):
    """What a timer does when it fires."""

    LOOKS = "looks whether the order is still unpaid"
    FIRES = "cancels the order"


@checks.configuration
class Reserving(Scenario):
    """An order has 2 s to be paid, by a timer. Who pays does so after 1 s on average; packing takes 1 s more.

    Placing, paying, packing and the timer are messages of one topic, on which the service works one by one. An order is
    shipped when it is packed, if nobody has cancelled it.
    """

    timer: Timer = checks.word(Timer, default=Timer.LOOKS)
    orders: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Who has paid gets the goods."""
        return (failures.eventually("order_shipped", after="order_paid", by="order", within_s=10.0),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, a topic, the service, and customers who pay; keeps the `states` of the orders."""
        topic = MemoryBus().start(sim).topic(ORDERS)
        states: dict[int, str] = {}
        pays_s = times.Exponential(mean_s=1.0).draws(sim.streams.generator("customers/pays"))

        def later(after_s: float, event: Event, kind: str) -> None:
            follows = event.follow(type=kind, subject=event.subject, data=event.data)
            sim.at(float(sim.env.now) + after_s, partial(topic.publish, follows, publisher="later"))

        def work(event: Event, context: Context) -> None:
            order = event.data["order"]
            state = states.get(order, "new")
            if event.type == "order.placed" and state == "new":
                states[order] = "unpaid"
                later(2.0, event, "timer.fired")
                later(pays_s(), event, "money.came")
            elif event.type == "money.came" and state == "unpaid":
                states[order] = "paid"
                later(1.0, event, "goods.packed")
                context.fact("order_paid", order=order)
            elif event.type == "timer.fired" and (state == "unpaid" or self.timer is Timer.FIRES):
                states[order] = "cancelled"
                context.fact("order_cancelled", order=order)
            elif event.type == "goods.packed" and state == "paid":
                states[order] = "shipped"
                context.fact("order_shipped", order=order)

        Service(ORDERS, of=topic.subscribe(ORDERS), handler=work, service_time=times.Constant(value_s=0.01))
        Source(SHOP, load=load.Poisson(rate_per_s=4.0).first(self.orders), to=topic, event=_order("order.placed"))
        for fault in self.faults:
            fault.install(sim)
        return {"states": states}


class LateAnswer(enum.Enum):
    """What a checkout does with an answer that comes after it has given up."""

    REFUND = "asks for the money back"
    IGNORE = "ignores it"


@checks.configuration
class Paying(Scenario):
    """A checkout asks a bank to charge 10 for each order, and gives up after 1 s; the bank needs 0.1 s."""

    late_answer: LateAnswer = checks.word(LateAnswer, default=LateAnswer.REFUND)
    orders: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Money is taken for goods, or given back."""
        return (failures.conserves("money", plus="charged", minus=("sold", "refunded"), by="order"),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, the checkout with its state, and the bank, which knows what it has done."""
        bus = MemoryBus().start(sim)
        asked, answers = bus.topic("bank requests"), bus.topic("checkout")
        states: dict[int, str] = {}
        done: set[tuple[str, int]] = set()

        def bank(event: Event, context: Context) -> Event | None:
            order = event.data["order"]
            if (event.type, order) not in done:
                done.add((event.type, order))
                context.fact("charged" if event.type == "charge" else "refunded", order=order, money=10)
            return Event(type="charged", data={"order": order}) if event.type == "charge" else None

        def give_up(order: int) -> None:
            if states[order] == "asked":
                states[order] = "given up"

        def checkout(event: Event, context: Context) -> Event | None:
            order = event.data["order"]
            state = states.get(order, "new")
            if event.type == "order.placed" and state == "new":
                states[order] = "asked"
                sim.at(context.now_s + 1.0, partial(give_up, order))
                return Event(type="charge", data={"order": order})
            if event.type == "charged" and state == "asked":
                states[order] = "sold"
                context.fact("sold", order=order, money=10)
            elif event.type == "charged" and state == "given up" and self.late_answer is LateAnswer.REFUND:
                states[order] = "refunding"
                return Event(type="refund", data={"order": order})
            return None

        takes = {"bank": times.Constant(value_s=0.1), "checkout": times.Constant(value_s=0.01)}
        Service(BANK, of=asked.subscribe(BANK), handler=bank, to=answers, service_time=takes["bank"])
        Service(CHECKOUT, of=answers.subscribe(CHECKOUT), handler=checkout, to=asked, service_time=takes["checkout"])
        Source(SHOP, load=load.Poisson(rate_per_s=4.0).first(self.orders), to=answers, event=_order("order.placed"))
        for fault in self.faults:
            fault.install(sim)
        return {"states": states}


BUSY: dict[str, Any] = {
    "arrivals": load.Constant(rate_per_s=4.0).first(24),
    "lease_s": 0.6,
    "renew_s": 0.2,
    "thinking_s": 0.2,
    "within_s": 20.0,
}
"""An entry every quarter of a second, and a switch-over within 0.8 s."""

SPECIES = (
    Species(
        name="timer is not stopped",
        what="The timer that cancels unpaid orders fires for paid ones too.",
        rule="SG-03",
        mutant=Reserving(timer=Timer.FIRES),
        twin=Reserving(),
        breaks="order_shipped 10 s after order_paid at the latest for each order",
        verdict=Verdict.STUCK,
        dangers=(Crash(node=ORDERS, at_s=0.0, down_s=0.3),),
        needs_fault=False,
        seeds=2,
    ),
    Species(
        name="ignores the late answer",
        what="It takes a timeout for a no, and the answer that comes later is yes.",
        rule="SG-03",
        mutant=Paying(late_answer=LateAnswer.IGNORE),
        twin=Paying(),
        breaks="money is conserved for each order: charged - sold - refunded = 0",
        verdict=Verdict.VIOLATED,
        dangers=(Crash(node=BANK, at_s=0.0, down_s=0.8), Slow(node=BANK, factor=10.0, at_s=0.0, for_s=0.8)),
    ),
    Species(
        name="leader without a fence",
        what="A leader that stood still goes on when it wakes up, and the store takes its old write.",
        rule="RP-05",
        mutant=StandbyLedger(store=Store.PLAIN, **BUSY),
        twin=StandbyLedger(store=Store.FENCED, **BUSY),
        breaks="never: an old leader overwrote the balance",
        verdict=Verdict.VIOLATED,
        dangers=(Pause(node=f"{LEDGER}/0", at_s=0.0, for_s=1.0), Crash(node=f"{LEDGER}/1", at_s=0.0, down_s=0.1)),
        until_s=30.0,
        seeds=20,
    ),
)
"""All of them: what was true when it began is not true when it ends."""
