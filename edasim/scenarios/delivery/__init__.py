"""The delivery case: a consumer that crashes, and what is delivered once, twice or never."""

from .books import Books, Dip, books
from .consumer import Delivery
from .crash_points import CrashPoint, CrashPoints, crash_points
from .expected import Expected, expected
from .ledger import Ledger
from .relay import Relay, RelayBooks, relay_books
from .settings import Dedup, Place, Timing, timing

__all__ = [
    "Books", "CrashPoint", "CrashPoints", "Dedup", "Delivery", "Dip", "Expected", "Ledger", "Place", "Relay",
    "RelayBooks", "Timing", "books", "crash_points", "expected", "relay_books", "timing",
]  # fmt: skip
