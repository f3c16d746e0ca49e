"""Streams: messages stay when they are read; a named consumer keeps the offset from which it goes on.

Follows rabbitmq-website, versioned_docs/version-3.13: streams.md (offsets, retention, offset tracking) and, for single
active consumer, consumers.md, as RabbitMQ 3.11 and newer have it. A subscription is one named consumer: of the clients
that share the name one is active, and its successor reads on from the stored offset, which stands behind all that were
acknowledged without a gap. A stream cannot be told `basic.nack` or `basic.reject`: what a service fails at is passed
over. Left out: chunks and segments (retention acts message by message, at each new one), filters, super streams,
producers' names.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ... import checks
from ...errors import StateError
from ...kernel.runlog import DONE, DROPPED, FAILED, IN_FLIGHT, NEVER, QUEUED, REQUEUED, pack_row
from ..base import Message, Taker
from ..by_hand import Held, Receive
from .errors import PreconditionFailedError

if TYPE_CHECKING:
    from .broker import RunningRabbitMQ
    from .ready import Properties


@checks.configuration
class StreamArguments:
    """How a stream was declared: messages older than `max_age_s` go when a new one comes (None: never)."""

    max_age_s: float | None = checks.optional(checks.check_positive, default=None)


class Stream:
    """A stream of the running broker: can be bound, published to by its name, and read from any offset."""

    def __init__(self, broker: RunningRabbitMQ, name: str, arguments: StreamArguments) -> None:
        self.broker = broker
        self.sim = broker.sim
        self.name = name
        self.arguments = arguments
        self.first_offset = 0
        self.messages: deque[Message] = deque()
        self.readers: dict[str, StreamConsumption] = {}
        self.route: Callable[[float, Message], None] = broker.default_exchange.address(name).route

    @property
    def end_offset(self) -> int:
        """The offset of the next message to come."""
        return self.first_offset + len(self.messages)

    def offer(self, now_s: float, message: Message, _properties: Properties) -> bool:
        """A new message, kept behind all others."""
        max_age_s = self.arguments.max_age_s
        while max_age_s is not None and self.messages and self.messages[0][3] < now_s - max_age_s:
            self._retire(now_s, self.messages.popleft())
        self.messages.append(message)
        for reader in self.readers.values():
            reader.send(now_s)
        return True

    def safe_s(self, now_s: float, _properties: Properties) -> float:
        """When a message that arrives now is confirmed, in simulated seconds: as soon as it is replicated."""
        return now_s + self.broker.configuration.replication_s

    def _retire(self, now_s: float, message: Message) -> None:
        for reader in self.readers.values():
            reader.miss(now_s, self.first_offset, message)
        self.first_offset += 1

    def bind(self, source: Any, routing_key: str = "", arguments: Any = None) -> Stream:
        """Binds the stream to an exchange, as a queue. Returns the stream."""
        self.broker.bind(source, self, routing_key, arguments)
        return self

    def consume(self, name: str, *, offset: str | int = "next", prefetch: int = 100) -> StreamConsumption:
        """A named consumer that begins at the offset "first", "last", "next" (what comes from now on) or a number.

        `prefetch` bounds what was sent to it and is not acknowledged; a stream asks for a bound.
        """
        checks.check_text("name", name)
        if name in self.readers:
            raise checks.refuse("name", name, "give each named consumer of a stream a name of its own")
        if offset not in ("first", "last", "next"):
            offset = checks.check_whole(0)("offset", offset)
        prefetch = checks.check_whole(1, 65535)("prefetch", prefetch)
        starts = {
            "first": self.first_offset,
            "last": max(self.first_offset, self.end_offset - 1),
            "next": self.end_offset,
        }
        start = starts[offset] if isinstance(offset, str) else min(max(offset, self.first_offset), self.end_offset)
        self.readers[name] = StreamConsumption(self, name, start, prefetch)
        return self.readers[name]


class StreamConsumption:
    """A subscription: one named consumer of a stream, with one active client at a time."""

    forgets = False

    def __init__(self, stream: Stream, name: str, start: int, prefetch: int) -> None:
        self.stream = stream
        self.sim = stream.sim
        self.name = name
        self.lane = self.sim.log.lane(stream.broker.name, stream.name, name)
        self.prefetch = prefetch
        self.stored_offset = self.position = start
        self.delivered_s: Callable[[Message], float] | None = self._delivered_s
        self._clients: dict[str, dict[Taker, None]] = {}
        self._idle: dict[str, deque[Taker]] = {}
        self._sent: dict[int, tuple[int, float, Message]] = {}
        self._buffer: deque[Message] = deque()
        self._done: set[int] = set()
        self._times_sent: dict[int, int] = {}
        self._held: dict[Held, None] = {}
        self.sim.on_end(self._open_rows)

    @property
    def active(self) -> str | None:
        """The name of the client that is served."""
        return next(iter(self._clients), None)

    # ------------------------------------------------------------------------------------------ takers

    def ready(self, taker: Taker, now_s: float) -> None:
        """The taker is free: it takes what was sent to its client, or waits."""
        takers = self._clients.setdefault(taker.name, {})
        if not isinstance(taker, Receive):
            takers[taker] = None
        if self._buffer and taker.name == self.active:
            taker.take(now_s, self._buffer.popleft())
            return
        self._idle.setdefault(taker.name, deque()).append(taker)
        self.send(now_s)

    def done(self, taker: Taker, now_s: float, message: Message) -> Message | None:
        """Acknowledges, and returns what was sent to the client already; with None the taker waits."""
        self.acknowledge(now_s, message)
        if self._buffer and taker.name == self.active:
            return self._buffer.popleft()
        self._clients.setdefault(taker.name, {})[taker] = None
        self._idle.setdefault(taker.name, deque()).append(taker)
        return None

    def acknowledge(self, now_s: float, message: Message) -> None:
        """The client may be sent one more, and the stored offset moves behind all that are done without a gap."""
        offset, _, _ = self._sent.pop(id(message), (None, 0.0, message))
        if offset is None:
            return
        self._done.add(offset)
        while self.stored_offset in self._done:
            self._done.remove(self.stored_offset)
            self.stored_offset += 1
        self.send(now_s)

    def refuse(self, now_s: float, message: Message) -> int:
        """A stream takes nothing back: the message is passed over."""
        self.acknowledge(now_s, message)
        return FAILED

    def give_back(self, now_s: float, messages: Sequence[Message]) -> None:
        """What a process hands back is read again, and all that was sent after it; after a crash that is so anyway."""
        if any(id(message) in self._sent for message in messages):
            self._begin_again(now_s, self.active or "")

    def withdraw(self, taker: Taker) -> None:
        """The taker takes no more; with its last taker a client leaves, and the next one reads on."""
        takers = self._clients.get(taker.name, {})
        takers.pop(taker, None)
        idle = self._idle.get(taker.name, deque())
        if taker in idle:
            idle.remove(taker)
        in_hand = any(delivery.consumer == taker.name for delivery in self._held)
        if not (takers or idle or in_hand) and taker.name in self._clients:
            was_active = taker.name == self.active
            del self._clients[taker.name]
            if was_active:
                self._begin_again(float(self.sim.env.now), taker.name)

    def connection_lost(self, now_s: float) -> None:
        """The broker is down: what was sent is unacknowledged for ever, and is sent again when it is up."""
        if self.active is not None:
            self._begin_again(now_s, self.active)

    def _begin_again(self, now_s: float, client: str) -> None:
        for message in self._buffer:
            self.sim.log.add(self._row(message, self._delivered_s(message), now_s, REQUEUED, client))
        self._buffer.clear()
        self._sent.clear()
        self._done.clear()
        self.position = max(self.stored_offset, self.stream.first_offset)
        self.sim.log.fact(now_s, "stream_consumer_changed", self.name, active=self.active, offset=self.position)
        self.sim.env.at(now_s, lambda at_s, _: self.send(at_s))

    def send(self, now_s: float) -> None:
        """Sends what is there to the active client, up to the prefetch bound."""
        active, stream = self.active, self.stream
        if active is None or not stream.broker.is_up:
            return
        idle = self._idle.setdefault(active, deque())
        while self.position < stream.end_offset and len(self._sent) < self.prefetch:
            number, root, published_s, enqueued_s, _, event = stream.messages[self.position - stream.first_offset]
            times = self._times_sent[self.position] = self._times_sent.get(self.position, 0) + 1
            message = (number, root, published_s, enqueued_s, times, event)
            self._sent[id(message)] = (self.position, now_s, message)
            self.position += 1
            if idle:
                idle.popleft().take(now_s, message)
            else:
                self._buffer.append(message)

    def miss(self, now_s: float, offset: int, message: Message) -> None:
        """Retention removes a message; if it was not sent yet, this consumer never sees it."""
        if offset >= self.position:
            self.position = offset + 1
            self.stored_offset = max(self.stored_offset, offset + 1)
            self.sim.log.add(self._row(message, NEVER, now_s, DROPPED))

    # ------------------------------------------------------------------------------------------ by hand, rows

    def receive(self, *, consumer: str = "by-hand") -> Receive:
        """An event for your own process: `delivery = yield consumption.receive()`, a `StreamDelivery`."""
        return Receive(self, consumer, StreamDelivery)

    def hold(self, delivery: Held) -> None:
        """Notes that a process holds a delivery."""
        self._held[delivery] = None

    def let_go(self, delivery: Held) -> None:
        """Notes that a process has settled a delivery."""
        del self._held[delivery]

    def offset_of(self, message: Message) -> int:
        """The offset of a delivery that is not acknowledged; `StateError` for any other."""
        if id(message) not in self._sent:
            raise StateError("this delivery is not open any more", field="delivery", remedy="read it again")
        return self._sent[id(message)][0]

    def _delivered_s(self, message: Message) -> float:
        return self._sent[id(message)][1]

    def _row(
        self, message: Message, delivered_s: float, finished_s: float, outcome: int, client: str | None = None
    ) -> bytes:
        number, root, published_s, enqueued_s, attempt, _ = message
        endpoint = self.sim.log.endpoint(self.lane, client or "")
        return pack_row(
            number, root, published_s, enqueued_s, delivered_s, NEVER, finished_s, endpoint, attempt, outcome
        )

    def _open_rows(self, _now_s: float) -> list[bytes]:
        ahead = [
            self._row(message, self._delivered_s(message), NEVER, IN_FLIGHT, self.active) for message in self._buffer
        ]
        unread = list(self.stream.messages)[self.position - self.stream.first_offset :]
        queued = [self._row(message, NEVER, NEVER, QUEUED) for message in unread]
        return [delivery.open_row() for delivery in self._held] + ahead + queued


class StreamDelivery(Held):
    """One message read from a stream, at its `offset`; `ack` asks for one more and lets the stored offset move on."""

    settled_twice = PreconditionFailedError

    _subscription: StreamConsumption

    def __init__(self, subscription: StreamConsumption, consumer: str, now_s: float, message: Message) -> None:
        super().__init__(subscription, consumer, now_s, message)
        self.offset = subscription.offset_of(message)

    def ack(self) -> None:
        """The message is read."""
        self._settle("acknowledged")
        self._log(DONE)
        self._subscription.acknowledge(self._now_s, self._message)
