"""Chapter 03, inside a broker: who remembers what was read, and what comes back when a consumer dies.

Times come from the brokers' default settings (`Kafka.session_timeout_s`, `JetStream.ack_wait_s`). What a learner writes
is tried on the brokers' own parts (`broker_trials.py`). Left out here: counts with chance in them, which the chapter
measures.
"""

from __future__ import annotations

from ...brokers import JetStream, Kafka
from ..broker_trials import AssignmentRule, PatternRule, ReadingRule, SelectorRule, keys_trial
from ..exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from ..ideas import WrongIdea
from ..rules import Choices, Needed, Option, Words, WrongWords
from ..trials import TrialRule

SESSION_S, ACK_WAIT_S = Kafka().session_timeout_s, JetStream().ack_wait_s
BY_BROKER = (
    "RabbitMQ and ActiveMQ: the 20, at once; JetStream: the 20, after half a minute; Kafka: more than the 20 wait, for "
    "three quarters of a minute; core NATS: none"
)

WHO_COMES_BACK = Question(
    id="03.who_comes_back",
    question=(
        "Four consumers share the work, one dies holding up to 20 unprocessed messages. Which messages come back, on "
        "RabbitMQ, ActiveMQ, Kafka, NATS JetStream and core NATS?"
    ),
    answers=Choices(
        options=(
            Option(
                text="the 20, at once, everywhere",
                idea=(
                    "A broker is a broker, and delivers again. But each knows of a death in its own way, and one of "
                    "them remembers nothing."
                ),
                names=WrongIdea.A_BROKER_IS_RELIABILITY,
            ),
            Option(
                text=(
                    "Kafka: the 20, at once, since a log keeps everything; RabbitMQ and ActiveMQ: the 20, after a "
                    "timeout; JetStream and core NATS: none"
                ),
                idea=(
                    "A log keeps the records, and does not tell anybody that their reader is dead: Kafka notices a "
                    "death last of all. And JetStream is NATS with a memory."
                ),
                names=WrongIdea.KAFKA_IS_A_QUEUE,
            ),
            Option(
                text="none: they died with the consumer",
                idea=(
                    "They were in its memory, that is true. But four of the five keep a message until it is "
                    "acknowledged, or for days; only core NATS hands it over and forgets."
                ),
            ),
            Option(text=BY_BROKER),
            Option(
                text="the 20, everywhere, as soon as the consumer is started again",
                idea=(
                    "They are not the dead consumer's property. The others get them; what differs is when, and who "
                    "decides it."
                ),
            ),
        ),
        right=BY_BROKER,
    ),
    because=(
        "RabbitMQ and ActiveMQ see the connection break and hand the 20 out at once, marked as redelivered. JetStream "
        f"waits for the acknowledgement, {ACK_WAIT_S:g} s. Kafka waits for heartbeats, {SESSION_S:g} s, and then reads "
        "on from the last committed offset, so some are done twice. Core NATS has forgotten them."
    ),
)

THIRTEENTH = Question(
    id="03.thirteenth",
    question=(
        "Twelve members of a Kafka group read twelve partitions, and are all busy. You add a thirteenth. What does it "
        "do for the throughput?"
    ),
    answers=Choices(
        options=(
            Option(
                text="a twelfth more",
                idea=(
                    "More hands, more work done: true for a queue. Here the unit of work is the partition, and all are "
                    "taken."
                ),
                names=WrongIdea.MORE_CONSUMERS_MORE_THROUGHPUT,
            ),
            Option(
                text="it shares the busiest partition with its reader",
                idea="That would break the order inside the partition, the one thing that Kafka promises.",
                names=WrongIdea.KAFKA_IS_A_QUEUE,
            ),
            Option(text="nothing, until another member dies"),
            Option(
                text="Kafka adds a partition for it",
                idea="Nobody adds partitions unasked: keys would go elsewhere, and order per key would break.",
                names=WrongIdea.KEYS_ARE_FOR_BALANCE,
            ),
        ),
        right="nothing, until another member dies",
    ),
    because="A partition has one reader in a group. The thirteenth stands by, and takes over when somebody is gone.",
)

