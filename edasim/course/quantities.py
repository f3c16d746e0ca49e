"""Numbers as learners write them: a number in the unit that is asked for, or a text such as "80 ms".

Knows units of time and of share; any other unit is taken as it is written in the question. Left out: compound units,
and decimal commas, which cannot be told from thousands.
"""

from __future__ import annotations

import math
import numbers
import re
from typing import Any

from .. import checks

TIME_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
SHARE = {"%": 0.01, "percent": 0.01, "share": 1.0}
FAMILIES = (TIME_S, SHARE)
WRITTEN = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S.*?)?\s*")
FACTORS_OF_UNITS = (1000.0, 1e-3, 1e6, 1e-6, 100.0, 0.01, 60.0, 1 / 60)


def in_unit(field: str, value: Any, unit: str) -> float:
    """`value` as a finite float in `unit`; a text may carry a unit of the same family.

    Raises `ConfigurationError` for what is no number, not finite, or in a unit that does not convert.

    >>> in_unit("wait", "80 ms", "s")
    0.08
    """
    wanted = f"a number in {unit}" if unit else "a number"
    if isinstance(value, str):
        match = WRITTEN.fullmatch(value)
        if match is None:
            raise checks.refuse(field, value, f"give {wanted}, with a point for decimals and nothing between thousands")
        return float(match[1]) * factor(field, value, match[2] or unit, unit)
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise checks.refuse(field, value, f"give {wanted}")
    return float(value)


def factor(field: str, value: Any, written: str, unit: str) -> float:
    """What a number in `written` is multiplied by to be in `unit`."""
    if written == unit:
        return 1.0
    for family in FAMILIES:
        if written in family and unit in family:
            return family[written] / family[unit]
    raise checks.refuse(field, value, f"give a number in {unit}" if unit else "give a number without a unit")


def plain(value: float, unit: str = "") -> str:
    """A number for people: four significant digits and its unit; a single thing loses its plural.

    >>> plain(1, "users per second"), plain(2, "users per second"), plain(1, "ms")
    ('1 user per second', '2 users per second', '1 ms')
    """
    shown = f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"
    first, space, rest = unit.partition(" ")
    if value == 1 and unit not in TIME_S and first.endswith("s"):
        unit = f"{first[:-1]}{space}{rest}"
    return f"{shown} {unit}".strip()
