"""Chapter 02, queues under load: wait against load, servers, variation.

Every number comes from `edasim.theory` (M/M/1, M/M/c, M/G/1) for a mail service that takes 20 ms for a mail. Left out
here: what only a run can show, such as the spread of single runs.
"""

from __future__ import annotations

from ...theory import mg1, mm1, mmc
from ..exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from ..ideas import WrongIdea
from ..rules import Choices, Needed, Option, Words, WrongWords, exactly, near, slip
from ..station_trials import a_station, by_the_mean, fewest_stable, servers_for
from ..trials import FunctionRule, FunctionSlip

MEAN_SERVICE_S = 0.020
MAILS_PER_S = 1 / MEAN_SERVICE_S
BEFORE = mm1(40.0, MAILS_PER_S)
AFTER = mm1(47.5, MAILS_PER_S)
GROWTH = AFTER.mean_wait_s / BEFORE.mean_wait_s
APART = mm1(45.0, MAILS_PER_S)
POOLED = mmc(180.0, MAILS_PER_S, 4)
SHORTER = APART.mean_wait_s / POOLED.mean_wait_s
FASTER = mm1(47.5, 1.1 * MAILS_PER_S)
STEADIER = mg1(47.5, MEAN_SERVICE_S, 0.0)
PEAK_PER_S = 190.0
P95_WAIT_S = 0.5
TRACE_RATIO = 1.503
"""Mean wait with over without hand-over, on the recording of the exercise; a test computes it again."""


WAIT_AT_95 = Question(
    id="02.wait_at_95",
    question="Load goes from 80 % to 95 %: 19 % more mails. How long does a mail wait now, compared with before?",
    answers=Choices(
        options=(
            Option(
                text="about the same",
                idea="95 % is less than 100 %, so everything still fits. The work does; what gets short is idle time.",
                names=WrongIdea.BUSY_IS_EFFICIENT,
            ),
            Option(
                text="19 % longer",
                idea="The wait grows in step with the work. But it is divided by idle time, which fell to a quarter.",
            ),
            Option(
                text="twice as long",
                idea="The wait bends upward, gently; a queue takes up the rest. But being in the queue is the wait.",
            ),
            Option(text="almost five times as long"),
        ),
        right="almost five times as long",
    ),
    because=(
        "The wait answers to the idle time, which shrinks from 20 % to 5 %. The mean wait was "
        f"{1000 * BEFORE.mean_wait_s:.0f} ms and is {1000 * AFTER.mean_wait_s:.0f} ms: {GROWTH:.2f} times as long."
    ),
)

POOLING = Question(
    id="02.pooling",
    question=(
        "Four mail services at load 0.9 have a queue each. Now all four take from one queue. How many times shorter "
        "is the mean wait?"
    ),
    answers=near(
        SHORTER,
        "times",
        within_ratio=0.1,
        slips=(
            slip(1, "Only the load counts, and the load is the same. But now no server is idle while a mail waits."),
            slip(4, "Four servers, so a quarter of the wait. But what counts is how often one of the four is idle."),
            slip(
                2,
                "Sharing helps by the square root of the number of servers. That is a rule for spare servers, not for "
                "waits.",
            ),
        ),
    ),
    because=(
        f"Apart, a mail waits {1000 * APART.mean_wait_s:.0f} ms; with one queue {1000 * POOLED.mean_wait_s:.0f} ms, "
        f"{SHORTER:.1f} times less: nobody waits while another server is idle."
    ),
)

SERVERS = Exercise(
    id="02.servers",
    kind=Kind.CALCULATE,
    task=(
        f"{PEAK_PER_S:.0f} mails arrive per second, a mail takes {1000 * MEAN_SERVICE_S:.0f} ms, one queue for all "
        f"servers. How many servers keep the 95th percentile of waits under {P95_WAIT_S:g} s?"
    ),
    rule=exactly(
        servers_for(PEAK_PER_S, MEAN_SERVICE_S, P95_WAIT_S),
        "servers",
        slips=(
            slip(PEAK_PER_S * MEAN_SERVICE_S, "That is the work that arrives per second. Servers come whole."),
            slip(3, "Three servers do 150 mails a second, fewer than arrive. The queue would grow for ever."),
            slip(
                8,
                "Twice the work is the safe rule of a single server. Servers that share a queue can be busier.",
            ),
            slip(5, "Five keep the promise, but four do already. Look at the quantile, not at the load alone."),
        ),
    ),
    hints=Hints(
        question=(
            "“Everything still fits” tells you the fewest servers. What does it not tell you about the wait of one "
            "mail in twenty?"
        ),
        pointer=(
            "3.8 servers are busy on average, so four fit, with 5 % of idle time. Whether that is enough is no matter "
            "of the load alone: read the 95th percentile, and add a server as long as it is too long."
        ),
        first_line="station = mmc(190.0, 50.0, servers=4)",
    ),
    solution=Solution(
        code="""
from edasim.theory import mmc

station = mmc(190.0, 50.0, servers=4)
print(f"p95 of waits: {station.wait_quantile_s(0.95):.3f} s")
answer = 4
""",
        because=(
            "190 mails of 20 ms keep 3.8 servers busy, so at least four are needed. Four are 95 % busy, and still the "
            f"95th percentile is {mmc(PEAK_PER_S, MAILS_PER_S, 4).wait_quantile_s(0.95):.2f} s: with one queue for "
            "four, load 0.95 waits far less than one server at that load."
        ),
    ),
)

