"""Request and reply: a request carries the address of its asker's inbox, and the first answer counts.

Follows nats-io/nats.docs (`core-nats/reqreply.md`) and data/measured/nats/semantics.csv: without a listener a request
fails at once (no responders). Left out: several answers to one request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import simpy

from ... import checks
from ...errors import StateError
from ...events import Event
from ...kernel.runlog import DONE, pack_row
from ..base import Message
from ..by_hand import publish
from .errors import NoRespondersError, RequestTimeoutError
from .subject import Subject, Way

if TYPE_CHECKING:
    from .core import RunningNats


class Reply(simpy.Event):
    """Triggers with the event of the first answer; fails if nobody listens, or nobody answers in time."""

    def __init__(self, server: RunningNats, asker: str, timeout_s: float) -> None:
        super().__init__(server.sim.env)
        self.asker = asker
        self.timeout_s = timeout_s


class Inbox:
    """The requests of a server, and who waits for their answers."""

    def __init__(self, server: RunningNats) -> None:
        self._server = server
        self._asked: dict[int, Reply] = {}
        self._lanes: dict[str, int] = {}

    def ask(self, subject: Subject, event: Event, timeout_s: float, asker: str) -> Reply:
        """Publishes a request and notes who waits for its answer."""
        checks.check_text("publisher", asker)
        if not isinstance(event, Event):
            raise checks.refuse("event", event, "ask with an Event")
        reply = Reply(self._server, asker, timeout_s)
        if not self._server.anyone_listens(subject.of(event)):
            publish(subject, event, asker)
            reply.fail(
                NoRespondersError(
                    f"nobody listens to {subject.of(event)!r}",
                    field="subject",
                    value=subject.of(event),
                    remedy="start a responder before the request",
                    at_s=float(self._server.sim.env.now),
                )
            )
            return reply
        sim = self._server.sim
        route = subject.route

        def route_and_note(now_s: float, message: Message) -> None:
            self._asked[message[0]] = reply
            route(now_s, message)

        publish(Way(sim, subject.name, route_and_note), event, asker)
        sim.env.at(float(sim.env.now) + timeout_s, self._time_out, reply)
        return reply

    def answer(self, now_s: float, request: Message, event: Event, responder: str) -> None:
        """An answer reaches the asker's inbox, unless an earlier one did or the asker has given up."""
        reply = self._asked.get(request[0])
        if reply is None:
            raise StateError(
                "the message is no request",
                field="respond",
                value=event.type,
                remedy="publish to a subject, or have it sent with request()",
                at_s=now_s,
            )
        publish(Way(self._server.sim, "_INBOX", self._arrive_for(reply)), event, responder)

    def _arrive_for(self, reply: Reply) -> Any:
        log = self._server.sim.log
        if reply.asker not in self._lanes:
            self._lanes[reply.asker] = log.lane(self._server.name, "_INBOX", reply.asker)
        endpoint = log.endpoint(self._lanes[reply.asker], reply.asker)

        def arrive(now_s: float, message: Message) -> None:
            number, root, published_s, enqueued_s, attempt, event = message
            if reply.triggered:
                self._server.nobody_wants(now_s, self._server.subject("_INBOX").nobody, message)
                return
            log.add(pack_row(number, root, published_s, enqueued_s, now_s, now_s, now_s, endpoint, attempt, DONE))
            self._server.sim.env.wake(reply, event)

        return arrive

    def _time_out(self, now_s: float, reply: Reply) -> None:
        if not reply.triggered:
            reply.fail(
                RequestTimeoutError(
                    f"no answer in {reply.timeout_s:g} s",
                    field="timeout_s",
                    value=reply.timeout_s,
                    remedy="wait longer, or ask again",
                    at_s=now_s,
                )
            )
