"""A relay that crashes: reads orders, sends a mail for each, and writes a receipt to another topic, batch by batch.

With a Kafka transaction the receipts of a batch and its committed offset become visible together or not at all
(KAF-29); a restarted relay shuts the former one out (KAF-30). The mail is outside: no transaction takes it back.
Follows the consume-transform-produce loop of KIP-98. Left out: a mail provider that knows a mail again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from ... import checks
from ...brokers import Kafka
from ...errors import ConfigurationError
from ...events import Event
from ...kernel import Run, Simulation, times
from ...services import Context, Service, Source, load
from ...services.source import Occasion
from ..base import Scenario

RELAY, LEDGER, SCREEN = "relay", "ledger", "screen"
AT_ONCE_PER_S, JOINED_S, NEVER_S = 1e9, 0.1, 1e12


@checks.configuration
class Relay(Scenario):
    """`messages` orders lie ready; a relay mails and receipts them in batches of `batch`, and dies now and then.

    A message takes `work_s`; crashes come every `crash_every` messages' work on average (exponential; None: never),
    and the relay is back after `down_s`. `transactional` relays wrap each batch in a transaction. Two readers count
    receipts: one that sees committed records only, one that sees all.

    >>> relay_books(Relay(messages=20, batch=5, crash_every=None).run(seed=1)).mailed_again
    0
    """

    messages: int = checks.at_least(1, default=1000)
    batch: int = checks.at_least(1, default=20)
    transactional: bool = checks.kind(bool, "True or False", default=True)
    crash_every: float | None = checks.optional(checks.check_positive, default=100.0)
    work_s: float = checks.positive(default=0.01)
    down_s: float = checks.positive(default=0.05)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """Two topics, the relay and two readers; keeps `mails`, `committed` and `seen` (receipts by order)."""
        kafka = Kafka(
            static_members=True,
            auto_offset_reset="earliest",
            initial_rebalance_delay_s=JOINED_S,
            max_poll_records=self.batch,
            auto_commit_interval_s=NEVER_S,
        ).start(sim)
        orders, receipts = kafka.topic("orders"), kafka.topic("receipts")
        Source("shop", load=load.Constant(rate_per_s=AT_ONCE_PER_S).first(self.messages), to=orders, event=_order)
        mails: Counter[str] = Counter()
        loop = _Loop(self, sim, kafka, mails)
        sim.on_start(loop.live)
        kept: dict[str, Any] = {"mails": mails}
        for name, reader, isolation in (
            ("committed", LEDGER, "read_committed"),
            ("seen", SCREEN, "read_uncommitted"),
        ):
            count = kept[name] = Counter()
            Service(reader, of=kafka.group(reader, [receipts], isolation=isolation), handler=_counting(count))
        return kept


def _order(occasion: Occasion) -> Event:
    return Event(type="order.placed", subject=f"order-{occasion.number}")


def _counting(count: Counter[str]) -> Any:
    def read(event: Event, _context: Context) -> None:
        count[str(event.subject)] += 1

    return read


class _Loop:
    """The relay's process, life after life."""

    def __init__(self, relay: Relay, sim: Simulation, kafka: Any, mails: Counter[str]) -> None:
        self._relay = relay
        self._sim = sim
        self._kafka = kafka
        self._orders, self._receipts = kafka.topic("orders"), kafka.topic("receipts")
        self._group = kafka.group(RELAY, [self._orders])
        self._mails = mails
        self._lives = 0
        self._left_s = float("inf")
        if relay.crash_every is not None:
            between = times.Exponential(mean_s=relay.crash_every * relay.work_s)
            self._draw = between.draws(sim.streams.generator(f"fault/{RELAY}/work"))
            self._left_s = self._draw()

    def live(self) -> None:
        """A new process begins."""
        self._sim.env.process(self._life())

    def _life(self) -> Generator[Any, Any, None]:
        relay, group = self._relay, self._group
        self._lives += 1
        name = RELAY if self._lives == 1 else f"{RELAY}#{self._lives}"
        producer = self._kafka.producer(name, transactional_id=RELAY if relay.transactional else None)
        while True:
            last = yield from self._batch(producer)
            if last is None:
                return
            if relay.transactional:
                producer.send_offsets(group, {(last.topic, last.partition): last.offset + 1})
                yield producer.commit()
                last.done()
            else:
                last.commit()

    def _batch(self, producer: Any) -> Generator[Any, Any, Any]:
        """Works through a batch; returns its last record, still in hand, or None if the process died of it."""
        relay = self._relay
        for place in range(relay.batch):
            record = yield self._group.receive(consumer=RELAY)
            if place == 0 and relay.transactional:
                producer.begin()
            if (yield from self._dies_at_work()):
                return None
            event = record.event
            self._mails[str(event.subject)] += 1
            producer.send(self._receipts, event.follow(type="receipt.written", subject=event.subject))
            if place + 1 == relay.batch or record.offset + 1 == relay.messages:
                return record
            record.done()
        return None

    def _dies_at_work(self) -> Generator[Any, Any, bool]:
        """Works on a message; True if the process died of it."""
        if self._left_s > self._relay.work_s:
            self._left_s -= self._relay.work_s
            yield self._sim.env.timeout(self._relay.work_s)
            return False
        yield self._sim.env.timeout(self._left_s)
        self._left_s = self._draw()
        now_s = float(self._sim.env.now)
        self._sim.log.fact(now_s, "node_crashed", RELAY, service=RELAY, in_work=1)
        self._group.crash(RELAY)
        self._sim.at(now_s + self._relay.down_s, self.live)
        return True


@dataclass(frozen=True)
class RelayBooks:
    """Counts of one run: `crashes`; orders without a receipt or mail, and what came more than once, in each place."""

    crashes: int
    without_receipt: int
    committed_again: int
    seen_again: int
    without_mail: int
    mailed_again: int

    def __str__(self) -> str:
        return "\n".join(f"{name.replace('_', ' '):<16} {value:>5}" for name, value in vars(self).items())


def relay_books(run: Run) -> RelayBooks:
    """The books of a run of `Relay`."""
    if "committed" not in run.kept:
        raise ConfigurationError(
            "this run is not of Relay", field="run", remedy="give a run of scenarios.delivery.Relay"
        )
    messages = int(getattr(run.scenario, "messages", 0))
    mails, committed, seen = (run.kept[name] for name in ("mails", "committed", "seen"))
    return RelayBooks(
        crashes=sum(fact.kind == "node_crashed" for fact in run.fact_list),
        without_receipt=messages - len(committed),
        committed_again=committed.total() - len(committed),
        seen_again=seen.total() - len(seen),
        without_mail=messages - len(mails),
        mailed_again=mails.total() - len(mails),
    )


__all__ = ["Relay", "RelayBooks", "relay_books"]
