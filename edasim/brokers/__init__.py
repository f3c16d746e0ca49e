"""Brokers: each true to itself, under its own words, with a small vocabulary in common (`base`).

`memory` is a bus inside one process. `by_hand` lets your own SimPy process publish and receive with any of them.
"""

from .base import Capability, require
from .memory import MemoryBus, Overflow
from .topology import Topology

__all__ = ["Capability", "MemoryBus", "Overflow", "Topology", "require"]
