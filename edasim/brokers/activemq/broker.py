"""The broker itself: `ActiveMQ` is its configuration, `RunningActiveMQ` what runs in a simulation.

Follows ActiveMQ Classic 5.17 (github.com/apache/activemq) and what was measured on 5.17.2; each module names its
sources. Destinations are made at first use. The dead letter queue takes a message once, however many queues put it
aside (`AbstractDeadLetterStrategy.java`: messageAudit), makes it persistent and takes its expiry away
(`RegionBroker.java`).
A crash leaves what is persistent; clients use the transport failover: and connect again, also to another broker that
takes over a shared store (AMQ-17, AMQ-22). Left out: networks of brokers, advisory messages, authorization, temporary
destinations, the lock of a shared store itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from ... import checks
from ...errors import ConfigurationError, StateError, UnknownNameError
from ...kernel import Simulation
from ..base import Capability
from ..topology import Topology
from .composite import CompositeTopic
from .destination import Entrance, Sends
from .message import Entry, Headers
from .queue import Queue
from .selector import Client
from .settings import (
    LARGEST_PREFETCH,
    Acknowledge,
    ConsumerSettings,
    DeadLetters,
    DestinationPolicy,
    Expired,
    RedeliveryPolicy,
)
from .topic import Subscribes, Topic
from .wildcard import InvalidDestinationError, check_destination, destination_matches
from .wiring import ActiveMQWiring

VIRTUAL_TOPIC = "VirtualTopic."
_VIRTUAL_QUEUE = re.compile(r"Consumer\.([^.]+)\.(VirtualTopic\..+)")
_PREFETCH = {"queue": 1000, "topic": LARGEST_PREFETCH, "durable": 100}


@checks.configuration
class ActiveMQ:
    """The configuration of an ActiveMQ Classic broker and its clients; `start(sim)` puts it into a simulation.

    `client` is how clients are connected: OpenWire (JMS) or STOMP. `prefetch` bounds what a consumer holds
    unacknowledged (None: 1000 for queues, 32767 for topics, 100 for durable subscribers, over both).
    `redelivery` is the clients' policy, `policy` how destinations are treated, `store_s` the seconds until a persistent
    message is in the store.

    >>> broker = ActiveMQ(prefetch=1).start(Simulation(seed=1))
    >>> broker.queue("mails").consume(selector="JMSType = 'welcome'").name
    'mails'
    """

    name: str = checks.text(default="activemq")
    client: Client = checks.word(Client, default=Client.OPENWIRE)
    prefetch: int | None = checks.optional(checks.check_whole(0, LARGEST_PREFETCH), default=None)
    redelivery: RedeliveryPolicy = checks.kind(RedeliveryPolicy, "a RedeliveryPolicy", default=RedeliveryPolicy())
    policy: DestinationPolicy = checks.kind(DestinationPolicy, "a DestinationPolicy", default=DestinationPolicy())
    store_s: float = checks.non_negative(default=0.0)

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

    def start(self, sim: Simulation) -> RunningActiveMQ:
        """Starts the broker in `sim`."""
        return RunningActiveMQ(self, sim)

    def describe(self) -> str:
        """The broker in plain words."""
        prefetch = self._prefetch("queue", None)
        return (
            f"ActiveMQ Classic: queues whose consumers are served in turn and hold up to {prefetch} messages each, "
            f"clients over {self.client.value}"
        )

    def consumer_settings(
        self,
        prefetch: int | None,
        acknowledge: Acknowledge | str,
        redelivery: RedeliveryPolicy | None,
        priority: int,
        client: Client | str | None,
    ) -> ConsumerSettings:
        """The settings of a queue's consumer: what is None is as this configuration says."""
        return self._settings("queue", prefetch, acknowledge, redelivery, client, priority)

    def subscriber_settings(
        self,
        prefetch: int | None,
        acknowledge: Acknowledge | str,
        redelivery: RedeliveryPolicy | None,
        client: Client | str | None,
    ) -> ConsumerSettings:
        """The settings of a topic's subscriber."""
        return self._settings("topic", prefetch, acknowledge, redelivery, client)

    def durable_settings(
        self,
        prefetch: int | None,
        acknowledge: Acknowledge | str,
        redelivery: RedeliveryPolicy | None,
        client: Client | str | None,
    ) -> ConsumerSettings:
        """The settings of a topic's durable subscriber."""
        return self._settings("durable", prefetch, acknowledge, redelivery, client)

    def _settings(
        self,
        kind: str,
        prefetch: int | None,
        acknowledge: Acknowledge | str,
        redelivery: RedeliveryPolicy | None,
        client: Client | str | None,
        priority: int = 0,
    ) -> ConsumerSettings:
        connected = self.client if client is None else checks.check_word(Client)("client", client)
        return ConsumerSettings(
            client=connected,
            prefetch=self._prefetch(kind, prefetch),
            acknowledge=acknowledge,  # type: ignore[arg-type]
            redelivery=self.redelivery if redelivery is None else redelivery,
            priority=priority,
        )

    def _prefetch(self, kind: str, given: int | None) -> int:
        if given is not None:
            return given
        return _PREFETCH[kind] if self.prefetch is None else self.prefetch


