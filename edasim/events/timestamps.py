"""Timestamps as RFC 3339 texts, and simulated seconds as timestamps.

Follows: RFC 3339, sections 5.6 and 5.7 (grammar, calendar, leap seconds at the end of a month in UTC). A timestamp
stays the text that it is, so that no digit of a fraction and no offset is lost on its way through the system.

Left out: which leap seconds really took place.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import Any

from .attributes import refuse

_DAY_S = 86_400
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LAST_DAY = date.max.toordinal()
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097  # the Gregorian calendar repeats

_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


def check_timestamp(attribute: str, value: Any) -> str:
    """The RFC 3339 text of a timestamp: a text is kept as it is, a datetime with a time zone is written as one.

    Raises `EventError` for anything else.
    """
    text = value
    if isinstance(value, datetime) and value.tzinfo is not None:
        text = value.isoformat().replace("+00:00", "Z")
    if _parse(text) is None:
        raise refuse(attribute, value, "give an RFC 3339 text such as '2026-11-23T10:00:00Z', or a datetime with zone")
    return str(text)


def rfc3339(seconds: float) -> str:
    """The timestamp that lies `seconds` after 1970-01-01T00:00:00Z, rounded to microseconds, in UTC.

    Raises `EventError` for what is not finite or lies outside the years 1 to 9999.

    >>> rfc3339(0.25)
    '1970-01-01T00:00:00.25Z'
    """
    if not math.isfinite(seconds):
        raise refuse("time", seconds, "give finite seconds")
    whole_s, microseconds = divmod(round(seconds * 1e6), 1_000_000)
    days, second_of_day = divmod(whole_s, _DAY_S)
    if not 1 <= days + _EPOCH_DAY <= _LAST_DAY:
        raise refuse("time", seconds, "give seconds since 1970 that lie in the years 1 to 9999")
    day = date.fromordinal(days + _EPOCH_DAY).isoformat()
    minute_of_day, second = divmod(second_of_day, 60)
    fraction = f".{microseconds:06}".rstrip("0") if microseconds else ""
    return f"{day}T{minute_of_day // 60:02}:{minute_of_day % 60:02}:{second:02}{fraction}Z"


def seconds_since_epoch(timestamp: str) -> float:
    """Seconds from 1970-01-01T00:00:00Z to an RFC 3339 timestamp; a leap second counts as the second after it.

    Raises `EventError` for what is no timestamp.

    >>> seconds_since_epoch("1970-01-01T01:00:00.5+01:00")
    0.5
    """
    seconds = _parse(timestamp)
    if seconds is None:
        raise refuse("time", timestamp, "give an RFC 3339 text such as '2026-11-23T10:00:00Z'")
    return seconds


def _parse(text: Any) -> float | None:
    """Seconds since the epoch, or None if the text is no RFC 3339 timestamp."""
    found = _TIMESTAMP.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[group]) for group in range(1, 7))
    offset_hour, offset_minute = int(found[9] or 0), int(found[10] or 0)
    if hour > 23 or minute > 59 or second > 60 or offset_hour > 23 or offset_minute > 59:
        return None
    try:
        # One cycle later the calendar is the same, and the year 0 of RFC 3339 has become one that `date` knows.
        ordinal = date(year % _CYCLE_YEARS + _CYCLE_YEARS, month, day).toordinal()
    except ValueError:
        return None
    ordinal += (year // _CYCLE_YEARS - 1) * _CYCLE_DAYS
    offset_s = (offset_hour * 60 + offset_minute) * (-60 if found[8] == "-" else 60)
    whole_s = (ordinal - _EPOCH_DAY) * _DAY_S + (hour * 60 + minute) * 60 + second - offset_s
    if second == 60 and not _begins_a_month(whole_s):  # a leap second
        return None
    return whole_s + float(found[7] or 0.0)


def _begins_a_month(whole_s: int) -> bool:
    days, second_of_day = divmod(whole_s, _DAY_S)
    return second_of_day == 0 and date.fromordinal((days + _EPOCH_DAY - 1) % _CYCLE_DAYS + 1).day == 1
