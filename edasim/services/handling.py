"""What a handler is told, what it may return, and how its events are published.

Left out: acknowledging in the middle of a handler; a service acknowledges on delivery or when its handler has ended.
"""

from __future__ import annotations

import enum
import math
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

    __slots__ = ("attempt", "event", "inside", "node", "root", "service", "sim")

    def __init__(self, service: Service, node: Node, event: Event, attempt: int, root: int) -> None:
        self.service = service
        self.node = node
        self.sim = service.sim
        self.event = event
        self.attempt = attempt
        self.root = root
        self.inside = False
        """Whether the handler itself is running now, and not somebody whom it told to act later."""

    @property
    def now_s(self) -> float:
        """The simulated time in seconds."""
        return float(self.sim.env.now)

    def draw(self, purpose: str) -> float:
        """A number uniform in [0, 1), from the service's own stream for that purpose."""
        return self.service.draw_for(purpose)

    @property
    def clock_s(self) -> float:
        """What the clock of this node shows, in seconds; a fault may have set it wrong."""
        return self.node.clock_s(self.now_s)

    def pause(self, duration_s: float) -> Any:
        """A SimPy event that comes after `duration_s` (longer on a slow node); for `yield` in a generator handler."""
        if type(duration_s) is not float or not 0.0 <= duration_s < math.inf:
            duration_s = checks.check_non_negative("duration_s", duration_s)
        return self.sim.env.timeout(duration_s * self.node.slow_factor)

    def publish(self, events: Returned) -> None:
        """Publishes now, before the handler ends; a crash after this does not take it back."""
        if self.sim.on_step is None:
            self.service.publishing.publish(events, self.event, self.root)
            return
        for event in self.service.publishing.events(events):
            self.service.publishing.publish(event, self.event, self.root)
            self.step("publish", event.type)

    def remember(self, more_bytes: int) -> None:
        """The node holds so many bytes more in memory (less, if negative); over its limit it is killed here and now."""
        more_bytes = checks.check_kind(int, "a whole number of bytes")("more_bytes", more_bytes)
        if not self.node.hold(more_bytes) and self.inside:
            raise NodeCrashed

    def step(self, kind: str, what: str) -> None:
        """Tells whoever crashes nodes at steps that one was done; raises `NodeCrashed` if the node crashes there.

        Receiving, publishing, acknowledging and facts tell it by themselves; call it to have one more.
        """
        if self.sim.on_step is not None and self.sim.on_step(self.node, kind, what) and self.inside:
            raise NodeCrashed

    def fact(self, kind: str, /, **detail: Any) -> None:
        """Appends a fact about this service to the run log, with the id of the event and of its trace.

        It is kept if the event's causal tree is: always in a full log, never in one of metrics only.
        """
        if self.sim.log.keeps(self.root):
            self.sim.log.fact(
                self.now_s, kind, self.service.name, event_id=self.event.id, trace_id=self.event.trace_id, **detail
            )
        if self.sim.on_step is not None:
            self.step("write", kind)


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

    def redirect(self, to: Destination) -> None:
        """Publishes to `to` from now on."""
        self.to = to

    def publish(self, returned: Returned, cause: Event, root: int) -> None:
        """Publishes what a handler of `cause` returned, all of it or, if something of it is no event, nothing."""
        for event in self.events(returned):
            if self.to is None:
                raise HandlerError(
                    f"the handler of {self.name} returned {event!r}, but the service publishes to nowhere",
                    field="Service.to",
                    value=None,
                    remedy="give the service a destination (to=…)",
                    at_s=float(self.sim.env.now),
                )
            publish_from(self.to, event, self.name, cause, root)

    def events(self, returned: Any) -> list[Event]:
        """What a handler returned as a list; a `HandlerError` for what is no event."""
        if returned is None:
            return []
        if type(returned) is Event:
            return [returned]
        if isinstance(returned, Set):
            raise self.no_event("returned", returned, "return an Event, a list of Events, or None; a set has no order")
        several = isinstance(returned, Iterable) and not isinstance(returned, str | bytes | Mapping)
        events: list[Any] = list(returned) if several else [returned]
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


def stop(handling: Generator[Any, Any, Any]) -> None:
    """Ends a handler whose node has crashed: its `finally` and `with` blocks run, nothing else of it does.

    SimPy's `with resource.request()` does not release what it holds when a generator is only closed.
    """
    try:
        handling.throw(NodeCrashed())
    except (NodeCrashed, StopIteration):
        return
    handling.close()
