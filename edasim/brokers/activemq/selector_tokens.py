"""The words of a selector: tokens with their positions, and the error that a malformed selector gets.

Follows the token part of `SelectorParser.jj` of apache/activemq: reserved words in any case, names of ASCII letters,
digits, `_` and `$`, strings in single quotes (a quote inside is doubled), whole numbers (decimal, octal with a leading
0, hexadecimal with 0x, an L at the end allowed for decimals), numbers with a point or an exponent, `--` comments that
end with their line, and comments between `/*` and `*/`.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from ...errors import ConfigurationError


class InvalidSelectorError(ConfigurationError):
    """A selector that the broker refuses at subscribe (JMS: InvalidSelectorException).

    `position` counts characters from 0; `expected` says in words what could have stood there.
    """

    def __init__(self, text: object, position: int, found: str, expected: str) -> None:
        self.position = position
        self.expected = expected
        problem = f"invalid selector {text!r}: at position {position} there is {found}"
        super().__init__(problem, field="selector", value=text, remedy=f"expected {expected}")
        self.args = (text, position, found, expected)

    def happened_at(self, at_s: float) -> None:
        """Notes the simulated time; it is no part of what the error is made from."""
        if self.at_s is None:
            self.at_s = at_s


class Kind(enum.Enum):
    """What a token is; the value describes it."""

    WORD = "a reserved word"
    NAME = "a property"
    STRING = "a string"
    FLOAT = "a number"
    HEX = "a hexadecimal number"
    DECIMAL = "a whole number"
    OCTAL = "an octal number"
    SIGN = "a sign"
    END = "the end"


@dataclass(frozen=True)
class Token:
    """A piece of a selector; reserved words in capitals."""

    kind: Kind
    text: str
    position: int

    def describe(self) -> str:
        """What stands here, for an error."""
        return "the end" if self.kind is Kind.END else repr(self.text)


_RESERVED = frozenset(
    {"NOT", "AND", "OR", "BETWEEN", "LIKE", "ESCAPE", "IN", "IS", "TRUE", "FALSE", "NULL", "XPATH", "XQUERY"}
)

_TOKEN = re.compile(
    r"""(?P<skipped>[ \t\n\r\f]+ | --[^\n\r]*(?:\r\n|\n|\r) | /\*[^*]*\*(?:\*|[^*/][^*]*\*)*/)
    | (?P<FLOAT>[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)? | \.[0-9]+(?:[eE][+-]?[0-9]+)? | [0-9]+[eE][+-]?[0-9]+)
    | (?P<HEX>0[xX][0-9a-fA-F]+)
    | (?P<DECIMAL>[1-9][0-9]*[lL]?)
    | (?P<OCTAL>0[0-7]*)
    | (?P<STRING>'(?:''|[^'])*')
    | (?P<NAME>[A-Za-z_$][A-Za-z0-9_$]*)
    | (?P<SIGN><>|<=|>=|[=<>+\-*/%(),])""",
    re.VERBOSE,
)

_HINTS = {
    "'": ("a string without an end", "a closing quote; a quote inside a string is doubled: 'O''Neil'"),
    '"': ("a double quote", "single quotes around strings: 'red'"),
    "!": ("'!'", "<> for unequal"),
}


def tokens_of(text: str) -> list[Token]:
    """All tokens of a selector, with one of kind END at the end; raises `InvalidSelectorError` for a stray letter."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            what, expected = _HINTS.get(text[position], (repr(text[position]), "a name, number, string or operator"))
            raise InvalidSelectorError(text, position, what, expected)
        if match.lastgroup != "skipped":
            found.append(_token(str(match.lastgroup), match.group(), position))
        position = match.end()
    return [*found, Token(Kind.END, "", len(text))]


def _token(group: str, text: str, position: int) -> Token:
    if group == "NAME" and text.upper() in _RESERVED:
        return Token(Kind.WORD, text.upper(), position)
    return Token(Kind[group], text, position)
