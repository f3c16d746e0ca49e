"""Assignors: which member of a consumer group reads which partitions.

Pure functions of the group's shape: `assign` gives one round, `rebalance_rounds` all rounds that a rebalance takes.
The rules KAF-07 to KAF-10 hold and were measured (data/measured/kafka/assignments.csv). Left out: racks, static ids in
the order of members, the assignors of the newer group protocol (KIP-848).

>>> assign("range", {"m0": ["a"], "m1": ["a"], "m2": ["a"]}, {"a": 7})["m0"]
[('a', 0), ('a', 1), ('a', 2)]
>>> [{member: len(given) for member, given in each.items()} for each in
...  rebalance_rounds("cooperative-sticky", {"m0": ["a"], "m1": ["a"]}, {"a": 2}, {"m0": [("a", 0), ("a", 1)]})]
[{'m0': 1, 'm1': 0}, {'m0': 1, 'm1': 1}]
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping

from ....errors import UnknownNameError
from .by_range import assign_range
from .cooperative import assign_cooperative
from .round_robin import assign_round_robin
from .shape import Assignment, Held, Shape, TopicPartition, shape_of
from .sticky import assign_sticky

__all__ = ["Assignment", "Strategy", "TopicPartition", "assign", "rebalance_rounds"]


class Strategy(enum.Enum):
    """The words of `partition.assignment.strategy`."""

    RANGE = "range"
    ROUND_ROBIN = "roundrobin"
    STICKY = "sticky"
    COOPERATIVE_STICKY = "cooperative-sticky"


_ASSIGNORS: Mapping[Strategy, Callable[[Shape], Assignment]] = {
    Strategy.RANGE: assign_range,
    Strategy.ROUND_ROBIN: assign_round_robin,
    Strategy.STICKY: assign_sticky,
    Strategy.COOPERATIVE_STICKY: assign_cooperative,
}


def assign(
    strategy: str | Strategy,
    subscriptions: Mapping[str, Iterable[str]],
    partitions: Mapping[str, int],
    previous: Held | None = None,
) -> Assignment:
    """Each member's partitions after one round of a rebalance, sorted; every member has an entry.

    `subscriptions` maps members to topics, `partitions` topics to their numbers of partitions, `previous` members to
    what they held, which only the sticky strategies look at. The cooperative one holds back what its owner must revoke
    first. Raises `UnknownNameError` for another strategy, `ConfigurationError` for an impossible group.
    """
    return _ASSIGNORS[_strategy(strategy)](shape_of(subscriptions, partitions, previous))


def rebalance_rounds(
    strategy: str | Strategy,
    subscriptions: Mapping[str, Iterable[str]],
    partitions: Mapping[str, int],
    previous: Held | None = None,
) -> list[Assignment]:
    """The assignments of all rounds of a rebalance, in order: one, or more if a cooperative one takes something away.

    Two rounds are enough for equal subscriptions; others may take a third, as real members join again until nothing is
    taken from anybody.
    """
    rounds = [assign(strategy, subscriptions, partitions, previous)]
    if _strategy(strategy) is Strategy.COOPERATIVE_STICKY:
        wanted = len(shape_of(subscriptions, partitions).all_partitions())
        while sum(map(len, rounds[-1].values())) < wanted:
            rounds.append(assign(strategy, subscriptions, partitions, rounds[-1]))
    return rounds


def _strategy(strategy: str | Strategy) -> Strategy:
    try:
        return Strategy(strategy)
    except ValueError:
        raise UnknownNameError("assignment strategy", strategy, [each.value for each in Strategy]) from None
