"""The client side of a pull consumer: who asked, what came, and what lies in a client's buffer.

One at a time (a pull request of one message for each free taker), or in batches (a fetch of up to so many, which
returns with what there is and at least one); `pushed` has the ways of being pushed. A client is known by the name of
its takers; when all of them are gone, its buffer is lost.

Follows nats-io/nats-server `server/consumer.go` (`waitQueue`, `nextWaiting`, `processNextMsgRequest`) and, for a fetch,
nats-io/nats.py (`js/client.py`: `_fetch_one`, `_fetch_n`) as measured in data/measured/jetstream_kill_batch10_a. Left
out: bounds of a request in bytes, and requests that expire while their taker waits; a client renews them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from ..base import Message, Taker
from ..by_hand import Receive
from .errors import exceeded_max_waiting
from .settings import ConsumerSettings

NextMessage = Callable[[float], "Message | None"]
"""Asks the server's side of the consumer, at a time in seconds, for a message to deliver now."""


class Reception(Protocol):
    """What the consumer needs of its clients."""

    buffered: bool
    """Whether a message may lie in a client's buffer before a taker takes it."""

    def ready(self, taker: Taker, now_s: float) -> None:
        """The taker is free."""

    def following(self, taker: Taker, now_s: float) -> Message | None:
        """The taker is free again: the message that it gets at once, or None and it waits."""

    def withdraw(self, taker: Taker) -> list[Message]:
        """The taker is gone; returns what was in its client's buffer and is lost with it."""

    def pump(self, now_s: float) -> None:
        """Delivers what can be delivered to whoever asked."""

    def waiting(self) -> int:
        """How many wait for messages."""

    def in_buffers(self) -> Iterator[tuple[str, Message]]:
        """Client and message for all that lies in buffers."""


class OneByOne:
    """A pull request of one message for each free taker, answered in order of asking."""

    buffered = False

    def __init__(self, next_message: NextMessage, max_waiting: int) -> None:
        self._next_message = next_message
        self._max_waiting = max_waiting
        self.requests: deque[Taker] = deque()

    def ready(self, taker: Taker, now_s: float) -> None:
        """Asks for the next message."""
        message = self.following(taker, now_s)
        if message is not None:
            taker.take(now_s, message)

    def following(self, taker: Taker, now_s: float) -> Message | None:
        """The next message if there is one for this request, which waits otherwise."""
        message = self._next_message(now_s)
        if message is None:
            if len(self.requests) >= self._max_waiting:
                raise exceeded_max_waiting(self._max_waiting, now_s)
            self.requests.append(taker)
        return message

    def withdraw(self, taker: Taker) -> list[Message]:
        """The request, if it waits, is withdrawn."""
        if taker in self.requests:
            self.requests.remove(taker)
        return []

    def pump(self, now_s: float) -> None:
        """Answers the requests that wait."""
        requests = self.requests
        while requests:
            message = self._next_message(now_s)
            if message is None:
                return
            requests.popleft().take(now_s, message)

    def waiting(self) -> int:
        """How many requests wait."""
        return len(self.requests)

    def in_buffers(self) -> Iterator[tuple[str, Message]]:
        """Nothing: a message goes to the taker that asked."""
        yield from ()


class Client:
    """One client with its buffer and its takers."""

    __slots__ = ("asks", "buffer", "free", "name", "takers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.buffer: deque[Message] = deque()
        self.free: deque[Taker] = deque()
        self.takers: set[Taker] = set()
        self.asks = False

    def serve(self, now_s: float, apart: Taker | None = None) -> Message | None:
        """Gives what is in the buffer to the free takers; what falls to `apart` is returned instead."""
        returned = None
        while self.free and self.buffer:
            taker, message = self.free.popleft(), self.buffer.popleft()
            if taker is apart:
                returned = message
            else:
                taker.take(now_s, message)
        return returned

    def leave(self, taker: Taker) -> list[Message]:
        """The taker is gone; with the last one (of a service) the client dies, and with it its buffer."""
        self.takers.discard(taker)
        if taker in self.free:
            self.free.remove(taker)
        if self.takers or isinstance(taker, Receive):
            return []
        lost, self.asks = list(self.buffer), False
        self.buffer.clear()
        return lost


class Clients:
    """Clients by name, in order of their first taker."""

    buffered = True

    def __init__(self) -> None:
        self.by_name: dict[str, Client] = {}

    def of(self, taker: Taker) -> Client:
        """The client of a taker, who is noted as free."""
        client = self.by_name.get(taker.name)
        if client is None:
            client = self.by_name[taker.name] = Client(taker.name)
        if not isinstance(taker, Receive):
            client.takers.add(taker)
        client.free.append(taker)
        return client

    def in_buffers(self) -> Iterator[tuple[str, Message]]:
        """Client and message for all that lies in buffers."""
        return ((client.name, message) for client in self.by_name.values() for message in client.buffer)


class Batches(Clients):
    """A client fetches up to `batch` messages when its buffer is empty and a taker is free."""

    def __init__(
        self,
        next_message: NextMessage,
        settings: ConsumerSettings,
        send: Callable[[float, str], None],
    ) -> None:
        super().__init__()
        self._next_message = next_message
        self._max_waiting = settings.max_waiting
        self._batch = settings.batch
        self._send = send
        self._requests: deque[Client] = deque()

    def ready(self, taker: Taker, now_s: float) -> None:
        """The taker gets the next message of its client's buffer, or has it fetch."""
        client = self.of(taker)
        self._fetch(client, now_s)
        client.serve(now_s)

    def following(self, taker: Taker, now_s: float) -> Message | None:
        """As `ready`, but the message of this taker is returned."""
        client = self.of(taker)
        self._fetch(client, now_s)
        return client.serve(now_s, taker)

    def withdraw(self, taker: Taker) -> list[Message]:
        """The taker is gone; the last one of a client takes its request and its buffer along."""
        client = self.by_name.get(taker.name)
        if client is None:
            return []
        lost = client.leave(taker)
        if client in self._requests and not client.free:
            self._requests.remove(client)
            client.asks = False
        return lost

    def pump(self, now_s: float) -> None:
        """Answers the fetches that wait, each with what there is."""
        requests = self._requests
        while requests:
            client = requests[0]
            if not self._fill(client, now_s):
                return
            requests.popleft()
            client.asks = False
            client.serve(now_s)

    def waiting(self) -> int:
        """How many fetches wait."""
        return len(self._requests)

    def _fetch(self, client: Client, now_s: float) -> None:
        if client.buffer or client.asks:
            return
        self._send(now_s, client.name)
        if self._fill(client, now_s):
            return
        if len(self._requests) >= self._max_waiting:
            raise exceeded_max_waiting(self._max_waiting, now_s)
        client.asks = True
        self._requests.append(client)

    def _fill(self, client: Client, now_s: float) -> bool:
        buffer = client.buffer
        while len(buffer) < self._batch:
            message = self._next_message(now_s)
            if message is None:
                break
            buffer.append(message)
        return bool(buffer)
