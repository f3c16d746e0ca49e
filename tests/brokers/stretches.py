"""One world run twice: as it is, and with consumers that are looked at all the time."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from edasim.brokers.stretch import Stretch


class Told(NamedTuple):
    """All that a world left behind, and how many stretches there were."""

    unwatched: list[Any]
    watched: list[Any]
    stretches: int


def both_ways(world: Callable[[random.Random, str], Any], number: int, log: str, kind: type[Stretch]) -> Told:
    """What `world(chance, log).told()` tells of world `number` with stretches of this kind, and without any."""
    begun, begin = 0, kind.begin

    def counted(stretch: Any, now_s: float) -> bool:
        nonlocal begun
        begins = begin(stretch, now_s)
        begun += begins
        return begins

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "begin", counted)
        unwatched = world(random.Random(number), log).told()
        patch.setattr(kind, "begin", lambda _stretch, _now_s: False)
        watched = world(random.Random(number), log).told()
    return Told(unwatched, watched, begun)
