"""Kafka: a partitioned log, read by consumer groups.

Pure parts, usable without a simulation: `partitioner` (which partition a record goes to) and `assignors` (which member
of a group reads which partitions). Rules KAF-.. of docs/FIDELITY.md tell what is modelled and from which source.
"""

from .assignors import Strategy, assign, rebalance_rounds
from .partitioner import (
    BatchStickyPartitioner,
    InvalidPartitionsError,
    StickyPartitioner,
    Stuck,
    consistent_partition_for,
    murmur2,
    partition_for,
)

__all__ = [
    "BatchStickyPartitioner",
    "InvalidPartitionsError",
    "StickyPartitioner",
    "Strategy",
    "Stuck",
    "assign",
    "consistent_partition_for",
    "murmur2",
    "partition_for",
    "rebalance_rounds",
]