SERVERS_FOR = Exercise(
    id="02.servers_for",
    kind=Kind.CHANGE_CODE,
    task=(
        "Write servers_for(arrival_per_s, mean_service_s, p95_wait_s): the fewest servers that share one queue and "
        "keep the 95th percentile of waits at or under the limit. It is tried on stations that you have not seen."
    ),
    rule=FunctionRule(
        exercise="02.servers_for",
        cases=a_station,
        truth=servers_for,
        slips=(
            FunctionSlip(
                wrong=fewest_stable,
                idea="It counts the servers that keep up with the work. At that number the wait may still be long.",
                names=WrongIdea.BUSY_IS_EFFICIENT,
            ),
            FunctionSlip(
                wrong=by_the_mean,
                idea="It holds the mean under the limit. One mail in twenty waits far longer than the mean.",
                names=WrongIdea.THE_AVERAGE_DESCRIBES,
            ),
        ),
    ),
    hints=Hints(
        question=(
            "The sheet stops where everything still fits. Which idea of the prediction is that, and what does it "
            "forget?"
        ),
        pointer=(
            "That the work fits says that a wait exists, not that it is short; nor does it grow in step with the work. "
            "Begin at that number, and add a server as long as wait_quantile_s(0.95) is above the limit."
        ),
        first_line="servers = int(arrival_per_s * mean_service_s) + 1",
    ),
    solution=Solution(
        code="""
from edasim.theory import mmc

def answer(arrival_per_s, mean_service_s, p95_wait_s):
    servers = int(arrival_per_s * mean_service_s) + 1
    while mmc(arrival_per_s, 1 / mean_service_s, servers).wait_quantile_s(0.95) > p95_wait_s:
        servers += 1
    return servers
""",
        because=(
            "The first number that is stable is where the search begins, not where it ends: a percentile is the "
            "promise."
        ),
    ),
)

REPAIR = Exercise(
    id="02.repair",
    kind=Kind.PREDICT,
    task=(
        "At load 0.95 the mean wait is too long. You may make the service 10 % faster, or give every mail the same "
        "service time. Which of the two shortens the mean wait more?"
    ),
    rule=Choices(
        options=(
            Option(text="10 % faster"),
            Option(
                text="constant service time",
                idea=(
                    "Taking the variation away halves the wait, at the same load. It comes down to "
                    f"{1000 * STEADIER.mean_wait_s:.0f} ms; 10 % more speed also takes load away and comes down to "
                    f"{1000 * FASTER.mean_wait_s:.0f} ms."
                ),
            ),
            Option(
                text="both the same",
                idea=(
                    "10 % looks small beside half. Near full load a small change of speed is a large change of idle "
                    "time."
                ),
            ),
        ),
        right="10 % faster",
    ),
    hints=Hints(
        question=(
            "If waits grew in step with the work, 10 % less work would take 10 % off. What did the prediction show "
            "them to answer to instead?"
        ),
        pointer=(
            "To idle time: 10 % more speed turns 5 % of it into 14 %. Compare mm1(47.5, 55.0) with mg1(47.5, 0.020, "
            "0.0); the second has no variation of service times, and the same idle time as before."
        ),
        first_line="faster = mm1(47.5, 55.0).mean_wait_s",
    ),
    solution=Solution(
        code="""
from edasim.theory import mg1, mm1

faster = mm1(47.5, 55.0).mean_wait_s
steadier = mg1(47.5, 0.020, 0.0).mean_wait_s
print(f"10 % faster: {faster:.3f} s, constant: {steadier:.3f} s")
answer = "10 % faster" if faster < steadier else "constant service time"
""",
        because=(
            f"From {1000 * AFTER.mean_wait_s:.0f} ms, constant times come down to {1000 * STEADIER.mean_wait_s:.0f} ms "
            f"and speed to {1000 * FASTER.mean_wait_s:.0f} ms. At load 0.5 it would be the other way round."
        ),
    ),
)

