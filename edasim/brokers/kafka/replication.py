"""The replicas of one partition: leader, in-sync set, high watermark, and what a failure loses.

Follows apache/kafka 3.9, `Partition.scala`, `ReplicaManager.scala`, `PartitionChangeBuilder.java`: followers have a
record `replication_s` after the leader; the high watermark is what all in-sync replicas have (KAF-32), and stands still
while they are fewer than `min.insync.replicas`, as since 3.7 (KAFKA-15583, KIP-966); a follower that
is cut off leaves the set after `replica.lag.time.max.ms` (KAF-33), one that is down when the controller notices
(`broker.session.timeout.ms`), and comes back when it has caught up. When the controller notices that the leader is
down, the first in-sync replica that is up leads; what it lacks is gone (KAF-34). Without one the partition waits, or,
with unclean election, any replica that is up leads.

Left out: a leader that is cut off and does not know it, leader epochs, the return of a preferred leader, disks.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ...kernel import Simulation
from ..base import Message
from .configuration import Acks, Kafka
from .log import PartitionLog

if TYPE_CHECKING:
    from .cluster import Cluster


class Answer(enum.Enum):
    """What a produce request is answered with."""

    STORED = "stored"
    KNOWN = "stored already"
    NOT_LEADER = "NotLeaderOrFollowerException"
    NOT_ENOUGH_REPLICAS = "NotEnoughReplicasException"
    OUT_OF_ORDER = "OutOfOrderSequenceException"


class Batch(Protocol):
    """Records of one producer for one partition."""

    producer: str
    sequence: int | None
    messages: list[Message]
    acks: Acks
    transaction: str | None
    acknowledged: bool

    def stored(self, now_s: float, offset: int) -> None:
        """All in-sync replicas have it."""

    def unanswered(self, now_s: float) -> None:
        """The leader died before it answered."""


class Replicas:
    """The replicas of one partition; `log` is what the leader has, a follower is known by how far it has come."""

    def __init__(
        self,
        sim: Simulation,
        settings: Kafka,
        cluster: Cluster,
        log: PartitionLog,
        lost: Callable[[float, list[Message]], None],
    ) -> None:
        self.sim = sim
        self.settings = settings
        self.cluster = cluster
        self.log = log
        self.brokers = [(log.number + place) % settings.brokers for place in range(settings.replicas)]
        self.leader: int | None = self.brokers[0]
        self.in_sync = list(self.brokers)
        self.reached = dict.fromkeys(self.brokers, log.end)
        self._tail: list[tuple[int, Batch]] = []
        self._sequences: dict[str, list[tuple[int, int]]] = {}
        self._lost = lost

    @property
    def available(self) -> bool:
        """Whether there is a leader that is up."""
        return self.leader is not None and self.cluster.is_up(self.leader)

    def catch_up_silently(self) -> None:
        """All in-sync replicas have all there is, as long as nothing waits for replication."""
        for broker in self.in_sync:
            self.reached[broker] = self.log.end

    # ---------------------------------------------------------------- producing

    def produce(self, now_s: float, batch: Batch) -> tuple[Answer, int]:
        """A produce request arrives at the leader; the answer and the offset of the first record."""
        if not self.available:
            return Answer.NOT_LEADER, -1
        if batch.acks is Acks.ALL and self.too_few:
            return Answer.NOT_ENOUGH_REPLICAS, -1
        if batch.sequence is not None:
            known = self._sequences.setdefault(batch.producer, [])
            for sequence, first in known:
                if sequence == batch.sequence:
                    if first + len(batch.messages) <= self.high:
                        return Answer.KNOWN, first
                    self._tail.append((first, batch))
                    return Answer.STORED, first
            if batch.sequence != (known[-1][0] + 1 if known else 0):
                return Answer.OUT_OF_ORDER, -1
            known.append((batch.sequence, self.log.end))
        first = self.log.end
        self.log.records.extend(
            (*message[:3], now_s, *message[4:]) if message[3] != now_s else message for message in batch.messages
        )
        if batch.transaction is not None:
            self.log.open_from.setdefault(batch.transaction, first)
            self.log.transactional.setdefault(batch.transaction, []).extend(range(first, self.log.end))
        self._tail.append((first, batch))
        self._replicate(now_s)
        return Answer.STORED, first

    def mark(self, now_s: float, transaction: str, *, aborted: bool) -> None:
        """The end of a transaction: a control marker, which takes an offset, and is nothing to read."""
        offsets = self.log.transactional.pop(transaction, [])
        self.log.open_from.pop(transaction, None)
        if aborted:
            self.log.aborted.update(offsets)
        self.log.records.append(None)
        self._replicate(now_s)

    @property
    def too_few(self) -> bool:
        """Whether fewer replicas are in sync than `min.insync.replicas`, of which there are no more than replicas."""
        return len(self.in_sync) < min(self.settings.min_in_sync, self.settings.replicas)

    @property
    def high(self) -> int:
        """The high watermark; with too few replicas in sync it stays where it is."""
        if self.too_few:
            return self.log.high
        return min((self.reached[broker] for broker in self.in_sync), default=self.log.high)

    def _replicate(self, now_s: float) -> None:
        if self.leader is not None:
            self.reached[self.leader] = self.log.end
        if self.settings.replication_s == 0.0:
            self._fetched(now_s, self.log.end)
        else:
            self._advance(now_s)
            self.sim.env.at(now_s + self.settings.replication_s, self._fetched, self.log.end)

    def _fetched(self, now_s: float, up_to: int) -> None:
        """The followers that can have fetched what the leader had a while ago."""
        if not self.available:
            return
        for broker in self.brokers:
            if broker != self.leader and self.cluster.follows(broker):
                self.reached[broker] = max(self.reached[broker], min(up_to, self.log.end))
                if broker not in self.in_sync and self.reached[broker] >= self.log.high:
                    self.in_sync.append(broker)
                    self._fact(now_s, "isr_expanded", broker=broker)
        self._advance(now_s)

    def _advance(self, now_s: float) -> None:
        high = self.high
        self.log.high = high
        self.log.lagging = high < self.log.end
        while self._tail and self._tail[0][0] + len(self._tail[0][1].messages) <= high:
            first, batch = self._tail.pop(0)
            batch.stored(now_s, first)
        self.log.announce(now_s)

    # ---------------------------------------------------------------- failures

    def follower_cut_off(self, now_s: float, broker: int) -> None:
        """A follower cannot fetch: it leaves the in-sync set when it has lagged for too long."""
        self.sim.env.at(now_s + self.settings.replica_lag_max_s, self._leave_if_behind, broker)

    def _leave_if_behind(self, now_s: float, broker: int) -> None:
        if not self.cluster.follows(broker) and broker != self.leader:
            self._shrink(now_s, broker)

    def _shrink(self, now_s: float, broker: int) -> None:
        if broker in self.in_sync and len(self.in_sync) > 1:
            self.in_sync.remove(broker)
            self._fact(now_s, "isr_shrunk", broker=broker, in_sync=list(self.in_sync))
            self._advance(now_s)

    def broker_down(self, now_s: float, broker: int) -> None:
        """A broker is down: requests that its partitions had not answered are never answered."""
        if broker == self.leader:
            waiting, self._tail = self._tail, [each for each in self._tail if each[1].acknowledged]
            for _, batch in waiting:
                if not batch.acknowledged:
                    batch.unanswered(now_s)

    def broker_fenced(self, now_s: float, broker: int) -> None:
        """The controller has noticed that a broker is down."""
        if broker != self.leader:
            return self._shrink(now_s, broker)
        return self._elect(now_s)

    def broker_back(self, now_s: float, broker: int) -> None:
        """A broker is up, or reachable, again: it fetches what it lacks, or leads if nobody does."""
        if broker not in self.brokers:
            return
        if self.leader is None or not self.cluster.is_up(self.leader):
            self._elect(now_s)
        self.reached[broker] = min(self.reached[broker], self.log.end)
        self.sim.env.at(now_s + self.settings.replication_s, self._fetched, self.log.end)

    def _elect(self, now_s: float) -> None:
        up = [broker for broker in self.brokers if self.cluster.is_up(broker)]
        clean = [broker for broker in up if broker in self.in_sync]
        if not clean and not (up and self.settings.unclean_election):
            if self.leader is not None:
                self._fact(now_s, "partition_offline", in_sync=list(self.in_sync))
            self.leader = None
            return
        former, self.leader = self.leader, (clean or up)[0]
        self.in_sync = clean or [self.leader]
        self._fact(
            now_s, "leader_elected", broker=self.leader, was=former, in_sync=list(self.in_sync), clean=bool(clean)
        )
        self._truncate(now_s, self.reached[self.leader])

    def _truncate(self, now_s: float, offset: int) -> None:
        lost = self.log.truncate(offset)
        for name, known in self._sequences.items():
            self._sequences[name] = [(sequence, first) for sequence, first in known if first < offset]
        self.reached = {broker: min(reached, self.log.end) for broker, reached in self.reached.items()}
        self._tail = [(first, batch) for first, batch in self._tail if first < offset]
        gone = [record for record in lost if record[0] not in self.cluster.unacknowledged]
        if gone:
            self._fact(now_s, "records_lost", records=len(gone), from_offset=offset)
            self._lost(now_s, gone)
        self._replicate(now_s)

    def _fact(self, now_s: float, kind: str, **detail: object) -> None:
        self.sim.log.fact(now_s, kind, f"{self.log.topic}-{self.log.number}", **detail)
