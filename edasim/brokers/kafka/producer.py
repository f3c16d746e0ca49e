"""Producers: batches, linger, acknowledgements, retries, idempotence and transactions.

Follows the Java producer of apache/kafka 3.9 (`RecordAccumulator.java`, `Sender.java`, `TransactionManager.java`):
records of a partition gather in a batch until it is full or `linger.ms` is over; up to `in_flight` requests of a
partition are on their way at once; a refused or unanswered one is sent again after `retry.backoff.ms`, ahead of what
waits, until `delivery.timeout.ms` is over (KAF-31). So retries can reorder (KAF-04), unless the producer is idempotent:
then the leader takes its batches in the order of their sequence numbers, each once (KAF-28). Records of a transaction
and the offsets that it commits become visible together (KAF-29); a newer producer with the same `transactional.id`
shuts the older one out (KAF-30).

Left out: compression, buffer memory, one connection per broker (requests in flight are counted per partition), and a
transaction coordinator that fails.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ... import checks
from ...errors import StateError
from ...events import Event
from ...kernel.runlog import EXPIRED, PUBLISHER_BITS
from ..base import Message
from ..by_hand import publish
from .configuration import Acks, Kafka
from .replication import Answer

if TYPE_CHECKING:
    import simpy

    from .assignors import TopicPartition
    from .broker import RunningKafka
    from .claims import Place
    from .group import Group
    from .topic import Topic


class DeliveryTimeoutError(StateError):
    """A record was not acknowledged within `delivery.timeout.ms` (Kafka: TimeoutException)."""


class ProducerFencedError(StateError):
    """A newer producer has the same `transactional.id` (Kafka: ProducerFencedException)."""


class TransactionError(StateError):
    """A transaction's verb where it has no place (Kafka: IllegalStateException, InvalidTxnStateException)."""


class RecordBatch:
    """Records of one producer for one partition, sent together."""

    def __init__(self, channel: Channel, now_s: float, transaction: str | None) -> None:
        self.channel = channel
        self.producer = channel.identity
        self.acks: Acks = channel.producer.settings.acks
        self.transaction = transaction
        self.sequence: int | None = None
        self.opened_s = now_s
        self.closed = False
        self.acknowledged = False
        self.messages: list[Message] = []
        self.told: list[simpy.Event] = []

    def stored(self, now_s: float, offset: int) -> None:
        """All in-sync replicas have it."""
        if self.acks is Acks.ALL and not self.acknowledged:
            self.channel.answer_later(now_s, self, offset)

    def unanswered(self, now_s: float) -> None:
        """The leader died before it answered."""
        self.channel.again(now_s, self, Answer.NOT_LEADER)


