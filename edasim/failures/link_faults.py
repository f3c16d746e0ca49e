"""Faults of links: what a sender publishes is lost, delayed, duplicated, reordered, or cut off for a while.

A link is named by its sender: a source or a service, whose way to its broker it is, or a link of a scenario that was
put among `sim.parts`. What happens on it follows `network.Link`, with random numbers of the fault's own. A partition
loses all that is sent in it. One that is two-way also cuts the sender's nodes off from what they would receive: the
broker sees their connections break and takes back what they held, while a handler that waits in the middle of its work
goes on and does the rest of it, without knowing that somebody else has begun it too (a zombie).

A message that is lost on its way to the broker is a row of the run log, dropped at the lane `(network, sender, "")`.
Left out: retransmission by a client; a plain handler's service time that is cut off ends without effect.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from .. import checks
from ..brokers.base import Message
from ..errors import UnknownNameError
from ..kernel import Simulation, times
from ..kernel.runlog import DROPPED, NEVER, pack_row
from ..network import Link
from ..network.link import RunningLink, Transfer
from ..services import Source
from .plan import Plan, spell_of, tell, told_spell
from .timelines import NETWORK


class Direction(enum.Enum):
    """Which way a partition cuts."""

    ONE_WAY = "one_way"
    """What it sends is lost; what is sent to it arrives."""
    TWO_WAY = "two_way"
    """Nothing passes."""


class _OnLink(ABC):
    """A fault of a link: `sender`, `at_s`, `for_s`, and how the link behaves in that time."""

    sender: str
    at_s: float
    for_s: float | None
    said = ""

    @property
    @abstractmethod
    def link(self) -> Link:
        """The link as it is while the fault lasts."""

    def install(self, sim: Simulation) -> None:
        """Puts the disturbance on the way of the sender."""
        way, until_s = way_of(sim, self.sender), spell_of(self.at_s, self.for_s)
        rng = sim.streams.generator(f"fault/link/{self.sender}/{type(self).__name__}/{len(way.disturbances)}")
        way.disturb(self.at_s, until_s, self.link.transfers(rng))
        sim.at(self.at_s, lambda: tell(sim, self, self.sender, [self.sender], until_s))

    def plans(self, sim: Simulation) -> Iterable[Plan]:
        """What the link does, from when to when."""
        return [Plan(f"link of {self.sender}", self.said, self.at_s, spell_of(self.at_s, self.for_s), self.describe())]

    def describe(self) -> str:
        """In plain words."""
        return f"on the link of {self.sender}, {self.said} {told_spell(self.at_s, self.for_s)}"


@checks.configuration
class LoseMessages(_OnLink):
    """A share of `ratio` of what `sender` sends is lost, from `at_s` on for `for_s` seconds (None: to the end)."""

    sender: str = checks.text()
    ratio: float = checks.ratio(default=1.0)
    at_s: float = checks.non_negative(default=0.0)
    for_s: float | None = checks.optional(checks.check_positive, default=None)

    @property
    def said(self) -> str:  # type: ignore[override]
        """In plain words."""
        return f"{self.ratio:.1%} is lost"

    @property
    def link(self) -> Link:
        """Losses."""
        return Link(loss_ratio=self.ratio)


@checks.configuration
class DelayMessages(_OnLink):
    """What `sender` sends takes longer by a time drawn from `by`; later messages may overtake earlier ones."""

    sender: str = checks.text()
    by: times.Times = checks.checked(times.check_times)
    at_s: float = checks.non_negative(default=0.0)
    for_s: float | None = checks.optional(checks.check_positive, default=None)

    @property
    def said(self) -> str:  # type: ignore[override]
        """In plain words."""
        return f"all is delayed by {self.by.describe()}"

    @property
    def link(self) -> Link:
        """Latency."""
        return Link(latency=self.by)


@checks.configuration
class DuplicateMessages(_OnLink):
    """A share of `ratio` of what `sender` sends arrives twice, at once."""

    sender: str = checks.text()
    ratio: float = checks.ratio(default=1.0)
    at_s: float = checks.non_negative(default=0.0)
    for_s: float | None = checks.optional(checks.check_positive, default=None)

    @property
    def said(self) -> str:  # type: ignore[override]
        """In plain words."""
        return f"{self.ratio:.1%} arrives twice"

    @property
    def link(self) -> Link:
        """Duplicates."""
        return Link(duplicate_ratio=self.ratio)


@checks.configuration
class ReorderMessages(_OnLink):
    """A share of `ratio` of what `sender` sends is held back for `held_for`, so that later messages overtake it."""

    sender: str = checks.text()
    ratio: float = checks.ratio(default=0.5)
    held_for: times.Times = checks.checked(times.check_times)
    at_s: float = checks.non_negative(default=0.0)
    for_s: float | None = checks.optional(checks.check_positive, default=None)

    @property
    def said(self) -> str:  # type: ignore[override]
        """In plain words."""
        return f"{self.ratio:.1%} is held back ({self.held_for.describe()})"

    @property
    def link(self) -> Link:
        """Holding back."""
        return Link(held_ratio=self.ratio, held_for=self.held_for)


@checks.configuration
class Partition(_OnLink):
    """`sender` is cut off from `at_s` on for `for_s` seconds; two ways, or only what it sends ("one_way")."""

    sender: str = checks.text()
    at_s: float = checks.non_negative()
    for_s: float = checks.positive()
    direction: Direction = checks.word(Direction, default=Direction.TWO_WAY)

    said = "nothing passes"

    @property
    def link(self) -> Link:
        """Nothing arrives."""
        return Link(loss_ratio=1.0)

    def install(self, sim: Simulation) -> None:
        """Cuts what it sends and, two ways, what its nodes receive."""
        nodes = [node for node in sim.nodes.values() if self.sender in (node.name, node.service.name)]
        if self.sender in _senders(sim) or not nodes:
            super().install(sim)
        else:
            until_s = self.at_s + self.for_s
            sim.at(self.at_s, lambda: tell(sim, self, self.sender, [node.name for node in nodes], until_s))
        if self.direction is Direction.TWO_WAY:
            for node in nodes:
                if hasattr(node, "cut_off"):
                    sim.at(self.at_s, node.cut_off)
                    sim.at(self.at_s + self.for_s, node.reconnect)


class WayToBroker:
    """A sender's way to a destination, with disturbances on it; stands in for the destination."""

    def __init__(self, sim: Simulation, sender: str, to: Any) -> None:
        self.sim = sim
        self.name: str = to.name
        self.disturbances: list[tuple[float, float, Transfer]] = []
        self._to = to
        self._lost = sim.log.endpoint(sim.log.lane(NETWORK, to.name, ""), "")

    def disturb(self, from_s: float, until_s: float, transfer: Transfer) -> None:
        """From `from_s` up to `until_s` messages go by `transfer`."""
        self.disturbances.append((from_s, until_s, transfer))

    def route(self, now_s: float, message: Message) -> None:
        """Hands on what arrives, when it arrives."""
        delays_s: tuple[float, ...] = (0.0,)
        for from_s, until_s, transfer in self.disturbances:
            if from_s <= now_s < until_s:
                delays_s = tuple(delay_s + more_s for delay_s in delays_s for more_s in transfer(now_s))
        for delay_s in delays_s:
            if delay_s > 0.0:
                self.sim.env.at(now_s + delay_s, self._arrive, message)
            else:
                self._to.route(now_s, (*message,))  # a copy is a message of its own: brokers tell them by identity
        if not delays_s:
            number, root, published_s, enqueued_s, attempt, _ = message
            self.sim.log.add(
                pack_row(number, root, published_s, enqueued_s, NEVER, NEVER, now_s, self._lost, attempt, DROPPED)
            )

    def _arrive(self, now_s: float, message: Message) -> None:
        number, root, published_s, _, attempt, event = message
        self._to.route(now_s, (number, root, published_s, now_s, attempt, event))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._to, name)


