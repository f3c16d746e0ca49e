"""The group coordinator: who is a member, which generation it is, and when partitions are assigned anew.

Follows the classic protocol in apache/kafka 3.9, `GroupCoordinator.scala`, `GroupMetadata.scala`, `DelayedJoin.scala`:
the first join of an empty group waits `group.initial.rebalance.delay.ms`, and as long again if more members came in the
meantime and it is the group's first generation (KAF-17); any other rebalance waits until all members have joined
again, at most the rebalance timeout, which is the members' `max.poll.interval.ms` (KAF-12). Members hear of a rebalance
in the answer to their next heartbeat. Who sends none for the session timeout is put out (KAF-13). A static member that
is back before that keeps its place (KAF-16). Members that have joined and wait are not put out before it is over.

Left out: the way to the coordinator and back takes no time, and neither does the leader's assigning, even if the
leader has died meanwhile; a coordinator that fails; the newer protocol (KAF-39).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Any, Protocol

from ...kernel import Simulation
from .assignors import Strategy, TopicPartition, assign
from .configuration import Kafka


class Client(Protocol):
    """A member as the coordinator knows it."""

    id: str
    instance: str | None
    topics: tuple[str, ...]

    def owned(self) -> list[TopicPartition]:
        """The partitions that it has, or had last."""

    def hear(self, now_s: float) -> None:
        """A heartbeat's answer says that the group rebalances."""

    def assigned(self, now_s: float, generation: int, partitions: list[TopicPartition]) -> None:
        """The rebalance is over for this member."""