class Channel:
    """One producer's way to one partition: the batch that fills, batches that wait, and requests on their way."""

    def __init__(self, producer: Producer, topic: Topic, partition: int) -> None:
        self.producer = producer
        self.topic = topic
        self.partition = partition
        self.filling: RecordBatch | None = None
        self.waiting: deque[RecordBatch] = deque()
        self.in_flight = 0
        self.unsettled = 0
        self.epoch = 0
        self._next_sequence = 0
        self._numbered: dict[RecordBatch, None] = {}

    @property
    def identity(self) -> str:
        """The producer id and epoch by which the leader knows the numbers of its batches."""
        return f"{self.producer.id}+{self.epoch}"

    def add(self, now_s: float, message: Message, told: simpy.Event | None) -> None:
        """A record for this partition."""
        settings = self.producer.settings
        batch = self.filling
        if batch is None:
            batch = self.filling = RecordBatch(self, now_s, self.producer.transaction)
            self.unsettled += 1
            self.producer.kafka.sim.env.at(now_s + settings.linger_s, self._lingered, batch)
        batch.messages.append(message)
        if told is not None:
            batch.told.append(told)
        if batch.acks is not Acks.NONE:
            self.topic.kafka.cluster.unacknowledged[message[0]] = None
        if (len(batch.messages) + 1) * settings.record_bytes > settings.batch_bytes:
            self.close(now_s)

    def _lingered(self, now_s: float, batch: RecordBatch) -> None:
        if batch is self.filling:
            self.close(now_s)

    def close(self, now_s: float) -> None:
        """The batch that fills is complete, and may be sent."""
        batch, self.filling = self.filling, None
        if batch is not None:
            if self.producer.settings.idempotent:
                batch.sequence, self._next_sequence = self._next_sequence, self._next_sequence + 1
                self._numbered[batch] = None
            self.waiting.append(batch)
            self.topic.keys.batch_begun(batch.messages[0][0] >> PUBLISHER_BITS)
            self._send(now_s)

    def _send(self, now_s: float) -> None:
        settings = self.producer.settings
        while self.waiting and self.in_flight < settings.in_flight:
            batch = self.waiting.popleft()
            self.in_flight += 1
            self.producer.kafka.sim.env.at(now_s + settings.request_s, self._arrives, batch)

    def _arrives(self, now_s: float, batch: RecordBatch) -> None:
        """The request is at the broker."""
        if batch.transaction is not None and self.producer.fenced:
            return self._fail(now_s, batch, self.producer.fencing_error())
        answer, offset = self.topic.replicas[self.partition].produce(now_s, batch)
        if batch.acks is Acks.NONE:
            batch.acknowledged = True
            if answer is not Answer.STORED:
                self.topic.lost(now_s, batch.messages)
            return self._settle(now_s, batch, offset)
        if answer is Answer.KNOWN or (answer is Answer.STORED and batch.acks is Acks.LEADER):
            return self.answer_later(now_s, batch, offset)
        if answer is not Answer.STORED:
            self.again(now_s, batch, answer)
        return None

    def answer_later(self, now_s: float, batch: RecordBatch, offset: int) -> None:
        """The broker acknowledges; the producer knows it when the answer is back."""
        batch.acknowledged = True
        for message in batch.messages:
            self.topic.kafka.cluster.unacknowledged.pop(message[0], None)
        request_s = self.producer.settings.request_s
        if request_s == 0.0:
            self._settle(now_s, batch, offset)
        else:
            self.producer.kafka.sim.env.at(now_s + request_s, lambda at_s, _: self._settle(at_s, batch, offset))

    def _settle(self, now_s: float, batch: RecordBatch, offset: int) -> None:
        self.in_flight -= 1
        self.unsettled -= 1
        self._numbered.pop(batch, None)
        for place, told in enumerate(batch.told):
            told.succeed((self.partition, offset + place) if offset >= 0 else None)
        self._send(now_s)
        self.producer.settled(now_s)

    def again(self, now_s: float, batch: RecordBatch, answer: Answer) -> None:
        """The request failed in a way that may pass: once more, if there is time."""
        settings = self.producer.settings
        retry_s = now_s + settings.request_s + settings.retry_backoff_s
        if retry_s > batch.opened_s + settings.delivery_timeout_s:
            remedy = f"the last answer was {answer.value}; see that enough replicas are up, or allow for more time"
            error = DeliveryTimeoutError(
                f"{len(batch.messages)} records for {self.topic.name}-{self.partition} were not acknowledged in time",
                field="delivery_timeout_s", value=settings.delivery_timeout_s, remedy=remedy, at_s=now_s,
            )  # fmt: skip
            self._fail(now_s, batch, error)
        else:
            self.producer.kafka.sim.env.at(retry_s, self._retry, batch)

    def _retry(self, now_s: float, batch: RecordBatch) -> None:
        self.in_flight -= 1
        place = 0
        if batch.sequence is not None:
            place = sum(each.sequence is not None and each.sequence < batch.sequence for each in self.waiting)
        self.waiting.insert(place, batch)
        self._send(now_s)

    def _fail(self, now_s: float, batch: RecordBatch, error: StateError) -> None:
        self.in_flight -= 1
        self.unsettled -= 1
        for message in batch.messages:
            self.topic.kafka.cluster.unacknowledged.pop(message[0], None)
        self.topic.lost(now_s, batch.messages, EXPIRED)
        self.producer.kafka.sim.log.fact(
            now_s, "delivery_failed", self.producer.name, topic=self.topic.name, partition=self.partition,
            records=len(batch.messages), error=type(error).__name__,
        )  # fmt: skip
        for told in batch.told:
            told.defused = True
            told.fail(error)
        if batch.sequence is not None:
            self._new_epoch(batch)
        self._send(now_s)
        self.producer.settled(now_s)

    def _new_epoch(self, failed: RecordBatch) -> None:
        """After a batch was given up, the numbers of the later ones begin anew, under a new epoch."""
        del self._numbered[failed]
        self.epoch += 1
        for sequence, batch in enumerate(self._numbered):
            batch.producer, batch.sequence = self.identity, sequence
        self._next_sequence = len(self._numbered)


