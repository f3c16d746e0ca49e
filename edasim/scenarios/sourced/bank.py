"""The bank on a bus: customers, an event-sourced account service, a view that lags, statements that can be rebuilt.

Customers pay in and withdraw. The account service reads the account's stream, decides, and appends with the version
that it read (`sourcing.Decider`); what it decided goes to the bus. Two read models follow, as they do in practice: the
balance view asks the store every `view_every_s`, the statement service listens on the bus. A customer looks at the
balance `looks_after_s` after each booking: the view may not have it yet (**read your writes** is broken), unless the
reader waits for the position of its own write. Statements are rebuilt by publishing old events again beside the live
ones, at most `replay_per_s` of them a second, into a second copy (ES-09: marked, so that nobody prints them again).
Left out: several stores, the time that reading the store takes, statements on paper.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ... import checks
from ...brokers import MemoryBus
from ...events import Event
from ...failures import Fault, check_faults
from ...kernel import LogLevel, Run, Simulation, times
from ...services import Service, Source, load
from ...services.arrivals import check_arrivals
from ...services.source import Occasion
from ...sourcing import Decider, EventStore, View, live
from ..base import Scenario
from .accounts import ACCOUNT, ASKED, PAID_IN, balance_view, decide
from .week import ASKED_EUR, PAID_IN_EUR, PAID_IN_RATIO, week

CUSTOMERS, ACCOUNTS, STATEMENTS, REPLAY = "customers", "accounts", "statements", "replay"
PAYING_IN = "payment.asked"
ASK_AGAIN_S = 0.01
"""How often a reader that waits for its own write asks."""


class Reading(enum.Enum):
    """What a customer does whose view is behind."""

    AT_ONCE = "read at once"
    WAIT = "wait for the own write"


@dataclass
class Reads:
    """What customers saw when they looked: how many looks, how many without their own booking, seconds waited."""

    stale: int = 0
    waits_s: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many looks there were."""
        return len(self.waits_s)

    def saved(self) -> dict[str, Any]:
        """As plain values, for a file of the run."""
        return {"stale": self.stale, "waits_s": self.waits_s}

    @classmethod
    def restored(cls, told: dict[str, Any]) -> Reads:
        """What `saved` told."""
        return cls(**told)


@dataclass
class Statements:
    """The statement service's two copies: lines per account from live events, and from replayed ones."""

    live: Counter[str] = field(default_factory=Counter)
    rebuilt: Counter[str] = field(default_factory=Counter)
    printed: set[str] = field(default_factory=set)

    def take(self, event: Event, _context: Any = None) -> None:
        """Writes a line into the copy that the event belongs to, once; only live events are printed."""
        if event.extensions.get(live.REPLAYED):
            self.rebuilt[str(event.subject)] += 1
        elif str(event.id) not in self.printed:
            self.printed.add(str(event.id))
            self.live[str(event.subject)] += 1

    def saved(self) -> dict[str, Any]:
        """As plain values, for a file of the run."""
        return {"live": self.live, "rebuilt": self.rebuilt, "printed": sorted(self.printed)}

    @classmethod
    def restored(cls, told: dict[str, Any]) -> Statements:
        """What `saved` told."""
        return cls(Counter(told["live"]), Counter(told["rebuilt"]), set(told["printed"]))


def booked(state: dict[str, int], event: Event) -> Event:
    """What the account service decides on a customer's wish, at the account's state."""
    if event.type == PAYING_IN:
        return Event(type=PAID_IN, subject=event.subject, data=event.data)
    return decide(state["eur"], event)


