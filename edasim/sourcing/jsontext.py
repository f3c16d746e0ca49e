"""Values as JSON texts, for data and for states: fast, and nothing is changed silently on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from json import encoder as json_encoder
from typing import Any

from .errors import ProjectionError

_join = "".join


def _refuse(value: object) -> Any:
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _chunks_of() -> Callable[[Any, int], Any]:
    """JSON as chunks of text. The C encoder is made once here; `JSONEncoder.encode` makes one at each call, for half
    the price.
    """
    settings = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_refuse)
    make = getattr(json_encoder, "c_make_encoder", None)
    if make is None:
        return lambda value, _: settings.encode(value)
    found: Callable[[Any, int], Any] = make(
        None, _refuse, json_encoder.encode_basestring, None, ":", ",", False, False, False
    )
    return found


_encode = _chunks_of()


def encoded(value: Any) -> str:
    """The JSON text of a value; raises `TypeError` or `ValueError` for what has none."""
    return _join(_encode(value, 0))


def json_text(value: Any) -> str:
    """As `encoded`, and raises for names that are no texts as well, which JSON would change."""
    text = encoded(value)
    check_names(value)
    return text


def check_names(value: Any) -> None:
    """Raises `TypeError` if a dictionary in the value has a name that is no text."""
    if isinstance(value, dict):
        _join(value)
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for held in value:
        check_names(held)


def state_text(value: Any, whose: str) -> str:
    """The JSON text of a state; raises `ProjectionError` if the state would not come back as it is."""
    try:
        text = json_text(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise _no_state(whose, value, str(error)) from error
    if json.loads(text) != value:
        raise _no_state(whose, value, "it comes back changed")
    return text


def _no_state(whose: str, value: Any, problem: str) -> ProjectionError:
    return ProjectionError(
        f"the state of {whose} cannot be kept as JSON: {problem}",
        field="state",
        value=value,
        remedy="use dictionaries with texts as names, lists, texts, finite numbers, truth values, None; no tuples",
    )
