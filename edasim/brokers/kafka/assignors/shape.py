"""What an assignor is given: members with their topics, topics with their partitions, and who held what before.

Topics that do not exist are ignored, as the Java assignors do without metadata. What was held by a member that has
left, or of a topic or partition that does not exist, counts as free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .... import checks
from ..partitioner import check_partitions

TopicPartition = tuple[str, int]
"""A topic's name and the number of one of its partitions."""

Assignment = dict[str, list[TopicPartition]]
"""Each member's partitions, sorted."""

Held = Mapping[str, Iterable[TopicPartition]]
"""What each member held."""


@dataclass(frozen=True)
class Shape:
    """A group at one moment, checked and put in order; `previous` maps a partition to who held it."""

    subscriptions: Mapping[str, frozenset[str]]
    partitions: Mapping[str, int]
    previous: Mapping[TopicPartition, str]

    @property
    def members(self) -> list[str]:
        """The members' ids, sorted."""
        return list(self.subscriptions)

    def all_partitions(self) -> list[TopicPartition]:
        """All partitions that somebody subscribes to, sorted by topic and number."""
        return [(topic, number) for topic, count in self.partitions.items() for number in range(count)]

    def nothing(self) -> Assignment:
        """An assignment that gives nobody anything."""
        return {member: [] for member in self.subscriptions}


def shape_of(
    subscriptions: Mapping[str, Iterable[str]], partitions: Mapping[str, int], previous: Held | None = None
) -> Shape:
    """The checked shape of a group; raises `ConfigurationError` for what no group can be."""
    if not isinstance(subscriptions, Mapping):
        raise checks.refuse("subscriptions", subscriptions, "give a dictionary from members to lists of topics")
    if not isinstance(partitions, Mapping):
        raise checks.refuse("partitions", partitions, "give a dictionary from topics to numbers of partitions")
    counts = {topic: check_partitions(f"partitions[{topic!r}]", partitions[topic]) for topic in sorted(partitions)}
    wanted = {member: _topics(member, subscriptions[member]) for member in sorted(subscriptions)}
    read = frozenset[str]().union(*wanted.values())
    kept = {topic: count for topic, count in counts.items() if topic in read}
    return Shape(subscriptions=wanted, partitions=kept, previous=_holders(previous or {}, wanted, counts))


def _topics(member: str, topics: Iterable[str]) -> frozenset[str]:
    if isinstance(topics, str):
        raise checks.refuse(f"subscriptions[{member!r}]", topics, f"give a list of topics, such as [{topics!r}]")
    return frozenset(topics)


def _holders(
    previous: Held, wanted: Mapping[str, frozenset[str]], counts: Mapping[str, int]
) -> dict[TopicPartition, str]:
    holders: dict[TopicPartition, str] = {}
    for member in sorted(set(previous) & set(wanted)):
        for topic, number in sorted(previous[member]):
            if number >= counts.get(topic, 0):
                continue
            if (topic, number) in holders:
                remedy = f"{holders[topic, number]!r} and {member!r} cannot both hold {topic}-{number}"
                raise checks.refuse("previous", previous, remedy)
            holders[topic, number] = member
    return holders
