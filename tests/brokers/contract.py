"""How a broker joins the contract suite, and what the suite's tests are told by.

A broker joins with an `Adapter`, which says in the broker's own words how to make a destination and a subscription, and
is added to `ADAPTERS`. From then on it must pass the tests (`test_contract.py`) of each capability that it declares.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from edasim import (
    ActiveMQ,
    Event,
    JetStream,
    Kafka,
    MemoryBus,
    Nats,
    RabbitMQ,
    Service,
    Simulation,
    Source,
    load,
    times,
)
from edasim.brokers import Capability, DestinationPolicy, RedeliveryPolicy
from edasim.brokers.base import Destination, RunningBroker, Subscription
from edasim.brokers.kafka import ByType
from edasim.kernel import Run


class Adapter(Protocol):
    """A broker for the contract suite. Arguments that a broker has no word for belong to capabilities it lacks."""

    name: str
    capabilities: frozenset[Capability]
    drops: Mapping[str, str]
    """What a full queue drops, "newest" or "oldest", by the broker's own word for the policy."""

    def start(self, sim: Simulation) -> RunningBroker:
        """The broker in a simulation."""

    def destination(self, broker: Any, name: str) -> Destination:
        """A destination of that name."""

    def subscription(
        self,
        broker: Any,
        destination: Any,
        name: str,
        *,
        types: list[str] | None = None,
        capacity: int | None = None,
        overflow: str | None = None,
        attempts: int | None = None,
        dead_letters: Any = None,
    ) -> Subscription:
        """A subscription: event types wanted, bound and policy, delivery attempts before `dead_letters` gets it."""


@dataclass(frozen=True)
class InMemory:
    """The bus in memory."""

    name: str = "memory"
    capabilities: frozenset[Capability] = MemoryBus.capabilities
    drops: Mapping[str, str] = field(default_factory=lambda: {"refuse_newest": "newest", "drop_oldest": "oldest"})

    def start(self, sim: Simulation) -> RunningBroker:
        return MemoryBus().start(sim)

    def destination(self, broker: Any, name: str) -> Destination:
        return broker.topic(name)

    def subscription(self, broker: Any, destination: Any, name: str, **wishes: Any) -> Subscription:
        own_words = {"attempts": "max_attempts"}
        given = {own_words.get(word, word): wish for word, wish in wishes.items() if wish is not None}
        made: Subscription = destination.subscribe(name, **given)
        return made


@dataclass(frozen=True)
class OnRabbitMQ:
    """RabbitMQ: a topic exchange for each destination, a queue with its bindings for each subscription."""

    name: str = "rabbitmq"
    capabilities: frozenset[Capability] = RabbitMQ.capabilities
    drops: Mapping[str, str] = field(default_factory=lambda: {"reject-publish": "newest", "drop-head": "oldest"})

    def start(self, sim: Simulation) -> RunningBroker:
        return RabbitMQ().start(sim)

    def destination(self, broker: Any, name: str) -> Destination:
        return broker.declare_exchange(name, type="topic")

    def subscription(
        self,
        broker: Any,
        destination: Any,
        name: str,
        *,
        types: list[str] | None = None,
        capacity: int | None = None,
        overflow: str | None = None,
        attempts: int | None = None,
        dead_letters: Any = None,
    ) -> Subscription:
        given = {
            "type": None if attempts is None else "quorum",
            "delivery_limit": None if attempts is None else attempts - 1,
            "max_length": capacity,
            "overflow": overflow,
            "dead_letter_exchange": None if dead_letters is None else dead_letters.name,
        }
        queue = broker.declare_queue(name, **{word: wish for word, wish in given.items() if wish is not None})
        for key in ["#"] if types is None else types:
            queue.bind(destination, key)
        made: Subscription = queue.consume(prefetch=1)
        return made

    def link(self, source: Any, target: Any) -> None:
        """By a rule of the broker, what is published to `source` goes on to `target`."""
        target.bind(source, "#")


@dataclass(frozen=True)
class OnNats:
    """Core NATS: a subject per event type, and a queue group per subscription."""

    name: str = "nats"
    capabilities: frozenset[Capability] = Nats.capabilities
    drops: Mapping[str, str] = field(default_factory=lambda: {"drop_newest": "newest"})

    def start(self, sim: Simulation) -> RunningBroker:
        return Nats().start(sim)

    def destination(self, broker: Any, name: str) -> Destination:
        return broker.subject(f"{name}.{{type}}")

    def subscription(self, broker: Any, destination: Any, name: str, **wishes: Any) -> Subscription:
        made: Subscription = broker.subscribe(
            *_patterns(destination, wishes), queue=name, pending_messages=wishes.get("capacity")
        )
        return made


