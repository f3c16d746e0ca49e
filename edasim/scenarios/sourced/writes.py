"""A crash at every write: one story, and each service that has a part in it dies once between any two of its steps.

The steps are read off a run without a crash: a service takes a message, writes once or several times (facts of the
kind "wrote"), and acknowledges. Then the run is repeated once for each gap between two steps, with a crash in its
middle. What became of the story, `Fate`, is counted from the store and from the receiver's effects, never from what a
service says of itself; that is why it is not left to `failures.crash_points`, which believes the facts that services
tell. Left out: two crashes in one story, and crashes of the broker; a store survives its process.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ... import checks
from ...errors import ConfigurationError
from ...failures import Crash
from ...kernel import Run
from ...kernel.runlog import Fact
from ...services import load
from .members import Members
from .shop import WROTE, Receiving, Shop, Writing

if TYPE_CHECKING:
    import pandas

    from ..base import Scenario

TAKEN, ACKNOWLEDGED = "take", "acknowledge"
NO_SUCH_STEP = "–"


class Fate(enum.Enum):
    """What became of the story."""

    SURVIVED = "survived"
    LOST = "lost"
    DUPLICATED = "duplicated"


class Gap(NamedTuple):
    """Where a crash comes: which service dies, after and before what, and when (seconds of the run)."""

    service: str
    after: str
    before: str
    at_s: float

    def __str__(self) -> str:
        return f"{self.service}: {self.after} | {self.before}"


def one_order(**changes: object) -> Shop:
    """A shop with a single order, at 1 s; `changes` are fields of `Shop`."""
    return Shop(arrivals=load.Trace(times_s=(1.0,)), lasts_s=10.0).but(**changes)


def one_member(**changes: object) -> Members:
    """A user management of one person, who with the seed 3 joins at 1 s and leaves at 3 s; `changes` are its fields."""
    coming_and_going = Members(
        arrivals=load.Trace(times_s=(1.0, 3.0)), people=1, join_ratio=0.5, leave_ratio=0.5, lasts_s=10.0
    )
    return coming_and_going.but(**changes)


def order_variants() -> dict[str, Scenario]:
    """One order, with both dual writes, with an outbox alone, and with outbox and inbox."""
    plain = {"receiving": Receiving.PLAIN}
    return {
        "append first": one_order(writing=Writing.APPEND_FIRST, **plain),
        "publish first": one_order(writing=Writing.PUBLISH_FIRST, **plain),
        "outbox": one_order(writing=Writing.OUTBOX, **plain),
        "outbox and inbox": one_order(writing=Writing.OUTBOX, receiving=Receiving.INBOX),
    }


def member_variants() -> dict[str, Scenario]:
    """One member who joins and leaves, with and without an inbox at the mail service."""
    return {
        "decider": one_member(receiving=Receiving.PLAIN),
        "decider and inbox": one_member(receiving=Receiving.INBOX),
    }


class CrashWrites:
    """The fates at each gap, for each variant; prints as a table, where "a | b" means after a, before b."""

    def __init__(self, fates: Mapping[str, Mapping[Gap, Fate]], down_s: float) -> None:
        self.fates = {variant: dict(found) for variant, found in fates.items()}
        self.down_s = down_s

    def count(self, variant: str, fate: Fate | str) -> int:
        """At how many gaps a crash leads to this fate."""
        wanted: Fate = checks.check_word(Fate)("fate", fate)
        return sum(found is wanted for found in self.fates[variant].values())

    def rows(self) -> dict[str, list[str]]:
        """A row per gap, a cell per variant; a variant that has no such step has a dash there."""
        told = {variant: _labelled(of) for variant, of in self.fates.items()}
        gaps = dict.fromkeys(gap for of in told.values() for gap in of)
        services = list(dict.fromkeys(gap.partition(":")[0] for gap in gaps))
        ordered = sorted(gaps, key=lambda gap: services.index(gap.partition(":")[0]))
        return {gap: [of.get(gap, NO_SUCH_STEP) for of in told.values()] for gap in ordered}

    def table(self) -> pandas.DataFrame:
        """The rows as a table, with the gap in the first column."""
        import pandas as pd

        rows = [[gap, *cells] for gap, cells in self.rows().items()]
        return pd.DataFrame(rows, columns=["dies after | before", *self.fates])

    def __str__(self) -> str:
        rows = [["dies after | before", *self.fates], *([gap, *cells] for gap, cells in self.rows().items())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )


def _labelled(fates: Mapping[Gap, Fate]) -> dict[str, str]:
    """The fates by what the gaps are called; one that comes again in a later message has its number."""
    told: dict[str, str] = {}
    for gap, fate in fates.items():
        again = sum(str(other) == str(gap) and other.at_s <= gap.at_s for other in fates)
        told[f"{gap} ({again})" if again > 1 else str(gap)] = fate.value
    return told


def crash_writes(variants: Mapping[str, Scenario] | None = None, *, down_s: float = 1.0, seed: int = 0) -> CrashWrites:
    """Crashes each variant's services once at every gap of its first story; they are back after `down_s` seconds.

    `variants` are `Shop`s or `Members` without faults, by name (None: `order_variants()`).

    >>> crash_writes().count("outbox and inbox", "survived")
    7
    """
    down_s = checks.check_positive("down_s", down_s)
    fates: dict[str, dict[Gap, Fate]] = {}
    for name, scenario in (order_variants() if variants is None else variants).items():
        run = scenario.run(seed=seed)
        story = _first_story(run)
        fates[name] = {}
        for gap in gaps_of(run, story):
            crash = Crash(node=gap.service, at_s=gap.at_s, down_s=down_s)
            fates[name][gap] = fate_of(scenario.but(faults=[crash]).run(seed=seed), run, story)
    return CrashWrites(fates, down_s)


def fate_of(run: Run, whole: Run, story: str) -> Fate:
    """What a run with a crash made of a story, beside the `whole` run without one.

    Lost: fewer events in its stream, or fewer effects at the receiver. Duplicated: more of either.
    """
    found, wanted = ((each.kept["store"].version(story), each.kept["effects"].counts()[story]) for each in (run, whole))
    if found == wanted:
        return Fate.SURVIVED
    return Fate.LOST if found[0] < wanted[0] or found[1] < wanted[1] else Fate.DUPLICATED


def gaps_of(run: Run, story: str) -> Iterator[Gap]:
    """Every gap between two steps of a story in a run, service by service, in order of time."""
    rows = run.deliveries
    wrote = [(fact.time_s, fact.subject, fact.detail["what"]) for fact in _writes(run) if fact.detail["of"] == story]
    for begin_s, end_s, consumer in sorted(
        zip(rows.delivered_s.tolist(), rows.finished_s.tolist(), rows.consumer.tolist(), strict=True)
    ):
        service = run.consumers[consumer].partition("/")[0] if consumer >= 0 else ""
        mine = [(at_s, what) for at_s, by, what in wrote if by == service and begin_s <= at_s <= end_s]
        if mine:
            for (one_s, after), (other_s, before) in pairwise([(begin_s, TAKEN), *mine, (end_s, ACKNOWLEDGED)]):
                yield Gap(service, after, before, (one_s + other_s) / 2)


def _writes(run: Run) -> list[Fact]:
    return [fact for fact in run.fact_list if fact.kind == WROTE]


def _first_story(run: Run) -> str:
    for fact in _writes(run):
        return str(fact.detail["of"])
    raise ConfigurationError("nothing was written", field="variants", remedy="let there be an arrival before the end")
