"""Fallbacks: the degraded answer of a client whose request has failed for good (GV-35).

The data of every fallback are as old as the client's latest full answer. Left out: a fallback that fails itself.
"""

from __future__ import annotations

import math
from heapq import heappush
from typing import TYPE_CHECKING

from ...governance.failures import Failure
from ...governance.fallback import Degradation, Fallback
from ...kernel.plane import NORMAL, Record
from ...kernel.runlog import DONE

if TYPE_CHECKING:
    from .attempts import Request
    from .client import Client


class Fallbacks:
    """The ladder of `client`; `answers` counts what became of its requests."""

    def __init__(self, client: Client, degradation: Degradation) -> None:
        self.client, self.degradation, self._env = client, degradation, client.sim.env
        self.answers = degradation.start()
        self._full_answer_s = -math.inf

    def answered(self, now_s: float) -> None:
        """A request was answered in full."""
        self.answers.answered()
        self._full_answer_s = now_s

    def take_over(self, now_s: float, request: Request, failure: Failure) -> bool:
        """Whether a fallback will answer a request that failed."""
        age_s = now_s - self._full_answer_s
        ages_s = {fallback.name: age_s for fallback in self.degradation.fallbacks}
        fallback = self.degradation.choose(failure, ages_s)
        if fallback is None:
            self.answers.gave_up()
            return False
        request.on_its_way += 1  # whatever else fails meanwhile changes nothing
        due_s = now_s + fallback.duration_s
        heappush(self._env.records, (due_s, NORMAL, self._env.next_id(), self._due, (request, fallback)))
        return True

    def _due(self, now_s: float, chosen: tuple[Request, Fallback]) -> Record | None:
        """The degraded answer is there."""
        request, fallback = chosen
        if request.ok is None:
            request.fallback = fallback
            self.answers.answered(fallback)
            self.client.settle(now_s, request, self.client.rows.degraded, DONE)
        return None
