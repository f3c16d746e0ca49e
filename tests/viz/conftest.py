"""Runs built from arrays, for tests of pictures: the columns that a run has, without a simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edasim.kernel.runlog import OUTCOMES, Fact, Lane

NAN = float("nan")


@dataclass
class FakeRun:
    """What pictures ask of a run."""

    deliveries: Any
    origins: list[str]
    lanes: list[Lane]
    consumers: list[str]
    ended_s: float
    fact_list: list[Fact] = field(default_factory=list)
    has_all_rows: bool = True

    def require_rows(self, what: str) -> None:
        assert what


@dataclass
class Rows:
    """Collects deliveries; names become indices."""

    origins: list[str] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    consumers: list[str] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def add(
        self,
        number: int,
        origin: str,
        lane: Lane,
        published_s: float,
        started_s: float = NAN,
        finished_s: float = NAN,
        consumer: str = "",
        outcome: str = "done",
        attempt: int = 1,
        enqueued_s: float | None = None,
    ) -> None:
        for name, names in ((origin, self.origins), (lane, self.lanes), (consumer, self.consumers)):
            if name and name not in names:
                names.append(name)
        enqueued = published_s if enqueued_s is None else enqueued_s
        names = (self.origins.index(origin), self.lanes.index(lane), self.consumers.index(consumer) if consumer else -1)
        times = (published_s, enqueued, started_s, started_s, finished_s)
        self.rows.append((number, *names, attempt, OUTCOMES.index(outcome), *times))

    def run(self, ended_s: float, facts: Sequence[Fact] = ()) -> FakeRun:
        rows = sorted(self.rows, key=lambda row: (row[6], row[0], row[2], row[4]))
        names = ("number", "origin", "lane", "consumer", "attempt", "outcome")
        times = ("published_s", "enqueued_s", "delivered_s", "started_s", "finished_s")
        columns: dict[str, Any] = {
            name: np.array([row[i] for row in rows], dtype=np.int64) for i, name in enumerate(names)
        }
        columns |= {name: np.array([row[i + 6] for row in rows], dtype=float) for i, name in enumerate(times)}
        return FakeRun(SimpleNamespace(**columns), self.origins, self.lanes, self.consumers, ended_s, list(facts))


def queue_run(
    messages: int = 500, load: float = 0.95, mean_service_s: float = 0.02, servers: int = 1, seed: int = 1,
    name: str = "mail",
) -> FakeRun:  # fmt: skip
    """An M/M/c queue by the Lindley recursion of its servers."""
    draws = np.random.default_rng(seed)
    published = np.cumsum(draws.exponential(mean_service_s / (load * servers), messages))
    service = draws.exponential(mean_service_s, messages)
    free = [0.0] * servers
    rows = Rows()
    lane = Lane("memory", "mails", name)
    for number in range(messages):
        server = free.index(min(free))
        start = max(free[server], float(published[number]))
        free[server] = start + float(service[number])
        rows.add(number, "registrations", lane, float(published[number]), start, free[server], f"{name}/{server + 1}")
    return rows.run(max(free))


def registration_run(users: int = 60, per_s: float = 8.0, seed: int = 3) -> FakeRun:
    """Four services in a fan-out: user-management publishes and hears the answer; analytics is down for a while."""
    draws = np.random.default_rng(seed)
    rows, down = Rows(), (2.0, 3.0)
    requests, success, mails, sms = (
        Lane("memory", "registration-requests", "behaviour-analytics"),
        Lane("memory", "registrations-accepted", "user-management"),
        Lane("memory", "mail-requests", "mail"),
        Lane("memory", "registrations-accepted", "audit"),
    )
    free = {
        "behaviour-analytics/1": 0.0,
        "behaviour-analytics/2": 0.0,
        "user-management/1": 0.0,
        "mail/1": 0.0,
        "audit/1": 0.0,
    }
    number = 1_000
    for user in range(users):
        at = user / per_s + float(draws.uniform(0, 0.05))
        consumer = min(("behaviour-analytics/1", "behaviour-analytics/2"), key=free.__getitem__)
        start = max(at, free[consumer])
        attempt = 1
        if consumer.endswith("/1") and start < down[1] and start + 0.15 > down[0]:
            rows.add(user, "user-management", requests, at, start, max(start, down[0]), consumer, "crashed")
            attempt, free[consumer] = 2, down[1]
            start = max(down[1], free["behaviour-analytics/2"])
            consumer = "behaviour-analytics/2"
        end = start + float(draws.exponential(0.15)) + 0.03
        free[consumer] = end
        rows.add(user, "user-management", requests, at, start, end, consumer, attempt=attempt)
        for lane, mean_s in ((success, 0.03), (mails, 0.13), (sms, 0.02)):
            who = lane.group + "/1"
            begin = max(end + 0.01, free[who])
            free[who] = begin + float(draws.exponential(mean_s))
            bad = lane is mails and user % 17 == 5
            rows.add(number, "behaviour-analytics", lane, end, begin, free[who], who, "failed" if bad else "done",
                     enqueued_s=end + 0.01)  # fmt: skip
        number += 1
    facts = [
        Fact(down[0], "node_crashed", "behaviour-analytics/1", {}),
        Fact(down[1], "node_restarted", "behaviour-analytics/1", {}),
    ]
    return rows.run(max(free.values()), facts)


@pytest.fixture
def rows() -> Rows:
    """An empty collection of deliveries."""
    return Rows()


@pytest.fixture(name="queue_run")
def queue_run_fixture() -> Callable[..., FakeRun]:
    """Makes runs of an M/M/c queue."""
    return queue_run


@pytest.fixture(name="registration_run")
def registration_run_fixture() -> Callable[..., FakeRun]:
    """Makes runs of four services in a fan-out, one of them down for a while."""
    return registration_run
