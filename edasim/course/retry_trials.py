"""Chapter 11's tasks: repair a storm, size a bucket, tune a breaker, and waits with jitter, right and typically wrong.

Follows: RP-01 (what brings a system back), GV-30 (a token bucket's bound), GV-10 (a breaker judges from its minimum of
calls on), GV-20 (full jitter). A repair runs on the half-sized storm of the chapter, the others need no simulation.
"""

from __future__ import annotations

import math
import random
from typing import Any

from .. import checks
from ..governance import Backoff, Circuit, CircuitBreaker, Jitter, Retry, TokenBucket
from ..scenarios import Storm
from ..scenarios.storm import CLIENT
from ..services.calls import Protections, QueueOrder, Stale, traffic
from .rules import Verdict

RETRY = Retry(attempts=4, backoff=Backoff(first_wait_s=1.0, factor=1.0, jitter=Jitter.NONE))
HALF = Storm(
    requests_per_s=45.0,
    capacity_per_s=50.0,
    fault_capacity_per_s=15.0,
    protections=Protections(timeout_s=1.0, retry=RETRY),
)
"""The storm that is to be repaired: its fault lasts from 20 s to 30 s."""
LATE_FROM_S, ENDS_S, ENOUGH_RATIO = 50.0, 70.0, 0.9
PAGE, PAGE_EVERY_S, MOST, MOST_WITHIN_S = 50, 4.0, 100, 2.0
AS_ALWAYS, BROKEN, CALLS_PER_S, QUIET_S, NOTICE_S = 0.05, 0.8, 2.0, 3600.0, 10.0
ANSWERS_AFTER_S = 0.02


def repair_trial(answer: Any, seed: int) -> Verdict:
    """Whether the storm, with other protections or another server's queue, is back 20 s after its fault."""
    if isinstance(answer, Protections):
        return Verdict(False, "These are protections.", "Put them into the storm: half.but(protections=…).")
    if not isinstance(answer, Storm):
        raise checks.refuse("answer", answer, "give a storm, such as half.but(protections=…)")
    own = {name: getattr(HALF, name) for name in ("protections", "stale", "order", "room")}
    if answer.but(**own) != HALF or answer.protections.timeout_s != HALF.protections.timeout_s:
        return Verdict(
            False,
            "That is another storm.",
            "More capacity, fewer users or more patient ones are not to be had at 03:01. Change what clients and the "
            "server do: protections with a timeout of 1 s, stale, order or room.",
        )
    if answer.protections.retry is None or answer.protections.retry.attempts < 2:
        idea = "Without retries a single lost answer is a lost request. Keep them, and tame them."
        return Verdict(False, "There is no retry left.", idea)
    seen = traffic(answer.run(seed=seed, until_s=ENDS_S), CLIENT)
    goodput, asked = (seen.mean(column, LATE_FROM_S, ENDS_S) for column in ("goodput_per_s", "asked_per_s"))
    said = f"From 20 s after the fault on {goodput:.1f} of {asked:.1f} requests per second are answered in time."
    if goodput >= ENOUGH_RATIO * asked:
        return Verdict(True, said)
    return Verdict(False, said, _still_down(answer))


def _still_down(storm: Storm) -> str:
    """Why a storm does not come back."""
    if storm.protections.breaker is not None:
        return "Your breaker opens too late or for too short a time: nothing must be sent until the queue has drained."
    if storm.stale is Stale.DROPPED and storm.order is not QueueOrder.NEWEST_FIRST:
        return "No work is in vain any more, but 45 requests of up to four living calls each are too many all the same."
    if storm.protections.budget is not None:
        return "The budget lets 49.5 per second in where 50 can be done: right, and ten minutes too slow."
    if storm.protections.degradation is not None:
        return "A fallback is a poorer answer and is counted apart. It is kind to users, and drains no queue."
    return "The queue must drain first. What sends nothing for a while, or drops what nobody waits for?"


def bucket_trial(answer: Any, seed: int) -> Verdict:
    """Whether a bucket lets every page of a partner through, and never a flood."""
    if not isinstance(answer, TokenBucket):
        raise checks.refuse("answer", answer, "give a TokenBucket(rate_per_s=…, burst=…)")
    rng, bucket, now_s = random.Random(seed), answer.start(0.0), 0.0
    for page in range(1, 101):
        refused = sum(not bucket.allow(now_s) for _ in range(PAGE))
        if refused:
            idea = (
                "It holds fewer tokens than a page has calls."
                if page == 1
                else "It holds enough for one page, and is not full again when the next may come, 4 s later."
            )
            return Verdict(False, f"Page {page}, at {now_s:g} s: {refused} of its 50 calls are refused.", idea)
        now_s += PAGE_EVERY_S + rng.choice((0.0, 0.0, 0.5, 3.0))
    flood = answer.start(0.0)
    passed = sum(flood.allow(MOST_WITHIN_S * call / 5000) for call in range(5001))
    if passed > MOST:
        idea = "In any stretch of time it lets through its burst, and its rate for as long: burst + rate × time."
        return Verdict(False, f"A flood gets {passed} calls through in 2 s, which bears 100.", idea)
    return Verdict(True, f"All pages pass, and a flood gets {passed} calls through in 2 s.")


