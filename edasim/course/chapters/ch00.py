"""Chapter 00, how a lab works: one run, its luck, and intervals.

Follows: intervals from independent replications and paired differences (SO-01, SO-04), by `edasim.theory`. Left out
here: how often the worse of two systems wins a single run, which the chapter measures.
"""

from __future__ import annotations

import math
import random
import statistics

from ...theory import mean_interval, paired_interval, runs_needed, student_t
from ..exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from ..ideas import WrongIdea
from ..rules import Choices, Needed, Number, Option, Words, WrongWords, slip
from ..trials import FunctionRule, FunctionSlip

PILOT_MS = (62.0, 101.0, 74.0, 83.0, 69.0, 95.0, 78.0, 66.0, 90.0, 72.0)
PILOT = mean_interval(PILOT_MS)
WANTED_RATIO = 0.05
REPEATS = runs_needed(PILOT_MS, WANTED_RATIO)
SHOWN_MS = ", ".join(f"{wait:.0f}" for wait in PILOT_MS)
NARROWER = PILOT.relative_half_width / WANTED_RATIO


def some_waits(rng: random.Random) -> tuple[list[float]]:
    """Mean waits of 5 to 15 runs, in milliseconds."""
    return ([round(rng.gauss(80, 15), 1) for _ in range(rng.randrange(5, 16))],)


def some_pairs(rng: random.Random) -> tuple[list[float], list[float]]:
    """Mean waits of two systems under the same luck: what differs between seeds is mostly common to both."""
    luck = [rng.gauss(80, 15) for _ in range(rng.randrange(5, 16))]
    return [round(ms, 1) for ms in luck], [round(ms - rng.gauss(4, 2), 1) for ms in luck]


def interval_of(values: list[float]) -> tuple[float, float]:
    """Mean and half-width of the 95 % interval."""
    interval = mean_interval(values)
    return interval.mean, interval.half_width


def spread_of_runs(values: list[float]) -> tuple[float, float]:
    """A typical wrong answer: the spread of single runs instead of that of their mean."""
    return statistics.mean(values), student_t(0.95, len(values) - 1) * statistics.stdev(values)


def normal_interval(values: list[float]) -> tuple[float, float]:
    """A typical wrong answer: 1.96 whatever the number of runs."""
    return statistics.mean(values), 1.96 * statistics.stdev(values) / math.sqrt(len(values))


def divided_by_n(values: list[float]) -> tuple[float, float]:
    """A typical wrong answer: the spread is divided by n instead of n - 1."""
    factor = student_t(0.95, len(values) - 1) / math.sqrt(len(values))
    return statistics.mean(values), factor * statistics.pstdev(values)


def paired(a: list[float], b: list[float]) -> tuple[float, float]:
    """Mean and half-width of the 95 % interval of a - b, run by run."""
    interval = paired_interval(a, b)
    return interval.mean, interval.half_width


def as_if_strangers(a: list[float], b: list[float]) -> tuple[float, float]:
    """A typical wrong answer: both spreads are added, as if the two had not shared their luck."""
    spread = math.sqrt((statistics.variance(a) + statistics.variance(b)) / len(a))
    return statistics.mean(a) - statistics.mean(b), student_t(0.95, len(a) - 1) * spread


def the_other_way(a: list[float], b: list[float]) -> tuple[float, float]:
    """A typical wrong answer: b - a."""
    mean, half_width = paired(a, b)
    return -mean, half_width


B_LOOKS_WORSE = Question(
    id="00.b_looks_worse",
    question=(
        "B serves 5 % faster than A, whose load is 0.9. You run each once, 1,000 messages, with different seeds. How "
        "often does B look worse?"
    ),
    answers=Choices(
        options=(
            Option(
                text="never",
                idea="A simulation is a calculation, so the faster one wins. But each run draws its own luck.",
                names=WrongIdea.ONE_RUN_SHOWS,
            ),
            Option(
                text="about 1 time in 20",
                idea=(
                    "It sounds like the 95 % of an interval. Nobody has made an interval here; these are two single "
                    "runs."
                ),
            ),
            Option(text="about 1 time in 4"),
            Option(
                text="every second time", idea="One run tells nothing at all. It tells a little: B does win more often."
            ),
        ),
        right="about 1 time in 4",
    ),
    because=(
        "At load 0.9 the mean wait of 1,000 messages varies from run to run by far more than the 5 % of speed change "
        "it. The luck of the draw decides about one comparison in four."
    ),
)

