"""Publishing and receiving by hand: the bridge between your own SimPy process and any broker's subscription.

`Receive` is a SimPy event, so it can be waited for together with others and given up; it triggers with a `Held`, which
each broker gives its own verbs: `Delivery` is the one for brokers that know acknowledge, requeue and reject. Follows
SimPy's `Store.get` in use, with one difference: a receive that nobody waits for any more withdraws by itself. Left out:
receiving several messages at once.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import simpy

from .. import checks
from ..errors import HandlerError, StateError
from ..events import Event, uri_reference
from ..kernel.runlog import DEAD_LETTERED, DONE, FAILED, IN_FLIGHT, NEVER, REQUEUED, pack_row, running_number
from .base import Destination, Message, Subscription, event_of


class SettlesByHand(Subscription, Protocol):
    """A subscription whose deliveries a process may hold and settle one by one."""

    def hold(self, delivery: Held) -> None:
        """Notes that a process holds a delivery."""

    def let_go(self, delivery: Held) -> None:
        """Notes that a process has settled a delivery."""


class PutsAside(SettlesByHand, Protocol):
    """A subscription that can put a message aside as a dead letter."""

    def put_aside(self, now_s: float, message: Message) -> None:
        """The message leaves the queue unprocessed."""


class _Waiters(list[Any]):
    """The callbacks of a receive; without any, nobody waits for it any more."""

    def __init__(self, receive: Receive) -> None:
        super().__init__()
        self._receive = receive

    def append(self, callback: Any) -> None:
        super().append(callback)
        self._receive.ask()

    def remove(self, callback: Any) -> None:
        super().remove(callback)
        if not self:
            self._receive.cancel()


class Receive(simpy.Event):
    """Triggers with the next delivery of a subscription, ahead of anything else at that instant.

    `held` is the kind of delivery, with the verbs by which the broker lets it be settled.

    If the process that waits for it is interrupted, the receive withdraws, or hands back what it was given at that very
    instant. If the process waits for it together with other events (`receive | timeout`), it withdraws when another
    comes first; but an interrupt of such a wait is not seen from here: call `cancel` then. Who waits for it once more
    asks anew, behind all who are waiting.
    """

    def __init__(self, subscription: SettlesByHand, consumer: str, held: type[Held] | None = None) -> None:
        super().__init__(subscription.sim.env)
        self.subscription = subscription
        self._held = held or Delivery
        self.name = checks.check_text("consumer", consumer)
        self.callbacks = _Waiters(self)
        self._asks = False
        self.ask()

    def ask(self) -> None:
        """Asks for a message, unless it does so already or has one."""
        if not self._asks and not self.triggered:
            self._asks = True
            self.subscription.ready(self, float(self.env.now))

    def take(self, now_s: float, message: Message) -> None:
        """The subscription hands over a message."""
        delivery = self._held(self.subscription, self.name, now_s, message)
        self.subscription.hold(delivery)
        self.subscription.sim.env.wake(self, delivery)

    def cancel(self) -> None:
        """Gives up: takes no message any more, and hands back the one that came if it is not settled yet."""
        self._asks = False
        if not self.triggered:
            self.subscription.withdraw(self)
            return
        delivery: Any = self.value
        if not delivery.settled:
            delivery.hand_back()


class Held:
    """One attempt to hand one message to your process, which holds it until it settles it, once."""

    settled_twice: ClassVar[type[StateError]] = StateError
    """The error for settling it again, by the broker's own name."""

    def __init__(self, subscription: Any, consumer: str, now_s: float, message: Message) -> None:
        self._subscription = subscription
        self._message = message
        self._endpoint = subscription.sim.log.endpoint(subscription.lane, consumer)
        self._settled_as: str | None = None
        self.consumer = consumer
        self.started_s = now_s
        known = subscription.delivered_s
        self.delivered_s: float = now_s if known is None else known(message)
        self.attempt = message[4]

    @property
    def event(self) -> Event:
        """The event that was delivered."""
        return event_of(self._subscription.sim, self._message)

    @property
    def settled(self) -> bool:
        """Whether your process is done with it, in whatever way."""
        return self._settled_as is not None

    def hand_back(self) -> None:
        """Nobody worked on the message: it goes back as after a crash, however often it was delivered."""
        self._settle("handed back")
        self._log(REQUEUED)
        self._subscription.give_back(self._now_s, [self._message])

    def open_row(self) -> bytes:
        """The row of a delivery that is still held when the run ends."""
        return self._row(NEVER, IN_FLIGHT)

    @property
    def _now_s(self) -> float:
        return float(self._subscription.sim.env.now)

    def _row(self, finished_s: float, outcome: int) -> bytes:
        number, root, published_s, enqueued_s, attempt, _ = self._message
        delivered_s, started_s, endpoint = self.delivered_s, self.started_s, self._endpoint
        return pack_row(
            number, root, published_s, enqueued_s, delivered_s, started_s, finished_s, endpoint, attempt, outcome
        )

    def _log(self, outcome: int) -> None:
        self._subscription.sim.log.add(self._row(self._now_s, outcome))

    def _settle(self, how: str) -> None:
        if self._settled_as is not None:
            raise self.settled_twice(
                f"this delivery of {self.event.id!r} was {self._settled_as} already",
                field="delivery",
                value=how,
                remedy="settle each delivery once",
                at_s=self._now_s,
            )
        self._settled_as = how
        self._subscription.let_go(self)


