"""Back pressure: the queue tells the source to slow down, before it has to refuse.

Two forms. `Watermarks`: the source stops when the queue reaches `high` and goes on when it has fallen to `low`, as
TCP's and Netty's write buffers do. `Credits`: the receiver grants how many it will take, as Reactive Streams'
`request(n)` does (rule 1.1: no more elements are sent than were requested); the grants add up. Left out: what the
source does with what it may not send.
"""

from __future__ import annotations

from .. import checks


@checks.configuration
class Watermarks:
    """The source stops at `high` waiting messages and goes on at `low`; the gap keeps it from stopping at every
    message.

    >>> flow = Watermarks(high=3, low=1).start()
    >>> [flow.may_send(waiting) for waiting in (0, 2, 3, 2, 1, 2)]
    [True, True, False, False, True, True]
    """

    high: int = checks.at_least(1)
    low: int = checks.at_least(0)

    def check(self) -> None:
        """The low mark lies below the high one."""
        if self.low >= self.high:
            raise checks.refuse("Watermarks.low", self.low, f"give less than high, {self.high}")

    def start(self) -> Flow:
        """The source may send."""
        return Flow(self)


class Flow:
    """Whether the source is stopped, and how often it was."""

    __slots__ = ("_high", "_low", "stopped", "stops")

    def __init__(self, configuration: Watermarks) -> None:
        self._high, self._low = configuration.high, configuration.low
        self.stopped = False
        self.stops = 0

    def may_send(self, waiting: int) -> bool:
        """Whether the source may send while so many messages wait."""
        if self.stopped:
            self.stopped = waiting > self._low
        elif waiting >= self._high:
            self.stopped = True
            self.stops += 1
        return not self.stopped


@checks.configuration
class Credits:
    """`first` messages may be sent unasked; after that, as many as are granted.

    >>> credit = Credits(first=1).start()
    >>> credit.take(), credit.take(), credit.grant(2), credit.take(), credit.left
    (True, False, None, True, 1)
    """

    first: int = checks.at_least(0, default=0)

    def start(self) -> Credit:
        """The first grant."""
        return Credit(self.first)


class Credit:
    """What may still be sent."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def grant(self, more: int) -> None:
        """The receiver will take `more` (at least 1) messages in addition."""
        self.left += checks.check_whole(1)("more", more)

    def take(self) -> bool:
        """Whether one may be sent; a yes uses up a credit."""
        if self.left <= 0:
            return False
        self.left -= 1
        return True
