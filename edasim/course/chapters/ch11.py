"""Chapter 11, retries, breakers and limits: how a fault that is over keeps a system down, and what ends it.

Follows: RP-01 (metastable failures), GV-10 (breaker), GV-20 and GV-21 (retry, amplification), GV-30 (token bucket) of
`governance`. The numbers are arithmetic; what has chance in it the chapter measures on `scenarios.Storm`.
"""

from __future__ import annotations

from ...governance import amplification
from ..exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from ..ideas import WrongIdea
from ..retry_trials import (
    a_breaker,
    a_wait,
    at_least_one,
    by_the_mean,
    capped_after,
    equal_jitter,
    full_jitter,
    just_as_many,
    more_than_needed,
    never_capped,
    no_jitter,
    one_too_many,
    trips,
)
from ..rules import Choices, Needed, Option, Words, WrongWords, exactly, near, slip
from ..trials import FunctionRule, FunctionSlip

CAPACITY_PER_S, TRIES, LAYERS = 100.0, 4, 4
THRESHOLD_PER_S = CAPACITY_PER_S / TRIES
BURST, BUCKET_PER_S, LOOK_S = 50, 20.0, 10.0
EDGE_ATTEMPTS, SHOP_ATTEMPTS = 1 + 3, 3


AFTER = Question(
    id="11.after",
    question=(
        "A server can do 100 calls per second and gets 60. For ten seconds it can do only 30, then it is as healthy as "
        "before. Its callers wait one second for an answer, and one more before they try again, up to three times. A "
        "minute later, how many of the 60 requests per second are answered in time?"
    ),
    answers=Choices(
        options=(
            Option(text="none"),
            Option(
                text="about 25, a quarter of what the server can do",
                idea=(
                    "One attempt in four is a fresh request, so a quarter of the work should count. It would, if the "
                    "answer came within a second. Each comes too late."
                ),
            ),
            Option(
                text="fewer at first, but nearly all of them by then",
                idea="A queue drains when more is done than comes. Count what comes, with every retry.",
                names=WrongIdea.QUEUES_ABSORB_OVERLOAD,
            ),
            Option(
                text="all 60",
                idea="The fault is over and 60 is less than 100. But the server does not get 60 any more.",
                names=WrongIdea.IT_RECOVERS_WITH_THE_FAULT,
            ),
        ),
        right="none",
    ),
    because=(
        "Each request has become four attempts: 240 per second for a server that can do 100. Its queue grows, every "
        "wait is longer than a second, so every attempt is given up and made again. The server is busy all the time "
        "with work that nobody waits for. What keeps it down is not the fault; it is the retries."
    ),
)

LAYERED = Question(
    id="11.layers",
    question=(
        "A request passes four services, one calling the next, and the last calls a database that is down. Each "
        "of the four tries a failed call three times in all. How many calls does the database get for one request?"
    ),
    answers=exactly(
        int(amplification(3, LAYERS)),
        "calls",
        slips=(
            slip(3, "Only the last service calls the database. But it is asked to again and again.", within_ratio=0.0,
                 names=WrongIdea.RETRY_IS_HARMLESS),
            slip(12, "You added: 3 tries in each of 4 services. Each try of one makes the next begin anew.",
                 within_ratio=0.0),
            slip(64, "4 to the power of 3: it is the tries that are multiplied, once for each service.",
                 within_ratio=0.0),
            slip(27, "You left out a layer: four services try, so there are four factors of 3.", within_ratio=0.0),
            slip(256, "You counted three tries after the first. The question says three in all.", within_ratio=0.0),
        ),
    ),
    because="Each try of a service makes the service behind it try three times: 3 × 3 × 3 × 3 = 81.",
)  # fmt: skip

