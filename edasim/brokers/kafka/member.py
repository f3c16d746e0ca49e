"""A member of a group: the consumer client that polls, works through what it polled, commits, and joins again.

Follows the Java consumer of apache/kafka 3.9 (`KafkaConsumer`, `ConsumerCoordinator.java`, `AbstractCoordinator.java`,
`Fetcher.java`): heartbeats go on in the background, but what they tell is acted upon in the next poll only. A poll
returns at most `max.poll.records` (KAF-23), those that came first; between partitions Kafka promises no order.
Automatic commits happen in poll, every `auto.commit.interval.ms`, of all that earlier polls returned (KAF-20).

A member has as many takers as its node has slots; it polls when one of them finds nothing of the last poll left to do.
Records of a partition never run at the same time: those that come while one is in work wait for it. With one slot this
is the usual poll loop. In an eager rebalance it first lets all its work end, as a revoke callback that waits.
Left out: fetching ahead of poll, the time that a fetch takes beyond `fetch.max.wait.ms`.

`inbox` holds a claim for each record that can be read, in order of coming; the first `left` of them were polled. Before
`attention_s` a poll has nothing to do but to look there.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from ...kernel.plane import URGENT
from ..base import Message, Taker
from .assignors import Strategy, TopicPartition
from .claims import Claim, Place
from .configuration import Commit
from .stretch import MemberStretch

if TYPE_CHECKING:
    from .group import Group

NOW_S = -math.inf


class Member:
    """One consumer of a group, known to the coordinator by its `id`."""

    def __init__(self, group: Group, name: str, identity: str) -> None:
        self.group = group
        self.name = name
        self.id = identity
        self.instance = name if group.settings.static_members else None
        self.topics = group.topics
        self.claims: list[Claim] = []
        self.inbox, self.left = deque[Claim](), 0
        self.free: deque[Taker] = deque()
        self.takers: dict[Taker, None] = {}
        self.parked, self.alive = False, True
        self.stretch: MemberStretch | None = None
        self.generation = 0
        self.attention_s = NOW_S
        self.polled_s = self._commit_due_s = 0.0
        self._heard = self._joining = self._left_group = False
        self._commit_watched = self._poll_watched = self._waits_for_bytes = False
        self._cooperative = group.strategy is Strategy.COOPERATIVE_STICKY
        self._last_given: list[TopicPartition] = []
        self._new_partitions: list[TopicPartition] | None = None

    def catch_up(self) -> None:
        """Is where it would be by now if somebody had looked all the time (`stretch`)."""
        if self.stretch is not None and self.stretch.lasts:
            self.stretch.end()

    # ---------------------------------------------------------------- takers

    def ready(self, taker: Taker, now_s: float) -> None:
        """A taker is free."""
        self.catch_up()
        self.takers[taker] = None
        self.stretch = MemberStretch.of(self)
        message = self.next_for(taker, now_s)
        if message is not None:
            taker.take(now_s, message)

    def next_for(self, taker: Taker, now_s: float) -> Message | None:
        """The next record for a free taker, polled if nothing is left; with None the taker waits in poll."""
        message = self._from_last_poll(taker, now_s)
        while message is None and self._poll(now_s):
            message = self._from_last_poll(taker, now_s)
        if message is None:
            self.free.append(taker)
        elif self.free and self.left:
            self._hand_out(now_s)
        self.parked = bool(self.free)
        return message

    def there_is_more(self, now_s: float, claim: Claim, records: int) -> None:
        """Records can be read at a claim, now or when they were polled."""
        self.catch_up()
        self.inbox.extend([claim] * records)
        if self.parked and self.left == 0:
            self._poll_while_parked(now_s)

    def wake(self, now_s: float, claim: Claim) -> None:
        """One more record can be read at a claim, and a taker waits in poll."""
        if now_s < self.attention_s and claim.plain and not claim.active and not self.inbox:
            offset, log = claim.next, claim.log
            if offset >= claim.fresh_from and offset - log.base == len(log.records) - 1:
                taker = self.free.popleft()
                self.parked = bool(self.free)
                self.polled_s = self.group.polled_s = now_s
                claim.next = offset + 1
                claim.active = True
                self.group.holding[taker] = claim
                taker.take(now_s, log.records[-1])  # type: ignore[arg-type]
                return
        self.inbox.append(claim)
        if self.left == 0:
            self._poll_while_parked(now_s)

    def _poll_while_parked(self, now_s: float) -> None:
        if self._poll(now_s):
            self._hand_out(now_s)

    def _hand_out(self, now_s: float) -> None:
        """Gives what was polled to the takers that wait."""
        while self.free and self.left:
            taker = self.free.popleft()
            message = self._from_last_poll(taker, now_s)
            if message is None:
                self.free.appendleft(taker)
            else:
                taker.take(now_s, message)
        self.parked = bool(self.free)

    def _from_last_poll(self, taker: Taker, now_s: float) -> Message | None:
        group = self.group
        while self.left:
            self.left -= 1
            claim = self.inbox.popleft()
            if claim.active:
                claim.waiting += 1
                continue
            if claim.next < claim.log.base:
                group.places.out_of_range(now_s, claim)
            message = claim.begin(now_s, committed_only=group.committed_only)
            if message is not None:
                claim.active = True
                group.holding[taker] = claim
                group.polled_s = self.polled_s
                return message
        return None

    def withdraw(self, taker: Taker) -> None:
        """A taker takes no more; a member without any is still in the group, until it should have polled again."""
        self.catch_up()
        self.takers.pop(taker, None)
        self.stretch = MemberStretch.of(self)
        self.free = deque(free for free in self.free if free is not taker)
        self.parked = bool(self.free)

    def done_with(self, claim: Claim) -> None:
        """Nothing of a claim is in work any more."""
        claim.active = False
        if claim.revoked and claim.granted:
            self._release(claim)

    # ---------------------------------------------------------------- poll

    def _poll(self, now_s: float) -> bool:
        """One call of poll, after the last one was worked through; True if it returned records."""
        if now_s >= self.attention_s and not self._see_to_things(now_s):
            return False
        there = len(self.inbox)
        if there == 0:
            return False
        self.left = min(there, self.group.settings.max_poll_records)
        self.polled_s = now_s
        if self.group.commit is Commit.BEFORE_PROCESSING:
            self.commit(now_s)
        return True

    def _see_to_things(self, now_s: float) -> bool:
        """What a poll does besides fetching: commit, join again, renew its timers. False: it returns no records."""
        group = self.group
        if self._new_partitions is not None:
            self._take_over(now_s)
        if group.commit is Commit.AFTER_BATCH:
            self.commit(now_s)
        if self._heard or self._left_group:
            self._join_if_ready(now_s)
            if not self._cooperative or self._left_group:
                return False
        if not self.alive or (self._joining and not self._cooperative):
            return False
        if group.commit is Commit.AUTO and now_s >= self._commit_due_s:
            self._commit_due_s = now_s + group.settings.auto_commit_interval_s
            self.commit(now_s)
        if group.fetch_waits and not self._enough(now_s):
            return False
        self._set_timers(now_s)
        return True

    def _set_timers(self, now_s: float) -> None:
        group = self.group
        if not self._poll_watched and self.inbox:
            self._poll_watched = True
            group.sim.env.watch(now_s + group.settings.max_poll_interval_s, self._poll_is_late)
        if group.commit is Commit.AUTO and not self._commit_watched and self.inbox:
            self._commit_watched = True
            group.sim.env.watch(self._commit_due_s, self._commit_while_parked, priority=URGENT)
        always = group.fetch_waits or group.commit in (Commit.AFTER_BATCH, Commit.BEFORE_PROCESSING)
        timers_run = self._poll_watched and (group.commit is not Commit.AUTO or self._commit_watched)
        if always or self._heard or not timers_run:
            self.attention_s = NOW_S
        else:
            self.attention_s = self._commit_due_s if group.commit is Commit.AUTO else math.inf

    def _enough(self, now_s: float) -> bool:
        """Whether a fetch is answered: enough bytes are there, or the first ones have waited for long enough."""
        settings = self.group.settings
        if len(self.inbox) * settings.record_bytes >= settings.fetch_min_bytes:
            return True
        if self.inbox and not self._waits_for_bytes:
            self._waits_for_bytes = True
            waited_s = (now_s - self.polled_s) % settings.fetch_max_wait_s
            self.group.sim.env.at(now_s + settings.fetch_max_wait_s - waited_s, self._waited_for_bytes)
        return False

    def _waited_for_bytes(self, now_s: float, _: object) -> None:
        self._waits_for_bytes = False
        if self.parked and self.alive and self.inbox:
            self.left = min(len(self.inbox), self.group.settings.max_poll_records)
            self.polled_s = now_s
            self._hand_out(now_s)

    def _poll_is_late(self, now_s: float, _: object) -> None:
        """`max.poll.interval.ms` is over: who has not polled since leaves the group (KAF-14)."""
        self.catch_up()
        self._poll_watched = False
        self.attention_s = NOW_S
        limit_s = self.group.settings.max_poll_interval_s
        if not self.alive or self._left_group or self.free:
            return
        if now_s < self.polled_s + limit_s:
            self._poll_watched = True
            self.group.sim.env.watch(self.polled_s + limit_s, self._poll_is_late)
            return
        self._left_group = True
        self.group.fact(now_s, "poll_interval_exceeded", member=self.id, last_poll_s=self.polled_s)
        self._say_goodbye(now_s)

    # ---------------------------------------------------------------- commits

    def positions(self) -> list[tuple[Place, int]]:
        """What a commit of now would say, place by place, as this group commits."""
        if self.group.commit not in (Commit.AUTO, Commit.BEFORE_PROCESSING):
            return [(claim.place, claim.finished) for claim in self.claims]
        polled = {id(claim): claim.next + claim.waiting for claim in self.claims}
        for place in range(self.left):
            polled[id(self.inbox[place])] += 1
        return [(claim.place, polled[id(claim)]) for claim in self.claims]

    def commit(self, now_s: float) -> bool:
        """Commits the positions of all claims; False if the coordinator refuses."""
        return self.group.places.commit_offsets(now_s, self, self.positions())

    def _commit_while_parked(self, now_s: float, _: object) -> None:
        self.catch_up()
        self._commit_watched = False
        self.attention_s = NOW_S
        if self.parked and not self._joining and now_s >= self._commit_due_s:
            self._commit_due_s = now_s + self.group.settings.auto_commit_interval_s
            self.commit(now_s)

    # ---------------------------------------------------------------- the group

    def join(self, now_s: float) -> None:
        """Asks to be a member of the next generation."""
        self._heard = self._left_group = False
        self._joining = True
        self.group.sim.env.at(now_s, self._send_join)

    def _send_join(self, now_s: float, _: object) -> None:
        if self.alive and self._joining:
            self.group.coordinator.join(now_s, self)

    def owned(self) -> list[TopicPartition]:
        """What it reads, or what it had before an eager rebalance."""
        if self._cooperative:
            return [claim.place.key for claim in self.claims if claim.granted and not claim.revoked]
        return self._last_given

    def hear(self, now_s: float) -> None:
        """A heartbeat says that the group rebalances: acted upon at once if the member waits in poll."""
        self.catch_up()
        if self.alive and not self._joining:
            self._heard = True
            self.attention_s = NOW_S
            if self.free:
                self._join_if_ready(now_s)

    def _join_if_ready(self, now_s: float) -> None:
        """Joins, once nothing is in work that would have to be let go of."""
        if self._cooperative and not self._left_group:
            if self.group.commit is Commit.AUTO:
                self.commit(now_s)
            self.join(now_s)
        elif self.left == 0 and not any(claim.active for claim in self.claims):
            if self.group.commit is Commit.AUTO:
                self.commit(now_s)
            self._drop(now_s, list(self.claims))
            self.join(now_s)

    def assigned(self, now_s: float, generation: int, partitions: list[TopicPartition]) -> None:
        """The partitions of a new generation: what is new is read from the committed offset."""
        self.catch_up()
        self.generation = generation
        self._last_given = list(partitions)
        self._joining = self._heard = False
        self.attention_s = NOW_S
        if not self.alive:
            return
        self._new_partitions = partitions
        if self.left == 0:
            self._take_over(now_s)
            if self.free:
                self._poll_while_parked(now_s)

    def _take_over(self, now_s: float) -> None:
        """In poll: lets go of what was taken away, and begins to read what was given."""
        partitions, self._new_partitions = self._new_partitions or [], None
        given = set(partitions)
        losing = [claim for claim in self.claims if claim.place.key not in given]
        for claim in losing:
            claim.revoked = True
            claim.plain = False
            self.unread(claim)
            if not claim.active:
                self._release(claim, told=False)
        have = {claim.place.key for claim in self.claims}
        for key in partitions:
            if key not in have:
                self._begin_to_read(self.group.places.grant(now_s, self, key))
        self._commit_due_s = now_s + self.group.settings.auto_commit_interval_s
        if losing and not any(claim.revoked for claim in self.claims):
            self.join(now_s)

    def _begin_to_read(self, claim: Claim) -> None:
        self.claims.append(claim)
        there = claim.log.visible(committed_only=self.group.committed_only) - claim.next
        self.inbox.extend([claim] * there)

    def _release(self, claim: Claim, *, told: bool = True) -> None:
        """A partition that was taken away is let go of; after the last one the member joins again."""
        now_s = float(self.group.sim.env.now)
        if self.group.commit is not Commit.BEFORE_PROCESSING:
            self.group.places.commit_offsets(now_s, self, [(claim.place, claim.finished)])
        self._drop(now_s, [claim])
        if told and not any(each.revoked for each in self.claims):
            self.join(now_s)

    def unread(self, claim: Claim) -> None:
        """What was polled of a partition and not begun counts as not polled."""
        self.left -= sum(self.inbox[place] is claim for place in range(self.left))
        others = [each for each in self.inbox if each is not claim]
        self.inbox.clear()
        self.inbox.extend(others)
        claim.waiting = 0

    def _drop(self, now_s: float, claims: list[Claim]) -> None:
        if claims:
            told = [f"{claim.log.topic}-{claim.log.number}" for claim in claims]
            self.group.fact(now_s, "partitions_revoked", member=self.id, partitions=told)
        for claim in claims:
            self.group.places.abandoned(now_s, claim)
            self.claims.remove(claim)
            self.unread(claim)

    def _say_goodbye(self, now_s: float) -> None:
        """Leaves the group; a static member only stops its heartbeats (KAF-16)."""
        if self.instance is None:
            self.group.coordinator.leave(now_s, self)
        else:
            self.group.coordinator.fall_silent(now_s, self)

    def close(self, now_s: float) -> None:
        """Commits, leaves the group and is no more."""
        self.catch_up()
        self.commit(now_s)
        self._end(now_s)
        self._say_goodbye(now_s)

    def crash(self, now_s: float) -> None:
        """Is no more, and has told nobody."""
        self.catch_up()
        self._end(now_s)
        self.group.coordinator.fall_silent(now_s, self)

    def _end(self, now_s: float) -> None:
        self.alive = self.parked = False
        for taker in [taker for taker, claim in self.group.holding.items() if claim.member is self]:
            del self.group.holding[taker]
        for claim in self.claims:
            self.group.places.abandoned(now_s, claim)
        self.inbox.clear()
        self.free.clear()
        self.left = 0
