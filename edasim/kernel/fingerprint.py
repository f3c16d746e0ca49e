"""The fingerprint of a run: a short hash of all that its log says, the same in every process.

It covers rows, events, facts, names, running statistics, seed, end and version. Values are told in a canonical form:
dictionaries and sets in sorted order, objects by what they would be restored from, never by their address. Sums of
seconds count to ten digits, since they depend on how rows were grouped when they were added up.

Left out: objects in events and facts that neither say what they are made of (`__reduce__`, a dataclass) nor have a
`repr` of their own; they count by their type alone.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from .runlog import PUBLISHER_BITS

if TYPE_CHECKING:
    from .metrics import Spread
    from .run import Run


def fingerprint(run: Run) -> str:
    """16 hexadecimal digits that stand for the log of a run."""
    parts = hashlib.sha256()
    for column in run.deliveries.columns.values():
        parts.update(np.ascontiguousarray(column).tobytes())
    for piece in _pieces(run):
        parts.update(piece.encode() + b"\0")
    return parts.hexdigest()[:16]


def _pieces(run: Run) -> Iterator[str]:
    yield canonical((_version(), run.seed, run.ended_s, run.log.level.value, run.publishers, run.endpoints))
    yield canonical([(lane.broker, lane.destination, lane.group) for lane in run.lanes])
    yield canonical(list(run.slots.items()))
    for endpoint, counted in sorted(run.metrics.by_endpoint.items()):
        sums = (f"{counted.busy_s:.10g}", f"{counted.vain_waits_s:.10g}")
        yield canonical((endpoint, counted.outcomes.tolist(), counted.redelivered, sums))
        yield canonical((_told(counted.waits), _told(counted.responses)))
    for fact in run.fact_list:
        yield _sequence((fact.time_s, fact.kind, fact.subject, fact.detail))
    for event in run.kept_events:
        yield canonical(event)
    for event in _always_alike(run):
        yield canonical(event)
    yield canonical(run.open_rows.tobytes())


def _always_alike(run: Run) -> Iterator[Any]:
    """The first event in the log of each publisher that makes its events again, since all of them are alike."""
    numbers = run.deliveries.number
    kept = np.fromiter(islice(run.log.events, len(run.kept_events)), dtype=np.int64)
    made = numbers[~np.isin(numbers, kept)] if len(kept) else numbers
    _, first = np.unique(made >> PUBLISHER_BITS, return_index=True)
    return (run.log.event_of(number, 0.0) for number in made[first].tolist())


def _told(spread: Spread) -> tuple[Any, ...]:
    buckets = hashlib.sha256(spread.buckets.tobytes()).hexdigest()
    return spread.n, f"{spread.total_s:.10g}", spread.max_s, buckets


def canonical(value: Any) -> str:
    """A text that is the same for equal values in every process, whatever the order of its dictionaries and sets.

    >>> canonical({"b": {2, 1}, "a": 0.5}) == canonical({"a": 0.5, "b": {1, 2}})
    True
    """
    return repr(value) if value.__class__ in _PLAIN else _teller(value.__class__)(value)


_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
"""Classes whose objects tell themselves; most values of a log are of one of them."""


@functools.cache
def _teller(kind: type) -> Callable[[Any], str]:
    """How objects of a class are told; found once for each class."""
    if issubclass(kind, np.generic):
        return lambda value: canonical(value.item())
    if issubclass(kind, tuple(_PLAIN)):
        return repr
    if issubclass(kind, tuple | list):
        return _sequence
    if issubclass(kind, Mapping):
        return _mapping
    if issubclass(kind, Set):
        return lambda value: f"<{','.join(sorted(map(canonical, value)))}>"
    name, inside = kind.__qualname__, _inside(kind)
    return lambda value: name + inside(value)


def _sequence(value: Iterable[Any]) -> str:
    plain, teller = _PLAIN, _teller
    told = [repr(item) if item.__class__ in plain else teller(item.__class__)(item) for item in value]
    return f"[{','.join(told)}]"


def _mapping(value: Mapping[Any, Any]) -> str:
    plain, items = _PLAIN, []
    for key, item in value.items():
        name = repr(key) if key.__class__ in plain else canonical(key)
        items.append((name, repr(item) if item.__class__ in plain else canonical(item)))
    items.sort()
    return f"{{{','.join(map(':'.join, items))}}}"


def _inside(kind: type) -> Callable[[Any], str]:
    """How to tell what objects of a class are made of, as far as they say so."""
    if issubclass(kind, enum.Enum):
        return lambda value: canonical(value.name)
    if issubclass(kind, np.ndarray):
        return lambda value: canonical(value.tolist())
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
        return lambda value: _sequence([getattr(value, name) for name in names])
    if "__reduce__" in vars(kind):
        return lambda value: canonical(value.__reduce__()[1])
    tells_itself = any("__repr__" in vars(each) for each in kind.__mro__[:-1])
    return repr if tells_itself else lambda _value: ""


@functools.cache
def _version() -> str:
    """The installed version; read once, since the packages' metadata lie on disk."""
    try:
        return version("edasim")
    except PackageNotFoundError:
        return "not installed"
