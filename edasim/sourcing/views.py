"""Views: projections that are kept, and follow the store.

A view takes events in batches. Its states and its checkpoint are written in one transaction, so each event counts
exactly once, wherever a crash comes (ES-05). An event at which the fold raises is **parked**, with all later events
of its key, while the other keys go on; `retry` works them off with repaired code. A changed projection is rebuilt
**blue/green**: a second generation grows beside the first, which goes on answering, until `switch` puts it in its
place.

Follows: the sequenced dead-letter queue of Axon Framework for parking by key; Marten's projection rebuilds for versions
(JasperFx/marten, docs/events/projections/rebuilding.md). Left out: several workers for one view.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .. import checks
from ..errors import StateError
from ..events import Event
from .differences import Difference, differences
from .errors import ProjectionError
from .folding import Projection
from .jsontext import state_text
from .query import Query
from .store import EventStore

BATCH = 5000
"""How many events go into one transaction."""

Progress = Callable[[int, int], object]
"""Called with the events done and the events there are."""


class Parked(NamedTuple):
    """An event that a view could not take: where it is, whose it is, and why. Later events of the key wait behind
    it.
    """

    position: int
    key: str
    error: str


class View:
    """A projection over a store, kept in the store's file.

    >>> store = EventStore()
    >>> paid = Projection(name="paid", initial=0, apply=lambda cents, event: cents + event.data["cents"])
    >>> store.append("account-1", [Event(type="paid", data={"cents": 3})]).position
    1
    >>> view = View(store, paid)
    >>> view.catch_up(), view.state()
    (1, 3)
    """

    def __init__(self, store: EventStore, projection: Projection) -> None:
        self.store = store
        self.projection = projection

    # ------------------------------------------------------------ answers

    @property
    def generation(self) -> int:
        """The number of the generation that answers; 0 before the first event was taken."""
        row = self._one("select generation from generations where projection = ? and live", self.projection.name)
        return 0 if row is None else int(row[0])

    @property
    def position(self) -> int:
        """The position up to which the view has taken events."""
        row = self._one("select position from generations where projection = ? and live", self.projection.name)
        return 0 if row is None else int(row[0])

    @property
    def lag(self) -> int:
        """How many positions the view is behind the store."""
        return self.store.position - self.position

    def state(self, key: str = "", *, at_least: int = 0) -> Any:
        """The state of a key (the initial one if it has had no event yet), as of the view's `position`.

        `at_least` is a position that the reader has seen, such as that of its own write: if the view is behind it,
        the view catches up first, so that the reader sees its write.
        """
        if at_least > 0 and self.position < at_least:
            self.catch_up()
        return self._state(self.generation, key)

    def states(self) -> Iterator[tuple[str, Any]]:
        """All keys with their states, in order of the keys."""
        yield from self._states(self.generation)

    def parked(self) -> list[Parked]:
        """The events that could not be taken, in order."""
        return self._parked(self.generation)

    # ------------------------------------------------------------ following

    def catch_up(self, *, limit: int | None = None, progress: Progress | None = None, batch: int = BATCH) -> int:
        """Takes what is new, at most `limit` events; returns the view's position.

        Raises `StateError` if the view was made by another version of the projection, `ProjectionError` if a state is
        no JSON.
        """
        with self.store.transaction():
            generation = self.generation or self._new_generation(live=1)
            version = self._checkpoint(generation)[1]
        if version != self.projection.version:
            raise StateError(
                f"the view {self.projection.name!r} was made by version {version} of its projection",
                field="version",
                value=self.projection.version,
                remedy="call rebuild(), then switch(); until then the old states stay readable",
            )
        return self._follow(generation, limit, progress, batch)

    def rebuild(self, *, progress: Progress | None = None, batch: int = BATCH) -> int:
        """Builds the next generation from the first event on, beside the one that answers; returns its position.

        A rebuild that was broken off is taken up where it was. Memory is bounded by the batch.
        """
        with self.store.transaction():
            generation = self._next() or self._new_generation(live=0)
            if self._checkpoint(generation)[1] != self.projection.version:
                self._drop(generation)
                self._new_generation(live=0, generation=generation)
        return self._follow(generation, None, progress, batch)

    def rebuilt_differences(self) -> Iterator[tuple[str, list[Difference]]]:
        """Keys whose states differ between the generation that answers and the rebuilt one, with the differences."""
        rebuilt = self._require_next()
        mine = dict(self.states())
        for key, state in self._states(rebuilt):
            found = differences(mine.pop(key, None), state)
            if found:
                yield key, found
        for key, state in mine.items():
            yield key, differences(state, None)

    def switch(self) -> None:
        """Lets the rebuilt generation answer from now on, and drops the one before, in one transaction."""
        with self.store.transaction() as connection:
            rebuilt = self._require_next()
            self._drop(self.generation)
            connection.execute(
                "update generations set live = 1 where projection = ? and generation = ?",
                (self.projection.name, rebuilt),
            )

    def retry(self, key: str) -> int:
        """Takes the parked events of a key again, in order; returns how many are still parked."""
        generation = self.generation
        with self.store.transaction() as connection:
            waiting = [parked for parked in self.parked() if parked.key == key]
            connection.execute(
                "delete from parked where projection = ? and generation = ? and key = ?",
                (self.projection.name, generation, key),
            )
            work = _Batch(self, connection, generation)
            for parked in waiting:
                work.take(parked.position, self.store.at(parked.position).event)
            work.keep(self.position)
        return sum(parked.key == key for parked in self.parked())

    def _follow(self, generation: int, limit: int | None, progress: Progress | None, batch: int) -> int:
        batch = checks.check_whole(1)("batch", batch)
        left = limit
        while left is None or left > 0:
            with self.store.transaction() as connection:
                after, head = self._checkpoint(generation)[0], self.store.position
                query = Query(types=self.projection.types, after=after, up_to=head)
                size = batch if left is None else min(batch, left)
                work, taken, position = _Batch(self, connection, generation), 0, head
                for found in self.store.batches(query):
                    left_of_size = size - taken
                    for position, event in zip(found.positions[:left_of_size], found.events, strict=False):
                        work.take(position, event)
                    taken += min(left_of_size, len(found.events))
                    if taken == size:
                        break
                else:
                    position = head
                work.keep(position)
            left = None if left is None else left - taken
            if progress is not None:
                progress(position, head)
            if taken < size:
                break
        return self._checkpoint(generation)[0]

    # ------------------------------------------------------------ the tables

    def _one(self, sql: str, *values: Any) -> Any:
        rows = self.store.rows(sql, *values)
        return rows[0] if rows else None

    def _checkpoint(self, generation: int) -> tuple[int, int]:
        """Position and projection version of a generation."""
        row = self._one(
            "select position, version from generations where projection = ? and generation = ?",
            self.projection.name,
            generation,
        )
        return (0, self.projection.version) if row is None else (int(row[0]), int(row[1]))

    def _state(self, generation: int, key: str) -> Any:
        row = self._one(
            "select state from states where projection = ? and generation = ? and key = ?",
            self.projection.name,
            generation,
            key,
        )
        return self.projection.start() if row is None else json.loads(row[0])

    def _states(self, generation: int) -> Iterator[tuple[str, Any]]:
        rows = self.store.rows(
            "select key, state from states where projection = ? and generation = ? order by key",
            self.projection.name,
            generation,
        )
        return ((key, json.loads(state)) for key, state in rows)

    def _parked(self, generation: int) -> list[Parked]:
        rows = self.store.rows(
            "select position, key, error from parked where projection = ? and generation = ? order by position",
            self.projection.name,
            generation,
        )
        return [Parked(*row) for row in rows]

    def _next(self) -> int | None:
        row = self._one("select generation from generations where projection = ? and not live", self.projection.name)
        return None if row is None else int(row[0])

    def _require_next(self) -> int:
        rebuilt = self._next()
        if rebuilt is None:
            raise StateError(
                f"the view {self.projection.name!r} has no rebuilt generation",
                field="rebuild",
                remedy="call rebuild() first",
            )
        return rebuilt

    def _new_generation(self, *, live: int, generation: int | None = None) -> int:
        number = self.generation + 1 if generation is None else generation
        with self.store.transaction() as connection:
            connection.execute(
                "insert into generations values (?, ?, ?, 0, ?)",
                (self.projection.name, number, self.projection.version, live),
            )
        return number

    def _drop(self, generation: int) -> None:
        with self.store.transaction() as connection:
            for table in ("states", "parked", "generations"):
                connection.execute(
                    f"delete from {table} where projection = ? and generation = ?",  # noqa: S608
                    (self.projection.name, generation),
                )


class _Batch:
    """What one transaction changes: the states of the keys that its events touch."""

    def __init__(self, view: View, connection: sqlite3.Connection, generation: int) -> None:
        self._view = view
        self._projection = view.projection
        self._connection = connection
        self._generation = generation
        self._states: dict[str, Any] = {}
        self._blocked = {parked.key for parked in view._parked(generation)}  # noqa: SLF001 - a part of View
        self._parked: list[tuple[str, int, int, str, str]] = []

    def take(self, position: int, event: Event) -> None:
        """Applies an event to its key's state, or parks it."""
        projection = self._projection
        key: str | None = ""
        try:
            key = projection.key(event)
            if key is None:
                return
            if key in self._blocked:
                self._park(position, key, "waits behind an earlier event of its key")
                return
            if key not in self._states:
                self._states[key] = self._view._state(self._generation, key)  # noqa: SLF001
            self._states[key] = projection.apply(self._states[key], event)
        except Exception as error:  # noqa: BLE001 - whatever the projection's own code raises
            self._park(position, key or "", f"{type(error).__name__}: {error}")

    def keep(self, position: int) -> None:
        """Writes states, parked events and checkpoint."""
        name, generation = self._projection.name, self._generation
        rows = [
            (name, generation, key, state_text(state, f"{name!r}, key {key!r}")) for key, state in self._states.items()
        ]
        self._connection.executemany("insert or replace into states values (?, ?, ?, ?)", rows)
        self._connection.executemany("insert or replace into parked values (?, ?, ?, ?, ?)", self._parked)
        self._connection.execute(
            "update generations set position = ? where projection = ? and generation = ?", (position, name, generation)
        )

    def _park(self, position: int, key: str, error: str) -> None:
        self._blocked.add(key)
        self._parked.append((self._projection.name, self._generation, position, key, error))


def check_view(view: View) -> None:
    """Folds all events anew and compares with what the view answers; raises `ProjectionError` at the first key that
    differs.

    Finds projections that are no function of their events, as far as this store shows it. Parked events are left out,
    as the view left them out.
    """
    projection = view.projection
    fresh: dict[str, Any] = {}
    parked = {each.position for each in view.parked()}
    for batch in view.store.batches(Query(types=projection.types, up_to=view.position)):
        for position, event in zip(batch.positions, batch.events, strict=True):
            key = None if position in parked else projection.key(event)
            if key is not None:
                fresh[key] = projection.apply(fresh.get(key, projection.start()), event)
    kept = dict(view.states())
    for key in dict.fromkeys([*fresh, *kept]):
        state = fresh.get(key, projection.start())
        if json.loads(state_text(state, projection.name)) != kept.get(key, projection.start()):
            raise ProjectionError(
                f"the view {projection.name!r} holds {kept.get(key)!r} for {key!r}, and a fold from the start gives"
                f" {state!r}",
                field="apply",
                value=key,
                remedy="make the projection a function of its events, raise its version, and rebuild",
            )
