"""Named streams of randomness: every random purpose has its own numbers, whatever else a simulation does.

A stream is derived from the seed and its name alone (SHA-256 of both seeds a PCG64 generator). Adding a consumer
therefore leaves the arrivals as they were, and two variants of a system meet the same traffic: common random
numbers (facts: SO-04). Numbers are drawn in blocks and handed out as Python floats, one C call each.

Left out: cryptographic randomness; and the promise that the numbers stay the same over releases of NumPy, which
keeps the right to improve its distributions (NEP 19).
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeVar

import numpy as np

from .. import checks
from ..errors import StateError

Draw: TypeAlias = Callable[[], float]
"""Gives the next random number each time it is called."""

Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
"""An array of floats."""

Fill: TypeAlias = Callable[[int], Numbers]
"""Gives the next `size` numbers of a stream as an array."""

T = TypeVar("T")

FIRST_BLOCK = 64
LARGEST_BLOCK = 4096


class Streams:
    """The streams of one simulation; each name is asked for once, by the one owner of that purpose.

    Names say owner and purpose, such as `source/user-management` or `service/mail/service_time`.

    >>> Streams(7).generator("source/shop").random() == Streams(7).generator("source/shop").random()
    True
    """

    def __init__(self, seed: int) -> None:
        """`seed` is a whole number of at least 0."""
        self.seed: int = checks.check_whole(0)("Streams.seed", seed)
        self._owned: set[str] = set()

    def generator(self, name: str) -> np.random.Generator:
        """The generator of the stream `name`; a `StateError` if the stream has an owner already."""
        checks.check_text("the name of a stream", name)
        if name in self._owned:
            raise StateError(
                f"the random stream {name!r} has an owner already",
                field="name",
                value=name,
                remedy="name each stream by its owner and purpose, and hand the one generator on",
            )
        self._owned.add(name)
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))

    def uniform(self, name: str) -> Draw:
        """Draws from the stream `name`, uniform in [0, 1)."""
        return in_blocks(self.generator(name).random).__next__


def numbers_of(draw: Callable[[], T]) -> Iterator[T]:
    """The numbers that a draw gives, as an iterator: `next` of it takes half the time of a call of its `__next__`.

    >>> next(numbers_of(in_blocks(np.ones).__next__))
    1.0
    """
    owner = getattr(draw, "__self__", None)
    return owner if isinstance(owner, Iterator) and draw == owner.__next__ else iter(draw, None)


def block_sizes() -> Iterator[int]:
    """64, 128 … 4096, 4096 …: short runs stay cheap, long runs pay one NumPy call for 4096 numbers."""
    size = FIRST_BLOCK
    while True:
        yield size
        size = min(2 * size, LARGEST_BLOCK)


def in_blocks(fill: Fill) -> Iterator[float]:
    """The numbers of `fill` one after another as Python floats, without end.

    `fill` must give the same numbers however they are cut into blocks; a NumPy generator does so for `random`,
    `exponential`, `gamma`, `lognormal` and `pareto`. Where two kinds of draws alternate, `split` the generator.
    """
    return itertools.chain.from_iterable(fill(size).tolist() for size in block_sizes())


def instants_in_blocks(fill_gaps: Fill) -> Iterator[float]:
    """The running sums of the gaps of `fill_gaps`, without end: the first instant is the first gap."""
    return itertools.chain.from_iterable(instants.tolist() for instants in blocks_of_instants(fill_gaps))


def blocks_of_instants(fill_gaps: Fill) -> Iterator[Numbers]:
    """As `instants_in_blocks`, but a whole block at a time; gaps are added one by one, so block cuts do not show."""
    now = 0.0
    for size in block_sizes():
        gaps = fill_gaps(size)
        gaps[0] += now
        instants = np.cumsum(gaps)
        now = float(instants[-1])
        yield instants


def split(rng: np.random.Generator, purposes: int) -> list[np.random.Generator]:
    """`purposes` independent generators made from `rng`, so that purposes within one stream do not disturb each other.

    `rng` itself is not advanced, but a second split of it gives other generators.
    """
    return rng.spawn(purposes)
