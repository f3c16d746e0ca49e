"""How a broker joins the contract suite, and what the suite's tests are told by.

A broker joins with an `Adapter`, which says in the broker's own words how to make a destination and a subscription, and
is added to `ADAPTERS`. From then on it must pass the tests (`test_contract.py`) of each capability that it declares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from edasim import Event, MemoryBus, RabbitMQ, Service, Simulation, Source, load, times
from edasim.brokers import Capability
from edasim.brokers.base import Destination, RunningBroker, Subscription
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


ADAPTERS: list[Adapter] = [InMemory(), OnRabbitMQ()]

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
