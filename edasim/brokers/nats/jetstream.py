"""JetStream: a NATS server that stores subjects in streams, from which consumers deliver at least once.

Everything of core NATS works beside it: a subject may have subscribers and a stream. A publish with acknowledgement is
`publish`; what a `Source` or a core publish sends to a stream's subject is stored as well, but a refusal is not heard
(NAT-26). Rules and sources: `stream`, `consumer`, `core`. Left out: clusters, so replicas and their majorities.
"""

from __future__ import annotations

from typing import Any

from ... import checks
from ...errors import ConfigurationError, UnknownNameError
from ...events import Event
from ...kernel import Simulation
from ...kernel.plane import Any as _Any  # noqa: F401
from ..base import Capability, Message
from ..by_hand import publish
from ..topology import Topology
from .core import RunningNats
from .errors import JetStreamError, no_stream
from .overlap import first_overlap
from .settings import SlowConsumer, StreamSettings, check_patterns
from .stream import Expect, PublishAck, Stream
from .subject import Offer
from .subjects import check_publish_subject, subject_matches
from .wiring import JetStreamWiring
