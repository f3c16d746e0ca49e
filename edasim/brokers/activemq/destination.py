"""What can be published to: queues, topics and composite names, each through a producer with its settings.

Follows JMS 1.1 (`MessageProducer`: delivery mode, priority, time to live) and `ScheduledMessage.java`,
`InMemoryJobScheduler.java` of ActiveMQ 5.17: a delay is counted from the next full half second, so a message that is
scheduled for 0.8 s comes after 0.8 to 1.3 s (AMQ-15). Left out: schedules by cron, repetition, message transformers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import simpy

from ... import checks
from ...events import Event
from ...kernel.runlog import NEVER, QUEUED, pack_row
from ..base import Message, event_of
from ..by_hand import publish
from .errors import ResourceAllocationError
from .message import NORMAL_PRIORITY, Headers
from .pending import HIGHEST_PRIORITY
from .settings import DeliveryMode

if TYPE_CHECKING:
    from .broker import RunningActiveMQ

OfEvent = Callable[[Event], str | None]
PriorityOfEvent = Callable[[Event], int]
Mark = Callable[[float, Message], Headers]

SCHEDULE_STEP_S = 0.5


@checks.configuration
class ProducerSettings:
    """How messages are sent. `time_to_live_s` None: for ever. `group` makes the JMSXGroupID of an event."""

    delivery_mode: DeliveryMode = checks.word(DeliveryMode, default=DeliveryMode.PERSISTENT)
    priority: int | PriorityOfEvent = checks.checked(
        lambda field, value: value if callable(value) else checks.check_whole(0, HIGHEST_PRIORITY)(field, value),
        default=NORMAL_PRIORITY,
    )
    time_to_live_s: float | None = checks.optional(checks.check_positive, default=None)
    delay_s: float = checks.non_negative(default=0.0)
    group: OfEvent | None = checks.optional(
        checks.check_kind(Callable, "a function of an event that names its group"),  # type: ignore[arg-type]
        default=None,
    )


class Entrance(Protocol):
    """The way into a destination, as a producer needs it."""

    name: str
    nobody: int
    listeners: list[Callable[[float, Message], None]]

    def fails_for(self, message: Message, headers: Headers) -> bool:
        """Whether a send of this message would fail now."""

    def send(self, now_s: float, message: Message, headers: Headers, accepted: simpy.Event | None = None) -> None:
        """Takes a message in, or lets its producer wait."""


class Producer:
    """Sends to one or several destinations, with one set of headers; to a source it is a destination itself."""

    def __init__(
        self, broker: RunningActiveMQ, name: str, intakes: tuple[Entrance, ...], settings: ProducerSettings
    ) -> None:
        self.sim = broker.sim
        self.name = name
        self.broker = broker.name
        self.settings = settings
        self._intakes = intakes
        self._mark = self._headers()
        self.route: Callable[[float, Message], None] = self._way()
        self._scheduled: dict[int, tuple[Message, Headers]] = {}
        if settings.delay_s:
            self.sim.on_end(self._open_rows)

    def publish(self, event: Event, *, publisher: str = "by-hand") -> Event:
        """Publishes an event now, from your own process; returns it with id and source filled in.

        Raises `ResourceAllocationError` if a destination is full and its policy is that sending fails.
        """
        self._require_space(event)
        return publish(self, event, publisher)

    def send(self, event: Event, *, publisher: str = "by-hand") -> simpy.Event:
        """Publishes an event as a synchronous send: `yield producer.send(event)` goes on when the broker has it.

        The event triggers at once for a message that need not be stored and finds room. Errors as for `publish`.
        """
        self._require_space(event)
        accepted = [simpy.Event(self.sim.env) for _ in self._intakes]
        publish(_Once(self, accepted), event, publisher)
        return simpy.AllOf(self.sim.env, accepted) if len(accepted) > 1 else accepted[0]

    def on_settled(self, tell: Callable[[float, Message], None]) -> None:
        """Calls `tell(now_s, message)` when a message leaves a queue or a subscriber for good, or none wants it."""
        for intake in self._intakes:
            intake.listeners.append(tell)

    def deliver(self, now_s: float, message: Message, accepted: list[simpy.Event] | None = None) -> None:
        """Hands a message to the broker; `accepted` are the events to trigger when each destination has it."""
        headers = self._mark(now_s, message)
        if self.settings.delay_s:
            self._schedule(now_s, message, headers, accepted)
            return
        for place, intake in enumerate(self._intakes):
            intake.send(now_s, message, headers, None if accepted is None else accepted[place])

    def _way(self) -> Callable[[float, Message], None]:
        """The hot path: straight into the one destination where all messages are alike."""
        same = self._same_headers()
        if same is None or self.settings.delay_s or len(self._intakes) != 1:
            return self.deliver
        enter = self._intakes[0].send
        return lambda now_s, message: enter(now_s, message, same)

    def _same_headers(self) -> Headers | None:
        """The headers of all messages, or None if they differ."""
        settings = self.settings
        if callable(settings.priority) or settings.group is not None or settings.time_to_live_s is not None:
            return None
        return Headers(settings.delivery_mode is DeliveryMode.PERSISTENT, settings.priority)

    def _headers(self) -> Mark:
        """The headers of a message, made once if they are the same for all."""
        settings = self.settings
        persistent = settings.delivery_mode is DeliveryMode.PERSISTENT
        life_s = math.inf if settings.time_to_live_s is None else settings.time_to_live_s
        priority, group = settings.priority, settings.group
        check = checks.check_whole(0, HIGHEST_PRIORITY)
        same = self._same_headers()
        if same is not None:
            return lambda _now_s, _message: same

        def mark(now_s: float, message: Message) -> Headers:
            event = event_of(self.sim, message)
            urgency = check("priority", priority(event)) if callable(priority) else priority
            return Headers(persistent, urgency, now_s + life_s, None if group is None else group(event))

        return mark

    def _schedule(self, now_s: float, message: Message, headers: Headers, accepted: list[simpy.Event] | None) -> None:
        due_s = (math.floor(now_s / SCHEDULE_STEP_S) + 1) * SCHEDULE_STEP_S + self.settings.delay_s
        self._scheduled[message[0]] = (message, headers)
        self.sim.env.at(due_s, self._due, message[0])
        for event in accepted or ():
            self.sim.env.wake(event, now_s)

    def _due(self, now_s: float, number: int) -> None:
        message, headers = self._scheduled.pop(number)
        for intake in self._intakes:
            intake.send(now_s, message, headers)

    def _require_space(self, event: Event) -> None:
        if not isinstance(event, Event):
            return
        now_s = float(self.sim.env.now)
        message = (-1, -1, now_s, now_s, 1, event)
        full = [each.name for each in self._intakes if each.fails_for(message, self._mark(now_s, message))]
        if full:
            raise ResourceAllocationError(
                f"the memory limit of {full[0]} is reached",
                field="destination",
                value=full[0],
                remedy="send later, or let producers wait (when_full='hold_back')",
                at_s=now_s,
            )

    def _open_rows(self, _now_s: float) -> list[bytes]:
        nobody = self._intakes[0].nobody
        return [
            pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, NEVER, nobody, attempt, QUEUED)
            for (number, root, published_s, enqueued_s, attempt, _), _ in self._scheduled.values()
        ]


class _Once:
    """A destination for one message, whose producer waits until it is accepted."""

    def __init__(self, producer: Producer, accepted: list[simpy.Event]) -> None:
        self.sim = producer.sim
        self.name = producer.name
        self.route: Callable[[float, Message], None] = lambda now_s, message: producer.deliver(now_s, message, accepted)


class Sends:
    """A destination of the broker, which is its own producer with default settings."""

    def __init__(self, broker: RunningActiveMQ, name: str, intakes: tuple[Entrance, ...]) -> None:
        self.sim = broker.sim
        self.name = name
        self.broker = broker.name
        self.intakes = intakes
        self._running = broker
        self._default = Producer(broker, name, intakes, ProducerSettings())
        self.route = self._default.route
        self.publish = self._default.publish
        self.send = self._default.send
        self.on_settled = self._default.on_settled

    def producer(
        self,
        *,
        delivery_mode: DeliveryMode | str = DeliveryMode.PERSISTENT,
        priority: int | PriorityOfEvent = NORMAL_PRIORITY,
        time_to_live_s: float | None = None,
        delay_s: float = 0.0,
        group: OfEvent | None = None,
    ) -> Producer:
        """A producer with settings of its own, which can be published to; fields of `ProducerSettings`."""
        settings = ProducerSettings(
            delivery_mode=delivery_mode,  # type: ignore[arg-type]
            priority=priority,
            time_to_live_s=time_to_live_s,
            delay_s=delay_s,
            group=group,
        )
        return Producer(self._running, self.name, self.intakes, settings)
