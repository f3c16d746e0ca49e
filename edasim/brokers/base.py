"""The vocabulary of every broker: messages, destinations, subscriptions, takers, and what a broker can do.

A **destination** can be published to, a **subscription** can be received from, and a **taker** takes one message at a
time from a subscription: a slot of a service, or a process that waits by hand. Each broker keeps its own words for them
(topic, queue, subject; group, queue consumer, durable subscriber) and states what it can do as capabilities. Left out
here: everything in which brokers differ; it lives in each broker's own room.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from ..errors import CapabilityError
from ..events import Event
from ..kernel import Simulation

Message = tuple[int, int, float, float, int, "Event | None"]
"""A message on its way: number, number of its causal root, published_s, enqueued_s, attempt (from 1), event.

The event is None while nobody has looked at it: a source that always publishes the same kind makes it on demand."""


class Capability(enum.Enum):
    """What a broker may be able to do; each has its part of the contract suite."""

    PUBLISH_SUBSCRIBE = "every subscription of a destination gets its own copy"
    COMPETING_CONSUMERS = "the takers of one subscription share its messages"
    FILTERING = "a subscription chooses what it receives"
    ACKNOWLEDGEMENT = "a message stays the broker's until its taker acknowledges it"
    REDELIVERY = "what a lost or refusing taker held is delivered again"
    BOUNDED_QUEUE = "a queue can be bounded, with a stated policy when it is full"
    DEAD_LETTERS = "a message that keeps failing is put aside"
    ORDER = "one taker sees the messages of one publisher in the order of publishing"
    PARTITIONED_LOG = "messages of one key stay in one partition, in order"
    REPLAY = "what was read can be read again"
    ROUTING = "the broker routes by rules between destination and queues"
    TRANSACTIONS = "several publishes and acknowledgements become visible together"


class Taker(Protocol):
    """Who takes messages from a subscription, one at a time."""

    name: str
    """The consumer's name in the run log, such as "mail/0"."""

    def take(self, now_s: float, message: Message, /) -> None:
        """Called by the subscription with the time, which is now; the taker is busy until it settles the message."""


class Subscription(Protocol):
    """What can be received from. All methods take the time in simulated seconds, which is now."""

    sim: Simulation
    name: str
    lane: int
    delivered_s: Callable[[Message], float] | None
    """When a message reached its client's buffer, in seconds; None if takers get messages without a buffer between."""
    forgets: bool
    """Whether the broker forgets a message as it hands it over, so that a crash loses it (at most once)."""

    def ready(self, taker: Taker, now_s: float) -> None:
        """The taker is free: it gets the next message, at once or when one comes."""

    def done(self, taker: Taker, now_s: float, message: Message) -> Message | None:
        """The taker acknowledges and gets the next message; with None it is noted as free."""

    def acknowledge(self, now_s: float, message: Message) -> None:
        """The message is processed; who acknowledged takes care of itself."""

    def refuse(self, now_s: float, message: Message) -> int:
        """The taker could not do it: requeue or put aside. Returns the outcome for the log; the taker is not ready."""

    def give_back(self, now_s: float, messages: Sequence[Message]) -> None:
        """Takers are gone (a crash): what they held is delivered again, in this order."""

    def withdraw(self, taker: Taker) -> None:
        """The taker takes no more messages. If it is busy it is gone (a crash); what it held is given back later."""


@dataclass(frozen=True, slots=True)
class OpenQueue:
    """A queue that its takers may serve themselves from, which saves them a call for each message.

    A subscription that hands out nothing but the head of one queue, to whoever has been free for longest, may offer it
    as its attribute `open_queue`.
    A taker that has finished a message acknowledges it, if anyone is to be told (`settled` is not empty); then it
    takes the head of `waiting`, or, with none waiting, notes itself at the end of `free`. That is what `done` does, so
    takers of one queue may go either way. All stay the same objects for as long as the subscription lives. `takers` are
    those who may take messages at present, busy or free. While one of them is behind (`stretch`), `waiting` still holds
    what it has done: who only wants to look asks the subscription.
    """

    waiting: deque[Message]
    free: deque[Taker]
    settled: Sequence[Callable[[float, Message], None]]
    takers: dict[object, None]


class Destination(Protocol):
    """What can be published to."""

    sim: Simulation
    name: str
    route: Callable[[float, Message], None]
    """Hands a message to every subscription that wants it; the hot path, called with the time, which is now."""


class RunningBroker(Protocol):
    """A broker in a simulation."""

    sim: Simulation
    name: str
    capabilities: frozenset[Capability]


def require(
    broker: RunningBroker,
    needed: Iterable[Capability],
    who: str,
    remedy: str = "choose a broker that can, or a scenario that does without",
) -> None:
    """Raises `CapabilityError` unless `broker` can do all that `who` needs; to be called before the run."""
    missing = [capability for capability in needed if capability not in broker.capabilities]
    if missing:
        lacks = "; ".join(f"{capability.name.lower()} ({capability.value})" for capability in missing)
        raise CapabilityError(
            f"{who} needs what {broker.name} cannot do: {lacks}",
            field="broker",
            value=broker.name,
            remedy=remedy,
        )


def event_of(sim: Simulation, message: Message) -> Event:
    """The event of a message, made now if nobody has looked at it before."""
    event = message[5]
    return event if event is not None else cast("Event", sim.log.event_of(message[0], message[2]))
