"""Chapter 06, delivered once, or twice, or never: what a crash repeats or loses, and what makes it one.

Follows: at-least-once delivery with batches (KAF-19), deduplication by notes and by keys, Kafka's idempotent producer
and transactions (KAF-28, KAF-29), JetStream's duplicate window (NAT-07). The expected numbers are those of
`scenarios.delivery.expected`; what a learner's code does is tried in `delivery_trials.py`. Left out here: numbers with
chance in them, which the chapter measures.
"""

from __future__ import annotations

from ...scenarios.delivery import Delivery
from ..delivery_trials import consumer_trial, producer_trial, window_trial
from ..exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from ..ideas import WrongIdea
from ..rules import Choices, Needed, Option, Words, WrongWords, near, slip
from ..trials import TrialRule

MESSAGES, CRASH_EVERY, BATCH = 1000, 100, 20
CRASHES = MESSAGES / CRASH_EVERY
PER_CRASH = (BATCH - 1) / 2
BY_HAND = CRASHES * PER_CRASH
EXACT = Delivery().expected().repeated
SHOPS_MONTH = 74
LARGE = 100
LARGE_BY_HAND = CRASHES * (LARGE - 1) / 2
LARGE_EXACT = Delivery(batch=LARGE).expected().repeated

DUPLICATES = Question(
    id="06.duplicates",
    question=(
        "1,000 orders are booked one by one. The consumer acknowledges in batches of 20, each after it was booked. It "
        "crashes in the midst of work, every 100 orders on average, and is restarted. How many bookings are made a "
        "second time, on average?"
    ),
    answers=near(
        BY_HAND,
        "bookings",
        within_ratio=0.16,
        slips=(
            slip(
                0,
                "You trusted “after processing”: nothing is lost, that is true. But what is processed and not yet "
                "acknowledged comes again.",
                names=WrongIdea.ACKNOWLEDGED_IS_PROCESSED,
            ),
            slip(
                CRASHES,
                "One for each crash: the order in work. But that one was not booked yet; those before it in the batch "
                "were.",
                within_ratio=0.1,
            ),
            slip(
                SHOPS_MONTH,
                "You took the shop's own number. That was one month; the next one crashes elsewhere. Ask for the mean.",
                within_ratio=0.01,
                names=WrongIdea.ONE_RUN_SHOWS,
            ),
            slip(
                CRASHES * BATCH,
                "A whole batch for each crash. But only the part that was booked already is booked again, about half.",
                within_ratio=0.08,
            ),
            slip(
                MESSAGES,
                "Everything comes again after each crash? The broker remembers the last acknowledged batch.",
                within_ratio=0.3,
                names=WrongIdea.KAFKA_IS_A_QUEUE,
            ),
        ),
    ),
    because=(
        "A crash finds 0 to 19 orders of its batch booked and not acknowledged, each number as likely as the "
        "next: 9.5 on "
        f"average. Ten crashes make {BY_HAND:.0f}; the repeated work is hit as well, which makes {EXACT:.1f}. None is "
        "lost: what is not acknowledged comes back."
    ),
)

MEMORY = Question(
    id="06.memory",
    question=(
        "The consumer now keeps the ids of all orders that it has booked in a set, in memory, and skips those it "
        "knows. "
        "How many of the second bookings remain?"
    ),
    answers=Choices(
        options=(
            Option(
                text="none",
                idea="The set knows every id until the process dies. When do the second deliveries come?",
                names=WrongIdea.IDEMPOTENT_IS_A_MEMORY,
            ),
            Option(
                text="about half",
                idea="Then half of them would have to come within one life of the process. Why should they?",
            ),
            Option(
                text="only those of the last crash",
                idea="Each crash empties the set, the first as well as the last.",
                names=WrongIdea.IDEMPOTENT_IS_A_MEMORY,
            ),
            Option(text="all of them"),
        ),
        right="all of them",
    ),
    because=(
        "Orders come again because the process died, and its memory died with it. The set is always empty when "
        "it would "
        "be needed: not one second booking is prevented."
    ),
)

