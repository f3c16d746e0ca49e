"""What a handler is told, what it may return, and how its events are published.

Left out: acknowledging in the middle of a handler; a service acknowledges on delivery or when its handler has ended.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

from .. import checks
from ..brokers.base import Destination
from ..brokers.by_hand import send
from ..errors import HandlerError
from ..events import Event
from ..kernel import Simulation

if TYPE_CHECKING:
    from .node import Node
    from .service import Service

Returned = Event | Iterable[Event] | None
Handler = Callable[[Event, "Context"], "Returned | Generator[Any, Any, Returned]"]
"""Takes an event and a context; returns the events to publish, or is a generator that does so at its end."""


class Acknowledge(enum.Enum):
    """When a service acknowledges: what its crash or refusal then means differs."""

    AFTER_HANDLING = "after_handling"
    ON_DELIVERY = "on_delivery"


class Context:
    """What a handler may ask: the time, where it runs, random numbers of its own, and the log of facts."""

    __slots__ = ("attempt", "event", "node", "root", "service", "sim")

    def __init__(self, service: Service, node: Node, event: Event, attempt: int, root: int) -> None:
        self.service = service
        self.node = node
        self.sim = service.sim
        self.event = event
        self.attempt = attempt
        self.root = root

    @property
    def now_s(self) -> float:
        """The simulated time in seconds."""
        return float(self.sim.env.now)

    def draw(self, purpose: str) -> float:
        """A number uniform in [0, 1), from the service's own stream for that purpose."""
        return self.service.draw_for(purpose)

    def pause(self, duration_s: float) -> Any:
        """A SimPy event that comes after `duration_s`; for `yield` in a generator handler."""
        return self.sim.env.timeout(checks.check_non_negative("duration_s", duration_s))

    def publish(self, events: Returned) -> None:
        """Publishes now, before the handler ends; a crash after this does not take it back."""
        self.service.publishing.publish(events, self.event, self.root)

    def fact(self, kind: str, **detail: Any) -> None:
        """Appends a fact about this service to the run log, with the id of the event and of its trace."""
        self.sim.log.fact(
            self.now_s, kind, self.service.name, event_id=self.event.id, trace_id=self.event.trace_id, **detail
        )


class Publishing:
    """How one service publishes: its numbers, and where its events go."""

    def __init__(self, sim: Simulation, name: str, to: Destination | None) -> None:
        if to is not None and not hasattr(to, "route"):
            raise checks.refuse("Service.to", to, "give a destination, such as bus.topic('mails')")
        self.sim = sim
        self.name = name
        self.to = to
        self._next_number: Callable[[], int] | None = None

    def publish(self, returned: Returned, cause: Event, root: int) -> None:
        """Publishes what a handler of `cause` returned; refuses what is no event."""
        for event in self._events(returned):
            if self.to is None:
                raise HandlerError(
                    f"the handler of {self.name} returned {event!r}, but the service publishes to nowhere",
                    field="Service.to",
                    value=None,
                    remedy="give the service a destination (to=…)",
                    at_s=float(self.sim.env.now),
                )
            if self._next_number is None:
                self._next_number = self.sim.log.publisher(self.name)
            send(self.sim, self.to, event, self.name, self._next_number(), cause=(root, cause))

    def _events(self, returned: Returned) -> list[Event]:
        if returned is None:
            return []
        events = [returned] if isinstance(returned, Event) or not isinstance(returned, Iterable) else list(returned)
        for event in events:
            if not isinstance(event, Event):
                raise HandlerError(
                    f"the handler of {self.name} returned {event!r}",
                    field="handler",
                    value=event,
                    remedy="return an Event, a list of Events, or None",
                    at_s=float(self.sim.env.now),
                )
        return events