class State(enum.Enum):
    """The states of a group."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    STABLE = "Stable"


class _Seat:
    """A member at the coordinator."""

    __slots__ = ("beat_s", "client", "given", "joined", "silent_from_s")

    def __init__(self, client: Client, now_s: float) -> None:
        self.client = client
        self.joined = True
        self.beat_s = now_s
        self.silent_from_s: float | None = None
        self.given: list[TopicPartition] = []


class Coordinator:
    """The coordinator of one group."""

    def __init__(self, sim: Simulation, group: str, settings: Kafka, strategy: Strategy, partitions: dict[str, int]):
        self.sim = sim
        self.group = group
        self.settings = settings
        self.strategy = strategy
        self.partitions = partitions
        self.state = State.EMPTY
        self.generation = 0
        self.empty_since_s = 0.0
        self._seats: dict[str, _Seat] = {}
        self.emptied: Callable[[float], None] = lambda _now_s: None
        self._rebalance = 0
        self._waits_for_company = self._came_while_waiting = False

    @property
    def members(self) -> tuple[str, ...]:
        """The ids of the members, in the order of their coming."""
        return tuple(self._seats)

    def is_member(self, client: Client, generation: int) -> bool:
        """Whether a commit of this member in this generation counts (KAF-18)."""
        seat = self._seats.get(client.id)
        return seat is not None and seat.client is client and generation == self.generation

    def assignment(self) -> dict[str, list[TopicPartition]]:
        """What each member was given last."""
        return {name: list(seat.given) for name, seat in self._seats.items()}

    # ---------------------------------------------------------------- what members ask for

    def join(self, now_s: float, client: Client) -> None:
        """A member wants to take part in the next generation."""
        known = self._seats.get(client.id)
        if known is not None:
            known.joined = True
            if self.state is State.STABLE:
                self._prepare(now_s, f"{client.id} joins again", client.id)
            return self._go_on(now_s)
        if client.instance is not None and self._take_over(now_s, client):
            return None
        self._seats[client.id] = _Seat(client, now_s)
        self._fact(now_s, "member_joined", member=client.id)
        if self.state is State.EMPTY:
            return self._wait_for_company(now_s)
        if self.state is State.PREPARING:
            self._came_while_waiting = True
        else:
            self._prepare(now_s, f"{client.id} joins", client.id)
        return self._go_on(now_s)

    def leave(self, now_s: float, client: Client) -> None:
        """A member says goodbye: it is gone at once (KAF-15)."""
        if client.id in self._seats:
            self._remove(now_s, client.id, "member_left")

    def fall_silent(self, now_s: float, client: Client) -> None:
        """A member sends no more heartbeats; it is put out a session timeout after its last one."""
        seat = self._seats.get(client.id)
        if seat is None or seat.client is not client:
            return
        seat.silent_from_s = now_s
        if not (self.state is State.PREPARING and seat.joined):
            self._expire_later(seat, self._last_beat_s(seat, now_s))

    def metadata_changed(self, now_s: float) -> None:
        """The topics have other numbers of partitions: the leader asks for a rebalance."""
        if self.state is State.STABLE and self._seats:
            self._prepare(now_s, "the number of partitions has changed")

    # ---------------------------------------------------------------- a rebalance

    def _wait_for_company(self, now_s: float) -> None:
        delay_s = self.settings.initial_rebalance_delay_s
        self.state = State.PREPARING
        self._rebalance += 1
        self._waits_for_company, self._came_while_waiting = True, False
        self._fact(now_s, "rebalance_started", reason="the group was empty", generation=self.generation)
        left_s = max(0.0, self.settings.max_poll_interval_s - delay_s)
        self.sim.env.at(now_s + delay_s, self._waited, (self._rebalance, left_s))

    def _waited(self, now_s: float, waiting: tuple[int, float]) -> None:
        rebalance, left_s = waiting
        if rebalance != self._rebalance or not self._waits_for_company:
            return
        delay_s = min(self.settings.initial_rebalance_delay_s, left_s)
        if self.generation == 0 and self._came_while_waiting and delay_s > 0.0:
            self._came_while_waiting = False
            self.sim.env.at(now_s + delay_s, self._waited, (rebalance, left_s - delay_s))
        else:
            self._complete(now_s)

    def _prepare(self, now_s: float, reason: str, joining: str | None = None) -> None:
        self.state = State.PREPARING
        self._rebalance += 1
        self._fact(now_s, "rebalance_started", reason=reason, generation=self.generation)
        for name, seat in self._seats.items():
            seat.joined = name == joining
            if not seat.joined and seat.silent_from_s is None:
                self.sim.env.at(self._next_beat_s(seat, now_s), self._beat, (self._rebalance, seat))
        self.sim.env.watch(now_s + self.settings.max_poll_interval_s, self._rebalance_timeout, self._rebalance)

    def _beat(self, now_s: float, told: tuple[int, _Seat]) -> None:
        rebalance, seat = told
        still_here = self._seats.get(seat.client.id) is seat and seat.silent_from_s is None
        if rebalance == self._rebalance and still_here and not seat.joined:
            seat.client.hear(now_s)

    def _rebalance_timeout(self, now_s: float, rebalance: int) -> None:
        if rebalance != self._rebalance or self.state is not State.PREPARING:
            return
        for name in [name for name, seat in self._seats.items() if not seat.joined]:
            del self._seats[name]
            self._fact(now_s, "member_expired", member=name, because="did not join again in time")
        self._go_on(now_s)

    def _go_on(self, now_s: float) -> None:
        """Completes the rebalance if nobody is missing."""
        if not self._seats:
            self._become_empty(now_s)
            return
        waits = self._waits_for_company or not all(seat.joined for seat in self._seats.values())
        if self.state is State.PREPARING and not waits:
            self._complete(now_s)

    def _complete(self, now_s: float) -> None:
        self.state = State.STABLE
        self._waits_for_company = False
        self._rebalance += 1
        self.generation += 1
        subscriptions = {name: seat.client.topics for name, seat in self._seats.items()}
        previous = {name: seat.client.owned() for name, seat in self._seats.items()}
        given = assign(self.strategy, subscriptions, self.partitions, self._without_claims_of_two(previous))
        told = {name: _told(given[name]) for name in self._seats}
        self._fact(now_s, "rebalance_completed", generation=self.generation, assignment=told)
        seats = list(self._seats.items())
        for name, seat in seats:
            seat.given, seat.beat_s, seat.joined = given[name], now_s, False
            if seat.silent_from_s is not None:
                self._expire_later(seat, now_s)
        for name, seat in seats:
            seat.client.assigned(now_s, self.generation, given[name])

    def _without_claims_of_two(self, previous: dict[str, list[TopicPartition]]) -> dict[str, list[TopicPartition]]:
        """What each member says that it has; of a partition that two claim, the one who had it last keeps it."""
        owner = {each: name for name, seat in self._seats.items() for each in seat.given}
        seen: dict[TopicPartition, str] = {}
        for name, held in previous.items():
            for each in held:
                if each not in seen or owner.get(each) == name:
                    seen[each] = name
        return {name: [each for each in held if seen[each] == name] for name, held in previous.items()}

    # ---------------------------------------------------------------- who is gone

    def _take_over(self, now_s: float, client: Client) -> bool:
        """A static member that comes back gets the seat of its former self, and what that had, without a rebalance."""
        for name, seat in list(self._seats.items()):
            if seat.client.instance != client.instance:
                continue
            self._seats = {client.id if each == name else each: kept for each, kept in self._seats.items()}
            seat.client, seat.silent_from_s, seat.beat_s = client, None, now_s
            self._fact(now_s, "member_came_back", member=client.id, was=name)
            if self.state is State.STABLE:
                client.assigned(now_s, self.generation, list(seat.given))
            else:
                seat.joined = True
                self._go_on(now_s)
            return True
        return False

    def _remove(self, now_s: float, name: str, what: str, **detail: Any) -> None:
        del self._seats[name]
        self._fact(now_s, what, member=name, **detail)
        if self.state is State.STABLE and self._seats:
            self._prepare(now_s, f"{name} is gone")
        else:
            self._go_on(now_s)

    def _become_empty(self, now_s: float) -> None:
        self.state = State.EMPTY
        self._waits_for_company = False
        self._rebalance += 1
        self.generation += 1
        self.empty_since_s = now_s
        self._fact(now_s, "group_empty", generation=self.generation)
        self.emptied(now_s)

    def _last_beat_s(self, seat: _Seat, now_s: float) -> float:
        beat_s = self.settings.heartbeat_s
        return seat.beat_s + beat_s * math.floor((now_s - seat.beat_s) / beat_s)

    def _next_beat_s(self, seat: _Seat, now_s: float) -> float:
        return self._last_beat_s(seat, now_s) + self.settings.heartbeat_s

    def _expire_later(self, seat: _Seat, last_beat_s: float) -> None:
        self.sim.env.at(last_beat_s + self.settings.session_timeout_s, self._expire, (seat, seat.silent_from_s))

    def _expire(self, now_s: float, silence: tuple[_Seat, float]) -> None:
        seat, since_s = silence
        name = seat.client.id
        if self._seats.get(name) is seat and seat.silent_from_s == since_s:
            self._remove(now_s, name, "member_expired", because="sent no heartbeat for the session timeout")

    def _fact(self, now_s: float, kind: str, **detail: Any) -> None:
        self.sim.log.fact(now_s, kind, self.group, **detail)


def _told(partitions: list[TopicPartition]) -> list[str]:
    return [f"{topic}-{number}" for topic, number in partitions]