REPAIR = Exercise(
    id="11.repair",
    kind=Kind.PREDICT,
    task=(
        "Now 90 of 100 calls per second are asked for, with the same fault. You may add one thing to the retries: "
        "a budget (at most one retry for ten fresh requests), or a server that does not begin calls whose caller has "
        "gone, or a circuit breaker (open for 2 s when half of the calls of the last 5 s failed). Which one brings the "
        "system back within a minute?"
    ),
    rule=Choices(
        options=(
            Option(
                text="the budget",
                idea=(
                    "It lets 99 per second through where 100 can be done. That is stable on paper, and drains one call "
                    "per second: with a backlog of hundreds it takes ten minutes, and all that time answers are late."
                ),
            ),
            Option(
                text="not beginning stale calls",
                idea=(
                    "It saves the work in vain, but not the retries: 90 requests are tried up to four times, each "
                    "alive for its second. Too many living calls are still too many."
                ),
            ),
            Option(text="the circuit breaker"),
            Option(
                text="none alone",
                idea="Look for the one that empties the queue: something that sends nothing at all for a while.",
            ),
        ),
        right="the circuit breaker",
    ),
    hints=Hints(
        question=(
            "“A queue drains when more is done than comes.” Right; with 90 fresh requests per second, which of the "
            "three makes much less come?"
        ),
        pointer="Which of the three lets fewer than 100 - 90 = 10 per second come, at least for a while?",
        first_line='answer = "the circuit breaker"',
    ),
    solution=Solution(
        code='answer = "the circuit breaker"',
        because=(
            "While it is open nothing comes, and two seconds are enough for 200 calls to be done. It protects the "
            "server at least as much as the caller. The price: whoever asks in these two seconds gets no answer."
        ),
    ),
)

BUCKET = Exercise(
    id="11.bucket",
    kind=Kind.CALCULATE,
    task=(
        "A partner may send 20 calls per second, now and then 50 at once: TokenBucket(rate_per_s=20, burst=50). Its "
        "bucket is full. The partner sends as fast as it can. How many calls get through in the first 10 seconds?"
    ),
    rule=near(
        BURST + BUCKET_PER_S * LOOK_S,
        "calls",
        within_ratio=0.005,
        slips=(
            slip(
                BUCKET_PER_S * LOOK_S, "You counted what is filled in, and forgot what was in it.", within_ratio=0.004
            ),
            slip(BURST * LOOK_S, "The burst is not given anew each second; only 20 tokens are.", within_ratio=0.01),
            slip(BURST, "That is the first instant. Tokens go on dropping in.", within_ratio=0.01),
        ),
    ),
    hints=Hints(
        question="What is in the bucket at the beginning, and what is added in ten seconds?",
        pointer="A token bucket lets through at most burst + rate × time, in any stretch of time.",
        first_line="answer = 50 + 20 * 10",
    ),
    solution=Solution(
        code="answer = 50 + 20 * 10",
        because="250. So size what stands behind for burst + rate × time, not for the rate alone.",
    ),
)

