"""Subscriptions: read what is there, then what comes, without a seam.

There is one order of events, and a subscription remembers a position in it. Whether an event is old (catching up) or
new (live) makes no difference to how it is read, so none is missed or seen twice at the change. A named subscription
notes its position in the store when `acknowledge` is called, and goes on from there after a crash: at least once.

Follows: catch-up subscriptions of EventStoreDB, which leave the checkpoint to the reader. Left out: being woken by
the store; a live subscription asks again after a while, as other processes may append as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from .. import checks
from ..errors import ConfigurationError
from .query import PAGE, Query, Recorded
from .store import EventStore


class Subscription:
    """Reads events from a position on; `types` and `stream` restrict it.

    `name` lets it note its position in the store; then it begins where it was, and `after` counts for the first time
    only.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        name: str | None = None,
        after: int = 0,
        types: tuple[str, ...] = (),
        stream: str | None = None,
    ) -> None:
        self.store = store
        self.name = name
        self._wanted = Query(after=after, types=types, stream=stream)
        self.position = self._wanted.after if name is None else max(store.checkpoint(name), self._wanted.after)
        self.is_live = False

    @property
    def behind(self) -> int:
        """How many positions of the store it has not looked at."""
        return self.store.position - self.position

    def take(self, limit: int = PAGE) -> list[Recorded]:
        """The next events, at most `limit`; none if it has read all there are, and then it is live."""
        limit = checks.check_whole(1)("limit", limit)
        head = self.store.position
        query = Query(stream=self._wanted.stream, types=self._wanted.types, after=self.position, up_to=head)
        found = (recorded for batch in self.store.batches(query) for recorded in batch.recorded())
        taken = list(islice(found, limit))
        self.is_live = len(taken) < limit
        self.position = head if self.is_live else taken[-1].position
        return taken

    def acknowledge(self) -> None:
        """Notes in the store that all events taken so far are dealt with."""
        if self.name is None:
            raise ConfigurationError(
                "a subscription without a name cannot note its position", field="name", remedy="give it a name"
            )
        self.store.note_checkpoint(self.name, self.position)

    def follow(
        self, *, until: Callable[[], bool], ask_every_s: float = 0.05, sleep: Callable[[float], Any] = time.sleep
    ) -> Iterator[Recorded]:
        """Event by event, old ones and then new ones, until `until()` says so while nothing is left to read."""
        while True:
            taken = self.take()
            yield from taken
            if not taken:
                if until():
                    return
                sleep(ask_every_s)
