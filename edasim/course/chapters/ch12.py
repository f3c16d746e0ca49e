"""Chapter 12, what exactly did we lose: promises, crash points, protections that help only together, availability.

Follows: the outbox and the inbox (ES-07), verdicts as Jepsen's checkers give them (RP-10), availability of redundant
nodes with a switch-over (QT-12, QT-13, RP-02), Principles of Chaos Engineering. What a learner's code does is tried in
`resilience_trials.py`. Left out here: numbers with chance in them, which the chapter measures.
"""

from __future__ import annotations

from ...scenarios import zoo
from ...theory import k_of_n_availability, parallel_availability
from ..exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from ..ideas import WrongIdea
from ..resilience_trials import BUGS, consumer_trial, offered_bugs, plan_trial, promise_trial
from ..resilience_words import REPORT_WORDS, Named
from ..rules import near, slip
from ..trials import TrialRule

CRASH_POINTS, LOSING, REPEATING = 17, 2, 2
LOSE_PERCENT = 100 * LOSING / CRASH_POINTS

DAY_S, FAILOVER_S, NODE = 86_400.0, 30.0, 0.99
MEAN_UP_S, MEAN_DOWN_S = NODE * DAY_S, (1 - NODE) * DAY_S
BOTH_DOWN_S = DAY_S * (1 - parallel_availability(NODE, NODE))
SWITCHING_S = FAILOVER_S * DAY_S / MEAN_UP_S
AWAY_S = BOTH_DOWN_S + SWITCHING_S
"""Seconds without service on a day: nobody is up, or nobody has taken over yet."""

WRITABLE = k_of_n_availability(2, 3, NODE)

SHARE = Question(
    id="12.share",
    question=(
        "One user signs up. From the request to the page that the mail's link opens, the services of the first "
        f"version (it acknowledges first) take {CRASH_POINTS} steps, after each of which a process can die. Each is "
        "tried once, with a crash of one second. After how many per cent of them is the mail lost for ever?"
    ),
    answers=near(
        LOSE_PERCENT,
        "%",
        within_ratio=0.25,
        slips=(
            slip(
                0.0,
                "You trusted the bus. It keeps what is not acknowledged; this version says “done” before it does "
                "anything.",
                names=WrongIdea.A_BROKER_IS_RELIABILITY,
            ),
            slip(
                50.0,
                "Half of them? The other services acknowledge last, so their crashes lose nothing; and the mail "
                "service is vulnerable only until the mail has left.",
                within_ratio=0.25,
            ),
            slip(
                100.0,
                "Everything? Most steps belong to services that acknowledge last, or come after the mail has left.",
                within_ratio=0.2,
            ),
            slip(
                float(LOSING),
                f"That is how many. The question asks how many of a hundred: divide by {CRASH_POINTS}.",
                within_ratio=0.2,
            ),
            slip(
                round(100 / CRASH_POINTS),
                "One step only: perhaps the one between file and sending. The file is no help, nobody reads the "
                "folder; and the step before it loses the mail as well.",
                within_ratio=0.25,
            ),
            slip(
                round(100 * (LOSING + REPEATING) / CRASH_POINTS),
                "You may have counted those after which the mail comes twice. They are wrong too, but nothing is lost.",
                within_ratio=0.2,
            ),
        ),
    ),
    because=(
        f"{LOSING} of {CRASH_POINTS}: after it has taken the request, and after the file. Once the mail has left, a "
        f"crash cannot call it back. After another {REPEATING} steps the mail comes twice, and these two are not in "
        "the mail service at all."
    ),
)

STANDBY = Question(
    id="12.standby",
    question=(
        "Two nodes, each up 99 % of the time: each fails about once a day, and is back after 864 s on average. Either "
        "can serve; one does, and when it dies, the other takes over after 30 s. How many seconds of a day pass "
        "without service, on average?"
    ),
    answers=near(
        AWAY_S,
        "s",
        within_ratio=0.1,
        slips=(
            slip(
                BOTH_DOWN_S,
                "One per cent of one per cent, 99.99 %: that counts only when both are down. Who serves in the 30 s "
                "until the standby has noticed?",
                within_ratio=0.1,
                names=WrongIdea.TWO_NODES_DOUBLE,
            ),
            slip(
                0.0,
                "Never? The standby cannot serve before it has noticed, and both may be down at once.",
                names=WrongIdea.TWO_NODES_DOUBLE,
            ),
            slip(FAILOVER_S, "The switch-over. And now and then the standby is down as well.", within_ratio=0.08),
            slip(
                MEAN_DOWN_S / 2,
                "Half of one node's 864 s: two nodes, half the outage? They would have to be down one after the "
                "other, always half as long.",
                within_ratio=0.1,
                names=WrongIdea.TWO_NODES_DOUBLE,
            ),
            slip(
                2 * FAILOVER_S + BOTH_DOWN_S,
                "Two failures a day, 30 s each? Only the failure of the node that serves costs a switch-over, and "
                "each serves half of the time.",
                within_ratio=0.13,
            ),
            slip(MEAN_DOWN_S, "That is one node without a standby.", within_ratio=0.05),
        ),
    ),
    because=(
        f"Both down: 0.01 % of the day, {BOTH_DOWN_S:.1f} s. The node that serves fails once a day, and each time "
        f"nobody serves for 30 s: {SWITCHING_S:.1f} s. Together {AWAY_S:.0f} s: 99.955 %, not 99.99 %. The switch-over "
        "costs three and a half times what the nodes' own outages cost; a third node would change nothing of it."
    ),
)

