"""Chapter 12's trials: a learner's consumer, promises and chaos experiment, and the three bugs without a name.

A consumer's matrix is filled with crashes at every step, promises are held to runs that keep and break them, a chaos
experiment is tried on a shop that is well, on one that repeats, and on one that stays dead. Each verdict names the
mistake. Follows the outbox and the inbox (ES-07) and the Principles of Chaos Engineering. Left out: answers in words
and numbers, which are in `ch12.py`.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from .. import checks
from ..brokers import MemoryBus
from ..errors import ConfigurationError, EdasimError
from ..events import Event
from ..experiments import ChaosExperiment, ChaosVerdict
from ..failures import (
    Crash,
    Finding,
    Findings,
    Outcome,
    at_most_once,
    check,
    crash_points,
    eventually,
    exactly_once,
    no,
)
from ..failures import Verdict as Broken
from ..failures.promises import check_promises
from ..kernel import Run, Simulation
from ..scenarios import zoo
from ..scenarios.base import Scenario
from ..scenarios.order_shop import COURIER, PLACED, RELAY, RESERVED, STOCK, TILL, TOPOLOGY, OrderShop, Safety, Table
from ..services import Context, Service, Source, load
from ..services.handling import Publishing
from ..services.source import Occasion
from .ideas import WrongIdea
from .rules import Verdict, idea_in_words
from .trials import must_be_callable


class Shelf:
    """The stock's database in a learner's hands: reserve, note, put into the outbox; each alone, or several together.

    Each write is a step at which the stock may die; what is written in one `transaction` is one step.
    """

    def __init__(self, table: Table, notes: set[int], outbox: Publishing, context: Context) -> None:
        self._table, self._notes, self._outbox, self._context = table, notes, outbox, context
        self._held: list[Callable[[], None]] | None = None

    def is_noted(self, order_id: int) -> bool:
        """Whether the order is noted as done."""
        return order_id in self._notes

    def note(self, order_id: int) -> None:
        """Notes the order as done."""
        self._write(lambda: self._notes.add(order_id), "a note")

    def reserve(self, order_id: int) -> None:
        """Reserves the goods of the order."""
        self._write(lambda: self._reserve(order_id), "a reservation")

    def outbox(self, event: Event) -> None:
        """Writes an event into the outbox, from which the relay publishes it."""
        self._write(lambda: self._put(event), "a row of the outbox")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is there at its end, or never."""
        if self._held is not None:
            raise ConfigurationError(
                "a transaction is open already", field="transaction", remedy="write all of it in one block"
            )
        self._held = []
        yield
        held, self._held = self._held, None
        for write in held:
            write()
        self._context.step("write", "a transaction")

    def _write(self, write: Callable[[], None], what: str) -> None:
        if self._held is not None:
            self._held.append(write)
            return
        write()
        self._context.step("write", what)

    def _reserve(self, order_id: int) -> None:
        rows, context = self._table.add(order_id), self._context
        # noted in the log without a step of its own, since the step is that of the whole write
        context.sim.log.fact(
            context.now_s, "reserved", STOCK, event_id=context.event.id, trace_id=context.event.trace_id,
            order_id=order_id, rows=rows,
        )  # fmt: skip

    def _put(self, event: Event) -> None:
        self._outbox.publish(event, self._context.event, self._context.root)


Consumer = Callable[[int, Shelf, Callable[[Event], None]], Any]


