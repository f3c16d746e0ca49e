"""A core subscription: members that hear its subjects, each with what is pending in its client.

A member is a client, known by the name of its takers; it listens from its first taker's coming until its last taker is
gone (a service) or until it unsubscribes (a process by hand). Rules and sources: `core`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ...errors import UnknownNameError
from ...kernel.runlog import DROPPED, FAILED, IN_FLIGHT, NEVER, pack_row
from ..base import Message, Taker
from ..by_hand import Held, Receive
from .delivery import CoreDelivery
from .settings import SlowConsumer
from .subjects import subject_matches

if TYPE_CHECKING:
    from .core import RunningNats


class Member:
    """A client that listens: its takers, and what is pending."""

    __slots__ = ("free", "name", "pending", "takers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.free: deque[Taker] = deque()
        self.pending: deque[Message] = deque()
        self.takers: set[Taker] = set()


class CoreSubscription:
    """Made by `subscribe`; shared by its takers."""

    forgets = True
    delivered_s: Callable[[Message], float] | None = staticmethod(itemgetter(3))
    """A message reaches its client's buffer as it is published."""

    def __init__(
        self, server: RunningNats, name: str, patterns: tuple[str, ...], queue: str | None, limit: int
    ) -> None:
        self.server = server
        self.sim = server.sim
        self.name = name
        self.patterns = patterns
        self.queue = queue
        self.lane = self.sim.log.lane(server.name, ", ".join(patterns), name)
        self.members: dict[str, Member] = {}
        self.offer = self._offer_all if queue is None else self._offer_one
        self._present: list[Member] = []
        self._cut_off: dict[str, Member] = {}
        self._nobody = self.sim.log.endpoint(self.lane, "")
        self._held: dict[Held, None] = {}
        self._limit = limit
        self._draw = self.sim.streams.uniform(f"nats/{server.name}/queue/{name}")
        self.sim.on_end(self._open_rows)

    def hears(self, subject: str) -> bool:
        """Whether one of the patterns matches."""
        return any(subject_matches(pattern, subject) for pattern in self.patterns)

    # -------------------------------------------------------------------------------------- the server's side

    def _offer_one(self, now_s: float, message: Message) -> None:
        present = self._present
        if present:
            self._deliver(present[int(self._draw() * len(present))], now_s, message)
        else:
            self.lose(now_s, message)

    def _offer_all(self, now_s: float, message: Message) -> None:
        present = list(self._present)
        for member in present:
            self._deliver(member, now_s, message)
        if not present:
            self.lose(now_s, message)

    def _deliver(self, member: Member, now_s: float, message: Message) -> None:
        if member.free:
            member.free.popleft().take(now_s, message)
        elif len(member.pending) < self._limit:
            member.pending.append(message)
        else:
            self._is_too_slow(member, now_s, message)

    def _is_too_slow(self, member: Member, now_s: float, message: Message) -> None:
        configuration = self.server.configuration
        if configuration.slow_consumer is SlowConsumer.DROP_NEWEST:
            self.lose(now_s, message)
            return
        self.sim.log.fact(now_s, "slow_consumer_cut_off", member.name, pending=len(member.pending) + 1)
        for pending in (*member.pending, message):
            self.lose(now_s, pending)
        member.pending.clear()
        self._listen_no_more(member)
        self._cut_off[member.name] = member
        self.sim.env.at(now_s + configuration.reconnect_s, self._reconnect, member)

    def _reconnect(self, now_s: float, member: Member) -> None:
        if self._cut_off.get(member.name) is member:
            del self._cut_off[member.name]
            self._listen(member)
            self.sim.log.fact(now_s, "reconnected", member.name)

    def lose(self, now_s: float, message: Message) -> None:
        """The message reaches no member, and is gone."""
        number, root, published_s, enqueued_s, attempt, _ = message
        self.sim.log.add(
            pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, self._nobody, attempt, DROPPED)
        )
        self.server.tell_settled(now_s, message)

    def _listen(self, member: Member) -> None:
        self.members[member.name] = member
        self._present.append(member)

    def _listen_no_more(self, member: Member) -> None:
        if self.members.pop(member.name, None) is not None:
            self._present.remove(member)

    # -------------------------------------------------------------------------------------- the takers' side

    def ready(self, taker: Taker, now_s: float) -> None:
        """The taker is free; with its first taker a member begins to listen."""
        member = self.members.get(taker.name) or self._cut_off.get(taker.name)
        if member is None:
            member = Member(taker.name)
            self._listen(member)
        if not isinstance(taker, Receive):
            member.takers.add(taker)
        if member.pending:
            taker.take(now_s, member.pending.popleft())
        else:
            member.free.append(taker)

    def done(self, taker: Taker, now_s: float, message: Message) -> Message | None:
        """The taker is done and takes the next message that is pending in its client."""
        if self.server.settled:
            self.server.tell_settled(now_s, message)
        member = self.members.get(taker.name) or self._cut_off[taker.name]
        if member.pending:
            return member.pending.popleft()
        member.free.append(taker)
        return None

    def acknowledge(self, now_s: float, message: Message) -> None:
        """The message is processed, or lost; the server does not ask."""
        self.server.tell_settled(now_s, message)

    def refuse(self, now_s: float, message: Message) -> int:
        """A handler failed: nothing comes again."""
        self.server.tell_settled(now_s, message)
        return FAILED

    def give_back(self, now_s: float, messages: Sequence[Message]) -> None:
        """Takers are gone, and what they held with them."""
        for message in messages:
            self.server.tell_settled(now_s, message)

    def withdraw(self, taker: Taker) -> None:
        """The taker is gone; with its last taker a service's member listens no more, and what is pending is lost."""
        member = self.members.get(taker.name) or self._cut_off.get(taker.name)
        if member is None:
            return
        if taker in member.free:
            member.free.remove(taker)
        if isinstance(taker, Receive):
            return
        member.takers.discard(taker)
        if not member.takers:
            self._leave(member)

    def receive(self, *, consumer: str = "by-hand") -> Receive:
        """An event for your own process: `delivery = yield subscription.receive()`.

        The consumer listens from its first receive on until it unsubscribes; what it received before counts as done.
        """
        self.finish(consumer)
        return Receive(self, consumer, CoreDelivery)

    def finish(self, consumer: str) -> None:
        """The consumer is done with what it holds; called by itself when it receives the next message."""
        for delivery in [each for each in self._held if each.consumer == consumer]:
            assert isinstance(delivery, CoreDelivery)
            delivery.finish()

    def unsubscribe(self, *, consumer: str = "by-hand") -> None:
        """The consumer listens no more; what is pending in its client is lost."""
        member = self.members.get(consumer) or self._cut_off.get(consumer)
        if member is None:
            raise UnknownNameError("member of the subscription", consumer, self.members, at_s=self.sim.env.now)
        self._leave(member)

    def hold(self, delivery: Held) -> None:
        """Notes that a process holds a delivery."""
        self._held[delivery] = None

    def let_go(self, delivery: Held) -> None:
        """Notes that a process is done with a delivery."""
        del self._held[delivery]

    def _leave(self, member: Member) -> None:
        now_s = float(self.sim.env.now)
        self._listen_no_more(member)
        self._cut_off.pop(member.name, None)
        endpoint = self.sim.log.endpoint(self.lane, member.name)
        for number, root, published_s, enqueued_s, attempt, event in member.pending:
            self.sim.log.add(
                pack_row(number, root, published_s, enqueued_s, enqueued_s, NEVER, now_s, endpoint, attempt, DROPPED)
            )
            self.server.tell_settled(now_s, (number, root, published_s, enqueued_s, attempt, event))
        member.pending.clear()

    def _open_rows(self, now_s: float) -> list[bytes]:
        rows: list[Any] = [delivery.open_row() for delivery in self._held]
        for member in [*self.members.values(), *self._cut_off.values()]:
            endpoint = self.sim.log.endpoint(self.lane, member.name)
            rows += [
                pack_row(number, root, published_s, enqueued_s, enqueued_s, NEVER, NEVER, endpoint, attempt, IN_FLIGHT)
                for number, root, published_s, enqueued_s, attempt, _ in member.pending
            ]
        return rows