BATCHES = Exercise(
    id="06.batches",
    kind=Kind.PREDICT,
    task=(
        "The hand count says for batches of 1, 20 and 100: 0, 95 and 495 second bookings. The exact mean for 20 "
        "is 101.5. "
        "What is it for 100? Say a number before you move the slider; then calculate."
    ),
    rule=near(
        LARGE_EXACT,
        "bookings",
        within_ratio=0.06,
        slips=(
            slip(
                LARGE_BY_HAND,
                "The hand count: ten crashes, 49.5 each. But what comes again can crash again: there are 17 crashes.",
                within_ratio=0.01,
            ),
            slip(
                LARGE_BY_HAND * EXACT / BY_HAND,
                "Seven per cent more than by hand, as for 20? The longer the batch, the more of the repeated work is "
                "hit again.",
                within_ratio=0.01,
            ),
            slip(
                5 * EXACT,
                "Five times the batch, five times the damage? Neither the number of crashes nor the damage of "
                "one stays.",
                within_ratio=0.003,
            ),
            slip(
                MESSAGES + LARGE_EXACT,
                "These are all bookings. The first thousand are not made a second time.",
                within_ratio=0.02,
            ),
            slip(
                MESSAGES,
                "With batches of 100 and a crash every 100 it looks hopeless. But e^-1, 37 % of the tries, get "
                "through.",
                within_ratio=0.03,
            ),
        ),
    ),
    hints=Hints(
        question="How often must a batch of 100 be begun before it gets through without a crash?",
        pointer=(
            "One message survives with q = exp(-1/100). For b in a row it takes (q**-b - 1) / (1 - q) attempts "
            "on average, of "
            "which a part q is booked. All beyond b are second bookings; there are 1,000 / b batches."
        ),
        first_line="q = math.exp(-1 / 100)",
    ),
    solution=Solution(
        code="""
import math

q = math.exp(-1 / 100)
b = 100
booked_per_batch = q * (q**-b - 1) / (1 - q)
answer = (1000 / b) * (booked_per_batch - b)
""",
        because=(
            f"{LARGE_EXACT:.0f}: a batch is begun 2.7 times on average (e, as it happens). For a batch of 1 it is "
            "0, whatever "
            "crashes: nothing is booked and unacknowledged when it can be hit."
        ),
    ),
)

CONSUMER = Exercise(
    id="06.consumer",
    kind=Kind.CHANGE_CODE,
    task=(
        "Write handle(message, store), so that every message has its effect once although the power is cut once, "
        "at any "
        "step. store.effect(message) makes the effect, store.note(message) notes it, store.is_noted(message) asks; "
        "everything inside `with store.transaction():` becomes visible at its end or never."
    ),
    rule=TrialRule(exercise="06.consumer", trial=consumer_trial),
    hints=Hints(
        question=(
            "The power is cut between your two writes. Which of them is on disk, and what will the next life believe?"
        ),
        pointer=(
            "Both or neither must be on disk. Ask first whether the message is noted; then put both into one "
            "transaction."
        ),
        first_line="if store.is_noted(message):",
    ),
    solution=Solution(
        code="""
def answer(message, store):
    if store.is_noted(message):
        return
    with store.transaction():
        store.note(message)
        store.effect(message)
""",
        because=(
            "After any cut either both are there, and the message is skipped, or neither, and it is done. It "
            "works because "
            "the effect lives in the same store as the note. A mail does not."
        ),
    ),
)

WINDOW = Exercise(
    id="06.window",
    kind=Kind.CHANGE_CODE,
    task=(
        "A producer publishes to JetStream with a Nats-Msg-Id, and again with the same id after each of the waits, in "
        "seconds, if it hears nothing. Write window(waits_s): the duplicate window in seconds with which the "
        "message is "
        "stored once, and which is not more than twice what is needed."
    ),
    rule=TrialRule(exercise="06.window", trial=window_trial),
    hints=Hints(
        question="When is the last try, seen from the first?",
        pointer=(
            "The window begins when the message is first stored, so the waits add up. Leave some room, 20 % for "
            "example."
        ),
        first_line="def answer(waits_s):",
    ),
    solution=Solution(
        code="""
def answer(waits_s):
    return 1.2 * sum(waits_s)
""",
        because=(
            "The server forgets an id when its window is over. Two minutes, the default, are right for a "
            "producer that gives "
            "up within two minutes, and for no other; one that tries again from an outbox after a weekend needs "
            "another way."
        ),
    ),
)

