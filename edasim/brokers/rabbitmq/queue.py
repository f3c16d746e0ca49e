"""A queue: ready messages in their order, what consumers hold unacknowledged, and when a message leaves.

Follows what was measured on RabbitMQ 3.10.8 (tables rabbitmq/dispatch, requeue_position, expiry_deadletter_length,
ordering_and_routing), rabbit_amqqueue_process.erl of rabbitmq-server (`requeue_and_run`, `will_overflow`) and
versioned_docs/version-3.13 of rabbitmq-website: ttl.md, maxlength/index.md, dlx.md, consumers.md. Expiry acts at the
head of the queue only. A requeued message keeps its time of expiry. What a lost channel held comes back at once, all
of it before any of it is sent again. Left out: the overshoot of a quorum queue that rejects, purging.
"""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any

from ...kernel.runlog import DEAD_LETTERED, DROPPED, EXPIRED, FAILED, IN_FLIGHT, NEVER, QUEUED, REQUEUED, pack_row
from ..base import Message
from .consumers import Consumer, RoundRobin, SingleActive, Turns
from .deaths import Reason
from .ready import ClassicOrder, Entry, PriorityOrder, Properties, QuorumOrder, Ready
from .settings import Overflow, QueueArguments, QueueType

if TYPE_CHECKING:
    from .broker import RunningRabbitMQ

UNBOUNDED_QUORUM_PREFETCH = 2000
"""What a quorum queue sends at most to a consumer without prefetch bound (confirms.md)."""


def order_of(arguments: QueueArguments) -> Ready:
    """The empty store of ready messages of a queue declared so."""
    if arguments.type is QueueType.QUORUM:
        return QuorumOrder(arguments.delivery_limit)
    return ClassicOrder() if arguments.max_priority is None else PriorityOrder(arguments.max_priority)


