"""Which fault was at work: spells of faults, read off the facts of a run.

A fault that a schedule carries out appends a fact `fault` with what it touches and until when. What was broken by hand
(`node.crash()`, `broker.crash()`) is read off the facts that say so. A finding is begun by the earliest fault that
touches one of its parties while it happened, or else by the earliest that was at work at all; with none, by one that
was at work since its first cause was published. Left out: causes that are over before that; a metastable state has
outlived its trigger.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..kernel.runlog import Fact
from .findings import fault_words

FAULT = "fault"
"""The kind of fact that a fault appends when it begins."""

BEGINS = {
    "node_crashed": "node_restarted",
    "broker_crashed": "broker_restarted",
    "broker_stopped": "broker_started",
    "broker_cut_off": "broker_reconnected",
    "node_paused": "node_resumed",
}
"""Facts of things broken by hand, and the facts that end them."""


@dataclass(frozen=True)
class Spell:
    """A fault at work from `from_s` up to `until_s` seconds, with the names of what it `touches`."""

    fact: Fact
    from_s: float
    until_s: float
    touches: frozenset[str]

    @property
    def words(self) -> str:
        """The fault in a sentence."""
        return fault_words(self.fact)

    def touches_any(self, parties: Collection[str]) -> bool:
        """Whether one of the parties, or the service that a node belongs to, is touched."""
        return any(party in self.touches or party.rpartition("/")[0] in self.touches for party in parties if party)


def spells(facts: Iterable[Fact]) -> tuple[Spell, ...]:
    """The faults among the facts, in order of time; those that a schedule carried out, or else those by hand."""
    planned: list[Spell] = []
    by_hand: list[Spell] = []
    open_since: dict[tuple[str, str], int] = {}
    for fact in facts:
        if fact.kind == FAULT:
            until_s = fact.detail.get("until_s")
            touches = frozenset((fact.subject, *fact.detail.get("touches", ())))
            planned.append(Spell(fact, fact.time_s, math.inf if until_s is None else until_s, touches))
        elif fact.kind in BEGINS:
            open_since[BEGINS[fact.kind], fact.subject] = len(by_hand)
            by_hand.append(Spell(fact, fact.time_s, math.inf, frozenset((fact.subject,))))
        elif (fact.kind, fact.subject) in open_since:
            begun = open_since.pop((fact.kind, fact.subject))
            spell = by_hand[begun]
            by_hand[begun] = Spell(spell.fact, spell.from_s, fact.time_s, spell.touches)
    covered = {name for spell in planned for name in spell.touches}
    free = [spell for spell in by_hand if not _known(spell, covered)] if planned else by_hand
    return tuple(sorted([*planned, *free], key=lambda spell: spell.from_s))


def who_began(
    all_spells: Sequence[Spell], parties: Collection[str], from_s: float, at_s: float, story_s: float | None = None
) -> Spell | None:
    """The earliest fault at work from `from_s` to `at_s` that touches one of the parties, or the earliest of all.

    If none was at work, the same from `story_s` on: since the first cause of what it is about was published.
    """
    at_work = [spell for spell in all_spells if spell.from_s <= at_s and spell.until_s >= from_s]
    if not at_work and story_s is not None and story_s < from_s:
        return who_began(all_spells, parties, story_s, at_s)
    touching = [spell for spell in at_work if spell.touches_any(parties)]
    return next(iter(touching or at_work), None)


def _known(spell: Spell, covered: Collection[str]) -> bool:
    """Whether a planned fault has told of what broke here already."""
    return any(name in covered or name.rpartition("/")[0] in covered for name in spell.touches)
