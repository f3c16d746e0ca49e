"""Chapter 05, the registration case: what a crash loses, repeats or delays.

Follows: at-least-once delivery, where a message that was not acknowledged comes back; the mail service caches a mail
on disk before it sends it. Left out here: numbers that only a run of `scenarios.Registration` can show.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from ...theory import little_number
from ..exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from ..ideas import WrongIdea
from ..rules import Choices, Needed, Option, Verdict, Words, WrongWords, idea_in_words, near, slip
from ..trials import TrialRule, must_be_callable

USERS_PER_S = 60.0
SPAM_RATIO = 0.20
MEAN_MAIL_S = 0.020
MAIL_LOAD = little_number(USERS_PER_S * (1 - SPAM_RATIO), MEAN_MAIL_S)

MAIL_DIES = Question(
    id="05.mail_dies",
    question="The mail service dies right after it cached the mail, before sending. What does the user get?",
    answers=Choices(
        options=(
            Option(
                text="no mail, ever",
                idea=(
                    "What a process was doing dies with it. But the cache is on disk, and the event was not "
                    "acknowledged."
                ),
            ),
            Option(
                text="exactly one mail, in any case",
                idea=(
                    "The broker delivers once and remembers the rest. It knows what was acknowledged, not what was "
                    "sent."
                ),
                names=WrongIdea.EXACTLY_ONCE_END_TO_END,
            ),
            Option(
                text="a mail at once, from the broker",
                idea=(
                    "The broker takes over the work of a dead service. It only keeps the event until somebody takes it."
                ),
                names=WrongIdea.A_BROKER_IS_RELIABILITY,
            ),
            Option(text="a mail when the service is back, and possibly two"),
        ),
        right="a mail when the service is back, and possibly two",
    ),
    because=(
        "The cached mail survives on disk and the event that was not acknowledged is delivered again. Whether the "
        "user gets a second mail depends on whether the sender remembers what it sent."
    ),
)

LOSES = Exercise(
    id="05.order_that_loses",
    kind=Kind.PREDICT,
    task=(
        "The mail service takes an event, and may die between any two of its steps. Which order of steps can lose a "
        "mail?"
    ),
    rule=Choices(
        options=(
            Option(text="acknowledge, cache, send"),
            Option(
                text="cache, acknowledge, send",
                idea=(
                    "Dying after the acknowledgement looks fatal, but the mail is on disk: the service sends it when "
                    "it is back."
                ),
            ),
            Option(
                text="cache, send, acknowledge",
                idea="Dying before the acknowledgement brings the event back. That can send twice; it loses nothing.",
                names=WrongIdea.ACKNOWLEDGED_IS_PROCESSED,
            ),
        ),
        right="acknowledge, cache, send",
    ),
    hints=Hints(
        question="At each instant between two steps: who still knows about this mail?",
        pointer=(
            "The broker knows until the acknowledgement, the disk from the caching on. Look for an instant at which "
            "neither does."
        ),
        first_line='steps = ["acknowledge", "cache", "send"]',
    ),
    solution=Solution(
        code="""
steps = ["acknowledge", "cache", "send"]
nobody_knows = steps.index("acknowledge") < steps.index("cache")
answer = ", ".join(steps) if nobody_knows else "cache, send, acknowledge"
""",
        because=(
            "Between the acknowledgement and the caching neither the broker nor the disk knows the mail. A crash "
            "there loses it."
        ),
    ),
)

BOTTLENECK = Exercise(
    id="05.mail_load",
    kind=Kind.CALCULATE,
    task=(
        f"{USERS_PER_S:.0f} users register per second, {100 * SPAM_RATIO:.0f} % are spam and get no mail, a mail takes "
        f"{1000 * MEAN_MAIL_S:.0f} ms. What is the load of the one mail service (a share, or in %)?"
    ),
    rule=near(
        MAIL_LOAD,
        "share",
        within_ratio=0.01,
        slips=(
            slip(
                USERS_PER_S * MEAN_MAIL_S,
                "You counted every registration. Spam is rejected before the mail service.",
                within_ratio=0.01,
            ),
            slip(
                USERS_PER_S * SPAM_RATIO * MEAN_MAIL_S,
                "That is the load of the spam. Mails go to the others.",
                within_ratio=0.01,
            ),
        ),
    ),
    hints=Hints(
        question="How many mails per second reach the mail service?",
        pointer="Load is the share of time that the service is busy: mails per second × seconds per mail.",
        first_line="mails_per_s = 60 * (1 - 0.20)",
    ),
    solution=Solution(
        code="""
