"""Data that cannot change: dictionaries and lists that refuse to be written to.

An event is handed to many consumers. If one of them could change its data, the others would see the change, which no
broker with a wire in between allows. So an event keeps a frozen copy of the containers in its data. Frozen data is
still a `dict` or a `list`: it compares equal to plain ones, can be printed, unpacked and written as JSON, and `.copy()`
gives a plain one to change.

Left out: objects of other classes are kept as they are. Whoever puts an object of an own class into an event promises
not to change it.
"""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import StateError
from .attributes import EventError

MAX_DEPTH = 100
"""Data may be nested this many levels deep; deeper data, or data that contains itself, is refused."""


def _refuse_change(self: Any, *_given: Any, **_named: Any) -> NoReturn:
    raise StateError(
        "the data of an event cannot be changed",
        field="data",
        value=self,
        remedy="make a new event with new data, such as {**event.data, 'name': value}, or change event.data.copy()",
    )


class FrozenDict(dict[Any, Any]):
    """A dictionary that refuses every change; `freeze` makes it."""

    __slots__ = ()

    __setitem__ = __delitem__ = _refuse_change
    __ior__ = _refuse_change
    clear = pop = popitem = setdefault = update = _refuse_change

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


class FrozenList(list[Any]):
    """A list that refuses every change; `freeze` makes it."""

    __slots__ = ()

    __setitem__ = __delitem__ = _refuse_change
    __iadd__ = __imul__ = _refuse_change
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse_change

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenList, (list(self),)


_STILL = frozenset({str, int, float, bool, bytes, type(None), FrozenDict, FrozenList})
"""Classes whose objects need no freezing."""


def freeze(value: Any) -> Any:
    """The same value with frozen containers: dictionaries, lists, tuples, sets and byte arrays, at every depth.

    Costs a copy of each container that is not frozen yet; what is frozen is returned as it is.

    >>> freeze({"items": [1, 2]}) == {"items": [1, 2]}
    True
    """
    kind = value.__class__
    if kind in _STILL:
        return value
    if kind is dict and _STILL.issuperset(map(type, value.values())):  # most events: a flat dictionary
        return FrozenDict(value)
    return _freeze_deep(value, MAX_DEPTH)


def _freeze_deep(value: Any, levels: int) -> Any:
    if value.__class__ in _STILL:
        return value
    if levels == 0:
        raise EventError(
            f"data of the event is nested deeper than {MAX_DEPTH} levels, or contains itself",
            field="data",
            remedy="give flatter data",
        )
    if isinstance(value, dict):
        return FrozenDict({key: _freeze_deep(held, levels - 1) for key, held in value.items()})
    if isinstance(value, list):
        return FrozenList([_freeze_deep(held, levels - 1) for held in value])
    if value.__class__ is tuple:
        return tuple([_freeze_deep(held, levels - 1) for held in value])
    if isinstance(value, set):
        return frozenset(value)
    return bytes(value) if isinstance(value, bytearray | memoryview) else value
