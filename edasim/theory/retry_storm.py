"""The storm of retries as an exact recurrence: one server, one queue, clients that give up and try again (RP-01).

Everything flows: in each step so many requests per second come, so many are served, and what waited for the time-out
is given up and perhaps sent again. There is no chance in it, so it shows what feedback alone does. The queue is first
come, first served, and work whose caller has gone is still done.

Words as in Bronson, Aghayev, Charapko, Zhu, Metastable Failures in Distributed Systems, HotOS 2021: a load is stable
if the system comes back from every fault, vulnerable if it bears the load but a fault may leave it down, overloaded if
it cannot bear it. The fault is a loss of capacity and the feedback an amplification of work, two of the kinds in Huang
et al., Metastable Failures in the Wild, OSDI 2022. Left out: chance (see `scenarios.Storm`), waits between retries that
differ, more than one server.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks

Floats = npt.NDArray[np.float64]

BACK_RATIO = 0.9
"""A system is back when at least this share of what is asked is answered in time."""
LOOK_S = 1.0
"""Over so many seconds goodput is looked at, to tell whether a system is back."""
NOTHING = 1e-9
"""Less than this of a request is rounding."""


class StormRegion(enum.Enum):
    """What a load means: back after every fault, down after some, or down without one."""

    STABLE = "stable"
    VULNERABLE = "vulnerable"
    OVERLOADED = "overloaded"


@dataclass(frozen=True)
class StormCourse:
    """What happened, a value per step: `starts_s` in seconds, rates per second, and how many `waiting` at its end.

    `asked` are fresh requests, `attempts` all that was sent, `goodput` what was answered in time, `throughput` what
    was served at all (RP-09).
    """

    step_s: float
    starts_s: Floats
    asked_per_s: Floats
    attempts_per_s: Floats
    goodput_per_s: Floats
    throughput_per_s: Floats
    waiting: Floats

    def mean(self, column: str, from_s: float, until_s: float) -> float:
        """The mean of a column over the whole steps between two instants."""
        begins, ends = (round(at_s / self.step_s) for at_s in (from_s, until_s))
        if not 0 <= begins < ends <= len(self.starts_s):
            raise checks.refuse("until_s", until_s, "give from_s before until_s, both inside the course")
        return float(getattr(self, column)[begins:ends].mean())

    def is_back(self, at_s: float) -> bool:
        """Whether in the second up to `at_s` at least 90 % of what was asked was answered in time."""
        goodput, asked = (self.mean(name, at_s - LOOK_S, at_s) for name in ("goodput_per_s", "asked_per_s"))
        return goodput >= BACK_RATIO * asked


def _a_step(field: str, value: Any) -> float:
    return checks.number(field, value, low=0.001, open_low=False, what="a step of at least 0.001 s")


@checks.configuration
class RetryStorm:
    """A server of `capacity_per_s`, cut to `fault_capacity_per_s` for a while, and clients with `retries`.

    Clients give up after `timeout_s` and try again `wait_s` later, up to `retries` times. With a `budget_ratio` each
    fresh request deposits so much of a retry, worth `budget_kept_s` seconds (None: for ever), and there is no retry
    without a deposit. With `room` (requests) the queue refuses what it has no room for, which fails at once. Times are
    rounded to steps of `step_s`.

    >>> storm = RetryStorm(requests_per_s=60.0, retries=3)
    >>> storm.region.value, storm.vulnerable_from_per_s
    ('vulnerable', 25.0)
    >>> storm.course(until_s=131.0).mean("goodput_per_s", 130.0, 131.0)  # a minute after the fault
    0.0
    """

    requests_per_s: float = checks.positive(default=60.0)
    capacity_per_s: float = checks.positive(default=100.0)
    fault_capacity_per_s: float = checks.non_negative(default=30.0)
    fault_at_s: float = checks.non_negative(default=60.0)
    fault_s: float = checks.non_negative(default=10.0)
    timeout_s: float = checks.positive(default=1.0)
    retries: int = checks.at_least(0, default=0)
    wait_s: float = checks.non_negative(default=0.0)
    budget_ratio: float | None = checks.optional(checks.check_non_negative, default=None)
    budget_kept_s: float | None = checks.optional(checks.check_positive, default=None)
    room: float | None = checks.optional(checks.check_positive, default=None)
    step_s: float = checks.checked(_a_step, default=0.1)

    def check(self) -> None:
        """A time-out is at least a step long."""
        if self.timeout_s < self.step_s:
            raise checks.refuse("RetryStorm.step_s", self.step_s, f"give at most timeout_s, {self.timeout_s:g}")

    @property
    def amplification(self) -> float:
        """Attempts per request in the long run, when every attempt fails."""
        allowed = math.inf if self.budget_ratio is None else self.budget_ratio
        return 1.0 + min(float(self.retries), allowed)

    @property
    def vulnerable_from_per_s(self) -> float:
        """Requests per second from which on failing attempts alone can keep the server busy."""
        return self.capacity_per_s / self.amplification

    @property
    def region(self) -> StormRegion:
        """What the load means."""
        if self.requests_per_s > self.capacity_per_s:
            return StormRegion.OVERLOADED
        if self.requests_per_s > self.vulnerable_from_per_s:
            return StormRegion.VULNERABLE
        return StormRegion.STABLE

    def course(self, until_s: float) -> StormCourse:
        """The recurrence from an empty queue at 0 s up to `until_s`, with the fault."""
        begins, ends = self._steps(self.fault_at_s), self._steps(self.fault_at_s + self.fault_s)
        slow, well = self.fault_capacity_per_s, self.capacity_per_s
        steps = self._steps(checks.check_positive("until_s", until_s))
        return _flow(
            self, steps, lambda _step: self.requests_per_s, lambda step: slow if begins <= step < ends else well
        )

    def ramp(self, loads_per_s: Iterable[float], hold_s: float) -> StormCourse:
        """The recurrence without a fault, while the load goes through `loads_per_s` and stays `hold_s` at each."""
        loads = [checks.check_non_negative("loads_per_s", load) for load in loads_per_s]
        each = self._steps(checks.check_positive("hold_s", hold_s))
        if not loads or not each:
            raise checks.refuse("loads_per_s", loads, "give at least one load, and hold_s of at least a step")
        return _flow(self, each * len(loads), lambda step: loads[step // each], lambda _step: self.capacity_per_s)

    def tipping_fault_s(self, after_s: float = 60.0, most_s: float = 30.0) -> float | None:
        """The shortest fault from which the system is not back `after_s` after its end; None: none up to `most_s`.

        Found by halving, since a longer fault leaves more behind; to a step.
        """
        after_s = checks.number("after_s", after_s, low=LOOK_S, open_low=False, what=f"at least {LOOK_S:g} s")

        def down(steps: int) -> bool:
            looked_s = self.fault_at_s + steps * self.step_s + after_s
            longer = dataclasses.replace(self, fault_s=steps * self.step_s)
            return not longer.course(looked_s).is_back(looked_s)

        back, too_long = -1, self._steps(checks.check_positive("most_s", most_s))
        if not down(too_long):
            return None
        while too_long - back > 1:
            middle = (back + too_long) // 2
            back, too_long = (back, middle) if down(middle) else (middle, too_long)
        return too_long * self.step_s

    def _steps(self, length_s: float) -> int:
        return round(length_s / self.step_s)


class _Batch:
    """What was sent in one step: how much of it is still unserved, by the number of the attempt (from 0)."""

    __slots__ = ("amounts", "given_up", "total")

    def __init__(self, amounts: list[float], total: float) -> None:
        self.amounts, self.total, self.given_up = amounts, total, False


class _Deposits:
    """The retry budget: what fresh requests deposited and retries have not spent, of the last steps that count."""

    def __init__(self, ratio: float | None, kept_steps: int | None) -> None:
        self._ratio, self._kept = ratio, kept_steps
        self._changes: deque[float] = deque()
        self._balance = 0.0

    def deposit(self, fresh: float) -> None:
        """A step begins, with so many fresh requests."""
        if self._ratio is None:
            return
        self._changes.append(self._ratio * fresh)
        self._balance += self._ratio * fresh
        if self._kept is not None and len(self._changes) > self._kept:
            self._balance -= self._changes.popleft()

    def spend(self, wanted: float) -> float:
        """The share of the wanted retries that may be made; they are paid for."""
        if self._ratio is None:
            return 1.0
        allowed = min(wanted, max(0.0, self._balance))
        self._balance -= allowed
        self._changes[-1] -= allowed
        return allowed / wanted


def _flow(
    storm: RetryStorm, steps: int, load_per_s: Callable[[int], float], capacity_per_s: Callable[[int], float]
) -> StormCourse:
    """The recurrence, step by step: some give up, some come, some are refused, some are served."""
    step_s = storm.step_s
    clients, queue = _Clients(storm), deque[_Batch]()
    waiting = 0.0
    rows: Floats = np.zeros((5, steps))
    for step in range(steps):
        fresh = load_per_s(step) * step_s
        amounts = clients.send(step, fresh)
        asked = sum(amounts)
        fits = 1.0 if storm.room is None else min(1.0, max(0.0, storm.room - waiting) / max(asked, NOTHING))
        queue.append(clients.sent(step, amounts, fits))
        served, answered = _serve(queue, capacity_per_s(step) * step_s)
        waiting = max(0.0, waiting + fits * asked - served)
        rows[:, step] = fresh, asked, answered, served, waiting
    starts_s: Floats = step_s * np.arange(steps, dtype=np.float64)
    asked_per_s, attempts_per_s, goodput_per_s, throughput_per_s = (row / step_s for row in rows[:4])
    return StormCourse(step_s, starts_s, asked_per_s, attempts_per_s, goodput_per_s, throughput_per_s, rows[4])


class _Clients:
    """Who sent what and when, who has given up, and who comes again at which step."""

    def __init__(self, storm: RetryStorm) -> None:
        self._patience, self._wait = (round(length_s / storm.step_s) for length_s in (storm.timeout_s, storm.wait_s))
        kept = None if storm.budget_kept_s is None else max(1, round(storm.budget_kept_s / storm.step_s))
        self._budget = _Deposits(storm.budget_ratio, kept)
        self._kinds = storm.retries + 1
        self._sent: deque[_Batch] = deque()
        self._due: dict[int, list[float]] = {}

    def send(self, step: int, fresh: float) -> list[float]:
        """What is sent in a step, by the number of the attempt, after those who waited too long have given up."""
        self._budget.deposit(fresh)
        if len(self._sent) == self._patience:
            late = self._sent.popleft()
            late.given_up = True
            self._retry(late.amounts, step + self._wait)
        amounts = self._due.pop(step, [0.0] * self._kinds)
        amounts[0] += fresh
        return amounts

    def sent(self, step: int, amounts: list[float], fits: float) -> _Batch:
        """A share of it fits into the queue, as a batch; the rest is refused and comes again."""
        if fits < 1.0:
            self._retry([(1.0 - fits) * amount for amount in amounts], step + max(self._wait, 1))
        batch = _Batch([fits * amount for amount in amounts], fits * sum(amounts))
        self._sent.append(batch)
        return batch

    def _retry(self, failed: list[float], step: int) -> None:
        """What failed is tried again at `step`, as far as retries are left and the budget allows."""
        wanted = sum(failed[:-1])
        if wanted <= NOTHING:
            return
        share = self._budget.spend(wanted)
        again = self._due.setdefault(step, [0.0] * self._kinds)
        for nth, amount in enumerate(failed[:-1]):
            again[nth + 1] += share * amount


def _serve(queue: deque[_Batch], room: float) -> tuple[float, float]:
    """Serves so much from the head of the queue: how much was served, and how much of it was still wanted."""
    left, answered = room, 0.0
    while queue and left > 0.0:
        batch = queue[0]
        taken = min(left, batch.total)
        if not batch.given_up:
            answered += taken
        left -= taken
        batch.total -= taken
        if batch.total <= NOTHING:
            batch.amounts = [0.0] * len(batch.amounts)
            batch.total = 0.0
            queue.popleft()
            continue
        kept = batch.total / (batch.total + taken)
        batch.amounts = [kept * amount for amount in batch.amounts]
    return room - left, answered
