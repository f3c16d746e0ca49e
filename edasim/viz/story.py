"""A storyline: one trace or one user as a sequence diagram, with time downward.

Each service has a lifeline; an arrow is a message from publishing to delivery, a bar is work, a star a crash. Rows are
the instants at which something happens, in order and evenly spaced, with their times beside them: distances are not to
scale. Follows the layout of UML 2 sequence diagrams. Left out: alternatives, loops and nested calls.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Any

from .. import checks
from ..errors import ConfigurationError
from . import palette
from .chart import HALO
from .picture import Picture
from .svg import STAMP, document, fit, label, line, rect, short

LEFT, TOP, ROW, HEAD_WIDTH, FOOT = 84.0, 64.0, 32.0, 142.0, 22.0
ROW_WITH_MORE = 17.0


class StepKind(enum.Enum):
    """What a step of a story is."""

    MESSAGE = "message"
    WORK = "work"
    NOTE = "note"
    CRASH = "crash"
    RESTART = "restart"
    LOST = "lost"
    AGAIN = "again"


def _words(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise checks.refuse(field, value, "give a text")
    return value


MESSAGES = (StepKind.MESSAGE, StepKind.LOST, StepKind.AGAIN)
LOOKS = {
    StepKind.WORK: ("", 0.0, ""),
    StepKind.NOTE: ("message", 4.0, ""),
    StepKind.CRASH: ("crashed", 8.0, "crash"),
    StepKind.RESTART: ("done", 7.0, "up again"),
}
"""The mark of each kind of step that is no message, its radius, and the words if the step has no label."""


@checks.configuration
class Step:
    """One step: at `time_s` (simulated seconds) from one lifeline to another, or on one if both are the same.

    `until_s` is when a message is delivered or work ends (at once if None). `LOST` is a message that never arrives,
    `AGAIN` one that is handed out again.
    """

    time_s: float = checks.non_negative()
    origin: str = checks.text()
    target: str = checks.text()
    label: str = checks.checked(_words, default="")
    kind: StepKind = checks.word(StepKind)
    until_s: float | None = checks.optional(checks.check_non_negative, default=None)

    def check(self) -> None:
        """Refuses a step that ends before it begins."""
        if self.until_s is not None and self.until_s < self.time_s:
            raise ConfigurationError(
                f"Step.until_s is {self.until_s!r}, before Step.time_s",
                field="Step.until_s",
                value=self.until_s,
                remedy=f"give at least {self.time_s!r}",
            )

    @property
    def end_s(self) -> float:
        """When it is over, in seconds."""
        return self.time_s if self.until_s is None else self.until_s

    @property
    def needs_a_line(self) -> bool:
        """Whether it is drawn with words or an arrow, and not as a bar alone."""
        return self.kind is not StepKind.WORK or bool(self.label)

    @property
    def sentence(self) -> str:
        """The step in words, without its time."""
        words = {
            StepKind.MESSAGE: f"{self.origin} sends {self.label} to {self.target}",
            StepKind.AGAIN: f"{self.origin} hands {self.label} to {self.target} again",
            StepKind.LOST: f"{self.label} from {self.origin} to {self.target} is lost",
            StepKind.WORK: f"{self.target} works" + (f": {self.label}" if self.label else ""),
            StepKind.NOTE: f"{self.target}: {self.label}",
            StepKind.CRASH: f"{self.target} crashes" + (f": {self.label}" if self.label else ""),
            StepKind.RESTART: f"{self.target} is up again" + (f": {self.label}" if self.label else ""),
        }[self.kind]
        return words + (f", until {self.end_s:.3f} s" if self.end_s > self.time_s else "") + "."


def storyline(rows: Iterable[Step | Sequence[Any]], title: str = "Storyline") -> Picture:
    """A sequence diagram of steps, each a `Step` or a tuple (time_s, from, to, label, kind) or (…, kind, until_s).

    Lifelines stand in the order in which they first appear. Raises an `EdasimError` for no steps or a wrong one.
    """
    steps = sorted((_step(row) for row in rows), key=lambda step: step.time_s)
    if not steps:
        raise checks.refuse("rows", [], "give at least one step")
    names = list(dict.fromkeys(name for step in steps for name in (step.origin, step.target)))
    spread = max(168.0, min(240.0, (960 - LEFT - HEAD_WIDTH) / max(1, len(names) - 1)))
    x_of = {name: LEFT + HEAD_WIDTH / 2 + spread * place for place, name in enumerate(names)}
    y_of, bottom = _instants(steps)
    width = LEFT + HEAD_WIDTH + spread * (len(names) - 1) + 150
    parts = [_definitions(), *_lifelines(x_of, bottom), *_times(y_of, width)]
    parts += [_work(step, x_of, y_of) for step in steps if step.kind is StepKind.WORK]
    level: dict[float, int] = {}
    for step in steps:
        shift = level.get(step.time_s, 0)
        level[step.time_s] = shift + step.needs_a_line
        parts.append(_draw(step, x_of, y_of, shift * ROW_WITH_MORE, spread))
    text = "\n".join([f"{title}: {len(steps)} steps.", *(f"{step.time_s:.3f} s: {step.sentence}" for step in steps)])
    return Picture(svg=document(width, bottom + FOOT, parts, title), alt=title, text=text)


def _step(row: Step | Sequence[Any]) -> Step:
    if isinstance(row, Step):
        return row
    if isinstance(row, str) or len(row) not in (5, 6):
        raise checks.refuse(
            "rows", row, "give (time_s, from, to, label, kind) or (time_s, from, to, label, kind, until_s)"
        )
    return Step(
        time_s=row[0], origin=row[1], target=row[2], label=row[3], kind=row[4], until_s=row[5] if len(row) > 5 else None
    )


def _instants(steps: Sequence[Step]) -> tuple[dict[float, float], float]:
    """The height of each instant; one with several steps gets more room."""
    starts: dict[float, int] = {}
    for step in steps:
        starts[step.time_s] = starts.get(step.time_s, 0) + step.needs_a_line
        starts.setdefault(step.end_s, 0)
    y, heights = TOP + ROW, {}
    for instant in sorted(starts):
        heights[instant] = y
        y += ROW + ROW_WITH_MORE * max(0, starts[instant] - 1)
    return heights, y


def _definitions() -> str:
    return (
        f'<defs><marker id="{STAMP}head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="9" markerHeight="9" '
        f'orient="auto" markerUnits="userSpaceOnUse"><path d="M0,.5L8,4L0,7.5Z" fill="{palette.INK}"/></marker>'
        f"{palette.pattern('busy', STAMP + 'busy')}</defs>"
    )


def _lifelines(x_of: dict[str, float], bottom: float) -> list[str]:
    parts = []
    for name, x in x_of.items():
        parts.append(line(f"M{short(x)},{short(TOP)}V{short(bottom)}", stroke=palette.SLATE, dash="5 4"))
        left, top = x - HEAD_WIDTH / 2, TOP - 34
        parts.append(rect(left, top, HEAD_WIDTH, 34, fill=palette.PANEL, stroke=palette.SLATE, round_by=7))
        parts.append(
            label(
                x, TOP - 12, fit(name, HEAD_WIDTH - 4, size=12.4), size=11.5, anchor="middle", more=' font-weight="600"'
            )
        )
    return parts


def _times(y_of: dict[float, float], width: float) -> list[str]:
    parts = [label(12, TOP - 12, "time (s)", size=11, fill=palette.QUIET)]
    for instant, y in y_of.items():
        parts.append(line(f"M70,{short(y)}H{short(width - 12)}", stroke=palette.PALE))
        parts.append(label(64, y + 4, f"{instant:.3f}", size=11, anchor="end", fill=palette.QUIET))
    return parts


def _work(step: Step, x_of: dict[str, float], y_of: dict[float, float]) -> str:
    x, y0, y1 = x_of[step.target], y_of[step.time_s], y_of[step.end_s]
    busy = palette.role("busy").colour
    return rect(x - 6, y0, 12, max(8.0, y1 - y0), fill=busy, stroke=palette.INK, round_by=2)


def _draw(step: Step, x_of: dict[str, float], y_of: dict[float, float], shift: float, spread: float) -> str:
    x0, x1 = x_of[step.origin], x_of[step.target]
    y0, y1 = y_of[step.time_s] + shift, y_of[step.end_s] + (shift if step.end_s == step.time_s else 0)
    if step.kind in MESSAGES:
        return _arrow(step, (x0, y0), (x1, y1))
    look, radius, words = LOOKS[step.kind]
    beside = (y_of[step.time_s] + y1) / 2 if step.kind is StepKind.WORK else y0
    text = label(x1 + 14, beside + 13, fit(step.label or words, spread - 22, size=11), size=11.5, more=HALO)
    return (palette.mark(look, radius, x=x1, y=y0) if look else "") + text


def _arrow(step: Step, start: tuple[float, float], end: tuple[float, float]) -> str:
    """A message; one to itself bends out and back, a lost one ends half way in a cross."""
    (x0, y0), (x1, y1) = start, end
    lost, again = step.kind is StepKind.LOST, step.kind is StepKind.AGAIN
    words = step.label + (" (again)" if again else " (lost)" if lost else "")
    if x0 == x1:
        path = f"M{short(x0 + 2)},{short(y0)}h26v{short(max(10.0, y1 - y0))}H{short(x1 + 7)}"
        at, anchor = (x0 + 34, y0 + 8), "start"
    else:
        side = 1.0 if x1 > x0 else -1.0
        x0, x1 = x0 + 6 * side, x1 - 7 * side
        if lost:
            x1, y1 = x0 + (x1 - x0) * 0.62, y0 + (y1 - y0) * 0.62
        path = f"M{short(x0)},{short(y0)}L{short(x1)},{short(y1)}"
        rise = abs(y1 - y0) / abs(x1 - x0) * 3.1 * len(words)
        at, anchor = ((x0 + x1) / 2, (y0 + y1) / 2 - 4 - rise), "middle"
    dash = "6 3" if lost or again else ""
    head = "" if lost else f' marker-end="url(#{STAMP}head)"'
    return (
        line(path, width=1.6, dash=dash, more=head)
        + (palette.mark("failed", 6, x=x1, y=y1) if lost else "")
        + label(*at, fit(words, max(120.0, abs(x1 - x0) - 4), size=11), size=11.5, anchor=anchor, more=HALO)
    )
