"""What every scenario can: describe itself, go to and from a dictionary, and run.

A scenario is a frozen, checked configuration. It is data: it can be printed, compared, swept and sent to another
machine. Its dictionary form holds one `kind` per nested configuration, such as "times.Exponential", and can be stored
as JSON. Left out: functions in scenarios, since they could not be stored.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, TypeVar

from .. import brokers, checks, failures, governance, network
from ..errors import ConfigurationError, UnknownNameError
from ..kernel import LogLevel, Run, Simulation, times
from ..services import calls, load

S = TypeVar("S", bound="Scenario")

_ROOMS: dict[str, Any] = {
    "times": times,
    "load": load,
    "network": network,
    "brokers": brokers,
    "failures": failures,
    "governance": governance,
    "calls": calls,
}


class Scenario:
    """The base of scenarios: a subclass is a configuration with a method `build(sim)`."""

    def build(self, sim: Simulation) -> dict[str, Any]:
        """Puts the system into a simulation; returns what the run is to keep, by name (stores, services)."""
        raise ConfigurationError(f"{type(self).__name__} has no system to build", remedy="define build(sim)")

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """What the system promises; `failures.check(run)` holds a run to it. None, unless a scenario states some."""
        return ()

    def describe(self) -> str:
        """The scenario in plain words."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return ", ".join(f"{field.name}={_told(getattr(self, field.name))}" for field in fields)

    def but(self: S, **changes: Any) -> S:
        """The same scenario with some fields changed; their checks run again.

        >>> from edasim.scenarios import SingleQueue
        >>> SingleQueue(servers=2).but(messages=5).servers
        2
        """
        return type(self)(**{**_fields(self), **changes})

    def run(
        self, seed: int = 0, until_s: float | None = None, *, log: str | LogLevel = LogLevel.FULL, one_in: int = 100
    ) -> Run:
        """One run with its own simulation; `until_s` is simulated seconds, `log` and `one_in` as for `Simulation`.

        The same scenario, seed and version give the same run, in any process.
        """
        sim = Simulation(seed=seed, log=log, one_in=one_in)
        kept = self.build(sim)
        failures.require_possible(sim, getattr(self, "faults", ()), until_s)
        failures.require_checkable(sim, self.promises, until_s, getattr(self, "topology", None))
        return sim.run(until_s=until_s, scenario=self, kept=kept)

    def to_dict(self) -> dict[str, Any]:
        """The scenario as a dictionary of plain values."""
        return {"scenario": type(self).__name__, **_fields_as_plain(self)}

    @classmethod
    def from_dict(cls: type[S], told: Mapping[str, Any]) -> S:
        """The scenario that `to_dict` told; its checks run again."""
        if not isinstance(told, Mapping):
            raise checks.refuse("scenario", told, "give a dictionary, as to_dict tells it")
        name = told.get("scenario")
        if name != cls.__name__:
            raise ConfigurationError(
                f"the dictionary tells of the scenario {name!r}",
                field="scenario",
                value=name,
                remedy=f"give one of {cls.__name__}",
            )
        return cls(**{str(field): _from_plain(value) for field, value in told.items() if field != "scenario"})


def _fields(configuration: Any) -> dict[str, Any]:
    return {field.name: getattr(configuration, field.name) for field in dataclasses.fields(configuration)}


def _fields_as_plain(configuration: Any) -> dict[str, Any]:
    return {name: _plain(value) for name, value in _fields(configuration).items()}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"kind": f"{_room_of(value)}.{type(value).__name__}", **_fields_as_plain(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, frozenset):
        return sorted(_plain(each) for each in value)
    return value


def _from_plain(value: Any) -> Any:
    if isinstance(value, Mapping) and "kind" in value:
        room, _, name = str(value["kind"]).partition(".")
        kind = getattr(_ROOMS.get(room), name, None)
        if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
            raise UnknownNameError("kind of configuration", value["kind"], [f"{known}.…" for known in _ROOMS])
        return kind(**{str(k): _from_plain(v) for k, v in value.items() if k != "kind"})
    if isinstance(value, list):
        return tuple(_from_plain(each) for each in value)
    return value


def _room_of(value: Any) -> str:
    for room, module in _ROOMS.items():
        if getattr(module, type(value).__name__, None) is type(value):
            return room
    raise ConfigurationError(
        f"{type(value).__name__} cannot be stored",
        field="scenario",
        value=value,
        remedy=f"use what is in {', '.join(_ROOMS)}",
    )


def _told(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{'; '.join(_told(each) for each in value)}]"
    return str(value.describe()) if hasattr(value, "describe") else repr(_plain(value))