@checks.configuration
class LearnersShop(Scenario):
    """The order shop, with a learner's function as the stock: `handle(order_id, shelf, publish)`.

    Its courier knows orders. The order `again` is published a second time, as by a till that got no answer.
    """

    handle: Consumer = checks.kind(object, "a function of (order_id, shelf, publish)")
    orders: tuple[int, ...] = checks.kind(tuple, "order ids", default=(1,))
    again: bool = checks.kind(bool, "True or False", default=False)

    @property
    def promises(self) -> tuple[Any, ...]:
        """One reservation and one parcel for each order; a second message about it asks for nothing more."""
        once = (
            exactly_once(to=STOCK, type=PLACED, effect="reserved", by="order_id"),
            at_most_once(to=COURIER, type=RESERVED, effect="parcel_booked", by="order_id"),
            no(lambda row: not row.is_reserved, "a parcel for goods that are not reserved", of="parcel_booked"),
        )
        come = eventually("parcel_booked", after=PLACED, by="order_id", within_s=600.0)
        return once if self.again else (*once, come)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The shop; keeps the `notes` of the stock."""
        wiring = MemoryBus().start(sim).wire(TOPOLOGY)
        rows = MemoryBus(name="stock database").start(sim).topic("outbox")
        table, notes, booked = Table("stock table"), set[int](), set[int]()
        outbox = Publishing(sim, STOCK, rows)

        def stock(event: Event, context: Context) -> None:
            self.handle(event.data["order_id"], Shelf(table, notes, outbox, context), context.publish)

        def courier(event: Event, context: Context) -> None:
            if event.data["order_id"] not in booked:
                order_id = event.data["order_id"]
                booked.add(order_id)
                context.fact("parcel_booked", order_id=order_id, is_reserved=table.has(order_id))

        def relay(event: Event, context: Context) -> None:
            context.publish(event)

        Service(STOCK, of=wiring.subscription(STOCK), handler=stock, to=wiring.destination(STOCK))
        Service(RELAY, of=rows.subscribe(RELAY), handler=relay, to=wiring.destination(STOCK))
        Service(COURIER, of=wiring.subscription(COURIER), handler=courier)
        ids = [*self.orders, self.orders[0]] if self.again else list(self.orders)
        Source(
            TILL, load=load.Trace(times_s=tuple(1.0 + place for place in range(len(ids)))),
            to=wiring.destination(TILL), event=lambda occasion: _order(ids, occasion),
        )  # fmt: skip
        return {"notes": notes}


def _order(ids: Sequence[int], occasion: Occasion) -> Event:
    return Event(type=PLACED, subject=f"o-{ids[occasion.number]}", data={"order_id": ids[occasion.number]})


def reserved(order_id: int) -> Event:
    """The event that tells the courier: goods are reserved for this order."""
    return Event(type=RESERVED, subject=f"o-{order_id}", data={"order_id": order_id})


def consumer_trial(handle: Consumer, seed: int) -> Verdict:
    """A learner's stock: without any fault, with an order that comes twice, and with a crash at every step."""
    must_be_callable(handle)
    orders = tuple(random.Random(seed).sample(range(1, 10_000), 2))
    calm = LearnersShop(handle=handle, orders=orders)
    told: list[str] = []
    found = check(calm.but(handle=_telling(handle, told)).run())
    if told:
        return Verdict(False, f"Nothing crashed, and your function did not do its work: {told[0]}.", _HOW_IT_IS_CALLED)
    if found:
        return Verdict(False, f"Nothing failed, and still: {found[0].what}.", "Reserve, and tell the courier.")
    if check(calm.run()):
        idea = (
            "It remembers in a variable of its own, which a restart empties and another shop inherits. Notes survive."
        )
        said = "It worked once; the same orders in another shop go wrong."
        return Verdict(False, said, idea_in_words(idea, WrongIdea.IDEMPOTENT_IS_A_MEMORY))
    twice = check(calm.but(again=True).run())
    if twice:
        return Verdict(False, f"An order came twice: {twice[0].what}.", "It does not ask whether the order is noted.")
    matrix = crash_points(calm, nodes=[STOCK, RELAY])
    bad = next((cell for cell in matrix.cells if cell.outcome is not Outcome.SURVIVED), None)
    if bad is not None:
        wrong = len(matrix.cells) - matrix.count("survived")
        where = f"{wrong} of {len(matrix.cells)} cells are not “survived”. The first: {bad}"
        return Verdict(False, where, _consumer_idea(bad.findings))
    return Verdict(True, f"All {len(matrix.cells)} cells are “survived”.")


_HOW_IT_IS_CALLED = (
    "It is called as handle(order_id, shelf, publish), as a plain function; what it raises, nobody sees."
)


def _telling(handle: Consumer, told: list[str]) -> Consumer:
    """The same consumer; what it raises, or that its body never ran, is told as well."""

    def telling(order_id: int, shelf: Shelf, publish: Callable[[Event], None]) -> None:
        try:
            answer = handle(order_id, shelf, publish)
        except EdasimError:
            raise
        except Exception as failure:
            told.append(f"{type(failure).__name__}: {failure}")
            raise
        if isinstance(answer, Iterator):
            told.append("it has a `yield`, so calling it runs nothing")

    return telling


