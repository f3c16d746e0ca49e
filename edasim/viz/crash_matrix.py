"""The crash-point matrix as a picture: a row per crash, a column per variant, in each cell what became of the story.

Drawn from `failures.CrashPoints`. Left out: why; for that, draw the findings of one cell with `viz.finding`.
"""

from __future__ import annotations

from ..failures import CrashPoints, Outcome
from .matrix import Cell, matrix_svg
from .picture import Picture

NAMES = 620.0

ROLES = {
    Outcome.SURVIVED: "done",
    Outcome.DUPLICATED: "duplicated",
    Outcome.LOST: "lost",
    Outcome.INVENTED: "duplicated",
    Outcome.STUCK: "waiting",
    Outcome.LATE: "waiting",
    Outcome.OUT_OF_ORDER: "failed",
    Outcome.VIOLATED: "failed",
}
"""What stands for an outcome; the words tell apart what shares a mark."""


def crash_matrix(found: CrashPoints, title: str = "What a crash at every step does") -> Picture:
    """A picture of the matrix; its text tells every row in a sentence.

    A step that a variant does not take, because it works in another order, has no cell there.
    """
    rows = {row: [_cell(found, row, variant) for variant in found.variants] for row in found.rows}
    told = f"{title} (back after {found.down_s:g} s)"
    return matrix_svg(told, found.variants, rows, corner="who crashes when", first=NAMES)


def _cell(found: CrashPoints, row: str, variant: str) -> Cell:
    cell = found.cell(row, variant)
    return ("idle", "no such step") if cell is None else (ROLES[cell.outcome], cell.outcome.value)
