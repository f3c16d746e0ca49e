"""Passive health: an endpoint that answers badly is ejected for a while, though never too many at once.

Follows: Envoy 1.31 and newer, `OutlierDetection` and `outlier_detection_impl.cc` (GV-05): consecutive failures,
gateway failures, success rates against the mean, and failure percentages; an ejection lasts `base_s` times the number
of ejections in a row, at most `longest_s`, and ends at the first sweep after that. An ejection that would put more
than `most_ratio` outside does not happen; `always_one` lets the first one happen nevertheless (older Envoys always
did). The panic mode is the balancers'.

Left out: the split of local from external errors, jitter of the ejection time, degraded endpoints, and ejections that
are detected but enforced only by a percentage between 0 and 100 (either is modelled).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from .. import checks
from .endpoints import check_once
from .failures import Failure

Told: TypeAlias = Callable[[float, str, str], None]
"""Is told of each ejection and return: when (simulated seconds), which endpoint, and why."""

GATEWAY = frozenset({Failure.OVERLOADED, Failure.TIMEOUT, Failure.UNREACHABLE})
"""What counts as a gateway failure (HTTP 502, 503, 504, and what the proxy itself could not do)."""


@checks.configuration
class OutlierDetection:
    """When an endpoint is ejected, and for how long; defaults of Envoy.

    None for `consecutive_gateway_failures` and `failure_ratio`, and False for `by_success_rate`, mean "not enforced".

    >>> ejections = OutlierDetection(consecutive_failures=2, most_ratio=0.5).start(["a", "b"])
    >>> for now_s in (0.0, 1.0):
    ...     ejections.record("a", now_s, Failure.ERROR)
    >>> ejections.ejected(), ejections.sweep(20.0), ejections.sweep(31.0)
    (('a',), (), ('a',))
    """

    consecutive_failures: int | None = checks.optional(checks.check_whole(1), default=5)
    consecutive_gateway_failures: int | None = checks.optional(checks.check_whole(1), default=None)
    interval_s: float = checks.positive(default=10.0)
    base_s: float = checks.positive(default=30.0)
    longest_s: float = checks.positive(default=300.0)
    most_ratio: float = checks.ratio(default=0.1)
    always_one: bool = checks.kind(bool, "True or False", default=False)
    by_success_rate: bool = checks.kind(bool, "True or False", default=True)
    success_rate_hosts: int = checks.at_least(1, default=5)
    success_rate_requests: int = checks.at_least(1, default=100)
    success_rate_deviations: float = checks.non_negative(default=1.9)
    failure_ratio: float | None = checks.optional(checks.check_ratio, default=None)
    failure_hosts: int = checks.at_least(1, default=5)
    failure_requests: int = checks.at_least(1, default=50)

    def check(self) -> None:
        """The longest ejection is not shorter than the first."""
        if self.longest_s < self.base_s:
            raise checks.refuse("OutlierDetection.longest_s", self.longest_s, f"give at least base_s, {self.base_s:g}")

    def start(self, names: Iterable[str], told: Told | None = None) -> Ejections:
        """Nobody ejected; `told` hears of ejections and returns."""
        return Ejections(self, names, told)


@dataclass(slots=True, eq=False)
class Monitor:
    """What is known of one endpoint."""

    failures: int = 0
    gateway_failures: int = 0
    requests: int = 0
    good: int = 0
    times: int = 0
    ejected_s: float | None = None
    returned_s: float | None = None


class Ejections:
    """Who is ejected. Tell it every call's end with `record`, and call `sweep` every `interval_s`."""

    def __init__(self, configuration: OutlierDetection, names: Iterable[str], told: Told | None) -> None:
        self.configuration = configuration
        self._told = told
        self._monitors: dict[str, Monitor] = {}
        self.overflows = 0
        self.update(names)

    def update(self, names: Iterable[str]) -> None:
        """Takes a new list of endpoints; what is known of those that stay is kept."""
        self._monitors = {name: self._monitors.get(name, Monitor()) for name in check_once("names", names)}

    def ejected(self) -> tuple[str, ...]:
        """Who is ejected at present."""
        return tuple(name for name, monitor in self._monitors.items() if monitor.ejected_s is not None)

    def healthy(self, name: str) -> bool:
        """Whether this endpoint takes part; one that is not known does."""
        monitor = self._monitors.get(name)
        return monitor is None or monitor.ejected_s is None

    def record(self, name: str, now_s: float, failure: Failure | None) -> None:
        """A call to `name` ended, well (None) or not; a wrong request says nothing about its callee."""
        monitor = self._monitors.get(name)
        if monitor is None:
            return
        monitor.requests += 1
        if failure is None or failure is Failure.INVALID:
            monitor.good += 1
            monitor.failures = monitor.gateway_failures = 0
            return
        settings = self.configuration
        monitor.failures += 1
        if monitor.failures == settings.consecutive_failures:
            self._consecutive(name, now_s, "consecutive failures")
            monitor.failures = 0
        if failure not in GATEWAY:
            monitor.gateway_failures = 0
            return
        monitor.gateway_failures += 1
        if monitor.gateway_failures == settings.consecutive_gateway_failures:
            self._consecutive(name, now_s, "consecutive gateway failures")
            monitor.gateway_failures = 0

    def sweep(self, now_s: float) -> tuple[str, ...]:
        """Lets those return whose time is over (tells their names), then looks at the rates of the interval."""
        settings, back = self.configuration, []
        for name, monitor in self._monitors.items():
            if monitor.ejected_s is not None and now_s - monitor.ejected_s >= self.lasts_s(monitor.times):
                monitor.ejected_s, monitor.returned_s = None, now_s
                monitor.failures = monitor.gateway_failures = 0
                back.append(name)
                self._tell(now_s, name, "returned")
        self._judge_rates(now_s)
        for monitor in self._monitors.values():
            monitor.requests = monitor.good = 0
            returned_s = monitor.returned_s
            if monitor.ejected_s is None and returned_s is not None and now_s - returned_s >= settings.interval_s:
                monitor.times = max(0, monitor.times - 1)
        return tuple(back)

    def lasts_s(self, times: int) -> float:
        """Seconds that the nth ejection in a row lasts, to be counted up to the next sweep."""
        return min(self.configuration.base_s * times, self.configuration.longest_s)

    def _consecutive(self, name: str, now_s: float, why: str) -> None:
        if self._monitors[name].ejected_s is None:
            self._eject(name, now_s, why)

    def _judge_rates(self, now_s: float) -> None:
        settings = self.configuration
        rates = {
            name: (100.0 * monitor.good / monitor.requests, monitor.requests)
            for name, monitor in self._monitors.items()
            if monitor.ejected_s is None and monitor.requests
        }
        busy = {name: rate for name, (rate, many) in rates.items() if many >= settings.success_rate_requests}
        if settings.by_success_rate and len(busy) >= settings.success_rate_hosts:
            threshold = success_rate_threshold(list(busy.values()), settings.success_rate_deviations)
            for name, rate in busy.items():
                if rate < threshold:
                    self._eject(name, now_s, "success rate")
        if settings.failure_ratio is None:
            return
        busy = {name: rate for name, (rate, many) in rates.items() if many >= settings.failure_requests}
        if len(busy) >= settings.failure_hosts:
            for name, rate in busy.items():
                if 100.0 - rate >= 100.0 * settings.failure_ratio and self._monitors[name].ejected_s is None:
                    self._eject(name, now_s, "failure percentage")

    def _eject(self, name: str, now_s: float, why: str) -> None:
        settings, monitor = self.configuration, self._monitors[name]
        outside = len(self.ejected())
        if (outside + 1) / len(self._monitors) > settings.most_ratio and not (settings.always_one and outside == 0):
            self.overflows += 1
            return
        monitor.ejected_s = now_s
        if monitor.times * settings.base_s < settings.longest_s + settings.base_s:
            monitor.times += 1
        self._tell(now_s, name, f"ejected: {why}")

    def _tell(self, now_s: float, name: str, what: str) -> None:
        if self._told is not None:
            self._told(now_s, name, what)


def success_rate_threshold(percents: list[float], deviations: float) -> float:
    """The success rate in percent below which an endpoint is an outlier: the mean less so many standard deviations.

    >>> success_rate_threshold([50.0, 100.0, 100.0, 100.0, 100.0], deviations=1.9)
    52.0
    """
    mean = sum(percents) / len(percents)
    deviation = math.sqrt(sum((each - mean) ** 2 for each in percents) / len(percents))
    return mean - deviations * deviation
