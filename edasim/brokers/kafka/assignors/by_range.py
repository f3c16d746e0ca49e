"""The range assignor: each topic on its own, a run of neighbouring partitions for each member.

Follows `RangeAssignor.java` of apache/kafka without racks; the first members by id carry the surplus of every topic
(KAF-07).
"""

from __future__ import annotations

from .shape import Assignment, Shape


def assign_range(shape: Shape) -> Assignment:
    """Deals each topic in runs to the members that subscribe to it, sorted by id."""
    result = shape.nothing()
    for topic, count in shape.partitions.items():
        readers = [member for member in shape.members if topic in shape.subscriptions[member]]
        share, surplus = divmod(count, len(readers))
        start = 0
        for place, member in enumerate(readers):
            end = start + share + (place < surplus)
            result[member].extend((topic, number) for number in range(start, end))
            start = end
    return result
