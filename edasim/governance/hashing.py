"""Consistent hashing: a key always goes to the same endpoint, and a change of endpoints moves few keys.

Follows: D. Karger et al., Consistent Hashing and Random Trees (1997): each endpoint has many points on a ring, and a
key belongs to the next point; V. Mirrokni, M. Thorup and M. Zadimoghaddam, Consistent Hashing with Bounded Loads
(2016): an endpoint with more than `bound` times its share of the calls under way is passed over for the next on the
ring (GV-06). The hash is BLAKE2b; products use others, so the same key may go elsewhere there. Envoy's
`hash_balance_factor` goes on to an endpoint that the key draws, and lets one call more in.

Left out: Maglev tables.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections.abc import Iterable
from typing import ClassVar

from .. import checks
from .balancing import Balancer, Balancing, Draw, no_draw
from .endpoints import Endpoint

RING = 1 << 64
"""How many places a ring has."""


def place(text: str) -> int:
    """Where a text lies on the ring."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


@checks.configuration
class ConsistentHash(Balancing):
    """Each endpoint has `points` points on the ring for a weight of 1; `bound` (None: none) is at least 1.

    A pick without a key goes to a place that is drawn at random.

    >>> balancer = ConsistentHash().start(["a", "b", "c"])
    >>> balancer.pick("user 7") == balancer.pick("user 7")
    True
    """

    points: int = checks.at_least(1, default=100)
    bound: float | None = checks.optional(checks.check_positive, default=None)

    def check(self) -> None:
        """A bound below 1 could not hold all calls."""
        if self.bound is not None and self.bound < 1.0:
            raise checks.refuse("ConsistentHash.bound", self.bound, "give at least 1, or None")

    def start(self, endpoints: Iterable[Endpoint | str], draw: Draw = no_draw) -> Ring:
        """Over these endpoints; `draw` serves picks without a key."""
        return Ring(self, endpoints, draw)


class Ring(Balancer):
    """The points of the endpoints that take part, in order."""

    goes_by_key: ClassVar[bool] = True
    _places: list[int]
    _owners: list[Endpoint]
    _weights: float

    def __init__(self, configuration: ConsistentHash, endpoints: Iterable[Endpoint | str], draw: Draw) -> None:
        self._points, self._bound = configuration.points, configuration.bound
        super().__init__(endpoints, configuration.panic_ratio, draw)

    def rebuild(self) -> None:
        """Lays out the ring."""
        laid = sorted(
            (place(f"{endpoint.name}#{number}"), endpoint.name, endpoint)
            for endpoint in self.eligible
            for number in range(max(1, round(self._points * endpoint.weight)))
        )
        self._places = [at for at, _, _ in laid]
        self._owners = [endpoint for _, _, endpoint in laid]
        self._weights = sum(endpoint.weight for endpoint in self.eligible)

    def pick(self, key: str | None = None) -> str | None:
        """The owner of the key's place, or the next on the ring that is not at its bound."""
        owners = self._owners
        if not owners:
            return None
        at = bisect_left(self._places, place(key) if key is not None else int(self.draw() * RING))
        if self._bound is None:
            return owners[at % len(owners)].name
        unit = self._bound * (sum(self.active.values()) + 1) / self._weights
        while True:  # the bounds add up to more than all calls, so somebody has room
            owner = owners[at % len(owners)]
            if self.active[owner.name] < math.ceil(unit * owner.weight):
                return owner.name
            at += 1

    def shares(self) -> dict[str, float]:
        """The part of the ring that each endpoint owns."""
        found = dict.fromkeys((endpoint.name for endpoint in self.eligible), 0)
        if not found:
            return {}
        for before, at, owner in zip(
            [self._places[-1] - RING, *self._places], self._places, self._owners, strict=False
        ):
            found[owner.name] += at - before
        return {name: part / RING for name, part in found.items()}
