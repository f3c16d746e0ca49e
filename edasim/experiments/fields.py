"""Fields of scenarios by dotted names, such as "servers" or "service_time.mean_s": read them, replace them.

Left out: elements of tuples; replace the whole tuple.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import UnknownNameError


def replaced(scenario: Any, field: str, value: Any) -> Any:
    """The scenario with one field replaced; its checks run again. `UnknownNameError` if there is no such field."""
    head, _, rest = field.partition(".")
    _require(scenario, head)
    kept = value.item() if isinstance(value, np.generic) else value
    return dataclasses.replace(scenario, **{head: replaced(getattr(scenario, head), rest, kept) if rest else kept})


def value_at(scenario: Any, field: str) -> Any:
    """The value of a field of a scenario, or of its dictionary form."""
    head, _, rest = field.partition(".")
    if isinstance(scenario, Mapping):
        if field in scenario:
            return scenario[field]
        found = scenario[head]
    else:
        _require(scenario, head)
        found = getattr(scenario, head)
    return value_at(found, rest) if rest else found


def cell(value: Any) -> Any:
    """A value as it stands in a table: plain values as they are, enumerations by their word, the rest in words."""
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value.describe()) if hasattr(value, "describe") else repr(value)


def _require(scenario: Any, name: str) -> None:
    fields = dataclasses.fields(scenario) if dataclasses.is_dataclass(scenario) else ()
    names = [each.name for each in fields if each.init]
    if name not in names:
        raise UnknownNameError(f"field of {type(scenario).__name__}", name, names)
