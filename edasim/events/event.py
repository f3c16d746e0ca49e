"""The event: an immutable fact with the attributes of CloudEvents 1.0.

Follows: CloudEvents 1.0.2, `cloudevents/spec.md` (github.com/cloudevents/spec, tag v1.0.2), facts CE-01 to CE-03; for
causes and traces the Correlation extension, `cloudevents/extensions/correlation.md` of the same repository (a later
addition): `cause_id` is its attribute `causationid`, `trace_id` its attribute `correlationid`. A simulation makes
millions of events, so making one costs about a microsecond.

Left out: nothing checks that `source` and `id` together are unique, which is the producer's promise; the content of
`data` is checked when it is written (`json_format`), not when the event is made.
"""

from __future__ import annotations

import enum
import reprlib
from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, ClassVar, Final, NoReturn, final

from ..errors import StateError, UnknownNameError
from .attributes import (
    Attribute,
    EventError,
    check_extension,
    check_media_type,
    check_string,
    check_uri,
    check_uri_reference,
    is_uri_reference,
    refuse,
)
from .frozen import FrozenDict, freeze
from .timestamps import check_timestamp

CAUSE_ATTRIBUTE, TRACE_ATTRIBUTE = "causationid", "correlationid"
"""How `cause_id` and `trace_id` are called on the wire (Correlation extension)."""


class NoData(enum.Enum):
    """The mark of an event without data, which is not the same as an event whose data is a JSON null."""

    NO_DATA = "no data"


NO_DATA: Final = NoData.NO_DATA

_NO_EXTENSIONS = FrozenDict()
_make = object.__new__


class _Fields:
    """The fields of an event while it is being made; then it becomes an `Event`, and nothing can be set any more.

    Setting plain slots and changing the class once takes a third of the time of a frozen dataclass.
    """

    __slots__ = (
        "cause_id",
        "correlation_id",
        "data",
        "datacontenttype",
        "dataschema",
        "extensions",
        "has_data",
        "id",
        "source",
        "subject",
        "time",
        "type",
    )

    type: str
    id: str | None
    source: str | None
    subject: str | None
    time: str | None
    datacontenttype: str | None
    dataschema: str | None
    data: Any
    has_data: bool
    extensions: Mapping[str, Attribute]
    cause_id: str | None
    correlation_id: str | None


