"""What can be published to: exchanges, queues by the default exchange, and addresses; and publisher confirms.

An address is an exchange with all that a message shall carry: routing key, headers, expiry, priority, delivery mode. An
exchange by itself takes the event's type for the routing key and its attributes for the headers. Follows confirms.md
of rabbitmq-website (versioned_docs/version-3.13). Left out: transactions (`tx`), which are per channel, slow, and no
exactly-once; confirms serve the same purpose.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import simpy

from ... import checks
from ...errors import ConfigurationError
from ...events import Event
from ..base import Message, event_of
from ..by_hand import publish
from .queue import UNBOUNDED_QUORUM_PREFETCH, QueueState
from .ready import Properties
from .routing import RoutingTable
from .settings import ExchangeArguments, QueueArguments, QueueType
from .subscription import Acknowledgement, Consumption, Polling, Refusal
from .topic import check_short_string

if TYPE_CHECKING:
    from .broker import RunningRabbitMQ

KeyOf = Callable[[Event], str]
PriorityOf = Callable[[Event], int]
HeadersOf = Callable[[Event], Mapping[str, Any]]


def attributes_of(event: Event) -> dict[str, Any]:
    """The headers of an event that is given none: its attributes and extensions."""
    named = {"type": event.type, "source": event.source, "subject": event.subject}
    return {**{name: value for name, value in named.items() if value is not None}, **event.extensions}


class Exchange(RoutingTable):
    """An exchange of the running broker."""

    def __init__(self, broker: RunningRabbitMQ, name: str, arguments: ExchangeArguments) -> None:
        super().__init__(name, arguments)
        self.broker = broker
        self.sim = broker.sim
        self.nobody = self.sim.log.endpoint(self.sim.log.lane(broker.name, name or "(default exchange)", ""), "")
        self.plain = Address(self, None, None, None, None, persistent=True)
        self.route: Callable[[float, Message], None] = self.plain.route

    def bind(self, source: Exchange, routing_key: str = "", arguments: Mapping[str, Any] | None = None) -> Exchange:
        """Binds this exchange to another one, from which messages then flow on; returns itself."""
        self.broker.bind(source, self, routing_key, arguments)
        return self

    def address(
        self,
        routing_key: str | KeyOf | None = None,
        *,
        headers: Mapping[str, Any] | HeadersOf | None = None,
        expiration_s: float | None = None,
        priority: int | PriorityOf | None = None,
        persistent: bool = True,
    ) -> Address:
        """A destination: this exchange with what each message shall carry.

        A routing key, headers or a priority may be functions of the event. Without a key it is the event's type.
        `expiration_s` is how long a message may wait in a queue, `priority` is from 0 to 255, `persistent` the
        delivery mode (2 if true).
        """
        key = routing_key if routing_key is None or callable(routing_key) else check_short_string("key", routing_key)
        expiration_s = checks.check_optional(checks.check_non_negative)("expiration_s", expiration_s)
        if priority is not None and not callable(priority):
            priority = cast("int", checks.check_whole(0, 255)("priority", priority))
        if headers is not None and not callable(headers) and not isinstance(headers, Mapping):
            raise checks.refuse("headers", headers, "give a dictionary, or a function of the event that makes one")
        return Address(self, key, headers, expiration_s, priority, persistent=persistent)

    def publish(self, event: Event, *, publisher: str = "by-hand", **properties: Any) -> Event:
        """Publishes an event now, from your own process; `properties` are those of `address`."""
        to = self.address(**properties) if properties else self.plain
        return to.publish(event, publisher=publisher)

    def publish_confirmed(
        self, event: Event, *, publisher: str = "by-hand", mandatory: bool = False, **properties: Any
    ) -> PublisherConfirm:
        """Publishes with a confirm: `confirm = yield exchange.publish_confirmed(event)`, a `Confirm`."""
        to = self.address(**properties) if properties else self.plain
        return PublisherConfirm(to, event, publisher, mandatory=mandatory)

    def on_settled(self, tell: Callable[[float, Message], None]) -> None:
        """Calls `tell(now_s, message)` when a message leaves a queue for good, or reaches none."""
        self.broker.settled.append(tell)


class Address:
    """A destination: an exchange and what each message shall carry."""

    def __init__(
        self,
        exchange: Exchange,
        key: str | KeyOf | None,
        headers: Mapping[str, Any] | HeadersOf | None,
        expiration_s: float | None,
        priority: int | PriorityOf | None,
        *,
        persistent: bool,
    ) -> None:
        self.exchange = exchange
        self.sim = exchange.sim
        self.name = exchange.name
        self._key = key
        self._headers = headers
        self._expiration_s = expiration_s
        self._priority = priority
        self._persistent = persistent
        alike = isinstance(key, str) and not callable(priority) and not callable(headers)
        self._always = self._with(Event(type="any"), headers or {}) if alike else None
        self.route: Callable[[float, Message], None] = self._route

    def _route(self, now_s: float, message: Message) -> None:
        self.exchange.broker.carry(now_s, self.exchange, message, self.properties_of(message))

    def properties_of(self, message: Message) -> Properties:
        """What a message carries to this address."""
        by_event = self._headers is None and self.exchange.broker.reads_headers
        if self._always is not None and not by_event:
            return self._always
        event = event_of(self.sim, message)
        headers = self._headers(event) if callable(self._headers) else self._headers
        return self._with(event, attributes_of(event) if by_event else headers or {})

    def _with(self, event: Event, headers: Any) -> Properties:
        key = event.type if self._key is None else (self._key(event) if callable(self._key) else self._key)
        priority = self._priority(event) if callable(self._priority) else self._priority
        return Properties(self.exchange.name, (key,), headers, self._expiration_s, priority, self._persistent)

    def publish(self, event: Event, *, publisher: str = "by-hand") -> Event:
        """Publishes an event now, from your own process; returns it with id and source filled in."""
        return publish(self, event, publisher)

    def on_settled(self, tell: Callable[[float, Message], None]) -> None:
        """Calls `tell(now_s, message)` when a message leaves a queue for good, or reaches none."""
        self.exchange.on_settled(tell)


class Queue(QueueState):
    """A queue of the running broker: can be bound, published to by its name, and consumed from."""

    def __init__(self, broker: RunningRabbitMQ, name: str, arguments: QueueArguments) -> None:
        super().__init__(broker, name, arguments)
        self.subscriptions: list[Consumption] = []
        self._own = Properties("", (name,))
        self.route: Callable[[float, Message], None] = self._route

    def _route(self, now_s: float, message: Message) -> None:
        """By the default exchange, which every queue is bound to by its name."""
        if self.broker.flows and not self.is_deleted:
            self.offer(now_s, message, self._own)
        else:
            self.broker.carry(now_s, self.broker.default_exchange, message, self._own)

    def publish(self, event: Event, *, publisher: str = "by-hand", **properties: Any) -> Event:
        """Publishes an event to this queue now; `properties` are those of `Exchange.address`."""
        return self.broker.default_exchange.publish(event, publisher=publisher, routing_key=self.name, **properties)

    def address(self, **properties: Any) -> Address:
        """A destination: this queue, with what each message shall carry (see `Exchange.address`)."""
        return self.broker.default_exchange.address(self.name, **properties)

    def on_settled(self, tell: Callable[[float, Message], None]) -> None:
        """Calls `tell(now_s, message)` when a message leaves a queue for good, or reaches none."""
        self.broker.settled.append(tell)

    def bind(self, source: Exchange, routing_key: str = "", arguments: Mapping[str, Any] | None = None) -> Queue:
        """Binds the queue to an exchange: `routing_key` is a pattern for a topic exchange. Returns the queue."""
        self.broker.bind(source, self, routing_key, arguments)
        return self

    def consume(
        self,
        *,
        prefetch: int = 0,
        priority: int = 0,
        acknowledgement: Acknowledgement | str = Acknowledgement.MANUAL,
        on_failure: Refusal | str = Refusal.REQUEUE,
    ) -> Consumption:
        """A subscription. Takers of one name are one consumer; `prefetch` bounds what it holds (0: no bound).

        Consumers of a higher `priority` are served first. With `acknowledgement="automatic"` a message is done when it
        is sent, and prefetch bounds nothing. `on_failure` says whether a service that fails requeues or rejects.
        """
        mode: Acknowledgement = checks.check_word(Acknowledgement)("acknowledgement", acknowledgement)
        prefetch = checks.check_whole(0, 65535)("prefetch", prefetch)
        made = Consumption(
            self,
            limit=self._limit(prefetch, mode),
            priority=checks.check_whole(-(2**31), 2**31 - 1)("priority", priority),
            acknowledgement=mode,
            on_failure=checks.check_word(Refusal)("on_failure", on_failure),
        )
        self.subscriptions.append(made)
        return made

    def poll(self) -> Polling:
        """A subscription that is read message by message, by hand (`basic.get`)."""
        made = Polling(self)
        self.subscriptions.append(made)
        return made

    def _limit(self, prefetch: int, acknowledgement: Acknowledgement) -> int | None:
        if acknowledgement is Acknowledgement.AUTOMATIC:
            return None
        if self.arguments.type is QueueType.QUORUM:
            return min(prefetch or UNBOUNDED_QUORUM_PREFETCH, UNBOUNDED_QUORUM_PREFETCH)
        return prefetch or None


class Confirmed(enum.Enum):
    """What the broker answered to a publisher: it has the message, it refused it, or the connection was lost."""

    ACK = "ack"
    NACK = "nack"
    LOST = "connection lost"


class Confirm(NamedTuple):
    """The answer to one publish; `returned` is the reply to a mandatory message that reached no queue."""

    answer: Confirmed
    returned: str | None
    event: Event


class PublisherConfirm(simpy.Event):
    """Triggers with a `Confirm` when the message is safe, refused, or lost with the connection."""

    def __init__(self, to: Address, event: Event, publisher: str, *, mandatory: bool) -> None:
        super().__init__(to.sim.env)
        if not isinstance(event, Event):
            raise ConfigurationError(f"event is {event!r}", field="event", value=event, remedy="publish an Event")
        self._to = to
        self.sim = to.sim
        self.name = to.name
        self.route: Callable[[float, Message], None] = self._carry
        self.mandatory = mandatory
        self.event = event
        publish(self, event, publisher)

    def _carry(self, now_s: float, message: Message) -> None:
        self.event = event_of(self.sim, message)
        broker = self._to.exchange.broker
        broker.carry(now_s, self._to.exchange, message, self._to.properties_of(message), self)

    def answer(self, answer: Confirmed, returned: str | None = None) -> None:
        """The broker's answer arrives now."""
        if not self.triggered:
            self.succeed(Confirm(answer, returned if self.mandatory else None, self.event))