FALSE_TRIPS = Exercise(
    id="11.false_trips",
    kind=Kind.CHANGE_CODE,
    task=(
        "A breaker judges after minimum_calls calls, and opens if the share of failed ones is failure_rate_ratio or "
        "more. The callee is as always: each call fails with probability error_ratio. Write trips(error_ratio, "
        "minimum_calls, failure_rate_ratio): the probability that it opens all the same."
    ),
    rule=FunctionRule(
        exercise="11.false_trips",
        cases=a_breaker,
        truth=trips,
        slips=(
            FunctionSlip(wrong=just_as_many, idea="You took exactly as many failures as are needed. More open it too."),
            FunctionSlip(
                wrong=more_than_needed,
                idea="You asked for more failures than the threshold. A share that just reaches it opens it as well.",
            ),
            FunctionSlip(
                wrong=by_the_mean,
                idea="It compares the usual rate with the threshold. Ten calls are not usual: chance decides.",
                names=WrongIdea.THE_AVERAGE_DESCRIBES,
            ),
            FunctionSlip(
                wrong=at_least_one, idea="One failure is enough only if the threshold is 1 of that many calls."
            ),
        ),
    ),
    hints=Hints(
        question="How many of the calls must fail at least for it to open?",
        pointer="math.ceil(failure_rate_ratio * minimum_calls). Then add up the binomial probabilities from there on.",
        first_line="fewest = math.ceil(failure_rate_ratio * minimum_calls - 1e-9)",
    ),
    solution=Solution(
        code="""
import math

def answer(error_ratio, minimum_calls, failure_rate_ratio):
    fewest = math.ceil(failure_rate_ratio * minimum_calls - 1e-9)
    return sum(
        math.comb(minimum_calls, failed) * error_ratio**failed * (1 - error_ratio) ** (minimum_calls - failed)
        for failed in range(fewest, minimum_calls + 1)
    )
""",
        because=(
            f"With 1 % errors, 10 calls and a threshold of 10 % it is {trips(0.01, 10, 0.1):.1%}: one breaker in ten "
            "opens for nothing. With 100 calls and 50 %, the defaults of Resilience4j, it practically never happens, "
            "and a real failure takes at least 50 failed calls to be seen."
        ),
    ),
)

BACKOFF = Exercise(
    id="11.backoff",
    kind=Kind.CHANGE_CODE,
    task=(
        "A thousand clients fail at the same instant. Write wait_s(failed_attempts, draw, first_s, cap_s) so that they "
        "do not come back together: uniform between 0 and a ceiling, which is first_s after the first failure and "
        "doubles with each, up to cap_s. `draw` is uniform between 0 and 1."
    ),
    rule=FunctionRule(
        exercise="11.backoff",
        cases=a_wait,
        truth=full_jitter,
        slips=(
            FunctionSlip(
                wrong=no_jitter,
                idea="It waits longer each time, but everybody equally long: the thousand stay together.",
                names=WrongIdea.RETRY_IS_HARMLESS,
            ),
            FunctionSlip(
                wrong=equal_jitter,
                idea="Half of the wait is fixed (equal jitter), so nobody comes in the first half. Draw from 0 on.",
            ),
            FunctionSlip(
                wrong=never_capped,
                idea="Nothing holds the ceiling: after ten failures it is 512 times the first.",
            ),
            FunctionSlip(
                wrong=one_too_many, idea="It doubles before the first wait. After one failure nothing doubled."
            ),
            FunctionSlip(
                wrong=capped_after,
                idea="The cap holds the drawn wait. Then many draws end up exactly at the cap, together.",
            ),
        ),
    ),
    hints=Hints(
        question="What is the ceiling after 1, 2 and 3 failures, if first_s is 0.1?",
        pointer="The ceiling is min(cap_s, first_s * 2 ** (failed_attempts - 1)); then one multiplication.",
        first_line="ceiling_s = min(cap_s, first_s * 2 ** (failed_attempts - 1))",
    ),
    solution=Solution(
        code="""
def answer(failed_attempts, draw, first_s, cap_s):
    ceiling_s = min(cap_s, first_s * 2 ** (failed_attempts - 1))
    return draw * ceiling_s
""",
        because=(
            "Full jitter. The doubling takes the load down, the draw takes the wave apart; without the draw a thousand "
            "clients make a thousand calls in one instant, again and again."
        ),
    ),
)

