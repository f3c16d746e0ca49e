"""The words of NATS and JetStream for policies, and the settings of streams and consumers, checked as the server does.

Defaults and rules over several fields follow nats-io/nats-server `server/consumer.go` (`setConsumerConfigDefaults`,
`checkConsumerCfg`), `server/stream.go` (`StreamDefaultDuplicatesWindow`: 2 min) and nats-io/nats.docs (`streams.md`,
`consumers.md`). Limits count messages and seconds; left out: limits in bytes, since events have no size here, mirrors,
sources, rate limits and priority groups.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

from ... import checks
from ...errors import ConfigurationError
from .overlap import first_overlap
from .subjects import check_pattern

_NOT_IN_NAMES = " \t\r\n.*>/\\"
LONGEST_NAME_BYTES = 255


class SlowConsumer(enum.Enum):
    """What happens to a core subscriber who does not keep up."""

    DROP_NEWEST = "drop_newest"
    CUT_OFF = "cut_off"


class Retention(enum.Enum):
    """How long a stream keeps a message."""

    LIMITS = "limits"
    INTEREST = "interest"
    WORK_QUEUE = "workqueue"


class Discard(enum.Enum):
    """What a full stream does with one message too many."""

    OLD = "old"
    NEW = "new"
    NEW_PER_SUBJECT = "new_per_subject"


class Storage(enum.Enum):
    """Where a stream keeps its messages: what a restart of the server leaves of them."""

    FILE = "file"
    MEMORY = "memory"


class AckPolicy(enum.Enum):
    """What an acknowledgement settles: nothing (delivered is done), all up to this one, or this one."""

    NONE = "none"
    ALL = "all"
    EXPLICIT = "explicit"


class DeliverPolicy(enum.Enum):
    """Where in the stream a new consumer starts."""

    ALL = "all"
    LAST = "last"
    NEW = "new"
    BY_START_SEQUENCE = "by_start_sequence"
    BY_START_TIME = "by_start_time"
    LAST_PER_SUBJECT = "last_per_subject"


class ReplayPolicy(enum.Enum):
    """Whether what is stored comes as fast as it can, or with the gaps with which it was stored."""

    INSTANT = "instant"
    ORIGINAL = "original"


class AckSending(enum.Enum):
    """When a client that fetches batches sends its acknowledgements: each at once, or all with its next fetch.

    The second is what a client does whose handler blocks the event loop that writes to the socket (measured with
    nats-py and a sleeping handler: data/measured, jetstream_kill_batch10_a).
    """

    AT_ONCE = "at_once"
    WITH_NEXT_FETCH = "with_next_fetch"


def check_name(field: str, value: Any) -> str:
    """A name of a stream or consumer: no blank, dot, wildcard or slash, and at most 255 bytes (JSMaxNameLen)."""
    name = checks.check_text(field, value)
    wrong = sorted({letter for letter in name if letter in _NOT_IN_NAMES})
    if wrong:
        raise checks.refuse(field, value, f"leave out {' '.join(map(repr, wrong))}")
    if len(name.encode()) > LONGEST_NAME_BYTES:
        raise checks.refuse(field, value, f"give at most {LONGEST_NAME_BYTES} bytes")
    return name


def check_patterns(field: str, value: Any) -> tuple[str, ...]:
    """Subject patterns, one or several, of which no two can match one subject."""
    if not isinstance(value, str) and not isinstance(value, Iterable):
        raise checks.refuse(field, value, "give a subject pattern, or several of them")
    patterns = tuple(check_pattern(each) for each in ([value] if isinstance(value, str) else value))
    for place, pattern in enumerate(patterns):
        pair = first_overlap([pattern], patterns[:place])
        if pair is not None:
            raise checks.refuse(field, value, f"{pair[0]!r} and {pair[1]!r} overlap; keep one of them")
    return patterns


def _check_some_patterns(field: str, value: Any) -> tuple[str, ...]:
    patterns = check_patterns(field, value)
    if not patterns:
        raise checks.refuse(field, value, "name at least one subject")
    return patterns


def check_waits(field: str, value: Any) -> tuple[float, ...]:
    """Seconds to wait, one per attempt."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise checks.refuse(field, value, "give a list of seconds")
    return tuple(checks.check_positive(f"{field}[{place}]", wait_s) for place, wait_s in enumerate(value))


