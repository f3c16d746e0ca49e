"""The messages of a queue that no consumer holds, in the order in which they are dispatched.

Follows `QueueDispatchPendingList.java` and `PrioritizedPendingList.java` of ActiveMQ 5.17: what a leaving consumer held
stands before what was never dispatched, behind what earlier ones had held. With prioritized messages there is such a
list for each priority, the highest first. Left out: paging (the real broker looks only at the first 200).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from .message import Entry
from .settings import MessageOrder

HIGHEST_PRIORITY = 9


class PendingList:
    """Waiting messages; a new one at the end, a redelivered one before all that were never delivered."""

    def __init__(self, order: MessageOrder) -> None:
        levels = 1 if order is MessageOrder.ARRIVAL else HIGHEST_PRIORITY + 1
        self._again: list[deque[Entry]] = [deque() for _ in range(levels)]
        self._new: list[deque[Entry]] = [deque() for _ in range(levels)]
        self._in_order = [row for pair in zip(self._again, self._new, strict=True) for row in pair]
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Entry]:
        for row in self._in_order:
            yield from row

    def add(self, entry: Entry) -> None:
        """A message that was never dispatched."""
        self._new[self._level(entry)].append(entry)
        self._length += 1

    def add_again(self, entry: Entry) -> None:
        """A message that comes back."""
        self._again[self._level(entry)].append(entry)
        self._length += 1

    def pop_first(self) -> Entry:
        """Takes the first message away; there must be one."""
        self._length -= 1
        return next(row for row in self._in_order if row).popleft()

    def take(self, wanted: Callable[[Entry], bool]) -> Entry | None:
        """Takes away the first message that is wanted."""
        for row in self._in_order:
            for place, entry in enumerate(row):
                if wanted(entry):
                    del row[place]
                    self._length -= 1
                    return entry
        return None

    def take_all(self, wanted: Callable[[Entry], bool]) -> list[Entry]:
        """Takes away all messages that are wanted, in order."""
        found: list[Entry] = []
        for row in self._in_order:
            mine = [entry for entry in row if wanted(entry)]
            if mine:
                found += mine
                kept = [entry for entry in row if not wanted(entry)]
                row.clear()
                row.extend(kept)
        self._length -= len(found)
        return found

    def _level(self, entry: Entry) -> int:
        return 0 if len(self._new) == 1 else HIGHEST_PRIORITY - entry.headers.priority