class RunningActiveMQ:
    """A broker in a simulation: queues and topics by name."""

    def __init__(self, configuration: ActiveMQ, sim: Simulation) -> None:
        self.sim = sim
        self.configuration = configuration
        self.name = configuration.name
        sim.parts[self.name] = self
        self.capabilities = configuration.capabilities
        self.is_down = False
        self.draw: Callable[[], float] = sim.streams.uniform(f"broker/{self.name}/redelivery")
        self._queues: dict[str, Queue] = {}
        self._topics: dict[str, Topic] = {}
        self._composites: dict[str, CompositeTopic] = {}
        self._patterns: dict[str, Subscribes] = {}
        self._dead: set[tuple[str, int]] = set()

    # ------------------------------------------------------------------------------------------------ destinations

    def queue(self, name: str, policy: DestinationPolicy | None = None) -> Queue:
        """The queue of that name, made at first use; `Consumer.NAME.VirtualTopic.…` is bound to its virtual topic.

        A queue that exists has its policy; another one is a `ConfigurationError`.
        """
        name = self._plain_name("queue", name)
        if name not in self._queues:
            virtual = _VIRTUAL_QUEUE.fullmatch(name)
            group = name if virtual is None else virtual[1]
            self._queues[name] = Queue(self, name, group, policy or self.configuration.policy)
            if virtual is not None:
                self.topic(virtual[2]).copy_to(self._queues[name])
        self._check_policy(self._queues[name], policy)
        return self._queues[name]

    def topic(self, name: str, policy: DestinationPolicy | None = None) -> Topic:
        """The topic of that name, made at first use; one called `VirtualTopic.…` has consumer queues too."""
        name = self._plain_name("topic", name)
        if name not in self._topics:
            self._refuse_second(name, self._composites)
            self._topics[name] = made = Topic(self, name, policy or self.configuration.policy)
            for pattern, subscribes in self._patterns.items():
                if destination_matches(pattern, name):
                    for subscriber in subscribes.subscribers.values():
                        made.attach(subscriber)
        self._check_policy(self._topics[name], policy)
        return self._topics[name]

    def topics(self, pattern: str) -> Subscribes:
        """All topics that a pattern means, such as "user.*" or "user.>", to be subscribed to."""
        check_destination("pattern", pattern)
        if pattern not in self._patterns:
            self._patterns[pattern] = Subscribes(self, pattern, self.configuration.policy)
        return self._patterns[pattern]

    def composite_topic(self, name: str) -> CompositeTopic:
        """The composite topic of that name, made at first use; `forward_to` says to which queues it forwards what."""
        name = self._plain_name("topic", name)
        if name not in self._composites:
            self._refuse_second(name, self._topics)
            self._composites[name] = CompositeTopic(self, name)
        return self._composites[name]

    def destination(self, names: str) -> Sends:
        """The destination that a client names: "a", "queue://a", "topic://b", or several of them with commas between.

        What is sent to several is copied to each.
        """
        parts = [self._one(part.strip()) for part in check_destination("destination", names).split(",")]
        if len(parts) == 1:
            return parts[0]
        entrances: dict[Entrance, None] = dict.fromkeys(entrance for part in parts for entrance in part.intakes)
        return Sends(self, names, tuple(entrances))

    def topics_of(self, pattern: str) -> list[Topic]:
        """The topics that exist and that a pattern means."""
        return [topic for name, topic in self._topics.items() if destination_matches(pattern, name)]

    def wire(self, topology: Topology) -> ActiveMQWiring:
        """Lays out a topology: a composite topic that forwards to a queue per service what that consumes."""
        return ActiveMQWiring(self, topology)

    # ------------------------------------------------------------------------------------------------ dead letters

    def bury(self, now_s: float, entry: Entry, policy: DestinationPolicy) -> bool:
        """A copy to the dead letter queue, if the policy is so; whether there is one."""
        where, (number, root, published_s, _, _, event) = policy.dead_letter_queue, entry.message
        if where is None or (where, number) in self._dead:
            return False
        if not entry.headers.persistent and policy.dead_letters is DeadLetters.PERSISTENT:
            return False
        if entry.headers.expires_s <= now_s and policy.expired is Expired.DISCARD:
            return False
        self._dead.add((where, number))
        headers = Headers(priority=entry.headers.priority, group=entry.headers.group)
        for entrance in self.destination(where).intakes:
            entrance.send(now_s, (number, root, published_s, now_s, 1, event), headers)
        return True

    # ------------------------------------------------------------------------------------------------ crashes

    def is_away(self) -> bool:
        """Whether the broker is down."""
        return self.is_down

    def crash(self) -> None:
        """The broker dies now: connections break, what is not persistent is lost, producers wait until it is back."""
        self._require(is_down=False, remedy="restart it first")
        now_s = float(self.sim.env.now)
        self.is_down = True
        self.sim.log.fact(now_s, "broker_crashed", self.name)
        for entrance in self._entrances():
            entrance.intake.crash()
        for queue in self._queues.values():
            queue.dispatcher.crash(now_s)
        for subscriber in self._subscribers():
            subscriber.crash(now_s)

    def restart(self) -> None:
        """The broker runs again: consumers connect again, then producers go on."""
        self._require(is_down=True, remedy="crash it first")
        now_s = float(self.sim.env.now)
        self.is_down = False
        self.sim.log.fact(now_s, "broker_restarted", self.name)
        for queue in list(self._queues.values()):
            for consumption in queue.consumptions:
                consumption.broker_is_back(now_s)
        for subscriber in self._subscribers():
            subscriber.broker_is_back(now_s)
        for entrance in self._entrances():
            entrance.intake.let_in(now_s)

    def fail_over(self, takeover_s: float) -> None:
        """The broker dies now; another one that waits for the lock of the shared store takes over in `takeover_s`."""
        after_s = checks.check_non_negative("takeover_s", takeover_s)
        self.crash()
        self.sim.at(float(self.sim.env.now) + after_s, self.restart)

    # ------------------------------------------------------------------------------------------------ inside

    def _entrances(self) -> list[Queue | Topic]:
        return [*self._queues.values(), *self._topics.values()]

    def _subscribers(self) -> list[Any]:
        places: Iterable[Subscribes] = [*self._topics.values(), *self._patterns.values()]
        return [subscriber for place in places for subscriber in place.subscribers.values()]

    def _one(self, text: str) -> Sends:
        kind, mark, name = text.partition("://")
        if not mark:
            return self.queue(text)
        if kind == "topic":
            return self._composites[name] if name in self._composites else self.topic(name)
        if kind == "queue":
            return self.queue(name)
        raise UnknownNameError("kind of destination", kind, ["queue", "topic"])

    def _plain_name(self, field: str, name: str) -> str:
        plain = check_destination(field, name)
        if "," in plain or {"*", ">"} & set(plain.split(".")):
            raise InvalidDestinationError(
                f"{field} is {name!r}",
                field=field,
                value=name,
                remedy="subscribe to a pattern by topics(pattern), send to several by destination('a,b')",
            )
        return plain

    def _refuse_second(self, name: str, taken: Iterable[str]) -> None:
        if name in taken:
            raise ConfigurationError(
                f"topic {name!r} exists already, of another kind",
                field="topic",
                value=name,
                remedy="a topic either forwards (composite_topic) or has subscribers (topic); choose another name",
            )

    @staticmethod
    def _check_policy(destination: Queue | Topic, policy: DestinationPolicy | None) -> None:
        if policy is not None and policy != destination.policy:
            raise ConfigurationError(
                f"{destination.name!r} exists already, with another policy",
                field="policy",
                value=policy,
                remedy="give the policy where the destination is first named",
            )

    def _require(self, *, is_down: bool, remedy: str) -> None:
        if self.is_down is not is_down:
            raise StateError(
                f"{self.name} is {'down' if self.is_down else 'up'}",
                field="broker",
                value=self.name,
                remedy=remedy,
                at_s=float(self.sim.env.now),
            )
