"""The crash steps of one mail as a picture: at which step a crash loses, repeats or delays it, with each care.

Drawn from `scenarios.registration.CrashSteps`. Late means later than without a crash. Left out: how the mail was
saved; for that, draw the storyline of one crash.
"""

from __future__ import annotations

from ..scenarios.registration.crash_steps import Care, CrashStep, CrashSteps, Fate
from .matrix import Cell, matrix_svg
from .picture import Picture

ROLES = {Fate.ONCE: "done", Fate.TWICE: "duplicated", Fate.LOST: "lost"}


def crash_steps(found: CrashSteps) -> Picture:
    """A row per step at which the mail service dies, a column per care."""
    in_time_s = min(arrived_s for step in found.steps for times_s in step.arrivals_s.values() for arrived_s in times_s)
    rows = {step.step: [_cell(step, care, in_time_s) for care in Care] for step in found.steps}
    title = f"What becomes of a mail whose service dies, and is back {found.down_s:g} s later"
    return matrix_svg(title, [care.value for care in Care], rows, corner="the mail service dies while")


def _cell(step: CrashStep, care: Care, in_time_s: float) -> Cell:
    fate, arrivals_s = step.fate(care), step.arrivals_s[care]
    if fate is Fate.ONCE and arrivals_s[0] > in_time_s + 1e-9:
        return ROLES[fate], f"once, {arrivals_s[0] - in_time_s:.2f} s late"
    return ROLES[fate], fate.value
