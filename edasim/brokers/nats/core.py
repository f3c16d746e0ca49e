"""Core NATS: subjects that interested clients hear, at most once.

A message goes to every subscription whose pattern matches its subject, at that very instant or never. A plain
subscription gives a copy to each of its members. A queue group gives each message to one random member, whether it is
busy or not; the message waits in that member's client, and dies with it. A member who does not keep up loses what comes
beyond its pending limit, or is cut off by the server with all that is pending, and reconnects.

Follows nats-io/nats.docs (`core-nats/queue.md`: a member is chosen at random; `events/slow.md`: slow consumers),
nats-io/nats.py (`aio/subscription.py`: 524,288 pending messages; `aio/client.py`: 2 s until it reconnects) and
data/measured/nats/semantics.csv. Left out: bytes (the server's 64 MiB of pending data and its write deadline of 10 s
are one limit in messages here), clusters, drain, and two subscriptions of one queue group that overlap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import checks
from ...errors import ConfigurationError
from ...events import Event
from ...kernel import Simulation
from ...kernel.runlog import FILTERED, NEVER, pack_row
from ..base import Capability, Message
from ..topology import Topology
from .inbox import Inbox, Reply
from .overlap import first_overlap
from .settings import SlowConsumer, check_name, check_patterns
from .subject import Offer, Subject
from .subscription import CoreSubscription
from .wiring import NatsWiring


@checks.configuration
class Nats:
    """The configuration of a NATS server without streams; `start(sim)` puts it into a simulation.

    `pending_messages` is how many messages may wait in one member's client, `slow_consumer` what happens then:
    "drop_newest" (the client drops) or "cut_off" (the server disconnects it; it is back after `reconnect_s`).

    >>> nats = Nats().start(Simulation(seed=1))
    >>> nats.subscribe("user.*", queue="mail").name
    'mail'
    """

    name: str = checks.text(default="nats")
    pending_messages: int = checks.at_least(1, default=524_288)
    slow_consumer: SlowConsumer = checks.word(SlowConsumer, default=SlowConsumer.DROP_NEWEST)
    reconnect_s: float = checks.positive(default=2.0)

    capabilities = frozenset(
        {
            Capability.PUBLISH_SUBSCRIBE,
            Capability.COMPETING_CONSUMERS,
            Capability.FILTERING,
            Capability.BOUNDED_QUEUE,
            Capability.ORDER,
        }
    )

    def start(self, sim: Simulation) -> RunningNats:
        """Starts the server in `sim`."""
        return RunningNats(self, sim)

    def describe(self) -> str:
        """The server in plain words."""
        return (
            "core NATS: a message reaches whoever listens to its subject at that instant, at most once; "
            "a queue group gives it to one random member, busy or not"
        )


class RunningNats:
    """A NATS server in a simulation."""

    def __init__(self, configuration: Any, sim: Simulation) -> None:
        self.sim = sim
        self.configuration = configuration
        self.name: str = configuration.name
        sim.parts[self.name] = self
        self.capabilities: frozenset[Capability] = configuration.capabilities
        self.settled: list[Callable[[float, Message], None]] = []
        self.version = 0
        self.up = True
        self.inbox = Inbox(self)
        self._subjects: dict[str, Subject] = {}
        self._subscriptions: dict[str, CoreSubscription] = {}

    def subject(self, template: str) -> Subject:
        """The destination of that subject, made at first use; "orders.{type}" is filled in from each event."""
        if template not in self._subjects:
            made = Subject(self, template)
            self._subjects[made.name] = made
        return self._subjects[template]

    def subscribe(
        self, *subjects: str, queue: str | None = None, name: str | None = None, pending_messages: int | None = None
    ) -> CoreSubscription:
        """A new subscription to one or several subject patterns.

        With a `queue` its members are a queue group of that name and share the messages; without one, each member
        gets a copy. `name` is what the log calls it (the queue, or else the first pattern), `pending_messages` bounds
        what waits in a member's client (None: the configuration's bound). An `InvalidSubjectError` for a pattern that
        the server refuses.
        """
        patterns = check_patterns("subjects", subjects)
        if not patterns:
            raise checks.refuse("subjects", subjects, "name at least one subject")
        if queue is not None:
            check_name("queue", queue)
        called = checks.check_text("name", name) if name is not None else queue or patterns[0]
        if called in self._subscriptions:
            raise ConfigurationError(
                f"a subscription called {called!r} exists already",
                field="name",
                value=called,
                remedy="share it among takers, or give this one another name",
            )
        for other in self._subscriptions.values():
            pair = first_overlap(patterns, other.patterns) if queue is not None and queue == other.queue else None
            if pair is not None:
                raise ConfigurationError(
                    f"queue group {queue!r} hears {pair[1]!r} already, which overlaps with {pair[0]!r}",
                    field="subjects",
                    value=pair[0],
                    remedy="let its members share one subscription",
                )
        bound = checks.check_optional(checks.check_whole(1))("pending_messages", pending_messages)
        limit = bound or self.configuration.pending_messages
        made = self._subscriptions[called] = CoreSubscription(self, called, patterns, queue, limit)
        self.version += 1
        return made

    def request(self, subject: str, event: Event, *, timeout_s: float, publisher: str = "by-hand") -> Reply:
        """Publishes a request; yields the event of the first answer: `answer = yield nats.request(...)`.

        It fails with `NoRespondersError` at once if nobody listens, and with `RequestTimeoutError` after `timeout_s`.
        """
        return self.inbox.ask(self.subject(subject), event, checks.check_positive("timeout_s", timeout_s), publisher)

    def wire(self, topology: Topology) -> Any:
        """Lays out a topology: a subject per event type, a queue group per consuming service."""
        return NatsWiring(self, topology)

    def targets_of(self, subject: str) -> list[Offer]:
        """Who gets what is published to a subject, as things stand; asked again when `version` has changed."""
        hearing = [each for each in self._subscriptions.values() if each.hears(subject)]
        return [each.offer if self.up else each.lose for each in hearing]

    def crash(self) -> None:
        """The server fails now: what is published reaches nobody, and acknowledgements are not heard.

        What is pending in clients stays there. A server that is down stays down.
        """
        if self.up:
            self.up = False
            self.version += 1
            self.sim.log.fact(float(self.sim.env.now), "broker_crashed", self.name)

    def restart(self) -> None:
        """The server comes back now, and its clients with it. A server that is up goes on as it is."""
        if not self.up:
            self.up = True
            self.version += 1
            self.sim.log.fact(float(self.sim.env.now), "broker_restarted", self.name)

    def anyone_listens(self, subject: str) -> bool:
        """Whether a subscription with a member hears a subject."""
        return self.up and any(each.members and each.hears(subject) for each in self._subscriptions.values())

    def nobody_wants(self, now_s: float, endpoint: int, message: Message) -> None:
        """A message reached nobody, which is told in the log and to nobody else."""
        number, root, published_s, enqueued_s, attempt, _ = message
        self.sim.log.add(
            pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, endpoint, attempt, FILTERED)
        )
        self.tell_settled(now_s, message)

    def tell_settled(self, now_s: float, message: Message) -> None:
        """A message has left one of the subscriptions for good, or none wants it."""
        for tell in self.settled:
            tell(now_s, message)
