"""Findings of the oracle as pictures: the timeline of one as a storyline, all of a run as marks over time.

Drawn from `failures.Finding`. Left out: what else happened at the time; for that, draw the story of the trace.
"""

from __future__ import annotations

import math

from ..failures import Finding, Findings, Moment, Verdict
from . import palette
from .chart import Axis, axis_across
from .picture import Picture
from .story import Step, StepKind, storyline
from .svg import document, label, line

ROLES = {
    Verdict.LOST: "lost",
    Verdict.DUPLICATED: "duplicated",
    Verdict.OUT_OF_ORDER: "failed",
    Verdict.INVENTED: "message",
    Verdict.STUCK: "waiting",
    Verdict.LATE: "expired",
    Verdict.VIOLATED: "dead_lettered",
}
"""What stands for a verdict."""

LEFT, RIGHT, TOP, ROW, FOOT, WIDTH = 130.0, 20.0, 44.0, 30.0, 46.0, 900.0


def finding(found: Finding) -> Picture:
    """The smallest timeline that explains a finding, as a storyline."""
    moments = [moment for moment in found.timeline if math.isfinite(moment.time_s)]
    steps = [
        Step(time_s=moment.time_s, origin=moment.who, target=moment.who, label=_short(moment), kind=_kind(moment))
        for moment in moments
    ]
    picture = storyline(steps, f"{found.verdict.value}: {found.what}")
    return Picture(svg=picture.svg, alt=picture.alt, text=str(found))


def _short(moment: Moment) -> str:
    """What fits beside a lifeline; the text of the picture tells all."""
    told, _, _ = moment.text.partition(" (")
    if told.startswith("publishes "):
        return told.rpartition(" ")[0]
    return "fault" if told.startswith("fault: ") else told


def _kind(moment: Moment) -> StepKind:
    broken = moment.text.startswith(("fault:", "fails", "node crashed", "it is lost"))
    return StepKind.CRASH if broken else StepKind.NOTE


def findings(found: Findings, until_s: float) -> Picture:
    """All findings over the time of a run that ended at `until_s` seconds: a row per verdict, a mark per finding."""
    seen = [verdict for verdict in Verdict if found.count(verdict)]
    axis = Axis(0.0, max(until_s, 1e-9), LEFT, WIDTH - RIGHT, "time", "s")
    bottom = TOP + ROW * max(1, len(seen))
    title = "Findings: " + (", ".join(f"{number} {word}" for word, number in found.counts().items()) or "none")
    parts = [label(12, 24, title, size=14), axis_across(axis, bottom)]
    for place, verdict in enumerate(seen):
        y = TOP + ROW * (place + 0.5)
        parts += [label(12, y + 4, verdict.value, size=12.5), line(f"M{LEFT},{y:g}H{WIDTH - RIGHT:g}")]
        instants = sorted({round(float(axis.px(min(each.at_s, until_s))), 1) for each in found.of(verdict)})
        parts += [palette.mark(ROLES[verdict], 7, x=x, y=y) for x in instants]
    if not seen:
        parts.append(label(LEFT, TOP + ROW / 2 + 4, "every promise was kept", size=12.5))
    return Picture(svg=document(WIDTH, bottom + FOOT, parts, title), alt=title, text=f"{title}.\n{found}")
