"""The registration case on each broker: the same story, laid out in that broker's own words.

Every broker with its defaults, with two exceptions: Kafka's topics have 12 partitions, so that the mail service's nodes
can share them, and its groups have found together after a fraction of a second, as if they had been there before. Core
NATS promises less than the others, and the case says so (`promise`). Left out: tuning.
"""

from __future__ import annotations

from ...brokers import ActiveMQ, JetStream, Kafka, MemoryBus, Nats, RabbitMQ
from ...errors import UnknownNameError
from .scenario import Promise, Registration

MEMORY_BUS, CORE_NATS = "memory bus", "core NATS"
BROKERS = (MEMORY_BUS, "RabbitMQ", "ActiveMQ", "Kafka", "JetStream", CORE_NATS)
FOUND_TOGETHER_S = 0.1


def on_broker(scenario: Registration, name: str) -> Registration:
    """The same case on the broker of that name, one of `BROKERS`, with the promise that this broker can keep.

    >>> on_broker(Registration(), "core NATS").promise.value
    'at_most_once'
    """
    kinds = {
        MEMORY_BUS: MemoryBus,
        "RabbitMQ": RabbitMQ,
        "ActiveMQ": ActiveMQ,
        "Kafka": _kafka,
        "JetStream": JetStream,
        CORE_NATS: Nats,
    }
    if name not in kinds:
        raise UnknownNameError("broker", name, BROKERS)
    promise = Promise.AT_MOST_ONCE if name == CORE_NATS else Promise.AT_LEAST_ONCE
    return scenario.but(broker=kinds[name](), promise=promise)


def _kafka() -> Kafka:
    return Kafka(partitions=12, initial_rebalance_delay_s=FOUND_TOGETHER_S)