mails_per_s = 60 * (1 - 0.20)
answer = mails_per_s * 0.020
""",
        because="48 mails a second of 20 ms: 96 % busy. You know from chapter 02 what that does to the wait.",
    ),
)


Sent = set[int]
Send = Callable[[int], None]
Handle = Callable[[int, Sent, Send], object]
MAILS = 30
REFUSED_RATIO = 0.2
REPEATED_RATIO = 1 / 3
MOST_ATTEMPTS = 200


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


SENDER = Exercise(
    id="05.sender",
    kind=Kind.CHANGE_CODE,
    task=(
        "Write handle(mail, sent, send) for the mail service. The bus delivers some events twice, send(mail) raises "
        "ConnectionError when the network refuses, and an event whose handler raised comes back. `sent` is a set on "
        "disk. No mail may be lost, and none may leave twice."
    ),
    rule=TrialRule(exercise="05.sender", trial=delivery_trial),
    hints=Hints(
        question="When send raises, what must the bus believe about this event, and what must `sent` say?",
        pointer="Look into `sent` first, send, and note the mail only when send has returned. Do not catch the error.",
        first_line="if mail in sent:",
    ),
    solution=Solution(
        code="""
def answer(mail, sent, send):
    if mail in sent:
        return
    send(mail)
    sent.add(mail)
""",
        because=(
            "An error that gets out brings the event back; a mail noted after it left is not sent again. What "
            "remains: a crash between send and add sends twice. Only the receiver, or one transaction over both, can "
            "close that gap."
        ),
    ),
)

ACKNOWLEDGE = Exercise(
    id="05.why_last",
    kind=Kind.EXPLAIN,
    task=(
        "Explain in two sentences why the mail service acknowledges after it cached the mail, and what price it pays "
        "for that."
    ),
    rule=Words(
        needed=(
            Needed(
                words=("crash", "die", "dies", "fail", "restart", "power"),
                ask="which event, at which instant, is it that the order protects against?",
            ),
            Needed(
                words=("lost", "lose", "loses", "loss", "gone", "forgotten", "nobody knows"),
                ask="what would happen to the mail with the other order?",
            ),
            Needed(
                words=("twice", "duplicate", "again", "redeliver", "second time", "two mails", "more than once"),
                ask="what is the price, when the crash comes after the caching and before the acknowledgement?",
            ),
        ),
        wrong=(
            WrongWords(
                words=("exactly once", "exactly-once"),
                idea="The order gives at least once. Once in the mailbox needs a sender that remembers.",
                names=WrongIdea.EXACTLY_ONCE_END_TO_END,
            ),
            WrongWords(
                words=("faster", "speed"),
                idea="The order does not change the speed; it changes who knows the mail when.",
            ),
        ),
    ),
    hints=Hints(
        question="Imagine a crash between the two steps, once in each order. What is left of the mail?",
        pointer="One order can lose, the other can repeat. Name both, and the instant at which each happens.",
        first_line="Acknowledged first, a crash before the caching loses the mail:",
    ),
    solution=Solution(
        code='''
answer = """
Acknowledged first, a crash before the caching loses the mail: the bus has forgotten it and the disk never had it.
Acknowledged last, the same crash makes the bus deliver the event again, so the price is that work may be done twice.
"""
''',
        because=(
            "Losing or repeating is the choice; repeating can be repaired by a sender that remembers, losing cannot."
        ),
    ),
)

CHAPTER = Chapter(
    number="05",
    title="What happens between “sign up” and “welcome”?",
    predictions=(MAIL_DIES,),
    exercises=(LOSES, BOTTLENECK, SENDER, ACKNOWLEDGE),
)
