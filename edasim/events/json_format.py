"""Events as JSON texts and back: the structured form and the batch.

Follows: CloudEvents 1.0.2, `cloudevents/formats/json-format.md` (github.com/cloudevents/spec, tag v1.0.2; fact CE-04)
for attributes, `data`, `data_base64`, nulls and batches; RFC 8259 for JSON, and stricter than it where it leaves a
choice: a name that occurs twice, NaN, numbers too large for a float and lone surrogates are refused, both ways (facts
CV-04, CV-05). The same event always gives the same text.

Left out: a bytes extension is written as base64 and comes back as that text, and a tuple comes back as a list, because
JSON has neither.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import reprlib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from .attributes import EventError, declares_json, refuse
from .event import Event
from .frozen import MAX_DEPTH

T = TypeVar("T")

MEDIA_TYPE = "application/cloudevents+json"
BATCH_MEDIA_TYPE = "application/cloudevents-batch+json"

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NAMED = {"datacontenttype", "dataschema", "id", "source", "subject", "time", "type"}


def to_json(event: Event) -> str:
    """The event as a JSON object without insignificant white space, media type `application/cloudevents+json`.

    Raises `EventError` if the event is not complete, or if its data has no JSON form; the error names the place.

    >>> to_json(Event(type="user.registered", source="/users", id="A-1", data=[1, None]))
    '{"specversion":"1.0","id":"A-1","source":"/users","type":"user.registered","data":[1,null]}'
    """
    return _text(_document(event))


def from_json(text: str | bytes) -> Event:
    """The event in a JSON object (a text, or its UTF-8 bytes).

    Raises `EventError` for what is no JSON or no CloudEvent of version 1.0.

    >>> from_json('{"specversion": "1.0", "id": "A-1", "source": "/users", "type": "user.registered"}').id
    'A-1'
    """
    return _event(_parse(text))


def to_json_batch(events: Iterable[Event]) -> str:
    """The events as a JSON array, media type `application/cloudevents-batch+json`; no event gives an empty array.

    Raises `EventError` as `to_json` does, and says which event of the batch it is.
    """
    return _text([_in_batch(index, _document, event) for index, event in enumerate(events)])


def from_json_batch(text: str | bytes) -> tuple[Event, ...]:
    """The events in a JSON array, in its order.

    Raises `EventError` as `from_json` does, and says which event of the batch it is.
    """
    document = _parse(text)
    if not isinstance(document, list):
        raise _refuse_document(document, "give a JSON array of events; from_json reads a single one")
    return tuple(_in_batch(index, _event, member) for index, member in enumerate(document))


def _in_batch(index: int, convert: Callable[[Any], T], member: Any) -> T:
    try:
        return convert(member)
    except EventError as error:
        problem = f"event {index} of the batch (counted from 0): {error.problem}"
        raise EventError(problem, field=error.field, value=error.value, remedy=error.remedy) from error


# ---------------------------------------------------------------- writing


def _text(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _document(event: Any) -> dict[str, Any]:
    if not isinstance(event, Event):
        raise _refuse_document(event, "give an Event")
    if not event.is_complete:
        raise event.incomplete()
    members: dict[str, Any] = {
        name: _base64(value) if isinstance(value, bytes) else value for name, value in event.attributes().items()
    }
    if not event.has_data:
        return members
    if isinstance(event.data, bytes):
        return members | {"data_base64": _base64(event.data)}
    _check_content(event.datacontenttype, event.data)
    _check_value("data", event.data, MAX_DEPTH)
    return members | {"data": event.data}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _check_content(datacontenttype: str | None, data: Any) -> None:
    if not isinstance(data, str) and not declares_json(datacontenttype):
        raise refuse("data", data, f"give a text or bytes, as the content type {datacontenttype!r} is not JSON")


def _check_value(path: str, value: Any, levels: int) -> None:
    """Refuses what JSON cannot hold; `path` says where it is."""
    if value is None or isinstance(value, bool | int):
        return
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise refuse(path, value, "take out the lone surrogate, which UTF-8 cannot hold")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise refuse(path, value, "give a finite number, or null; JSON has no NaN and no infinity")
    elif isinstance(value, dict | list | tuple) and levels == 0:
        raise refuse(path, value, f"give data of at most {MAX_DEPTH} levels")
    elif isinstance(value, dict):
        for name, held in value.items():
            if not isinstance(name, str):
                raise refuse(f"{path}: a name", name, "give names that are texts")
            _check_value(f"{path}: a name", name, levels)
            _check_value(f"{path}.{name}", held, levels - 1)
    elif isinstance(value, list | tuple):
        for index, held in enumerate(value):
            _check_value(f"{path}[{index}]", held, levels - 1)
    else:
        raise refuse(path, value, f"give plain values instead of a {type(value).__name__}, which JSON cannot hold")


# ---------------------------------------------------------------- reading


def _parse(text: Any) -> Any:
    if not isinstance(text, str | bytes):
        raise _refuse_document(text, "give a JSON text, or its UTF-8 bytes")
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        document = json.loads(
            decoded, object_pairs_hook=_once_each, parse_float=_finite, parse_constant=_refuse_constant
        )
    except EventError:
        raise
    except UnicodeDecodeError as error:
        raise EventError(f"the document is not UTF-8: {error}", field="document", remedy="give UTF-8 bytes") from error
    except RecursionError as error:
        raise EventError("the document is nested too deep", field="document", remedy="give flatter data") from error
    except ValueError as error:
        raise EventError(f"the document is no JSON: {error}", field="document", remedy="give valid JSON") from error
    if _SURROGATE.search(decoded) or _ESCAPED_SURROGATE.search(decoded):
        _check_value("document", document, MAX_DEPTH + 2)  # the data lies in a member of an event of a batch
    return document


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise EventError(
            f"the name {twice!r} occurs more than once in an object of the document",
            field=twice,
            remedy="keep one of these members; readers differ in which one they take",
        )
    return members


def _finite(literal: str) -> float:
    value = float(literal)
    if math.isinf(value):
        raise _refuse_number(literal, "give a number that a 64-bit float can hold")
    return value


def _refuse_constant(literal: str) -> Any:
    raise _refuse_number(literal, "give a finite number, or null; JSON has no NaN and no infinity")


def _refuse_number(literal: str, remedy: str) -> EventError:
    return EventError(f"the document holds the number {literal}", field="document", value=literal, remedy=remedy)


def _refuse_document(document: Any, remedy: str) -> EventError:
    return EventError(f"the document is {reprlib.repr(document)}", field="document", value=document, remedy=remedy)


def _event(document: Any) -> Event:
    if isinstance(document, list):
        raise _refuse_document(document, "give one JSON object; an array is a batch, which from_json_batch reads")
    if not isinstance(document, dict):
        raise _refuse_document(document, "give a JSON object")
    # A null attribute means the same as an absent one; a null `data` is data.
    members = {name: value for name, value in document.items() if value is not None or name == "data"}
    for name in ("specversion", "id", "source", "type"):
        if name not in members:
            raise EventError(f"{name} of the event is missing", field=name, remedy=f"add the member {name!r}")
    if members.pop("specversion") != Event.specversion:
        raise refuse("specversion", document["specversion"], "give an event of CloudEvents version '1.0'")
    content = _content(members)
    named = {name: members.pop(name) for name in _NAMED & members.keys()}
    return Event(**named, **content, extensions=members)


def _content(members: dict[str, Any]) -> dict[str, Any]:
    """Takes the data out of the members: nothing, or the argument `data` of an event."""
    if "data_base64" not in members:
        if "data" not in members:
            return {}
        _check_content(members.get("datacontenttype"), members["data"])
        return {"data": members.pop("data")}
    encoded = members.pop("data_base64")
    if "data" in members:
        raise refuse("data_base64", encoded, "give either data or data_base64")
    try:
        return {"data": base64.b64decode(encoded, validate=True)}
    except (TypeError, ValueError, binascii.Error) as error:
        raise refuse("data_base64", encoded, "give a text in base64 (RFC 4648)") from error
