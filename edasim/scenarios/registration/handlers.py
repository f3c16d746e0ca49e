"""What the services of the registration case do with an event, step by step.

Behaviour analytics decides, user management writes, the mail service caches, sends, and shows. Every step appends a
fact with the trace of its user, so that one user's story can be told afterwards.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from ...events import Event
from ...network.link import Transfer
from ...services import Context
from ...services.handling import Publishing
from ...services.mail import MailCache, MailProvider
from ...services.user_database import UserDatabase
from .people import REQUESTED
from .spam import reasons_against

ACCEPTED = "user.registration.accepted"
REJECTED = "user.registration.rejected"
MAIL_REQUESTED = "mail.welcome.requested"
LINK_OPENED = "mail.confirmation.opened"
MAIL_SHOWN = "mail.confirmation.shown"


class Sender(enum.Enum):
    """Whether the mail service gives the provider a key by which it knows a mail again."""

    PLAIN = "plain"
    IDEMPOTENT = "idempotent"


class Writing(enum.Enum):
    """Who asks for the welcome mail, and how that is held together with the row of the user.

    Apart: behaviour analytics asks, user management writes. Otherwise user management does both: one after the other
    (a **dual write**, in either order), or in one transaction, with an outbox that a relay empties (ES-07).
    """

    APART = "apart"
    ROW_FIRST = "row, then event"
    EVENT_FIRST = "event, then row"
    OUTBOX = "outbox"


class NoAnswerError(Exception):
    """The mail provider did not answer in time, again and again; the broker is to deliver the request once more."""


def decide(event: Event, context: Context) -> list[Event]:
    """Behaviour analytics: parse the request, check it for spam, and tell what comes of it."""
    registration = dict(event.data)
    reasons = reasons_against(registration)
    context.fact("registration_checked", user_id=event.subject, accepted=not reasons, reasons=list(reasons))
    if reasons:
        return [Event(type=REJECTED, subject=event.subject, data={**registration, "reasons": list(reasons)})]
    return [Event(type=ACCEPTED, subject=event.subject, data=registration)]


def decide_and_ask(event: Event, context: Context) -> list[Event]:
    """As `decide`; for an accepted user it asks for a welcome mail as well."""
    return [each for decided in decide(event, context) for each in (decided, *_ask(decided))]


def _ask(decided: Event) -> list[Event]:
    """The request for a welcome mail, if the user was accepted."""
    if decided.type != ACCEPTED:
        return []
    return [Event(type=MAIL_REQUESTED, subject=decided.subject, data=dict(decided.data))]


class UserManagement:
    """Writes accepted users, and notes rejected registrations, in its database; may ask for the mail (`Writing`)."""

    def __init__(self, users: UserDatabase, writing: Writing = Writing.APART, outbox: Publishing | None = None) -> None:
        self._users = users
        self._writing = writing
        self._outbox = outbox

    def write(self, event: Event, context: Context) -> None:
        """One transaction per event; a repeated event changes nothing."""
        user, event_id = event.data, str(event.id)
        if event.type == ACCEPTED:
            if self._writing is Writing.EVENT_FIRST:
                context.publish(_ask(event))
            new = self._users.add(user["user_id"], user["name"], user["email"], event_id=event_id, at_s=context.now_s)
            if new and self._outbox is not None:
                self._outbox.publish(_ask(event), event, context.root)  # a row of the same transaction
            context.fact("user_written", user_id=user["user_id"], new=new)
            if new and self._writing is Writing.ROW_FIRST:
                context.publish(_ask(event))
        else:
            reasons = ", ".join(user["reasons"])
            new = self._users.reject(user["user_id"], reasons, event_id=event_id, at_s=context.now_s)
            context.fact("rejection_written", user_id=user["user_id"], new=new, reasons=reasons)


def relay(event: Event, _context: Context) -> Event:
    """The outbox's relay: publishes one of its rows, and marks it (acknowledges) when the broker has it."""
    return event


