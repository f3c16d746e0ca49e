"""Which partition a message goes to: by its key, by a partitioner of yours, or, without a key, by a sticky policy.

The key of a message is its event's extension `partitionkey`, or else its subject. Rules KAF-01 and KAF-02.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable

from ... import checks
from ...kernel import Simulation
from ...kernel.runlog import PUBLISHER_BITS
from ..base import Message, event_of
from .configuration import Kafka, Keyless
from .partitioner import BatchStickyPartitioner, StickyPartitioner, Stuck, choose, partition_for

Partitioner = Callable[[Message], int]
"""Takes a message (number, root, published_s, enqueued_s, attempt, event or None) and returns a partition."""

REMEMBERED_KEYS = 100_000


def key_of(sim: Simulation, message: Message) -> bytes | None:
    """The key of a message, or None."""
    event = event_of(sim, message)
    key = event.extensions.get("partitionkey") or event.subject
    return None if key is None else str(key).encode()


class Keys:
    """Chooses partitions for one topic; keyless records of each publisher have a partition of their own for a while."""

    def __init__(self, sim: Simulation, topic: str, settings: Kafka, partitions: int, own: Partitioner | None) -> None:
        self.sim = sim
        self.partitions = partitions
        self.own = own
        self._settings = settings
        self._draw = sim.streams.uniform(f"kafka/{settings.name}/{topic}/partitioner")
        self._known: dict[bytes, int] = {}
        self._alike: dict[int, bytes | None] = {}
        self._stuck: dict[int, Stuck] = {}
        self._turn: dict[int, int] = {}

    def grow(self, partitions: int) -> None:
        """From now on keys are spread over more partitions (KAF-03)."""
        self.partitions = partitions
        self._known.clear()

    def key(self, message: Message) -> bytes | None:
        """The key of a message; a publisher whose events are made on demand has one key for all."""
        if message[5] is not None:
            return key_of(self.sim, message)
        publisher = message[0] >> PUBLISHER_BITS
        if publisher not in self._alike:
            self._alike[publisher] = key_of(self.sim, message)
        return self._alike[publisher]

    def partition(self, message: Message) -> int:
        """The partition of a message."""
        if self.own is not None:
            return self.checked(self.own(message))
        key = self.key(message)
        if key is None:
            return self._keyless(message[0] >> PUBLISHER_BITS)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= REMEMBERED_KEYS:
                self._known.clear()
            found = self._known[key] = partition_for(key, self.partitions)
        return found

    def batch_begun(self, publisher: int) -> None:
        """A batch of this publisher was closed; clients before 3.3 change the partition of keyless records now."""
        if self._settings.keyless is Keyless.BATCH_STICKY and publisher in self._stuck:
            stuck = self._stuck[publisher]
            everywhere = range(self.partitions)
            self._stuck[publisher] = BatchStickyPartitioner().batch_begun(stuck, everywhere, self._draw())

    def _keyless(self, publisher: int) -> int:
        if self._settings.keyless is Keyless.ROUND_ROBIN:
            turn = self._turn.get(publisher, 0)
            self._turn[publisher] = turn + 1
            return turn % self.partitions
        everywhere = range(self.partitions)
        stuck = self._stuck.get(publisher)
        if stuck is None:
            stuck = Stuck(choose(everywhere, self._draw()))
        if self._settings.keyless is Keyless.STICKY:
            policy = StickyPartitioner(batch_bytes=self._settings.batch_bytes)
            size_bytes, draw = self._settings.record_bytes, self._draw
            after = Stuck(stuck.partition, stuck.produced_bytes + size_bytes)
            if after.produced_bytes >= policy.batch_bytes:
                after = policy.appended(stuck, size_bytes, batches_complete=True, available=everywhere, draw=draw())
            self._stuck[publisher] = after
        else:
            self._stuck[publisher] = stuck
        return stuck.partition

    def checked(self, partition: object) -> int:
        """What a partitioner of yours returned, if it is the number of a partition."""
        if isinstance(partition, numbers.Integral) and not isinstance(partition, bool):
            whole = int(partition)
            if 0 <= whole < self.partitions:
                return whole
        raise checks.refuse("partitioner", partition, f"return a partition from 0 to {self.partitions - 1}")
