"""Composite topics: the broker forwards each message to queues, to each as its selector says.

Follows `CompositeTopic.java` and `FilteredDestination.java` of ActiveMQ 5.17 (the configuration elements compositeTopic
and filteredDestination, with forwardOnly). The broker evaluates the selectors itself, so a queue gets what it selects
whether anyone consumes it or not. Left out: concurrent sends, copies to the topic itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import simpy

from ... import checks
from ...errors import ConfigurationError
from ...kernel.runlog import FILTERED, NEVER, pack_row
from ..base import Message, event_of
from .destination import Sends
from .message import Headers, properties_of
from .queue import Queue
from .selector import Selector, selector
from .settings import DestinationPolicy

if TYPE_CHECKING:
    from .broker import RunningActiveMQ


class CompositeTopic(Sends):
    """A destination that only forwards."""

    def __init__(self, broker: RunningActiveMQ, name: str) -> None:
        self.forwards: dict[str, tuple[Queue, Selector | None]] = {}
        self.nobody = broker.sim.log.endpoint(broker.sim.log.lane(broker.name, name, ""), "")
        self.listeners: list[Callable[[float, Message], None]] = []
        self.sim, self.name = broker.sim, name
        super().__init__(broker, name, (_Junction(self),))

    def forward_to(self, queue: str, *, selector: str | None = None, policy: DestinationPolicy | None = None) -> Queue:
        """Forwards what `selector` selects (everything without one) to a queue; returns the queue."""
        target = self._running.queue(queue, policy)
        if queue in self.forwards:
            raise ConfigurationError(
                f"{self.name} forwards to {queue!r} already",
                field="queue",
                value=queue,
                remedy="use one selector that says it all",
            )
        self.forwards[queue] = (target, self._parsed(selector))
        target.intake.listeners.append(self.tell_settled)
        return target

    def tell_settled(self, now_s: float, message: Message) -> None:
        """A message has left one of the queues for good, or none wants it."""
        for tell in self.listeners:
            tell(now_s, message)

    def chosen(self, message: Message, headers: Headers) -> list[Queue]:
        """The queues that get a message."""
        if not any(wanted for _, wanted in self.forwards.values()):
            return [queue for queue, _ in self.forwards.values()]
        properties = properties_of(self.sim, message, headers)
        return [queue for queue, wanted in self.forwards.values() if wanted is None or wanted.matches(properties)]

    def nobody_wants(self, now_s: float, message: Message) -> None:
        """No queue gets the message."""
        number, root, published_s, enqueued_s, attempt, _ = message
        self.sim.log.add(
            pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, self.nobody, attempt, FILTERED)
        )
        self.tell_settled(now_s, message)

    def _parsed(self, text: str | None) -> Selector | None:
        return (
            None if text is None else selector(checks.check_text("selector", text), self._running.configuration.client)
        )


class _Junction:
    """The way into a composite topic: on to its queues."""

    def __init__(self, topic: CompositeTopic) -> None:
        self.name = topic.name
        self.nobody = topic.nobody
        self.listeners = topic.listeners
        self._topic = topic

    def fails_for(self, message: Message, headers: Headers) -> bool:
        """Whether a send would fail: one of the queues that select the message is full."""
        return any(queue.intake.fails_for(message, headers) for queue in self._topic.chosen(message, headers))

    def send(self, now_s: float, message: Message, headers: Headers, accepted: simpy.Event | None = None) -> None:
        """On to the queues that select the message; `accepted` triggers when all of them have it."""
        env = self._topic.sim.env
        if any(wanted for _, wanted in self._topic.forwards.values()):
            message = (*message[:5], event_of(self._topic.sim, message))
        queues = self._topic.chosen(message, headers)
        parts: list[simpy.Event | None] = [None if accepted is None else simpy.Event(env) for _ in queues]
        if accepted is not None:
            everywhere = simpy.AllOf(env, [part for part in parts if part is not None])
            everywhere.callbacks.append(lambda _event: env.wake(accepted, float(env.now)))
        if not queues:
            self._topic.nobody_wants(now_s, message)
        for queue, part in zip(queues, parts, strict=True):
            queue.intake.send(now_s, message, headers, part)
