"""The round-robin assignor: all partitions of all topics, dealt one by one.

Follows `RoundRobinAssignor.java` of apache/kafka: sorted partitions, sorted members, a member that does not subscribe
to the topic is passed over (KAF-08). kafka-python 3.0.12 raises an error where it has to pass over somebody.
"""

from __future__ import annotations

import itertools

from .shape import Assignment, Shape


def assign_round_robin(shape: Shape) -> Assignment:
    """Deals all partitions in turn."""
    result = shape.nothing()
    turn = itertools.cycle(shape.members)
    for topic, number in shape.all_partitions():
        reader = next(member for member in turn if topic in shape.subscriptions[member])
        result[reader].append((topic, number))
    return result
