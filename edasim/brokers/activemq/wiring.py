"""A topology laid out in ActiveMQ: a composite topic forwards to a queue per service what that service consumes.

The broker evaluates the selectors, so a queue holds nothing that its service does not want, and gets what it wants
while the service is away. Left out: virtual topics here; with them a service that consumes some of the types would have
to select from a queue that fills with the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import UnknownNameError
from ..topology import Topology
from .composite import CompositeTopic
from .consumption import Consumption

if TYPE_CHECKING:
    from .broker import RunningActiveMQ


class ActiveMQWiring:
    """A topology on ActiveMQ."""

    def __init__(self, broker: RunningActiveMQ, topology: Topology) -> None:
        self.topology = topology
        self.broker = broker
        self.topic: CompositeTopic = broker.composite_topic(topology.name)
        self._subscriptions: dict[str, Consumption] = {
            service: self.topic.forward_to(service, selector=types_selector(types)).consume()
            for service, types in topology.consumes.items()
        }

    def destination(self, service: str) -> CompositeTopic:
        """The composite topic, for a service that publishes; `UnknownNameError` for one that is not named."""
        if service not in self.topology.publishes:
            raise UnknownNameError("publisher of the topology", service, self.topology.publishes)
        return self.topic

    def subscription(self, service: str) -> Consumption:
        """The consumers of a service's queue."""
        if service not in self._subscriptions:
            raise UnknownNameError("consumer of the topology", service, self._subscriptions)
        return self._subscriptions[service]

    def describe(self) -> str:
        """How the broker was set up."""
        parts = [f"{service} ({types_selector(types)})" for service, types in self.topology.consumes.items()]
        return f"composite topic {self.topic.name!r} that forwards to a queue each for {'; '.join(parts)}"


def types_selector(types: tuple[str, ...]) -> str:
    """The selector for events of some types.

    >>> types_selector(("sold", "won't ship"))
    "JMSType IN ('sold', 'won''t ship')"
    """
    quoted = ", ".join("'" + each.replace("'", "''") + "'" for each in types)
    return f"JMSType IN ({quoted})"
