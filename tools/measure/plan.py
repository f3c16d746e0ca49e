"""What is published when, and how long each message takes: drawn before the run, from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from edasim import checks
from edasim.kernel import times

Floats = np.ndarray[Any, np.dtype[np.float64]]


@checks.configuration
class Plan:
    """`messages` by a Poisson process at `load` (rate × mean service / consumers) for `consumers` that sleep.

    `mean_service_s` > 0 seconds with squared coefficient of variation `scv`; `held` messages are handed to a consumer
    at once (prefetch or batch); `seed` draws everything.
    """

    messages: int = checks.at_least(1, default=3000)
    consumers: int = checks.at_least(1, default=1)
    load: float = checks.positive(default=0.8)
    mean_service_s: float = checks.positive(default=0.02)
    scv: float = checks.non_negative(default=1.0)
    held: int = checks.at_least(1, default=1)
    seed: int = checks.at_least(0, default=1)

    @property
    def rate_per_s(self) -> float:
        """Messages published per second, on average."""
        return self.load * self.consumers / self.mean_service_s

    def arrivals_s(self) -> Floats:
        """When each message is published, in seconds from the start."""
        rng = np.random.default_rng([self.seed, 0])
        return np.cumsum(rng.exponential(1.0 / self.rate_per_s, self.messages))

    def services_s(self) -> Floats:
        """How long each message takes, in seconds."""
        draw = times.with_scv(self.mean_service_s, self.scv).draws(np.random.default_rng([self.seed, 1]))
        return np.array([draw() for _ in range(self.messages)])

    def describe(self) -> str:
        """In plain words."""
        seconds = self.messages / self.rate_per_s
        return (
            f"{self.messages} messages, {self.rate_per_s:.1f} a second, services of {1000 * self.mean_service_s:g} ms "
            f"(scv {self.scv:g}), {self.consumers} consumers that hold {self.held}, load {self.load:g}: {seconds:.0f} s"
        )
