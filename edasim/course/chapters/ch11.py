"""Chapter 11, retries, breakers and limits: how a fault that is over keeps a system down, and what ends it.

Follows: RP-01 (metastable failures), GV-10 (breaker), GV-20 and GV-21 (retry, amplification), GV-30 (token bucket) of
`governance`. Numbers are arithmetic; a repair runs on `scenarios.Storm`, a breaker and a bucket on calls of their own.
"""

from __future__ import annotations

from ...governance import amplification
from ..exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from ..ideas import WrongIdea
from ..retry_trials import (
    a_wait,
    breaker_trial,
    bucket_trial,
    capped_after,
    equal_jitter,
    full_jitter,
    in_steps,
    never_capped,
    no_jitter,
    one_too_many,
    plus_draw,
    repair_trial,
    trips,
)
from ..rules import Choices, Needed, Option, Words, WrongWords, exactly, slip
from ..trials import FunctionRule, FunctionSlip, TrialRule

CAPACITY_PER_S, TRIES, LAYERS = 100.0, 4, 4
THRESHOLD_PER_S = CAPACITY_PER_S / TRIES
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

FIRST = Question(
    id="11.first",
    question=(
        "The server can do 50, and 45 are asked for, with the same fault. You may add one thing to the retries: a "
        "budget (at most one retry for ten fresh requests), or a server that does not begin calls whose caller has "
        "gone, or a circuit breaker (open for 2 s when half of the calls of the last 5 s failed). Which one brings the "
        "system back within a minute?"
    ),
    answers=Choices(
        options=(
            Option(
                text="the budget",
                idea=(
                    "It lets 49.5 per second through where 50 can be done. That is stable on paper, and drains one "
                    "call in two seconds: with a backlog of hundreds it takes ten minutes, and all that time answers "
                    "are late."
                ),
            ),
            Option(
                text="not beginning stale calls",
                idea=(
                    "It saves the work in vain, but not the retries: 45 requests are tried up to four times, each "
                    "alive for its second. Too many living calls are still too many."
                ),
            ),
            Option(text="the circuit breaker"),
            Option(
                text="none alone",
                idea="Look for the one that empties the queue: something that sends nothing at all for a while.",
                names=WrongIdea.A_BREAKER_PROTECTS_THE_CALLER,
            ),
        ),
        right="the circuit breaker",
    ),
    because=(
        "While it is open nothing comes, and two seconds are enough for a hundred calls to be done. It protects the "
        "server at least as much as the caller. The price: whoever asks in these two seconds gets no answer."
    ),
)

REPAIR = Exercise(
    id="11.repair",
    kind=Kind.CHANGE_CODE,
    task=(
        "Bring `half` back: from 20 s after the fault on at least nine in ten requests are answered in time, in runs "
        "that you have not seen. Retries stay, users wait one second, and the server is as fast as it is. Give a "
        "storm: half.but(protections=…), or with stale=…, order=…, room=…."
    ),
    rule=TrialRule(exercise="11.repair", trial=repair_trial, seeds=3),
    hints=Hints(
        question=(
            "“A queue drains when more is done than comes.” Right; with 45 fresh requests per second for a server that "
            "does 50, what makes much less come, or drops what nobody waits for?"
        ),
        pointer="Look at the table: which lines have 45 in the last column? Keep the retries, and add what they have.",
        first_line="tamed = Protections(",
    ),
    solution=Solution(
        code="""
from edasim.governance import Backoff, CircuitBreaker, Retry, ShareOfFresh
from edasim.scenarios import Storm
from edasim.services.calls import Protections

patience = Backoff(first_wait_s=1.0, factor=1.0, jitter="none")
retry = Retry(attempts=4, backoff=patience)
naive = Protections(timeout_s=1.0, retry=retry)
half = Storm(requests_per_s=45, capacity_per_s=50, fault_capacity_per_s=15, protections=naive)
tamed = Protections(
    timeout_s=1.0,
    retry=retry,
    budget=ShareOfFresh(ratio=0.1, reserve_per_s=0),
    breaker=CircuitBreaker(window="time", window_size=5, minimum_calls=20, open_s=2),
)
answer = half.but(protections=tamed, stale="dropped")
""",
        because=(
            "The breaker empties the queue, the budget keeps it from filling again, and the server wastes nothing on "
            "those who have gone. A queue with an end (room=40) does it as well: it holds less than a second of work."
        ),
    ),
)

