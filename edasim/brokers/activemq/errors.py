"""What ActiveMQ and its clients answer to a wrong request, named after the exceptions of JMS.

Follows `jakarta.jms` and the messages of ActiveMQ 5.17 in kind, not word for word. Selectors and names have their own
errors (`InvalidSelectorError`, `InvalidDestinationError`).
"""

from __future__ import annotations

from ...errors import StateError


class JMSError(StateError):
    """A client asks for what the broker's state forbids (JMS: JMSException)."""


class ResourceAllocationError(JMSError):
    """A destination is full and sending fails rather than waits (JMS: ResourceAllocationException)."""


class UnmatchedAcknowledgeError(JMSError):
    """An acknowledgement of what the consumer does not hold any more.

    The broker answers a JMS client "Unmatched acknowledge" (PrefetchSubscription.java) and a STOMP client "Unexpected
    ACK received" (ProtocolConverter.java).
    """


class IllegalStateError(JMSError):
    """A client does what its session's mode forbids (JMS: IllegalStateException)."""