def breaker_trial(answer: Any, seed: int) -> Verdict:
    """Whether a breaker stays closed while the callee is as always, and opens soon when it is broken."""
    if not isinstance(answer, CircuitBreaker):
        raise checks.refuse("answer", answer, "give a CircuitBreaker(…)")
    opened_s = _opens_at_s(answer.start(0.0), random.Random(seed))
    took_s = opened_s - QUIET_S
    if took_s < 0.0 and answer.slow_call_s <= ANSWERS_AFTER_S:
        return Verdict(
            False,
            f"It opens after {opened_s:.0f} s, though the callee is as always.",
            f"Every answer takes {ANSWERS_AFTER_S:g} s and counts as slow: slow_call_s is {answer.slow_call_s:g}.",
        )
    if took_s < 0.0:
        chance = trips(AS_ALWAYS, answer.minimum_calls, answer.failure_rate_ratio)
        idea = f"A judgement trips by chance with probability {chance:.2g}. Each call judges, 7,200 times an hour."
        return Verdict(False, f"It opens after {opened_s:.0f} s, though the callee is as always.", idea)
    if took_s > NOTICE_S:
        idea = "It waits for more failed calls than come in ten seconds, two calls a second."
        opened = "never opens" if math.isinf(took_s) else f"opens only after {took_s:.0f} s"
        return Verdict(False, f"Four in five calls fail, and it {opened}.", idea)
    return Verdict(True, f"An hour without a false trip, and open {took_s:.1f} s after the callee broke.")


def _opens_at_s(circuit: Circuit, rng: random.Random) -> float:
    """When it opens for the first time: the callee is as always for an hour, then broken for a while; or never."""
    quiet, calls = int(QUIET_S * CALLS_PER_S), int((QUIET_S + 10 * NOTICE_S) * CALLS_PER_S)
    for call in range(calls):
        now_s, error_ratio = call / CALLS_PER_S, AS_ALWAYS if call < quiet else BROKEN
        if circuit.allow(now_s):
            circuit.record(now_s, rng.random() >= error_ratio, ANSWERS_AFTER_S)
        if circuit.times_opened:
            return now_s
    return math.inf


def trips(error_ratio: float, minimum_calls: int, failure_rate_ratio: float) -> float:
    """The chance that a breaker opens at its first judgement, after `minimum_calls` calls to a callee like always."""
    fewest = math.ceil(failure_rate_ratio * minimum_calls - 1e-9)
    return sum(exactly_failed(error_ratio, minimum_calls, failed) for failed in range(fewest, minimum_calls + 1))


def exactly_failed(error_ratio: float, calls: int, failed: int) -> float:
    """The chance that of `calls` exactly `failed` fail."""
    return float(math.comb(calls, failed) * error_ratio**failed * (1 - error_ratio) ** (calls - failed))


def full_jitter(failed_attempts: int, draw: float, first_s: float, cap_s: float) -> float:
    """Uniform between 0 and a ceiling that doubles with each failure, up to a cap (GV-20)."""
    return draw * min(cap_s, first_s * 2.0 ** (failed_attempts - 1))


def no_jitter(failed_attempts: int, _draw: float, first_s: float, cap_s: float) -> float:
    """A typical wrong answer: the ceiling itself."""
    return min(cap_s, first_s * 2.0 ** (failed_attempts - 1))


def equal_jitter(failed_attempts: int, draw: float, first_s: float, cap_s: float) -> float:
    """A typical wrong answer: half of the ceiling, and the draw over the other half."""
    return (0.5 + draw / 2) * no_jitter(failed_attempts, draw, first_s, cap_s)


def never_capped(failed_attempts: int, draw: float, first_s: float, _cap_s: float) -> float:
    """A typical wrong answer: the ceiling doubles for ever."""
    return draw * first_s * 2.0 ** (failed_attempts - 1)


def one_too_many(failed_attempts: int, draw: float, first_s: float, cap_s: float) -> float:
    """A typical wrong answer: doubled before the first wait."""
    return draw * min(cap_s, first_s * 2.0**failed_attempts)


def capped_after(failed_attempts: int, draw: float, first_s: float, cap_s: float) -> float:
    """A typical wrong answer: the cap holds the wait that was drawn, not the ceiling."""
    return min(cap_s, draw * first_s * 2.0 ** (failed_attempts - 1))


def plus_draw(failed_attempts: int, draw: float, first_s: float, cap_s: float) -> float:
    """A typical wrong answer: up to a second is added, whatever the ceiling is."""
    return no_jitter(failed_attempts, draw, first_s, cap_s) + draw


def in_steps(failed_attempts: int, draw: float, first_s: float, cap_s: float) -> float:
    """A typical wrong answer: the ceiling grows by the same step each time."""
    return draw * min(cap_s, first_s * failed_attempts)


def a_wait(rng: random.Random) -> tuple[int, float, float, float]:
    """Failed attempts from 1 on, a draw, a first ceiling and a cap in seconds."""
    return rng.randrange(1, 9), rng.random(), rng.choice((0.05, 0.1, 0.2)), rng.choice((1.0, 2.0, 5.0))
