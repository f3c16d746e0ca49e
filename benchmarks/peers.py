"""W1 and W2 in other simulators, as their documentation would have them; one that is not installed is left out.

`pip install .[bench]` brings them. Ciw 3 (a network of nodes) and salabim (processes, as SimPy; its animation and its
statistics switched off as far as it offers that). Both draw numbers one by one. Two thirds of salabim's time go into
the inspection of signatures as it makes a component, which cannot be switched off. Left out: happysim, which needs
Python 3.13; W3 to W5, which neither expresses without writing the broker or the policies by hand.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from .workloads import SERVICE_S, Kept, Workload

CIW, SALABIM = "Ciw", "salabim"
MODULES = {CIW: "ciw", SALABIM: "salabim"}
SHARE = 10
"""They run a tenth of the messages, since they take long, and so do the others beside them."""


def installed() -> list[str]:
    """Those that can be imported."""
    return [name for name, module in MODULES.items() if importlib.util.find_spec(module) is not None]


def can_run(workload: Workload) -> bool:
    """Whether a workload is a plain queue."""
    return not (workload.breaks_down or workload.has_ticker or workload.groups or workload.is_governed)


def run_ciw(workload: Workload, messages: int, seed: int) -> Any:
    """A network of one node, until so many customers have left it."""
    ciw = importlib.import_module(MODULES[CIW])

    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=workload.arrival_per_s)],
        service_distributions=[ciw.dists.Exponential(rate=1.0 / SERVICE_S)],
        number_of_servers=[workload.servers],
    )
    ciw.seed(seed)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(messages)
    return simulation


def kept_ciw(_workload: Workload, simulation: Any) -> Kept:
    """The waits of all who have left."""
    waits_s = [float(record.waiting_time) for record in simulation.get_all_records()]
    return Kept(times_s=waits_s, deliveries=len(waits_s))


def run_salabim(workload: Workload, messages: int, seed: int) -> Kept:
    """A component per message and a resource."""
    sim = importlib.import_module(MODULES[SALABIM])

    env = sim.Environment(random_seed=seed, yieldless=False)
    servers = sim.Resource("servers", capacity=workload.servers, monitor=False)
    gap, service = sim.Exponential(1.0 / workload.arrival_per_s), sim.Exponential(SERVICE_S)
    waits_s: list[float] = []

    class Message(sim.Component):  # type: ignore[misc, name-defined]
        def setup(self) -> None:
            self.mode.monitor(False)
            self.status.monitor(False)

        def process(self) -> Any:
            came_s = env.now()
            yield self.request(servers)
            waits_s.append(env.now() - came_s)
            yield self.hold(service.sample())

    class Arrivals(sim.Component):  # type: ignore[misc, name-defined]
        def process(self) -> Any:
            for _ in range(messages):
                yield self.hold(gap.sample())
                Message()

    Arrivals()
    env.run()
    return Kept(times_s=waits_s, deliveries=len(waits_s))
