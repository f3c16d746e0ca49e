"""Crash points: the consumer dies once between any two things that happen, with each way of knowing a message again.

The points are read off a run without a crash, one between every two instants at which something happens; then that run
is repeated with a crash there. Left out: two crashes in one run.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from ... import checks
from ...failures import Crash
from .books import books
from .consumer import CONSUMER, Delivery
from .settings import Dedup

Found = tuple[int, int]
"""How many effects were lost, and how many came once more."""


@dataclass(frozen=True)
class CrashPoint:
    """A crash in the middle of a step: what was lost and repeated, by dedup; None where it has no such step."""

    where: str
    found: dict[Dedup, Found | None]

    def told(self, dedup: Dedup) -> str:
        """Such as "once each", "1 lost" or "1 repeated"."""
        found = self.found[dedup]
        if found is None:
            return "no such step"
        return (
            " and ".join(f"{n} {what}" for n, what in zip(found, ("lost", "repeated"), strict=True) if n) or "once each"
        )


@dataclass(frozen=True)
class CrashPoints:
    """All points, in order of time; prints as a table."""

    points: tuple[CrashPoint, ...]
    dedups: tuple[Dedup, ...]

    def wrong(self, dedup: Dedup | str) -> int:
        """At how many points something is lost or repeated."""
        which: Dedup = checks.check_word(Dedup)("dedup", dedup)
        return sum(point.found[which] not in (None, (0, 0)) for point in self.points)

    def __str__(self) -> str:
        rows = [["it dies in", *(dedup.value for dedup in self.dedups)]]
        rows += [[point.where, *(point.told(dedup) for dedup in self.dedups)] for point in self.points]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(line.rstrip() for line in lines)


def crash_points(scenario: Delivery | None = None, *, dedups: Sequence[Dedup | str] = tuple(Dedup)) -> CrashPoints:
    """Every crash point of a small case (None: two messages in one batch), for each of `dedups`.

    >>> crash_points(dedups=["same transaction"]).wrong("same transaction")
    0
    """
    calm = (scenario or Delivery(messages=2, batch=2)).but(crash_every=None, faults=())
    which: tuple[Dedup, ...] = tuple(checks.check_word(Dedup)("dedups", dedup) for dedup in dedups)
    found = {dedup: _found(calm.but(dedup=dedup)) for dedup in which}
    names = dict.fromkeys(name for number in range(1, calm.messages + 1) for name in _names(number))
    points = [CrashPoint(name, {dedup: found[dedup].get(name) for dedup in which}) for name in names]
    return CrashPoints(tuple(points), which)


def _names(message: int) -> tuple[str, str, str]:
    return f"the work on message {message}", f"the first write of {message}", f"the second write of {message}"


def _found(calm: Delivery) -> dict[str, Found]:
    """What a crash in the middle of each step leaves behind."""
    lengths_s = (calm.work_s, *([calm.write_s] * (2 if calm.dedup.on_disk else 1)))
    found = {}
    for number, begin_s in enumerate(books(calm.run(seed=0)).started_s.tolist(), start=1):
        edges_s = itertools.accumulate(lengths_s, initial=begin_s)
        for name, (from_s, until_s) in zip(_names(number), itertools.pairwise(edges_s), strict=False):
            crash = Crash(node=CONSUMER, at_s=(from_s + until_s) / 2, down_s=calm.down_s)
            kept = books(calm.but(faults=[crash]).run(seed=0))
            found[name] = (kept.lost, kept.repeated)
    return found
