"""The line before a bulkhead: attempts that wait for a place, in order, and not for ever (GV-32)."""

from __future__ import annotations

from collections import deque
from heapq import heappush
from typing import TYPE_CHECKING

from ...kernel.plane import NORMAL, Record
from .attempts import Request
from .way import NOT_PERMITTED

if TYPE_CHECKING:
    from .client import Client


class Waiting:
    """One attempt in the line."""

    __slots__ = ("nth", "request", "there")

    def __init__(self, request: Request, nth: int) -> None:
        self.request, self.nth, self.there = request, nth, True


class Line:
    """Those who found the bulkhead of `client` full; each leaves it after `longest_wait_s`, or at its deadline."""

    def __init__(self, client: Client, longest_wait_s: float) -> None:
        self.client, self.longest_wait_s = client, longest_wait_s
        self._line: deque[Waiting] = deque()
        self._moving = False

    def join(self, now_s: float, request: Request, nth: int) -> None:
        """An attempt waits; it keeps what the circuit breaker has permitted."""
        waiting, client = Waiting(request, nth), self.client
        self._line.append(waiting)
        request.on_its_way += 1
        leaves_s = min(now_s + self.longest_wait_s, request.deadline_s)
        heappush(client.sim.env.records, (leaves_s, NORMAL, client.sim.env.next_id(), self._too_long, waiting))

    def move(self, now_s: float) -> None:
        """A place may be free: the first in the line takes it."""
        client = self.client
        if self._moving or client.concurrency is None:
            return
        self._moving = True
        while self._line:
            if not self._line[0].there:
                self._line.popleft()
            elif self._line[0].request.ok is not None:
                first = self._line.popleft()
                self._leave(now_s, first)
                client.expired(now_s, first.request, first.nth, client.rows.full)
            elif client.concurrency.active >= client.concurrency.limit:
                break
            else:
                first = self._line.popleft()
                first.there = False
                client.concurrency.allow(now_s)
                first.request.on_its_way -= 1
                record = client.send(now_s, first.request, first.nth)
                if record is not None:
                    heappush(client.sim.env.records, record)
        self._moving = False

    def _too_long(self, now_s: float, waiting: Waiting) -> Record | None:
        if waiting.there:
            self._leave(now_s, waiting)
            return self.client.failed(now_s, waiting.request, NOT_PERMITTED, self.client.rows.full, waiting.nth)
        return None

    def _leave(self, now_s: float, waiting: Waiting) -> None:
        waiting.there = False
        waiting.request.on_its_way -= 1
        if self.client.breaker is not None:
            self.client.breaker.release(now_s)
