"""Destination patterns: names between dots, `*` for one name, `>` for this and everything below.

Follows ActiveMQ Classic 5.17.2 as measured (AMQ-08): a consumer with a pattern receives from the destinations that the
broker knows when it subscribes (`DestinationMapNode.java` of apache/activemq). So `a.>` takes `a` itself, and what
stands behind the first `>` does not count: `a.>.c` is `a.>`. Left out: a destination that is created after the consumer
(the broker then uses `DestinationFilter`, for which only a last `>` is a wildcard), sending to a pattern, and names in
several parts (`a,b`).
"""

from __future__ import annotations

from ...errors import ConfigurationError

_ONE = "*"
_BELOW = ">"


class InvalidDestinationError(ConfigurationError):
    """A name that no destination can have (JMS: InvalidDestinationException)."""


def destination_matches(pattern: str, destination: str) -> bool:
    """Whether a consumer of `pattern` receives what is sent to `destination`; case-sensitive.

    Raises `InvalidDestinationError` for an empty name.

    >>> destination_matches("user.*", "user.eu"), destination_matches("user.>", "user"), destination_matches("*", "a.b")
    (True, True, False)
    """
    wanted = check_destination("pattern", pattern).split(".")
    names = check_destination("destination", destination).split(".")
    if _BELOW in wanted:
        wanted = wanted[: wanted.index(_BELOW)]
        names = names[: len(wanted)]
    return len(wanted) == len(names) and all(part in (_ONE, name) for part, name in zip(wanted, names, strict=True))


def check_destination(field: str, name: object) -> str:
    """A destination's name without the blanks around it; an empty one is an `InvalidDestinationError`."""
    if not isinstance(name, str) or not name.strip():
        remedy = "give a text with at least one name, such as 'user.created'"
        raise InvalidDestinationError(f"{field} is {name!r}", field=field, value=name, remedy=remedy)
    return name.strip()