ONE_MORE = Exercise(
    id="00.one_more",
    kind=Kind.PREDICT,
    task=(
        f"Ten runs have mean waits whose average is {PILOT.mean:.0f} ± {PILOT.half_width:.0f} ms (95 %). You make one "
        "more run with a new seed. How often will its mean wait lie outside these limits?"
    ),
    rule=Choices(
        options=(
            Option(
                text="never",
                idea=(
                    "The interval holds all that can happen. It holds the truth about the mean, nineteen times of "
                    "twenty."
                ),
            ),
            Option(
                text="1 time in 20",
                idea=(
                    "95 % of what? Of such intervals hold the true mean. Single runs scatter √10 times wider than the "
                    "mean of ten."
                ),
            ),
            Option(text="about every second time"),
        ),
        right="about every second time",
    ),
    hints=Hints(
        question="Is the interval about where single runs fall, or about where their average lies?",
        pointer=(
            "The mean of ten runs scatters √10 = 3.2 times less than a single run. Compare the half-width with the "
            "runs' own spread."
        ),
        first_line="single_run = statistics.stdev(waits)",
    ),
    solution=Solution(
        code=f"""
import math, statistics
from edasim.theory import mean_interval

waits = {list(PILOT_MS)}
single_run = statistics.stdev(waits)
half_width = mean_interval(waits).half_width
outside = math.erfc(half_width / single_run / math.sqrt(2 * (1 + 1 / len(waits))))
print(f"a single run is outside in {{outside:.0%}} of cases")
answer = "1 time in 20" if outside < 0.1 else "about every second time"
""",
        because="The interval says how well the mean is known. It promises nothing about a single run.",
    ),
)

RUNS = Exercise(
    id="00.repeats",
    kind=Kind.CALCULATE,
    task=(
        f"Ten runs gave mean waits of {SHOWN_MS} ms: {PILOT.mean:.0f} ms ± {100 * PILOT.relative_half_width:.0f} %. "
        f"About how many runs are needed for ± {100 * WANTED_RATIO:.0f} %?"
    ),
    rule=Number(
        unit="runs",
        low=math.floor(0.85 * REPEATS),
        high=math.ceil(max(1.1 * REPEATS, 10 * NARROWER**2)),
        truth=REPEATS,
        slips=(
            slip(
                10 * NARROWER,
                "You scaled in proportion. The half-width shrinks with the square root of the number of runs.",
                within_ratio=0.12,
            ),
            slip(10, "Ten runs gave more than that. More runs are needed for a narrower interval."),
        ),
    ),
    hints=Hints(
        question="If you make four times as many runs, how much narrower does the interval become?",
        pointer="The half-width goes with 1/√n. Or let runs_needed(pilot, relative_half_width) of edasim.theory count.",
        first_line="from edasim.theory import runs_needed",
    ),
    solution=Solution(
        code=f"""
from edasim.theory import runs_needed

answer = runs_needed({list(PILOT_MS)}, relative_half_width={WANTED_RATIO})
""",
        because=(
            f"To be {NARROWER:.2f} times narrower takes about {NARROWER:.2f}² times as many runs; a little fewer, "
            "because with more runs Student's factor comes down as well."
        ),
    ),
)

