"""Chapter 05, the registration case: what a crash loses, repeats or delays.

Follows: at-least-once delivery, where a message that was not acknowledged comes back; the mail service writes a mail to
its folder before it sends it. What a learner's code does is tried on `scenarios.Registration` with seeds that the
learner has not seen (`registration_trials.py`). Left out here: numbers with chance in them, which the chapter measures.
"""

from __future__ import annotations

from ...theory import little_number
from ..exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from ..ideas import WrongIdea
from ..registration_trials import delivery_trial, lost_trial, sms_trial
from ..rules import Choices, Needed, Option, Words, WrongWords, exactly, near, slip
from ..trials import TrialRule

ACCEPTED_RATIO = 0.9
MAIL_SLOTS, MAIL_S = 4, 0.125
WELCOMED_PER_S = MAIL_SLOTS / MAIL_S / ACCEPTED_RATIO
LOST_STEPS, STEPS = 2, 4

MAIL_DIES = Question(
    id="05.mail_dies",
    question=(
        "The mail service dies right after it wrote a user's mail into its folder, before it sent anything. A second "
        "later it is back. What does the user get?"
    ),
    answers=Choices(
        options=(
            Option(
                text="no mail, ever",
                idea=(
                    "What a process was doing dies with it. But the bus was not told that the request is done, so it "
                    "still holds it."
                ),
            ),
            Option(
                text="a mail at once: the bus takes over",
                idea="A bus keeps a message until somebody takes it. It writes no files and sends no mails.",
                names=WrongIdea.A_BROKER_IS_RELIABILITY,
            ),
            Option(
                text="two mails: one from the file, one from the request",
                idea=(
                    "Both survive, so both act. But a file does nothing; only the request, handed out again, makes "
                    "the service send."
                ),
            ),
            Option(text="one mail, about a second late"),
        ),
        right="one mail, about a second late",
    ),
    because=(
        "The bus still holds the request, because it was not acknowledged. When the service is back it gets the "
        "request again, finds the file, and sends. At this instant nothing had been sent before, so it is one mail."
    ),
)

LOST_AT = Question(
    id="05.lost_at",
    question=(
        "Now the mail service acknowledges a request as soon as it gets it. It dies once, right after one of the four "
        "steps of a mail: the request is received, the file is written, the mail is sent, the mail has arrived. After "
        "how many of the four is the mail lost?"
    ),
    answers=exactly(
        LOST_STEPS,
        "steps",
        slips=(
            slip(
                0,
                "The bus, or the file, saves the mail. The bus has forgotten it, and nobody reads the folder again.",
                names=WrongIdea.A_BROKER_IS_RELIABILITY,
            ),
            slip(
                1,
                "You counted the received request. The file alone sends nothing: a crash after it loses as well.",
                within_ratio=0.0,
            ),
            slip(
                3,
                "A mail on its way dies with its sender. It has left the house, and arrives without anybody waiting.",
                within_ratio=0.0,
            ),
            slip(
                4,
                "All after the acknowledgement is lost. But what has left the house arrives, whoever dies behind it.",
                within_ratio=0.0,
                names=WrongIdea.A_TIMEOUT_MEANS_NO,
            ),
        ),
    ),
    because=(
        "From the acknowledgement until the mail has left the house, the dead process was the only one who would have "
        "sent it. That is after the request is received, and after the file is written."
    ),
)

BOTTLENECK = Exercise(
    id="05.bottleneck",
    kind=Kind.PREDICT,
    task=(
        "Before you run it at 60 users per second: how many users per second can this system welcome at most? "
        "Behaviour analytics needs 20 ms for each request, user management 10 ms for each row, the mail service 125 ms "
        "for each mail and works on 4 at a time. A tenth is spam and gets no mail. (Opened links take 5 ms: leave them "
        "out.)"
    ),
    rule=near(
        WELCOMED_PER_S,
        "users per second",
        within_ratio=0.04,
        slips=(
            slip(
                50.0,
                "You looked at behaviour analytics, the first in line. The mail service can do less.",
                within_ratio=0.01,
            ),
            slip(
                MAIL_SLOTS / MAIL_S,
                "These are mails per second. Only nine users in ten are sent one.",
                within_ratio=0.01,
            ),
            slip(
                MAIL_SLOTS / MAIL_S * ACCEPTED_RATIO,
                "You took the spam off the mails. Turn it round: 32 mails are nine tenths of the users.",
                within_ratio=0.01,
            ),
            slip(1 / MAIL_S / ACCEPTED_RATIO, "You forgot that it works on four mails at a time."),
            slip(1 / MAIL_S, "One mail at a time, and spam as well? It works on four, and a tenth gets none."),
            slip(100.0, "You looked at user management, the fastest. The slowest one decides."),
            slip(60.0, "All that come are welcomed in the end. But more come each second: the queue grows for ever.",
                 names=WrongIdea.QUEUES_ABSORB_OVERLOAD),
        ),
    ),
    hints=Hints(
        question="Which of the three services can do the fewest users per second?",
        pointer="A service with c places and s seconds for each can do c / s per second. Then think of the spam.",
        first_line="mails_per_s = 4 / 0.125",
    ),
    solution=Solution(
        code="""
mails_per_s = 4 / 0.125
answer = mails_per_s / 0.9
""",
        because=(
            "Analytics could do 50 users per second, user management 100, the mail service 32 mails, that is 35.6 "
            f"users. At 60 users per second it would need {little_number(60 * ACCEPTED_RATIO, MAIL_S):.2f} places and "
            "has 4. More nodes for analytics would not welcome one user more."
        ),
    ),
)  # fmt: skip

