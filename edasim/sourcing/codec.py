"""Events as rows and back: the only place that knows how an event is written.

The data of an event becomes one JSON text without insignificant white space (bytes stay bytes), read back frozen.
Rows are read in batches: all data of a batch is parsed by one call, and the checks of `Event` are not repeated, since
they were made when the event came in; this is what makes a replay fast. Fields that are personal are sealed before
they reach a row (`privacy`), and old versions are lifted after reading (`upcasting`).

Left out: tuples, which come back as lists, since JSON has none.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..events import Event, EventError, to_json, uri_reference
from ..events.event import _Fields
from ..events.frozen import FrozenDict, FrozenList, freeze
from .jsontext import json_text
from .privacy import Vault, sealed, unsealed
from .upcasting import Upcasters

EVENT_COLUMNS = "f.position, f.kind, f.id, f.subject, f.time, f.data, f.cause_id, f.correlation_id, f.more"
"""What `Codec.events` needs of a row of `facts f`, in order."""

Row = tuple[Any, ...]

_make = object.__new__
_no_extensions = FrozenDict()
_decode = json.JSONDecoder(object_hook=FrozenDict).decode


def data_cell(event: Event) -> str | bytes | None:
    """What the column `data` holds: a JSON text, bytes, or nothing. Raises `EventError` for data that cannot be
    written.
    """
    if not event.has_data:
        return None
    if event.data.__class__ is bytes:
        return bytes(event.data)
    try:
        if event.datacontenttype is not None:
            to_json(event)
        return json_text(event.data)
    except (TypeError, ValueError, RecursionError):
        refuse_unwritable(event)
        raise


def refuse_unwritable(event: Event) -> None:
    """Raises the `EventError` that says which value of an event has no JSON form."""
    to_json(event.filled(id="-", source="/-"))


def more_cell(event: Event) -> str | None:
    """What the column `more` holds: content type, schema and extensions, if the event has any."""
    if event.datacontenttype is None and event.dataschema is None and not event.extensions:
        return None
    extensions = {
        name: {"bytes": value.hex()} if isinstance(value, bytes) else value for name, value in event.extensions.items()
    }
    return json_text({"type": event.datacontenttype, "schema": event.dataschema, "extensions": extensions})


class Kind(NamedTuple):
    """What many events have in common: source, type, and which fields of the data are sealed."""

    number: int
    source_number: int
    source: str
    type: str
    sealed: tuple[str, ...]
    sealed_text: str


class Codec:
    """Writes events to rows and reads them back, with the names, keys and upcasters of one store."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault, upcasters: Upcasters) -> None:
        self._connection = connection
        self._vault = vault
        self._upcasters = upcasters
        self._by_name: dict[tuple[str, str], Kind] = {}
        self._by_number: dict[int, Kind] = {}
        self._special: set[int] = set()

    def forget_names(self) -> None:
        """After a rollback: names that were noted meanwhile are not in the file."""
        self._by_name.clear()
        self._by_number.clear()
        self._special.clear()

    def kind(self, source: str, type_: str) -> Kind:
        """The kind of an event that is to be written; noted in the file at first use."""
        known = self._by_name.get((source, type_))
        if known is None:
            known = self._by_name[source, type_] = self._note(source, type_, self._vault.personal_fields(type_))
        return known

    def sealed_cell(self, event: Event, kind: Kind) -> str:
        """What the column `data` holds of an event with personal fields."""
        return json_text(sealed(self._vault, event.subject, str(event.id), kind.sealed, event.data))

    def kinds_of(self, types: Sequence[str]) -> list[int]:
        """The numbers of all kinds of these types, also of types that upcasters turn into them."""
        names = self._upcasters.ancestors(types)
        marks = ",".join("?" * len(names))
        rows = self._connection.execute(f"select kind from kinds where type in ({marks})", names)  # noqa: S608
        return [number for (number,) in rows.fetchall()]

    def events(self, rows: Sequence[Row]) -> list[Event]:
        """The events of rows of `EVENT_COLUMNS`."""
        made: list[Event] = []
        add, kinds, special = made.append, self._by_number, self._special
        for (position, number, id_, subject, time, cell, cause_id, correlation_id, more), data in zip(
            rows, _parsed(rows), strict=True
        ):
            kind = kinds.get(number) or self.kind_of(number)
            event: Any = _make(_Fields)
            event.type = kind.type
            event.id = id_
            event.source = kind.source
            event.subject = subject
            event.time = time
            event.datacontenttype = None
            event.dataschema = None
            event.data = data
            event.has_data = cell is not None
            event.extensions = _no_extensions
            event.cause_id = cause_id
            event.correlation_id = correlation_id
            if more is not None or number in special:
                self._complete(event, kind, more)
                event.__class__ = Event
                event = self._upcasters.lift(event, position)
            else:
                event.__class__ = Event
            add(event)
        return made

    def _complete(self, event: Any, kind: Kind, more: str | None) -> None:
        """Adds what few events have: sealed fields, content type, schema, extensions."""
        if kind.sealed:
            event.data = freeze(unsealed(self._vault, event.subject, event.id, kind.sealed, event.data))
        if more is not None:
            told = json.loads(more)
            event.datacontenttype = told["type"]
            event.dataschema = told["schema"]
            event.extensions = FrozenDict(
                {
                    name: bytes.fromhex(value["bytes"]) if isinstance(value, dict) else value
                    for name, value in told["extensions"].items()
                }
            )

    def kind_of(self, number: int) -> Kind:
        """The kind of that number."""
        row = self._connection.execute(
            "select kind, source, uri, type, sealed from kinds join sources using (source) where kind = ?", (number,)
        ).fetchone()
        return self._keep(Kind(row[0], row[1], row[2], row[3], tuple(json.loads(row[4])), row[4]))

    def _note(self, source: str, type_: str, personal: tuple[str, ...]) -> Kind:
        execute = self._connection.execute
        if source.__class__ is not str or type_.__class__ is not str:
            raise EventError(
                "an event needs a source and a type", field="source", value=source, remedy="give both as texts"
            )
        execute("insert or ignore into sources (uri) values (?)", (source,))
        number = execute("select source from sources where uri = ?", (source,)).fetchone()[0]
        names = (number, type_, json.dumps(personal))
        execute("insert or ignore into kinds (source, type, sealed) values (?, ?, ?)", names)
        kind = execute("select kind from kinds where source = ? and type = ? and sealed = ?", names).fetchone()[0]
        return self._keep(Kind(kind, number, source, type_, personal, names[2]))

    def _keep(self, kind: Kind) -> Kind:
        self._by_number[kind.number] = kind
        if kind.sealed or kind.type in self._upcasters.types:
            self._special.add(kind.number)
        return kind