HOARDING = Question(
    id="03.hoarding",
    question=(
        "Four consumers of a RabbitMQ queue, no prefetch bound, one of them five times as slow as the others. The load "
        "is fine: together they can do a third more than comes. How long does the unluckiest message wait?"
    ),
    answers=Choices(
        options=(
            Option(
                text="about as long as it takes the slow one to do a message",
                idea="As if each message went to who is free. It goes to who is next in turn, busy or not.",
                names=WrongIdea.QUEUES_ABSORB_OVERLOAD,
            ),
            Option(
                text="a second or so",
                idea="The average load is fine, so the average wait is. But the slow one gets a quarter of everything.",
                names=WrongIdea.THE_AVERAGE_DESCRIBES,
            ),
            Option(text="longer than the whole burst lasts"),
        ),
        right="longer than the whole burst lasts",
    ),
    because=(
        "Without a bound every message is sent at once to the consumer whose turn it is. A quarter of 1,000 go to the "
        "slow one: 250 times 0.1 s is 25 s of work, while the others stand idle."
    ),
)

PATTERN = Exercise(
    id="03.pattern",
    kind=Kind.CHANGE_CODE,
    task=(
        "Write the binding key of a topic exchange that takes everything about a user's mail: user.mail, "
        "user.mail.sent, user.mail.sent.again, and whatever else begins so, and neither user.mailbox.full nor "
        "order.mail.sent."
    ),
    rule=PatternRule(),
    hints=Hints(
        question="How many words may follow “user.mail”, and which sign stands for that many?",
        pointer="“*” is exactly one word, “#” any number, also none. Words are what stands between dots.",
        first_line='answer = "user.mail.',
    ),
    solution=Solution(
        code="""
from edasim.brokers.rabbitmq import topic_matches

answer = "user.mail.#"
print([topic_matches(answer, key) for key in ("user.mail", "user.mail.sent.again", "user.mailbox.full")])
""",
        because="“#” is any number of words, none included; the two words before it must stand as they are.",
    ),
)

ASSIGN = Exercise(
    id="03.assign",
    kind=Kind.CALCULATE,
    task=(
        "A group of ann, ben and cem reads the topics mails and orders, with four partitions each (mails-0 to mails-3, "
        "orders-0 to orders-3). Assign them by hand as Kafka's range assignor does: a dictionary from each member to "
        "its list of partitions."
    ),
    rule=AssignmentRule(strategy="range"),
    hints=Hints(
        question="Four partitions and three members: who gets two, in the topic mails? And in the topic orders?",
        pointer="Range deals each topic by itself, in runs, to the members by name; the first ones get one more.",
        first_line='dealt = assign("range", {member: ["mails", "orders"] for member in ("ann", "ben", "cem")},',
    ),
    solution=Solution(
        code="""
from edasim.brokers.kafka import assign

dealt = assign("range", {member: ["mails", "orders"] for member in ("ann", "ben", "cem")},
               {"mails": 4, "orders": 4})
answer = {member: [f"{topic}-{number}" for topic, number in given] for member, given in dealt.items()}
print(answer)
""",
        because=(
            "In each topic ann gets the surplus, so she has four partitions and the others two each. With twenty such "
            "topics she has forty. Round robin deals 3, 3, 2."
        ),
    ),
)

NACK = Exercise(
    id="03.nack",
    kind=Kind.PREDICT,
    task=(
        "A RabbitMQ queue holds 0 to 9. A consumer takes 0 to 4, keeps them, and refuses 2 with requeueing "
        "(basic.nack, requeue=true). In which order does the next consumer read on? Give two lists: for a classic "
        "queue, and for a quorum queue without a delivery limit."
    ),
    rule=ReadingRule(),
    hints=Hints(
        question="Which messages are ready after the refusal, and which are still held?",
        pointer="A classic queue keeps a message's place if it can. A quorum queue is a log with one end to add to.",
        first_line="def read_on(queue_type):",
    ),
    solution=Solution(
        code="""
import edasim as eda

def read_on(queue_type):
    queue = eda.RabbitMQ().start(eda.Simulation()).declare_queue("jobs", type=queue_type)
    for number in range(10):
        queue.publish(eda.Event(type="job", data=number))
    polling = queue.poll()
    held = [polling.get() for _ in range(5)]
    held[2].nack()
    return [polling.get().event.data for _ in range(6)]

answer = (read_on("classic"), read_on("quorum"))
print(answer)
""",
        because=(
            "The classic queue puts 2 back in its place, before 5. The quorum queue appends it: 2 comes last. Measured "
            "on RabbitMQ 3.10.8, both of them. With a delivery limit a quorum queue returns it to its head; since "
            "RabbitMQ 4.0 it has one unless told otherwise, 20."
        ),
    ),
)

