"""Services: consumers with a handler and a service time, running in nodes that can crash and restart.

A service takes messages from one subscription with `nodes` times `concurrency` slots. A slot works on one message at a
time: it takes it, starts `handover_s` later (the broker's acknowledgement, dispatch and wake-up), is busy for a drawn
service time, and then calls the handler. What a plain handler does (publish, write) and the acknowledgement happen at
one instant. A generator handler goes on in simulated time, and a crash can come between its steps. A crashed node loses
what its slots worked on; the broker delivers it again.

Follows the queueing models of `theory` in its waits. Left out: preemption, priorities among slots, start-up time of
nodes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from .. import checks
from ..brokers.base import Destination, Subscription
from ..kernel import times
from . import watching
from .handling import Acknowledge, Handler, Publishing
from .node import Node, node_names
from .slot import Slot

ZERO = times.Constant(value_s=0.0)


class Service:
    """Takes messages from a subscription, works on each for a service time, and hands it to a handler.

    `of` is the subscription; `service_time` a time distribution (none: no time passes); `nodes` a number of nodes or
    their names; `concurrency` the messages that one node works on at once; `handover_s` the seconds between taking
    a message and starting it. `handler(event, context)` returns the events to publish to `to` (none, one or several),
    raises to refuse the message, or is a generator that may `yield` SimPy events and returns the events at its end.
    `acknowledge` is "after_handling" (a crash or a refusal brings the message back: at least once) or "on_delivery" (it
    is gone with the node: at most once).
    Its nodes are called `name/0`, `name/1`… and are registered in the simulation.
    """

    def __init__(
        self,
        name: str,
        *,
        of: Subscription,
        service_time: times.Times = ZERO,
        nodes: int | Iterable[str] = 1,
        concurrency: int = 1,
        handover_s: float = 0.0,
        handler: Handler | None = None,
        to: Destination | None = None,
        acknowledge: Acknowledge | str = Acknowledge.AFTER_HANDLING,
    ) -> None:
        self.name = checks.check_text("Service.name", name)
        if not hasattr(of, "ready"):
            raise checks.refuse("Service.of", of, "give a subscription, such as topic.subscribe()")
        self.subscription = of
        self.sim = of.sim
        self.service_time = times.check_times("Service.service_time", service_time)
        self.concurrency = checks.check_whole(1)("Service.concurrency", concurrency)
        self.handover_s = checks.check_non_negative("Service.handover_s", handover_s)
        if handler is not None and not _takes_two(handler):
            raise checks.refuse("Service.handler", handler, "give a function of (event, context)")
        self.handler = handler
        self.acknowledge: Acknowledge = checks.check_word(Acknowledge)("Service.acknowledge", acknowledge)
        self.publishing = Publishing(self.sim, self.name, to)
        names = node_names("Service.nodes", nodes, name, self.sim)
        rng = self.sim.streams.generator(f"service/{name}/service_time")
        self.draw = watching.draws("Service.service_time", self.service_time, rng)
        self.slots = len(names) * self.concurrency
        self._draws: dict[str, Callable[[], float]] = {}
        self.nodes = [Node(self, node_name) for node_name in names]
        self.sim.log.add_slots(of.lane, self.name, self.slots)
        self.sim.on_end(self._open_rows)
        self.sim.on_start(self._start)

    def draw_for(self, purpose: str) -> float:
        """A number uniform in [0, 1) from this service's own stream for `purpose`."""
        if purpose not in self._draws:
            self._draws[purpose] = self.sim.streams.uniform(f"service/{self.name}/{purpose}")
        return self._draws[purpose]()

    def new_slots(self, node: Node) -> list[Slot]:
        """The slots of a node."""
        return [Slot(self, node) for _ in range(self.concurrency)]

    def _start(self) -> None:
        now_s = float(self.sim.env.now)
        for node in self.nodes:
            node.start(now_s)

    def _open_rows(self, now_s: float) -> list[bytes]:
        return [slot.open_row(now_s) for node in self.nodes for slot in node.slots if slot.message is not None]


def _takes_two(handler: Any) -> bool:
    """Whether it can be called with an event and a context, as far as its signature is known."""
    if not callable(handler):
        return False
    try:
        inspect.signature(handler).bind(None, None)
    except ValueError:  # some functions written in C do not tell
        return True
    except TypeError:
        return False
    return True
