"""The spam check of behaviour analytics: rules that anyone can read, each with a reason.

The rules stand in for a real classifier, whose mistakes they do not make: a text that breaks none is accepted.
Addresses follow the shape `local@domain` of RFC 5321, without its rarer forms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

DISPOSABLE_DOMAINS = frozenset({"mailinator.example", "tempmail.example", "trash.example"})
"""Domains for mail that is thrown away; under `.example`, which belongs to nobody (RFC 2606)."""

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)
MOST_DIGITS = 4


def reasons_against(registration: Mapping[str, Any]) -> tuple[str, ...]:
    """Why a registration (`name`, `email`) is refused; empty if it is accepted.

    >>> reasons_against({"name": "Ada", "email": "ada@trash.example"})
    ('disposable address',)
    """
    name, email = str(registration.get("name", "")), str(registration.get("email", ""))
    rules = (
        ("no name", not name.strip()),
        ("no address", _ADDRESS.fullmatch(email) is None),
        ("disposable address", email.rpartition("@")[2].lower() in DISPOSABLE_DOMAINS),
        ("link in the name", _LINK.search(name) is not None),
        ("name of digits", sum(letter.isdigit() for letter in name) > MOST_DIGITS),
    )
    return tuple(reason for reason, broken in rules if broken)
