"""The systems of the resilience lab: each with its protections, the faults that it can meet, and what it promises.

A system tells one short story without chance, so that a crash at any instant of it has one outcome, and has a crowd:
the same system with many such stories, which by chance overlap. Left out: systems that depend on chance alone, such as
retry storms; they have a lab and a map of their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import UnknownNameError
from ..failures import (
    BrokerCrash,
    Crash,
    Fault,
    LoseMessages,
    Pause,
    Promise,
    StoreFull,
    at_least_once,
    at_most_once,
    eventually,
    exactly_once,
    no,
)
from ..kernel import Run, times
from ..kernel.runlog import DONE
from ..network import Link
from ..scenarios import zoo
from ..scenarios.order_shop import COURIER, PLACED, RESERVED, STOCK, OrderShop, Safety
from ..scenarios.registration import ACCEPTED, BROKERS, MAIL_REQUESTED, REQUESTED, Care, clockwork, on_broker
from ..scenarios.registration.on_brokers import MEMORY_BUS
from ..scenarios.registration.scenario import ANALYTICS, MAIL, USERS
from ..scenarios.standby_ledger import ENTRY, LEDGER, StandbyLedger, Store
from ..services import load

MakeFault = Callable[[float, float], Fault | None]
"""A fault from its instant and its length, both in seconds; None for a run without one."""

CALM = "nothing fails"
"""The control experiment, which every system has."""

CROWD_PER_S, CROWD_FROM_S, CROWD_UNTIL_S, CROWD_FAULT_S, IN_TIME_S = 10.0, 1.0, 13.0, 5.0, 1.0
"""The crowd: so many stories per second, from when to when, when the fault comes, and what counts as in time."""

GIVEN_UP_AFTER_S = 0.5
AS_WRITTEN, REPAIRED, ALL = "as it was written", "repaired", "all that it promises"


@dataclass(frozen=True)
class System:
    """One system: `versions` by protection, `faults` and `promises` by their words.

    The story begins at `begins_s`; a run ends at `until_s` (None: when nothing is left to do). `crowd` makes a version
    into a crowded one; `asked` is the type of event that begins a story, `answered` the kind of fact that ends it, and
    `by` the field that joins them (None: the event's id). Without `asked` each message is a story, answered when it is
    done. A `schedule` draws the crowd's faults by a seed; without one it is the chosen fault.
    """

    name: str
    tells: str
    versions: Mapping[str, Any]
    faults: Mapping[str, MakeFault]
    promises: Mapping[str, tuple[Promise, ...]]
    crowd: Callable[[Any], Any]
    asked: str = ""
    answered: str = ""
    by: str | None = None
    begins_s: float = 1.0
    until_s: float | None = None
    schedule: Callable[[int], tuple[Fault, ...]] | None = None

    def crowd_faults(self, fault: str, for_s: float, seed: int) -> tuple[Fault, ...]:
        """The faults as they come to the crowd."""
        if self.schedule is not None and fault != CALM:
            return self.schedule(seed)
        made = self.faults[fault](CROWD_FAULT_S, float(for_s))
        return () if made is None else (made,)

    def answers_s(self, run: Run) -> tuple[Any, Any]:
        """Instants in seconds at which stories began, and at which each was first answered (inf: never)."""
        begun, done = self._by_fact(run) if self.asked else _by_delivery(run)
        asked_s = np.array(list(begun.values()))
        return asked_s, np.array([done.get(key, np.inf) for key in begun])

    def _by_fact(self, run: Run) -> tuple[dict[Any, float], dict[Any, float]]:
        begun: dict[Any, float] = {}
        done: dict[Any, float] = {}
        rows = run.deliveries
        for number, published_s in zip(rows.number.tolist(), rows.published_s.tolist(), strict=True):
            event = run.numbered_events[number]
            if event.type == self.asked:
                begun.setdefault(event.data[self.by] if self.by else str(event.id), published_s)
        for fact in run.fact_list:
            if fact.kind == self.answered:
                done.setdefault(fact.detail[self.by or "event_id"], fact.time_s)
        return begun, done


def _by_delivery(run: Run) -> tuple[dict[Any, float], dict[Any, float]]:
    """When each message was published, and when it was first done."""
    rows = run.deliveries
    begun = dict(zip(rows.number.tolist(), rows.published_s.tolist(), strict=True))
    finished = rows.outcome == DONE
    pairs = sorted(zip(rows.finished_s[finished].tolist(), rows.number[finished].tolist(), strict=True), reverse=True)
    return begun, {number: finished_s for finished_s, number in pairs}


def nothing(_at_s: float, _for_s: float) -> None:
    """No fault."""


def crashes(node: str) -> MakeFault:
    """The service dies, and is back."""
    return lambda at_s, for_s: Crash(node=node, at_s=at_s, down_s=for_s)


def pauses(node: str) -> MakeFault:
    """A node stands still, and goes on; the broker gives it up after half a second."""
    return lambda at_s, for_s: Pause(node=node, at_s=at_s, for_s=for_s, given_up_after_s=GIVEN_UP_AFTER_S)


def loses(link: str) -> MakeFault:
    """A link loses everything for a while."""
    return lambda at_s, for_s: LoseMessages(sender=link, at_s=at_s, for_s=for_s)


def fills(store: str) -> MakeFault:
    """A store has no room for a while."""
    return lambda at_s, for_s: StoreFull(store=store, at_s=at_s, for_s=for_s)


def broker_crashes(at_s: float, for_s: float) -> Fault:
    """The broker dies, and is back."""
    return BrokerCrash(at_s=at_s, down_s=for_s)


def registration(broker: str) -> System:
    """The registration case on a broker."""
    asks: dict[str, Any] = {"to": MAIL, "type": MAIL_REQUESTED, "effect": "mail_arrived", "by": "user_id"}
    faults: dict[str, MakeFault] = {
        "the mail service crashes": crashes(MAIL),
        "behaviour-analytics crashes": crashes(ANALYTICS),
        "user-management crashes": crashes(USERS),
        "a mail node stands still": pauses(f"{MAIL}/0"),
        "mails get lost on the way": loses("mail link"),
        "answers get lost": loses("mail answers"),
        "the mail folder is full": fills("mail folder"),
    }
    if broker != MEMORY_BUS:
        faults["the broker crashes"] = broker_crashes
    faults[CALM] = nothing
    stories = (load.Trace(times_s=(1.0,)), crowd_arrivals())

    def versions(arrivals: load.Arrivals, link: Link) -> dict[str, Any]:
        plain = clockwork(arrivals=arrivals, mail_link=link, answer_timeout_s=0.5)
        return {care.value: on_broker(care.of(plain), broker) for care in Care}

    calm, busy = Link(latency=times.Constant(value_s=0.1)), Link(latency=times.LogNormal(mean_s=0.05, scv=1.0))
    crowded = versions(stories[1], busy)
    return System(
        name=f"registration on {'the ' if broker == MEMORY_BUS else ''}{broker}",
        tells="One user signs up: checked, accepted, a row written, a welcome mail sent, its link opened after 5 s.",
        versions=versions(stories[0], calm),
        faults=faults,
        promises={
            "one mail for each accepted user": (exactly_once(**asks),),
            "at least one mail": (at_least_once(**asks),),
            "at most one mail": (at_most_once(**asks),),
            "a row for each accepted user": (at_least_once(to=USERS, type=ACCEPTED, effect="user_written"),),
            "a mail within 1 s of the sign-up": (
                eventually("mail_arrived", after=REQUESTED, by="user_id", within_s=IN_TIME_S),
            ),
        },
        asked=REQUESTED,
        answered="mail_arrived",
        by="user_id",
        crowd=lambda version: next(
            each
            for each in crowded.values()
            if (version.acknowledge, version.sender) == (each.acknowledge, each.sender)
        ),
    )


def crowd_arrivals() -> load.Arrivals:
    """Stories at random instants, for a while."""
    return load.Poisson(rate_per_s=CROWD_PER_S).until(CROWD_UNTIL_S)


def order_shop() -> System:
    """The order shop, with its inbox and outbox."""
    parcels = {"to": COURIER, "type": RESERVED, "effect": "parcel_booked", "by": "order_id"}
    once = (
        eventually("parcel_booked", after=PLACED, by="order_id", within_s=300.0, words="a parcel for each order"),
        at_most_once(**parcels),
    )
    return System(
        name="order shop",
        tells="One order: the stock checks it, reserves goods, tells the courier, who books a parcel.",
        versions={safety.value: OrderShop(safety=safety) for safety in Safety},
        faults={
            "the stock crashes": crashes(STOCK),
            "the courier crashes": crashes(COURIER),
            "the stock stands still": pauses(f"{STOCK}/0"),
            "the stock table is full": fills("stock table"),
            CALM: nothing,
        },
        promises={
            "one parcel for each order": once,
            "a parcel for each order": once[:1],
            "at most one parcel": once[1:],
            "one reservation for each order": (exactly_once(to=STOCK, type=PLACED, effect="reserved", by="order_id"),),
            "a parcel within 1 s": (eventually("parcel_booked", after=PLACED, by="order_id", within_s=IN_TIME_S),),
        },
        asked=PLACED,
        answered="parcel_booked",
        by="order_id",
        crowd=lambda version: version.but(arrivals=crowd_arrivals()),
    )


def standby_ledger() -> System:
    """The ledger with a standby, with and without a fencing token."""
    return System(
        name="ledger with a standby",
        tells="Ten entries, two per second; the leader thinks 200 ms and writes; its lease of 1.5 s is renewed.",
        versions={store.value: StandbyLedger(store=store) for store in Store},
        faults={
            "the leader crashes": crashes(f"{LEDGER}/0"),
            "the leader stands still": pauses(f"{LEDGER}/0"),
            "both nodes crash": crashes(LEDGER),
            CALM: nothing,
        },
        promises={
            "no old leader overwrites the balance": (
                no(lambda row: row.stale, "an old leader overwrote the balance", of="stored"),
            ),
            "each entry is written": (at_least_once(to=LEDGER, effect="entry_written"),),
            "each entry is written within 1 s": (at_least_once(to=LEDGER, effect="entry_written", within_s=IN_TIME_S),),
        },
        asked=ENTRY,
        answered="entry_written",
        by=None,
        crowd=lambda version: version.but(arrivals=load.Poisson(rate_per_s=2.0).until(CROWD_UNTIL_S)),
        until_s=80.0,
    )


def of_the_zoo(species: zoo.Species) -> System:
    """A species of the zoo beside its repaired twin; where it has orders, the story is one of three."""
    few = {"orders": 3} if hasattr(species.mutant, "orders") else {}
    versions = {AS_WRITTEN: species.mutant, REPAIRED: species.twin}
    return System(
        name=f"zoo: {species.name}",
        tells=species.what,
        versions={name: scenario.but(**few) for name, scenario in versions.items()},
        faults={
            **{example.describe().partition(" at ")[0]: _moved(example) for example in species.dangers},
            CALM: nothing,
        },
        promises={
            ALL: tuple(species.mutant.promises),
            **{each.describe(): (each,) for each in species.mutant.promises},
        },
        crowd=lambda version: next(
            each for each in versions.values() if getattr(each, species.field) == getattr(version, species.field)
        ),
        begins_s=0.0,
        until_s=species.until_s,
        schedule=species.schedule,
    )


def _moved(example: Any) -> MakeFault:
    """A fault like the example, at any instant and of any length."""
    length = "down_s" if hasattr(example, "down_s") else "for_s"
    return lambda at_s, for_s: dataclasses.replace(example, at_s=at_s, **{length: for_s})


@lru_cache(maxsize=1)
def systems() -> Mapping[str, System]:
    """Every system by its name."""
    every = [*(registration(broker) for broker in BROKERS), order_shop(), standby_ledger()]
    every += [of_the_zoo(species) for species in zoo.SPECIES]
    return {system.name: system for system in every}


def system_called(name: str) -> System:
    """The system of this name; `UnknownNameError` tells the nearest."""
    if name not in systems():
        raise UnknownNameError("system", name, systems())
    return systems()[name]


__all__ = ["System", "system_called", "systems"]
