"""The death record of a message (`x-death`): where and why it was dead-lettered, and how often.

Follows rabbit_dead_letter.erl of rabbitmq-server and versioned_docs/version-3.13/dlx.md of rabbitmq-website: an entry
per queue and reason, the latest first; the entry of a death that happened before is counted up and moves to the front.
A message may not come back by dead-lettering to a queue that it died in, unless there was a rejection since.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Reason(enum.Enum):
    """Why a message became a dead letter."""

    EXPIRED = "expired"
    REJECTED = "rejected"
    MAXLEN = "maxlen"
    DELIVERY_LIMIT = "delivery_limit"


class Death(NamedTuple):
    """An entry of `x-death`: queue and reason, how many times, and what the message carried at the first of them.

    `first_s` is the simulated time of the first of these deaths in seconds.
    """

    queue: str
    reason: Reason
    times: int
    exchange: str
    routing_keys: tuple[str, ...]
    first_s: float


Deaths = tuple[Death, ...]


def died(deaths: Deaths, death: Death) -> Deaths:
    """The record after one more death (given as having happened once).

    >>> once = died((), Death("work", Reason.EXPIRED, 1, "", ("work",), 3.0))
    >>> [(each.queue, each.times) for each in died(once, Death("work", Reason.EXPIRED, 1, "", ("work",), 9.0))]
    [('work', 2)]
    """
    same = next((each for each in deaths if (each.queue, each.reason) == (death.queue, death.reason)), None)
    others = tuple(each for each in deaths if each is not same)
    return (death if same is None else same._replace(times=same.times + 1), *others)


def is_cycle(deaths: Deaths, queue: str) -> bool:
    """Whether a message with this record would come back to `queue` without a rejection in between."""
    for death in deaths:
        if death.reason is Reason.REJECTED:
            return False
        if death.queue == queue:
            return True
    return False
