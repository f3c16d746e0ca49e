"""The storm: a server that is slow for a while, and clients whose retries may keep it busy for ever (RP-01).

One server of `capacity_per_s` (one worker, exponential service times, an endless queue), clients that give up after
`timeout_s`, and a fault: from `fault_at_s` on, for `fault_s`, it does only `fault_capacity_per_s`. What the clients do
about an attempt without an answer is in `protections`, what the server does for callers who have gone in `stale`.
Left out: several servers, connections.
"""

from __future__ import annotations

from typing import Any

from .. import checks
from ..kernel import Run, Simulation, times
from ..services import Source, load
from ..services.calls import Client, Protections, QueueOrder, Server, Stale, traffic
from .base import Scenario

CLIENT, SERVER = "shop", "api"


@checks.configuration
class Storm(Scenario):
    """Requests per second against a capacity per second; times in simulated seconds.

    >>> from edasim.services.calls import traffic
    >>> run = Storm(requests_per_s=60.0).run(seed=1, until_s=100.0)
    >>> 55 < traffic(run, "shop").mean("goodput_per_s", 60.0, 100.0) < 65
    True
    """

    requests_per_s: float = checks.positive(default=60.0)
    capacity_per_s: float = checks.positive(default=100.0)
    fault_capacity_per_s: float = checks.positive(default=30.0)
    fault_at_s: float = checks.non_negative(default=20.0)
    fault_s: float = checks.non_negative(default=10.0)
    protections: Protections = checks.kind(Protections, "Protections(…)", default=Protections(timeout_s=1.0))
    stale: Stale = checks.word(Stale, default=Stale.SERVED)
    order: QueueOrder = checks.word(QueueOrder, default=QueueOrder.OLDEST_FIRST)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The server "api", its client "shop", the source "users", and the fault if it lasts at all."""
        service_time = times.Exponential(mean_s=1.0 / self.capacity_per_s)
        server = Server(SERVER, sim=sim, service_time=service_time, stale=self.stale, order=self.order)
        client = Client(CLIENT, of=server, protections=self.protections)
        Source("users", load=load.Poisson(rate_per_s=self.requests_per_s), to=client)
        if self.fault_s > 0.0:
            instance = sim.node(f"{SERVER}/0")
            factor = self.capacity_per_s / self.fault_capacity_per_s
            sim.at(self.fault_at_s, lambda: instance.slow(factor))
            sim.at(self.fault_at_s + self.fault_s, lambda: instance.slow(1.0))
        return {"server": server, "client": client}


@checks.configuration
class Goodput:
    """A metric: requests of the storm's client that were answered in time, per second, between two instants."""

    from_s: float = checks.non_negative()
    until_s: float = checks.positive()
    needs_rows = True

    def __call__(self, run: Run) -> float:
        """Answers per second."""
        return traffic(run, CLIENT).mean("goodput_per_s", self.from_s, self.until_s)
