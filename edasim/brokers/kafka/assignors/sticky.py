"""The sticky assignor: balanced first, then as few moves as possible.

Follows the general algorithm of KIP-54, in the form that was measured (kafka-python 3.0.12, `sticky_assignor.py`), with
its order of choices, so that results agree partition by partition (KAF-09):

1. Everybody keeps what they held and still subscribe to.
2. Each free partition goes to the member with the fewest (ties: lowest id) that subscribes to its topic.
3. While somebody has two more than somebody who could take one, a partition moves to the member with the fewest. A move
   that would send two partitions of a topic in opposite directions between the same two members undoes the earlier one;
   of several such, the lowest (kafka-python takes any of a set, which differs from process to process). Each move makes
   the sum of all differences smaller, so KIP-54's check that the end is better than the start is left out.

`AbstractStickyAssignor.java` of apache/kafka has a shortcut for equal subscriptions with the same promises (counts that
differ by at most one, fewest moves) but another choice among equals. Left out: claims of older generations.
"""

from __future__ import annotations

from .shape import Assignment, Shape, TopicPartition


def assign_sticky(shape: Shape) -> Assignment:
    """The sticky assignment of a group, given what its members held."""
    balancing = _Balancing(shape)
    balancing.give_what_is_free()
    balancing.even_out()
    return {member: sorted(balancing.held[member]) for member in shape.members}


class _Balancing:
    """The work of one assignment: who holds what, and what has moved."""

    def __init__(self, shape: Shape) -> None:
        self.reach = {
            member: [p for p in shape.all_partitions() if p[0] in shape.subscriptions[member]]
            for member in shape.members
        }
        self.takers: dict[TopicPartition, list[str]] = {partition: [] for partition in shape.all_partitions()}
        for member, partitions in self.reach.items():
            for partition in partitions:
                self.takers[partition].append(member)
        self.held: dict[str, list[TopicPartition]] = {member: [] for member in shape.members}
        self.unsubscribed = False
        for partition, member in sorted(shape.previous.items()):
            if partition[0] in shape.subscriptions[member]:
                self.held[member].append(partition)
            else:
                self.unsubscribed |= partition in self.takers
        self.owner = {partition: member for member, given in self.held.items() for partition in given}
        self.order = self._order_of_moving(equal=len(set(shape.subscriptions.values())) <= 1 and bool(shape.previous))
        self.free = [partition for partition in self.order if partition not in self.owner]
        self.moves: dict[TopicPartition, tuple[str, str]] = {}

    def _order_of_moving(self, *, equal: bool) -> list[TopicPartition]:
        """In which order partitions are offered: the last of the fullest first, if all subscribe to the same."""
        by_takers = sorted(self.takers, key=lambda partition: (len(self.takers[partition]), partition))
        if not equal:
            return by_takers
        left = {member: list(given) for member, given in self.held.items()}
        order: list[TopicPartition] = []
        while any(left.values()):
            fullest = max(left, key=lambda member: (len(left[member]), member))
            order.append(left[fullest].pop())
        taken = set(order)
        return order + [partition for partition in by_takers if partition not in taken]

    def _fewest_first(self) -> list[str]:
        return sorted(self.held, key=lambda member: (len(self.held[member]), member))

    def give_what_is_free(self) -> None:
        """Each free partition to the member with the fewest among those who may have it."""
        for partition in self.free:
            taker = min(self.takers[partition], key=lambda member: (len(self.held[member]), member))
            self.held[taker].append(partition)
            self.owner[partition] = taker

    def even_out(self) -> None:
        """Moves partitions until nothing can be better balanced; who can neither gain nor lose is left alone."""
        settled = {member: self.held.pop(member) for member in list(self.held) if not self._can_change(member)}
        if not self.unsubscribed:
            self._move(self._movable(self.free))
        self._move(self._movable(self.order))
        self.held.update(settled)

    def _movable(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [partition for partition in partitions if len(self.takers[partition]) > 1]

    def _can_change(self, member: str) -> bool:
        given = self.held[member]
        return len(given) < len(self.reach[member]) or bool(self._movable(given))

    def _is_balanced(self) -> bool:
        counts = {member: len(given) for member, given in self.held.items()}
        if max(counts.values()) - min(counts.values()) <= 1:
            return True
        return not any(
            counts[member] < counts[self.owner[partition]] for member in counts for partition in self.reach[member]
        )

    def _move(self, partitions: list[TopicPartition]) -> None:
        """Offers each partition to who has two fewer than its owner, again and again until nothing moves."""
        moved = True
        while moved:
            moved = False
            for partition in partitions:
                if self._is_balanced():
                    break
                count = len(self.held[self.owner[partition]])
                if any(count > len(self.held[member]) + 1 for member in self.takers[partition]):
                    self._give_away(partition)
                    moved = True

    def _give_away(self, partition: TopicPartition) -> None:
        taker = next(member for member in self._fewest_first() if member in self.takers[partition])
        owner = self.owner[partition]
        undone = self._opposite_move(partition, owner, taker)
        if self.owner[undone] != owner:
            self._hand_over(partition, self.owner[undone])
        self._hand_over(undone, taker)

    def _opposite_move(self, partition: TopicPartition, owner: str, taker: str) -> TopicPartition:
        """The partition to move instead: one of the same topic that went the other way before, or this one."""
        first_owner = self.moves[partition][0] if partition in self.moves else owner
        opposite = [each for each, way in self.moves.items() if each[0] == partition[0] and way == (taker, first_owner)]
        return min(opposite, default=partition)

    def _hand_over(self, partition: TopicPartition, taker: str) -> None:
        owner = self.owner[partition]
        self.held[owner].remove(partition)
        self.held[taker].append(partition)
        self.owner[partition] = taker
        first_owner = self.moves.pop(partition, (owner, owner))[0]
        if first_owner != taker:
            self.moves[partition] = (first_owner, taker)
