"""What chapter 06 does with a learner's code: cuts its power at every step, tries again late, lets brokers fail.

Each trial takes the learner's answer and a seed, and returns a verdict that names the mistake. Follows: SQLite's
transactions (`scenarios.delivery.Ledger`), JetStream's duplicate window (NAT-07), Kafka's producer (KAF-26, KAF-28).
Left out: the checks of answers in words and numbers, which are in `ch06.py`.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..brokers import JetStream, Kafka
from ..events import Event
from ..kernel import Simulation
from ..scenarios.delivery import Ledger
from ..services import Service
from .ideas import WrongIdea
from .rules import Verdict, idea_in_words
from .trials import must_be_callable

MESSAGES = 4
MOST_STEPS = 200
NEVER_CUT = 1_000_000
FAR_TOO_LONG = 2.0
"""A window of more than so many times what is needed keeps ids for nothing."""


class PowerCut(BaseException):
    """The process is gone; no `except Exception` of a learner catches it."""


class Store:
    """A ledger whose power is cut at its step number `cut_at`: right after the step was carried out.

    A transaction has two steps of its own: all is written inside it, and it is committed. Without power nothing is
    carried out, whatever the code that was running does with the error, until `next_life`.
    """

    def __init__(self, ledger: Ledger, cut_at: int) -> None:
        self._ledger = ledger
        self._left = cut_at

    def is_noted(self, message: int) -> bool:
        """Whether the message is noted as done."""
        self._need_power()
        return self._ledger.is_noted(message)

    def note(self, message: int) -> None:
        """Notes the message as done."""
        self._need_power()
        self._ledger.note(message)
        self._step()

    def effect(self, message: int) -> None:
        """The effect of the message, such as a booking."""
        self._need_power()
        self._ledger.effect(message, 0.0)
        self._step()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside becomes visible at its end, or never."""
        self._need_power()
        with self._ledger.transaction():
            yield
            self._need_power()
            self._step()
        self._step()

    @property
    def was_cut(self) -> bool:
        """Whether the power was cut in this life."""
        return self._left == 0

    def next_life(self) -> None:
        """The power is back, and is not cut again."""
        self._left = NEVER_CUT

    def _need_power(self) -> None:
        if self.was_cut:
            raise PowerCut

    def _step(self) -> None:
        self._left -= 1
        self._need_power()


def consumer_trial(handle: Callable[[int, Store], Any], seed: int) -> Verdict:
    """Delivers messages to a learner's `handle(message, store)`, and cuts the power once at each of its steps.

    After a cut the message in work comes again; the first message, and some others, come twice anyway.
    """
    must_be_callable(handle)
    rng = random.Random(seed)
    messages = rng.sample(range(10_000), MESSAGES)
    arriving = [
        message for message in messages for _ in range(2 if message == messages[0] or rng.random() < 0.3 else 1)
    ]
    for cut_at in (MOST_STEPS, *range(1, MOST_STEPS)):
        ledger = Ledger()
        was_cut = _delivered(handle, arriving, ledger, cut_at)
        done = Counter(message for message, _ in ledger.effects())
        verdict = _consumer_verdict(done, set(messages), ledger, was_cut=was_cut)
        if not verdict.passed:
            return verdict
        if not was_cut and cut_at < MOST_STEPS:
            break
    return Verdict(True, f"Each effect came once, at each of {cut_at - 1} places where the power was cut.")


def _delivered(handle: Callable[[int, Store], Any], arriving: list[int], ledger: Ledger, cut_at: int) -> bool:
    """Delivers all messages one by one, the one in work again after a cut; True if there was a cut."""
    store, was_cut = Store(ledger, cut_at), False
    for message in arriving:
        with suppress(PowerCut):
            handle(message, store)
        if store.was_cut:
            was_cut = True
            store.next_life()
            handle(message, store)
    return was_cut


def _consumer_verdict(done: Counter[int], wanted: set[int], ledger: Ledger, *, was_cut: bool) -> Verdict:
    lost, twice = wanted - set(done), [message for message, n in done.items() if n > 1]
    noted = [message for message in wanted if ledger.is_noted(message)]
    if lost and not was_cut:
        idea = "It never calls effect; or it asks a variable of its own, which still knows those of an earlier try."
        return Verdict(False, f"{len(lost)} messages have no effect, although nothing failed.", idea)
    if lost:
        idea = (
            "The note was on disk and the effect was not: after the cut the note says “done”. Write both in one step."
        )
        return Verdict(False, "With the power cut at one of its steps, an effect never came.", idea)
    if twice and not was_cut:
        idea = "It notes nothing." if len(noted) < len(wanted) else "It does not ask is_noted before it acts."
        return Verdict(False, "A message that came twice had its effect twice.", idea)
    if twice:
        idea = "The effect was there and its note was not: after the cut nobody knows. Write both in one step."
        return Verdict(False, "With the power cut at one of its steps, an effect came twice.", idea)
    if len(noted) < len(wanted):
        idea = (
            "It remembers in a variable of its own. That memory is gone after a restart; the notes are what survives."
        )
        return Verdict(False, "Each effect came once, for now.", idea_in_words(idea, WrongIdea.IDEMPOTENT_IS_A_MEMORY))
    return Verdict(True, "Each effect came once.")


