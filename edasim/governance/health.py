"""Health checks: how many bad answers make an instance ill, how many good ones well, and what follows.

Follows: Kubernetes, `Probe` fields and their defaults, and the kubelet's `prober/worker.go` (GV-04). Readiness begins
as not ready and takes a container out of service; liveness begins as alive and restarts it; as long as a startup
probe has not succeeded the other two are not run, and its failure restarts the container too. After a liveness or
startup failure probing is on hold until the container is a new one.

Left out: how a probe asks (HTTP, TCP, gRPC, exec), the grace period before the kill, and the kubelet's random delay
before the first probe after its own restart.
"""

from __future__ import annotations

import enum

from .. import checks


class Purpose(enum.Enum):
    """What a probe decides."""

    LIVENESS = "liveness"
    READINESS = "readiness"
    STARTUP = "startup"


@checks.configuration
class Probe:
    """When to ask, how long to wait for the answer, and how many equal answers in a row change the verdict.

    >>> probe = Probe()
    >>> probe.detection_s
    (20.0, 31.0)
    """

    initial_delay_s: float = checks.non_negative(default=0.0)
    period_s: float = checks.positive(default=10.0)
    timeout_s: float = checks.positive(default=1.0)
    failure_threshold: int = checks.at_least(1, default=3)
    success_threshold: int = checks.at_least(1, default=1)

    @property
    def detection_s(self) -> tuple[float, float]:
        """The least and the most seconds from a silence to the verdict "failed".

        At least the periods between the failed probes; at most one more period before the first of them, and the last
        one's timeout. A refused connection is known at once, a hanging one after the timeout.
        """
        least_s = (self.failure_threshold - 1) * self.period_s
        return least_s, least_s + self.period_s + self.timeout_s

    def start(self, good: bool) -> Verdict:
        """A verdict that begins as `good` or not."""
        return Verdict(self, good)


class Verdict:
    """What a probe's answers amount to."""

    __slots__ = ("_last", "_run", "configuration", "good")

    def __init__(self, configuration: Probe, good: bool) -> None:
        self.configuration = configuration
        self.good = good
        self._last: bool | None = None
        self._run = 0

    def record(self, ok: bool) -> bool | None:
        """Takes an answer, good and in time or not; tells the verdict, None while too few in a row speak for it."""
        self._run = self._run + 1 if ok == self._last else 1
        self._last = ok
        settings = self.configuration
        if self._run < (settings.success_threshold if ok else settings.failure_threshold):
            return None
        self.good = ok
        return ok


class Reaction(enum.Enum):
    """What a verdict makes the platform do."""

    NONE = "none"
    ADD = "add"
    """Into service."""
    REMOVE = "remove"
    """Out of service."""
    RESTART = "restart"
    """A new container."""
    STARTED = "started"
    """The startup probe has succeeded: the others begin."""


@checks.configuration
class Probes:
    """The probes of one container; what is None is not asked and counts as good.

    >>> container = Probes(readiness=Probe(), liveness=Probe()).start(now_s=0.0)
    >>> container.ready, container.record("readiness", ok=True).value, container.ready
    (False, 'add', True)
    """

    liveness: Probe | None = checks.optional(checks.check_kind(Probe, "a Probe(…)"), default=None)
    readiness: Probe | None = checks.optional(checks.check_kind(Probe, "a Probe(…)"), default=None)
    startup: Probe | None = checks.optional(checks.check_kind(Probe, "a Probe(…)"), default=None)

    def check(self) -> None:
        """Kubernetes refuses a success threshold above 1 for liveness and startup."""
        for name in ("liveness", "startup"):
            probe = getattr(self, name)
            if probe is not None and probe.success_threshold != 1:
                raise checks.refuse(f"Probes.{name}.success_threshold", probe.success_threshold, "give 1")

    def start(self, now_s: float = 0.0) -> Container:
        """A container that started at `now_s`."""
        return Container(self, now_s)


class Container:
    """What the probes of one container have found so far.

    The client asks each probe that `due` names, and tells the answers to `record`.
    """

    def __init__(self, configuration: Probes, now_s: float) -> None:
        self.configuration = configuration
        self.restarts = 0
        self._begin(now_s)

    def _begin(self, now_s: float) -> None:
        settings = self.configuration
        self.started_s = now_s
        self.on_hold = False
        self.started = settings.startup is None
        self._verdicts: dict[Purpose, Verdict | None] = {
            Purpose.LIVENESS: None if settings.liveness is None else settings.liveness.start(good=True),
            Purpose.READINESS: None if settings.readiness is None else settings.readiness.start(good=False),
            Purpose.STARTUP: None if settings.startup is None else settings.startup.start(good=False),
        }

    @property
    def ready(self) -> bool:
        """Whether the container is in service: started, and its readiness probe content."""
        verdict = self._verdicts[Purpose.READINESS]
        return self.started and not self.on_hold and (verdict is None or verdict.good)

    def due(self, purpose: Purpose | str, now_s: float) -> bool:
        """Whether this probe is run at its turn at `now_s`: it exists, its delay is over, nothing holds it back."""
        purpose = Purpose(purpose)
        verdict = self._verdicts[purpose]
        if verdict is None or self.on_hold or now_s - self.started_s < verdict.configuration.initial_delay_s:
            return False
        return self.started is (purpose is not Purpose.STARTUP)

    def record(self, purpose: Purpose | str, ok: bool) -> Reaction:
        """Takes a probe's answer; tells what the platform does about it. Answers to a probe on hold count for
        nothing.
        """
        purpose = Purpose(purpose)
        verdict = self._verdicts[purpose]
        if verdict is None or self.on_hold or self.started is (purpose is Purpose.STARTUP):
            return Reaction.NONE
        was_good = verdict.good
        found = verdict.record(ok)
        if purpose is Purpose.READINESS:
            if verdict.good == was_good:
                return Reaction.NONE
            return Reaction.ADD if verdict.good else Reaction.REMOVE
        if found is False:
            self.on_hold = True
            return Reaction.RESTART
        if found and purpose is Purpose.STARTUP:
            self.started = True
            return Reaction.STARTED
        return Reaction.NONE

    def restart(self, now_s: float) -> None:
        """A new container began at `now_s`: its probes begin anew."""
        self.restarts += 1
        self._begin(now_s)
