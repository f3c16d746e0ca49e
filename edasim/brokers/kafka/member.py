"""A member of a group: the consumer client that polls, works through what it polled, commits, and joins again.

Follows the Java consumer of apache/kafka 3.7 (`KafkaConsumer`, `ConsumerCoordinator.java`, `AbstractCoordinator.java`,
`Fetcher.java`): heartbeats go on in the background, but what they tell is acted upon in the next poll only. A poll
returns at most `max.poll.records`, partition after partition, beginning with those that were not served last (KAF-23).
Automatic commits happen in poll, every `auto.commit.interval.ms`, of all that earlier polls returned (KAF-20).

A member has as many takers as its node has slots. It polls when one of them finds nothing of the last poll left to do;
a partition whose record is in work is paused meanwhile, so records of a partition never run at the same time. With one
slot this is the usual poll loop. In an eager rebalance it first lets all its work end (as a revoke callback that waits).
Left out: fetching ahead of poll, the time that a fetch takes beyond `fetch.max.wait.ms`.
"""

from __future__ import annotations

from collections import deque

from typing import TYPE_CHECKING

from ..base import Message, Taker
from .assignors import Strategy, TopicPartition
from .claims import Claim, Place
from .configuration import Commit

if TYPE_CHECKING:
    from .group import Group


