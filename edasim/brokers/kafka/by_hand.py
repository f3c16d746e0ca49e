"""Reading by hand: records for your own SimPy process, settled in Kafka's own words.

A process is a consumer with one thread: `record = yield group.receive(consumer="c1")` polls, and polls again when all
that came is worked through. `record.done()` says that the application is through with it (the group's way to commit
does the rest), `record.commit()` commits its offset at once as well. Left out: several threads in one consumer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ...errors import StateError
from ...events import Event
from ...kernel.runlog import CRASHED, DONE, IN_FLIGHT, NEVER, REQUEUED, pack_row
from ..base import Message, event_of
from ..by_hand import Receive
from .claims import Claim

if TYPE_CHECKING:
    from .group import Group


class CommitFailedError(StateError):
    """A commit of a member that is not in the group's present generation (Kafka: CommitFailedException)."""


class ReceiveRecord(Receive):
    """Triggers with the next `Record` of a group; otherwise as `Receive`."""

    def __init__(self, group: Group, consumer: str) -> None:
        self.group = group
        super().__init__(cast("Any", group), consumer)

    def take(self, now_s: float, message: Message) -> None:
        """The member has a record for this process."""
        self.group.sim.env.wake(self, Record(self, now_s, message))


class Record:
    """One record in the hands of your process."""

    def __init__(self, receive: ReceiveRecord, now_s: float, message: Message) -> None:
        self._receive = receive
        self._group = receive.group
        self._message = message
        self._claim: Claim = self._group.holding[receive]
        self.polled_s: float = self._claim.member.polled_s
        self.started_s = now_s
        self.topic = self._claim.log.topic
        self.partition = self._claim.log.number
        self.offset = self._claim.next - 1
        self.consumer = receive.name
        self.settled = False
        self._group.in_hand[self] = None

    @property
    def event(self) -> Event:
        """The event in the record."""
        return event_of(self._group.sim, self._message)

    @property
    def attempt(self) -> int:
        """How often the group has begun this record so far; Kafka does not know that, the run log does."""
        return self._message[4]

    def done(self) -> None:
        """The application is through with the record; the consumer goes on to the next."""
        self._settle(DONE)
        self._group.put_down(self._receive, self._now_s, self._message)

    def commit(self) -> None:
        """As `done`, and commits the offset after this record.

        Raises `CommitFailedError` if the consumer is not in the present generation.
        """
        self.done()
        place, member = self._claim.place, self._claim.member
        if not self._group.places.commit_offsets(self._now_s, member, [(place, self.offset + 1)]):
            raise CommitFailedError(
                f"{member.id} is not in the present generation of group {self._group.name!r}",
                field="commit",
                value=self.offset + 1,
                remedy="its partitions have other owners now, who do this work again; poll more often",
                at_s=self._now_s,
            )

    def hand_back(self) -> None:
        """Nobody worked on the record: the consumer reads it again."""
        self._settle(REQUEUED)
        self._group.seek_back(self._receive, self._now_s)

    def lost(self) -> None:
        """The consumer has crashed with the record in its hands."""
        self._settle(CRASHED)

    def open_row(self) -> bytes:
        """The row of a record that is still in work when the run ends."""
        return self._row(NEVER, IN_FLIGHT)

    @property
    def _now_s(self) -> float:
        return float(self._group.sim.env.now)

    def _row(self, finished_s: float, outcome: int) -> bytes:
        number, root, published_s, enqueued_s, attempt, _ = self._message
        endpoint = self._group.sim.log.endpoint(self._group.lane, self.consumer)
        return pack_row(
            number, root, published_s, enqueued_s, self.polled_s, self.started_s, finished_s, endpoint, attempt, outcome
        )

    def _settle(self, outcome: int) -> None:
        if self.settled:
            raise StateError(
                f"the record at offset {self.offset} of {self.topic}-{self.partition} was settled already",
                field="record",
                value=self.offset,
                remedy="settle each record once",
                at_s=self._now_s,
            )
        self.settled = True
        del self._group.in_hand[self]
        self._group.sim.log.add(self._row(self._now_s, outcome))
