"""Where producers meet a destination: it is full, it is being stored, or the broker is away.

Follows `Queue.java` and `Topic.java` (send) of ActiveMQ 5.17. At the memory limit a producer is held back until there
is room, or its send fails (AMQ-18). A persistent message is accepted when it is in the store, after `store_s` (AMQ-17).
While the broker is away, producers wait (transport failover:). Who waits keeps its place: first come, first served.
Left out: a producer that is held back by one of several destinations and so does not reach the others either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import simpy

from ...kernel.runlog import DROPPED, NEVER, QUEUED, pack_row
from ..base import Message
from .message import Headers
from .settings import WhenFull

if TYPE_CHECKING:
    from .broker import RunningActiveMQ

Sending = tuple[Message, Headers, simpy.Event | None]
"""A message, its headers, and the event that tells its producer that it was accepted, if anyone waits for it."""


class Intake:
    """The way into one destination; `accept(now_s, message, headers)` gets what is accepted.

    `stores()` tells whether the destination keeps persistent messages in the store. `listeners` hear of each message
    that leaves the destination for good.
    """

    def __init__(
        self,
        broker: RunningActiveMQ,
        name: str,
        nobody: int,
        limit: int | None,
        when_full: WhenFull,
        accept: Callable[[float, Message, Headers], None],
        stores: Callable[[], bool] = lambda: True,
    ) -> None:
        self.broker = broker
        self.name = name
        self.limit = limit
        self.when_full = when_full
        self.used = 0
        self.nobody = nobody
        self._accept = accept
        self._stores = stores
        self.listeners: list[Callable[[float, Message], None]] = []
        self._waiting: deque[Sending] = deque()
        self._stored_first = broker.configuration.store_s > 0.0
        self._storing: dict[int, Sending] = {}
        broker.sim.on_end(self._open_rows)

    @property
    def is_full(self) -> bool:
        """Whether the memory limit is reached."""
        return self.limit is not None and self.used >= self.limit

    def fails_for(self, _message: Message, _headers: Headers) -> bool:
        """Whether a send would fail now."""
        return self.is_full and self.when_full is WhenFull.FAIL and not self.broker.is_down

    def send(self, now_s: float, message: Message, headers: Headers, accepted: simpy.Event | None = None) -> None:
        """A message comes: it goes in, or its producer waits; or sending fails, and the log says that it is dropped."""
        if self.limit is None and not self._waiting and not self._stored_first and not self.broker.is_down:
            self.used += 1
            self._enter(now_s, (message, headers, accepted))
        elif self.fails_for(message, headers):
            self._refuse(now_s, message)
        elif self._waiting or self.is_full or self.broker.is_down:
            if not self._waiting:
                self.broker.sim.log.fact(now_s, "producers_held_back", self.name, waiting_for=self._reason())
            self._waiting.append((message, headers, accepted))
        else:
            self._admit(now_s, (message, headers, accepted))

    def release(self, now_s: float) -> None:
        """A message needs the destination's memory no more."""
        self.used -= 1
        self.let_in(now_s)

    def let_in(self, now_s: float) -> None:
        """Lets producers in who wait, as far as there is room."""
        while self._waiting and not self.is_full and not self.broker.is_down:
            self._admit(now_s, self._waiting.popleft())
            if not self._waiting:
                self.broker.sim.log.fact(now_s, "producers_let_in", self.name)

    def tell_settled(self, now_s: float, message: Message) -> None:
        """A message has left the destination for good."""
        for tell in self.listeners:
            tell(now_s, message)

    def crash(self) -> None:
        """The broker dies: what was not stored yet is sent again by its producer, before what waits behind it."""
        unstored = list(self._storing.values())
        self._storing.clear()
        self.used -= len(unstored)
        self._waiting.extendleft(reversed(unstored))

    def _admit(self, now_s: float, sending: Sending) -> None:
        self.used += 1
        if self._stored_first and sending[1].persistent and self._stores():
            self._storing[id(sending)] = sending
            self.broker.sim.env.at(now_s + self.broker.configuration.store_s, self._stored, sending)
        else:
            self._enter(now_s, sending)

    def _stored(self, now_s: float, sending: Sending) -> None:
        if self._storing.pop(id(sending), None) is not None:
            self._enter(now_s, sending)

    def _enter(self, now_s: float, sending: Sending) -> None:
        message, headers, accepted = sending
        if message[3] != now_s:
            number, root, published_s, _, attempt, event = message
            message = (number, root, published_s, now_s, attempt, event)
        if accepted is not None:
            self.broker.sim.env.wake(accepted, now_s)
        self._accept(now_s, message, headers)

    def _refuse(self, now_s: float, message: Message) -> None:
        number, root, published_s, enqueued_s, attempt, _ = message
        self.broker.sim.log.fact(now_s, "send_failed", self.name, number=number)
        self.broker.sim.log.add(
            pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, self.nobody, attempt, DROPPED)
        )
        self.tell_settled(now_s, message)

    def _reason(self) -> str:
        return "the broker" if self.broker.is_down else "memory"

    def _open_rows(self, _now_s: float) -> list[bytes]:
        open_sendings = [*self._storing.values(), *self._waiting]
        return [
            pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, NEVER, self.nobody, attempt, QUEUED)
            for (number, root, published_s, enqueued_s, attempt, _), _, _ in open_sendings
        ]
