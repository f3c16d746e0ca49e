"""Chapter 10, discovery, health and balancing: how long a dead instance is called, and how a check can kill a fleet.

Follows: GV-01 (leases, stale views), GV-04 (probes), GV-05 (passive checks, panic), GV-06 (two choices) and GV-07 (deep
checks) of `governance`. The numbers are arithmetic or theory; the rest the chapter measures on `scenarios.Fleet`.
"""

from __future__ import annotations

from ...governance import mean_response
from ..exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from ..ideas import WrongIdea
from ..probe_trials import (
    a_crash,
    a_lossy_network,
    all_requests,
    at_best,
    at_worst,
    beats,
    by_the_rest,
    choice_trial,
    failed,
    first_probe,
    halved,
    in_proportion,
    in_whole,
    not_whole,
    one_more,
    one_too_late,
    rounded_down,
)
from ..rules import Choices, Needed, Option, Slip, Words, WrongWords, near, slip
from ..trials import FunctionRule, FunctionSlip, TrialRule

LOAD = 0.95
READY_PERIOD_S, READY_TIMEOUT_S, READY_THRESHOLD = 5.0, 2.0, 2

DETECTION = Question(
    id="10.detection",
    question=(
        "Five instances share 100 requests per second. One dies; whoever calls it gets an error at once. A health "
        "check asks each instance every 10 seconds, and three failed checks in a row take it out. How many requests "
        "fail?"
    ),
    answers=Choices(
        options=(
            Option(
                text="a handful",
                idea="The check has to come round first, and then twice more. Until then nobody has said anything.",
                names=WrongIdea.HEALTH_CHECKS_SEE_AT_ONCE,
            ),
            Option(
                text="about 100",
                idea="That is one check, half a period late: 5 seconds of 20 errors. It takes three in a row.",
                names=WrongIdea.HEALTH_CHECKS_SEE_AT_ONCE,
            ),
            Option(text="about 500"),
            Option(
                text="about 2,500",
                idea="The time is right, but only a fifth of the 100 per second goes to the dead one.",
            ),
        ),
        right="about 500",
    ),
    because=(
        "The third failed check comes 20 to 30 seconds after the death, 25 on average. All that time one request in "
        "five, 20 per second, is sent to a corpse: 25 × 20 = 500."
    ),
)

TWO_CHOICES = Question(
    id="10.two_choices",
    question=(
        "Many instances, each 95 % busy. If each request goes to one at random, a response takes 20 service times on "
        "average. Now look at two instances drawn at random, and take the one with fewer calls. How many service times?"
    ),
    answers=near(
        mean_response(LOAD),
        "service times",
        within_ratio=0.15,
        slips=(
            slip(10.0, "Half would be the gain if looking at two were like having twice the speed. It is much more.",
                 within_ratio=0.2),
            slip(19.0, "You expect little of a second look. But it is the long queues that make the mean, and to join "
                 "one now takes bad luck twice.", within_ratio=0.08),
            slip(1.0, "That would be an idle instance every time. At 95 % two looks rarely find one.",
                 within_ratio=0.3),
        ),
    ),
    because=(
        "3.4. To end in a long queue, both draws must be long. The share of queues with k or more calls falls like "
        "0.95 to the power of 2^k - 1 instead of 0.95 to the power of k."
    ),
)  # fmt: skip

REPAIR = Exercise(
    id="10.repair",
    kind=Kind.PREDICT,
    task=(
        "All five are taken out because the database behind them hiccups, though only one request in ten needs it. You "
        "may change one thing. Nine requests in ten must be answered during the hiccup, and an instance that alone has "
        "lost its connection to the database must still be taken out. Which change?"
    ),
    rule=Choices(
        options=(
            Option(
                text="a check that asks only the instance itself",
                idea="It keeps everybody in service, but it no longer sees the instance that alone is cut off.",
            ),
            Option(
                text="ten instances in place of five",
                idea="All ten ask the same database. A shared dependency fails for all at the same time.",
                names=WrongIdea.TWO_NODES_DOUBLE,
            ),
            Option(
                text="a threshold of 6 in place of 3",
                idea="It helps against hiccups shorter than a minute. The next one is longer, and a crash costs twice.",
            ),
            Option(text="panic mode below half of the instances"),
        ),
        right="panic mode below half of the instances",
    ),
    hints=Hints(
        question="What is suspicious about a verdict that all five fell ill in the same ten seconds?",
        pointer="Which change believes the check as long as it speaks of few, and not when it speaks of most?",
        first_line='answer = "panic mode below half of the instances"',
    ),
    solution=Solution(
        code='answer = "panic mode below half of the instances"',
        because=(
            "If most seem ill, the check is more likely wrong than they are; and if it is right, the few that are left "
            "would be crushed. The price: when most really are dead, calls go to the dead."
        ),
    ),
)

