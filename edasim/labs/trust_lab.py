"""The lab of chapter 00: two mail services, one faster than the other, one run of each.

Each is a `SingleQueue` (theory: M/M/1, QT-01) that starts empty; A needs 20 ms a mail on average, B so many per cent
less. With the same luck both meet the same arrivals, and each mail is as long for both but for B's speed (common random
numbers, SO-04); with different luck B's run has a seed of its own. Left out: warm-up, which chapter 02 needs first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..kernel import Run, times
from ..scenarios import SingleQueue
from ..services import load
from ..theory import paired_interval
from ..viz import Picture, pairs_svg, two_queues_svg
from .controls import Choice, Slider, Stops
from .lab import Lab, Values
from .spread import Metric, Spread

SERVICE_S = 0.020
OTHER_LUCK = 1000
"""What is added to the seed for B's run, so that ten seeds of A and ten of B have none in common."""

SAME, DIFFERENT = "same", "different"


@dataclass(frozen=True)
class Pair:
    """One run of A and one of B, and by how many per cent B is faster."""

    a: Run
    b: Run
    faster_percent: float

    @property
    def mean_waits_ms(self) -> tuple[float, float]:
        """The mean wait of A's run and of B's, in milliseconds."""
        return mean_wait_ms(self.a), mean_wait_ms(self.b)

    @property
    def verdict(self) -> str:
        """What somebody would say who looks at these two numbers only."""
        a_ms, b_ms = self.mean_waits_ms
        if a_ms == b_ms:
            return "By eye: both wait equally long."
        worse = b_ms > a_ms
        looks = f"By eye: at B mails wait {abs(a_ms - b_ms):.0f} ms {'longer' if worse else 'less'}."
        if self.faster_percent == 0:
            return f"{looks} But A and B are the same system!"
        judged = "worse, but it is" if worse else "better, and it is"
        return f"{looks} B looks {judged} {self.faster_percent:g} % faster."


def mean_wait_ms(run: Run) -> float:
    """The mean wait of all mails of a run, in milliseconds."""
    return 1000.0 * float(np.mean(run.deliveries.waits_s))


def mail_service(values: Values, faster_percent: float) -> SingleQueue:
    """The mail service at the load of A, faster by so many per cent."""
    return SingleQueue(
        arrivals=load.Poisson(rate_per_s=values["load"] / SERVICE_S),
        service_time=times.Exponential(mean_s=SERVICE_S / (1.0 + faster_percent / 100.0)),
        messages=values["messages"],
    )


def simulate(values: Values, seed: int) -> Pair:
    """One run of each; B's seed is another one if its luck is to be different."""
    faster = values["faster_percent"]
    seed_of_b = seed if values["luck"] == SAME else seed + OTHER_LUCK
    return Pair(mail_service(values, 0.0).run(seed=seed), mail_service(values, faster).run(seed=seed_of_b), faster)


def picture(pair: Pair, pinned: Pair | None) -> Picture:
    """Both queues over time, both mean waits, and what one would say by eye."""
    behind = None if pinned is None else (pinned.a, pinned.b)
    return two_queues_svg((pair.a, pair.b), pinned=behind, said=pair.verdict)


def ten_pairs(spreads: tuple[Spread, ...]) -> Picture:
    """The ten pairs, joined, and the interval of the difference."""
    of_a, of_b = spreads
    return pairs_svg(of_a.values, of_b.values, paired_interval(of_a.values, of_b.values))


LAB = Lab(
    title="Is B better than A? One run of each",
    controls=(
        Slider(
            name="load",
            low=0.5,
            high=0.95,
            step=0.05,
            default=0.9,
            unit="",
            label="load of A",
            question="At which load, the share of time that A is busy, does one run mislead most?",
        ),
        Stops(
            name="messages",
            stops=(200, 500, 1000, 2000, 5000, 10000, 20000),
            default=1000,
            unit="",
            label="mails in a run",
            question="How long must a run be before you would bet on it?",
        ),
        Slider(
            name="faster_percent",
            low=0,
            high=30,
            step=1,
            default=5,
            unit="%",
            label="B is faster by",
            question="How large must a difference be for one run to show it? What happens at 0 %?",
        ),
        Choice(
            name="luck",
            options=(DIFFERENT, SAME),
            default=DIFFERENT,
            label="luck of A and B",
            question="What changes when both meet the same luck?",
        ),
    ),
    simulate=simulate,
    picture=picture,
    metrics=(
        Metric(label="A's mean wait", unit="ms", measure=lambda pair: pair.mean_waits_ms[0]),
        Metric(label="B's mean wait", unit="ms", measure=lambda pair: pair.mean_waits_ms[1]),
    ),
    repeats=ten_pairs,
)
