"""Receiving: the consumers that share one way of reading a queue, and what their acknowledgements mean.

Follows `ActiveMQMessageConsumer.java` (acknowledge, rollback, redelivery in the client) and `StompSubscription.java` of
ActiveMQ 5.17. A JMS client that refuses a message keeps it, tries again by its redelivery policy, and then tells the
broker that it is poison; over STOMP a NACK says so at once (AMQ-04, 20, 21). A lost connection gives everything back
(AMQ-02); it counts as a redelivery in the header, but only a refusal, or a transacted session, looks at the count
(AMQ-03). Left out: transactions that also send, several sessions of one connection, optimized acknowledgement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...errors import UnknownNameError
from ...kernel.runlog import CRASHED, DEAD_LETTERED, DROPPED, FAILED, REQUEUED
from ..base import Message, Taker
from ..by_hand import Delivery, Held, Receive
from .consumer import Consumer
from .dispatcher import Dispatcher
from .errors import IllegalStateError, UnmatchedAcknowledgeError
from .message import Entry
from .selector import Client, Selector
from .settings import Acknowledge, ConsumerSettings, RedeliveryPolicy

TOGETHER = (Acknowledge.CLIENT, Acknowledge.TRANSACTED)
"""Modes in which one acknowledgement is for several messages."""


class JMSDelivery(Delivery):
    """A message in the hands of your process: `ack` acknowledges or commits, `nack` is a rollback, or STOMP's NACK.

    `reject` tells the broker at once that the message is poison. What else is settled with it depends on the mode.
    """

    settled_twice = UnmatchedAcknowledgeError

    @property
    def redelivered(self) -> bool:
        """JMSRedelivered: whether it was delivered before, as far as the broker knows."""
        return self.attempt > 1

    def ack(self) -> None:
        """The work is done: the broker may forget the message, and in some modes others.

        A JMS session that acknowledges or commits all at once has nothing against doing so again.
        """
        others = self._subscription.acknowledged_with(self)
        if not (self._settled_as == "acknowledged" and self._subscription.acknowledges_sessions):
            super().ack()
        for other in others:
            Delivery.ack(other)

    def nack(self, *, requeue: bool = True) -> None:
        """The work is not done: once more, by the redelivery policy; a transacted session rolls back all of its own."""
        if not requeue:
            return self.reject()
        self._subscription.refuse_late(self._now_s)
        together = self._subscription.rolled_back_with(self)
        messages = [each.end("rolled back") for each in together]
        outcomes = self._subscription.refuse_together(self._now_s, messages)
        for each, outcome in zip(together, outcomes, strict=True):
            each.tell(REQUEUED if outcome == FAILED else outcome)
        return None

    def lose(self) -> None:
        """The connection is gone, and with it the delivery."""
        self.end("lost with its connection")
        self.tell(CRASHED)

    def end(self, how: str) -> Message:
        """Settles the delivery on this side only; returns its message."""
        self._settle(how)
        return self._message

    def tell(self, outcome: int) -> None:
        """Logs what became of it."""
        self._log(outcome)


class Consumption:
    """A way of reading a queue, as a subscription: takers of one name are one consumer, with a prefetch of its own."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        settings: ConsumerSettings,
        *,
        selector: Selector | None,
        exclusive: bool,
        draw: Callable[[], float],
        is_down: Callable[[], bool],
    ) -> None:
        self.sim = dispatcher.sim
        self.name = dispatcher.name
        self.lane = dispatcher.lane
        self.settings = settings
        self.forgets = settings.forgets
        self.delivered_s: Callable[[Message], float] | None = self._reached_s
        self.selector = selector
        self.consumers: dict[str, Consumer] = {}
        self._dispatcher = dispatcher
        self._exclusive = exclusive
        self._draw = draw
        self._is_down = is_down
        self._deliveries: dict[Any, None] = {}
        self._leaving: list[Consumer] = []
        self.sim.on_end(lambda _now_s: [delivery.open_row() for delivery in self._deliveries])

    # ------------------------------------------------------------------------------------------------ taking

    def _reached_s(self, message: Message) -> float:
        """When a message that a taker has reached its consumer's buffer, in seconds."""
        return self._dispatcher.held[id(message)].delivered_s

    def ready(self, taker: Taker, now_s: float) -> None:
        """The taker is free; the first one of its name connects a consumer."""
        consumer = self.consumers.get(taker.name)
        if consumer is None:
            self._refuse_service(taker)
            consumer = self._connect(taker.name, now_s)
        if not isinstance(taker, Receive):
            consumer.takers[taker] = None
        consumer.free.append(taker)
        consumer.feed(now_s)
        if not consumer.prefetch:
            self._dispatcher.serve(now_s, consumer)

    def done(self, taker: Taker, now_s: float, message: Message) -> Message | None:
        """The taker acknowledges, as its mode says, and gets the next message of its consumer."""
        consumer = self.consumers[taker.name]
        consumer.asking += 1
        entry = self._dispatcher.held.get(id(message))
        if entry is not None:
            self._acknowledge(now_s, entry)
        if not consumer.prefetch:
            self._dispatcher.serve(now_s, consumer)
        following = consumer.next_entry(now_s)
        consumer.asking -= 1
        if following is not None:
            return following.message
        consumer.free.append(taker)
        return None

    def acknowledge(self, now_s: float, message: Message) -> None:
        """The message is processed. What the broker gave to somebody else after a crash of its own, it ignores."""
        entry = self._dispatcher.held.get(id(message))
        if entry is not None:
            self._acknowledge(now_s, entry)

    def refuse(self, now_s: float, message: Message) -> int:
        """A listener failed: the client tries again later, or the message is poison. Returns the outcome."""
        return self.refuse_together(now_s, [message])[0]

    def refuse_together(self, now_s: float, messages: Sequence[Message]) -> list[int]:
        """As `refuse`, for messages of one consumer that are rolled back at once, in the order of their delivery.

        A message that a crash of the broker took from the consumer comes back by itself.
        """
        known = [self._dispatcher.held.get(id(message)) for message in messages]
        if self.forgets:
            for entry in known:
                if entry is not None:
                    self._dispatcher.forget(now_s, entry)
            return [FAILED] * len(messages)
        poisonous = [
            self.settings.client is Client.STOMP or self.settings.redelivery.is_exhausted(message[4])
            for message in messages
        ]
        pairs = list(zip(known, poisonous, strict=True))
        self._roll_back(now_s, [entry for entry, poison in pairs if entry is not None and not poison])
        return [
            (DEAD_LETTERED if self._dispatcher.bury(now_s, entry) else DROPPED)
            if entry is not None and poison
            else FAILED
            for entry, poison in pairs
        ]

    def put_aside(self, now_s: float, message: Message) -> None:
        """The client tells that the message is poison: it leaves the queue for the dead letter queue."""
        self.refuse_late(now_s)
        entry = self._dispatcher.held.get(id(message))
        if entry is not None:
            self._dispatcher.bury(now_s, entry)

    def receive(self, *, consumer: str = "by-hand") -> Receive:
        """An event for your own process: `delivery = yield subscription.receive()`; triggers with a `JMSDelivery`.

        The first receive connects the consumer; it stays connected, and holds up to its prefetch, until `disconnect`.
        """
        return Receive(self, consumer, JMSDelivery)

    # ------------------------------------------------------------------------------------------------ leaving

    def disconnect(self, consumer: str = "by-hand") -> None:
        """The connection of a consumer by hand breaks: all that it holds comes back, looked at or not."""
        gone = self.consumers.get(consumer)
        if gone is None:
            raise UnknownNameError("consumer", consumer, self.consumers, at_s=float(self.sim.env.now))
        for delivery in [each for each in self._deliveries if each.consumer == consumer]:
            delivery.lose()
        self._leave(gone)
        self._return(float(self.sim.env.now))

    def withdraw(self, taker: Taker) -> None:
        """The taker takes no more; with the last one of a node its consumer's connection breaks."""
        consumer = self.consumers.get(taker.name)
        if consumer is None:
            return
        if taker in consumer.free:
            consumer.free.remove(taker)
        if taker in consumer.takers:
            del consumer.takers[taker]
            if not consumer.takers:
                self._leave(consumer)
                self.sim.env.at(float(self.sim.env.now), self._return)

    def give_back(self, now_s: float, messages: Sequence[Message]) -> None:
        """What takers of broken connections held comes back; what a receive gave up waits in its client."""
        for message in reversed(messages):
            entry = self._dispatcher.held.get(id(message))
            consumer = None if entry is None else entry.consumer
            if entry is not None and consumer is not None and self.consumers.get(consumer.name) is consumer:
                self._dispatcher.try_again(now_s, entry)
                consumer.buffer.appendleft(entry)
                consumer.feed(now_s)
        self._return(now_s)

    def hold(self, delivery: Held) -> None:
        """Notes that a process holds a delivery."""
        self._deliveries[delivery] = None

    def let_go(self, delivery: Held) -> None:
        """Notes that a process has settled a delivery."""
        del self._deliveries[delivery]

    @property
    def acknowledges_sessions(self) -> bool:
        """Whether an acknowledgement is one of the session, of whatever it was given, and not of a message."""
        return self.settings.client is Client.OPENWIRE and self.settings.acknowledge in TOGETHER

    def acknowledged_with(self, delivery: Held) -> list[Any]:
        """The other deliveries that an acknowledgement of this one settles."""
        if self.settings.acknowledge not in TOGETHER:
            return []
        mine = [each for each in self._deliveries if each.consumer == delivery.consumer]
        if self.settings.client is Client.STOMP and self.settings.acknowledge is Acknowledge.CLIENT:
            mine = mine[: mine.index(delivery)] if delivery in mine else []
        return [each for each in mine if each is not delivery]

    def rolled_back_with(self, delivery: Held) -> list[Any]:
        """The deliveries that a rollback of this one rolls back, in the order in which they came."""
        if self.settings.acknowledge is not Acknowledge.TRANSACTED or delivery.settled:
            return [delivery]
        return [each for each in self._deliveries if each.consumer == delivery.consumer]

    # ------------------------------------------------------------------------------------------------ the broker

    def broker_is_back(self, now_s: float) -> None:
        """All clients connect again, in the order in which they came."""
        for consumer in self.consumers.values():
            self._dispatcher.join(now_s, consumer)

    # ------------------------------------------------------------------------------------------------ inside

    def _connect(self, name: str, now_s: float) -> Consumer:
        consumer = Consumer(
            name,
            self.settings,
            selector=self.selector,
            exclusive=self._exclusive,
            endpoint=self.sim.log.endpoint(self.lane, name),
            spoils=self._spoils,
        )
        self.consumers[name] = consumer
        if not self._is_down():
            self._dispatcher.join(now_s, consumer)
        return consumer

    def _acknowledge(self, now_s: float, entry: Entry) -> None:
        consumer = entry.consumer
        if self.settings.acknowledge is not Acknowledge.DUPS_OK or consumer is None:
            self._dispatcher.forget(now_s, entry)
            return
        consumer.lazy.append(entry)
        if 2 * len(consumer.lazy) >= consumer.prefetch:
            lazy, consumer.lazy = consumer.lazy, []
            for each in lazy:
                if self._dispatcher.held.get(id(each.message)) is each:
                    self._dispatcher.forget(now_s, each)

    def _roll_back(self, now_s: float, entries: list[Entry]) -> None:
        """The client keeps messages, and their consumer may wait before it tries again."""
        if not entries:
            return
        consumer, policy = entries[0].consumer, self.settings.redelivery
        assert consumer is not None
        delay_s = policy.delay_s(entries[-1].message[4], consumer.redelivery_delay_s, self._draw())
        consumer.redelivery_delay_s = delay_s
        for entry in entries:
            self._dispatcher.try_again(now_s, entry)
        if delay_s > 0.0 and policy.order is RedeliveryPolicy.Order.NON_BLOCKING:
            for entry in entries:
                self.sim.env.at(now_s + delay_s, self._back_in_buffer, (consumer, entry, entry.message))
            return
        consumer.buffer.extendleft(reversed(entries))
        if delay_s > 0.0:
            consumer.stopped_until_s = max(consumer.stopped_until_s, now_s + delay_s)
            self.sim.env.at(now_s + delay_s, self._go_on, consumer)
        else:
            consumer.feed(now_s)

    def _back_in_buffer(self, now_s: float, waiting: tuple[Consumer, Entry, Message]) -> None:
        consumer, entry, message = waiting
        if entry.message is message and entry.consumer is consumer and consumer.name in self.consumers:
            consumer.buffer.append(entry)
            consumer.feed(now_s)

    @staticmethod
    def _go_on(now_s: float, consumer: Consumer) -> None:
        consumer.feed(now_s)

    def _spoils(self, now_s: float, entry: Entry) -> bool:
        """Whether a JMS client must not hand out a message: it expired in the buffer, or came too often."""
        if self.settings.client is Client.STOMP:
            return False
        if entry.headers.expires_s <= now_s:
            self._dispatcher.expire_held(now_s, entry)
            return True
        if self.settings.acknowledge is Acknowledge.TRANSACTED and self.settings.redelivery.is_exhausted(
            entry.message[4] - 1
        ):
            self._dispatcher.bury_unseen(now_s, entry)
            return True
        return False

    def _leave(self, consumer: Consumer) -> None:
        """The connection is gone; what nobody has taken is logged as lost with it."""
        now_s = float(self.sim.env.now)
        del self.consumers[consumer.name]
        self._dispatcher.leave(now_s, consumer)
        for entry in list(consumer.held.values()):
            if not entry.taken:
                self._dispatcher.log(now_s, entry, DROPPED if self.forgets else CRASHED, consumer.endpoint)
            if self.forgets:
                self._dispatcher.let_go(now_s, entry)
                del consumer.held[entry.sequence]
        consumer.buffer.clear()
        consumer.free.clear()
        self._leaving.append(consumer)

    def _return(self, now_s: float, _: Any = None) -> None:
        """All that consumers held who left comes back, in the order of their leaving."""
        leaving, self._leaving = self._leaving, []
        if leaving:
            self.come_back(now_s, [entry for consumer in leaving for entry in consumer.held.values()])

    def come_back(self, now_s: float, entries: list[Entry]) -> None:
        """What becomes of messages whose consumer left."""
        self._dispatcher.again(now_s, entries)

    def refuse_late(self, now_s: float) -> None:
        """Raises `IllegalStateError` if the broker took messages for acknowledged when it sent them."""
        if self.forgets:
            raise IllegalStateError(
                "the broker has forgotten the message",
                field="acknowledge",
                value="auto",
                remedy="subscribe with acknowledge='individual' or 'client'",
                at_s=now_s,
            )

    def _refuse_service(self, taker: Taker) -> None:
        """Raises `IllegalStateError` for a session mode that a service cannot follow."""
        if self.settings.acknowledge is Acknowledge.CLIENT and not isinstance(taker, Receive):
            raise IllegalStateError(
                f"{taker.name} would acknowledge all that it was given with each message",
                field="acknowledge",
                value="client",
                remedy="receive by hand, or let the service acknowledge its messages one by one",
            )