class MailService:
    """Caches a welcome mail, sends it over the network, and shows it when its reader opens the link in it."""

    def __init__(
        self,
        *,
        cache: MailCache,
        provider: MailProvider,
        users: UserDatabase,
        transfer: Transfer,
        answer: Transfer,
        arrived: Callable[[Event], None],
        sender: Sender,
        caching_s: float,
        connecting_s: float,
        answer_timeout_s: float,
        send_attempts: int,
    ) -> None:
        self._cache = cache
        self._provider = provider
        self._users = users
        self._transfer = transfer
        self._answer = answer
        self._arrived = arrived
        self._sender = sender
        self._caching_s = caching_s
        self._connecting_s = connecting_s
        self._answer_timeout_s = answer_timeout_s
        self._send_attempts = send_attempts

    def handle(self, event: Event, context: Context) -> Generator[Any, Any, Event | None]:
        """Sends on a mail request, shows on an opened link."""
        if event.type == LINK_OPENED:
            return self._show(event, context)
        return self._send(event, context)

    def _send(self, event: Event, context: Context) -> Generator[Any, Any, None]:
        user = event.data
        mail_id = f"welcome-{user['user_id']}"
        yield context.pause(self._caching_s)
        new = self._cache.keep(mail_id, welcome_mail(mail_id, user["name"], user["email"]))
        context.fact("mail_cached", user_id=user["user_id"], mail_id=mail_id, new=new)
        for attempt in range(1, self._send_attempts + 1):
            if self._connecting_s > 0.0:
                yield context.pause(self._connecting_s)
            answered_s, what = self._hand_over(event, context, mail_id, attempt)
            if answered_s <= self._answer_timeout_s:
                yield context.pause(answered_s)
                return
            yield context.pause(self._answer_timeout_s)
            context.fact(what, user_id=user["user_id"], mail_id=mail_id, **{"try": attempt})
        raise NoAnswerError(f"no answer from the mail provider in {self._send_attempts} attempts")

    def _hand_over(self, event: Event, context: Context, mail_id: str, attempt: int) -> tuple[float, str]:
        """Gives the mail to the network: from here on it travels by itself, and arrives even if the mail service dies.

        Returns the seconds until its answer is here (inf: never), and the kind of fact that tells why it was missed.
        """
        sent_s = context.now_s
        delays_s = self._transfer(sent_s)
        for delay_s in delays_s:
            context.sim.at(sent_s + delay_s, partial(self._accept, event, context, mail_id))
        context.fact("mail_sent", user_id=event.data["user_id"], mail_id=mail_id, **{"try": attempt})
        if not delays_s:
            return math.inf, "mail_lost"
        answers_s = self._answer(sent_s + delays_s[0])
        return (delays_s[0] + answers_s[0], "answer_late") if answers_s else (math.inf, "answer_lost")

    def _accept(self, event: Event, context: Context, mail_id: str) -> None:
        """The provider's side: the mail goes into the mailbox, unless its key says that it is there already."""
        user = event.data
        key = mail_id if self._sender is Sender.IDEMPOTENT else None
        if self._provider.accept(mail_id, user["email"], idempotency_key=key):
            context.fact("mail_arrived", user_id=user["user_id"], mail_id=mail_id)
            self._arrived(event)
        else:
            context.fact("mail_known", user_id=user["user_id"], mail_id=mail_id)

    def _show(self, event: Event, context: Context) -> Generator[Any, Any, Event]:
        mail_id, user_id = event.data["mail_id"], event.data["user_id"]
        yield context.pause(self._caching_s)
        text = self._cache.read(mail_id)
        known = self._users.has(user_id)
        context.fact("mail_shown", user_id=user_id, mail_id=mail_id, characters=len(text), user_exists=known)
        return Event(type=MAIL_SHOWN, subject=user_id, data={"mail_id": mail_id, "user_id": user_id})


def welcome_mail(mail_id: str, name: str, email: str) -> str:
    """The text of a welcome mail, headers and body."""
    return (
        f"From: welcome@shop.example\nTo: {email}\nSubject: Welcome, {name}\nMessage-ID: <{mail_id}@shop.example>\n\n"
        f"Welcome, {name}!\n\nConfirm your address: https://shop.example/confirm/{mail_id}\n"
    )


__all__ = [
    "ACCEPTED", "LINK_OPENED", "MAIL_REQUESTED", "MAIL_SHOWN", "REJECTED", "REQUESTED", "MailService",
    "NoAnswerError", "Sender", "UserManagement", "Writing", "decide", "decide_and_ask", "relay", "welcome_mail",
]  # fmt: skip
