"""The story of one request: its attempts, how long each waited at a server, and whether anybody still wanted the work.

A sequence diagram from the rows of the log: an arrow is an attempt or its answer, a bar is work. Left out: the instant
at which a client stopped waiting for an attempt, which no row holds; the next attempt shows that it had.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import UnknownNameError
from ..services.calls.measures import PROTECTIONS, REQUESTS
from .picture import Picture
from .story import Step, StepKind, storyline

if TYPE_CHECKING:
    from ..kernel import Run


def request_story(run: Run, request: str) -> Picture:
    """The storyline of a request by its event's id, such as "users-7"; `UnknownNameError` if the run has none such."""
    run.require_rows("the story of a request")
    rows = run.messages()
    calls = rows[rows["broker"] == "calls"]
    mine = calls[calls["event_id"] == request]
    if mine.empty:
        raise UnknownNameError("request", request, calls["event_id"].unique()[:20])
    steps: list[Step] = [step for row in mine.itertuples() for step in _steps(row, run.ended_s)]
    steps.sort(key=lambda step: step.time_s)
    return storyline(steps, f"Request {request}")


def _steps(row: Any, ended_s: float) -> Iterator[Step]:
    if row.group == REQUESTS:
        if row.consumer == "given up":
            client = row.destination
            yield Step(time_s=row.finished_s, origin=client, target=client, label="gives up", kind=StepKind.NOTE)
        return
    client, sent_s, server = row.group, row.enqueued_s, row.destination
    words = f"attempt {row.attempt}"
    if row.consumer in PROTECTIONS:
        said = f"{words}: {row.consumer} says no"
        yield Step(time_s=row.finished_s, origin=client, target=client, label=said, kind=StepKind.NOTE)
        return
    kind = StepKind.MESSAGE if row.attempt == 1 else StepKind.AGAIN
    yield Step(time_s=sent_s, origin=client, target=server, label=words, kind=kind)
    yield from _work(row, client, server, ended_s)


def _work(row: Any, client: str, server: str, ended_s: float) -> Iterator[Step]:
    """What became of an attempt at the server."""
    words, started = f"attempt {row.attempt}", not math.isnan(row.started_s)
    end_s = ended_s if math.isnan(row.finished_s) else row.finished_s
    if started:
        waited = f"{words}, waited {row.started_s - row.enqueued_s:.3g} s"
        yield Step(time_s=row.started_s, origin=server, target=server, label=waited, kind=StepKind.WORK, until_s=end_s)
    if row.outcome == "done":
        yield Step(time_s=end_s, origin=server, target=client, label="answer", kind=StepKind.MESSAGE)
    elif row.outcome == "expired":
        said = f"{words}: nobody waits for it" if started else f"{words} is not begun: nobody waits"
        yield Step(time_s=end_s, origin=server, target=server, label=said, kind=StepKind.NOTE)
    elif row.outcome == "crashed":
        yield Step(time_s=end_s, origin=server, target=server, kind=StepKind.CRASH)
    elif row.outcome == "failed":
        said = f"{words}: an error" if started else f"{words} is refused"
        yield Step(time_s=end_s, origin=server, target=client, label=said, kind=StepKind.MESSAGE)
