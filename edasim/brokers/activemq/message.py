"""A message inside ActiveMQ: its JMS headers, and its place in a queue.

Follows JMS 1.1 (headers, default priority 4) and `Message.java` of ActiveMQ 5.17. A selector sees the event's type as
JMSType, its id as JMSMessageID, its trace as JMSCorrelationID, and its source, subject and extension attributes
(without those of bytes, for which JMS has no property) as properties. Left out: JMSReplyTo, JMSXGroupSeq.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ...kernel import Simulation
from ..base import Message, event_of

if TYPE_CHECKING:
    from .consumer import Consumer

NORMAL_PRIORITY = 4


class Headers(NamedTuple):
    """What a producer says of a message: `expires_s` is an instant (inf: never), `group` its JMSXGroupID."""

    persistent: bool = True
    priority: int = NORMAL_PRIORITY
    expires_s: float = math.inf
    group: str | None = None


PLAIN = Headers()


class Share(Protocol):
    """What a message takes of a destination's memory."""

    def release(self, now_s: float) -> None:
        """The message needs it no more."""


class NoShare:
    """Stands for the memory of a message that takes none any more."""

    def release(self, now_s: float) -> None:
        """There is nothing to release."""


NO_SHARE = NoShare()


class Entry:
    """A message in a queue, from its acceptance to its end; `message` changes with each attempt."""

    __slots__ = ("consumer", "delivered_s", "headers", "message", "properties", "sequence", "share", "taken")

    def __init__(self, message: Message, headers: Headers, share: Share) -> None:
        self.message = message
        self.headers = headers
        self.share = share
        self.delivered_s = math.nan
        self.taken = False
        self.sequence = 0
        self.consumer: Consumer | None = None
        self.properties: dict[str, Any] | None = None

    def attempt_again(self, now_s: float) -> None:
        """Counts one more attempt; the broker or the client has it again from now on."""
        number, root, published_s, _, attempt, event = self.message
        self.message = (number, root, published_s, now_s, attempt + 1, event)
        self.taken = False
        self.properties = None


def properties_of(sim: Simulation, message: Message, headers: Headers) -> dict[str, Any]:
    """The headers and properties that a selector may ask for."""
    event = event_of(sim, message)
    return {
        **{name: value for name, value in event.extensions.items() if not isinstance(value, bytes)},
        "JMSType": event.type,
        "JMSMessageID": event.id,
        "JMSCorrelationID": event.trace_id,
        "JMSTimestamp": int(message[2] * 1000.0),
        "JMSPriority": headers.priority,
        "JMSDeliveryMode": "PERSISTENT" if headers.persistent else "NON_PERSISTENT",
        "JMSXGroupID": headers.group,
        "JMSXDeliveryCount": message[4],
        "source": event.source,
        "subject": event.subject,
    }
