"""The fleet: instances behind discovery and balancing, with one of three troubles (GV-01 to GV-07, RP-04).

`instances` of a service, each with one worker and an endless queue (or `room`), answer `requests_per_s` in exponential
times of `mean_service_s`. From `trouble_at_s` on, for `trouble_s`: `troubled` instances are down ("crash") or work
slower by `slow_factor` ("slow"), or the database behind all of them fails every call ("database"), which
`database_ratio` of the requests need. What the client knows of its instances is `protections.discovery`.

Left out: start-up times, instances that come and go on purpose, more than one client.
"""

from __future__ import annotations

import enum
from typing import Any

from .. import checks
from ..kernel import Run, Simulation, times
from ..kernel.runlog import DONE
from ..services import Source, load
from ..services.calls import Client, Protections, Server
from ..services.calls.measures import rows_of
from .base import Scenario

FLEET, CLIENT, DATABASE = "shop", "users", "database"


class Trouble(enum.Enum):
    """What goes wrong."""

    NONE = "none"
    CRASH = "crash"
    SLOW = "slow"
    DATABASE = "database"


@checks.configuration
class Fleet(Scenario):
    """A fleet with a trouble; times in simulated seconds, rates in requests per second.

    >>> run = Fleet(trouble="crash").run(seed=1, until_s=120.0)
    >>> [fact.kind for fact in run.fact_list]
    ['node_crashed', 'node_restarted']
    """

    instances: int = checks.at_least(1, default=5)
    requests_per_s: float = checks.positive(default=100.0)
    mean_service_s: float = checks.positive(default=0.02)
    room: int | None = checks.optional(checks.check_whole(0), default=None)
    protections: Protections = checks.kind(Protections, "Protections(…)", default=Protections())
    trouble: Trouble = checks.word(Trouble, default=Trouble.NONE)
    trouble_at_s: float = checks.non_negative(default=20.0)
    trouble_s: float = checks.positive(default=60.0)
    troubled: int = checks.at_least(1, default=1)
    slow_factor: float = checks.positive(default=5.0)
    database_ratio: float = checks.ratio(default=0.1)

    def check(self) -> None:
        """No more instances are in trouble than there are."""
        if self.troubled > self.instances:
            raise checks.refuse("Fleet.troubled", self.troubled, f"give at most instances, {self.instances}")

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The service "shop" before its "database", the client "users", a source, and the trouble."""
        database = Server(DATABASE, sim=sim, workers=1000)
        behind = Client(f"{FLEET} to {DATABASE}", of=database)
        service = Server(
            FLEET,
            sim=sim,
            service_time=times.Exponential(mean_s=self.mean_service_s),
            instances=self.instances,
            room=self.room,
            calls=[behind],
            calls_ratio=self.database_ratio if self.trouble is Trouble.DATABASE else 0.0,
        )
        client = Client(CLIENT, of=service, protections=self.protections)
        Source("clicks", load=load.Poisson(rate_per_s=self.requests_per_s), to=client)
        if self.trouble is not Trouble.NONE:
            sim.at(self.trouble_at_s, lambda: self._turn(sim, database, begins=True))
            sim.at(self.trouble_at_s + self.trouble_s, lambda: self._turn(sim, database, begins=False))
        return {"service": service, "client": client, "database": database}

    def _turn(self, sim: Simulation, database: Server, begins: bool) -> None:
        """The trouble begins, or ends."""
        if self.trouble is Trouble.DATABASE:
            database.error_ratio = float(begins)
            sim.log.fact(float(sim.env.now), "server_errors", DATABASE, error_ratio=database.error_ratio)
            return
        for number in range(self.troubled):
            node = sim.node(f"{FLEET}/{number}")
            if self.trouble is Trouble.SLOW:
                node.slow(self.slow_factor if begins else 1.0)
            elif begins:
                node.crash()
            else:
                node.restart()


@checks.configuration
class FailedRequests:
    """A metric: requests of the fleet's client that were asked between two instants and given up."""

    from_s: float = checks.non_negative(default=0.0)
    until_s: float = checks.positive(default=1e9)
    needs_rows = True

    def __call__(self, run: Run) -> float:
        """How many."""
        return float(_failed(run, self.from_s, self.until_s)[0])


@checks.configuration
class FailedShare(FailedRequests):
    """The same as a share of those that were asked and have ended."""

    def __call__(self, run: Run) -> float:
        """Between 0 and 1; 0 if nothing was asked."""
        failed, asked = _failed(run, self.from_s, self.until_s)
        return failed / asked if asked else 0.0


def _failed(run: Run, from_s: float, until_s: float) -> tuple[int, int]:
    requests, _ = rows_of(run, CLIENT)
    inside = (requests.started_s >= from_s) & (requests.started_s < until_s) & (requests.finished_s >= 0.0)
    return int((inside & (requests.outcome != DONE)).sum()), int(inside.sum())
