"""A JetStream consumer: a view of a stream that remembers what it delivered and what was acknowledged.

What is to be delivered again comes before anything new; a message is delivered again when its acknowledgement is late
(`ack_wait_s` or the list of back-offs, counted from the delivery to the client, so a client's buffer counts), or when
its taker refuses it (`nak`). A crash returns nothing: what the dead client held comes again after the ack wait. After
`max_deliver` deliveries a message is not delivered any more and stays in the stream. A late acknowledgement counts.

Follows nats-io/nats-server `server/consumer.go` (`getNextMsg`, `deliverMsg`, `loopAndGatherMsgs`, `checkPending`),
nats-io/nats.docs `consumers.md`, and data/measured/nats/semantics.csv. Left out: bytes, heartbeats, pauses, priority.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...kernel.runlog import CRASHED, DROPPED, FAILED, IN_FLIGHT, NEVER, QUEUED, pack_row
from ..base import Message, Taker
from ..by_hand import Held, Receive
from .delivery import JetStreamDelivery
from .errors import consumer_not_found
from .ledger import Ledger
from .reception import Reception
from .settings import AckPolicy, AckSending, ConsumerSettings, ReplayPolicy
from .start import start_at
from .subject import KNOWN_SUBJECTS
from .subjects import subject_matches

if TYPE_CHECKING:
    from .stream import Stream


class Consumer:
    """A subscription of a stream; its takers share it. Made by `Stream.consumer` and its sisters."""

    def __init__(
        self, stream: Stream, name: str, settings: ConsumerSettings, reception: Callable[[Consumer], Reception]
    ) -> None:
        self.sim = stream.sim
        self.name = name
        self.stream = stream
        self.settings = settings
        self.lane = self.sim.log.lane(stream.server.name, stream.name, name)
        self.forgets = settings.ack_policy is AckPolicy.NONE
        self.deleted = False
        self.asleep = False
        self._missed: int | None = None
        self.ledger = Ledger(settings)
        self._nobody = self.sim.log.endpoint(self.lane, "")
        self._created_s = float(self.sim.env.now)
        self._wanted: dict[str, bool] = {}
        self.backlog: OrderedDict[int, None] = OrderedDict(
            (sequence, None) for sequence in start_at(settings, stream, self.wants)
        )
        self._replay_until = stream.last_sequence if settings.replay_policy is ReplayPolicy.ORIGINAL else 0
        self._replayed_s: float | None = None
        self._replay_at_s: float | None = None
        self._out: dict[int, tuple[int, float]] = {}
        self._held: dict[Held, None] = {}
        self._unsent: dict[str, list[int]] = {}
        self._timer_s: float | None = None
        self._used_s = self._created_s
        self.reception = reception(self)
        self.delivered_s: Callable[[Message], float] | None = self._delivered_s if self.reception.buffered else None
        self._acks_wait = settings.ack_sending is AckSending.WITH_NEXT_FETCH
        self.sim.on_end(self._open_rows)
        if settings.inactive_threshold_s is not None:
            self.sim.env.at(self._created_s + settings.inactive_threshold_s, self._look_for_use)

    # -------------------------------------------------------------------------------------- the stream's side

    def wants(self, subject: str) -> bool:
        """Whether the consumer's filters choose a subject."""
        wanted = self._wanted.get(subject)
        if wanted is None:
            if len(self._wanted) >= KNOWN_SUBJECTS:
                self._wanted.clear()
            filters = self.settings.filter_subjects
            wanted = not filters or any(subject_matches(pattern, subject) for pattern in filters)
            self._wanted[subject] = wanted
        return wanted

    def stored(self, now_s: float, sequence: int) -> None:
        """The stream has stored a message that this consumer wants."""
        self.backlog[sequence] = None
        self.reception.pump(now_s)

    def removed(self, now_s: float, sequence: int, message: Message, outcome: int) -> None:
        """A limit of the stream has taken a message away, whether it was delivered or not."""
        number, root, published_s, enqueued_s, _, _ = message
        if sequence in self.backlog:
            del self.backlog[sequence]
            attempt = 1
        else:
            waits_again = sequence in self.ledger.again
            entry = self.ledger.forget(sequence)
            self.ledger.exhausted.discard(sequence)
            if entry is None or (entry.holders and not waits_again):
                return
            attempt = entry.deliveries + 1
        row = pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, self._nobody, attempt, outcome)
        self.sim.log.add(row)

    def needs(self, sequence: int) -> bool:
        """Whether a message is still to be delivered, to be acknowledged, or was delivered too often."""
        ledger = self.ledger
        return sequence in self.backlog or sequence in ledger.pending or sequence in ledger.exhausted

    def next_message(self, now_s: float) -> Message | None:
        """The message to deliver now, which counts as delivered; None if there is none or too many are pending."""
        ledger = self.ledger
        if self.asleep:
            return None
        if ledger.again:
            sequence, entry = ledger.delivered_again(now_s)
            number, root, published_s, _, _, event = self.stream.message(sequence)
            message = (number, root, published_s, entry.again_since_s, entry.deliveries, event)
            self._arm(entry.deadline_s)
        elif not self.backlog or ledger.full or (self._replay_until and self._is_too_early(now_s)):
            return None
        else:
            sequence, _ = self.backlog.popitem(last=False)
            message = self.stream.message(sequence)
            if message[3] < self._created_s:
                message = (*message[:3], self._created_s, *message[4:])
            if self.forgets:
                self._out[id(message)] = (sequence, now_s)
                self.stream.settled(now_s, sequence)
                return message
            deadline_s = ledger.delivered(sequence, now_s).deadline_s
            if self._timer_s is None or deadline_s < self._timer_s:
                self._arm(deadline_s)
        self._out[id(message)] = (sequence, now_s)
        return message

    # -------------------------------------------------------------------------------------- the takers' side

    def ready(self, taker: Taker, now_s: float) -> None:
        """The taker is free and asks for a message."""
        if self.deleted:
            raise consumer_not_found(self.name, now_s)
        self._used_s = now_s
        self.reception.ready(taker, now_s)

    def done(self, taker: Taker, now_s: float, message: Message) -> Message | None:
        """The taker acknowledges and asks for the next message."""
        self.acknowledge(now_s, message, taker.name)
        if self.deleted:
            raise consumer_not_found(self.name, now_s)
        return self.reception.following(taker, now_s)

    def acknowledge(self, now_s: float, message: Message, client: str | None = None) -> None:
        """The message is processed. With batches the client may keep the acknowledgement until its next fetch."""
        sequence = self._take_back(message)
        if self.forgets:
            return
        if self._acks_wait and client is not None:
            self._unsent.setdefault(client, []).append(sequence)
            return
        self.settle(now_s, [sequence])

    def send_acknowledgements(self, now_s: float, client: str) -> None:
        """A client fetches, and sends what it has not sent so far."""
        self.settle(now_s, self._unsent.pop(client, ()))

    def settle(self, now_s: float, sequences: Sequence[int]) -> None:
        """Acknowledgements reach the server, if it is up."""
        if self.asleep:
            return
        self._used_s = now_s
        was_full = self.ledger.full
        for acknowledged in sequences:
            for sequence in self.ledger.acknowledge(acknowledged):
                self.stream.settled(now_s, sequence)
        if was_full:
            self.reception.pump(now_s)

    def refuse(self, now_s: float, message: Message) -> int:
        """The taker cannot do it (nak): it is delivered again at once, before anything new. Returns the outcome."""
        self.nak(now_s, message, 0.0)
        return FAILED

    def nak(self, now_s: float, message: Message, delay_s: float) -> bool:
        """The taker cannot do it: again at once, or after `delay_s` seconds; False if it never comes again."""
        sequence = self._take_back(message)
        if self.asleep:
            return True
        self._used_s = now_s
        comes_again = self.ledger.refuse(sequence, now_s, delay_s)
        if not comes_again:
            self._tell_exhausted(now_s, [sequence])
        self._arm_next()
        self.reception.pump(now_s)
        return comes_again

    def terminate(self, now_s: float, message: Message) -> None:
        """The taker cannot do it, and nobody can (term): it is never delivered again."""
        sequence = self._take_back(message)
        if self.sim.log.keeps(message[1]):
            self.sim.log.fact(now_s, "message_terminated", self.name, stream=self.stream.name, sequence=sequence)
        self.settle(now_s, [sequence])

    def extend(self, now_s: float, message: Message) -> None:
        """The taker is at work (in progress): the ack wait begins anew."""
        if self.asleep:
            return
        self._used_s = now_s
        self.ledger.extend(self._out[id(message)][0], now_s)

    def give_back(self, now_s: float, messages: Sequence[Message]) -> None:
        """Takers are gone: nothing is delivered again before the ack wait is over."""
        for message in messages:
            self._take_back(message)

    def withdraw(self, taker: Taker) -> None:
        """The taker is gone, or its request; what its client had in its buffer is lost with the last of its takers."""
        self._used_s = now_s = float(self.sim.env.now)
        lost = self.reception.withdraw(taker)
        if not isinstance(taker, Receive):
            self._unsent.pop(taker.name, None)
        for message in lost:
            endpoint = self.sim.log.endpoint(self.lane, taker.name)
            number, root, published_s, enqueued_s, attempt, _ = message
            since_s = self._delivered_s(message)
            self._take_back(message)
            outcome = DROPPED if self.forgets else CRASHED
            self.sim.log.add(
                pack_row(number, root, published_s, enqueued_s, since_s, NEVER, now_s, endpoint, attempt, outcome)
            )

    def receive(self, *, consumer: str = "by-hand") -> Receive:
        """An event for your own process: `delivery = yield consumer.receive()`; settle it with its own verbs."""
        return Receive(self, consumer, JetStreamDelivery)

    def hold(self, delivery: Held) -> None:
        """Notes that a process holds a delivery."""
        self._held[delivery] = None

    def let_go(self, delivery: Held) -> None:
        """Notes that a process has settled a delivery."""
        del self._held[delivery]

    def miss(self, message: Message) -> None:
        """An ordered consumer's client had no room for a message."""
        sequence = self._take_back(message)
        self._missed = sequence if self._missed is None else self._missed

    def rewind(self, now_s: float) -> None:
        """An ordered consumer's client has noticed a gap: it starts again from the first message that it missed."""
        missed, self._missed = self._missed, None
        if missed is None:
            return
        self.backlog = OrderedDict(
            (sequence, None)
            for sequence, subject, _ in self.stream.entries()
            if sequence >= missed and self.wants(subject)
        )
        self.sim.log.fact(now_s, "ordered_consumer_reset", self.name, stream=self.stream.name, sequence=missed)

    # -------------------------------------------------------------------------------------- inside

    def _take_back(self, message: Message) -> int:
        sequence = self._out.pop(id(message))[0]
        self.ledger.let_go(sequence)
        return sequence

    def _delivered_s(self, message: Message) -> float:
        return self._out[id(message)][1]

    def _is_too_early(self, now_s: float) -> bool:
        """Replay "original": before a recorded message comes, the recorded gap to the one before it has to pass."""
        sequence = next(iter(self.backlog))
        if sequence > self._replay_until:
            self._replay_until = 0
            return False
        stored_s = self.stream.stored_s(sequence)
        if self._replayed_s is not None and self._replay_at_s is None:
            self._replay_at_s = now_s + (stored_s - self._replayed_s)
            if self._replay_at_s > now_s:
                self.sim.env.at(self._replay_at_s, self._pump_later)
        if self._replay_at_s is not None and now_s < self._replay_at_s:
            return True
        self._replayed_s, self._replay_at_s = stored_s, None
        return False

    def _pump_later(self, now_s: float, _: Any) -> None:
        self.reception.pump(now_s)

    def _arm(self, deadline_s: float) -> None:
        """Makes sure that the consumer looks at its ledger at that time, or earlier."""
        if self._timer_s is None or deadline_s < self._timer_s:
            self._timer_s = deadline_s
            self.sim.env.at(deadline_s, self._look_at_waits)

    def _arm_next(self) -> None:
        deadline_s = self.ledger.next_deadline_s()
        if deadline_s is not None:
            self._arm(deadline_s)

    def _look_at_waits(self, now_s: float, _: Any) -> None:
        if self._timer_s != now_s or self.asleep:
            return
        self._check_waits(now_s)

    def wake(self, now_s: float) -> None:
        """The server is back: what is overdue is delivered again, and who asked is answered."""
        self.asleep = False
        self._check_waits(now_s)

    def _check_waits(self, now_s: float) -> None:
        self._timer_s = None
        again, exhausted = self.ledger.expire(now_s)
        if again:
            self.sim.log.fact(now_s, "ack_wait_over", self.name, stream=self.stream.name, messages=len(again))
        self._tell_exhausted(now_s, exhausted)
        self._arm_next()
        self.reception.pump(now_s)

    def _tell_exhausted(self, now_s: float, sequences: list[int]) -> None:
        for sequence in sequences:
            message = self.stream.message(sequence)
            if self.sim.log.keeps(message[1]):
                self.sim.log.fact(
                    now_s,
                    "max_deliveries",
                    self.name,
                    stream=self.stream.name,
                    sequence=sequence,
                    deliveries=self.settings.max_deliver,
                )
            self.stream.server.tell_settled(now_s, message)

    def _look_for_use(self, now_s: float, _: Any) -> None:
        """An ephemeral consumer that nobody has used for so long is deleted, and what it was to deliver is lost."""
        threshold_s = self.settings.inactive_threshold_s
        assert threshold_s is not None
        if self.deleted:
            return
        if self.reception.waiting() or self._out:
            self._used_s = now_s
        if self._used_s + threshold_s > now_s:
            self.sim.env.at(self._used_s + threshold_s, self._look_for_use)
            return
        self.stream.delete_consumer(self.name)

    def delete(self, now_s: float) -> None:
        """The consumer is gone, and with it what it was to deliver; only its stream calls this."""
        self.deleted = True
        self.sim.log.fact(now_s, "consumer_deleted", self.name, stream=self.stream.name, waiting=len(self.backlog))
        for sequence in [*self.backlog, *self.ledger.pending]:
            self.removed(now_s, sequence, self.stream.message(sequence), DROPPED)
            self.stream.settled(now_s, sequence)

    def _open_rows(self, now_s: float) -> list[bytes]:
        rows: list[bytes] = [delivery.open_row() for delivery in self._held]
        endpoint = self.sim.log.endpoint
        for client, message in self.reception.in_buffers():
            number, root, published_s, enqueued_s, attempt, _ = message
            since_s, who = self._delivered_s(message), endpoint(self.lane, client)
            rows.append(pack_row(number, root, published_s, enqueued_s, since_s, NEVER, NEVER, who, attempt, IN_FLIGHT))
        for sequence, entry in self.ledger.pending.items():
            if sequence in self.ledger.again or not entry.holders:
                rows.append(self._queued(sequence, entry.deliveries + 1))
        return rows + [self._queued(sequence, 1) for sequence in self.backlog]

    def _queued(self, sequence: int, attempt: int) -> bytes:
        number, root, published_s, enqueued_s, _, _ = self.stream.message(sequence)
        return pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, NEVER, self._nobody, attempt, QUEUED)
