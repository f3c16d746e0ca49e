"""Consumers by hand for the stories about ActiveMQ."""

from __future__ import annotations

from typing import Any


def hoard(subscription: Any, consumer: str, taken: list[Any]) -> None:
    """A consumer that takes all it can get and acknowledges nothing."""

    def process():
        while True:
            taken.append((yield subscription.receive(consumer=consumer)))

    subscription.sim.env.process(process())


def bodies(deliveries: list[Any]) -> list[Any]:
    """The data of the events that were delivered, in order."""
    return [delivery.event.data for delivery in deliveries]
