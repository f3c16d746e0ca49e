"""NATS: subjects that interested clients hear, and JetStream, which stores them.

`Nats` is the core: at most once. `JetStream` adds streams and consumers: at least once. Pure parts, usable without a
simulation: `subjects` and `overlap` (names, wildcards, matching), `settings`, `ledger` (what is pending), `start`
(where a consumer starts). Rules NAT-.. of docs/FIDELITY.md tell what is modelled and from which source.
"""

from .core import Nats, RunningNats
from .errors import (
    ConsumerNotFoundError,
    JetStreamError,
    MessageAlreadyAcknowledgedError,
    NoRespondersError,
    RequestTimeoutError,
    StreamNotFoundError,
)
from .jetstream import JetStream, RunningJetStream
from .settings import (
    AckPolicy,
    AckSending,
    ConsumerSettings,
    DeliverPolicy,
    Discard,
    ReplayPolicy,
    Retention,
    SlowConsumer,
    Storage,
    StreamSettings,
)
from .stream import PublishAck, Stream
from .subjects import (
    InvalidPublishSubjectError,
    InvalidSubjectError,
    check_pattern,
    check_publish_subject,
    subject_matches,
)

__all__ = [
    "AckPolicy", "AckSending", "ConsumerNotFoundError", "ConsumerSettings", "DeliverPolicy", "Discard",
    "InvalidPublishSubjectError", "InvalidSubjectError", "JetStream", "JetStreamError",
    "MessageAlreadyAcknowledgedError", "Nats", "NoRespondersError", "PublishAck", "ReplayPolicy",
    "RequestTimeoutError", "Retention", "RunningJetStream", "RunningNats", "SlowConsumer", "Storage", "Stream",
    "StreamNotFoundError", "StreamSettings", "check_pattern", "check_publish_subject", "subject_matches",
]  # fmt: skip
