"""What RabbitMQ answers to a wrong request: an error that closes the channel, with a code and its name.

Follows the reply codes of AMQP 0-9-1 and the texts measured on RabbitMQ 3.10.8 (table rabbitmq/errors). Left out:
errors that close the whole connection.
"""

from __future__ import annotations

from typing import Any

from ...errors import StateError


class ChannelError(StateError):
    """RabbitMQ closes the channel: `code` and `reply` are AMQP's, such as 404 and NOT_FOUND."""

    code = 504
    reply = "CHANNEL_ERROR"

    def __init__(
        self,
        problem: str,
        field: str | None = None,
        value: Any = None,
        remedy: str | None = None,
        at_s: float | None = None,
    ) -> None:
        super().__init__(problem, field, value, remedy, at_s)

    def __str__(self) -> str:
        return f"{self.code} {self.reply} - {super().__str__()}"


class AccessRefusedError(ChannelError):
    """A name that belongs to the broker (`amq.…`)."""

    code = 403
    reply = "ACCESS_REFUSED"


class NotFoundError(ChannelError):
    """A queue or an exchange that does not exist."""

    code = 404
    reply = "NOT_FOUND"


class PreconditionFailedError(ChannelError):
    """A delivery tag that is not open on this channel, or arguments that differ or are wrong."""

    code = 406
    reply = "PRECONDITION_FAILED"
