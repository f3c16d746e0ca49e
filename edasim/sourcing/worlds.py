"""What if: history with one event changed or left out, and what the same handlers make of it.

A world is a list of events. `branch` replays a world: an event that a handler answers is answered again, and what the
handler returns takes the place of the answers on record; an event whose cause did not happen does not happen.
`redecide` gives the events on record, one by one, to other handlers and tells which decisions would be different.
History is facts; decisions are not.

A handler is that of a service: `handler(event, context)` returns the events it would publish. Its context is a
`ReplayContext`, which has no effects (ES-09). Left out: handlers that draw random numbers or wait; put what they drew
into the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from ..errors import StateError, UnknownNameError
from ..events import Event
from .differences import Difference, differences
from .folding import Fold

Answer = Event | Iterable[Event] | None
Handler = Callable[[Event, "ReplayContext"], Answer]


class ReplayContext:
    """What a handler is told at a replay: the event, the `state` that a fold made of the events before, and nothing
    that acts.

    Facts that it tells are gathered in `facts`; what it publishes counts as returned.
    """

    def __init__(self, event: Event, state: Any = None) -> None:
        self.event = event
        self.state = state
        self.attempt = 1
        self.facts: list[tuple[str, dict[str, Any]]] = []
        self.published: list[Event] = []

    def fact(self, kind: str, **detail: Any) -> None:
        """Keeps a fact, and does not log it."""
        self.facts.append((kind, detail))

    def publish(self, events: Answer) -> None:
        """Keeps the events, and does not send them."""
        self.published.extend(_as_events(events))

    def draw(self, purpose: str) -> NoReturn:
        """Refused: the number that was drawn is not on record."""
        raise self._refuse(f"draws a random number for {purpose!r}")

    def pause(self, duration_s: float) -> NoReturn:
        """Refused: a replay has no time of its own."""
        raise self._refuse(f"waits for {duration_s} s")

    @property
    def now_s(self) -> NoReturn:
        """Refused: a replay has no clock."""
        raise self._refuse("asks for the time")

    def _refuse(self, what: str) -> StateError:
        return StateError(
            f"the handler of {self.event.type!r} {what}, which cannot be replayed",
            field="handler",
            value=self.event.id,
            remedy="decide from the event and the state alone; put what was drawn, and the time, into the event",
        )


class Decision(NamedTuple):
    """An event, what was decided on it, and what is decided now; both as (type, subject, data)."""

    event: Event
    recorded: tuple[tuple[Any, ...], ...]
    now: tuple[tuple[Any, ...], ...]

    @property
    def is_changed(self) -> bool:
        """Whether the decision differs."""
        return self.recorded != self.now


class Worlds(NamedTuple):
    """Two worlds: what happened and what would have happened, the states they end in, and where these differ."""

    actual: tuple[Event, ...]
    imagined: tuple[Event, ...]
    actual_state: Any
    imagined_state: Any
    differences: list[Difference]

    @property
    def only_actual(self) -> list[Event]:
        """Events that would not have happened."""
        told = {_content(event) for event in self.imagined}
        return [event for event in self.actual if _content(event) not in told]

    @property
    def only_imagined(self) -> list[Event]:
        """Events that did not happen."""
        told = {_content(event) for event in self.actual}
        return [event for event in self.imagined if _content(event) not in told]


def what_if(
    events: Iterable[Event],
    fold: Fold,
    changes: Mapping[str, Event | None],
    handlers: Mapping[str, Handler] | None = None,
) -> Worlds:
    """The world as it was beside the one in which `changes` hold: by event id another event, or None for none.

    `handlers` by event type answer events in the imagined world as `branch` says; they see the fold's state.

    >>> world = [Event(type="paid", id=f"p-{cents}", source="/shop", data={"cents": cents}) for cents in (3, 4)]
    >>> paid = Fold(name="paid", initial=0, apply=lambda cents, event: cents + event.data["cents"])
    >>> what_if(world, paid, {"p-3": None}).differences
    [Difference(path='', before=7, after=4)]
    """
    actual = tuple(events)
    imagined = branch(actual, changes, handlers, fold)
    before, after = fold.over(actual), fold.over(imagined)
    return Worlds(actual, imagined, before, after, differences(before, after))


def branch(
    events: Sequence[Event],
    changes: Mapping[str, Event | None],
    handlers: Mapping[str, Handler] | None = None,
    fold: Fold | None = None,
) -> tuple[Event, ...]:
    """The events with `changes` made, replayed through `handlers`, whose answers take the place of those on record.

    An answer takes id, source and time of the one on record that it replaces (the next of its type); one more than
    there were gets an id of its own. Raises `UnknownNameError` for a change of an event that is not there.
    """
    ids = {event.id for event in events}
    for event_id in changes:
        if event_id not in ids:
            raise UnknownNameError("event", event_id, [str(event.id) for event in events][:20])
    return tuple(_Branch(events, changes, handlers or {}, fold).replay())


class _Branch:
    def __init__(
        self,
        events: Sequence[Event],
        changes: Mapping[str, Event | None],
        handlers: Mapping[str, Handler],
        fold: Fold | None,
    ) -> None:
        self._events = events
        self._changes = changes
        self._handlers = handlers
        self._fold = fold
        self._state = None if fold is None else fold.start()
        self._answers = _by_cause(events)
        self._instead: dict[str, Event | None] = {}

    def replay(self) -> Iterator[Event]:
        for recorded in self._events:
            event: Event | None = self._instead.get(str(recorded.id), recorded)
            if str(recorded.id) in self._changes:
                event = self._changes[str(recorded.id)]
                event = (
                    None if event is None else event.filled(id=recorded.id, source=recorded.source, time=recorded.time)
                )
            if event is None:
                for answer in self._answers.get(str(recorded.id), ()):
                    self._instead[str(answer.id)] = None
                continue
            yield from self._happens(event, self._answers.get(str(recorded.id), []))

    def _happens(self, event: Event, recorded: list[Event]) -> Iterator[Event]:
        """The event, then those of its answers that have no place on record."""
        handler = self._handlers.get(event.type)
        state = self._state
        if self._fold is not None:
            self._state = self._fold.over([event], state)
        yield event
        if handler is None:
            return
        left = list(recorded)
        for number, answer in enumerate(_answers(handler, event, state)):
            place = next((one for one in left if one.type == answer.type), None)
            links = {"cause_id": event.id, "trace_id": event.trace_id}
            if place is None:
                new = answer.filled(id=f"{event.id}/what-if-{number}", source=event.source, time=event.time, **links)
                yield from self._happens(new, [])
            else:
                left.remove(place)
                self._instead[str(place.id)] = answer.filled(id=place.id, source=place.source, time=place.time, **links)
        for place in left:
            self._instead[str(place.id)] = None


def redecide(events: Iterable[Event], handlers: Mapping[str, Handler], fold: Fold | None = None) -> list[Decision]:
    """What `handlers` decide on the events on record, each beside what was decided then.

    A decision on record is what names the event as its cause; what a redelivery decided again counts once. `fold`
    makes the state that handlers see, from all events before. Take a run's log by `run.events()`, a store's by
    `event_pages`.
    """
    on_record = list(events)
    answers = _by_cause(on_record)
    state = None if fold is None else fold.start()
    decisions = []
    for event in on_record:
        handler = handlers.get(event.type)
        if handler is not None:
            now = _contents(_answers(handler, event, state))
            decisions.append(Decision(event, _contents(answers.get(str(event.id), ())), now))
        if fold is not None:
            state = fold.over([event], state)
    return decisions


def _by_cause(events: Iterable[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        if event.cause_id is not None:
            found.setdefault(event.cause_id, []).append(event)
    return found


def _answers(handler: Handler, event: Event, state: Any) -> list[Event]:
    context = ReplayContext(event, state)
    returned = _as_events(handler(event, context))
    return [*context.published, *returned]


def _as_events(answer: Answer) -> list[Event]:
    if answer is None:
        return []
    return [answer] if isinstance(answer, Event) else list(answer)


def _content(event: Event) -> tuple[Any, ...]:
    return event.id, event.type, event.subject, repr(event.data)


def _contents(events: Iterable[Event]) -> tuple[tuple[Any, ...], ...]:
    found: list[tuple[Any, ...]] = []
    for event in events:
        content = (event.type, event.subject, event.data)
        if content not in found:
            found.append(content)
    return tuple(found)
