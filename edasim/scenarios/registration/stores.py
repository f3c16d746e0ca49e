"""The stores of a registration run over time: what the bus, the database and the mail folder hold at any instant.

A projection of the run's log, so it costs the run nothing. The bus holds a message for a service from the instant it is
queued until it is acknowledged; a row, a file and a mail in a mailbox stay for good. Left out: what is inside a file or
a row; for that, look into the stores themselves (`run.kept`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import ConfigurationError, UnknownNameError
from ...kernel import Run
from ...kernel.runlog import OUTCOMES
from ...services import Acknowledge
from .people import REQUESTED
from .scenario import MAIL

Floats = np.ndarray[Any, np.dtype[np.float64]]

STILL_HELD = tuple(OUTCOMES.index(name) for name in ("in_flight", "queued"))
IN_STORE = {
    "user database": (("user_written", "row of {user_id}"), ("rejection_written", "rejection of {user_id}")),
    "mail folder": (("mail_cached", "{mail_id}.eml"),),
}


@dataclass(frozen=True)
class Store:
    """What one store held: `items[i]` from `from_s[i]` up to, not including, `until_s[i]` (inf: to the end)."""

    name: str
    items: tuple[str, ...]
    from_s: Floats
    until_s: Floats

    def held(self, at_s: float) -> tuple[str, ...]:
        """What it holds at an instant, oldest first."""
        held = np.flatnonzero((self.from_s <= at_s) & (at_s < self.until_s))
        return tuple(self.items[i] for i in held[np.argsort(self.from_s[held], kind="stable")].tolist())

    def level(self) -> tuple[Floats, Floats]:
        """How many items it holds: the instants of change in seconds, and the number from each instant on."""
        return level_of(self.from_s, self.until_s)


def level_of(from_s: Floats, until_s: Floats) -> tuple[Floats, Floats]:
    """The number of spans that cover an instant: the instants of change, ascending, and the number from each on."""
    ends_s = until_s[np.isfinite(until_s)]
    instants_s = np.concatenate([from_s, ends_s])
    change = np.concatenate([np.ones(len(from_s)), -np.ones(len(ends_s))])
    order = np.argsort(instants_s, kind="stable")
    instants_s, level = instants_s[order], np.cumsum(change[order])
    last_of_instant = np.append(instants_s[1:] != instants_s[:-1], True)[: len(instants_s)]
    return instants_s[last_of_instant], level[last_of_instant]


def stores(run: Run) -> tuple[Store, ...]:
    """The bus, the user database, the mail folder, and outside of our house the mailboxes of a run of `Registration`.

    Raises `ConfigurationError` for a run of another scenario, `StateError` if its log kept no rows.
    """
    if "provider" not in run.kept:
        raise ConfigurationError(
            "this run is not of Registration", field="run", remedy="give a run of scenarios.Registration"
        )
    return (bus(run), *(_kept(run, name, kinds) for name, kinds in IN_STORE.items()), _mailboxes(run))


def bus(run: Run, service: str | None = None) -> Store:
    """What the bus holds for one service, or for all: each message from being queued to being acknowledged."""
    run.require_rows("the bus over time")
    rows = run.deliveries
    wanted = np.array([bool(lane.group) and service in (None, lane.group) for lane in run.lanes])
    rows = rows.rows(wanted[rows.lane])
    first = np.append(True, (rows.number[1:] != rows.number[:-1]) | (rows.lane[1:] != rows.lane[:-1]))[: len(rows)]
    last = np.append(first[1:], True)[: len(rows)]
    until_s = np.where(np.isin(rows.outcome[last], STILL_HELD), np.inf, rows.finished_s[last])
    if getattr(run.scenario, "acknowledge", None) is Acknowledge.ON_DELIVERY:
        early = np.array([lane.group == MAIL for lane in run.lanes])[rows.lane[last]]
        taken_s = rows.delivered_s[last]
        until_s = np.where(early & ~np.isnan(taken_s), taken_s, until_s)
    events, groups = run.numbered_events, [lane.group for lane in run.lanes]
    items = tuple(
        f"{events[number].type} of {events[number].subject} for {groups[lane]}"
        for number, lane in zip(rows.number[first].tolist(), rows.lane[first].tolist(), strict=True)
    )
    return Store("bus", items, rows.enqueued_s[first], until_s)


def owed(run: Run, kind: str) -> Store:
    """Users who were accepted and still wait: for "user_written" (their row) or "mail_arrived" (their first mail)."""
    words = {"user_written": "accepted, no row yet", "mail_arrived": "accepted, no mail yet"}
    if kind not in words:
        raise UnknownNameError("kind of fact that is owed", kind, words)
    got_s: dict[str, float] = {}
    for fact in run.fact_list:
        if fact.kind == kind:
            got_s.setdefault(fact.detail["user_id"], fact.time_s)
    accepted_s: dict[str, float] = {}
    for fact in run.fact_list:
        if fact.kind == "registration_checked" and fact.detail["accepted"]:
            accepted_s.setdefault(fact.detail["user_id"], fact.time_s)
    until_s = np.array([got_s.get(user, np.inf) for user in accepted_s], dtype=np.float64)
    return Store(words[kind], tuple(accepted_s), np.array(list(accepted_s.values()), dtype=np.float64), until_s)


def welcomes_s(run: Run) -> Floats:
    """Seconds from sign-up to the first mail, one per user who got a mail, in order of sign-up."""
    arrived_s: dict[str, float] = {}
    for fact in run.fact_list:
        if fact.kind == "mail_arrived":
            arrived_s.setdefault(fact.detail["user_id"], fact.time_s)
    rows, waits_s = run.deliveries, {}
    for number, published_s in zip(rows.number.tolist(), rows.published_s.tolist(), strict=True):
        event = run.numbered_events[number]
        if event.type == REQUESTED and event.subject in arrived_s:
            waits_s[event.subject] = arrived_s[event.subject] - published_s
    return np.array(list(waits_s.values()), dtype=np.float64)


def _kept(run: Run, name: str, kinds: tuple[tuple[str, str], ...]) -> Store:
    """A store to which things are only added, once each."""
    words = dict(kinds)
    added = [fact for fact in run.fact_list if fact.kind in words and fact.detail["new"]]
    items = tuple(words[fact.kind].format(**fact.detail) for fact in added)
    return _for_good(name, items, [fact.time_s for fact in added])


def _mailboxes(run: Run) -> Store:
    arrived = [fact for fact in run.fact_list if fact.kind == "mail_arrived"]
    return _for_good("mailboxes", tuple(fact.detail["mail_id"] for fact in arrived), [fact.time_s for fact in arrived])


def _for_good(name: str, items: tuple[str, ...], from_s: list[float]) -> Store:
    return Store(name, items, np.array(from_s, dtype=np.float64), np.full(len(from_s), np.inf))
