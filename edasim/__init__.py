"""edasim: a laboratory in which event-driven architecture is learned by running it.

Nothing is imported before it is used: `import edasim` costs next to nothing, and pandas, matplotlib, networkx and
ipywidgets are loaded by the rooms that need them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Simulation": "kernel",
    "Event": "events",
    "MemoryBus": "brokers",
    "Kafka": "brokers",
    "ActiveMQ": "brokers",
    "Nats": "brokers",
    "JetStream": "brokers",
    "RabbitMQ": "brokers",
    "Source": "services",
    "Service": "services",
    "EdasimError": "errors",
}
_ROOMS = {
    "brokers": "brokers",
    "course": "course",
    "events": "events",
    "experiments": "experiments",
    "failures": "failures",
    "governance": "governance",
    "labs": "labs",
    "load": "services.load",
    "network": "network",
    "scenarios": "scenarios",
    "services": "services",
    "sourcing": "sourcing",
    "theory": "theory",
    "times": "kernel.times",
    "viz": "viz",
}

_UNLISTED = {"network"}
"""Rooms that few programs name: reachable like the others, but not among the names that the root advertises."""

__all__ = [*_HOMES, *(room for room in _ROOMS if room not in _UNLISTED)]


def __getattr__(name: str) -> Any:
    """Loads a public name at its first use."""
    if name in _HOMES:
        found = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    elif name in _ROOMS:
        found = import_module(f".{_ROOMS[name]}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
