"""The configuration of a RabbitMQ broker.

Defaults are those of AMQP clients and of RabbitMQ 3.10 to 3.13, but for the acknowledgement timeout. Left out: all that
has no effect on when and in which order messages arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import checks
from ...kernel import Simulation
from ..base import Capability
from .settings import QueueType

if TYPE_CHECKING:
    from .broker import RunningRabbitMQ


@checks.configuration
class RabbitMQ:
    """The configuration of a RabbitMQ broker; `start(sim)` puts it into a simulation.

    `prefetch`, `queue_type`, `delivery_limit` and `message_ttl_s` are used when a topology is laid out (`wire`). A
    persistent message is safe, and confirmed, at the next writing to disk, every `sync_interval_s`; in a quorum queue
    after `replication_s`. `consumer_timeout_s` closes the channel of a consumer that does not acknowledge; RabbitMQ's
    default is 1,800 s, here it is off unless you ask, because it keeps a simulation alive that has nothing else to do.

    >>> broker = RabbitMQ().start(Simulation(seed=1))
    >>> broker.declare_queue("mails").bind(broker.declare_exchange("events", type="topic"), "mail.#").name
    'mails'
    """

    name: str = checks.text(default="rabbitmq")
    prefetch: int = checks.checked(checks.check_whole(0, 65535), default=0)
    queue_type: QueueType = checks.word(QueueType, default=QueueType.CLASSIC)
    delivery_limit: int | None = checks.optional(checks.check_whole(0), default=None)
    message_ttl_s: float | None = checks.optional(checks.check_non_negative, default=None)
    consumer_timeout_s: float | None = checks.optional(checks.check_positive, default=None)
    sync_interval_s: float = checks.positive(default=0.2)
    replication_s: float = checks.non_negative(default=0.0)

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
            Capability.ROUTING,
        }
    )

    def start(self, sim: Simulation) -> RunningRabbitMQ:
        """Starts the broker in `sim`."""
        from .broker import RunningRabbitMQ

        return RunningRabbitMQ(self, sim)

    def describe(self) -> str:
        """The broker in plain words."""
        bound = f"at most {self.prefetch} unacknowledged messages" if self.prefetch else "any number of messages"
        return (
            f"RabbitMQ: exchanges route messages into {self.queue_type.value} queues by bindings; "
            f"a queue sends {bound} ahead to each consumer, in turn, and keeps what is unacknowledged"
        )
