"""What Kafka answers to a wrong request, named after the exceptions of its Java client.

Follows apache/kafka 3.9, `Errors.java` and the exceptions in `common/errors` and `clients/consumer`, in kind and not
word for word. Errors of one part stand with it: `InvalidTopicError` (topic), `InvalidPartitionsError` (partitioner),
`CommitFailedError` (by_hand), `NoOffsetForPartitionError` (places), those of producers (producer). A topic that does
not exist is no error: brokers make it at its first use (`auto.create.topics.enable`).
"""

from __future__ import annotations

from ...errors import ConfigurationError, StateError, UnknownNameError


class UnknownTopicOrPartitionError(UnknownNameError):
    """A partition that the topic does not have (Kafka: UnknownTopicOrPartitionException)."""


class TopicExistsError(ConfigurationError):
    """A topic is asked for with settings, but was made before (Kafka: TopicExistsException)."""


class InvalidReplicationFactorError(ConfigurationError):
    """More replicas than there are brokers (Kafka: InvalidReplicationFactorException)."""


class InconsistentGroupProtocolError(ConfigurationError):
    """A member offers no assignor that the group's members share (Kafka: InconsistentGroupProtocolException)."""


class InvalidOffsetError(StateError):
    """A position that cannot be read from (Kafka: InvalidOffsetException)."""


class OffsetOutOfRangeError(InvalidOffsetError):
    """An offset before the start or beyond the end of the log (Kafka: OffsetOutOfRangeException)."""
