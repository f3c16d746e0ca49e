"""Sources: what publishes events by a load, whether anyone receives them or not.

An open source publishes at the instants of its load, counted from when it was made. A closed one has users who wait
until their message has left one of its subscriptions for good before they think and ask again (Little's law then bounds
what they can ask for). Left out: a publisher that is held back by its broker; brokers that do so bring it along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

from .. import checks
from ..brokers.base import Destination, Message
from ..errors import HandlerError
from ..events import Event, uri_reference
from ..kernel.plane import NORMAL, Record
from ..kernel.runlog import running_number
from ..kernel.streams import numbers_of
from . import watching
from .load import Arrivals, Closed, Load, check_load

NewEvent = Callable[["Occasion"], Event]
"""Makes the event of an occasion; may leave out id and source, which the source fills in."""


class Occasion:
    """What a function that makes events may ask: the running number from 0, the time, and random numbers of its own."""

    __slots__ = ("draw", "now_s", "number")

    def __init__(self, draw: Callable[[], float]) -> None:
        self.draw = draw
        self.number = 0
        self.now_s = 0.0


class Source:
    """Publishes to `to`, by `load`, events of a type (`event="user.registered"`) or made by `event(occasion)`.

    The ids of its events are "name-0", "name-1"… The instants come from the stream `source/name`, what `event` draws
    from `source/name/event`.
    """

    def __init__(
        self, name: str, *, load: Load, to: Destination, event: str | NewEvent = "message", subject: str | None = None
    ) -> None:
        self.name = checks.check_text("Source.name", name)
        if not hasattr(to, "route"):
            raise checks.refuse("Source.to", to, "give a destination, such as bus.topic('requests')")
        if not callable(event):
            checks.check_text("Source.event", event)
        Event(type="message" if callable(event) else event, source=uri_reference(name), id=f"{name}-0", subject=subject)
        self.load = check_load("Source.load", load)
        if isinstance(self.load, Closed) and not hasattr(to, "on_settled"):
            raise checks.refuse("Source.to", to, "give a closed load to a destination that tells what is settled")
        self.to = to
        self.sim = to.sim
        self.sim.parts[f"source {name}"] = self
        self._redirect: Callable[[Destination], None] | None = None
        self._event = event
        self._subject = subject
        self._occasion = Occasion(self.sim.streams.uniform(f"source/{name}/event"))
        always_alike = not callable(event)
        self._next_number = self.sim.log.publisher(name, self._made_again if always_alike else None)
        self._new_event = None if always_alike else self._made_now
        if isinstance(self.load, Closed):
            self._drive_closed(self.load)
        else:
            self._drive_open(self.load)

    def _made_again(self, number: int, _published_s: float) -> Event:
        """An event that is the same whenever it is made, so it need not be kept."""
        assert isinstance(self._event, str)
        source = uri_reference(self.name)
        return Event(type=self._event, source=source, id=f"{self.name}-{number}", subject=self._subject)

    def _made_now(self, now_s: float, number: int) -> Event:
        """The event of this very occasion, kept in the log."""
        occasion = self._occasion
        occasion.now_s = now_s
        occasion.number = running_number(number)
        made: Any = self._event(occasion) if callable(self._event) else None
        if not isinstance(made, Event):
            raise HandlerError(
                f"the event function of {self.name} returned {made!r}",
                field="Source.event",
                value=made,
                remedy="return an Event",
                at_s=now_s,
            )
        event = made.filled(id=f"{self.name}-{occasion.number}", source=uri_reference(self.name))
        self.sim.log.keep_event(number, number, event)
        return event

    def redirect(self, to: Destination) -> None:
        """Publishes to `to` from now on."""
        self.to = to
        if self._redirect is not None:
            self._redirect(to)

    def _drive_open(self, load: Arrivals) -> None:
        if load.endless:
            self.sim.endless.append(self.name)
        instants_s = self._instants(load)
        numbers, new_event, to = numbers_of(self._next_number), self._new_event, self.to

        def arrive(now_s: float, _: Any) -> Record | None:
            following = next(records, None)  # first, as in a SimPy process that waits for the next arrival
            number = next(numbers)
            route = to.route
            if new_event is None:
                route(now_s, (number, number, now_s, now_s, 1, None))
            else:
                route(now_s, (number, number, now_s, now_s, 1, new_event(now_s, number)))
            return following

        def redirect(other: Destination) -> None:
            nonlocal to
            to = other

        self._redirect = redirect
        first_s = next(instants_s, None)
        if first_s is None:
            return
        self.sim.env.at(first_s, arrive)
        # Made in C: an instant, then an id; an instant that is not there takes no id.
        records: Iterator[Record] = zip(
            instants_s, repeat(NORMAL), self.sim.env.ids, repeat(arrive), repeat(None), strict=False
        )

    def _instants(self, load: Arrivals) -> Iterator[float]:
        instants_s = watching.instants("Source.load", load, self.sim.streams.generator(f"source/{self.name}"))
        made_s = float(self.sim.env.now)
        return instants_s if made_s == 0.0 else map(made_s.__add__, instants_s)

    def _drive_closed(self, load: Closed) -> None:
        """Each user thinks, publishes, waits until the message is settled, and thinks again."""
        self.sim.endless.append(self.name)
        rng = self.sim.streams.generator(f"source/{self.name}")
        think = watching.draws("Closed.think_time", load.think_time, rng)
        env = self.sim.env
        mine: set[int] = set()

        def ask(now_s: float, _: Any) -> None:
            number = self._next_number()
            mine.add(number)
            event = None if self._new_event is None else self._new_event(now_s, number)
            self.to.route(now_s, (number, number, now_s, now_s, 1, event))

        def settled(now_s: float, message: Message) -> None:
            if message[0] in mine:
                mine.remove(message[0])
                env.at(now_s + think(), ask)

        on_settled: Callable[[Callable[[float, Message], None]], None] = self.to.on_settled  # type: ignore[attr-defined]
        on_settled(settled)
        for _ in range(load.users):
            env.at(env.now + think(), ask)
