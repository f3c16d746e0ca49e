"""Events as the body of a batch, and back: the only place that knows how an event is written.

A body is a JSON object of columns: `source`, `type`, `id`, `data` and so on, each a list with a value per event, or
one value if it is the same for all; a column that nobody fills is left out. `data` is always a list. A body is parsed
at once, and the checks of `Event` are not repeated at reading, since they were made when the event came in: this is
what makes a replay fast. Fields that are personal are sealed before they reach a body (`privacy`), old versions are
lifted after reading (`upcasting`).

Left out: tuples, which come back as lists, since JSON has none.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any

from ..events import NO_DATA, Event, to_json
from ..events.frozen import FrozenDict, FrozenList
from .errors import StoreError
from .jsontext import check_names, encoded
from .privacy import Vault, sealed, unsealed
from .upcasting import Upcasters

_USUAL = ("source", "type", "id", "subject", "time", "cause_id", "trace_id")
_RARE = ("datacontenttype", "dataschema", "extensions", "sealed", "base64", "without_data")
_rare = frozenset(_RARE)
_columns_of = attrgetter(
    *("source", "type", "id", "subject", "time", "cause_id", "correlation_id"),
    *("datacontenttype", "dataschema", "extensions", "has_data", "data"),
)

_event = Event.of_checked
_decode = json.JSONDecoder(object_hook=FrozenDict).decode
_join = "".join


class Codec:
    """Writes events to bodies and reads them back, with the keys and upcasters of one store."""

    def __init__(self, vault: Vault, upcasters: Upcasters) -> None:
        self._vault = vault
        self.upcasters = upcasters

    def body(self, events: Sequence[Event]) -> str:
        """The body of a batch of complete events; raises `EventError` for data that has no JSON form."""
        columns: dict[str, Any] = {}
        *named, extensions, has_data, values = zip(*map(_columns_of, events), strict=True)
        for name, column in zip((*_USUAL, *_RARE[:2]), named, strict=True):
            _add(columns, name, column)
        if any(extensions):
            plain = [_plain_extensions(event) for event in events]
            columns["extensions"] = plain if len(plain) > 1 else plain[0]  # True and 1 are equal, so nothing is joined
        data = list(values)
        if self._vault.has_personal_types:
            self._seal(columns, events, data)
        if bytes in set(map(type, data)):
            _put_bytes_aside(columns, data)
        if False in has_data:
            columns["without_data"] = [place for place, has in enumerate(has_data) if not has]
        columns["data"] = data
        try:
            text = encoded(columns)
            text.encode()
            _check_all_names(text, data)
            if "datacontenttype" in columns:
                for event in events:
                    to_json(event)
        except (TypeError, ValueError, RecursionError):
            for event in events:
                to_json(event)  # says which value it is
            raise
        return text

    def events(self, body: str, told: Any, first: int, last: int, wanted: range) -> list[Event]:
        """The events at the `wanted` positions of a body that holds those from `first` to `last`; `told` is it parsed.

        They come in the newest versions that the store's upcasters know.
        """
        made = self._made(body, told, last - first + 1)
        if len(wanted) < len(made):
            made = made[wanted.start - first : wanted.stop - first]
        type_, types = told["type"], self.upcasters.types
        is_old = types and not types.isdisjoint([type_] if type_.__class__ is str else type_)
        if not is_old and "extensions" not in told:
            return made
        return [self.upcasters.lift(event, position) for event, position in zip(made, wanted, strict=True)]

    def as_written(self, body: str, count: int) -> list[Event]:
        """The events of a body in the versions in which they were written."""
        return self._made(body, parsed([body])[0], count)

    def _made(self, body: str, told: Any, count: int) -> list[Event]:
        try:
            data = told["data"]
            if body.count("[") > 1:
                lists = [column for column in told.values() if column.__class__ is list]
                if body.count("[") > len(lists):
                    data = [_frozen(value) for value in data]
            get = told.get
            if count == 1:  # all columns are single values, but for the data
                made = [_event(*[*map(get, _USUAL), data[0]])]
            else:
                made = list(map(_event, *[_spread(get(name), count) for name in _USUAL], data))
                if len(made) < count:
                    raise _unreadable(f"{len(made)} events instead of {count}")
            return made if _rare.isdisjoint(told) else self._completed(made, told, count)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _unreadable(error) from error

    def _completed(self, made: list[Event], told: Any, count: int) -> list[Event]:
        """Adds what few events have: content type, schema, extensions, sealed fields, bytes, no data."""
        without, in_base64, fields = (told.get(name, ()) for name in ("without_data", "base64", "sealed"))
        rare = zip(*(_spread(told.get(name), count) for name in _RARE[:3]), strict=False)
        for place, (event, (content_type, schema, extensions)) in enumerate(zip(made, rare, strict=False)):
            changes: dict[str, Any] = {"datacontenttype": content_type, "dataschema": schema}
            if extensions:
                changes["extensions"] = {
                    name: bytes.fromhex(value["bytes"]) if isinstance(value, dict) else value
                    for name, value in extensions.items()
                }
            if place in without:
                changes["data"] = NO_DATA
            elif place in in_base64:
                changes["data"] = base64.b64decode(event.data)
            elif event.type in fields:
                changes["data"] = unsealed(self._vault, event.subject, str(event.id), fields[event.type], event.data)
            made[place] = event.replace(**changes)
        return made

    def _seal(self, columns: dict[str, Any], events: Sequence[Event], data: list[Any]) -> None:
        for place, event in enumerate(events):
            fields = self._vault.personal_fields(event.type)
            if fields:
                data[place] = sealed(self._vault, event.subject, str(event.id), fields, event.data)
                columns.setdefault("sealed", {})[event.type] = list(fields)


def parsed(bodies: Sequence[str]) -> list[Any]:
    """Several bodies, parsed at once; raises `StoreError` for what no append can have written."""
    try:
        found: list[Any] = _decode(f"[{','.join(bodies)}]")
    except (TypeError, ValueError, RecursionError) as error:
        raise _unreadable(error) from error
    return found


def _unreadable(why: object) -> StoreError:
    return StoreError(
        f"stored events cannot be read: {why}",
        field="body",
        remedy="find the place by verify(), and restore the file from a copy",
    )


def _add(columns: dict[str, Any], name: str, column: Sequence[Any]) -> None:
    """Adds a column, as one value if all are the same; not at all if there is none."""
    first = column[0]
    if column.count(first) < len(column):
        columns[name] = column
    elif first is not None:
        columns[name] = first


def _spread(column: Any, count: int) -> Iterable[Any]:
    return column if column.__class__ is list else repeat(column, count)


def _plain_extensions(event: Event) -> dict[str, Any] | None:
    if not event.extensions:
        return None
    return {
        name: {"bytes": value.hex()} if isinstance(value, bytes) else value for name, value in event.extensions.items()
    }


def _put_bytes_aside(columns: dict[str, Any], data: list[Any]) -> None:
    columns["base64"] = [place for place, value in enumerate(data) if value.__class__ is bytes]
    for place in columns["base64"]:
        data[place] = base64.b64encode(data[place]).decode("ascii")


def _check_all_names(text: str, data: list[Any]) -> None:
    """Raises `TypeError` for names that are no texts, which JSON would change; flat dictionaries need no walk."""
    flat = [value for value in data if isinstance(value, dict)]
    for value in flat:
        _join(value)
    if text.count("{") > 1 + len(flat):
        check_names(data)


def _frozen(value: Any) -> Any:
    """A parsed value whose lists are frozen as well."""
    if value.__class__ is FrozenDict:
        for held in value.values():
            if held.__class__ in {list, FrozenDict}:
                return FrozenDict({name: _frozen(inner) for name, inner in value.items()})
        return value
    return FrozenList([_frozen(inner) for inner in value]) if value.__class__ is list else value
