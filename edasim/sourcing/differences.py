"""Where two states differ: a pure comparison of JSON values."""

from __future__ import annotations

from typing import Any, NamedTuple

ABSENT = "(absent)"
"""Stands for a field that one of the states does not have."""


class Difference(NamedTuple):
    """A place in a state, such as `items[0].price`, and what is there before and after."""

    path: str
    before: Any
    after: Any


def differences(before: Any, after: Any, path: str = "") -> list[Difference]:
    """All places where two JSON values differ, in order; an empty list if they are equal.

    >>> differences({"a": 1, "b": [1]}, {"a": 2, "b": [1, 5]})
    [Difference(path='a', before=1, after=2), Difference(path='b[1]', before='(absent)', after=5)]
    """
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            found
            for name in dict.fromkeys([*before, *after])
            for found in differences(
                before.get(name, ABSENT), after.get(name, ABSENT), f"{path}.{name}" if path else str(name)
            )
        ]
    if isinstance(before, list) and isinstance(after, list):
        longest = max(len(before), len(after))
        return [
            found
            for i in range(longest)
            for found in differences(
                before[i] if i < len(before) else ABSENT, after[i] if i < len(after) else ABSENT, f"{path}[{i}]"
            )
        ]
    return [] if before == after and type(before) is type(after) else [Difference(path, before, after)]
