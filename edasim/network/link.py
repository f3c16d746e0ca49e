"""A link: how long a message travels, and what can happen to it on the way.

The rules, in this order. A message that is sent during a partition is lost. Any other is lost with `loss_ratio`.
What is not lost arrives after a latency drawn for it; a share of `duplicate_ratio` arrives twice, each copy after a
latency of its own; a share of `held_ratio` has its first copy held back by `held_for` on top. With `Order.KEPT`
(one connection) a copy that would overtake anything sent before waits for it; with `Order.FREE` (datagrams) copies
arrive as drawn, so later messages may overtake earlier ones.

Left out: retransmission (a lost message is the business of the client), messages cut off in flight when a partition
begins (the instant of sending decides), losses in bursts.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import checks
from ..kernel import streams, times

if TYPE_CHECKING:
    import numpy as np

Transfer: TypeAlias = Callable[[float], tuple[float, ...]]
"""For a message sent at that simulated second: the delays in seconds of its copies; none if it is lost."""


class Order(enum.Enum):
    """Whether messages may overtake each other."""

    FREE = "free"
    KEPT = "kept"


@checks.configuration
class Partition:
    """A cut from `from_s` >= 0 up to, not including, `until_s` > `from_s`: what is sent in between is lost."""

    from_s: float = checks.non_negative()
    until_s: float = checks.positive()

    def check(self) -> None:
        """A partition ends after it began."""
        if self.until_s <= self.from_s:
            raise checks.refuse("Partition.until_s", self.until_s, f"give more than from_s, {self.from_s:g}")

    def cuts(self, sent_s: float) -> bool:
        """Whether a message sent at `sent_s` is lost."""
        return self.from_s <= sent_s < self.until_s


def check_partitions(field: str, value: Any) -> tuple[Partition, ...]:
    """Any number of partitions, kept as a tuple; for `checks.checked`."""
    if not isinstance(value, list | tuple) or not all(isinstance(part, Partition) for part in value):
        raise checks.refuse(field, value, "give a list of Partition(from_s=…, until_s=…)")
    return tuple(value)


@checks.configuration
class Link:
    """A way from a sender to a receiver; the default takes no time and loses nothing.

    Ratios are between 0 and 1, `latency` and `held_for` distributions of `eda.times`, `order` is `"free"` or `"kept"`.

    >>> lan = Link(latency=times.Constant(value_s=0.002), partitions=[Partition(from_s=1.0, until_s=2.0)])
    >>> import numpy as np
    >>> transfer = lan.transfers(np.random.default_rng(1))
    >>> transfer(0.5), transfer(1.5)
    ((0.002,), ())
    """

    latency: times.Times = checks.checked(times.check_times, default=times.Constant(value_s=0.0))
    loss_ratio: float = checks.ratio(default=0.0)
    duplicate_ratio: float = checks.ratio(default=0.0)
    held_ratio: float = checks.ratio(default=0.0)
    held_for: times.Times = checks.checked(times.check_times, default=times.Constant(value_s=0.0))
    order: Order = checks.word(Order, default=Order.FREE)
    partitions: tuple[Partition, ...] = checks.checked(check_partitions, default=())

    def check(self) -> None:
        """Holding messages back needs a time to hold them for."""
        if self.held_ratio > 0.0 and self.held_for.mean_s <= 0.0:
            raise checks.refuse("Link.held_for", self.held_for, "give a time above 0 to hold messages back for")

    @property
    def mean_latency_s(self) -> float:
        """The mean delay of the first copy of what arrives; waiting behind others under `Order.KEPT` comes on top."""
        return self.latency.mean_s + self.held_ratio * self.held_for.mean_s

    def decide(
        self,
        sent_s: float,
        loss: float,
        duplicate: float,
        held: float,
        latency_s: float,
        copy_latency_s: float,
        held_for_s: float,
    ) -> tuple[float, ...]:
        """The delays as drawn, before any waiting for order: none if lost, two if duplicated, in seconds.

        `loss`, `duplicate` and `held` are uniform in [0, 1); the times are drawn from `latency` and `held_for`.
        """
        if loss < self.loss_ratio or any(partition.cuts(sent_s) for partition in self.partitions):
            return ()
        delay_s = latency_s + held_for_s if held < self.held_ratio else latency_s
        return (delay_s, copy_latency_s) if duplicate < self.duplicate_ratio else (delay_s,)

    def transfers(self, rng: np.random.Generator) -> Transfer:
        """A function to call once for each message, in the order of sending; it owns `rng` from now on.

        Each purpose has random numbers of its own, and every message uses one of each, lost or not: to switch a
        disturbance on leaves the others as they were, message by message.
        """
        loss, duplicate, held, latency, copy, held_for = streams.split(rng, 6)
        draw_loss, draw_duplicate = _uniform(loss, self.loss_ratio), _uniform(duplicate, self.duplicate_ratio)
        draw_held, draw_latency_s = _uniform(held, self.held_ratio), self.latency.draws(latency)
        draw_copy_s, draw_held_for_s = self.latency.draws(copy), self.held_for.draws(held_for)
        decide = self.decide

        def undisturbed(_sent_s: float) -> tuple[float, ...]:
            return (draw_latency_s(),)

        def disturbed(sent_s: float) -> tuple[float, ...]:
            return decide(
                sent_s, draw_loss(), draw_duplicate(), draw_held(), draw_latency_s(), draw_copy_s(), draw_held_for_s()
            )

        calm = not (self.loss_ratio or self.duplicate_ratio or self.held_ratio or self.partitions)
        transfer = undisturbed if calm else disturbed
        return transfer if self.order is Order.FREE else in_order(transfer)

    def describe(self) -> str:
        """In plain words."""
        parts = [f"latency: {self.latency.describe()}"]
        shares = ((self.loss_ratio, "lost"), (self.duplicate_ratio, "duplicated"))
        parts += [f"{share:.2%} {what}" for share, what in shares if share]
        if self.held_ratio:
            parts.append(f"{self.held_ratio:.2%} held back ({self.held_for.describe()})")
        parts += [f"cut from {cut.from_s:g} s to {cut.until_s:g} s" for cut in self.partitions]
        if self.order is Order.KEPT:
            parts.append("order kept")
        return "; ".join(parts)


class RunningLink:
    """A link in a simulation: what travels over it may be disturbed for a while, by transfers that come on top.

    >>> link = RunningLink(lambda sent_s: (0.1,))
    >>> link.disturb(5.0, 6.0, lambda sent_s: ())
    >>> link(4.0), link(5.5)
    ((0.1,), ())
    """

    def __init__(self, transfer: Transfer) -> None:
        self._transfer = transfer
        self.disturbances: list[tuple[float, float, Transfer]] = []

    def disturb(self, from_s: float, until_s: float, transfer: Transfer) -> None:
        """From `from_s` up to, not including, `until_s` messages go by `transfer` on top."""
        self.disturbances.append((from_s, until_s, transfer))

    def __call__(self, sent_s: float) -> tuple[float, ...]:
        """The delays of the copies that arrive of what is sent at `sent_s`."""
        delays_s = self._transfer(sent_s)
        for from_s, until_s, transfer in self.disturbances:
            if from_s <= sent_s < until_s:
                delays_s = tuple(delay_s + more_s for delay_s in delays_s for more_s in transfer(sent_s))
        return delays_s


def in_order(transfer: Transfer) -> Transfer:
    """As `transfer`, but no copy arrives before a copy of a message that was sent earlier."""
    latest_s = 0.0

    def waiting(sent_s: float) -> tuple[float, ...]:
        nonlocal latest_s
        earliest_s = latest_s
        kept_s = []
        for delay_s in transfer(sent_s):
            if sent_s + delay_s < earliest_s:
                delay_s = _not_before(earliest_s, sent_s)
            latest_s = max(latest_s, sent_s + delay_s)
            kept_s.append(delay_s)
        return tuple(kept_s)

    return waiting


def _not_before(earliest_s: float, sent_s: float) -> float:
    """The shortest delay with which a message sent at `sent_s` arrives at `earliest_s` or later, in floats."""
    delay_s = earliest_s - sent_s
    while sent_s + delay_s < earliest_s:  # the subtraction may have rounded down
        delay_s = math.nextafter(delay_s, math.inf)
    return delay_s


def _uniform(rng: np.random.Generator, ratio: float) -> streams.Draw:
    """Uniform draws, or without drawing a number that no ratio exceeds."""
    return streams.in_blocks(rng.random).__next__ if ratio else itertools.repeat(1.0).__next__
