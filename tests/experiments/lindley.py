"""M/M/1 without a simulation: the waits of `SingleQueue` by Lindley's recursion on the same random streams, vectorised.

The waits are those of the plane to the last digits (test_coverage.py holds them together), at a fiftieth of the cost,
so that thousands of experiments can be made of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edasim.kernel.streams import Streams


@dataclass(frozen=True)
class LindleyRun:
    """The waits of one run, in seconds."""

    waits_s: np.ndarray

    def summary(self):
        """Nothing; metrics are functions of the run."""
        return {}

    def fingerprint(self):
        """None is needed."""
        return ""


@dataclass(frozen=True)
class Lindley:
    """M/M/1 that starts empty, as a scenario."""

    arrival_per_s: float
    mean_service_s: float
    messages: int

    def run(self, seed=0, until_s=None, log="metrics"):
        """The wait is how far the work that came has run ahead of the time since the queue was last empty."""
        streams = Streams(seed)
        gaps_s = streams.generator("source/registrations").exponential(1.0 / self.arrival_per_s, self.messages)
        services_s = streams.generator("service/mail/service_time").exponential(self.mean_service_s, self.messages)
        ahead_s = np.concatenate([[0.0], np.cumsum(services_s[:-1] - gaps_s[1:])])
        return LindleyRun(ahead_s - np.minimum.accumulate(ahead_s))


def mean_wait_s(run):
    """The metric."""
    return float(run.waits_s.mean())
