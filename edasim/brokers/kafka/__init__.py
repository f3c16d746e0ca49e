"""Kafka: a partitioned log, read by consumer groups.

Pure parts, usable without a simulation: `partitioner` (which partition a record goes to) and `assignors` (which member
of a group reads which partitions), `retention` (what is thrown away). The cluster: `Kafka` is its configuration,
`broker` the running one; `log`, `replication`, `cluster` and `producer` write, `group`, `places`, `claims`, `member`
and `coordinator` read. Rules KAF-.. of docs/FIDELITY.md tell what is modelled and from which source. Left out: the
newer group protocol (KIP-848), share groups (KIP-932).
"""

from .assignors import Strategy, assign, rebalance_rounds
from .broker import ByType, KafkaWiring, RunningKafka
from .by_hand import CommitFailedError, Record
from .configuration import Acks, Cleanup, Commit, Isolation, Kafka, Keyless, OffsetReset
from .errors import (
    InconsistentGroupProtocolError,
    InvalidOffsetError,
    InvalidReplicationFactorError,
    OffsetOutOfRangeError,
    TopicExistsError,
    UnknownTopicOrPartitionError,
)
from .group import Group
from .partitioner import (
    BatchStickyPartitioner,
    InvalidPartitionsError,
    StickyPartitioner,
    Stuck,
    consistent_partition_for,
    murmur2,
    partition_for,
)
from .places import NoOffsetForPartitionError
from .producer import DeliveryTimeoutError, Producer, ProducerFencedError, TransactionError
from .topic import InvalidTopicError, Topic

__all__ = [
    "Acks",
    "BatchStickyPartitioner",
    "ByType",
    "Cleanup",
    "Commit",
    "CommitFailedError",
    "DeliveryTimeoutError",
    "Group",
    "InconsistentGroupProtocolError",
    "InvalidOffsetError",
    "InvalidPartitionsError",
    "InvalidReplicationFactorError",
    "InvalidTopicError",
    "Isolation",
    "Kafka",
    "KafkaWiring",
    "Keyless",
    "NoOffsetForPartitionError",
    "OffsetOutOfRangeError",
    "OffsetReset",
    "Producer",
    "ProducerFencedError",
    "Record",
    "RunningKafka",
    "StickyPartitioner",
    "Strategy",
    "Stuck",
    "Topic",
    "TopicExistsError",
    "TransactionError",
    "UnknownTopicOrPartitionError",
    "assign",
    "consistent_partition_for",
    "murmur2",
    "partition_for",
    "rebalance_rounds",
]
