"""Dispatch: which consumer gets which message of a queue, and what happens to it when the consumer leaves.

Follows `Queue.java` (doActualDispatch, assignMessageGroup, removeSubscription) and `QueueDispatchSelector.java` of
ActiveMQ 5.17. Consumers are served in turn: who got a message goes to the end, behind those of higher priority and,
with message groups, of fewer groups; who is full is passed over. A group belongs to the consumer that got its first
message, until it leaves. While there is an exclusive consumer, it alone is served. What a leaving consumer held comes
back before everything new and counts as redelivered, looked at or not (AMQ-01, 02, 09, 10). Left out: strict order of
dispatch, slow-consumer advisories, a wait for a number of consumers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from ...kernel import Simulation
from ...kernel.runlog import CRASHED, DEAD_LETTERED, DROPPED, EXPIRED, IN_FLIGHT, NEVER, QUEUED, pack_row
from ..base import Message
from .consumer import Consumer
from .message import NO_SHARE, Entry, Headers, Share, properties_of
from .pending import PendingList
from .settings import DestinationPolicy


def is_persistent(entry: Entry) -> bool:
    """Whether a message is in the store."""
    return entry.headers.persistent


class Dispatcher:
    """The messages of one lane: waiting, or held by consumers.

    `bury(now_s, entry)` is told of a message for the dead letter queue, and says whether it was taken; `settled(now_s,
    message)` is told of each that leaves for good; `is_down()` tells whether the broker is away, `survives(entry)`
    whether its crash leaves a message.
    """

    def __init__(
        self,
        sim: Simulation,
        lane: int,
        name: str,
        policy: DestinationPolicy,
        *,
        bury: Callable[[float, Entry], bool],
        settled: Callable[[float, Message], None],
        is_down: Callable[[], bool],
        survives: Callable[[Entry], bool] = is_persistent,
    ) -> None:
        self.sim = sim
        self.lane = lane
        self.name = name
        self.policy = policy
        self.pending = PendingList(policy.order)
        self.consumers: list[Consumer] = []
        self.held: dict[int, Entry] = {}
        self.exclusive: Consumer | None = None
        self.group_owners: dict[str, Consumer] = {}
        self.nobody = sim.log.endpoint(lane, "")
        self._bury = bury
        self._settled = settled
        self._is_down = is_down
        self._survives = survives
        self._sequence = 0
        self._choosy = self._ranked = self._grouped = self._checking = False
        sim.on_end(self.open_rows)

    # ------------------------------------------------------------------------------------------------ messages

    def offer(self, now_s: float, message: Message, headers: Headers, share: Share) -> None:
        """A message that the broker accepted: to the consumer whose turn it is, or to the end of the queue."""
        entry = Entry(message, headers, share)
        if headers.group is not None and not self._grouped:
            self._grouped = True
            self._rank()
        if headers.expires_s <= now_s:
            self.expire(now_s, entry)
            return
        consumer = self._choose(entry)
        if consumer is not None:
            self._dispatch(now_s, consumer, entry)
            return
        self.pending.add(entry)
        if headers.expires_s < math.inf:
            self._check_later(now_s)

    def forget(self, now_s: float, entry: Entry) -> None:
        """A message that a consumer held leaves the queue for good; the consumer has room for another one."""
        consumer = entry.consumer
        assert consumer is not None
        del self.held[id(entry.message)]
        del consumer.held[entry.sequence]
        entry.consumer = None
        self._settled(now_s, entry.message)
        self.serve(now_s, consumer)
        entry.share.release(now_s)

    def again(self, now_s: float, entries: Iterable[Entry]) -> None:
        """What consumers held who are gone: before everything new, as the next attempt."""
        for entry in entries:
            del self.held[id(entry.message)]
            entry.consumer = None
            entry.attempt_again(now_s)
            self.pending.add_again(entry)
            if entry.headers.expires_s < math.inf:
                self._check_later(now_s)
        self.serve_all(now_s)

    def try_again(self, now_s: float, entry: Entry) -> None:
        """The client keeps the message and tries once more."""
        del self.held[id(entry.message)]
        entry.attempt_again(now_s)
        entry.delivered_s = now_s
        self.held[id(entry.message)] = entry

    def bury(self, now_s: float, entry: Entry) -> bool:
        """A message that a consumer held is poison: it leaves the queue. Whether the dead letter queue took it."""
        buried = self._bury(now_s, entry)
        self.forget(now_s, entry)
        return buried

    def bury_unseen(self, now_s: float, entry: Entry) -> None:
        """As `bury`, for a message that its client does not hand out."""
        endpoint = self._endpoint(entry)
        buried = self._bury(now_s, entry)
        self.log(now_s, entry, DEAD_LETTERED if buried else DROPPED, endpoint)
        self.forget(now_s, entry)

    def expire_held(self, now_s: float, entry: Entry) -> None:
        """A client finds in its buffer that a message is too old."""
        self.log(now_s, entry, EXPIRED, self._endpoint(entry))
        self._bury(now_s, entry)
        self.forget(now_s, entry)

    def expire(self, now_s: float, entry: Entry) -> None:
        """A message that no consumer holds is too old: it leaves the queue, and may go to the dead letter queue."""
        self.end(now_s, entry, EXPIRED)
        self._bury(now_s, entry)
        entry.share.release(now_s)

    def discard(self, now_s: float, entry: Entry) -> None:
        """A message that nobody holds, or whose consumer is gone, is lost."""
        if entry.consumer is not None:
            del self.held[id(entry.message)]
            entry.consumer = None
            entry.attempt_again(now_s)
        self.end(now_s, entry, DROPPED)
        entry.share.release(now_s)

    def let_go(self, now_s: float, entry: Entry) -> None:
        """A message whose consumer is gone is no more the broker's; the log knows already."""
        del self.held[id(entry.message)]
        entry.consumer = None
        self._settled(now_s, entry.message)
        entry.share.release(now_s)

    def end(self, now_s: float, entry: Entry, outcome: int, endpoint: int | None = None) -> None:
        """Logs the end of a message that no taker has, and tells that it is gone. Its share is not released."""
        self.log(now_s, entry, outcome, endpoint)
        self._settled(now_s, entry.message)

    def log(self, now_s: float, entry: Entry, outcome: int, endpoint: int | None = None) -> None:
        """Logs what became of an attempt that no taker has: `endpoint` is the consumer that it was dispatched to."""
        self.sim.log.add(self._row(entry, now_s, outcome, endpoint))

    # ------------------------------------------------------------------------------------------------ consumers

    def join(self, now_s: float, consumer: Consumer) -> None:
        """A new consumer."""
        self.sim.log.fact(now_s, "consumer_joined", self.name, consumer=consumer.name)
        self.consumers.append(consumer)
        self._rank()
        first = self.exclusive
        if consumer.exclusive and (first is None or consumer.priority > first.priority):
            self._set_exclusive(now_s, consumer)
        self.serve_all(now_s)

    def leave(self, now_s: float, consumer: Consumer) -> None:
        """A consumer is gone. What it held stays aside until `again`, or `forget`, for each of it."""
        if consumer not in self.consumers:
            return
        self.sim.log.fact(now_s, "consumer_left", self.name, consumer=consumer.name, held=len(consumer.held))
        self.consumers.remove(consumer)
        for group in [group for group, owner in self.group_owners.items() if owner is consumer]:
            del self.group_owners[group]
        if self.exclusive is consumer:
            rivals = [other for other in self.consumers if other.exclusive]
            self._set_exclusive(now_s, max(rivals, key=lambda rival: rival.priority, default=None))
        self._rank()

    def serve(self, now_s: float, consumer: Consumer) -> None:
        """A consumer has room: it gets the first messages that it may have."""
        while self.pending and consumer.has_room and consumer in self.consumers:
            entry = self.pending.take(lambda entry: self._may_have(consumer, entry)) if self._choosy else None
            if entry is None and not self._choosy:
                entry = self.pending.pop_first()
            if entry is None:
                return
            if entry.headers.expires_s <= now_s:
                self.expire(now_s, entry)
            else:
                self._dispatch(now_s, consumer, entry)

    def serve_all(self, now_s: float) -> None:
        """Dispatches what can be dispatched, in order, each message to the consumer whose turn it is."""
        if self._is_down():
            return
        for entry in self.pending.take_all(lambda entry: entry.headers.expires_s <= now_s):
            self.expire(now_s, entry)
        while self.pending and any(consumer.has_room for consumer in self.consumers):
            first = self.pending.take(lambda entry: self._choose(entry) is not None)
            consumer = None if first is None else self._choose(first)
            if first is None or consumer is None:
                return
            self._dispatch(now_s, consumer, first)

    def crash(self, now_s: float) -> None:
        """The broker dies: connections break, and only what is persistent is found in the store again.

        What is in work goes on, but nobody listens to its acknowledgement.
        """
        consumers, self.consumers, self.exclusive = self.consumers, [], None
        self.group_owners.clear()
        self._rank()
        for entry in self.pending.take_all(lambda entry: not self._survives(entry)):
            self.discard(now_s, entry)
        for consumer in consumers:
            back = [entry for entry in consumer.held.values() if self._lose_connection(now_s, consumer, entry)]
            consumer.forget_all()
            self.again(now_s, back)

    def _lose_connection(self, now_s: float, consumer: Consumer, entry: Entry) -> bool:
        """A message whose consumer the broker has lost: whether the broker still has it."""
        survives = self._survives(entry) and not consumer.forgets
        if not entry.taken:
            self.log(now_s, entry, CRASHED if survives else DROPPED, consumer.endpoint)
        if not survives:
            self.let_go(now_s, entry)
        return survives

    # ------------------------------------------------------------------------------------------------ the choice

    def _choose(self, entry: Entry) -> Consumer | None:
        for consumer in self.consumers:
            if consumer.has_room and (not self._choosy or self._may_have(consumer, entry)):
                return consumer
        return None

    def _may_have(self, consumer: Consumer, entry: Entry) -> bool:
        if self.exclusive is not None and consumer is not self.exclusive:
            return False
        group = entry.headers.group
        if group is not None and self.group_owners.get(group, consumer) is not consumer:
            return False
        if consumer.selector is None:
            return True
        if entry.properties is None:
            entry.properties = properties_of(self.sim, entry.message, entry.headers)
        return consumer.selector.matches(entry.properties)

    def _dispatch(self, now_s: float, consumer: Consumer, entry: Entry) -> None:
        group = entry.headers.group
        if group is not None and group not in self.group_owners:
            self.group_owners[group] = consumer
            consumer.groups += 1
            self.sim.log.fact(now_s, "message_group_assigned", self.name, group=group, consumer=consumer.name)
        self._sequence += 1
        entry.sequence = self._sequence
        entry.consumer = consumer
        entry.delivered_s = now_s
        self.held[id(entry.message)] = consumer.held[entry.sequence] = entry
        if len(self.consumers) > 1 and consumer is not self.exclusive:
            self.consumers.remove(consumer)
            self.consumers.append(consumer)
            if self._ranked:
                self._sort()
        consumer.buffer.append(entry)
        if consumer.forgets:
            share, entry.share = entry.share, NO_SHARE
            share.release(now_s)
        consumer.feed(now_s)

    def _rank(self) -> None:
        """The order of consumers after a change: higher priority first, then fewer groups, then whose turn it is."""
        self._ranked = self._grouped or any(consumer.priority for consumer in self.consumers)
        self._choosy = (
            self._grouped
            or self.exclusive is not None
            or any(consumer.selector is not None for consumer in self.consumers)
        )
        if self._ranked:
            self._sort()

    def _sort(self) -> None:
        self.consumers.sort(key=lambda consumer: (-consumer.priority, consumer.groups))

    def _set_exclusive(self, now_s: float, consumer: Consumer | None) -> None:
        self.exclusive = consumer
        self._rank()
        self.sim.log.fact(now_s, "exclusive_consumer", self.name, consumer=None if consumer is None else consumer.name)

    @staticmethod
    def _endpoint(entry: Entry) -> int:
        assert entry.consumer is not None
        return entry.consumer.endpoint

    # ------------------------------------------------------------------------------------------------ time, the end

    def _check_later(self, now_s: float) -> None:
        """Looks for expired messages at the next multiple of the period, as long as some can expire."""
        if not self._checking:
            self._checking = True
            period_s = self.policy.expire_check_s
            self.sim.env.at((math.floor(now_s / period_s) + 1) * period_s, self._check)

    def _check(self, now_s: float, _: Any) -> None:
        self._checking = False
        if not self._is_down():
            for entry in self.pending.take_all(lambda entry: entry.headers.expires_s <= now_s):
                self.expire(now_s, entry)
        if any(entry.headers.expires_s < math.inf for entry in self.pending):
            self._check_later(now_s)

    def open_rows(self, _now_s: float) -> list[bytes]:
        """The rows of what waits, and of what waits in consumers' buffers, when the run ends."""
        waiting = [self._row(entry, NEVER, QUEUED, None) for entry in self.pending]
        return waiting + [
            self._row(entry, NEVER, IN_FLIGHT, entry.consumer.endpoint)
            for entry in self.held.values()
            if entry.consumer is not None and not entry.taken
        ]

    def _row(self, entry: Entry, finished_s: float, outcome: int, endpoint: int | None) -> bytes:
        number, root, published_s, enqueued_s, attempt, _ = entry.message
        delivered_s = NEVER if endpoint is None else entry.delivered_s
        at = self.nobody if endpoint is None else endpoint
        return pack_row(number, root, published_s, enqueued_s, delivered_s, NEVER, finished_s, at, attempt, outcome)