CHOICES = offered_bugs()
IN_A = (
    "In A the order did come again after the crash, so it was not acknowledged first. The second attempt is done "
    "without a charge: what did it find, and who had written that?"
)
IN_B = (
    "In B nothing is lost, and the older edit is saved by another service than the newer one. Where did it wait in "
    "between, and who was allowed to pass?"
)
IN_C = (
    "In C nobody crashed, and the order reached the warehouse. Its disk was full, and yet it says “done”. Who heard "
    "the error?"
)

BUG_NAMES = Exercise(
    id="12.bugs",
    kind=Kind.PREDICT,
    task=(
        "Which bug is it? Give a list of three letters, for findings A, B, C. "
        + " ".join(f"{letter}) {zoo.species(name).what}" for letter, name in zip("abcdef", CHOICES, strict=True))
    ),
    rule=Named(right=BUGS, choices=CHOICES, ideas=(IN_A, IN_B, IN_C)),
    hints=Hints(
        question="Cover the verdict. Which line of the timeline should not follow from the line before it?",
        pointer=(
            "A: is “done” the second time, 0 ms after it was taken. B: two services write one customer. C: look at "
            "the fault: it hits a store, and no node."
        ),
        first_line="names = [",
    ),
    solution=Solution(
        code="""
names = [
    "notes before the work",
    "retries on another topic",
    "swallows the error",
]
answer = names
""",
        because=(
            "A: the note was on disk before the charge, so the second attempt believes it. B: the failed edit waits "
            "aside, and the next one passes it. C: the handler catches “no room”, logs it perhaps, and returns as if "
            "all were well. Each is one field of its scenario, and each has a correct twin in the zoo."
        ),
    ),
)

PROMISE = Exercise(
    id="12.promise",
    kind=Kind.CHANGE_CODE,
    task=(
        "Marketing says: “one parcel for each order, within a minute”. Write that as a list of promises about the "
        "order shop, so that the oracle finds nothing where it was kept (even if the broker delivered twice), and "
        "something where it was not. Events: order.placed, order.reserved; facts: reserved, parcel_booked, each with "
        "its order_id; services: stock, courier."
    ),
    rule=TrialRule(exercise="12.promise", trial=promise_trial, seeds=3),
    hints=Hints(
        question="The courier never heard of an order. To whom is its parcel owed, and since when?",
        pointer=(
            "Two promises: eventually(“what”, after=…, by=…, within_s=…) from the customer's event on, and "
            "at_most_once(to=…, effect=…, by=…). By what do two messages belong to one order?"
        ),
        first_line="answer = [",
    ),
    solution=Solution(
        code="""
from edasim import failures

answer = [
    failures.eventually("parcel_booked", after="order.placed", by="order_id", within_s=60),
    failures.at_most_once(to="courier", effect="parcel_booked", by="order_id"),
]
""",
        because=(
            "The first begins where the customer begins, names the effect and a time. The second counts effects by "
            "order, not deliveries by message id: at least once may deliver as often as it likes."
        ),
    ),
)

CONSUMER = Exercise(
    id="12.consumer",
    kind=Kind.CHANGE_CODE,
    task=(
        "Write handle(order_id, shelf, publish) for the stock, so that every cell of its matrix is “survived”. "
        "shelf.reserve(order_id), shelf.note(order_id) and shelf.outbox(event) write, shelf.is_noted(order_id) asks, "
        "`with shelf.transaction():` writes together; publish(event) tells the broker at once. reserved(order_id), "
        "from edasim.course.resilience_trials, is the event. A relay publishes what is in the outbox."
    ),
    rule=TrialRule(exercise="12.consumer", trial=consumer_trial, seeds=2),
    hints=Hints(
        question="The stock dies right after its transaction. Who still knows that the courier has to be told?",
        pointer=(
            "Nobody, if the event was to be published afterwards. Three writes in one transaction: the reservation, "
            "the note, and the event itself."
        ),
        first_line="if shelf.is_noted(order_id):",
    ),
    solution=Solution(
        code="""
from edasim.course.resilience_trials import reserved

def answer(order_id, shelf, publish):
    if shelf.is_noted(order_id):
        return
    with shelf.transaction():
        shelf.reserve(order_id)
        shelf.note(order_id)
        shelf.outbox(reserved(order_id))
""",
        because=(
            "After any crash all three are there or none. The inbox alone turns a parcel too many into a parcel that "
            "never comes; the outbox alone sends some events twice. Together, with a courier that knows orders, "
            "nothing is left to lose or to repeat."
        ),
    ),
)

