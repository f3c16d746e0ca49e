"""The story of one causal tree: every step that an event and what followed from it took, in order of time.

It is read off the delivery table and the facts that carry the trace's id. A story is text, a table and, by `viz`, a
picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UnknownNameError
from ..kernel import Run
from ..kernel.runlog import OUTCOMES

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Step:
    """One step: at `time_s` seconds `who` did something `to` whom if anyone; `kind` in a word, `text` in a sentence."""

    time_s: float
    who: str
    to: str
    kind: str
    text: str


@dataclass(frozen=True)
class Story:
    """The steps of one causal tree."""

    trace_id: str
    subject: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        begin_s = self.steps[0].time_s if self.steps else 0.0
        lines = [f"{step.time_s:10.3f} s  +{step.time_s - begin_s:8.3f} s  {step.text}" for step in self.steps]
        return "\n".join([f"The story of {self.subject or self.trace_id}", *lines])

    def table(self) -> pandas.DataFrame:
        """The steps as a table."""
        import pandas as pd

        return pd.DataFrame([vars(step) for step in self.steps], columns=["time_s", "who", "to", "kind", "text"])


_ORDER = ("published", "delivered", "fact", "outcome")
"""What comes first at one instant, for one event and attempt."""


def story(run: Run, of: str) -> Story:
    """The story of an event (its id) or of a subject, such as a user id; the run needs a full or sampled log."""
    run.require_rows("story()")
    trace_id, subject = _trace_of(run, of)
    tree = _Tree(run, trace_id)
    placed = [*tree.publications(), *tree.deliveries(), *tree.facts()]
    placed.sort(key=lambda each: each[0])
    return Story(trace_id, subject, tuple(step for _, step in placed))


def _trace_of(run: Run, of: str) -> tuple[str, str]:
    seen: dict[str, None] = {}
    for event in run.events():
        if of in (event.id, event.subject, event.trace_id):
            return str(event.trace_id), str(event.subject or "")
        if event.subject:
            seen[event.subject] = None
    raise UnknownNameError("event or subject in this run", of, list(seen)[:50])


Placed = tuple[tuple[float, int, int, int], Step]
"""A step with its place: time, depth in the causal tree, attempt, and what comes first at one instant."""


class _Tree:
    """The rows and facts of one causal tree."""

    def __init__(self, run: Run, trace_id: str) -> None:
        self._run = run
        self._trace_id = trace_id
        rows = run.deliveries
        self._events: dict[int, Any] = {}
        for number in np.unique(rows.number).tolist():
            event = run.log.event_of(number, 0.0)
            if event.trace_id == trace_id:
                self._events[number] = event
        self._rows = np.flatnonzero(np.isin(rows.number, list(self._events)))
        causes = {event.id: event.cause_id for event in self._events.values()}
        self._depths = {event_id: _depth(event_id, causes) for event_id in causes}

    def publications(self) -> Iterator[Placed]:
        """One step per event and lane that it reached."""
        rows, told = self._run.deliveries, set()
        for i in self._rows.tolist():
            number, lane = int(rows.number[i]), self._run.lanes[int(rows.lane[i])]
            if (number, lane) in told:
                continue
            told.add((number, lane))
            event, publisher = self._events[number], self._run.publishers[int(rows.origin[i])]
            to = f" to {lane.group}" if lane.group else ", and nobody wants it"
            at_s, text = float(rows.published_s[i]), f"{publisher} publishes {event.type}{to}"
            yield self._place(at_s, event.id, 1, "published", Step(at_s, publisher, lane.group, "published", text))

    def deliveries(self) -> Iterator[Placed]:
        """Two steps per delivery attempt: taken, and what became of it."""
        rows = self._run.deliveries
        for i in self._rows.tolist():
            if rows.consumer[i] < 0:
                continue
            event, consumer = self._events[int(rows.number[i])], self._run.consumers[int(rows.consumer[i])]
            attempt, outcome = int(rows.attempt[i]), OUTCOMES[int(rows.outcome[i])]
            again = f" again (attempt {attempt})" if attempt > 1 else ""
            waited_ms = 1000 * float(rows.started_s[i] - rows.enqueued_s[i])
            taken = f"{consumer} takes {event.type}{again}, {waited_ms:.0f} ms after it was queued"
            at_s, end_s = float(rows.delivered_s[i]), float(rows.finished_s[i])
            yield self._place(at_s, event.id, attempt, "delivered", Step(at_s, consumer, "", "delivered", taken))
            if not math.isnan(end_s):
                text = _ending(consumer, event.type, outcome)
                yield self._place(end_s, event.id, attempt, "outcome", Step(end_s, consumer, "", outcome, text))

    def facts(self) -> Iterator[Placed]:
        """One step per fact that carries the trace's id."""
        for fact in self._run.fact_list:
            if fact.detail.get("trace_id") != self._trace_id:
                continue
            told = {k: v for k, v in fact.detail.items() if k not in ("trace_id", "event_id", "user_id", "attempt")}
            particulars = ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in told.items())
            text = f"{fact.subject}: {fact.kind.replace('_', ' ')}" + (f" ({particulars})" if particulars else "")
            yield self._place(
                fact.time_s, fact.detail.get("event_id"), int(fact.detail.get("delivery", 1)), "fact",
                Step(fact.time_s, fact.subject, "", fact.kind, text),
            )  # fmt: skip

    def _place(self, time_s: float, event_id: str | None, attempt: int, what: str, step: Step) -> Placed:
        return (time_s, self._depths.get(event_id, 0), attempt, _ORDER.index(what)), step


def _ending(consumer: str, event_type: str, outcome: str) -> str:
    """What became of a delivery that a consumer had taken, in a sentence."""
    if outcome == "done":
        return f"{consumer} is done with {event_type}"
    if outcome == "dropped":
        return f"{consumer}: {event_type} dropped, it was acknowledged before {consumer} crashed"
    return f"{consumer}: {event_type} {outcome}"


def _depth(event_id: str | None, causes: dict[str | None, str | None]) -> int:
    depth = 0
    while (event_id := causes.get(event_id)) is not None and depth < len(causes):  # an event may name itself its cause
        depth += 1
    return depth


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