class Member:
    """One consumer of a group, known to the coordinator by its `id`."""

    def __init__(self, group: Group, name: str, identity: str) -> None:
        self.group = group
        self.name = name
        self.id = identity
        self.instance = name if group.settings.static_members else None
        self.topics = group.topics
        self.claims: list[Claim] = []
        self.batch: deque[Claim] = deque()
        self.free: deque[Taker] = deque()
        self.takers: dict[Taker, None] = {}
        self.active = 0
        self.parked = False
        self.alive = True
        self.generation = 0
        self.last_poll_s = 0.0
        self.commit_due_s = 0.0
        self._heard = False
        self._joining = False
        self._left = False
        self._commit_watched = self._poll_watched = self._fetch_waits = False
        self._cooperative = group.strategy is Strategy.COOPERATIVE_STICKY
        self._last_given: list[TopicPartition] = []

    # ---------------------------------------------------------------- takers

    def ready(self, taker: Taker, now_s: float) -> None:
        """A taker is free."""
        self.takers[taker] = None
        message = self.next_for(taker, now_s)
        if message is not None:
            taker.take(now_s, message)

    def next_for(self, taker: Taker, now_s: float) -> Message | None:
        """The next record for a free taker, polled if nothing is left; with None the taker waits."""
        message = self._from_batch(taker, now_s)
        if message is None:
            self.free.append(taker)
            if self._poll(now_s):
                message = self._from_batch(self.free.pop(), now_s)
                if message is None:
                    self.free.append(taker)
                self._hand_out(now_s)
            self.parked = bool(self.free)
        return message

    def wake(self, now_s: float, claim: Claim) -> None:
        """There is something to read at a claim while a taker waits in poll."""
        if claim.active or claim.in_batch or self._joining_eagerly:
            return
        if self.group.fetch_waits and not self._enough(now_s):
            return
        self._take_in(now_s)

    def _take_in(self, now_s: float) -> None:
        if self._fetch(now_s):
            self._hand_out(now_s)

    def _hand_out(self, now_s: float) -> None:
        while self.free and self.batch:
            taker = self.free.popleft()
            message = self._from_batch(taker, now_s)
            if message is None:
                self.free.appendleft(taker)
                break
            taker.take(now_s, message)
        self.parked = bool(self.free)

    def _from_batch(self, taker: Taker, now_s: float) -> Message | None:
        batch, group = self.batch, self.group
        while batch:
            claim = batch.popleft()
            claim.in_batch = False
            message = claim.begin(now_s, committed_only=group.committed_only)
            if message is not None:
                claim.active = True
                claim.smooth = group.lean and claim.granted and not claim.log.aborted
                self.active += 1
                group.holding[taker] = claim
                group.polled_s = claim.polled_s
                return message
        return None

    def done_with(self, claim: Claim) -> None:
        """Nothing of a claim is in work any more."""
        claim.active = False
        self.active -= 1
        if claim.revoked and claim.granted:
            self._release(claim)

    # ---------------------------------------------------------------- poll

    @property
    def _joining_eagerly(self) -> bool:
        return not self._cooperative and (self._joining or self._heard)

    def _poll(self, now_s: float) -> bool:
        """One call of poll; True if it returned records."""
        self.last_poll_s = now_s
        group = self.group
        if group.commit is Commit.AFTER_BATCH:
            self.commit(now_s)
        if self._heard or self._left:
            self._join_if_ready(now_s)
            if not self._cooperative or self._left:
                return False
        if self._joining_eagerly or not self.alive:
            return False
        if group.commit is Commit.AUTO:
            self._commit_if_due(now_s)
        if group.fetch_waits and not self._enough(now_s):
            return False
        return self._fetch(now_s)

    def _fetch(self, now_s: float) -> bool:
        """Polls what there is, at most `max.poll.records`; True if that is something."""
        group = self.group
        left, committed_only, served = group.max_poll_records, group.committed_only, None
        for claim in self.claims:
            if claim.active or claim.in_batch or claim.revoked:
                continue
            log, position = claim.log, claim.next
            if position < log.base:
                position = group.out_of_range(now_s, claim)
            more = (log.high if log.lagging else log.base + len(log.records)) - position
            if more <= 0 or (committed_only and (more := log.last_stable - position) <= 0):
                continue
            claim.fetched = position + (more if more < left else left)
            claim.in_batch = True
            claim.polled_s = now_s
            self.batch.append(claim)
            served = [claim] if served is None else [*served, claim]
            left -= more
            if left <= 0:
                break
        if served is None:
            return False
        if len(self.claims) > 1:
            for claim in served:
                self.claims.remove(claim)
            self.claims += served
        if group.commit is Commit.BEFORE_PROCESSING:
            self.commit(now_s)
        elif group.commit is Commit.AUTO and not self._commit_watched:
            self._watch_commits()
        self.last_poll_s = now_s
        if not self._poll_watched:
            self._poll_watched = True
            self.group.sim.env.watch(now_s + group.settings.max_poll_interval_s, self._poll_is_late)
        return True

    def _enough(self, now_s: float) -> bool:
        """Whether a fetch is answered: enough bytes are there, or the first ones have waited for long enough."""
        settings = self.group.settings
        there = sum(
            max(0, claim.log.visible(committed_only=self.group.committed_only) - claim.next)
            for claim in self.claims
            if not (claim.active or claim.in_batch)
        )
        if there * settings.record_bytes >= settings.fetch_min_bytes:
            return True
        if there and not self._fetch_waits:
            self._fetch_waits = True
            waited_s = (now_s - self.last_poll_s) % settings.fetch_max_wait_s
            self.group.sim.env.at(now_s + settings.fetch_max_wait_s - waited_s, self._waited_for_bytes)
        return False

    def _waited_for_bytes(self, now_s: float, _: object) -> None:
        self._fetch_waits = False
        if self.parked and not self._joining_eagerly and self.alive:
            self._take_in(now_s)

    # ---------------------------------------------------------------- commits

    def positions(self) -> list[tuple[Place, int]]:
        """What a commit of now would say, place by place, as this group commits."""
        polled = self.group.commit in (Commit.AUTO, Commit.BEFORE_PROCESSING)
        return [(claim.place, claim.fetched if polled else claim.finished) for claim in self.claims]

    def commit(self, now_s: float) -> bool:
        """Commits the positions of all claims; False if the coordinator refuses."""
        return self.group.commit_offsets(now_s, self, self.positions())

    def _commit_if_due(self, now_s: float) -> None:
        if now_s >= self.commit_due_s:
            self.commit_due_s = now_s + self.group.settings.auto_commit_interval_s
            self.commit(now_s)

    def _watch_commits(self) -> None:
        self._commit_watched = True
        env = self.group.sim.env
        env.watch(max(self.commit_due_s, float(env.now)), self._commit_while_parked)

    def _commit_while_parked(self, now_s: float, _: object) -> None:
        self._commit_watched = False
        if self.alive and self.parked and not self._joining:
            self._commit_if_due(now_s)

    # ---------------------------------------------------------------- the group

    def join(self, now_s: float) -> None:
        """Asks to be a member of the next generation."""
        self._heard = self._left = False
        self._joining = True
        self.group.coordinator.join(now_s, self)

    def owned(self) -> list[TopicPartition]:
        """What it reads, or what it had before an eager rebalance."""
        if self._cooperative:
            return [claim.place.key for claim in self.claims if claim.granted and not claim.revoked]
        return self._last_given

    def hear(self, now_s: float) -> None:
        """A heartbeat says that the group rebalances: acted upon at once if the member waits in poll."""
        if not self.alive or self._joining:
            return
        self._heard = True
        if self.free:
            self._join_if_ready(now_s)

    def _join_if_ready(self, now_s: float) -> None:
        """Joins, once nothing is in work that would have to be let go of."""
        if self._cooperative and not self._left:
            if self.group.commit is Commit.AUTO:
                self.commit(now_s)
            return self.join(now_s)
        if self.active or self.batch:
            return None
        self.commit(now_s)
        self._drop(now_s, list(self.claims))
        return self.join(now_s)

    def assigned(self, now_s: float, generation: int, partitions: list[TopicPartition]) -> None:
        """The partitions of a new generation: what is new is read from the committed offset."""
        self.generation = generation
        self._last_given = list(partitions)
        self._joining = self._heard = False
        if not self.alive:
            return
        given = set(partitions)
        if not self._cooperative:
            self._drop(now_s, list(self.claims))
        losing = [claim for claim in self.claims if claim.place.key not in given]
        for claim in losing:
            claim.revoked = True
            self._unread(claim)
            if not claim.active:
                self._release(claim, told=False)
        have = {claim.place.key for claim in self.claims}
        for key in partitions:
            if key not in have:
                self.claims.append(self.group.grant(now_s, self, key))
        self.commit_due_s = now_s + self.group.settings.auto_commit_interval_s
        if losing and all(claim.place.key in given for claim in self.claims):
            self.join(now_s)
        if self.free and self._poll(now_s):
            self._hand_out(now_s)
        self.parked = bool(self.free)

    def _release(self, claim: Claim, *, told: bool = True) -> None:
        """A partition that was taken away is let go of; after the last one the member joins again."""
        now_s = float(self.group.sim.env.now)
        if self.group.commit is not Commit.BEFORE_PROCESSING:
            self.group.commit_offsets(now_s, self, [(claim.place, claim.finished)])
        self._drop(now_s, [claim])
        if told and not any(each.revoked for each in self.claims):
            self.join(now_s)

    def _unread(self, claim: Claim) -> None:
        """What was polled and not begun counts as not polled."""
        if claim.in_batch:
            self.batch.remove(claim)
            claim.in_batch = False
        claim.fetched = claim.next
        claim.smooth = False

    def _drop(self, now_s: float, claims: list[Claim]) -> None:
        if claims:
            self.group.fact(now_s, "partitions_revoked", member=self.id, partitions=_told(claims))
        for claim in claims:
            self.group.give_up(claim)
            self.claims.remove(claim)
            if claim.in_batch:
                self._unread(claim)

    def _poll_is_late(self, now_s: float, _: object) -> None:
        """`max.poll.interval.ms` is over: who has not polled since leaves the group (KAF-14)."""
        self._poll_watched = False
        limit_s = self.group.settings.max_poll_interval_s
        if not self.alive or self._left or not (self.active or self.group.waits_by_hand(self)):
            return
        if now_s < self.last_poll_s + limit_s:
            self._poll_watched = True
            self.group.sim.env.watch(self.last_poll_s + limit_s, self._poll_is_late)
            return
        self._left = True
        self.group.fact(now_s, "poll_interval_exceeded", member=self.id, last_poll_s=self.last_poll_s)
        if self.instance is None:
            self.group.coordinator.leave(now_s, self)
        else:
            self.group.coordinator.fall_silent(now_s, self)

    def close(self, now_s: float) -> None:
        """Commits, leaves the group and is no more."""
        self.commit(now_s)
        self._end(now_s)
        if self.instance is None:
            self.group.coordinator.leave(now_s, self)
        else:
            self.group.coordinator.fall_silent(now_s, self)

    def crash(self, now_s: float) -> None:
        """Is no more, and has told nobody."""
        self._end(now_s)
        self.group.coordinator.fall_silent(now_s, self)

    def _end(self, now_s: float) -> None:
        self.alive = self.parked = False
        for claim in self.claims:
            claim.place.lost_s = now_s
            self.group.give_up(claim)
        self.batch.clear()
        self.free.clear()


def _told(claims: list[Claim]) -> list[str]:
    return [f"{claim.log.topic}-{claim.log.number}" for claim in claims]



