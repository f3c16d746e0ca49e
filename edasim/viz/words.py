"""What a picture of deliveries says in words: who waited longest and behind whom, outcomes, and what is not shown.

The sentences are the text equivalents of pictures, so they hold the numbers that the pictures hold. Left out: prose of
single pictures, which stands where they are drawn.
"""

from __future__ import annotations

import numpy as np

from .svg import say
from .traffic import Traffic, Whole


def missing_sentences(shown: Traffic) -> list[str]:
    """What the picture does not show, if anything: deliveries after its end, or those that the log did not keep."""
    said = []
    if shown.left_out:
        later = "1 later delivery is" if shown.left_out == 1 else f"{shown.left_out:,} later deliveries are"
        said.append(f"{later} left out.")
    if not shown.complete:
        said.append("The log kept only some of the deliveries, so queues look shorter than they were.")
    return said


def outcome_sentence(shown: Traffic) -> str:
    """How many deliveries had each outcome, such as `Outcomes: 405 done, 7 queued.`; as a sentence."""
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in shown.outcome_counts().items())
    return f"Outcomes: {counts or 'none'}."


def longest_wait(shown: Traffic) -> int | None:
    """The row of the delivery that waited longest inside the window, or None if none waited."""
    waits = shown.waits_s
    if not len(waits) or np.all(np.isnan(waits)) or np.nanmax(waits) <= 0:
        return None
    return int(np.nanargmax(waits))


def ahead_of(shown: Traffic, row: int) -> Whole:
    """The rows that were served or stood in the same lane when this delivery came, and were taken before it."""
    same = (shown.lane == shown.lane[row]) & (np.arange(len(shown)) != row)
    came_s, taken_s = shown.arrived_s[row], shown.taken_s[row]
    before = (shown.arrived_s < came_s) | ((shown.arrived_s == came_s) & (np.arange(len(shown)) < row))
    still_there = (shown.ended_s > came_s) & (shown.taken_s <= taken_s)
    return np.flatnonzero(same & before & still_there)


def wait_sentences(shown: Traffic) -> list[str]:
    """Who waited longest, where, behind whom, and which of those kept its consumer busy longest."""
    row = longest_wait(shown)
    if row is None:
        return ["Nobody waited."]
    place = shown.services[shown.lane[row]]
    ahead = ahead_of(shown, row)
    came_s = float(shown.arrived_s[row])
    waiting = ahead[shown.taken_s[ahead] > came_s]
    served = len(ahead) - len(waiting)
    started = bool(shown.taken_s[row] <= shown.until_s)
    waited = say(float(shown.waits_s[row]))
    rest = "until its service started" if started else "and was still waiting at the end"
    said = [
        f"Longest wait: {shown.who(row)} waited {waited} s at {place}, from {came_s:.3f} s, {rest}.",
        f"When it came, {len(waiting)} waited before it and {served} {'was' if served == 1 else 'were'} in service.",
    ]
    if len(ahead):
        held = np.minimum(shown.ended_s[ahead], shown.until_s) - shown.taken_s[ahead]
        slow = int(np.argmax(held))
        said.append(f"Of those, {shown.who(int(ahead[slow]))} was in service longest: {say(float(held[slow]))} s.")
    return said