@final
class Event(_Fields):
    """An immutable fact: what happened (`type`), where (`source`), to whom (`subject`), when (`time`), and its `data`.

    `type` is needed; `id` and `source` may be left out by a handler, whose publisher then fills them in (`filled`).
    `time` is an RFC 3339 text or a datetime with a zone, kept as text. `data` is any JSON value, a text or bytes;
    `None` is a JSON null, and an event made without `data` has none (`has_data`). `datacontenttype` is the media type
    of the data, JSON if left out; `dataschema` the absolute URI of its schema. `extensions` maps further attributes
    (names of lower-case letters and digits) to texts, whole numbers of 32 bits, truth values or bytes. `cause_id` is
    the id of the event whose handling published this one, `trace_id` the id of the first event of the story; a first
    event's trace id is its own id.

    Promise: dictionaries, lists, sets and byte arrays in `data` are copied and frozen, at every depth, so no consumer
    can change what another one sees. Objects of other classes are kept as they are: do not change them. Data that came
    from another event is already frozen and costs nothing.

    Two events are equal if all their attributes and their data are, as Python compares them (1 equals 1.0 and True).
    Whether two events count as the same fact is another question: compare their `identity`.

    Raises `EventError` for an attribute that CloudEvents does not allow.

    >>> registered = Event(type="user.registered", source="/users", id="A-1", data={"name": "Ada"})
    >>> registered.data["name"], registered.trace_id
    ('Ada', 'A-1')
    """

    __slots__ = ()

    specversion: ClassVar[str] = "1.0"

    def __new__(
        cls,
        *,
        type: str,  # noqa: A002 - CloudEvents calls it so
        id: str | None = None,  # noqa: A002 - CloudEvents calls it so
        source: str | None = None,
        subject: str | None = None,
        time: str | datetime | None = None,
        datacontenttype: str | None = None,
        dataschema: str | None = None,
        data: Any = NO_DATA,
        extensions: Mapping[str, Attribute] | None = None,
        cause_id: str | None = None,
        trace_id: str | None = None,
    ) -> Event:
        """Checks the attributes and freezes the data."""
        made: Any = _make(_Fields)
        made.type = type
        made.id = id
        made.source = source
        made.subject = subject
        made.datacontenttype = datacontenttype
        made.dataschema = dataschema
        made.extensions = _NO_EXTENSIONS
        made.cause_id = cause_id
        made.correlation_id = trace_id
        # A printable text has no disallowed character; the full check comes only for texts that are not.
        if not (type.__class__ is str and type and type.isprintable()):
            check_string("type", type)
        if id is not None and not (id.__class__ is str and id and id.isprintable()):
            check_string("id", id)
        if source is not None and not (source.__class__ is str and is_uri_reference(source)):
            check_uri_reference("source", source)
        if subject is not None or datacontenttype is not None or dataschema is not None:
            _check_optional(made)
        if cause_id is not None or trace_id is not None or extensions:
            _check_links_and_extensions(made, extensions)
        made.time = None if time is None else check_timestamp("time", time)
        made.has_data = data is not NO_DATA
        made.data = freeze(data) if made.has_data else None
        made.__class__ = Event
        event: Event = made
        return event

    @staticmethod
    def of_checked(
        source: str,
        type: str,  # noqa: A002 - CloudEvents calls it so
        id: str,  # noqa: A002 - CloudEvents calls it so
        subject: str | None,
        time: str | None,
        cause_id: str | None,
        trace_id: str | None,
        data: Any,
    ) -> Event:
        """An event of fields that an `Event` held before, such as those of a store.

        Nothing is checked and nothing is frozen here. Whoever calls it promises that each field is as an event had it,
        `data` frozen included; what is rarer (content type, schema, extensions, no data) is added by `replace`.

        >>> Event.of_checked("/users", "user.registered", "A-1", None, None, None, None, 7).trace_id
        'A-1'
        """
        made: Any = _make(_Fields)
        made.type = type
        made.id = id
        made.source = source
        made.subject = subject
        made.time = time
        made.datacontenttype = None
        made.dataschema = None
        made.data = data
        made.has_data = True
        made.extensions = _NO_EXTENSIONS
        made.cause_id = cause_id
        made.correlation_id = trace_id
        made.__class__ = Event
        event: Event = made
        return event

    @property
    def trace_id(self) -> str | None:
        """The id of the first event of the story: the one it was given, or its own id."""
        return self.correlation_id or self.id

    @property
    def is_complete(self) -> bool:
        """Whether it has all that CloudEvents requires; if not, `id` or `source` is still to be filled in."""
        return self.id is not None and self.source is not None

    @property
    def identity(self) -> tuple[str, str]:
        """Source and id. A consumer may take events of equal identity for duplicates (CloudEvents, attribute `id`).

        Raises `EventError` if the event is not complete.
        """
        if self.source is None or self.id is None:
            raise self.incomplete()
        return self.source, self.id

    def incomplete(self) -> EventError:
        """The error for an event that should be complete and is not; it names the missing attribute."""
        missing = "id" if self.id is None else "source"
        return EventError(
            f"{missing} of the event {self.type!r} is missing",
            field=missing,
            remedy=f"give it when you make the event, or later by event.filled({missing}=…)",
        )

    def filled(
        self,
        *,
        id: str | None = None,  # noqa: A002 - CloudEvents calls it so
        source: str | None = None,
        time: str | datetime | None = None,
        cause_id: str | None = None,
        trace_id: str | None = None,
    ) -> Event:
        """The event with these attributes where it has none of its own; what it has, it keeps.

        Raises `EventError` for a value that the attribute cannot hold.

        >>> Event(type="user.accepted", data={"n": 1}).filled(id="A-2", source="/crm", cause_id="A-1", trace_id="A-1")
        Event(type='user.accepted', id='A-2', source='/crm', cause_id='A-1', trace_id='A-1', data={'n': 1})
        """
        made: Any = _make(_Fields)
        made.type = self.type
        made.subject = self.subject
        made.datacontenttype = self.datacontenttype
        made.dataschema = self.dataschema
        made.data = self.data
        made.has_data = self.has_data
        made.extensions = self.extensions
        made.id = self.id or id
        made.source = self.source or source
        made.time = self.time if time is None or self.time is not None else check_timestamp("time", time)
        made.cause_id = self.cause_id or cause_id
        made.correlation_id = self.correlation_id or trace_id
        for name, value in (("id", id), ("cause_id", cause_id), ("trace_id", trace_id)):
            if value is not None and not (value.__class__ is str and value and value.isprintable()):
                check_string(name, value)
        if source is not None and not (source.__class__ is str and is_uri_reference(source)):
            check_uri_reference("source", source)
        made.__class__ = Event
        event: Event = made
        return event

    def follow(self, **attributes: Any) -> Event:
        """A new event caused by this one: the attributes of `Event`, with cause and trace set.

        Raises `EventError` if this event has no id yet.

        >>> registered = Event(type="user.registered", source="/users", id="A-1")
        >>> registered.follow(type="user.accepted").cause_id
        'A-1'
        """
        if self.id is None:
            raise self.incomplete()
        return Event(**attributes, cause_id=self.id, trace_id=self.trace_id)

    def replace(self, **changes: Any) -> Event:
        """The event with some attributes changed; `data=NO_DATA` takes the data away.

        Raises `UnknownNameError` for an attribute that does not exist and `EventError` for a value that is not allowed.
        """
        present = dict(zip(_NAMES, _values(self), strict=True))
        present["trace_id"] = self.correlation_id
        present["data"] = self.data if self.has_data else NO_DATA
        for name in changes:
            if name not in present:
                raise UnknownNameError("attribute of Event", name, _NAMES)
        return Event(**{**present, **changes})

    def attributes(self) -> dict[str, Attribute]:
        """All attributes that are set, by the names of CloudEvents and in a fixed order.

        First come the core attributes as the specification lists them, then cause and trace, then the other extensions
        sorted by name. Data is no attribute.
        """
        named = {
            "specversion": self.specversion,
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time,
            "datacontenttype": self.datacontenttype,
            "dataschema": self.dataschema,
            CAUSE_ATTRIBUTE: self.cause_id,
            TRACE_ATTRIBUTE: self.correlation_id,
        }
        return {name: value for name, value in named.items() if value is not None} | dict(self.extensions)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        remedy = f"make a changed copy: event.replace({name}=…)" if name in _NAMES else "make a new event"
        raise StateError(f"{name} of an event cannot be set", field=name, value=value, remedy=remedy)

    def __delattr__(self, name: str) -> NoReturn:
        raise StateError(f"{name} of an event cannot be deleted", field=name, remedy="make a new event without it")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return bool(_values(self) == _values(other) and self.has_data == other.has_data)

    def __hash__(self) -> int:
        return hash((self.id, self.source, self.type, self.subject, self.time, self.cause_id, self.trace_id))

    def __repr__(self) -> str:
        shown = [f"type={self.type!r}"]
        for name, value in zip(_NAMES[1:], _values(self)[1:], strict=True):
            given = self.correlation_id if name == "trace_id" else value
            if given or (name == "data" and self.has_data):
                shown.append(f"{name}={_SHORT.repr(given)}")
        return f"Event({', '.join(shown)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, _held(self)