@checks.configuration
class StreamSettings:
    """What a stream stores, and for how long.

    `max_messages`, `max_messages_per_subject` and `max_age_s` bound it (None: no bound); `discard` says what a full one
    does. A full subject drops its oldest, unless `discard` is "new_per_subject".
    """

    name: str = checks.checked(check_name)
    subjects: tuple[str, ...] = checks.checked(_check_some_patterns)
    retention: Retention = checks.word(Retention, default=Retention.LIMITS)
    discard: Discard = checks.word(Discard, default=Discard.OLD)
    storage: Storage = checks.word(Storage, default=Storage.FILE)
    max_messages: int | None = checks.optional(checks.check_whole(1), default=None)
    max_messages_per_subject: int | None = checks.optional(checks.check_whole(1), default=None)
    max_age_s: float | None = checks.optional(checks.check_positive, default=None)
    duplicate_window_s: float = checks.positive(default=120.0)

    def check(self) -> None:
        """Refusing per subject needs a bound per subject."""
        if self.discard is Discard.NEW_PER_SUBJECT and self.max_messages_per_subject is None:
            raise checks.refuse("StreamSettings.discard", self.discard.value, "give max_messages_per_subject as well")


@checks.configuration
class ConsumerSettings:
    """How a consumer delivers, waits for acknowledgements, and delivers again.

    `backoff_s` replaces `ack_wait_s` attempt by attempt, its last value repeats. `max_deliver` bounds the deliveries of
    one message, `max_ack_pending` those without an acknowledgement at one time (None: no bound). `filter_subjects`
    choose from the stream (none: all). `start_sequence` and `start_time_s` belong to their deliver policies.
    `max_waiting` bounds the pull requests that wait, `batch` is how many messages a client asks for at once.
    `inactive_threshold_s` deletes the consumer when nobody has used it for so long (None: never).
    """

    ack_policy: AckPolicy = checks.word(AckPolicy, default=AckPolicy.EXPLICIT)
    ack_wait_s: float = checks.positive(default=30.0)
    backoff_s: tuple[float, ...] = checks.checked(check_waits, default=())
    max_deliver: int | None = checks.optional(checks.check_whole(1), default=None)
    max_ack_pending: int | None = checks.optional(checks.check_whole(1), default=1000)
    filter_subjects: tuple[str, ...] = checks.checked(check_patterns, default=())
    deliver_policy: DeliverPolicy = checks.word(DeliverPolicy, default=DeliverPolicy.ALL)
    start_sequence: int | None = checks.optional(checks.check_whole(1), default=None)
    start_time_s: float | None = checks.optional(checks.check_non_negative, default=None)
    replay_policy: ReplayPolicy = checks.word(ReplayPolicy, default=ReplayPolicy.INSTANT)
    max_waiting: int = checks.at_least(1, default=512)
    batch: int = checks.at_least(1, default=1)
    ack_sending: AckSending = checks.word(AckSending, default=AckSending.AT_ONCE)
    inactive_threshold_s: float | None = checks.optional(checks.check_positive, default=None)

    def check(self) -> None:
        """The rules over several fields."""
        if self.max_deliver is not None and len(self.backoff_s) > self.max_deliver:
            raise checks.refuse(
                "ConsumerSettings.backoff_s",
                self.backoff_s,
                f"give at most max_deliver = {self.max_deliver} waits (JetStream error 10116)",
            )
        for policy, field in (
            (DeliverPolicy.BY_START_SEQUENCE, "start_sequence"),
            (DeliverPolicy.BY_START_TIME, "start_time_s"),
        ):
            if (self.deliver_policy is policy) != (getattr(self, field) is not None):
                raise ConfigurationError(
                    f"deliver_policy is {self.deliver_policy.value!r} and {field} is {getattr(self, field)!r}",
                    field=f"ConsumerSettings.{field}",
                    value=getattr(self, field),
                    remedy=f"give {field} with deliver_policy={policy.value!r}, and only then (JetStream error 10094)",
                )
        if self.deliver_policy is DeliverPolicy.LAST_PER_SUBJECT and not self.filter_subjects:
            raise checks.refuse(
                "ConsumerSettings.filter_subjects",
                self.filter_subjects,
                "name the subjects whose last messages are wanted, such as '>' (JetStream error 10094)",
            )
        if self.batch == 1 and self.ack_sending is AckSending.WITH_NEXT_FETCH:
            raise checks.refuse("ConsumerSettings.batch", self.batch, "fetch at least 2, or leave out ack_sending")

    @property
    def waits_s(self) -> tuple[float, ...]:
        """How long to wait for an acknowledgement, by delivery; the last value repeats."""
        return self.backoff_s or (self.ack_wait_s,)
