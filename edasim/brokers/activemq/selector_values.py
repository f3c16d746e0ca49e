"""Values in selectors: how two of them compare, and how they are reckoned with, as Java does it.

Follows `ComparisonExpression.java`, `ArithmeticExpression.java` and `ConstantExpression.java` of apache/activemq. Whole
numbers are 32 bits wide and wrap round, or 64 bits if one is too large for 32; division and remainder are made with
double precision. None is NULL, and what comes of it is unknown. Left out: the types byte, short and float.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from ...errors import ConfigurationError

Value = str | bool | int | float | None
"""A property's value, or a result; None is NULL."""

_LONGEST = 63
_WHOLE = re.compile(r"[+-]?[0-9]+")


class MessageFormatError(ConfigurationError):
    """A property of a kind that no JMS message can hold (JMS: MessageFormatException)."""


class Undecidable(Exception):  # noqa: N818 - not an error of the user's: the selector does not take this message
    """The broker's evaluation fails with an exception; the message is not taken."""


def check_property(name: str, value: object) -> Value:
    """A property's value; raises `MessageFormatError` unless it is a text, a truth value, a number or None."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise MessageFormatError(
        f"property {name!r} is {value!r}", field=name, value=value, remedy="give a text, a number or a truth value"
    )


def _bits(number: int) -> int:
    """The bits of Java's type for a whole number: 32, 64, or 0 for a BigDecimal."""
    if -(2**31) <= number < 2**31:
        return 32
    return 64 if -(2**_LONGEST) <= number < 2**_LONGEST else 0


def _wrapped(number: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return (number + half) % (2 * half) - half


def whole(digits: str, base: int) -> int:
    """A literal's number as Java keeps it (one of 2⁶⁴ and more may come out small); ValueError if it has none."""
    number = int(digits, base)
    if base != 10 and number >= 2**_LONGEST:
        raise ValueError(digits)
    low = _wrapped(number, 64)
    return low if _bits(low) == 32 else number


def compare(left: Value, right: Value, *, convert: bool) -> int | None:
    """-1, 0 or 1 as `left` is less, equal or greater; None if the two kinds do not compare. Neither is NULL.

    With `convert` a text is read as the kind of value that it is compared with, as the broker does for STOMP.
    """
    if isinstance(left, bool) or isinstance(right, bool):
        return _compare_truth(left, right, convert=convert)
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if isinstance(left, str) or isinstance(right, str):
        if not convert:
            return None
        pair = _read_alike(left, right)
        return None if pair is None else _compare_numbers(*pair)
    assert left is not None
    assert right is not None
    return _compare_numbers(left, right)


def _compare_truth(left: Value, right: Value, *, convert: bool) -> int | None:
    if isinstance(left, bool) and isinstance(right, bool):
        return left - right
    if convert and isinstance(right, str):
        raise Undecidable  # the broker casts the truth value to a text, which Java refuses
    if convert and isinstance(left, str):
        return (left.lower() == "true") - bool(right)
    return None


def _read_alike(left: Value, right: Value) -> tuple[int | float, int | float] | None:
    if isinstance(left, str):
        assert isinstance(right, int | float)
        read = _read(left, right)
        return None if read is None else (read, right)
    assert isinstance(left, int | float)
    read = _read(str(right), left)
    return None if read is None else (left, read)


def _read(text: str, like: float) -> int | float | None:
    """The text as a number of the kind of `like`, or None if it is none."""
    if isinstance(like, float):
        try:
            return float(text) if "_" not in text else None
        except ValueError:
            return None
    if not _WHOLE.fullmatch(text) or not _bits(like):
        return None
    number = int(text)
    return number if _bits(number) and _bits(number) <= _bits(like) else None


def _compare_numbers(left: float, right: float) -> int | None:
    if isinstance(left, int) and isinstance(right, int):
        return (left > right) - (left < right) if bool(_bits(left)) == bool(_bits(right)) else None
    if any(isinstance(each, int) and not _bits(each) for each in (left, right)):
        return None
    one, other = _rank(float(left)), _rank(float(right))
    return (one > other) - (one < other)


def _rank(number: float) -> tuple[bool, float, float]:
    """Java's order of doubles: -0.0 below 0.0, not-a-number above all and equal to itself."""
    return (True, 0.0, 0.0) if math.isnan(number) else (False, number, math.copysign(1.0, number))


def reckon(operator: str, left: Value, right: Value) -> Value:
    """`left` operator `right` for +, -, *, / and %; raises `Undecidable` where the broker throws. Neither is NULL."""
    if operator == "+" and isinstance(left, str):
        return left + java_text(right)
    if _is_no_number(left) or _is_no_number(right):
        raise Undecidable
    assert isinstance(left, int | float)
    assert isinstance(right, int | float)
    if operator == "/":
        return _divide(float(left), float(right))
    if operator == "%":
        return math.fmod(left, right) if right and math.isfinite(left) and not math.isnan(right) else math.nan
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
        return left + right if operator == "+" else left - right if operator == "-" else left * right
    bits = 64 if 64 in (_bits(left), _bits(right)) else 32
    left, right = _wrapped(left, bits), _wrapped(right, bits)
    return _wrapped(left + right if operator == "+" else left - right if operator == "-" else left * right, bits)


def _is_no_number(value: Value) -> bool:
    return isinstance(value, bool) or not isinstance(value, int | float)


def _divide(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0.0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def negate(value: Value) -> Value:
    """-`value`; None for what is no number."""
    if value is None or isinstance(value, bool | str):
        return None
    if isinstance(value, float):
        return -value
    return _wrapped(-value, _bits(value)) if _bits(value) else -value


def java_text(value: Value) -> str:
    """A value as Java writes it: true, 5, 2.5, 1.0E20."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0.0 or 1e-3 <= abs(value) < 1e7:
        shown = format(Decimal(repr(value)), "f")
        return shown if "." in shown else f"{shown}.0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    mantissa = f"{digits[0]}.{''.join(map(str, digits[1:])) or '0'}"
    return f"{'-' if sign else ''}{mantissa}E{exponent + len(digits) - 1}"
