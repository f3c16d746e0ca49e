"""Chapter 00, how a lab works: one run, its luck, and intervals.

Follows: intervals from independent replications and paired differences (SO-01, SO-04), by `edasim.theory`. The two
systems are those of the chapter's lab. Left out here: how often the worse of two systems wins a single run, which the
chapter measures.
"""

from __future__ import annotations

import math

from ...theory import mean_interval, runs_needed
from ..exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from ..ideas import WrongIdea
from ..rules import Choices, Needed, Number, Option, Words, WrongWords, slip
from ..trials import TrialRule
from ..trust_trials import WAIT, LyingPair, comparison_trial

PILOT_MS = (144.0, 167.0, 133.0, 97.0, 95.0, 174.0, 110.0, 87.0, 85.0, 244.0)
"""The first ten of the chapter's 600 runs of A; a test holds them to the library."""
PILOT = mean_interval(PILOT_MS)
WANTED_RATIO = 0.1
REPEATS = runs_needed(PILOT_MS, WANTED_RATIO)
SHOWN_MS = ", ".join(f"{wait:.0f}" for wait in PILOT_MS)
NARROWER = PILOT.relative_half_width / WANTED_RATIO
FROM_ALL_RUNS = 82
"""What `runs_needed` says to all 600 runs; a test holds it to the library."""

LONG_RUN = 5000


B_LOOKS_WORSE = Question(
    id="00.b_looks_worse",
    question=(
        "B serves 5 % faster than A, whose load is 0.9. You run each once, 1,000 mails, with different seeds. How "
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
                    "It sounds like the 95 % of an interval. But nobody has made an interval here; these are two "
                    "single runs."
                ),
            ),
            Option(text="about 1 time in 4"),
            Option(
                text="every second time",
                idea="One run tells nothing at all. But it tells a little: B does win more often than it loses.",
            ),
        ),
        right="about 1 time in 4",
    ),
    because=(
        "At load 0.9 the mean wait of 1,000 mails varies from run to run by more than the 5 % of speed change it. The "
        "luck of the draw decides about one comparison in four."
    ),
)

SAME_LUCK = Question(
    id="00.same_luck",
    question=(
        "Now A and B get the same seed: the same mails at the same instants, and a mail that is long for A is long for "
        "B. How often does B look worse?"
    ),
    answers=Choices(
        options=(
            Option(
                text="about 1 time in 4, as before",
                idea="Chance is chance, whoever has it. But what decides is a difference in luck; now there is none.",
                names=WrongIdea.ONE_RUN_SHOWS,
            ),
            Option(
                text="about 1 time in 8",
                idea="One die instead of two, so half of the errors. But both throw the same die, and it cancels.",
            ),
            Option(text="never"),
        ),
        right="never",
    ),
    because=(
        "Mail by mail: it arrives at the same instant and needs a little less of B's time. So B is never later with "
        "the mails before it, and no mail waits longer at B."
    ),
)