FAILED = Exercise(
    id="10.failed",
    kind=Kind.CHANGE_CODE,
    task=(
        "Write failed(requests_per_s, instances, period_s, threshold): how many requests fail on average before probes "
        "take a dead instance out. It refuses calls at once; requests are spread evenly; it dies at any instant."
    ),
    rule=FunctionRule(
        exercise="10.failed",
        cases=a_crash,
        truth=failed,
        slips=(
            FunctionSlip(
                wrong=first_probe,
                idea="You take it out at the first failed probe. It takes threshold of them.",
                names=WrongIdea.HEALTH_CHECKS_SEE_AT_ONCE,
            ),
            FunctionSlip(wrong=at_worst, idea="That is the longest time: as if it always died just after a probe."),
            FunctionSlip(wrong=at_best, idea="That is the shortest time: as if it always died just before a probe."),
            FunctionSlip(wrong=all_requests, idea="Only the share of one instance goes to the dead one."),
            FunctionSlip(
                wrong=halved,
                idea="You halved every wait. Only the first is left to chance; the others are whole periods.",
            ),
            FunctionSlip(
                wrong=one_too_late,
                idea="You counted one probe too many: the first failed one is one of the threshold.",
            ),
            FunctionSlip(
                wrong=by_the_rest,
                idea="The client does not know yet: it still shares among all, the dead one included.",
            ),
            FunctionSlip(wrong=in_whole, idea="You rounded. A mean need not be a whole number: return it as it is."),
        ),
    ),
    hints=Hints(
        question=(
            "A health check does not see it at once. After the death, when does the first probe fail: at the earliest, "
            "at the latest, on average?"
        ),
        pointer="Half a period until the first, then threshold - 1 whole periods; times the rate of one instance.",
        first_line="blind_s = (threshold - 0.5) * period_s",
    ),
    solution=Solution(
        code="""
def answer(requests_per_s, instances, period_s, threshold):
    blind_s = (threshold - 0.5) * period_s
    return requests_per_s / instances * blind_s
""",
        because="Detection takes between threshold - 1 and threshold periods, and half way between them on average.",
    ),
)

WHOM = Exercise(
    id="10.whom",
    kind=Kind.CHANGE_CODE,
    task=(
        "Five instances, 50 requests per second of 40 ms each. Give Protections(balancing=…, discovery=…) that hold in "
        "two nights: in one an instance is five times slower, and an answer may take 0.2 s on average; in the other an "
        "instance dies, and at most 40 requests may fail in half a minute. No retries."
    ),
    rule=TrialRule(exercise="10.whom", trial=choice_trial, seeds=2),
    hints=Hints(
        question=(
            "“Health checks detect failure at once.” They take 20 to 30 s for a dead instance, and never see a slow "
            "one. Who sees the slow one, and who hears of the dead one first?"
        ),
        pointer="A policy that looks at queues for the first night, checks that listen to real calls for the second.",
        first_line="answer = Protections(balancing=PowerOfChoices()",
    ),
    solution=Solution(
        code="""
from edasim.governance import OutlierDetection, PowerOfChoices, Probe
from edasim.services.calls import Discovery, Protections

passive = OutlierDetection(consecutive_failures=5, base_s=30, most_ratio=0.2)
answer = Protections(balancing=PowerOfChoices(), discovery=Discovery(probe=Probe(), outliers=passive))
""",
        because=(
            "Two choices (or least requests) walk around the slow one, and would fall for the dead one, whose queue is "
            "empty; five failures in a row eject it. At most a fifth may be ejected: a tenth of five is nobody."
        ),
    ),
)

LEASE = Exercise(
    id="10.lease",
    kind=Kind.CHANGE_CODE,
    task=(
        "A lease ends when all heartbeats within its length are lost. Each is lost with probability lost_ratio, "
        "whatever the others do. Write beats(lost_ratio, allowed_ratio): the smallest whole number of heartbeats that "
        "a lease must span so that all are lost with a chance of at most allowed_ratio."
    ),
    rule=FunctionRule(
        exercise="10.lease",
        cases=a_lossy_network,
        truth=beats,
        slips=(
            FunctionSlip(wrong=rounded_down, idea="One too few: rounded down, the chance is above what is allowed."),
            FunctionSlip(wrong=not_whole, idea="A lease spans whole heartbeats. Round, and think which way."),
            FunctionSlip(
                wrong=one_more, idea="It is safe, but one fewer is enough. Do you count from 0, or stop late?"
            ),
            FunctionSlip(
                wrong=in_proportion,
                idea="You divided. Losses in a row multiply: each further heartbeat takes off a factor.",
            ),
        ),
    ),
    hints=Hints(
        question="What is the chance that one, two, three heartbeats in a row are lost?",
        pointer="lost_ratio ** n must be at most allowed_ratio. Count n up, or take logarithms and round up.",
        first_line="n = 1",
    ),
    solution=Solution(
        code="""
def answer(lost_ratio, allowed_ratio):
    n = 1
    while lost_ratio**n > allowed_ratio:
        n += 1
    return n
""",
        because=(
            "With 10 % lost and one false removal in a thousand leases it is 3, the choice of Eureka (90 s for a "
            "heartbeat every 30 s). Each further heartbeat keeps a really dead instance for one more period."
        ),
    ),
)

