"""How the clients of a consumer get messages, by the consumer's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .pushed import InOrder, Pushed
from .reception import Batches, OneByOne, Reception

if TYPE_CHECKING:
    from .consumer import Consumer


def pull(consumer: Consumer) -> Reception:
    """Its takers ask, one message or one batch at a time."""
    settings = consumer.settings
    if settings.batch == 1:
        return OneByOne(consumer.next_message, settings.max_waiting)
    return Batches(consumer.next_message, settings, consumer.send_acknowledgements)


def push(consumer: Consumer, window: int | None) -> Reception:
    """One client is bound, whose buffer may be bounded by flow control."""
    return Pushed(consumer.next_message, window=window)


def push_to_group(consumer: Consumer, group: str) -> Reception:
    """The members of a deliver group share the messages at random, by a stream of random numbers of their own."""
    stream = consumer.stream
    name = f"nats/{stream.server.name}/stream/{stream.name}/consumer/{consumer.name}/{group}"
    return Pushed(consumer.next_message, draw=stream.sim.streams.uniform(name))


def in_order(consumer: Consumer, limit: int) -> Reception:
    """One client sees all in order."""
    return InOrder(consumer.next_message, limit, consumer.miss, consumer.rewind)
