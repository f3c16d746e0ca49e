"""The selectors' grammar: from tokens to parts, by recursive descent, one method for each level of precedence.

Follows `SelectorParser.jj` of apache/activemq, from weak to strong: OR; AND; = and <> and IS NULL; the order signs,
LIKE, BETWEEN and IN; + and -; *, / and %; signs and NOT. So NOT binds more strongly than =: `NOT color = 'red'` is
`(NOT color) = 'red'`. Order signs do not take texts or truth values, = does not take NULL, IN and LIKE take only texts
in quotes. Left out: XPATH and XQUERY.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, cast

from .selector_nodes import (
    CONDITIONS,
    And,
    Arithmetic,
    Cast,
    Condition,
    Constant,
    Equal,
    In,
    Like,
    Negation,
    Node,
    Not,
    Or,
    Order,
    Property,
    Truth,
    like_pattern,
)
from .selector_tokens import InvalidSelectorError, Kind, Token, tokens_of
from .selector_values import whole

_DEEPEST_NESTING = 40
_DEEPEST_PARTS = 200
_NUMBERS = (Kind.FLOAT, Kind.DECIMAL, Kind.HEX, Kind.OCTAL)
_TRUTHS = {"TRUE": True, "FALSE": False, "NULL": None}
_VALUE = "a property, a number, a text in single quotes, TRUE, FALSE, or an expression in parentheses"
_OPERATOR = "an operator (=, <>, <, AND, OR, LIKE, IN, BETWEEN, IS …) or the end"


def parse(text: str, *, convert: bool) -> Condition:
    """The condition that a selector states; raises `InvalidSelectorError`."""
    parser = _Parser(text, convert=convert)
    condition = parser.condition(parser.either(), 0)
    if parser.here.kind is not Kind.END:
        parser.refuse(_OPERATOR)
    if _depth(condition) > _DEEPEST_PARTS:
        raise InvalidSelectorError(text, 0, f"a chain of more than {_DEEPEST_PARTS} operators", "a shorter one")
    return condition


def _depth(condition: Node) -> int:
    depth, level = 0, [condition]
    while level:
        depth, level = depth + 1, [part for node in level for part in node.parts]
    return depth


class _Parser:
    """Reads tokens from left to right; each method leaves `here` behind what it has read."""

    def __init__(self, text: str, *, convert: bool) -> None:
        self.text = text
        self.convert = convert
        self.tokens = tokens_of(text)
        self.at = 0
        self.nesting = 0

    @property
    def here(self) -> Token:
        return self.tokens[self.at]

    def refuse(self, expected: str) -> NoReturn:
        raise InvalidSelectorError(self.text, self.here.position, self.here.describe(), expected)

    def refuse_from(self, position: int, found: str, expected: str) -> NoReturn:
        raise InvalidSelectorError(self.text, position, found, expected)

    def take(self, *texts: str) -> str | None:
        """Reads one of these signs or reserved words, if it stands here."""
        if self.here.kind in (Kind.SIGN, Kind.WORD) and self.here.text in texts:
            self.at += 1
            return self.tokens[self.at - 1].text
        return None

    def take_two(self, first: str, second: str) -> bool:
        """Reads two reserved words, if both stand here."""
        after = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if (self.here.kind, self.here.text, after.kind, after.text) != (Kind.WORD, first, Kind.WORD, second):
            return False
        self.at += 2
        return True

    def need(self, text: str) -> None:
        if self.take(text) is None:
            self.refuse(text)

    def condition(self, node: Node, position: int) -> Condition:
        """`node` where a condition is wanted: a property is asked whether it is true, a value is refused."""
        if isinstance(node, CONDITIONS):
            return cast("Condition", node)
        if not isinstance(node, Property):
            self.refuse_from(position, "a value", "a condition: compare the value with something")
        return Cast(node)

    # ------------------------------------------------------------ the levels, from weak to strong

    def either(self) -> Node:
        return self._joined("OR", self.both, Or)

    def both(self) -> Node:
        return self._joined("AND", self.equality, And)

    def _joined(self, word: str, operand: Callable[[], Node], make: Callable[[tuple[Condition, ...]], Node]) -> Node:
        positions, nodes = [self.here.position], [operand()]
        while self.take(word):
            positions.append(self.here.position)
            nodes.append(operand())
        if len(nodes) == 1:
            return nodes[0]
        return make(tuple(map(self.condition, nodes, positions)))

    def equality(self) -> Node:
        position, left = self.here.position, self.comparison()
        while True:
            if sign := self.take("=", "<>"):
                right_position, right = self.here.position, self.comparison()
                self._check_equal(left, right, position, right_position)
                equal = Equal(left, right, self.convert)
                left = equal if sign == "=" else Not(equal)
            elif self.take("IS"):
                negated = self.take("NOT") is not None
                self.need("NULL")
                is_null = Equal(left, Truth(None), self.convert)
                left = Not(is_null) if negated else is_null
            else:
                return left

    def comparison(self) -> Node:
        position, left = self.here.position, self.sum()
        while True:
            if sign := self.take("<", "<=", ">", ">="):
                right_position, right = self.here.position, self.sum()
                left = self._order(sign, (left, position), (right, right_position))
            elif self.take("LIKE"):
                left = self._like(left)
            elif self.take_two("NOT", "LIKE"):
                left = Not(self._like(left))
            elif self.take("BETWEEN"):
                low, high = self._bounds()
                left = And((self._order(">=", (left, position), low), self._order("<=", (left, position), high)))
            elif self.take_two("NOT", "BETWEEN"):
                low, high = self._bounds()
                left = Or((self._order("<", (left, position), low), self._order(">", (left, position), high)))
            elif self.take("IN"):
                left = self._in(left, position, negated=False)
            elif self.take_two("NOT", "IN"):
                left = self._in(left, position, negated=True)
            else:
                return left

    def sum(self) -> Node:
        left = self.product()
        while sign := self.take("+", "-"):
            left = Arithmetic(sign, left, self.product())
        return left

    def product(self) -> Node:
        left = self.signed()
        while sign := self.take("*", "/", "%"):
            left = Arithmetic(sign, left, self.signed())
        return left

    def signed(self) -> Node:
        self.nesting += 1
        if self.nesting > _DEEPEST_NESTING:
            self.refuse(f"at most {_DEEPEST_NESTING} parentheses, signs and NOTs inside each other")
        if self.take("+"):
            node = self.signed()
        elif self.take("-"):
            node = Negation(self.signed())
        elif self.take("NOT"):
            position = self.here.position
            node = Not(self.condition(self.signed(), position))
        else:
            node = self.primary()
        self.nesting -= 1
        return node

    def primary(self) -> Node:
        if self.take("("):
            node = self.either()
            self.need(")")
            return node
        token = self.here
        if self.take(*_TRUTHS):
            return Truth(_TRUTHS[token.text])
        if token.kind is Kind.STRING:
            return Constant(self.string())
        if token.kind not in (Kind.NAME, *_NUMBERS):
            self.refuse(_VALUE)
        self.at += 1
        return Property(token.text) if token.kind is Kind.NAME else Constant(self._number(token))

    # ------------------------------------------------------------ pieces

    def string(self) -> str:
        """A text in quotes, which must stand here."""
        if self.here.kind is not Kind.STRING:
            self.refuse("a text in single quotes")
        self.at += 1
        return self.tokens[self.at - 1].text[1:-1].replace("''", "'")

    def _number(self, token: Token) -> float:
        if token.kind is Kind.FLOAT:
            return float(token.text)
        base = {Kind.DECIMAL: 10, Kind.HEX: 16, Kind.OCTAL: 8}[token.kind]
        try:
            return whole(
                token.text.rstrip("lL") if base == 10 else token.text.removeprefix("0x").removeprefix("0X"), base
            )
        except ValueError:
            self.refuse_from(token.position, repr(token.text), "a number of at most 64 bits")

    def _order(self, sign: str, left: tuple[Node, int], right: tuple[Node, int]) -> Order:
        for node, position in (left, right):
            text = isinstance(node, Constant) and isinstance(node.content, str)
            if text or isinstance(node, CONDITIONS):
                self.refuse_from(position, "a text" if text else "a condition", f"a number or a property beside {sign}")
        return Order(sign, left[0], right[0], self.convert)

    def _check_equal(self, left: Node, right: Node, position: int, right_position: int) -> None:
        for node, where in ((left, position), (right, right_position)):
            if node == Truth(None):
                self.refuse_from(where, "NULL", "a value; to ask whether a property is missing, write IS NULL")
        if isinstance(left, Truth) and isinstance(right, Constant):
            self.refuse_from(right_position, "a value", "TRUE, FALSE or a property")

    def _like(self, left: Node) -> Like:
        text = self.string()
        if not self.take("ESCAPE"):
            return Like(left, like_pattern(text, None))
        position, escape = self.here.position, self.string()
        if len(escape) != 1:
            self.refuse_from(position, repr(escape), "one letter in single quotes")
        return Like(left, like_pattern(text, escape))

    def _bounds(self) -> tuple[tuple[Node, int], tuple[Node, int]]:
        low_position, low = self.here.position, self.sum()
        self.need("AND")
        high_position, high = self.here.position, self.sum()
        return (low, low_position), (high, high_position)

    def _in(self, left: Node, position: int, *, negated: bool) -> In:
        if not isinstance(left, Property):
            self.refuse_from(position, "a value", "a property before IN")
        self.need("(")
        texts = [self.string()]
        while self.take(","):
            texts.append(self.string())
        if not self.take(")"):
            self.refuse("',' or ')'")
        return In(left, frozenset(texts), negated)
