"""The rules that the attributes of a CloudEvent obey.

Follows: CloudEvents 1.0.2, `cloudevents/spec.md` (github.com/cloudevents/spec, tag v1.0.2), chapters "Attribute Naming
Convention", "Type System", "REQUIRED Attributes", "OPTIONAL Attributes" and "Extension Context Attributes" (facts CE-01
to CE-03); RFC 3986 for URIs and URI-references; RFC 2046 (with the grammar of RFC 2045, section 5.1) for content types.

Left out: the inside of an IP literal in a URI is checked for its characters only; attribute names longer than the
advised 20 characters are accepted, since the advice is not a duty.
"""

from __future__ import annotations

import re
import reprlib
from functools import lru_cache
from typing import Any

from ..errors import EdasimError

Attribute = bool | int | str | bytes
"""The native types of attribute values: Boolean, Integer, String (also URIs and times) and Binary."""

CORE_NAMES = ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema")
"""The attributes that the specification itself defines."""

_LOWEST_INTEGER, _HIGHEST_INTEGER = -(2**31), 2**31 - 1

_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(chr((plane << 16) + low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_DISALLOWED = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_NONCHARACTERS}]")
_NAME = re.compile(r"[a-z0-9]+")

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"'
_MEDIA_TYPE = re.compile(rf"({_WORD})/({_WORD})(?:[ \t]*;[ \t]*{_WORD}=(?:{_WORD}|{_QUOTED}))*")

_PERCENT = r"%[0-9A-Fa-f]{2}"
_PLAIN = r"A-Za-z0-9._~!$&'()*+,;="  # unreserved and sub-delims, but for the hyphen
_PCHAR = rf"(?:[{_PLAIN}:@-]|{_PERCENT})"
_SEGMENTS = rf"(?:/{_PCHAR}*)*"
_HOST = rf"(?:\[[0-9A-Fa-f:.]+\]|\[v[0-9A-Fa-f]+\.[{_PLAIN}:-]+\]|(?:[{_PLAIN}-]|{_PERCENT})*)"
_AUTHORITY = rf"(?:(?:[{_PLAIN}:-]|{_PERCENT})*@)?{_HOST}(?::[0-9]*)?"
_ROOTED = rf"//{_AUTHORITY}{_SEGMENTS}|/(?:{_PCHAR}+{_SEGMENTS})?"
_WITH_SCHEME = rf"[A-Za-z][A-Za-z0-9+.-]*:(?:{_ROOTED}|{_PCHAR}+{_SEGMENTS}|)"
_RELATIVE = rf"(?:{_ROOTED}|(?:[{_PLAIN}@-]|{_PERCENT})+{_SEGMENTS}|)"
_QUERY = rf"(?:\?(?:{_PCHAR}|[/?])*)?"
_FRAGMENT = rf"(?:#(?:{_PCHAR}|[/?])*)?"
_ABSOLUTE_URI = re.compile(_WITH_SCHEME + _QUERY)
_URI_REFERENCE = re.compile(f"(?:{_WITH_SCHEME}|{_RELATIVE}){_QUERY}{_FRAGMENT}")


class EventError(EdasimError, ValueError):
    """An event or a document breaks a rule: `field` names the attribute, `value` what it holds, `remedy` what helps."""


def refuse(attribute: str, value: Any, remedy: str) -> EventError:
    """The error for an attribute that holds `value`; raise what this returns."""
    return EventError(f"{attribute} of the event is {reprlib.repr(value)}", field=attribute, value=value, remedy=remedy)


def check_characters(attribute: str, text: str) -> None:
    """Refuses a text with a character that the type String excludes: controls, lone surrogates, noncharacters."""
    found = _DISALLOWED.search(text)
    if found is not None:
        remedy = f"take out U+{ord(found[0]):04X} at position {found.start()}, a character that no attribute can hold"
        raise refuse(attribute, text, remedy)


def check_string(attribute: str, value: Any) -> None:
    """Refuses what is no text, an empty text, and disallowed characters."""
    if not isinstance(value, str) or not value:
        raise refuse(attribute, value, "give a text that is not empty")
    check_characters(attribute, value)


def check_uri_reference(attribute: str, value: Any) -> None:
    """Refuses what is no URI-reference of at least one character (RFC 3986, section 4.1)."""
    if not isinstance(value, str) or not is_uri_reference(value):
        remedy = "give a URI-reference such as '/users' or 'urn:example:users'; uri_reference(name) makes one of a name"
        raise refuse(attribute, value, remedy)


def check_uri(attribute: str, value: Any) -> None:
    """Refuses what is no absolute URI (RFC 3986, section 4.3: with a scheme, without a fragment)."""
    if not isinstance(value, str) or not is_absolute_uri(value):
        raise refuse(attribute, value, "give an absolute URI without a fragment, such as 'https://example.org/a.json'")


def check_media_type(attribute: str, value: Any) -> None:
    """Refuses what is no media type (RFC 2046)."""
    if not isinstance(value, str) or not is_media_type(value):
        raise refuse(attribute, value, "give a media type such as 'application/json' or 'text/xml; charset=utf-8'")


def check_extension(name: Any, value: Any) -> None:
    """Refuses an extension attribute whose name or value the specification does not allow."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise refuse(
            "name of an extension", name, "use only lower-case letters a to z and digits, as in 'partitionkey'"
        )
    if name in CORE_NAMES or name == "data":
        raise refuse("name of an extension", name, f"choose another name: {name!r} is not free for extensions")
    if isinstance(value, str):
        check_characters(name, value)
    elif isinstance(value, int) and not isinstance(value, bool):
        if not _LOWEST_INTEGER <= value <= _HIGHEST_INTEGER:
            raise refuse(name, value, "give a whole number of 32 bits (-2147483648 to 2147483647), or a text")
    elif not isinstance(value, bool | bytes):
        raise refuse(name, value, "give a text, a whole number, a truth value or bytes; put structures into the data")


@lru_cache(maxsize=4096)
def is_uri_reference(text: str) -> bool:
    """Whether a text is a URI-reference of at least one character; remembers the latest answers, as sources repeat."""
    return bool(text) and _URI_REFERENCE.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def is_absolute_uri(text: str) -> bool:
    """Whether a text is an absolute URI."""
    return _ABSOLUTE_URI.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def is_media_type(text: str) -> bool:
    """Whether a text is a media type, with or without parameters."""
    return _MEDIA_TYPE.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def declares_json(datacontenttype: str | None) -> bool:
    """Whether data of this content type is a JSON value: `*/json`, `*/*+json`, or no content type at all.

    Source: CloudEvents 1.0.2, `cloudevents/formats/json-format.md`, section 3.1.1.
    """
    if datacontenttype is None:
        return True
    subtype = datacontenttype.partition(";")[0].strip().lower().partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


@lru_cache(maxsize=4096)
def uri_reference(name: str) -> str:
    """A source for something that has a name: the name itself if it is a URI-reference, percent-encoded otherwise.

    Raises `EventError` for an empty name and for characters that no attribute can hold.

    >>> uri_reference("/users"), uri_reference("mail service")
    ('/users', 'mail%20service')
    """
    from urllib.parse import quote

    check_string("source", name)
    return name if is_uri_reference(name) else quote(name, safe="/")
