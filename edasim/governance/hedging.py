"""Hedging: a second copy of a slow request, before the first has failed; the first answer wins.

Follows: gRPC proposal A6, hedging policy (`max_attempts`, `hedging_delay`, non-fatal failures); J. Dean and L.
Barroso, The Tail at Scale (2013): a delay of the 95th percentile adds about 5 % of load (GV-24). Hedged copies ask
the retry budget, as in A6.

Left out: tied requests, which cancel each other on the servers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import checks
from .failures import Failure, check_failures
from .retry import RETRYABLE


@checks.configuration
class Hedge:
    """Up to `attempts` copies in all, each sent `delay_s` after the one before while there is no answer.

    A failure in `non_fatal` sends the next copy at once; any other ends the request.

    >>> hedge = Hedge(delay_s=0.5, attempts=3)
    >>> hedge.next_wait_s(copies=1), hedge.next_wait_s(copies=3), hedge.after(Failure.INVALID, copies=1)
    (0.5, None, None)
    """

    delay_s: float = checks.non_negative()
    attempts: int = checks.at_least(2, default=2)
    non_fatal: frozenset[Failure] = checks.checked(check_failures, default=RETRYABLE)

    def next_wait_s(self, copies: int) -> float | None:
        """Seconds from the latest copy to the next, None if `copies` are all."""
        return self.delay_s if copies < self.attempts else None

    def after(self, failure: Failure, copies: int) -> float | None:
        """Seconds until the next copy when one failed: at once, or None if none follows.

        After a failure that is not in `non_fatal` the request is over, and the other copies are cancelled (`fatal`).
        """
        return 0.0 if failure in self.non_fatal and copies < self.attempts else None

    def fatal(self, failure: Failure) -> bool:
        """Whether this failure ends the request, with all its copies."""
        return failure not in self.non_fatal


def delay_from(durations_s: Sequence[float], share: float = 0.95) -> float:
    """The delay in seconds that all but a `share` of these durations stay below: their quantile, by nearest rank.

    >>> delay_from([0.1, 0.2, 0.3, 0.4], share=0.75)
    0.3
    """
    share = checks.check_ratio("share", share)
    if not durations_s:
        raise checks.refuse("durations_s", list(durations_s), "give at least one duration")
    return sorted(durations_s)[max(0, math.ceil(share * len(durations_s)) - 1)]