ONE_MORE = Exercise(
    id="00.one_more",
    kind=Kind.PREDICT,
    task=(
        f"Ten runs have mean waits whose average is {PILOT.mean:.0f} ± {PILOT.half_width:.0f} ms (95 %). You make one "
        "more run with a new seed. How often will its mean wait lie outside these limits: never, 1 time in 20, or "
        "about every second time?"
    ),
    rule=Choices(
        options=(
            Option(
                text="never",
                idea=(
                    "“The interval holds all that can happen.” It speaks of the mean only, and holds that nineteen "
                    "times of twenty. Single runs scatter far more widely."
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
        question=(
            "“1 in 20” sounds like the 95 % of an interval. Is that interval about where single runs fall, or about "
            "where their average lies?"
        ),
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

waits = {[round(wait) for wait in PILOT_MS]}
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
        f"The first ten runs of A gave mean waits of {SHOWN_MS} ms: {PILOT.mean:.0f} ms "
        f"± {100 * PILOT.relative_half_width:.0f} %. Judged from these ten, about how many runs are needed for "
        f"± {100 * WANTED_RATIO:.0f} %?"
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
            slip(
                FROM_ALL_RUNS,
                "That is what all 600 runs say. Ten runs know their own spread only roughly, so plan with them, then "
                "look again.",
            ),
        ),
    ),
    hints=Hints(
        question=(
            "One run tells a little, and more runs tell more, but not in proportion. If you make four times as many, "
            "how much narrower does the interval become?"
        ),
        pointer=(
            "Luck cancels only with the square root: the half-width goes with 1/√n. Or let "
            "runs_needed(pilot, relative_half_width) of edasim.theory count."
        ),
        first_line="from edasim.theory import runs_needed",
    ),
    solution=Solution(
        code=f"""
from edasim.theory import runs_needed

answer = runs_needed({[round(wait) for wait in PILOT_MS]}, relative_half_width={WANTED_RATIO})
""",
        because=(
            f"To be {NARROWER:.1f} times narrower takes about {NARROWER:.1f}² times as many runs; a little fewer, "
            f"because with more runs Student's factor comes down as well. All 600 runs together say {FROM_ALL_RUNS}: "
            "ten runs know their own spread only roughly."
        ),
    ),
)

LIAR = Exercise(
    id="00.liar",
    kind=Kind.CHANGE_CODE,
    task=(
        f"Longer runs lie less often, but they lie. Find a pair of seeds with which B looks worse although each run "
        f"has {LONG_RUN:,} mails. Answer with (seed of A, seed of B)."
    ),
    rule=LyingPair(messages=LONG_RUN),
    hints=Hints(
        question=(
            "“Never, a simulation is a calculation” holds for one seed. Which seeds make A look good: those with short "
            "waits, or those with long ones? And B bad?"
        ),
        pointer=(
            f"Make A and B again with messages={LONG_RUN} (dataclasses.replace), run each with some twenty seeds, and "
            "take A's shortest wait and B's longest."
        ),
        first_line="waits_a = {seed: wait_s(a, seed) for seed in range(1, 21)}",
    ),
    solution=Solution(
        code=f"""
import dataclasses
import edasim as eda
from edasim import scenarios

a = scenarios.SingleQueue(
    arrivals=eda.load.Poisson(rate_per_s=45), service_time=eda.times.Exponential(mean_s=0.020), messages={LONG_RUN}
)
b = dataclasses.replace(a, service_time=eda.times.Exponential(mean_s=0.020 / 1.05))

def wait_s(system, seed):
    return system.run(seed=seed).summary()["mail"].mean_wait_s

waits_a = {{seed: wait_s(a, seed) for seed in range(1, 21)}}
waits_b = {{seed: wait_s(b, seed) for seed in range(1, 21)}}
answer = min(waits_a, key=waits_a.get), max(waits_b, key=waits_b.get)
""",
        because=(
            "Whoever may choose the seeds can prove anything. That is why the seeds of an experiment are fixed before "
            "it runs, and many."
        ),
    ),
)

COMPARE = Exercise(
    id="00.compare",
    kind=Kind.CHANGE_CODE,
    task=(
        "Write compare(a, b, n=20): for two systems, return the 95 % interval of a's mean wait minus b's "
        f"({WAIT!r}, in seconds), from n pairs of runs with the same luck: the seeds that replicate takes by itself. "
        "It is tried on systems that you have not seen."
    ),
    rule=TrialRule(exercise="00.compare", seeds=4, trial=comparison_trial),
    hints=Hints(
        question=(
            "“Chance is chance, whoever has it”: but when a and b both wait long with the same seed, does that tell "
            "them apart?"
        ),
        pointer=(
            "What both share cancels if you subtract pair by pair. experiments.replicate takes the same seeds for "
            "every system unless you say otherwise, and what it returns "
            "has .minus(other), which subtracts pair by pair."
        ),
        first_line="of_a = experiments.replicate(a, n, wait)",
    ),
    solution=Solution(
        code=f"""
from edasim import experiments

def answer(a, b, n=20):
    wait = {WAIT!r}
    of_a = experiments.replicate(a, n, wait)
    of_b = experiments.replicate(b, n, wait)
    return of_a.minus(of_b)
""",
        because=(
            "What both sides share cancels in the difference, and only what tells them apart is left to scatter. "
            "experiments.compare does this for you from now on."
        ),
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
                    "no parameter",
                    "no part",
                    "no seed",
                    "not belong",
                    "doesn't",
                    "isn't",
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
        question="Whoever thinks that one run shows it thinks that of seed 7. Does the real system have a seed 7?",
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
    predictions=(B_LOOKS_WORSE, SAME_LUCK),
    exercises=(ONE_MORE, RUNS, LIAR, COMPARE, SEED),
)
