"""Nodes: what can crash, restart, pause, be slow, and have a wrong clock.

A crash loses what is in a node's memory, and nothing that is stored elsewhere. A paused node (a long garbage
collection, a stopped virtual machine) does nothing and keeps what it has: a service time at hand goes on afterwards, a
timer that runs out meanwhile is noticed afterwards. On a slow node service times and the pauses of handlers take
longer. The clock of a node shows true time plus an offset that may drift; only a handler that asks `context.clock_s`
sees it.

Left out: what a broker makes of a node that pauses for longer
than its session (our consumers' heartbeats go on).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import TYPE_CHECKING, Any

from .. import checks
from ..brokers.base import Message, Subscription
from ..errors import ConfigurationError
from ..kernel import Simulation
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
        self.is_cut_off = False
        self.passive = False
        """Whether it stands by: up, and taking nothing until it is told to."""
        self.paused = False
        self.resumed = self.sim.env.event()
        """Triggers when a pause ends."""
        self.slow_factor = 1.0
        self.held_bytes = 0
        """What its handlers remember; a crash forgets it."""
        self.memory: dict[Any, Any] = {}
        """What its handlers keep in it, under keys of their own; a crash forgets it."""
        self.limit_bytes: int | None = None
        self.back_after_s: float | None = None
        """How long after it ran out of memory it is back; None: somebody restarts it."""
        self.offset_s = self.drift_ratio = self._drifts_since_s = 0.0
        self.down_until_s = 0.0
        """Faults do not bring it back before this instant; `restart` does."""
        self.slots = service.new_slots(self)
        self.sim.nodes[name] = self

    def start(self, now_s: float) -> None:
        """Takes up work; the first start is no fact of the log."""
        self.up = True
        self.is_cut_off = self.passive
        if not self.passive:
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
        self.held_bytes = 0
        self.memory.clear()
        self._wake(now_s)
        in_work = sum(slot.message is not None for slot in self.slots)
        self.sim.log.fact(now_s, "node_crashed", self.name, service=self.service.name, in_work=in_work)
        for slot in self.slots:
            if not self.is_cut_off:
                self.service.subscription.withdraw(slot)
        self.is_cut_off = False
        return [message for slot in self.slots if (message := slot.lose(now_s)) is not None]

    def slow(self, factor: float) -> None:
        """What it does takes `factor` (above 0) times as long from now on, what is left of the work at hand too."""
        factor = checks.check_positive("factor", factor)
        now_s = float(self.sim.env.now)
        ratio, self.slow_factor = factor / self.slow_factor, factor
        self.sim.log.fact(now_s, "node_slowed", self.name, factor=factor)
        for slot in self.slots:
            slot.slow(now_s, factor, ratio)

    def pause(self) -> None:
        """Stands still from now on, with all that it holds. A node that is down or paused stays as it is."""
        if self.paused or not self.up:
            return
        now_s = float(self.sim.env.now)
        self.paused, self.resumed = True, self.sim.env.event()
        self.sim.log.fact(now_s, "node_paused", self.name, service=self.service.name)
        for slot in self.slots:
            slot.pause(now_s)

    def resume(self) -> None:
        """Goes on after a pause. A node that is not paused goes on as it is."""
        now_s = float(self.sim.env.now)
        if self.paused:
            self.sim.log.fact(now_s, "node_resumed", self.name, service=self.service.name)
        self._wake(now_s)

    def _wake(self, now_s: float) -> None:
        if not self.paused:
            return
        self.paused = False
        for slot in self.slots:
            slot.resume(now_s)
        self.resumed.succeed()

    def hold(self, more_bytes: int) -> bool:
        """Remembers more (or less, if negative); False if that is over its limit: then the node has been killed."""
        self.held_bytes = max(0, self.held_bytes + more_bytes)
        if self.limit_bytes is None or self.held_bytes <= self.limit_bytes:
            return True
        now_s, held_bytes = float(self.sim.env.now), self.held_bytes
        self.sim.log.fact(now_s, "out_of_memory", self.name, service=self.service.name, held_bytes=held_bytes)
        self.crash()
        if self.back_after_s is not None:
            self.sim.at(now_s + self.back_after_s, self.restart)
        return False

    def cut_off(self) -> None:
        """Its connection to the broker breaks: what it held goes back, and it takes nothing until it reconnects.

        A generator handler in the middle of its work goes on with it.
        """
        if not self.up or self.is_cut_off:
            return
        now_s = float(self.sim.env.now)
        self.is_cut_off = True
        self.sim.log.fact(now_s, "node_cut_off", self.name, service=self.service.name)
        for slot in self.slots:
            self.service.subscription.withdraw(slot)
        _give_back([(message, self.service) for slot in self.slots if (message := slot.lose_sight(now_s)) is not None])

    def reconnect(self) -> None:
        """Its connection is back, and it takes messages again. A node that is not cut off goes on as it is."""
        if not self.is_cut_off or self.passive:
            return
        now_s = float(self.sim.env.now)
        self.is_cut_off = False
        self.sim.log.fact(now_s, "node_reconnected", self.name, service=self.service.name)
        for slot in self.slots:
            self.service.subscription.ready(slot, now_s)

    def stand_by(self) -> None:
        """Takes nothing from now on; what it held goes back to the broker, as if it were cut off."""
        self.passive = True
        self.cut_off()

    def take_over(self) -> None:
        """Takes messages from now on, after it stood by."""
        self.passive = False
        self.reconnect()

    def set_clock(self, offset_s: float, drift_ratio: float = 0.0) -> None:
        """From now on its clock is `offset_s` ahead (behind, if negative), and gains `drift_ratio` seconds a second."""
        self.offset_s, self.drift_ratio, self._drifts_since_s = offset_s, drift_ratio, float(self.sim.env.now)

    def clock_s(self, now_s: float) -> float:
        """What its clock shows at `now_s` of true time, in seconds."""
        return now_s + self.offset_s + self.drift_ratio * (now_s - self._drifts_since_s)

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
    _give_back(lost)


def _give_back(lost: list[tuple[Message, Service]]) -> None:
    """What nodes worked on goes back to its brokers, the oldest first; what was acknowledged on delivery is gone."""
    lost.sort(key=lambda each: (each[0][2], each[0][0]))
    back: dict[Subscription, list[Message]] = {}
    for message, service in lost:
        if service.acknowledge is Acknowledge.ON_DELIVERY:
            service.subscription.acknowledge(float(service.sim.env.now), message)
        else:
            back.setdefault(service.subscription, []).append(message)
    for subscription, messages in back.items():
        subscription.give_back(float(subscription.sim.env.now), messages)


def node_names(field: str, given: int | Iterable[str], owner: str, sim: Simulation) -> list[str]:
    """The names of an owner's nodes, a number of them or their names, checked before anything is registered."""
    if isinstance(given, Set):
        raise checks.refuse(field, given, "give a list: a set has no order, and the run would depend on it")
    if isinstance(given, Iterable) and not isinstance(given, str):
        names = [checks.check_text(field, each) for each in given]
    else:
        names = [f"{owner}/{index}" for index in range(checks.check_whole(1)(field, given))]
    if not names:
        raise checks.refuse(field, given, "give at least one of them")
    for place, name in enumerate(names):
        if name in sim.nodes or name in names[:place]:
            raise ConfigurationError(
                f"a node called {name!r} exists already",
                field=field,
                value=name,
                remedy="give services, servers and nodes names of their own",
            )
    return names
