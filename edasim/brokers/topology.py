"""Topology: who publishes and who consumes which event types, in the words of the story and of no broker.

`bus.wire(topology)` lays a topology out in a broker's own words and returns a `Wiring`, which says in a sentence how it
did so. A scenario holds a topology, so that one story runs on every broker. Left out: a broker's own settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any, Protocol

from .. import checks
from ..errors import ConfigurationError
from .base import Destination, Subscription


def check_wishes(field: str, value: Any) -> Mapping[str, tuple[str, ...]]:
    """A mapping from services to the event types that they publish or consume."""
    if not isinstance(value, Mapping) or not value:
        raise checks.refuse(field, value, "give a dictionary from service names to event types")
    return {
        checks.check_text(field, service): _types(f"{field}[{service!r}]", types) for service, types in value.items()
    }


def _types(field: str, types: Any) -> tuple[str, ...]:
    """Event types in an order that is the same in every process; one may be given as it is."""
    if isinstance(types, str):
        types = [types]
    if not isinstance(types, Iterable) or isinstance(types, bytes):
        raise checks.refuse(field, types, "give a list of event types")
    named = [checks.check_text(field, each) for each in types]
    return tuple(sorted(named) if isinstance(types, Set) else named)


@checks.configuration
class Topology:
    """Which service publishes and which consumes which event types.

    Every type that is consumed must be published by someone.

    >>> shop = Topology(name="shop", publishes={"till": ["sold"]}, consumes={"stock": ["sold"]})
    >>> shop.consumers_of("sold")
    ('stock',)
    """

    name: str = checks.text()
    publishes: Mapping[str, tuple[str, ...]] = checks.checked(check_wishes)
    consumes: Mapping[str, tuple[str, ...]] = checks.checked(check_wishes)

    def check(self) -> None:
        """Nobody waits for events that nobody publishes."""
        for service, types in self.consumes.items():
            for each in types:
                if each not in self.types:
                    raise ConfigurationError(
                        f"{service} consumes {each!r}, which nobody publishes",
                        field="Topology.consumes",
                        value=each,
                        remedy=f"published are: {', '.join(self.types)}",
                    )

    @property
    def types(self) -> tuple[str, ...]:
        """All event types that are published, in order of first mention."""
        return tuple(dict.fromkeys(each for types in self.publishes.values() for each in types))

    def consumers_of(self, event_type: str) -> tuple[str, ...]:
        """The services that consume an event type."""
        return tuple(service for service, types in self.consumes.items() if event_type in types)

    def describe(self) -> str:
        """One line per event type: who tells whom."""
        return "\n".join(
            f"{' and '.join(s for s, types in self.publishes.items() if each in types)} --{each}--> "
            f"{' and '.join(self.consumers_of(each)) or 'nobody'}"
            for each in self.types
        )


class Wiring(Protocol):
    """A topology laid out in one broker."""

    topology: Topology

    def destination(self, service: str) -> Destination:
        """Where a service publishes."""

    def subscription(self, service: str) -> Subscription:
        """Where a service receives what it consumes."""

    def describe(self) -> str:
        """In a sentence, how the broker was set up."""