CONFIG = Exercise(
    id="10.config",
    kind=Kind.PREDICT,
    task=(
        "The shop's container in kubernetes-shop.yaml stops answering: connections hang. How many seconds pass at most "
        "until its readiness probe takes it out of service?"
    ),
    rule=near(
        READY_PERIOD_S * READY_THRESHOLD + READY_TIMEOUT_S,
        "s",
        within_ratio=0.02,
        slips=(
            slip(10.0, "Two periods. But the last probe hangs, and is given up only after its timeout."),
            Slip(
                low=29.0,
                high=31.0,
                idea="These are the defaults, or the liveness probe: it restarts, readiness takes out of service.",
            ),
            slip(11.0, "A timeout of 1 s is the default. This readiness probe waits longer before it gives up."),
            slip(17.0, "You waited for three in a row, the default. This readiness probe needs fewer."),
            slip(
                14.0,
                "You counted two timeouts. The next probe comes a period after the last began, not after it ended.",
            ),
            slip(5.0, "That is the least, if the first probe comes at once and is refused."),
            slip(7.0, "It just missed a probe: add the period before the first failed one."),
        ),
    ),
    hints=Hints(
        question="Which of the three probes decides about service, and what are its period, timeout and threshold?",
        pointer='Ask shop.policy("shop/web", "probes").readiness.detection_s for the least and the most.',
        first_line="answer = 2 * 5 + 2",
    ),
    solution=Solution(
        code="answer = 2 * 5 + 2",
        because="12 s: 5 before the first failed probe, 5 to the second, and its timeout of 2.",
    ),
)

WHY = Exercise(
    id="10.why",
    kind=Kind.EXPLAIN,
    task=(
        "A user asks: “You have health checks. Why did I get errors for 25 seconds?” Answer in two or three sentences, "
        "and say what you will change."
    ),
    rule=Words(
        needed=(
            Needed(
                words=("period", "every", "interval", "seconds", "probe"),
                ask="how often does the check ask?",
            ),
            Needed(
                words=(
                    "three",
                    "thrice",
                    "3",
                    "threshold",
                    "in a row",
                    "several",
                    "multiple",
                    "consecutive",
                    "one failed",
                ),
                ask="is one failed check enough?",
            ),
            Needed(
                words=(
                    "passive",
                    "eject",
                    "outlier",
                    "real calls",
                    "real requests",
                    "retr",
                    "shorter",
                    "shorten",
                    "more often",
                    "lower the period",
                    "smaller period",
                    "every second",
                    "every 1 s",
                    "every 2 s",
                ),
                ask="what would notice it earlier?",
            ),
        ),
        wrong=(
            WrongWords(
                words=("was broken", "did not work", "didn't work", "a bug"),
                idea="The check worked exactly as configured. That is the point.",
            ),
            WrongWords(
                words=("deep check", "deeper check", "check the database"),
                idea="A deeper check is no faster, and it couples all instances to what it asks.",
                names=WrongIdea.HEALTH_CHECKS_SEE_AT_ONCE,
            ),
        ),
    ),
    hints=Hints(
        question=(
            "“The check comes every ten seconds, so after ten seconds it knew.” What happens between the death and the "
            "third failed check?"
        ),
        pointer="Name the period, the threshold, and who knows of the errors before any probe does.",
        first_line="Our probe asks every ten seconds",
    ),
    solution=Solution(
        code='''
answer = """
Our probe asks every ten seconds, and only the third failure in a row takes an instance out, so that a lost probe does
not. Until then one request in five went to the dead one. We add passive checks: the errors of real calls eject it.
"""
''',
        because="Detection is a trade between false alarms and time. The traffic itself is the fastest probe there is.",
    ),
)

CHAPTER = Chapter(
    number="10",
    title="Who is there, and are they well?",
    predictions=(DETECTION, TWO_CHOICES),
    exercises=(REPAIR, FAILED, WHOM, LEASE, CONFIG, WHY),
)
