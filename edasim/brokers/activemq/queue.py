"""A queue of ActiveMQ: each message goes to one consumer, whichever way that reads the queue.

Rules AMQ-01 to AMQ-06, AMQ-09, AMQ-10, AMQ-12, AMQ-24; `dispatcher` has the sources. Left out: consumers of several
queues by a pattern or a composite name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...events import Event
from ..base import Message, event_of
from .consumption import Consumption
from .destination import Sends
from .dispatcher import Dispatcher
from .intake import Intake
from .message import Headers
from .selector import Client, selector
from .settings import Acknowledge, ConsumerSettings, DestinationPolicy, RedeliveryPolicy

if TYPE_CHECKING:
    from .broker import RunningActiveMQ

LARGEST_PAGE = 400
"""A browser sees so many messages at most (`BaseDestination.MAX_BROWSE_PAGE_SIZE`)."""


class Queue(Sends):
    """A destination whose consumers share its messages."""

    def __init__(self, broker: RunningActiveMQ, name: str, group: str, policy: DestinationPolicy) -> None:
        self.policy = policy
        self.lane = broker.sim.log.lane(broker.name, name, group)
        self.consumptions: list[Consumption] = []
        self.intake = Intake(
            broker,
            name,
            broker.sim.log.endpoint(self.lane, ""),
            policy.memory_limit_messages,
            policy.when_full,
            self._accept,
        )
        self.dispatcher = Dispatcher(
            broker.sim,
            self.lane,
            group,
            policy,
            bury=lambda now_s, entry: broker.bury(now_s, entry, policy),
            settled=self.intake.tell_settled,
            is_down=broker.is_away,
        )
        super().__init__(broker, name, (self.intake,))

    def consume(
        self,
        *,
        prefetch: int | None = None,
        selector: str | None = None,
        acknowledge: Acknowledge | str = Acknowledge.AUTO,
        redelivery: RedeliveryPolicy | None = None,
        priority: int = 0,
        client: Client | str | None = None,
    ) -> Consumption:
        """A way to read the queue; fields of `ConsumerSettings`, what is left out as the broker's configuration says.

        Several may be in use at once; their consumers share the queue. Each node of a service is one consumer. Raises
        `InvalidSelectorError` for a selector that cannot be parsed.
        """
        settings = self._settings(prefetch, acknowledge, redelivery, priority, client)
        return self._consumption(settings, selector, exclusive=False)

    def consume_exclusively(
        self,
        *,
        prefetch: int | None = None,
        selector: str | None = None,
        acknowledge: Acknowledge | str = Acknowledge.AUTO,
        redelivery: RedeliveryPolicy | None = None,
        priority: int = 0,
        client: Client | str | None = None,
    ) -> Consumption:
        """As `consume`, with exclusive consumers: of all that are connected one receives, the others stand by."""
        settings = self._settings(prefetch, acknowledge, redelivery, priority, client)
        return self._consumption(settings, selector, exclusive=True)

    def browse(self) -> tuple[Event, ...]:
        """The events of messages that are not acknowledged, without taking any; at most `LARGEST_PAGE`."""
        entries = [*self.dispatcher.held.values(), *self.dispatcher.pending]
        entries.sort(key=lambda entry: (entry.message[2], entry.message[0]))
        return tuple(event_of(self.sim, entry.message) for entry in entries[:LARGEST_PAGE])

    def _settings(
        self,
        prefetch: int | None,
        acknowledge: Acknowledge | str,
        redelivery: RedeliveryPolicy | None,
        priority: int,
        client: Client | str | None,
    ) -> ConsumerSettings:
        return self._running.configuration.consumer_settings(prefetch, acknowledge, redelivery, priority, client)

    def _consumption(self, settings: ConsumerSettings, text: str | None, *, exclusive: bool) -> Consumption:
        made = Consumption(
            self.dispatcher,
            settings,
            selector=None if text is None else selector(text, settings.client),
            exclusive=exclusive,
            draw=self._running.draw,
            is_down=self._running.is_away,
        )
        self.consumptions.append(made)
        return made

    def _accept(self, now_s: float, message: Message, headers: Headers) -> None:
        self.dispatcher.offer(now_s, message, headers, self.intake)
