"""Consuming from a queue: takers of one name are one consumer on a channel of its own.

A taker that is free for the first time registers its consumer (`basic.consume`); the queue then sends messages ahead,
up to the prefetch bound, and takers take them from the consumer's buffer. When the last taker of a consumer withdraws,
its channel is closed and the queue takes back all that it held. A service whose channel was closed by the broker
connects anew at once. Follows confirms.md and consumers.md of rabbitmq-website (versioned_docs/version-3.13). Left out:
several consumers on one channel, and prefetch per channel (`global`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from ...errors import StateError
from ...kernel.runlog import DROPPED, FAILED, REQUEUED
from ..base import Message, Taker
from ..by_hand import Held, Receive
from .by_hand import Channel, RabbitDelivery
from .consumers import Consumer
from .errors import ChannelError

if TYPE_CHECKING:
    from .destinations import Queue


class Acknowledgement(enum.Enum):
    """When the broker may forget what it has sent: when told so, or at once (no-ack)."""

    MANUAL = "manual"
    AUTOMATIC = "automatic"


class Refusal(enum.Enum):
    """What a service's failing handler stands for: `basic.nack` with requeueing, or `basic.reject` without."""

    REQUEUE = "requeue"
    REJECT = "reject"


class Consumption:
    """A subscription: consumers of one queue, with one prefetch bound, priority and way to acknowledge."""

    def __init__(
        self,
        queue: Queue,
        *,
        limit: int | None,
        priority: int = 0,
        acknowledgement: Acknowledgement = Acknowledgement.MANUAL,
        on_failure: Refusal = Refusal.REQUEUE,
    ) -> None:
        self.queue = queue
        self.sim = queue.sim
        self.name = queue.name
        self.lane = queue.lane
        self.priority = priority
        self.on_failure = on_failure
        self.forgets = acknowledgement is Acknowledgement.AUTOMATIC
        self.delivered_s: Callable[[Message], float] | None = self._delivered_s
        self.limit = limit
        self._consumers: dict[str, Consumer] = {}
        self._held: dict[RabbitDelivery, None] = {}
        self._disconnected: dict[Taker, None] = {}
        self.sim.on_end(lambda _now_s: [delivery.open_row() for delivery in self._held])

    # ------------------------------------------------------------------------------------------ takers

    def ready(self, taker: Taker, now_s: float) -> None:
        """The taker is free: it takes what was sent to its consumer, or waits for that."""
        message = self._next(taker, now_s)
        if message is not None:
            taker.take(now_s, message)

    def done(self, taker: Taker, now_s: float, message: Message) -> Message | None:
        """Acknowledges, and returns what the consumer has been sent already; with None the taker waits."""
        queue = self.queue
        entry = queue.settle(message)
        if entry is None:
            self._tell_late(taker.name, now_s)
            return self._next(taker, now_s)
        queue.broker.tell_settled(now_s, message)
        if len(queue.ready):
            queue.dispatch(now_s)
        consumer: Consumer = entry.consumer
        if consumer.buffer:
            return consumer.buffer.popleft().message
        if consumer.is_open:
            consumer.idle.append(taker)
            return None
        return self._next(taker, now_s)

    def _next(self, taker: Taker, now_s: float) -> Message | None:
        """A message for a free taker, from the buffer of its consumer, which is registered if need be."""
        queue = self.queue
        if not queue.broker.is_up or queue.is_deleted:
            self._disconnected[taker] = None
            if queue.is_deleted:
                self.sim.log.fact(now_s, "consume_refused", queue.name, consumer=taker.name, code=404)
            return None
        consumer = self._consumers.get(taker.name) or self._register(taker.name, now_s)
        if not isinstance(taker, Receive):
            consumer.takers[taker] = None
        if not consumer.buffer and len(queue.ready):
            queue.dispatch(now_s)
        if consumer.buffer:
            return consumer.buffer.popleft().message
        consumer.idle.append(taker)
        return None

    def _register(self, name: str, now_s: float) -> Consumer:
        endpoint = self.sim.log.endpoint(self.lane, name)
        consumer = self._consumers[name] = Consumer(self, name, self.limit, self.priority, endpoint)
        self.queue.join(now_s, consumer)
        return consumer

    def acknowledge(self, now_s: float, message: Message) -> None:
        """The message is processed and leaves the queue; unknown ones (the channel was closed) are ignored."""
        if self.queue.settle(message) is not None:
            self.queue.broker.tell_settled(now_s, message)
            self.queue.dispatch(now_s)

    def refuse(self, now_s: float, message: Message) -> int:
        """A handler failed: requeued or rejected, as `on_failure` says. Returns the outcome for the log."""
        if self.on_failure is Refusal.REJECT:
            return self.put_aside(now_s, message)
        return self.requeue(now_s, message)

    def requeue(self, now_s: float, message: Message) -> int:
        """Refused, to be delivered again. Returns the outcome for the log."""
        entry = self.queue.settle(message)
        if entry is None or self.forgets:
            return FAILED
        return self.queue.requeue(now_s, entry)

    def put_aside(self, now_s: float, message: Message) -> int:
        """Rejected without requeueing: a dead letter, or gone. Returns the outcome for the log."""
        entry = self.queue.settle(message)
        if entry is None or self.forgets:
            return FAILED
        return self.queue.reject(now_s, entry)

    def give_back(self, now_s: float, messages: Sequence[Message]) -> None:
        """What takers held comes back; what their closed channel has returned already is left as it is."""
        entries = [entry for each in messages if self.knows(each) and (entry := self.queue.settle(each)) is not None]
        if entries and not self.forgets:
            self.queue.bring_back(now_s, entries)

    def withdraw(self, taker: Taker) -> None:
        """The taker takes no more; with its last taker a consumer that holds nothing by hand leaves."""
        self._disconnected.pop(taker, None)
        consumer = self._consumers.get(taker.name)
        if consumer is None:
            return
        consumer.takers.pop(taker, None)
        if taker in consumer.idle:
            consumer.idle.remove(taker)
        in_hand = any(delivery.channel_of is consumer for delivery in self._held)
        if not (consumer.takers or consumer.idle or in_hand):
            self.close(consumer, "connection lost")

    def _delivered_s(self, message: Message) -> float:
        """When a message that a taker takes was sent to its consumer, in simulated seconds."""
        return self.queue.unacknowledged[id(message)].delivered_s

    # ------------------------------------------------------------------------------------------ channels

    def close(self, consumer: Consumer, reason: str) -> None:
        """The consumer's channel is closed; what it held unacknowledged goes back to the queue at once."""
        now_s = float(self.sim.env.now)
        if not consumer.is_open:
            return
        del self._consumers[consumer.name]
        held = self.queue.leave(now_s, consumer)
        manual = not self.forgets
        for entry in consumer.buffer:
            self.queue.log_untouched(now_s, entry, REQUEUED if manual else DROPPED)
        for delivery in [each for each in self._held if each.channel_of is consumer]:
            delivery.lose_channel(reason)
        consumer.buffer.clear()
        consumer.idle.clear()
        self.sim.log.fact(
            now_s,
            "channel_closed",
            consumer.name,
            queue=self.name,
            reason=reason,
            requeued=len(held) if manual else 0,
        )
        if manual and held:
            self.queue.bring_back(now_s, held)
        for entry in held if not manual else ():
            self.queue.broker.tell_settled(now_s, entry.message)
        self.queue.broker.watch_unused(now_s, self.queue)

    def close_and_reconnect(self, consumer: Consumer, reason: str) -> None:
        """The broker closes the channel; who waited for messages connects anew, at once or when the broker is up."""
        waiting = list(consumer.idle)
        self.close(consumer, reason)
        for taker in waiting:
            if self.queue.broker.is_up:
                self.ready(taker, float(self.sim.env.now))
            else:
                self._disconnected[taker] = None

    def reconnect(self, now_s: float) -> None:
        """The broker is up again."""
        waiting, self._disconnected = self._disconnected, {}
        for taker in waiting:
            self.ready(taker, now_s)

    def disconnect(self, name: str) -> None:
        """The consumer of that name closes its channel, if it has one; all that it held goes back at once."""
        if name in self._consumers:
            self.close_and_reconnect(self._consumers[name], "closed by its user")

    def consumers(self) -> list[Consumer]:
        """Those that are registered."""
        return list(self._consumers.values())

    def _tell_late(self, name: str, now_s: float) -> None:
        self.sim.log.fact(now_s, "acknowledgement_too_late", name, queue=self.name, code=406)

    # ------------------------------------------------------------------------------------------ by hand

    def receive(self, *, consumer: str = "by-hand") -> Receive:
        """An event for your own process: `delivery = yield consumption.receive(consumer="ann")`.

        Receives of one name share a channel, which is opened by the first and closed by `disconnect(name)`, or when
        a receive is given up and the name holds nothing.
        """
        return Receive(self, consumer, RabbitDelivery)

    def channel(self, name: str) -> Channel:
        """The channel of the consumer of that name, which must have received or be receiving."""
        if name not in self._consumers:
            raise StateError(
                f"{name!r} has no open channel on queue {self.name!r}",
                field="consumer",
                value=name,
                remedy=f"receive first; open are: {', '.join(self._consumers) or 'none'}",
                at_s=float(self.sim.env.now),
            )
        return Channel(self, self._consumers[name])

    def knows(self, message: Message) -> bool:
        """Whether the queue counts this very delivery as unacknowledged."""
        return id(message) in self.queue.unacknowledged

    def consumer_of(self, message: Message) -> Consumer:
        """Whose a delivery is."""
        return cast("Consumer", self.queue.unacknowledged[id(message)].consumer)

    def in_hand(self, consumer: Consumer) -> list[RabbitDelivery]:
        """The deliveries that a channel's user holds, in the order of their tags."""
        return [delivery for delivery in self._held if delivery.channel_of is consumer]

    def hold(self, delivery: Held) -> None:
        """Notes that a process holds a delivery, unless the broker has forgotten it already."""
        mine = cast("RabbitDelivery", delivery)
        if self.forgets:
            mine.settle_automatically()
        else:
            self._held[mine] = None

    def let_go(self, delivery: Held) -> None:
        """Notes that a process has settled a delivery."""
        del self._held[cast("RabbitDelivery", delivery)]


class Polling(Consumption):
    """Reads a queue message by message (`basic.get`) instead of being sent what is ready."""

    def __init__(self, queue: Queue) -> None:
        super().__init__(queue, limit=0)

    def get(self, *, channel: str = "by-hand") -> RabbitDelivery | None:
        """The message at the head of the queue, on the channel of that name, or None if there is none."""
        queue, now_s = self.queue, float(self.sim.env.now)
        if not queue.broker.is_up or queue.is_deleted:
            raise ChannelError(
                f"no queue {queue.name!r} to read from",
                field="queue",
                value=queue.name,
                remedy="wait until the broker is up, or declare the queue again",
                at_s=now_s,
            )
        queue.broker.watch_unused(now_s, queue)
        consumer = self._consumers.get(channel) or self._register(channel, now_s)
        if not queue.send_head(now_s, consumer):
            return None
        delivery = RabbitDelivery(self, channel, now_s, consumer.buffer.popleft().message)
        self.hold(delivery)
        return delivery
