"""Receiving by hand in RabbitMQ's words: delivery tags, and channels that a mistake closes.

Follows confirms.md of rabbitmq-website (versioned_docs/version-3.13) and what was measured on RabbitMQ 3.10.8 (table
rabbitmq/errors): a tag belongs to its channel, counts from 1, and is good once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...kernel.runlog import DONE, FAILED, REQUEUED
from ..base import Message
from ..by_hand import Held
from .deaths import Deaths
from .errors import ChannelError, PreconditionFailedError
from .ready import Properties

if TYPE_CHECKING:
    from .consumers import Consumer
    from .subscription import Consumption


class RabbitDelivery(Held):
    """One delivery on a channel: settle it with `ack`, `nack` or `reject`, once.

    `tag` is its number on the channel, `redelivered` whether it was delivered before. `properties` are those that the
    message carries, its death record included.
    """

    _subscription: Consumption

    def __init__(self, subscription: Consumption, consumer: str, now_s: float, message: Message) -> None:
        super().__init__(subscription, consumer, now_s, message)
        self.channel_of: Consumer = subscription.consumer_of(message)
        self.channel_of.last_tag += 1
        self.tag = self.channel_of.last_tag
        self.properties: Properties = subscription.queue.unacknowledged[id(message)].properties

    @property
    def redelivered(self) -> bool:
        """Whether the message was delivered before, to anyone."""
        return self.attempt > 1

    @property
    def deaths(self) -> Deaths:
        """The message's death record (`x-death`), the latest first."""
        return self.properties.deaths

    def ack(self) -> None:
        """The work is done: the queue may forget the message."""
        self._settle("acknowledged")
        self._log(DONE)
        self._subscription.acknowledge(self._now_s, self._message)

    def nack(self, *, requeue: bool = True) -> None:
        """Refuses: the message is requeued, or rejected without `requeue`."""
        if not requeue:
            return self.reject()
        self._settle("refused")
        outcome = self._subscription.requeue(self._now_s, self._message)
        return self._log(REQUEUED if outcome == FAILED else outcome)

    def reject(self, *, requeue: bool = False) -> None:
        """Rejects: the message becomes a dead letter, or is gone if the queue has no dead letter exchange."""
        if requeue:
            return self.nack()
        self._settle("rejected")
        return self._log(self._subscription.put_aside(self._now_s, self._message))

    def settle_automatically(self) -> None:
        """The broker forgot the message when it sent it."""
        self._settled_as = "acknowledged when it was sent"
        self._log(DONE)
        self._subscription.acknowledge(self._now_s, self._message)

    def lose_channel(self, reason: str) -> None:
        """The channel is closed; the queue takes the message back."""
        self._settled_as = f"returned when its channel was closed ({reason})"
        self._log(REQUEUED)
        self._subscription.let_go(self)

    def _settle(self, how: str) -> None:
        if not self.channel_of.is_open:
            raise closed_channel(self._subscription, self.channel_of)
        if self._settled_as is not None or not self._subscription.knows(self._message):
            raise unknown_tag(self._subscription, self.channel_of, self.tag)
        self._settled_as = how
        self._subscription.let_go(self)


class Channel:
    """The channel of one consumer, by hand: settles by delivery tag, and closes."""

    def __init__(self, subscription: Consumption, consumer: Consumer) -> None:
        self._subscription = subscription
        self._consumer = consumer

    @property
    def is_open(self) -> bool:
        """Whether it may still be used."""
        return self._consumer.is_open

    def ack(self, tag: int) -> None:
        """Acknowledges the delivery of that tag."""
        self._delivery(tag).ack()

    def ack_up_to(self, tag: int) -> None:
        """Acknowledges all open deliveries up to that tag (`multiple`)."""
        self._delivery(tag)
        for delivery in self._open():
            if delivery.tag <= tag:
                delivery.ack()

    def nack(self, tag: int, *, requeue: bool = True) -> None:
        """Refuses the delivery of that tag."""
        self._delivery(tag).nack(requeue=requeue)

    def reject(self, tag: int, *, requeue: bool = False) -> None:
        """Rejects the delivery of that tag."""
        self._delivery(tag).reject(requeue=requeue)

    def close(self) -> None:
        """Closes it: all that it holds goes back to the queue at once. Closing it again does nothing."""
        if self.is_open:
            self._subscription.disconnect(self._consumer.name)

    def _open(self) -> list[RabbitDelivery]:
        return self._subscription.in_hand(self._consumer)

    def _delivery(self, tag: int) -> RabbitDelivery:
        if not self.is_open:
            raise closed_channel(self._subscription, self._consumer)
        for delivery in self._open():
            if delivery.tag == tag:
                return delivery
        raise unknown_tag(self._subscription, self._consumer, tag)


def closed_channel(subscription: Consumption, consumer: Consumer) -> ChannelError:
    """The error for using a channel that was closed: what it held has gone back, and its tags are good no more."""
    return ChannelError(
        f"the channel of {consumer.name!r} is closed",
        field="channel",
        value=consumer.name,
        remedy="receive anew, which opens another channel",
        at_s=float(subscription.sim.env.now),
    )


def unknown_tag(subscription: Consumption, consumer: Consumer, tag: int) -> PreconditionFailedError:
    """The error for a tag that is not open on this channel; the channel is closed by it."""
    subscription.close_and_reconnect(consumer, f"unknown delivery tag {tag}")
    return PreconditionFailedError(
        f"unknown delivery tag {tag}",
        field="delivery_tag",
        value=tag,
        remedy="settle each delivery once, on the channel that it came on",
        at_s=float(subscription.sim.env.now),
    )
