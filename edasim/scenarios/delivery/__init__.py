"""The delivery case: a consumer that crashes, and what is delivered once, twice or never."""

from .books import Books, Dip, books
from .consumer import Delivery
from .expected import Expected, expected
from .ledger import Ledger
from .relay import Relay, RelayBooks, relay_books
from .settings import Dedup, Place, Timing, timing

__all__ = [
    "Books", "Dedup", "Delivery", "Dip", "Expected", "Ledger", "Place", "Relay", "RelayBooks", "Timing", "books",
    "expected", "relay_books", "timing",
]  # fmt: skip
