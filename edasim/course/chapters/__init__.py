"""What each chapter asks, one module per chapter: `chNN.py` holds `CHAPTER`, a frozen `Chapter`.

A new file is found by its name; there is no list to update.
"""

from __future__ import annotations

import importlib
import pkgutil

from ...errors import UnknownNameError
from ..exercises import Chapter


def numbers() -> tuple[str, ...]:
    """The chapters that have predictions or exercises, such as `("00", "02")`."""
    return tuple(sorted(found.name[2:] for found in pkgutil.iter_modules(__path__) if found.name.startswith("ch")))


def chapter(number: str) -> Chapter:
    """The chapter with this number; `UnknownNameError` tells which there are."""
    if number not in numbers():
        raise UnknownNameError("chapter", number, numbers())
    found: Chapter = importlib.import_module(f".ch{number}", __name__).CHAPTER
    return found
