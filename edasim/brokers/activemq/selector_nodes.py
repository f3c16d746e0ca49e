"""The parts of a parsed selector, each of which gives its value for a message's headers; None is unknown.

Follows the classes of the package `org.apache.activemq.filter`: AND, OR and NOT have three values; a test for
equality with a missing value on the left is unknown, with one on the right false, and with two it is true (so
`color = color` holds even without a colour).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .selector_values import Undecidable, Value, check_property, compare, negate, reckon

Headers = Mapping[str, Any]


class Node(Protocol):
    """A part of a selector."""

    def value(self, headers: Headers) -> Value:
        """What this part comes to for a message; None if unknown. May raise `Undecidable`."""

    @property
    def parts(self) -> tuple[Node, ...]:
        """The parts that this one is made of."""


class Condition(Node, Protocol):
    """A part that is true, false or unknown."""

    def value(self, headers: Headers) -> bool | None:
        """Whether this holds for a message; None if unknown."""


@dataclass(frozen=True)
class Constant:
    """A literal number or text."""

    content: Value
    parts: tuple[Node, ...] = ()

    def value(self, headers: Headers) -> Value:
        """Itself."""
        return self.content


@dataclass(frozen=True)
class Truth:
    """TRUE, FALSE or NULL."""

    content: bool | None
    parts: tuple[Node, ...] = ()

    def value(self, headers: Headers) -> bool | None:
        """Itself."""
        return self.content


@dataclass(frozen=True)
class Property:
    """A header or property of the message; NULL if it has none of that name."""

    name: str
    parts: tuple[Node, ...] = ()

    def value(self, headers: Headers) -> Value:
        """The header's value."""
        return check_property(self.name, headers.get(self.name))


@dataclass(frozen=True)
class Cast:
    """A property that stands where a condition is wanted: holds if it is the truth value true."""

    of: Property

    @property
    def parts(self) -> tuple[Node, ...]:
        """The property."""
        return (self.of,)

    def value(self, headers: Headers) -> bool | None:
        """Unknown without the property, false for a text or number."""
        found = self.of.value(headers)
        return None if found is None else found is True


@dataclass(frozen=True)
class Negation:
    """A minus sign before a value."""

    of: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """What is negated."""
        return (self.of,)

    def value(self, headers: Headers) -> Value:
        """The negative number; NULL for what is no number."""
        return negate(self.of.value(headers))


@dataclass(frozen=True)
class Arithmetic:
    """Two values and +, -, *, / or %; + appends to a text."""

    sign: str
    left: Node
    right: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """Both sides."""
        return (self.left, self.right)

    def value(self, headers: Headers) -> Value:
        """The result; NULL if a side is NULL."""
        left = self.left.value(headers)
        if left is None:
            return None
        right = self.right.value(headers)
        return None if right is None else reckon(self.sign, left, right)


_ORDERS: Mapping[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Order:
    """<, <=, > or >=; false for kinds that do not compare."""

    sign: str
    left: Node
    right: Node
    convert: bool

    @property
    def parts(self) -> tuple[Node, ...]:
        """Both sides."""
        return (self.left, self.right)

    def value(self, headers: Headers) -> bool | None:
        """Unknown if a side is NULL."""
        left = self.left.value(headers)
        if left is None:
            return None
        right = self.right.value(headers)
        if right is None:
            return None
        answer = compare(left, right, convert=self.convert)
        return answer is not None and _ORDERS[self.sign](answer, 0)


@dataclass(frozen=True)
class Equal:
    """=, and IS NULL with NULL on the right."""

    left: Node
    right: Node
    convert: bool

    @property
    def parts(self) -> tuple[Node, ...]:
        """Both sides."""
        return (self.left, self.right)

    def value(self, headers: Headers) -> bool | None:
        """Unknown if only the left side is NULL, false if only the right one is, true if both are."""
        left, right = self.left.value(headers), self.right.value(headers)
        if left is None:
            return True if right is None else None
        return right is not None and compare(left, right, convert=self.convert) == 0


@dataclass(frozen=True)
class Like:
    """LIKE with a pattern; false for what is no text."""

    of: Node
    pattern: re.Pattern[str]

    @property
    def parts(self) -> tuple[Node, ...]:
        """What is compared with the pattern."""
        return (self.of,)

    def value(self, headers: Headers) -> bool | None:
        """Unknown for NULL."""
        found = self.of.value(headers)
        if found is None:
            return None
        return isinstance(found, str) and self.pattern.fullmatch(found) is not None


@dataclass(frozen=True)
class In:
    """IN or NOT IN a list of texts; unknown for what is no text."""

    of: Property
    texts: frozenset[str]
    negated: bool

    @property
    def parts(self) -> tuple[Node, ...]:
        """The property."""
        return (self.of,)

    def value(self, headers: Headers) -> bool | None:
        """Unknown for NULL and for numbers."""
        found = self.of.value(headers)
        return (found in self.texts) is not self.negated if isinstance(found, str) else None


@dataclass(frozen=True)
class Not:
    """The opposite of a condition; unknown stays unknown."""

    of: Condition

    @property
    def parts(self) -> tuple[Node, ...]:
        """The condition."""
        return (self.of,)

    def value(self, headers: Headers) -> bool | None:
        """True for false, false for true."""
        found = self.of.value(headers)
        return None if found is None else not found


@dataclass(frozen=True)
class And:
    """All conditions: false if one is false, else unknown if one is unknown."""

    of: tuple[Condition, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        """The conditions."""
        return self.of

    def value(self, headers: Headers) -> bool | None:
        """Looks at the conditions from left to right, until one is false."""
        unknown = False
        for condition in self.of:
            found = condition.value(headers)
            if found is False:
                return False
            unknown |= found is None
        return None if unknown else True


@dataclass(frozen=True)
class Or:
    """Any condition: true if one is true, else unknown if one is unknown."""

    of: tuple[Condition, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        """The conditions."""
        return self.of

    def value(self, headers: Headers) -> bool | None:
        """Looks at the conditions from left to right, until one is true."""
        unknown = False
        for condition in self.of:
            found = condition.value(headers)
            if found is True:
                return True
            unknown |= found is None
        return None if unknown else False


CONDITIONS = (Truth, Cast, Order, Equal, Like, In, Not, And, Or)
"""The classes of parts that are conditions."""


def holds(condition: Condition, headers: Headers) -> bool:
    """Whether a condition is true for a message; unknown and undecidable count as not."""
    try:
        return _is_true(condition, headers)
    except Undecidable:
        return False


def _is_true(condition: Condition, headers: Headers) -> bool:
    """As the broker asks: an AND or OR at the top goes no further than it must."""
    if isinstance(condition, And):
        return all(_is_true(each, headers) for each in condition.of)
    if isinstance(condition, Or):
        return any(_is_true(each, headers) for each in condition.of)
    return condition.value(headers) is True


def like_pattern(text: str, escape: str | None) -> re.Pattern[str]:
    """LIKE's pattern: % for any letters, _ for one; `escape` before %, _ or itself makes that letter ordinary."""
    made: list[str] = []
    letters = iter(range(len(text)))
    for at in letters:
        if text[at] == escape and text[at + 1 : at + 2] in ("%", "_", escape):
            made.append(re.escape(text[next(letters)]))
        else:
            made.append({"%": ".*?", "_": "."}.get(text[at], re.escape(text[at])))
    return re.compile("".join(made), re.DOTALL)
