"""The latest request wins: a worker that computes what was asked last and forgets what was asked before.

While a slider moves, requests pile up faster than they can be computed. `LatestRunner` keeps at most one waiting
request, the newest; older ones are never begun. The one under way is finished and shown, so the picture follows the
hand, unless its work gives up by itself: long work asks its `Ticket` between steps. Results are handed over one at a
time, in the order of their requests; what was asked last is always handed over last, as a result or as an error.

Safe from any thread, as Jupyter's kernel subshells call widgets from several. Nothing here prints, plots or knows of
Jupyter. The thread lives only while there is work. Left out: stopping a computation by force, which Python cannot do
safely.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Request = TypeVar("Request")
Result = TypeVar("Result")
Task = Callable[[], object]

QUIET_S = 0.150
"""Computations that take longer than this are announced; shorter ones would only flicker."""


class Superseded(Exception):  # noqa: N818 (not an error: the work is no longer wanted)
    """Raised by work that gives up because a newer request has come."""


@dataclass(frozen=True)
class Ticket:
    """Tells work whether it is still wanted."""

    stale: Callable[[], bool]

    def check(self) -> None:
        """Raises `Superseded` if a newer request has come; call it between the steps of long work."""
        if self.stale():
            raise Superseded


@dataclass(frozen=True)
class Outcome(Generic[Request, Result]):
    """What became of a request: a result, or the error that its work raised. `generation` counts requests from 1."""

    generation: int
    request: Request
    result: Result | None = None
    error: Exception | None = None


def in_thread(task: Task) -> None:
    """Runs `task` in a daemon thread of its own, in the caller's context."""
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(task,), name="edasim-lab", daemon=True).start()


def after(delay_s: float, task: Task) -> Task:
    """Runs `task` after some seconds of real time, unless the function that is returned is called before."""
    timer = threading.Timer(delay_s, task)
    timer.daemon = True
    timer.start()
    return timer.cancel


class LatestRunner(Generic[Request, Result]):
    """Computes the newest of the requests that are submitted, in one thread at a time.

    Args:
        work: computes the result of a request; is given a `Ticket` as well.
        deliver: is told each outcome; called in the worker's thread, never twice at once.
        computing: is told the generation of a computation that has taken `quiet_s` and is not done.
        quiet_s: seconds of real time before a computation is announced.
        start: runs a task somewhere else; `in_thread` unless a test wants its own order.
        later: runs a task after a delay and returns what calls it off.
    """

    def __init__(
        self,
        work: Callable[[Request, Ticket], Result],
        deliver: Callable[[Outcome[Request, Result]], object],
        *,
        computing: Callable[[int], object] = lambda _: None,
        quiet_s: float = QUIET_S,
        start: Callable[[Task], object] = in_thread,
        later: Callable[[float, Task], Task] = after,
    ) -> None:
        self._work, self._deliver, self._computing = work, deliver, computing
        self._quiet_s, self._start, self._later = quiet_s, start, later
        self._lock = threading.Lock()
        self._delivery = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._waiting: tuple[int, Request] | None = None
        self._generation = 0
        self._settled = 0

    def submit(self, request: Request) -> int:
        """Asks for `request` in place of whatever waits; returns at once with its generation."""
        with self._lock:
            self._generation += 1
            generation = self._generation
            self._waiting = (generation, request)
            working = not self._idle.is_set()
            self._idle.clear()
        if not working:
            self._start(self._work_off)
        return generation

    def wait(self, timeout_s: float) -> bool:
        """Waits until nothing is left to do; False if that takes longer than `timeout_s` of real time."""
        return self._idle.wait(timeout_s)

    def _work_off(self) -> None:
        try:
            while (job := self._next_job()) is not None:
                self._do(*job)
        except BaseException:
            self._idle.set()  # deliver failed: the next request must find a worker again
            raise

    def _next_job(self) -> tuple[int, Request] | None:
        with self._lock:
            job, self._waiting = self._waiting, None
            if job is None:
                self._idle.set()
            return job

    def _do(self, generation: int, request: Request) -> None:
        call_off = self._later(self._quiet_s, lambda: self._announce(generation))
        try:
            outcome = self._outcome(generation, request)
        finally:
            call_off()
        with self._delivery:
            self._settled = generation
            if outcome is not None:
                self._deliver(outcome)

    def _outcome(self, generation: int, request: Request) -> Outcome[Request, Result] | None:
        ticket = Ticket(stale=lambda: self._generation > generation)
        try:
            return Outcome(generation, request, result=self._work(request, ticket))
        except Superseded:
            return None
        except Exception as error:  # noqa: BLE001 (any error of the work is shown in the lab)
            return Outcome(generation, request, error=error)

    def _announce(self, generation: int) -> None:
        with self._delivery:
            if generation > self._settled:
                self._computing(generation)
