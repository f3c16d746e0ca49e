"""Subjects as destinations: where messages are published to, literal or filled in from the event.

A template such as "orders.{type}" or "orders.{subject}.placed" puts attributes of the event into the subject, so that
subscribers can choose by patterns. A subject with an empty token is routed to nobody, without an error (NAT-01).
Left out: the size of a subject (up to the payload's limit), and subject mapping in the server.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...errors import UnknownNameError
from ...events import Event
from ...kernel import Simulation
from ..base import Message, event_of
from ..by_hand import publish
from .subjects import InvalidPublishSubjectError

if TYPE_CHECKING:
    from .core import RunningNats

Offer = Callable[[float, Message], None]
FIELDS = ("id", "source", "subject", "type")
KNOWN_SUBJECTS = 10_000
"""So many subjects are remembered with who wants them; then it is found out anew."""
_BLANKS = " \t\n\f\r"


class Way:
    """A destination for one publish that takes a route of its own."""

    def __init__(self, sim: Simulation, name: str, route: Offer) -> None:
        self.sim = sim
        self.name = name
        self.route = route


class Subject:
    """A destination of a NATS server; made by `subject(template)`."""

    def __init__(self, server: RunningNats, template: str) -> None:
        self.server = server
        self.sim = server.sim
        self.name = template
        self.nobody = self.sim.log.endpoint(self.sim.log.lane(server.name, template, ""), "")
        self._fields = fields_of(template)
        self._targets: dict[str, tuple[int, list[Offer]]] = {}
        self.route: Offer = self._route_filled if self._fields else self._literal_route(template)

    def publish(self, event: Event, *, publisher: str = "by-hand") -> Event:
        """Publishes an event now, from your own process; returns it with id and source filled in.

        Nobody answers, whether it reaches anyone or not; a stream's acknowledgement comes with `JetStream`'s `publish`.
        """
        return publish(self, event, publisher)

    def on_settled(self, tell: Callable[[float, Message], None]) -> None:
        """Calls `tell(now_s, message)` when a message leaves one of the subscriptions for good, or none wants it."""
        self.server.settled.append(tell)

    def of(self, event: Event) -> str:
        """The subject under which an event is published here."""
        if not self._fields:
            return self.name
        return check_carried(self.name.format(**{field: getattr(event, field) or "" for field in self._fields}))

    def _literal_route(self, subject: str) -> Offer:
        server, nobody = self.server, self.nobody
        version, targets = -1, []  # type: tuple[int, list[Offer]]

        def route(now_s: float, message: Message) -> None:
            nonlocal version, targets
            if version != server.version:
                version, targets = server.version, server.targets_of(subject)
            for offer in targets:
                offer(now_s, message)
            if not targets:
                server.nobody_wants(now_s, nobody, message)

        return route

    def _route_filled(self, now_s: float, message: Message) -> None:
        if message[5] is None:
            message = (*message[:5], event_of(self.sim, message))
        subject = self.of(event_of(self.sim, message))
        version, targets = self._targets.get(subject, (-1, []))
        if version != self.server.version:
            if len(self._targets) >= KNOWN_SUBJECTS:
                self._targets.clear()
            targets = self.server.targets_of(subject)
            self._targets[subject] = (self.server.version, targets)
        for offer in targets:
            offer(now_s, message)
        if not targets:
            self.server.nobody_wants(now_s, self.nobody, message)


def fields_of(template: str) -> tuple[str, ...]:
    """The attributes of an event that a template names; refuses what the protocol cannot carry."""
    check_carried(template)
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(template) if field is not None]
    except ValueError as error:
        raise InvalidPublishSubjectError(
            f"invalid subject template {template!r}: {error}",
            field="subject",
            value=template,
            remedy="close each brace, as in 'orders.{type}'",
        ) from None
    for field in fields:
        if field not in FIELDS:
            raise UnknownNameError("attribute of events for a subject", field, FIELDS)
    return tuple(dict.fromkeys(fields))


def check_carried(subject: object) -> str:
    """A subject that the protocol can carry: a text that is not empty and has no blanks."""
    if not isinstance(subject, str) or not subject or any(blank in subject for blank in _BLANKS):
        raise InvalidPublishSubjectError(
            f"invalid publish subject {subject!r}",
            field="subject",
            value=subject,
            remedy="give a text without blanks, such as 'user.created'",
        )
    return subject
