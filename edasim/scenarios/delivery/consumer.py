"""A consumer that crashes: what is delivered once, twice or never, by where it acknowledges and what it remembers.

Messages lie in one partition of Kafka. One consumer polls a batch, works through it, and commits the batch before or
after (`max.poll.records`, a synchronous commit before or after processing; KAF-19). It is a static member (KAF-16), so
a restarted process goes on at once, from the last committed offset. Crashes hit work only, after exponential times.
Left out: several consumers, brokers that crash, and disks that forget.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from ... import checks, failures
from ...brokers import Kafka
from ...brokers.kafka import Commit, Group
from ...events import Event
from ...failures import Fault, check_faults
from ...failures.faults import bring_back, take_down
from ...kernel import Simulation, times
from ...services import Context, Service, Source, load
from ..base import Scenario
from .expected import Expected, expected
from .ledger import Ledger
from .settings import Dedup, Place, Timing, timing

SHOP, CONSUMER, ORDERS, BOOKED = "shop", "consumer", "orders", "booked"
AT_ONCE_PER_S, JOINED_S = 1e9, 0.1


@checks.configuration
class Delivery(Scenario):
    """`messages` lie ready for a consumer that takes them in batches of `batch`, and dies now and then.

    It begins at 0.1 s, and acknowledges a batch "before" or "after" processing it. A message needs `work_s` and a write
    of `write_s`, which is its effect; a note on disk (`dedup`) is a second write. Crashes come after exponential
    amounts of work, `crash_every` messages' worth on average (None: nobody dies; a message without a note counts), and
    `faults` at stated times; the consumer is back after `down_s`. A share of `sent_twice_ratio` was published twice, by
    a producer who tried again.

    >>> run = Delivery(messages=100, batch=10, crash_every=None).run(seed=1)
    >>> len(run.kept["ledger"].effects())
    100
    """

    messages: int = checks.at_least(1, default=1000)
    batch: int = checks.at_least(1, default=20)
    acknowledge: Place = checks.word(Place, default=Place.AFTER)
    dedup: Dedup = checks.word(Dedup, default=Dedup.NONE)
    crash_every: float | None = checks.optional(checks.check_positive, default=100.0)
    work_s: float = checks.positive(default=0.008)
    write_s: float = checks.positive(default=0.002)
    down_s: float = checks.positive(default=0.05)
    sent_twice_ratio: float = checks.ratio(default=0.0)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Each message is booked once; of messages that were sent twice nothing is promised here."""
        return () if self.sent_twice_ratio else (failures.exactly_once(to=CONSUMER, effect=BOOKED),)

    @property
    def between_s(self) -> float | None:
        """The mean seconds of work between two crashes, or None."""
        return None if self.crash_every is None else self.crash_every * (self.work_s + self.write_s)

    @property
    def timing(self) -> Timing:
        """How long a message takes to its effect and to its end."""
        return timing(self.dedup, self.work_s, self.write_s)

    def expected(self) -> Expected:
        """How many are lost and repeated on average, exactly; for messages that were sent once, without `faults`."""
        if self.sent_twice_ratio or self.faults:
            raise checks.refuse("Delivery.faults", self.faults, "leave out faults and messages that are sent twice")
        return expected(
            messages=self.messages,
            batch=self.batch,
            place=self.acknowledge,
            dedup=self.dedup,
            timing=self.timing,
            between_s=self.between_s,
        )

    def build(self, sim: Simulation) -> dict[str, Any]:
        """One topic, one group, one consumer; keeps its `ledger` and what was `published`."""
        before = self.acknowledge is Place.BEFORE
        kafka = Kafka(
            max_poll_records=self.batch,
            commit=Commit.BEFORE_PROCESSING if before else Commit.AFTER_BATCH,
            static_members=True,
            auto_offset_reset="earliest",
            initial_rebalance_delay_s=JOINED_S,
        ).start(sim)
        topic = kafka.topic(ORDERS)
        group = kafka.group(CONSUMER, [topic])
        numbers = self._published(sim)
        at_once = load.Constant(rate_per_s=AT_ONCE_PER_S).first(len(numbers))
        Source(SHOP, load=at_once, to=topic, event="order.placed")
        ledger = Ledger(by_key=self.dedup is Dedup.KEY)
        worker = Worker(self, numbers, ledger)
        if self.dedup in (Dedup.NONE, Dedup.KEY):
            a_message_s = times.Constant(value_s=self.timing.whole_s)
            Service(CONSUMER, of=group, service_time=a_message_s, handler=worker.book)
        else:
            Service(CONSUMER, of=group, handler=worker.work)
        if self.between_s is not None:
            Deaths(sim, group, self.between_s, self.down_s).await_first()
        for fault in self.faults:
            fault.install(sim)
        return {"ledger": ledger, "published": tuple(numbers)}

    def _published(self, sim: Simulation) -> list[int]:
        """The number of each message in order of publishing; a number that comes again was sent twice."""
        if not self.sent_twice_ratio:
            return list(range(self.messages))
        again = sim.streams.generator(f"{SHOP}/again").random(self.messages) < self.sent_twice_ratio
        return [number for number in range(self.messages) for _ in range(1 + int(again[number]))]


