"""What chapter 05 does with a learner's code: delivers mails to it, looks for users with it, lets it join a system.

Each trial takes the learner's function and a seed, and returns a verdict that names the typical mistake. Follows: the
bus in memory, which delivers at least once. Left out: the checks of answers in words and numbers, which are in
`ch05.py`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from ..failures import Crash
from ..kernel import Run, Simulation
from ..scenarios.registration import ACCEPTED, MAIL_REQUESTED, Registration
from ..services import Acknowledge
from .ideas import WrongIdea
from .rules import Verdict, idea_in_words
from .trials import must_be_callable

Sent = set[int]
Send = Callable[[int], None]
Handle = Callable[[int, Sent, Send], object]
MAILS = 30
REFUSED_RATIO = 0.2
REPEATED_RATIO = 1 / 3
MOST_ATTEMPTS = 200

LOSING = Registration(
    users=150,
    spam_ratio=0.2,
    connecting_s=0.1,
    acknowledge=Acknowledge.ON_DELIVERY,
    faults=tuple(Crash(node="mail", at_s=at_s, down_s=0.3) for at_s in (1.5, 3.0, 4.5, 6.0)),
)
"""A careless mail service that dies four times: about two mails are lost each time."""

CASE = Registration(users=60, spam_ratio=0.2)
"""What the SMS service joins."""


def delivered(handle: Handle, mail: int, sent: Sent, send: Send) -> bool:
    """One delivery: True if the handler returned, False if the network's refusal got out and the event comes back."""
    try:
        handle(mail, sent, send)
    except ConnectionError:
        return False
    return True


def delivery_trial(handle: Handle, seed: int) -> Verdict:
    """Delivers 30 mails to a learner's `handle(mail, sent, send)` as an honest bus would, and counts what left.

    The network refuses one sending in five. A delivery that raised comes back until the handler returns, at most 200
    times; one in three that returned comes back once more, as after a lost acknowledgement. `sent` survives everything.
    """
    must_be_callable(handle)
    rng = random.Random(seed)
    left: list[int] = []
    sent: Sent = set()

    def send(mail: int) -> None:
        if rng.random() < REFUSED_RATIO:
            raise ConnectionError("the network refused the mail")
        left.append(mail)

    for mail in range(MAILS):
        for _ in range(2 if rng.random() < REPEATED_RATIO else 1):
            attempts = 1
            while not delivered(handle, mail, sent, send) and attempts < MOST_ATTEMPTS:
                attempts += 1
    return delivery_verdict(left, sent)


def delivery_verdict(left: list[int], sent: Sent) -> Verdict:
    """What the mails that left say about the handler."""
    lost = set(range(MAILS)) - set(left)
    if not left:
        idea = "It never calls send; or it asks a variable of its own, which still knows the mails of an earlier try."
        return Verdict(False, f"{MAILS} of {MAILS} mails never left.", idea)
    if lost & sent:
        idea = (
            "It notes a mail as sent before it is. A refused sending then looks like a sent one. Send first, then note."
        )
        return Verdict(False, f"{len(lost)} of {MAILS} mails never left.", idea)
    if lost:
        idea = (
            "The refusal is swallowed. If the handler returns, the bus takes the event as done; let the error get out."
        )
        return Verdict(False, f"{len(lost)} of {MAILS} mails never left.", idea)
    if len(left) > MAILS:
        idea = "It does not look into `sent` before it sends, or does not note what it sent."
        return Verdict(False, f"{len(left) - MAILS} mails left twice.", idea)
    if sent != set(left):
        idea = "It remembers in a variable of its own. That memory is gone after a restart; `sent` is what survives."
        return Verdict(False, "Each mail left once, for now.", idea_in_words(idea, WrongIdea.IDEMPOTENT_IS_A_MEMORY))
    return Verdict(True, "Each mail left once.")


def lost_trial(find: Callable[[Run], Any], seed: int) -> Verdict:
    """Gives a learner's `find(run)` a run in which mails were lost, and compares with the mailboxes."""
    must_be_callable(find)
    run = LOSING.run(seed=seed)
    said = find(run)
    if not isinstance(said, set | frozenset | list | tuple):
        return Verdict(False, f"It returned {said!r}; return the user ids as a set.")
    mailed = {mail_id.removeprefix("welcome-") for mail_id in run.kept["provider"].mailboxes}
    asked = {event.subject for event in run.events() if event.type == MAIL_REQUESTED}
    return lost_verdict(set(said), asked - mailed, mailed, asked)