class QueueState:
    """The messages of one queue and whose they are."""

    def __init__(self, broker: RunningRabbitMQ, name: str, arguments: QueueArguments) -> None:
        self.broker = broker
        self.sim = broker.sim
        self.name = name
        self.arguments = arguments
        self.lane = self.sim.log.lane(broker.name, name, name)
        self.nobody = self.sim.log.endpoint(self.lane, "")
        self.ready = order_of(arguments)
        self.unacknowledged: dict[int, Entry] = {}
        self.consumers: dict[Consumer, None] = {}
        self.is_deleted = False
        self.unused_since_s = 0.0
        self._turns: Turns = SingleActive() if arguments.single_active_consumer else RoundRobin()
        self._next_place = count().__next__
        self._coming_back: dict[int, Entry] = {}
        self._expiry_s: float | None = None
        self._rejects = arguments.overflow is not Overflow.DROP_HEAD
        self.sim.on_end(self._open_rows)

    # ------------------------------------------------------------------------------------------ messages come

    def offer(self, now_s: float, message: Message, properties: Properties) -> bool:
        """A new message. False if the queue is full and rejects it."""
        if self._coming_back:
            self.take_back(now_s)
        ready, max_length = self.ready, self.arguments.max_length
        entry = Entry(message, self._next_place(), properties, self._expires_s(now_s, properties))
        if max_length is not None and self._rejects and len(ready) >= max_length:
            self._reject_new(now_s, entry)
            return False
        if not len(ready) and (consumer := self._turns.next()) is not None:
            self._deliver(now_s, consumer, entry)
            return True
        ready.add(entry)
        if max_length is not None:
            self._drop_head(now_s)
        if entry.expires_s is not None:
            self.dispatch(now_s)
        return True

    def _expires_s(self, now_s: float, properties: Properties) -> float | None:
        wait_s, own_s = self.arguments.message_ttl_s, properties.expiration_s
        if own_s is not None and (wait_s is None or own_s < wait_s):
            wait_s = own_s
        return None if wait_s is None else now_s + wait_s

    def _reject_new(self, now_s: float, entry: Entry) -> None:
        dead_letters = self.arguments.overflow is Overflow.REJECT_PUBLISH_DLX
        outcome = self._put_aside(now_s, entry, Reason.MAXLEN) if dead_letters else self._forget(now_s, entry, DROPPED)
        self._log_waiting(now_s, entry, outcome)

    def _drop_head(self, now_s: float) -> None:
        """Drops the oldest until no more are ready than allowed."""
        max_length = self.arguments.max_length
        while max_length is not None and len(self.ready) > max_length:
            oldest = self.ready.pop()
            self._log_waiting(now_s, oldest, self._put_aside(now_s, oldest, Reason.MAXLEN))

    def safe_s(self, now_s: float, properties: Properties) -> float:
        """When a message that arrives now is safe here, in simulated seconds."""
        configuration = self.broker.configuration
        if self.arguments.type is QueueType.QUORUM:
            return now_s + configuration.replication_s
        if not (self.arguments.durable and properties.persistent):
            return now_s
        return (math.floor(now_s / configuration.sync_interval_s) + 1) * configuration.sync_interval_s

    def survives(self, entry: Entry, written_s: float) -> bool:
        """Whether a message is there after a restart of a broker that had written all that was safe by then."""
        if self.arguments.type is not QueueType.QUORUM and not (self.arguments.durable and entry.properties.persistent):
            return False
        return self.safe_s(entry.arrived_s, entry.properties) <= written_s

    # ------------------------------------------------------------------------------------------ messages go

    def dispatch(self, now_s: float) -> None:
        """Sends ready messages while a consumer has room; what has expired at the head goes first."""
        ready = self.ready
        while (head := ready.head()) is not None:
            if head.expires_s is not None and head.expires_s <= now_s:
                ready.pop()
                self._log_waiting(now_s, head, self._put_aside(now_s, head, Reason.EXPIRED))
                continue
            consumer = self._turns.next()
            if consumer is None:
                if head.expires_s is not None:
                    self._watch(head.expires_s)
                return
            self._deliver(now_s, consumer, ready.pop())

    def send_head(self, now_s: float, consumer: Consumer) -> bool:
        """Sends the message at the head to a consumer that asks for it; whether there was one."""
        if self._coming_back:
            self.take_back(now_s)
        self.dispatch(now_s)
        if not len(self.ready):
            return False
        self._deliver(now_s, consumer, self.ready.pop())
        return True

    def _deliver(self, now_s: float, consumer: Consumer, entry: Entry) -> None:
        message = entry.message
        entry.consumer = consumer
        entry.delivered_s = now_s
        self.unacknowledged[id(message)] = entry
        consumer.held += 1
        if self.broker.watches_timeouts:
            self.broker.watch_timeouts(now_s)
        if consumer.idle:
            consumer.idle.popleft().take(now_s, message)
        else:
            consumer.buffer.append(entry)

    def settle(self, message: Message) -> Entry | None:
        """Takes a delivery out of what is unacknowledged; None if it is unknown (any more)."""
        entry = self.unacknowledged.pop(id(message), None)
        if entry is None:
            return self._coming_back.pop(id(message), None)
        consumer: Consumer = entry.consumer
        consumer.held -= 1
        if consumer.full and consumer.limit != 0:
            self._turns.has_room(consumer)
        return entry

    def requeue(self, now_s: float, entry: Entry) -> int:
        """A consumer refused a settled entry: it comes again, or is put aside at the delivery limit; the outcome."""
        outcome = FAILED
        if self._beyond_limit(entry):
            outcome = self._put_aside(now_s, entry, Reason.DELIVERY_LIMIT)
        else:
            self._next_attempt(now_s, entry)
            self.ready.refused(entry)
            self._drop_head(now_s)
        self.dispatch(now_s)
        return outcome

    def reject(self, now_s: float, entry: Entry) -> int:
        """A consumer rejected a settled entry: it is put aside; returns the outcome."""
        outcome = self._put_aside(now_s, entry, Reason.REJECTED)
        self.dispatch(now_s)
        return outcome

    def _put_aside(self, now_s: float, entry: Entry, reason: Reason) -> int:
        """The message leaves the queue; the dead letter exchange, if there is one, may take it. Returns the outcome."""
        taken = self.broker.dead_letter(now_s, self, entry, reason)
        lost = EXPIRED if reason is Reason.EXPIRED else DROPPED
        return self._forget(now_s, entry, DEAD_LETTERED if taken else lost)

    def _forget(self, now_s: float, entry: Entry, outcome: int) -> int:
        self.broker.tell_settled(now_s, entry.message)
        return outcome

    # ------------------------------------------------------------------------------------------ consumers

    def join(self, now_s: float, consumer: Consumer) -> None:
        """A consumer registers, after what closed channels gave back; one that only polls gets no turn."""
        if self._coming_back:
            self.take_back(now_s)
        self.consumers[consumer] = None
        if consumer.limit == 0:
            consumer.full = True
            return
        self._turns.join(consumer)
        self._tell_active(now_s, consumer)

    def leave(self, now_s: float, consumer: Consumer) -> list[Entry]:
        """A consumer's channel is closed. Returns what it held; `take_back` follows at this instant, unless told."""
        before = self.active
        consumer.is_open = False
        del self.consumers[consumer]
        self._turns.leave(consumer)
        held = [entry for entry in self.unacknowledged.values() if entry.consumer is consumer]
        for entry in held:
            del self.unacknowledged[id(entry.message)]
        if before is consumer and self.active is not None:
            self._tell_active(now_s, self.active)
        return held

    def bring_back(self, now_s: float, entries: list[Entry]) -> None:
        """These come back, once all that happens together now has happened."""
        self._coming_back.update((id(entry.message), entry) for entry in entries)
        self.sim.env.at(now_s, self.take_back)

    def take_back(self, now_s: float, _: Any = None) -> None:
        """What lost channels held is ready again, and sent to whoever has room."""
        entries, self._coming_back = list(self._coming_back.values()), {}
        again = []
        for entry in entries:
            beyond = self._beyond_limit(entry)
            self._next_attempt(now_s, entry)
            if beyond:
                self._log_waiting(now_s, entry, self._put_aside(now_s, entry, Reason.DELIVERY_LIMIT))
            else:
                again.append(entry)
        self.ready.lost(again)
        self._drop_head(now_s)
        self.dispatch(now_s)

    @property
    def active(self) -> Consumer | None:
        """The single active consumer, of a queue that has one."""
        return self._turns.active if isinstance(self._turns, SingleActive) else None

    def _tell_active(self, now_s: float, consumer: Consumer) -> None:
        if self.active is consumer:
            self.sim.log.fact(now_s, "single_active_consumer", self.name, consumer=consumer.name)

    def _beyond_limit(self, entry: Entry) -> bool:
        limit = self.arguments.delivery_limit
        return limit is not None and entry.message[4] > limit

    def _next_attempt(self, now_s: float, entry: Entry) -> None:
        number, root, published_s, _, attempt, event = entry.message
        entry.message = (number, root, published_s, now_s, attempt + 1, event)

    # ------------------------------------------------------------------------------------------ clocks and rows

    def _watch(self, at_s: float) -> None:
        """Looks again when the message at the head expires."""
        if self._expiry_s is None or at_s < self._expiry_s:
            self._expiry_s = at_s
            self.sim.env.at(at_s, self._expire)

    def _expire(self, now_s: float, _: Any) -> None:
        if self._expiry_s is not None and self._expiry_s <= now_s:
            self._expiry_s = None
            self.dispatch(now_s)

    def drop_ready(self, now_s: float, entries: list[Entry]) -> None:
        """These are gone with the broker's memory, or with the queue."""
        gone = {id(entry) for entry in entries}
        kept = [entry for entry in self.ready if id(entry) not in gone]
        self.ready = order_of(self.arguments)
        for entry in kept:
            self.ready.add(entry)
        for entry in entries:
            self._log_waiting(now_s, entry, self._forget(now_s, entry, DROPPED))

    def _log_waiting(self, now_s: float, entry: Entry, outcome: int) -> None:
        """The row of a message that nobody took."""
        self.sim.log.add(self._row(entry, NEVER, now_s, self.nobody, outcome))

    def log_untouched(self, now_s: float, entry: Entry, outcome: int = REQUEUED) -> None:
        """The row of a message that was sent to a consumer which never began with it."""
        consumer: Consumer = entry.consumer
        self.sim.log.add(self._row(entry, entry.delivered_s, now_s, consumer.endpoint, outcome))

    def _row(self, entry: Entry, delivered_s: float, finished_s: float, endpoint: int, outcome: int) -> bytes:
        number, root, published_s, enqueued_s, attempt, _ = entry.message
        return pack_row(
            number, root, published_s, enqueued_s, delivered_s, NEVER, finished_s, endpoint, attempt, outcome
        )

    def _open_rows(self, now_s: float) -> list[bytes]:
        if self._coming_back:
            self.take_back(now_s)
        sent = [
            self._row(entry, entry.delivered_s, NEVER, consumer.endpoint, IN_FLIGHT)
            for consumer in self.consumers
            for entry in consumer.buffer
        ]
        return sent + [self._row(entry, NEVER, NEVER, self.nobody, QUEUED) for entry in self.ready]
