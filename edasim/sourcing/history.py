"""Time travel: the state at any position or time, the difference between two instants, and what was known when.

A `History` is one fold over one stream, or over the whole store. Snapshots are a cache of it: they bound how many
events a question replays, and without them the answers are the same (ES-04). With one every k events, a question at a
random place replays (k - 1)/2 events on average. Two times matter (ES-10): an event's own `time` says when something
was so (valid time), the store's clock when it came to know (recorded time); `as_known` asks for both.
"""

from __future__ import annotations

import json
import math
from typing import Any, Protocol

from .. import checks
from ..events import seconds_since_epoch
from .differences import Difference, differences
from .folding import Fold
from .jsontext import state_text
from .query import Query
from .store import EventStore

SNAPSHOTS_AT_ONCE = 100
"""How many snapshots are written in one transaction."""


class SnapshotPolicy(Protocol):
    """Decides when a snapshot is due."""

    def due(self, events: int, seconds: float) -> bool:
        """Whether to take one, so many events and seconds (of recorded time) after the last."""


@checks.configuration
class EveryEvents:
    """A snapshot after so many events.

    >>> EveryEvents(events=100).mean_replayed
    49.5
    """

    events: int = checks.at_least(1)

    def due(self, events: int, seconds: float) -> bool:
        """Whether `events` have come since the last snapshot."""
        return events >= self.events

    @property
    def mean_replayed(self) -> float:
        """How many events a question at a random place replays on average (ES-04)."""
        return (self.events - 1) / 2


@checks.configuration
class EverySeconds:
    """A snapshot after so many seconds of recorded time, as daily or hourly closings are made."""

    seconds: float = checks.positive()

    def due(self, events: int, seconds: float) -> bool:
        """Whether `seconds` have passed since the last snapshot."""
        return seconds >= self.seconds


class History:
    """One fold over one stream (or over all of them), at any instant.

    `snapshots` is the policy; without one, each question folds from the first event. `replayed` tells how many events
    the last question folded.

    >>> from edasim.events import Event
    >>> store = EventStore()
    >>> _ = store.append("account-1", [Event(type="paid", data={"cents": cents}) for cents in (3, 4, 5)])
    >>> paid = Fold(name="paid", initial=0, apply=lambda cents, event: cents + event.data["cents"])
    >>> History(store, paid, stream="account-1").at(2)
    7
    """

    def __init__(
        self, store: EventStore, fold: Fold, *, stream: str | None = None, snapshots: SnapshotPolicy | None = None
    ) -> None:
        self.store = store
        self.fold = fold
        self.stream = stream
        self.snapshots = snapshots
        self.replayed = 0

    def at(self, position: int) -> Any:
        """The state after the event at this global position (and all before it)."""
        checks.check_whole(0)("position", position)
        return self._state(position)

    def at_time(self, recorded_s: float) -> Any:
        """The state as the store knew it at a time of its clock, in seconds."""
        return self._state(self.store.position_at(recorded_s))

    def now(self) -> Any:
        """The state after the newest event."""
        return self._state(self.store.position)

    def difference(self, before: int, after: int) -> list[Difference]:
        """What changed between two positions."""
        return differences(self.at(before), self.at(after))

    def prepare(self) -> int:
        """Folds once through what no snapshot covers, and takes the snapshots that the policy asks for; returns their
        number.
        """
        if self.snapshots is None:
            raise checks.refuse("History.snapshots", None, "give a policy, such as EveryEvents(events=1000)")
        position, taken_s, state = self._nearest(self.store.position)
        taken, since = 0, 0
        rows: list[tuple[Any, ...]] = []
        wanted = Query(stream=self.stream, types=self.fold.types, after=position)
        for batch in self.store.batches(wanted):
            now_s = batch.recorded_s
            for position, event in zip(batch.positions, batch.events, strict=True):
                state = self.fold.apply(state, event)
                since += 1
                taken_s = now_s if math.isinf(taken_s) else taken_s
                if self.snapshots.due(since, now_s - taken_s):
                    rows.append((*self._scope, position, now_s, state_text(state, self.fold.name)))
                    since, taken_s = 0, now_s
            if len(rows) >= SNAPSHOTS_AT_ONCE:
                taken += self._keep(rows)
        return taken + self._keep(rows)

    def forget(self) -> None:
        """Deletes the snapshots of this history: answers stay the same, and take longer."""
        with self.store.transaction() as connection:
            connection.execute("delete from snapshots where fold = ? and stream = ?", (self._scope[0], self._scope[2]))

    def _state(self, position: int) -> Any:
        begin, _, state = self._nearest(position)
        self.replayed = 0
        wanted = Query(stream=self.stream, types=self.fold.types, after=begin, up_to=max(position, begin))
        for batch in self.store.batches(wanted):
            self.replayed += len(batch.events)
            for event in batch.events:
                state = self.fold.apply(state, event)
        return state

    def _nearest(self, position: int) -> tuple[int, float, Any]:
        """Position, recorded time and state of the last snapshot up to a position."""
        if self.snapshots is None:
            return 0, -math.inf, self.fold.start()
        rows = self.store.rows(
            "select position, recorded_s, state from snapshots"
            " where fold = ? and version = ? and stream = ? and position <= ? order by position desc limit 1",
            *self._scope,
            position,
        )
        if not rows:
            return 0, -math.inf, self.fold.start()
        return rows[0][0], rows[0][1], json.loads(rows[0][2])

    @property
    def _scope(self) -> tuple[str, int, str]:
        return self.fold.name, self.fold.version, self.stream or ""

    def _keep(self, rows: list[tuple[Any, ...]]) -> int:
        with self.store.transaction() as connection:
            connection.executemany("insert or replace into snapshots values (?, ?, ?, ?, ?, ?)", rows)
        kept = len(rows)
        rows.clear()
        return kept


def as_known(
    store: EventStore,
    fold: Fold,
    *,
    valid_until_s: float = math.inf,
    recorded_until_s: float = math.inf,
    stream: str | None = None,
) -> Any:
    """The state of the world at `valid_until_s`, as far as it was known at `recorded_until_s` (ES-10).

    Events are folded in the order of their own time (seconds since 1970; an event without one counts from its
    recording), so a correction that came late takes effect where it belongs. All events of the stream are held in
    memory.
    """
    until_s = None if math.isinf(recorded_until_s) else recorded_until_s
    found = []
    for recorded in store.read(stream=stream, types=fold.types, until_s=until_s):
        time = recorded.event.time
        valid_s = recorded.recorded_s if time is None else seconds_since_epoch(time)
        if valid_s <= valid_until_s:
            found.append((valid_s, recorded.position, recorded.event))
    found.sort(key=lambda each: each[:2])
    return fold.over(event for _, _, event in found)
