"""Checked, frozen configurations: a wrong value never gets past construction.

A configuration is a class decorated with `@configuration`. It becomes a frozen, keyword-only dataclass whose
fields are declared with the functions below; each checks its value and says what would be right.

>>> @configuration
... class Lamp:
...     watts: float = positive(default=5.0)
>>> Lamp(watts=-1)
Traceback (most recent call last):
    ...
edasim.errors.ConfigurationError: Lamp.watts is -1; give a positive, finite number
"""

from __future__ import annotations

import dataclasses
import enum
import math
import numbers
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

from .errors import ConfigurationError, UnknownNameError

Check = Callable[[str, Any], Any]
"""A check takes a field's name and value, and returns the value to keep or raises `ConfigurationError`."""

T = TypeVar("T")
E = TypeVar("E", bound=enum.Enum)


def refuse(field: str, value: Any, remedy: str) -> ConfigurationError:
    """The error for a field that holds `value`; raise what this returns."""
    return ConfigurationError(f"{field} is {value!r}", field=field, value=value, remedy=remedy)


def number(field: str, value: Any, *, low: float, open_low: bool, high: float = math.inf, what: str) -> float:
    """`value` as a float if it is a finite number between the bounds; `what` says what would be right."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise refuse(field, value, f"give {what}")
    try:
        kept = float(value)
    except OverflowError:
        kept = math.inf
    if not math.isfinite(kept) or kept < low or (open_low and kept == low) or kept > high:
        raise refuse(field, value, f"give {what}")
    return kept


def check_positive(field: str, value: Any) -> float:
    """A finite number above zero, as a float."""
    return number(field, value, low=0.0, open_low=True, what="a positive, finite number")


def check_non_negative(field: str, value: Any) -> float:
    """A finite number of at least zero, as a float."""
    return number(field, value, low=0.0, open_low=False, what="a finite number of at least 0")


def check_ratio(field: str, value: Any) -> float:
    """A share between 0 and 1, both included, as a float."""
    return number(field, value, low=0.0, open_low=False, high=1.0, what="a share between 0 and 1")


def check_whole(low: int, high: int | None = None) -> Check:
    """A check for whole numbers from `low` to `high` (both included)."""
    span = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"

    def check(field: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise refuse(field, value, f"give {span}")
        whole = int(value)
        if whole < low or (high is not None and whole > high):
            raise refuse(field, value, f"give {span}")
        return whole

    return check


def check_text(field: str, value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise refuse(field, value, "give a text that is not empty")
    if not value.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise refuse(field, value, "take out the half of a surrogate pair, which no encoding can hold")
    return value


def check_word(choices: type[E]) -> Check:
    """A check for one of the words of an enumeration; its members or their values are accepted."""

    def check(field: str, value: Any) -> E:
        try:
            return choices(value)
        except ValueError:
            words = ", ".join(repr(choice.value) for choice in choices)
            raise refuse(field, value, f"give one of {words}") from None

    return check


def check_kind(kinds: type | tuple[type, ...], what: str) -> Check:
    """A check for instances of `kinds`; `what` says in words what would be right."""

    def check(field: str, value: Any) -> Any:
        if not isinstance(value, kinds):
            raise refuse(field, value, f"give {what}")
        return value

    return check


def check_optional(check: Check) -> Check:
    """`None`, or what `check` accepts."""
    return lambda field, value: None if value is None else check(field, value)


def checked(check: Check, *, default: Any = dataclasses.MISSING) -> Any:
    """A field with any check of your own, and a default if it has one."""
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata={"check": check})
    return dataclasses.field(default=default, metadata={"check": check})


def positive(*, default: Any = dataclasses.MISSING) -> Any:
    """A field for a finite number above zero."""
    return checked(check_positive, default=default)


def non_negative(*, default: Any = dataclasses.MISSING) -> Any:
    """A field for a finite number of at least zero."""
    return checked(check_non_negative, default=default)


def ratio(*, default: Any = dataclasses.MISSING) -> Any:
    """A field for a share between 0 and 1, both included."""
    return checked(check_ratio, default=default)


def at_least(low: int, *, default: Any = dataclasses.MISSING) -> Any:
    """A field for a whole number of at least `low`."""
    return checked(check_whole(low), default=default)


def text(*, default: Any = dataclasses.MISSING) -> Any:
    """A field for a text that is not empty."""
    return checked(check_text, default=default)


def word(choices: type[enum.Enum], *, default: Any = dataclasses.MISSING) -> Any:
    """A field for one word of an enumeration."""
    return checked(check_word(choices), default=default)


def kind(kinds: type | tuple[type, ...], what: str, *, default: Any = dataclasses.MISSING) -> Any:
    """A field for an instance of `kinds`, which `what` describes in words."""
    return checked(check_kind(kinds, what), default=default)


def optional(check: Check, *, default: Any = dataclasses.MISSING) -> Any:
    """A field for `None` or what `check` accepts; write `default=None` where leaving it out means None."""
    return checked(check_optional(check), default=default)


def check_fields(configuration: Any) -> None:
    """Runs each field's check on a frozen dataclass instance and keeps what the checks return."""
    for field in dataclasses.fields(configuration):
        check = field.metadata.get("check")
        if check is not None:
            name = f"{type(configuration).__name__}.{field.name}"
            object.__setattr__(configuration, field.name, check(name, getattr(configuration, field.name)))


@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(checked, positive, non_negative, ratio, at_least, text, word, kind, optional),
)
def configuration(cls: type[T]) -> type[T]:
    """Makes `cls` a frozen, keyword-only dataclass whose fields are checked at construction.

    A field that does not exist, or one without a default that is left out, is an `EdasimError` as well. A rule over
    several fields goes into a method `check(self)`, which runs after the fields' own checks.
    """
    made: Any = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    build = made.__init__
    names = [field.name for field in dataclasses.fields(made) if field.init]
    required = [
        field.name
        for field in dataclasses.fields(made)
        if field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]

    def __init__(self: Any, *positional: Any, **given: Any) -> None:
        title = type(self).__name__
        if positional:
            raise refuse(title, positional, f"name each field: {', '.join(names)}")
        for name in given:
            if name not in names:
                raise UnknownNameError(f"field of {title}", name, names)
        for name in required:
            if name not in given:
                raise ConfigurationError(
                    f"{title}.{name} is missing", field=f"{title}.{name}", remedy="give it a value"
                )
        build(self, **given)
        check_fields(self)
        rule_over_fields = getattr(self, "check", None)
        if rule_over_fields is not None:
            rule_over_fields()

    made.__init__ = __init__
    return made  # type: ignore[no-any-return]
