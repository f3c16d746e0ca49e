"""A consumer group: a subscription whose takers are members, and whose places in the partitions outlive them.

A node of a service is a member; its slots are the member's takers (`member`). The group keeps a place per partition
(`claims`), and a coordinator says who reads which (`coordinator`). A record that a handler refuses is read again at
once, for ever, or up to `skip_after` attempts: the broker knows neither refusal nor dead letters, so meanwhile its
partition stands still (KAF-25). A crashed node falls silent; what it had not committed is read again by whoever gets
its partitions (KAF-19). Follows apache/kafka 3.9 as said in those modules. Left out: several groups' subscriptions
under one name, patterns of topics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import StateError, UnknownNameError
from ...kernel import Simulation
from ...kernel.runlog import DROPPED, FAILED, LogLevel
from ..base import Message, Taker
from ..by_hand import Receive
from .assignors import Strategy, TopicPartition
from .claims import Claim
from .configuration import Cleanup, Commit, Isolation, Kafka
from .coordinator import Coordinator
from .member import Member
from .places import Places
from .stretch import rests

if TYPE_CHECKING:
    from .by_hand import Record
    from .topic import Topic


class Group:
    """A consumer group of one topic or several."""

    forgets = False

    def __init__(
        self,
        sim: Simulation,
        broker: str,
        name: str,
        topics: Sequence[Topic],
        settings: Kafka,
        *,
        skip_after: int | None = None,
    ) -> None:
        self.sim = sim
        self.name = name
        self.settings = settings
        self.topics: tuple[str, ...] = tuple(topic.name for topic in topics)
        self.strategy: Strategy = settings.assignor
        self.commit: Commit = settings.commit
        self.committed_only: bool = settings.isolation is Isolation.READ_COMMITTED
        self.max_poll_records = settings.max_poll_records
        self.fetch_waits = settings.fetch_min_bytes > settings.record_bytes
        self.skip_after = skip_after
        self.lane = sim.log.lane(broker, ", ".join(self.topics), name)
        self.holding: dict[Taker, Claim] = {}
        self.polled_s = 0.0
        self._topics = {topic.name: topic for topic in topics}
        counts = {topic.name: topic.partitions for topic in topics}
        self.coordinator = Coordinator(sim, name, settings, self.strategy, counts)
        self.places = Places(sim, name, self.lane, settings, self.coordinator)
        self.is_watched = any(topic.careful or topic.cleanup is Cleanup.COMPACT for topic in topics)
        for topic in topics:
            topic.read_by(self)
        self.members: dict[str, Member] = {}
        self._lives: dict[str, int] = {}
        self._fallen: dict[int, Claim] = {}
        self.in_hand: dict[Record, None] = {}
        plain_commit = self.commit is not Commit.AFTER_EACH and not self.committed_only
        self.lean = plain_commit and not any(topic.settled for topic in topics)
        self.delivered_s = None if sim.log.level is LogLevel.METRICS else self._polled_s
        self.done = self._hot_path()
        sim.log.placements[self.lane] = self._placements
        sim.on_end(lambda now_s: [*(record.open_row() for record in self.in_hand), *self.places.open_rows(now_s)])

    def _hot_path(self) -> Callable[[Taker, float, Message], Message | None]:
        """`done` as a closure; usually something is left of the last poll, or the next one has something."""
        holding, finish, max_poll_records = self.holding, self._finish, self.settings.max_poll_records
        is_timed = self.delivered_s is not None

        def done(taker: Taker, now_s: float, message: Message) -> Message | None:
            try:
                claim = holding[taker]
            except KeyError:  # its consumer was closed in the meantime
                return None
            member = claim.member
            if not claim.plain or claim.waiting or now_s >= member.attention_s:
                return finish(taker, now_s, message, claim)
            inbox, left = member.inbox, member.left
            if left == 0:
                if rests(member, taker, now_s):
                    claim.active = False
                    del holding[taker]
                    return None
                left = len(inbox)
                if left > max_poll_records:  # noqa: PLR1730 - min() would cost a call for each record
                    left = max_poll_records
                member.left = left
                member.polled_s = now_s
            following = inbox[0]
            offset = following.next
            if offset < following.fresh_from or (following is not claim and (following.active or not following.plain)):
                return finish(taker, now_s, message, claim)
            try:
                record = following.records[offset - following.base]
            except IndexError:
                return finish(taker, now_s, message, claim)
            if record is None:
                return finish(taker, now_s, message, claim)
            inbox.popleft()
            member.left = left - 1
            following.next = offset + 1
            if following is not claim:
                claim.active = False
                following.active = True
                holding[taker] = following
            if is_timed:
                self.polled_s = member.polled_s
            return record

        return done

    def _finish(self, taker: Taker, now_s: float, message: Message, claim: Claim) -> Message | None:
        """The longer way of `done`."""
        self._processed(now_s, message, claim)
        member = claim.member
        if claim.waiting:
            claim.waiting -= 1
            following = claim.begin(now_s, committed_only=self.committed_only)
            if following is not None:
                self.polled_s = member.polled_s
                return following
        del self.holding[taker]
        member.done_with(claim)
        return member.next_for(taker, now_s)

    def _processed(self, now_s: float, message: Message, claim: Claim) -> None:
        """The application is done with a record."""
        for tell in claim.place.settled:
            tell(now_s, message)
        if self.commit is Commit.AFTER_EACH:
            self.places.commit_offsets(now_s, claim.member, [(claim.place, claim.next)])

    # ---------------------------------------------------------------- takers

    def ready(self, taker: Taker, now_s: float) -> None:
        """The taker is free: its member polls for it, after having joined the group if it is new."""
        member = self.members.get(taker.name)
        if member is None or not member.alive:
            member = self._new_member(taker.name, now_s)
        member.ready(taker, now_s)

    def _new_member(self, name: str, now_s: float) -> Member:
        life = self._lives[name] = self._lives.get(name, 0) + 1
        member = self.members[name] = Member(self, name, name if life == 1 else f"{name}#{life}")
        member.polled_s = now_s
        member.join(now_s)
        return member

    def withdraw(self, taker: Taker) -> None:
        """The taker takes no more messages. When all slots of a node are gone, its member falls silent."""
        now_s = float(self.sim.env.now)
        member = self.members.get(taker.name)
        if member is None:
            return
        member.catch_up()
        claim = self.holding.pop(taker, None)
        if claim is not None:
            record = claim.log.at(claim.next - 1, committed_only=False)
            if record is not None:
                self._fallen[record[0]] = claim
        member.withdraw(taker)
        if not member.takers and not isinstance(taker, Receive):
            member.crash(now_s)

    def give_back(self, now_s: float, messages: Sequence[Message]) -> None:
        """What crashed takers held stays in the log; it is read again from the committed offset."""
        for message in messages:
            self._fallen.pop(message[0], None)

    def acknowledge(self, now_s: float, message: Message) -> None:
        """A record counts as processed although its taker is gone, or could not do it: its offset is committed."""
        claim = self._fallen.pop(message[0], None)
        if claim is None:
            claim = self._claim_in_work(message)
            return self._give_up_record(now_s, message, claim)
        place = claim.place
        if place.claim is None or place.claim is claim:
            place.committed = max(place.committed or 0, claim.next)
        for tell in place.settled:
            tell(now_s, message)
        return None

    def refuse(self, now_s: float, message: Message) -> int:
        """A handler failed: the application seeks back to the record, or skips it after `skip_after` attempts."""
        claim = self._claim_in_work(message)
        if self.skip_after is not None and message[4] >= self.skip_after:
            self._give_up_record(now_s, message, claim)
            return DROPPED
        claim.place.lost_s = now_s
        self._read_again(claim)
        return FAILED

    def _read_again(self, claim: Claim) -> None:
        """The record in work is the next one once more, for this member or for who gets the partition."""
        claim.note_started()
        claim.next -= 1
        claim.waiting += 1
        self._let_go(claim)
        self._put_first(claim)

    def _give_up_record(self, now_s: float, message: Message, claim: Claim) -> None:
        self._let_go(claim)
        self._processed(now_s, message, claim)
        self._put_first(claim)

    def _claim_in_work(self, message: Message) -> Claim:
        for claim in self.holding.values():
            record = claim.log.at(claim.next - 1, committed_only=False)
            if record is not None and record[0] == message[0]:
                return claim
        raise StateError(
            f"nobody works on message {message[0]} in group {self.name!r}",
            field="message",
            value=message[0],
            remedy="settle what you were given, once",
            at_s=float(self.sim.env.now),
        )

    def _let_go(self, claim: Claim) -> None:
        for taker in [taker for taker, held in self.holding.items() if held is claim]:
            del self.holding[taker]
        claim.member.done_with(claim)

    def _put_first(self, claim: Claim) -> None:
        """What waits of a poll comes next, if the member still has the partition."""
        member = claim.member
        if claim in member.claims and not claim.revoked:
            member.inbox.extendleft([claim] * claim.waiting)
            member.left += claim.waiting
        claim.waiting = 0

    def receive(self, *, consumer: str = "by-hand") -> Receive:
        """An event for your own process: `record = yield group.receive(consumer="c1")`, a `Record` (`by_hand`)."""
        from .by_hand import ReceiveRecord

        return ReceiveRecord(self, consumer)

    def put_down(self, receive: Receive, now_s: float, message: Message) -> None:
        """A process is through with its record; the next one waits until it asks."""
        claim = self.holding.pop(receive)
        claim.member.takers.pop(receive, None)
        self._processed(now_s, message, claim)
        claim.member.done_with(claim)
        self._put_first(claim)

    def seek_back(self, receive: Receive, now_s: float) -> None:
        """A process gives its record back unseen: its consumer reads it again."""
        claim = self.holding[receive]
        claim.member.takers.pop(receive, None)
        claim.place.lost_s = now_s
        self._read_again(claim)

    def _polled_s(self, _message: Message) -> float:
        """When the poll returned that handed out the latest record."""
        return self.polled_s

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """The reader of a partition reads on from `offset`, which may lie before what was read already (KAF-37)."""
        self.places.seek(topic, partition, offset)

    def close(self, consumer: str) -> None:
        """A consumer closes in order: it commits and leaves the group at once."""
        self._member(consumer).close(float(self.sim.env.now))

    def crash(self, consumer: str) -> None:
        """A consumer of your own processes dies without a word."""
        member = self._member(consumer)
        for record in [record for record in self.in_hand if record.consumer == consumer]:
            record.lost()
        member.crash(float(self.sim.env.now))

    def _member(self, consumer: str) -> Member:
        member = self.members.get(consumer)
        if member is None or not member.alive:
            alive = [name for name, each in self.members.items() if each.alive]
            raise UnknownNameError(f"member of group {self.name!r}", consumer, alive, at_s=float(self.sim.env.now))
        return member

    def assignment(self) -> dict[str, list[TopicPartition]]:
        """Which partitions each present member reads."""
        members = [member for member in self.members.values() if member.alive]
        return {member.name: sorted(claim.place.key for claim in member.claims) for member in members}

    def lag(self) -> dict[TopicPartition, int]:
        """For each partition the end of the log minus the committed offset (KAF-24)."""
        return self.places.lag()

    def catch_up(self) -> None:
        """All members are where they would be by now if somebody had looked all the time (`stretch`)."""
        for member in self.members.values():
            member.catch_up()

    def watch_each(self) -> None:
        """From now on members have to see to each record when it comes."""
        self.is_watched = True
        self.catch_up()

    def somebody_listens(self) -> None:
        """From now on somebody is to be told of each record that is done."""
        self.lean = False
        self.catch_up()
        for place in self.places:
            if place.claim is not None:
                place.claim.plain = False

    def partitions_added(self, topic: Topic, first: int) -> None:
        """A topic has more partitions; the leader sees it when its metadata is due, and asks for a rebalance."""
        for log in topic.logs[first:]:
            self.places.add(log, topic.settled)

        def see(now_s: float, _: object) -> None:
            self.coordinator.partitions[topic.name] = topic.partitions
            self.coordinator.metadata_changed(now_s)

        self.sim.env.at(float(self.sim.env.now) + self.settings.metadata_max_age_s, see)

    def fact(self, now_s: float, kind: str, **detail: Any) -> None:
        """A change of state of this group."""
        self.sim.log.fact(now_s, kind, self.name, **detail)

    def _placements(self) -> dict[int, TopicPartition]:
        """Topic and partition of each message that the group may have read, by its number."""
        return {
            number: (name, log.number)
            for name, topic in self._topics.items()
            for log in topic.logs
            for number in log.numbers()
        }
