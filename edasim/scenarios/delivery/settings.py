"""The words of the delivery case: where a consumer acknowledges, and how it knows a message again."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Place(enum.Enum):
    """When a batch is acknowledged: as soon as it is there, or when all of it is processed."""

    BEFORE = "before"
    AFTER = "after"


class Dedup(enum.Enum):
    """How a message is known again: not at all, by a note that is kept somewhere, or by the effect itself."""

    NONE = "none"
    MEMORY = "memory"
    EFFECT_FIRST = "disk, effect first"
    NOTE_FIRST = "disk, note first"
    TRANSACTION = "same transaction"
    KEY = "effect with a key"

    @property
    def on_disk(self) -> bool:
        """Whether notes survive a crash."""
        return self in (Dedup.EFFECT_FIRST, Dedup.NOTE_FIRST, Dedup.TRANSACTION)


@dataclass(frozen=True)
class Timing:
    """Seconds of work from the begin of a message: to its effect, and to its end; `gap_s` lies between two writes."""

    effect_s: float
    whole_s: float
    gap_s: float


def timing(dedup: Dedup, work_s: float, write_s: float) -> Timing:
    """How long a message takes: some work and one write, or two writes if a note goes to disk as well."""
    one, two = work_s + write_s, work_s + 2 * write_s
    if not dedup.on_disk:
        return Timing(effect_s=one, whole_s=one, gap_s=0.0)
    gap_s = 0.0 if dedup is Dedup.TRANSACTION else write_s
    return Timing(effect_s=one if dedup is Dedup.EFFECT_FIRST else two, whole_s=two, gap_s=gap_s)