def lost_verdict(said: set[str], lost: set[str], mailed: set[str], asked: set[str]) -> Verdict:
    """What the set that a learner found says about how it was found."""
    if said == lost:
        return Verdict(True, f"It finds the {len(lost)} users without a mail.")
    if mailed <= said:
        return Verdict(
            False,
            f"It finds all {len(mailed)} users who have their mail as well.",
            "That is everybody who was asked for. Take away those whose mail arrived.",
        )
    if said & mailed:
        return Verdict(
            False,
            f"{len(said & mailed)} of those it finds have their mail.",
            "A delivery that died is not a mail that was lost: what had left the house arrived. Look at what arrived.",
        )
    if said - asked:
        return Verdict(
            False,
            f"{len(said - asked)} of those it finds were never to get a mail.",
            "Registrations that were rejected get none, and that is right. Begin with those for whom one was asked.",
        )
    return Verdict(
        False,
        f"{'It finds nobody: ' if not said else ''}{len(lost - said)} of {len(lost)} users without a mail are missing "
        "in it.",
        "A file in the folder is no mail in a mailbox, and neither is a mail that was sent. Of those for whom one was "
        "asked, take away those whose mail arrived.",
    )


def sms_trial(add_sms: Callable[[Any, Callable[[str], None]], Any], seed: int) -> Verdict:
    """Lets a learner's `add_sms(topic, send)` join the case, and compares with the same run without it."""
    must_be_callable(add_sms)
    before = others(CASE.run(seed=seed))
    sim = Simulation(seed=seed)
    kept = CASE.build(sim)
    texts: Counter[Any] = Counter()
    add_sms(kept["wiring"].destination("behaviour-analytics"), lambda user_id: texts.update([user_id]))
    run = sim.run(scenario=CASE, kept=kept)
    accepted = {event.subject for event in run.events() if event.type == ACCEPTED}
    return sms_verdict(texts, accepted, before, others(run))


Others = dict[tuple[str, str], float]


def others(run: Run) -> Others:
    """When the services of the case were done with each event: what an additional service must not change."""
    groups, rows, events = [lane.group for lane in run.lanes], run.deliveries, run.numbered_events
    mine = {"user-management", "behaviour-analytics", "mail", "readers"}
    return {
        (str(events[number].id), groups[lane]): finished_s
        for number, lane, finished_s in zip(
            rows.number.tolist(), rows.lane.tolist(), rows.finished_s.tolist(), strict=True
        )
        if groups[lane] in mine
    }


def sms_verdict(texts: Counter[Any], accepted: set[str], before: Others, after: Others) -> Verdict:
    """What the texts that were sent, and what the others did, say about the new service."""
    if before != after:
        changed = sum(after.get(key) != finished_s for key, finished_s in before.items())
        return Verdict(
            False,
            f"The others noticed: {changed} of their deliveries are not as they were.",
            "It takes from a subscription that belongs to another service, so they share its messages. Give it one of "
            "its own.",
        )
    if not all(isinstance(user, str) for user in texts):
        other = next(user for user in texts if not isinstance(user, str))
        return Verdict(False, f"It calls send({type(other).__name__}).", "Give send the user id: event.subject.")
    if set(texts) - accepted:
        return Verdict(
            False,
            f"{len(set(texts) - accepted)} users got a text and were not accepted.",
            "It hears more than it should. Subscribe to the type user.registration.accepted alone.",
        )
    if accepted - set(texts):
        return Verdict(
            False,
            f"{len(accepted - set(texts))} of {len(accepted)} accepted users got no text.",
            "Nobody takes the messages, no event has the type that you named, or the handler does not call "
            "send(event.subject).",
        )
    if any(n > 1 for n in texts.values()):
        return Verdict(
            False, "Some users got two texts.", "Several event types of one user lead to a text; one is enough."
        )
    return Verdict(True, f"{len(accepted)} accepted users got one text each, and no other service noticed.")
