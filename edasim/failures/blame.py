"""Which fault was at work: spells of faults, read off the facts of a run.

A fault that a schedule carries out appends a fact `fault` with what it touches and until when. What was broken by hand
(`node.crash()`, `broker.crash()`) is read off the facts that say so. A finding is begun by the earliest fault that
broke off an attempt of its messages; or else by the earliest that was at work and touched one of its parties; or else
by the earliest that was at work at all. That is a suspicion, not a proof: `shrink` takes faults away and looks.

Left out: causes that are over before the message of a finding was published; a metastable state has outlived its
trigger.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

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


@dataclass
class Scene:
    """What a finding is about, as far as a fault can have had a part in it; known at `at_s`, begun at `from_s` seconds.

    `parties` took part all the time; who only `published` did so at that instant. `broken` are attempts that ended in
    the middle of their work: when, and the names of who was there.
    """

    about: str
    at_s: float
    from_s: float = 0.0
    parties: set[str] = field(default_factory=set)
    published: list[tuple[str, float]] = field(default_factory=list)
    broken: list[tuple[float, frozenset[str]]] = field(default_factory=list)

    def broken_by(self, spell: Spell) -> bool:
        """Whether an attempt ended at the very instant at which this fault began, at one that it touches."""
        return any(math.isclose(at_s, spell.from_s) and spell.touches_any(names) for at_s, names in self.broken)

    def touched_by(self, spell: Spell) -> bool:
        """Whether it touches a party, or who published while it lasted."""
        now = [name for name, at_s in self.published if spell.from_s <= at_s < spell.until_s]
        return spell.touches_any({*self.parties, self.about, *now})

    def missed_by(self, spell: Spell) -> bool:
        """Whether it touches nobody but one who had published before, or did so after."""
        return spell.touches_any([name for name, _ in self.published]) and not self.touched_by(spell)


def who_began(all_spells: Sequence[Spell], scene: Scene) -> Spell | None:
    """The first fault that broke an attempt off; or else that touched one of the parties; or else that was at work."""
    at_work = [each for each in all_spells if each.from_s <= scene.at_s and each.until_s >= scene.from_s]
    for suspects in (
        [spell for spell in at_work if scene.broken_by(spell)],
        [spell for spell in at_work if scene.touched_by(spell)],
        [spell for spell in at_work if not scene.missed_by(spell)],
    ):
        if suspects:
            return suspects[0]
    return None


def _known(spell: Spell, covered: Collection[str]) -> bool:
    """Whether a planned fault has told of what broke here already."""
    return any(name in covered or name.rpartition("/")[0] in covered for name in spell.touches)
