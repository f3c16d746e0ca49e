"""Crash points as a picture: what a crash in each step loses or repeats, with each way of knowing a message again.

Drawn from `scenarios.delivery.CrashPoints`. Left out: how it came to that; for that, draw one run (`deliveries`).
"""

from __future__ import annotations

from ..scenarios.delivery import CrashPoint, CrashPoints, Dedup
from .matrix import Cell, matrix_svg
from .picture import Picture


def crash_points(found: CrashPoints) -> Picture:
    """A row per step in which the consumer dies, a column per way of knowing a message again."""
    rows = {point.where: [_cell(point, dedup) for dedup in found.dedups] for point in found.points}
    title = "What becomes of two messages in one batch whose consumer dies once, and is restarted"
    return matrix_svg(title, [dedup.value for dedup in found.dedups], rows, corner="the consumer dies in")


def _cell(point: CrashPoint, dedup: Dedup) -> Cell:
    kept = point.found[dedup]
    if kept is None:
        return "idle", point.told(dedup)
    lost, repeated = kept
    return "lost" if lost else "duplicated" if repeated else "done", point.told(dedup)
