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
from collections.abc import Iterator, Mapping, Set
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
        parts.update(piece.encode())
        parts.update(b"\0")
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
        yield canonical((fact.time_s, fact.kind, fact.subject, fact.detail))
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
    if isinstance(value, np.generic):
        return canonical(value.item())
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return repr(value)
    if isinstance(value, tuple | list):
        return f"[{','.join(map(canonical, value))}]"
    if isinstance(value, Mapping):
        items = sorted((canonical(key), canonical(item)) for key, item in value.items())
        return f"{{{','.join(f'{key}:{item}' for key, item in items)}}}"
    if isinstance(value, Set):
        return f"<{','.join(sorted(map(canonical, value)))}>"
    return f"{type(value).__qualname__}{_inside(value)}"


def _inside(value: Any) -> str:
    """What an object is made of, as far as it says so."""
    if isinstance(value, enum.Enum):
        return canonical(value.name)
    if isinstance(value, np.ndarray):
        return canonical(value.tolist())
    if dataclasses.is_dataclass(value):
        return canonical([getattr(value, field.name) for field in dataclasses.fields(value)])
    if "__reduce__" in vars(type(value)):
        return canonical(value.__reduce__()[1])
    tells_itself = any("__repr__" in vars(kind) for kind in type(value).__mro__[:-1])
    return repr(value) if tells_itself else ""


@functools.cache
def _version() -> str:
    """The installed version; read once, since the packages' metadata lie on disk."""
    try:
        return version("edasim")
    except PackageNotFoundError:
        return "not installed"