SELECTOR = Exercise(
    id="03.selector",
    kind=Kind.CHANGE_CODE,
    task=(
        "An ActiveMQ consumer has the selector region <> 'eu'. Half of the mails have no region, and never arrive. "
        "Change the selector: everything that is not for eu, also what has no region."
    ),
    rule=SelectorRule(),
    hints=Hints(
        question="What is the value of region <> 'eu' when there is no region: true, false, or neither?",
        pointer="A missing property is NULL, comparing with NULL is unknown, NOT unknown is unknown. SQL has IS NULL.",
        first_line='answer = "region IS NULL',
    ),
    solution=Solution(
        code="""
from edasim.brokers.activemq import selector

answer = "region IS NULL OR region <> 'eu'"
print([selector(answer).matches(mail) for mail in ({"region": "us"}, {"region": "eu"}, {})])
""",
        because="A selector is true, false or unknown, and only true takes a message. IS NULL is never unknown.",
    ),
)

KEYS = Exercise(
    id="03.keys",
    kind=Kind.CHANGE_CODE,
    task=(
        "Each order is placed, paid and sent: three events, each with the data order, customer, country and step. "
        "Write key_of(event): the key of its record in a topic of 12 partitions with 4 consumers. The steps of an "
        "order must be handled in order, and no partition may hold more than a third of the events. It is tried on "
        "shops that you have not seen."
    ),
    rule=TrialRule(exercise="03.keys", trial=keys_trial, seeds=3),
    hints=Hints(
        question="Which events must not overtake each other, and what do exactly those have in common?",
        pointer="Equal keys go to one partition, which keeps order and has one reader. Few keys fill few partitions.",
        first_line="def answer(event):",
    ),
    solution=Solution(
        code="""
def answer(event):
    return event.data["order"]
""",
        because=(
            "Order is promised inside a partition only, so what must stay in order needs one key; and there must be "
            "many keys. The customer would do as well, and would keep all orders of one customer in order."
        ),
    ),
)

WHY = Exercise(
    id="03.why",
    kind=Kind.EXPLAIN,
    task=(
        "Explain to a colleague, in two or three sentences, why the same crash cost nothing on RabbitMQ and three "
        "quarters of a minute on Kafka, and why Kafka then did some messages twice."
    ),
    rule=Words(
        needed=(
            Needed(
                words=("connection", "socket", "channel", "tcp", "disconnect", "link"),
                ask="by what does RabbitMQ notice that the consumer is gone?",
            ),
            Needed(
                words=("heartbeat", "session", "45 s", "45 seconds"),
                ask="by what does Kafka notice it, and how long does that take?",
            ),
            Needed(
                words=("commit", "offset", "position"),
                ask="what does Kafka remember about what was read, and where does the next owner begin?",
            ),
        ),
        wrong=(
            WrongWords(words=("slow", "slower"), idea="Kafka is not slow here. It waits, on purpose."),
            WrongWords(
                words=("queue forgot", "lost"),
                idea="Nothing was lost on either of them.",
                names=WrongIdea.KAFKA_IS_A_QUEUE,
            ),
        ),
        at_least_words=15,
    ),
    hints=Hints(
        question="What does a broker see of a process that dies: a broken connection, or that something does not come?",
        pointer=(
            "Look at the column “knows of a death by” in the table of real systems, and at where a new owner of a "
            "partition begins."
        ),
        first_line="RabbitMQ holds each message until it is acknowledged and sees the connection break",
    ),
    solution=Solution(
        code='''
answer = """
RabbitMQ holds each message until it is acknowledged and sees the connection break, so it hands the 20 out at once.
Kafka notices a death by missing heartbeats, after a session timeout of 45 s; it remembers one committed offset per
partition, and what was done after the last commit is done again by the next owner.
"""
''',
        because="One broker remembers messages, the other a position. One is told of a death, the other has to guess.",
    ),
)

CHAPTER = Chapter(
    number="03",
    title="What does a broker do that a list does not?",
    predictions=(WHO_COMES_BACK, THIRTEENTH, HOARDING),
    exercises=(PATTERN, ASSIGN, NACK, SELECTOR, KEYS, WHY),
)
