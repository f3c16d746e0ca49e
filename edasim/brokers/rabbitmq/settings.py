"""The words in which queues and exchanges are declared, as frozen values; equal declarations are the same declaration.

Follows the optional arguments of RabbitMQ 3.10 to 3.13 (rabbitmq-website, versioned_docs/version-3.13: queues.md,
ttl.md, maxlength/index.md, dlx.md, priority.md, quorum-queues/index.md). Times are in seconds here, in milliseconds
there. Left out: lazy mode and lengths in bytes (a message has no size here), policies, exclusive and auto-delete
queues.
"""

from __future__ import annotations

import enum
from typing import Any

from ... import checks
from ...errors import ConfigurationError
from .errors import PreconditionFailedError


class ExchangeType(enum.Enum):
    """How an exchange compares a message with its bindings."""

    DIRECT = "direct"
    TOPIC = "topic"
    FANOUT = "fanout"
    HEADERS = "headers"


class QueueType(enum.Enum):
    """Where a queue keeps its messages, and so what happens to a requeued one."""

    CLASSIC = "classic"
    QUORUM = "quorum"


class Overflow(enum.Enum):
    """What a queue at its maximum length does with one message too many."""

    DROP_HEAD = "drop-head"
    REJECT_PUBLISH = "reject-publish"
    REJECT_PUBLISH_DLX = "reject-publish-dlx"


@checks.configuration
class ExchangeArguments:
    """How an exchange was declared."""

    type: ExchangeType = checks.word(ExchangeType, default=ExchangeType.DIRECT)
    durable: bool = checks.kind(bool, "True or False", default=True)
    alternate_exchange: str | None = checks.optional(checks.check_text, default=None)


def _argument(check: checks.Check) -> Any:
    """A queue argument that may be left out; a wrong value is refused as RabbitMQ does, with 406."""

    def judge(field: str, value: Any) -> Any:
        try:
            return check(field, value)
        except ConfigurationError as wrong:
            problem = f"invalid arg {field.rpartition('.')[2]!r}: {value!r}"
            raise PreconditionFailedError(problem, field=field, value=value, remedy=wrong.remedy) from None

    return checks.optional(judge, default=None)


@checks.configuration
class QueueArguments:
    """How a queue was declared.

    `max_length` bounds the messages that are ready, not those at consumers. `message_ttl_s` is how long a message may
    wait, `expires_s` how long the queue may be unused. Without `dead_letter_routing_key` a dead letter keeps its keys.
    `delivery_limit` (quorum) allows that many redeliveries; RabbitMQ 3.x has none unless you ask, 4.0 has 20.
    """

    type: QueueType = checks.word(QueueType, default=QueueType.CLASSIC)
    durable: bool = checks.kind(bool, "True or False", default=True)
    max_length: int | None = _argument(checks.check_whole(0))
    overflow: Overflow = checks.word(Overflow, default=Overflow.DROP_HEAD)
    message_ttl_s: float | None = _argument(checks.check_non_negative)
    expires_s: float | None = _argument(checks.check_positive)
    dead_letter_exchange: str | None = checks.optional(checks.check_kind(str, "the name of an exchange"), default=None)
    dead_letter_routing_key: str | None = checks.optional(checks.check_kind(str, "a routing key"), default=None)
    max_priority: int | None = _argument(checks.check_whole(1, 255))
    single_active_consumer: bool = checks.kind(bool, "True or False", default=False)
    delivery_limit: int | None = _argument(checks.check_whole(0))

    def check(self) -> None:
        """What a queue type cannot do is refused."""
        if self.type is QueueType.QUORUM:
            if not self.durable:
                raise self._cannot("durable", "a quorum queue is always durable")
            if self.max_priority is not None:
                raise self._cannot(
                    "max_priority", "a quorum queue has no priorities (RabbitMQ 3.x); use a classic queue"
                )
            if self.overflow is Overflow.REJECT_PUBLISH_DLX:
                raise self._cannot("overflow", "a quorum queue drops its head or rejects without a dead letter")
        elif self.delivery_limit is not None:
            raise self._cannot("delivery_limit", "only a quorum queue counts deliveries")

    def _cannot(self, name: str, remedy: str) -> PreconditionFailedError:
        value = getattr(self, name)
        problem = f"invalid arg {name!r} for a {self.type.value} queue: {getattr(value, 'value', value)!r}"
        return PreconditionFailedError(problem, field=f"QueueArguments.{name}", value=value, remedy=remedy)


def difference(kind: str, name: str, declared: Any, now: Any) -> PreconditionFailedError:
    """The error for declaring what exists once more, with other arguments; it names the first that differs."""
    field = next(field for field in vars(declared) if getattr(declared, field) != getattr(now, field))
    was, wanted = (getattr(getattr(each, field), "value", getattr(each, field)) for each in (declared, now))
    return PreconditionFailedError(
        f"inequivalent arg {field!r} for {kind} {name!r}: received {wanted!r} but current is {was!r}",
        field=field,
        value=wanted,
        remedy="declare it as before, or give it another name",
    )