BUCKET = Exercise(
    id="11.bucket",
    kind=Kind.CHANGE_CODE,
    task=(
        "A partner's page makes 50 calls at once; pages come 4 s apart or more. What stands behind bears at most 100 "
        "calls in any 2 s. Give the TokenBucket(rate_per_s=…, burst=…) that refuses no page, and lets no flood through."
    ),
    rule=TrialRule(exercise="11.bucket", trial=bucket_trial, seeds=3),
    hints=Hints(
        question="How many tokens must be there when a page comes, and how many must drop in until the next may come?",
        pointer="50 for the page, 50 in 4 s; and a flood gets burst + rate × 2 s through, which may be 100 at most.",
        first_line="answer = TokenBucket(rate_per_s=",
    ),
    solution=Solution(
        code="""
from edasim.governance import TokenBucket

answer = TokenBucket(rate_per_s=15, burst=50)
""",
        because=(
            "A burst of 50 and a rate from 12.5 to 25 per second: 50 / 4 s so that it is full again, (100 - 50) / 2 s "
            "so that a flood is borne. Size what stands behind for burst + rate × time, not for the rate alone."
        ),
    ),
)

BREAKER = Exercise(
    id="11.breaker",
    kind=Kind.CHANGE_CODE,
    task=(
        "Two calls per second go to a callee of which always 5 % fail. This breaker is nervous and opens every minute: "
        "CircuitBreaker(window_size=10, minimum_calls=5, failure_rate_ratio=0.2). Tune it: no false trip in any of "
        "twenty hours, and open within 10 s when four in five calls begin to fail."
    ),
    rule=TrialRule(exercise="11.breaker", trial=breaker_trial, seeds=20),
    hints=Hints(
        question="How probable are so many failures in so few calls, if each fails with 5 %? How many calls are 10 s?",
        pointer="10 s are 20 calls. Of the last 20, half must fail: by chance once in a hundred million judgements.",
        first_line="answer = CircuitBreaker(window_size=20",
    ),
    solution=Solution(
        code="""
from edasim.governance import CircuitBreaker

answer = CircuitBreaker(window_size=20, minimum_calls=20, failure_rate_ratio=0.5)
""",
        because=(
            f"With 5 calls and 20 % a judgement is false with probability {trips(0.05, 5, 0.2):.0%}, with 20 calls and "
            f"50 % with {trips(0.05, 20, 0.5):.0e}. The defaults of Resilience4j, 100 calls and 50 %, are as safe, but "
            "need half a minute at two calls per second: settings belong to a rate."
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
                wrong=plus_draw,
                idea="You added the draw: up to one second for everybody, after waits that are still in step.",
            ),
            FunctionSlip(wrong=in_steps, idea="It grows by first_s each time. It should double."),
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
    kind=Kind.PREDICT,
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
            Needed(words=("retr", "again", "attempts", "repeat", "resend", "resent", "keep trying", "tries"),
                   ask="what sends the server more than the users ask for?"),
            Needed(
                words=(
                    "late", "given up", "gave up", "nobody waits", "no one waits", "timeout", "time out",
                    "timed out", "stale", "expire", "abandon", "have gone", "has gone", "are gone", "have left",
                    "that left", "who left", "deadline", "too slow",
                ),
                ask="what is wrong with the answers that the server does give?",
            ),
            Needed(
                words=(
                    "stop", "shed", "drop", "open", "breaker", "budget", "turn off", "switch off", "retries off",
                    "disable", "block", "limit", "fewer", "less", "reduce",
                ),
                ask="what breaks the circle?",
            ),
        ),
        wrong=(
            WrongWords(
                words=("more servers", "add servers", "scale up", "scale out", "bigger"),
                idea="More capacity ends it only if it is more than all retries together: here 240 per second, for 60.",
            ),
            WrongWords(
                words=("longer timeout", "increase the timeout", "raise the timeout", "more retries", "more attempts"),
                idea="More patience or more attempts feed the circle: each adds work where there is too much already.",
                names=WrongIdea.RETRY_IS_HARMLESS,
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
    predictions=(AFTER, LAYERED, FIRST),
    exercises=(REPAIR, BUCKET, BREAKER, BACKOFF, CONFIG, WHY),
)
