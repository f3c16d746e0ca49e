"""One story under one fault: who did which step when, when the fault was at work, and what the oracle says of it.

Drawn from steps (as `failures.steps` notes them), the span of a fault and `failures.Findings`. Time runs to the right,
evenly for the first half second, and logarithmically after it, since a fault lasts as long as thousands of steps. Left
out: what the events say; draw a finding for that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..failures import Findings, Outcome
from . import palette
from .chart import HALO
from .crash_matrix import ROLES
from .findings import finding as finding_picture
from .picture import Picture
from .svg import STAMP, document, fit, label, line, rect, say, short

WIDTH, LEFT, BREAK, RIGHT = 900.0, 170.0, 640.0, 880.0
EVEN_S, LONGEST_S = 0.5, 200.0
TOP, ROW, MARK = 64.0, 40.0, 5.5
TICKS_S = (
    ((0.0, "0"), (0.1, "100 ms"), (0.2, "200 ms"), (0.3, "300 ms"), (0.4, "400 ms"), (0.5, "0.5 s")),
    (
        (2.0, "2 s"),
        (10.0, "10 s"),
        (60.0, "1 min"),
    ),
)
LOOKS = {"receive": "message", "write": "busy", "publish": "mail", "acknowledge": "done"}
DID = {"receive": "receives", "write": "writes", "publish": "publishes", "acknowledge": "acknowledges"}
MOST_TOLD = 60


@dataclass(frozen=True)
class StoryStep:
    """At `at_s` seconds after the story began, `node` did a step of a `kind`, with `what`."""

    node: str
    kind: str
    what: str
    at_s: float

    def __str__(self) -> str:
        return f"{self.at_s:.3f} s: {self.node} {DID.get(self.kind, self.kind)} {self.what.replace('_', ' ')}."


@dataclass(frozen=True)
class FaultSpan:
    """A fault in words, what it touches (names of nodes or other parts), and from when to when, after the beginning."""

    words: str
    touches: tuple[str, ...]
    from_s: float
    until_s: float


def px(at_s: float) -> float:
    """Pixels of an instant: even up to half a second, then by its logarithm.

    >>> px(0.0), px(0.25), px(0.5), px(200.0)
    (170.0, 405.0, 640.0, 880.0)
    """
    if at_s <= EVEN_S:
        return LEFT + (BREAK - LEFT) * max(at_s, 0.0) / EVEN_S
    share = math.log(min(at_s, LONGEST_S) / EVEN_S) / math.log(LONGEST_S / EVEN_S)
    return BREAK + (RIGHT - BREAK) * share


def resilience_svg(
    title: str,
    steps: Sequence[StoryStep],
    before: Sequence[StoryStep],
    fault: FaultSpan | None,
    found: Findings | None,
    verdict: str = "",
    *,
    grey: str = "grey: the same story without the fault",
) -> Picture:
    """The steps of a story, those of another `before` in grey, the fault as a hatched span, and the verdict.

    With `found` None nothing is judged yet: `verdict` says so, and `steps` should be empty. `grey` says what `before`
    is. `fault` None is a run without one.
    """
    rows = list(dict.fromkeys([*(step.node for step in (*before, *steps)), *(fault.touches if fault else ())]))
    bottom = TOP + ROW * len(rows)
    words = fault.words if fault else "nothing fails"
    parts = [
        f"<defs>{palette.pattern('down', STAMP + 'down')}</defs>",
        label(12, 22, fit(title[:1].upper() + title[1:], WIDTH - 24, size=13.5), size=13.5, more=' font-weight="600"'),
        label(12, 41, fit(words, WIDTH - 24), size=12, fill=palette.QUIET),
        *_ground(rows, bottom),
        *(_fault(fault, rows) if fault else ()),
        *_marks(before, rows, grey=True),
        *_marks(steps, rows, grey=False),
        *_writings(steps or before, rows),
        *_legend(bottom + 42, grey),
        *_verdict(found, verdict, bottom + 74),
    ]
    alt = f"{title}; {words}"
    text = [f"{alt}.", *_told(found, verdict), *_steps_told(steps or before, grey if not steps else "")]
    drawn = document(WIDTH, bottom + 106, parts, alt)
    if not found:
        return Picture(svg=drawn, alt=alt, text="\n".join(text))
    return Picture(html=drawn + finding_picture(found[0]).svg, alt=alt, text="\n".join(text))


def _ground(rows: Sequence[str], bottom: float) -> list[str]:
    parts = []
    for number, name in enumerate(rows):
        y = TOP + ROW * number
        parts += [
            rect(LEFT, y + 3, RIGHT - LEFT, ROW - 6, fill=palette.PANEL),
            label(12, y + ROW / 2 + 4, fit(name, LEFT - 20), size=12.5, more=' font-weight="600"'),
        ]
    for at_s, words in (tick for part in TICKS_S for tick in part):
        x = px(at_s)
        parts += [
            line(f"M{short(x)},{short(TOP)}V{short(bottom + 4)}", stroke=palette.PALE),
            label(x, bottom + 17, words, size=11, anchor="middle", fill=palette.QUIET),
        ]
    parts.append(line(f"M{short(BREAK)},{short(TOP)}V{short(bottom)}", stroke=palette.SLATE, dash="2 3"))
    return parts


def _fault(fault: FaultSpan, rows: Sequence[str]) -> list[str]:
    """A hatched span on the row of each part that the fault touches."""
    start, end = px(fault.from_s), px(fault.until_s)
    parts = []
    for number, name in enumerate(rows):
        if name in fault.touches:
            y = TOP + ROW * number
            fill = f"url(#{STAMP}down)"
            parts.append(
                rect(start, y + 3, max(2.0, end - start), ROW - 6, fill=fill, stroke=palette.INK, more=' opacity=".3"')
            )
    parts.append(line(f"M{short(start)},{short(TOP - 4)}V{short(TOP + ROW * len(rows))}", width=1.6))
    return [*parts, label(start, TOP - 8, "fault", size=11, anchor="middle", more=HALO)]


def _marks(steps: Sequence[StoryStep], rows: Sequence[str], *, grey: bool) -> list[str]:
    """A mark for each step; steps of one instant stand beside each other. Grey ones are smaller, and lie lower."""
    parts = []
    seen: dict[tuple[str, int], int] = {}
    for step in steps[:MOST_TOLD]:
        x = px(step.at_s)
        place = seen[step.node, round(x)] = seen.get((step.node, round(x)), -1) + 1
        y = TOP + ROW * rows.index(step.node) + (ROW - 8 if grey else ROW / 2)
        at = min(x + (7.0 if grey else 11.0) * place, RIGHT - 6.0)
        mark = palette.mark(LOOKS.get(step.kind, "busy"), 3.2 if grey else MARK, x=at, y=y)
        parts.append(f'<g style="filter:grayscale(1)" opacity=".55">{mark}</g>' if grey else mark)
    return parts


def _writings(steps: Sequence[StoryStep], rows: Sequence[str]) -> list[str]:
    """What is written, above its mark, where it has room."""
    parts = []
    free: dict[str, float] = {}
    for step in steps[:MOST_TOLD]:
        words = step.what.replace("_", " ")
        x = px(step.at_s)
        if step.kind == "write" and x >= free.get(step.node, 0.0) and x < BREAK:
            parts.append(
                label(x, TOP + ROW * rows.index(step.node) + 12, words, size=10, fill=palette.QUIET, more=HALO)
            )
            free[step.node] = x + 5.4 * len(words) + 6
    return parts


def _legend(y: float, grey: str) -> list[str]:
    parts, x = [], LEFT
    for kind, role in LOOKS.items():
        parts += [palette.mark(role, MARK, x=x, y=y - 4), label(x + 10, y, DID[kind], size=11.5)]
        x += 100
    return [*parts, label(RIGHT, y, grey, size=11.5, anchor="end", fill=palette.QUIET)]


def _verdict(found: Findings | None, verdict: str, y: float) -> list[str]:
    if found is None:
        return [palette.mark("idle", 8, x=22, y=y - 4), label(40, y, verdict, size=13.5)]
    outcome = Outcome.of(found)
    words = "Every promise was kept." if not found else f"{outcome.value.capitalize()}: {found[0].what}."
    return [
        palette.mark(ROLES[outcome], 8, x=22, y=y - 4),
        label(40, y, fit(words, WIDTH - 60, size=13.5), size=13.5, more=' font-weight="600"'),
        label(40, y + 19, fit(verdict, WIDTH - 60, size=12.5), size=12.5),
    ]


def _told(found: Findings | None, verdict: str) -> list[str]:
    if found is None:
        return [verdict]
    said = [f"The oracle: {'every promise was kept' if not found else Outcome.of(found).value}. {verdict}".strip()]
    return [*said, *(str(found[0]).splitlines() if found else ())]


def _steps_told(steps: Sequence[StoryStep], grey: str) -> list[str]:
    if not steps:
        return ["No step was taken."]
    told = [f"Steps{' of ' + grey.partition(': ')[2] if grey else ''}, after the beginning:"]
    told += [str(step) for step in steps[:MOST_TOLD]]
    left = len(steps) - MOST_TOLD
    return [*told, f"{say(left)} more steps."] if left > 0 else told


__all__ = ["FaultSpan", "StoryStep", "px", "resilience_svg"]