LITTLE = Exercise(
    id="02.little",
    kind=Kind.CALCULATE,
    task=(
        f"A table of a long run says: 47.5 mails a second arrive and are done, and {AFTER.mean_queue:.2f} mails wait "
        "on average. The column of the mean wait is missing. What was in it, in seconds?"
    ),
    rule=near(
        AFTER.mean_wait_s,
        "s",
        within_ratio=0.01,
        slips=(
            slip(
                AFTER.mean_queue * 47.5, "Multiplied instead of divided: number = rate × time, so time = number / rate."
            ),
            slip(
                AFTER.mean_queue / MAILS_PER_S,
                "Divided by what the server could do. Little's law asks for what really passes: the arrivals.",
                within_ratio=0.01,
            ),
            slip(
                AFTER.mean_response_s,
                (
                    "That is the time from arrival to the end of service. The mails that wait are counted without the "
                    "one in service."
                ),
                within_ratio=0.01,
            ),
        ),
    ),
    hints=Hints(
        question=(
            "You need no idea of how a wait grows, straight or bent. If 47.5 mails enter the queue each second and "
            "each stays W seconds, how many are in it?"
        ),
        pointer=(
            "Little's law: mean number = rate × mean time, for any part of a system. Here the part is the queue alone."
        ),
        first_line="answer = 18.05 / 47.5",
    ),
    solution=Solution(
        code="""
answer = 18.05 / 47.5
""",
        because=(
            "Little's law needs no formula of the queue: it holds for any system that does not drift, and for any "
            "part of it."
        ),
    ),
)

TRACE = Exercise(
    id="02.trace",
    kind=Kind.CALCULATE,
    task=(
        "../data/measured/jetstream_mm1_load90_a.csv.gz is a run of another real broker, NATS JetStream, at load 0.91. "
        "How many times as long as without any hand-over is the mean wait that is predicted with the calibrated one?"
    ),
    rule=near(
        TRACE_RATIO,
        "times",
        within_ratio=0.03,
        slips=(
            slip(1.18, "A fifth longer was RabbitMQ at load 0.8. The higher the load, the more a small thing costs."),
            slip(1.03, "0.6 ms are 3 % of 20 ms. But the wait answers to the idle time, of which they take a third."),
            slip(1 / TRACE_RATIO, "The other way round: divide the longer wait by the shorter."),
        ),
    ),
    hints=Hints(
        question=(
            "In step with the work, 0.6 ms of 20 would be 3 %. By what share does the hand-over shorten the idle time?"
        ),
        pointer=(
            "At load 0.91 idle time is short already, so the factor is above RabbitMQ's 1.18 at 0.80. "
            "Recording.predict() calibrates the hand-over, predict(handover_s=0.0) has none. Compare the means."
        ),
        first_line='recording = Recording.read("../data/measured/jetstream_mm1_load90_a.csv.gz")',
    ),
    solution=Solution(
        code="""
from edasim.experiments import Recording

recording = Recording.read("../data/measured/jetstream_mm1_load90_a.csv.gz")
calibrated, without = recording.predict(), recording.predict(handover_s=0.0)
answer = calibrated.predicted_s.mean() / without.predicted_s.mean()
""",
        because="45 times a second 0.6 ms more work: load 0.91 becomes 0.94, and the idle time shrinks by a third.",
    ),
)

WHY = Exercise(
    id="02.why",
    kind=Kind.EXPLAIN,
    task=(
        "Explain to the person with the capacity sheet, in two sentences, why 19 % more mails made the wait almost "
        "five times as long."
    ),
    rule=Words(
        needed=(
            Needed(
                words=("idle", "spare", "free", "headroom", "head-room", "unused", "slack", "time left"),
                ask="what does the wait answer to, if not to the amount of work?",
            ),
            Needed(
                words=(
                    "5 %",
                    "5 per cent",
                    "5 percent",
                    "five per cent",
                    "five percent",
                    "0.05",
                    "quarter",
                    "four times",
                    "factor of 4",
                    "factor of four",
                    "twentieth",
                    "1/4",
                ),
                ask="by how much did that shrink? Give the number.",
            ),
        ),
        wrong=(
            WrongWords(
                words=("overload", "too slow", "cannot keep up"),
                idea="Nothing is overloaded: at 95 % all mails are served.",
            ),
            WrongWords(
                words=("exponential",),
                idea="“Grows exponentially” names a curve, not a cause, and here it is not the curve.",
            ),
        ),
    ),
    hints=Hints(
        question=(
            "“It still fits” and “19 % longer” both look at the work. What share of its time was the service not "
            "working before, and what share is it now?"
        ),
        pointer=(
            "The mean wait is work divided by idle time. In step with the work it would be 1.19 times as long, gently "
            "bent perhaps twice. What became of the divisor?"
        ),
        first_line="The wait answers to the idle time, not to the work.",
    ),
    solution=Solution(
        code='''
answer = """
The wait answers to the idle time, not to the work. The work grew by 19 %, but the idle time in which a queue can
shrink fell from 20 % to 5 %, to a quarter, and 1.19 times 4 is 4.75.
"""
''',
        because="The mean wait of this queue is load × service time / idle share: 1.19 × 4 = 4.75.",
    ),
)

CHAPTER = Chapter(
    number="02",
    title="Why does the queue explode at 95 % and not at 80 %?",
    predictions=(WAIT_AT_95, POOLING),
    exercises=(REPAIR, SERVERS, SERVERS_FOR, LITTLE, TRACE, WHY),
)
