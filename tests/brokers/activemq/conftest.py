"""A broker and words for short stories about it."""

from __future__ import annotations

from typing import Any

import pytest

from edasim import ActiveMQ, Event, Service, Simulation, Source, load, times


class Story:
    """One broker in one simulation."""

    def __init__(self, **settings: Any) -> None:
        self.sim = Simulation(seed=1)
        self.broker = ActiveMQ(**settings).start(self.sim)
        self.queue = self.broker.queue("here")

    def publish(self, to: Any, count: int, every_s: float = 1.0, name: str = "src", kind: str = "x") -> None:
        """`count` events, the first after `every_s` seconds."""
        arrivals = load.Constant(rate_per_s=1.0 / every_s).first(count)
        Source(name, load=arrivals, to=to, event=lambda occasion: Event(type=kind, data=occasion.number))

    def publish_at(self, to: Any, times_s: list[float], name: str = "src") -> None:
        """An event at each of the instants."""
        Source(name, load=load.Trace(times_s=times_s), to=to)

    def work(self, of: Any, name: str, service_s: float | list[float] = 0.5, **more: Any) -> Service:
        """A service on a subscription."""
        each = [service_s] if isinstance(service_s, float) else service_s
        return Service(name, of=of, service_time=times.Trace(values_s=each, at_end="repeat"), **more)

    def hold(self, subscription: Any, consumer: str) -> list[Any]:
        """A consumer by hand that takes all it gets and settles nothing; its deliveries."""
        taken: list[Any] = []

        def process():
            while True:
                taken.append((yield subscription.receive(consumer=consumer)))

        self.sim.env.process(process())
        self.go_on()
        return taken

    def send(self, to: Any, *bodies: Any) -> None:
        """Publishes an event for each body, now."""
        for body in bodies:
            to.publish(Event(type="x", data=body))
        self.go_on()

    def go_on(self, seconds: float = 0.001) -> None:
        """A moment passes."""
        self.sim.run(until_s=self.sim.env.now + seconds)


@pytest.fixture
def story():
    return Story


def bodies(deliveries: list[Any]) -> list[Any]:
    """The data of the events that were delivered."""
    return [delivery.event.data for delivery in deliveries]


@pytest.fixture(name="bodies")
def bodies_fixture():
    return bodies
