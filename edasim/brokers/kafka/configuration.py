"""The settings of Kafka that are modelled, by the names of the product with units, and with its defaults.

Follows apache/kafka 3.9: `ConsumerConfig.java`, `ProducerConfig.java`, `TopicConfig.java`, `GroupCoordinatorConfig`
(`group.initial.rebalance.delay.ms`), `ReplicationConfigs` (`replica.lag.time.max.ms`), `KRaftConfigs`
(`broker.session.timeout.ms`). Left out: everything about bytes on the wire, security and quotas.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from ... import checks
from ...errors import ConfigurationError
from ...kernel import Simulation
from ..base import Capability
from .assignors import Strategy
from .errors import InvalidReplicationFactorError
from .partitioner import check_partitions

if TYPE_CHECKING:
    from .broker import RunningKafka


class Commit(enum.Enum):
    """When a member commits its position: by itself in poll, or as its application is written."""

    AUTO = "auto"
    BEFORE_PROCESSING = "before_processing"
    AFTER_BATCH = "after_batch"
    AFTER_EACH = "after_each"


class OffsetReset(enum.Enum):
    """Where a group starts to read without a valid committed offset (`auto.offset.reset`)."""

    LATEST = "latest"
    EARLIEST = "earliest"
    NONE = "none"


class Acks(enum.Enum):
    """Who must have a record before its producer is told (`acks`)."""

    ALL = "all"
    LEADER = "1"
    NONE = "0"


class Isolation(enum.Enum):
    """Whether a group sees records of open and aborted transactions (`isolation.level`)."""

    READ_UNCOMMITTED = "read_uncommitted"
    READ_COMMITTED = "read_committed"


class Keyless(enum.Enum):
    """Where records without a key go (`partitioner.class`): sticky by bytes (3.3 and newer), by batch, or in turn."""

    STICKY = "sticky"
    BATCH_STICKY = "batch_sticky"
    ROUND_ROBIN = "round_robin"


class Cleanup(enum.Enum):
    """What becomes of old segments (`cleanup.policy`)."""

    DELETE = "delete"
    COMPACT = "compact"


@checks.configuration
class Kafka:
    """The configuration of a cluster and its clients; `start(sim)` puts it into a simulation.

    What a topic or a group needs otherwise is said where it is made. Times are seconds; `request_s` is how long a
    produce request and its answer take each, `replication_s` how long after the leader a follower has a record. With
    the defaults of both, 0, a record can be read at the instant of its publishing, as the queueing models have it.
    Every record counts as `record_bytes`.

    >>> Kafka(partitions=6).start(Simulation(seed=1)).topic("orders").partitions
    6
    """

    name: str = checks.text(default="kafka")
    brokers: int = checks.at_least(1, default=3)
    partitions: int = checks.checked(check_partitions, default=1)
    replicas: int = checks.at_least(1, default=3)
    min_in_sync: int = checks.at_least(1, default=1)
    unclean_election: bool = checks.kind(bool, "True or False", default=False)
    replication_s: float = checks.non_negative(default=0.0)
    replica_lag_max_s: float = checks.positive(default=30.0)
    broker_session_timeout_s: float = checks.positive(default=9.0)
    segment_s: float = checks.positive(default=604_800.0)
    segment_bytes: int = checks.at_least(1, default=1_073_741_824)
    retention_s: float | None = checks.optional(checks.check_positive, default=604_800.0)
    retention_bytes: int | None = checks.optional(checks.check_whole(0), default=None)
    retention_check_s: float = checks.positive(default=300.0)
    delete_retention_s: float = checks.positive(default=86_400.0)
    offsets_retention_s: float = checks.positive(default=604_800.0)
    record_bytes: int = checks.at_least(1, default=100)

    acks: Acks = checks.word(Acks, default=Acks.ALL)
    idempotence: bool = checks.kind(bool, "True or False", default=True)
    linger_s: float = checks.non_negative(default=0.0)
    batch_bytes: int = checks.at_least(1, default=16_384)
    in_flight: int = checks.at_least(1, default=5)
    request_s: float = checks.non_negative(default=0.0)
    retry_backoff_s: float = checks.positive(default=0.1)
    delivery_timeout_s: float = checks.positive(default=120.0)
    transaction_timeout_s: float = checks.positive(default=60.0)
    keyless: Keyless = checks.word(Keyless, default=Keyless.STICKY)

    assignor: Strategy = checks.word(Strategy, default=Strategy.RANGE)
    commit: Commit = checks.word(Commit, default=Commit.AUTO)
    auto_commit_interval_s: float = checks.positive(default=5.0)
    auto_offset_reset: OffsetReset = checks.word(OffsetReset, default=OffsetReset.LATEST)
    isolation: Isolation = checks.word(Isolation, default=Isolation.READ_UNCOMMITTED)
    static_members: bool = checks.kind(bool, "True or False", default=False)
    max_poll_records: int = checks.at_least(1, default=500)
    max_poll_interval_s: float = checks.positive(default=300.0)
    fetch_min_bytes: int = checks.at_least(1, default=1)
    fetch_max_wait_s: float = checks.positive(default=0.5)
    session_timeout_s: float = checks.positive(default=45.0)
    heartbeat_s: float = checks.positive(default=3.0)
    initial_rebalance_delay_s: float = checks.non_negative(default=3.0)
    metadata_max_age_s: float = checks.positive(default=300.0)

    capabilities = frozenset(
        {
            Capability.PUBLISH_SUBSCRIBE,
            Capability.COMPETING_CONSUMERS,
            Capability.FILTERING,
            Capability.ACKNOWLEDGEMENT,
            Capability.REDELIVERY,
            Capability.PARTITIONED_LOG,
            Capability.REPLAY,
            Capability.TRANSACTIONS,
        }
    )

    def check(self) -> None:
        """What the product refuses at start."""
        if self.replicas > self.brokers:
            remedy = f"there are only {self.brokers} brokers"
            raise InvalidReplicationFactorError(
                f"Kafka.replicas is {self.replicas!r}", field="Kafka.replicas", value=self.replicas, remedy=remedy
            )
        if self.heartbeat_s >= self.session_timeout_s:
            raise _refused("heartbeat_s", self.heartbeat_s, "give less than session_timeout_s; a third is usual")
        if self.idempotence and self.in_flight > 5:
            raise _refused("in_flight", self.in_flight, "an idempotent producer has at most 5 requests in flight")

    @property
    def idempotent(self) -> bool:
        """Whether producers are idempotent; only those with acks=all can be."""
        return self.idempotence and self.acks is Acks.ALL

    def start(self, sim: Simulation) -> RunningKafka:
        """Starts the cluster in `sim`."""
        from .broker import RunningKafka

        return RunningKafka(self, sim)

    def describe(self) -> str:
        """The cluster in plain words."""
        plural = "s" if self.partitions > 1 else ""
        return (
            f"Kafka with {self.partitions} partition{plural} a topic; groups share partitions by {self.assignor.value}"
            f" and commit {self.commit.value.replace('_', ' ')}"
        )


def _refused(field: str, value: object, remedy: str) -> ConfigurationError:
    return checks.refuse(f"Kafka.{field}", value, remedy)
