"""A fold: state as a pure function of events, in their order (ES-02).

`apply(state, event)` returns the next state. It has no clock, no random numbers and no effects: a mail that it sent
would be sent again at each replay (ES-09). `check_pure` finds folds that break this by folding twice. A state is
plain JSON, so that it can be kept as a snapshot or as a row of a view.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from .. import checks
from ..events import Event
from .errors import ProjectionError
from .jsontext import state_text
from .query import check_types

Apply = Callable[[Any, Event], Any]


def check_state(field: str, value: Any) -> Any:
    """A state that comes back from JSON as it is."""
    try:
        state_text(value, field)
    except ProjectionError as error:
        raise checks.refuse(field, value, str(error.remedy)) from error
    return value


@checks.configuration
class Fold:
    """How the state of one thing follows from its events.

    `initial` is the state before the first event. Raise `version` whenever `apply` or an upcaster changes its mind:
    snapshots of another version are not used. `types` are the event types it listens to; none means all.

    >>> balance = Fold(name="balance", initial=0, apply=lambda cents, event: cents + event.data["cents"])
    >>> balance.over([Event(type="paid", data={"cents": 3}), Event(type="paid", data={"cents": 4})])
    7
    """

    name: str = checks.text()
    apply: Apply = checks.kind(Callable, "a function of a state and an event")  # type: ignore[arg-type]
    initial: Any = checks.checked(check_state)
    version: int = checks.at_least(1, default=1)
    types: tuple[str, ...] = checks.checked(check_types, default=())

    def start(self) -> Any:
        """A fresh copy of the initial state."""
        return json.loads(json.dumps(self.initial))

    def over(self, events: Iterable[Event], state: Any = None) -> Any:
        """The state after these events, from `state` or from the start."""
        state = self.start() if state is None else state
        apply, types = self.apply, self.types
        for event in events:
            if not types or event.type in types:
                state = apply(state, event)
        return state

    def check_pure(self, events: Iterable[Event]) -> Any:
        """Folds twice, side by side, and returns the state; raises `ProjectionError` at the first event where they
        part.
        """
        once, again = self.start(), self.start()
        for event in events:
            if not self.types or event.type in self.types:
                once, again = self.apply(once, event), self.apply(again, event)
                if once is again and isinstance(once, dict | list):
                    raise self._impure(event, "it keeps a state outside itself")
                if state_text(once, self.name) != state_text(again, self.name):
                    raise self._impure(event, f"it made {once!r} at first and {again!r} the second time")
        return once

    def _impure(self, event: Event, problem: str) -> ProjectionError:
        return ProjectionError(
            f"the fold {self.name!r} is no function of its events: at {event.type!r} {event.id!r} {problem}",
            field="apply",
            value=self.name,
            remedy="take the time from the event, and leave out clocks, random numbers and what other code changes",
        )


def one_key(_event: Event) -> str:
    """The key of a projection with a single state."""
    return ""


@checks.configuration
class Projection(Fold):
    """A fold whose results are kept as a view: one state per `key(event)`, or a single one.

    An event whose key is None does not concern it.

    >>> Projection(name="orders", initial=0, apply=lambda n, event: n + 1, key=lambda event: event.subject).version
    1
    """

    key: Callable[[Event], str | None] = checks.kind(Callable, "a function of an event", default=one_key)  # type: ignore[arg-type]