LOST_USERS = Exercise(
    id="05.lost_users",
    kind=Kind.CHANGE_CODE,
    task=(
        "Support asks: who was accepted and never got a mail? Write find(run), which returns the user ids as a set. "
        "Use run.events() (each has .type and .subject) and run.fact_list (each has .kind and .detail)."
    ),
    rule=TrialRule(exercise="05.lost_users", trial=lost_trial),
    hints=Hints(
        question="Which event says that somebody should get a mail, and which fact that somebody got one?",
        pointer='Take the subjects of "mail.welcome.requested", and take away the users of the facts "mail_arrived".',
        first_line='asked = {event.subject for event in run.events() if event.type == "mail.welcome.requested"}',
    ),
    solution=Solution(
        code="""
def answer(run):
    asked = {event.subject for event in run.events() if event.type == "mail.welcome.requested"}
    got = {fact.detail["user_id"] for fact in run.fact_list if fact.kind == "mail_arrived"}
    return asked - got
""",
        because=(
            "Compare what was promised with what arrived, not with what went wrong on the way: a delivery that died "
            "may have sent its mail already, and a file in the folder is no mail in a mailbox."
        ),
    ),
)

SMS = Exercise(
    id="05.sms",
    kind=Kind.CHANGE_CODE,
    task=(
        "Write add_sms(topic, send): one more service, called sms, that calls send(user_id) once for every accepted "
        "user. topic is the topic of the whole case. No other service may notice."
    ),
    rule=TrialRule(exercise="05.sms", trial=sms_trial),
    hints=Hints(
        question="Whose copy of user.registration.accepted is the new service to read: one of its own, or another's?",
        pointer=(
            'A subscription of its own gets a copy of each event: topic.subscribe("sms", types=…). Its handler takes '
            "(event, context), and event.subject is the user id."
        ),
        first_line='accepted = topic.subscribe("sms", types="user.registration.accepted")',
    ),
    solution=Solution(
        code="""
import edasim as eda

def answer(topic, send):
    accepted = topic.subscribe("sms", types="user.registration.accepted")
    eda.Service("sms", of=accepted, handler=lambda event, context: send(event.subject))
""",
        because=(
            "Whoever publishes does not know who reads. The new service has a queue of its own, so it can be slow, "
            "or dead, and the mails go out as before."
        ),
    ),
)

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

STORY = Exercise(
    id="05.story",
    kind=Kind.EXPLAIN,
    task=(
        "Read the story of the user with two mails. Explain in two sentences why there are two, and what the mail "
        "service could not know when it was back."
    ),
    rule=Words(
        needed=(
            Needed(
                words=("crash", "die", "dead", "down", "fail", "kill", "restart"),
                ask="what happened to the mail service between the two sendings?",
            ),
            Needed(
                words=("ack", "not told", "never told", "unack", "still held", "still holds", "confirm"),
                ask="why did the bus hand the request out again?",
            ),
            Needed(
                words=(
                    "arrived",
                    "already sent",
                    "already been sent",
                    "been sent",
                    "had sent",
                    "was sent",
                    "first mail",
                    "first one",
                    "first copy",
                    "on its way",
                    "in flight",
                    "answer",
                    "reply",
                    "gone out",
                    "got through",
                    "delivered",
                    "left the house",
                ),
                ask="what is it that the service could not know about the first sending?",
            ),
        ),
        wrong=(
            WrongWords(
                words=("exactly once", "exactly-once"),
                idea="The bus promises at least once. Once in the mailbox needs a receiver that knows a mail again.",
                names=WrongIdea.EXACTLY_ONCE_END_TO_END,
            ),
            WrongWords(
                words=("bug", "mistake of the bus", "bus is wrong"),
                idea="The bus did what it promises: what is not acknowledged comes back.",
            ),
        ),
    ),
    hints=Hints(
        question="Which line of the story is there twice, and which line stands between the two?",
        pointer="Look for the crash, and for what had already left the house by then. Who was told about it?",
        first_line="The service died when its mail was on its way",
    ),
    solution=Solution(
        code='''
answer = """
The service died when its mail was on its way, so the request was not acknowledged and the bus handed it out again.
When it was back, it could not know that the first mail had arrived: the answer came to a process that was gone.
"""
''',
        because=(
            "Sent and not answered looks the same as not sent. Sending again risks a second mail, not sending again "
            "risks none; only the receiver can tell the two apart."
        ),
    ),
)

CHAPTER = Chapter(
    number="05",
    title="What happens between “sign up” and “welcome”?",
    predictions=(MAIL_DIES, LOST_AT),
    exercises=(BOTTLENECK, LOST_USERS, SMS, SENDER, STORY),
)
