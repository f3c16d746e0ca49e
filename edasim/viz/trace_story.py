"""The storyline of one causal tree of a run: what an event set going, as a sequence diagram.

Read off the delivery table (`run.trace`) and the facts that carry the trace's id. A delivery becomes an arrow from
publishing to the start of service and a bar of work; what failed, crashed or was lost is marked. Left out: deliveries
that a filter refused, and the wait in a queue, which is part of the arrow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .picture import Picture
from .story import Step, StepKind, storyline

if TYPE_CHECKING:
    from ..kernel import Run

NEVER_TAKEN = ("dropped", "expired")


def trace_storyline(run: Run, of: str) -> Picture:
    """The storyline of the causal tree of an event (its id) or of a subject, such as a user id.

    Raises `UnknownNameError` for an event or subject that the run does not hold, `StateError` if its log kept no
    deliveries.
    """
    run.require_rows("a storyline")
    rows = run.trace(next((str(event.id) for event in run.events() if event.subject == of), of))
    steps = [step for row in rows.itertuples() for step in _steps(row, run.ended_s)]
    traces = set(rows["trace_id"])
    steps += [
        Step(
            time_s=fact.time_s,
            origin=fact.subject,
            target=fact.subject,
            label=fact.kind.replace("_", " "),
            kind=StepKind.NOTE,
        )
        for fact in run.fact_list
        if fact.detail.get("trace_id") in traces
    ]
    whom = next((f" of {subject}" for subject in rows["subject"] if isinstance(subject, str) and subject), "")
    return storyline(steps, f"Storyline{whom}")


def _steps(row: Any, ended_s: float) -> Iterator[Step]:
    """The steps of one row of the delivery table."""
    if row.outcome == "filtered":
        return
    consumer = row.consumer if isinstance(row.consumer, str) else ""
    service = consumer.rpartition("/")[0] or consumer or row.group or row.destination
    started = not math.isnan(row.started_s)
    again = row.attempt > 1
    sent_s = row.started_s if again and started else row.published_s
    kind = (
        StepKind.AGAIN if again else StepKind.LOST if row.outcome in NEVER_TAKEN and not started else StepKind.MESSAGE
    )
    taken_s = row.started_s if started else sent_s
    yield Step(time_s=sent_s, origin=row.source, target=service, label=row.type, kind=kind, until_s=taken_s)
    if not started:
        return
    end_s = ended_s if math.isnan(row.finished_s) else row.finished_s
    yield Step(time_s=row.started_s, origin=service, target=service, kind=StepKind.WORK, until_s=end_s)
    if row.outcome in ("crashed", "dropped"):
        words = "crash, acknowledged already" if row.outcome == "dropped" else ""
        yield Step(time_s=end_s, origin=service, target=service, label=words, kind=StepKind.CRASH)
    elif row.outcome in ("failed", "requeued", "dead_lettered"):
        words = row.outcome.replace("_", " ")
        yield Step(time_s=end_s, origin=service, target=service, label=words, kind=StepKind.NOTE)
