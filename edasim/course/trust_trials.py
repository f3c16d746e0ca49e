"""The rules of chapter 00 that run something: a pair of seeds that lies, and a learner's own comparison.

Follows: paired differences under common random numbers (SO-04). The systems are those of the chapter's lab. Left out:
intervals from other seeds than those of `experiments.replicate`; they may be as good, and are not what is asked for.
"""

from __future__ import annotations

import math
import random
from typing import Any

from .. import checks
from ..errors import EdasimError
from ..experiments import replicate
from ..labs.trust_lab import mail_service, mean_wait_ms
from .rules import Verdict
from .trials import must_be_callable

FASTER_PERCENT = 5.0
WAIT = "mail.mean_wait_s"
STRANGERS = (
    "It is far wider than it need be, as if the two had nothing in common. Give both the same seeds, and subtract "
    "first, pair by pair."
)
SHARED, WIDER = 1e-6, 1.5
"""Two intervals are the same within so many seconds; one is wide that is so many times wider than the paired one."""


@checks.configuration
class LyingPair:
    """Passed by two different seeds with which A's run of `messages` mails waits less than B's, though B is faster."""

    messages: int = checks.at_least(1)

    def judge(self, answer: Any) -> Verdict:
        """Runs both and compares; the answer is the seed of A and the seed of B."""
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise checks.refuse("answer", answer, "give two seeds: (the seed of A's run, the seed of B's run)")
        seed_of_a, seed_of_b = (checks.check_whole(0)("a seed", seed) for seed in answer)
        values = {"load": 0.9, "messages": self.messages}
        a_ms = mean_wait_ms(mail_service(values, 0.0).run(seed=seed_of_a))
        b_ms = mean_wait_ms(mail_service(values, FASTER_PERCENT).run(seed=seed_of_b))
        said = f"A with seed {seed_of_a} waits {a_ms:.0f} ms, B with seed {seed_of_b} waits {b_ms:.0f} ms."
        if b_ms > a_ms:
            return Verdict(True, f"{said} Whoever saw only these two runs would throw the better version away.")
        if seed_of_a == seed_of_b:
            return Verdict(False, said, "You gave both the same seed. With the same luck B never looks worse.")
        return Verdict(False, said, "This pair tells the truth. Most do; let a loop look for one that does not.")


def as_numbers(found: Any) -> tuple[float, float]:
    """The mean and the half-width of what a learner's `compare` returns."""
    interval = found.difference() if hasattr(found, "difference") else found
    if hasattr(interval, "half_width"):
        return float(interval.mean), float(interval.half_width)
    if isinstance(interval, tuple | list) and len(interval) == 2:
        return float(interval[0]), float(interval[1])
    raise checks.refuse("the result", found, "return an interval, or its mean and half-width as a pair")


def comparison_trial(answer: Any, seed: int) -> Verdict:
    """Compares a learner's `compare(a, b, n)` with the paired interval, for two systems and an n made from the seed."""
    must_be_callable(answer)
    rng = random.Random(seed)
    values = {"load": rng.choice((0.7, 0.8, 0.9)), "messages": 300}
    n = rng.choice((16, 25, 36))
    a, b = mail_service(values, 0.0), mail_service(values, rng.choice((5.0, 10.0)))
    try:
        mean, half_width = as_numbers(answer(a, b, n=n))
    except EdasimError as error:
        if error.field != "seeds":
            raise
        return Verdict(False, "Your runs of a and of b have different seeds, so they are no pairs.", STRANGERS)
    right = replicate(a, n, WAIT).minus(replicate(b, n, WAIT))
    said = f"With {n} pairs of runs your interval is {mean:.4g} ± {half_width:.2g} s; paired it is {right} s."
    if abs(mean - right.mean) <= SHARED and abs(half_width - right.half_width) <= SHARED:
        return Verdict(True, said)
    return Verdict(False, said, _mistake(mean, half_width, right.mean, right.half_width, n))


def _mistake(mean: float, half_width: float, right_mean: float, right_half_width: float, n: int) -> str | None:
    """The idea behind a wrong interval, if it is a typical one."""
    if abs(mean + right_mean) <= SHARED:
        return "That is b - a. A positive answer shall mean that a waits longer."
    if half_width > WIDER * right_half_width:
        if abs(half_width / right_half_width - math.sqrt(n)) < WIDER:
            return "That is how far single pairs scatter. The mean of n pairs scatters √n times less."
        return STRANGERS
    return "Use the seeds that replicate takes by itself, and n pairs: then it must be the same to the last digit."
