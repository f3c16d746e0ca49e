"""Relations between two subject patterns: whether they can match one subject, and whether one holds the other.

Follows the checks of nats-io/nats-server (`server/sublist.go`: `SubjectsCollide`, `subjectIsSubsetMatch`): streams may
not share a subject, a consumer's filter lies inside its stream's subjects, filters of a work queue do not overlap.
"""

from __future__ import annotations

from collections.abc import Iterable

from .subjects import check_pattern

_ONE = "*"
_REST = ">"


def overlap(one: str, other: str) -> bool:
    """Whether some subject is matched by both patterns.

    >>> overlap("user.*", "*.created"), overlap("user.*", "user"), overlap("user.>", "user.*.eu")
    (True, False, True)
    """
    left, right = check_pattern(one).split("."), check_pattern(other).split(".")
    for mine, theirs in zip(left, right, strict=False):
        if _REST in (mine, theirs):
            return True
        if mine != theirs and _ONE not in (mine, theirs):
            return False
    return len(left) == len(right)


def holds(outer: str, inner: str) -> bool:
    """Whether `outer` matches every subject that `inner` matches.

    >>> holds("user.>", "user.*.eu"), holds("user.*", "user.>"), holds("user.*", "user.created")
    (True, False, True)
    """
    left, right = check_pattern(outer).split("."), check_pattern(inner).split(".")
    for mine, theirs in zip(left, right, strict=False):
        if mine == _REST:
            return True
        if theirs == _REST or (mine not in (_ONE, theirs)):
            return False
    return len(left) == len(right)


def first_overlap(patterns: Iterable[str], others: Iterable[str]) -> tuple[str, str] | None:
    """The first pair of patterns, one of each kind, that can match one subject."""
    kept = list(others)
    return next(((one, other) for one in patterns for other in kept if overlap(one, other)), None)
