"""One broker between a publisher and a service of several consumers, of which one may die and one may be slow.

The same messages, consumers and crash on any broker: what the dead consumer held comes back as that broker's rules say
(RMQ-13: at once; AMQ-02: at once; KAF-13 and KAF-19: after the session timeout, from the last committed offset; NAT-11:
after the ack wait; NAT-02: never). Left out: a consumer that comes back, and brokers that die.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from .. import checks
from ..brokers import MemoryBus, Topology
from ..brokers.base import Capability, require
from ..errors import ConfigurationError
from ..events import Event
from ..kernel import Simulation, times
from ..services import Service, Source, load
from ..services.source import Occasion
from .base import Scenario

PUBLISHER, WORKERS, KIND = "publisher", "workers", "job.placed"
VICTIM = f"{WORKERS}/0"
TOPOLOGY = Topology(name="jobs", publishes={PUBLISHER: (KIND,)}, consumes={WORKERS: (KIND,)})


@checks.configuration
class OneBroker(Scenario):
    """`messages` are published at `rate_per_s` (Poisson) through `broker` to `consumers` that share the work.

    Publishing begins at `from_s`, when a consumer group has found together, or up to `phase_s` later, by chance, so
    that a crash falls into any phase of heartbeats. Each message has one of `keys` keys as its subject. `service_time`
    is a distribution of `eda.times`; the first consumer takes `slow_ratio` times as long, and dies for good `crash_s`
    seconds after publishing began (None: nobody dies).

    >>> run = OneBroker(messages=50, crash_s=0.1).run(seed=1)
    >>> run.summary()["workers"].done
    50
    """

    broker: Any = checks.kind(object, "a broker, such as RabbitMQ(prefetch=20)", default=MemoryBus())
    messages: int = checks.at_least(1, default=1000)
    rate_per_s: float = checks.positive(default=250.0)
    from_s: float = checks.non_negative(default=10.0)
    phase_s: float = checks.non_negative(default=0.0)
    keys: int = checks.at_least(1, default=100)
    service_time: times.Times = checks.checked(times.check_times, default=times.Exponential(mean_s=0.02))
    consumers: int = checks.at_least(1, default=4)
    slow_ratio: float = checks.positive(default=1.0)
    crash_s: float | None = checks.optional(checks.check_non_negative, default=2.0)

    def check(self) -> None:
        """The broker can be started."""
        if isinstance(self.broker, type) or not hasattr(self.broker, "start"):
            raise ConfigurationError(
                f"OneBroker.broker is {self.broker!r}",
                field="OneBroker.broker",
                value=self.broker,
                remedy="give a broker, such as RabbitMQ(prefetch=20)",
            )

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The broker with one topology; keeps the running `broker` and its `wiring`."""
        broker = self.broker.start(sim)
        require(broker, (Capability.COMPETING_CONSUMERS,), "a service of several consumers")
        wiring = broker.wire(TOPOLOGY)
        self._employ(wiring.subscription(WORKERS))
        from_s = self.from_s + self.phase_s * sim.streams.uniform(f"{PUBLISHER}/phase")()
        sim.at(from_s, partial(self._publish, wiring.destination(PUBLISHER)))
        if self.crash_s is not None:
            sim.at(from_s + self.crash_s, sim.node(VICTIM).crash)
        return {"broker": broker, "wiring": wiring}

    def _employ(self, subscription: Any) -> None:
        names = [f"{WORKERS}/{place}" for place in range(self.consumers)]
        if self.slow_ratio == 1.0:
            Service(WORKERS, of=subscription, nodes=names, service_time=self.service_time)
            return
        draw_s = self.service_time.draws(subscription.sim.streams.generator(f"{WORKERS}/own_pace/service_time"))

        def work(_event: Event, context: Any) -> Any:
            slower = self.slow_ratio if context.node.name == VICTIM else 1.0
            yield context.pause(slower * draw_s())

        Service(WORKERS, of=subscription, nodes=names, handler=work)

    def _publish(self, to: Any) -> None:
        def job(occasion: Occasion) -> Event:
            return Event(type=KIND, subject=f"customer-{int(occasion.draw() * self.keys)}")

        Source(PUBLISHER, load=load.Poisson(rate_per_s=self.rate_per_s).first(self.messages), to=to, event=job)


def six_brokers(held: int = 20) -> Mapping[str, Any]:
    """The six brokers by name, set so that one consumer holds at most `held` messages, where the broker has a bound.

    RabbitMQ and ActiveMQ call it prefetch, Kafka's client `max.poll.records` (it commits after each poll here), a pull
    of JetStream the batch. The memory bus hands out one message at a time, core NATS has no bound.

    >>> six_brokers(5)["RabbitMQ"].prefetch
    5
    """
    from ..brokers import ActiveMQ, JetStream, Kafka, Nats, RabbitMQ

    checks.check_whole(1)("held", held)
    return MappingProxyType(
        {
            "memory bus": MemoryBus(),
            "RabbitMQ": RabbitMQ(prefetch=held),
            "ActiveMQ": ActiveMQ(prefetch=held),
            "Kafka": Kafka(partitions=12, max_poll_records=held, commit="after_batch"),
            "JetStream": JetStream(batch=held),
            "core NATS": Nats(),
        }
    )
