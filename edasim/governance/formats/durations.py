"""Durations as configuration files write them: 500ms, 1m30s, PT0.5S, 0.25s, and bare numbers in a unit that the
format says.

Follows: Spring Boot's `DurationStyle` (a number with ns, us, ms, s, m, h or d; ISO-8601), Protobuf's JSON form of
durations (seconds with an s), Go's `time.ParseDuration` (several parts, ns to h). All of them are understood in every
file.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

from ... import checks

UNITS_S = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "μs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86_400),
}
_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)", re.IGNORECASE)
_PARTS = re.compile(rf"(?:{_PART.pattern})+", re.IGNORECASE)
_ISO = re.compile(r"P(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?", re.IGNORECASE)
REMEDY = "give a duration of at least 0, such as 500ms, 1m30s or PT0.5S"


def seconds(field: str, value: Any, bare: str | None = None) -> float:
    """The seconds that `value` stands for; a bare number counts in the unit `bare`, and is refused if that is None.

    >>> [seconds("wait", text) for text in ("500ms", "1m30s", "PT0.5S", "0.25s")], seconds("wait", 1500, bare="ms")
    ([0.5, 90.0, 0.5, 0.25], 1.5)
    """
    if isinstance(value, str):
        text = value.strip()
        if _PARTS.fullmatch(text):
            return float(sum(Fraction(number) * UNITS_S[unit.lower()] for number, unit in _PART.findall(text)))
        iso = _ISO.fullmatch(text)
        if iso and any(iso.groupdict().values()):
            return float(sum(Fraction(part) * UNITS_S[unit] for unit, part in iso.groupdict().items() if part))
        if not re.fullmatch(r"\d+", text):
            raise checks.refuse(field, value, REMEDY)
        value = int(text)
    if bare is None:
        raise checks.refuse(field, value, REMEDY)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise checks.refuse(field, value, REMEDY)
    return float(Fraction(value) * UNITS_S[bare])