PRODUCER = Exercise(
    id="06.producer",
    kind=Kind.CHANGE_CODE,
    task=(
        "This producer was tuned for speed: eda.Kafka(acks='1', idempotence=False). Give a configuration with "
        "which a record "
        "that was published once can be read once, when its leader dies right after it said yes, and when it "
        "dies before "
        "it could say anything."
    ),
    rule=TrialRule(exercise="06.producer", trial=producer_trial),
    hints=Hints(
        question=(
            "Who must have the record before the leader says yes, and how could a broker know a record that "
            "comes again?"
        ),
        pointer="acks says who must have it (“0”, “1”, “all”); idempotence numbers the batches of a producer.",
        first_line="answer = eda.Kafka(acks=",
    ),
    solution=Solution(
        code="""
import edasim as eda

answer = eda.Kafka(acks="all", idempotence=True)
""",
        because=(
            "Both are Kafka's defaults since 3.0 (idempotence in effect since 3.0.1). The numbers hold for one life of "
            "the producer: when its "
            "process dies and "
            "the next one sends the order again, that is a new record. So the consumer has to know orders, not records."
        ),
    ),
)

ONCE = Exercise(
    id="06.once",
    kind=Kind.EXPLAIN,
    task=(
        "A colleague says: “We use Kafka transactions, so every customer gets exactly one mail.” Explain in two "
        "or three "
        "sentences what is exactly once, where that ends, and what you would do about the mail."
    ),
    rule=Words(
        needed=(
            Needed(
                words=(
                    "offset",
                    "receipt",
                    "inside",
                    "within kafka",
                    "in the broker",
                    "in kafka",
                    "on kafka",
                    "topic",
                    "consume-",
                    "read-process",
                ),
                ask="what does a Kafka transaction hold together?",
            ),
            Needed(
                words=(
                    "outside",
                    "external",
                    "not part",
                    "not in it",
                    "isn't in it",
                    "cannot take back",
                    "rolled back",
                    "roll back",
                    "no transaction",
                    "side effect",
                    "already sent",
                    "twice",
                    "second mail",
                ),
                ask="why is the mail not part of it?",
            ),
            Needed(
                words=(
                    "key",
                    "idempot",
                    "dedup",
                    "de-dup",
                    "unique id",
                    "note",
                    "same transaction",
                    "same database",
                    "outbox",
                    "knows",
                ),
                ask="what makes one mail of two sendings?",
            ),
        ),
        wrong=(
            WrongWords(
                words=("read_committed", "read committed"),
                idea="read_committed hides what was aborted from readers of the topic. A mailbox reads no topic.",
                names=WrongIdea.EXACTLY_ONCE_END_TO_END,
            ),
            WrongWords(
                words=("in memory", "a set", "remember"),
                idea="What a process remembers is gone when it matters.",
                names=WrongIdea.IDEMPOTENT_IS_A_MEMORY,
            ),
        ),
    ),
    hints=Hints(
        question="What is taken back when the transaction is aborted, and what has left the house by then?",
        pointer="Name what the transaction holds together, what is outside of it, and who could know a mail again.",
        first_line="The receipts and the committed offset become visible together",
    ),
    solution=Solution(
        code='''
answer = """
The receipts and the committed offset become visible together or not at all, so inside Kafka each order counts once.
The mail is outside: when the relay dies before its commit, the mail has left and no transaction takes it back; the
order is read again and a second mail goes out. Give the mail provider a key by which it knows the mail again.
"""
''',
        because=(
            "Exactly once is an effect, not a delivery: at least once, and a receiver that knows what it has "
            "seen, in the same "
            "step in which it acts."
        ),
    ),
)

CHAPTER = Chapter(
    number="06",
    title="Delivered once, or twice, or never?",
    predictions=(DUPLICATES, MEMORY),
    exercises=(BATCHES, CONSUMER, WINDOW, PRODUCER, ONCE),
)