def _consumer_idea(found: Findings) -> str:
    outcome = Outcome.of(found)
    if outcome in (Outcome.STUCK, Outcome.LOST):
        return (
            "The shelf says “done”, and nobody told the courier: what comes again is skipped. The event has to be "
            "written in the same transaction as the note. What could publish it later?"
        )
    if outcome is Outcome.VIOLATED:
        return (
            "It tells the courier before it has written anything: of a reservation that is not there, and may never be."
        )
    return "The reservation was there and its note was not: what comes again is done again. Write both in one step."


def promise_trial(promises: Any, seed: int) -> Verdict:
    """A learner's promises, held to runs of the shop that keep “one parcel for each order, in a minute”, or do not."""
    stated = check_promises("answer", list(promises) if isinstance(promises, list | tuple) else [promises])
    if not stated:
        return Verdict(False, "There is no promise in it.", "Give a list, such as [failures.at_least_once(to=…)].")
    for words, run, is_kept, idea in _promise_cases(seed):
        found = check(run, stated)
        if is_kept and found:
            return Verdict(False, f"{words} Your promise says: {found[0].what}.", _too_strict(found[0], idea))
        if not is_kept and not found:
            return Verdict(False, f"{words} Your promise finds nothing.", idea)
    return Verdict(True, "It tells the runs that keep it from those that do not.")


def _too_strict(finding: Finding, idea: str) -> str:
    """Why a kept promise was called broken: it waits too short, or for something that nobody tells; else `idea`."""
    if finding.verdict is Broken.LATE:
        return "It came within the minute that marketing promises. Yours allows less."
    if finding.verdict in (Broken.LOST, Broken.STUCK):
        return "It waits for something that never happens in a shop that is well: is it spelled as in the task?"
    return idea


def _promise_cases(seed: int) -> Iterator[tuple[str, Run, bool, str]]:
    """What happened, the run, whether the promise was kept in it, and the idea behind a wrong verdict."""
    rng = random.Random(seed)
    at_s = sorted(round(rng.uniform(1.0, 4.0), 2) for _ in range(3))
    arrivals = load.Trace(times_s=tuple(at_s))
    whole, bare = OrderShop(arrivals=arrivals, safety=Safety.BOTH), OrderShop(arrivals=arrivals)
    known = OrderShop(arrivals=arrivals, safety=Safety.INBOX)
    written_s = at_s[0] + bare.checking_s + bare.connecting_s / 2
    published_s = at_s[0] + bare.checking_s + bare.connecting_s + bare.closing_s / 2

    def dying(shop: OrderShop, node: str, when_s: float, down_s: float = 1.0) -> Run:
        return shop.but(faults=[Crash(node=node, at_s=when_s, down_s=down_s)]).run()

    yield "Each order got its parcel at once.", whole.run(), True, "It asks for more than one parcel in a minute."
    yield (
        "The stock died and was restarted; each order got one parcel within seconds.", dying(whole, STOCK, written_s),
        True, "A message that is delivered twice is no second parcel. Promise the effect, not the delivery.",
    )  # fmt: skip
    yield (
        "An order was reserved, and the courier was never told.", dying(known, STOCK, written_s), False,
        "What was never published is owed to nobody. Begin where the customer begins: at order.placed.",
    )  # fmt: skip
    yield (
        "An order got two parcels, for two messages with different ids.", dying(bare, STOCK, published_s), False,
        "By the id of a message each was done once. Say by what two messages are about one order.",
    )  # fmt: skip
    yield (
        "The relay died and told of an order twice; the courier knew it and booked one parcel.",
        dying(whole, RELAY, published_s), True,
        "A message that is delivered twice is no second parcel. Promise the effect, not the delivery.",
    )  # fmt: skip
    yield (
        "The courier was away for 45 s; each order got one parcel within the minute.",
        dying(whole, COURIER, at_s[0] + 0.01, 45.0), True, "It asks for more than one parcel in a minute.",
    )  # fmt: skip
    yield (
        "A parcel was booked only after 75 s.", dying(whole, COURIER, at_s[0] + 0.01, 75.0), False,
        "Eventually is no promise to a customer. Say within how many seconds: a minute has 60.",
    )  # fmt: skip


