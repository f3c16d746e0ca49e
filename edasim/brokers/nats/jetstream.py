"""JetStream: a NATS server that stores subjects in streams, from which consumers deliver at least once.

Everything of core NATS works beside it: a subject may have subscribers and a stream. A publish with acknowledgement is
`publish`; what a `Source` or a core publish sends to a stream's subject is stored as well, but a refusal is not heard
(NAT-26). When the server fails, streams on file and the state of their consumers survive. Rules and sources: `stream`,
`consumer`, `core`. Left out: clusters, so replicas and their majorities.
"""

from __future__ import annotations

from typing import Any

from ... import checks
from ...events import Event
from ...kernel import Simulation
from ..base import Capability, Message
from ..by_hand import publish
from ..topology import Topology
from .core import RunningNats
from .errors import JetStreamError, StreamNotFoundError, no_stream
from .key_value import KeyValue
from .overlap import first_overlap
from .settings import SlowConsumer, StreamSettings, check_waits
from .stream import Expect, PublishAck, Stream
from .subject import Offer, Way
from .subjects import check_publish_subject, subject_matches
from .wiring import JetStreamWiring


@checks.configuration
class JetStream:
    """The configuration of a NATS server with JetStream; `start(sim)` puts it into a simulation.

    `ack_wait_s` (or `backoff_s`, delivery by delivery), `max_deliver`, `max_ack_pending` and `batch` (how many messages
    a client fetches at once) are those of the consumers that `wire` makes, `duplicate_window_s` that of its stream;
    `pending_messages`, `slow_consumer` and `reconnect_s` are as for `Nats`.

    >>> server = JetStream().start(Simulation(seed=1))
    >>> orders = server.stream("orders", subjects="orders.>")
    >>> server.publish("orders.placed", Event(type="placed"), message_id="order-7").sequence
    1
    >>> server.publish("orders.placed", Event(type="placed"), message_id="order-7").duplicate
    True
    """

    name: str = checks.text(default="jetstream")
    ack_wait_s: float = checks.positive(default=30.0)
    backoff_s: tuple[float, ...] = checks.checked(check_waits, default=())
    max_deliver: int | None = checks.optional(checks.check_whole(1), default=None)
    max_ack_pending: int | None = checks.optional(checks.check_whole(1), default=1000)
    batch: int = checks.at_least(1, default=1)
    duplicate_window_s: float = checks.positive(default=120.0)
    pending_messages: int = checks.at_least(1, default=524_288)
    slow_consumer: SlowConsumer = checks.word(SlowConsumer, default=SlowConsumer.DROP_NEWEST)
    reconnect_s: float = checks.positive(default=2.0)

    capabilities = frozenset(
        {
            Capability.PUBLISH_SUBSCRIBE,
            Capability.COMPETING_CONSUMERS,
            Capability.FILTERING,
            Capability.ACKNOWLEDGEMENT,
            Capability.REDELIVERY,
            Capability.BOUNDED_QUEUE,
            Capability.ORDER,
        }
    )

    def start(self, sim: Simulation) -> RunningJetStream:
        """Starts the server in `sim`."""
        return RunningJetStream(self, sim)

    def describe(self) -> str:
        """The server in plain words."""
        wait = f"within {self.ack_wait_s:g} s" if not self.backoff_s else "in time (a list of back-offs)"
        return (
            "NATS with JetStream: streams store what is published to their subjects; a durable consumer per service "
            f"delivers it again if it is not acknowledged {wait}"
        )

    def consumer_settings(self) -> dict[str, Any]:
        """The settings of each consumer that `wire` makes."""
        return {
            "ack_wait_s": self.ack_wait_s,
            "backoff_s": self.backoff_s,
            "max_deliver": self.max_deliver,
            "max_ack_pending": self.max_ack_pending,
            "batch": self.batch,
        }


