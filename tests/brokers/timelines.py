"""Timelines: what happened in a run, told in sentences that a test can compare exactly."""

from __future__ import annotations

from edasim.kernel import Run


def timeline(run: Run) -> list[tuple[float, str]]:
    """Who took what, and what became of it; at one instant ends come before beginnings.

    `(1.5, "a takes src-0")`, `(2.0, "a: src-0 done")`, and for what was never delivered `(2.0, "src-1 dropped")`.
    """
    told: list[tuple[float, int, str]] = []
    for row in run.messages().itertuples():
        again = f" (attempt {row.attempt})" if row.attempt > 1 else ""
        if row.delivered_s == row.delivered_s:
            told.append((row.delivered_s, 1, f"{row.consumer} takes {row.event_id}{again}"))
        if row.finished_s == row.finished_s:
            who = f"{row.consumer}: " if row.delivered_s == row.delivered_s else ""
            told.append((row.finished_s, 0, f"{who}{row.event_id} {row.outcome}{again}"))
    told.sort(key=lambda each: each[:2])
    return [(time_s, text) for time_s, _, text in told]


def still_open(run: Run) -> list[tuple[str, int, str]]:
    """What is queued or in flight at the end of a run: event id, attempt, outcome."""
    table = run.messages()
    rows = table[table["outcome"].isin(["queued", "in_flight"])]
    return list(zip(rows["event_id"], rows["attempt"], rows["outcome"], strict=True))
