"""Discovery and health: whom a client knows of, who counts as well, and what changes that while a simulation runs.

A client with a `Discovery` keeps a `Directory`. Instances renew leases in a registry, of which the client has a copy
that is refreshed now and then (GV-01); probes ask each instance, and so many bad answers in a row make it ill (GV-04);
passive checks eject who answers real calls badly (GV-05). All three change the endpoints of the client's balancer,
whose panic mode may still call everybody. Each change is a fact: "registry", "view", "probe", "outlier", "panic".

A probe is answered by an instance that is up, however long its queue (RP-04); a deep one only if each server behind has
an instance that is up and does not only answer with errors (GV-07). Instances that are down refuse a probe at once.
Left out: probes that take workers or time, hang or get lost on the way; a registry that fails itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ... import checks
from ...governance.endpoints import Endpoint
from ...governance.failures import Failure
from ...governance.health import Probe
from ...governance.outliers import OutlierDetection
from ...governance.registry import Registry, View

if TYPE_CHECKING:
    from .client import Client

Chore = Callable[[float], object]


@checks.configuration
class Discovery:
    """How a client learns who is there and who is well; what is None is not done, and changes nothing.

    `deep` lets a probe ask for what stands behind an instance as well. `spread` begins the probes and heartbeats of
    each instance at a random point of their period, else all begin at 0. Of the heartbeats `lost_ratio` get lost.

    >>> kubernetes = Discovery(probe=Probe())
    >>> kubernetes.probe.detection_s, Discovery(registry=Registry()).view.refresh_s
    ((20.0, 31.0), 30.0)
    """

    registry: Registry | None = checks.optional(checks.check_kind(Registry, "a Registry(…)"), default=None)
    view: View = checks.kind(View, "a View(…)", default=View())
    probe: Probe | None = checks.optional(checks.check_kind(Probe, "a Probe(…)"), default=None)
    outliers: OutlierDetection | None = checks.optional(
        checks.check_kind(OutlierDetection, "an OutlierDetection(…)"), default=None
    )
    deep: bool = checks.kind(bool, "True or False", default=False)
    spread: bool = checks.kind(bool, "True or False", default=True)
    lost_ratio: float = checks.ratio(default=0.0)

    def check(self) -> None:
        """A deep check needs a probe, and lost heartbeats a registry."""
        if self.deep and self.probe is None:
            raise checks.refuse("Discovery.deep", self.deep, "give probe=Probe(…) as well")
        if self.lost_ratio and self.registry is None:
            raise checks.refuse("Discovery.lost_ratio", self.lost_ratio, "give registry=Registry(…) as well")


class Directory:
    """What one client knows: `known` names, whose `well` verdict is good, who is ejected."""

    def __init__(self, client: Client, configuration: Discovery) -> None:
        self.client, self.configuration, self.sim = client, configuration, client.sim
        self.instances = client.server.instances
        names = tuple(self.instances)
        self.known = names
        self._draw = self.sim.streams.uniform(f"client/{client.name}/discovery")
        probe = configuration.probe
        self.verdicts = {} if probe is None else {name: probe.start(good=True) for name in names}
        outliers = configuration.outliers
        self.ejections = None if outliers is None else outliers.start(names, self._ejected)
        registry = configuration.registry
        self.leases = None if registry is None else registry.start(self._registered)
        self._watches_registry = False
        self.sim.on_start(self._begin)

    def endpoints(self) -> list[Endpoint]:
        """The known instances with their health, for the balancer."""
        return [Endpoint(name=name, healthy=self.well(name)) for name in self.known]

    def well(self, name: str) -> bool:
        """Whether probes and passive checks both take an instance for well."""
        verdict = self.verdicts.get(name)
        ejected = self.ejections is not None and not self.ejections.healthy(name)
        return (verdict is None or verdict.good) and not ejected

    def record(self, name: str, now_s: float, failure: Failure | None) -> None:
        """A call to an instance ended; passive checks hear of it."""
        if self.ejections is not None:
            self.ejections.record(name, now_s, failure)

    def _begin(self) -> None:
        """Starts what happens now and then."""
        now_s, settings = float(self.sim.env.now), self.configuration
        if settings.probe is not None:
            for name in self.instances:
                first_s = now_s + settings.probe.initial_delay_s + self._phase_s(settings.probe.period_s)
                self._every(first_s, settings.probe.period_s, self._probing(name))
        if self.ejections is not None and settings.outliers is not None:
            self._every(now_s + settings.outliers.interval_s, settings.outliers.interval_s, self.ejections.sweep)
        registry = settings.registry
        if self.leases is not None and registry is not None:
            for name in self.instances:
                self.leases.register(name, now_s)
                first_s = now_s + (self._phase_s(registry.renew_s) if settings.spread else registry.renew_s)
                self._every(first_s, registry.renew_s, self._beating(name))
            self._every(now_s + registry.sweep_s, registry.sweep_s, self.leases.sweep)
            self._watches_registry = settings.view.refresh_s == 0.0
            if settings.view.refresh_s > 0.0:
                self._every(now_s + settings.view.refresh_s, settings.view.refresh_s, self._refresh)

    def _phase_s(self, period_s: float) -> float:
        return self._draw() * period_s if self.configuration.spread else 0.0

    def _every(self, first_s: float, period_s: float, act: Chore) -> None:
        """Does something again and again, which does not keep a run going."""

        def turn(now_s: float, _: object) -> None:
            act(now_s)
            self.sim.env.watch(now_s + period_s, turn)

        self.sim.env.watch(first_s, turn)

    def _probing(self, name: str) -> Chore:
        instance, deep, verdict = self.instances[name], self.configuration.deep, self.verdicts[name]

        def probe(now_s: float) -> None:
            before = verdict.good
            verdict.record(instance.answers_probe(deep))
            if verdict.good != before:
                said = "well" if verdict.good else "ill"
                self.sim.log.fact(now_s, "probe", name, client=self.client.name, what=said)
                self._changed(now_s)

        return probe

    def _beating(self, name: str) -> Chore:
        """An instance's heartbeat; one that is not registered any more registers again."""
        instance, lost_ratio = self.instances[name], self.configuration.lost_ratio

        def beat(now_s: float) -> None:
            lost = lost_ratio > 0.0 and self._draw() < lost_ratio
            if instance.up and not lost and self.leases is not None and not self.leases.renew(name, now_s):
                self.leases.register(name, now_s)

        return beat

    def _refresh(self, now_s: float) -> None:
        """The client takes a new copy of the registry."""
        names = self.known if self.leases is None else self.leases.names()
        if names != self.known:
            self.known = names
            self.sim.log.fact(now_s, "view", self.client.name, names=", ".join(names))
            if self.ejections is not None:
                self.ejections.update(names)
            self._changed(now_s)

    def _registered(self, now_s: float, name: str, what: str) -> None:
        self.sim.log.fact(now_s, "registry", name, client=self.client.name, what=what)
        if self._watches_registry:
            self._refresh(now_s)

    def _ejected(self, now_s: float, name: str, what: str) -> None:
        self.sim.log.fact(now_s, "outlier", name, client=self.client.name, what=what)
        self._changed(now_s)

    def _changed(self, now_s: float) -> None:
        """The balancer learns of it; whether it panics is a fact as well."""
        balancer = self.client.balancer
        if balancer is None:
            return
        panicked = self.panics
        balancer.update(self.endpoints())
        if self.panics != panicked:
            self.sim.log.fact(now_s, "panic", self.client.name, what="begins" if self.panics else "ends")

    @property
    def panics(self) -> bool:
        """Whether so few are well that the balancer calls everybody."""
        balancer = self.client.balancer
        if balancer is None or not balancer.endpoints:
            return False
        ill = any(not endpoint.healthy for endpoint in balancer.endpoints)
        return ill and len(balancer.eligible) == len(balancer.endpoints)
