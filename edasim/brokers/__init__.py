"""Brokers: each true to itself, under its own words, with a small vocabulary in common (`base`).

`memory` is a bus inside one process; `kafka`, `rabbitmq`, `activemq` and `nats` are rooms of their own, loaded at first
use. `by_hand` lets your own SimPy process publish and receive with any of them; `calibrate` reads a model's settings
off a table of measured deliveries. Left out: bytes on a wire, security.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .base import Capability, require
from .memory import MemoryBus, Overflow
from .topology import Topology

_ROOMS = ("activemq", "kafka", "nats", "rabbitmq")
_HOMES = {
    "ActiveMQ": "activemq",
    "DestinationPolicy": "activemq",
    "RedeliveryPolicy": "activemq",
    "Kafka": "kafka",
    "Nats": "nats",
    "JetStream": "nats",
    "RabbitMQ": "rabbitmq",
    "Calibration": "calibration",
    "calibrate": "calibration",
}

__all__ = [
    "ActiveMQ",
    "Calibration",
    "Capability",
    "JetStream",
    "Kafka",
    "MemoryBus",
    "Nats",
    "Overflow",
    "RabbitMQ",
    "Topology",
    "calibrate",
    "require",
]


def __getattr__(name: str) -> Any:
    """Loads a broker's room at its first use."""
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