class Delivery(Held):
    """A delivery that is settled with `ack`, `nack` or `reject`."""

    def __init__(self, subscription: PutsAside, consumer: str, now_s: float, message: Message) -> None:
        super().__init__(subscription, consumer, now_s, message)

    def ack(self) -> None:
        """The work is done: the broker may forget the message."""
        self._settle("acknowledged")
        self._log(DONE)
        self._subscription.acknowledge(self._now_s, self._message)

    def nack(self, *, requeue: bool = True) -> None:
        """The work is not done: the broker delivers the message again, or puts it aside if it has failed too often.

        Without `requeue` it is put aside at once, as by `reject`.
        """
        if not requeue:
            return self.reject()
        self._settle("refused")
        outcome = self._subscription.refuse(self._now_s, self._message)
        return self._log(REQUEUED if outcome == FAILED else outcome)

    def reject(self) -> None:
        """The message cannot be worked on: it is put aside as a dead letter."""
        self._settle("rejected")
        self._log(DEAD_LETTERED)
        self._subscription.put_aside(self._now_s, self._message)


def publish(destination: Destination, event: Event, publisher: str) -> Event:
    """Publishes `event` now, under the name of `publisher`; returns it with what was missing filled in.

    An event that follows another one (`event.follow(…)`) belongs to the causal tree of that one.
    """
    log, now_s = destination.sim.log, float(destination.sim.env.now)
    if not isinstance(event, Event):
        raise HandlerError(
            f"{publisher} published {event!r}", field="event", value=event, remedy="publish an Event", at_s=now_s
        )
    number = log.publisher(checks.check_text("publisher", publisher))()
    root = log.number_called(event.trace_id)
    complete = event.filled(id=_id(publisher, number), source=uri_reference(publisher))
    return send(destination, complete, number, number if root is None else root)


def publish_from(destination: Destination, event: Event, publisher: str, cause: Event, root: int) -> Event:
    """Publishes `event` now as what the handling of `cause` brought forth; `root` is the number of their tree's first.

    The cause itself, if it is published again, is passed on as it is.
    """
    number = destination.sim.log.publisher(publisher)()
    if event.id == cause.id and event.source == cause.source:
        return send(destination, event, number, root)
    complete = event.filled(
        id=_id(publisher, number), source=uri_reference(publisher), cause_id=cause.id, trace_id=cause.trace_id
    )
    return send(destination, complete, number, root)


def send(destination: Destination, event: Event, number: int, root: int) -> Event:
    """Keeps a complete event in the log and routes it now."""
    now_s = float(destination.sim.env.now)
    destination.sim.log.keep_event(number, root, event)
    destination.route(now_s, (number, root, now_s, now_s, 1, event))
    return event


def _id(publisher: str, number: int) -> str:
    return f"{publisher}-{running_number(number)}"
