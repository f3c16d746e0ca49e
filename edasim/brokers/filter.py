"""Filters of subscriptions: by event type, by a condition on the event, by both or by neither.

Follows the pattern Selective Consumer (Hohpe and Woolf, Enterprise Integration Patterns). Left out: selectors as text;
a broker that has a language for them brings it along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .. import checks
from ..errors import HandlerError
from ..events import Event


class Filter:
    """Which events a subscription wants: some types, a condition, both or everything."""

    def __init__(self, *, types: frozenset[str] | None, where: Callable[[Event], bool] | None) -> None:
        self.types = types
        self.where = where
        self.everything = types is None and where is None

    @classmethod
    def of(cls, types: Any, where: Any) -> Filter:
        """The filter for what a user gave as `types` and `where`, checked."""
        return cls(types=_as_types(types), where=_as_condition(where))

    def accepts(self, event: Event) -> bool:
        """Whether the event passes."""
        if self.types is not None and event.type not in self.types:
            return False
        try:
            return self.where is None or bool(self.where(event))
        except Exception as failure:  # the publisher is not to blame
            raise HandlerError(
                f"the condition of a subscription failed on {event!r}: {type(failure).__name__}: {failure}",
                field="where",
                value=self.where,
                remedy="let it answer True or False for every event that is published there, or name the types as well",
            ) from failure


def _as_types(types: str | Iterable[str] | None) -> frozenset[str] | None:
    if types is None:
        return None
    named = [types] if isinstance(types, str) or not isinstance(types, Iterable) else list(types)
    if not named:
        raise checks.refuse("types", types, "name at least one event type, or leave it out to receive all")
    return frozenset(checks.check_text("types", one) for one in named)


def _as_condition(where: Callable[[Event], bool] | None) -> Callable[[Event], bool] | None:
    if where is not None and not callable(where):
        raise checks.refuse("where", where, "give a function of an event that tells whether it is wanted")
    return where
