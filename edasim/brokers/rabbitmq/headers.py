"""Headers exchange: which messages a binding's arguments take.

Follows `rabbit_exchange_type_headers.erl` of rabbitmq-server (3.10 and newer) and what was measured on 3.10.8 (RMQ-02).
`x-match` is `all` (default), `any`, `all-with-x` or `any-with-x`; the first two ignore arguments that begin with `x-`.
An argument without a value (None) asks only that the header be there. Values are compared as Erlang's `==` does: a
number equals a number of the same size, whole or not; a text, a truth value and a number are never equal. Inside lists
and tables the types must be the same as well. Left out: byte arrays, decimals and timestamps as values.

>>> headers_match({"x-match": "any", "format": "pdf", "pages": 3}, {"pages": 3})
True
>>> headers_match({"pages": 3}, {"pages": "3"})
False
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ConfigurationError

_X_MATCH = "x-match"
_WITH_X = ("all-with-x", "any-with-x")
_MODES = ("all", "any", *_WITH_X)


class BindingInvalidError(ConfigurationError):
    """Arguments that a headers exchange refuses when a queue is bound (RabbitMQ: binding_invalid, 406)."""


def headers_match(arguments: Mapping[str, Any], headers: Mapping[str, Any]) -> bool:
    """Whether a binding with `arguments` takes a message with `headers`; `BindingInvalidError` for a wrong x-match."""
    mode = check_binding(arguments)
    verdicts = [
        name in headers and (wanted is None or _equal(wanted, headers[name]))
        for name, wanted in arguments.items()
        if name != _X_MATCH and (mode in _WITH_X or not name.startswith("x-"))
    ]
    return all(verdicts) if mode.startswith("all") else any(verdicts)


def check_binding(arguments: Mapping[str, Any]) -> str:
    """The word of `x-match`, `all` if there is none; raises `BindingInvalidError` for any other."""
    if not isinstance(arguments, Mapping):
        raise _invalid("arguments", arguments, "give a dictionary of header names and values")
    mode = arguments.get(_X_MATCH, "all")
    if not isinstance(mode, str) or mode not in _MODES:
        raise _invalid(_X_MATCH, mode, f"expected {', '.join(_MODES[:-1])} or {_MODES[-1]}")
    return mode


def _invalid(field: str, value: Any, remedy: str) -> BindingInvalidError:
    return BindingInvalidError(f"invalid {field} {value!r}", field=field, value=value, remedy=remedy)


def _equal(wanted: Any, given: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(given, bool):
        return wanted is given
    if isinstance(wanted, int | float) and isinstance(given, int | float):
        return wanted == given
    return _same(wanted, given)


def _same(wanted: Any, given: Any) -> bool:
    if isinstance(wanted, list | tuple) and isinstance(given, list | tuple):
        return len(wanted) == len(given) and all(map(_same, wanted, given))
    if isinstance(wanted, Mapping) and isinstance(given, Mapping):
        return list(wanted) == list(given) and all(_same(wanted[name], given[name]) for name in wanted)
    return type(wanted) is type(given) and bool(wanted == given)
