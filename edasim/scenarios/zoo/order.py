"""Bugs of order: what belongs together takes two ways, or time decides what numbers should.

A broker keeps the order of a publisher only along one way: one partition (KAF-01), one consumer of a queue (RMQ-16),
one queue. Whoever writes last is not who knows most: a message that comes again is older than the state that it meets
(RP-12), and two clocks do not agree. Left out: order between customers, which nobody promises; and brokers that crash
under the one active consumer of a queue, which goes on with what it has in hand while the next one begins.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from typing import Any

from ... import checks, failures
from ...brokers import Kafka, MemoryBus, RabbitMQ, Topology
from ...events import Event
from ...failures import Crash, Fault, StoreFull, Verdict, WrongClock, check_faults
from ...kernel import Simulation, times
from ...services import Context, Service, Source, load
from ...services.source import Occasion
from ..base import Scenario
from .record import Species

WEB, PROFILES, RETRIES, EDITED = "web", "profiles", "profile retries", "profile.edited"
TOPOLOGY = Topology(name="edits", publishes={WEB: (EDITED,)}, consumes={PROFILES: (EDITED,)})
DATABASE, MANY = "profile database", 1_000_000


class Key(enum.Enum):
    """What a record's key is, which decides its partition."""

    CUSTOMER = "the customer"
    EDIT = "the edit"


class Consumers(enum.Enum):
    """How the two consumers of a queue share it."""

    COMPETE = "both at once"
    ONE_ACTIVE = "one at a time (x-single-active-consumer)"


class Retries(enum.Enum):
    """What becomes of an edit that the database refuses."""

    IN_PLACE = "tried again at once, before all others"
    LATER = "put on a topic for retries"


class LastWord(enum.Enum):
    """Which of two writes of one profile stays."""

    LAST_WRITE = "the one that is written last"
    CLOCK = "the one with the later time by its node's clock"
    VERSION = "the one with the higher version"


def _edits(customers: int, *, key: Key = Key.CUSTOMER) -> Any:
    """Edits of a few customers, each with the number of that customer's edits so far."""
    versions: dict[int, int] = {}

    def edit(occasion: Occasion) -> Event:
        customer = int(occasion.draw() * customers)
        versions[customer] = versions.get(customer, 0) + 1
        subject = f"customer-{customer}" if key is Key.CUSTOMER else f"edit-{occasion.number}"
        return Event(type=EDITED, subject=subject, data={"customer": customer, "version": versions[customer]})

    return edit


