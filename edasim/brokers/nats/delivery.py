"""Deliveries in the words of NATS: what your own process holds after `yield subscription.receive()`.

A core delivery has no acknowledgement: it counts as done when its consumer receives the next one. A JetStream delivery
is settled with `ack`, `ack_sync`, `nak` or `term`, and kept with `in_progress`. Follows nats-io/nats.docs
`model_deep_dive.md` (acknowledgement models). Left out: +NXT, an acknowledgement that asks for the next message; to
receive again does it.
"""

from __future__ import annotations

from ... import checks
from ...errors import HandlerError
from ...events import Event
from ...kernel.runlog import DONE, DROPPED, FAILED, REQUEUED
from ..by_hand import Held
from .errors import MessageAlreadyAcknowledgedError


class CoreDelivery(Held):
    """A message of core NATS: nobody waits for an acknowledgement, and nothing comes again."""

    def respond(self, event: Event) -> None:
        """Answers a request; the first answer counts. A `StateError` if the message is no request."""
        if not isinstance(event, Event):
            raise HandlerError(
                f"{self.consumer} answered {event!r}",
                field="event",
                value=event,
                remedy="answer with an Event",
                at_s=self._now_s,
            )
        self._subscription.server.inbox.answer(self._now_s, self._message, event, self.consumer)

    def finish(self) -> None:
        """Your process is done with it; this happens by itself when the consumer receives the next one."""
        self._settle("finished")
        self._log(DONE)
        self._subscription.acknowledge(self._now_s, self._message)

    def hand_back(self) -> None:
        """Nobody worked on the message, and NATS has forgotten it: it is lost."""
        self._settle("lost")
        self._log(DROPPED)
        self._subscription.acknowledge(self._now_s, self._message)


class JetStreamDelivery(Held):
    """A message of a JetStream consumer; its ack wait runs."""

    settled_twice = MessageAlreadyAcknowledgedError

    def ack(self) -> None:
        """The work is done. A client that fetches batches may send this with its next fetch only."""
        self._settle("acknowledged")
        self._log(DONE)
        self._subscription.acknowledge(self._now_s, self._message, self.consumer)

    def ack_sync(self) -> None:
        """The work is done, and the server has confirmed that it knows: the message will not come again."""
        self._settle("acknowledged")
        self._log(DONE)
        self._subscription.acknowledge(self._now_s, self._message)

    def nak(self, *, delay_s: float = 0.0) -> None:
        """The work is not done: the message comes again, at once or after `delay_s` seconds."""
        delay_s = checks.check_non_negative("delay_s", delay_s)
        self._settle("refused")
        comes_again = self._subscription.nak(self._now_s, self._message, delay_s)
        self._log(REQUEUED if comes_again else FAILED)

    def term(self) -> None:
        """Nobody can do this work: the message never comes again."""
        self._settle("terminated")
        self._log(FAILED)
        self._subscription.terminate(self._now_s, self._message)

    def in_progress(self) -> None:
        """The work goes on: the ack wait begins anew."""
        if self.settled:
            self._settle("kept")
        self._subscription.extend(self._now_s, self._message)
