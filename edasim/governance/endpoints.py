"""Endpoints: the instances of a service as a client sees them, and the panic mode in which health is not believed.

Follows: Envoy, load balancing, panic threshold (GV-05): while fewer than `panic_ratio` of the endpoints are healthy,
calls go to all of them, since it is more likely that the checks are wrong, or that the few would be crushed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import checks


@checks.configuration
class Endpoint:
    """One instance: its name, its share of the calls in proportion to others', its zone, and whether it counts as
    healthy.
    """

    name: str = checks.text()
    weight: float = checks.positive(default=1.0)
    zone: str | None = checks.optional(checks.check_text, default=None)
    healthy: bool = checks.kind(bool, "True or False", default=True)


def check_endpoints(field: str, value: Any) -> tuple[Endpoint, ...]:
    """Endpoints of different names (or names alone), kept as a tuple; for `checks.checked`."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise checks.refuse(field, value, "give a list of Endpoint(name=…) or of names")
    found = tuple(each if isinstance(each, Endpoint) else Endpoint(name=each) for each in value)
    check_once(field, (endpoint.name for endpoint in found))
    return found


def check_once(field: str, names: Iterable[str]) -> tuple[str, ...]:
    """Names of which none comes twice, kept as a tuple."""
    kept: dict[str, None] = {}
    for name in names:
        if checks.check_text(field, name) in kept:
            raise checks.refuse(field, name, "register each endpoint once")
        kept[name] = None
    return tuple(kept)


def in_panic(endpoints: Sequence[Endpoint], panic_ratio: float) -> bool:
    """Whether so few endpoints are healthy that health is not believed; never with a `panic_ratio` of 0."""
    healthy = sum(endpoint.healthy for endpoint in endpoints)
    return healthy < panic_ratio * len(endpoints)


def eligible(endpoints: Sequence[Endpoint], panic_ratio: float = 0.5) -> tuple[Endpoint, ...]:
    """The endpoints to balance over: the healthy ones, or all in panic; none without panic if all are ill.

    >>> three = [Endpoint(name="a"), Endpoint(name="b", healthy=False), Endpoint(name="c", healthy=False)]
    >>> len(eligible(three)), [endpoint.name for endpoint in eligible(three, panic_ratio=0.0)]
    (3, ['a'])
    """
    if in_panic(endpoints, panic_ratio):
        return tuple(endpoints)
    return tuple(endpoint for endpoint in endpoints if endpoint.healthy)