def window_trial(window: Callable[[list[float]], Any], seed: int) -> Verdict:
    """Publishes with a message id, again after each of some waits, to a stream with the window that a learner gives."""
    must_be_callable(window)
    rng = random.Random(seed)
    waits_s = sorted(round(rng.uniform(20.0, 300.0), 1) for _ in range(rng.randrange(3, 6)))
    answer = window(list(waits_s))
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        return Verdict(False, f"It returned {answer!r}.", "Return a number of seconds; without `return` it is None.")
    window_s = float(answer)
    stored = tries_stored(waits_s, window_s)
    needed_s = sum(waits_s)
    case = f"With waits of {', '.join(f'{wait_s:g}' for wait_s in waits_s)} s and a window of {window_s:g} s"
    if stored > 1:
        return Verdict(False, f"{case} the message is stored {stored} times.", _window_idea(waits_s, window_s))
    if window_s > FAR_TOO_LONG * needed_s:
        idea = "The server keeps every id for the whole window. Size it by the last try, with some room, not by fear."
        return Verdict(False, f"{case} the message is stored once, but {needed_s:g} s would do.", idea)
    return Verdict(True, f"{case} the message is stored once.")


def tries_stored(waits_s: list[float], window_s: float) -> int:
    """How often JetStream stores one message id that is published at once and again after each of the waits."""
    sim = Simulation(seed=0)
    server = JetStream().start(sim)
    server.stream("orders", subjects="orders.>", duplicate_window_s=window_s)
    answers = []

    def publisher() -> Generator[Any, Any, None]:
        for wait_s in [0.0, *waits_s]:
            yield sim.env.timeout(wait_s)
            answers.append(server.publish("orders.placed", Event(type="order.placed"), message_id="order-7"))

    sim.env.process(publisher())
    sim.run(until_s=sum(waits_s) + 1.0)
    return sum(not answer.duplicate for answer in answers)


def _window_idea(waits_s: list[float], window_s: float) -> str:
    if window_s == sum(waits_s):
        return "The last try comes exactly as the window closes. Leave some room: a try also takes time on its way."
    if window_s == 120.0:
        return "These are the server's default two minutes. The default does not know how long your producer tries."
    if window_s in waits_s:
        return "That is one wait. The window begins when the message is first stored, so the waits add up."
    return "The window must be open when the last try comes. When is that, seen from the first?"


def producer_trial(settings: Any, seed: int) -> Verdict:
    """Lets brokers fail under a producer with a learner's settings, and counts how often a record can be read."""
    if not isinstance(settings, Kafka):
        return Verdict(False, f"{settings!r} is no Kafka configuration.", "Give eda.Kafka(…) itself.")
    rng = random.Random(seed)
    at_s = round(rng.uniform(1.0, 3.0), 2)
    unanswered = records_kept(settings, at_s, cut_off=True, dies_after_s=4.0)
    unreplicated = records_kept(settings, at_s, cut_off=False, dies_after_s=0.1)
    if unreplicated == 0:
        idea = "Its leader said yes, and died before any other broker had the record. Who has to have it first?"
        return Verdict(
            False,
            "A record that was acknowledged is in no log.",
            idea_in_words(idea, WrongIdea.A_BROKER_IS_RELIABILITY),
        )
    if unanswered > 1 or unreplicated > 1:
        idea = "No answer came, so the producer sent it again; the first one had been stored. Who could know it again?"
        return Verdict(False, "A record is in the log twice.", idea_in_words(idea, WrongIdea.A_TIMEOUT_MEANS_NO))
    return Verdict(True, "The record is in the log once, whatever failed.")


def records_kept(settings: Kafka, at_s: float, *, cut_off: bool, dies_after_s: float) -> int:
    """How often a record can be read whose leader dies some seconds after its publishing at `at_s`.

    If `cut_off`, one of the two other brokers is slow to follow, so that the answer is still out when the leader dies.
    """
    quick = dataclasses.replace(
        settings, brokers=3, replicas=3, partitions=1, replication_s=0.2, auto_offset_reset="earliest",
        initial_rebalance_delay_s=0.0, commit="after_each",
    )  # fmt: skip
    sim = Simulation(seed=0)
    kafka = quick.start(sim)
    topic = kafka.topic("orders")
    read: list[Event] = []
    Service("reader", of=topic.group("reader"), handler=lambda event, _context: read.append(event))
    producer = kafka.producer("shop")
    if cut_off:
        sim.at(0.5, lambda: kafka.cut_off_broker(2))
        sim.at(at_s + 20.0, lambda: kafka.reconnect_broker(2))
    sim.at(at_s, lambda: producer.send(topic, Event(type="order.placed")))
    sim.at(at_s + dies_after_s, lambda: kafka.crash_broker(0))
    sim.run(until_s=150.0)
    return len(read)