class RunningJetStream(RunningNats):
    """A NATS server with streams in a simulation."""

    def __init__(self, configuration: JetStream, sim: Simulation) -> None:
        super().__init__(configuration, sim)
        self._streams: dict[str, Stream] = {}

    def stream(self, name: str, *, subjects: Any, **settings: Any) -> Stream:
        """A new stream of those subject patterns; further settings: see `StreamSettings`.

        The same again returns the stream that is there. A `JetStreamError` if the name is taken by another one (10058)
        or a subject belongs to another stream (10065).
        """
        wishes = StreamSettings(name=name, subjects=subjects, **settings)
        now_s = float(self.sim.env.now)
        known = self._streams.get(name)
        if known is not None:
            if known.settings != wishes:
                raise JetStreamError(
                    10058,
                    "stream name already in use with a different configuration",
                    "give it another name, or the settings that it has",
                    name,
                    now_s,
                )
            return known
        for other in self._streams.values():
            pair = first_overlap(wishes.subjects, other.settings.subjects)
            if pair is not None:
                raise JetStreamError(
                    10065,
                    "subjects overlap with an existing stream",
                    f"{pair[0]!r} overlaps with {pair[1]!r} of {other.name!r}",
                    pair[0],
                    now_s,
                )
        made = self._streams[name] = Stream(self, wishes)
        self.version += 1
        return made

    def find_stream(self, name: str) -> Stream:
        """The stream of that name; `StreamNotFoundError` if there is none."""
        if name not in self._streams:
            raise StreamNotFoundError(name, self._streams, at_s=float(self.sim.env.now))
        return self._streams[name]

    def key_value(self, bucket: str, *, history: int = 1) -> KeyValue:
        """The key-value bucket of that name, made at first use; it keeps the last `history` (1 to 64) per key."""
        return KeyValue(self, bucket, history)

    def publish(
        self,
        subject: str,
        event: Event,
        *,
        publisher: str = "by-hand",
        message_id: str | None = None,
        expected_stream: str | None = None,
        expected_last_sequence: int | None = None,
        expected_last_subject_sequence: int | None = None,
    ) -> PublishAck:
        """Publishes an event now, from your own process, and waits for the stream's acknowledgement.

        `message_id` (Nats-Msg-Id) makes a repetition known within the duplicate window. Raises `JetStreamError`: 10077
        if the stream is full and discards the new, 10071 or 10060 if it is not as expected, 503 without a stream.
        """
        stream = self.stream_of(check_publish_subject(subject))
        if stream is None or not self.up:
            raise no_stream(subject, float(self.sim.env.now))
        expect = Expect(expected_stream, expected_last_sequence, expected_last_subject_sequence)
        acknowledged: list[PublishAck] = []

        def route(now_s: float, message: Message) -> None:
            for offer in RunningNats.targets_of(self, subject):
                offer(now_s, message)
            acknowledged.append(stream.store(now_s, subject, message, message_id, expect))

        publish(Way(self.sim, subject, route), event, publisher)
        return acknowledged[0]

    def wire(self, topology: Topology) -> Any:
        """Lays out a topology: one stream kept by interest, a durable consumer with filters per consuming service."""
        return JetStreamWiring(self, topology)

    def stream_of(self, subject: str) -> Stream | None:
        """The stream that stores a subject."""
        for stream in self._streams.values():
            if any(subject_matches(pattern, subject) for pattern in stream.settings.subjects):
                return stream
        return None

    def targets_of(self, subject: str) -> list[Offer]:
        """Subscriptions and the stream that get what is published to a subject."""
        targets, stream = super().targets_of(subject), self.stream_of(subject)
        if stream is not None:
            take = stream.take if self.up else stream.lose

            def store(now_s: float, message: Message) -> None:
                take(now_s, subject, message)

            targets.append(store)
        return targets

    def crash(self) -> None:
        """As for core NATS; and streams in memory lose what they store."""
        if self.up:
            super().crash()
            for stream in self._streams.values():
                stream.crash(float(self.sim.env.now))

    def restart(self) -> None:
        """The server comes back now; consumers deliver again what was pending and is overdue."""
        if not self.up:
            super().restart()
            for stream in self._streams.values():
                stream.restart(float(self.sim.env.now))
