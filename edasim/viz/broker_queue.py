"""A queue at one instant: what is ready at the broker, and what each consumer holds unacknowledged.

A projection of the run log. A message is ready from its coming until it is sent to a consumer's client
(`delivered_s`); it is then held there, ahead of its turn or in work, until it is acknowledged. What was handed out
before is marked. Left out: queues of several services in one picture; choose one by the name of its subscription.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from ..kernel import Run
from ..kernel.runlog import CRASHED, DONE, DROPPED, FAILED, REQUEUED, running_number
from . import palette
from .picture import Picture
from .svg import STAMP, document, fit, label, rect

WIDTH, PER_ROW, MOST_ROWS, MOST_HELD = 720.0, 8, 5, 20
CELL, TALL, PITCH, TOP = 24.0, 17.0, 30.0, 66.0
QUEUE_LEFT, HELD_LEFT = 14.0, 306.0
CELL_HELD = 19.5
OPEN_STILL = (CRASHED, FAILED, REQUEUED)
"""Outcomes of a delivery after which its message is still to be done."""


@dataclass(frozen=True)
class Held:
    """What one consumer holds: messages in work and ahead of their turn, by running number; whether it died."""

    consumer: str
    in_work: tuple[int, ...]
    ahead: tuple[int, ...]
    down: bool

    @property
    def words(self) -> str:
        """Such as "workers/0 holds 20, of which 1 is in work: 101, 105 …"."""
        if self.down:
            return f"{self.consumer} is down and holds nothing"
        held = [*self.in_work, *self.ahead]
        if not held:
            return f"{self.consumer} is free"
        are = "1 is" if len(self.in_work) == 1 else f"{len(self.in_work)} are"
        return f"{self.consumer} holds {len(held)}, of which {are} in work: {_listed(held)}"


@dataclass(frozen=True)
class QueueState:
    """A queue at an instant; messages by their publisher's running number, `again` are those handed out before.

    `unheard` were held by a consumer that is dead, and the broker does not know it yet; neither ready nor held.
    """

    at_s: float
    name: str
    ready: tuple[int, ...]
    held: tuple[Held, ...]
    again: frozenset[int]
    unheard: int
    done: int
    lost: int


def queue_at(run: Run, at_s: float | None = None, of: str | None = None) -> QueueState:
    """The queue of the subscription called `of` (needed if there are several) at an instant (None: the end of the run).

    What happens at the instant itself has happened. Raises `UnknownNameError` for an unknown subscription.
    """
    instant_s = run.ended_s if at_s is None else checks.check_non_negative("at_s", at_s)
    run.require_rows("the picture of a queue")
    lane = _lane(run, of)
    rows = run.deliveries
    here = rows.rows(rows.lane == lane)
    there = here.rows((here.enqueued_s <= instant_s) & ~(here.finished_s <= instant_s))
    sent = there.delivered_s <= instant_s
    working = there.started_s <= instant_s
    held = []
    for name in dict.fromkeys(consumer for place, consumer in run.endpoints if place == lane and consumer):
        mine = there.consumer == here.consumers.index(name)
        in_work, ahead = there.rows(mine & sent & working), there.rows(mine & sent & ~working)
        held.append(Held(name, _numbers(in_work), _numbers(ahead), _is_down(run, name, instant_s)))
    finished = here.rows(here.finished_s <= instant_s)
    settled = finished.number[~np.isin(finished.outcome, OPEN_STILL)]
    known = np.unique(here.number[here.enqueued_s <= instant_s])
    return QueueState(
        at_s=instant_s,
        name=run.lanes[lane].group or run.lanes[lane].destination,
        ready=_numbers(there.rows(~sent)),
        held=tuple(held),
        again=frozenset(_numbers(there.rows(there.attempt > 1))),
        unheard=int((~np.isin(known, np.concatenate([settled, there.number]))).sum()),
        done=len(np.unique(finished.number[finished.outcome == DONE])),
        lost=int((finished.outcome == DROPPED).sum()),
    )


def _lane(run: Run, of: str | None) -> int:
    names = [lane.group for lane in run.lanes]
    received = [place for place, lane in enumerate(run.lanes) if any(at == place and who for at, who in run.endpoints)]
    if of is None and len(received) == 1:
        return received[0]
    if of is None:
        raise ConfigurationError(
            "the run has several subscriptions, or none", field="of", value=of, remedy=f"give one of {', '.join(names)}"
        )
    if of not in names:
        raise UnknownNameError("subscription", of, names)
    return names.index(of)


def _numbers(rows: Any) -> tuple[int, ...]:
    """Running numbers in the order in which the rows were sent, or else came."""
    order = np.lexsort((rows.number, rows.enqueued_s, rows.attempt == 1, rows.delivered_s))
    return tuple(running_number(number) for number in rows.number[order].tolist())


def _is_down(run: Run, name: str, at_s: float) -> bool:
    told = [
        fact.kind
        for fact in run.fact_list
        if fact.subject == name and fact.time_s <= at_s and fact.kind in ("node_crashed", "node_restarted")
    ]
    return bool(told) and told[-1] == "node_crashed"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:6])) + (" …" if len(numbers) > 6 else "")


def broker_queue_svg(run: Run, at_s: float | None = None, of: str | None = None) -> Picture:
    """The queue at an instant: ready messages at the left, each consumer's unacknowledged ones at the right.

    Each message carries its running number. Errors as for `queue_at`.
    """
    return draw_queue(queue_at(run, at_s, of))


def draw_queue(state: QueueState, *, note: str = "") -> Picture:
    """The picture of a state; `note` is one more sentence of its text."""
    definitions = palette.pattern("waiting", STAMP + "w") + palette.pattern("down", STAMP + "down")
    parts = [f"<defs>{definitions}</defs>", *_legend(state), *_ready(state)]
    for place, held in enumerate(state.held):
        parts += _consumer(held, state.again, TOP + place * PITCH)
    height = TOP + max(MOST_ROWS * (TALL + 4) + 24, len(state.held) * PITCH + 20) + 14
    if state.unheard:
        parts.append(label(HELD_LEFT - 3, TOP + len(state.held) * PITCH + 8, unheard_words(state), size=11.5))
    alt = (
        f"Queue of {state.name} at {state.at_s:.3f} s: {len(state.ready)} ready, "
        f"{sum(len(each.in_work) + len(each.ahead) for each in state.held)} unacknowledged"
    )
    head = f" The first: {_listed(state.ready)}." if state.ready else ""
    back = f" Handed out before: {_listed(sorted(state.again))}." if state.again else ""
    text = [f"{alt}. Done {state.done}, lost {state.lost}.{head}{back}", *(f"{each.words}." for each in state.held)]
    text += [f"{unheard_words(state)}."] if state.unheard else []
    text += [note] if note else []
    return Picture(svg=document(WIDTH, height, parts, alt), alt=alt, text="\n".join(text))


def unheard_words(state: QueueState) -> str:
    """What lies with a dead consumer, for all that the broker knows."""
    lie = "1 lies" if state.unheard == 1 else f"{state.unheard} lie"
    return f"{lie} with a dead consumer, and the broker still waits for the acknowledgement"


def _cell(number: int, x: float, y: float, fill: str, again: frozenset[int], wide: float = CELL) -> str:
    """A message with its number; one that was handed out before has a double frame."""
    frame = rect(x, y, wide - 2, TALL, fill=fill, stroke=palette.INK)
    if number in again:
        ring = palette.role("duplicated").colour
        frame += rect(x + 1, y + 1, wide - 4, TALL - 2, fill="none", stroke=ring, more=' stroke-width="2.5"')
    size = 9.0 if number < 1000 else 7.5
    return frame + label(x + wide / 2 - 1, y + 12, number, size=size, anchor="middle")


def _ready(state: QueueState) -> list[str]:
    """The head of the queue at the right, next to the consumers."""
    parts = [label(QUEUE_LEFT, TOP - 10, f"ready at the broker: {len(state.ready)}", more=' font-weight="600"')]
    room = PER_ROW * MOST_ROWS
    right = QUEUE_LEFT + PER_ROW * CELL
    for place, number in enumerate(state.ready[:room]):
        row, column = divmod(place, PER_ROW)
        x, y = right - (column + 1) * CELL, TOP + row * (TALL + 4)
        parts.append(_cell(number, x, y, palette.role("waiting").colour, state.again))
    more = len(state.ready) - room
    if more > 0:
        parts.append(label(QUEUE_LEFT, TOP + MOST_ROWS * (TALL + 4) + 12, f"and {more} behind them", size=11.5))
    done = f"done {state.done}" + (f", lost {state.lost}" if state.lost else "")
    parts.append(label(right, TOP + MOST_ROWS * (TALL + 4) + 12, done, size=11.5, anchor="end", fill=palette.QUIET))
    return parts


def _consumer(held: Held, again: frozenset[int], y: float) -> list[str]:
    name = fit(held.consumer, HELD_LEFT - QUEUE_LEFT - PER_ROW * CELL - 24)
    parts = [label(HELD_LEFT - 8, y + 13, name, anchor="end", more=' font-weight="600"')]
    wide = CELL_HELD * MOST_HELD
    parts.append(rect(HELD_LEFT - 3, y - 3, wide + 5, TALL + 6, fill=palette.PANEL, stroke=palette.LINE))
    if held.down:
        parts.append(rect(HELD_LEFT - 3, y - 3, wide + 5, TALL + 6, fill=f"url(#{STAMP}down)", more=' opacity=".3"'))
        parts.append(label(HELD_LEFT + wide / 2, y + 12, "down", anchor="middle", more=' font-weight="600"'))
        return parts
    numbers = [(number, "busy") for number in held.in_work] + [(number, "message") for number in held.ahead]
    for place, (number, role) in enumerate(numbers[:MOST_HELD]):
        fill = palette.role("busy").colour if role == "busy" else palette.PALE
        parts.append(_cell(number, HELD_LEFT + place * CELL_HELD, y, fill, again, CELL_HELD))
    more = len(numbers) - MOST_HELD
    if more > 0:
        parts.append(label(WIDTH - 4, y + 13, f"+{more}", size=10, anchor="end"))
    return parts


def _legend(state: QueueState) -> list[str]:
    marks = [(palette.role("waiting").colour, "ready"), (palette.role("busy").colour, "in work")]
    marks.append((palette.PALE, "sent ahead, not acknowledged"))
    parts, x = [], QUEUE_LEFT
    for fill, words in marks:
        parts += [rect(x, 12, 16, 12, fill=fill, stroke=palette.INK), label(x + 21, 22, words)]
        x += 44 + 6.1 * len(words)
    ring = palette.role("duplicated").colour
    parts.append(rect(x, 12, 16, 12, fill=palette.GROUND, stroke=palette.INK))
    parts.append(rect(x + 1.5, 13.5, 13, 9, fill="none", stroke=ring, more=' stroke-width="2.5"'))
    parts.append(label(x + 21, 22, "handed out before"))
    parts.append(label(WIDTH - 12, 22, f"{state.at_s:.3f} s", anchor="end", size=13, more=' font-weight="600"'))
    return parts
