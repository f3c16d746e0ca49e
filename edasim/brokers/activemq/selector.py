"""Selectors: SQL-92 conditions on headers and properties, by which a consumer takes only some messages (AMQ-07).

Follows ActiveMQ Classic 5.17.2 as measured over STOMP, and its source: `SelectorParser.jj` and the package
`org.apache.activemq.filter`. A missing property is NULL, what compares with it is unknown, and only what is true is
taken. Where the broker throws while it evaluates (a text times a number), the message is not taken. Left out: that the
sender's publish then fails, XPATH and XQUERY, and JMS headers that the caller does not give.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ... import checks
from .selector_nodes import Condition, holds
from .selector_parser import parse
from .selector_tokens import InvalidSelectorError

_CONVERT = "convert_string_expressions:"


class Client(enum.Enum):
    """How the consumer is connected, which decides what a text is that stands beside a number."""

    STOMP = "stomp"
    """All properties are texts; the broker puts `convert_string_expressions:` before the selector and reads a text
    as the kind of value that it is compared with: `size = 10` takes '10'."""

    OPENWIRE = "openwire"
    """JMS: properties have types; a text equals no number, unless the selector begins with that prefix."""


@dataclass(frozen=True)
class Selector:
    """A selector that was understood."""

    text: str
    client: Client
    _condition: Condition = field(repr=False, compare=False)

    def matches(self, headers: Mapping[str, Any]) -> bool:
        """Whether a message with these headers and properties is taken; unknown counts as not.

        Values are texts, truth values, numbers or None; anything else is a `MessageFormatError`.
        """
        return holds(self._condition, headers)


def selector(text: str, client: Client = Client.STOMP) -> Selector:
    """A selector as the broker reads it at subscribe.

    Raises `InvalidSelectorError` with the position of what is wrong and what was expected there.

    >>> selector("color = 'red' AND size BETWEEN 5 AND 20").matches({"color": "red", "size": "10"})
    True
    >>> selector("NOT (color = 'red')").matches({})
    False
    >>> selector("color = ")
    Traceback (most recent call last):
        ...
    edasim...InvalidSelectorError: invalid selector 'color = ': at position 8 there is the end; expected a property, ...
    """
    if not isinstance(text, str):
        raise InvalidSelectorError(text, 0, "no text", "a text such as \"color = 'red'\"")
    client = checks.check_word(Client)("client", client)
    bare = text.removeprefix(_CONVERT)
    convert = client is Client.STOMP or bare != text
    return Selector(text, client, parse(bare, convert=convert))
