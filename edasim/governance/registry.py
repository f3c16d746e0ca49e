"""The registry: who is there, by leases that must be renewed, and the stale view that a client has of it.

Follows: Eureka 1.x, `AbstractInstanceRegistry` and `PeerAwareInstanceRegistryImpl` (GV-01, GV-02): an instance is
registered for `ttl_s`; a sweep every `sweep_s` takes out what has not renewed since, at most a share of 1 -
`renewal_ratio` at a time; with self-preservation none while the renewals of the last minute are at or below
`renewal_ratio` of those expected, who are those that registered and did not say good-bye. Clients look at a copy that
they refresh now and then. `deregister_after_s` is Consul's rule (GV-03): what is critical leaves the answers at once,
and the registry after that time.

Left out: replication between registries, deltas, zones, and Eureka's oversight that keeps a renewed lease twice as
long (`Lease.renew` adds the duration that `isExpired` adds again; give a `ttl_s` of 180 for that). Eureka picks whom
a sweep takes out at random; here the longest overdue go first.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from .. import checks
from ..errors import UnknownNameError

Told: TypeAlias = Callable[[float, str, str], None]
"""Is told of each change: when (simulated seconds), which instance, and what happened to it."""

RECOUNT_S = 900.0
"""How often Eureka counts anew how many clients it expects to renew (`renewalThresholdUpdateIntervalMs`)."""


@checks.configuration
class Registry:
    """Leases of `ttl_s`, swept every `sweep_s`; defaults of Eureka, whose self-preservation is on unless told
    otherwise.

    With `renewal_ratio` 0 a sweep takes out all who are overdue.

    >>> leases = Registry(self_preservation=False).start()
    >>> leases.register("mail-1", 0.0), leases.register("mail-2", 0.0), leases.renew("mail-1", 30.0)
    (True, True, True)
    >>> leases.sweep(119.0), leases.sweep(121.0)
    (('mail-2',), ('mail-1',))
    """

    ttl_s: float = checks.positive(default=90.0)
    renew_s: float = checks.positive(default=30.0)
    sweep_s: float = checks.positive(default=60.0)
    renewal_ratio: float = checks.ratio(default=0.85)
    self_preservation: bool = checks.kind(bool, "True or False", default=True)
    deregister_after_s: float | None = checks.optional(checks.check_positive, default=None)

    def check(self) -> None:
        """A lease outlives the time between two renewals."""
        if self.ttl_s <= self.renew_s:
            raise checks.refuse("Registry.ttl_s", self.ttl_s, f"give more than renew_s, {self.renew_s:g}")

    def start(self, told: Told | None = None) -> Leases:
        """An empty registry; `told` hears of registrations, cancellations and expiries."""
        return Leases(self, told)


class Leases:
    """The leases there are; names in the order of registration."""

    def __init__(self, configuration: Registry, told: Told | None) -> None:
        self.configuration = configuration
        self._told = told
        self._renewed_s: dict[str, float] = {}
        self._critical_s: dict[str, float] = {}
        self._renewals_s: deque[float] = deque()
        self._expected = 0
        self._counted_s = 0.0

    def register(self, name: str, now_s: float) -> bool:
        """Registers an instance and begins its lease; False if it was registered already, which begins the lease
        anew.
        """
        name = checks.check_text("name", name)
        new = name not in self._renewed_s
        self._renewed_s[name] = now_s
        self._critical_s.pop(name, None)
        self._expected += new
        self._tell(now_s, name, "registered" if new else "registered again")
        return new

    def renew(self, name: str, now_s: float) -> bool:
        """A heartbeat; False if the instance is not (or no longer) registered, and must register again."""
        if name not in self._renewed_s:
            return False
        self._renewed_s[name] = now_s
        self._renewals_s.append(now_s)
        return True

    def cancel(self, name: str, now_s: float) -> bool:
        """An orderly good-bye; False if the instance was not registered."""
        if name not in self._renewed_s:
            return False
        self._expected = max(0, self._expected - 1)
        self._remove(name, now_s, "cancelled")
        return True

    def mark(self, name: str, now_s: float, critical: bool) -> None:
        """A health check says whether an instance is critical; while it is, `names` leaves it out."""
        if name not in self._renewed_s:
            raise UnknownNameError("instance", name, self._renewed_s, at_s=now_s)
        if critical and name not in self._critical_s:
            self._critical_s[name] = now_s
            self._tell(now_s, name, "critical")
        elif not critical and self._critical_s.pop(name, None) is not None:
            self._tell(now_s, name, "passing")

    def names(self) -> tuple[str, ...]:
        """Whom the registry would answer with now; a lease that has run out counts until a sweep."""
        return tuple(name for name in self._renewed_s if name not in self._critical_s)

    def preserving(self, now_s: float) -> bool:
        """Whether nobody expires because too few of the expected renewals came in the last minute."""
        settings = self.configuration
        if not settings.self_preservation:
            return False
        while self._renewals_s and self._renewals_s[0] <= now_s - 60.0:
            self._renewals_s.popleft()
        threshold = int(self._expected * (60.0 / settings.renew_s) * settings.renewal_ratio)
        return len(self._renewals_s) <= threshold

    def sweep(self, now_s: float) -> tuple[str, ...]:
        """Takes out who is overdue, as far as a single sweep may; tells the names."""
        settings = self.configuration
        out = []
        if settings.deregister_after_s is not None:
            out = [name for name, since in self._critical_s.items() if now_s - since >= settings.deregister_after_s]
            for name in out:
                self._remove(name, now_s, "deregistered")
        self._count_anew(now_s)
        if self._renewed_s and not self.preserving(now_s):
            overdue = sorted((since, name) for name, since in self._renewed_s.items() if now_s - since > settings.ttl_s)
            most = len(self._renewed_s) - int(len(self._renewed_s) * settings.renewal_ratio)
            expired = [name for _, name in overdue[:most]]
            for name in expired:
                self._remove(name, now_s, "expired")
            out += expired
        return tuple(out)

    def _count_anew(self, now_s: float) -> None:
        """Every quarter of an hour those who expired are no longer expected, unless they are too many."""
        settings, present = self.configuration, len(self._renewed_s)
        if now_s - self._counted_s >= RECOUNT_S:
            self._counted_s = now_s
            if present > settings.renewal_ratio * self._expected or not settings.self_preservation:
                self._expected = present

    def _remove(self, name: str, now_s: float, why: str) -> None:
        del self._renewed_s[name]
        self._critical_s.pop(name, None)
        self._tell(now_s, name, why)

    def _tell(self, now_s: float, name: str, what: str) -> None:
        if self._told is not None:
            self._told(now_s, name, what)


@checks.configuration
class View:
    """A client's copy of the registry, refreshed when it is `refresh_s` old (Eureka: 30 s)."""

    refresh_s: float = checks.non_negative(default=30.0)

    def start(self) -> Copy:
        """No copy yet."""
        return Copy(self)


class Copy:
    """The names as of the last refresh, and when that was.

    >>> leases, copy = Registry().start(), View(refresh_s=30.0).start()
    >>> leases.register("mail-1", 0.0), copy.names(leases, 0.0), leases.cancel("mail-1", 1.0)
    (True, ('mail-1',), True)
    >>> copy.names(leases, 29.0), copy.names(leases, 30.0)
    (('mail-1',), ())
    """

    def __init__(self, configuration: View) -> None:
        self._refresh_s = configuration.refresh_s
        self._names: tuple[str, ...] = ()
        self.at_s = -math.inf

    def names(self, leases: Leases, now_s: float) -> tuple[str, ...]:
        """Whom this client would call, from its copy or, if that is too old, from a new one."""
        if now_s - self.at_s >= self._refresh_s:
            self._names, self.at_s = leases.names(), now_s
        return self._names

    def age_s(self, now_s: float) -> float:
        """How old the copy is; infinite if there is none."""
        return now_s - self.at_s
