"""Deadlines: until when anybody waits for an answer, handed on from call to call.

Follows: gRPC, deadlines and their propagation (GV-23): what is passed on is what is left, and work for a request whose
deadline has passed is not begun. Inside a simulation there is one clock, so an absolute time is exact; between real
machines gRPC sends the time that is left, since their clocks differ.
"""

from __future__ import annotations

from .. import checks


@checks.configuration
class Timeout:
    """How long a caller waits for an answer, in all or for one attempt."""

    after_s: float = checks.positive(default=1.0)


@checks.configuration
class Deadline:
    """The simulated second after which nobody waits.

    >>> deadline = Deadline(at_s=1.0)
    >>> deadline.left_s(0.75), deadline.expired(1.0), deadline.within(0.5, timeout_s=2.0).at_s
    (0.25, True, 1.0)
    """

    at_s: float = checks.non_negative()

    def left_s(self, now_s: float) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self.at_s - now_s)

    def expired(self, now_s: float) -> bool:
        """Whether nothing is left, so that no work is to be begun."""
        return now_s >= self.at_s

    def within(self, now_s: float, timeout_s: float) -> Deadline:
        """The deadline of a call made now with a timeout of its own: whichever is earlier."""
        return Deadline(at_s=min(self.at_s, now_s + timeout_s))
