"""Where in a stream a new consumer starts: a pure choice of sequences.

Follows nats-io/nats-server `server/consumer.go` (`selectStartingSeqNo`, `lastSeqSkipList`) and data/measured/nats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from .settings import ConsumerSettings, DeliverPolicy


class Recorded(Protocol):
    """What the choice reads of a stream."""

    def entries(self) -> Iterable[tuple[int, str, float]]:
        """Sequence, subject and time of storing in seconds of all that is stored, in order."""


def start_at(settings: ConsumerSettings, stream: Recorded, wants: Callable[[str], bool]) -> list[int]:
    """The sequences of stored messages that a new consumer is to deliver, in order."""
    policy = settings.deliver_policy
    if policy is DeliverPolicy.NEW:
        return []
    stored = [(sequence, subject, stored_s) for sequence, subject, stored_s in stream.entries() if wants(subject)]
    if policy is DeliverPolicy.LAST:
        return [sequence for sequence, _, _ in stored[-1:]]
    if policy is DeliverPolicy.LAST_PER_SUBJECT:
        return sorted({subject: sequence for sequence, subject, _ in stored}.values())
    if policy is DeliverPolicy.BY_START_SEQUENCE:
        assert settings.start_sequence is not None
        return [sequence for sequence, _, _ in stored if sequence >= settings.start_sequence]
    if policy is DeliverPolicy.BY_START_TIME:
        assert settings.start_time_s is not None
        return [sequence for sequence, _, stored_s in stored if stored_s >= settings.start_time_s]
    return [sequence for sequence, _, _ in stored]
