"""Nodes: what can crash and restart. A crash loses what is in a node's memory, and nothing that is stored elsewhere.

Left out: a node that is slow, paused or cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..brokers.base import Message, Subscription
from .handling import Acknowledge

if TYPE_CHECKING:
    from .service import Service


class Node:
    """One process of a service, with `concurrency` slots; its name is "service/0" and so on."""

    def __init__(self, service: Service, name: str) -> None:
        self.name = name
        self.service = service
        self.sim = service.sim
        self.up = False
        self.down_until_s = 0.0
        """Faults do not bring it back before this instant; `restart` does."""
        self.slots = service.new_slots(self)
        self.sim.nodes[name] = self

    def start(self, now_s: float) -> None:
        """Takes up work; the first start is no fact of the log."""
        self.up = True
        for slot in self.slots:
            self.service.subscription.ready(slot, now_s)

    def crash(self) -> None:
        """Fails now: its slots stop, and what they worked on goes back to the broker in the order of publishing.

        What was acknowledged on delivery is lost instead. A node that is down stays down.
        """
        crash_together([self])

    def go_down(self, now_s: float) -> list[Message]:
        """Stops all slots and takes no more messages; returns what the slots worked on."""
        self.up = False
        in_work = sum(slot.message is not None for slot in self.slots)
        self.sim.log.fact(now_s, "node_crashed", self.name, service=self.service.name, in_work=in_work)
        for slot in self.slots:
            self.service.subscription.withdraw(slot)
        return [message for slot in self.slots if (message := slot.lose(now_s)) is not None]

    def restart(self) -> None:
        """Comes back now, with empty memory. A node that is up goes on as it is."""
        if self.up:
            return
        now_s = float(self.sim.env.now)
        self.sim.log.fact(now_s, "node_restarted", self.name, service=self.service.name)
        self.start(now_s)


def crash_together(nodes: Sequence[Node]) -> None:
    """All these nodes fail at one instant; only then do brokers deliver again what they worked on, the oldest first.

    Nodes that are down already stay down.
    """
    lost: list[tuple[Message, Service]] = []
    for node in nodes:
        if node.up:
            lost.extend((message, node.service) for message in node.go_down(float(node.sim.env.now)))
    lost.sort(key=lambda each: (each[0][2], each[0][0]))
    back: dict[Subscription, list[Message]] = {}
    for message, service in lost:
        if service.acknowledge is Acknowledge.ON_DELIVERY:
            service.subscription.acknowledge(float(service.sim.env.now), message)
        else:
            back.setdefault(service.subscription, []).append(message)
    for subscription, messages in back.items():
        subscription.give_back(float(subscription.sim.env.now), messages)