CONFIG = Exercise(
    id="11.config",
    kind=Kind.CALCULATE,
    task=(
        "The two files that you have just read stand one behind the other: Envoy at the edge says num_retries: 3 for "
        "/catalogue, and the shop behind it calls the catalogue with Resilience4j's maxAttempts: 3. The catalogue is "
        "down and refuses at once. How many calls do these two settings make of one request of a user? (Leave the "
        "shop's breaker aside, which may cut off the last of them.)"
    ),
    rule=exactly(
        EDGE_ATTEMPTS * SHOP_ATTEMPTS,
        "calls",
        slips=(
            slip(10, "You let the breaker open after ten failed calls. It may; here only the retries are asked for.",
                 within_ratio=0.0),
            slip(9, "num_retries counts retries: with the first attempt that makes 4 at the edge.", within_ratio=0.0),
            slip(16, "maxAttempts counts attempts, the first included: the shop makes 3.", within_ratio=0.0),
            slip(7, "You added. Each attempt of the edge makes the shop begin anew.", within_ratio=0.0),
            slip(6, "You added the two numbers. Retries of layers multiply.", within_ratio=0.0,
                 names=WrongIdea.RETRY_IS_HARMLESS),
        ),
    ),
    hints=Hints(
        question=(
            "Each file by itself looks as if a retry were harmless. How many attempts is `num_retries: 3`, how many is "
            "`maxAttempts: 3`, and what does each of the first make of the second?"
        ),
        pointer='Ask the loaded policies: edge.policy("catalogue", "retry").attempts, and the same of the shop.',
        first_line="answer = (1 + 3) * 3",
    ),
    solution=Solution(
        code="answer = (1 + 3) * 3",
        because=(
            "12. Two products, two ways of counting; both files look harmless alone. Retry in one layer only, the one "
            "nearest to the user's patience, or give each layer a budget."
        ),
    ),
)  # fmt: skip

WHY = Exercise(
    id="11.why",
    kind=Kind.EXPLAIN,
    task=(
        "Tell the person on call, in two or three sentences, why the system stays down although the server has been "
        "healthy for a minute, and what to do first."
    ),
    rule=Words(
        needed=(
            Needed(
                words=("retr", "again", "attempts", "repeat", "resend", "resent"),
                ask="what sends the server more than the users ask for?",
            ),
            Needed(
                words=(
                    "late", "given up", "gave up", "nobody waits", "no one waits", "timeout", "time out",
                    "timed out", "stale", "expire", "abandon", "have gone", "has gone", "are gone",
                ),
                ask="what is wrong with the answers that the server does give?",
            ),
            Needed(
                words=(
                    "stop", "shed", "drop", "open", "breaker", "budget", "turn off", "switch off", "retries off",
                    "disable", "block", "limit", "fewer", "less",
                ),
                ask="what breaks the circle?",
            ),
        ),
        wrong=(
            WrongWords(
                words=("more servers", "add servers", "scale up", "scale out", "bigger"),
                idea=(
                    "More capacity ends it only if it is more than all retries together: here more than 240 per "
                    "second, for 60."
                ),
            ),
            WrongWords(
                words=("still slow", "still broken", "still faulty"),
                idea="The server does 100 per second again. It is the work that is in vain, not the server.",
                names=WrongIdea.IT_RECOVERS_WITH_THE_FAULT,
            ),
        ),
    ),
    hints=Hints(
        question=(
            "“The fault is over, and 60 is less than 100.” But does the server get 60? What is there now that was not "
            "there before the fault?"
        ),
        pointer="Follow the circle: long queue, late answers, retries, long queue. Where can you cut it?",
        first_line="The queue is full of attempts whose callers have given up",
    ),
    solution=Solution(
        code='''
answer = """
The queue is full of attempts whose callers have given up, and every late answer makes them send one more, so the
retries alone are more than the server can do. Stop the retries or shed the stale calls, and it recovers by itself.
"""
''',
        because=(
            "A metastable state: load, not the fault, holds it. Restarting the server empties the queue and the circle "
            "may close again; only less load, or no work in vain, opens it."
        ),
    ),
)  # fmt: skip

CHAPTER = Chapter(
    number="11",
    title="How can a retry kill a system?",
    predictions=(AFTER, LAYERED),
    exercises=(REPAIR, BUCKET, FALSE_TRIPS, BACKOFF, CONFIG, WHY),
)
