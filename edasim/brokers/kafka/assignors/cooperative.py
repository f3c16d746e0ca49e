"""The cooperative-sticky assignor: the sticky result in two rounds, so that what does not move is read throughout.

Follows KIP-429 and `CooperativeStickyAssignor.java` of apache/kafka: a partition that goes from one present member to
another is given to nobody in the first round; its owner revokes it and joins again, and the second round gives it
(KAF-10). With unequal subscriptions the second round may find a better balance and take something away again.
"""

from __future__ import annotations

from .shape import Assignment, Shape
from .sticky import assign_sticky


def assign_cooperative(shape: Shape) -> Assignment:
    """One round: the sticky result without what its previous owner must let go of first."""
    return {
        member: [each for each in given if shape.previous.get(each, member) == member]
        for member, given in assign_sticky(shape).items()
    }
