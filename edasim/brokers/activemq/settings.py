"""What is set at an ActiveMQ broker and at its clients, as checked, frozen configurations.

Follows ActiveMQ Classic 5.17: `PolicyEntry.java`, `AbstractDeadLetterStrategy.java`, `BaseDestination.java` (messages
are looked through for expired ones every 30 s), `ActiveMQPrefetchPolicy.java` and `ProtocolConverter.java` (1000 for
queues, 32767 for topics, 100 for durable subscribers, over OpenWire and STOMP alike), `ActiveMQSession.java`
(acknowledge modes). Left out: sizes in bytes (a memory limit counts messages of one size), limits of store and disk,
policies by wildcard.
"""

from __future__ import annotations

import enum

from ... import checks
from .selector import Client

DEAD_LETTER_QUEUE = "ActiveMQ.DLQ"
LARGEST_PREFETCH = 32767


class Acknowledge(enum.Enum):
    """Acknowledge modes of a session, for consumers by hand and for services."""

    AUTO = "auto"
    """Each message when its listener has returned; over STOMP when it is sent, so a crash loses it."""

    CLIENT = "client"
    """`ack` settles all that the consumer was given so far; over STOMP all up to this message."""

    INDIVIDUAL = "individual"
    """`ack` settles this message only."""

    DUPS_OK = "dups_ok"
    """Lazily: when half a prefetch is done; what a crash finds done but not acknowledged comes again."""

    TRANSACTED = "transacted"
    """`ack` commits, `nack` rolls back, all that the consumer was given since the last time."""


class DeliveryMode(enum.Enum):
    """Whether a message is in the store, and survives a crash of the broker."""

    PERSISTENT = "persistent"
    NON_PERSISTENT = "non_persistent"


class MessageOrder(enum.Enum):
    """In which order messages wait."""

    ARRIVAL = "arrival"
    PRIORITY = "prioritized_messages"


class WhenFull(enum.Enum):
    """What a producer meets at a destination whose memory limit is reached."""

    HOLD_BACK = "hold_back"
    FAIL = "send_fail_if_no_space"


class DeadLetters(enum.Enum):
    """Which messages the dead letter queue takes."""

    PERSISTENT = "persistent"
    ALL = "process_non_persistent"


class Expired(enum.Enum):
    """What becomes of an expired message that the dead letter queue would take."""

    DEAD_LETTER = "dead_letter"
    DISCARD = "discard"


@checks.configuration
class DestinationPolicy:
    """How a broker treats a destination.

    `dead_letter_queue` is a queue, or a topic ("topic://…"); None discards. `memory_limit_messages` bounds the messages
    that are not acknowledged yet (None: no bound). Every `expire_check_s` seconds expired messages are looked for.
    """

    order: MessageOrder = checks.word(MessageOrder, default=MessageOrder.ARRIVAL)
    memory_limit_messages: int | None = checks.optional(checks.check_whole(1), default=None)
    when_full: WhenFull = checks.word(WhenFull, default=WhenFull.HOLD_BACK)
    dead_letter_queue: str | None = checks.optional(checks.check_text, default=DEAD_LETTER_QUEUE)
    dead_letters: DeadLetters = checks.word(DeadLetters, default=DeadLetters.PERSISTENT)
    expired: Expired = checks.word(Expired, default=Expired.DEAD_LETTER)
    expire_check_s: float = checks.positive(default=30.0)


@checks.configuration
class RedeliveryPolicy:
    """When a client tries a message again that its listener refused, before it tells the broker that it is poison.

    Follows `RedeliveryPolicy.java`: at most `maximum_redeliveries` (-1: no bound), the first after `initial_delay_s`,
    further ones after the same time, or after `back_off_multiplier` times the last one, up to `maximum_delay_s`; each
    but the first is spread by up to `collision_avoidance_ratio` to both sides. ActiveMQ's own values for what is off
    here are 5 and 0.15. `order` says whether later messages wait.

    >>> RedeliveryPolicy(back_off_multiplier=5.0).delay_s(2, previous_s=1.0, draw=0.5)
    5.0
    """

    class Order(enum.Enum):
        """Whether later messages of the consumer wait for a message that is to be tried again."""

        BLOCKING = "blocking"
        NON_BLOCKING = "non_blocking_redelivery"

    maximum_redeliveries: int = checks.at_least(-1, default=6)
    initial_delay_s: float = checks.non_negative(default=1.0)
    back_off_multiplier: float | None = checks.optional(checks.check_positive, default=None)
    maximum_delay_s: float | None = checks.optional(checks.check_positive, default=None)
    collision_avoidance_ratio: float = checks.ratio(default=0.0)
    order: Order = checks.word(Order, default=Order.BLOCKING)

    def is_exhausted(self, redeliveries: int) -> bool:
        """Whether a message that would now be delivered again for the time number `redeliveries` is poison."""
        return 0 <= self.maximum_redeliveries < redeliveries

    def delay_s(self, redeliveries: int, previous_s: float, draw: float) -> float:
        """Seconds to wait before the redelivery number `redeliveries` (from 1); `draw` is uniform in [0, 1)."""
        if redeliveries <= 1:
            return self.initial_delay_s
        next_s = self.initial_delay_s
        if self.back_off_multiplier is not None and self.back_off_multiplier > 1.0 and previous_s > 0.0:
            next_s = previous_s * self.back_off_multiplier
            if self.maximum_delay_s is not None and next_s > self.maximum_delay_s:
                next_s = max(self.maximum_delay_s, self.initial_delay_s)
        return next_s * (1.0 + (2.0 * draw - 1.0) * self.collision_avoidance_ratio)


@checks.configuration
class ConsumerSettings:
    """How a consumer is connected. `prefetch` bounds what it holds unacknowledged; 0 asks for each message."""

    client: Client = checks.word(Client, default=Client.OPENWIRE)
    prefetch: int = checks.checked(checks.check_whole(0, LARGEST_PREFETCH))
    acknowledge: Acknowledge = checks.word(Acknowledge, default=Acknowledge.AUTO)
    redelivery: RedeliveryPolicy = checks.kind(RedeliveryPolicy, "a RedeliveryPolicy", default=RedeliveryPolicy())
    priority: int = checks.checked(checks.check_whole(0, 127), default=0)

    @property
    def forgets(self) -> bool:
        """Whether the broker takes a message for acknowledged when it is sent: over STOMP with ack:auto."""
        return self.client is Client.STOMP and self.acknowledge is Acknowledge.AUTO
