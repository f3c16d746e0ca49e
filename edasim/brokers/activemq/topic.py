"""Topics of ActiveMQ: each subscriber gets a copy of its own, if it is there or durable.

Follows `Topic.java`, `TopicSubscription.java`, `DurableTopicSubscription.java` and `TopicRegion.java` of ActiveMQ 5.17.
A plain subscriber gets what is sent while it is connected, and loses what it holds when it leaves (AMQ-16); a durable
one, known by its client id and name, finds what came meanwhile, and has one connection at a time (AMQ-11). A message
takes the topic's memory until each copy is acknowledged, so a slow subscriber holds back the producers, and with them
the fast ones, unless a limit of pending messages drops its oldest (AMQ-19). Left out: shared subscriptions, retroactive
consumers, other ways to choose what is dropped, spooling to disk (a topic without memory limit).
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from ... import checks
from ...errors import ConfigurationError
from ...kernel.runlog import DROPPED, FILTERED, NEVER, pack_row
from ..base import Message, Taker, event_of
from .consumption import Consumption
from .destination import Sends
from .dispatcher import Dispatcher, is_persistent
from .errors import JMSError
from .intake import Intake
from .message import Entry, Headers, Share, properties_of
from .queue import Queue
from .selector import Client, Selector, selector
from .settings import Acknowledge, ConsumerSettings, DestinationPolicy, RedeliveryPolicy

if TYPE_CHECKING:
    from .broker import RunningActiveMQ


class Keeping(enum.Enum):
    """What a subscriber finds after it was away."""

    WHILE_CONNECTED = "subscriber"
    DURABLE = "durable subscriber"

    def survives(self, entry: Entry) -> bool:
        """Whether a crash of the broker leaves the subscriber a message."""
        return self is Keeping.DURABLE and is_persistent(entry)


class Subscriber(Consumption):
    """A subscriber of a topic: one consumer that gets all messages that it selects."""

    def __init__(
        self,
        broker: RunningActiveMQ,
        topic: str,
        name: str,
        settings: ConsumerSettings,
        *,
        policy: DestinationPolicy,
        wanted: Selector | None,
        keeps: Keeping,
        pending_limit: int | None,
    ) -> None:
        self.wanted = wanted
        self.keeps = keeps
        self.pending_limit = pending_limit
        self.topics: list[Topic] = []
        dispatcher = Dispatcher(
            broker.sim,
            broker.sim.log.lane(broker.name, topic, name),
            name,
            policy,
            bury=lambda now_s, entry: broker.bury(now_s, entry, policy),
            settled=self._tell_settled,
            is_down=broker.is_away,
            survives=keeps.survives,
        )
        super().__init__(dispatcher, settings, selector=None, exclusive=False, draw=broker.draw, is_down=broker.is_away)

    @property
    def is_there(self) -> bool:
        """Whether it gets what is sent now."""
        return self.keeps is Keeping.DURABLE or bool(self._dispatcher.consumers)

    def ready(self, taker: Taker, now_s: float) -> None:
        """The taker is free. Raises `JMSError` if another consumer uses the subscription."""
        if self.consumers and taker.name not in self.consumers:
            raise JMSError(
                f"{self.keeps.value} {self.name!r} is in use by {next(iter(self.consumers))!r}",
                field="consumer",
                value=taker.name,
                remedy="give each consumer a subscription of its own, or share a queue of a virtual topic",
                at_s=now_s,
            )
        super().ready(taker, now_s)

    def offer(self, now_s: float, message: Message, headers: Headers, share: Share) -> None:
        """A copy of a message; the oldest that wait are dropped if there are too many now."""
        dispatcher = self._dispatcher
        dispatcher.offer(now_s, message, headers, share)
        while self.pending_limit is not None and len(dispatcher.pending) > self.pending_limit:
            dispatcher.discard(now_s, dispatcher.pending.pop_first())

    def crash(self, now_s: float) -> None:
        """The broker dies."""
        self._dispatcher.crash(now_s)

    def come_back(self, now_s: float, entries: list[Entry]) -> None:
        """A durable subscriber will find it again; for a plain one it is gone."""
        if self.keeps is Keeping.DURABLE:
            super().come_back(now_s, entries)
            return
        for entry in [*entries, *self._dispatcher.pending.take_all(lambda _entry: True)]:
            self._dispatcher.discard(now_s, entry)

    def _tell_settled(self, now_s: float, message: Message) -> None:
        for topic in self.topics:
            topic.intake.tell_settled(now_s, message)


class Subscribes:
    """What can be subscribed to: a topic, or all topics of a pattern."""

    def __init__(self, broker: RunningActiveMQ, pattern: str, policy: DestinationPolicy) -> None:
        self.policy = policy
        self.subscribers: dict[str, Subscriber] = {}
        self._broker = broker
        self._pattern = pattern

    def subscribe(
        self,
        name: str,
        *,
        prefetch: int | None = None,
        selector: str | None = None,
        acknowledge: Acknowledge | str = Acknowledge.AUTO,
        redelivery: RedeliveryPolicy | None = None,
        client: Client | str | None = None,
        pending_limit: int | None = None,
    ) -> Subscriber:
        """A plain subscriber: it gets what is sent while it is connected.

        `pending_limit` bounds what waits beside its prefetch: the oldest is dropped (None: no bound).
        """
        settings = self._broker.configuration.subscriber_settings(prefetch, acknowledge, redelivery, client)
        limit = checks.check_optional(checks.check_whole(1))("pending_limit", pending_limit)
        return self._add(name, settings, selector, Keeping.WHILE_CONNECTED, limit)

    def durable(
        self,
        name: str,
        *,
        client_id: str | None = None,
        prefetch: int | None = None,
        selector: str | None = None,
        acknowledge: Acknowledge | str = Acknowledge.AUTO,
        redelivery: RedeliveryPolicy | None = None,
        client: Client | str | None = None,
    ) -> Subscriber:
        """A durable subscriber, known by `client_id` and `name`: what is sent while it is away waits for it."""
        settings = self._broker.configuration.durable_settings(prefetch, acknowledge, redelivery, client)
        full_name = name if client_id is None else f"{checks.check_text('client_id', client_id)}:{name}"
        return self._add(full_name, settings, selector, Keeping.DURABLE, None)

    def _add(
        self, name: str, settings: ConsumerSettings, text: str | None, keeps: Keeping, pending_limit: int | None
    ) -> Subscriber:
        if checks.check_text("subscriber", name) in self.subscribers:
            raise ConfigurationError(
                f"subscriber {name!r} of {self._pattern!r} exists already",
                field="name",
                value=name,
                remedy="use that one, or give this one another name",
            )
        made = Subscriber(
            self._broker,
            self._pattern,
            name,
            settings,
            policy=self.policy,
            wanted=None if text is None else selector(text, settings.client),
            keeps=keeps,
            pending_limit=pending_limit,
        )
        self.subscribers[name] = made
        for topic in self.topics():
            topic.attach(made)
        return made

    def topics(self) -> list[Topic]:
        """The topics that are meant, as far as they exist."""
        return self._broker.topics_of(self._pattern)


class Topic(Sends, Subscribes):
    """A destination that hands a copy to each subscriber, and to each queue of a virtual topic."""

    def __init__(self, broker: RunningActiveMQ, name: str, policy: DestinationPolicy) -> None:
        Subscribes.__init__(self, broker, name, policy)
        self._attached: list[Subscriber] = []
        self._queues: list[Queue] = []
        self._nobody = broker.sim.log.endpoint(broker.sim.log.lane(broker.name, name, ""), "")
        self.intake = Intake(
            broker,
            name,
            self._nobody,
            policy.memory_limit_messages,
            policy.when_full,
            self._accept,
            stores=lambda: any(subscriber.keeps is Keeping.DURABLE for subscriber in self._attached),
        )
        Sends.__init__(self, broker, name, (self.intake,))

    def topics(self) -> list[Topic]:
        """Itself."""
        return [self]

    def attach(self, subscriber: Subscriber) -> None:
        """The subscriber gets what is sent to this topic."""
        self._attached.append(subscriber)
        subscriber.topics.append(self)

    def consumer_queue(self, consumer: str, policy: DestinationPolicy | None = None) -> Queue:
        """The queue `Consumer.NAME.VirtualTopic.…` of a virtual topic: its consumers share a copy of each message."""
        return self._broker.queue(f"Consumer.{checks.check_text('consumer', consumer)}.{self.name}", policy)

    def copy_to(self, queue: Queue) -> None:
        """A queue of this virtual topic gets a copy of each message from now on."""
        self._queues.append(queue)
        queue.intake.listeners.append(self.intake.tell_settled)

    def _accept(self, now_s: float, message: Message, headers: Headers) -> None:
        for queue in self._queues:
            queue.intake.send(now_s, message, headers)
        present = [subscriber for subscriber in self._attached if subscriber.is_there]
        if any(subscriber.wanted is not None for subscriber in present):
            message = (*message[:5], event_of(self.sim, message))
            properties = properties_of(self.sim, message, headers)
            takes = [each for each in present if each.wanted is None or each.wanted.matches(properties)]
        else:
            takes = present
        if not takes:
            self.intake.release(now_s)
            if not self._queues:
                self._nobody_wants(now_s, message, FILTERED if present else DROPPED)
            return
        share = Copies(self.intake, len(takes))
        for subscriber in takes:
            subscriber.offer(now_s, message, headers, share)

    def _nobody_wants(self, now_s: float, message: Message, outcome: int) -> None:
        number, root, published_s, enqueued_s, attempt, _ = message
        self.sim.log.add(
            pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, self._nobody, attempt, outcome)
        )
        self.intake.tell_settled(now_s, message)


class Copies:
    """The copies of one message of a topic: it takes the topic's memory until the last one is gone."""

    __slots__ = ("_intake", "_left")

    def __init__(self, intake: Intake, copies: int) -> None:
        self._intake = intake
        self._left = copies

    def release(self, now_s: float) -> None:
        """One copy is gone."""
        self._left -= 1
        if not self._left:
            self._intake.release(now_s)