@dataclass(frozen=True)
class OnJetStream:
    """JetStream: a stream per destination, kept by interest, and a durable consumer per subscription.

    The bound is the stream's. What is in work counts as stored: it is the oldest, which a stream that discards the old
    drops without harm, and one message more than wait for a stream that discards the new.
    """

    name: str = "jetstream"
    capabilities: frozenset[Capability] = JetStream.capabilities
    drops: Mapping[str, str] = field(default_factory=lambda: {"new": "newest", "old": "oldest"})

    def start(self, sim: Simulation) -> RunningBroker:
        return JetStream().start(sim)

    def destination(self, broker: Any, name: str) -> Destination:
        return broker.subject(f"{name}.{{type}}")

    def subscription(self, broker: Any, destination: Any, name: str, **wishes: Any) -> Subscription:
        stem, limits = destination.name.partition(".")[0], {}
        if wishes.get("capacity") is not None:
            in_work = 1 if wishes["overflow"] == "new" else 0
            limits = {"max_messages": wishes["capacity"] + in_work, "discard": wishes["overflow"]}
        stream = broker.stream(stem, subjects=f"{stem}.>", retention="interest", **limits)
        filters = () if wishes.get("types") is None else _patterns(destination, wishes)
        made: Subscription = stream.consumer(name, filter_subjects=filters, ack_wait_s=600.0)
        return made


@dataclass(frozen=True)
class OnActiveMQ:
    """ActiveMQ: a composite topic for each destination, which forwards to a queue for each subscription.

    What is in work takes memory as well, so the limit is one message more than may wait.
    """

    name: str = "activemq"
    capabilities: frozenset[Capability] = ActiveMQ.capabilities
    drops: Mapping[str, str] = field(default_factory=lambda: {"send_fail_if_no_space": "newest"})

    def start(self, sim: Simulation) -> RunningBroker:
        return ActiveMQ(prefetch=1).start(sim)

    def destination(self, broker: Any, name: str) -> Destination:
        return broker.composite_topic(name)

    def subscription(
        self,
        broker: Any,
        destination: Any,
        name: str,
        *,
        types: list[str] | None = None,
        capacity: int | None = None,
        overflow: str | None = None,
        attempts: int | None = None,
        dead_letters: Any = None,
    ) -> Subscription:
        policy = {
            "memory_limit_messages": None if capacity is None else capacity + 1,
            "when_full": overflow,
            "dead_letter_queue": None if dead_letters is None else f"topic://{dead_letters.name}",
        }
        queue = destination.forward_to(
            name,
            selector=None if types is None else f"JMSType IN ({', '.join(repr(each) for each in types)})",
            policy=DestinationPolicy(**{word: wish for word, wish in policy.items() if wish is not None}),
        )
        redelivery = None if attempts is None else RedeliveryPolicy(maximum_redeliveries=attempts - 1)
        made: Subscription = queue.consume(redelivery=redelivery)
        return made


@dataclass(frozen=True)
class OnKafka:
    """Kafka: a topic for each event type of a destination, and a group for each subscription.

    Records without a key go in turn to three partitions, so that three takers have work, and each is committed when it
    is done, so that a crash repeats nothing but what was in work.
    """

    name: str = "kafka"
    capabilities: frozenset[Capability] = Kafka.capabilities
    drops: Mapping[str, str] = field(default_factory=dict)

    def start(self, sim: Simulation) -> RunningBroker:
        return Kafka(
            partitions=3,
            keyless="round_robin",
            commit="after_each",
            auto_offset_reset="earliest",
            isolation="read_committed",
            initial_rebalance_delay_s=0.0,
            max_poll_interval_s=3600.0,
        ).start(sim)

    def destination(self, broker: Any, name: str) -> Destination:
        return ByType(name, broker, {each: broker.topic(f"{name}.{each}") for each in ("x", "apple", "pear", "stone")})

    def subscription(self, broker: Any, destination: Any, name: str, **wishes: Any) -> Subscription:
        types = wishes.get("types") or list(destination.topics)
        made: Subscription = broker.group(name, [destination.topics[each] for each in types])
        return made

    def read_again(self, subscription: Any) -> None:
        for place in subscription.places:
            subscription.seek(*place.key, 0)

    def transaction(
        self, broker: Any, destination: Any, at_s: tuple[float, ...], end_s: float, end: str
    ) -> Generator[Any, Any, None]:
        producer = broker.producer("sender", transactional_id="t")
        producer.begin()
        for instant_s in at_s:
            yield broker.sim.env.timeout(instant_s - broker.sim.env.now)
            producer.send(destination.topics["x"], Event(type="x"))
        yield broker.sim.env.timeout(end_s - broker.sim.env.now)
        getattr(producer, end)()