INTERVAL = Exercise(
    id="00.interval",
    kind=Kind.CHANGE_CODE,
    task=(
        "Write interval(waits): for a list of mean waits, one per run, return the mean and the half-width of its 95 % "
        "interval. student_t(0.95, n - 1) of edasim.theory gives Student's factor. It is tried on runs that you have "
        "not seen."
    ),
    rule=FunctionRule(
        exercise="00.interval",
        cases=some_waits,
        truth=interval_of,
        slips=(
            FunctionSlip(
                wrong=spread_of_runs,
                idea="That is how far single runs scatter. The mean of n runs scatters √n times less.",
            ),
            FunctionSlip(
                wrong=normal_interval, idea="1.96 is for very many runs. With few, Student's factor is larger."
            ),
            FunctionSlip(
                wrong=divided_by_n,
                idea="You divided the squares by n. The mean was estimated from the same runs, so n - 1 are left.",
            ),
        ),
    ),
    hints=Hints(
        question="What scatters less than single runs, and how much less with n of them?",
        pointer="Half-width = t · s / √n, with s from statistics.stdev and t from student_t(0.95, n - 1).",
        first_line="n = len(waits)",
    ),
    solution=Solution(
        code="""
import math, statistics
from edasim.theory import student_t

def answer(waits):
    n = len(waits)
    half_width = student_t(0.95, n - 1) * statistics.stdev(waits) / math.sqrt(n)
    return statistics.mean(waits), half_width
""",
        because=(
            "This is what experiments.replicate does for you. Values inside one run must not go in: they resemble "
            "their neighbours."
        ),
    ),
)

COMPARE = Exercise(
    id="00.compare",
    kind=Kind.CHANGE_CODE,
    task=(
        "Write compare(a, b): mean waits of two systems, a[i] and b[i] from the same seed. Return the mean and the "
        "half-width of the 95 % interval of a - b."
    ),
    rule=FunctionRule(
        exercise="00.compare",
        cases=some_pairs,
        truth=paired,
        slips=(
            FunctionSlip(
                wrong=as_if_strangers,
                idea=(
                    "You added both spreads, as if the two had nothing in common. They shared their luck: subtract "
                    "first, run by run."
                ),
            ),
            FunctionSlip(wrong=the_other_way, idea="That is b - a. A positive answer shall mean that a waits longer."),
        ),
    ),
    hints=Hints(
        question="When a[3] and b[3] are both large, whose fault is it: the systems', or that of seed 3?",
        pointer="Take the differences run by run; then it is the interval of one list.",
        first_line="differences = [left - right for left, right in zip(a, b)]",
    ),
    solution=Solution(
        code="""
import math, statistics
from edasim.theory import student_t

def answer(a, b):
    differences = [left - right for left, right in zip(a, b)]
    n = len(differences)
    half_width = student_t(0.95, n - 1) * statistics.stdev(differences) / math.sqrt(n)
    return statistics.mean(differences), half_width
""",
        because="What both sides share cancels in the difference, and only what tells them apart is left to scatter.",
    ),
)

SEED = Exercise(
    id="00.seed",
    kind=Kind.EXPLAIN,
    task=(
        "A colleague says: “With seed 7 the new system is better, so let us use seed 7.” Explain in two sentences "
        "what a seed is, and what it is not."
    ),
    rule=Words(
        needed=(
            Needed(
                words=("luck", "random", "chance", "draw", "dice", "sequence"),
                ask="what does a seed choose?",
            ),
            Needed(
                words=("same", "repeat", "reproduc", "again", "identical"),
                ask="what do you gain from writing the seed down?",
            ),
            Needed(
                words=(
                    "not a",
                    "not part",
                    "not of the system",
                    "no property",
                    "nothing about",
                    "not the system",
                    "no setting",
                    "cannot",
                ),
                ask="what is a seed not? Say whether it belongs to the system.",
            ),
        ),
        wrong=(
            WrongWords(
                words=("best seed", "good seed", "better seed", "right seed"),
                idea="No seed is better than another; a conclusion that needs one is luck.",
                names=WrongIdea.ONE_RUN_SHOWS,
            ),
        ),
    ),
    hints=Hints(
        question="Does the real system have a seed 7?",
        pointer=(
            "Say what is the same when two runs share a seed, and why no conclusion may depend on which one it was."
        ),
        first_line="A seed chooses which random numbers a run draws,",
    ),
    solution=Solution(
        code='''
answer = """
A seed chooses which random numbers a run draws, so that the same run can be repeated exactly. It is not a setting of
the system: a conclusion that holds for one seed only is luck, so it must hold over many.
"""
''',
        because="Seeds are for repeating and for pairing. Nothing about the world is in them.",
    ),
)

CHAPTER = Chapter(
    number="00",
    title="Can you trust one run?",
    predictions=(B_LOOKS_WORSE,),
    exercises=(ONE_MORE, RUNS, INTERVAL, COMPARE, SEED),
)
