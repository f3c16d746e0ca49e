"""The ledger of a consumer: what was delivered and not acknowledged, what is to be delivered again, and when.

It has no clock and no log: the consumer tells it the time and acts on what it answers. Follows nats-io/nats-server
`server/consumer.go` (`trackPending`, `processAckMsg`, `processNak`, `processTerm`, `progressUpdate`, `checkPending`).
Left out: the millisecond by which the server's timer is late on purpose, so that it takes several at once.
"""

from __future__ import annotations

from collections import OrderedDict

from .settings import AckPolicy, ConsumerSettings


class Entry:
    """One message that was delivered and not acknowledged."""

    __slots__ = ("again_since_s", "deadline_s", "deliveries", "holders")

    def __init__(self, deliveries: int, deadline_s: float) -> None:
        self.deliveries = deliveries
        self.deadline_s = deadline_s
        self.holders = 1
        self.again_since_s = 0.0


class Ledger:
    """Pending messages by stream sequence, and the queue of those to be delivered again."""

    def __init__(self, settings: ConsumerSettings) -> None:
        self.pending: dict[int, Entry] = {}
        self.again: OrderedDict[int, None] = OrderedDict()
        self.exhausted: set[int] = set()
        self.first_wait_s = settings.waits_s[0]
        self._waits_s = settings.waits_s
        self._ack_all = settings.ack_policy is AckPolicy.ALL
        self._max_deliver = settings.max_deliver
        self._max_pending = settings.max_ack_pending

    @property
    def full(self) -> bool:
        """Whether so many are pending that nothing new may be delivered."""
        return self._max_pending is not None and len(self.pending) >= self._max_pending

    def wait_s(self, deliveries: int) -> float:
        """How long an acknowledgement may take after so many deliveries, in seconds."""
        return self._waits_s[min(deliveries, len(self._waits_s)) - 1]

    def delivered(self, sequence: int, now_s: float) -> Entry:
        """A message is delivered for the first time."""
        entry = self.pending[sequence] = Entry(1, now_s + self.first_wait_s)
        return entry

    def delivered_again(self, now_s: float) -> tuple[int, Entry]:
        """The first of those that are to be delivered again, which is delivered now."""
        sequence, _ = self.again.popitem(last=False)
        entry = self.pending[sequence]
        entry.deliveries += 1
        entry.holders += 1
        entry.deadline_s = now_s + self.wait_s(entry.deliveries)
        return sequence, entry

    def acknowledge(self, sequence: int) -> list[int]:
        """Settles a message, or under the policy "all" every one up to it; returns what is settled by this."""
        if self._ack_all:
            settled = sorted(pending for pending in self.pending if pending <= sequence)
        else:
            settled = [sequence] if sequence in self.pending else []
        for each in settled:
            self.forget(each)
        return settled

    def forget(self, sequence: int) -> Entry | None:
        """The message is neither pending nor to be delivered again; returns what the ledger knew of it."""
        self.again.pop(sequence, None)
        return self.pending.pop(sequence, None)

    def refuse(self, sequence: int, now_s: float, delay_s: float) -> bool:
        """A taker cannot do it: again at once, or after a delay. False if it has been delivered too often."""
        entry = self.pending.get(sequence)
        if entry is None:
            return True
        if self._is_last(entry):
            self._exhaust(sequence)
            return False
        if delay_s > 0.0:
            self.again.pop(sequence, None)
            entry.deadline_s = now_s - self.first_wait_s + delay_s + self.wait_s(entry.deliveries)
        else:
            self._queue_again(sequence, entry, now_s)
        return True

    def extend(self, sequence: int, now_s: float) -> None:
        """The taker is at work: the wait for its acknowledgement begins anew."""
        entry = self.pending.get(sequence)
        if entry is not None:
            entry.deadline_s = now_s + self.wait_s(entry.deliveries)

    def let_go(self, sequence: int) -> None:
        """One holder fewer has the message in its hands."""
        entry = self.pending.get(sequence)
        if entry is not None:
            entry.holders -= 1

    def expire(self, now_s: float) -> tuple[list[int], list[int]]:
        """Whose wait is over: those to be delivered again, in order of the stream, and those delivered too often."""
        again, exhausted = [], []
        for sequence in sorted(self.pending):
            entry = self.pending[sequence]
            if entry.deadline_s > now_s or sequence in self.again:
                continue
            if self._is_last(entry):
                self._exhaust(sequence)
                exhausted.append(sequence)
            else:
                self._queue_again(sequence, entry, now_s)
                again.append(sequence)
        return again, exhausted

    def next_deadline_s(self) -> float | None:
        """When the next wait is over, or None if nobody waits."""
        waiting = [entry.deadline_s for sequence, entry in self.pending.items() if sequence not in self.again]
        return min(waiting, default=None)

    def _is_last(self, entry: Entry) -> bool:
        return self._max_deliver is not None and entry.deliveries >= self._max_deliver

    def _exhaust(self, sequence: int) -> None:
        self.forget(sequence)
        self.exhausted.add(sequence)

    def _queue_again(self, sequence: int, entry: Entry, now_s: float) -> None:
        if sequence not in self.again:
            self.again[sequence] = None
            entry.again_since_s = now_s
