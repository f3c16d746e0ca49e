"""A topology on RabbitMQ: one topic exchange, a durable queue per service, a binding per event type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import UnknownNameError
from ..topology import Topology

if TYPE_CHECKING:
    from .broker import RunningRabbitMQ
    from .destinations import Exchange
    from .subscription import Consumption


class RabbitWiring:
    """How a topology is laid out in this broker."""

    def __init__(self, broker: RunningRabbitMQ, topology: Topology) -> None:
        self.topology = topology
        self.broker = broker
        settings = broker.configuration
        self._exchange = broker.declare_exchange(topology.name, type="topic")
        self._consumptions: dict[str, Consumption] = {}
        for service, types in topology.consumes.items():
            queue = broker.declare_queue(
                service,
                type=settings.queue_type,
                delivery_limit=settings.delivery_limit,
                message_ttl_s=settings.message_ttl_s,
            )
            for each in types:
                queue.bind(self._exchange, each)
            self._consumptions[service] = queue.consume(prefetch=settings.prefetch)

    def destination(self, service: str) -> Exchange:
        """The exchange, for a service that publishes; `UnknownNameError` for one that the topology does not name."""
        if service not in self.topology.publishes:
            raise UnknownNameError("publisher of the topology", service, self.topology.publishes)
        return self._exchange

    def subscription(self, service: str) -> Consumption:
        """What a service consumes from its queue; `UnknownNameError` if it consumes nothing."""
        if service not in self._consumptions:
            raise UnknownNameError("consumer of the topology", service, self._consumptions)
        return self._consumptions[service]

    def describe(self) -> str:
        """How the broker was set up."""
        settings = self.broker.configuration
        bindings = "; ".join(f"{service} ({', '.join(types)})" for service, types in self.topology.consumes.items())
        bound = f"prefetch {settings.prefetch}" if settings.prefetch else "no prefetch bound"
        return (
            f"topic exchange {self._exchange.name!r}, the event type as routing key, and a {settings.queue_type.value} "
            f"queue each, with its bindings, for {bindings}; {bound}"
        )