def _patterns(destination: Any, wishes: Mapping[str, Any]) -> list[str]:
    stem, types = destination.name.partition(".")[0], wishes.get("types")
    return [f"{stem}.>"] if types is None else [f"{stem}.{each}" for each in types]


ADAPTERS: list[Adapter] = [InMemory(), OnActiveMQ(), OnRabbitMQ(), OnNats(), OnJetStream(), OnKafka()]

PROMISED: set[Capability] = set()
"""The capabilities for which there are tests."""


def promise(capability: Capability) -> Callable[[Any], Any]:
    """Marks a test of what a capability promises: it runs for each broker that declares it, as the fixture `stage`."""
    PROMISED.add(capability)
    able = [adapter for adapter in ADAPTERS if capability in adapter.capabilities]
    return pytest.mark.parametrize("stage", able, ids=lambda adapter: adapter.name, indirect=True)


def promise_of_each_policy() -> Callable[[Any], Any]:
    """As `promise(Capability.BOUNDED_QUEUE)`, once for each policy of a full queue; `overflow` is the broker's word."""
    PROMISED.add(Capability.BOUNDED_QUEUE)
    policies = [
        pytest.param(adapter, overflow, id=f"{adapter.name}-{overflow}")
        for adapter in ADAPTERS
        if Capability.BOUNDED_QUEUE in adapter.capabilities
        for overflow in adapter.drops
    ]
    return pytest.mark.parametrize(("stage", "overflow"), policies, indirect=["stage"])


class Stage:
    """One broker in one simulation, with words for telling a short story about it."""

    def __init__(self, adapter: Adapter, seed: int = 1) -> None:
        self.adapter = adapter
        self.sim = Simulation(seed=seed)
        self.broker = adapter.start(self.sim)

    def destination(self, name: str = "here") -> Destination:
        return self.adapter.destination(self.broker, name)

    def subscription(self, destination: Destination, name: str = "mine", **wishes: Any) -> Subscription:
        return self.adapter.subscription(self.broker, destination, name, **wishes)

    def publish(self, to: Destination, count: int, every_s: float = 1.0, name: str = "src", kind: str = "x") -> None:
        """`count` events of type `kind`, the first after `every_s` seconds."""
        arrivals = load.Constant(rate_per_s=1.0 / every_s).first(count)
        Source(name, load=arrivals, to=to, event=lambda occasion: Event(type=kind, data=occasion.number))

    def work(self, of: Subscription, name: str = "worker", service_s: float = 0.1, **more: Any) -> Service:
        """A service on a subscription."""
        return Service(name, of=of, service_time=times.Constant(value_s=service_s), **more)

    def crash(self, node: str, at_s: float, back_s: float) -> None:
        """The node is down from `at_s` to `back_s`."""
        self.sim.at(at_s, self.sim.node(node).crash)
        self.sim.at(back_s, self.sim.node(node).restart)


def rows_of(run: Run, group: str) -> list[tuple[str, int, str]]:
    """What became of each attempt at a subscription: event id, attempt, outcome, in order of publishing."""
    table = run.messages()
    mine = table[table["group"] == group]
    return list(zip(mine["event_id"], mine["attempt"], mine["outcome"], strict=True))


def done_by(run: Run, group: str) -> list[str]:
    """The ids of the events done at a subscription, in order of their end."""
    table = run.messages()
    mine = table[(table["group"] == group) & (table["outcome"] == "done")]
    return list(mine.sort_values("finished_s", kind="stable")["event_id"])


def ids(count: int, name: str = "src") -> list[str]:
    """The ids of a publisher's first events."""
    return [f"{name}-{number}" for number in range(count)]