_NAMES = (
    *("type", "id", "source", "subject", "time", "datacontenttype", "dataschema"),
    *("cause_id", "trace_id", "extensions", "data"),
)
_values = attrgetter(*_NAMES)
_held = attrgetter(*_Fields.__slots__)

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def _restore(*fields: Any) -> Event:
    made: Any = _make(_Fields)
    for name, value in zip(_Fields.__slots__, fields, strict=True):
        setattr(made, name, value)
    made.__class__ = Event
    event: Event = made
    return event


def _check_optional(made: _Fields) -> None:
    if made.subject is not None:
        check_string("subject", made.subject)
    if made.datacontenttype is not None:
        check_media_type("datacontenttype", made.datacontenttype)
    if made.dataschema is not None:
        check_uri("dataschema", made.dataschema)


def _check_links_and_extensions(made: _Fields, extensions: Mapping[str, Attribute] | None) -> None:
    """Checks cause, trace and extensions; an extension that is the cause or the trace goes where that is kept."""
    others = dict(extensions or {})
    made.cause_id = _link("cause_id", made.cause_id, others.pop(CAUSE_ATTRIBUTE, None))
    made.correlation_id = _link("trace_id", made.correlation_id, others.pop(TRACE_ATTRIBUTE, None))
    for name, value in others.items():
        check_extension(name, value)
    if others:
        made.extensions = FrozenDict(sorted(others.items()))


def _link(field: str, given: Any, extension: Any) -> str | None:
    if given is not None and extension is not None and given != extension:
        raise refuse(field, given, f"give it once: the extensions say {extension!r}")
    link = extension if given is None else given
    if link is not None:
        check_string(field, link)
    return link  # type: ignore[no-any-return]