def _parsed(rows: Sequence[Row]) -> list[Any]:
    """The data of each row, frozen; all JSON texts of the batch are parsed as one array."""
    cells = [row[5] for row in rows]
    try:
        text = ",".join(cells)
    except TypeError:  # some event has no data, or bytes
        as_null = [cell if cell.__class__ is str else "null" for cell in cells]
        parsed = _parsed([(*row[:5], text) for row, text in zip(rows, as_null, strict=True)])
        return [cell if cell.__class__ is bytes else data for cell, data in zip(cells, parsed, strict=True)]
    found: list[Any] = _decode(f"[{text}]")
    if "[" in text:
        found = [_deep(data) for data in found]
    return found


def _deep(data: Any) -> Any:
    """Frozen data: `FrozenDict`s whose lists are not frozen yet are made anew."""
    if data.__class__ is FrozenDict:
        for held in data.values():
            if held.__class__ in (list, FrozenDict):
                return FrozenDict({name: _deep(value) for name, value in data.items()})
        return data
    return FrozenList([_deep(value) for value in data]) if data.__class__ is list else data


def with_names(event: Event, stream: str, version: int) -> Event:
    """The event with an id and a source made from its place in the stream, if it has none."""
    return event.filled(id=f"{stream}-{version}", source=uri_reference(stream))
