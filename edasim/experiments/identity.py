"""What a run depends on, as text: the scenario, its code and the metrics. Equal text means that a run can be reused.

Scenarios tell themselves (`to_dict`). The code of functions and of classes outside the house is told by a hash of
their bytecode, constants and captured values. Left out: code that such a function calls in turn; after a change there,
begin a new journal.
"""

from __future__ import annotations

import dataclasses
import hashlib
import types
from collections.abc import Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..errors import EdasimError
from .metrics import Measure

HOUSE = __name__.partition(".")[0]


def house_version() -> str:
    """The version of the library, as its fingerprints hold it."""
    try:
        return version(HOUSE)
    except PackageNotFoundError:
        return "not installed"


def told(scenario: Any) -> dict[str, Any]:
    """The scenario as plain values; one that cannot tell itself is told by its `repr`."""
    if isinstance(scenario, Mapping):
        return dict(scenario)
    by_repr = {"scenario": type(scenario).__name__, "repr": repr(scenario)}
    if not hasattr(scenario, "to_dict"):
        return by_repr
    try:
        return dict(scenario.to_dict())
    except EdasimError:  # it holds something of the user's own, which has no plain form
        return by_repr


def identity_of_scenario(scenario: Any) -> dict[str, Any]:
    """What `told` tells, and the scenario's class with its code if it is not of the house."""
    return {"told": told(scenario), "class": _class_identity(type(scenario))}


def identity_of_metric(name: str, what: Measure) -> str:
    """A text that is the same for the same metric; a function is told by its code."""
    return what if isinstance(what, str) else f"{name}: {identity(what)}"


def identity(value: Any) -> str:
    """A text for what a value is and does."""
    if isinstance(value, types.FunctionType):
        captured = [identity(cell.cell_contents) for cell in value.__closure__ or ()]
        parts = (_code(value.__code__), *map(identity, value.__defaults__ or ()), *captured)
        return f"{value.__qualname__} {_digest(*parts)}"
    if isinstance(value, partial):
        bound = (
            *map(identity, value.args),
            *(f"{key}={identity(each)}" for key, each in sorted(value.keywords.items())),
        )
        return f"partial {identity(value.func)} {_digest(*bound)}"
    if isinstance(value, types.MethodType):
        return f"{identity(value.__func__)} of {identity(value.__self__)}"
    if callable(value) and dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"{value!r} {_class_identity(type(value))}"
    return repr(value)


def _class_identity(cls: type) -> str:
    title = f"{cls.__module__}.{cls.__qualname__}"
    if cls.__module__.partition(".")[0] == HOUSE:
        return title
    own = [vars(each) for each in cls.__mro__ if each.__module__.partition(".")[0] not in {HOUSE, "builtins"}]
    functions = [value for names in own for value in names.values() if isinstance(value, types.FunctionType)]
    return f"{title} {_digest(*(_code(function.__code__) for function in functions))}"


def _code(code: types.CodeType) -> str:
    constants = [_code(each) if isinstance(each, types.CodeType) else repr(each) for each in code.co_consts]
    return _digest(code.co_code.hex(), *code.co_names, *constants)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
