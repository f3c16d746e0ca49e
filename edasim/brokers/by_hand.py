"""Publishing and receiving by hand: the bridge between your own SimPy process and any broker's subscription.

`Receive` is a SimPy event, so it can be waited for together with others and given up; `Delivery` is what it triggers with.
Follows SimPy's `Store.get` in use, with one difference: a receive that nobody waits for any more withdraws by itself.
Left out: receiving several messages at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import simpy

from .. import checks
from ..errors import HandlerError, StateError
from ..events import Event, uri_reference
from ..kernel import Simulation
from ..kernel.runlog import DEAD_LETTERED, DONE, IN_FLIGHT, NEVER, REQUEUED, pack_row, running_number
from .base import Destination, Message, Subscription, event_of


class SettlesByHand(Subscription, Protocol):
    """A subscription whose deliveries a process may hold and settle one by one."""

    def put_aside(self, now_s: float, message: Message) -> None:
        """The message leaves the queue unprocessed."""

    def hold(self, delivery: Delivery) -> None:
        """Notes that a process holds a delivery."""

    def let_go(self, delivery: Delivery) -> None:
        """Notes that a process has settled a delivery."""


class _Waiters(list[Any]):
    """The callbacks of a receive; when the last one is removed, nobody waits for it any more."""

    def __init__(self, receive: Receive) -> None:
        super().__init__()
        self._receive = receive

    def remove(self, callback: Any) -> None:
        super().remove(callback)
        if self:
            return
        if not self._receive.triggered:
            self._receive.cancel()
        elif isinstance(getattr(callback, "__self__", None), simpy.Process):
            delivery: Any = self._receive.value
            delivery.nack()


class Receive(simpy.Event):
    """Triggers with the next `Delivery` of a subscription, ahead of anything else at that instant.

    If the process that waits for it is interrupted, the receive withdraws, or hands back what it was given at that very
    instant. If the process waits for it together with other events (`receive | timeout`), it withdraws when another
    comes first; but an interrupt of such a wait is not seen from here: call `cancel` then.
    """

    def __init__(self, subscription: SettlesByHand, consumer: str) -> None:
        super().__init__(subscription.sim.env)
        self.subscription = subscription
        self.name = checks.check_text("consumer", consumer)
        self.callbacks = _Waiters(self)
        subscription.ready(self, float(self.env.now))

    def take(self, now_s: float, message: Message) -> None:
        """The subscription hands over a message."""
        delivery = Delivery(self.subscription, self.name, now_s, message)
        self.subscription.hold(delivery)
        self.subscription.sim.env.wake(self, delivery)

    def cancel(self) -> None:
        """Gives up: takes no message any more. Without effect once it has triggered."""
        if not self.triggered:
            self.subscription.withdraw(self)


class Delivery:
    """One attempt to hand one message to your process; settle it with `ack`, `nack` or `reject`, once."""

    def __init__(self, subscription: SettlesByHand, consumer: str, now_s: float, message: Message) -> None:
        self._subscription = subscription
        self._message = message
        self._endpoint = subscription.sim.log.endpoint(subscription.lane, consumer)
        self._settled_as: str | None = None
        self.consumer = consumer
        self.delivered_s = now_s
        self.attempt = message[4]

    @property
    def event(self) -> Event:
        """The event that was delivered."""
        return event_of(self._subscription.sim, self._message)

    def ack(self) -> None:
        """The work is done: the broker may forget the message."""
        self._settle("acknowledged", DONE)
        self._subscription.acknowledge(self._now_s, self._message)

    def nack(self, *, requeue: bool = True) -> None:
        """The work is not done: requeue the message, or put it aside as a dead letter."""
        if not requeue:
            return self.reject()
        self._settle("refused", REQUEUED)
        return self._subscription.give_back(self._now_s, self._message)

    def reject(self) -> None:
        """The message cannot be worked on: it is put aside as a dead letter."""
        self._settle("rejected", DEAD_LETTERED)
        self._subscription.put_aside(self._now_s, self._message)

    def open_row(self) -> bytes:
        """The row of a delivery that is still held when the run ends."""
        return self._row(NEVER, IN_FLIGHT)

    @property
    def _now_s(self) -> float:
        return float(self._subscription.sim.env.now)

    def _row(self, finished_s: float, outcome: int) -> bytes:
        number, root, published_s, enqueued_s, attempt, _ = self._message
        since_s = self.delivered_s
        return pack_row(
            number, root, published_s, enqueued_s, since_s, since_s, finished_s, self._endpoint, attempt, outcome
        )

    def _settle(self, how: str, outcome: int) -> None:
        if self._settled_as is not None:
            raise StateError(
                f"this delivery of {self.event.id!r} was {self._settled_as} already",
                field="delivery",
                value=how,
                remedy="settle each delivery once",
                at_s=self._now_s,
            )
        self._settled_as = how
        self._subscription.let_go(self)
        self._subscription.sim.log.append(self._row(self._now_s, outcome))


class Publisher:
    """Publishes events by hand to one destination, under the names of who does so."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._numbers: dict[str, Callable[[], int]] = {}

    def publish(self, event: Event, publisher: str) -> Event:
        """Publishes `event` now; returns it with what was missing filled in."""
        if not isinstance(event, Event):
            raise HandlerError(
                f"{publisher} published {event!r}",
                field="event",
                value=event,
                remedy="publish an Event",
                at_s=float(self._destination.sim.env.now),
            )
        sim = self._destination.sim
        if publisher not in self._numbers:
            self._numbers[publisher] = sim.log.publisher(checks.check_text("publisher", publisher))
        return send(sim, self._destination, event, publisher, self._numbers[publisher]())


def send(
    sim: Simulation,
    destination: Destination,
    event: Event,
    publisher: str,
    number: int,
    cause: tuple[int, Event] | None = None,
) -> Event:
    """Completes an event, keeps it in the log and routes it now; `cause` is the causing root's number and the causing event."""
    now_s = float(sim.env.now)
    identity = f"{publisher}-{running_number(number)}"
    if cause is None:
        root = number
        complete = event.filled(id=identity, source=uri_reference(publisher))
    else:
        root, by = cause
        complete = event.filled(id=identity, source=uri_reference(publisher), cause_id=by.id, trace_id=by.trace_id)
    sim.log.keep_event(number, root, complete)
    destination.route(now_s, (number, root, now_s, now_s, 1, complete))
    return complete
