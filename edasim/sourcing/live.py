"""A store in a running simulation: views that lag, relays that publish, replays beside live traffic.

All three are SimPy processes in simulated time. Left out: the time that reading and writing the store takes; say it
with `seconds_per_event` and `every_s`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

from .. import checks
from ..brokers.base import Destination
from ..brokers.by_hand import publish
from ..events import Event
from ..kernel import Simulation
from .outbox import Outbox
from .views import View

if TYPE_CHECKING:
    import simpy

REPLAYED = "replayed"
"""The extension attribute by which receivers know a replayed event, so that they send no mail twice (ES-09)."""


def keep_current(sim: Simulation, view: View, *, every_s: float, seconds_per_event: float = 0.0) -> simpy.Process:
    """Lets a view follow its store: it looks every `every_s`, and each event then takes `seconds_per_event`."""
    every_s = checks.check_positive("every_s", every_s)
    seconds_per_event = checks.check_non_negative("seconds_per_event", seconds_per_event)

    def work() -> Generator[Any, Any, None]:
        while True:
            yield sim.env.timeout(every_s)
            while view.lag:
                if seconds_per_event:
                    yield sim.env.timeout(seconds_per_event)
                view.catch_up(limit=1 if seconds_per_event else None)

    return sim.env.process(work())


def seen_by(sim: Simulation, view: View, position: int, *, ask_every_s: float) -> simpy.Process:
    """A process that ends when the view has taken the event at `position`: wait for it to read your own write."""
    ask_every_s = checks.check_positive("ask_every_s", ask_every_s)

    def work() -> Generator[Any, Any, None]:
        while view.position < position:
            yield sim.env.timeout(ask_every_s)

    return sim.env.process(work())


def relay(sim: Simulation, outbox: Outbox, to: Destination, *, publisher: str, every_s: float) -> simpy.Process:
    """Publishes what waits in an outbox, every `every_s`."""
    every_s = checks.check_positive("every_s", every_s)

    def work() -> Generator[Any, Any, None]:
        while True:
            outbox.relay(lambda event: publish(to, event, publisher))
            yield sim.env.timeout(every_s)

    return sim.env.process(work())


def replay(
    sim: Simulation, events: Iterable[Event], to: Destination, *, rate_per_s: float, publisher: str = "replay"
) -> simpy.Process:
    """Publishes stored events again, at most `rate_per_s` of them a second, each marked as `replayed`.

    Unthrottled, a replay takes the receivers away from live traffic; at a rate below their spare capacity it does not.
    """
    gap_s = 1.0 / checks.check_positive("rate_per_s", rate_per_s)

    def work() -> Generator[Any, Any, None]:
        for event in events:
            publish(to, event.replace(extensions={**event.extensions, REPLAYED: True}), publisher)
            yield sim.env.timeout(gap_s)

    return sim.env.process(work())