class Worker:
    """What the consumer does with a message, life after life: its memory dies with its node, the ledger does not."""

    def __init__(self, scenario: Delivery, numbers: list[int], ledger: Ledger) -> None:
        self._numbers = numbers
        self._dedup = scenario.dedup
        self._ledger = ledger
        self._work_s = scenario.work_s
        self._write_s = scenario.write_s

    def book(self, event: Event, context: Context) -> None:
        """The effect, at the end of the work."""
        self._effect(self._number(event), context)

    def work(self, event: Event, context: Context) -> Generator[Any, Any, None]:
        """One message: known already, or worked on step by step, with its effect and its note."""
        message = self._number(event)
        if self._knows(message, context):
            return
        steps = self._both_or_none if self._dedup is Dedup.TRANSACTION else self._one_by_one
        yield from steps(message, context)
        context.node.memory[message] = True

    def _one_by_one(self, message: int, context: Context) -> Generator[Any, Any, None]:
        dedup = self._dedup
        yield context.pause(self._work_s + self._write_s)
        if dedup is Dedup.NOTE_FIRST:
            self._note(message, context)
            yield context.pause(self._write_s)
        self._effect(message, context)
        if dedup is Dedup.EFFECT_FIRST:
            yield context.pause(self._write_s)
            self._note(message, context)

    def _both_or_none(self, message: int, context: Context) -> Generator[Any, Any, None]:
        yield context.pause(self._work_s)
        with self._ledger.transaction():
            yield context.pause(self._write_s)
            self._note(message, context)
            yield context.pause(self._write_s)
            self._ledger.effect(message, context.now_s)
        context.fact(BOOKED, message=message)

    def _effect(self, message: int, context: Context) -> None:
        """The world sees it from here on."""
        if self._ledger.effect(message, context.now_s):
            context.fact(BOOKED, message=message)

    def _note(self, message: int, context: Context) -> None:
        self._ledger.note(message)
        context.step("write", "note")

    def _knows(self, message: int, context: Context) -> bool:
        if self._dedup is Dedup.MEMORY:
            return message in context.node.memory
        return self._ledger.is_noted(message)

    def _number(self, event: Event) -> int:
        return self._numbers[int(str(event.id).rpartition("-")[2])]


class Deaths:
    """Crashes of the consumer after exponential times of work, until there is no work left.

    The consumer works from its start to its crash without a pause, because all messages lie ready.
    """

    def __init__(self, sim: Simulation, group: Group, between_s: float, down_s: float) -> None:
        self._sim = sim
        self._group = group
        self._down_s = down_s
        self._draw = times.Exponential(mean_s=between_s).draws(sim.streams.generator(f"fault/{CONSUMER}/work"))

    def await_first(self) -> None:
        """Sets the first crash."""
        self._sim.at(JOINED_S + self._draw(), self._die)

    def _die(self) -> None:
        node = self._sim.nodes[f"{CONSUMER}/0"]
        idle = all(slot.message is None for slot in node.slots)
        if idle and not any(self._group.lag().values()):
            return
        back_s = float(self._sim.env.now) + self._down_s
        take_down([node], back_s)
        self._sim.at(back_s, partial(bring_back, node))
        self._sim.at(back_s + self._draw(), self._die)
