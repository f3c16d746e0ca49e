"""Disks that are full: what a store raises then, so that a handler may catch it or let its message be refused.

A store that can be full has an attribute `full`, which a fault sets (`failures.StoreFull`). Left out: how much fits; a
disk has room or it has none.
"""

from __future__ import annotations


class DiskFullError(Exception):
    """There is no room for a write; nothing of it was stored. It ends a handler, not the run."""

    def __init__(self, store: str) -> None:
        super().__init__(f"no space left for the {store}")


def require_room(store: str, *, full: bool) -> None:
    """Raises `DiskFullError` if the store is full."""
    if full:
        raise DiskFullError(store)
