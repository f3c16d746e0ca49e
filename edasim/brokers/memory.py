"""The memory bus: publish and subscribe inside one process, with acknowledgement and redelivery.

A topic hands each message to all its subscriptions that want it. A subscription is one queue: takers that share it
compete, the one that has been free for longest goes first. What a crashed taker held goes back to the head of the
queue at once, in its old order, with the next attempt number. What a handler or a process refuses goes back to the head
too, up to `max_attempts`; then it is put aside as a dead letter. Filters choose by event type or by a condition on the
event.

Follows the patterns Publish-Subscribe Channel, Competing Consumers, Selective Consumer and Dead Letter Channel (Hohpe
and Woolf, Enterprise Integration Patterns). Left out: durability (a bus in memory is gone with its process),
priorities, expiry.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from ..events import Event
from ..kernel import Simulation
from ..kernel.runlog import DEAD_LETTERED, DROPPED, FAILED, FILTERED, NEVER, QUEUED, pack_row
from .base import Capability, Message, OpenQueue, Taker, event_of
from .by_hand import Held, Receive, publish
from .filter import Filter
from .topology import Topology


class Overflow(enum.Enum):
    """What a full queue does with one message too many; either way a message is dropped, and the log says which."""

    REFUSE_NEWEST = "refuse_newest"
    DROP_OLDEST = "drop_oldest"


@checks.configuration
class MemoryBus:
    """The configuration of a bus in memory; `start(sim)` puts it into a simulation.

    >>> bus = MemoryBus().start(Simulation(seed=1))
    >>> bus.topic("mails").subscribe("mail").name
    'mail'
    """

    name: str = checks.text(default="memory")

    capabilities = frozenset(
        {
            Capability.PUBLISH_SUBSCRIBE,
            Capability.COMPETING_CONSUMERS,
            Capability.FILTERING,
            Capability.ACKNOWLEDGEMENT,
            Capability.REDELIVERY,
            Capability.BOUNDED_QUEUE,
            Capability.DEAD_LETTERS,
            Capability.ORDER,
        }
    )

    def start(self, sim: Simulation) -> RunningMemoryBus:
        """Starts the bus in `sim`."""
        return RunningMemoryBus(self, sim)

    def describe(self) -> str:
        """The bus in plain words."""
        return (
            "a bus in memory: topics hand each message to every subscription, "
            "takers of one subscription share its queue"
        )


class RunningMemoryBus:
    """A bus in a simulation: topics by name."""

    def __init__(self, configuration: MemoryBus, sim: Simulation) -> None:
        self.sim = sim
        self.name = configuration.name
        sim.parts[self.name] = self
        self.capabilities = configuration.capabilities
        self._topics: dict[str, Topic] = {}

    def topic(self, name: str) -> Topic:
        """The topic of that name, made at first use."""
        if checks.check_text("topic", name) not in self._topics:
            self._topics[name] = Topic(self, name)
        return self._topics[name]

    def wire(self, topology: Topology) -> MemoryWiring:
        """Lays out a topology: one topic, and a subscription per consuming service, filtered by its event types."""
        return MemoryWiring(self, topology)

    def subscription(self, topic: str, name: str) -> MemorySubscription:
        """A subscription that exists already; `UnknownNameError` otherwise."""
        if topic not in self._topics:
            raise UnknownNameError("topic", topic, self._topics, at_s=self.sim.env.now)
        return self._topics[topic].subscription(name)


class Topic:
    """A destination: hands each message to every subscription that wants it."""

    def __init__(self, bus: RunningMemoryBus, name: str) -> None:
        self.sim = bus.sim
        self.name = name
        self.broker = bus.name
        self.route: Callable[[float, Message], None] = self._fan_out
        self.settled: list[Callable[[float, Message], None]] = []
        self._subscriptions: dict[str, MemorySubscription] = {}
        self._nobody = bus.sim.log.endpoint(bus.sim.log.lane(bus.name, name, ""), "")

    def subscribe(
        self,
        name: str | None = None,
        *,
        types: str | Iterable[str] | None = None,
        where: Callable[[Event], bool] | None = None,
        capacity: int | None = None,
        overflow: Overflow | str = Overflow.REFUSE_NEWEST,
        max_attempts: int = 5,
        dead_letters: Topic | None = None,
    ) -> MemorySubscription:
        """A new subscription, called as the topic if no `name` is given.

        It receives the event `types` named (all if None) for which `where(event)` holds. `capacity` bounds the messages
        that wait (None: no bound; what comes back after a crash always finds room), `overflow` says what a full queue
        does. A message that was refused in its delivery number `max_attempts` or a later one leaves the queue, and is
        published to the topic `dead_letters`, if there is one.
        """
        name = self.name if name is None else checks.check_text("subscription", name)
        if name in self._subscriptions:
            raise ConfigurationError(
                f"subscription {name!r} of topic {self.name!r} exists already",
                field="name",
                value=name,
                remedy="share it among takers, or give this one another name",
            )
        if dead_letters is self or not isinstance(dead_letters, Topic | None):
            raise checks.refuse("dead_letters", dead_letters, "give another topic, or none")
        if dead_letters is not None and dead_letters.sim is not self.sim:
            raise checks.refuse("dead_letters", dead_letters, "give a topic of the same simulation")
        made = MemorySubscription(
            self,
            name,
            wants=Filter.of(types, where),
            capacity=checks.check_optional(checks.check_whole(1))("capacity", capacity),
            overflow=checks.check_word(Overflow)("overflow", overflow),
            max_attempts=checks.check_whole(1)("max_attempts", max_attempts),
            dead_letters=dead_letters,
        )
        self._subscriptions[name] = made
        alone = len(self._subscriptions) == 1 and made.wants.everything
        self.route = made.offer if alone else self._fan_out
        return made

    def subscription(self, name: str) -> MemorySubscription:
        """The subscription of that name; `UnknownNameError` if there is none."""
        if name not in self._subscriptions:
            kind = f"subscription of topic {self.name!r}"
            raise UnknownNameError(kind, name, self._subscriptions, at_s=self.sim.env.now)
        return self._subscriptions[name]

    def publish(self, event: Event, *, publisher: str = "by-hand") -> Event:
        """Publishes an event now, from your own process; returns it with id and source filled in."""
        return publish(self, event, publisher)

    def on_settled(self, tell: Callable[[float, Message], None]) -> None:
        """Calls `tell(now_s, message)` when a message leaves one of the subscriptions for good, or none wants it."""
        for subscription in self._subscriptions.values():
            subscription.catch_up()
        self.settled.append(tell)

    def tell_settled(self, now_s: float, message: Message) -> None:
        """A message has left one of the subscriptions for good, or none wants it."""
        for tell in self.settled:
            tell(now_s, message)

    def _fan_out(self, now_s: float, message: Message) -> None:
        wanted = False
        for subscription in self._subscriptions.values():
            if not subscription.wants.everything:
                if message[5] is None:
                    message = (*message[:5], event_of(self.sim, message))
                if not subscription.wants.accepts(event_of(self.sim, message)):
                    continue
            wanted = True
            subscription.offer(now_s, message)
        if not wanted:
            number, root, published_s, enqueued_s, attempt, _ = message
            self.sim.log.add(
                pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, self._nobody, attempt, FILTERED)
            )
            self.tell_settled(now_s, message)


class MemorySubscription:
    """One queue of a topic, shared by its takers."""

    delivered_s: Callable[[Message], float] | None = None
    forgets = False

    def __init__(
        self,
        topic: Topic,
        name: str,
        *,
        wants: Filter,
        capacity: int | None,
        overflow: Overflow,
        max_attempts: int,
        dead_letters: Topic | None,
    ) -> None:
        self.sim = topic.sim
        self.name = name
        self.topic = topic
        self.wants = wants
        self.capacity = capacity
        self.overflow = overflow
        self.max_attempts = max_attempts
        self.dead_letters = dead_letters
        self.lane = self.sim.log.lane(topic.broker, topic.name, name)
        self._nobody = self.sim.log.endpoint(self.lane, "")
        self.open_queue = OpenQueue(waiting=deque(), free=deque(), settled=topic.settled, takers={})
        self._waiting = self.open_queue.waiting
        self._free = self.open_queue.free
        self._takers = self.open_queue.takers
        self._held: dict[Held, None] = {}
        self.offer, self.done = self._hot_path()
        self.sim.on_end(self._open_rows)

    def _hot_path(
        self,
    ) -> tuple[Callable[[float, Message], None], Callable[[Taker, float, Message], Message | None]]:
        """`offer` and `done` as closures: their names are local, which makes each call a third cheaper."""
        waiting, free, settled, room = self._waiting, self._free, self.topic.settled, self.capacity or 0
        wait, first_waiting, first_free, set_free = waiting.append, waiting.popleft, free.popleft, free.append

        def offer(now_s: float, message: Message) -> None:
            if free:
                take = first_free().take
                take(now_s, message)
            else:
                wait(message)

        def offer_within_capacity(now_s: float, message: Message) -> None:
            if not free and len(waiting) >= room:
                self.catch_up()
                if not free and len(waiting) >= room:
                    return self._overflow(now_s, message)
            return offer(now_s, message)

        def done(taker: Taker, now_s: float, message: Message) -> Message | None:
            if settled:
                self.topic.tell_settled(now_s, message)
            if waiting:
                return first_waiting()
            set_free(taker)
            return None

        return offer if self.capacity is None else offer_within_capacity, done

    @property
    def waiting(self) -> deque[Message]:
        """The messages that nobody has taken yet."""
        self.catch_up()
        return self._waiting

    def catch_up(self) -> None:
        """The queue and who takes from it are where they would be by now if somebody had looked all the time."""
        for taker in self._takers:
            behind: Callable[[], None] | None = getattr(taker, "behind", None)
            if behind is not None:
                behind()

    def ready(self, taker: Taker, now_s: float) -> None:
        """The taker is free: it gets the message at the head, or waits behind those who are free already."""
        self.catch_up()
        self._takers[self if isinstance(taker, Receive) else taker] = None
        if self._waiting:
            taker.take(now_s, self._waiting.popleft())
        else:
            self._free.append(taker)

    def acknowledge(self, now_s: float, message: Message) -> None:
        """The message is processed and leaves the queue."""
        self.topic.tell_settled(now_s, message)

    def withdraw(self, taker: Taker) -> None:
        """The taker, if it is free, takes no more messages."""
        self.catch_up()
        self._takers.pop(taker, None)
        if taker in self._free:
            self._free.remove(taker)

    def give_back(self, now_s: float, messages: Sequence[Message]) -> None:
        """What crashed takers held goes to the head of the queue, or to whoever is free, as the next attempt."""
        self.catch_up()
        self._waiting.extendleft(
            (number, root, published_s, now_s, attempt + 1, event)
            for number, root, published_s, _, attempt, event in reversed(messages)
        )
        while self._free and self._waiting:
            self._free.popleft().take(now_s, self._waiting.popleft())

    def refuse(self, now_s: float, message: Message) -> int:
        """A handler failed: back to the head, or aside after `max_attempts`. Returns the outcome for the log."""
        if message[4] < self.max_attempts:
            self.give_back(now_s, [message])
            return FAILED
        self.put_aside(now_s, message)
        return DEAD_LETTERED

    def put_aside(self, now_s: float, message: Message) -> None:
        """The message leaves the queue; a copy goes to the topic for dead letters, if there is one."""
        self.topic.tell_settled(now_s, message)
        if self.dead_letters is not None:
            number, root, published_s, _, _, event = message
            self.dead_letters.route(now_s, (number, root, published_s, now_s, 1, event))

    def receive(self, *, consumer: str = "by-hand") -> Receive:
        """An event for your own process: `delivery = yield subscription.receive()`.

        It triggers with a `Delivery`, which stays yours until you settle it. A receive that nobody waits for any more,
        as after an interrupt or a timeout that came first, takes no message.
        """
        return Receive(self, consumer)

    def hold(self, delivery: Held) -> None:
        """Notes that a process holds a delivery."""
        self._held[delivery] = None

    def let_go(self, delivery: Held) -> None:
        """Notes that a process has settled a delivery."""
        del self._held[delivery]

    def _overflow(self, now_s: float, newest: Message) -> None:
        dropped = newest
        if self.overflow is Overflow.DROP_OLDEST:
            dropped = self._waiting.popleft()
            self._waiting.append(newest)
        number, root, published_s, enqueued_s, attempt, _ = dropped
        self.sim.log.add(
            pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, self._nobody, attempt, DROPPED)
        )
        self.topic.tell_settled(now_s, dropped)

    def _open_rows(self, now_s: float) -> list[bytes]:
        held = [delivery.open_row() for delivery in self._held]
        queued: list[Any] = [
            pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, NEVER, self._nobody, attempt, QUEUED)
            for number, root, published_s, enqueued_s, attempt, _ in self._waiting
        ]
        return held + queued


class MemoryWiring:
    """A topology on a memory bus: one topic for all event types, one filtered subscription per service."""

    def __init__(self, bus: RunningMemoryBus, topology: Topology) -> None:
        self.topology = topology
        self._topic = bus.topic(topology.name)
        for service, types in topology.consumes.items():
            self._topic.subscribe(service, types=types)

    def destination(self, service: str) -> Topic:
        """The topic, for a service that publishes; `UnknownNameError` for one that the topology does not name."""
        if service not in self.topology.publishes:
            raise UnknownNameError("publisher of the topology", service, self.topology.publishes)
        return self._topic

    def subscription(self, service: str) -> MemorySubscription:
        """The subscription of a service."""
        return self._topic.subscription(service)

    def describe(self) -> str:
        """How the bus was set up."""
        parts = [f"{service} ({', '.join(types)})" for service, types in self.topology.consumes.items()]
        return f"topic {self._topic.name!r} with a subscription each for {'; '.join(parts)}"