def way_of(sim: Simulation, sender: str) -> Any:
    """The way on which the messages of a sender can be disturbed; `UnknownNameError` if nobody sends so."""
    part = sim.parts.get(sender)
    if isinstance(part, RunningLink):
        return part
    senders = _senders(sim)
    if sender not in senders:
        links = [name for name, part in sim.parts.items() if isinstance(part, RunningLink)]
        raise UnknownNameError("sender or link", sender, [*senders, *links])
    found, redirect = senders[sender]
    if not isinstance(found, WayToBroker):
        found = WayToBroker(sim, sender, found)
        redirect(found)
    return found


def _senders(sim: Simulation) -> dict[str, tuple[Any, Callable[[Any], None]]]:
    """Where each source and each service publishes, and how to send it another way."""
    found: dict[str, tuple[Any, Callable[[Any], None]]] = {}
    for part in sim.parts.values():
        if isinstance(part, Source):
            found[part.name] = (part.to, part.redirect)
    for node in sim.nodes.values():
        publishing = getattr(node.service, "publishing", None)
        if publishing is not None and publishing.to is not None and node.service.name not in found:
            found[node.service.name] = (publishing.to, publishing.redirect)
    return found


__all__ = [
    "DelayMessages", "Direction", "DuplicateMessages", "LoseMessages", "Partition", "ReorderMessages", "WayToBroker",
    "way_of",
]  # fmt: skip
