"""Partitioners: which partition of a topic a record goes to.

A record with a key follows its key: `partition_for` as the Java client does (murmur2), `consistent_partition_for` as
librdkafka does by default (crc32), so that two producers in two languages may disagree. A record without a key follows
a sticky policy, of which there are two: `StickyPartitioner` of Kafka 3.3 and newer (KIP-794, `BuiltInPartitioner.java`
and `RecordAccumulator.java` of apache/kafka) counts bytes; `BatchStickyPartitioner` of 2.4 to 3.2 (KIP-480) changes
with each new batch. Rules KAF-01 and KAF-02. Left out: partitions shunned because their broker answers slowly
(`partitioner.availability.timeout.ms`, off by default); the caller says which partitions have a leader.

>>> partition_for(b"user-1", 12), consistent_partition_for(b"user-1", 12)
(8, 8)
"""

from __future__ import annotations

import bisect
import itertools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from ... import checks
from ...errors import ConfigurationError

_WORD = 0xFFFFFFFF
_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C


class InvalidPartitionsError(ConfigurationError):
    """A number of partitions that no topic can have (Kafka: InvalidPartitionsException)."""


def check_partitions(field: str, value: object) -> int:
    """A number of partitions: whole and at least 1; anything else is an `InvalidPartitionsError`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        remedy = "give a whole number of partitions, at least 1"
        raise InvalidPartitionsError(f"{field} is {value!r}", field=field, value=value, remedy=remedy)
    return value


def murmur2(key: bytes) -> int:
    """The 32-bit murmur2 hash of `key`, unsigned, with the seed of Kafka's Java client (`Utils.murmur2`).

    >>> murmur2(b"foobar")
    3504634814
    """
    key = _check_key(key)
    mixed = _SEED ^ len(key)
    whole = len(key) - len(key) % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * _MULTIPLIER & _WORD
        word = (word ^ word >> 24) * _MULTIPLIER & _WORD
        mixed = mixed * _MULTIPLIER & _WORD ^ word
    if whole < len(key):
        mixed = (mixed ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _WORD
    mixed = (mixed ^ mixed >> 13) * _MULTIPLIER & _WORD
    return mixed ^ mixed >> 15


def partition_for(key: bytes, partitions: int) -> int:
    """The partition of a record with this key, as the Java client chooses it: from 0 to `partitions` − 1."""
    return (murmur2(key) & 0x7FFFFFFF) % check_partitions("partitions", partitions)


def consistent_partition_for(key: bytes, partitions: int) -> int:
    """The partition of a record with this key, as librdkafka's `consistent` partitioner chooses it (crc32)."""
    return zlib.crc32(_check_key(key)) % check_partitions("partitions", partitions)


def _check_key(key: bytes) -> bytes:
    if not isinstance(key, bytes | bytearray):
        raise checks.refuse(
            "key", key, "give bytes (text: key.encode()); a record without a key has a sticky partition"
        )
    return bytes(key)


@dataclass(frozen=True)
class Stuck:
    """Where records without a key go at present, and how many bytes went there since the last change."""

    partition: int
    produced_bytes: int = 0


def choose(available: Sequence[int], draw: float, waiting: Sequence[int] | None = None) -> int:
    """One of the `available` partitions by a uniform `draw` in [0, 1).

    With `waiting` (batches that wait in the producer, for each available partition) the choice is adaptive: a partition
    is drawn in proportion to (largest number waiting + 1 − its own number). Without it, all are equally likely.
    """
    if not available:
        raise checks.refuse("available", available, "give at least one partition")
    if waiting is not None and len(waiting) != len(available):
        raise checks.refuse("waiting", waiting, f"give one number for each of the {len(available)} partitions")
    weights = [1] * len(available) if waiting is None else [max(waiting) + 1 - each for each in waiting]
    totals = list(itertools.accumulate(weights))
    return available[bisect.bisect_right(totals, int(draw * totals[-1]))]


@checks.configuration
class StickyPartitioner:
    """Records without a key stay on one partition until `batch_bytes` went there; then another is drawn.

    While a batch of the partition is incomplete the change waits, but not beyond twice `batch_bytes`. A batch that
    leaves because `linger.ms` is over changes nothing, so a slow producer stays on one partition for long.
    """

    batch_bytes: int = checks.at_least(1, default=16384)

    def appended(
        self,
        stuck: Stuck,
        size_bytes: int,
        batches_complete: bool,
        available: Sequence[int],
        draw: float,
        waiting: Sequence[int] | None = None,
    ) -> Stuck:
        """Where the next record without a key goes, after one of `size_bytes` was appended to `stuck.partition`.

        `batches_complete` is observed: no batch of that partition has room left.
        """
        produced_bytes = stuck.produced_bytes + size_bytes
        enough = self.batch_bytes if batches_complete else 2 * self.batch_bytes
        if produced_bytes < enough:
            return Stuck(stuck.partition, produced_bytes)
        return Stuck(choose(available, draw, waiting))


@checks.configuration
class BatchStickyPartitioner:
    """Records without a key stay on one partition until a new batch is begun there; then another one is drawn.

    The clients from 2.4 to 3.2: a batch is closed when it is full or sent, so `linger.ms` decides as well.
    """

    def batch_begun(self, stuck: Stuck, available: Sequence[int], draw: float) -> Stuck:
        """Where the next record without a key goes, after the batch of `stuck.partition` was closed.

        Never the same partition, if there is another.
        """
        others = [each for each in available if each != stuck.partition]
        return Stuck(choose(others or available, draw))
