"""ActiveMQ Classic: JMS queues and topics, with consumers over OpenWire or STOMP.

`ActiveMQ` is the configuration (`broker`, `settings`). Queues, topics and composite topics (`queue`, `topic`,
`composite`, all `destination`s) take messages in (`intake`) and dispatch them (`dispatcher`, `pending`, `consumer`) to
those who receive (`consumption`). Pure parts, usable without a simulation: `selector` (SQL-92 conditions on messages;
its parts are in `selector_*`), `wildcard` (patterns of destinations) and `settings.RedeliveryPolicy`. Rules AMQ-.. of
docs/FIDELITY.md tell what is modelled and from which source.
"""

from .broker import ActiveMQ, RunningActiveMQ
from .consumption import JMSDelivery
from .errors import IllegalStateError, JMSError, ResourceAllocationError, UnmatchedAcknowledgeError
from .selector import Client, Selector, selector
from .selector_tokens import InvalidSelectorError
from .selector_values import MessageFormatError
from .settings import (
    Acknowledge,
    DeadLetters,
    DeliveryMode,
    DestinationPolicy,
    Expired,
    MessageOrder,
    RedeliveryPolicy,
    WhenFull,
)
from .wildcard import InvalidDestinationError, destination_matches

__all__ = [
    "Acknowledge", "ActiveMQ", "Client", "DeadLetters", "DeliveryMode", "DestinationPolicy", "Expired",
    "IllegalStateError", "InvalidDestinationError", "InvalidSelectorError", "JMSDelivery", "JMSError",
    "MessageFormatError", "MessageOrder", "RedeliveryPolicy", "ResourceAllocationError", "RunningActiveMQ", "Selector",
    "UnmatchedAcknowledgeError", "WhenFull", "destination_matches", "selector",
]  # fmt: skip
