"""A running Kafka: its topics and groups by name, and how a topology is laid out in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ... import checks
from ...errors import ConfigurationError, UnknownNameError
from ...events import Event
from ...kernel import Simulation
from ..base import Message, event_of
from ..by_hand import publish
from ..topology import Topology
from .cluster import Cluster
from .configuration import Cleanup, Kafka, OffsetReset
from .errors import InconsistentGroupProtocolError, TopicExistsError
from .group import Group
from .keys import Partitioner
from .producer import Producer
from .replication import Replicas
from .topic import Topic, check_topic, with_wishes


class RunningKafka:
    """A cluster in a simulation."""

    def __init__(self, configuration: Kafka, sim: Simulation) -> None:
        self.configuration = configuration
        self.sim = sim
        self.name = configuration.name
        sim.parts[self.name] = self
        self.capabilities = configuration.capabilities
        self.topics: dict[str, Topic] = {}
        self.groups: dict[str, Group] = {}
        self.cluster = Cluster(sim, configuration, self._replicas)
        self._transactional: dict[str, Producer] = {}
        self._epochs: dict[str, int] = {}

    def topic(
        self,
        name: str,
        *,
        partitioner: Partitioner | None = None,
        cleanup: Cleanup | str = Cleanup.DELETE,
        **settings: Any,
    ) -> Topic:
        """The topic of that name, made at first use; `settings` are fields of `Kafka`, for it alone.

        `partitioner(message)` chooses the partition instead of the key; `cleanup` is "delete" or "compact".
        """
        if check_topic("topic", name) in self.topics:
            if partitioner is not None or settings:
                raise TopicExistsError(
                    f"topic {name!r} exists already",
                    field="topic",
                    value=name,
                    remedy="say how it is to be when you first name it",
                )
            return self.topics[name]
        made = Topic(
            self,
            name,
            with_wishes(self.configuration, settings),
            partitioner=partitioner,
            cleanup=checks.check_word(Cleanup)("cleanup", cleanup),
        )
        self.topics[name] = made
        return made

    def group(self, name: str, topics: Iterable[Topic], *, skip_after: int | None = None, **settings: Any) -> Group:
        """A new consumer group of these topics, or the one of that name if it reads the same."""
        topics = list(topics)
        checks.check_text("group", name)
        if not topics:
            raise checks.refuse("topics", topics, "give at least one topic")
        known = self.groups.get(name)
        if known is not None:
            if known.topics == tuple(topic.name for topic in topics) and not settings and skip_after is None:
                return known
            self._refuse_other_protocol(known, settings)
            raise ConfigurationError(
                f"group {name!r} exists already, and reads {', '.join(known.topics)}",
                field="group",
                value=name,
                remedy="give this one another name, or ask for the same topics and no settings",
            )
        made = Group(
            self.sim,
            self.name,
            name,
            topics,
            with_wishes(self.configuration, settings),
            skip_after=checks.check_optional(checks.check_whole(1))("skip_after", skip_after),
        )
        self.groups[name] = made
        return made

    def _refuse_other_protocol(self, known: Group, settings: dict[str, Any]) -> None:
        """Members of a group must share an assignor; those of a cooperative and of an eager one cannot meet."""
        asked = with_wishes(self.configuration, settings).assignor
        if "assignor" in settings and asked is not known.settings.assignor:
            raise InconsistentGroupProtocolError(
                f"group {known.name!r} shares partitions by {known.settings.assignor.value}, and not by {asked.value}",
                field="assignor",
                value=asked.value,
                remedy="give all members of a group the same assignor, or this one another group",
            )

    def producer(self, name: str, *, transactional_id: str | None = None, **settings: Any) -> Producer:
        """A producer of your own, with `settings` (fields of `Kafka`) for it alone.

        A newer producer with the same `transactional_id` shuts the older one out.
        """
        checks.check_text("producer", name)
        if transactional_id is None:
            return Producer(self, name, with_wishes(self.configuration, settings))
        former = self._transactional.get(transactional_id)
        if former is not None and not former.fenced:
            former.fence(float(self.sim.env.now))
        epoch = self._epochs[transactional_id] = self._epochs.get(transactional_id, -1) + 1
        made = Producer(self, name, with_wishes(self.configuration, settings), transactional_id, epoch)
        self._transactional[transactional_id] = made
        return made

    def crash_broker(self, broker: int) -> None:
        """A broker fails now; after `broker_session_timeout_s` other replicas lead its partitions."""
        self._be_careful()
        self.cluster.crash(broker)

    def restart_broker(self, broker: int) -> None:
        """A broker that had failed is back."""
        self.cluster.restart(broker)

    def cut_off_broker(self, broker: int) -> None:
        """A broker can fetch from no leader, and falls behind."""
        self._be_careful()
        self.cluster.cut_off(broker)

    def reconnect_broker(self, broker: int) -> None:
        """A broker that was cut off fetches again."""
        self.cluster.reconnect(broker)

    def _be_careful(self) -> None:
        for topic in self.topics.values():
            topic.be_careful()

    def _replicas(self) -> Iterator[Replicas]:
        for topic in self.topics.values():
            yield from topic.replicas

    def wire(self, topology: Topology) -> KafkaWiring:
        """Lays out a topology: a topic per event type, and a group per service that reads the topics of its types."""
        return KafkaWiring(self, topology)


class ByType:
    """A producer that publishes each event to the topic of its type; a destination, as a service publishes to."""

    def __init__(self, name: str, kafka: RunningKafka, topics: dict[str, Topic]) -> None:
        self.name = name
        self.sim = kafka.sim
        self.topics = topics
        self.route: Callable[[float, Message], None] = self._by_type

    def publish(self, event: Event, *, publisher: str = "by-hand") -> Event:
        """Publishes an event now, from your own process; returns it with id and source filled in."""
        return publish(self, event, publisher)

    def on_settled(self, tell: Callable[[float, Message], None]) -> None:
        """Calls `tell(now_s, message)` when a group has processed a message."""
        for topic in self.topics.values():
            topic.on_settled(tell)

    def _by_type(self, now_s: float, message: Message) -> None:
        event_type = event_of(self.sim, message).type
        if event_type not in self.topics:
            raise UnknownNameError("topic for the event type", event_type, self.topics, at_s=now_s)
        self.topics[event_type].route(now_s, message)


class KafkaWiring:
    """A topology in Kafka: a topic per event type, a group per consuming service.

    The groups begin at the earliest offset, so that nothing is passed over that was published before they had joined.
    """

    def __init__(self, kafka: RunningKafka, topology: Topology) -> None:
        self.topology = topology
        self.kafka = kafka
        self.topics = {event_type: kafka.topic(_topic_name(event_type)) for event_type in topology.types}
        self.groups = {
            service: kafka.group(service, [self.topics[each] for each in types], auto_offset_reset=OffsetReset.EARLIEST)
            for service, types in topology.consumes.items()
        }
        self._producers = {
            service: ByType(service, kafka, {each: self.topics[each] for each in types})
            for service, types in topology.publishes.items()
        }

    def destination(self, service: str) -> ByType:
        """Where a service publishes: each event goes to the topic of its type."""
        if service not in self._producers:
            raise UnknownNameError("publisher of the topology", service, self._producers)
        return self._producers[service]

    def subscription(self, service: str) -> Group:
        """The group of a service."""
        if service not in self.groups:
            raise UnknownNameError("consumer of the topology", service, self.groups)
        return self.groups[service]

    def describe(self) -> str:
        """How the topics and groups were set up."""
        topics = ", ".join(f"{topic.name} ({topic.partitions})" for topic in self.topics.values())
        groups = "; ".join(f"{name} reads {', '.join(group.topics)}" for name, group in self.groups.items())
        return f"topics with their partitions: {topics}; groups, from the earliest offset: {groups}"


def _topic_name(event_type: str) -> str:
    return "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "-" for each in event_type)
