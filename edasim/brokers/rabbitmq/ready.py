"""The ready messages of a queue in their order, and where a message goes that comes back.

Follows what was measured on RabbitMQ 3.10.8 (table rabbitmq/requeue_position) and versioned_docs/version-3.13:
confirms.md and quorum-queues/index.md of rabbitmq-website, rabbit_fifo.erl of rabbitmq-server (`handle_aux` of a return
without delivery limit, `return_one`). A classic queue puts a returned message back in its place. A quorum queue puts
a message that was refused at its end if it has no delivery limit, else before all that were never delivered; what
a lost channel held goes there in either case. A queue with priorities is a classic queue per priority.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush, merge
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from ..base import Message
from .deaths import Deaths


class Properties(NamedTuple):
    """What a message carries beside its event; `expiration_s` and `priority` are None if it has none."""

    exchange: str
    routing_keys: tuple[str, ...]
    headers: Any = None
    expiration_s: float | None = None
    priority: int | None = None
    persistent: bool = True
    deaths: Deaths = ()


class Entry:
    """A message in one queue: `place` is its number there, `arrived_s` when it came, `delivered_s` when last sent."""

    __slots__ = ("arrived_s", "consumer", "delivered_s", "expires_s", "message", "place", "properties")

    def __init__(self, message: Message, place: int, properties: Properties, expires_s: float | None) -> None:
        self.message = message
        self.place = place
        self.properties = properties
        self.expires_s = expires_s
        self.arrived_s = message[3]
        self.delivered_s = 0.0
        self.consumer: Any = None


_by_place = attrgetter("place")


class Ready(Protocol):
    """Ready messages, in the order in which they will be delivered."""

    def add(self, entry: Entry) -> None:
        """A new message."""

    def refused(self, entry: Entry) -> None:
        """A consumer gave it back."""

    def lost(self, entries: Sequence[Entry]) -> None:
        """The channel that held them is gone."""

    def head(self) -> Entry | None:
        """The next to be delivered, if any."""

    def pop(self) -> Entry:
        """Takes the next one."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Entry]: ...


class ClassicOrder:
    """First in, first out; what comes back takes its old place."""

    def __init__(self) -> None:
        self._fresh: deque[Entry] = deque()
        self._returned: list[tuple[int, Entry]] = []
        self.add = self._fresh.append

    def refused(self, entry: Entry) -> None:
        """Back in its place; what was delivered stood before all that never were."""
        heappush(self._returned, (entry.place, entry))

    def lost(self, entries: Sequence[Entry]) -> None:
        """Back in their places."""
        for entry in entries:
            self.refused(entry)

    def head(self) -> Entry | None:
        """The next to be delivered, if any."""
        if self._returned:
            return self._returned[0][1]
        return self._fresh[0] if self._fresh else None

    def pop(self) -> Entry:
        """Takes the next one."""
        return heappop(self._returned)[1] if self._returned else self._fresh.popleft()

    def __len__(self) -> int:
        return len(self._fresh) + len(self._returned)

    def __iter__(self) -> Iterator[Entry]:
        return merge(sorted((entry for _, entry in self._returned), key=_by_place), self._fresh, key=_by_place)


class QuorumOrder:
    """First in, first out; `delivery_limit` decides where a refused message goes."""

    def __init__(self, delivery_limit: int | None) -> None:
        self._fresh: deque[Entry] = deque()
        self._returned: deque[Entry] = deque()
        self.add = self._fresh.append
        self.refused = self._fresh.append if delivery_limit is None else self._returned.append

    def lost(self, entries: Sequence[Entry]) -> None:
        """Before all that were never delivered, behind what came back earlier."""
        self._returned.extend(entries)

    def head(self) -> Entry | None:
        """The next to be delivered, if any."""
        if self._returned:
            return self._returned[0]
        return self._fresh[0] if self._fresh else None

    def pop(self) -> Entry:
        """Takes the next one."""
        return (self._returned or self._fresh).popleft()

    def __len__(self) -> int:
        return len(self._fresh) + len(self._returned)

    def __iter__(self) -> Iterator[Entry]:
        yield from self._returned
        yield from self._fresh


class PriorityOrder:
    """The highest priority first; more than `max_priority` counts as that, none as 0."""

    def __init__(self, max_priority: int) -> None:
        self._levels = [ClassicOrder() for _ in range(max_priority + 1)]
        self._downwards = self._levels[::-1]

    def _level(self, entry: Entry) -> ClassicOrder:
        return self._levels[min(entry.properties.priority or 0, len(self._levels) - 1)]

    def add(self, entry: Entry) -> None:
        """Behind all of its priority."""
        self._level(entry).add(entry)

    def refused(self, entry: Entry) -> None:
        """Back in its place among its priority."""
        self._level(entry).refused(entry)

    def lost(self, entries: Sequence[Entry]) -> None:
        """Back in their places."""
        for entry in entries:
            self.refused(entry)

    def head(self) -> Entry | None:
        """The next to be delivered, if any."""
        return next((level.head() for level in self._downwards if len(level)), None)

    def pop(self) -> Entry:
        """Takes the next one."""
        return next(level for level in self._downwards if len(level)).pop()

    def __len__(self) -> int:
        return sum(map(len, self._levels))

    def __iter__(self) -> Iterator[Entry]:
        for level in self._downwards:
            yield from level
