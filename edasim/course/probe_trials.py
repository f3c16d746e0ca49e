"""Chapter 10's tasks: requests that a crash costs, heartbeats that a lease must span, and whom to call.

Follows: GV-04 (a probe's verdict takes between threshold - 1 and threshold periods), GV-01 (a lease ends when no
heartbeat came for its length), GV-05 and GV-06 (passive checks and balancing, tried on `scenarios.Fleet`). Left out:
probes that hang, heartbeats that are late.
"""

from __future__ import annotations

import math
import random
from typing import Any

from .. import checks
from ..governance import LeastRequests, PowerOfChoices
from ..scenarios import FailedRequests, Fleet, Trouble
from ..scenarios.fleet import CLIENT
from ..services.calls import Protections
from .rules import Verdict

FLEET = Fleet(requests_per_s=50.0, mean_service_s=0.04, trouble_at_s=1.0)
UNTIL_S, MOST_S, MOST_FAILED = 32.0, 0.2, 40.0
CLEVER = (LeastRequests, PowerOfChoices)


def choice_trial(answer: Any, seed: int) -> Verdict:
    """Whether protections hold with one slow instance (a mean answer in time), and with a dead one (few failures)."""
    if not isinstance(answer, Protections):
        raise checks.refuse("answer", answer, "give Protections(balancing=…, discovery=…)")
    if answer.names not in {(), ("discovery",)}:
        idea = "A retry hides the failures and a limit refuses them; here it is asked whom to call in the first place."
        return Verdict(False, f"There is more than balancing and discovery: {', '.join(answer.names)}.", idea)
    slow = FLEET.but(trouble=Trouble.SLOW, protections=answer).run(seed=seed, until_s=UNTIL_S)
    answer_s = slow.summary()[CLIENT].mean_response_s
    if answer_s > MOST_S:
        idea = (
            "The passive checks see no failure in a slow answer."
            if isinstance(answer.balancing, CLEVER)
            else "A fifth of the calls goes into the long queue of the slow one. Look at the queues before you call."
        )
        return Verdict(False, f"One slow instance: an answer takes {answer_s:.2f} s on average.", idea)
    dead = FLEET.but(trouble=Trouble.CRASH, protections=answer).run(seed=seed, until_s=UNTIL_S)
    failed = FailedRequests()(dead)
    if failed > MOST_FAILED:
        idea = "Who refuses at once has an empty queue and attracts the calls. Somebody must listen to the failures."
        outliers = None if answer.discovery is None else answer.discovery.outliers
        if outliers is not None and outliers.most_ratio < 1.0 / FLEET.instances:
            idea = f"At most {outliers.most_ratio:.0%} of five instances may be ejected: that is nobody."
        return Verdict(False, f"One dead instance: {failed:.0f} requests fail.", idea)
    said = f"One slow instance: {answer_s:.2f} s on average. One dead: {failed:.0f} requests fail."
    return Verdict(True, said)


def failed(requests_per_s: float, instances: int, period_s: float, threshold: int) -> float:
    """Requests that fail on average until probes take a dead instance out: it is noticed half a period late."""
    return requests_per_s / instances * (threshold - 0.5) * period_s


def at_worst(requests_per_s: float, instances: int, period_s: float, threshold: int) -> float:
    """A typical wrong answer: the longest time, as if the instance always died just after a probe."""
    return requests_per_s / instances * threshold * period_s


def at_best(requests_per_s: float, instances: int, period_s: float, threshold: int) -> float:
    """A typical wrong answer: the shortest time, as if it always died just before a probe."""
    return requests_per_s / instances * (threshold - 1) * period_s


def all_requests(requests_per_s: float, _instances: int, period_s: float, threshold: int) -> float:
    """A typical wrong answer: every request fails, not only those of the dead instance."""
    return requests_per_s * (threshold - 0.5) * period_s


def first_probe(requests_per_s: float, instances: int, period_s: float, _threshold: int) -> float:
    """A typical wrong answer: the first failed probe is believed."""
    return requests_per_s / instances * 0.5 * period_s


def halved(requests_per_s: float, instances: int, period_s: float, threshold: int) -> float:
    """A typical wrong answer: half of the longest time, as if every wait were half a period."""
    return requests_per_s / instances * threshold * period_s / 2


def one_too_late(requests_per_s: float, instances: int, period_s: float, threshold: int) -> float:
    """A typical wrong answer: half a period until the first probe, and then threshold more."""
    return requests_per_s / instances * (threshold + 0.5) * period_s


def by_the_rest(requests_per_s: float, instances: int, period_s: float, threshold: int) -> float:
    """A typical wrong answer: the share is counted among those that are left."""
    return requests_per_s / (instances - 1) * (threshold - 0.5) * period_s


def in_whole(requests_per_s: float, instances: int, period_s: float, threshold: int) -> int:
    """A typical wrong answer: a mean that was rounded."""
    return round(failed(requests_per_s, instances, period_s, threshold))


def a_crash(rng: random.Random) -> tuple[float, int, float, int]:
    """A rate, a number of instances, a period in seconds and a threshold that nobody has seen."""
    return rng.randrange(20, 400, 5) * 1.0, rng.randrange(2, 12), rng.choice((1.0, 2.0, 5.0, 10.0)), rng.randrange(2, 7)


def beats(lost_ratio: float, allowed_ratio: float) -> int:
    """Heartbeats that a lease must span so that all of them are lost with at most this chance."""
    return math.ceil(math.log(allowed_ratio) / math.log(lost_ratio) - 1e-9)


def rounded_down(lost_ratio: float, allowed_ratio: float) -> int:
    """A typical wrong answer: one too few, since the number is rounded down."""
    return int(math.log(allowed_ratio) / math.log(lost_ratio) - 1e-9)


def in_proportion(lost_ratio: float, allowed_ratio: float) -> int:
    """A typical wrong answer: twice the heartbeats halve the chance."""
    return math.ceil(lost_ratio / allowed_ratio)


def not_whole(lost_ratio: float, allowed_ratio: float) -> float:
    """A typical wrong answer: the quotient of the logarithms, not rounded at all."""
    return math.log(allowed_ratio) / math.log(lost_ratio)


def one_more(lost_ratio: float, allowed_ratio: float) -> int:
    """A typical wrong answer: one heartbeat more than are needed."""
    return beats(lost_ratio, allowed_ratio) + 1


def a_lossy_network(rng: random.Random) -> tuple[float, float]:
    """A share of lost heartbeats and an allowed chance, of which no power of one is just the other.

    At such a tie (0.1 and 0.001) the last bit of a float would decide whether a right loop counts one more.
    """
    return rng.randrange(3, 80, 2) / 200, rng.choice((1e-2, 1e-3, 1e-4, 1e-6))
