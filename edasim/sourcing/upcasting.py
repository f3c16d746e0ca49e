"""Upcasters lift events of old versions while they are read; what is stored stays as it is (ES-06).

The version of an event is its extension attribute `schemaversion`, a whole number; an event without it has version 1.
An `Upcaster` is one step of a chain. An event of a version that no code knows is refused, not guessed at; fields that
a reader does not know are kept.

Follows: the advice to change no stored event but to transform at reading (Marten, docs/events/versioning.md; G.
Young, Versioning in an Event Sourced System). Left out: one event that becomes several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .. import checks
from ..errors import ConfigurationError
from ..events import NO_DATA, Event, EventError
from .errors import UpcastError

VERSION_ATTRIBUTE = "schemaversion"

Step = tuple[str, int]


def version_of(event: Event) -> int:
    """The version of an event's data: its extension attribute `schemaversion`, or 1."""
    version = event.extensions.get(VERSION_ATTRIBUTE, 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise UpcastError(
            f"schemaversion of the event {event.id!r} is {version!r}",
            field=VERSION_ATTRIBUTE,
            value=version,
            remedy="give a whole number of at least 1",
        )
    return version


@checks.configuration
class Upcaster:
    """One step: how the data of `type` in version `from_version` becomes that of `to_type` (the same) in `to_version`
    (the next).

    `lift` takes the data as a dictionary of its own and returns the new data. A field that `lift` takes away, also one
    inside another ("address.city"), must be named in `replaces`, or it counts as lost.

    >>> Upcaster(type="user.registered", from_version=1, replaces=("name",),
    ...     lift=lambda data: {"first_name": data.pop("name"), **data}).to_version
    2
    """

    type: str = checks.text()
    lift: Callable[[dict[str, Any]], dict[str, Any]] = checks.kind(Callable, "a function of the data")  # type: ignore[arg-type]
    from_version: int = checks.at_least(1, default=1)
    to_type: str | None = checks.optional(checks.check_text, default=None)
    to_version: int | None = checks.optional(checks.check_whole(1), default=None)
    replaces: tuple[str, ...] = checks.checked(lambda _, value: tuple(value), default=())

    def check(self) -> None:
        """Fills in where the step leads."""
        object.__setattr__(self, "to_type", self.to_type or self.type)
        object.__setattr__(self, "to_version", self.to_version or self.from_version + 1)

    @property
    def begins_at(self) -> Step:
        """Type and version that the step takes."""
        return self.type, self.from_version

    @property
    def leads_to(self) -> Step:
        """Type and version that the step gives."""
        return str(self.to_type), int(self.to_version or 0)


class Upcasters:
    """The steps that a reader knows; each type's newest version is where its chain ends.

    Raises `ConfigurationError` for two steps from the same version and for chains that come back to where they were.
    """

    def __init__(self, steps: Iterable[Upcaster] = ()) -> None:
        self._steps: dict[Step, Upcaster] = {}
        for step in steps:
            if step.begins_at in self._steps:
                raise ConfigurationError(
                    f"two upcasters begin at {step.type!r} version {step.from_version}",
                    field="upcasters",
                    value=step.begins_at,
                    remedy="keep one of them",
                )
            self._steps[step.begins_at] = step
        for begin in self._steps:
            self._refuse_loop(begin)
        self._newest: dict[str, int] = {}
        for type_, version in [*self._steps, *(step.leads_to for step in self._steps.values())]:
            self._newest[type_] = max(version, self._newest.get(type_, 1))
        self.types = frozenset(self._newest)

    def ancestors(self, types: Sequence[str]) -> list[str]:
        """These types, and all types that become one of them."""
        found = list(types)
        for name in found:
            found.extend(step.type for step in self._steps.values() if step.to_type == name and step.type not in found)
        return found

    def lift(self, event: Event, position: int = 0) -> Event:
        """The event in the newest version; raises `UpcastError` for an unknown version or a step that loses data."""
        if event.type not in self.types:
            if VERSION_ATTRIBUTE in event.extensions and version_of(event) > 1:
                raise self._unknown(event, 1, position)
            return event
        while (step := self._steps.get((event.type, version_of(event)))) is not None:
            event = _lifted(event, step)
        if version_of(event) > self._newest.get(event.type, 1):
            raise self._unknown(event, self._newest.get(event.type, 1), position)
        return event

    def _unknown(self, event: Event, newest: int, position: int) -> UpcastError:
        return UpcastError(
            f"the event {event.id!r} ({event.type!r}) at position {position} has version {version_of(event)},"
            f" and this reader knows up to {newest}",
            field=VERSION_ATTRIBUTE,
            value=version_of(event),
            remedy="upgrade the reader before the writer, or give the store an upcaster for that version",
        )

    def _refuse_loop(self, begin: Step) -> None:
        seen, here = [begin], self._steps[begin].leads_to
        while here in self._steps:
            if here in seen:
                way = " → ".join(f"{type_} v{version}" for type_, version in [*seen, here])
                raise ConfigurationError(
                    f"the upcasters loop: {way}",
                    field="upcasters",
                    value=here,
                    remedy="let each step lead to a newer version",
                )
            seen.append(here)
            here = self._steps[here].leads_to
        if here in seen:
            raise ConfigurationError(
                f"the upcaster of {here[0]} v{here[1]} leads to itself",
                field="upcasters",
                value=here,
                remedy="lead it further",
            )


def _lifted(event: Event, step: Upcaster) -> Event:
    before = dict(event.data) if isinstance(event.data, Mapping) else {}
    after = step.lift(dict(before))
    if not isinstance(after, dict):
        raise UpcastError(
            f"the upcaster of {step.type!r} v{step.from_version} returned {after!r}",
            field="lift",
            value=after,
            remedy="return a dictionary",
        )
    lost = [path for path in _lost(before, after) if path not in step.replaces]
    if lost:
        raise UpcastError(
            f"the upcaster of {step.type!r} v{step.from_version} loses {', '.join(lost)} of the event {event.id!r}",
            field="lift",
            value=tuple(lost),
            remedy="keep the fields, or name in replaces what it takes away on purpose",
        )
    new_type, version = step.leads_to
    return event.replace(
        type=new_type,
        data=after if event.has_data or after else NO_DATA,
        extensions={**event.extensions, VERSION_ATTRIBUTE: version},
    )


def _lost(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The fields that are not there any more, at any depth, such as "address.city"."""
    for name, value in before.items():
        if name not in after:
            yield f"{path}{name}"
        elif isinstance(value, Mapping) and isinstance(after[name], Mapping):
            yield from _lost(value, after[name], f"{path}{name}.")


def tolerant(event: Event, *required: str, **defaults: Any) -> dict[str, Any]:
    """The named fields of an event's data, and nothing else: unknown fields do not disturb, missing ones take their
    default.

    Raises `EventError` for a required field that is missing.

    >>> tolerant(Event(type="t", data={"user": "u-1", "new": 7}), "user", plan="free")
    {'user': 'u-1', 'plan': 'free'}
    """
    data = event.data if isinstance(event.data, Mapping) else {}
    for name in required:
        if name not in data:
            raise EventError(
                f"the data of {event.type!r} has no field {name!r}",
                field=name,
                remedy="ask the producer, or give a default",
            )
    return {name: data[name] for name in required} | {name: data.get(name, value) for name, value in defaults.items()}