class Producer:
    """A producer: what a publisher sends goes by partition; with a `transactional_id` it can write transactions."""

    def __init__(
        self, kafka: RunningKafka, name: str, settings: Kafka, transactional_id: str | None = None, epoch: int = 0
    ) -> None:
        self.kafka = kafka
        self.name = name
        self.settings = settings
        self.transactional_id = transactional_id
        self.id = name if transactional_id is None else f"{transactional_id}/{epoch}"
        self.fenced = False
        self.transaction: str | None = None
        self._transactions = 0
        self._channels: dict[tuple[str, int], Channel] = {}
        self._touched: dict[tuple[str, int], Channel] = {}
        self._offsets: list[tuple[Place, int]] = []
        self._committing: simpy.Event | None = None

    # ---------------------------------------------------------------- sending

    def send(self, topic: Topic, event: Event) -> simpy.Event:
        """Publishes an event to a topic, and returns a SimPy event for the broker's answer.

        It triggers with (partition, offset), or None with acks=0; it fails with `DeliveryTimeoutError` or
        `ProducerFencedError`.
        """
        if self.fenced:
            raise self.fencing_error()
        if self.transactional_id is not None and self.transaction is None:
            raise self._wrong("send", "begin a transaction first")
        topic.be_careful()
        told = self.kafka.sim.env.event()
        told.defused = True

        def route(at_s: float, message: Message) -> None:
            self.take(at_s, topic, message, told)

        publish(_To(topic, route), event, self.name)
        return told

    def take(self, now_s: float, topic: Topic, message: Message, told: simpy.Event | None = None) -> None:
        """A message on its way to its topic."""
        key = (topic.name, topic.keys.partition(message))
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel(self, topic, key[1])
        if self.transaction is not None:
            if not self._touched:  # the clock of transaction.timeout.ms starts with the first partition
                limit_s = now_s + self.settings.transaction_timeout_s
                self.kafka.sim.env.watch(limit_s, self._timed_out, self.transaction)
            self._touched[key] = channel
        channel.add(now_s, message, told)

    def flush(self) -> None:
        """Sends what is gathering, without waiting for `linger.ms`."""
        for channel in self._channels.values():
            channel.close(float(self.kafka.sim.env.now))

    # ---------------------------------------------------------------- transactions

    def begin(self) -> None:
        """Begins a transaction."""
        if self.fenced:
            raise self.fencing_error()
        if self.transactional_id is None or self.transaction is not None:
            raise self._wrong("begin", "give the producer a transactional_id, and end the last transaction first")
        self._transactions += 1
        self.transaction = f"{self.id}#{self._transactions}"

    def send_offsets(self, group: Group, offsets: Mapping[TopicPartition, int]) -> None:
        """These offsets of a group are committed with the transaction, or not at all."""
        if self.fenced:
            raise self.fencing_error()
        if self.transaction is None:
            raise self._wrong("send_offsets", "begin a transaction first")
        whole = checks.check_whole(0)
        self._offsets += [(group.places[key], whole("offset", offset)) for key, offset in offsets.items()]

    def commit(self) -> simpy.Event:
        """Commits the transaction: triggers when all its records are stored and it is visible."""
        if self.fenced:
            raise self.fencing_error()
        if self.transaction is None or self._committing is not None:
            raise self._wrong("commit", "begin a transaction first")
        self._committing = self.kafka.sim.env.event()
        committing = self._committing
        self.flush()
        self.settled(float(self.kafka.sim.env.now))
        return committing

    def abort(self) -> None:
        """Takes the transaction back: readers of committed records never see its records."""
        if self.fenced:
            raise self.fencing_error()
        if self.transaction is None:
            raise self._wrong("abort", "begin a transaction first")
        self.flush()
        self._end(float(self.kafka.sim.env.now), aborted=True)

    def settled(self, now_s: float) -> None:
        """A batch has come to its end; a commit that waits for the last one can go on."""
        waits = self._committing is not None
        if waits and not any(channel.unsettled for channel in self._touched.values()):
            self._end(now_s, aborted=False)

    def fence(self, now_s: float) -> None:
        """A newer producer has the same transactional id: this one is out, and what it had open is taken back."""
        self.fenced = True
        self.kafka.sim.log.fact(now_s, "producer_fenced", self.name, transactional_id=self.transactional_id)
        if self.transaction is not None:
            self._end(now_s, aborted=True)

    def fencing_error(self) -> ProducerFencedError:
        """What a producer that is out is told."""
        return ProducerFencedError(
            f"a newer producer has the transactional id {self.transactional_id!r}",
            field="transactional_id", value=self.transactional_id, remedy="close this one, or give each its own id",
            at_s=float(self.kafka.sim.env.now),
        )  # fmt: skip

    def _timed_out(self, now_s: float, transaction: str) -> None:
        if self.transaction == transaction:
            self.kafka.sim.log.fact(now_s, "transaction_timed_out", self.name, transaction=transaction)
            self.fence(now_s)

    def _end(self, now_s: float, *, aborted: bool) -> None:
        transaction, self.transaction = self.transaction, None
        assert transaction is not None
        for channel in self._touched.values():
            channel.topic.replicas[channel.partition].mark(now_s, transaction, aborted=aborted)
        if not aborted:
            for place, offset in self._offsets:
                place.committed = offset
        self._touched, self._offsets = {}, []
        kind = "transaction_aborted" if aborted else "transaction_committed"
        self.kafka.sim.log.fact(now_s, kind, self.name, transaction=transaction)
        committing, self._committing = self._committing, None
        if committing is not None:
            if aborted:
                committing.defused = True
                committing.fail(self.fencing_error())
            else:
                committing.succeed()

    def _wrong(self, verb: str, remedy: str) -> TransactionError:
        return TransactionError(
            f"producer {self.name!r} cannot {verb} now", field=verb, value=self.transaction, remedy=remedy,
            at_s=float(self.kafka.sim.env.now),
        )  # fmt: skip


class _To:
    """A topic as this producer's own destination."""

    def __init__(self, topic: Topic, route: Callable[[float, Message], None]) -> None:
        self.sim = topic.sim
        self.name = topic.name
        self.route = route
