"""Trace headers: `traceparent` says where a message belongs in a trace, `tracestate` what tracing systems add to it.

Follows: W3C Trace Context, `spec/20-http_request_header_format.md` (github.com/w3c/trace-context; facts TR-01, TR-02),
with the white space around a header's value that its test suite allows. Pure functions: nothing is sent or kept.

Left out: the advice to shorten a long `tracestate` (at least 512 characters are to be passed on); how ids are drawn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import checks
from .attributes import EventError

MAX_MEMBERS = 32
"""A `tracestate` holds at most this many members."""

Members = tuple[tuple[str, str], ...]
"""The members of a `tracestate`: keys and values, the latest change first."""

_WHITE_SPACE = " \t"
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_SAMPLED = 0x01
_KEY = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}")
_VALUE = re.compile(r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")


def _hex_id(digits: int) -> checks.Check:
    shape = re.compile(f"(?!0+$)[0-9a-f]{{{digits}}}")

    def check(field: str, value: Any) -> str:
        if not isinstance(value, str) or not shape.fullmatch(value):
            raise checks.refuse(field, value, f"give {digits} lower-case hexadecimal digits that are not all 0")
        return value

    return check


@checks.configuration
class TraceParent:
    """Where a message belongs: its trace, the operation that sent it, and whether the sender may have recorded it.

    `str()` gives the header's value, in version 00 with no flag but sampled, as the specification asks of senders.

    >>> str(TraceParent(trace_id="4bf92f3577b34da6a3ce929d0e0e4736", parent_id="00f067aa0ba902b7", sampled=True))
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    """

    trace_id: str = checks.checked(_hex_id(32))
    parent_id: str = checks.checked(_hex_id(16))
    sampled: bool = checks.kind(bool, "True or False", default=False)

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.parent_id}-{_SAMPLED if self.sampled else 0:02x}"

    def child(self, parent_id: str) -> TraceParent:
        """What an operation of this trace sends on: the same trace and flag, with the operation's own id."""
        return TraceParent(trace_id=self.trace_id, parent_id=parent_id, sampled=self.sampled)


class TraceContext(NamedTuple):
    """What arrived with a message: its place in the trace, and what tracing systems added."""

    parent: TraceParent
    state: Members


def parse_traceparent(value: str) -> TraceParent:
    """Reads a `traceparent`; a version above 00 is read as far as 00 knows it. Flags other than sampled are ignored.

    Raises `EventError` for an invalid one; its receiver starts a new trace (`received` does both).

    >>> parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03").sampled
    True
    """
    found = _TRACEPARENT.fullmatch(value.strip(_WHITE_SPACE))
    if found is None:
        raise _invalid("traceparent", value, "give '00-<32 hex digits>-<16 hex digits>-<2 hex digits>' in lower case")
    version, trace_id, parent_id, flags, more = found.groups()
    if version == "ff":
        raise _invalid("traceparent", value, "give version 00; version ff is forbidden")
    if version == "00" and more is not None:
        raise _invalid("traceparent", value, "end it after the flags; version 00 has no further fields")
    if not trace_id.strip("0") or not parent_id.strip("0"):
        raise _invalid("traceparent", value, "give a trace id and a parent id that are not all 0")
    return TraceParent(trace_id=trace_id, parent_id=parent_id, sampled=bool(int(flags, 16) & _SAMPLED))


def parse_tracestate(value: str) -> Members:
    """Reads a `tracestate`: its members in order; empty members are allowed and skipped.

    Raises `EventError` for a malformed member, a key that occurs twice, or more than 32 members.

    >>> parse_tracestate("rojo=00f067aa0ba902b7, congo=t61rcWkgMzE")
    (('rojo', '00f067aa0ba902b7'), ('congo', 't61rcWkgMzE'))
    """
    listed = [member.strip(_WHITE_SPACE) for member in value.split(",")]
    if len(listed) > MAX_MEMBERS:
        raise _invalid("tracestate", value, f"give at most {MAX_MEMBERS} members")
    members: dict[str, str] = {}
    for member in filter(None, listed):
        key, equals, held = member.partition("=")
        if not equals:
            raise _invalid("tracestate", value, f"write the member {member!r} as key=value")
        _check_member(key, held)
        if key in members:
            raise _invalid("tracestate", value, f"give the key {key!r} once")
        members[key] = held
    return tuple(members.items())


def format_tracestate(members: Sequence[tuple[str, str]]) -> str:
    """The header's value for some members, in their order."""
    return ",".join(f"{key}={value}" for key, value in members)


def with_member(members: Sequence[tuple[str, str]], key: str, value: str) -> Members:
    """The members with one added or changed: it comes first, the others keep their order, the last go beyond 32.

    Raises `EventError` for a key or a value that the header cannot hold.

    >>> with_member((("rojo", "1"), ("congo", "2")), "congo", "3")
    (('congo', '3'), ('rojo', '1'))
    """
    _check_member(key, value)
    others = [(other, held) for other, held in members if other != key]
    return ((key, value), *others)[:MAX_MEMBERS]


def received(traceparent: str | None, tracestate: str = "") -> TraceContext | None:
    """What a receiver makes of the two headers. None means: start a new trace, and do not pass the `tracestate` on.

    A malformed `tracestate` is dropped whole and leaves the `traceparent` valid.
    """
    if traceparent is None:
        return None
    try:
        parent = parse_traceparent(traceparent)
    except EventError:
        return None
    try:
        return TraceContext(parent, parse_tracestate(tracestate))
    except EventError:
        return TraceContext(parent, ())


def _check_member(key: str, value: str) -> None:
    if not _KEY.fullmatch(key):
        raise _invalid("tracestate key", key, "begin with a-z or 0-9, then use a-z 0-9 _ - * / @, at most 256 in all")
    if not _VALUE.fullmatch(value):
        raise _invalid("tracestate value", value, "give 1 to 256 printable ASCII characters but , and =, no space last")


def _invalid(field: str, value: Any, remedy: str) -> EventError:
    return EventError(f"{field} is {value!r}", field=field, value=value, remedy=remedy)
