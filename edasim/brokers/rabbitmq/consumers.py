"""Consumers of a queue, and whose turn it is.

Follows rabbit_queue_consumers.erl of rabbitmq-server and consumer-priority.md of rabbitmq-website: consumers with
a place in the round are served in turn, the highest consumer priority first; one that is found full loses its place and
comes back behind all others when it has room. With a single active consumer only the first that registered is served,
full or not; when it leaves, the next one is. Here every consumer has a channel of its own. Left out: credit flow
between queue and channel.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from ..base import Taker
from .ready import Entry

if TYPE_CHECKING:
    from .subscription import Consumption


class Consumer:
    """A consumer on its own channel: `limit` unacknowledged messages at most (None: no bound), `held` of them now.

    `buffer` holds what was sent to it and no taker has taken yet, `idle` the takers that wait, `takers` all of them.
    """

    __slots__ = (
        *("buffer", "endpoint", "full", "held", "idle", "is_open", "last_tag"),
        *("limit", "name", "priority", "subscription", "takers"),
    )

    def __init__(self, subscription: Consumption, name: str, limit: int | None, priority: int, endpoint: int) -> None:
        self.subscription = subscription
        self.name = name
        self.limit = limit
        self.priority = priority
        self.endpoint = endpoint
        self.held = 0
        self.full = False
        self.is_open = True
        self.last_tag = 0
        self.buffer: deque[Entry] = deque()
        self.idle: deque[Taker] = deque()
        self.takers: dict[Taker, None] = {}


class Turns(Protocol):
    """Decides which consumer gets the next message."""

    def join(self, consumer: Consumer) -> None:
        """A new consumer."""

    def leave(self, consumer: Consumer) -> None:
        """A consumer is gone."""

    def has_room(self, consumer: Consumer) -> None:
        """A consumer that was full is not any more."""

    def next(self) -> Consumer | None:
        """Whose turn it is, or None if no consumer has room."""


class RoundRobin:
    """In turn, among those of the highest consumer priority that have room."""

    def __init__(self) -> None:
        self._rounds: dict[int, deque[Consumer]] = {}
        self._downwards: list[deque[Consumer]] = []

    def join(self, consumer: Consumer) -> None:
        """Behind all others of its priority."""
        if consumer.priority not in self._rounds:
            self._rounds[consumer.priority] = deque()
            self._downwards = [self._rounds[priority] for priority in sorted(self._rounds, reverse=True)]
        self._rounds[consumer.priority].append(consumer)

    def leave(self, consumer: Consumer) -> None:
        """A consumer is gone."""
        if not consumer.full:
            self._rounds[consumer.priority].remove(consumer)

    def has_room(self, consumer: Consumer) -> None:
        """Back into the round, behind all others."""
        consumer.full = False
        self._rounds[consumer.priority].append(consumer)

    def next(self) -> Consumer | None:
        """Whose turn it is; those found full leave the round."""
        for turns in self._downwards:
            while turns:
                consumer = turns[0]
                if consumer.limit is None or consumer.held < consumer.limit:
                    turns.rotate(-1)
                    return consumer
                consumer.full = True
                turns.popleft()
        return None


class SingleActive:
    """Only the first that registered, as long as it stays."""

    def __init__(self) -> None:
        self._registered: dict[Consumer, None] = {}

    @property
    def active(self) -> Consumer | None:
        """The one that is served, if any is there."""
        return next(iter(self._registered), None)

    def join(self, consumer: Consumer) -> None:
        """Waits until all before it are gone."""
        self._registered[consumer] = None

    def leave(self, consumer: Consumer) -> None:
        """A consumer is gone."""
        self._registered.pop(consumer, None)

    def has_room(self, consumer: Consumer) -> None:
        """It need not be told."""
        consumer.full = False

    def next(self) -> Consumer | None:
        """The active consumer, if it has room."""
        consumer = self.active
        if consumer is None or (consumer.limit is not None and consumer.held >= consumer.limit):
            return None
        return consumer
