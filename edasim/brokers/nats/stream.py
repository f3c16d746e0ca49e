"""A JetStream stream: stores what is published to its subjects, under sequences that grow by one, within its limits.

A publish is acknowledged with the sequence; the same message id within the duplicate window is acknowledged as a
duplicate and not stored, whatever its subject. An expected sequence that is wrong refuses the message: optimistic
concurrency. Retention "limits" keeps until a limit takes away the oldest, read or not; "interest" keeps what a
consumer still waits for; "workqueue" keeps until acknowledged, and refuses consumers that overlap.

Follows nats-io/nats-server `server/stream.go` and `server/memstore.go`, nats-io/nats.docs `streams.md` and
`model_deep_dive.md`, and data/measured/nats/semantics.csv. Left out: bytes, purging, mirrors and sources, rollup.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ... import checks
from ...errors import ConfigurationError
from ...kernel.runlog import DROPPED, EXPIRED, NEVER, QUEUED, pack_row
from ..base import Message
from .consumer import Consumer
from .errors import (
    ConsumerNotFoundError,
    JetStreamError,
    maximum_messages,
    maximum_messages_per_subject,
    wrong_last_sequence,
    wrong_stream,
)
from .overlap import first_overlap, holds
from .receptions import in_order, pull, push, push_to_group
from .settings import (
    AckPolicy,
    ConsumerSettings,
    DeliverPolicy,
    Discard,
    Retention,
    Storage,
    StreamSettings,
    check_name,
)
from .subject import KNOWN_SUBJECTS

if TYPE_CHECKING:
    from .jetstream import RunningJetStream

EPHEMERAL_S = 5.0
"""After so many seconds without use an ephemeral consumer is deleted (nats-server: `JsDeleteWaitTimeDefault`)."""


@dataclass(frozen=True)
class PublishAck:
    """The answer to a publish: which stream stored it, under which sequence, and whether it knew it already."""

    stream: str
    sequence: int
    duplicate: bool = False


@dataclass(frozen=True)
class Expect:
    """What a publisher expects of the stream; None expects nothing."""

    stream: str | None = None
    last_sequence: int | None = None
    last_subject_sequence: int | None = None


EXPECT_NOTHING = Expect()


class Stream:
    """A running stream; made by `RunningJetStream.stream`."""

    def __init__(self, server: RunningJetStream, settings: StreamSettings) -> None:
        self.server = server
        self.sim = server.sim
        self.name = settings.name
        self.settings = settings
        self.last_sequence = 0
        self.consumers: dict[str, Consumer] = {}
        self._stored: OrderedDict[int, tuple[Message, str, float]] = OrderedDict()
        self._by_subject: dict[str, deque[int]] = {}
        self._last_of: dict[str, int] = {}
        self._wanting: dict[str, list[Consumer]] = {}
        self._known_ids: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._nobody = self.sim.log.endpoint(self.sim.log.lane(server.name, self.name, ""), "")
        self._keeps_unwanted = settings.retention is not Retention.INTEREST
        self._drops_settled = settings.retention is not Retention.LIMITS
        self._is_work_queue = settings.retention is Retention.WORK_QUEUE
        self._numbered = 0
        self.sim.on_end(self._open_rows)

    # -------------------------------------------------------------------------------------- what is stored

    @property
    def first_sequence(self) -> int:
        """The sequence of the oldest message that is stored; one more than the last if there is none."""
        return next(iter(self._stored), self.last_sequence + 1)

    def __len__(self) -> int:
        return len(self._stored)

    def entries(self) -> Iterator[tuple[int, str, float]]:
        """Sequence, subject and time of storing (seconds) of all that is stored, in order."""
        return ((sequence, subject, stored_s) for sequence, (_, subject, stored_s) in self._stored.items())

    def message(self, sequence: int) -> Message:
        """The message stored under a sequence."""
        return self._stored[sequence][0]

    def stored_s(self, sequence: int) -> float:
        """When a message was stored, in seconds."""
        return self._stored[sequence][2]

    def last_of(self, subject: str) -> int:
        """The sequence of the last message of a subject that is stored, or 0."""
        sequence = self._last_of.get(subject, 0)
        if sequence and sequence not in self._stored:
            before = (each for each in reversed(self._stored) if self._stored[each][1] == subject)
            sequence = self._last_of[subject] = next(before, 0)
        return sequence

    # -------------------------------------------------------------------------------------- publishing

    def take(self, now_s: float, subject: str, message: Message, message_id: str | None = None) -> None:
        """Stores a message that was published without waiting for an acknowledgement: a refusal is not heard.

        What is refused is logged as dropped, for each consumer that would have received it.
        """
        try:
            self.store(now_s, subject, message, message_id)
        except JetStreamError:
            self.lose(now_s, subject, message)

    def store(
        self,
        now_s: float,
        subject: str,
        message: Message,
        message_id: str | None = None,
        expect: Expect = EXPECT_NOTHING,
    ) -> PublishAck:
        """Stores a message and acknowledges it; a `JetStreamError` if it is refused."""
        if message_id is not None:
            known = self._known(now_s, message_id)
            if known is not None:
                self.sim.log.fact(now_s, "duplicate_ignored", self.name, message_id=message_id, sequence=known)
                return PublishAck(self.name, known, duplicate=True)
        if expect is not EXPECT_NOTHING:
            self._check_expected(now_s, subject, expect)
        self._make_room(now_s, subject)
        self.last_sequence = sequence = self.last_sequence + 1
        if message_id is not None:
            self._known_ids[message_id] = (sequence, now_s)
        wanting = self._wanting.get(subject)
        if wanting is None:
            wanting = self._who_wants(subject)
        if wanting or self._keeps_unwanted:
            self._keep(now_s, sequence, subject, message)
        if not wanting and not self._is_work_queue:
            self.server.nobody_wants(now_s, self._nobody, message)
        for consumer in wanting:
            consumer.stored(now_s, sequence)
        return PublishAck(self.name, sequence)

    def _keep(self, now_s: float, sequence: int, subject: str, message: Message) -> None:
        self._stored[sequence] = (message, subject, now_s)
        self._last_of[subject] = sequence
        if self.settings.max_messages_per_subject is not None:
            self._by_subject.setdefault(subject, deque()).append(sequence)
        if self.settings.max_age_s is not None:
            self.sim.env.at(now_s + self.settings.max_age_s, self._grow_old, sequence)

    def _known(self, now_s: float, message_id: str) -> int | None:
        known = self._known_ids
        while known:
            oldest, (_, stored_s) = next(iter(known.items()))
            if now_s - stored_s < self.settings.duplicate_window_s:
                break
            del known[oldest]
        return known[message_id][0] if message_id in known else None

    def _check_expected(self, now_s: float, subject: str, expect: Expect) -> None:
        if expect.stream is not None and expect.stream != self.name:
            raise wrong_stream(expect.stream, now_s)
        if expect.last_sequence is not None and expect.last_sequence != self.last_sequence:
            raise wrong_last_sequence(self.last_sequence, expect.last_sequence, now_s)
        last = self.last_of(subject)
        if expect.last_subject_sequence is not None and expect.last_subject_sequence != last:
            raise wrong_last_sequence(last, expect.last_subject_sequence, now_s)

    # -------------------------------------------------------------------------------------- the server's fate

    def crash(self, now_s: float) -> None:
        """The server fails: consumers stop, and what is stored in memory is gone (numbers go on as before)."""
        for consumer in self.consumers.values():
            consumer.asleep = True
        if self.settings.storage is Storage.MEMORY:
            for sequence in list(self._stored):
                self._take_away(now_s, sequence, DROPPED)
            self._known_ids.clear()

    def restart(self, now_s: float) -> None:
        """The server is back: consumers go on from what they had on file."""
        for consumer in self.consumers.values():
            consumer.wake(now_s)

    # -------------------------------------------------------------------------------------- limits

    def _make_room(self, now_s: float, subject: str) -> None:
        settings = self.settings
        per_subject, bound = settings.max_messages_per_subject, settings.max_messages
        if per_subject is not None:
            mine = self._by_subject.get(subject, deque())
            if len(mine) >= per_subject:
                if settings.discard is Discard.NEW_PER_SUBJECT:
                    raise maximum_messages_per_subject(now_s)
                self._take_away(now_s, mine[0], DROPPED)
        if bound is not None and len(self._stored) >= bound:
            if settings.discard is not Discard.OLD:
                raise maximum_messages(now_s)
            self._take_away(now_s, self.first_sequence, DROPPED)

    def _grow_old(self, now_s: float, sequence: int) -> None:
        if sequence in self._stored:
            self._take_away(now_s, sequence, EXPIRED)

    def _take_away(self, now_s: float, sequence: int, outcome: int) -> None:
        message, subject, _ = self._stored[sequence]
        for consumer in self._who_wants(subject):
            consumer.removed(now_s, sequence, message, outcome)
        self._delete(sequence)
        self.server.tell_settled(now_s, message)

    def _delete(self, sequence: int) -> None:
        _, subject, _ = self._stored.pop(sequence)
        if not self._stored:
            self._last_of.clear()
        if self.settings.max_messages_per_subject is not None:
            self._by_subject[subject].remove(sequence)

    def lose(self, now_s: float, subject: str, message: Message) -> None:
        """A message is not stored, and its publisher does not hear of it."""
        number, root, published_s, enqueued_s, attempt, _ = message
        endpoints = [self.sim.log.endpoint(consumer.lane, "") for consumer in self._who_wants(subject)]
        for endpoint in endpoints or [self._nobody]:
            self.sim.log.add(
                pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, endpoint, attempt, DROPPED)
            )
        self.server.tell_settled(now_s, message)

    def _open_rows(self, now_s: float) -> list[bytes]:
        """What waits in a work queue for a consumer that wants it."""
        if not self._is_work_queue:
            return []
        unclaimed = [message for message, subject, _ in self._stored.values() if not self._who_wants(subject)]
        return [
            pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, NEVER, self._nobody, attempt, QUEUED)
            for number, root, published_s, enqueued_s, attempt, _ in unclaimed
        ]

    def settled(self, now_s: float, sequence: int) -> None:
        """A consumer needs a message no longer; interest and work queue streams drop what none needs."""
        message, subject, _ = self._stored[sequence]
        if self.server.settled:
            self.server.tell_settled(now_s, message)
        if self._drops_settled:
            for consumer in self._who_wants(subject):
                if consumer.needs(sequence):
                    return
            self._delete(sequence)

    def _who_wants(self, subject: str) -> list[Consumer]:
        """The consumers whose filters choose a subject, in the order of their making."""
        wanting = self._wanting.get(subject)
        if wanting is None:
            if len(self._wanting) >= KNOWN_SUBJECTS:
                self._wanting.clear()
            wanting = [consumer for consumer in self.consumers.values() if consumer.wants(subject)]
            self._wanting[subject] = wanting
        return wanting

    # -------------------------------------------------------------------------------------- consumers

    def consumer(self, name: str, **settings: Any) -> Consumer:
        """A new durable pull consumer; its takers share it as one queue. Settings: see `ConsumerSettings`."""
        return self._new(check_name("consumer", name), ConsumerSettings(**settings), pull)

    def ephemeral_consumer(self, **settings: Any) -> Consumer:
        """A pull consumer that is deleted when nobody has used it for `inactive_threshold_s` (5 s if not given)."""
        self._numbered += 1
        wishes = ConsumerSettings(**{"inactive_threshold_s": EPHEMERAL_S, **settings})
        return self._new(f"ephemeral-{self._numbered}", wishes, pull)

    def push_consumer(
        self, name: str, *, deliver_group: str | None = None, flow_control: int | None = None, **settings: Any
    ) -> Consumer:
        """A new durable push consumer: the server delivers at its own pace, to a random member of `deliver_group`.

        Without a deliver group one client may be bound, and `flow_control` may bound the messages in its buffer: the
        server goes on when the client has worked on some.
        """
        checked = check_name("consumer", name)
        window = checks.check_optional(checks.check_whole(1))("flow_control", flow_control)
        if deliver_group is None:
            return self._new(checked, ConsumerSettings(**settings), partial(push, window=window))
        check_name("deliver_group", deliver_group)
        if window is not None:
            raise checks.refuse("flow_control", flow_control, "leave it out; a deliver group has no flow control")
        return self._new(checked, ConsumerSettings(**settings), partial(push_to_group, group=deliver_group))

    def ordered_consumer(self, *, pending_messages: int = 524_288, **settings: Any) -> Consumer:
        """A push consumer for one client that sees the stream in order and without gaps, and acknowledges nothing.

        What its client drops for lack of room (`pending_messages`) makes a gap in the numbers; then it starts again
        from the first that it missed.
        """
        if self.settings.retention is not Retention.LIMITS:
            raise checks.refuse(
                "retention", self.settings.retention.value, "read a stream in order that keeps its messages ('limits')"
            )
        limit = checks.check_whole(1)("pending_messages", pending_messages)
        self._numbered += 1
        wishes = ConsumerSettings(**{**settings, "ack_policy": AckPolicy.NONE})
        return self._new(f"ordered-{self._numbered}", wishes, partial(in_order, limit=limit))

    def find_consumer(self, name: str) -> Consumer:
        """The consumer of that name; `ConsumerNotFoundError` if there is none."""
        if name not in self.consumers:
            raise ConsumerNotFoundError(self.name, name, self.consumers, at_s=float(self.sim.env.now))
        return self.consumers[name]

    def delete_consumer(self, name: str) -> None:
        """The consumer is gone, and with it what it was to deliver."""
        consumer = self.find_consumer(name)
        del self.consumers[name]
        self._wanting.clear()
        consumer.delete(float(self.sim.env.now))

    def _new(self, name: str, settings: ConsumerSettings, reception: Any) -> Consumer:
        if name in self.consumers:
            raise ConfigurationError(
                f"consumer {name!r} of stream {self.name!r} exists already",
                field="name",
                value=name,
                remedy="share it among takers, or give this one another name",
            )
        now_s = float(self.sim.env.now)
        for pattern in settings.filter_subjects:
            if not any(holds(subject, pattern) for subject in self.settings.subjects):
                raise JetStreamError(
                    10093,
                    "consumer filter subject is not a valid subset of the interest subjects",
                    f"choose from {', '.join(self.settings.subjects)}",
                    pattern,
                    now_s,
                )
        if self.settings.retention is Retention.WORK_QUEUE:
            self._check_work_queue(settings, now_s)
        made = self.consumers[name] = Consumer(self, name, settings, reception)
        self._wanting.clear()
        return made

    def _check_work_queue(self, settings: ConsumerSettings, now_s: float) -> None:
        filters = settings.filter_subjects
        if settings.ack_policy is not AckPolicy.EXPLICIT:
            raise JetStreamError(10098, "workqueue stream requires explicit ack", "leave ack_policy out", None, now_s)
        if self.consumers and not filters:
            raise JetStreamError(
                10099,
                "multiple non-filtered consumers not allowed on workqueue stream",
                "share one consumer among takers, or give filters that do not overlap",
                None,
                now_s,
            )
        for other in self.consumers.values():
            pair = first_overlap(filters, other.settings.filter_subjects or self.settings.subjects)
            if pair is not None:
                raise JetStreamError(
                    10100,
                    "filtered consumer not unique on workqueue stream",
                    f"{pair[0]!r} overlaps with {pair[1]!r} of {other.name!r}",
                    pair[0],
                    now_s,
                )
        if settings.deliver_policy is not DeliverPolicy.ALL:
            raise JetStreamError(
                10101, "consumer must be deliver all on workqueue stream", "leave deliver_policy out", None, now_s
            )
