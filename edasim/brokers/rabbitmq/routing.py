"""Exchanges and bindings: which queues a message reaches.

Follows what was measured on RabbitMQ 3.10.8 (tables rabbitmq/topic_matching, headers_matching, ordering_and_routing),
e2e.md and ae.md of rabbitmq-website (versioned_docs/version-3.13) and rabbit_exchange.erl of rabbitmq-server (`route`):
a queue gets one copy however many bindings take the message, circles of exchanges are walked once, and an exchange of
which no binding takes the message passes it to its alternate exchange. Left out: exchanges of plugins, CC and BCC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .headers import check_binding, headers_match
from .settings import ExchangeArguments, ExchangeType
from .topic import check_short_string, topic_matches

if TYPE_CHECKING:
    from .queue import QueueState
    from .stream import Stream


class Binding(NamedTuple):
    """From an exchange to a queue or another exchange."""

    destination: QueueState | Stream | RoutingTable
    key: str
    arguments: Mapping[str, Any]


class RoutingTable:
    """The bindings of one exchange."""

    def __init__(self, name: str, arguments: ExchangeArguments) -> None:
        self.name = name
        self.arguments = arguments
        self.bindings: list[Binding] = []

    def add(self, destination: QueueState | Stream | RoutingTable, key: str, arguments: Mapping[str, Any]) -> None:
        """One more binding; the same binding twice is one."""
        check_short_string("routing_key", key)
        if self.arguments.type is ExchangeType.HEADERS:
            check_binding(arguments)
        binding = Binding(destination, key, dict(arguments))
        if binding not in self.bindings:
            self.bindings.append(binding)

    def remove(self, destination: QueueState | Stream | RoutingTable) -> None:
        """Removes all bindings to a destination."""
        self.bindings = [binding for binding in self.bindings if binding.destination is not destination]

    def taken_by(self, keys: tuple[str, ...], headers: Mapping[str, Any]) -> list[Binding]:
        """The bindings that take a message with these routing keys and headers."""
        return [binding for binding in self.bindings if self._takes(binding, keys, headers)]

    def _takes(self, binding: Binding, keys: tuple[str, ...], headers: Mapping[str, Any]) -> bool:
        match self.arguments.type:
            case ExchangeType.FANOUT:
                return True
            case ExchangeType.HEADERS:
                return headers_match(binding.arguments, headers)
            case ExchangeType.TOPIC:
                return any(topic_matches(binding.key, key) for key in keys)
            case _:
                return binding.key in keys


def walk(
    start: RoutingTable, tables: Mapping[str, RoutingTable], keys: tuple[str, ...], headers: Mapping[str, Any]
) -> tuple[list[QueueState | Stream], list[tuple[str, Binding]]]:
    """The queues that a message reaches from an exchange, each once, and the bindings that it takes on the way."""
    queues: dict[int, QueueState | Stream] = {}
    taken: list[tuple[str, Binding]] = []
    seen = {start.name}
    ahead = [start]
    for table in ahead:
        bindings = table.taken_by(keys, headers)
        taken.extend((table.name, binding) for binding in bindings)
        further = [each.destination for each in bindings if isinstance(each.destination, RoutingTable)]
        alternate = tables.get(table.arguments.alternate_exchange or "")
        if not bindings and table.arguments.alternate_exchange and alternate is not None:
            further.append(alternate)
        for binding in bindings:
            if not isinstance(binding.destination, RoutingTable):
                queues.setdefault(id(binding.destination), binding.destination)
        for each in further:
            if each.name not in seen:
                seen.add(each.name)
                ahead.append(each)
    return list(queues.values()), taken
