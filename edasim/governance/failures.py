"""How a call can fail, in words that every policy shares.

The classes are those by which products decide whether to try again: Envoy's `retry_on` conditions, gRPC's status codes
and the exceptions of Resilience4j (`formats/` says which maps to which). Left out: single status codes.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

from .. import checks


class Failure(enum.Enum):
    """Why a call has no answer that the caller can use."""

    ERROR = "error"
    """The callee answered that it failed (HTTP 500, an exception)."""
    TIMEOUT = "timeout"
    """No answer in time; the callee may have done the work, or may be doing it."""
    UNREACHABLE = "unreachable"
    """No connection, or no instance to call: the callee did nothing."""
    OVERLOADED = "overloaded"
    """The callee refused for want of capacity (HTTP 429 or 503): it did nothing."""
    NOT_PERMITTED = "not permitted"
    """The caller's own policy refused (open breaker, full bulkhead, limiter): nothing was sent."""
    INVALID = "invalid"
    """The request is wrong and stays wrong (HTTP 400, a broken rule)."""
    EXPIRED = "expired"
    """The deadline has passed: nobody waits for the answer."""

    __hash__ = object.__hash__
    """By identity: policies look a failure up after every call, and an enumeration's own hash runs in Python."""


def check_failures(field: str, value: Any) -> frozenset[Failure]:
    """Any number of failures, or their words, kept as a set; for `checks.checked`."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise checks.refuse(field, value, "give a list of failures, such as ['error', 'timeout']")
    check = checks.check_word(Failure)
    return frozenset(check(field, each) for each in value)