KAFKA = Exercise(
    id="12.kafka",
    kind=Kind.CALCULATE,
    task=(
        "A Kafka topic has replication.factor=3, min.insync.replicas=2, and its producers use acks=all. Each broker "
        "is up 99 % of the time, independently. During what share of the time can a producer write? (In per cent, "
        "two decimals at least; switching leaders costs nothing here.)"
    ),
    rule=near(
        100 * WRITABLE,
        "%",
        within_ratio=0.00005,
        slips=(
            slip(
                100 * (1 - 0.01**3),
                "One of three suffices to read what is committed. To write, two have to be there.",
                within_ratio=0.00002,
            ),
            slip(
                99.0**2 / 100,
                "That is two brokers that must both be up. You have a third to choose from.",
                within_ratio=0.0005,
            ),
            slip(
                99.0**3 / 10_000,
                "That is all three: it would be right for min.insync.replicas=3.",
                within_ratio=0.0005,
            ),
            slip(
                99.99,
                "Two brokers of which one suffices. Here two of three are needed: better than two of two, worse than "
                "one of two.",
                within_ratio=0.00002,
                names=WrongIdea.TWO_NODES_DOUBLE,
            ),
        ),
    ),
    hints=Hints(
        question="With how many brokers up can it write, and in how many ways can that be?",
        pointer="All three: 0.99³. Exactly two: three ways, each 0.99² · 0.01. theory.k_of_n_availability adds them.",
        first_line="answer = 100 * theory.k_of_n_availability(2, 3, 0.99)",
    ),
    solution=Solution(
        code="""
from edasim import theory

answer = 100 * theory.k_of_n_availability(2, 3, 0.99)
""",
        because=(
            f"{100 * WRITABLE:.4f} %: 26 s of a day without writing. With min.insync.replicas=1 it would be 0.1 s, and "
            "an acknowledged record could be lost with one disk: availability and durability share three brokers."
        ),
    ),
)

PLAN = Exercise(
    id="12.plan",
    kind=Kind.CHANGE_CODE,
    task=(
        "Plan a chaos experiment for planned_shop() (from edasim.course.resilience_trials: four orders per second for "
        "eight seconds, inbox and outbox); order_shop.parcel_ratio(run) is the share of parcels within 3 s. Give an "
        "experiments.ChaosExperiment: a steady state with a bound, a crash of the courier for a second, until_s=30, "
        "and an abort rule. It is then tried on a courier that does not come back."
    ),
    rule=TrialRule(exercise="12.plan", trial=plan_trial, seeds=1),
    hints=Hints(
        question="If the courier never came back, which number would tell you after a few seconds?",
        pointer=(
            "SteadyState(name=…, metric=parcel_ratio, least=…) is the claim. Abort(metric=…, above=…) fires when its "
            "metric is too high, so give it the share that was *not* served."
        ),
        first_line="answer = experiments.ChaosExperiment(",
    ),
    solution=Solution(
        code="""
from edasim import experiments, failures
from edasim.course.resilience_trials import planned_shop
from edasim.scenarios.order_shop import parcel_ratio

answer = experiments.ChaosExperiment(
    scenario=planned_shop(),
    steady=experiments.SteadyState(name="parcels within 3 s", metric=parcel_ratio, least=0.95),
    faults=[failures.Crash(node="courier", at_s=4.0, down_s=1.0)],
    until_s=30.0,
    runs=10,
    abort=experiments.Abort(metric=lambda run: 1 - parcel_ratio(run), above=0.3),
)
""",
        because=(
            "The claim is about customers, its bound lies between the calm shop and a dead one, the twins without a "
            "fault hold it, and the rule that ends it watches the same customers."
        ),
    ),
)

REPORT = Exercise(
    id="12.report",
    kind=Kind.EXPLAIN,
    task=(
        "“We made the consumer idempotent, as you asked, and now orders disappear!” Explain to the team, in two or "
        "three sentences, what happens between which two steps, why it did not happen before, and what to do."
    ),
    rule=REPORT_WORDS,
    hints=Hints(
        question="After which step does the matrix of the inbox have its one bad cell?",
        pointer="Say what the database holds at that instant, what the broker does, and what the consumer answers.",
        first_line="The stock dies between",
    ),
    solution=Solution(
        code='''
answer = """
The stock dies between its transaction and the publishing. The broker delivers the order again, the stock finds it
noted and skips it, so nobody ever tells the courier. Before the change it reserved twice and published twice: a parcel
too many. Write the event into an outbox in the same transaction; a relay publishes it.
"""
''',
        because="A protection removes one failure and may make room for another. Only the whole matrix shows both.",
    ),
)

CHAPTER = Chapter(
    number="12",
    title="What exactly did we lose?",
    predictions=(SHARE, STANDBY),
    exercises=(BUG_NAMES, PROMISE, CONSUMER, KAFKA, PLAN, REPORT),
)
