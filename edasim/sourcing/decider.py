"""A service whose state is its events: read a stream, decide, append.

`Decider.handle` can be the handler of a `Service`. It folds the stream that the event concerns, asks `decide(state,
event)` for new events and appends them with the version that it read; if another writer was faster, it reads and
decides again (ES-01). The new events get ids made from the event that caused them. So when a message comes again,
after a crash at any step, the same events are found in the store and published again, and nothing is decided twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .. import checks
from ..events import Event, uri_reference
from .errors import ConflictError
from .folding import Fold
from .query import Query
from .store import EventStore

Decide = Callable[[Any, Event], Event | Iterable[Event] | None]


class Decider:
    """Decides on events by the state of their streams.

    `fold` makes a stream's state; `decide(state, event)` returns the events that follow, or None; `stream_of(event)`
    names the stream, by default the event's subject. `name` is the source of the new events and the actor of the
    audit trail. `attempts` bounds the times it decides anew after conflicts.
    """

    def __init__(
        self,
        name: str,
        store: EventStore,
        fold: Fold,
        decide: Decide,
        *,
        stream_of: Callable[[Event], str] = lambda event: str(event.subject),
        attempts: int = 10,
    ) -> None:
        self.name = checks.check_text("Decider.name", name)
        self.store = store
        self.fold = fold
        self.decide = decide
        self.stream_of = stream_of
        self.attempts = checks.check_whole(1)("Decider.attempts", attempts)

    def handle(self, event: Event, _context: Any = None) -> list[Event]:
        """The events that follow, stored; the same ones again for an event that comes again.

        Raises `ConflictError` if other writers were faster `attempts` times.
        """
        stream = self.stream_of(event)
        for attempt in range(1, self.attempts + 1):
            state, version, told = self._read(stream, event)
            if told:
                return told
            new = self._named(self.decide(state, event), event)
            if not new:
                return []
            try:
                self.store.append(stream, new, expected=version, actor=self.name, reason=f"{event.type} {event.id}")
            except ConflictError:
                if attempt == self.attempts:
                    raise
            else:
                return new
        return []

    def _read(self, stream: str, event: Event) -> tuple[Any, int, list[Event]]:
        """State and version of the stream, and the events in it that this very event caused."""
        state, version, told = self.fold.start(), 0, []
        for batch in self.store.batches(Query(stream=stream)):
            version += len(batch.events)
            state = self.fold.over(batch.events, state)
            told += [one for one in batch.events if one.cause_id == event.id and one.source == uri_reference(self.name)]
        return state, version, told

    def _named(self, decided: Event | Iterable[Event] | None, cause: Event) -> list[Event]:
        if decided is None:
            return []
        new = [decided] if isinstance(decided, Event) else list(decided)
        source = uri_reference(self.name)
        return [
            one.filled(id=f"{cause.id}/{number}", source=source, cause_id=cause.id, trace_id=cause.trace_id)
            for number, one in enumerate(new)
        ]
