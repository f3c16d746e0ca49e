"""The error family: every error says which field, which value, what would be right, and when.

All errors that edasim raises on purpose derive from `EdasimError`. The attributes carry what a program
needs; the sentence carries what a person needs. Nothing else in the house raises bare `ValueError`s.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class EdasimError(Exception):
    """Something the user can put right: `field`, `value` and `remedy`, and `at_s` if a run was under way.

    Its `args` are all that it was made from, so that it survives a pickle and SimPy's copy of a process's failure.
    """

    def __init__(
        self,
        problem: str,
        field: str | None = None,
        value: Any = None,
        remedy: str | None = None,
        at_s: float | None = None,
    ) -> None:
        super().__init__(problem, field, value, remedy, at_s)
        self.problem = problem
        self.field = field
        self.value = value
        self.remedy = remedy
        self.at_s = at_s

    def happened_at(self, at_s: float) -> None:
        """Notes the simulated time of an error that does not know it yet; it is the last of its `args`."""
        if self.at_s is None:
            self.at_s = at_s
            self.args = (*self.args[:-1], at_s)

    def __str__(self) -> str:
        when = "" if self.at_s is None else f"at {self.at_s:.6f} s of simulated time: "
        what_to_do = "" if self.remedy is None else f"; {self.remedy}"
        return f"{when}{self.problem}{what_to_do}"


class ConfigurationError(EdasimError, ValueError):
    """A field of a configuration holds a value that it cannot hold; raised at construction."""


class UnknownNameError(EdasimError, LookupError):
    """A name (field, subscription, stream, chapter…) that does not exist; tells the nearest that do."""

    def __init__(self, kind: str, name: object, known: Iterable[str], at_s: float | None = None) -> None:
        self.kind = kind
        self.known = tuple(known)
        near = difflib.get_close_matches(str(name), self.known, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(self.known) or 'none'}"
        super().__init__(f"there is no {kind} {name!r}", field=kind, value=name, remedy=remedy, at_s=at_s)
        self.args = (kind, name, self.known, at_s)


class CapabilityError(EdasimError):
    """A scenario asks a broker for something that it cannot do; raised before the run."""


class StateError(EdasimError):
    """An action that the present state forbids, such as acknowledging a delivery twice."""


class HandlerError(EdasimError):
    """A handler returned something that is neither an event nor a collection of events."""
