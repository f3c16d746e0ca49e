"""A topology laid out in NATS: a subject per event type, and a queue group or a durable consumer per service.

The subjects of a topology "shop" are "shop.<event type>". Left out: event types with blanks, which no subject can
carry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import UnknownNameError
from ..topology import Topology
from .settings import Retention, check_name
from .subjects import check_publish_subject

if TYPE_CHECKING:
    from .consumer import Consumer
    from .core import RunningNats
    from .jetstream import RunningJetStream
    from .subject import Subject
    from .subscription import CoreSubscription


def subjects_of(topology: Topology, service: str) -> tuple[str, ...]:
    """The subjects of the event types that a service consumes."""
    return tuple(check_publish_subject(f"{topology.name}.{each}") for each in topology.consumes[service])


class _Layout:
    """What both layouts share: one destination, whose subject is filled in with the type of each event."""

    def __init__(self, server: RunningNats, topology: Topology) -> None:
        self.topology = topology
        check_publish_subject(topology.name)
        self._to = server.subject(f"{topology.name}.{{type}}")

    def destination(self, service: str) -> Subject:
        """The subjects, for a service that publishes; `UnknownNameError` for one that the topology does not name."""
        if service not in self.topology.publishes:
            raise UnknownNameError("publisher of the topology", service, self.topology.publishes)
        return self._to

    def _told(self) -> str:
        parts = [f"{service} ({', '.join(types)})" for service, types in self.topology.consumes.items()]
        return "; ".join(parts)


class NatsWiring(_Layout):
    """Core NATS: a queue group per service."""

    def __init__(self, server: RunningNats, topology: Topology) -> None:
        super().__init__(server, topology)
        self._subscriptions = {
            service: server.subscribe(*subjects_of(topology, service), queue=service) for service in topology.consumes
        }

    def subscription(self, service: str) -> CoreSubscription:
        """The queue group of a service."""
        if service not in self._subscriptions:
            raise UnknownNameError("consumer of the topology", service, self._subscriptions)
        return self._subscriptions[service]

    def describe(self) -> str:
        """How the server was set up."""
        return f"subjects '{self.topology.name}.<type>' with a queue group each for {self._told()}"


class JetStreamWiring(_Layout):
    """JetStream: one stream for all event types, a durable consumer per service with filters."""

    def __init__(self, server: RunningJetStream, topology: Topology) -> None:
        super().__init__(server, topology)
        check_name("Topology.name", topology.name)
        configuration = server.configuration
        self._stream = server.stream(
            topology.name,
            subjects=f"{topology.name}.>",
            retention=Retention.INTEREST,
            duplicate_window_s=configuration.duplicate_window_s,
        )
        for service in topology.consumes:
            self._stream.consumer(
                service, filter_subjects=subjects_of(topology, service), **configuration.consumer_settings()
            )

    def subscription(self, service: str) -> Consumer:
        """The durable consumer of a service."""
        return self._stream.find_consumer(service)

    def describe(self) -> str:
        """How the server was set up."""
        return (
            f"stream {self._stream.name!r} of the subjects '{self.topology.name}.>', kept while a consumer waits for "
            f"them, with a durable consumer each for {self._told()}"
        )
