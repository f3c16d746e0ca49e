"""What a handler is told, what it may return, and how its events are published.

Left out: acknowledging in the middle of a handler; a service acknowledges on delivery or when its handler has ended.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any

from .. import checks
from ..brokers.base import Destination
from ..brokers.by_hand import publish_from
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

    def fact(self, kind: str, /, **detail: Any) -> None:
        """Appends a fact about this service to the run log, with the id of the event and of its trace.

        It is kept if the event's causal tree is: always in a full log, never in one of metrics only.
        """
        if self.sim.log.keeps(self.root):
            self.sim.log.fact(
                self.now_s, kind, self.service.name, event_id=self.event.id, trace_id=self.event.trace_id, **detail
            )


class NodeCrashed(BaseException):
    """Thrown into a generator handler whose node has crashed, so that it releases what it holds.

    Its `finally` and `with` blocks run, nothing else of it does; no error, so `except Exception` does not catch it.
    """


class Publishing:
    """Where one service publishes what its handler returns."""

    def __init__(self, sim: Simulation, name: str, to: Destination | None) -> None:
        if to is not None and not hasattr(to, "route"):
            raise checks.refuse("Service.to", to, "give a destination, such as bus.topic('mails')")
        if to is not None and to.sim is not sim:
            raise checks.refuse("Service.to", to, "give a destination of the same simulation")
        self.sim = sim
        self.name = name
        self.to = to

    def publish(self, returned: Returned, cause: Event, root: int) -> None:
        """Publishes what a handler of `cause` returned, all of it or, if something of it is no event, nothing."""
        for event in self._events(returned):
            if self.to is None:
                raise HandlerError(
                    f"the handler of {self.name} returned {event!r}, but the service publishes to nowhere",
                    field="Service.to",
                    value=None,
                    remedy="give the service a destination (to=…)",
                    at_s=float(self.sim.env.now),
                )
            publish_from(self.to, event, self.name, cause, root)

    def _events(self, returned: Returned) -> list[Event]:
        if returned is None:
            return []
        if isinstance(returned, Set):
            raise self.no_event("returned", returned, "return an Event, a list of Events, or None; a set has no order")
        several = isinstance(returned, Iterable) and not isinstance(returned, str | bytes | Mapping)
        events: list[Any] = list(returned) if several else [returned]  # type: ignore[arg-type]
        for event in events:
            if not isinstance(event, Event):
                raise self.no_event("returned", event)
        return events

    def no_event(
        self,
        did: str,
        value: Any,
        remedy: str = "return an Event, a list of Events, or None; yield SimPy events, such as context.pause(0.1)",
    ) -> HandlerError:
        """The error for a handler that `did` something with a `value` that is no event."""
        return HandlerError(
            f"the handler of {self.name} {did} {value!r}",
            field="handler",
            value=value,
            remedy=remedy,
            at_s=float(self.sim.env.now),
        )