def planned_shop() -> OrderShop:
    """The shop for which an experiment is to be planned: four orders per second for eight seconds, all protected."""
    arrivals = load.Poisson(rate_per_s=4.0).until(8.0)
    return OrderShop(arrivals=arrivals, safety=Safety.BOTH, parcel_within_s=20.0)


PLAN_RUNS = 3


def plan_trial(plan: Any, seed: int) -> Verdict:
    """A chaos experiment: whether it has a steady state, sees a shop that is dead, and stops in time."""
    if not isinstance(plan, ChaosExperiment):
        return Verdict(False, f"{plan!r} is no experiment.", "Give experiments.ChaosExperiment(scenario=…, …).")
    if plan.abort is None:
        idea = "Who ends it, when customers are hurt? Principles of chaos: keep the blast radius small."
        return Verdict(False, "It has no abort rule.", idea)
    if not any(getattr(getattr(fault, "then", fault), "node", "").split("/")[0] == COURIER for fault in plan.faults):
        idea = f"Yours: {'; '.join(fault.describe() for fault in plan.faults)}. The question is about the courier."
        return Verdict(False, "It does not crash the courier.", idea)
    return _tried(dataclasses.replace(plan, runs=min(plan.runs, PLAN_RUNS)), seed)


def _tried(few: ChaosExperiment, seed: int) -> Verdict:
    """A plan that has all its parts, tried on the shop and on one whose courier stays dead."""
    report = few.run(seed=seed % 1000, workers=1)
    if report.verdict is ChaosVerdict.NO_STEADY_STATE:
        idea = "Without a fault the claim does not hold either, so nothing is said about the fault. Measure it first."
        return Verdict(False, "There is no steady state.", idea)
    if report.aborted:
        idea = (
            "It gives up runs of a shop that recovers by itself; or your fault lasts longer than a second. Should the "
            "metric grow when customers wait?"
        )
        return Verdict(False, f"{report.aborted} of {few.runs} runs were given up.", idea)
    if report.verdict is not ChaosVerdict.HOLDS:
        idea = "This shop survives a short crash. The bound is closer to the calm shop than the fault allows."
        return Verdict(False, f"The verdict is “{report.verdict.value}”.", idea)
    dead = dataclasses.replace(few, faults=(Crash(node=COURIER, at_s=2.0, down_s=3600.0),))
    if dataclasses.replace(dead, abort=None).run(seed=seed % 1000, workers=1).verdict is not ChaosVerdict.BROKEN:
        idea = "A courier that is away for an hour keeps your claim as well. Then it claims nothing about customers."
        return Verdict(False, "It cannot tell a dead shop from a live one.", idea)
    if not dead.run(seed=seed % 1000, workers=1).aborted:
        idea = (
            "The courier stays dead, customers wait, and the rule never fires: its metric does not see them, or its "
            "bound is never reached."
        )
        return Verdict(False, "It does not stop.", idea)
    return Verdict(True, "It holds, it would have seen a dead shop, and it would have stopped.")


BUGS = ("notes before the work", "retries on another topic", "swallows the error")
"""The species that the chapter shows without their names, in this order."""

OTHERS = ("acknowledges first", "publishes and forgets", "wrong key")
"""Species that are offered beside them."""


def offered_bugs() -> tuple[str, ...]:
    """The names that are offered, in the order of what they get wrong, so that the order tells nothing."""
    return tuple(sorted((*BUGS, *OTHERS), key=lambda name: zoo.species(name).what))


def unnamed_bugs() -> tuple[Finding, ...]:
    """What the oracle finds of each of the three bugs: the finding that the chapter shows, without a name."""
    return tuple(hunted(name).finding for name in BUGS)


def repaired_bugs() -> tuple[Findings, ...]:
    """What the oracle finds of the correct twin of each of the three, among the same faults."""
    return tuple(check(zoo.species(name).run_of_twin(hunted(name).seed)) for name in BUGS)


@lru_cache(maxsize=len(BUGS))
def hunted(name: str) -> zoo.Hunt:
    """Where a species of the zoo is found first."""
    caught = zoo.species(name).hunt()
    assert caught is not None, name
    return caught