@checks.configuration
class Bank(Scenario):
    """An event-sourced bank under load, for `lasts_s` seconds.

    `arrivals` are the customers' wishes, spread over `accounts`; `decide_time` and `statement_time` are what a wish and
    a line take; `view_every_s` is how often the view asks the store, `looks_after_s` how long after a booking its
    customer looks, `reading` what the customer does if the view is behind. `replayed` old events are published again
    from `replay_from_s` on, at most `replay_per_s` a second. `faults` are crashes of the nodes "accounts" and
    "statements".

    >>> run = Bank(lasts_s=5.0).run(seed=1)
    >>> run.kept["store"].position == run.summary()["accounts"].done
    True
    """

    arrivals: load.Arrivals = checks.checked(check_arrivals, default=load.Poisson(rate_per_s=10.0))
    accounts: int = checks.at_least(1, default=50)
    decide_time: times.Times = checks.checked(times.check_times, default=times.Exponential(mean_s=0.005))
    statement_time: times.Times = checks.checked(times.check_times, default=times.Exponential(mean_s=0.04))
    view_every_s: float = checks.positive(default=0.5)
    looks_after_s: float = checks.non_negative(default=0.1)
    reading: Reading = checks.word(Reading, default=Reading.AT_ONCE)
    replayed: int = checks.at_least(0, default=0)
    replay_per_s: float = checks.positive(default=5.0)
    replay_from_s: float = checks.non_negative(default=5.0)
    lasts_s: float = checks.positive(default=60.0)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    def check(self) -> None:
        """Enough old events for the week that they are taken from."""
        if 0 < self.replayed < 2 * self.accounts:
            raise checks.refuse("Bank.replayed", self.replayed, f"give 0, or at least two for {self.accounts} accounts")

    def run(
        self, seed: int = 0, until_s: float | None = None, *, log: str | LogLevel = LogLevel.FULL, one_in: int = 100
    ) -> Run:
        """One run; ends after `lasts_s`, unless `until_s` says otherwise."""
        return super().run(seed, self.lasts_s if until_s is None else until_s, log=log, one_in=one_in)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The whole bank; keeps its `store`, `view`, `reads` and `statements`."""
        bus = MemoryBus().start(sim)
        requests, facts = bus.topic("requests"), bus.topic("facts")
        store = EventStore(clock=lambda: float(sim.env.now))
        view, reads, statements = View(store, balance_view()), Reads(), Statements()
        Service(
            ACCOUNTS,
            of=requests.subscribe(ACCOUNTS),
            service_time=self.decide_time,
            handler=self._accounts(sim, store, view, reads),
            to=facts,
        )
        Service(
            STATEMENTS, of=facts.subscribe(STATEMENTS), service_time=self.statement_time, handler=statements.take
        )  # fmt: skip
        Source(CUSTOMERS, load=self.arrivals, to=requests, event=self._wish)
        live.keep_current(sim, view, every_s=self.view_every_s)
        if self.replayed:
            old = week(self.replayed, self.accounts, seed=sim.seed)
            start = partial(live.replay, sim, old, facts, rate_per_s=self.replay_per_s, publisher=REPLAY)
            sim.at(self.replay_from_s, start)
        for fault in self.faults:
            fault.install(sim)
        return {"store": store, "view": view, "reads": reads, "statements": statements}

    def _wish(self, occasion: Occasion) -> Event:
        account = f"a-{int(occasion.draw() * self.accounts)}"
        pays_in, share = occasion.draw() < PAID_IN_RATIO, occasion.draw()
        low, high = PAID_IN_EUR if pays_in else ASKED_EUR
        eur = low + int(share * (high - low + 1))
        return Event(type=PAYING_IN if pays_in else ASKED, subject=account, data={"eur": eur})

    def _accounts(
        self, sim: Simulation, store: EventStore, view: View, reads: Reads
    ) -> Callable[[Event, Any], list[Event]]:
        decider = Decider(ACCOUNTS, store, ACCOUNT, booked)

        def handle(event: Event, context: Any) -> list[Event]:
            before = store.position
            told = decider.handle(event, context)
            if store.position > before:
                look = partial(_look, sim, view, reads, self.reading, store.position, self.looks_after_s)
                sim.env.process(look())
            return told

        return handle


def _look(
    sim: Simulation, view: View, reads: Reads, reading: Reading, position: int, after_s: float
) -> Generator[Any, Any, None]:
    """A customer who comes back to see the own booking."""
    yield sim.env.timeout(after_s)
    came_s = float(sim.env.now)
    if reading is Reading.WAIT and view.position < position:
        yield live.seen_by(sim, view, position, ask_every_s=ASK_AGAIN_S)
    reads.stale += view.position < position
    reads.waits_s.append(float(sim.env.now) - came_s)
