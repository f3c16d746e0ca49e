"""What a NATS server or client answers when something cannot be: errors named and numbered as there.

Follows nats-io/nats-server `server/errors.json` (codes and descriptions) and docs.nats.io (JetStream errors).
"""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import StateError, UnknownNameError


class NoRespondersError(StateError):
    """A request that nobody can answer (status 503, no responders)."""


class RequestTimeoutError(StateError):
    """A request that nobody answered in time."""


class MessageAlreadyAcknowledgedError(StateError):
    """A message that was acknowledged, refused or terminated before (nats-io/nats.py: MsgAlreadyAckdError)."""


class StreamNotFoundError(UnknownNameError):
    """A stream that does not exist (nats-io/nats-server: JSStreamNotFoundErr)."""

    code = 10059

    def __init__(self, name: str, known: Iterable[str], at_s: float | None = None) -> None:
        super().__init__("stream", name, known, at_s)
        self.args = (name, self.known, at_s)


class ConsumerNotFoundError(UnknownNameError):
    """A consumer that its stream does not have (nats-io/nats-server: JSConsumerNotFoundErr)."""

    code = 10014

    def __init__(self, stream: str, name: str, known: Iterable[str], at_s: float | None = None) -> None:
        super().__init__(f"consumer of stream {stream!r}", name, known, at_s)
        self.args = (stream, name, self.known, at_s)


class JetStreamError(StateError):
    """A refusal by JetStream; `code` is the server's error code, `description` its words."""

    def __init__(
        self, code: int, description: str, remedy: str | None = None, value: object = None, at_s: float | None = None
    ) -> None:
        self.code = code
        self.description = description
        super().__init__(f"JetStream error {code}: {description}", "JetStream", value, remedy, at_s)
        self.args = (code, description, remedy, value, at_s)


def maximum_messages(at_s: float) -> JetStreamError:
    """A full stream that discards the new."""
    return JetStreamError(
        10077, "maximum messages exceeded", "wait until there is room, raise the limit, or discard the old", None, at_s
    )


def maximum_messages_per_subject(at_s: float) -> JetStreamError:
    """A full subject of a stream that discards the new per subject."""
    return JetStreamError(
        10077, "maximum messages per subject exceeded", "wait until there is room, or raise the limit", None, at_s
    )


def wrong_last_sequence(last: int, expected: int, at_s: float) -> JetStreamError:
    """Another publisher was faster."""
    return JetStreamError(
        10071, f"wrong last sequence: {last}", "read again, decide again, publish again", expected, at_s
    )


def wrong_stream(expected: str, at_s: float) -> JetStreamError:
    """The message went to another stream than its publisher expected."""
    return JetStreamError(10060, "expected stream does not match", "name the stream that stores it", expected, at_s)


def no_stream(subject: str, at_s: float) -> JetStreamError:
    """No stream stores the subject, so nobody acknowledges (status 503)."""
    return JetStreamError(503, "no response from stream", "make a stream whose subjects include it", subject, at_s)


def consumer_not_found(name: str, at_s: float) -> JetStreamError:
    """The consumer was deleted, such as an ephemeral one that was idle for too long."""
    return JetStreamError(10014, "consumer not found", "make it durable, or raise its inactive_threshold_s", name, at_s)


def exceeded_max_waiting(limit: int, at_s: float) -> JetStreamError:
    """One pull request too many waits at a consumer (status 409)."""
    return JetStreamError(409, "Exceeded MaxWaiting", "raise max_waiting, or let fewer takers ask", limit, at_s)
