"""A consumer as its client and its broker see it: what was dispatched to it, and who takes it from there.

Follows `ActiveMQMessageConsumer.java` and `PrefetchSubscription.java` of ActiveMQ 5.17. A consumer holds at most its
prefetch unacknowledged. A node is one consumer: its slots share one buffer. Left out: that JMS clients which
acknowledge by hand are sent more than a prefetch as they read on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..base import Taker
from .message import Entry
from .selector import Selector
from .settings import ConsumerSettings


class Consumer:
    """One consumer of a queue or of a subscriber's messages.

    `held` has all that was dispatched and not acknowledged, `buffer` what of it no taker has taken, `free` the takers
    that wait, `takers` those that belong to a node, `lazy` what is done and not acknowledged yet. Until
    `stopped_until_s` it hands out nothing. If it `forgets`, its broker waits for no acknowledgement. `spoils(now_s,
    entry)` tells, and takes care, if a message must not be handed out any more.
    """

    def __init__(
        self,
        name: str,
        settings: ConsumerSettings,
        *,
        selector: Selector | None,
        exclusive: bool,
        endpoint: int,
        spoils: Callable[[float, Entry], bool],
    ) -> None:
        self.name = name
        self.settings = settings
        self.forgets = settings.forgets
        self.prefetch = settings.prefetch
        self.priority = settings.priority
        self.selector = selector
        self.exclusive = exclusive
        self.endpoint = endpoint
        self.spoils = spoils
        self.held: dict[int, Entry] = {}
        self.buffer: deque[Entry] = deque()
        self.free: deque[Taker] = deque()
        self.takers: dict[Taker, None] = {}
        self.lazy: list[Entry] = []
        self.groups = 0
        self.asking = 0
        self.stopped_until_s = self.redelivery_delay_s = 0.0

    @property
    def has_room(self) -> bool:
        """Whether the broker may send it one more message."""
        if self.forgets:
            return True
        if self.prefetch:
            return len(self.held) < self.prefetch
        return len(self.buffer) < len(self.free) + self.asking

    def feed(self, now_s: float) -> None:
        """Hands what is in the buffer to takers that wait. What spoils may make others come and go meanwhile."""
        while self.free and self.buffer and now_s >= self.stopped_until_s:
            entry = self.buffer.popleft()
            if not self.spoils(now_s, entry):
                entry.taken = True
                self.free.popleft().take(now_s, entry.message)

    def next_entry(self, now_s: float) -> Entry | None:
        """The next message for a taker that is not among the free ones; None if there is none or it is stopped."""
        while self.buffer and now_s >= self.stopped_until_s:
            entry = self.buffer.popleft()
            if not self.spoils(now_s, entry):
                entry.taken = True
                return entry
        return None

    def forget_all(self) -> None:
        """The connection is gone, and with it all that was dispatched; takers that wait go on waiting."""
        self.held.clear()
        self.buffer.clear()
        self.lazy.clear()
        self.groups = 0
