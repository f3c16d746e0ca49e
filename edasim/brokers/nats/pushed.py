"""Push consumers: the server delivers at its own pace into the buffers of clients that are bound.

A member of a deliver group is chosen at random, whether it is busy or not. Without a group one client may be bound, and
flow control may bound its buffer. An ordered consumer restarts itself when its client has missed something.

Follows nats-io/nats.docs `consumers.md` (push-specific: DeliverGroup, FlowControl), nats-io/nats-server
`server/consumer.go` (`sendFlowControl`: the window is in bytes there) and nats-io/nats.py (`js/client.py`: ordered
consumers notice a gap in the consumer's sequence; here when the client has room again). Left out: heartbeats.
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import StateError
from ..base import Message, Taker
from ..by_hand import Receive
from .reception import Client, Clients, NextMessage


class Pushed(Clients):
    """Clients that are bound; `draw` chooses among them at random, `window` bounds the buffer of a single one."""

    def __init__(
        self, next_message: NextMessage, *, draw: Callable[[], float] | None = None, window: int | None = None
    ) -> None:
        super().__init__()
        self._next_message = next_message
        self._draw = draw
        self._window = window

    def ready(self, taker: Taker, now_s: float) -> None:
        """The taker's client is bound from now on; the taker gets what is in its buffer."""
        message = self.following(taker, now_s)
        if message is not None:
            taker.take(now_s, message)

    def following(self, taker: Taker, now_s: float) -> Message | None:
        """The next message of the buffer, or of the stream, if any."""
        if self._draw is None and self.by_name and taker.name not in self.by_name:
            raise StateError(
                f"the push consumer is already bound to {next(iter(self.by_name))!r}",
                field="consumer",
                value=taker.name,
                remedy="name a deliver_group, and its members share the messages",
                at_s=now_s,
            )
        returned = self.of(taker).serve(now_s, taker)
        other = self._deliver(now_s, taker)
        return other if returned is None else returned

    def withdraw(self, taker: Taker) -> list[Message]:
        """The taker is gone; a client without takers is bound no longer, and its buffer is lost."""
        client = self.by_name.get(taker.name)
        if client is None:
            return []
        lost = client.leave(taker)
        if not client.takers and not isinstance(taker, Receive):
            del self.by_name[taker.name]
        return lost

    def pump(self, now_s: float) -> None:
        """Delivers all that may be delivered to the members' buffers."""
        self._deliver(now_s, None)

    def waiting(self) -> int:
        """How many members are bound."""
        return len(self.by_name)

    def _deliver(self, now_s: float, apart: Taker | None) -> Message | None:
        members, returned = list(self.by_name.values()), None
        while members:
            member = members[int(self._draw() * len(members))] if self._draw and len(members) > 1 else members[0]
            if self._window is not None and len(member.buffer) >= self._window:
                break
            message = self._next_message(now_s)
            if message is None:
                break
            self._put(member, message)
            returned = member.serve(now_s, apart) or returned
        return returned

    def _put(self, member: Client, message: Message) -> None:
        member.buffer.append(message)


class InOrder(Pushed):
    """One client with room for `limit` messages, that asks again for what it had no room for."""

    def __init__(
        self,
        next_message: NextMessage,
        limit: int,
        miss: Callable[[Message], None],
        rewind: Callable[[float], None],
    ) -> None:
        super().__init__(next_message)
        self._limit = limit
        self._miss = miss
        self._rewind = rewind

    def _deliver(self, now_s: float, apart: Taker | None) -> Message | None:
        client = next(iter(self.by_name.values()), None)
        if client is not None and len(client.buffer) < self._limit:
            self._rewind(now_s)
        return super()._deliver(now_s, apart)

    def _put(self, member: Client, message: Message) -> None:
        if member.free or len(member.buffer) < self._limit:
            member.buffer.append(message)
        else:
            self._miss(message)
