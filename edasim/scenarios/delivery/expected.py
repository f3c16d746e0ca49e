"""How many messages a crashing consumer loses and repeats on average: exact, by adding up a geometric series.

A message needs the time `whole_s`, its effect comes after `effect_s`. Crashes come after exponential times with mean
`between_s` of work, so work of t seconds survives with probability exp(-t / between_s), whatever happened before. With
q for a whole message and v up to its effect:

- acknowledged before processing, message number j of a batch has its effect if the j - 1 before it survive as a whole
  and it survives up to its effect: the batch has v (1 + q + … + q^(b-1)) effects;
- acknowledged after processing, a batch is done when b messages in a row survive, which takes (q^-b - 1) / (1 - q)
  attempts on average (the mean waiting time for a run of successes: Feller, An Introduction to Probability Theory and
  Its Applications, volume 1, XIII.7); of these a part q is done, and all beyond b are repetitions;
- with a note on disk only the message in work is at risk, in the time between its two writes.

Left out: waiting times, which change nothing here, because only work can be hit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .settings import Dedup, Place, Timing


@dataclass(frozen=True)
class Expected:
    """Mean numbers of one run: messages `lost`, effects that came once more (`repeated`), and `crashes`."""

    lost: float
    repeated: float
    crashes: float


def expected(
    *, messages: int, batch: int, place: Place, dedup: Dedup, timing: Timing, between_s: float | None
) -> Expected:
    """The exact means; `between_s` is the mean work between two crashes, in seconds (None: there are none).

    >>> once = Timing(effect_s=0.01, whole_s=0.01, gap_s=0.0)
    >>> found = expected(messages=1000, batch=20, place=Place.AFTER, dedup=Dedup.NONE, timing=once, between_s=1.0)
    >>> round(found.repeated, 1), round(found.crashes, 1)
    (101.5, 11.1)
    """
    if between_s is None:
        return Expected(0.0, 0.0, 0.0)
    whole, left = divmod(messages, batch)
    sizes = [(whole, batch), (1 if left else 0, left)]
    q = math.exp(-timing.whole_s / between_s)
    if place is Place.BEFORE:
        v = math.exp(-timing.effect_s / between_s)
        effects = sum(n * v * _series(q, size) for n, size in sizes)
        return Expected(messages - effects, 0.0, sum(n * (1.0 - q**size) for n, size in sizes))
    if dedup in (Dedup.NONE, Dedup.MEMORY, Dedup.KEY):
        crashes = sum(n * (q**-size - 1.0) for n, size in sizes)
        done = crashes * q / (1.0 - q)
        return Expected(0.0, 0.0 if dedup is Dedup.KEY else max(0.0, done - messages), crashes)
    crashes = messages * (1.0 / q - 1.0)
    gap = timing.gap_s / between_s
    if dedup is Dedup.NOTE_FIRST:  # who dies in the gap is not tried again
        lost = messages * -math.expm1(-gap)
        return Expected(lost, 0.0, messages * math.expm1(timing.effect_s / between_s - gap) + lost)
    return Expected(0.0, messages * math.expm1(gap) if dedup is Dedup.EFFECT_FIRST else 0.0, crashes)


def _series(q: float, terms: int) -> float:
    """1 + q + q^2 + …, so many terms."""
    return (1.0 - q**terms) / (1.0 - q)
