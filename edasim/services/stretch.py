"""The stretches of a slot that serves itself from a queue of its own (see `brokers.stretch`).

Nobody else takes from the queue, and nobody is told when a message leaves it. So what waits there meanwhile is what
has come since the stretch began, the messages that are done already included.
"""

from __future__ import annotations

from ..brokers.base import OpenQueue
from ..brokers.stretch import Pace, Stretch, Unwatched
from ..kernel import Simulation
from ..kernel.runlog import DONE, Brief, pack_row


class QueueStretch(Stretch):
    """The stretches of one slot."""

    __slots__ = ("queue",)

    def __init__(self, sim: Simulation, taker: Unwatched, pace: Pace, queue: OpenQueue) -> None:
        super().__init__(sim, taker, pace)
        self.queue = queue

    @property
    def backlog(self) -> int:
        """The length of the queue."""
        return len(self.queue.waiting)

    def begin(self, now_s: float) -> bool:
        """The slot is done with a message, and from now on nobody looks."""
        return len(self.queue.takers) == 1 and not self.queue.settled and super().begin(now_s)

    def _count(self, now_s: float, brief: Brief) -> None:
        waiting, times_s, worked_s = self.queue.waiting, self.pace.times_s, self.worked_s
        add_wait, add_service, first = brief.waits_s.append, brief.services_s.append, waiting.popleft
        while waiting:
            message = first()
            number, root, published_s, came_s, attempt, _ = message
            if came_s > worked_s:  # noqa: PLR1730 - max() would cost a call for each message
                worked_s = came_s
            ends_s = worked_s + next(times_s)
            if ends_s >= now_s:
                return self.taker.go_on(message, worked_s, worked_s, ends_s)
            if came_s == published_s and attempt == 1:
                add_wait(worked_s - came_s)
                add_service(ends_s - worked_s)
            else:
                endpoint, append = self.pace.endpoint, self.sim.log.append
                append(pack_row(number, root, published_s, came_s, worked_s, worked_s, ends_s, endpoint, attempt, DONE))
            worked_s = ends_s
        return self.queue.free.append(self.taker)

    def _write(self, now_s: float) -> None:
        waiting, times_s, worked_s = self.queue.waiting, self.pace.times_s, self.worked_s
        append, endpoint, first = self.sim.log.append, self.pace.endpoint, waiting.popleft
        while waiting:
            message = first()
            number, root, published_s, came_s, attempt, _ = message
            if came_s > worked_s:  # noqa: PLR1730 - max() would cost a call for each message
                worked_s = came_s
            ends_s = worked_s + next(times_s)
            if ends_s >= now_s:
                return self.taker.go_on(message, worked_s, worked_s, ends_s)
            append(pack_row(number, root, published_s, came_s, worked_s, worked_s, ends_s, endpoint, attempt, DONE))
            worked_s = ends_s
        return self.queue.free.append(self.taker)