@checks.configuration
class Partitioned(Scenario):
    """Profile edits go through a Kafka topic of four partitions to two nodes, which need 0.1 s each, by chance."""

    key: Key = checks.word(Key, default=Key.CUSTOMER)
    edits: int = checks.at_least(1, default=30)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def topology(self) -> Topology:
        """Who publishes and consumes what."""
        return TOPOLOGY

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """A customer's edits are done in the order in which they were made."""
        return (failures.order_by("customer", at=PROFILES),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, a topic, and a group of two."""
        kafka = Kafka(partitions=4, commit="after_each", static_members=True, initial_rebalance_delay_s=0.1)
        wiring = kafka.start(sim).wire(TOPOLOGY)
        by_chance = times.Exponential(mean_s=0.1)
        Service(PROFILES, of=wiring.subscription(PROFILES), service_time=by_chance, nodes=2)
        arrivals = load.Poisson(rate_per_s=6.0).first(self.edits)
        Source(WEB, load=arrivals, to=wiring.destination(WEB), event=_edits(3, key=self.key))
        for fault in self.faults:
            fault.install(sim)
        return {}


@checks.configuration
class Queued(Scenario):
    """Profile edits lie in one RabbitMQ queue with two consumers, which need 0.1 s each, by chance."""

    consumers: Consumers = checks.word(Consumers, default=Consumers.ONE_ACTIVE)
    edits: int = checks.at_least(1, default=30)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """A customer's edits are done in the order in which they were made."""
        return (failures.order_by("customer", at=PROFILES),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, a queue, and two consumers."""
        broker = RabbitMQ().start(sim)
        alone = self.consumers is Consumers.ONE_ACTIVE
        queue = broker.declare_queue(PROFILES, single_active_consumer=alone)
        by_chance = times.Exponential(mean_s=0.1)
        Service(PROFILES, of=queue.consume(prefetch=1), service_time=by_chance, nodes=2)
        Source(WEB, load=load.Poisson(rate_per_s=6.0).first(self.edits), to=queue, event=_edits(3))
        for fault in self.faults:
            fault.install(sim)
        return {}


@checks.configuration
class Retried(Scenario):
    """Profile edits go one by one into a database, which is full now and then; writing takes 0.05 s.

    What it refuses is tried again: at once, or from a topic for retries, 0.5 s later.
    """

    retries: Retries = checks.word(Retries, default=Retries.IN_PLACE)
    edits: int = checks.at_least(1, default=30)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """A customer's edits are saved in the order in which they were made, and none is lost."""
        return (
            failures.order_by("customer", at=PROFILES, effect="profile_saved"),
            failures.at_least_once(to=PROFILES, effect="profile_saved"),
        )

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, two topics, and a service on each."""
        bus = MemoryBus().start(sim)
        edits, again = bus.topic("edits"), bus.topic("retries")
        sim.parts[DATABASE] = database = Database()

        def save(event: Event, context: Context) -> Generator[Any, Any, Event | None]:
            yield context.pause(0.05)
            if not database.full:
                context.fact("profile_saved", **event.data)
            elif self.retries is Retries.LATER:
                return event
            else:
                raise OSError("no space left on device")
            return None

        def save_later(event: Event, context: Context) -> Generator[Any, Any, Event | None]:
            yield context.pause(0.5)
            return (yield from save(event, context))

        Service(PROFILES, of=edits.subscribe(PROFILES, max_attempts=MANY), handler=save, to=again)
        Service(RETRIES, of=again.subscribe(RETRIES, max_attempts=MANY), handler=save_later, to=again)
        Source(WEB, load=load.Poisson(rate_per_s=6.0).first(self.edits), to=edits, event=_edits(3))
        for fault in self.faults:
            fault.install(sim)
        return {}


class Database:
    """What may be full for a while."""

    full = False


@checks.configuration
class Written(Scenario):
    """Profile edits are shared by two nodes, which need 0.05 s to write a profile and 0.2 s to tell others.

    `last_word` says which of two writes stays: each node looks at what is there, and discards its edit if it must.
    """

    last_word: LastWord = checks.word(LastWord, default=LastWord.VERSION)
    edits: int = checks.at_least(1, default=30)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Profiles never go back to an older edit, and never miss a newer one."""
        return (
            failures.order_by("customer", at=PROFILES, effect="profile_saved", sequence="version"),
            failures.no(lambda row: row.version > row.there, "a newer edit was discarded", of="edit_discarded"),
        )

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, a queue, and two nodes; keeps the `profiles`: by customer, rank and version."""
        edits = MemoryBus().start(sim).topic("edits")
        profiles: dict[int, tuple[float, int]] = {}

        def write(event: Event, context: Context) -> Generator[Any, Any, None]:
            yield context.pause(0.05)
            customer, version = event.data["customer"], event.data["version"]
            rank = context.clock_s if self.last_word is LastWord.CLOCK else float(version)
            there = profiles.get(customer, (-1e9, 0))
            if self.last_word is not LastWord.LAST_WRITE and rank < there[0]:
                context.fact("edit_discarded", customer=customer, version=version, there=there[1])
            else:
                profiles[customer] = (rank, version)
                context.fact("profile_saved", customer=customer, version=version)
            yield context.pause(0.2)

        Service(PROFILES, of=edits.subscribe(PROFILES), handler=write, nodes=2)
        Source(WEB, load=load.Poisson(rate_per_s=6.0).first(self.edits), to=edits, event=_edits(2))
        for fault in self.faults:
            fault.install(sim)
        return {"profiles": profiles}


IN_ORDER = "order per customer at profiles, as published"
NODE_DIES = Crash(node=f"{PROFILES}/0", at_s=0.0, down_s=0.3)

SPECIES = (
    Species(
        name="wrong key",
        what="Its records have the edit for a key instead of the customer, so one customer has many partitions.",
        rule="KAF-01",
        mutant=Partitioned(key=Key.EDIT),
        twin=Partitioned(),
        breaks=IN_ORDER,
        verdict=Verdict.OUT_OF_ORDER,
        dangers=(NODE_DIES,),
        needs_fault=False,
        seeds=5,
    ),
    Species(
        name="competing consumers",
        what="Two consumers share a queue whose messages have an order.",
        rule="RMQ-16",
        mutant=Queued(consumers=Consumers.COMPETE),
        twin=Queued(),
        breaks=IN_ORDER,
        verdict=Verdict.OUT_OF_ORDER,
        dangers=(NODE_DIES,),
        needs_fault=False,
        seeds=5,
    ),
    Species(
        name="retries on another topic",
        what="It puts what fails on a topic for retries, and goes on with what came later.",
        rule="RP-12",
        mutant=Retried(retries=Retries.LATER),
        twin=Retried(),
        breaks="order per customer at profiles: profile_saved, as published",
        verdict=Verdict.OUT_OF_ORDER,
        dangers=(Crash(node=PROFILES, at_s=0.0, down_s=0.3), StoreFull(store=DATABASE, at_s=0.0, for_s=0.3)),
    ),
    Species(
        name="writes whatever comes",
        what="It writes a message that comes again over what a newer one has written since.",
        rule="RP-12",
        mutant=Written(last_word=LastWord.LAST_WRITE),
        twin=Written(),
        breaks="order per customer at profiles: profile_saved, by version",
        verdict=Verdict.OUT_OF_ORDER,
        dangers=(NODE_DIES, Crash(node=f"{PROFILES}/1", at_s=0.0, down_s=0.3)),
        faults=5,
        seeds=20,
    ),
    Species(
        name="orders by the clock",
        what="Of two writes it keeps the one with the later time, by clocks that do not agree.",
        rule="RP-12",
        mutant=Written(last_word=LastWord.CLOCK),
        twin=Written(),
        breaks="never: a newer edit was discarded",
        verdict=Verdict.VIOLATED,
        dangers=(
            WrongClock(node=f"{PROFILES}/0", offset_s=1.5, at_s=0.0, for_s=0.5),
            WrongClock(node=f"{PROFILES}/1", offset_s=-1.5, at_s=0.0, for_s=0.5),
            NODE_DIES,
        ),
    ),
)
"""All of them: the order of publishing is lost on the way, or the wrong thing decides."""
