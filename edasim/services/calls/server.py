"""Servers: instances with a bounded queue and workers, which answer calls, and call other servers while a worker waits.

A worker is busy for a drawn service time (longer by the factor of a slow
instance), then for as long as the calls that it makes, one after another; the answer is an error with probability
`error_ratio`, or if one of those calls failed. Work whose caller has given up is still done unless `stale="dropped"`:
then nothing is begun for a caller who has gone, or whose deadline has passed (GV-23).

Of the calls only `calls_ratio` ask the servers behind. `shedding` drops calls as overloaded: `CoDel` and
`ControlledDelay` those that waited too long (GV-33, GV-34), `ByPriority` those of less important clients on arrival.

Left out: preemption.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ... import checks
from ...governance.shedding import ByPriority, CoDel, ControlledDelay
from ...kernel import Simulation, times
from .. import watching
from ..node import node_names
from .instance import Instance

if TYPE_CHECKING:
    from .client import Client

ZERO = times.Constant(value_s=0.0)
_SHEDDING = checks.check_optional(
    checks.check_kind((CoDel, ControlledDelay, ByPriority), "CoDel(…), ControlledDelay(…) or ByPriority(…)")
)


class QueueOrder(enum.Enum):
    """Which of the waiting calls is served next."""

    OLDEST_FIRST = "oldest_first"
    NEWEST_FIRST = "newest_first"


class Stale(enum.Enum):
    """What is done with a call whose caller has given up."""

    SERVED = "served"
    DROPPED = "dropped"


def _clients_of(sim: Simulation, calls: Any) -> tuple[Client, ...]:
    remedy = "give a list of clients of this simulation, such as [Client(…)]"
    if isinstance(calls, str) or not isinstance(calls, Iterable):
        raise checks.refuse("Server.calls", calls, remedy)
    clients = tuple(calls)
    for client in clients:
        if not hasattr(client, "call") or getattr(client, "sim", None) is not sim:
            raise checks.refuse("Server.calls", client, remedy)
    return clients


class Server:
    """A server of `instances` (a number or names), each with `workers` and a queue of at most `room` calls (None: any).

    `calls` are the clients of other servers that a worker asks, one after another, before it answers. `error_ratio`
    may be changed while the simulation runs.
    """

    def __init__(
        self,
        name: str,
        *,
        sim: Simulation,
        service_time: times.Times = ZERO,
        instances: int | Iterable[str] = 1,
        workers: int = 1,
        room: int | None = None,
        error_ratio: float = 0.0,
        order: QueueOrder | str = QueueOrder.OLDEST_FIRST,
        stale: Stale | str = Stale.SERVED,
        calls: Iterable[Client] = (),
        calls_ratio: float = 1.0,
        shedding: CoDel | ControlledDelay | ByPriority | None = None,
    ) -> None:
        self.name = checks.check_text("Server.name", name)
        self.sim = checks.check_kind(Simulation, "a Simulation")("Server.sim", sim)
        self.workers = checks.check_whole(1)("Server.workers", workers)
        self.room = checks.check_optional(checks.check_whole(0))("Server.room", room)
        self.error_ratio = error_ratio
        self.newest_first = checks.check_word(QueueOrder)("Server.order", order) is QueueOrder.NEWEST_FIRST
        self.drops_stale = checks.check_word(Stale)("Server.stale", stale) is Stale.DROPPED
        self.calls = _clients_of(sim, calls)
        self.calls_ratio = checks.check_ratio("Server.calls_ratio", calls_ratio)
        self.shedding = _SHEDDING("Server.shedding", shedding)
        self.sheds_late = isinstance(shedding, CoDel | ControlledDelay)
        if isinstance(shedding, ByPriority) and room is None:
            raise checks.refuse("Server.room", room, "give the room of a queue, of which priorities have shares")
        times.check_times("Server.service_time", service_time)
        names = node_names("Server.instances", instances, name, sim)
        rng = sim.streams.generator(f"server/{name}/service_time")
        self.draw = watching.draws("Server.service_time", service_time, rng)
        self.draw_error = sim.streams.uniform(f"server/{name}/errors")
        self.draw_calls = sim.streams.uniform(f"server/{name}/calls")
        self.instances = {instance: Instance(self, instance) for instance in names}
        self.next_number = sim.log.publisher(name)
        sim.on_end(self._open_rows)

    @property
    def error_ratio(self) -> float:
        """The share of the answers that are errors."""
        return self.errors_share

    @error_ratio.setter
    def error_ratio(self, error_ratio: float) -> None:
        self.errors_share = checks.check_ratio("Server.error_ratio", error_ratio)

    @property
    def answers(self) -> bool:
        """Whether anybody is up, and not every answer is an error; what a deep health check sees."""
        return self.error_ratio < 1.0 and any(instance.up for instance in self.instances.values())

    def _open_rows(self, now_s: float) -> list[bytes]:
        return [row for instance in self.instances.values() for row in instance.open_rows(now_s)]
