"""A ledger with a standby: one node writes, a second waits, and a lease says who.

Entries come at a steady pace; the leader reads its fencing token, thinks for a while, and writes the balance into a
store. The store takes whatever comes, or refuses a token that is older than one it has seen. Follows `failures.standby`
(leases, fencing tokens). Left out: how the lease service itself survives.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from typing import Any

from .. import checks, failures
from ..brokers import MemoryBus, Topology
from ..events import Event
from ..failures import Fault, FencedStore, Leadership, PlainStore, check_faults
from ..kernel import Simulation
from ..services import Context, Service, Source, load
from ..services.arrivals import check_arrivals
from .base import Scenario

TILL, LEDGER, STORE, ENTRY = "till", "ledger", "account", "entry.made"
TOPOLOGY = Topology(name="ledger", publishes={TILL: (ENTRY,)}, consumes={LEDGER: (ENTRY,)})


class Store(enum.Enum):
    """What the store does with an old leader's write."""

    PLAIN = "plain store"
    FENCED = "fencing token"


@checks.configuration
class StandbyLedger(Scenario):
    """Entries by `arrivals` for a ledger of two nodes, of which the one with the lease works.

    A lease is granted for `lease_s` and renewed every `renew_s`; so a switch-over takes at most their sum. A write
    comes `thinking_s` after the leader has read its token. `within_s` is promised for each entry. `faults` act on
    "ledger/0", "ledger/1".

    >>> run = StandbyLedger().run(until_s=20.0)
    >>> len(failures.check(run))
    0
    """

    arrivals: load.Arrivals = checks.checked(
        check_arrivals, default=load.Trace(times_s=tuple(1.0 + 0.5 * number for number in range(10)))
    )
    store: Store = checks.word(Store, default=Store.PLAIN)
    lease_s: float = checks.positive(default=1.5)
    renew_s: float = checks.positive(default=0.5)
    thinking_s: float = checks.positive(default=0.2)
    within_s: float = checks.positive(default=5.0)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    def check(self) -> None:
        """A lease lasts longer than it takes to renew it."""
        if self.renew_s >= self.lease_s:
            raise checks.refuse("StandbyLedger.renew_s", self.renew_s, f"give less than lease_s, {self.lease_s:g}")

    @property
    def topology(self) -> Topology:
        """Who publishes and consumes what."""
        return TOPOLOGY

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """No old leader's write is taken, and each entry is written in time."""
        return (
            failures.no(lambda row: row.stale, "an old leader overwrote the balance", of="stored"),
            failures.at_least_once(to=LEDGER, effect="entry_written", within_s=self.within_s),
        )

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The ledger; keeps its `store` and `leadership`."""
        wiring = MemoryBus().start(sim).wire(TOPOLOGY)
        store = (FencedStore if self.store is Store.FENCED else PlainStore)(sim, STORE)

        def write(event: Event, context: Context) -> Generator[Any, Any, None]:
            token = leadership.token(context.node)
            yield context.pause(self.thinking_s)
            if store.write("balance", str(event.id), token=token):
                context.fact("entry_written", token=token)

        service = Service(LEDGER, of=wiring.subscription(LEDGER), handler=write, nodes=2)
        leadership = Leadership(service, lease_s=self.lease_s, renew_s=self.renew_s)
        Source(TILL, load=self.arrivals, to=wiring.destination(TILL), event=lambda _occasion: Event(type=ENTRY))
        for fault in self.faults:
            fault.install(sim)
        return {"store": store, "leadership": leadership}
